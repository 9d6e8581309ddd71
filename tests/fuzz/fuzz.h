// What the fuzz targets share: an input as a file, and the bounds on what one input may cost
// (text-and-weights.md d.8: 64 MB and a second). Memory is counted where the sanitizer allocates, so
// that of the libraries is too.
#ifndef MG_TESTS_FUZZ_H
#define MG_TESTS_FUZZ_H

#include <sanitizer/allocator_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "runtime/err.h"
#include "runtime/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

typedef struct {
    int fd;
    char path[64];
} fuzz_file;

static inline fuzz_file fuzz_file_make(const void *data, size_t bytes)
{
    fuzz_file f = {.fd = memfd_create("fuzz", 0)};

    if (f.fd < 0 || write(f.fd, data, bytes) != (ssize_t)bytes) abort();
    snprintf(f.path, sizeof f.path, "/proc/self/fd/%d", f.fd);
    return f;
}

static const long FUZZ_BYTES = 64l << 20;
static const double FUZZ_S = 1;
static long fuzz_live, fuzz_most; // bytes of the current input
static clock_t fuzz_start;

static inline void fuzz_count_malloc(const volatile void *ptr, size_t bytes)
{
    (void)ptr;
    fuzz_live += (long)bytes;
    if (fuzz_live > fuzz_most) fuzz_most = fuzz_live;
}

static inline void fuzz_count_free(const volatile void *ptr)
{
    if (ptr) fuzz_live -= (long)__sanitizer_get_allocated_size(ptr);
}

static inline void fuzz_begin(void)
{
    static int hooked;

    if (!hooked)
        hooked = __sanitizer_install_malloc_and_free_hooks(fuzz_count_malloc, fuzz_count_free);
    if (!hooked) abort();
    fuzz_live = fuzz_most = 0;
    fuzz_start = clock();
}

// The input is done with: nothing may be left, and it may not have cost too much.
static inline void fuzz_end(void)
{
    double s = (double)(clock() - fuzz_start) / CLOCKS_PER_SEC;

    mg_err_clear();
    if (mg_mem_live()) abort();
    if (fuzz_most > FUZZ_BYTES || s > FUZZ_S) {
        fprintf(stderr, "this input took %.1f MB and %.2f s\n", (double)fuzz_most / 1e6, s);
        abort();
    }
}

#endif
