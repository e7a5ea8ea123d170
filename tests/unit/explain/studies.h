/* Histories for the tests of explain: studies of random trials in memory. */
#ifndef SPT_TESTS_EXPLAIN_STUDIES_H
#define SPT_TESTS_EXPLAIN_STUDIES_H

#include "testing.h"

#include <stdbool.h>

typedef double (*config_loss)(const spt_config *c);

/* The number, or the index of the choice; 0 where it does not exist. */
static inline double number(const spt_config *c, const char *name)
{
    double v = 0;
    if (spt_config_exists(c, name) == 1) ck_assert_int_eq(spt_config_number(c, name, &v), SPT_OK);
    return v;
}

static inline int32_t study_objective(spt_trial *trial, double *loss, void *user)
{
    *loss = (*(config_loss *)user)(spt_trial_config(trial));
    return isnan(*loss) ? SPT_EDIVERGED : SPT_OK;
}

/* Random trials; a loss that is no number is a failed trial. */
static inline spt_history *study_of(spt_ctx *ctx, spt_space *space, config_loss fn, int64_t trials)
{
    spt_store *store = NULL;
    spt_study *study = NULL;
    spt_options *sampler = NULL;
    spt_history *h = NULL;
    OK(ctx, spt_store_open(ctx, "memory:", SPT_STORE_CREATE, &store));
    OK(ctx, spt_sampler_options_new(ctx, &sampler));
    OK(ctx, spt_options_set_text(sampler, "sampler", "random"));
    OK(ctx, spt_study_open(store, "s", space, sampler, &study));
    OK(ctx, spt_study_set_objective(study, study_objective, &fn, NULL));
    OK(ctx, spt_study_run(study, trials, 0));
    OK(ctx, spt_study_history(study, &h));
    spt_options_free(sampler);
    spt_study_free(study);
    spt_store_free(store);
    return h;
}

static inline spt_importance importance(const spt_fanova *f, const char *name)
{
    spt_importance p;
    spt_record_init(&p, sizeof p);
    for (int32_t i = 0; i < spt_fanova_count(f); i++) {
        ck_assert_int_eq(spt_fanova_main(f, i, &p), SPT_OK);
        if (strcmp(p.name, name) == 0) return p;
    }
    ck_abort_msg("'%s' is not analysed", name);
    return p;
}

static inline double pair_share(const spt_fanova *f, const char *a, const char *b)
{
    spt_interaction p;
    spt_record_init(&p, sizeof p);
    for (int64_t i = 0; i < spt_fanova_pair_count(f); i++) {
        ck_assert_int_eq(spt_fanova_pair(f, i, &p), SPT_OK);
        if ((strcmp(p.names[0], a) == 0 && strcmp(p.names[1], b) == 0) ||
            (strcmp(p.names[0], b) == 0 && strcmp(p.names[1], a) == 0))
            return p.share;
    }
    return 0;
}

#endif
