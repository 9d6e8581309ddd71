// Reading ahead: threads fill the slots of the coming steps, in order, into a ring of ahead + 1
// steps. Which sample goes where follows from the sampler, so neither the number of threads nor
// their timing can be seen in what comes out.
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/log.h"
#include "runtime/mem.h"
#include "shard/shard.h"

// One step in the ring.
typedef struct {
    int64_t epoch, step;
    int64_t claimed, done; // slots given to threads, slots finished
    void **slot;           // [width], in `memory` of the loader
    int64_t *sample;       // [width]
    mg_status status;      // of the failed slot with the lowest number
    int64_t failed;        // its number
    char *error;           // its message and trace
} ring_step;

struct mg_loader {
    mg_loader_plan plan;
    int64_t width; // slots of a step
    mg_sampler *sampler;
    ring_step *ring; // [length]
    int64_t length;
    char *memory;

    pthread_mutex_t lock;
    pthread_cond_t work, ready;
    pthread_t *thread;
    int threads;
    // Steps are counted from the one asked for first: `head` is the one the caller holds, those
    // below `opened` have their samples, `claim` is the one whose slots are given out.
    int64_t head, opened, claim;
    int64_t next_epoch, next_step; // of step number `opened`
    int busy;                      // slots being filled
    bool started, paused, quit;
};

static ring_step *at_step(const mg_loader *l, int64_t number)
{
    return &l->ring[number % l->length];
}

static void forget_error(ring_step *s)
{
    free(s->error);
    s->error = NULL;
    s->status = MG_OK;
}

// Give the next step of the ring its samples. Under the lock.
static void open_step(mg_loader *l)
{
    ring_step *s = at_step(l, l->opened++);

    forget_error(s);
    s->epoch = l->next_epoch;
    s->step = l->next_step;
    s->claimed = s->done = 0;
    for (int64_t j = 0; j < l->width; j++)
        s->sample[j] = mg_sampler_at(l->sampler, s->epoch, s->step, l->plan.lo + j);
    if (++l->next_step == mg_sampler_steps(l->sampler)) {
        l->next_step = 0;
        l->next_epoch++;
    }
}

// A step with a slot to fill, or NULL. Under the lock.
static ring_step *find_work(mg_loader *l)
{
    if (!l->started || l->paused) return NULL;
    if (l->claim < l->opened && at_step(l, l->claim)->claimed == l->width) l->claim++;
    if (l->claim == l->opened) {
        if (l->opened >= l->head + l->length) return NULL;
        open_step(l);
    }
    return at_step(l, l->claim);
}

// Fill one slot; the lock is released meanwhile.
static void fill_slot(mg_loader *l, ring_step *s)
{
    int64_t j = s->claimed++;
    int64_t epoch = s->epoch, sample = s->sample[j];

    l->busy++;
    pthread_mutex_unlock(&l->lock);
    mg_status st = l->plan.produce(l->plan.ctx, epoch, sample, s->slot[j]);
    pthread_mutex_lock(&l->lock);
    l->busy--;
    if (st && (!s->status || j < s->failed)) {
        forget_error(s);
        s->status = st;
        s->failed = j;
        s->error = mg_err_take();
    } else if (st) {
        mg_err_clear();
    }
    s->done++;
    if (s->done == l->width || l->busy == 0) pthread_cond_broadcast(&l->ready);
}

