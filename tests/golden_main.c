// make golden GOLDEN=DIR: runs every golden file below DIR by its `kind` attribute, one line a file:
//   golden sam_encoder NAME forward 1.3e-06 grads 5.9e-06 ok
// A kind that is not linked prints "skipped". Exit code 1 if one fails or none ran.
#include "tests/golden.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/gemm.h"
#include "runtime/fsys.h"
#include "runtime/mem.h"

enum { MAX_QUANTITIES = 24 };

struct golden {
    mg_h5 *file;
    mg_json *json;
    const char *path;
    const char *skipped; // why, or NULL
    void **block;        // everything loaded, released with the file
    int blocks, room;
    struct {
        const char *name;
        double worst, limit;
    } quantity[MAX_QUANTITIES];
    int quantities;
    int failures;
    jmp_buf give_up;
};

static const struct {
    const char *kind;
    void (*run)(golden *g);
} kinds[] = {
#define ROW(k) {#k, golden_kind_##k},
    GOLDEN_KINDS(ROW)
#undef ROW
};

const mg_h5 *golden_file(const golden *g)
{
    return g->file;
}

const mg_json *golden_json(const golden *g)
{
    return g->json;
}

const char *golden_path(const golden *g)
{
    return g->path;
}

static void *keep(golden *g, void *ptr)
{
    if (g->blocks == g->room) {
        g->room = g->room ? 2 * g->room : 64;
        g->block = mg_realloc(g->block, (size_t)g->room * sizeof *g->block);
        if (!g->block) abort();
    }
    return g->block[g->blocks++] = ptr;
}

static void give_up(golden *g)
{
    mg_err_print(stdout);
    mg_err_clear();
    g->failures++;
    longjmp(g->give_up, 1);
}

void golden_skip(golden *g, const char *why)
{
    g->skipped = why;
    longjmp(g->give_up, 1);
}

void *golden_alloc(golden *g, size_t bytes)
{
    void *ptr = mg_calloc(bytes ? bytes : 1, 1);
    if (!ptr) abort();
    return keep(g, ptr);
}

char *golden_name(golden *g, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return keep(g, mg_strdup(text));
}

void *golden_load(golden *g, const char *name, mg_dtype type, mg_h5_info *info)
{
    void *data = NULL;
    if (mg_h5_load(g->file, name, type, &data, info)) give_up(g);
    return keep(g, data);
}

float *golden_f32(golden *g, const char *name, mg_h5_info *info)
{
    return golden_load(g, name, MG_F32, info);
}

int64_t golden_int(golden *g, const char *object, const char *attr)
{
    int64_t value = 0;
    if (mg_h5_attr_int(g->file, object, attr, &value)) give_up(g);
    return value;
}

double golden_real(golden *g, const char *object, const char *attr)
{
    double value = 0;
    if (mg_h5_attr_real(g->file, object, attr, &value)) give_up(g);
    return value;
}

bool golden_has(const golden *g, const char *name)
{
    return mg_h5_has(g->file, name);
}

char **golden_list(golden *g, const char *group, int *count)
{
    char **names = NULL;
    if (mg_h5_list(g->file, group, &names, count)) give_up(g);
    for (int i = 0; i < *count; i++) keep(g, names[i]);
    return keep(g, names);
}

void golden_note(golden *g, const char *quantity, double deviation, double limit)
{
    int i = 0;
    while (i < g->quantities && strcmp(g->quantity[i].name, quantity)) i++;
    if (i == MAX_QUANTITIES) abort();
    if (i == g->quantities) {
        g->quantity[i].name = quantity;
        g->quantity[i].worst = 0;
        g->quantity[i].limit = limit;
        g->quantities++;
    }
    // Written so that NaN is the worst of all.
    if (!(deviation <= g->quantity[i].worst)) g->quantity[i].worst = deviation;
    if (!(deviation <= limit)) g->failures++;
}

void golden_exact(golden *g, bool holds, const char *what, ...)
{
    va_list args;

    if (holds) return;
    if (g->failures++ >= 5) return;
    va_start(args, what);
    printf("  %s: ", g->path);
    vprintf(what, args);
    printf("\n");
    va_end(args);
}

