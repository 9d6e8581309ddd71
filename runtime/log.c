// Messages to stderr and log.txt. Each line goes out in one write(2), so that the lines of several
// ranks on one terminal or file do not run into each other. A progress line on a terminal is
// rewritten in place and wiped before anything else is printed.
#include "runtime/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { LINE_BYTES = 4096 };

static const double terminal_pause_s = 0.1, batch_pause_s = 10;

static struct {
    pthread_mutex_t lock;
    int rank, size;
    int file;                  // log.txt, -1: none
    bool line_open;            // a progress line stands on the terminal, without its line end
    bool waiting;              // the newest progress is not yet in log.txt
    double shown_s, noted_s;   // when progress last went to the terminal and to log.txt
    char progress[LINE_BYTES]; // its newest line
} logger = {.lock = PTHREAD_MUTEX_INITIALIZER,
            .size = 1,
            .file = -1,
            .shown_s = -INFINITY,
            .noted_s = -INFINITY};

double mg_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void mg_log_init(int rank, int size)
{
    logger.rank = rank;
    logger.size = size;
}

mg_status mg_log_to(const char *path)
{
    if (logger.file >= 0) close(logger.file);
    logger.file = -1;
    if (!path) return MG_OK;
    logger.file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    MG_CHECK(logger.file >= 0, MG_ERR_IO, "cannot open '%s': %s", path, strerror(errno));
    return MG_OK;
}

// A log line that cannot be written has nowhere to be reported.
static void put(int fd, const char *text, size_t bytes)
{
    while (bytes > 0) {
        ssize_t n = write(fd, text, bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return;
        text += n;
        bytes -= (size_t)n;
    }
}

static void put_file(const char *line)
{
    char stamped[LINE_BYTES + 32];
    struct tm tm;
    time_t now = time(NULL);

    if (logger.file < 0) return;
    localtime_r(&now, &tm);
    size_t n = strftime(stamped, sizeof stamped, "%Y-%m-%dT%H:%M:%S ", &tm);
    int m = snprintf(stamped + n, sizeof stamped - n, "%s\n", line);
    if (m > 0) put(logger.file, stamped, strnlen(stamped, sizeof stamped - 1));
}

// One line, without its end, to stderr. The lock is held.
static void put_stderr(const char *line)
{
    char out[LINE_BYTES + 16];
    int n = snprintf(out, sizeof out, "%s%s\n", logger.line_open ? "\r\033[K" : "", line);

    logger.line_open = false;
    if (n > 0) put(STDERR_FILENO, out, strnlen(out, sizeof out - 1));
}

static void speak(const char *kind, const char *fmt, va_list args)
{
    char line[LINE_BYTES], who[32] = "";

    if (*kind && logger.size > 1) snprintf(who, sizeof who, "rank %d: ", logger.rank);
    int n = snprintf(line, sizeof line, "%s%s", kind, who);
    vsnprintf(line + n, sizeof line - (size_t)n, fmt, args);
    pthread_mutex_lock(&logger.lock);
    put_stderr(line);
    put_file(line);
    pthread_mutex_unlock(&logger.lock);
}

void mg_info(const char *fmt, ...)
{
    va_list args;

    if (logger.rank != 0) return;
    va_start(args, fmt);
    speak("", fmt, args);
    va_end(args);
}

void mg_warn(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    speak("warning: ", fmt, args);
    va_end(args);
}

void mg_error(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    speak("error: ", fmt, args);
    va_end(args);
}

void mg_error_trace(void)
{
    char text[LINE_BYTES * 2] = "";

    if (mg_err_shown()) return;
    FILE *out = fmemopen(text, sizeof text - 1, "w");
    if (!out) return;
    mg_err_print(out);
    fclose(out);
    mg_err_set_shown();
    const char *line = strncmp(text, "error: ", 7) == 0 ? text + 7 : text;
    size_t n = strlen(line);
    mg_error("%.*s", (int)(n && line[n - 1] == '\n' ? n - 1 : n), line);
}

// ---- progress

// Show the newest progress line where it is due: on a terminal over the line before, cut to the
// width of the window; in a batch job as a plain line; in log.txt always as a plain line. The lock
// is held.
static void show_progress(bool at_end)
{
    bool terminal = isatty(STDERR_FILENO);
    double now = mg_now();

    if (terminal && (at_end || now - logger.shown_s >= terminal_pause_s)) {
        struct winsize window = {0};
        char out[LINE_BYTES + 8];
        ioctl(STDERR_FILENO, TIOCGWINSZ, &window);
        int columns = window.ws_col > 0 ? window.ws_col : 100;
        int n = snprintf(out, sizeof out, "\r\033[K%.*s", columns - 1, logger.progress);
        put(STDERR_FILENO, out, (size_t)n);
        logger.line_open = true;
        logger.shown_s = now;
    }
    if (at_end || now - logger.noted_s >= batch_pause_s) {
        if (!terminal) put_stderr(logger.progress);
        put_file(logger.progress);
        logger.noted_s = now;
        logger.waiting = false;
    }
}

void mg_progress(int64_t done, int64_t total, const char *fmt, ...)
{
    va_list args;

    if (logger.rank != 0) return;
    pthread_mutex_lock(&logger.lock);
    int n = total ? snprintf(logger.progress, LINE_BYTES, "%" PRId64 "/%" PRId64 " ", done, total)
                  : snprintf(logger.progress, LINE_BYTES, "%" PRId64 " ", done);
    va_start(args, fmt);
    vsnprintf(logger.progress + n, LINE_BYTES - (size_t)n, fmt, args);
    va_end(args);
    logger.waiting = true;
    show_progress(false);
    pthread_mutex_unlock(&logger.lock);
}

void mg_progress_end(void)
{
    pthread_mutex_lock(&logger.lock);
    if (logger.waiting) show_progress(true);
    if (logger.line_open) put(STDERR_FILENO, "\n", 1);
    logger.line_open = false;
    logger.shown_s = logger.noted_s = -INFINITY;
    pthread_mutex_unlock(&logger.lock);
}
