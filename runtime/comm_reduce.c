// Sums of gradients over the ranks, beside the backward pass.
// The array is cut into buckets from its end; a bucket that is final joins the few in flight. In
// exact mode each goes through 2 log2(P) exchanges. Halving: with the partner at distance 1, then 2,
// 4, ..., each keeps one half of its range, sends the other, and adds what comes, lower rank's value
// on the left; so every value is summed in the binary tree over the ranks. Doubling takes the same
// way back and brings the finished parts to everyone. This moves 2 (P - 1) / P of the bucket each
// way, as much as any all-reduce must.
#include "runtime/comm_private.h"

#include <assert.h>
#include <string.h>

#include "runtime/log.h"
#include "runtime/mem.h"

enum {
    FLIGHTS = 4,          // buckets on their way at once: bounds the scratch memory
    MAX_BUCKET = 1 << 28, // counts of MPI are int
    TAGS = 1 << 15,       // every MPI has that many
};

typedef struct {
    bool busy;
    int bucket;
    int stage;      // exact: 0 .. levels-1 halving, then levels .. 2 levels - 1 doubling
    float *scratch; // [bucket / 2 + 1]
} flight;

struct mg_reducer {
    MPI_Comm comm; // own duplicate; MPI_COMM_NULL for one rank
    bool exact;
    int rank, levels; // 2^levels ranks in exact mode
    size_t floats, bucket;
    float *data; // not owned
    size_t count, from;
    int buckets, started, done;
    flight flight[FLIGHTS];
    MPI_Request request[2 * FLIGHTS]; // two for each flight
    float *scratch;
};

typedef struct {
    size_t lo, hi;
} range;

static size_t bucket_size(size_t wanted, size_t floats)
{
    size_t bucket = wanted < 1 ? 1 : wanted > MAX_BUCKET ? MAX_BUCKET : wanted;
    return bucket > floats && floats > 0 ? floats : bucket;
}

// Floats that a flight receives into.
static size_t half_of(size_t bucket)
{
    return bucket / 2 + 1;
}

size_t mg_reducer_bytes(int ranks, bool exact, size_t floats, size_t bucket)
{
    if (!exact || ranks == 1) return 0;
    return FLIGHTS * half_of(bucket_size(bucket, floats)) * sizeof(float);
}

mg_status mg_reducer_create(const mg_comm *comm, bool exact, size_t floats, size_t bucket,
                            mg_reducer **out)
{
    mg_reducer *r = mg_calloc(1, sizeof *r);
    int levels = 0;

    *out = NULL;
    while (1 << levels < comm->size) levels++;
    bucket = bucket_size(bucket, floats);
    size_t half = half_of(bucket), bytes = mg_reducer_bytes(comm->size, exact, floats, bucket);
    mg_status st = MG_OK;
    if (exact && 1 << levels != comm->size)
        st = MG_FAIL(MG_ERR_CONFIG, "exact sums need a power of two of ranks, not %d", comm->size);
    if (!st && r && bytes) r->scratch = mg_alloc(bytes);
    if (!st && (!r || (bytes && !r->scratch)))
        st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate %zu bytes to sum gradients", bytes);
    st = mg_comm_agree(comm, st);
    if (st) {
        if (r) mg_free(r->scratch);
        mg_free(r);
        return st;
    }
    r->comm = MPI_COMM_NULL;
    if (comm->size > 1) MPI_Comm_dup(comm->comm, &r->comm);
    r->exact = exact;
    r->rank = comm->rank;
    r->levels = levels;
    r->floats = floats;
    r->bucket = bucket;
    for (int i = 0; i < FLIGHTS; i++) {
        r->request[2 * i] = r->request[2 * i + 1] = MPI_REQUEST_NULL;
        r->flight[i].scratch = r->scratch ? r->scratch + (size_t)i * half : NULL;
    }
    *out = r;
    return MG_OK;
}

void mg_reducer_destroy(mg_reducer **reducer)
{
    mg_reducer *r = *reducer;

    if (!r) return;
    if (r->comm != MPI_COMM_NULL) MPI_Comm_free(&r->comm);
    mg_free(r->scratch);
    mg_free(r);
    *reducer = NULL;
}

// --- one bucket -------------------------------------------------------------------------------------

// Bucket 0 is the last one of the array.
static range bucket_range(const mg_reducer *r, int bucket)
{
    size_t hi = r->count - (size_t)bucket * r->bucket;
    return (range){hi > r->bucket ? hi - r->bucket : 0, hi};
}

