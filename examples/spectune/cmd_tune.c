/* spectune tune: the main job. */
#include "progress.h"
#include "stop.h"
#include "tool.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const arg_option tune_options[] = {
    SCORE_OPTIONS,
    READ_OPTIONS,
    {"space", "NAME|FILE", ARG_TEXT, 0, 0, "small", "search space: a preset or an XML file"},
    {"sampler", "tpe|random|sobol|grid", ARG_TEXT, 0, 0, "tpe", "where configurations come from"},
    {"trials", "N", ARG_INT, 0, 1e9, "60", "finished trials in the study at the end"},
    {"confirm", "K[:R]", ARG_TEXT, 0, 0, "5:3 from 20 trials on",
     "then try the K best trials R times more, and take the best of them on average; 0: do not"},
    {"time", "S", ARG_NUMBER, 0, 1e9, "none", "seconds after which no trial is started"},
    {"stop-at", "VALUE", ARG_NUMBER, -1e300, 1e300, "none",
     "stop when a trial has this RMSE or less"},
    {"patience-trials", "N", ARG_INT, 0, 1e9, "none",
     "stop when the best is the same after so many more trials"},
    {"trial-time", "S", ARG_NUMBER, 0, 1e9, "none", "a trial that takes longer fails"},
    {"prune", "none|wilcoxon|racing|median|halving", ARG_TEXT, 0, 0, "none",
     "give trials up whose first folds tell that they will not matter"},
    {"in-flight", "K", ARG_INT, 0, 1024, "1",
     "trials at a time; each sees those up to K before it"},
    {"no-wait", NULL, ARG_FLAG, 0, 0, NULL,
     "with --in-flight: none waits for an older one; not repeatable"},
    {"retries", "N", ARG_INT, 0, 1e6, "0",
     "so often a trial whose worker has died is run again as it was"},
    {"grace", "S", ARG_NUMBER, 1, 1e9, "600",
     "seconds of silence after which a worker on another machine has died"},
    {"no-linger", NULL, ARG_FLAG, 0, 0, NULL,
     "do not wait for the last trials, which other workers run"},
    {"duplicates", "allow|avoid|never", ARG_TEXT, 0, 0, "allow",
     "configurations that a trial has had already"},
    {"enqueue", "FILE|NAME=VALUE,...", ARG_TEXT, 0, 0, NULL,
     "a configuration to try first, or some of its values; may be repeated"},
    {"warm-start", "STUDY[:K]", ARG_TEXT, 0, 0, NULL,
     "try the K best configurations of another study first (5)"},
    THREADS_OPTION,
    KERNELS_OPTION,
    MEMORY_OPTION,
    {"study", "FILE", ARG_TEXT, 0, 0, NULL,
     "study file or database (postgresql://...): made, or gone on with; else it is not kept"},
    {"name", "NAME", ARG_TEXT, 0, 0, "spectune", "study in the file"},
    {"model", "FILE", ARG_TEXT, 0, 0, NULL, "write the best trial as a model"},
    {"ensemble", NULL, ARG_FLAG, 0, 0, NULL,
     "the model is the networks of the folds, not one trained on all rows"},
    {"quiet", NULL, ARG_FLAG, 0, 0, NULL, "no progress"},
    JSON_OPTION,
    HELP_OPTION,
    {.name = NULL}};

typedef struct session {
    spt_dataset *dataset;
    spt_prep *prep;
    spt_options *objective, *sampler, *rules;
    spt_space *space;
    spt_cv *cv;
    spt_store *store;
    spt_study *study;
    spt_history *history;
    spt_model *model;
    progress progress;
    int64_t confirm, repeats;
} session;

static void close_session(session *s)
{
    spt_model_free(s->model);
    spt_history_free(s->history);
    spt_study_free(s->study);
    spt_store_free(s->store);
    spt_cv_free(s->cv);
    spt_space_free(s->space);
    spt_options_free(s->objective);
    spt_options_free(s->sampler);
    spt_options_free(s->rules);
    spt_prep_free(s->prep);
    spt_dataset_free(s->dataset);
}

static int read_space(tool *t, spt_space **space)
{
    const char *name = arg_text(t, "space");
    return inputs_space(t, name != NULL ? name : "small", space);
}

static int sampler_options(tool *t, session *s)
{
    if (spt_sampler_options_new(t->ctx, &s->sampler) < 0 ||
        spt_cv_options_new(t->ctx, &s->objective) < 0 ||
        spt_study_options_new(t->ctx, &s->rules) < 0)
        return fail_library(t);
    if (arg_text(t, "sampler") != NULL &&
        spt_options_set_text(s->sampler, "sampler", arg_text(t, "sampler")) < 0)
        return misuse(t, "--sampler: %s", spt_ctx_last_error(t->ctx));
    if (spt_options_set_number(s->sampler, "seed", arg_number(t, "seed", 1)) < 0)
        return misuse(t, "--seed: %s", spt_ctx_last_error(t->ctx));
    const int code = inputs_settings(t, s->space, s->objective, s->sampler, s->rules);
    return code >= 0 ? code : study_rules(t, s->rules);
}

