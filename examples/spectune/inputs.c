/* Spectra, recipes, settings and studies, as the options name them. */
#include "tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int set_reading(tool *t, spt_options *reading, bool keep)
{
    static const char *const names[][2] = {
        {"id", "id"},           {"bands", "bands"},     {"delimiter", "delimiter"},
        {"decimal", "decimal"}, {"missing", "missing"}, {"axis", "axis_unit"},
        {"unit", "unit"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = arg_text(t, names[i][0]);
        if (value == NULL) continue;
        if (spt_options_set_text(reading, names[i][1], value) < 0)
            return misuse(t, "--%s: %s", names[i][0], spt_ctx_last_error(t->ctx));
    }
    if (keep && spt_options_set_text(reading, "bad_spectra", "keep") < 0) return fail_library(t);
    return -1;
}

int inputs_read(tool *t, const char *file, bool keep, spt_dataset **out)
{
    spt_options *reading = NULL;
    spt_dataset *joined = NULL;
    *out = NULL;
    if (spt_csv_options_new(t->ctx, &reading) < 0) return fail_library(t);
    int code = set_reading(t, reading, keep);
    if (code < 0 && spt_dataset_read_csv(t->ctx, file, reading, out) < 0) code = fail_library(t);
    if (code < 0 && arg_text(t, "join") != NULL) {
        if (spt_dataset_join_csv(t->ctx, *out, arg_text(t, "join"), arg_text(t, "join-key"),
                                 reading, &joined) < 0)
            code = fail_library(t);
        spt_dataset_free(*out);
        *out = joined;
    }
    spt_options_free(reading);
    return code;
}

int inputs_space(tool *t, const char *name, spt_space **out)
{
    const bool file = strpbrk(name, "./") != NULL;
    const int32_t status =
        file ? spt_space_read(t->ctx, name, out) : spt_space_preset(t->ctx, name, out);
    return status < 0 ? fail_library(t) : -1;
}

int inputs_machine(tool *t)
{
    static const char suffixes[] = "kmgt";
    const char *text = arg_text(t, "memory");
    if (spt_ctx_set_threads(t->ctx, (int32_t)arg_int(t, "threads", 0)) < 0) return fail_library(t);
    const char *kernels = arg_text(t, "kernels");
    int32_t status = spt_ctx_set_kernels(t->ctx, kernels);
    if (status == SPT_ENOTFOUND) return misuse(t, "%s", spt_ctx_last_error(t->ctx));
    if (status < 0) return fail_library(t);
    if (text == NULL) return -1;
    char *end = NULL;
    double bytes = strtod(text, &end);
    const char *suffix = *end != '\0' ? strchr(suffixes, *end | 0x20) : NULL;
    for (const char *s = suffixes; suffix != NULL && s <= suffix; s++)
        bytes *= 1024;
    if (suffix != NULL) end++;
    if (*end == 'i' && suffix != NULL) end++;
    if (*end == 'B') end++;
    if (end == text || *end != '\0' || !(bytes >= 1 && bytes < 9e15) ||
        strpbrk(text, "xXpP ") != NULL)
        return misuse(t, "--memory is '%s'; a size is wanted, 800M or 2G", text);
    return spt_ctx_set_memory_limit(t->ctx, (int64_t)bytes) < 0 ? fail_library(t) : -1;
}

/* Is there a knob of this name? */
static bool has_knob(const spt_options *options, const char *name)
{
    const int64_t n = options != NULL ? spt_options_count(options) : 0;
    for (int64_t i = 0; i < n; i++) {
        spt_option_info info;
        spt_record_init(&info, sizeof info);
        if (spt_options_describe(options, i, &info) == SPT_OK && strcmp(info.name, name) == 0)
            return true;
    }
    return false;
}

/* Split "NAME=VALUE"; the name is copied. */
static int split(const tool *t, const char *setting, char *name, size_t size, const char **value)
{
    const char *sign = strchr(setting, '=');
    if (sign == NULL || sign == setting || (size_t)(sign - setting) >= size)
        return misuse(t, "--set is '%s'; NAME=VALUE is wanted", setting);
    memcpy(name, setting, (size_t)(sign - setting));
    name[sign - setting] = '\0';
    *value = sign + 1;
    return -1;
}

int inputs_prep(tool *t, spt_prep **out)
{
    double v[3];
    char name[64];
    const char *value = NULL, *average = arg_text(t, "average"), *crop = arg_text(t, "crop"),
               *resample = arg_text(t, "resample");
    spt_options *channels = NULL;
    int code = -1;
    if (spt_prep_new(t->ctx, out) < 0) return fail_library(t);
    if (average != NULL && spt_prep_add_average(*out, average) < 0) return fail_library(t);
    if (crop != NULL) {
        if (!arg_range(crop, 2, v)) return misuse(t, "--crop is '%s'; A:B is wanted", crop);
        if (spt_prep_add_crop(*out, v[0], v[1]) < 0)
            return misuse(t, "--crop: %s", spt_ctx_last_error(t->ctx));
    }
    if (resample != NULL) {
        if (!arg_range(resample, 3, v))
            return misuse(t, "--resample is '%s'; A:B:STEP is wanted", resample);
        if (spt_prep_add_resample(*out, v[0], v[1], v[2]) < 0)
            return misuse(t, "--resample: %s", spt_ctx_last_error(t->ctx));
    }
    if (arg_int(t, "decimate", 1) > 1 &&
        spt_prep_add_decimate(*out, arg_int(t, "decimate", 1), 1) < 0)
        return fail_library(t);
    if (spt_prep_options_new(t->ctx, &channels) < 0) return fail_library(t);
    for (int i = 0; i < t->n_settings && code < 0; i++) {
        code = split(t, t->settings[i], name, sizeof name, &value);
        if (code < 0 && has_knob(channels, name) && spt_options_set_text(channels, name, value) < 0)
            code = misuse(t, "--set: %s", spt_ctx_last_error(t->ctx));
    }
    if (code < 0 && spt_prep_set_options(*out, channels) < 0)
        code = misuse(t, "--set: %s", spt_ctx_last_error(t->ctx));
    spt_options_free(channels);
    return code;
}

static int set_named(tool *t, spt_options *objective)
{
    static const char *const names[] = {"folds", "group", "weights", "test", "seed"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = arg_text(t, names[i]);
        if (value != NULL && spt_options_set_text(objective, names[i], value) < 0)
            return misuse(t, "--%s: %s", names[i], spt_ctx_last_error(t->ctx));
    }
    return -1;
}

/* Where a setting belongs: the first that has such a knob; if none has, the first says so. */
static spt_options *owner_of(spt_options *const *options, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (has_knob(options[i], name)) return options[i];
    return options[0];
}

int inputs_settings(tool *t, const spt_space *space, spt_options *objective, spt_options *sampler,
                    spt_options *study)
{
    spt_options *channels = NULL, *no_sampler = NULL, *no_study = NULL;
    char name[64];
    const char *value = NULL;
    int code = set_named(t, objective);
    if (code < 0 && (spt_prep_options_new(t->ctx, &channels) < 0 ||
                     spt_sampler_options_new(t->ctx, &no_sampler) < 0 ||
                     spt_study_options_new(t->ctx, &no_study) < 0))
        code = fail_library(t);
    spt_options *const all[] = {objective, sampler != NULL ? sampler : no_sampler,
                                study != NULL ? study : no_study};
    for (int i = 0; i < t->n_settings && code < 0; i++) {
        code = split(t, t->settings[i], name, sizeof name, &value);
        if (code < 0 && spt_space_find(space, name) >= 0)
            code = misuse(t, "--set: '%s' is a parameter of the space '%s', which says its values",
                          name, spt_space_name(space));
        if (code >= 0 || has_knob(channels, name)) continue; /* inputs_prep() sets those */
        if (spt_options_set_text(owner_of(all, 3, name), name, value) < 0)
            code = misuse(t, "--set: %s", spt_ctx_last_error(t->ctx));
    }
    spt_options_free(channels);
    spt_options_free(no_sampler);
    spt_options_free(no_study);
    return code;
}

int inputs_history(tool *t, const char *file, spt_store **store, spt_history **history)
{
    *history = NULL;
    if (spt_store_open(t->ctx, file, SPT_STORE_READONLY, store) < 0) return fail_library(t);
    if (spt_history_read(*store, arg_text(t, "name"), history) < 0) {
        const int code = fail_library(t);
        spt_store_free(*store);
        *store = NULL;
        return code;
    }
    return -1;
}
