/* spectune fit: one configuration, without a search, over several seeds. */
#include "progress.h"
#include "stop.h"
#include "tool.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const arg_option fit_options[] = {
    {"study", "FILE", ARG_TEXT, 0, 0, NULL, "take configuration and settings from a study"},
    {"trial", "N", ARG_INT, 0, 1e12, "the best", "of this trial"},
    {"name", "NAME", ARG_TEXT, 0, 0, "the only one", "study in the file"},
    {"config", "FILE", ARG_TEXT, 0, 0, NULL, "take the configuration from an XML file"},
    {"space", "NAME|FILE", ARG_TEXT, 0, 0, "small", "the search space of that configuration"},
    {"seeds", "R", ARG_INT, 1, 1000, "1", "train with so many seeds and tell the spread"},
    {"model", "FILE", ARG_TEXT, 0, 0, NULL, "write the model of the first seed"},
    SCORE_OPTIONS,
    READ_OPTIONS,
    THREADS_OPTION,
    KERNELS_OPTION,
    MEMORY_OPTION,
    {"quiet", NULL, ARG_FLAG, 0, 0, NULL, "no progress"},
    JSON_OPTION,
    HELP_OPTION,
    {.name = NULL}};

enum { SEEDS_MAX = 1000 };

typedef struct session {
    spt_store *source;
    spt_history *studied;
    spt_space *space;
    spt_config *config;
    spt_dataset *dataset, *test;
    spt_prep *prep;
    spt_options *objective;
    progress progress;
    double cv[SEEDS_MAX], tested[SEEDS_MAX];
    int64_t n_seeds;
} session;

static void close_session(session *s)
{
    spt_options_free(s->objective);
    spt_prep_free(s->prep);
    spt_dataset_free(s->test);
    spt_dataset_free(s->dataset);
    spt_config_free(s->config);
    spt_space_free(s->space);
    spt_history_free(s->studied);
    spt_store_free(s->source);
}

/* ---- where the configuration comes from ---- */

static int from_study(tool *t, session *s)
{
    const char *file = arg_text(t, "study");
    int64_t index = -1;
    int code = inputs_history(t, file, &s->source, &s->studied);
    if (code >= 0) return code;
    if (arg_text(t, "trial") != NULL) {
        for (int64_t i = 0; i < spt_history_count(s->studied); i++) {
            spt_trial_info info;
            spt_record_init(&info, sizeof info);
            spt_history_trial(s->studied, i, &info);
            if (info.number == arg_int(t, "trial", -1)) index = i;
        }
        if (index < 0)
            return fail("%s: study '%s' has no trial %s; it has %lld trials, counted from 0", file,
                        spt_history_name(s->studied), arg_text(t, "trial"),
                        (long long)spt_history_count(s->studied));
    } else if ((index = spt_history_confirmed(s->studied)) < 0) {
        return fail("%s: study '%s' has no complete trial yet", file, spt_history_name(s->studied));
    }
    const spt_config *config = spt_history_config(s->studied, index);
    if (config == NULL) return fail("%s: that trial has no complete configuration", file);
    if (spt_config_copy(t->ctx, config, &s->config) < 0 ||
        spt_space_ref(spt_history_space(s->studied), &s->space) < 0)
        return fail_library(t);
    const char *record = spt_history_record(s->studied, "options");
    return record != NULL ? args_recall(t, record) : -1;
}

static int from_file(tool *t, session *s)
{
    const char *name = arg_text(t, "space") != NULL ? arg_text(t, "space") : "small";
    const int code = inputs_space(t, name, &s->space);
    if (code >= 0) return code;
    return spt_config_read(t->ctx, s->space, arg_text(t, "config"), &s->config) < 0
               ? fail_library(t)
               : -1;
}

static int configuration(tool *t, session *s)
{
    const bool study = arg_text(t, "study") != NULL, file = arg_text(t, "config") != NULL;
    if (study == file)
        return misuse(t,
                      "one of --study and --config is wanted: where the configuration comes from");
    if (file && arg_text(t, "trial") != NULL)
        return misuse(t, "--trial is of a --study, which is missing");
    return study ? from_study(t, s) : from_file(t, s);
}

