// Tables of scores: the rows of one data set and protocol as [cases, classes], class means with
// bootstrap intervals, clicks until a threshold, and all of it as summary.json.
#include <math.h>
#include <string.h>

#include "finetune/scores.h"
#include "runtime/mem.h"

const double mg_noc_level[MG_NOC_LEVELS] = {0.80, 0.85, 0.90};

// --- one group as a rectangle --------------------------------------------------------------------------

static bool same_group(const mg_score *a, const mg_score *b)
{
    return strcmp(a->set, b->set) == 0 && strcmp(a->protocol, b->protocol) == 0;
}

int mg_scores_groups(const mg_scores *s)
{
    int groups = 0;

    for (int64_t i = 0; i < s->count; i++)
        groups += i == 0 || !same_group(&s->row[i], &s->row[i - 1]);
    return groups;
}

// Rows [lo, hi) of group g.
static void group_rows(const mg_scores *s, int group, int64_t *lo, int64_t *hi)
{
    int64_t i = 0;

    for (int g = -1; i < s->count; i++) {
        g += i == 0 || !same_group(&s->row[i], &s->row[i - 1]);
        if (g == group) break;
    }
    *lo = i;
    while (i < s->count && same_group(&s->row[i], &s->row[*lo])) i++;
    *hi = i;
}

void mg_score_table_free(mg_score_table *t)
{
    mg_free(t->id);
    mg_free(t->class_name);
    mg_free(t->class_number);
    for (int k = 0; k < MG_SCORES; k++) mg_free(t->value[k]);
    mg_free(t->dice_after);
    mg_free(t->iou_after);
    *t = (mg_score_table){0};
}

// Place of a class number in the sorted list, added if it is new.
static int class_index(mg_score_table *t, const mg_score *r)
{
    int at = 0;

    while (at < t->classes && t->class_number[at] < r->class_number) at++;
    if (at < t->classes && t->class_number[at] == r->class_number) return at;
    for (int c = t->classes++; c > at; c--) {
        t->class_number[c] = t->class_number[c - 1];
        t->class_name[c] = t->class_name[c - 1];
    }
    t->class_number[at] = r->class_number;
    t->class_name[at] = r->class_name;
    return at;
}

// Names of cases and classes, counts, length of the curves.
static void collect(mg_score_table *t, const mg_score *row)
{
    t->curve = row[0].curve;
    for (int64_t i = 0; i < t->rows; i++) {
        class_index(t, &row[i]);
        if (i == 0 || strcmp(row[i].id, row[i - 1].id) != 0) t->id[t->cases++] = row[i].id;
        t->missed += row[i].status == MG_GT_EMPTY || row[i].status == MG_PRED_EMPTY;
        t->empty += row[i].status == MG_BOTH_EMPTY;
        if (row[i].curve < t->curve) t->curve = row[i].curve;
    }
}

static bool allocate_values(mg_score_table *t)
{
    size_t cells = (size_t)t->cases * t->classes, after = (size_t)t->rows * t->curve;
    bool ok = true;

    for (int k = 0; k < MG_SCORES; k++) {
        t->value[k] = mg_alloc(cells * sizeof(double));
        for (size_t i = 0; t->value[k] && i < cells; i++) t->value[k][i] = NAN;
        ok = ok && t->value[k];
    }
    t->dice_after = mg_alloc(after * sizeof(double));
    t->iou_after = mg_alloc(after * sizeof(double));
    return ok && t->dice_after && t->iou_after;
}

static void fill_values(mg_score_table *t, const mg_score *row)
{
    int64_t at = -1;
    size_t bytes = (size_t)t->curve * sizeof(double);

    for (int64_t i = 0; i < t->rows; i++) {
        at += i == 0 || strcmp(row[i].id, row[i - 1].id) != 0;
        int c = class_index(t, &row[i]);
        for (int k = 0; k < MG_SCORES; k++) t->value[k][at * t->classes + c] = row[i].value[k];
        if (!bytes) continue;
        memcpy(t->dice_after + i * t->curve, row[i].dice_after, bytes);
        memcpy(t->iou_after + i * t->curve, row[i].iou_after, bytes);
    }
}

