// Status codes and the error trace.
// A function that can fail for a reason outside the code returns mg_status; the first MG_FAIL of a
// thread records the message, each MG_TRY on the way up adds one trace line, and whoever ends the
// work prints both once (mg_err_print). Nothing here exits the process.
#ifndef MG_RUNTIME_ERR_H
#define MG_RUNTIME_ERR_H

#include <stdbool.h>
#include <stdio.h>

typedef enum {
    MG_OK = 0,
    MG_ERR_USAGE,   // the caller broke a documented precondition
    MG_ERR_CONFIG,  // a setting is unknown, malformed or out of bounds
    MG_ERR_IO,      // a file or a library call on it failed
    MG_ERR_FORMAT,  // a file was read but its contents are not valid
    MG_ERR_MEMORY,  // an allocation failed
    MG_ERR_NUMERIC, // a loss, gradient or weight is not finite
    MG_ERR_PEER,    // another rank failed, and that rank printed the reason
    MG_ERR_STOPPED, // stopped on a signal after a checkpoint; the same command goes on (exit 75)
} mg_status;

// Record a new failure (replaces an earlier message of this thread) and return `code`.
mg_status mg_err_fail(mg_status code, const char *file, int line, const char *func, const char *fmt,
                      ...) __attribute__((format(printf, 5, 6)));

// Add one line to the trace of the current failure and return `code`.
mg_status mg_err_trace(mg_status code, const char *file, int line, const char *func);

// Message of this thread's current failure, "" if there is none. Owned by this module.
const char *mg_err_message(void);

// Print "error: <message>" and the trace lines to `out`.
void mg_err_print(FILE *out);

// Whether this thread's current failure was already shown to the user, here or on another rank:
// what was shown is not printed again at the end. A new failure starts as not shown.
bool mg_err_shown(void);
void mg_err_set_shown(void);

// Forget this thread's failure, after it was handled (a skipped file, for example).
void mg_err_clear(void);

// Move a failure between threads: copy this thread's message and trace out (caller frees the
// returned text with free), and set it in another thread.
char *mg_err_take(void);
void mg_err_give(char *taken);

// Pass a failure up, adding a line to the trace.
#define MG_TRY(call)                                                             \
    do {                                                                         \
        mg_status mg_try_ = (call);                                              \
        if (mg_try_) return mg_err_trace(mg_try_, __FILE__, __LINE__, __func__); \
    } while (0)

// Return a new failure unless a condition holds.
#define MG_CHECK(cond, code, ...)                       \
    do {                                                \
        if (!(cond)) return MG_FAIL(code, __VA_ARGS__); \
    } while (0)

// Make a failure: return MG_FAIL(MG_ERR_FORMAT, "'%s' is not a shard", path);
#define MG_FAIL(code, ...) mg_err_fail(code, __FILE__, __LINE__, __func__, __VA_ARGS__)

#endif
