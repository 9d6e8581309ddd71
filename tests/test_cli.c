// Command lines: how arguments become settings, and how a command's end becomes an exit code.
#include "tests/check.h"

#include "runtime/cli.h"
#include "runtime/mem.h"

typedef struct {
    int64_t count;
    bool verify;
    char *name;
} settings;

// clang-format off
static const mg_option table[] = {
    {"try_out.count",  MG_INT,  offsetof(settings, count),  "1",     0, 100, "how many", NULL},
    {"try_out.verify", MG_BOOL, offsetof(settings, verify), "false", 0, 0,   "check", NULL},
    {"try_out.name",   MG_TEXT, offsetof(settings, name),   "",      0, 0,   "a name", NULL},
    {"train.count",    MG_INT,  offsetof(settings, count),  "1",     0, 100, "another count", NULL},
    {0},
};
// clang-format on

static int options(mg_option_group *groups, int room)
{
    (void)room;
    groups[0] = (mg_option_group){table, NULL};
    return 1;
}

static settings seen;
static char words[256]; // the arguments that are no options, joined

static mg_status run(const mg_args *args)
{
    mg_option_group group = {table, &seen};

    MG_TRY(mg_args_load(args, &group, 1));
    words[0] = '\0';
    for (int i = 0; i < args->argc; i++) {
        strcat(words, i ? "|" : "");
        strcat(words, args->argv[i]);
    }
    mg_config_free(&group, 1);
    return MG_OK;
}

static mg_status end_with(const mg_args *args)
{
    mg_status st = (mg_status)atoi(args->argv[0]);
    return st ? MG_FAIL(st, "status %d", (int)st) : MG_OK;
}

static const mg_command commands[] = {
    {"try-out", run, 0, "a command with settings", "FILE...", options},
    {"end", end_with, 0, "ends with a status", "STATUS", NULL},
    {"alone", run, 0, "takes no arguments", "", options},
    {0},
};

// Run a command line without the program's name; the exit code.
static int cli(const char *first, ...)
{
    char *argv[16] = {"medgraft", (char *)first};
    int argc = first ? 2 : 1;
    va_list args;

    va_start(args, first);
    while (first && (argv[argc] = va_arg(args, char *))) argc++;
    va_end(args);
    memset(&seen, 0, sizeof seen);
    int code = mg_cli_main(argc, argv, commands);
    mg_err_clear();
    CHECK(mg_mem_live() == 0);
    return code;
}

static void test_settings(void **state)
{
    (void)state;
    CHECK(cli("try-out", "a", "--count", "7", "b", "--verify", "c", NULL) == 0);
    CHECK(seen.verify);
    assert_string_equal(words, "a|b|c");
    CHECK(cli("try-out", "--try-out.count=7", "--set", "verify=yes", "--", "--x", "-y", NULL) == 0);
    CHECK(seen.verify);
    assert_string_equal(words, "--x|-y");
    CHECK(cli("try-out", "--verify=false", "--set=try_out.count=3", "-", NULL) == 0);
    CHECK(!seen.verify);
    assert_string_equal(words, "-");
    CHECK(cli("try-out", "--verify", "false", "a", NULL) == 0);
    CHECK(!seen.verify);
    assert_string_equal(words, "a");
    CHECK(cli("try-out", "--verify", "true", "true", NULL) == 0);
    CHECK(seen.verify);
    assert_string_equal(words, "true");
    CHECK(cli("alone", "--verify", "false", NULL) == 0);
    CHECK(!seen.verify);
}

static void test_wrong(void **state)
{
    (void)state;
    CHECK(cli(NULL) == 2);
    CHECK(cli("tryout", NULL) == 2);
    CHECK(cli("try-out", "--coun", "3", NULL) == 2);
    CHECK(cli("try-out", "--count", NULL) == 2);
    CHECK(cli("try-out", "--count", "--verify", NULL) == 2);
    CHECK(cli("try-out", "--count", "101", NULL) == 2);
    CHECK(cli("try-out", "-v", NULL) == 2);
    CHECK(cli("try-out", "--set", "count", NULL) == 2);
    CHECK(cli("try-out", "--config", "/nonexistent.yaml", NULL) == 2);
    CHECK(cli("end", "--count=3", "0", NULL) == 2);
    CHECK(cli("alone", "--count", "3", "word", NULL) == 2);
}

static void test_file(void **state)
{
    char path[] = "/tmp/medgraft-test-XXXXXX";
    int fd = mkstemp(path);
    FILE *out = fdopen(fd, "w");

    (void)state;
    fputs("try_out: {verify: true}\n", out);
    fclose(out);
    CHECK(cli("try-out", "--config", path, NULL) == 0);
    CHECK(seen.verify);
    out = fopen(path, "w");
    fputs("try_out: {verfy: true}\n", out);
    fclose(out);
    CHECK(cli("try-out", "--config", path, NULL) == 2);
    remove(path);
}

static void test_codes(void **state)
{
    char status[16];
    const int expected[] = {0, 2, 2, 1, 1, 1, 1, 1, 75};

    (void)state;
    for (int st = MG_OK; st <= MG_ERR_STOPPED; st++) {
        snprintf(status, sizeof status, "%d", st);
        CHECK(cli("end", status, NULL) == expected[st]);
    }
    CHECK(cli("--version", NULL) == 0 && cli("--help", NULL) == 0 && cli("end", "-h", NULL) == 0);
    CHECK(cli("try-out", "--help", "--no-such", NULL) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
