// RUN: np=1,2,3,4
// Ranks: agreement, ranges, moving bytes, and sums that are held to the bit against one process that
// adds all leaves in the binary tree.
#include "tests/check.h"

#include <time.h>
#include <unistd.h>

#include "runtime/comm.h"
#include "runtime/log.h"
#include "runtime/mem.h"

static mg_comm *world;
static int rank, size;

static bool power_of_two(int n)
{
    return (n & (n - 1)) == 0;
}

static void facts(void **state)
{
    (void)state;
    CHECK(rank >= 0 && rank < size);
    CHECK(mg_comm_nodes(world) == 1 && mg_comm_node_size(world) == size);
    CHECK(mg_comm_node_rank(world) == rank);
    CHECK(strstr(mg_comm_library(), "MPI"));
    CHECK(mg_comm_max(world, -5 + rank) == -6 + size);
    CHECK(mg_comm_sum_int(world, ((int64_t)1 << 40) + rank) ==
          size * ((int64_t)1 << 40) + size * (size - 1) / 2);
}

static mg_status fail_if(bool wanted, mg_status code)
{
    MG_CHECK(!wanted, code, "made to fail");
    return MG_OK;
}

static void agreement(void **state)
{
    (void)state;
    OK(mg_comm_agree(world, MG_OK));
    // What is printed goes nowhere here.
    int last = size - 1, quiet = dup(STDERR_FILENO);
    CHECK(freopen("/dev/null", "w", stderr));
    mg_status st = mg_comm_agree(world, fail_if(rank == last, MG_ERR_FORMAT));
    CHECK(st == (rank == last ? MG_ERR_FORMAT : MG_ERR_PEER));
    CHECK(size == 1 || mg_err_shown());
    mg_err_clear();
    st = mg_comm_agree(world, fail_if(true, rank ? MG_ERR_IO : MG_ERR_CONFIG));
    CHECK(st == (rank ? MG_ERR_IO : MG_ERR_CONFIG));
    mg_err_clear();
    fflush(stderr);
    dup2(quiet, STDERR_FILENO);
    close(quiet);
}

static void ranges(void **state)
{
    int64_t lo, hi, end = 0;
    (void)state;
    for (int r = 0; r < 7; r++) {
        mg_comm_range(23, r, 7, &lo, &hi);
        CHECK(lo == end && hi - lo == (r < 2 ? 4 : 3));
        end = hi;
    }
    CHECK(end == 23);
    mg_comm_range(2, 5, 6, &lo, &hi);
    CHECK(lo == 2 && hi == 2);
}

static void bytes_move(void **state)
{
    enum { N = 5 };
    int word[N], *all = mg_alloc((size_t)size * N * sizeof *all);
    size_t *counts = mg_alloc((size_t)size * 2 * sizeof *counts), *back = counts + size;
    (void)state;

    for (int i = 0; i < N; i++) word[i] = rank == size - 1 ? 100 + i : -1;
    mg_comm_bcast(world, word, sizeof word, size - 1);
    for (int i = 0; i < N; i++) CHECK(word[i] == 100 + i);

    for (int i = 0; i < N; i++) word[i] = 10 * rank + i;
    mg_comm_allgather(world, word, sizeof word, all);
    for (int r = 0; r < size; r++)
        for (int i = 0; i < N; i++) CHECK(all[r * N + i] == 10 * r + i);

    // Rank r gives r values.
    for (int r = 0; r < size; r++) counts[r] = (size_t)r * sizeof(int);
    mg_comm_allgatherv(world, word, counts, all);
    for (int r = 0, at = 0; r < size; at += r++)
        for (int i = 0; i < r; i++) CHECK(all[at + i] == 10 * r + i);

    // Rank r gives (r + p) % 3 values 100 r + p to rank p.
    int *send = mg_alloc((size_t)size * 3 * sizeof *send), *out = send;
    for (int p = 0; p < size; p++) {
        counts[p] = back[p] = (size_t)((rank + p) % 3) * sizeof(int);
        for (int i = 0; i < (rank + p) % 3; i++) *out++ = 100 * rank + p;
    }
    mg_comm_alltoallv(world, send, counts, all, back);
    for (int p = 0, at = 0; p < size; at += (rank + p++) % 3)
        for (int i = 0; i < (rank + p) % 3; i++) CHECK(all[at + i] == 100 * p + rank);
    mg_comm_barrier(world);
    mg_free(send);
    mg_free(counts);
    mg_free(all);
}

