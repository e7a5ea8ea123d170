/* Memory that runs out: a whole tuning, from data to model and importance, with the allocation
 * failing that is reached next. Whatever fails says so, nothing leaks (the sanitizer looks), and a
 * study that was made stays readable. */
#include "studies.h"

#include <stdatomic.h>

typedef struct budget {
    _Atomic int64_t left, taken;
} budget;

static void *spend(size_t size, void *user)
{
    budget *b = user;
    b->taken++;
    return b->left-- > 0 ? malloc(size) : NULL;
}

static void *spend_again(void *block, size_t size, void *user)
{
    budget *b = user;
    b->taken++;
    return b->left-- > 0 ? realloc(block, size) : NULL;
}

static void give_back(void *block, void *user)
{
    (void)user;
    free(block);
}

static int32_t tune(spt_ctx *ctx, const spt_dataset *ds, const spt_space *space)
{
    spt_options *o = NULL;
    spt_cv *cv = NULL;
    spt_store *store = NULL;
    spt_study *study = NULL;
    spt_history *h = NULL;
    spt_model *model = NULL;
    spt_fanova *f = NULL;
    int32_t s = spt_objective_options_new(ctx, &o);
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
    budget b = {INT64_MAX, 0};
    spt_allocator a;
    spt_ctx *ctx = NULL;
    spt_record_init(&a, sizeof a);
    a.alloc = spend;
    a.realloc = spend_again;
    a.free = give_back;
    a.user = &b;
    ck_assert_int_eq(spt_ctx_new(&a, &ctx), SPT_OK);
    OK(ctx, spt_ctx_set_threads(ctx, 1 + _i));
    spt_dataset *ds = new_dataset(ctx, 16, 3);
    spt_space *space = new_space(ctx);
    b.taken = 0;
    OK(ctx, tune(ctx, ds, space));
    const int64_t all = b.taken;
    int failures = 0;
    ck_assert_int_gt(all, 1000);
    /* each of the first, where handles are made; then every so many, as they repeat */
    for (int64_t limit = 0; limit < all - 10; limit += limit < 400 ? 1 : 1 + all / 200) {
        b.left = limit;
        const int32_t s = tune(ctx, ds, space);
        b.left = INT64_MAX;
        /* some failures do no harm: a text that could not be made, a trial left for the next */
        ck_assert_msg(s >= 0 || s == SPT_ENOMEM, "allocation %lld: %s: %s", (long long)limit,
                      spt_status_name(s), spt_ctx_last_error(ctx));
        failures += s < 0;
    }
    ck_assert_int_gt(failures, 300);
    spt_space_free(space);
    spt_dataset_free(ds);
    spt_ctx_free(ctx);
}
END_TEST

SUITE_MAIN("tune memory", tcase_add_loop_test(tcase, every_allocation, 0, 2);)
