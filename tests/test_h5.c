// HDF5 files: what is written is read back; files that reach outside themselves are refused.
#include "tests/check.h"

#include <hdf5.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/fsys.h"
#include "runtime/h5.h"
#include "runtime/mem.h"

static char folder[] = "/tmp/medgraft-h5-XXXXXX";

static char *place(const char *name)
{
    return mg_path_join(folder, name);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int drop_folder(void **state)
{
    (void)state;
    return mg_remove_tree(folder) || mg_mem_live() != 0;
}

static void arrays_come_back(void **state)
{
    const int64_t dim[3] = {2, 3, 4}, none[2] = {0, 5};
    const double pi = 3.141592653589793;
    float x[24], y[24];
    mg_h5_info info;
    mg_h5 *file = NULL;
    char *path = place("arrays.h5");
    (void)state;

    check_fill(x, 24, 1, 1.0);
    OK(mg_h5_create(path, &file));
    OK(mg_h5_write(file, "a/b/x", MG_F32, x, 3, dim));
    OK(mg_h5_write(file, "pi", MG_F64, &pi, 0, NULL));
    OK(mg_h5_write(file, "a/none", MG_I32, NULL, 2, none));
    FAILS(mg_h5_write(file, "pi", MG_F64, &pi, 0, NULL), MG_ERR_IO, "'pi'");
    OK(mg_h5_close(&file));

    OK(mg_h5_open(path, &file));
    CHECK(!strcmp(mg_h5_path(file), path));
    OK(mg_h5_describe(file, "a/b/x", &info));
    CHECK(info.type == MG_F32 && info.ndim == 3 && info.count == 24 && !info.chunked);
    CHECK(info.dim[0] == 2 && info.dim[1] == 3 && info.dim[2] == 4);
    OK(mg_h5_read(file, "/a/b/x", MG_F32, y, 24));
    CHECK(!memcmp(x, y, sizeof x));
    OK(mg_h5_read_rows(file, "a/b/x", MG_F32, y, 1, 2));
    CHECK(!memcmp(x + 12, y, 12 * sizeof *x));
    double back = 0;
    OK(mg_h5_read(file, "pi", MG_F64, &back, 1));
    CHECK(back == pi);
    void *nothing = NULL;
    OK(mg_h5_load(file, "a/none", MG_I32, &nothing, &info));
    CHECK(info.count == 0 && info.ndim == 2 && info.dim[1] == 5);
    mg_free(nothing);
    CHECK(mg_h5_has(file, "a/b") && mg_h5_has(file, "a/b/x") && mg_h5_has(file, "/"));
    CHECK(!mg_h5_has(file, "a/c") && !mg_h5_has(file, "pi/x"));
    FAILS(mg_h5_read(file, "pi", MG_F64, y, 2), MG_ERR_FORMAT, "1 values, expected 2");
    FAILS(mg_h5_read(file, "nope", MG_F64, y, 2), MG_ERR_FORMAT, "has no 'nope'");
    FAILS(mg_h5_read(file, "a", MG_F64, y, 2), MG_ERR_FORMAT, "is a group");
    FAILS(mg_h5_read_rows(file, "a/b/x", MG_F32, y, 1, 3), MG_ERR_FORMAT, "rows");
    OK(mg_h5_close(&file));
    CHECK(!file);
    mg_free(path);
}

static void two_handles_of_one_file(void **state)
{
    const int64_t many = 1000;
    float *x = mg_alloc((size_t)many * sizeof *x), *y = mg_alloc((size_t)many * sizeof *y);
    mg_h5 *one = NULL, *two = NULL;
    char *path = place("twice.h5");
    (void)state;

    check_fill(x, (size_t)many, 3, 1);
    OK(mg_h5_create(path, &one));
    OK(mg_h5_write(one, "x", MG_F32, x, 1, &many));
    OK(mg_h5_close(&one));
    OK(mg_h5_open(path, &one));
    OK(mg_h5_open(path, &two));
    OK(mg_h5_close(&one));
    OK(mg_h5_read(two, "x", MG_F32, y, many));
    CHECK(!memcmp(x, y, (size_t)many * sizeof *x));
    OK(mg_h5_close(&two));
    mg_free(path);
    mg_free(x);
    mg_free(y);
}

static void numbers_convert(void **state)
{
    const int64_t three = 3, ints[3] = {-1, 255, 70000};
    const double reals[3] = {0.5, -1e300, 2};
    const float floats[3] = {0.5f, INFINITY, NAN};
    int32_t small[3];
    uint8_t bytes[3];
    float f[3];
    double d[3];
    mg_h5 *file = NULL;
    char *path = place("convert.h5");
    (void)state;

    OK(mg_h5_create(path, &file));
    OK(mg_h5_write(file, "ints", MG_I64, ints, 1, &three));
    OK(mg_h5_write(file, "reals", MG_F64, reals, 1, &three));
    OK(mg_h5_write(file, "floats", MG_F32, floats, 1, &three));
    OK(mg_h5_close(&file));
    OK(mg_h5_open(path, &file));
    OK(mg_h5_read(file, "ints", MG_I32, small, 3));
    CHECK(small[0] == -1 && small[1] == 255 && small[2] == 70000);
    OK(mg_h5_read(file, "ints", MG_F32, f, 3));
    CHECK(f[0] == -1 && f[2] == 70000);
    FAILS(mg_h5_read(file, "ints", MG_U8, bytes, 3), MG_ERR_FORMAT, "cannot hold");
    FAILS(mg_h5_read(file, "reals", MG_I32, small, 3), MG_ERR_FORMAT, "is float64, expected int32");
    FAILS(mg_h5_read(file, "reals", MG_F32, f, 3), MG_ERR_FORMAT, "cannot hold");
    OK(mg_h5_read(file, "floats", MG_F64, d, 3));
    CHECK(d[0] == 0.5 && isinf(d[1]) && isnan(d[2]));
    OK(mg_h5_close(&file));
    mg_free(path);
}

static void texts_and_attributes(void **state)
{
    const char *const words[3] = {"links", "", "Größe 5 µm"};
    char **back = NULL, *text = NULL;
    int64_t count = 0, ints[4] = {0};
    double real = 0;
    int n = 0;
    mg_h5 *file = NULL;
    char *path = place("texts.h5");
    (void)state;

    OK(mg_h5_create(path, &file));
    OK(mg_h5_write_texts(file, "g/words", words, 3));
    OK(mg_h5_write_texts(file, "g/no_words", NULL, 0));
    OK(mg_h5_set_int(file, "", "version", -5));
    OK(mg_h5_set_int(file, "/", "version", 7));
    OK(mg_h5_set_real(file, "g", "half", 0.5));
    OK(mg_h5_set_text(file, "g/words", "unit", "mm"));
    char *config = mg_calloc(1, 200001); // longer than an object header may be
    memset(config, 'c', 200000);
    OK(mg_h5_set_text(file, "", "config", config));
    OK(mg_h5_close(&file));

    OK(mg_h5_open(path, &file));
    OK(mg_h5_load_texts(file, "g/words", &back, &count));
    CHECK(count == 3);
    for (int i = 0; i < 3; i++) {
        CHECK(!strcmp(back[i], words[i]));
        mg_free(back[i]);
    }
    mg_free(back);
    OK(mg_h5_load_texts(file, "g/no_words", &back, &count));
    CHECK(count == 0);
    mg_free(back);
    int64_t version = 0;
    OK(mg_h5_attr_int(file, "", "version", &version));
    CHECK(version == 7);
    OK(mg_h5_attr_ints(file, "/", "version", ints, 4, &n));
    CHECK(n == 1 && ints[0] == 7);
    OK(mg_h5_attr_real(file, "g", "half", &real));
    CHECK(real == 0.5);
    OK(mg_h5_attr_real(file, "", "version", &real));
    CHECK(real == 7);
    OK(mg_h5_attr_text(file, "g/words", "unit", &text));
    CHECK(!strcmp(text, "mm"));
    mg_free(text);
    OK(mg_h5_attr_text(file, "", "config", &text));
    CHECK(!strcmp(text, config));
    mg_free(text);
    mg_free(config);
    CHECK(mg_h5_has_attr(file, "g", "half") && !mg_h5_has_attr(file, "g", "unit") &&
          !mg_h5_has_attr(file, "h", "unit"));
    FAILS(mg_h5_attr_int(file, "g", "half", &version), MG_ERR_FORMAT, "no integer");
    FAILS(mg_h5_attr_text(file, "g", "half", &text), MG_ERR_FORMAT, "does not hold texts");
    FAILS(mg_h5_attr_int(file, "g", "third", &version), MG_ERR_FORMAT, "no attribute 'third'");
    FAILS(mg_h5_load_texts(file, "g", &back, &count), MG_ERR_FORMAT, "is a group");
    OK(mg_h5_close(&file));
    mg_free(path);
}

static void listing(void **state)
{
    const int64_t one = 1;
    const uint8_t value = 3;
    char **names = NULL;
    int count = 0;
    mg_h5 *file = NULL;
    char *path = place("list.h5");
    (void)state;

    OK(mg_h5_create(path, &file));
    OK(mg_h5_write(file, "b", MG_U8, &value, 1, &one));
    OK(mg_h5_write(file, "c/x", MG_U8, &value, 1, &one));
    OK(mg_h5_write(file, "a", MG_U8, &value, 1, &one));
    OK(mg_h5_list(file, "", &names, &count));
    CHECK(count == 3 && !strcmp(names[0], "a") && !strcmp(names[1], "b") &&
          !strcmp(names[2], "c/"));
    for (int i = 0; i < count; i++) mg_free(names[i]);
    mg_free(names);
    FAILS(mg_h5_list(file, "a", &names, &count), MG_ERR_FORMAT, "is an array");
    OK(mg_h5_close(&file));
    mg_free(path);
}

// --- raw chunks -------------------------------------------------------------------------------------

static void chunks_lie_where_the_table_says(void **state)
{
    enum { N = 3000 };
    const int64_t dim[3] = {0, 4, 6}, chunk[3] = {1, 4, 6};
    const int64_t flat_dim[2] = {5, 7}, flat_chunk[2] = {2, 3};
    char bytes[64];
    int filter = -1;
    mg_h5_chunks table;
    mg_h5_info info;
    mg_h5 *file = NULL;
    char *path = place("chunks.h5");
    (void)state;

    OK(mg_h5_create(path, &file));
    OK(mg_h5_make_chunked(file, "g/pixels", MG_I16, 3, dim, chunk, MG_H5_ZSTD));
    OK(mg_h5_make_chunked(file, "flat", MG_U8, 2, flat_dim, flat_chunk, 0));
    for (int64_t i = 0; i < N; i++) {
        const int64_t at[3] = {i, 0, 0};
        if (i % 10 == 3) continue; // never written
        memset(bytes, (int)i, sizeof bytes);
        OK(mg_h5_write_chunk(file, "g/pixels", at, bytes, 1 + (size_t)(i % 60)));
        if (i % 1000 == 0) {
            const int64_t flat_at[2] = {2 * (i / 1000), 3};
            OK(mg_h5_write_chunk(file, "flat", flat_at, bytes, 6));
        }
    }
    FAILS(mg_h5_chunk_table(file, "flat", &filter, &table), MG_ERR_USAGE, "being written");
    OK(mg_h5_close(&file));

    OK(mg_h5_open(path, &file));
    OK(mg_h5_describe(file, "g/pixels", &info));
    CHECK(info.chunked && info.dim[0] == N && info.chunk[0] == 1 && info.chunk[2] == 6);
    OK(mg_h5_chunk_table(file, "g/pixels", &filter, &table));
    CHECK(filter == MG_H5_ZSTD && table.count == N);
    FILE *raw = fopen(path, "rb");
    for (int64_t i = 0; i < N; i++) {
        CHECK(table.bytes[i] == (i % 10 == 3 ? 0 : 1 + (uint64_t)(i % 60)));
        if (!table.bytes[i]) continue;
        CHECK(fseek(raw, (long)table.address[i], SEEK_SET) == 0);
        CHECK(fread(bytes, 1, table.bytes[i], raw) == table.bytes[i]);
        for (uint64_t k = 0; k < table.bytes[i]; k++) CHECK(bytes[k] == (char)i);
        CHECK(table.filter_mask[i] == 0);
    }
    fclose(raw);
    mg_h5_chunks_free(&table);
    // 3 x 3 chunks, of which those of column 1 are there.
    OK(mg_h5_chunk_table(file, "flat", &filter, &table));
    CHECK(filter == 0 && table.count == 9);
    for (int i = 0; i < 9; i++) CHECK(table.bytes[i] == (i % 3 == 1 ? 6 : 0));
    mg_h5_chunks_free(&table);
    FAILS(mg_h5_chunk_table(file, "g", &filter, &table), MG_ERR_FORMAT, "is a group");
    // Without a decoder the values cannot be had.
    int16_t *values = mg_alloc(N * 24 * sizeof *values);
    CHECK(mg_h5_read(file, "g/pixels", MG_I16, values, N * 24) == MG_ERR_FORMAT);
    mg_err_clear();
    mg_free(values);
    OK(mg_h5_close(&file));
    mg_free(path);
}

// A made-up compression: each byte stands for 48 of its kind.
static size_t repeat(void *out, size_t room, const void *frame, size_t bytes)
{
    if (!out) return bytes == 1 ? 48 : 0;
    if (room < 48) return 0;
    memset(out, *(const char *)frame, 48);
    return 48;
}

static void registered_decoder_reads(void **state)
{
    const int64_t dim[2] = {2, 24}, chunk[2] = {1, 24};
    int16_t values[48];
    mg_h5 *file = NULL;
    char *path = place("decoder.h5");
    (void)state;

    OK(mg_h5_create(path, &file));
    OK(mg_h5_make_chunked(file, "x", MG_I16, 2, dim, chunk, MG_H5_ZSTD));
    OK(mg_h5_write_chunk(file, "x", (int64_t[]){0, 0}, "\1", 1));
    OK(mg_h5_write_chunk(file, "x", (int64_t[]){1, 0}, "\2", 1));
    OK(mg_h5_close(&file));
    mg_h5_register_zstd(repeat);
    OK(mg_h5_open(path, &file));
    OK(mg_h5_read(file, "x", MG_I16, values, 48));
    for (int i = 0; i < 48; i++) CHECK(values[i] == (i < 24 ? 0x0101 : 0x0202));
    OK(mg_h5_close(&file));
    mg_h5_register_zstd(NULL);
    mg_free(path);
}

// --- hostile files ----------------------------------------------------------------------------------

static void make_hostile(const char *path)
{
    const int64_t three = 3;
    const float x[3] = {1, 2, 3};
    mg_h5 *file = NULL;
    char *other = place("other.h5");
    OK(mg_h5_create(other, &file));
    OK(mg_h5_write(file, "x", MG_F32, x, 1, &three));
    OK(mg_h5_close(&file));
    mg_free(other);

    hid_t f = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hsize_t n = 3, wide[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    hid_t space = H5Screate_simple(1, &n, NULL), axes = H5Screate_simple(9, wide, NULL);
    H5Lcreate_external("other.h5", "/x", f, "external", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_external("other.h5", "/", f, "away", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("/loop", f, "loop", H5P_DEFAULT, H5P_DEFAULT);
    H5Gclose(H5Gcreate2(f, "group", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    hid_t plist = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_external(plist, "/etc/passwd", 0, 12);
    H5Dclose(H5Dcreate2(f, "elsewhere", H5T_NATIVE_FLOAT, space, H5P_DEFAULT, plist, H5P_DEFAULT));
    H5Pclose(plist);
    plist = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_virtual(plist, space, "other.h5", "/x", space);
    H5Dclose(H5Dcreate2(f, "virtual", H5T_NATIVE_FLOAT, space, H5P_DEFAULT, plist, H5P_DEFAULT));
    H5Pclose(plist);
    plist = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(plist, 1, &n);
    H5Pset_filter(plist, 307, H5Z_FLAG_OPTIONAL, 0, NULL); // bzip2
    H5Dclose(H5Dcreate2(f, "filtered", H5T_NATIVE_FLOAT, space, H5P_DEFAULT, plist, H5P_DEFAULT));
    H5Pclose(plist);
    plist = H5Pcreate(H5P_DATASET_CREATE);
    n = (hsize_t)1 << 40;
    hid_t huge = H5Screate_simple(1, &n, NULL);
    hsize_t piece = 1 << 20;
    H5Pset_chunk(plist, 1, &piece);
    H5Dclose(H5Dcreate2(f, "huge", H5T_NATIVE_FLOAT, huge, H5P_DEFAULT, plist, H5P_DEFAULT));
    H5Pclose(plist);
    H5Dclose(H5Dcreate2(f, "bare", H5T_NATIVE_FLOAT, huge, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Dclose(H5Dcreate2(f, "axes", H5T_NATIVE_FLOAT, axes, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    hid_t empty = H5Screate(H5S_NULL);
    H5Dclose(H5Dcreate2(f, "null", H5T_NATIVE_FLOAT, empty, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    hid_t pair = H5Tcreate(H5T_COMPOUND, 8);
    H5Tinsert(pair, "a", 0, H5T_NATIVE_FLOAT);
    H5Tinsert(pair, "b", 4, H5T_NATIVE_FLOAT);
    H5Dclose(H5Dcreate2(f, "pair", pair, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Tclose(pair);
    hid_t text = H5Tcopy(H5T_C_S1);
    H5Tset_size(text, H5T_VARIABLE);
    const char *words[3] = {"one", "two", "three"};
    hid_t array = H5Dcreate2(f, "words", text, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Dwrite(array, text, H5S_ALL, H5S_ALL, H5P_DEFAULT, words);
    H5Dclose(array);
    H5Tclose(text);
    H5Sclose(empty);
    H5Sclose(huge);
    H5Sclose(axes);
    H5Sclose(space);
    H5Fclose(f);
}

static void hostile_files(void **state)
{
    static const struct {
        const char *name, *message;
    } refused[] = {
        {"external", "is a link"},
        {"away/x", "'away' in"},
        {"loop", "is a link"},
        {"elsewhere", "keeps its data in another file"},
        {"virtual", "virtual"},
        {"filtered", "uses filter 307"},
        {"huge", "claims"},
        {"bare", "claims"},
        {"axes", "has 9 dimensions"},
        {"null", "is empty"},
        {"pair", "does not hold numbers"},
    };
    char **names = NULL, **texts = NULL;
    int count = 0;
    int64_t n = 0;
    void *data = NULL;
    mg_h5 *file = NULL;
    char *path = place("hostile.h5");
    (void)state;

    make_hostile(path);
    OK(mg_h5_open(path, &file));
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        FAILS(mg_h5_load(file, refused[i].name, MG_F32, &data, NULL), MG_ERR_FORMAT,
              refused[i].message);
        CHECK(!data);
        CHECK(mg_h5_load_texts(file, refused[i].name, &texts, &n) == MG_ERR_FORMAT && !texts);
        CHECK(!strncmp(refused[i].name, "group", 5) || strstr(mg_err_message(), path));
    }
    CHECK(!mg_h5_has(file, "external") && !mg_h5_has(file, "away/x") && !mg_h5_has(file, "loop"));
    CHECK(!mg_h5_has_attr(file, "away", "kind"));
    // Links are named, not followed.
    OK(mg_h5_list(file, "", &names, &count));
    CHECK(count == 13);
    for (int i = 0; i < count; i++) mg_free(names[i]);
    mg_free(names);
    FAILS(mg_h5_load_texts(file, "words", &texts, &n), MG_ERR_FORMAT, "variable length");
    mg_h5_allow_variable_texts(file);
    OK(mg_h5_load_texts(file, "words", &texts, &n));
    CHECK(n == 3 && !strcmp(texts[2], "three"));
    for (int i = 0; i < n; i++) mg_free(texts[i]);
    mg_free(texts);
    OK(mg_h5_close(&file));
    mg_free(path);
}

static void broken_files(void **state)
{
    const int64_t many = 20000;
    float *x = mg_alloc((size_t)many * sizeof *x), *y = mg_alloc((size_t)many * sizeof *y);
    char **names = NULL;
    int count = 0;
    mg_h5 *file = NULL;
    char *path = place("cut.h5");
    (void)state;

    check_fill(x, (size_t)many, 5, 1);
    OK(mg_h5_create(path, &file));
    OK(mg_h5_write(file, "x", MG_F32, x, 1, &many));
    OK(mg_h5_close(&file));
    int64_t size = mg_path_size(path);
    for (int64_t cut = size - 1; cut > 0; cut -= size / 13) {
        CHECK(truncate(path, cut) == 0);
        mg_status st = mg_h5_open(path, &file);
        if (!st) st = mg_h5_read(file, "x", MG_F32, y, many);
        CHECK(st && strstr(mg_err_message(), path));
        mg_err_clear();
        mg_h5_close(&file);
    }
    OK(mg_write_file(path, "not HDF5 at all", 15));
    FAILS(mg_h5_open(path, &file), MG_ERR_FORMAT, "signature");
    FAILS(mg_h5_open(folder, &file), MG_ERR_IO, "is not a file");
    char *pipe_path = place("pipe");
    CHECK(mkfifo(pipe_path, 0600) == 0);
    FAILS(mg_h5_open(pipe_path, &file), MG_ERR_IO, "is not a file");
    mg_free(pipe_path);
    CHECK(!file);
    char *none = place("none.h5");
    FAILS(mg_h5_open(none, &file), MG_ERR_IO, "No such file");
    char *nowhere = place("none/none.h5");
    FAILS(mg_h5_create(nowhere, &file), MG_ERR_IO, "No such file");
    OK(mg_h5_create(path, &file));
    OK(mg_h5_list(file, "/", &names, &count));
    CHECK(count == 0 && !names);
    OK(mg_h5_close(&file));
    mg_free(nowhere);
    mg_free(none);
    mg_free(path);
    mg_free(x);
    mg_free(y);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrays_come_back),
        cmocka_unit_test(two_handles_of_one_file),
        cmocka_unit_test(numbers_convert),
        cmocka_unit_test(texts_and_attributes),
        cmocka_unit_test(listing),
        cmocka_unit_test(chunks_lie_where_the_table_says),
        cmocka_unit_test(registered_decoder_reads),
        cmocka_unit_test(hostile_files),
        cmocka_unit_test(broken_files),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
