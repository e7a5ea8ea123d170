/* The client of golden.py: writes files of the present formats, tells what is in files, tries those
 * of newer ones.
 *
 *     golden make FOLDER
 *     golden tell FOLDER STUDY       STUDY is a copy of the folder's study.db
 *     golden newer FOLDER SCRATCH
 *     golden on STUDY
 *
 * Only public functions are used, and only what a host of any version can ask. */
#include "spectune.h"

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 24, BANDS = 20, FOLDS = 3, TRIALS = 6, TEXT = 65536 };

static spt_ctx *ctx;
static const char *folder;

static const char *in(const char *name)
{
    static char paths[4][1024];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static int32_t must(int32_t status, const char *what)
{
    if (status >= 0) return status;
    printf("FAIL %s: %s: %s\n0 passed, 1 failed\n", what, spt_status_name(status),
           spt_ctx_last_error(ctx));
    exit(1);
}
#define MUST(call) must((call), #call)

/* ---- writing -----------------------------------------------------------------------------------
 */

static void make_spectra(void)
{
    FILE *f = fopen(in("spectra.csv"), "w");
    if (!f) exit(1);
    fprintf(f, "id,site,scan");
    for (int j = 0; j < BANDS; j++)
        fprintf(f, ",%d", 1000 + 10 * j);
    fprintf(f, ",clay\n");
    for (int i = 0; i < ROWS; i++) {
        const int sample = i / 2; /* two scans of each */
        fprintf(f, "s%02d,site%d,%d", sample, sample % 4, i % 2 + 1);
        const int high = 20 + sample * 7 % 60;
        for (int j = 0; j < BANDS; j++) {
            const int away = (j - 9) * (j - 9);
            fprintf(f, ",0.%04d", 3000 + 11 * j + 30 * (i % 3) + high * 40 / (1 + away));
        }
        fprintf(f, ",%d.%d\n", high / 2, i % 2);
    }
    fclose(f);
}

static spt_space *make_space(void)
{
    static const char *const activations[] = {"relu", "elu", "swish"}, *const sizes[] = {"8", "16"},
                             *const yes[] = {"true"}, *const one[] = {"1"},
                             *const swish[] = {"swish"};
    spt_space *s = NULL;
    MUST(spt_space_new(ctx, "golden", &s));
    MUST(spt_space_add_int(s, "conv_blocks", 0, 1, 1, 0, 1));
    MUST(spt_space_add_int(s, "conv_1_filters", 2, 4, 1, 0, 3));
    MUST(spt_space_add_condition(s, "conv_1_filters", "conv_blocks", SPT_OP_EQ, one, 1));
    MUST(spt_space_add_bool(s, "conv_1_batch_norm", 1));
    MUST(spt_space_add_condition(s, "conv_1_batch_norm", "conv_blocks", SPT_OP_EQ, one, 1));
    MUST(spt_space_add_categorical(s, "conv_1_activation", activations, 3, 0));
    MUST(spt_space_add_condition(s, "conv_1_activation", "conv_blocks", SPT_OP_EQ, one, 1));
    MUST(spt_space_add_bool(s, "channel_a", 1));
    MUST(spt_space_add_bool(s, "channel_a_d1", 1));
    MUST(spt_space_add_float(s, "learning_rate", 1e-3, 1e-1, 0, 1, 1e-2));
    MUST(spt_space_add_ordinal(s, "batch_size", sizes, 2, 0));
    MUST(spt_space_add_float(s, "weight_decay", 0, 0.1, 0.05, 0, 0));
    MUST(spt_space_set_group(s, "learning_rate", "training"));
    MUST(spt_space_forbid(s));
    MUST(spt_space_forbid_term(s, "channel_a_d1", SPT_OP_EQ, yes, 1));
    MUST(spt_space_forbid_term(s, "conv_1_activation", SPT_OP_EQ, swish, 1));
    return s;
}

static spt_prep *make_prep(void)
{
    spt_options *o = NULL;
    spt_prep *prep = NULL;
    MUST(spt_prep_new(ctx, &prep));
    MUST(spt_prep_add_average(prep, "id"));
    MUST(spt_prep_add_crop(prep, 1010, 1190));
    MUST(spt_prep_options_new(ctx, &o));
    MUST(spt_options_set_number(o, "d1_window", 5));
    MUST(spt_prep_set_options(prep, o));
    spt_options_free(o);
    return prep;
}

static spt_cv *make_cv(const spt_dataset *dataset, const spt_prep *prep)
{
    spt_options *o = NULL;
    spt_cv *cv = NULL;
    MUST(spt_cv_options_new(ctx, &o));
    MUST(spt_options_set_number(o, "folds", FOLDS));
    MUST(spt_options_set_number(o, "epochs", 8));
    MUST(spt_options_set_text(o, "group", "site"));
    MUST(spt_options_set_text(o, "target_transform", "log1p"));
    MUST(spt_cv_new(ctx, dataset, prep, "clay", o, &cv));
    spt_options_free(o);
    return cv;
}

static void make_study(const spt_space *space, spt_cv *cv, const spt_config *config)
{
    spt_store *store = NULL;
    spt_study *study = NULL;
    spt_trial *trial = NULL;
    spt_history *history = NULL;
    spt_model *model = NULL, *noted = NULL;
    MUST(spt_store_open(ctx, in("study.db"), SPT_STORE_CREATE, &store));
    MUST(spt_study_open(store, "golden", space, NULL, &study));
    MUST(spt_study_set_cv(study, cv));
    MUST(spt_study_enqueue(study, config, NULL, 0, NULL));
    MUST(spt_study_run(study, TRIALS, 0));
    MUST(spt_study_ask(study, &trial));
    MUST(spt_trial_report(trial, 0, 12.5));
    MUST(spt_trial_set_number(trial, "number", 0.125));
    MUST(spt_trial_set_text(trial, "reason", "given up, \"quotes\" and ümlaut"));
    MUST(spt_trial_tell(trial, SPT_TRIAL_PRUNED, 12.5));
    spt_trial_free(trial);
    MUST(spt_study_ask(study, &trial));
    MUST(spt_trial_tell(trial, SPT_TRIAL_FAILED, NAN));
    spt_trial_free(trial);
    MUST(spt_study_history(study, &history));
    MUST(spt_cv_model(cv, history, spt_history_best(history), 1, NULL, NULL, &model));
    MUST(spt_model_with_note(ctx, model, "operator", "ümlaut, <angle> & \"quote\"", &noted));
    MUST(spt_model_write(ctx, noted, in("ensemble.xml")));
    spt_model_free(model);
    spt_model_free(noted);
    spt_history_free(history);
    spt_study_free(study);
    spt_store_free(store);
}

static void make(void)
{
    spt_dataset *dataset = NULL;
    spt_config *config = NULL;
    spt_options *o = NULL;
    spt_model *model = NULL;
    make_spectra();
    MUST(spt_csv_options_new(ctx, &o));
    MUST(spt_options_set_text(o, "axis_unit", "nm"));
    MUST(spt_options_set_text(o, "unit", "absorbance"));
    MUST(spt_dataset_read_csv(ctx, in("spectra.csv"), o, &dataset));
    spt_space *space = make_space();
    spt_prep *prep = make_prep();
    MUST(spt_space_write(ctx, space, in("space.xml")));
    MUST(spt_config_new(ctx, space, &config));
    MUST(spt_config_set_text(config, "conv_1_activation", "elu"));
    MUST(spt_config_set_number(config, "learning_rate", 0.0123456789));
    MUST(spt_config_write(ctx, config, in("config.xml")));
    spt_cv *cv = make_cv(dataset, prep);
    make_study(space, cv, config);
    MUST(spt_model_fit(ctx, dataset, NULL, "clay", config, 6, NULL, NULL, NULL, NULL, &model));
    MUST(spt_model_write(ctx, model, in("model.xml")));
    spt_model_free(model);
    spt_cv_free(cv);
    spt_prep_free(prep);
    spt_config_free(config);
    spt_space_free(space);
    spt_dataset_free(dataset);
    spt_options_free(o);
}

/* ---- telling -----------------------------------------------------------------------------------
 */

static char told[4 * TEXT];
static size_t used;

static void tell(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(told + used, sizeof told - used, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof told - used) exit(1);
    used += (size_t)n;
}

static void tell_config(const spt_config *config)
{
    const spt_space *space = spt_config_space(config);
    for (int32_t i = 0; i < spt_space_count(space); i++) {
        spt_parameter_info p;
        char text[128];
        spt_record_init(&p, sizeof p);
        MUST(spt_space_describe(space, i, &p));
        if (spt_config_exists(config, p.name) != 1) continue;
        MUST(spt_config_text(config, p.name, text, sizeof text, NULL));
        tell(" %s %s", p.name, text);
    }
    tell("\n");
}

static void tell_space(const spt_space *space)
{
    tell("space %s\n", spt_space_name(space));
    for (int32_t i = 0; i < spt_space_count(space); i++) {
        spt_parameter_info p;
        spt_record_init(&p, sizeof p);
        MUST(spt_space_describe(space, i, &p));
        tell("parameter %s type %d from %.17g to %.17g step %.17g log %d default %.17g group '%s' "
             "if '%s'",
             p.name, p.type, p.low, p.high, p.step, p.log, p.value, p.group,
             spt_space_condition(space, i));
        for (int32_t c = 0; c < p.n_choices; c++)
            tell(" %s", spt_space_choice(space, i, c));
        tell("\n");
    }
    for (int32_t i = 0; i < spt_space_forbidden_count(space); i++)
        tell("forbidden %s\n", spt_space_forbidden(space, i));
}

static void tell_trial(const spt_history *history, int64_t i)
{
    static const char *const keys[] = {"rmse", "number", "reason"};
    spt_trial_info t;
    int64_t steps[16];
    double values[16];
    spt_record_init(&t, sizeof t);
    MUST(spt_history_trial(history, i, &t));
    tell("trial %d %s value %.17g steps", (int)t.number, spt_trial_state_name(t.state), t.value);
    if (t.n_steps > 16) exit(1);
    MUST(spt_history_steps(history, i, steps, values, 16));
    for (int64_t k = 0; k < t.n_steps; k++)
        tell(" %d %.17g", (int)steps[k], values[k]);
    for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++)
        if (spt_history_attribute(history, i, keys[k]))
            tell(" %s %s", keys[k], spt_history_attribute(history, i, keys[k]));
    tell("\n");
    tell("with");
    tell_config(spt_history_config(history, i));
}

