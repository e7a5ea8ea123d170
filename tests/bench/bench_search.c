/* Samplers at work, for run_search.py; by hand too:
 *
 *   bench_search list
 *   bench_search FUNCTION [TRIALS FIRST-SEED LAST-SEED [KNOB=VALUE...]]
 *       a line per seed: the seed, microseconds per ask, the best value after each trial
 *   bench_search points FUNCTION N
 *       N random configurations: name=value of what exists, and the function's value as "value="
 *   bench_search ask TRIALS [KNOB=VALUE...]
 *       milliseconds per ask with so many finished trials of 30 conditional parameters
 *
 * Every trial is proposed by the sampler, the first too: no function is met at its space's
 * defaults. */
#include "search_functions.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST_PARAMETERS = 32 };

/* Seconds that this thread got of a processor: what an ask costs, whoever else is at work. */
static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void check(spt_ctx *ctx, int32_t status)
{
    if (status >= 0) return;
    fprintf(stderr, "bench_search: %s: %s\n", spt_status_name(status), spt_ctx_last_error(ctx));
    exit(1);
}

static spt_sampler *new_sampler(spt_ctx *ctx, const spt_space *space, long seed, char **knobs)
{
    spt_options *options;
    spt_sampler *sampler;
    check(ctx, spt_sampler_options_new(ctx, &options));
    check(ctx, spt_options_set_text(options, "first", "random"));
    check(ctx, spt_options_set_number(options, "seed", (double)seed));
    for (; *knobs; knobs++) {
        char name[64];
        const size_t length = strcspn(*knobs, "=");
        if (length >= sizeof name || !(*knobs)[length]) {
            fprintf(stderr, "bench_search: '%s' is not KNOB=VALUE\n", *knobs);
            exit(1);
        }
        memcpy(name, *knobs, length);
        name[length] = '\0';
        check(ctx, spt_options_set_text(options, name, *knobs + length + 1));
    }
    check(ctx, spt_sampler_new(ctx, space, options, &sampler));
    spt_options_free(options);
    return sampler;
}

/* Values in the order of the space, NaN for what does not exist. */
static int values_of(const spt_config *config, double *x)
{
    const spt_space *space = spt_config_space(config);
    const int n = spt_space_count(space);
    for (int i = 0; i < n; i++) {
        spt_parameter_info info;
        spt_record_init(&info, sizeof info);
        spt_space_describe(space, i, &info);
        x[i] = NAN;
        if (spt_config_exists(config, info.name) == 1) spt_config_number(config, info.name, &x[i]);
    }
    return n;
}

static void run(spt_ctx *ctx, const search_function *f, long trials, long seed, char **knobs)
{
    spt_space *space;
    check(ctx, f->space(ctx, f, &space));
    spt_sampler *sampler = new_sampler(ctx, space, seed, knobs);
    double best = INFINITY, asking = 0, *curve = malloc((size_t)trials * sizeof *curve);
    if (!curve) exit(1);
    long done = 0;
    for (; done < trials; done++) {
        double x[MOST_PARAMETERS];
        spt_config *config = NULL;
        const double start = now();
        const int32_t status = spt_sampler_propose(sampler, done, &config);
        asking += now() - start;
        check(ctx, status);
        if (status != SPT_OK) break;
        const double value = f->value(x, values_of(config, x));
        if (value < best) best = value;
        curve[done] = best;
        check(ctx, spt_sampler_tell(sampler, done, config, SPT_TRIAL_COMPLETE, value, 0));
        spt_config_free(config);
    }
    printf("%ld %.3f", seed, done ? 1e6 * asking / (double)done : 0);
    for (long i = 0; i < done; i++)
        printf(" %.9g", curve[i]);
    printf("\n");
    free(curve);
    spt_sampler_free(sampler);
    spt_space_free(space);
}

