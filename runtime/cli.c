// From argv to a running command to an exit code; usage texts made from the command table and the
// option tables.
//
// How a failure ends: what mg_comm_agree has seen was printed by one rank and makes all ranks
// return, so they end together; so do ranks that all fail for the same reason, without agreement. A
// failure that this rank alone knows of would leave the others waiting in a collective call: then
// this rank prints it and aborts all.
#include "runtime/cli.h"

#include <omp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/fsys.h"
#include "runtime/log.h"
#include "runtime/mem.h"
#include "runtime/run.h"

// How long a rank that failed waits for the others to come to their end.
static const double patience_s = 2;

int mg_command_groups(const mg_command *command, mg_option_group *groups, int room)
{
    return command->options ? command->options(groups, room) : 0;
}

// ---- help

static void print_commands(FILE *out, const mg_command *commands)
{
    fprintf(out, "usage: medgraft <command> [--config FILE] [--set key=value]... [arguments]\n\n"
                 "medgraft trains promptable medical image segmentation on CPU clusters.\n\n");
    for (const mg_command *c = commands; c->name; c++)
        fprintf(out, "  %-12s %s\n", c->name, c->summary);
    fprintf(out, "\n'medgraft <command> --help' lists the settings of a command.\n");
}

static void print_command_help(const mg_command *c)
{
    mg_option_group groups[MG_MAX_GROUPS];
    int count = mg_command_groups(c, groups, MG_MAX_GROUPS);
    const char *arguments = c->usage ? c->usage : "";

    printf("usage: medgraft %s%s%s%s\n\n%s\n", c->name,
           count ? " [--config FILE] [--set key=value]..." : "", *arguments ? " " : "", arguments,
           c->summary);
    if (count == 0) return;
    printf(
        "\nSettings, here as options; 'section: {name: value}' in the YAML file. The section may\n"
        "be left out where the name is unique.\n");
    mg_config_help(groups, count);
}

static bool is_listed(const mg_option_group *groups, int count, const mg_option *table)
{
    for (int g = 0; g < count; g++)
        if (groups[g].table == table) return true;
    return false;
}

// docs/config.md: which command reads which section, then every section once.
static mg_status print_config_page(const mg_command *commands, int count)
{
    mg_option_group *groups = mg_calloc((size_t)count * MG_MAX_GROUPS, sizeof *groups);
    const char **owners = mg_calloc((size_t)count * MG_MAX_GROUPS, sizeof *owners);
    int used = 0;
    mg_status st = MG_OK;

    if (!groups || !owners) {
        st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate the tables of all commands");
        goto done;
    }
    printf(
        "# Settings\n\nMade from the option tables by `make docs`; do not edit. A setting is given "
        "in the YAML file as\n`section: {name: value}`, or on the command line as `--set "
        "section.name=value`, `--section.name value`,\nor `--name value` where the name is "
        "unique. The command line wins over the file.\n\n"
        "| command | sections it reads |\n|---|---|\n");
    for (const mg_command *c = commands; c->name; c++) {
        int n = mg_command_groups(c, groups + used, MG_MAX_GROUPS);
        char *sections = mg_config_list_sections(groups + used, n);
        if (n > 0) printf("| `%s` | %s |\n", c->name, sections ? sections : "");
        mg_free(sections);
        for (int g = used, end = used + n; g < end; g++) {
            if (is_listed(groups, used, groups[g].table)) continue; // of another command
            groups[used] = groups[g];
            owners[used++] = c->name;
        }
    }
    char *text = mg_config_markdown(groups, used, owners);
    if (text) fputs(text, stdout);
    mg_free(text);

done:
    mg_free(owners);
    mg_free(groups);
    return st;
}

// ---- arguments

static mg_status add_set(mg_args *args, const char *key, const char *value)
{
    char **grown = mg_realloc(args->sets.item, ((size_t)args->sets.count + 1) * sizeof *grown);
    if (grown) args->sets.item = grown;
    char *set = !grown ? NULL : value ? mg_sprintf("%s=%s", key, value) : mg_strdup(key);
    MG_CHECK(set, MG_ERR_MEMORY, "cannot allocate a setting");
    args->sets.item[args->sets.count++] = set;
    return MG_OK;
}

// Section of a command's own settings: its name with '_' for '-'.
static void own_section(const char *command, char *section, size_t bytes)
{
    snprintf(section, bytes, "%s", command);
    for (char *p = section; *p; p++)
        if (*p == '-') *p = '_';
}

// Whether the argument behind a bare "--name" of a MG_BOOL is its value.
static bool is_truth(const char *word)
{
    return word && (!strcmp(word, "true") || !strcmp(word, "false"));
}