static void tell_study(const char *path)
{
    static const char *const records[] = {"target", "folds", "spectra_sha256"};
    spt_store *store = NULL;
    spt_history *history = NULL;
    float predictions[ROWS];
    int64_t needed = 0;
    MUST(spt_store_open(ctx, path, SPT_STORE_READONLY, &store));
    MUST(spt_history_read(store, "golden", &history));
    tell("study %s, finished %d, best %d\n", spt_history_name(history),
         (int)spt_history_finished(history), (int)spt_history_best(history));
    for (size_t k = 0; k < sizeof records / sizeof records[0]; k++)
        if (spt_history_record(history, records[k]))
            tell("record %s %s\n", records[k], spt_history_record(history, records[k]));
    tell_space(spt_history_space(history));
    for (int64_t i = 0; i < spt_history_count(history); i++)
        tell_trial(history, i);
    MUST(spt_store_block(store, "golden", 0, "predictions", predictions, sizeof predictions,
                         &needed));
    tell("block of trial 0:");
    for (int64_t i = 0; i < needed / (int64_t)sizeof predictions[0]; i++)
        tell(" %.9g", (double)predictions[i]);
    tell("\n");
    spt_history_free(history);
    spt_store_free(store);
}

static void tell_model(const char *name)
{
    static const char *const notes[] = {"operator", "seed", "epochs", "study", "trial"};
    spt_dataset *dataset = NULL;
    spt_model *model = NULL;
    spt_predictor *predictor = NULL;
    spt_options *o = NULL;
    double values[ROWS];
    int64_t needed = 0;
    MUST(spt_csv_options_new(ctx, &o));
    MUST(spt_options_set_text(o, "axis_unit", "nm"));
    MUST(spt_dataset_read_csv(ctx, in("spectra.csv"), o, &dataset));
    MUST(spt_model_read(ctx, in(name), &model));
    tell("model of %s, %d members, %d bands, units %s %s\n", spt_model_target(model),
         (int)spt_model_members(model), (int)spt_model_bands(model),
         spt_axis_unit_name(spt_model_axis_unit(model)), spt_unit_name(spt_model_unit(model)));
    for (size_t k = 0; k < sizeof notes / sizeof notes[0]; k++)
        if (spt_model_note(model, notes[k]))
            tell("note %s %s\n", notes[k], spt_model_note(model, notes[k]));
    MUST(spt_predictor_new(ctx, model, &predictor));
    MUST(spt_predictor_dataset(predictor, dataset, SPT_PREDICT_EXACT, values, ROWS, &needed, NULL,
                               NULL));
    tell("predictions:");
    for (int64_t i = 0; i < needed; i++)
        tell(" %.9g", values[i]);
    tell("\n");
    spt_predictor_free(predictor);
    spt_model_free(model);
    spt_dataset_free(dataset);
    spt_options_free(o);
}

