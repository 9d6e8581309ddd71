// Fuzz target of safetensors: any bytes as a file, or, where they begin as JSON, as the index of a set of
// two files.
#include "runtime/fsys.h"
#include "tests/fuzz/weights.h"

static char folder[64], index_path[96];

static void put_file(const char *name, const char *header, size_t data)
{
    char path[96];
    uint64_t length = strlen(header);

    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *out = fopen(path, "wb");
    if (!out || fwrite(&length, 8, 1, out) != 1 || fwrite(header, 1, length, out) != length)
        abort();
    for (size_t i = 0; i < data; i++) fputc((int)i, out);
    if (fclose(out)) abort();
}

static void remove_folder(void)
{
    mg_remove_tree(folder);
}

static void make_set(void)
{
    snprintf(folder, sizeof folder, "/dev/shm/medgraft-fuzz-%d", (int)getpid());
    snprintf(index_path, sizeof index_path, "%s/model.safetensors.index.json", folder);
    if (mg_make_dirs(folder) || atexit(remove_folder)) abort();
    put_file("a", "{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8);
    put_file("b",
             "{\"y\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]},"
             "\"z\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[1,3]}}",
             3);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (!folder[0]) make_set();
    bool index = bytes && data[0] == '{';
    bool other = bytes >= 9 && data[8] != '{'; // not taken for safetensors
    fuzz_file file = fuzz_file_make(data, bytes);

    if (index) {
        remove(index_path);
        if (symlink(file.path, index_path)) abort();
    }
    fuzz_begin();
    if (index || !other) fuzz_weights(index ? index_path : file.path);
    fuzz_end();
    close(file.fd);
    return 0;
}
