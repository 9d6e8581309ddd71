// Ranks on top of MPI: start and end, agreement, moving bytes, the tree sum of a few numbers.
// Counts of MPI are int, so everything larger moves in pieces. Sums of gradients: comm_reduce.c.
#include "runtime/comm_private.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/log.h"
#include "runtime/mem.h"

static const size_t PIECE = (size_t)1 << 30; // most bytes of one call

// --- agreement --------------------------------------------------------------------------------------

static mg_status agree(MPI_Comm comm, int rank, mg_status mine)
{
    int first = mine ? rank : INT_MAX;

    MPI_Allreduce(MPI_IN_PLACE, &first, 1, MPI_INT, MPI_MIN, comm);
    if (first == INT_MAX) return MG_OK;
    if (first == rank) {
        if (mine != MG_ERR_STOPPED) mg_error_trace(); // stopping on a signal is no error
    } else if (!mine) {
        mine = MG_FAIL(MG_ERR_PEER, "rank %d failed", first);
    }
    mg_err_set_shown();
    return mine;
}

mg_status mg_comm_agree(const mg_comm *comm, mg_status mine)
{
    return comm->comm == MPI_COMM_NULL ? mine : agree(comm->comm, comm->rank, mine);
}

// --- start and end ----------------------------------------------------------------------------------

static int env_int(const char *name)
{
    const char *text = getenv(name);
    return text ? atoi(text) : 0;
}

// Number of ranks that the launcher says it started, and which of them this is; 0 if none says so.
// MPI launchers know best; Slurm's own count is that of the job step, if this is one.
static int launched_ranks(int *rank)
{
    static const char *const launcher[][2] = {
        {"OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"},
        {"PMI_SIZE", "PMI_RANK"},
    };
    for (int i = 0; i < 2; i++) {
        if (!getenv(launcher[i][0])) continue;
        *rank = env_int(launcher[i][1]);
        return env_int(launcher[i][0]);
    }
    *rank = env_int("SLURM_PROCID");
    if (!getenv("SLURM_STEP_ID") || !getenv("SLURM_PROCID")) return 0;
    return env_int(getenv("SLURM_STEP_NUM_TASKS") ? "SLURM_STEP_NUM_TASKS" : "SLURM_NTASKS");
}

mg_status mg_comm_check_launch(int size)
{
    int rank = 0, launched = launched_ranks(&rank);

    if (size > 1) return MG_OK;
    if (launched > 1) {
        mg_status st = MG_FAIL(
            MG_ERR_CONFIG,
            "the launcher started %d processes, but each sees an MPI world of 1: the launcher and "
            "the MPI library do not match (start with 'srun --mpi=pmix', or with the library's own "
            "mpirun inside the batch script)",
            launched);
        if (rank > 0) mg_err_set_shown(); // one of them says so
        return st;
    }
    if (launched == 0 && env_int("SLURM_NTASKS") > 1)
        mg_warn("the job has %d tasks, but this is one process without srun: it runs as one rank",
                env_int("SLURM_NTASKS"));
    return MG_OK;
}

static mg_status comm_alloc(int size, mg_comm **out)
{
    mg_comm *comm = mg_calloc(1, sizeof *comm);

    *out = comm;
    if (comm) {
        comm->comm = comm->last = MPI_COMM_NULL;
        comm->meeting = MPI_REQUEST_NULL;
        comm->tree = mg_calloc((size_t)size * COMM_TREE_VALUES, sizeof *comm->tree);
        comm->counts = mg_calloc((size_t)size * 2, sizeof *comm->counts);
    }
    MG_CHECK(comm && comm->tree && comm->counts, MG_ERR_MEMORY,
             "cannot allocate a communicator of %d ranks", size);
    return MG_OK;
}

static void find_nodes(mg_comm *comm)
{
    MPI_Comm node;

    MPI_Comm_split_type(comm->comm, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node);
    MPI_Comm_rank(node, &comm->node_rank);
    MPI_Comm_size(node, &comm->node_size);
    MPI_Comm_free(&node);
    int first = comm->node_rank == 0;
    MPI_Allreduce(&first, &comm->nodes, 1, MPI_INT, MPI_SUM, comm->comm);
}

