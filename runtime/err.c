// The error message and trace of each thread, in one fixed buffer.
#include "runtime/err.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGE_BYTES = 2048, TRACE_BYTES = 4096 };

typedef struct {
    char message[MESSAGE_BYTES];
    char trace[TRACE_BYTES];
    size_t used; // bytes of trace
    bool shown;
} err_state;

static _Thread_local err_state err;

mg_status mg_err_trace(mg_status code, const char *file, int line, const char *func)
{
    int n =
        snprintf(err.trace + err.used, TRACE_BYTES - err.used, "  at %s:%d %s\n", file, line, func);
    if (n > 0 && (size_t)n < TRACE_BYTES - err.used) err.used += (size_t)n;
    err.trace[err.used] = '\0'; // a line that does not fit is left out whole
    return code;
}

mg_status mg_err_fail(mg_status code, const char *file, int line, const char *func, const char *fmt,
                      ...)
{
    char text[MESSAGE_BYTES]; // the arguments may hold the old message
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    memcpy(err.message, text, sizeof text);
    err.used = 0;
    err.shown = false;
    return mg_err_trace(code, file, line, func);
}

const char *mg_err_message(void)
{
    return err.message;
}

void mg_err_print(FILE *out)
{
    fprintf(out, "error: %s\n%s", err.message, err.trace);
}

bool mg_err_shown(void)
{
    return err.shown;
}

void mg_err_set_shown(void)
{
    err.shown = true;
}

void mg_err_clear(void)
{
    err.message[0] = err.trace[0] = '\0';
    err.used = 0;
    err.shown = false;
}

char *mg_err_take(void)
{
    err_state *copy = malloc(sizeof *copy);
    if (copy) *copy = err;
    mg_err_clear();
    return (char *)copy;
}

void mg_err_give(char *taken)
{
    if (taken) err = *(err_state *)taken;
    free(taken);
}
