/* Settings of the objective, those that the space searches among them: that they reach training,
 * the record and the model, and what is refused. */
#include "studies.h"

/* ---- settings that are searched ---- */

/* The configuration's scaling, not that of the settings, is that of trial, refit and folds. */
START_TEST(scaling_is_searched)
{
    spt_ctx *ctx = new_ctx(2);
    spt_dataset *ds = new_dataset(ctx, SAMPLES, 3);
    const char *const scales[] = {"channel", "band", "centre", "none"};
    spt_space *space = new_space(ctx);
    OK(ctx, spt_space_add_categorical(space, "scale", scales, 4, 0));
    spt_cv *cv = new_cv(ctx, ds, "scale=band");
    double loss[4];
    for (int k = 0; k < 4; k++) {
        spt_store *store = NULL;
        spt_study *study = NULL;
        spt_trial *trial = NULL;
        spt_config *config = NULL;
        spt_history *h = NULL;
        char mode[40];
        OK(ctx, spt_store_open(ctx, "memory:", SPT_STORE_CREATE, &store));
        OK(ctx, spt_study_open(store, "s", space, NULL, &study));
        OK(ctx, spt_study_set_cv(study, cv));
        OK(ctx, spt_config_new(ctx, space, &config));
        OK(ctx, spt_config_set_text(config, "scale", scales[k]));
        OK(ctx, spt_study_ask_given(study, config, &trial));
        OK(ctx, spt_cv_objective(trial, &loss[k], cv));
        OK(ctx, spt_study_tell(study, trial, SPT_TRIAL_COMPLETE, loss[k]));
        OK(ctx, spt_study_history(study, &h));
        snprintf(mode, sizeof mode, "<scaling mode=\"%s\">", scales[k]);
        for (int ensemble = 0; ensemble < 2; ensemble++) {
            char *text = document(ctx, cv, h, ensemble);
            ck_assert_ptr_nonnull(strstr(text, mode));
            free(text);
        }
        for (int i = 0; i < k; i++)
            ck_assert(loss[i] < loss[k] || loss[i] > loss[k]);
        spt_history_free(h);
        spt_trial_free(trial);
        spt_config_free(config);
        spt_study_free(study);
        spt_store_free(store);
    }
    spt_cv_free(cv);
    spt_space_free(space);
    spt_dataset_free(ds);
    spt_ctx_free(ctx);
}
END_TEST

/* A value that no trial could have is refused before there is a study. */
START_TEST(impossible_values_of_a_space)
{
    spt_ctx *ctx = new_ctx(1);
    spt_dataset *ds = new_dataset(ctx, SAMPLES, 3);
    spt_cv *cv = new_cv(ctx, ds, "");
    for (int k = 0; k < 2; k++) {
        spt_space *space = new_space(ctx);
        if (k == 0)
            OK(ctx,
               spt_space_add_categorical(space, "scale", (const char *[]){"band", "bands"}, 2, 0));
        else
            OK(ctx, spt_space_add_int(space, "batch_size", 0, 32, 1, 0, 16));
        FAILS(ctx, SPT_EINVAL,
              k == 0 ? "parameter 'scale' is impossible: fit option 'scale' is 'bands'; possible "
                       "are channel, band, centre, none"
                     : "parameter 'batch_size' is impossible: fit option 'batch_size' is 0",
              spt_cv_check_space(cv, space));
        spt_space_free(space);
    }
    spt_cv_free(cv);
    spt_dataset_free(ds);
    spt_ctx_free(ctx);
}
END_TEST

TEST_MAIN("tune settings", scaling_is_searched, impossible_values_of_a_space)
