// Memory: aligned blocks with a live count, and planned layouts of one block.
// Debug builds (MG_DEBUG) fill fresh memory with NaN, and MG_FAULT=<every>:<seed> makes fallible
// calls fail now and then.
#ifndef MG_RUNTIME_MEM_H
#define MG_RUNTIME_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MG_ALIGN = 64 };

// `bytes` of memory on a 64-byte boundary (2 MiB pages are asked for from 4 MiB up); NULL when there
// is none. Not zeroed: debug builds fill it with NaN. Release with mg_free.
void *mg_alloc(size_t bytes);

// The same, zeroed. NULL when there is none or when count * size overflows.
void *mg_calloc(size_t count, size_t size);

// A copy of a text, or NULL. Release with mg_free.
char *mg_strdup(const char *text);

// printf into a new text, or NULL. Release with mg_free.
char *mg_sprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

// Grow or shrink a block from mg_alloc; contents are kept, NULL when there is no memory (the old
// block stays). `ptr` may be NULL.
void *mg_realloc(void *ptr, size_t bytes);

// Accepts NULL.
void mg_free(void *ptr);

// Number and bytes of blocks that were allocated and not released, over all threads.
size_t mg_mem_live(void);
size_t mg_mem_live_bytes(void);
size_t mg_mem_most_bytes(void); // the most that were live at once

// Largest resident size of this process so far, in bytes (0 if unknown).
size_t mg_mem_peak_rss(void);

// True now and then when MG_FAULT=<every>:<seed> is set in a debug build: each fallible call asks
// once and fails if told so. Always false in release builds.
bool mg_fault(void);

// A planned block: run the layout function once with base NULL to measure (`used` is then the size
// in bytes), allocate, run it again to place.
typedef struct {
    char *base;  // not owned; NULL while measuring
    size_t used; // bytes placed so far, each piece rounded up to 64
} mg_layout;

// The next `count` floats of the block; NULL while measuring.
float *mg_place(mg_layout *at, size_t count);

// The next `bytes` bytes of the block; NULL while measuring.
void *mg_place_bytes(mg_layout *at, size_t bytes);

#endif
