// Aligned allocation with a header that remembers the size, so that live blocks can be counted.
#include "runtime/mem.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

static atomic_size_t live_blocks, live_bytes, most_bytes;

// The 64 bytes before each block.
typedef struct {
    size_t bytes;
} header;

static header *header_of(void *ptr)
{
    return (header *)((char *)ptr - MG_ALIGN);
}

#ifdef MG_DEBUG
static atomic_uint fault_calls;

bool mg_fault(void)
{
    const char *spec = getenv("MG_FAULT");
    unsigned every = 0, seed = 0;

    if (!spec || sscanf(spec, "%u:%u", &every, &seed) != 2 || every == 0) return false;
    unsigned x = atomic_fetch_add(&fault_calls, 1) + seed * 0x9E3779B9u;
    x = (x ^ (x >> 16)) * 0x85EBCA6Bu;
    x = (x ^ (x >> 13)) * 0xC2B2AE35u;
    return (x ^ (x >> 16)) % every == 0;
}

static void fill_nan(void *ptr, size_t bytes)
{
    memset(ptr, 0xFF, bytes); // 0xFFFFFFFF is a float NaN, eight of them a double NaN
}
#else
bool mg_fault(void)
{
    return false;
}

static void fill_nan(void *ptr, size_t bytes)
{
    (void)ptr, (void)bytes;
}
#endif

void *mg_alloc(size_t bytes)
{
    const size_t huge = (size_t)2 << 20;
    size_t align = bytes >= 2 * huge ? huge : MG_ALIGN;

    if (bytes > SIZE_MAX / 2 || mg_fault()) return NULL;
    // The block itself starts on the boundary, its header 64 bytes before it.
    size_t total = (align + bytes + align - 1) / align * align;
    char *raw = aligned_alloc(align, total);
    if (!raw) return NULL;
    if (align == huge) madvise(raw, total, MADV_HUGEPAGE);
    char *ptr = raw + align;
    header_of(ptr)->bytes = bytes;
    atomic_fetch_add(&live_blocks, 1);
    size_t now = atomic_fetch_add(&live_bytes, bytes) + bytes, most = atomic_load(&most_bytes);
    while (now > most && !atomic_compare_exchange_weak(&most_bytes, &most, now)) {
    }
    fill_nan(ptr, bytes);
    return ptr;
}

void *mg_calloc(size_t count, size_t size)
{
    if (size && count > SIZE_MAX / size) return NULL;
    void *ptr = mg_alloc(count * size);
    if (ptr) memset(ptr, 0, count * size);
    return ptr;
}

char *mg_strdup(const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *copy = mg_alloc(bytes);
    if (copy) memcpy(copy, text, bytes);
    return copy;
}

char *mg_sprintf(const char *fmt, ...)
{
    va_list args, again;

    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *text = n < 0 ? NULL : mg_alloc((size_t)n + 1);
    if (text) vsnprintf(text, (size_t)n + 1, fmt, again);
    va_end(again);
    return text;
}

void *mg_realloc(void *ptr, size_t bytes)
{
    void *grown = mg_alloc(bytes);
    if (!grown) return NULL;
    if (ptr) {
        size_t old = header_of(ptr)->bytes;
        memcpy(grown, ptr, old < bytes ? old : bytes);
        mg_free(ptr);
    }
    return grown;
}

void mg_free(void *ptr)
{
    const size_t huge = (size_t)2 << 20;

    if (!ptr) return;
    size_t bytes = header_of(ptr)->bytes;
    atomic_fetch_sub(&live_blocks, 1);
    atomic_fetch_sub(&live_bytes, bytes);
    free((char *)ptr - (bytes >= 2 * huge ? huge : MG_ALIGN));
}

size_t mg_mem_live(void)
{
    return atomic_load(&live_blocks);
}

size_t mg_mem_live_bytes(void)
{
    return atomic_load(&live_bytes);
}

size_t mg_mem_most_bytes(void)
{
    return atomic_load(&most_bytes);
}

size_t mg_mem_peak_rss(void)
{
    struct rusage use;
    return getrusage(RUSAGE_SELF, &use) ? 0 : (size_t)use.ru_maxrss * 1024;
}

void *mg_place_bytes(mg_layout *at, size_t bytes)
{
    char *ptr = at->base ? at->base + at->used : NULL;
    at->used += (bytes + MG_ALIGN - 1) / MG_ALIGN * MG_ALIGN;
    return ptr;
}

float *mg_place(mg_layout *at, size_t count)
{
    return mg_place_bytes(at, count * sizeof(float));
}
