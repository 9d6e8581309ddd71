// Files and folders: whole-file reading, writing that survives a crash, sorted listings, paths.
#ifndef MG_RUNTIME_FSYS_H
#define MG_RUNTIME_FSYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/err.h"
#include "runtime/texts.h"

// "dir/name"; "name" alone if dir is "" or name starts with '/'. Release with mg_free.
char *mg_path_join(const char *dir, const char *name);
const char *mg_path_base(const char *path);              // after the last '/'; borrowed
char *mg_path_dir(const char *path);                     // before it, "." if none; mg_free
char *mg_path_stem(const char *path);                    // base without its last extension; mg_free
bool mg_path_has_ext(const char *path, const char *ext); // ".png" matches ".PNG"
bool mg_path_is_file(const char *path);
bool mg_path_is_dir(const char *path);
int64_t mg_path_size(const char *path); // bytes, -1 if it cannot be read

// Create a folder and its parents; an existing one is fine. MG_ERR_IO.
mg_status mg_make_dirs(const char *path);

// Remove a file, or a folder with everything in it. A missing path is fine.
mg_status mg_remove_tree(const char *path);

// The whole file with a '\0' behind it. Refuses more than `limit` bytes (MG_ERR_FORMAT).
// Caller releases *data with mg_free. `bytes` may be NULL.
mg_status mg_read_file(const char *path, size_t limit, char **data, size_t *bytes);

// Write a file so that at any moment either the old or the new contents are there: written to
// "path.tmp", synced, renamed, folder synced. MG_ERR_IO names the file and the reason.
mg_status mg_write_file(const char *path, const void *data, size_t bytes);

// The last part of that, for files written by a library: sync `aside`, rename it to `path`, sync
// the folder.
mg_status mg_commit_file(const char *aside, const char *path);

// Entries of one folder, natural order, junk left out (datasets.md, rules for every reader, 2).
// Symbolic links are followed only to targets inside `root` (NULL: anywhere).
// The lists are overwritten; either may be NULL. One directory is read once. MG_ERR_IO if it cannot
// be read. Caller frees the lists.
mg_status mg_list_dir(const char *path, const char *root, mg_texts *files, mg_texts *dirs);

// All files below a folder as paths relative to it, natural order, junk left out. Deeper than 16
// folders is MG_ERR_FORMAT; a link back to a folder above is not entered. Overwrites *files.
// Shows progress if it takes long; MG_ERR_STOPPED when a signal asks.
mg_status mg_list_tree(const char *root, mg_texts *files);

#endif
