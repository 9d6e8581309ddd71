// Messages for people: results go to stdout (printf), everything else here, to stderr and to the
// run's log.txt. mg_info prints on rank 0 only; warnings and errors on the rank that speaks.
#ifndef MG_RUNTIME_LOG_H
#define MG_RUNTIME_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/err.h"

// Called once by main after the rank is known. Without it: rank 0 of 1.
void mg_log_init(int rank, int size);

// Also append every line to this file (rank 0's messages and this rank's warnings); NULL closes it.
mg_status mg_log_to(const char *path);

void mg_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));  // rank 0
void mg_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));  // "warning: rank 3: ..."
void mg_error(const char *fmt, ...) __attribute__((format(printf, 1, 2))); // "error: ..."

// The current failure with its trace, once, to stderr and the log.
void mg_error_trace(void);

// One-line progress, rank 0: on a terminal one line rewritten in place, at most 10 times a second;
// otherwise a plain line at most every 10 seconds and at the end. `fmt` gives the "key value" pairs. `total` 0: unknown.
void mg_progress(int64_t done, int64_t total, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void mg_progress_end(void);

// Seconds from a monotonic clock, for measuring only: nothing that is computed depends on it.
double mg_now(void);

#endif
