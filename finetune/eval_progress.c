// A file of progress:
//   medgraft-evaluation KEY
//   case SAMPLE BYTES         then so many bytes of rows (scores.h, as text), then
//   end                       and the next case
#include "finetune/eval_progress.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/log.h"
#include "runtime/mem.h"

enum { MAX_FILE = 1 << 30 };
static const char mark[] = "medgraft-evaluation ", end[] = "end\n";

struct mg_eval_progress {
    char *folder;
    FILE *file;
    int64_t lo, hi, count;
    bool *done; // [hi - lo]
};

// --- reading ----------------------------------------------------------------------------------------

// The next case of a file's text from *at; false behind the last whole one. `rows` is ended by a '\0' for
// the time being, so the text is changed.
static bool next_case(char **at, const char *stop, int64_t *sample, char **rows)
{
    long long number, bytes;
    int head = 0;

    if (sscanf(*at, "case %lld %lld\n%n", &number, &bytes, &head) != 2 || !head || bytes < 0)
        return false;
    char *from = *at + head;
    if (stop - from < bytes + (long long)strlen(end) || memcmp(from + bytes, end, strlen(end)))
        return false;
    from[bytes] = '\0'; // where "end" begins
    *sample = number;
    *rows = from;
    *at = from + bytes + strlen(end);
    return true;
}

// Rows of this rank's cases in one file. *fits: it is of this key.
static mg_status read_file(mg_eval_progress *p, const char *path, const char *key,
                           mg_scores *scores, bool *fits)
{
    char *text = NULL, *at, *rows;
    size_t bytes, head = strlen(mark) + strlen(key) + 1;
    int64_t sample;

    MG_TRY(mg_read_file(path, MAX_FILE, &text, &bytes));
    at = text + head;
    *fits = bytes >= head && memcmp(text, mark, strlen(mark)) == 0 &&
            memcmp(text + strlen(mark), key, strlen(key)) == 0 && at[-1] == '\n';
    mg_status st = MG_OK;
    while (*fits && !st && next_case(&at, text + bytes, &sample, &rows)) {
        if (sample < p->lo || sample >= p->hi || p->done[sample - p->lo]) continue;
        st = mg_scores_parse(scores, rows, path);
        p->done[sample - p->lo] = true;
        p->count++;
    }
    mg_free(text);
    return st;
}

static mg_status read_folder(mg_eval_progress *p, const char *key, mg_scores *scores)
{
    mg_texts files = {0};
    bool fits = true;
    mg_status st = mg_list_dir(p->folder, NULL, &files, NULL);

    for (size_t i = 0; i < files.count && !st; i++) {
        char *path = mg_path_join(p->folder, files.item[i]);
        st = path ? read_file(p, path, key, scores, &fits)
                  : MG_FAIL(MG_ERR_MEMORY, "cannot allocate a path");
        if (!st && !fits)
            mg_warn("'%s' is the progress of another model or other data: its cases are scored "
                    "again",
                    path);
        mg_free(path);
    }
    mg_texts_free(&files);
    return st;
}

// --- writing ----------------------------------------------------------------------------------------

// A new file for every start: the last one of a rank may end in the middle of a case.
static mg_status create_file(mg_eval_progress *p, int rank, const char *key)
{
    for (int start = 0; !p->file; start++) {
        char name[64];
        snprintf(name, sizeof name, "rank-%d-start-%d", rank, start);
        char *path = mg_path_join(p->folder, name);
        MG_CHECK(path, MG_ERR_MEMORY, "cannot allocate a path");
        p->file = fopen(path, "wx");
        int error = errno;
        mg_status st = p->file || error == EEXIST
                           ? MG_OK
                           : MG_FAIL(MG_ERR_IO, "cannot create '%s': %s", path, strerror(error));
        mg_free(path);
        MG_TRY(st);
    }
    MG_CHECK(fprintf(p->file, "%s%s\n", mark, key) > 0 && fflush(p->file) == 0, MG_ERR_IO,
             "cannot write into '%s': %s", p->folder, strerror(errno));
    return MG_OK;
}

mg_status mg_eval_progress_add(mg_eval_progress *p, int64_t sample, const mg_scores *rows,
                               mg_scores *scores)
{
    char *text = NULL;

    MG_TRY(mg_scores_print(rows, &text));
    int wrote = fprintf(p->file, "case %lld %zu\n%s%s", (long long)sample, strlen(text), text, end);
    mg_status st =
        wrote > 0 && fflush(p->file) == 0
            ? MG_OK
            : MG_FAIL(MG_ERR_IO, "cannot write into '%s': %s", p->folder, strerror(errno));
    if (!st) st = mg_scores_parse(scores, text, "rows of a case");
    mg_free(text);
    return st;
}

// --- opening and closing ----------------------------------------------------------------------------

static mg_status allocate(mg_eval_progress *p, const char *folder, int64_t lo, int64_t hi)
{
    p->lo = lo;
    p->hi = hi;
    p->folder = mg_strdup(folder);
    p->done = mg_calloc((size_t)(hi - lo) + 1, sizeof *p->done);
    MG_CHECK(p->folder && p->done, MG_ERR_MEMORY, "cannot allocate the progress of %lld cases",
             (long long)(hi - lo));
    return MG_OK;
}

mg_status mg_eval_progress_open(const mg_comm *world, const char *folder, const char *key,
                                int64_t lo, int64_t hi, mg_scores *scores, mg_eval_progress **out)
{
    mg_eval_progress *p = mg_calloc(1, sizeof *p);
    mg_status st = p ? allocate(p, folder, lo, hi)
                     : MG_FAIL(MG_ERR_MEMORY, "cannot allocate the progress of an evaluation");

    *out = NULL;
    if (!st && mg_comm_rank(world) == 0) st = mg_make_dirs(folder);
    st = mg_comm_agree(world, st);
    if (!st) st = mg_comm_agree(world, read_folder(p, key, scores));
    // Only when all have read the folder may files be added to it.
    if (!st) st = mg_comm_agree(world, create_file(p, mg_comm_rank(world), key));
    if (st)
        mg_eval_progress_close(&p);
    else
        *out = p;
    return st;
}

void mg_eval_progress_close(mg_eval_progress **progress)
{
    mg_eval_progress *p = *progress;

    if (!p) return;
    if (p->file) fclose(p->file);
    mg_free(p->folder);
    mg_free(p->done);
    mg_free(p);
    *progress = NULL;
}

int64_t mg_eval_progress_count(const mg_eval_progress *p)
{
    return p->count;
}

bool mg_eval_progress_has(const mg_eval_progress *p, int64_t sample)
{
    return p->done[sample - p->lo];
}

mg_status mg_eval_progress_finish(const mg_comm *world, mg_eval_progress **progress)
{
    char *folder = mg_strdup((*progress)->folder);
    mg_status st = folder ? MG_OK : MG_FAIL(MG_ERR_MEMORY, "cannot allocate a path");

    mg_eval_progress_close(progress);
    st = mg_comm_agree(world, st);
    if (!st && mg_comm_rank(world) == 0) st = mg_remove_tree(folder);
    mg_free(folder);
    return mg_comm_agree(world, st);
}
