// Files and folders through POSIX calls.
// Crash safety rests on rename(2): new contents are written beside the old file, synced, renamed
// over it, and the folder is synced, so that a reader finds one or the other and never a mixture.
// Junk that archive tools and desktops leave behind is listed in datasets.md, rule 2.
#include "runtime/fsys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <ftw.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/log.h"
#include "runtime/mem.h"
#include "runtime/program.h"

enum { MAX_DEPTH = 16, FILE_MODE = 0666, DIR_MODE = 0777 };

// ---- paths

char *mg_path_join(const char *dir, const char *name)
{
    size_t n = strlen(dir);

    if (n == 0 || name[0] == '/') return mg_strdup(name);
    return mg_sprintf("%s%s%s", dir, dir[n - 1] == '/' ? "" : "/", name);
}

const char *mg_path_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

char *mg_path_dir(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash) return mg_strdup(".");
    if (slash == path) return mg_strdup("/");
    return mg_sprintf("%.*s", (int)(slash - path), path);
}

char *mg_path_stem(const char *path)
{
    const char *base = mg_path_base(path);
    const char *dot = strrchr(base, '.');

    if (!dot || dot == base) return mg_strdup(base); // ".name" has no extension
    return mg_sprintf("%.*s", (int)(dot - base), base);
}

bool mg_path_has_ext(const char *path, const char *ext)
{
    size_t n = strlen(path), m = strlen(ext);
    return n > m && strcasecmp(path + n - m, ext) == 0;
}

bool mg_path_is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

bool mg_path_is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int64_t mg_path_size(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? (int64_t)st.st_size : -1;
}

// ---- making and removing

static mg_status make_dir(const char *path)
{
    if (mkdir(path, DIR_MODE) == 0) return MG_OK;
    int why = errno;
    if (mg_path_is_dir(path)) return MG_OK; // it was there, or another rank was faster
    return MG_FAIL(MG_ERR_IO, "cannot make folder '%s': %s", path, strerror(why));
}

mg_status mg_make_dirs(const char *path)
{
    char part[PATH_MAX];
    size_t n = strlen(path);

    MG_CHECK(n < sizeof part, MG_ERR_IO, "path of %zu bytes is too long", n);
    MG_CHECK(!mg_fault(), MG_ERR_IO, "cannot make folder '%s': injected fault", path);
    for (size_t i = 1; i < n; i++) {
        if (path[i] != '/') continue;
        memcpy(part, path, i);
        part[i] = '\0';
        MG_TRY(make_dir(part));
    }
    return n ? make_dir(path) : MG_OK;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path) && errno != ENOENT ? -1 : 0;
}

mg_status mg_remove_tree(const char *path)
{
    // Contents before their folder; links are removed, not followed.
    if (nftw(path, remove_entry, 32, FTW_DEPTH | FTW_PHYS) == 0 || errno == ENOENT) return MG_OK;
    return MG_FAIL(MG_ERR_IO, "cannot remove '%s': %s", path, strerror(errno));
}

// ---- whole files

// Read up to `bytes` bytes; the number read, or -1 with errno.
static ssize_t read_all(int fd, char *data, size_t bytes)
{
    size_t got = 0;

    while (got < bytes) {
        ssize_t n = read(fd, data + got, bytes - got);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -1;
        if (n == 0) break;
        got += (size_t)n;
    }
    return (ssize_t)got;
}

mg_status mg_read_file(const char *path, size_t limit, char **data, size_t *bytes)
{
    mg_status st = MG_OK;
    struct stat info;
    char *text = NULL;
    int fd = mg_fault() ? (errno = EIO, -1) : open(path, O_RDONLY | O_CLOEXEC);

    *data = NULL;
    if (fd < 0) return MG_FAIL(MG_ERR_IO, "cannot open '%s': %s", path, strerror(errno));
    if (fstat(fd, &info) || !S_ISREG(info.st_mode)) {
        st = MG_FAIL(MG_ERR_IO, "cannot read '%s': not a regular file", path);
        goto done;
    }
    size_t size = (size_t)info.st_size;
    if (size > limit) {
        st = MG_FAIL(MG_ERR_FORMAT, "'%s' has %zu bytes, at most %zu are allowed", path, size,
                     limit);
        goto done;
    }
    text = mg_alloc(size + 1);
    if (!text) {
        st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate %zu bytes for '%s'", size, path);
        goto done;
    }
    ssize_t got = read_all(fd, text, size);
    if (got < 0) {
        st = MG_FAIL(MG_ERR_IO, "cannot read '%s': %s", path, strerror(errno));
        goto done;
    }
    text[got] = '\0'; // shorter if the file shrank meanwhile
    *data = text;
    text = NULL;
    if (bytes) *bytes = (size_t)got;

done:
    mg_free(text);
    close(fd);
    return st;
}

