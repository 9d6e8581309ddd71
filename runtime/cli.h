// Commands: the table that main.c holds, and how a command line becomes settings.
#ifndef MG_RUNTIME_CLI_H
#define MG_RUNTIME_CLI_H

#include "runtime/comm.h"
#include "runtime/config.h"
#include "runtime/err.h"

enum {
    MG_USES_MPI = 1, // start MPI for it
    MG_STOPS = 2,    // ends at a safe point when a signal asks (mg_stop_raised), with exit code 75
};

// What a command is given. `world` is the started communicator, or one of this process alone for
// commands without MG_USES_MPI.
typedef struct {
    const mg_comm *world;
    const char *command;
    const char *config_path; // --config FILE, NULL if none
    mg_list sets;            // --set key=value and --name value, in order
    int argc;                // arguments that are no options
    char **argv;
} mg_args;

typedef struct {
    const char *name;
    mg_status (*run)(const mg_args *args);
    int flags;
    const char *summary; // one line
    const char *usage;   // arguments after the options, "" if none
    // Fill `groups` with the command's tables (base pointers NULL), return their number: for --help
    // and docs/config.md. NULL: the command has no settings.
    int (*options)(mg_option_group *groups, int room);
} mg_command;

enum { MG_MAX_GROUPS = 24 };

// What `options` of a command gives: its tables, none if it has no settings.
int mg_command_groups(const mg_command *command, mg_option_group *groups, int room);

// Find the command, start MPI if it wants it, run it, print a failure once, end. Returns the exit
// code: 0 done, 1 the work failed, 2 command line or configuration, 75 stopped on a signal.
int mg_cli_main(int argc, char **argv, const mg_command *commands);

// Take a command line apart: argv[0] is the command's name. `--config FILE`, `--set key=value`,
// `--name value`, `--name=value`, a bare `--name` for a true MG_BOOL; `--` ends the options. Other
// arguments are an error where the command's usage names none. MG_ERR_CONFIG. The caller releases with mg_args_free, also after a failure.
mg_status mg_args_parse(const mg_command *command, int argc, char **argv, mg_args *args);
void mg_args_free(mg_args *args);

// Settings of a command: rank 0 reads the file and broadcasts the text. Collective on args->world;
// fails on all ranks alike. A file that cannot be read is MG_ERR_CONFIG.
mg_status mg_args_load(const mg_args *args, const mg_option_group *groups, int count);

#endif
