// Fuzz target of the table reader: any bytes as a CSV file; every cell of what can be read is looked at.
#include "datasets/csv.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    fuzz_file file = fuzz_file_make(data, bytes);
    mg_csv csv;
    size_t text = 0;

    if (mg_csv_read(file.path, &csv) == MG_OK) {
        for (int64_t r = 0; r < csv.rows; r++)
            for (int c = 0; c < csv.columns; c++) text += strlen(mg_csv_get(&csv, r, c));
        if (mg_csv_column(&csv, "label") >= csv.columns || text > bytes) abort();
        mg_csv_free(&csv);
    }
    mg_err_clear();
    close(file.fd);
    if (mg_mem_live()) abort();
    return 0;
}
