/* Random trials of a made-up loss, and the time that their analysis takes.
 *
 * usage: bench_importance STORE TRIALS PARAMETERS TREES THREADS REPEATS
 *
 * Makes the study in STORE (a file, or memory:) unless it is there, analyses it with all pairs, and
 * prints the seconds of each repeat. */
#include "bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void must(spt_ctx *ctx, int32_t status)
{
    if (status >= 0) return;
    fprintf(stderr, "bench_importance: %s\n", spt_ctx_last_error(ctx));
    exit(1);
}

/* 0 to 1 along the parameter's scale. */
static double place(const spt_config *c, int i)
{
    char name[32];
    double v = 0;
    snprintf(name, sizeof name, "p%02d", i);
    spt_config_number(c, name, &v);
    return i % 5 == 0   ? v
           : i % 5 == 1 ? (log10(v) + 5) / 4
           : i % 5 == 2 ? (v - 1) / 63
           : i % 5 == 3 ? v / 0.6
                        : v / 3;
}

/* Curves of falling weight, interactions of neighbours, and noise. */
static int32_t objective(spt_trial *trial, double *loss, void *user)
{
    const int n = *(int *)user;
    const spt_config *c = spt_trial_config(trial);
    double sum = 0, noise = 0;
    for (int i = 0; i < n; i++) {
        const double z = place(c, i);
        sum += sin(3 * z + i) / (1 + 0.5 * i);
        if (i + 1 < n) sum += (z - 0.5) * (place(c, i + 1) - 0.5) / (1 + 0.5 * i);
        noise += 1e4 * z;
    }
    *loss = sum + 0.2 * sin(noise);
    return SPT_OK;
}

static spt_history *history_of(spt_ctx *ctx, const char *url, int trials, int *parameters)
{
    spt_space *space = NULL;
    spt_store *store = NULL;
    spt_options *sampler = NULL;
    spt_study *study = NULL;
    spt_history *history = NULL;
    must(ctx, bench_mixed_space(ctx, *parameters, &space));
    must(ctx, spt_store_open(ctx, url, SPT_STORE_CREATE, &store));
    must(ctx, spt_sampler_options_new(ctx, &sampler));
    must(ctx, spt_options_set_text(sampler, "sampler", "random"));
    must(ctx, spt_study_open(store, "bench", space, sampler, &study));
    must(ctx, spt_study_set_objective(study, objective, parameters, NULL));
    must(ctx, spt_study_run(study, trials, 0));
    must(ctx, spt_study_history(study, &history));
    spt_study_free(study);
    spt_options_free(sampler);
    spt_store_free(store);
    spt_space_free(space);
    return history;
}

int main(int argc, char **argv)
{
    spt_ctx *ctx = NULL;
    spt_options *forest = NULL;
    if (argc != 7) {
        fputs("usage: bench_importance STORE TRIALS PARAMETERS TREES THREADS REPEATS\n", stderr);
        return 2;
    }
    int parameters = atoi(argv[3]);
    must(ctx, spt_ctx_new(NULL, &ctx));
    must(ctx, spt_ctx_set_threads(ctx, atoi(argv[5])));
    spt_history *history = history_of(ctx, argv[1], atoi(argv[2]), &parameters);
    must(ctx, spt_fanova_options_new(ctx, &forest));
    must(ctx, spt_options_set_number(forest, "trees", atoi(argv[4])));
    for (int i = 0; i < atoi(argv[6]); i++) {
        spt_fanova *f = NULL;
        const double start = bench_now();
        must(ctx, spt_fanova_new(ctx, history, forest, &f));
        const double seconds = bench_now() - start;
        printf("%.6f %lld %d %.4f\n", seconds, (long long)spt_fanova_pair_count(f),
               (int)spt_fanova_count(f), spt_fanova_out_of_bag(f));
        spt_fanova_free(f);
    }
    spt_options_free(forest);
    spt_history_free(history);
    spt_ctx_free(ctx);
    return 0;
}
