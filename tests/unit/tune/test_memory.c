/* Memory that runs out: a whole tuning, from data to model and importance, with the allocation
 * failing that is reached next. Whatever fails says so, nothing leaks (the sanitizer looks), and a
 * study that was made stays readable. */
#include "failing.h"
#include "studies.h"

static int32_t tune(spt_ctx *ctx, const spt_dataset *ds, const spt_space *space)
{
    spt_options *o = NULL;
    spt_cv *cv = NULL;
    spt_store *store = NULL;
    spt_study *study = NULL;
    spt_history *h = NULL;
    spt_model *model = NULL;
    spt_fanova *f = NULL;
    int32_t s = spt_cv_options_new(ctx, &o);
    if (s >= 0) s = spt_options_set_number(o, "folds", 2);
    if (s >= 0) s = spt_options_set_number(o, "epochs", 2);
    if (s >= 0) s = spt_cv_new(ctx, ds, NULL, "y", o, &cv);
    if (s >= 0) s = spt_store_open(ctx, "memory:", SPT_STORE_CREATE, &store);
    if (s >= 0) s = spt_study_open(store, "s", space, NULL, &study);
    if (s >= 0) s = spt_study_set_cv(study, cv);
    if (s >= 0) s = spt_study_run(study, 3, 0);
    if (s >= 0) s = spt_study_history(study, &h);
    if (s >= 0) s = spt_fanova_new(ctx, h, NULL, &f);
    if (s >= 0) s = spt_cv_model(cv, h, spt_history_best(h), 1, NULL, NULL, &model);
    ck_assert((s >= 0) == (model != NULL));
    spt_fanova_free(f);
    spt_model_free(model);
    spt_history_free(h);
    spt_study_free(study);
    spt_store_free(store);
    spt_cv_free(cv);
    spt_options_free(o);
    return s;
}

START_TEST(every_allocation)
{
    failing f;
    spt_ctx *ctx = failing_ctx(&f);
    OK(ctx, spt_ctx_set_threads(ctx, 1 + _i));
    spt_dataset *ds = new_dataset(ctx, 16, 3);
    spt_space *space = new_space(ctx);
    f.asked = 0;
    OK(ctx, tune(ctx, ds, space));
    const long all = f.asked;
    int failures = 0;
    ck_assert_int_gt(all, 1000);
    /* each of the first, where handles are made; then every so many, as they repeat */
    for (long limit = 0; limit < all - 10; limit += limit < 400 ? 1 : 1 + all / 200) {
        f.until_failure = limit;
        const int32_t s = tune(ctx, ds, space);
        f.until_failure = -1;
        /* some failures do no harm: a text that could not be made, a trial left for the next */
        ck_assert_msg(s >= 0 || s == SPT_ENOMEM, "allocation %ld: %s: %s", limit,
                      spt_status_name(s), spt_ctx_last_error(ctx));
        failures += s < 0;
    }
    ck_assert_int_gt(failures, 300);
    spt_space_free(space);
    spt_dataset_free(ds);
    spt_ctx_free(ctx);
    ck_assert_int_eq(f.live, 0);
}
END_TEST

SUITE_MAIN("tune memory", tcase_add_loop_test(tcase, every_allocation, 0, 2);)
