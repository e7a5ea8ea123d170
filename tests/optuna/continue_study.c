/* A host that goes on with a study of another program: its own objective, the study's own space.
 *
 *   continue_study URL STUDY TRIALS */
#include <math.h>
#include <spectune.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* x + (kind is 2) - |n - 8| / 64, to be as high as possible. */
static int32_t objective(spt_trial *trial, double *value, void *user)
{
    const spt_config *config = spt_trial_config(trial);
    double x, n;
    (void)user;
    if (spt_config_number(config, "x", &x) < 0 || spt_config_number(config, "n", &n) < 0)
        return SPT_EINVAL;
    const char *kind = spt_config_choice(config, "kind");
    *value = x + (kind != NULL && strcmp(kind, "2") == 0) - fabs(n - 8) / 64;
    return spt_trial_report(trial, 0, *value);
}

int main(int argc, char **argv)
{
    spt_ctx *ctx = NULL;
    spt_store *store = NULL;
    spt_study *study = NULL;
    spt_history *history = NULL;
    if (argc != 4 || spt_ctx_new(NULL, &ctx) < 0) return 2;
    int32_t s = spt_store_open(ctx, argv[1], SPT_STORE_OPEN, &store);
    if (s >= 0) s = spt_study_open(store, argv[2], NULL, NULL, &study);
    if (s >= 0) s = spt_study_set_objective(study, objective, NULL, NULL);
    if (s >= 0) s = spt_study_history(study, &history);
    if (s >= 0) s = spt_study_run(study, spt_history_finished(history) + atoi(argv[3]), 0);
    if (s < 0) fprintf(stderr, "%s\n", spt_ctx_last_error(ctx));
    spt_history_free(history);
    spt_study_free(study);
    spt_store_free(store);
    spt_ctx_free(ctx);
    return s == SPT_STOP_TRIALS ? 0 : 1;
}