/* What the library warns of: a configuration that could not be taken over, another version. */
static void on_log(int32_t level, const char *text, void *user)
{
    (void)level;
    (void)user;
    note("%s", text);
}

/* Data, recipe, folds: whatever is wrong shows before a study file is touched. */
static int prepare(tool *t, session *s)
{
    int code;
    if (arg_text(t, "target") == NULL)
        return misuse(t, "--target is missing: the property to estimate");
    if (arg_text(t, "unit") == NULL)
        return misuse(t, "--unit is missing: absorbance, reflectance or percent-reflectance");
    if (arg_flag(t, "ensemble") && arg_text(t, "model") == NULL)
        return misuse(t, "--ensemble says what --model writes, which is missing");
    if ((code = inputs_machine(t)) >= 0 || (code = read_space(t, &s->space)) >= 0 ||
        (code = sampler_options(t, s)) >= 0 || (code = study_queue(t, s->space, NULL)) >= 0 ||
        (code = inputs_prep(t, &s->prep)) >= 0 ||
        (code = inputs_read(t, t->operands[0], false, &s->dataset)) >= 0)
        return code;
    for (int64_t i = 0; spt_dataset_note(s->dataset, i) != NULL; i++)
        if (strncmp(spt_dataset_note(s->dataset, i), "warning: ", 9) == 0)
            note("%s: %s", t->operands[0], spt_dataset_note(s->dataset, i));
    if (spt_cv_new(t->ctx, s->dataset, s->prep, arg_text(t, "target"), s->objective, &s->cv) < 0)
        return fail("%s: %s", t->operands[0], spt_ctx_last_error(t->ctx));
    return spt_cv_check_space(s->cv, s->space) < 0 ? fail_library(t) : -1;
}

static int open_study(tool *t, session *s)
{
    const char *file = arg_text(t, "study");
    char *record = args_record(t);
    int code = -1;
    if (record == NULL) return fail("memory ran out");
    if (spt_store_open(t->ctx, file != NULL ? file : "memory:", SPT_STORE_CREATE, &s->store) < 0 ||
        spt_study_open(s->store, arg_text(t, "name"), s->space, s->sampler, &s->study) < 0 ||
        spt_study_set_options(s->study, s->rules) < 0 || spt_study_set_cv(s->study, s->cv) < 0 ||
        spt_study_history(s->study, &s->history) < 0)
        code = fail_library(t);
    /* For spectune fit, as they were first given; whether they mean the same now is the library's
     * business, which has compared all of it. */
    else if (spt_history_record(s->history, "options") == NULL &&
             spt_study_pin(s->study, "options", record) < 0)
        code = fail_library(t);
    free(record);
    return code >= 0 ? code : study_queue(t, s->space, s->study);
}

static void say_samples(const session *s)
{
    int64_t n = 0;
    spt_cv_rows(s->cv, NULL, NULL, 0, &n);
    note("%lld samples are used", (long long)n);
    for (int64_t i = 0; spt_cv_dropped(s->cv, i) != NULL; i++)
        note("left out: %s", spt_cv_dropped(s->cv, i));
}

/* --confirm: how many trials, and how often. */
static int confirm_option(tool *t, session *s)
{
    const char *text = arg_text(t, "confirm");
    char *end;
    s->confirm = 5;
    s->repeats = 3;
    if (text == NULL) return -1;
    s->confirm = strtol(text, &end, 10);
    if (end != text && *end == ':') {
        text = end + 1;
        s->repeats = strtol(text, &end, 10);
    }
    if (end == text || *end != '\0' || s->confirm < 0 || s->confirm > 1000 || s->repeats < 1 ||
        s->repeats > 1000)
        return misuse(t, "--confirm is '%s'; K or K:R is wanted, 0 to 1000 trials, 1 to 1000 times",
                      arg_text(t, "confirm"));
    return -1;
}

/* Run until the study has so many finished trials, repetitions included. */
static int run_to(tool *t, session *s, int64_t wanted, double seconds, int32_t *status)
{
    const int64_t best = spt_history_best(s->history);
    double lowest = NAN;
    int64_t lowest_trial = -1;
    if (best >= 0) {
        spt_trial_info info;
        spt_record_init(&info, sizeof info);
        spt_history_trial(s->history, best, &info);
        lowest = info.value;
        lowest_trial = info.number;
    }
    progress_begin(&s->progress, spt_history_finished(s->history), wanted, seconds, lowest,
                   lowest_trial, arg_flag(t, "quiet"));
    *status = spt_study_run(s->study, wanted, seconds);
    progress_clear(&s->progress);
    spt_history_free(s->history);
    s->history = NULL;
    if (*status < 0) return fail_library(t);
    return spt_study_history(s->study, &s->history) < 0 ? fail_library(t) : -1;
}

