// What other folders add to medgraft doctor.
#ifndef MG_RUNTIME_CMD_DOCTOR_H
#define MG_RUNTIME_CMD_DOCTOR_H

#include "runtime/cli.h"

// Prints a line: a key and its value, or a remedy and the problem it is for.
typedef void mg_doctor_line(const char *key_or_remedy, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

// Look at one more thing, collective on `world`, and print on rank 0 with the functions given.
typedef mg_status (*mg_doctor_probe)(const mg_comm *world, mg_doctor_line *fact,
                                     mg_doctor_line *wrong);

// Probes to run behind the doctor's own; NULL-ended, kept by the caller. Called by main.
void mg_doctor_register(const mg_doctor_probe *list);

mg_status mg_cmd_doctor(const mg_args *args);

#endif
