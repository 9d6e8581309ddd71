// Golden kind `metrics` (README-prompts-and-metrics.md): scores of masks, clicks until a threshold,
// class means, bootstrap, Wilcoxon, Holm. Counts exact, everything else 1e-9; NaN where the file has
// NaN.
#include <math.h>
#include <string.h>

#include "finetune/metric.h"
#include "finetune/stats.h"
#include "runtime/mem.h"
#include "tests/golden.h"

static double gap(double got, double want)
{
    if (isnan(want)) return isnan(got) ? 0 : INFINITY;
    if (got == want) return 0;
    return fabs(got - want) / fmax(1, fabs(want));
}

static double *reals(golden *g, const char *group, const char *name, mg_h5_info *info)
{
    return golden_load(g, golden_name(g, "%s/%s", group, name), MG_F64, info);
}

static int64_t integer(golden *g, const char *group, const char *name)
{
    int64_t *value = golden_load(g, golden_name(g, "%s/%s", group, name), MG_I64, NULL);
    return *value;
}

static void real(golden *g, const char *group, const char *name, double got)
{
    golden_note(g, name, gap(got, *reals(g, group, name, NULL)), 1e-9);
}

static void same(golden *g, const char *group, const char *name, int64_t got)
{
    int64_t want = integer(g, group, name);
    golden_exact(g, got == want, "%s/%s %lld, expected %lld", group, name, (long long)got,
                 (long long)want);
}

// --- masks -------------------------------------------------------------------------------------------

static void check_masks(golden *g, const char *group)
{
    mg_h5_info info, tolerances;
    mg_target t = {.depth = 1};
    const double *tolerance = reals(g, "/", "nsd_tolerances", &tolerances);
    const double *spacing = reals(g, group, "spacing", NULL);
    double s[3] = {1, 1, 1};
    mg_metric m;

    t.gt = golden_load(g, golden_name(g, "%s/gt", group), MG_U8, &info);
    t.pred = golden_load(g, golden_name(g, "%s/pred", group), MG_U8, NULL);
    if (golden_has(g, golden_name(g, "%s/ignore", group)))
        t.ignore = golden_load(g, golden_name(g, "%s/ignore", group), MG_U8, NULL);
    int ndim = info.ndim;
    if (ndim == 3) t.depth = (int)info.dim[0];
    t.height = (int)info.dim[ndim - 2], t.width = (int)info.dim[ndim - 1];
    for (int a = 0; a < ndim; a++) s[3 - ndim + a] = spacing[a];

    int count = (int)tolerances.count;
    golden_exact(g, mg_metric_measure(&t, ndim, s, tolerance, count, 2, &m) == MG_OK, "memory");
    same(g, group, "tp", m.tp);
    same(g, group, "fp", m.fp);
    same(g, group, "fn", m.fn);
    same(g, group, "tn", m.tn);
    same(g, group, "n_surf_gt", m.surface_gt);
    same(g, group, "n_surf_pred", m.surface_pred);
    same(g, group, "status", m.status);
    real(g, group, "dice", m.dice);
    real(g, group, "iou", m.iou);
    real(g, group, "hd", m.hd);
    real(g, group, "hd95", m.hd95);
    real(g, group, "hd95_raw", m.hd95_raw);
    real(g, group, "hd95_pooled", m.hd95_pooled);
    real(g, group, "assd", m.assd);
    real(g, group, "diag", m.diagonal);
    const double *nsd = reals(g, group, "nsd", NULL);
    for (int k = 0; k < count; k++) golden_note(g, "nsd", gap(m.nsd[k], nsd[k]), 1e-9);
}

// --- clicks until a threshold ------------------------------------------------------------------------

static void check_noc(golden *g)
{
    mg_h5_info info, levels;
    const double *iou = reals(g, "noc", "iou", &info);
    const double *threshold = reals(g, "noc", "thresholds", &levels);
    const int32_t *noc = golden_load(g, "noc/noc", MG_I32, NULL);
    const uint8_t *fail = golden_load(g, "noc/fail", MG_U8, NULL);
    const double *mean = reals(g, "noc", "noc_mean", NULL);
    const int64_t *failures = golden_load(g, "noc/n_fail", MG_I64, NULL);
    const double *want_curve = reals(g, "noc", "miou_curve", NULL);
    int64_t cases = info.dim[0], L = levels.count;
    int K = (int)info.dim[1];

    for (int64_t l = 0; l < L; l++) {
        int64_t failed = 0;
        double sum = 0;
        for (int64_t i = 0; i < cases; i++) {
            mg_noc n = mg_noc_at(iou + i * K, K, threshold[l]);
            golden_exact(g, n.clicks == noc[i * L + l] && n.failed == fail[i * L + l],
                         "noc %d at %g: %d", (int)i, threshold[l], n.clicks);
            failed += n.failed;
            sum += n.clicks;
        }
        golden_exact(g, failed == failures[l], "failures at %g", threshold[l]);
        golden_note(g, "noc_mean", gap(sum / (double)cases, mean[l]), 1e-9);
    }
    double *curve = golden_alloc(g, (size_t)K * sizeof *curve);
    double auc = mg_click_curve(iou, cases, K, curve);
    for (int k = 0; k < K; k++) golden_note(g, "curve", gap(curve[k], want_curve[k]), 1e-9);
    real(g, "noc", "auc", auc);
}