static bool write_all(int fd, const char *data, size_t bytes)
{
    while (bytes > 0) {
        ssize_t n = write(fd, data, bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return false;
        data += n;
        bytes -= (size_t)n;
    }
    return true;
}

// Sync a file or folder by name. File systems that cannot sync a folder say EINVAL.
static bool sync_path(const char *path, int flags)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | flags);

    if (fd < 0) return false;
    bool ok = fsync(fd) == 0 || errno == EINVAL;
    int why = errno;
    close(fd);
    errno = why;
    return ok;
}

mg_status mg_commit_file(const char *aside, const char *path)
{
    char *dir = mg_path_dir(path);

    MG_CHECK(dir, MG_ERR_MEMORY, "cannot allocate a path");
    bool ok = !mg_fault() && sync_path(aside, 0) && rename(aside, path) == 0 &&
              sync_path(dir, O_DIRECTORY);
    int why = errno;
    mg_free(dir);
    MG_CHECK(ok, MG_ERR_IO, "cannot move '%s' to '%s': %s", aside, path, strerror(why));
    return MG_OK;
}

mg_status mg_write_file(const char *path, const void *data, size_t bytes)
{
    mg_status st = MG_OK;
    char *aside = mg_sprintf("%s.tmp", path);

    MG_CHECK(aside, MG_ERR_MEMORY, "cannot allocate a path");
    int fd = mg_fault() ? (errno = EIO, -1)
                        : open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, FILE_MODE);
    if (fd < 0) {
        st = MG_FAIL(MG_ERR_IO, "cannot write '%s': %s", aside, strerror(errno));
        goto done;
    }
    bool ok = write_all(fd, data, bytes);
    int why = errno;
    if (close(fd) && ok) ok = false, why = errno;
    if (!ok) {
        st = MG_FAIL(MG_ERR_IO, "cannot write '%s': %s", path, strerror(why));
        goto done;
    }
    st = mg_commit_file(aside, path);

done:
    if (st) unlink(aside);
    mg_free(aside);
    return st;
}

// ---- listings

static bool is_junk(const char *name)
{
    static const char *const patterns[] = {
        ".",           "..",          "__MACOSX",           "._*",      ".DS_Store",
        "*.db",        "desktop.ini", ".ipynb_checkpoints", "LICENSE*", "*_superpixels.png",
        "ATTRIBUTION*"};

    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++)
        if (fnmatch(patterns[i], name, FNM_CASEFOLD) == 0) return true;
    return false;
}

// True if the link's target lies inside the resolved folder `root`.
static bool inside(const char *link, const char *root)
{
    char target[PATH_MAX];
    size_t n = strlen(root);

    if (!realpath(link, target) || strncmp(target, root, n) != 0) return false;
    return target[n] == '/' || target[n] == '\0' || root[n - 1] == '/';
}

// DT_REG, DT_DIR, or DT_UNKNOWN for what is neither or may not be followed.
static mg_status entry_type(const struct dirent *entry, const char *folder, const char *root,
                            int *type)
{
    struct stat st;

    *type = entry->d_type;
    if (*type == DT_REG || *type == DT_DIR) return MG_OK;
    *type = DT_UNKNOWN;
    char *path = mg_path_join(folder, entry->d_name);
    MG_CHECK(path, MG_ERR_MEMORY, "cannot allocate a path");
    bool known = !lstat(path, &st);
    if (known && S_ISLNK(st.st_mode)) known = (!root || inside(path, root)) && !stat(path, &st);
    if (known) *type = S_ISREG(st.st_mode) ? DT_REG : S_ISDIR(st.st_mode) ? DT_DIR : DT_UNKNOWN;
    mg_free(path);
    return MG_OK;
}

// A walk over folders that may take long: it says how far it is, and ends when a signal asks. (Single
// folders are also listed while a checkpoint is being saved, because a signal asked.)
typedef struct {
    const char *root;
    int64_t entries;
    double start;
    bool shown;
} survey;

static mg_status survey_step(survey *s)
{
    enum { QUIET_S = 2 }; // what is quick says nothing

    MG_CHECK(!mg_stop_raised(), MG_ERR_STOPPED, "stopped by a signal while listing '%s'", s->root);
    s->entries++;
    if (s->entries % 64 || mg_now() - s->start < QUIET_S) return MG_OK;
    mg_progress(s->entries, 0, "list '%s'", s->root);
    s->shown = true;
    return MG_OK;
}

