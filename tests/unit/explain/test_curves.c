/* Curves, surfaces, the trials beside them; local importance; PED-ANOVA. */
#include "studies.h"

#include <spectune/experimental.h>

static spt_ctx *new_ctx(void)
{
    spt_ctx *ctx = NULL;
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
    return ctx;
}

static const char *const kinds[] = {"plain", "good", "poor"};

/* rate on a logarithm, kind, blocks that switch depth on. */
static spt_space *new_space(spt_ctx *ctx)
{
    spt_space *space = NULL;
    OK(ctx, spt_space_new(ctx, "curves", &space));
    OK(ctx, spt_space_add_float(space, "rate", 1e-4, 1, 0, 1, 1e-2));
    OK(ctx, spt_space_add_categorical(space, "kind", kinds, 3, 0));
    OK(ctx, spt_space_add_int(space, "blocks", 0, 2, 1, 0, 1));
    OK(ctx, spt_space_add_float(space, "depth", 0, 1, 0, 0, 0.5));
    OK(ctx, spt_space_add_condition(space, "depth", "blocks", SPT_OP_GE, (const char *[]){"1"}, 1));
    return space;
}

static double kind_loss(int kind)
{
    return kind == 1 ? 0 : kind == 0 ? 1 : 3;
}

static double loss(const spt_config *c)
{
    const double l = log10(number(c, "rate")) + 2;
    return l * l + kind_loss((int)number(c, "kind")) +
           (number(c, "blocks") > 0.5 ? 2 * number(c, "depth") - 1 : 0) +
           (number(c, "blocks") > 0.5 && number(c, "kind") == 1 ? 0.5 : 0);
}

typedef struct analysed {
    spt_ctx *ctx;
    spt_space *space;
    spt_history *history;
    spt_fanova *fanova;
} analysed;

static analysed analyse(int64_t trials)
{
    analysed a = {.ctx = new_ctx()};
    a.space = new_space(a.ctx);
    a.history = study_of(a.ctx, a.space, loss, trials);
    OK(a.ctx, spt_fanova_new(a.ctx, a.history, NULL, &a.fanova));
    return a;
}

static void release(analysed *a)
{
    spt_fanova_free(a->fanova);
    spt_history_free(a->history);
    spt_space_free(a->space);
    spt_ctx_free(a->ctx);
}

enum { ROOM = 300 };

START_TEST(curves)
{
    analysed a = analyse(1000);
    double x[ROOM], w[ROOM], mean[ROOM], sd[ROOM], sum = 0;
    int64_t n = 0;
    OK(a.ctx, spt_fanova_curve(a.ctx, a.fanova, 0, x, w, mean, sd, ROOM, &n));
    ck_assert_int_gt(n, 50);
    for (int64_t i = 0; i < n; i++) {
        /* In the parameter's own scale: other terms have a mean of their own. */
        const double l = log10(x[i]) + 2;
        const double others = 4.0 / 3 + 0.5 * 2 / 9;
        ck_assert_msg(fabs(mean[i] - (l * l + others)) < 0.15, "%g: %g, not %g", x[i], mean[i],
                      l * l + others);
        ck_assert(sd[i] >= 0 && sd[i] < 0.2);
        ck_assert(i == 0 || x[i] > x[i - 1]);
        sum += w[i];
    }
    NEAR(sum, 1, 1e-12);
    /* Choices by index. */
    OK(a.ctx, spt_fanova_curve(a.ctx, a.fanova, 1, x, NULL, mean, NULL, ROOM, &n));
    ck_assert_int_eq(n, 3);
    for (int i = 0; i < 3; i++)
        ck_assert_double_eq(x[i], i);
    ck_assert_double_lt(fabs(mean[2] - mean[0] - 2), 0.05);
    ck_assert_double_lt(fabs(mean[0] - mean[1] - (1 - 0.5 * 2 / 3)), 0.05);
    /* A conditional one: where it exists. */
    OK(a.ctx, spt_fanova_curve(a.ctx, a.fanova, 3, x, NULL, mean, NULL, ROOM, &n));
    ck_assert_double_lt(fabs(mean[n - 1] - mean[0] - 2), 0.1);
    ck_assert_double_lt(fabs(mean[n / 2] - (4.0 / 3 + 4.0 / 3 + 0.5 / 3)), 0.1);
    ck_assert_int_eq(spt_fanova_curve(a.ctx, a.fanova, 0, x, w, mean, sd, 3, &n), SPT_ECAPACITY);
    ck_assert_int_gt(n, 50);
    FAILS(a.ctx, SPT_EINVAL, "parameter 4; 0 to 3",
          spt_fanova_curve(a.ctx, a.fanova, 4, x, w, mean, sd, ROOM, &n));
    release(&a);
}
END_TEST

