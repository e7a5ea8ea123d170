/* spectune trials, best: what a study holds. */
#include "tool.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const arg_option trials_options[] = {
    NAME_OPTION,
    {"predictions", "N", ARG_INT, 0, 1e12, NULL,
     "write the out-of-fold predictions of trial N as CSV"},
    {"output", "FILE", ARG_TEXT, 0, 0, NULL, "write that CSV to a file"},
    JSON_OPTION,
    HELP_OPTION,
    {.name = NULL}};
const arg_option best_options[] = {
    NAME_OPTION,
    {"config", "FILE", ARG_TEXT, 0, 0, NULL, "write the configuration as XML, for spectune fit"},
    JSON_OPTION,
    HELP_OPTION,
    {.name = NULL}};

/* ---- configurations ---- */

/* The value of parameter `i` as text; false if it does not exist. */
static bool value_text(const spt_config *config, const char *name, char *buffer, int64_t size)
{
    int64_t needed;
    return spt_config_exists(config, name) == 1 &&
           spt_config_text(config, name, buffer, size, &needed) == SPT_OK;
}

static json_t *config_json(const spt_config *config)
{
    json_t *o = json_object();
    const spt_space *space = spt_config_space(config);
    for (int32_t i = 0; i < spt_space_count(space); i++) {
        spt_parameter_info p;
        double v;
        spt_record_init(&p, sizeof p);
        if (spt_space_describe(space, i, &p) < 0 || spt_config_number(config, p.name, &v) < 0)
            continue;
        const char *choice = spt_config_choice(config, p.name);
        json_object_set_new(o, p.name,
                            p.type == SPT_PARAMETER_BOOL ? json_boolean(v != 0)
                            : choice != NULL             ? json_string(choice)
                                                         : json_number_or_null(v));
    }
    return o;
}

static json_t *trial_json(const spt_history *h, int64_t index)
{
    spt_trial_info info;
    json_t *o = json_object(), *attributes = json_object(), *folds = json_array();
    spt_record_init(&info, sizeof info);
    spt_history_trial(h, index, &info);
    json_object_set_new(o, "number", json_integer(info.number));
    json_object_set_new(o, "state", json_string(spt_trial_state_name(info.state)));
    json_object_set_new(o, "value", json_number_or_null(info.value));
    json_object_set_new(o, "started", json_string(info.started));
    json_object_set_new(o, "ended", json_string(info.ended));
    double *values = calloc((size_t)info.n_steps + 1, sizeof *values);
    if (values != NULL) spt_history_steps(h, index, NULL, values, info.n_steps);
    for (int64_t i = 0; values != NULL && i < info.n_steps; i++)
        json_array_append_new(folds, json_number_or_null(values[i]));
    free(values);
    json_object_set_new(o, "folds", folds);
    for (int64_t k = 0; spt_history_attribute_key(h, index, k) != NULL; k++) {
        const char *key = spt_history_attribute_key(h, index, k);
        json_object_set_new(attributes, key, json_guess(spt_history_attribute(h, index, key)));
    }
    json_object_set_new(o, "attributes", attributes);
    json_object_set_new(o, "config",
                        spt_history_config(h, index) != NULL
                            ? config_json(spt_history_config(h, index))
                            : json_null());
    return o;
}

static double attribute_number(const spt_history *h, int64_t index, const char *key)
{
    const char *text = spt_history_attribute(h, index, key);
    return text != NULL ? strtod(text, NULL) : NAN;
}

/* ---- trials ---- */

static void print_trials(const spt_history *h)
{
    char a[32], b[32], c[32], d[32], e[32];
    const int64_t best = spt_history_confirmed(h);
    printf("  trial  state         RMSE    +- sd       R2  epochs   weights  seconds  reason\n");
    for (int64_t i = 0; i < spt_history_count(h); i++) {
        spt_trial_info info;
        const char *reason = spt_history_attribute(h, i, "reason");
        const char *again = spt_history_attribute(h, i, "repeats");
        char text[64] = "";
        if (again != NULL) snprintf(text, sizeof text, "trial %s again", again);
        spt_record_init(&info, sizeof info);
        spt_history_trial(h, i, &info);
        printf("%c %5lld  %-9s %8s %8s %8s %7s %9.9s %8.1f  %s\n", i == best ? '*' : ' ',
               (long long)info.number, spt_trial_state_name(info.state),
               show_number(info.value, 4, a, sizeof a),
               show_number(attribute_number(h, i, "rmse_sd"), 2, b, sizeof b),
               show_number(attribute_number(h, i, "r2"), 3, c, sizeof c),
               show_number(attribute_number(h, i, "epochs"), 6, d, sizeof d),
               show_number(attribute_number(h, i, "weights"), 9, e, sizeof e),
               fmax(0, attribute_number(h, i, "seconds")), reason != NULL ? reason : text);
    }
}

/* A block of the study, or of a trial; NULL and *code when there is none. */
static void *block(tool *t, spt_store *store, const char *study, int64_t trial, const char *key,
                   int64_t *size, int *code)
{
    void *data = NULL;
    const int32_t status = spt_store_block(store, study, trial, key, NULL, 0, size);
    if (status == SPT_ECAPACITY || status == SPT_OK) data = malloc((size_t)*size + 1);
    if (data == NULL || spt_store_block(store, study, trial, key, data, *size, size) < 0) {
        *code = fail_library(t);
        free(data);
        return NULL;
    }
    return data;
}

