// What tables of dermoscopy sets (HAM10000, BCN20000, ISIC) say of their pictures.
#ifndef MG_DATASETS_SKIN_H
#define MG_DATASETS_SKIN_H

#include "datasets/scan.h"

typedef struct {
    char *lesion, *label, *split; // "" where unknown
} mg_skin_fact;

// Zero to begin with.
typedef struct {
    mg_names by_id; // picture without extension -> place in fact
    mg_skin_fact *fact;
    int64_t count, room;
    int tables; // read
} mg_skin;

// Take what every table of the folder says: by header an id (image_id, isic_id, bcn_filename, image),
// lesion_id, a diagnosis (dx, diagnosis, diagnosis_3, or one-hot columns MEL, NV, ...), split.
mg_status mg_skin_read(mg_skin *skin, const char *root, const mg_texts *files, mg_scan *scan);
const mg_skin_fact *mg_skin_find(const mg_skin *skin, const char *id); // all "" if unknown
void mg_skin_free(mg_skin *skin);

// True for "ISIC_" and 7 digits at the start of a stem.
bool mg_skin_is_isic(const char *stem);

#endif