START_TEST(surfaces)
{
    static double mean[ROOM * ROOM], sd[ROOM * ROOM];
    analysed a = analyse(1000);
    int64_t n = 0, n_depth = 0;
    OK(a.ctx, spt_fanova_surface(a.ctx, a.fanova, 2, 1, mean, sd, ROOM * ROOM, &n));
    ck_assert_int_eq(n, 9);
    for (int b = 0; b < 3; b++)
        for (int k = 0; k < 3; k++) {
            const double truth = 4.0 / 3 + kind_loss(k) + (b > 0 && k == 1 ? 0.5 : 0);
            ck_assert_msg(fabs(mean[3 * b + k] - truth) < 0.12, "%d %d: %g, not %g", b, k,
                          mean[3 * b + k], truth);
            ck_assert(sd[3 * b + k] < 0.2);
        }
    /* depth exists with 1 and 2 blocks only. */
    OK(a.ctx, spt_fanova_curve(a.ctx, a.fanova, 3, NULL, NULL, NULL, NULL, ROOM, &n_depth));
    OK(a.ctx, spt_fanova_surface(a.ctx, a.fanova, 2, 3, mean, NULL, ROOM * ROOM, &n));
    ck_assert_int_eq(n, 3 * n_depth);
    for (int64_t i = 0; i < n; i++)
        ck_assert(isnan(mean[i]) == (i < n_depth));
    FAILS(a.ctx, SPT_EINVAL, "two different",
          spt_fanova_surface(a.ctx, a.fanova, 1, 1, mean, sd, ROOM, &n));
    ck_assert_int_eq(spt_fanova_surface(a.ctx, a.fanova, 2, 1, mean, sd, 8, &n), SPT_ECAPACITY);
    ck_assert_int_eq(n, 9);
    release(&a);
}
END_TEST

START_TEST(trials_beside)
{
    analysed a = analyse(100);
    int64_t numbers[ROOM], n = 0;
    double x[ROOM], y[ROOM];
    OK(a.ctx, spt_fanova_points(a.fanova, 3, numbers, x, y, ROOM, &n));
    ck_assert_double_eq_tol((double)n / 100, importance(a.fanova, "depth").observed, 1e-12);
    for (int64_t i = 0; i < n; i++) {
        spt_trial_info info;
        double depth;
        spt_record_init(&info, sizeof info);
        OK(a.ctx, spt_history_trial(a.history, numbers[i], &info));
        OK(a.ctx, spt_config_number(spt_history_config(a.history, numbers[i]), "depth", &depth));
        ck_assert_double_eq(x[i], depth);
        ck_assert_double_eq(y[i], info.value);
    }
    release(&a);
}
END_TEST

/* Around one configuration of a sum every parameter has the variance of its own term; depth counts
 * where it exists, and blocks takes it along. */