static mg_status list_entries(survey *s, DIR *dir, const char *path, const char *root,
                              mg_texts *files, mg_texts *dirs)
{
    for (;;) {
        int type;
        errno = 0;
        struct dirent *entry = readdir(dir);
        if (!entry) break;
        if (s) MG_TRY(survey_step(s));
        if (is_junk(entry->d_name)) continue;
        MG_TRY(entry_type(entry, path, root, &type));
        if (type == DT_REG && files) MG_TRY(mg_texts_add(files, entry->d_name));
        if (type == DT_DIR && dirs) MG_TRY(mg_texts_add(dirs, entry->d_name));
    }
    MG_CHECK(errno == 0, MG_ERR_IO, "cannot list folder '%s': %s", path, strerror(errno));
    return MG_OK;
}

static mg_status list_dir(survey *s, const char *path, const char *root, mg_texts *files,
                          mg_texts *dirs)
{
    char real_root[PATH_MAX];

    if (files) *files = (mg_texts){0};
    if (dirs) *dirs = (mg_texts){0};
    if (root && !realpath(root, real_root))
        return MG_FAIL(MG_ERR_IO, "cannot open folder '%s': %s", root, strerror(errno));
    DIR *dir = mg_fault() ? (errno = EIO, NULL) : opendir(path);
    if (!dir) return MG_FAIL(MG_ERR_IO, "cannot open folder '%s': %s", path, strerror(errno));
    mg_status st = list_entries(s, dir, path, root ? real_root : NULL, files, dirs);
    closedir(dir);
    if (st) {
        if (files) mg_texts_free(files);
        if (dirs) mg_texts_free(dirs);
        return st;
    }
    if (files) mg_texts_sort_natural(files);
    if (dirs) mg_texts_sort_natural(dirs);
    return MG_OK;
}

mg_status mg_list_dir(const char *path, const char *root, mg_texts *files, mg_texts *dirs)
{
    return list_dir(NULL, path, root, files, dirs);
}

// One walk over a tree. The folders from the root to the current one are remembered by inode, so
// that a link to one of them is not entered again.
typedef struct {
    const char *root;
    mg_texts *files;
    survey survey;
    struct {
        dev_t dev;
        ino_t ino;
    } above[MAX_DEPTH + 1];
} walk;

static mg_status walk_folder(walk *w, const char *relative, int depth);

// Add the entries of one listing under the folder `relative` ("" for the root).
static mg_status walk_entries(walk *w, const char *relative, int depth, const mg_texts *files,
                              const mg_texts *dirs)
{
    for (size_t i = 0; i < files->count + dirs->count; i++) {
        bool is_file = i < files->count;
        char *name =
            mg_path_join(relative, is_file ? files->item[i] : dirs->item[i - files->count]);
        MG_CHECK(name, MG_ERR_MEMORY, "cannot allocate a path");
        mg_status st = is_file ? mg_texts_add(w->files, name) : walk_folder(w, name, depth + 1);
        mg_free(name);
        MG_TRY(st);
    }
    return MG_OK;
}

static mg_status walk_folder(walk *w, const char *relative, int depth)
{
    mg_texts files = {0}, dirs = {0};
    struct stat st_dir;
    char *path = *relative ? mg_path_join(w->root, relative) : mg_strdup(w->root);
    mg_status st = MG_OK;

    MG_CHECK(path, MG_ERR_MEMORY, "cannot allocate a path");
    if (depth > MAX_DEPTH) {
        st = MG_FAIL(MG_ERR_FORMAT, "folder '%s' lies more than %d levels deep", path, MAX_DEPTH);
        goto done;
    }
    if (stat(path, &st_dir)) {
        st = MG_FAIL(MG_ERR_IO, "cannot open folder '%s': %s", path, strerror(errno));
        goto done;
    }
    for (int i = 0; i < depth; i++)
        if (w->above[i].dev == st_dir.st_dev && w->above[i].ino == st_dir.st_ino) goto done;
    w->above[depth].dev = st_dir.st_dev;
    w->above[depth].ino = st_dir.st_ino;
    st = list_dir(&w->survey, path, w->root, &files, &dirs);
    if (st) goto done;
    st = walk_entries(w, relative, depth, &files, &dirs);

done:
    mg_texts_free(&files);
    mg_texts_free(&dirs);
    mg_free(path);
    return st;
}

mg_status mg_list_tree(const char *root, mg_texts *files)
{
    walk w = {.root = root, .files = files, .survey = {.root = root, .start = mg_now()}};

    *files = (mg_texts){0};
    mg_status st = walk_folder(&w, "", 0);
    if (w.survey.shown) mg_progress_end();
    if (st)
        mg_texts_free(files);
    else
        mg_texts_sort_natural(files);
    return st;
}