/* The repetitions that are still to be done. */
static int64_t outstanding(const spt_history *h)
{
    int64_t n = spt_history_repeated(h);
    for (int64_t i = 0; i < spt_history_count(h); i++) {
        spt_trial_info info;
        const char *reason = spt_history_attribute(h, i, "reason");
        spt_record_init(&info, sizeof info);
        spt_history_trial(h, i, &info);
        if (spt_history_attribute(h, i, "repeats") == NULL) continue;
        n -= info.state == SPT_TRIAL_COMPLETE ||
             (info.state == SPT_TRIAL_FAILED && reason != NULL && strcmp(reason, "stopped") != 0 &&
              strcmp(reason, "abandoned") != 0);
    }
    return n;
}

/* The best again. The lowest of many losses is a lucky one. */
static int confirm(tool *t, session *s, double seconds, int32_t *status)
{
    /* Of a few trials one would try all again. */
    const int64_t tried = spt_history_finished(s->history) - spt_history_repeated(s->history);
    if (s->confirm == 0 || (arg_text(t, "confirm") == NULL && tried < 20)) return -1;
    if (spt_study_confirm(s->study, s->confirm, s->repeats, NULL) < 0) return fail_library(t);
    spt_history_free(s->history);
    s->history = NULL;
    if (spt_study_history(s->study, &s->history) < 0) return fail_library(t);
    const int64_t more = outstanding(s->history);
    if (more == 0) return -1;
    if (!arg_flag(t, "quiet"))
        note("trying the best again, to tell what is good from what was lucky: %lld trials",
             (long long)more);
    int32_t why;
    const int code = run_to(t, s, spt_history_finished(s->history) + more, seconds, &why);
    if (why == SPT_STOP_HOST || why == SPT_STOP_TIME) *status = why;
    return code;
}

/* Search. *status: why it ended. */
static int search(tool *t, session *s, int32_t *status)
{
    const int64_t wanted = arg_int(t, "trials", 60), before = spt_history_finished(s->history);
    const double limit = arg_number(t, "time", 0);
    const time_t began = time(NULL);
    if (!arg_flag(t, "quiet")) {
        say_samples(s);
        if (before > 0)
            note("the study holds %lld finished trials, %lld are wanted", (long long)before,
                 (long long)wanted);
    }
    if (spt_study_set_events(s->study, progress_event, &s->progress, NULL) < 0)
        return fail_library(t);
    stop_watch(t->ctx);
    const int code = run_to(t, s, wanted + spt_history_repeated(s->history), limit, status);
    if (code >= 0) return code;
    if (*status == SPT_STOP_EXHAUSTED)
        note("no further configuration of the space is possible; the last was refused: %s",
             spt_ctx_last_error(t->ctx));
    if (*status == SPT_STOP_TARGET || *status == SPT_STOP_PLATEAU)
        note("%s", spt_status_text(*status));
    const double left = limit - difftime(time(NULL), began);
    if (*status == SPT_STOP_HOST || (limit > 0 && left <= 0)) return -1;
    return confirm(t, s, limit > 0 ? left : 0, status);
}

int write_model(tool *t, spt_model *model, const char *data_file, const char *path)
{
    char date[32];
    const time_t now = time(NULL);
    struct tm utc;
    spt_model *dated = NULL, *named = NULL;
    const char *base = strrchr(data_file, '/');
    gmtime_r(&now, &utc);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &utc);
    int32_t status = spt_model_with_note(t->ctx, model, "date", date, &dated);
    if (status >= 0)
        status =
            spt_model_with_note(t->ctx, dated, "file", base != NULL ? base + 1 : data_file, &named);
    if (status >= 0) status = spt_model_write(t->ctx, named, path);
    const int code = status < 0 ? fail_library(t) : EXIT_DONE;
    spt_model_free(model);
    spt_model_free(dated);
    spt_model_free(named);
    return code;
}

/* The best trial as a model. After a stop the model is written all the same; a second signal ends
 * the program at once. */
