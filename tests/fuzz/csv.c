// Fuzz target of the table reader: any bytes as a CSV file; every cell of what can be read is looked at.
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "datasets/csv.h"
#include "runtime/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    int fd = memfd_create("fuzz", 0);
    char path[64];
    mg_csv csv;
    size_t text = 0;

    if (fd < 0 || write(fd, data, bytes) != (ssize_t)bytes) abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (mg_csv_read(path, &csv) == MG_OK) {
        for (int64_t r = 0; r < csv.rows; r++)
            for (int c = 0; c < csv.columns; c++) text += strlen(mg_csv_get(&csv, r, c));
        if (mg_csv_column(&csv, "label") >= csv.columns || text > bytes) abort();
        mg_csv_free(&csv);
    }
    mg_err_clear();
    close(fd);
    if (mg_mem_live()) abort();
    return 0;
}
