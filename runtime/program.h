// The running program: its version, its command line, and whether it was asked to stop.
#ifndef MG_RUNTIME_PROGRAM_H
#define MG_RUNTIME_PROGRAM_H

#include <stdbool.h>

#include "runtime/comm.h"

// Version of the program, and the command line as given (set once by main).
const char *mg_version(void);
void mg_program_start(int argc, char **argv);
const char *mg_command_line(void);

// SIGTERM, SIGUSR1 and the first SIGINT raise a flag; a second SIGINT ends the process at once.
// Installed by main for commands with MG_STOPS; lowers the flag.
void mg_stop_install(void);
bool mg_stop_raised(void); // on this rank
// Collective on `world`: true on all ranks if it was raised on any.
bool mg_stop_agreed(const mg_comm *world);

#endif
