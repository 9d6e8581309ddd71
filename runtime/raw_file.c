// pread in a loop: the kernel may give less than was asked for.
#include "runtime/raw_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/mem.h"

mg_status mg_raw_open(const char *path, mg_raw_file *file)
{
    struct stat info;

    *file = (mg_raw_file){.fd = -1};
    int fd = mg_fault() ? (errno = EIO, -1) : open(path, O_RDONLY | O_CLOEXEC);
    MG_CHECK(fd >= 0, MG_ERR_IO, "cannot open '%s': %s", path, strerror(errno));
    bool regular = !fstat(fd, &info) && S_ISREG(info.st_mode);
    char *copy = regular ? mg_strdup(path) : NULL;
    if (!copy) close(fd);
    MG_CHECK(regular, MG_ERR_IO, "cannot read '%s': not a regular file", path);
    MG_CHECK(copy, MG_ERR_MEMORY, "cannot allocate a path");
    *file = (mg_raw_file){fd, (uint64_t)info.st_size, copy};
    return MG_OK;
}

void mg_raw_close(mg_raw_file *file)
{
    if (file->path) close(file->fd);
    mg_free(file->path);
    *file = (mg_raw_file){.fd = -1};
}

mg_status mg_raw_read(const mg_raw_file *file, uint64_t at, void *out, size_t bytes)
{
    MG_CHECK(at <= file->size && bytes <= file->size - at, MG_ERR_FORMAT,
             "'%s' is cut short: it has %llu bytes, %zu more are needed at byte %llu", file->path,
             (unsigned long long)file->size, bytes, (unsigned long long)at);
    MG_CHECK(!mg_fault(), MG_ERR_IO, "cannot read '%s': %s", file->path, strerror(EIO));
    for (size_t done = 0; done < bytes;) {
        ssize_t got = pread(file->fd, (char *)out + done, bytes - done, (off_t)(at + done));
        if (got < 0 && errno == EINTR) continue;
        MG_CHECK(got >= 0, MG_ERR_IO, "cannot read '%s': %s", file->path, strerror(errno));
        MG_CHECK(got > 0, MG_ERR_IO, "cannot read '%s': it became shorter", file->path);
        done += (size_t)got;
    }
    return MG_OK;
}
