// What the volumes of a training have in common, noted in the model's configuration so that prediction brings
// a new volume to the same grid and channels.
#ifndef MG_FINETUNE_VOLUME_FACTS_H
#define MG_FINETUNE_VOLUME_FACTS_H

#include "finetune/finetune_config.h"

// Set data.modality, spacing, crop and contrasts; they stay empty without volumes. MG_ERR_MEMORY.
mg_status mg_volume_facts_note(const mg_reader *reader, mg_finetune_config *config);

#endif