static int print_predictions(tool *t, spt_store *store, const spt_history *h, int64_t trial)
{
    int64_t ids_size, folds_size, size;
    int code = EXIT_DONE;
    const char *study = spt_history_name(h), *target = spt_history_record(h, "target");
    output o;
    float *values = block(t, store, study, trial, "predictions", &size, &code);
    char *ids = values != NULL ? block(t, store, study, -1, "ids", &ids_size, &code) : NULL;
    int32_t *folds = ids != NULL ? block(t, store, study, -1, "folds", &folds_size, &code) : NULL;
    if (folds != NULL && (code = output_open(&o, arg_text(t, "output"))) == EXIT_DONE) {
        FILE *f = o.file;
        const char *id = ids;
        fputs("id,fold,", f);
        print_field(f, target != NULL ? target : "value");
        fputc('\n', f);
        for (int64_t i = 0; i < size / (int64_t)sizeof *values; i++) {
            print_field(f, id);
            fprintf(f, ",%d,%.9g\n", folds[i], (double)values[i]);
            id += strlen(id) + 1;
        }
        code = output_close(&o, true);
    }
    free(values);
    free(ids);
    free(folds);
    return code;
}

int command_trials(tool *t)
{
    spt_store *store = NULL;
    spt_history *h = NULL;
    int code = inputs_history(t, t->operands[0], &store, &h);
    if (code >= 0) return code;
    if (arg_text(t, "predictions") != NULL) {
        code = print_predictions(t, store, h, arg_int(t, "predictions", 0));
    } else if (arg_flag(t, "json")) {
        json_t *o = json_object(), *list = json_array(), *records = json_object();
        for (int64_t i = 0; spt_history_record_key(h, i) != NULL; i++) {
            const char *key = spt_history_record_key(h, i);
            json_object_set_new(records, key, json_string(spt_history_record(h, key)));
        }
        for (int64_t i = 0; i < spt_history_count(h); i++)
            json_array_append_new(list, trial_json(h, i));
        json_object_set_new(o, "study", json_string(spt_history_name(h)));
        json_object_set_new(o, "finished", json_integer(spt_history_finished(h)));
        json_object_set_new(o, "records", records);
        json_object_set_new(o, "trials", list);
        code = print_json(o);
    } else {
        print_trials(h);
        code = EXIT_DONE;
    }
    spt_history_free(h);
    spt_store_free(store);
    return code;
}

/* ---- best ---- */

static void print_best(const spt_history *h, int64_t best)
{
    static const char *const keys[][2] = {{"rmse", "pooled RMSE"},
                                          {"bias", "bias"},
                                          {"r2", "R2"},
                                          {"rpd", "RPD"},
                                          {"rpiq", "RPIQ"},
                                          {"ccc", "CCC"},
                                          {"weights", "weights"},
                                          {"epochs_best", "best epoch (median)"},
                                          {"seconds", "seconds"},
                                          {"watch", "early stopping watched"}};
    char a[32], b[32], text[300];
    spt_trial_info info;
    spt_record_init(&info, sizeof info);
    spt_history_trial(h, best, &info);
    printf("trial %lld of study %s: RMSE %s +- %s (mean and s.d. over folds)\n\n",
           (long long)info.number, spt_history_name(h), show_number(info.value, 5, a, sizeof a),
           show_number(attribute_number(h, best, "rmse_sd"), 2, b, sizeof b));
    int64_t count = 0;
    double mean, sd;
    spt_history_repeats(h, best, &count, &mean, &sd);
    if (count > 0)
        printf("  %-24s %s +- %s (%lld times)\n", "tried again", show_number(mean, 4, a, sizeof a),
               show_number(sd, 2, b, sizeof b), (long long)count);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const char *value = spt_history_attribute(h, best, keys[i][0]);
        char *end;
        if (value == NULL) continue;
        const double v = strtod(value, &end);
        printf("  %-24s %s\n", keys[i][1],
               *end == '\0' ? show_number(v, v == floor(v) ? 12 : 4, a, sizeof a) : value);
    }
    const spt_config *config = spt_history_config(h, best);
    if (config == NULL) return;
    printf("\n");
    const spt_space *space = spt_config_space(config);
    for (int32_t i = 0; i < spt_space_count(space); i++) {
        spt_parameter_info p;
        spt_record_init(&p, sizeof p);
        if (spt_space_describe(space, i, &p) < 0 || !value_text(config, p.name, text, sizeof text))
            continue;
        printf("  %-24s %s\n", p.name, text);
    }
}

int command_best(tool *t)
{
    spt_store *store = NULL;
    spt_history *h = NULL;
    int code = inputs_history(t, t->operands[0], &store, &h);
    if (code >= 0) return code;
    const int64_t best = spt_history_confirmed(h);
    code = EXIT_DONE;
    if (best < 0)
        code =
            fail("%s: study '%s' has no complete trial yet", t->operands[0], spt_history_name(h));
    else if (arg_text(t, "config") != NULL &&
             spt_config_write(t->ctx, spt_history_config(h, best), arg_text(t, "config")) < 0)
        code = fail_library(t);
    else if (arg_flag(t, "json"))
        code = print_json(trial_json(h, best));
    else
        print_best(h, best);
    spt_history_free(h);
    spt_store_free(store);
    return code;
}
