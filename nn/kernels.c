// Choice of the kernel version for this processor; see nn/kernels.h.
#include "nn/kernels.h"

#include <string.h>

static const mg_kernels *chosen; // NULL: the best

static const mg_kernels *best(void)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
        return &mg_kernels_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return &mg_kernels_avx2;
#endif
    return &mg_kernels_plain;
}

const mg_kernels *mg_kernels_get(void)
{
    return chosen ? chosen : best();
}

bool mg_kernels_use(const char *name)
{
    const mg_kernels *top = best();

    chosen = NULL;
    if (!name || !strcmp(name, top->name)) return true;
    if (!strcmp(name, "plain")) chosen = &mg_kernels_plain;
#ifdef __x86_64__
    if (!strcmp(name, "avx2") && top == &mg_kernels_avx512) chosen = &mg_kernels_avx2;
#endif
    return chosen;
}