/* A study of another program has no options on record: what is given must mean the same. */
static void tell_recipe(const session *s)
{
    char text[4096];
    int64_t needed;
    const char *then = s->studied != NULL ? spt_history_record(s->studied, "recipe") : NULL;
    if (then == NULL || spt_prep_text(s->prep, text, sizeof text, &needed) < 0) return;
    if (strcmp(then, text) != 0)
        note("the study's spectra were prepared with '%s', now with '%s'", then, text);
}

/* The rows that --test names, to be predicted. */
static int choose_test(tool *t, session *s)
{
    char column[256];
    const char *rule = arg_text(t, "test"), *sign = rule != NULL ? strchr(rule, '=') : NULL;
    if (sign == NULL || (size_t)(sign - rule) >= sizeof column) return -1;
    memcpy(column, rule, (size_t)(sign - rule));
    column[sign - rule] = '\0';
    return spt_dataset_select(t->ctx, s->dataset, column, sign + 1, 1, &s->test) < 0
               ? fail_library(t)
               : -1;
}

static int prepare(tool *t, session *s)
{
    int code = configuration(t, s);
    if (code >= 0) return code;
    if (arg_text(t, "target") == NULL)
        return misuse(t, "--target is missing: the property to estimate");
    if (arg_text(t, "unit") == NULL)
        return misuse(t, "--unit is missing: absorbance, reflectance or percent-reflectance");
    if (spt_cv_options_new(t->ctx, &s->objective) < 0) return fail_library(t);
    if ((code = inputs_machine(t)) >= 0 ||
        (code = inputs_settings(t, s->space, s->objective, NULL, NULL)) >= 0 ||
        (code = inputs_prep(t, &s->prep)) >= 0 ||
        (code = inputs_read(t, t->operands[0], false, &s->dataset)) >= 0)
        return code;
    tell_recipe(s);
    return choose_test(t, s);
}

/* ---- one seed ---- */

/* RMSE on the test rows that have a reference; NaN without any. */
static int test_rmse(tool *t, const session *s, const spt_model *model, double *rmse)
{
    spt_predictor *p = NULL;
    spt_dataset *samples = NULL;
    spt_statistics statistics;
    double *values = NULL, *reference = NULL;
    int64_t n = 0;
    int code = -1;
    *rmse = NAN;
    if (s->test == NULL) return -1;
    spt_record_init(&statistics, sizeof statistics);
    if (spt_predictor_new(t->ctx, model, &p) < 0) return fail_library(t);
    if (spt_predictor_samples(p, s->test, &samples) < 0) {
        spt_predictor_free(p);
        return fail_library(t);
    }
    n = spt_dataset_rows(samples);
    values = calloc((size_t)n, sizeof *values);
    reference = calloc((size_t)n, sizeof *reference);
    const int64_t column = spt_dataset_find_column(samples, arg_text(t, "target"));
    if (values == NULL || reference == NULL)
        code = fail("memory ran out");
    else if (spt_predictor_dataset(p, s->test, SPT_PREDICT_EXACT, values, n, NULL, NULL, NULL) < 0)
        code = fail("%s", spt_predictor_last_error(p));
    else if (column >= 0 && spt_dataset_numbers(samples, column, reference, n) == SPT_OK &&
             spt_statistics_compute(reference, values, n, &statistics) == SPT_OK)
        *rmse = statistics.rmse;
    free(values);
    free(reference);
    spt_dataset_free(samples);
    spt_predictor_free(p);
    return code;
}