// --- sums -------------------------------------------------------------------------------------------

// Leaf `k` of value i.
static float leaf(int k, size_t i)
{
    mg_stream s = {7, MG_RNG_FREE, (uint64_t)k, 0};
    return (float)mg_stream_normal(&s, i) * (float)pow(10, (double)(i % 7) - 3);
}

static float leaf_tree(int lo, int hi, size_t i)
{
    if (hi - lo == 1) return leaf(lo, i);
    int mid = lo + (hi - lo) / 2;
    return leaf_tree(lo, mid, i) + leaf_tree(mid, hi, i);
}

static double range_tree(int lo, int hi, int i)
{
    if (hi - lo == 1) return leaf(lo, (size_t)i);
    int mid = lo + (hi - lo) / 2;
    return range_tree(lo, mid, i) + range_tree(mid, hi, i);
}

static void few_numbers(void **state)
{
    enum { N = 150 };
    double x[N];
    (void)state;
    for (int i = 0; i < N; i++) x[i] = leaf(rank, (size_t)i);
    mg_comm_sum_tree(world, x, N);
    for (int i = 0; i < N; i++) CHECK(x[i] == range_tree(0, size, i));
}

// Sum N values of 8 leaves over the ranks, given free from the end in uneven pieces.
static void reduce(mg_reducer *reducer, float *x, size_t n, int lo, int hi)
{
    double wait_s = -1;

    for (size_t i = 0; i < n; i++) x[i] = leaf_tree(lo, hi, i);
    mg_reducer_begin(reducer, x, n);
    int64_t step = (int64_t)n / 7 + 1 + rank % 2;
    for (int64_t from = (int64_t)n; from > (int64_t)n / 5; from -= step) {
        mg_reducer_ready(reducer, (size_t)from);
        mg_reducer_poll(reducer);
    }
    mg_reducer_finish(reducer, &wait_s);
    CHECK(wait_s >= 0);
}

static void exact_sums(void **state)
{
    const size_t sizes[] = {1, 3, 64, 4099};
    const size_t buckets[] = {1 << 20, 500, 7};
    float x[4099];
    (void)state;
    if (!power_of_two(size)) {
        mg_reducer *none = NULL;
        int quiet = dup(STDERR_FILENO);
        CHECK(freopen("/dev/null", "w", stderr));
        CHECK(mg_reducer_create(world, true, 10, 10, &none) == MG_ERR_CONFIG && !none);
        mg_err_clear();
        fflush(stderr);
        dup2(quiet, STDERR_FILENO);
        close(quiet);
        return;
    }
    int lo = 8 / size * rank, hi = lo + 8 / size;
    for (int b = 0; b < 3; b++) {
        mg_reducer *reducer = NULL;
        OK(mg_reducer_create(world, true, 4099, buckets[b], &reducer));
        for (int k = 0; k < 4; k++) {
            reduce(reducer, x, sizes[k], lo, hi);
            for (size_t i = 0; i < sizes[k]; i++) CHECK(x[i] == leaf_tree(0, 8, i));
        }
        mg_reducer_destroy(&reducer);
        CHECK(!reducer);
    }
}

static void fast_sums(void **state)
{
    enum { N = 4099 };
    float x[N], all[N];
    mg_reducer *reducer = NULL;
    int64_t lo, hi;
    (void)state;

    mg_comm_range(8, rank, size, &lo, &hi);
    OK(mg_reducer_create(world, false, N, 1000, &reducer));
    for (int again = 0; again < 2; again++) {
        reduce(reducer, x, N, (int)lo, (int)hi);
        for (size_t i = 0; i < N; i++) {
            double scale = 0;
            for (int k = 0; k < 8; k++) scale += fabs(leaf(k, i));
            CHECK(fabs((double)x[i] - leaf_tree(0, 8, i)) <= 1e-6 * scale);
        }
        // Whatever the order, every rank has the same bits.
        memcpy(all, x, sizeof x);
        mg_comm_bcast(world, all, sizeof all, 0);
        CHECK(!memcmp(all, x, sizeof x));
    }
    mg_reducer_destroy(&reducer);
}