static void tell_all(const char *study)
{
    spt_space *space = NULL;
    spt_config *config = NULL;
    used = 0;
    MUST(spt_space_read(ctx, in("space.xml"), &space));
    tell_space(space);
    MUST(spt_config_read(ctx, space, in("config.xml"), &config));
    tell("config");
    tell_config(config);
    tell_study(study);
    tell_model("model.xml");
    tell_model("ensemble.xml");
    spt_config_free(config);
    spt_space_free(space);
}

/* ---- comparing ---------------------------------------------------------------------------------
 */

static char *load(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    char *data = f ? malloc(4 * TEXT) : NULL;
    *size = data ? fread(data, 1, 4 * TEXT - 1, f) : 0;
    if (f) fclose(f);
    if (!data || *size == 0 || *size == 4 * TEXT - 1) {
        printf("FAIL %s cannot be read\n0 passed, 1 failed\n", path);
        exit(1);
    }
    data[*size] = '\0';
    return data;
}

static void save(const char *path, const char *data, size_t size)
{
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, size, f) != size || fclose(f) != 0) exit(1);
}

static int passed, failed;

static void verdict(bool good, const char *what)
{
    printf("%s %s\n", good ? "ok  " : "FAIL", what);
    *(good ? &passed : &failed) += 1;
}

