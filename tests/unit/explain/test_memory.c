/* Memory that runs out: every call of this room with the allocation failing that is reached next.
 * Whatever fails says so and leaks nothing. */
#include "failing.h"
#include "studies.h"

#include <spectune/experimental.h>

static double loss(const spt_config *c)
{
    return number(c, "a") * number(c, "b") + (number(c, "n") > 1.5 ? number(c, "c") : 0) +
           0.3 * number(c, "kind");
}

static spt_space *new_space(spt_ctx *ctx)
{
    static const char *const kinds[] = {"x", "y", "z"};
    spt_space *s = NULL;
    OK(ctx, spt_space_new(ctx, "memory", &s));
    OK(ctx, spt_space_add_float(s, "a", 0, 1, 0, 0, 0.5));
    OK(ctx, spt_space_add_float(s, "b", 0, 1, 0, 0, 0.5));
    OK(ctx, spt_space_add_int(s, "n", 1, 3, 1, 0, 1));
    OK(ctx, spt_space_add_categorical(s, "kind", kinds, 3, 0));
    OK(ctx, spt_space_add_float(s, "c", 0, 1, 0, 0, 0.5));
    OK(ctx, spt_space_add_condition(s, "c", "n", SPT_OP_NE, (const char *[]){"1"}, 1));
    return s;
}

static int32_t everything(spt_ctx *ctx, const spt_history *h)
{
    spt_fanova *f = NULL;
    spt_options *o = NULL;
    spt_interaction pair;
    static double x[300], mean[300 * 300];
    double share[5];
    int64_t n;
    spt_record_init(&pair, sizeof pair);
    int32_t s = spt_fanova_options_new(ctx, &o);
    if (s >= 0) s = spt_options_set_number(o, "trees", 3);
    if (s >= 0) s = spt_options_set_number(o, "top_quantile", 0.9);
    if (s >= 0) s = spt_options_set_text(o, "prior", "trials");
    if (s >= 0) s = spt_fanova_new(ctx, h, o, &f);
    if (s >= 0) s = spt_fanova_curve(ctx, f, 4, x, NULL, mean, NULL, 300, &n);
    if (s >= 0) s = spt_fanova_surface(ctx, f, 2, 4, mean, NULL, 300 * 300, &n);
    if (s >= 0) s = spt_fanova_subset(ctx, f, (const int64_t[]){0, 1, 4}, 3, &pair);
    if (s >= 0) s = spt_fanova_subset(ctx, f, (const int64_t[]){4}, 1, &pair);
    if (s >= 0) s = spt_fanova_local(ctx, f, NULL, share, NULL, 5, &n);
    if (s >= 0) s = spt_ped_importance(ctx, h, NULL, share, 5, &n);
    if (s >= 0) s = spt_fanova_trials_needed(ctx, h, o, 0.9, &n);
    spt_fanova_free(f);
    spt_options_free(o);
    return s;
}

START_TEST(every_allocation)
{
    failing f;
    spt_ctx *ctx = failing_ctx(&f);
    OK(ctx, spt_ctx_set_threads(ctx, 1 + _i));
    spt_space *space = new_space(ctx);
    spt_history *h = study_of(ctx, space, loss, 120);
    const long live = f.live;
    f.asked = 0;
    OK(ctx, everything(ctx, h));
    const long all = f.asked;
    ck_assert_int_gt(all, 200);
    for (long limit = 0; limit < all - 20; limit++) {
        f.until_failure = limit;
        const int32_t s = everything(ctx, h);
        f.until_failure = -1;
        ck_assert_msg(s == SPT_ENOMEM, "allocation %ld of %ld: %s: %s", limit, all,
                      spt_status_name(s), spt_ctx_last_error(ctx));
        ck_assert_int_eq(f.live, live);
    }
    spt_history_free(h);
    spt_space_free(space);
    spt_ctx_free(ctx);
    ck_assert_int_eq(f.live, 0);
}
END_TEST

SUITE_MAIN("explain memory", tcase_add_loop_test(tcase, every_allocation, 0, 2);)
