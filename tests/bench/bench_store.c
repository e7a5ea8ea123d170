/* A study of many trials: opened, asked, told. For run_store.py; by hand too:
 *
 *   bench_store make FILE PARAMETERS
 *       a study "bench" of two trials, after whose pattern others are made
 *   bench_store open FILE
 *       seconds: store and study, then the history; the same of processor time; how many trials
 *       are whole
 *   bench_store work FILE PAIRS RUNNING [KNOB=VALUE...]
 *       asks for RUNNING trials that are never told, as those of other workers; then a line for
 *       each of PAIRS trials: milliseconds of ask and of tell, and the same of processor time
 *
 * Knobs are those of the sampler. */
#define _POSIX_C_SOURCE 200809L
#include "bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Seconds: that pass, that this thread got of a processor. */
typedef struct moment {
    double wall, cpu;
} moment;

static moment now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (moment){bench_now(), (double)t.tv_sec + 1e-9 * (double)t.tv_nsec};
}

static void must(spt_ctx *ctx, int32_t status)
{
    if (status == SPT_OK) return;
    fprintf(stderr, "bench_store: %s: %s\n", spt_status_name(status), spt_ctx_last_error(ctx));
    exit(1);
}

/* Any will do: what it is does not matter to the time. */
static double loss_of(const spt_config *c)
{
    const spt_space *space = spt_config_space(c);
    double sum = 0;
    for (int32_t i = 0; i < spt_space_count(space); i++) {
        spt_parameter_info info;
        double v = 0;
        spt_record_init(&info, sizeof info);
        spt_space_describe(space, i, &info);
        spt_config_number(c, info.name, &v);
        sum += fabs(sin(3 + i + v));
    }
    return sum;
}

static spt_study *open_study(spt_ctx *ctx, const char *file, const spt_space *space, char **knobs)
{
    spt_store *store = NULL;
    spt_options *sampler = NULL;
    spt_study *study = NULL;
    must(ctx, spt_sampler_options_new(ctx, &sampler));
    for (; *knobs != NULL; knobs++) {
        char name[64];
        const size_t length = strcspn(*knobs, "=");
        if (length >= sizeof name || (*knobs)[length] == '\0') {
            fprintf(stderr, "bench_store: '%s' is not KNOB=VALUE\n", *knobs);
            exit(1);
        }
        memcpy(name, *knobs, length);
        name[length] = '\0';
        must(ctx, spt_options_set_text(sampler, name, *knobs + length + 1));
    }
    must(ctx, spt_store_open(ctx, file, space != NULL ? SPT_STORE_CREATE : SPT_STORE_OPEN, &store));
    must(ctx, spt_study_open(store, "bench", space, sampler, &study));
    spt_options_free(sampler);
    spt_store_free(store);
    return study;
}

static void tell(spt_ctx *ctx, spt_trial *trial)
{
    must(ctx, spt_trial_tell(trial, SPT_TRIAL_COMPLETE, loss_of(spt_trial_config(trial))));
}

static void make(spt_ctx *ctx, const char *file, int32_t parameters)
{
    char *random[] = {"sampler=random", NULL};
    spt_space *space = NULL;
    must(ctx, bench_mixed_space(ctx, parameters, &space));
    spt_study *study = open_study(ctx, file, space, random);
    for (int i = 0; i < 2; i++) {
        spt_trial *trial = NULL;
        must(ctx, spt_study_ask(study, &trial));
        tell(ctx, trial);
        spt_trial_free(trial);
    }
    spt_study_free(study);
    spt_space_free(space);
}

static void time_opening(spt_ctx *ctx, const char *file)
{
    char *none[] = {NULL};
    spt_history *history = NULL;
    const moment start = now();
    spt_study *study = open_study(ctx, file, NULL, none);
    const moment opened = now();
    must(ctx, spt_study_history(study, &history));
    const moment read = now();
    int64_t whole = 0;
    for (int64_t i = 0; i < spt_history_count(history); i++)
        whole += spt_history_config(history, i) != NULL;
    printf("%.6f %.6f %.6f %.6f %lld\n", opened.wall - start.wall, read.wall - opened.wall,
           opened.cpu - start.cpu, read.cpu - opened.cpu, (long long)whole);
    spt_history_free(history);
    spt_study_free(study);
}

static void time_work(spt_ctx *ctx, const char *file, int64_t pairs, int64_t running, char **knobs)
{
    spt_study *study = open_study(ctx, file, NULL, knobs);
    spt_trial **others = calloc((size_t)running + 1, sizeof(spt_trial *));
    if (others == NULL) exit(1);
    for (int64_t i = 0; i < running; i++)
        must(ctx, spt_study_ask(study, &others[i]));
    for (int64_t i = 0; i < pairs; i++) {
        spt_trial *trial = NULL;
        const moment start = now();
        must(ctx, spt_study_ask(study, &trial));
        const moment asked = now();
        tell(ctx, trial);
        const moment told = now();
        printf("%.4f %.4f %.4f %.4f\n", 1e3 * (asked.wall - start.wall),
               1e3 * (told.wall - asked.wall), 1e3 * (asked.cpu - start.cpu),
               1e3 * (told.cpu - asked.cpu));
        spt_trial_free(trial);
    }
    for (int64_t i = 0; i < running; i++)
        spt_trial_free(others[i]);
    free((void *)others);
    spt_study_free(study);
}

int main(int argc, char **argv)
{
    spt_ctx *ctx = NULL;
    if (spt_ctx_new(NULL, &ctx) < 0) return 1;
    if (argc == 4 && strcmp(argv[1], "make") == 0) {
        make(ctx, argv[2], (int32_t)bench_whole(argv[3]));
    } else if (argc == 3 && strcmp(argv[1], "open") == 0) {
        time_opening(ctx, argv[2]);
    } else if (argc >= 5 && strcmp(argv[1], "work") == 0) {
        time_work(ctx, argv[2], bench_whole(argv[3]), atol(argv[4]), argv + 5);
    } else {
        fputs("usage: bench_store make FILE PARAMETERS | open FILE | work FILE PAIRS RUNNING "
              "[KNOB=VALUE...]\n",
              stderr);
        return 2;
    }
    spt_ctx_free(ctx);
    return 0;
}
