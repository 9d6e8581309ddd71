// CLIP's text transformer out of a weight file, with OpenAI's or Hugging Face's names. The image side
// of the file is not read.
#ifndef MG_MODELS_CLIP_LOAD_H
#define MG_MODELS_CLIP_LOAD_H

#include "models/clip_text.h"
#include "models/weights.h"

// Sizes are those of the tensors. `config` is Hugging Face's config.json, or NULL: then the one
// beside the file, if there is one, else heads are 64 wide and eps is 1e-5. `heads` > 0 says it
// anyway. MG_ERR_FORMAT lists the names that are missing or have another shape. Release *out with
// mg_clip_text_free.
mg_status mg_clip_text_load(const char *path, const char *config, int heads, mg_clip_text *out);

#endif
