// What this process can find out about the machine it runs on.
#ifndef MG_RUNTIME_MACHINE_H
#define MG_RUNTIME_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Name of the processor model, "unknown" if the system does not say. `bytes` of room.
void mg_machine_processor(char *name, size_t bytes);

// The processors this process may run on: as text "0-3,8", their number, and how many NUMA domains
// they lie in (1 if the system does not say).
typedef struct {
    char list[128];
    int count, domains;
} mg_cpus;
mg_cpus mg_machine_cpus(void);
int mg_machine_cpus_online(void);

// Bytes this process may use: the least of the machine's memory, the control group's limit and the
// process limit. `*source` names which ("machine", "control group", "process limit").
int64_t mg_machine_memory(const char **source);

// Type ("ext4", "nfs", "lustre", ... or a number) and free bytes of the file system of a folder;
// false if it cannot be asked.
bool mg_machine_file_system(const char *path, char *type, size_t bytes, int64_t *free_bytes);

// True if POSIX record locks work on a file in this folder.
bool mg_machine_locks_work(const char *folder);

#endif