// One "--name[=value]"; *value is what follows '=', NULL if nothing does. `next` is the following
// argument, NULL if there is none; *took says whether it was used up.
static mg_status parse_option(const mg_command *command, mg_args *args, const char *name,
                              const char *value, const char *next, bool *took)
{
    mg_option_group groups[MG_MAX_GROUPS];
    int count = mg_command_groups(command, groups, MG_MAX_GROUPS);
    const mg_option *option = NULL;
    char own[64];

    MG_CHECK(count > 0, MG_ERR_CONFIG, "unknown option '--%s': '%s' has no settings", name,
             command->name);
    if (strcmp(name, "config") != 0 && strcmp(name, "set") != 0) {
        own_section(command->name, own, sizeof own);
        MG_TRY(mg_config_find(groups, count, own, name, &option));
    }
    if (!value && option && option->type == MG_BOOL && !is_truth(next)) value = "true";
    if (!value) {
        MG_CHECK(next && strncmp(next, "--", 2) != 0, MG_ERR_CONFIG, "option '--%s' needs a value",
                 name);
        value = next;
        *took = true;
    }
    if (option) return add_set(args, option->key, value);
    if (strcmp(name, "set") == 0) return add_set(args, value, NULL);
    args->config_path = value;
    return MG_OK;
}

mg_status mg_args_parse(const mg_command *command, int argc, char **argv, mg_args *args)
{
    bool options_end = false;

    args->command = command->name;
    args->argv = mg_calloc((size_t)argc + 1, sizeof *args->argv);
    MG_CHECK(args->argv, MG_ERR_MEMORY, "cannot allocate the arguments");
    for (int i = 1; i < argc; i++) {
        char name[128], *word = argv[i];
        bool took = false;
        if (!options_end && strcmp(word, "--") == 0) {
            options_end = true;
        } else if (options_end || strncmp(word, "--", 2) != 0) {
            MG_CHECK(options_end || word[0] != '-' || !word[1], MG_ERR_CONFIG,
                     "unknown option '%s'; options begin with '--'", word);
            args->argv[args->argc++] = word;
        } else {
            char *equal = strchr(word, '=');
            int n = equal ? (int)(equal - word) - 2 : (int)strlen(word) - 2;
            snprintf(name, sizeof name, "%.*s", n, word + 2);
            MG_TRY(parse_option(command, args, name, equal ? equal + 1 : NULL, argv[i + 1], &took));
            i += took;
        }
    }
    MG_CHECK(!args->argc || *command->usage, MG_ERR_CONFIG,
             "'%s' is no option, and '%s' takes no other arguments", args->argv[0], command->name);
    return MG_OK;
}

void mg_args_free(mg_args *args)
{
    for (int i = 0; i < args->sets.count; i++) mg_free(args->sets.item[i]);
    mg_free(args->sets.item);
    mg_free(args->argv);
    *args = (mg_args){0};
}

static mg_status read_settings(const char *path, char **text)
{
    if (!path || mg_read_file(path, MG_YAML_BYTES, text, NULL) == MG_OK) return MG_OK;
    return MG_FAIL(MG_ERR_CONFIG, "%s", mg_err_message());
}

// Rank 0's text on all ranks; NULL where there is none.
static mg_status share_text(const mg_comm *world, char **text)
{
    size_t bytes = *text ? strlen(*text) + 1 : 0;

    mg_comm_bcast(world, &bytes, sizeof bytes, 0);
    if (bytes == 0) return MG_OK;
    mg_status st = MG_OK;
    if (!*text && !(*text = mg_alloc(bytes)))
        st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate the settings");
    MG_TRY(mg_comm_agree(world, st));
    mg_comm_bcast(world, *text, bytes, 0);
    return MG_OK;
}

mg_status mg_args_load(const mg_args *args, const mg_option_group *groups, int count)
{
    char *text = NULL, own[64];
    mg_status st = MG_OK;

    if (mg_comm_rank(args->world) == 0) st = read_settings(args->config_path, &text);
    st = mg_comm_agree(args->world, st);
    if (st) goto done;
    st = share_text(args->world, &text);
    if (st) goto done;
    own_section(args->command, own, sizeof own);
    st = mg_config_load(groups, count, own, text, args->config_path, &args->sets);
    bool loaded = !st;
    st = mg_comm_agree(args->world, st);
    if (st && loaded) mg_config_free(groups, count);

done:
    mg_free(text);
    return st;
}

// ---- running