mg_status mg_comm_start(int *argc, char ***argv, mg_comm **world)
{
    int provided = 0, size = 0, rank = 0;

    *world = NULL;
    MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &provided);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    mg_status st = mg_comm_check_launch(size);
    if (!st && provided < MPI_THREAD_FUNNELED)
        st = MG_FAIL(MG_ERR_CONFIG, "%s does not allow threads beside it", mg_comm_library());
    if (!st) st = comm_alloc(size, world);
    st = agree(MPI_COMM_WORLD, rank, st);
    if (st) {
        mg_comm_end(world);
        MPI_Finalize();
        return st;
    }
    mg_comm *comm = *world;
    comm->started = true;
    comm->size = size;
    comm->rank = rank;
    MPI_Comm_dup(MPI_COMM_WORLD, &comm->comm);
    MPI_Comm_dup(MPI_COMM_WORLD, &comm->last);
    find_nodes(comm);
    return MG_OK;
}

mg_status mg_comm_alone(mg_comm **self)
{
    mg_status st = comm_alloc(1, self);

    if (st) {
        mg_comm_end(self);
        return st;
    }
    (*self)->size = (*self)->node_size = (*self)->nodes = 1;
    return MG_OK;
}

void mg_comm_end(mg_comm **comm)
{
    mg_comm *c = *comm;

    if (!c) return;
    bool started = c->started;
    if (c->comm != MPI_COMM_NULL) MPI_Comm_free(&c->comm);
    if (c->last != MPI_COMM_NULL) MPI_Comm_free(&c->last);
    mg_free(c->tree);
    mg_free(c->counts);
    mg_free(c);
    *comm = NULL;
    if (started) MPI_Finalize();
}

bool mg_comm_meet(mg_comm *comm, double patience_s)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    double start = mg_now();
    int here = 0;

    if (comm->last == MPI_COMM_NULL) return true;
    if (comm->meeting == MPI_REQUEST_NULL) MPI_Ibarrier(comm->last, &comm->meeting);
    for (;;) {
        MPI_Test(&comm->meeting, &here, MPI_STATUS_IGNORE);
        if (here || (patience_s >= 0 && mg_now() - start > patience_s)) return here;
        nanosleep(&pause, NULL);
    }
}

void mg_comm_abort(const mg_comm *comm, int code)
{
    fflush(NULL);
    if (comm->comm != MPI_COMM_NULL) MPI_Abort(comm->comm, code);
    _Exit(code);
}

// --- facts ------------------------------------------------------------------------------------------

int mg_comm_rank(const mg_comm *comm)
{
    return comm->rank;
}

int mg_comm_size(const mg_comm *comm)
{
    return comm->size;
}

int mg_comm_node_rank(const mg_comm *comm)
{
    return comm->node_rank;
}

int mg_comm_node_size(const mg_comm *comm)
{
    return comm->node_size;
}

int mg_comm_nodes(const mg_comm *comm)
{
    return comm->nodes;
}

const char *mg_comm_library(void)
{
    static char text[MPI_MAX_LIBRARY_VERSION_STRING];
    int started = 0, length = 0;

    MPI_Initialized(&started);
    if (!started) return "none";
    MPI_Get_library_version(text, &length);
    text[strcspn(text, ",\n")] = '\0'; // what follows is where and by whom it was built
    return text;
}

void mg_comm_range(int64_t total, int rank, int size, int64_t *lo, int64_t *hi)
{
    int64_t each = total / size, more = total % size;

    *lo = rank * each + (rank < more ? rank : more);
    *hi = *lo + each + (rank < more);
}

// --- moving bytes -----------------------------------------------------------------------------------

void mg_comm_barrier(const mg_comm *comm)
{
    if (comm->comm != MPI_COMM_NULL) MPI_Barrier(comm->comm);
}

void mg_comm_bcast(const mg_comm *comm, void *data, size_t bytes, int root)
{
    if (comm->comm == MPI_COMM_NULL) return;
    for (size_t at = 0; at < bytes; at += PIECE) {
        size_t n = bytes - at < PIECE ? bytes - at : PIECE;
        MPI_Bcast((char *)data + at, (int)n, MPI_BYTE, root, comm->comm);
    }
}

void mg_comm_allgather(const mg_comm *comm, const void *mine, size_t bytes, void *all)
{
    char *own = (char *)all + (size_t)comm->rank * bytes;

    if (own != mine && bytes) memcpy(own, mine, bytes);
    if (comm->comm == MPI_COMM_NULL) return;
    if (bytes <= PIECE) {
        MPI_Allgather(MPI_IN_PLACE, 0, MPI_BYTE, all, (int)bytes, MPI_BYTE, comm->comm);
        return;
    }
    for (int r = 0; r < comm->size; r++)
        mg_comm_bcast(comm, (char *)all + (size_t)r * bytes, bytes, r);
}