static int make_model(tool *t, session *s, bool stopped)
{
    const char *path = arg_text(t, "model");
    const int64_t best = spt_history_confirmed(s->history);
    spt_model *model = NULL;
    if (path == NULL) return -1;
    if (best < 0) {
        if (stopped) return -1;
        return fail("%s: no trial is complete, so there is no model to write", path);
    }
    spt_ctx_clear_stop(t->ctx);
    const int32_t status = spt_cv_model(s->cv, s->history, best, arg_flag(t, "ensemble"),
                                        progress_epoch, &s->progress, &model);
    progress_clear(&s->progress);
    if (status < 0) return fail_library(t);
    if (model == NULL) return fail("%s: stopped, no model is written", path);
    const int code = write_model(t, model, t->operands[0], path);
    return code == EXIT_DONE ? -1 : code;
}

static int64_t count_pruned(const spt_history *h)
{
    int64_t n = 0;
    spt_trial_info info;
    spt_record_init(&info, sizeof info);
    for (int64_t i = 0; i < spt_history_count(h); i++)
        n += spt_history_trial(h, i, &info) == SPT_OK && info.state == SPT_TRIAL_PRUNED;
    return n;
}

static int report(tool *t, session *s, int32_t why)
{
    char rmse[32], sd[32];
    const int64_t best = spt_history_confirmed(s->history);
    int64_t count = 0;
    double mean = NAN, spread_again = NAN;
    spt_trial_info info;
    spt_record_init(&info, sizeof info);
    if (best >= 0) {
        spt_history_trial(s->history, best, &info);
        spt_history_repeats(s->history, best, &count, &mean, &spread_again);
    }
    if (arg_flag(t, "json")) {
        json_t *o = json_object();
        json_object_set_new(o, "ended", json_string(spt_status_name(why)));
        json_object_set_new(o, "finished", json_integer(spt_history_finished(s->history)));
        json_object_set_new(o, "pruned", json_integer(count_pruned(s->history)));
        json_object_set_new(o, "best_trial", best >= 0 ? json_integer(info.number) : json_null());
        json_object_set_new(o, "rmse", best >= 0 ? json_number_or_null(info.value) : json_null());
        json_object_set_new(o, "repetitions", json_integer(count));
        json_object_set_new(o, "rmse_repeated", json_number_or_null(mean));
        json_object_set_new(o, "rmse_repeated_sd", json_number_or_null(spread_again));
        for (int64_t k = 0; best >= 0; k++) {
            const char *key = spt_history_attribute_key(s->history, best, k);
            if (key == NULL) break;
            if (json_object_get(o, key) == NULL)
                json_object_set_new(o, key,
                                    json_guess(spt_history_attribute(s->history, best, key)));
        }
        return print_json(o);
    }
    printf("%lld trials", (long long)spt_history_finished(s->history));
    if (count_pruned(s->history) > 0) printf(" (%lld pruned)", (long long)count_pruned(s->history));
    if (best < 0) {
        printf(", none complete\n");
        return EXIT_DONE;
    }
    const char *spread = spt_history_attribute(s->history, best, "rmse_sd");
    const char *watch = spt_history_attribute(s->history, best, "watch");
    printf("; best is trial %lld: cross-validated RMSE %s +- %s (folds)%s\n",
           (long long)info.number, show_number(info.value, 4, rmse, sizeof rmse),
           show_number(spread != NULL ? strtod(spread, NULL) : NAN, 2, sd, sizeof sd),
           watch != NULL && strcmp(watch, "scored") == 0
               ? ", flattered: early stopping watched the folds that score"
               : "");
    if (count > 0)
        printf("tried %lld times again: RMSE %s +- %s (trials)\n", (long long)count,
               show_number(mean, 4, rmse, sizeof rmse),
               show_number(spread_again, 2, sd, sizeof sd));
    if (arg_text(t, "model") != NULL) printf("model: %s\n", arg_text(t, "model"));
    if (arg_text(t, "study") != NULL) printf("study: %s\n", arg_text(t, "study"));
    return EXIT_DONE;
}

int command_tune(tool *t)
{
    session s = {.dataset = NULL};
    int32_t why = SPT_OK;
    int code = confirm_option(t, &s);
    if (code < 0) code = prepare(t, &s);
    const int32_t level = arg_flag(t, "quiet") ? SPT_LOG_WARNING : SPT_LOG_INFO;
    if (spt_ctx_set_log(t->ctx, level, on_log, NULL, NULL) < 0 && code < 0) code = fail_library(t);
    if (code < 0) code = open_study(t, &s);
    if (code < 0) code = search(t, &s, &why);
    const bool stopped = code < 0 && (why == SPT_STOP_HOST || stop_asked());
    if (code < 0) code = make_model(t, &s, stopped);
    if (code < 0) code = report(t, &s, why);
    if (code == EXIT_DONE && stopped) {
        note("stopped; every finished trial is kept, the same command goes on");
        code = EXIT_FAILED;
    }
    stop_unwatch();
    close_session(&s);
    return code;
}
