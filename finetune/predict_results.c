// Names, numbers and lines of predictions.
#include "finetune/predict_results.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/fsys.h"
#include "runtime/mem.h"

// Length of a name without its ending; ".nii.gz" is one.
static size_t stem_length(const char *name)
{
    size_t n = strlen(name);

    if (mg_path_has_ext(name, ".gz")) n -= 3;
    while (n > 0 && name[n - 1] != '.' && name[n - 1] != '/') n--;
    return n > 0 && name[n - 1] == '.' ? n - 1 : strlen(name);
}

char *mg_predict_default_mask(const char *input, bool volume)
{
    const char *base = mg_path_base(input);
    return mg_sprintf("%.*s-mask.%s", (int)stem_length(base), base, volume ? "nii.gz" : "png");
}

static mg_status check_ending(const char *path, const char *key, bool volume)
{
    bool nifti = mg_path_has_ext(path, ".nii") || mg_path_has_ext(path, ".nii.gz");

    if (!path[0]) return MG_OK;
    MG_CHECK(volume ? nifti : mg_path_has_ext(path, ".png"), MG_ERR_CONFIG,
             "predict.%s is '%s', expected a name that ends in %s", key, path,
             volume ? ".nii.gz or .nii, since the input is a volume" : ".png");
    return MG_OK;
}

mg_status mg_predict_check_files(const mg_predict_files *f, bool volume)
{
    MG_TRY(check_ending(f->mask, "out", volume));
    MG_TRY(check_ending(f->probability, "probability", volume));
    return check_ending(f->overlay, "overlay", false);
}

char *mg_predict_probability_name(const mg_predict_files *f, int i, int targets)
{
    const char *path = f->probability;
    size_t n = stem_length(path);

    if (targets == 1) return mg_strdup(path);
    return mg_sprintf("%.*s-%d%s", (int)n, path, i + 1, path + n);
}

double mg_predict_probability(float logit)
{
    return 1 / (1 + exp(-(double)logit));
}

void mg_predict_print(const mg_predict_target *t, int i, const char *size, double iou)
{
    printf("target %d name '%s' clicks %d boxes %d text %d %s predicted_iou %.3f\n", i + 1, t->name,
           t->clicks, t->boxes, t->text != NULL, size, iou);
}