/* Cross-validate and train with a seed of its own. */
static int one_seed(tool *t, session *s, int64_t k)
{
    spt_cv *cv = NULL;
    spt_store *store = NULL;
    spt_study *study = NULL;
    spt_trial *trial = NULL;
    spt_history *history = NULL;
    spt_model *model = NULL;
    double loss = NAN;
    int code = -1;
    int32_t status =
        spt_options_set_number(s->objective, "seed", arg_number(t, "seed", 1) + (double)k);
    if (status >= 0)
        status = spt_cv_new(t->ctx, s->dataset, s->prep, arg_text(t, "target"), s->objective, &cv);
    if (status >= 0) status = spt_store_open(t->ctx, "memory:", SPT_STORE_CREATE, &store);
    if (status >= 0) status = spt_study_open(store, NULL, s->space, NULL, &study);
    if (status >= 0) status = spt_study_set_cv(study, cv);
    if (status >= 0) status = spt_study_set_events(study, progress_event, &s->progress, NULL);
    if (status >= 0) status = spt_study_ask_given(study, s->config, &trial);
    if (status >= 0) status = spt_cv_objective(trial, &loss, cv);
    if (status == SPT_OK) status = spt_trial_tell(trial, SPT_TRIAL_COMPLETE, loss);
    if (status == SPT_OK) status = spt_study_history(study, &history);
    if (status == SPT_OK)
        status = spt_cv_model(cv, history, 0, 0, progress_epoch, &s->progress, &model);
    progress_clear(&s->progress);
    if (status < 0)
        code = fail_library(t);
    else if (status > 0)
        code = fail("stopped");
    if (code < 0) {
        s->cv[k] = loss;
        s->n_seeds = k + 1;
        code = test_rmse(t, s, model, &s->tested[k]);
    }
    if (code < 0 && k == 0 && arg_text(t, "model") != NULL) {
        const int written = write_model(t, model, t->operands[0], arg_text(t, "model"));
        model = NULL;
        if (written != EXIT_DONE) code = written;
    }
    spt_model_free(model);
    spt_history_free(history);
    spt_trial_free(trial);
    spt_study_free(study);
    spt_store_free(store);
    spt_cv_free(cv);
    return code;
}

/* ---- report ---- */

static void moments(const double *v, int64_t n, double *mean, double *sd)
{
    *mean = 0;
    *sd = 0;
    for (int64_t i = 0; i < n; i++)
        *mean += v[i] / (double)n;
    for (int64_t i = 0; i < n; i++)
        *sd += (v[i] - *mean) * (v[i] - *mean) / (double)(n - 1);
    *sd = n > 1 ? sqrt(*sd) : NAN;
}

static json_t *values_json(const double *v, int64_t n)
{
    double mean, sd;
    json_t *o = json_object(), *list = json_array();
    moments(v, n, &mean, &sd);
    for (int64_t i = 0; i < n; i++)
        json_array_append_new(list, json_number_or_null(v[i]));
    json_object_set_new(o, "values", list);
    json_object_set_new(o, "mean", json_number_or_null(mean));
    json_object_set_new(o, "sd", json_number_or_null(sd));
    return o;
}

static void line(const char *what, const double *v, int64_t n)
{
    char a[32], b[32];
    double mean, sd;
    moments(v, n, &mean, &sd);
    printf("%-24s %s", what, show_number(mean, 4, a, sizeof a));
    if (n > 1)
        printf(" +- %s (s.d. over %lld seeds)", show_number(sd, 2, b, sizeof b), (long long)n);
    printf("\n");
}

static int report(tool *t, const session *s)
{
    if (arg_flag(t, "json")) {
        json_t *o = json_object();
        json_object_set_new(o, "seeds", json_integer(s->n_seeds));
        json_object_set_new(o, "rmse_cv", values_json(s->cv, s->n_seeds));
        if (s->test != NULL)
            json_object_set_new(o, "rmse_test", values_json(s->tested, s->n_seeds));
        return print_json(o);
    }
    line("cross-validated RMSE", s->cv, s->n_seeds);
    if (s->test != NULL) line("RMSE of the test rows", s->tested, s->n_seeds);
    if (arg_text(t, "model") != NULL) printf("model: %s\n", arg_text(t, "model"));
    return EXIT_DONE;
}

int command_fit(tool *t)
{
    static session s; /* the arrays of the seeds are large for a stack */
    const int64_t seeds = arg_int(t, "seeds", 1);
    int code = prepare(t, &s);
    if (code < 0) {
        progress_begin(&s.progress, 0, seeds, 0, NAN, -1, arg_flag(t, "quiet"));
        stop_watch(t->ctx);
    }
    for (int64_t k = 0; k < seeds && code < 0; k++) {
        code = one_seed(t, &s, k);
        s.progress.done = k + 1;
    }
    stop_unwatch();
    if (code < 0) code = report(t, &s);
    close_session(&s);
    return code;
}
