// Settings of threads and binding may look right and still run at a fraction of the speed (threads
// bound to one core, a BLAS library with threads of its own, a busy node). So the doctor measures:
// the rate of one thread, and the rate of all threads of all ranks working at the same time.
#include "models/doctor_products.h"

#include <omp.h>

#include "nn/gemm.h"
#include "runtime/log.h"
#include "runtime/mem.h"

enum { ROWS = 512, INNER = 768, COLS = 3072 };

// GFLOP/s of this rank, the best of a few products.
static double best_rate(float *out, const float *a, const float *b)
{
    const double flops = 2.0 * ROWS * INNER * COLS;
    double best = 0;

    for (int i = 0; i < 4; i++) {
        double start = mg_now();
        mg_gemm(out, COLS, a, INNER, false, b, COLS, false, ROWS, COLS, INNER, 1, 0);
        double rate = flops / (mg_now() - start) * 1e-9;
        best = rate > best ? rate : best;
    }
    return best;
}

mg_status mg_doctor_products(const mg_comm *world, mg_doctor_line *fact, mg_doctor_line *wrong)
{
    int threads = omp_get_max_threads();
    size_t floats = (size_t)ROWS * INNER + (size_t)INNER * COLS + (size_t)ROWS * COLS;
    float *block = mg_calloc(floats, sizeof *block);
    mg_status st = MG_OK;

    if (!block) st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate a product to measure");
    st = mg_comm_agree(world, st);
    if (st) goto done;
    float *a = block, *b = a + (size_t)ROWS * INNER, *out = b + (size_t)INNER * COLS;
    omp_set_num_threads(1);
    double one = best_rate(out, a, b);
    omp_set_num_threads(threads);
    mg_comm_barrier(world);
    double all = best_rate(out, a, b);
    // The slowest rank, in MFLOP/s.
    int64_t slow_one = -mg_comm_max(world, -(int64_t)(one * 1e3));
    int64_t slow_all = -mg_comm_max(world, -(int64_t)(all * 1e3));
    if (mg_comm_rank(world) == 0) {
        double share = (double)slow_all / ((double)slow_one * threads);
        fact("blas", "%s", mg_gemm_library());
        fact("products_1_thread", "gflops %.1f", (double)slow_one / 1e3);
        fact("products_rank", "gflops %.1f threads %d efficiency %.2f", (double)slow_all / 1e3,
             threads, share);
        if (threads > 1 && share < 0.6)
            wrong("look for other programs on this node, and at OMP_PROC_BIND, OMP_PLACES and the "
                  "binding of the launcher: threads must not share a core",
                  "%d threads do %.2f of the work of one, not %d times", threads, share * threads,
                  threads);
    }

done:
    mg_free(block);
    return st;
}