/* A copy of a file in which the format is `newer`, by its bytes. */
static const char *altered(const char *name, const char *scratch, const char *format,
                           const char *newer)
{
    static char path[1024];
    size_t size = 0;
    char *data = load(in(name), &size), *at = NULL;
    for (size_t i = 0; i + strlen(format) <= size && !at; i++)
        if (memcmp(data + i, format, strlen(format)) == 0) at = data + i;
    if (!at || strlen(format) != strlen(newer)) exit(1);
    memcpy(at, newer, strlen(newer));
    snprintf(path, sizeof path, "%s/newer-%s", scratch, name);
    save(path, data, size);
    free(data);
    return path;
}

static void refused(int32_t status, const char *path, const char *what)
{
    const char *text = spt_ctx_last_error(ctx), *name = strrchr(path, '/') + 1;
    const bool good =
        status == SPT_EVERSION && strstr(text, name) && strstr(text, "newer") && strstr(text, "9");
    verdict(good, what);
    printf("     %s\n", text);
}

static void newer_formats(const char *scratch)
{
    spt_space *space = NULL, *other = NULL;
    spt_config *config = NULL;
    spt_model *model = NULL;
    spt_store *store = NULL;
    spt_history *history = NULL;
    const char *path = altered("space.xml", scratch, "format=\"1\"", "format=\"9\"");
    refused(spt_space_read(ctx, path, &other), path,
            "a space of a newer format is refused by name");
    MUST(spt_space_read(ctx, in("space.xml"), &space));
    path = altered("config.xml", scratch, "format=\"1\"", "format=\"9\"");
    refused(spt_config_read(ctx, space, path, &config), path,
            "a configuration of a newer format is refused by name");
    path = altered("model.xml", scratch, "format=\"1\"", "format=\"9\"");
    refused(spt_model_read(ctx, path, &model), path,
            "a model of a newer format is refused by name");
    path = altered("study.db", scratch, "spectune:format1", "spectune:format9");
    MUST(spt_store_open(ctx, path, SPT_STORE_READONLY, &store));
    refused(spt_history_read(store, "golden", &history), path,
            "a study of a newer format is refused by name");
    verdict(!other && !config && !model && !history, "and nothing comes of it");
    spt_store_free(store);
    spt_space_free(space);
}

/* A study goes on where an older library left it. */
static void go_on(const char *path)
{
    spt_store *store = NULL;
    spt_study *study = NULL;
    spt_trial *trial = NULL;
    spt_history *history = NULL;
    MUST(spt_store_open(ctx, path, SPT_STORE_OPEN, &store));
    MUST(spt_study_open(store, "golden", NULL, NULL, &study));
    MUST(spt_study_ask(study, &trial));
    MUST(spt_trial_tell(trial, SPT_TRIAL_COMPLETE, 0.001));
    MUST(spt_study_history(study, &history));
    verdict(spt_trial_number(trial) == TRIALS + 2 && spt_history_best(history) == TRIALS + 2,
            "the study goes on");
    spt_history_free(history);
    spt_trial_free(trial);
    spt_study_free(study);
    spt_store_free(store);
}

int main(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : "";
    const bool one = argc == 3, two = argc == 4;
    if (!(one && (!strcmp(command, "make") || !strcmp(command, "on"))) &&
        !(two && (!strcmp(command, "tell") || !strcmp(command, "newer")))) {
        fprintf(
            stderr,
            "usage: golden make FOLDER | tell FOLDER STUDY | newer FOLDER SCRATCH | on STUDY\n");
        return 2;
    }
    folder = argv[2];
    if (spt_ctx_new(NULL, &ctx) < 0) return 1;
    const char *kernels = getenv("SPT_TEST_KERNELS");
    if (kernels && spt_ctx_set_kernels(ctx, kernels) == SPT_EUNSUPPORTED) return 77;
    if (!strcmp(command, "make")) make();
    if (!strcmp(command, "on")) go_on(argv[2]);
    if (!strcmp(command, "newer")) newer_formats(argv[3]);
    if (!strcmp(command, "tell")) {
        tell_all(argv[3]);
        fwrite(told, 1, used, stdout);
    }
    spt_ctx_free(ctx);
    return failed != 0;
}