// --- start ------------------------------------------------------------------------------------------

static void clear_launch(void)
{
    static const char *const names[] = {
        "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "PMI_SIZE",    "PMI_RANK", "SLURM_PROCID",
        "SLURM_STEP_ID",        "SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) unsetenv(names[i]);
}

static void singletons(void **state)
{
    (void)state;
    clear_launch();
    OK(mg_comm_check_launch(1));
    setenv("SLURM_NTASKS", "4", 1);
    setenv("SLURM_PROCID", "0", 1);
    int quiet = dup(STDERR_FILENO);
    CHECK(freopen("/dev/null", "w", stderr));
    OK(mg_comm_check_launch(1)); // by hand in a batch script: a warning
    fflush(stderr);
    dup2(quiet, STDERR_FILENO);
    close(quiet);
    setenv("SLURM_STEP_ID", "0", 1);
    FAILS(mg_comm_check_launch(1), MG_ERR_CONFIG, "srun --mpi=pmix");
    OK(mg_comm_check_launch(4));
    setenv("SLURM_STEP_NUM_TASKS", "1", 1);
    OK(mg_comm_check_launch(1));
    setenv("PMI_SIZE", "4", 1);
    FAILS(mg_comm_check_launch(1), MG_ERR_CONFIG, "started 4 processes");
    setenv("OMPI_COMM_WORLD_SIZE", "1", 1);
    OK(mg_comm_check_launch(1));
    clear_launch();
}

static void alone(void **state)
{
    mg_comm *self = NULL;
    mg_reducer *reducer = NULL;
    float x[3] = {1, 2, 3};
    double d[2] = {4, 5};
    (void)state;
    OK(mg_comm_alone(&self));
    CHECK(mg_comm_rank(self) == 0 && mg_comm_size(self) == 1 && mg_comm_nodes(self) == 1);
    CHECK(mg_comm_agree(self, MG_ERR_IO) == MG_ERR_IO);
    mg_comm_sum_tree(self, d, 2);
    CHECK(d[0] == 4 && d[1] == 5);
    OK(mg_reducer_create(self, true, 3, 2, &reducer));
    mg_reducer_begin(reducer, x, 3);
    mg_reducer_finish(reducer, NULL);
    CHECK(x[0] == 1 && x[1] == 2 && x[2] == 3);
    mg_reducer_destroy(&reducer);
    size_t bytes = sizeof x;
    float y[3] = {0}, z[3] = {0};
    mg_comm_allgatherv(self, x, &bytes, y);
    mg_comm_alltoallv(self, y, &bytes, z, &bytes);
    CHECK(!memcmp(x, z, sizeof x));
    mg_comm_end(&self);
    CHECK(!self);
}

// Rank 0 loses its patience, since the others come late.
static void meeting(void **state)
{
    const struct timespec late = {.tv_nsec = 300000000};
    (void)state;
    CHECK(mg_comm_meet(world, -1));
    CHECK(mg_comm_meet(world, 60));
    if (rank > 0) nanosleep(&late, NULL);
    CHECK(mg_comm_meet(world, rank == 0 ? 0.01 : -1) == (rank > 0 || size == 1));
    if (rank == 0 && size > 1) CHECK(mg_comm_meet(world, -1));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(facts),      cmocka_unit_test(agreement),   cmocka_unit_test(ranges),
        cmocka_unit_test(bytes_move), cmocka_unit_test(few_numbers), cmocka_unit_test(exact_sums),
        cmocka_unit_test(fast_sums),  cmocka_unit_test(singletons),  cmocka_unit_test(alone),
        cmocka_unit_test(meeting),
    };
    if (mg_comm_start(&argc, &argv, &world)) return 1;
    rank = mg_comm_rank(world);
    size = mg_comm_size(world);
    mg_log_init(rank, size);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    mg_comm_end(&world);
    return failed || mg_mem_live() != 0;
}
