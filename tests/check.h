// What every unit test includes: cmocka, comparisons that fail on NaN, a seeded random filler.
#ifndef MG_TESTS_CHECK_H
#define MG_TESTS_CHECK_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/err.h"
#include "runtime/rng.h"

// Fail with a message unless cond holds (a NaN comparison does not hold).
#define CHECK(cond)                                                              \
    do {                                                                         \
        if (!(cond)) fail_msg("%s:%d: not true: %s", __FILE__, __LINE__, #cond); \
    } while (0)

// Fail unless the call returns MG_OK; prints the trace.
#define OK(call)                                                      \
    do {                                                              \
        if ((call) != MG_OK) {                                        \
            mg_err_print(stderr);                                     \
            fail_msg("%s:%d: failed: %s", __FILE__, __LINE__, #call); \
        }                                                             \
    } while (0)

// The call must fail with this code and the message must contain `text`.
#define FAILS(call, code, text)                                                        \
    do {                                                                               \
        mg_status fails_ = (call);                                                     \
        if (fails_ != (code) || !strstr(mg_err_message(), text))                       \
            fail_msg("%s:%d: %s gave %d '%s'", __FILE__, __LINE__, #call, (int)fails_, \
                     mg_err_message());                                                \
        mg_err_clear();                                                                \
    } while (0)

// Largest |a - b| over largest |b|; NaN or inf anywhere gives inf.
static inline double check_gap(const float *a, const float *b, size_t n)
{
    double worst = 0, top = 1e-30;
    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)a[i] - b[i]);
        if (!(d < INFINITY)) return INFINITY;
        worst = d > worst ? d : worst;
        top = fabs(b[i]) > top ? fabs(b[i]) : top;
    }
    return worst / top;
}

// Word k of "a|b|c"; false behind the last. Of NULL there is one, "".
static inline bool check_word(const char *list, int k, char word[32])
{
    const char *p = list ? list : "";
    int at = 0;
    for (; at < k && strchr(p, '|'); at++) p = strchr(p, '|') + 1;
    snprintf(word, 32, "%.*s", (int)strcspn(p, "|"), p);
    return at == k;
}

// A new folder for the files of a test, in memory where that is possible: syncing to a disk takes
// long. False if it cannot be made.
static inline bool check_folder(char path[64], const char *name)
{
    snprintf(path, 64, "/dev/shm/medgraft-%s-XXXXXX", name);
    if (mkdtemp(path)) return true;
    snprintf(path, 64, "/tmp/medgraft-%s-XXXXXX", name);
    return mkdtemp(path) != NULL;
}

// Fill with normal numbers of this seed.
static inline void check_fill(float *x, size_t n, uint64_t seed, double scale)
{
    mg_stream s = {seed, MG_RNG_FREE, 0, 0};
    for (size_t i = 0; i < n; i++) x[i] = (float)(scale * mg_stream_normal(&s, i));
}

#endif