// The part of `whole` that `rank` holds after `levels` halvings.
static range part(range whole, int rank, int levels)
{
    for (int k = 0; k < levels; k++) {
        size_t mid = whole.lo + (whole.hi - whole.lo) / 2;
        if (rank >> k & 1)
            whole.lo = mid;
        else
            whole.hi = mid;
    }
    return whole;
}

// Post the exchange of a flight's stage.
static void post(mg_reducer *r, int i)
{
    flight *f = &r->flight[i];
    bool halving = f->stage < r->levels;
    int level = halving ? f->stage : 2 * r->levels - 1 - f->stage;
    int partner = r->rank ^ 1 << level, tag = f->bucket % TAGS;
    range whole = bucket_range(r, f->bucket);
    range mine = part(whole, r->rank, level + 1), other = part(whole, partner, level + 1);
    // Halving gives the other's part and takes a summand of one's own; doubling the reverse.
    range out = halving ? other : mine, in = halving ? mine : other;
    float *into = halving ? f->scratch : r->data + in.lo;

    MPI_Irecv(into, (int)(in.hi - in.lo), MPI_FLOAT, partner, tag, r->comm, &r->request[2 * i]);
    MPI_Isend(r->data + out.lo, (int)(out.hi - out.lo), MPI_FLOAT, partner, tag, r->comm,
              &r->request[2 * i + 1]);
}

// Both requests of a flight are complete: add what came, go to the next stage.
static void advance(mg_reducer *r, int i)
{
    flight *f = &r->flight[i];

    if (r->exact && f->stage < r->levels) {
        range mine = part(bucket_range(r, f->bucket), r->rank, f->stage + 1);
        float *x = r->data + mine.lo;
        const float *y = f->scratch;
        size_t n = mine.hi - mine.lo;
        // Adding is commutative to the bit: the lower rank's value may stand on either side.
#pragma omp simd
        for (size_t k = 0; k < n; k++) x[k] += y[k];
    }
    if (r->exact && ++f->stage < 2 * r->levels) {
        post(r, i);
        return;
    }
    f->busy = false;
    r->done++;
}

// Give free places to buckets that are final, in order.
static void launch(mg_reducer *r)
{
    for (int i = 0; i < FLIGHTS && r->started < r->buckets; i++) {
        if (r->flight[i].busy) continue;
        range whole = bucket_range(r, r->started);
        if (r->from > whole.lo) return;
        r->flight[i].busy = true;
        r->flight[i].stage = 0;
        r->flight[i].bucket = r->started++;
        if (r->exact)
            post(r, i);
        else
            MPI_Iallreduce(MPI_IN_PLACE, r->data + whole.lo, (int)(whole.hi - whole.lo), MPI_FLOAT,
                           MPI_SUM, r->comm, &r->request[2 * i]);
    }
}

// --- the whole array --------------------------------------------------------------------------------

void mg_reducer_begin(mg_reducer *reducer, float *data, size_t count)
{
    assert(count <= reducer->floats && reducer->done == reducer->buckets);
    reducer->data = data;
    reducer->count = reducer->from = count;
    reducer->started = reducer->done = 0;
    reducer->buckets = 0;
    if (reducer->comm != MPI_COMM_NULL)
        reducer->buckets = (int)((count + reducer->bucket - 1) / reducer->bucket);
}

void mg_reducer_ready(mg_reducer *reducer, size_t from)
{
    assert(from <= reducer->from);
    reducer->from = from;
    mg_reducer_poll(reducer);
}

void mg_reducer_poll(mg_reducer *reducer)
{
    for (int i = 0; i < FLIGHTS; i++) {
        int complete = 0;
        if (!reducer->flight[i].busy) continue;
        MPI_Testall(2, &reducer->request[2 * i], &complete, MPI_STATUSES_IGNORE);
        if (complete) advance(reducer, i);
    }
    if (reducer->started < reducer->buckets) launch(reducer);
}

void mg_reducer_finish(mg_reducer *reducer, double *wait_s)
{
    double start = mg_now();

    mg_reducer_ready(reducer, 0);
    while (reducer->done < reducer->buckets) {
        int which = 0;
        MPI_Waitany(2 * FLIGHTS, reducer->request, &which, MPI_STATUS_IGNORE);
        int i = which / 2;
        if (reducer->request[2 * i] == MPI_REQUEST_NULL &&
            reducer->request[2 * i + 1] == MPI_REQUEST_NULL)
            advance(reducer, i);
        launch(reducer);
    }
    if (wait_s) *wait_s = mg_now() - start;
}
