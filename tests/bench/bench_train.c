/* Training speed of one network.
 *
 *   bench_train R1|R2|R3 [--threads N] [--rounds N] [--serve] [--write FOLDER]
 *
 * N threads train N networks of their own, each with a context of its own: one network never uses
 * more than one thread, folds and trials run side by side instead. --write leaves the inputs for
 * the programs of other frameworks (x.f32, y.f32) and trains nothing. */
#include "bench.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 64 };

/* One thread's own. */
typedef struct lane {
    const bench_job *job;
    spt_ctx *ctx;
    spt_network *network;
    spt_options *options;
    const float *x, *y;
    const int64_t *rows;
    double loss;
    int32_t status;
} lane;

typedef struct field {
    const bench_job *job;
    int64_t threads, n_rows;
    lane lanes[MOST];
    float *x, *y;
    int64_t *rows;
} field;

static void *train(void *user)
{
    lane *l = user;
    spt_training_report report;
    spt_record_init(&report, sizeof report);
    l->status = spt_network_fit(l->network, l->x, l->y, NULL, l->job->rows, l->rows, l->job->rows,
                                NULL, 0, l->options, NULL, NULL, &report);
    l->loss = report.loss;
    return NULL;
}

static int run(bench_result *result, void *user)
{
    field *f = user;
    pthread_t thread[MOST];
    const double start = bench_now();
    for (int64_t i = 1; i < f->threads; i++)
        if (pthread_create(&thread[i], NULL, train, &f->lanes[i]) != 0) {
            fprintf(stderr, "bench_train: a thread could not be started\n");
            exit(1);
        }
    train(&f->lanes[0]);
    for (int64_t i = 1; i < f->threads; i++)
        pthread_join(thread[i], NULL);
    result->seconds = bench_now() - start;
    result->samples = (double)(f->threads * f->job->rows * f->job->epochs);
    snprintf(result->note, sizeof result->note, "loss %.4f", f->lanes[0].loss);
    for (int64_t i = 0; i < f->threads; i++)
        if (f->lanes[i].status < 0) {
            fprintf(stderr, "bench_train: %s\n", spt_ctx_last_error(f->lanes[i].ctx));
            return 1;
        }
    return 0;
}

static int32_t open_lane(lane *l, const field *f, uint64_t seed)
{
    l->job = f->job;
    l->x = f->x;
    l->y = f->y;
    l->rows = f->rows;
    int32_t status = spt_ctx_new(NULL, &l->ctx);
    if (status >= 0) status = spt_ctx_set_threads(l->ctx, 1);
    if (status >= 0) status = bench_network(l->ctx, f->job, seed, &l->network);
    if (status >= 0) status = spt_training_options_new(l->ctx, &l->options);
    if (status >= 0)
        status = spt_options_set_number(l->options, "batch_size", (double)f->job->batch);
    if (status >= 0) status = spt_options_set_number(l->options, "epochs", (double)f->job->epochs);
    return status;
}

static void close_lane(lane *l)
{
    spt_options_free(l->options);
    spt_network_free(l->network);
    spt_ctx_free(l->ctx);
}

static int write_inputs(const field *f, const char *folder)
{
    const bench_job *job = f->job;
    return bench_write(folder, "x.f32", f->x, sizeof *f->x,
                       job->rows * job->bands * job->channels) != 0 ||
           bench_write(folder, "y.f32", f->y, sizeof *f->y, job->rows) != 0;
}

static int work(field *f, int64_t rounds, const char *folder)
{
    const bench_job *job = f->job;
    spt_ctx *ctx = NULL;
    char facts[320];
    int status = 1;
    bench_result warm = {0, 0, ""};
    int32_t s = spt_ctx_new(NULL, &ctx);
    if (s >= 0) s = bench_inputs(ctx, job, job->rows, &f->x, &f->y);
    if (s < 0) {
        fprintf(stderr, "bench_train: %s\n", ctx != NULL ? spt_ctx_last_error(ctx) : "no memory");
        goto done;
    }
    if (folder != NULL) {
        status = write_inputs(f, folder);
        goto done;
    }
    f->rows = malloc((size_t)job->rows * sizeof *f->rows);
    if (f->rows == NULL) goto done;
    for (int64_t i = 0; i < job->rows; i++)
        f->rows[i] = i;
    for (int64_t i = 0; i < f->threads; i++)
        if (open_lane(&f->lanes[i], f, (uint64_t)i + 1) < 0) {
            fprintf(stderr, "bench_train: %s\n", spt_ctx_last_error(f->lanes[i].ctx));
            goto done;
        }
    if (run(&warm, f) != 0) goto done;
    snprintf(facts, sizeof facts,
             "{\"bands\": %d, \"channels\": %d, \"rows\": %d, \"batch\": %d, \"epochs\": %d, "
             "\"flops\": %.0f, \"version\": \"%s\", \"build\": \"%.120s\"}",
             (int)job->bands, (int)job->channels, (int)job->rows, (int)job->batch, (int)job->epochs,
             job->flops, spt_version(), spt_build_info());
    status = bench_rounds(rounds, facts, run, f);
done:
    for (int64_t i = 0; i < f->threads; i++)
        close_lane(&f->lanes[i]);
    free(f->rows);
    free(f->x);
    free(f->y);
    spt_ctx_free(ctx);
    return status;
}

int main(int argc, char **argv)
{
    static field f = {.threads = 1};
    int64_t rounds = 5;
    const char *folder = NULL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--threads") == 0)
            f.threads = bench_whole(argv[++i]);
        else if (strcmp(argv[i], "--rounds") == 0)
            rounds = bench_whole(argv[++i]);
        else if (strcmp(argv[i], "--serve") == 0)
            rounds = 0;
        else if (strcmp(argv[i], "--write") == 0 && i + 1 < argc)
            folder = argv[++i];
        else
            f.job = bench_find(argv[i]);
    }
    if (f.job == NULL || f.threads > MOST) {
        fprintf(stderr, "usage: bench_train R1|R2|R3 [--threads 1..64] [--rounds N] [--serve] "
                        "[--write FOLDER]\n");
        return 2;
    }
    return work(&f, rounds, folder);
}