// --- means -------------------------------------------------------------------------------------------

static void check_means(golden *g)
{
    mg_h5_info info;
    const double *table = reals(g, "aggregate", "table", &info);
    const int64_t *n = golden_load(g, "aggregate/organ_n", MG_I64, NULL);
    const double *mean = reals(g, "aggregate", "organ_mean", NULL);
    const double *sd = reals(g, "aggregate", "organ_sd", NULL);
    const double *case_mean = reals(g, "aggregate", "case_mean", NULL);
    int classes = (int)info.dim[1];

    for (int c = 0; c < classes; c++) {
        mg_summary s = mg_summarize(table + c, info.dim[0], classes);
        golden_exact(g, s.n == n[c], "organ_n %d", c);
        golden_note(g, "means", gap(s.mean, mean[c]), 1e-9);
        golden_note(g, "sd", gap(s.sd, sd[c]), 1e-9);
    }
    for (int64_t i = 0; i < info.dim[0]; i++) {
        mg_summary s = mg_summarize(table + i * classes, classes, 1);
        golden_note(g, "means", gap(s.mean, case_mean[i]), 1e-9);
    }
    double average = mg_table_average(table, info.dim[0], classes);
    real(g, "aggregate", "avg", average);
    golden_exact(g, average != *reals(g, "aggregate", "pooled_mean", NULL),
                 "the average is that of all cells");
}

// --- comparisons -------------------------------------------------------------------------------------

static void check_pair(golden *g, const char *group)
{
    mg_h5_info info, first;
    const double *a = reals(g, group, "a", &info), *b = reals(g, group, "b", NULL);
    const double *want = reals(g, group, "boot_first10", &first);
    const uint64_t *seed = golden_load(g, golden_name(g, "%s/boot_seed", group), MG_U64, NULL);
    int64_t n = info.count;
    mg_wilcoxon w;
    mg_interval interval;

    golden_exact(g, mg_wilcoxon_test(a, b, n, &w) == MG_OK, "memory");
    same(g, group, "n_nonzero", w.n);
    real(g, group, "wplus", w.w_plus);
    real(g, group, "wminus", w.w_minus);
    real(g, group, "z", w.z);
    real(g, group, "p_normal", w.p_normal);
    real(g, group, "p_exact", w.p_exact);

    double *d = golden_alloc(g, (size_t)n * sizeof *d);
    double *means = golden_alloc(g, (size_t)first.count * sizeof *means);
    for (int64_t i = 0; i < n; i++) d[i] = a[i] - b[i];
    golden_exact(g,
                 mg_bootstrap(d, n, 1, *seed, (int)integer(g, group, "boot_reps"), &interval, means,
                              (int)first.count) == MG_OK,
                 "memory");
    real(g, group, "boot_lo", interval.low);
    real(g, group, "boot_hi", interval.high);
    for (int64_t i = 0; i < first.count; i++) golden_note(g, "boot", gap(means[i], want[i]), 1e-9);
}

static void check_comparisons(golden *g)
{
    mg_h5_info info;
    int count;
    char **name = golden_list(g, "stats", &count);
    const double *raw = reals(g, "stats", "p_raw", &info),
                 *want = reals(g, "stats", "p_holm", NULL);
    double *holm = golden_alloc(g, (size_t)info.count * sizeof *holm);

    for (int i = 0; i < count; i++) {
        size_t length = strcspn(name[i], "/");
        if (name[i][length] == '/')
            check_pair(g, golden_name(g, "stats/%.*s", (int)length, name[i]));
    }
    golden_exact(g, mg_holm(raw, (int)info.count, holm) == MG_OK, "memory");
    for (int64_t i = 0; i < info.count; i++) golden_note(g, "holm", gap(holm[i], want[i]), 1e-9);
}

void golden_kind_metrics(golden *g)
{
    const char *counted = mg_h5_has_attr(golden_file(g), "cases", "n_cases") ? "cases" : "/";
    for (int64_t i = 0; i < golden_int(g, counted, "n_cases"); i++)
        check_masks(g, golden_name(g, "cases/%03d", (int)i));
    check_noc(g);
    check_means(g);
    check_comparisons(g);
}
