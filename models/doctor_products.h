// What medgraft doctor measures of the matrix products, for main.c to register.
#ifndef MG_MODELS_DOCTOR_PRODUCTS_H
#define MG_MODELS_DOCTOR_PRODUCTS_H

#include "runtime/cmd_doctor.h"

// A product of a ViT-B layer (512 tokens) by one thread and by all threads of each rank at once.
// A mg_doctor_probe, collective on `world`, under a second.
mg_status mg_doctor_products(const mg_comm *world, mg_doctor_line *fact, mg_doctor_line *wrong);

#endif
