/* The real job: one trial of a study, R1 in a k-fold cross-validation.
 *
 *   bench_cv [--rows N] [--folds N] [--epochs N] [--threads N] [--rounds N] [--serve]
 *            [--write FOLDER]
 *
 * A round is one trial through the public objective, from a dataset in memory whose channels are
 * computed; scaling by fold, training, scoring of the held-out rows after every epoch and the
 * record of the trial are part of it. --write leaves inputs, targets and folds for the programs of
 * other frameworks (x.f32, y.f32, fold.i32) and trains nothing. */
#include "bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { BATCH = 1024 };

typedef struct work {
    int64_t rows, folds, epochs, threads;
    spt_ctx *ctx;
    spt_dataset *dataset;
    spt_space *space;
    spt_cv *cv;
    spt_store *store;
    spt_study *study;
    spt_config *config;
    double setup; /* seconds from spectra to channels */
    double sd;    /* of the target, the measure of errors */
} work;

#define TRY(call) \
    if ((call) < 0) return -1

/* A space of one point: R1. */
static int make_space(work *w)
{
    static const struct {
        const char *name;
        int32_t value;
    } ints[] = {{"conv_blocks", 1}, {"conv_1_filters", 64}, {"conv_1_kernel", 15},
                {"fc_blocks", 2},   {"fc_1_units", 128},    {"fc_2_units", 64}};
    static const char *const switched_on[] = {"channel_a",     "channel_a_d1",    "channel_a_d2",
                                              "channel_a_snv", "fc_1_batch_norm", "fc_2_batch_norm",
                                              "fc_1_dropout",  "fc_2_dropout"};
    TRY(spt_space_new(w->ctx, "R1", &w->space));
    for (size_t i = 0; i < sizeof ints / sizeof ints[0]; i++)
        TRY(spt_space_add_int(w->space, ints[i].name, ints[i].value, ints[i].value, 1, 0,
                              ints[i].value));
    for (size_t i = 0; i < sizeof switched_on / sizeof switched_on[0]; i++)
        TRY(spt_space_add_bool(w->space, switched_on[i], 1));
    TRY(spt_config_new(w->ctx, w->space, &w->config));
    return 0;
}

static int make_cv(work *w)
{
    spt_options *options = NULL;
    const struct {
        const char *name;
        double value;
    } knobs[] = {{"folds", (double)w->folds}, {"epochs", (double)w->epochs}, {"batch_size", BATCH}};
    TRY(spt_cv_options_new(w->ctx, &options));
    int32_t status = SPT_OK;
    for (size_t i = 0; i < sizeof knobs / sizeof knobs[0] && status >= 0; i++)
        status = spt_options_set_number(options, knobs[i].name, knobs[i].value);
    /* All rows of the other folds train, as in the other frameworks. */
    if (status >= 0) status = spt_options_set_text(options, "watch", "scored");
    if (status >= 0) status = spt_cv_new(w->ctx, w->dataset, NULL, "carbon", options, &w->cv);
    spt_options_free(options);
    return status;
}

static int target_sd(work *w)
{
    double *y = malloc((size_t)w->rows * sizeof *y), mean = 0, squares = 0;
    if (y == NULL) return -1;
    const int32_t status =
        spt_dataset_numbers(w->dataset, spt_dataset_find_column(w->dataset, "carbon"), y, w->rows);
    for (int64_t i = 0; i < w->rows && status >= 0; i++)
        mean += y[i] / (double)w->rows;
    for (int64_t i = 0; i < w->rows && status >= 0; i++)
        squares += (y[i] - mean) * (y[i] - mean);
    w->sd = sqrt(squares / (double)w->rows);
    free(y);
    return status;
}

static int prepare(work *w)
{
    TRY(spt_ctx_set_threads(w->ctx, (int32_t)w->threads));
    TRY(bench_dataset(w->ctx, w->rows, &w->dataset));
    TRY(make_space(w));
    const double start = bench_now();
    TRY(make_cv(w));
    TRY(spt_store_open(w->ctx, "memory:", SPT_STORE_CREATE, &w->store));
    TRY(spt_study_open(w->store, NULL, w->space, NULL, &w->study));
    TRY(spt_study_set_cv(w->study, w->cv));
    w->setup = bench_now() - start;
    return target_sd(w);
}