// Threads of this rank where OMP_NUM_THREADS does not say: the processors it is bound to, or its
// share of the node's if it is not bound.
static void set_threads(const mg_comm *world)
{
    cpu_set_t mask;

    if (getenv("OMP_NUM_THREADS") || sched_getaffinity(0, sizeof mask, &mask)) return;
    int threads = CPU_COUNT(&mask);
    if (threads == (int)sysconf(_SC_NPROCESSORS_ONLN)) threads /= mg_comm_node_size(world);
    omp_set_num_threads(threads > 0 ? threads : 1);
}

static int exit_code(mg_status st)
{
    switch (st) {
    case MG_OK:
        return 0;
    case MG_ERR_USAGE:
    case MG_ERR_CONFIG:
        return 2;
    case MG_ERR_STOPPED:
        return 75;
    default:
        return 1;
    }
}

// Report how the command ended on this rank, and agree on one exit code.
static int finish(mg_comm *world, mg_status st)
{
    int code = exit_code(st);

    mg_progress_end();
    if (st == MG_ERR_STOPPED && *mg_err_message()) mg_info("%s", mg_err_message());
    if (!mg_comm_meet(world, st ? patience_s : -1)) {
        mg_error_trace();
        mg_comm_abort(world, code);
    }
    st = mg_comm_agree(world, st);
    if (st && st != MG_ERR_STOPPED) mg_error_trace(); // without MPI nobody has said so yet
    // The ranks that only heard of the failure take the code of the one that had it.
    int64_t worst = mg_comm_max(world, st == MG_ERR_PEER ? 0 : code);
    return worst ? (int)worst : code;
}

static int run_command(const mg_command *command, int argc, char **argv)
{
    mg_args args = {0};
    mg_comm *world = NULL;
    mg_status st =
        command->flags & MG_USES_MPI ? mg_comm_start(&argc, &argv, &world) : mg_comm_alone(&world);

    if (st) {
        mg_error_trace();
        return exit_code(st);
    }
    mg_log_init(mg_comm_rank(world), mg_comm_size(world));
    if (command->flags & MG_STOPS) mg_stop_install();
    set_threads(world);
    args.world = world;
    st = mg_comm_agree(world, mg_args_parse(command, argc, argv, &args));
    if (!st) st = command->run(&args);
    mg_args_free(&args);
    int code = finish(world, st);
    mg_log_to(NULL);
    mg_comm_end(&world);
    return code;
}

static const mg_command *find_command(const mg_command *commands, const char *name)
{
    const mg_command *best = commands;

    for (const mg_command *c = commands; c->name; c++) {
        if (strcmp(c->name, name) == 0) return c;
        if (mg_text_distance(name, c->name) < mg_text_distance(name, best->name)) best = c;
    }
    mg_error("unknown command '%s'; the nearest is '%s'", name, best->name);
    return NULL;
}

static bool asks_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) return true;
    return false;
}

// Every key of the program: a YAML file may hold the settings of several commands.
static const char **all_keys(const mg_command *commands)
{
    mg_option_group groups[MG_MAX_GROUPS];
    const char **keys = NULL;

    for (int pass = 0; pass < 2; pass++) { // count, then fill
        size_t n = 0;
        for (const mg_command *c = commands; c->name; c++) {
            int count = mg_command_groups(c, groups, MG_MAX_GROUPS);
            for (int g = 0; g < count; g++)
                for (const mg_option *o = groups[g].table; o->key; o++, n++)
                    if (keys) keys[n] = o->key;
        }
        if (pass == 0 && !(keys = mg_calloc(n + 1, sizeof *keys))) return NULL;
    }
    return keys;
}

int mg_cli_main(int argc, char **argv, const mg_command *commands)
{
    int count = 0;

    while (commands[count].name) count++;
    if (argc < 2) {
        print_commands(stderr, commands);
        return 2;
    }
    const char *word = argv[1];
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
        print_commands(stdout, commands);
        return 0;
    }
    if (strcmp(word, "--version") == 0) {
        printf("medgraft %s\n", mg_version());
        return 0;
    }
    if (strcmp(word, "--config-markdown") == 0)
        return exit_code(print_config_page(commands, count));

    const mg_command *command = find_command(commands, word);
    if (!command) return 2;
    if (asks_help(argc - 1, argv + 1)) {
        print_command_help(command);
        return 0;
    }
    const char **keys = all_keys(commands);
    mg_config_sections(keys);
    mg_program_start(argc, argv);
    int code = run_command(command, argc - 1, argv + 1);
    mg_config_sections(NULL);
    mg_free(keys);
#ifdef MG_DEBUG
    if (mg_mem_live()) mg_warn("%zu blocks of memory were not released", mg_mem_live());
#endif
    return code;
}