void mg_comm_allgatherv(const mg_comm *comm, const void *mine, const size_t *counts, void *all)
{
    size_t total = 0, before = 0;
    int *count = comm->counts, *start = comm->counts + comm->size;

    for (int r = 0; r < comm->size; r++) {
        if (r == comm->rank) before = total;
        total += counts[r];
    }
    char *own = (char *)all + before;
    if (own != mine && counts[comm->rank]) memcpy(own, mine, counts[comm->rank]);
    if (comm->comm == MPI_COMM_NULL) return;
    if (total > PIECE) {
        char *part = all;
        for (int r = 0; r < comm->size; part += counts[r++])
            mg_comm_bcast(comm, part, counts[r], r);
        return;
    }
    for (int r = 0, at = 0; r < comm->size; at += count[r++]) {
        count[r] = (int)counts[r];
        start[r] = at;
    }
    MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_BYTE, all, count, start, MPI_BYTE, comm->comm);
}

// Send and receive in pieces that both sides cut alike.
static void exchange(const mg_comm *comm, const char *out, size_t out_bytes, int to, char *in,
                     size_t in_bytes, int from)
{
    for (size_t at = 0; at < out_bytes || at < in_bytes; at += PIECE) {
        size_t n_out = at >= out_bytes ? 0 : out_bytes - at < PIECE ? out_bytes - at : PIECE;
        size_t n_in = at >= in_bytes ? 0 : in_bytes - at < PIECE ? in_bytes - at : PIECE;
        MPI_Request request[2] = {MPI_REQUEST_NULL, MPI_REQUEST_NULL};
        if (n_in) MPI_Irecv(in + at, (int)n_in, MPI_BYTE, from, 0, comm->comm, &request[0]);
        if (n_out) MPI_Isend(out + at, (int)n_out, MPI_BYTE, to, 0, comm->comm, &request[1]);
        MPI_Waitall(2, request, MPI_STATUSES_IGNORE);
    }
}

static size_t bytes_before(const size_t *bytes, int rank)
{
    size_t sum = 0;
    for (int r = 0; r < rank; r++) sum += bytes[r];
    return sum;
}

void mg_comm_alltoallv(const mg_comm *comm, const void *send, const size_t *send_bytes, void *recv,
                       const size_t *recv_bytes)
{
    int me = comm->rank, size = comm->size;
    const char *out = (const char *)send + bytes_before(send_bytes, me);
    char *in = (char *)recv + bytes_before(recv_bytes, me);

    if (send_bytes[me]) memcpy(in, out, send_bytes[me]);
    for (int k = 1; k < size; k++) {
        int to = (me + k) % size, from = (me - k + size) % size;
        exchange(comm, (const char *)send + bytes_before(send_bytes, to), send_bytes[to], to,
                 (char *)recv + bytes_before(recv_bytes, from), recv_bytes[from], from);
    }
}

// --- small sums -------------------------------------------------------------------------------------

int64_t mg_comm_max(const mg_comm *comm, int64_t value)
{
    if (comm->comm != MPI_COMM_NULL)
        MPI_Allreduce(MPI_IN_PLACE, &value, 1, MPI_INT64_T, MPI_MAX, comm->comm);
    return value;
}

int64_t mg_comm_sum_int(const mg_comm *comm, int64_t value)
{
    if (comm->comm != MPI_COMM_NULL)
        MPI_Allreduce(MPI_IN_PLACE, &value, 1, MPI_INT64_T, MPI_SUM, comm->comm);
    return value;
}

// x[0] + x[stride] + ... over the ranks [lo, hi), halved again and again.
static double tree(const double *x, int stride, int lo, int hi)
{
    if (hi - lo == 1) return x[(size_t)lo * stride];
    int mid = lo + (hi - lo) / 2;
    return tree(x, stride, lo, mid) + tree(x, stride, mid, hi);
}

void mg_comm_sum_tree(const mg_comm *comm, double *x, int count)
{
    if (comm->comm == MPI_COMM_NULL) return;
    for (int at = 0; at < count; at += COMM_TREE_VALUES) {
        int n = count - at < COMM_TREE_VALUES ? count - at : COMM_TREE_VALUES;
        mg_comm_allgather(comm, x + at, (size_t)n * sizeof *x, comm->tree);
        for (int i = 0; i < n; i++) x[at + i] = tree(comm->tree + i, n, 0, comm->size);
    }
}