double golden_norm(const float *a, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)a[i] * a[i];
    return sqrt(sum);
}

double golden_l2(const float *a, const float *b, size_t n, double floor_norm)
{
    double gap = 0;
    for (size_t i = 0; i < n; i++) gap += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
    double size = golden_norm(b, n) + floor_norm;
    return size > 0 ? sqrt(gap) / size : gap > 0 ? INFINITY : gap;
}

double golden_max(const float *a, const float *b, size_t n)
{
    double gap = 0, top = 0;
    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)a[i] - b[i]);
        if (!(d <= gap)) gap = d;
        if (fabs(b[i]) > top) top = fabs(b[i]);
    }
    return top > 0 ? gap / top : gap > 0 ? INFINITY : gap;
}

static void release(golden *g)
{
    for (int i = 0; i < g->blocks; i++) mg_free(g->block[i]);
    mg_free(g->block);
    mg_h5_close(&g->file);
    mg_json_free(&g->json);
}

static bool run_kind(golden *g, const char *kind, void (*run)(golden *))
{
    if (!run) {
        printf("golden %s %s skipped\n", kind, mg_path_base(g->path));
        return false;
    }
    if (!setjmp(g->give_up)) run(g);
    if (g->skipped) {
        printf("golden %s %s skipped: %s\n", kind, mg_path_base(g->path), g->skipped);
        return false;
    }
    printf("golden %s %s", kind, mg_path_base(g->path));
    for (int i = 0; i < g->quantities; i++)
        printf(" %s %.1e", g->quantity[i].name, g->quantity[i].worst);
    printf(" %s\n", g->failures ? "FAILED" : "ok");
    fflush(stdout);
    return true;
}

static void (*find_kind(const char *kind))(golden *)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(kinds[i].kind, kind)) return kinds[i].run;
    return NULL;
}

// Cases in JSON. Other JSON files (vocabularies, configurations) belong to some golden file.
static int run_json(const char *path, int *failed)
{
    golden g = {.path = path};
    const mg_json *first;
    int ran = 0;

    if (mg_json_read(path, &g.json)) {
        mg_err_clear(); // bad ones are part of some cases
        return 0;
    }
    if (mg_json_get(g.json, "vocab_size") && mg_json_get(g.json, "cases"))
        ran = run_kind(&g, "bpe", find_kind("bpe"));
    mg_json_member(g.json, 0, &first);
    if (mg_json_text(mg_json_get(first, "status")))
        ran = run_kind(&g, "weight_files", find_kind("weight_files"));
    *failed += g.failures > 0;
    release(&g);
    return ran;
}

// Returns 1 if the file ran, 0 if not; adds to *failed.
static int run_file(const char *path, int *failed)
{
    golden g = {.path = path};
    char *kind = NULL;
    int ran = 0;

    mg_status st = mg_h5_open(path, &g.file);
    if (!st) mg_h5_allow_variable_texts(g.file);
    if (st || mg_h5_attr_text(g.file, "/", "kind", &kind)) {
        printf("golden ? %s unreadable: %s\n", path, mg_err_message());
        mg_err_clear();
        mg_h5_close(&g.file);
        ++*failed;
        return 0;
    }
    ran = run_kind(&g, kind, find_kind(kind));
    *failed += g.failures > 0;
    release(&g);
    mg_free(kind);
    return ran;
}

int main(int argc, char **argv)
{
    const char *folder = argc > 1 ? argv[1] : "tests/golden";
    mg_texts files = {0};
    int ran = 0, failed = 0;

    mg_gemm_init();
    if (mg_list_tree(folder, &files)) {
        mg_err_print(stderr);
        return 1;
    }
    for (size_t i = 0; i < files.count; i++) {
        char *path = mg_path_join(folder, files.item[i]);
        if (mg_path_has_ext(path, ".h5")) ran += run_file(path, &failed);
        if (mg_path_has_ext(path, ".json")) ran += run_json(path, &failed);
        mg_free(path);
    }
    mg_texts_free(&files);
    printf("%d passed, %d failed\n", ran - failed > 0 ? ran - failed : 0, failed);
    return failed || !ran;
}