START_TEST(locally)
{
    analysed a = analyse(1000);
    spt_config *c = NULL;
    spt_space *other = NULL;
    double share[4], sd[4];
    int64_t needed = 0;
    OK(a.ctx, spt_config_new(a.ctx, a.space, &c));
    OK(a.ctx, spt_config_set_text(c, "kind", "poor"));
    OK(a.ctx, spt_config_set_number(c, "blocks", 1));
    OK(a.ctx, spt_config_set_number(c, "depth", 0.75));
    OK(a.ctx, spt_fanova_local(a.ctx, a.fanova, c, share, sd, 4, &needed));
    /* rate: 64 / 45; kind: 1.5, 0, 3 (with blocks on: 1, 0.5, 3); blocks: 0, .5, .5; depth: 4/12 */
    const double v[] = {64.0 / 45, (1 + 0.25 + 9) / 3 - 1.5 * 1.5, 0.25 * 2 / 9, 4.0 / 12};
    const double all = v[0] + v[1] + v[2] + v[3];
    for (int i = 0; i < 4; i++) {
        ck_assert_msg(fabs(share[i] - v[i] / all) < 0.03, "%d: %g, not %g", i, share[i],
                      v[i] / all);
        ck_assert(sd[i] >= 0 && sd[i] < 0.1);
    }
    NEAR(share[0] + share[1] + share[2] + share[3], 1, 1e-9);
    /* Without blocks there is no depth; blocks = 1 brings it with all of its values, mean 0. */
    OK(a.ctx, spt_config_set_number(c, "blocks", 0));
    OK(a.ctx, spt_fanova_local(a.ctx, a.fanova, c, share, NULL, 4, &needed));
    ck_assert(isnan(share[3]));
    ck_assert_double_lt(share[2], 0.01);
    /* NULL: the best trial. */
    OK(a.ctx, spt_fanova_local(a.ctx, a.fanova, NULL, share, sd, 4, &needed));
    ck_assert_double_gt(share[0], 0.3);
    ck_assert_int_eq(spt_fanova_local(a.ctx, a.fanova, NULL, share, sd, 3, &needed), SPT_ECAPACITY);
    ck_assert_int_eq(needed, 4);
    needed = 0;
    ck_assert_int_eq(spt_fanova_local(a.ctx, a.fanova, NULL, NULL, NULL, 0, &needed),
                     SPT_ECAPACITY);
    ck_assert_int_eq(needed, 4);
    ck_assert_int_eq(spt_fanova_local(a.ctx, a.fanova, NULL, share, sd, 4, NULL), SPT_EINVAL);
    spt_config_free(c);
    OK(a.ctx, spt_space_new(a.ctx, "other", &other));
    OK(a.ctx, spt_space_add_float(other, "x", 0, 1, 0, 0, 0.5));
    OK(a.ctx, spt_config_new(a.ctx, other, &c));
    FAILS(a.ctx, SPT_EINVAL, "another space",
          spt_fanova_local(a.ctx, a.fanova, c, share, sd, 4, &needed));
    spt_config_free(c);
    spt_space_free(other);
    release(&a);
}
END_TEST

static double disjoint(const spt_config *c)
{
    return number(c, "kind") == 1 ? number(c, "rate") : 1;
}

/* PED-ANOVA: what the good trials have apart from all. Of categories it is a sum over counts: all
 * of the best tenth have the good choice, and one uniform observation is added to either side. */
START_TEST(ped)
{
    spt_ctx *ctx = new_ctx();
    spt_space *space = new_space(ctx);
    spt_options *o = NULL;
    double v[4], small[4];
    int64_t needed = 0;
    spt_history *h = study_of(ctx, space, disjoint, 1000);
    OK(ctx, spt_ped_importance(ctx, h, NULL, v, 4, &needed));
    double count[3] = {0}, divergence = 0;
    for (int64_t i = 0; i < 1000; i++)
        count[(int)number(spt_history_config(h, i), "kind")]++;
    for (int k = 0; k < 3; k++) {
        const double p = ((k == 1 ? 100 : 0) + 1.0 / 3) / 101, q = (count[k] + 1.0 / 3) / 1001;
        divergence += (p - q) * (p - q) / q;
    }
    NEAR(v[1], 0.01 * divergence, 1e-12);
    /* rate is low in the good ones: a third of its scale at most. */
    ck_assert_double_gt(v[0] / 0.01, 1);
    ck_assert_double_lt(v[2] / 0.01, 0.1);
    ck_assert_double_lt(v[3] / 0.01, 0.2);
    OK(ctx, spt_ped_options_new(ctx, &o));
    OK(ctx, spt_options_set_number(o, "target", 0.05));
    OK(ctx, spt_options_set_number(o, "region", 0.2));
    OK(ctx, spt_ped_importance(ctx, h, o, small, 4, &needed));
    /* Among the best fifth all have the good choice: it tells nothing any more. */
    ck_assert_double_lt(small[1], 0.005);
    OK(ctx, spt_options_set_number(o, "target", 0.5));
    FAILS(ctx, SPT_EDATA, "good trials among", spt_ped_importance(ctx, h, o, small, 4, &needed));
    ck_assert_int_eq(spt_ped_importance(ctx, h, NULL, v, 3, &needed), SPT_ECAPACITY);
    ck_assert_int_eq(needed, 4);
    needed = 0;
    ck_assert_int_eq(spt_ped_importance(ctx, h, NULL, NULL, 4, &needed), SPT_ECAPACITY);
    ck_assert_int_eq(needed, 4);
    ck_assert_int_eq(spt_ped_importance(ctx, h, NULL, v, 4, NULL), SPT_EINVAL);
    spt_options_free(o);
    spt_history_free(h);
    spt_space_free(space);
    spt_ctx_free(ctx);
}
END_TEST

TEST_MAIN("explain curves", curves, surfaces, trials_beside, locally, ped)
