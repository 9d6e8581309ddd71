// Which leaves a rank owns, and what makes a configuration impossible.
#include <stdlib.h>

#include "models/grad_tree.h"
#include "models/moments.h"
#include "models/trainer.h"

static bool power_of_two(int64_t n)
{
    return n > 0 && (n & (n - 1)) == 0;
}

// The divisor of `whole` nearest to `near` that is a power of two if asked for.
static int64_t nearest_divisor(int64_t whole, int64_t near, bool power)
{
    int64_t best = 1;
    for (int64_t d = 1; d <= whole; d++) {
        if (whole % d || (power && !power_of_two(d))) continue;
        if (llabs(d - near) <= llabs(best - near)) best = d;
    }
    return best;
}

static mg_status check_exact(const mg_train_config *c, int64_t ranks)
{
    MG_CHECK(power_of_two(c->leaves), MG_ERR_CONFIG,
             "train.leaves is %ld, expected a power of two (nearest that divides train.batch %ld: "
             "%ld)",
             (long)c->leaves, (long)c->batch, (long)nearest_divisor(c->batch, c->leaves, true));
    MG_CHECK(c->batch % c->leaves == 0, MG_ERR_CONFIG,
             "train.leaves %ld does not divide train.batch %ld (nearest batches: %ld, %ld; nearest "
             "leaves: %ld)",
             (long)c->leaves, (long)c->batch, (long)(c->batch / c->leaves * c->leaves),
             (long)((c->batch / c->leaves + 1) * c->leaves),
             (long)nearest_divisor(c->batch, c->leaves, true));
    MG_CHECK(c->leaves % ranks == 0, MG_ERR_CONFIG,
             "%ld ranks do not divide train.leaves %ld (nearest number of ranks: %ld; or set "
             "train.reduce: fast)",
             (long)ranks, (long)c->leaves, (long)nearest_divisor(c->leaves, ranks, true));
    return MG_OK;
}

mg_status mg_train_check(int ranks, const mg_train_config *c)
{
    if (c->reduce[0] == 'e') return check_exact(c, ranks);
    MG_CHECK(c->batch % ranks == 0, MG_ERR_CONFIG,
             "%d ranks do not divide train.batch %ld (nearest number of ranks: %ld)", ranks,
             (long)c->batch, (long)nearest_divisor(c->batch, ranks, false));
    return MG_OK;
}

void mg_train_share(int rank, int ranks, const mg_train_config *c, mg_step *step)
{
    int64_t local = c->batch / ranks, wanted = c->batch / c->leaves;
    int64_t leaves = 1;

    // With exact sums this gives leaves / ranks; with fast ones the fewest leaves that are not
    // larger than wanted.
    if (wanted < 1) wanted = 1;
    while (local % leaves || local / leaves > wanted) leaves++;
    step->seed = (uint64_t)c->seed;
    step->batch = c->batch;
    step->leaves = (int)leaves;
    step->leaf_size = local / leaves;
    step->lo = rank * local;
    step->hi = step->lo + local;
}

mg_train_memory mg_train_memory_of(int ranks, const mg_train_config *c, const mg_step *share,
                                   const mg_params *p)
{
    mg_grad_tree_memory tree =
        mg_grad_tree_memory_of(ranks, c->reduce[0] == 'e', p->trainable_size, share->leaves);

    return (mg_train_memory){.gradients = tree.buffers,
                             .moments = mg_moments_bytes(p, c->shard, ranks),
                             .exchange = tree.exchange};
}
