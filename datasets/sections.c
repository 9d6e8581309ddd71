// The settings of all data sets for one command; see sections.h.
#include "datasets/sections.h"

#include <stdio.h>
#include <string.h>

#include "runtime/mem.h"

void mg_sections_list(mg_sections *s, const mg_option *own, void *base)
{
    *s = (mg_sections){.group = {{own, base}}, .count = 1};
    for (int i = 0; mg_dataset_at(i) && s->count < MG_MAX_GROUPS; i++) {
        const mg_dataset *set = mg_dataset_at(i);
        if (!set->options) continue;
        s->set[s->count] = set;
        s->group[s->count++] = (mg_option_group){set->options, NULL};
    }
}

static void free_structures(mg_sections *s)
{
    for (int i = 1; i < s->count; i++) mg_free(s->group[i].base);
    s->count = 0;
}

mg_status mg_sections_load(const mg_args *args, mg_sections *s)
{
    mg_status st = MG_OK;

    for (int i = 1; i < s->count; i++) {
        s->group[i].base = mg_calloc(1, s->set[i]->config_bytes);
        if (!s->group[i].base) st = MG_FAIL(MG_ERR_MEMORY, "cannot allocate the settings");
    }
    st = mg_comm_agree(args->world, st);
    if (!st) st = mg_args_load(args, s->group, s->count);
    if (st) free_structures(s);
    return st;
}

void mg_sections_free(mg_sections *s)
{
    if (s->count) mg_config_free(s->group, s->count);
    free_structures(s);
}

static int find_section(const mg_sections *s, const mg_dataset *set)
{
    int i = s->count - 1;
    while (i > 0 && s->set[i] != set) i--;
    return i;
}

const void *mg_sections_config(const mg_sections *s, const mg_dataset *set)
{
    int i = find_section(s, set);
    return i > 0 ? s->group[i].base : NULL;
}

char *mg_sections_echo(const mg_sections *s, const mg_dataset *set)
{
    int i = find_section(s, set);
    return i > 0 ? mg_config_echo(&s->group[i], 1) : mg_strdup("");
}

mg_status mg_sections_find(const char *key, const char *name, const mg_dataset **set)
{
    char list[1024] = "";

    *set = mg_dataset_find(name);
    if (*set) return MG_OK;
    for (int i = 0; mg_dataset_at(i); i++) {
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", mg_dataset_at(i)->name);
    }
    MG_CHECK(*name, MG_ERR_CONFIG, "%s is not set; there are: %s", key, list);
    return MG_FAIL(MG_ERR_CONFIG, "no data set '%s'; there are: %s", name, list);
}
