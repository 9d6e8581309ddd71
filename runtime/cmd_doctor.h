// What other folders add to medgraft doctor.
#ifndef MG_RUNTIME_CMD_DOCTOR_H
#define MG_RUNTIME_CMD_DOCTOR_H

#include "runtime/cli.h"

// Look at one more thing, collective on `world`, and print on rank 0 with the functions given:
// `fact` a key and its value, `wrong` a remedy and the problem.
typedef mg_status (*mg_doctor_probe)(const mg_comm *world,
                                     void (*fact)(const char *key, const char *fmt, ...),
                                     void (*wrong)(const char *remedy, const char *fmt, ...));

// Probes to run behind the doctor's own; NULL-ended, kept by the caller. Called by main.
void mg_doctor_register(const mg_doctor_probe *list);

mg_status mg_cmd_doctor(const mg_args *args);

#endif