static int one_trial(work *w, double *loss)
{
    spt_trial *trial = NULL;
    TRY(spt_study_ask_given(w->study, w->config, &trial));
    int32_t status = spt_cv_objective(trial, loss, w->cv);
    if (status >= 0) status = spt_trial_tell(trial, SPT_TRIAL_COMPLETE, *loss);
    spt_trial_free(trial);
    return status;
}

/* Most memory that this process ever held, in MB of 10^6 bytes. */
static double peak_memory(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss * 1024 / 1e6;
}

static int run(bench_result *result, void *user)
{
    work *w = user;
    double loss = 0;
    const double start = bench_now();
    if (one_trial(w, &loss) < 0) {
        fprintf(stderr, "bench_cv: %s\n", spt_ctx_last_error(w->ctx));
        return 1;
    }
    result->seconds = bench_now() - start;
    result->samples = (double)(w->rows * (w->folds - 1) * w->epochs);
    snprintf(result->note, sizeof result->note, "rmse %.4f memory %.0f", loss / w->sd,
             peak_memory());
    return 0;
}

static int write_files(work *w, const char *folder)
{
    float *x = NULL, *y = NULL;
    int32_t *folds = malloc((size_t)w->rows * sizeof *folds);
    const bench_job *job = bench_find("R1");
    int64_t needed = 0;
    int32_t status = folds != NULL ? SPT_OK : SPT_ENOMEM;
    if (status >= 0) status = spt_cv_rows(w->cv, NULL, folds, w->rows, &needed);
    if (status >= 0) status = bench_inputs(w->ctx, job, w->rows, &x, &y);
    if (status >= 0 &&
        (bench_write(folder, "x.f32", x, sizeof *x, w->rows * job->bands * job->channels) != 0 ||
         bench_write(folder, "y.f32", y, sizeof *y, w->rows) != 0 ||
         bench_write(folder, "fold.i32", folds, sizeof *folds, w->rows) != 0))
        status = SPT_EIO;
    free(folds);
    free(x);
    free(y);
    return status;
}

static void release(work *w)
{
    spt_study_free(w->study);
    spt_store_free(w->store);
    spt_cv_free(w->cv);
    spt_config_free(w->config);
    spt_space_free(w->space);
    spt_dataset_free(w->dataset);
    spt_ctx_free(w->ctx);
}

static int job(work *w, int64_t rounds, const char *folder)
{
    char facts[240];
    const bench_job *r1 = bench_find("R1");
    int status = 1;
    if (spt_ctx_new(NULL, &w->ctx) < 0) return 1;
    if (prepare(w) < 0 || (folder != NULL && write_files(w, folder) < 0)) {
        fprintf(stderr, "bench_cv: %s\n", spt_ctx_last_error(w->ctx));
    } else if (folder != NULL) {
        status = 0;
    } else {
        snprintf(
            facts, sizeof facts,
            "{\"bands\": %d, \"channels\": %d, \"rows\": %lld, \"batch\": %d, \"folds\": %lld, "
            "\"epochs\": %lld, \"flops\": %.0f, \"setup\": %.3f}",
            (int)r1->bands, (int)r1->channels, (long long)w->rows, BATCH, (long long)w->folds,
            (long long)w->epochs, r1->flops, w->setup);
        status = bench_rounds(rounds, facts, run, w);
    }
    release(w);
    return status;
}

int main(int argc, char **argv)
{
    static work w = {.rows = 17607, .folds = 10, .epochs = 5, .threads = 2};
    int64_t rounds = 1;
    const char *folder = NULL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--rows") == 0)
            w.rows = bench_whole(argv[++i]);
        else if (strcmp(argv[i], "--folds") == 0)
            w.folds = bench_whole(argv[++i]);
        else if (strcmp(argv[i], "--epochs") == 0)
            w.epochs = bench_whole(argv[++i]);
        else if (strcmp(argv[i], "--threads") == 0)
            w.threads = bench_whole(argv[++i]);
        else if (strcmp(argv[i], "--rounds") == 0)
            rounds = bench_whole(argv[++i]);
        else if (strcmp(argv[i], "--serve") == 0)
            rounds = 0;
        else if (strcmp(argv[i], "--write") == 0 && i + 1 < argc)
            folder = argv[++i];
        else {
            fprintf(stderr, "usage: bench_cv [--rows N] [--folds N] [--epochs N] [--threads N] "
                            "[--rounds N] [--serve] [--write FOLDER]\n");
            return 2;
        }
    }
    return job(&w, rounds, folder);
}
