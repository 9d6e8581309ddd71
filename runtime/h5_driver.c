// The file driver under HDF5 (its "virtual file layer"): plain pread and pwrite on one descriptor,
// with three things that the library's own driver does not do:
//  - the first failure of the system is kept as errno, and after a failed write further ones are
//    dropped, so that the library can close the file in order (after ENOSPC its own driver leaves
//    open handles behind that crash the program at its end);
//  - reading behind the end of a file opened for reading is a failure, not zeros;
//  - while `watch` is set, reads of array values are not done but noted: this finds where a chunk
//    lies in constant time, while the library's H5Dget_chunk_info walks through all chunks each time.
#include "runtime/h5_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#if H5_VERSION_GE(1, 13, 0)
#include <H5FDdevelop.h>
#endif

#include "runtime/mem.h"

typedef struct {
    H5FD_t head; // first: what the library sees
    int fd;      // own duplicate
    bool writing;
    haddr_t eoa; // end of what the library has allocated
    haddr_t eof;
    h5_io *io; // not owned
} driver;

static herr_t note_failure(h5_io *io, int why)
{
    if (!io->error) io->error = why ? why : EIO;
    return -1;
}

static H5FD_t *driver_open(const char *name, unsigned flags, hid_t access, haddr_t most)
{
    h5_io *const *info = H5Pget_driver_info(access);
    driver *d = calloc(1, sizeof *d);
    struct stat facts;

    (void)name, (void)most;
    if (!d || !info) goto fail;
    d->io = *info;
    d->fd = dup(d->io->fd);
    d->writing = flags & H5F_ACC_RDWR;
    if (d->fd < 0 || fstat(d->fd, &facts)) {
        note_failure(d->io, errno);
        if (d->fd >= 0) close(d->fd);
        goto fail;
    }
    d->eof = (haddr_t)facts.st_size;
    return &d->head;

fail:
    free(d);
    return NULL;
}

static herr_t driver_close(H5FD_t *head)
{
    driver *d = (driver *)head;
    if (close(d->fd)) note_failure(d->io, errno); // network folders report a full disk here
    free(d);
    return 0;
}

// Every handle stands alone, so that none uses the h5_io of another.
static int driver_cmp(const H5FD_t *a, const H5FD_t *b)
{
    return (a > b) - (a < b);
}

static herr_t driver_query(const H5FD_t *head, unsigned long *flags)
{
    (void)head;
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
             H5FD_FEAT_AGGREGATE_SMALLDATA;
    return 0;
}

static haddr_t driver_get_eoa(const H5FD_t *head, H5FD_mem_t type)
{
    (void)type;
    return ((const driver *)head)->eoa;
}

static herr_t driver_set_eoa(H5FD_t *head, H5FD_mem_t type, haddr_t address)
{
    (void)type;
    ((driver *)head)->eoa = address;
    return 0;
}

static haddr_t driver_get_eof(const H5FD_t *head, H5FD_mem_t type)
{
    (void)type;
    return ((const driver *)head)->eof;
}

static herr_t driver_read(H5FD_t *head, H5FD_mem_t type, hid_t transfer, haddr_t address,
                          size_t bytes, void *buffer)
{
    driver *d = (driver *)head;
    char *at = buffer;

    (void)transfer;
    if (d->io->watch && type == H5FD_MEM_DRAW) {
        d->io->address = address;
        d->io->bytes = bytes;
        return 0;
    }
    if (mg_fault()) return note_failure(d->io, EIO);
    while (bytes > 0) {
        ssize_t n = pread(d->fd, at, bytes, (off_t)address);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return note_failure(d->io, errno);
        if (n == 0 && !d->writing) return -1; // the file is cut short
        if (n == 0) n = (ssize_t)bytes, memset(at, 0, bytes);
        at += n;
        address += (haddr_t)n;
        bytes -= (size_t)n;
    }
    return 0;
}

static herr_t driver_write(H5FD_t *head, H5FD_mem_t type, hid_t transfer, haddr_t address,
                           size_t bytes, const void *buffer)
{
    driver *d = (driver *)head;
    const char *at = buffer;

    (void)type, (void)transfer;
    if (mg_fault()) note_failure(d->io, EIO);
    while (bytes > 0 && !d->io->error) {
        ssize_t n = pwrite(d->fd, at, bytes, (off_t)address);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            note_failure(d->io, n ? errno : ENOSPC);
            break;
        }
        at += n;
        address += (haddr_t)n;
        bytes -= (size_t)n;
        if (address > d->eof) d->eof = address;
    }
    return 0;
}

// The library wants the file as long as what it has allocated.
static herr_t driver_truncate(H5FD_t *head, hid_t transfer, hbool_t closing)
{
    driver *d = (driver *)head;

    (void)transfer, (void)closing;
    if (d->eoa == d->eof || d->io->error) return 0;
    if (ftruncate(d->fd, (off_t)d->eoa)) note_failure(d->io, errno);
    d->eof = d->eoa;
    return 0;
}

hid_t h5_driver(void)
{
    static const H5FD_class_t class = {
#if H5_VERSION_GE(1, 13, 0)
        .version = H5FD_CLASS_VERSION,
        .value = 600, // any above those that the library keeps for itself
#endif
        .name = "medgraft",
        .maxaddr = ((haddr_t)1 << 62),
        .fc_degree = H5F_CLOSE_WEAK,
        .fapl_size = sizeof(h5_io *),
        .open = driver_open,
        .close = driver_close,
        .cmp = driver_cmp,
        .query = driver_query,
        .get_eoa = driver_get_eoa,
        .set_eoa = driver_set_eoa,
        .get_eof = driver_get_eof,
        .read = driver_read,
        .write = driver_write,
        .truncate = driver_truncate,
        .fl_map = H5FD_FLMAP_DICHOTOMY,
    };
    static hid_t id = H5I_INVALID_HID;
    if (id < 0 || H5Iget_type(id) != H5I_VFL) id = H5FDregister(&class);
    return id;
}
