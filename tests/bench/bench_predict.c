/* Prediction speed of one network on one thread.
 *
 *   bench_predict R1|R2|R3 [--batch N] [--rounds N] [--serve] [--write FOLDER]
 *
 * N spectra in each call (512), or 1: one after the other. --write leaves the spectra, what our
 * network says of them, and its weights for the programs of other frameworks (x.f32, y.f32,
 * weights.f32, weights.json) and measures nothing. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SPECTRA = 512, TRAINING = 4096 };

typedef struct work {
    const bench_job *job;
    int64_t batch, calls;
    spt_ctx *ctx;
    spt_network *network;
    float *x, *y, out[SPECTRA];
} work;

#define TRY(call) \
    if ((call) < 0) return -1

/* A short training, so that weights and running statistics are not those of the first day. */
static int train(work *w)
{
    spt_options *options = NULL;
    int64_t rows[TRAINING];
    for (int64_t i = 0; i < TRAINING; i++)
        rows[i] = i;
    int32_t status = spt_training_options_new(w->ctx, &options);
    if (status >= 0) status = spt_options_set_number(options, "batch_size", (double)w->job->batch);
    if (status >= 0) status = spt_options_set_number(options, "epochs", 2);
    if (status >= 0)
        status = spt_network_fit(w->network, w->x, w->y, NULL, TRAINING, rows, TRAINING, NULL, 0,
                                 options, NULL, NULL, NULL);
    spt_options_free(options);
    return status;
}

static int prepare(work *w)
{
    TRY(spt_ctx_set_threads(w->ctx, 1));
    TRY(bench_inputs(w->ctx, w->job, TRAINING, &w->x, &w->y));
    TRY(bench_network(w->ctx, w->job, 1, &w->network));
    TRY(train(w));
    return spt_network_predict(w->network, w->x, SPECTRA, w->out);
}

static int run(bench_result *result, void *user)
{
    work *w = user;
    const int64_t size = w->job->bands * w->job->channels, places = SPECTRA / w->batch;
    const double start = bench_now();
    for (int64_t i = 0; i < w->calls; i++) {
        const int64_t first = i % places * w->batch;
        if (spt_network_predict(w->network, w->x + first * size, w->batch, w->out + first) < 0) {
            fprintf(stderr, "bench_predict: %s\n", spt_ctx_last_error(w->ctx));
            return 1;
        }
    }
    result->seconds = bench_now() - start;
    result->samples = (double)(w->calls * w->batch);
    return 0;
}

/* As many calls as take about half a second. */
static int calibrate(work *w)
{
    bench_result r = {0, 0, ""};
    for (w->calls = 1; r.seconds < 0.1; w->calls *= 2)
        if (run(&r, w) != 0) return -1;
    const double calls = 0.5 * (double)w->calls / 2 / r.seconds;
    w->calls = calls < 1 ? 1 : (int64_t)calls;
    return 0;
}

/* All tensors, one behind the other, and a list of their names and dims in that order. */
static int write_weights(work *w, const char *folder)
{
    const int64_t n = spt_network_tensors(w->network);
    char list[8192] = "[";
    int64_t at = 1, total = 0;
    spt_tensor_info info;
    float *values = NULL;
    for (int64_t i = 0; i < n; i++) {
        spt_record_init(&info, sizeof info);
        TRY(spt_network_tensor(w->network, i, &info));
        at += snprintf(list + at, sizeof list - (size_t)at, "%s[\"%s\"", i > 0 ? ", " : "",
                       info.name);
        for (int32_t d = 0; d < info.n_dims; d++)
            at += snprintf(list + at, sizeof list - (size_t)at, ", %d", (int)info.dims[d]);
        at += snprintf(list + at, sizeof list - (size_t)at, "]");
        float *grown = realloc(values, (size_t)(total + info.size) * sizeof *values);
        if (grown == NULL || spt_network_values(w->network, i, grown + total, info.size) < 0) {
            free(grown != NULL ? grown : values);
            return -1;
        }
        values = grown;
        total += info.size;
    }
    at += snprintf(list + at, sizeof list - (size_t)at, "]\n");
    const int status = bench_write(folder, "weights.f32", values, sizeof *values, total) != 0 ||
                               bench_write(folder, "weights.json", list, 1, at) != 0
                           ? -1
                           : 0;
    free(values);
    return status;
}

static int write_files(work *w, const char *folder)
{
    const int64_t size = w->job->bands * w->job->channels;
    return bench_write(folder, "x.f32", w->x, sizeof *w->x, SPECTRA * size) != 0 ||
           bench_write(folder, "y.f32", w->out, sizeof *w->out, SPECTRA) != 0 ||
           write_weights(w, folder) != 0;
}

static int job(work *w, int64_t rounds, const char *folder)
{
    char facts[120];
    int status = 1;
    if (spt_ctx_new(NULL, &w->ctx) < 0) return 1;
    if (prepare(w) < 0 || (folder == NULL && calibrate(w) < 0)) {
        fprintf(stderr, "bench_predict: %s\n", spt_ctx_last_error(w->ctx));
    } else if (folder != NULL) {
        status = write_files(w, folder);
    } else {
        snprintf(facts, sizeof facts, "{\"bands\": %d, \"channels\": %d, \"flops\": %.0f}",
                 (int)w->job->bands, (int)w->job->channels, w->job->flops_forward);
        status = bench_rounds(rounds, facts, run, w);
    }
    spt_network_free(w->network);
    free(w->x);
    free(w->y);
    spt_ctx_free(w->ctx);
    return status;
}

int main(int argc, char **argv)
{
    static work w = {.batch = SPECTRA};
    int64_t rounds = 5;
    const char *folder = NULL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--batch") == 0)
            w.batch = bench_whole(argv[++i]);
        else if (strcmp(argv[i], "--rounds") == 0)
            rounds = bench_whole(argv[++i]);
        else if (strcmp(argv[i], "--serve") == 0)
            rounds = 0;
        else if (strcmp(argv[i], "--write") == 0 && i + 1 < argc)
            folder = argv[++i];
        else
            w.job = bench_find(argv[i]);
    }
    if (w.job == NULL || w.batch > SPECTRA) {
        fprintf(stderr, "usage: bench_predict R1|R2|R3 [--batch 1..512] [--rounds N] [--serve] "
                        "[--write FOLDER]\n");
        return 2;
    }
    return job(&w, rounds, folder);
}