mg_status mg_scores_table(const mg_scores *s, int group, mg_score_table *out)
{
    mg_score_table t = {0};
    int64_t lo, hi;

    group_rows(s, group, &lo, &hi);
    const mg_score *row = s->row + lo;
    t.rows = hi - lo;
    t.set = row->set;
    t.protocol = row->protocol;
    t.id = mg_alloc((size_t)t.rows * sizeof *t.id);
    t.class_name = mg_alloc((size_t)t.rows * sizeof *t.class_name);
    t.class_number = mg_alloc((size_t)t.rows * sizeof *t.class_number);
    bool ok = t.id && t.class_name && t.class_number;
    if (ok) {
        collect(&t, row);
        ok = allocate_values(&t);
    }
    if (!ok) {
        mg_score_table_free(&t);
        return MG_FAIL(MG_ERR_MEMORY, "cannot allocate a table of %lld scores",
                       (long long)(hi - lo));
    }
    fill_values(&t, row);
    *out = t;
    return MG_OK;
}

// --- sums --------------------------------------------------------------------------------------------

mg_status mg_score_summary(const mg_score_table *t, mg_score_kind kind, int class_at, uint64_t seed,
                           int replicates, mg_summary *summary, mg_interval *interval)
{
    const double *table = t->value[kind];
    mg_status st = MG_OK;

    *interval = (mg_interval){NAN, NAN};
    if (class_at < 0) {
        *summary = (mg_summary){0, mg_table_average(table, t->cases, t->classes), NAN};
        for (int64_t i = 0; i < t->cases; i++)
            summary->n += mg_summarize(table + i * t->classes, t->classes, 1).n > 0;
        if (replicates && summary->n)
            st = mg_bootstrap(table, t->cases, t->classes, seed, replicates, interval, NULL, 0);
        return st;
    }
    *summary = mg_summarize(table + class_at, t->cases, t->classes);
    if (!replicates) return MG_OK;
    double *column = mg_alloc((size_t)t->cases * sizeof *column);
    MG_CHECK(column, MG_ERR_MEMORY, "cannot allocate a column of scores");
    for (int64_t i = 0; i < t->cases; i++) column[i] = table[i * t->classes + class_at];
    st = mg_bootstrap(column, t->cases, 1, seed, replicates, interval, NULL, 0);
    mg_free(column);
    return st;
}

mg_noc_summary mg_score_noc(const mg_score_table *t)
{
    mg_noc_summary s = {0};

    for (int64_t i = 0; i < t->rows && t->curve > 0; i++) {
        const double *iou = t->iou_after + i * t->curve;
        if (isnan(iou[0])) continue;
        s.rows++;
        for (int l = 0; l < MG_NOC_LEVELS; l++) {
            mg_noc noc = mg_noc_at(iou, t->curve, mg_noc_level[l]);
            s.mean[l] += noc.clicks;
            s.failed[l] += noc.failed;
        }
    }
    for (int l = 0; l < MG_NOC_LEVELS; l++) s.mean[l] = s.rows ? s.mean[l] / (double)s.rows : NAN;
    return s;
}

// --- summary.json --------------------------------------------------------------------------------------

static mg_status put_scores(mg_json *to, const mg_score_table *t, int class_at, uint64_t seed,
                            int replicates)
{
    for (int k = 0; k < MG_SCORES; k++) {
        mg_summary s;
        mg_interval i;
        MG_TRY(mg_score_summary(t, (mg_score_kind)k, class_at, seed, replicates, &s, &i));
        if (k >= MG_SCORE_MSA_DICE && !s.n) continue;
        mg_json *value = mg_json_object();
        mg_json_put_int(value, "n", s.n);
        mg_json_put_real(value, "mean", s.mean);
        if (class_at >= 0) mg_json_put_real(value, "sd", s.sd);
        if (replicates) {
            mg_json_put_real(value, "low", i.low);
            mg_json_put_real(value, "high", i.high);
        }
        mg_json_put(to, mg_score_name((mg_score_kind)k), value);
    }
    return MG_OK;
}

static void put_curve(mg_json *to, const char *key, const double *after, const mg_score_table *t)
{
    double curve[MG_MAX_CURVE];
    mg_json *list = mg_json_array();

    double auc = mg_click_curve(after, t->rows, t->curve, curve);
    for (int k = 0; k < t->curve; k++) mg_json_append_real(list, curve[k]);
    mg_json *both = mg_json_object();
    mg_json_put(both, "after", list);
    mg_json_put_real(both, "mean", auc);
    mg_json_put(to, key, both);
}