/* What another implementation of a function can be checked by. */
static void print_points(spt_ctx *ctx, const search_function *f, long n)
{
    char *knobs[] = {"sampler=random", NULL};
    spt_space *space;
    check(ctx, f->space(ctx, f, &space));
    spt_sampler *sampler = new_sampler(ctx, space, 12345, knobs);
    for (long i = 0; i < n; i++) {
        double x[MOST_PARAMETERS];
        spt_config *config = NULL;
        check(ctx, spt_sampler_propose(sampler, i, &config));
        const int count = values_of(config, x);
        for (int k = 0; k < count; k++) {
            spt_parameter_info info;
            spt_record_init(&info, sizeof info);
            spt_space_describe(space, k, &info);
            if (!isnan(x[k])) printf("%s=%.17g ", info.name, x[k]);
        }
        printf("value=%.17g\n", f->value(x, count));
        spt_config_free(config);
    }
    spt_sampler_free(sampler);
    spt_space_free(space);
}

/* A loss that makes trials cluster as they do in a study. */
static double timing_loss(const double *x, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        if (!isnan(x[i])) sum += fabs(sin(3 + i + (x[i] > 0 ? log(x[i]) : x[i])));
    return sum;
}

/* Tell and ask in turns: what is kept between asks is as it would be in a study. */
static void time_asks(spt_ctx *ctx, long trials, char **knobs)
{
    enum { ASKS = 40 };
    double took[ASKS];
    spt_space *space;
    spt_options *random;
    spt_sampler *source;
    check(ctx, search_timing_space(ctx, &space));
    check(ctx, spt_sampler_options_new(ctx, &random));
    check(ctx, spt_options_set_text(random, "sampler", "random"));
    check(ctx, spt_sampler_new(ctx, space, random, &source));
    spt_options_free(random);
    spt_sampler *sampler = new_sampler(ctx, space, 1, knobs);
    /* Every other trial is what the sampler itself likes; a full run would take minutes for some.
     */
    for (long i = 0; i < trials + ASKS; i++) {
        double x[MOST_PARAMETERS];
        spt_config *config = NULL;
        const bool own = i >= trials || (i < 2000 && i % 2 == 1);
        const double start = now();
        check(ctx, spt_sampler_propose(own ? sampler : source, i, &config));
        if (i >= trials) took[i - trials] = now() - start;
        check(ctx, spt_sampler_tell(sampler, i, config, SPT_TRIAL_COMPLETE,
                                    timing_loss(x, values_of(config, x)), 0));
        spt_config_free(config);
    }
    for (int i = 1; i < ASKS; i++)
        for (int j = i; j > 0 && took[j] < took[j - 1]; j--) {
            const double t = took[j];
            took[j] = took[j - 1];
            took[j - 1] = t;
        }
    printf("%.4f\n", 1e3 * took[ASKS / 2]);
    spt_sampler_free(sampler);
    spt_sampler_free(source);
    spt_space_free(space);
}

int main(int argc, char **argv)
{
    spt_ctx *ctx;
    char *none[] = {NULL};
    if (argc < 2 || spt_ctx_new(NULL, &ctx) < 0) return 1;
    if (strcmp(argv[1], "list") == 0) {
        for (int i = 0; search_at(i); i++)
            printf("%s\n", search_at(i)->name);
    } else if (strcmp(argv[1], "points") == 0 && argc == 4 && search_find(argv[2])) {
        print_points(ctx, search_find(argv[2]), atol(argv[3]));
    } else if (strcmp(argv[1], "ask") == 0) {
        time_asks(ctx, argc > 2 ? atol(argv[2]) : 1000, argc > 3 ? argv + 3 : none);
    } else {
        const search_function *f = search_find(argv[1]);
        if (!f) {
            fprintf(stderr, "bench_search: there is no function '%s'\n", argv[1]);
            return 1;
        }
        const long first = argc > 3 ? atol(argv[3]) : 0, last = argc > 4 ? atol(argv[4]) : first;
        for (long seed = first; seed <= last; seed++)
            run(ctx, f, argc > 2 ? atol(argv[2]) : 100, seed, argc > 5 ? argv + 5 : none);
    }
    spt_ctx_free(ctx);
    return 0;
}