static void *run_thread(void *arg)
{
    mg_loader *l = arg;

    pthread_mutex_lock(&l->lock);
    while (!l->quit) {
        ring_step *s = find_work(l);
        if (s)
            fill_slot(l, s);
        else
            pthread_cond_wait(&l->work, &l->lock);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

// Bytes of a slot in the ring's memory.
static size_t slot_size(const mg_loader_plan *p)
{
    return (p->slot_bytes + MG_ALIGN - 1) / MG_ALIGN * MG_ALIGN;
}

size_t mg_loader_bytes(const mg_loader_plan *p)
{
    return (size_t)(p->ahead + 1) * (size_t)(p->hi - p->lo) * slot_size(p) +
           mg_sampler_bytes(p->samples);
}

static mg_status allocate(mg_loader *l)
{
    size_t slot = slot_size(&l->plan);

    MG_TRY(mg_sampler_create(l->plan.seed, l->plan.samples, l->plan.batch, &l->sampler));
    l->ring = mg_calloc((size_t)l->length, sizeof *l->ring);
    l->memory = mg_alloc((size_t)l->length * (size_t)l->width * slot);
    l->thread = mg_alloc(((size_t)l->plan.threads + 1) * sizeof *l->thread);
    MG_CHECK(l->ring && l->memory && l->thread, MG_ERR_MEMORY,
             "cannot allocate %lld slots of %zu bytes", (long long)(l->length * l->width), slot);
    for (int64_t i = 0; i < l->length; i++) {
        ring_step *s = &l->ring[i];
        s->slot = mg_alloc((size_t)l->width * sizeof *s->slot);
        s->sample = mg_alloc((size_t)l->width * sizeof *s->sample);
        MG_CHECK(s->slot && s->sample, MG_ERR_MEMORY, "cannot allocate a step of the loader");
        for (int64_t j = 0; j < l->width; j++)
            s->slot[j] = l->memory + (size_t)(i * l->width + j) * slot;
    }
    return MG_OK;
}

static mg_status start_threads(mg_loader *l)
{
    for (int i = 0; i < l->plan.threads; i++) {
        int error = mg_fault() ? EAGAIN : pthread_create(&l->thread[i], NULL, run_thread, l);
        MG_CHECK(error == 0, MG_ERR_IO, "cannot start a reading thread: %s", strerror(error));
        l->threads++;
    }
    return MG_OK;
}

mg_status mg_loader_open(const mg_loader_plan *plan, mg_loader **out)
{
    mg_loader *l = mg_calloc(1, sizeof *l);

    assert(plan->lo >= 0 && plan->lo < plan->hi && plan->hi <= plan->batch && plan->ahead >= 0);
    *out = NULL;
    MG_CHECK(l, MG_ERR_MEMORY, "cannot allocate a loader");
    l->plan = *plan;
    l->width = plan->hi - plan->lo;
    l->length = plan->ahead + 1;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->work, NULL);
    pthread_cond_init(&l->ready, NULL);
    mg_status st = allocate(l);
    if (!st) st = start_threads(l);
    if (st)
        mg_loader_close(&l);
    else
        *out = l;
    return st;
}

void mg_loader_close(mg_loader **loader)
{
    mg_loader *l = *loader;

    if (!l) return;
    pthread_mutex_lock(&l->lock);
    l->quit = true;
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->lock);
    for (int i = 0; i < l->threads; i++) pthread_join(l->thread[i], NULL);
    for (int64_t i = 0; l->ring && i < l->length; i++) {
        forget_error(&l->ring[i]);
        mg_free(l->ring[i].slot);
        mg_free(l->ring[i].sample);
    }
    pthread_cond_destroy(&l->work);
    pthread_cond_destroy(&l->ready);
    pthread_mutex_destroy(&l->lock);
    mg_sampler_destroy(&l->sampler);
    mg_free(l->thread);
    mg_free(l->memory);
    mg_free(l->ring);
    mg_free(l);
    *loader = NULL;
}

int64_t mg_loader_steps(const mg_loader *loader)
{
    return mg_sampler_steps(loader->sampler);
}

// Begin at another step: what is being filled is finished first, the rest is forgotten.
static void restart(mg_loader *l, int64_t epoch, int64_t step)
{
    l->paused = true;
    while (l->busy > 0) pthread_cond_wait(&l->ready, &l->lock);
    l->head = l->opened = l->claim = 0;
    l->next_epoch = epoch;
    l->next_step = step;
    l->started = true;
    l->paused = false;
}

// True if the step after the one held is this one.
static bool follows(const mg_loader *l, int64_t epoch, int64_t step)
{
    if (!l->started) return false;
    const ring_step *held = at_step(l, l->head);
    bool last = held->step + 1 == mg_sampler_steps(l->sampler);
    return last ? epoch == held->epoch + 1 && step == 0
                : epoch == held->epoch && step == held->step + 1;
}

mg_status mg_loader_next(mg_loader *l, int64_t epoch, int64_t step, void ***slots,
                         const int64_t **samples, double *wait_s)
{
    double since = mg_now();
    ring_step *s;

    assert(epoch >= 0 && step >= 0 && step < mg_loader_steps(l));
    pthread_mutex_lock(&l->lock);
    if (follows(l, epoch, step))
        l->head++;
    else
        restart(l, epoch, step);
    pthread_cond_broadcast(&l->work);
    while (l->head >= l->opened || at_step(l, l->head)->done < l->width) {
        // Without threads the caller does the work.
        s = l->threads == 0 ? find_work(l) : NULL;
        if (s)
            fill_slot(l, s);
        else
            pthread_cond_wait(&l->ready, &l->lock);
    }
    s = at_step(l, l->head);
    mg_status st = s->status;
    if (st) {
        mg_err_give(s->error);
        s->error = NULL;
    }
    pthread_mutex_unlock(&l->lock);
    if (wait_s) *wait_s = mg_now() - since;
    *slots = s->slot;
    *samples = s->sample;
    return st ? mg_err_trace(st, __FILE__, __LINE__, __func__) : MG_OK;
}