static void put_clicks(mg_json *to, const mg_score_table *t)
{
    mg_noc_summary noc = mg_score_noc(t);

    if (!t->curve) return;
    mg_json *list = mg_json_array();
    for (int l = 0; l < MG_NOC_LEVELS; l++) {
        mg_json *level = mg_json_object();
        mg_json_put_real(level, "iou", mg_noc_level[l]);
        mg_json_put_real(level, "mean", noc.mean[l]);
        mg_json_put_int(level, "failed", noc.failed[l]);
        mg_json_append(list, level);
    }
    mg_json *clicks = mg_json_object();
    mg_json_put_int(clicks, "most", t->curve);
    mg_json_put_int(clicks, "n", noc.rows);
    mg_json_put(clicks, "noc", list);
    put_curve(clicks, "dice", t->dice_after, t);
    put_curve(clicks, "iou", t->iou_after, t);
    mg_json_put(to, "clicks", clicks);
}

static mg_status put_table(mg_json *to, const mg_score_table *t, uint64_t seed, int replicates)
{
    mg_json *classes = mg_json_array(), *average = mg_json_object();
    mg_status st = MG_OK;

    mg_json_put_text(to, "set", t->set);
    mg_json_put_text(to, "protocol", t->protocol);
    mg_json_put_int(to, "cases", t->cases);
    mg_json_put_int(to, "missed", t->missed);
    mg_json_put_int(to, "not_applicable", t->empty);
    for (int c = 0; c < t->classes && !st; c++) {
        mg_json *one = mg_json_object();
        mg_json_put_int(one, "class", t->class_number[c]);
        mg_json_put_text(one, "name", t->class_name[c]);
        st = put_scores(one, t, c, seed, replicates);
        mg_json_append(classes, one);
    }
    if (!st) st = put_scores(average, t, -1, seed, replicates);
    mg_json_put(to, "classes", classes);
    mg_json_put(to, "average", average);
    put_clicks(to, t);
    return st;
}

static void put_texts(mg_json *to, const char *key, const mg_texts *texts)
{
    mg_json *list = mg_json_array();

    for (size_t i = 0; i < texts->count; i++) mg_json_append_text(list, texts->item[i]);
    mg_json_put(to, key, list);
}

static void put_facts(mg_json *to, const mg_scores *s, uint64_t seed, int replicates)
{
    mg_json *sets = mg_json_array(), *bootstrap = mg_json_object();

    mg_json_put_text(to, "kind", "scores");
    mg_json_put_int(to, "version", 1);
    mg_json_put_text(to, "method", s->method ? s->method : "");
    mg_json_put_real(to, "trained_share", s->trained_share);
    mg_json_put_real(to, "nsd_tolerance", s->nsd_tolerance);
    mg_json_put_text(to, "empty", s->empty_is_one ? "one" : "left out");
    for (int i = 0; i < s->sets; i++) {
        mg_json *set = mg_json_object();
        mg_json_put_text(set, "name", s->set[i].name);
        mg_json_put_text(set, "unit", s->set[i].unit);
        mg_json_put_bool(set, "phantom", s->set[i].phantom);
        if (s->set[i].missing.count) put_texts(set, "missing", &s->set[i].missing);
        mg_json_append(sets, set);
    }
    mg_json_put(to, "sets", sets);
    mg_json_put_int(bootstrap, "seed", (int64_t)seed);
    mg_json_put_int(bootstrap, "replicates", replicates);
    mg_json_put(to, "bootstrap", bootstrap);
}

mg_status mg_scores_summarize(const mg_scores *s, uint64_t seed, int replicates, mg_json **out)
{
    mg_json *summary = mg_json_object(), *tables = mg_json_array();
    mg_status st = MG_OK;
    int groups = mg_scores_groups(s);

    put_facts(summary, s, seed, replicates);
    if (!summary || !tables) st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate the summary of scores");
    for (int g = 0; g < groups && !st; g++) {
        mg_score_table t;
        st = mg_scores_table(s, g, &t);
        if (st) break;
        mg_json *one = mg_json_object();
        st = put_table(one, &t, seed, replicates);
        mg_json_append(tables, one);
        mg_score_table_free(&t);
    }
    mg_json_put(summary, "tables", tables);
    if (st) mg_json_free(&summary);
    *out = summary;
    return st;
}
