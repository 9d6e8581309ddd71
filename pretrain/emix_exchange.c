// Each rank sends the embedding of position i to the rank that owns the position whose partner is i;
// the order inside a message is that of the receiving positions, so no index travels.
#include "pretrain/emix_exchange.h"

#include <string.h>

#include "runtime/mem.h"

struct mg_emix_exchange {
    const mg_comm *world; // not owned
    int set, each, rank, ranks;
    size_t floats;
    float *send, *recv; // [each, floats]
    size_t *send_bytes, *recv_bytes;
};

size_t mg_emix_exchange_bytes(int each, size_t floats)
{
    return 2 * (size_t)each * floats * sizeof(float);
}

mg_status mg_emix_exchange_create(const mg_comm *world, int set, size_t floats,
                                  mg_emix_exchange **out)
{
    mg_emix_exchange *x = mg_calloc(1, sizeof *x);

    *out = NULL;
    MG_CHECK(x, MG_ERR_MEMORY, "cannot allocate an exchange");
    *x = (mg_emix_exchange){.world = world,
                            .set = set,
                            .rank = mg_comm_rank(world),
                            .ranks = mg_comm_size(world),
                            .floats = floats};
    x->each = set / x->ranks;
    x->send = mg_alloc((size_t)x->each * floats * sizeof(float));
    x->recv = mg_alloc((size_t)x->each * floats * sizeof(float));
    x->send_bytes = mg_calloc((size_t)x->ranks, sizeof(size_t));
    x->recv_bytes = mg_calloc((size_t)x->ranks, sizeof(size_t));
    if (!x->send || !x->recv || !x->send_bytes || !x->recv_bytes) {
        mg_emix_exchange_destroy(&x);
        return MG_FAIL(MG_ERR_MEMORY, "cannot allocate the exchange of %d embeddings", set);
    }
    *out = x;
    return MG_OK;
}

void mg_emix_exchange_destroy(mg_emix_exchange **exchange)
{
    mg_emix_exchange *x = *exchange;

    if (!x) return;
    mg_free(x->send), mg_free(x->recv);
    mg_free(x->send_bytes), mg_free(x->recv_bytes);
    mg_free(x);
    *exchange = NULL;
}

void mg_emix_exchange_run(mg_emix_exchange *x, const uint32_t *pi, const float *const *own,
                          float *partner)
{
    size_t bytes = x->floats * sizeof(float);
    int lo = x->rank * x->each, sent = 0, taken = 0;

    for (int r = 0; r < x->ranks; r++) {
        x->send_bytes[r] = x->recv_bytes[r] = 0;
        for (int q = r * x->each; q < (r + 1) * x->each; q++) {
            int from = (int)pi[q] - lo;
            if (from < 0 || from >= x->each) continue;
            memcpy(x->send + x->floats * (size_t)sent++, own[from], bytes);
            x->send_bytes[r] += bytes;
        }
        for (int q = lo; q < lo + x->each; q++)
            if ((int)pi[q] / x->each == r) x->recv_bytes[r] += bytes;
    }
    mg_comm_alltoallv(x->world, x->send, x->send_bytes, x->recv, x->recv_bytes);
    for (int r = 0; r < x->ranks; r++)
        for (int i = 0; i < x->each; i++)
            if ((int)pi[lo + i] / x->each == r)
                memcpy(partner + x->floats * (size_t)i, x->recv + x->floats * (size_t)taken++,
                       bytes);
}
