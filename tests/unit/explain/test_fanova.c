/* Importance from a study: the public calls. */
#include "studies.h"

#include <spectune/experimental.h>

static spt_ctx *new_ctx(void)
{
    spt_ctx *ctx = NULL;
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
    return ctx;
}

static spt_space *new_space(spt_ctx *ctx)
{
    spt_space *space = NULL;
    OK(ctx, spt_space_new(ctx, "test", &space));
    return space;
}

static double additive(const spt_config *c)
{
    return 3 * number(c, "a") + 1 * number(c, "b") + 0.5 * number(c, "c");
}

/* Shares of a sum are a_i^2 / sum of a^2. */
START_TEST(of_a_sum)
{
    static const char *const names[] = {"a", "b", "c", "dummy"};
    static const double truth[] = {9 / 10.25, 1 / 10.25, 0.25 / 10.25, 0};
    spt_ctx *ctx = new_ctx();
    spt_space *space = new_space(ctx);
    spt_fanova *f = NULL;
    for (int i = 0; i < 4; i++)
        OK(ctx, spt_space_add_float(space, names[i], 0, 1, 0, 0, 0.5));
    OK(ctx, spt_space_set_group(space, "a", "first"));
    spt_history *h = study_of(ctx, space, additive, 300);
    OK(ctx, spt_fanova_new(ctx, h, NULL, &f));
    ck_assert_int_eq(spt_fanova_count(f), 4);
    double left = 1;
    for (int i = 0; i < 4; i++) {
        const spt_importance p = importance(f, names[i]);
        ck_assert_msg(fabs(p.share - truth[i]) < 0.005, "%s: %g, not %g", names[i], p.share,
                      truth[i]);
        NEAR(p.total, p.share, 1e-3);
        NEAR(p.within, p.share, 1e-12);
        NEAR(p.error, 2 * p.sd, 1e-12);
        ck_assert_double_eq(p.p_active, 1);
        ck_assert_double_eq(p.observed, 1);
        left -= p.share;
    }
    NEAR(spt_fanova_residual(f, 1), left, 1e-12);
    ck_assert_double_lt(fabs(left), 1e-3);
    ck_assert(isnan(spt_fanova_residual(f, 3)));
    spt_importance first;
    spt_record_init(&first, sizeof first);
    OK(ctx, spt_fanova_main(f, 0, &first));
    ck_assert_str_eq(first.name, "a");
    ck_assert_str_eq(first.group, "first");
    ck_assert_int_eq(first.parameter, 0);
    ck_assert_double_gt(spt_fanova_out_of_bag(f), 0.999);
    ck_assert_int_eq(spt_fanova_trials(f), 300);
    NEAR(spt_fanova_variance(f), 10.25 / 12, 0.01);
    ck_assert(isnan(spt_fanova_cut(f)));
    ck_assert_str_eq(spt_fanova_prior(f), "space");
    ck_assert_ptr_null(spt_fanova_warning(f, 0));
    ck_assert_int_eq(spt_fanova_main(f, 4, &first), SPT_EINVAL);
    ck_assert_int_eq(spt_fanova_main(f, -1, &first), SPT_EINVAL);
    spt_fanova_free(f);
    spt_history_free(h);
    spt_space_free(space);
    spt_ctx_free(ctx);
}
END_TEST

/* ---- scales: the measure is the one that samplers draw from ---- */

static double scales(const spt_config *c)
{
    const double l = (log10(number(c, "rate")) + 3) / 2;
    return l * l + number(c, "u") + 0.4 * (number(c, "kind") == 2) + log2(number(c, "units")) / 3;
}

/* A logarithm, whole numbers on a logarithmic scale, one good choice of four. */
START_TEST(of_scales)
{
    static const char *const kinds[] = {"a", "b", "c", "d"};
    spt_ctx *ctx = new_ctx();
    spt_space *space = new_space(ctx);
    spt_fanova *f = NULL;
    OK(ctx, spt_space_add_float(space, "rate", 1e-5, 1e-1, 0, 1, 1e-3));
    OK(ctx, spt_space_add_float(space, "u", 0, 1, 0.05, 0, 0.5));
    OK(ctx, spt_space_add_categorical(space, "kind", kinds, 4, 0));
    OK(ctx, spt_space_add_int(space, "units", 4, 64, 4, 1, 16));
    spt_history *h = study_of(ctx, space, scales, 2000);
    OK(ctx, spt_fanova_new(ctx, h, NULL, &f));
    /* units: the cells reach half a step to both sides of 4, 8 .. 64, on the scale of log. */
    double mean = 0, square = 0;
    const double low = log(2), high = log(66);
    for (int k = 0; k < 16; k++) {
        const double from = k == 0 ? low : log(4 * (k + 1) - 2), to = log(4 * (k + 1) + 2);
        const double y = log2(4 * (k + 1)) / 3, w = (to - from) / (high - low);
        mean += w * y;
        square += w * y * y;
    }
    const double v[] = {4.0 / 45, (21.0 * 21 - 1) / 12 * 0.0025, 0.16 * 3 / 16,
                        square - mean * mean};
    const double all = v[0] + v[1] + v[2] + v[3];
    static const char *const names[] = {"rate", "u", "kind", "units"};
    for (int i = 0; i < 4; i++)
        ck_assert_msg(fabs(importance(f, names[i]).share - v[i] / all) < 0.01, "%s: %g, not %g",
                      names[i], importance(f, names[i]).share, v[i] / all);
    spt_fanova_free(f);
    spt_history_free(h);
    spt_space_free(space);
    spt_ctx_free(ctx);
}
END_TEST

/* ---- conditions ---- */

static double child_loss(const spt_config *c)
{
    return number(c, "a") + (number(c, "n") < 1.5 ? 0 : 0.5 + number(c, "b"));
}

static spt_space *child_space(spt_ctx *ctx)
{
    spt_space *space = new_space(ctx);
    OK(ctx, spt_space_add_float(space, "a", 0, 1, 0, 0, 0.5));
    OK(ctx, spt_space_add_int(space, "n", 1, 2, 1, 0, 1));
    OK(ctx, spt_space_add_float(space, "b", 0, 1, 0, 0, 0.5));
    OK(ctx, spt_space_add_condition(space, "b", "n", SPT_OP_EQ, (const char *[]){"2"}, 1));
    return space;
}

/* y = a + [n = 2] (0.5 + b): the truth by the integrals of the definition, in sums. */
START_TEST(of_a_child)
{
    enum { K = 400 };
    spt_ctx *ctx = new_ctx();
    spt_space *space = child_space(ctx);
    spt_fanova *f = NULL;
    spt_history *h = study_of(ctx, space, child_loss, 2000);
    OK(ctx, spt_fanova_new(ctx, h, NULL, &f));
    double mean_of_n[2] = {0.5, 0}, of_b = 0, all_b = 0, whole = 0, mean = 0;
    for (int i = 0; i < K; i++) {
        const double b = (i + 0.5) / K;
        mean_of_n[1] += (0.5 + 0.5 + b) / K;
        all_b += (1 + b) / K;
    }
    for (int i = 0; i < K; i++)
        of_b += (1 + (i + 0.5) / K - all_b) * (1 + (i + 0.5) / K - all_b) / K;
    mean = (mean_of_n[0] + mean_of_n[1]) / 2;
    const double n = (mean_of_n[0] - mean) * (mean_of_n[0] - mean);
    for (int i = 0; i < K; i++)
        for (int k = 0; k < K; k++) {
            const double a = (i + 0.5) / K, b = (k + 0.5) / K;
            whole +=
                ((a - mean) * (a - mean) + (a + 0.5 + b - mean) * (a + 0.5 + b - mean)) / 2 / K / K;
        }
    const spt_importance p = importance(f, "b");
    ck_assert_double_lt(fabs(p.share - 0.5 * of_b / whole), 0.005);
    ck_assert_double_lt(fabs(importance(f, "n").share - n / whole), 0.005);
    ck_assert_double_lt(fabs(importance(f, "a").share - 1.0 / 12 / whole), 0.005);
    ck_assert_double_eq(p.p_active, 0.5);
    ck_assert_double_lt(fabs(p.observed - 0.5), 0.05);
    /* Where b exists, a and b share the variance: 1/12 each. */
    ck_assert_double_lt(fabs(p.within - 0.5), 0.02);
    /* n takes b along: half the mean square of 0.5 + b. */
    ck_assert_double_lt(fabs(importance(f, "n").total - 0.25 * (1 + 1.0 / 12) / whole), 0.01);
    spt_fanova_free(f);
    spt_history_free(h);
    spt_space_free(space);
    spt_ctx_free(ctx);
}
END_TEST

/* The same with what the trials have: 0.5 becomes the share of trials with n = 2, exactly. */
START_TEST(of_a_child_as_tried)
{
    spt_ctx *ctx = new_ctx();
    spt_space *space = child_space(ctx);
    spt_fanova *f = NULL;
    spt_options *o = NULL;
    spt_history *h = study_of(ctx, space, child_loss, 500);
    OK(ctx, spt_fanova_options_new(ctx, &o));
    OK(ctx, spt_options_set_text(o, "prior", "trials"));
    OK(ctx, spt_fanova_new(ctx, h, o, &f));
    ck_assert_str_eq(spt_fanova_prior(f), "trials");
    const spt_importance b = importance(f, "b");
    NEAR(b.p_active, b.observed, 1e-12);
    ck_assert_double_ne(b.p_active, 0.5);
    const double p = b.observed;
    const double v[] = {1.0 / 12, p * (1 - p), p / 12};
    ck_assert_double_lt(fabs(b.share - v[2] / (v[0] + v[1] + v[2])), 0.01);
    ck_assert_double_lt(fabs(importance(f, "n").share - v[1] / (v[0] + v[1] + v[2])), 0.01);
    spt_fanova_free(f);
    spt_options_free(o);
    spt_history_free(h);
    spt_space_free(space);
    spt_ctx_free(ctx);
}
END_TEST

/* ---- interactions, totals, subsets ---- */

static double together(const spt_config *c)
{
    const double a = number(c, "a") - 0.5, b = number(c, "b") - 0.5, d = number(c, "c") - 0.5;
    return a + 4 * a * b + 12 * a * b * d;
}

/* Var(a) = 1/12, 16 / 144, 144 / 1728. */
START_TEST(of_interactions)
{
    spt_ctx *ctx = new_ctx();
    spt_space *space = new_space(ctx);
    spt_fanova *f = NULL;
    spt_interaction s;
    OK(ctx, spt_space_add_float(space, "a", 0, 1, 0, 0, 0.5));
    OK(ctx, spt_space_add_float(space, "b", 0, 1, 0, 0, 0.5));
    OK(ctx, spt_space_add_float(space, "c", 0, 1, 0, 0, 0.5));
    spt_history *h = study_of(ctx, space, together, 2000);
    OK(ctx, spt_fanova_new(ctx, h, NULL, &f));
    const double all = 1.0 / 12 + 16.0 / 144 + 144.0 / 1728;
    ck_assert_double_lt(fabs(importance(f, "a").share - 1.0 / 12 / all), 0.03);
    ck_assert_double_lt(fabs(pair_share(f, "a", "b") - 16.0 / 144 / all), 0.04);
    ck_assert_double_lt(fabs(importance(f, "b").total - (16.0 / 144 + 144.0 / 1728) / all), 0.04);
    spt_record_init(&s, sizeof s);
    OK(ctx, spt_fanova_subset(ctx, f, (const int64_t[]){2, 0, 1}, 3, &s));
    ck_assert_double_lt(fabs(s.share - 144.0 / 1728 / all), 0.05);
    ck_assert_int_eq(s.n, 3);
    ck_assert_str_eq(s.names[0], "c");
    ck_assert_int_eq(s.parameters[1], 0);
    /* Three parameters: mains, pairs and the three are everything. */
    NEAR(spt_fanova_residual(f, 2), s.share, 1e-9);
    OK(ctx, spt_fanova_subset(ctx, f, (const int64_t[]){1, 0}, 2, &s));
    NEAR(s.share, pair_share(f, "a", "b"), 1e-12);
    NEAR(s.error, 2 * s.sd, 1e-12);
    OK(ctx, spt_fanova_subset(ctx, f, (const int64_t[]){0}, 1, &s));
    NEAR(s.share, importance(f, "a").share, 1e-12);
    ck_assert_ptr_null(s.names[1]);
    FAILS(ctx, SPT_EINVAL, "4 parameters; 1 to 3",
          spt_fanova_subset(ctx, f, (const int64_t[]){0, 1, 2, 0}, 4, &s));
    FAILS(ctx, SPT_EINVAL, "'a' is named twice",
          spt_fanova_subset(ctx, f, (const int64_t[]){0, 0}, 2, &s));
    FAILS(ctx, SPT_EINVAL, "parameter 3; 0 to 2",
          spt_fanova_subset(ctx, f, (const int64_t[]){3}, 1, &s));
    ck_assert_int_eq(spt_fanova_pair(f, spt_fanova_pair_count(f), &s), SPT_EINVAL);
    spt_fanova_free(f);
    spt_history_free(h);
    spt_space_free(space);
    spt_ctx_free(ctx);
}
END_TEST

/* ---- which trials, cut losses ---- */

static double partly_failed(const spt_config *c)
{
    const double a = number(c, "a");
    return a > 0.8 ? NAN : a + 0.2 * number(c, "b");
}

START_TEST(failed_trials)
{
    spt_ctx *ctx = new_ctx();
    spt_space *space = new_space(ctx);
    spt_fanova *f = NULL;
    spt_options *o = NULL;
    OK(ctx, spt_space_add_float(space, "a", 0, 1, 0, 0, 0.5));
    OK(ctx, spt_space_add_float(space, "b", 0, 1, 0, 0, 0.5));
    spt_history *h = study_of(ctx, space, partly_failed, 300);
    const int64_t all = spt_history_count(h);
    OK(ctx, spt_fanova_new(ctx, h, NULL, &f));
    const int64_t complete = spt_fanova_trials(f);
    ck_assert_int_lt(complete, all - 30);
    spt_fanova_free(f);
    OK(ctx, spt_fanova_options_new(ctx, &o));
    OK(ctx, spt_options_set_text(o, "failed", "worst"));
    OK(ctx, spt_fanova_new(ctx, h, o, &f));
    ck_assert_int_eq(spt_fanova_trials(f), all);
    /* They have the worst loss of the others. */
    int64_t n = 0;
    ck_assert_int_eq(spt_fanova_points(f, 0, NULL, NULL, NULL, 0, &n), SPT_ECAPACITY);
    ck_assert_int_eq(n, all);
    double *x = malloc(sizeof *x * 2 * (size_t)n), worst = 0;
    int64_t *numbers = malloc(sizeof *numbers * (size_t)n);
    OK(ctx, spt_fanova_points(f, 0, numbers, x, x + n, n, &n));
    for (int64_t i = 0; i < n; i++)
        if (x[i] <= 0.8) worst = fmax(worst, x[n + i]);
    for (int64_t i = 0; i < n; i++) {
        ck_assert_int_eq(numbers[i], i);
        if (x[i] > 0.8) ck_assert_double_eq(x[n + i], worst);
    }
    free(x);
    free(numbers);
    spt_fanova_free(f);
    spt_options_free(o);
    spt_history_free(h);
    spt_space_free(space);
    spt_ctx_free(ctx);
}
END_TEST

/* b matters among the good, a only among the bad. */
static double good_and_bad(const spt_config *c)
{
    const double a = number(c, "a");
    return a > 0.5 ? 10 * a : number(c, "b");
}

START_TEST(the_good_ones)
{
    spt_ctx *ctx = new_ctx();
    spt_space *space = new_space(ctx);
    spt_fanova *f = NULL;
    spt_options *o = NULL;
    OK(ctx, spt_space_add_float(space, "a", 0, 1, 0, 0, 0.5));
    OK(ctx, spt_space_add_float(space, "b", 0, 1, 0, 0, 0.5));
    spt_history *h = study_of(ctx, space, good_and_bad, 800);
    OK(ctx, spt_fanova_new(ctx, h, NULL, &f));
    ck_assert_double_gt(importance(f, "a").share, 0.95);
    spt_fanova_free(f);
    OK(ctx, spt_fanova_options_new(ctx, &o));
    OK(ctx, spt_options_set_number(o, "top_quantile", 0.25));
    OK(ctx, spt_fanova_new(ctx, h, o, &f));
    ck_assert_double_lt(fabs(spt_fanova_cut(f) - 0.5), 0.06);
    /* min(y, 1/2): with a <= 1/2 min(b, 1/2), else 1/2. Mean and variance of the first 3/8, 5/192;
     * so a: 1/4 (1/8)^2, b: 1/4 5/192, both: as much again. */
    const double v[] = {1.0 / 256, 5.0 / 768, 5.0 / 768}, all = v[0] + v[1] + v[2];
    ck_assert_double_lt(fabs(importance(f, "a").share - v[0] / all), 0.05);
    ck_assert_double_lt(fabs(importance(f, "b").share - v[1] / all), 0.05);
    ck_assert_double_lt(fabs(pair_share(f, "a", "b") - v[2] / all), 0.05);
    spt_fanova_free(f);
    spt_options_free(o);
    spt_history_free(h);
    spt_space_free(space);
    spt_ctx_free(ctx);
}
END_TEST

/* ---- threads, refusals, small studies ---- */

START_TEST(threads_and_seeds)
{
    spt_ctx *ctx = new_ctx();
    spt_space *space = child_space(ctx);
    spt_fanova *f[3] = {NULL};
    spt_options *o = NULL;
    spt_history *h = study_of(ctx, space, child_loss, 150);
    OK(ctx, spt_fanova_options_new(ctx, &o));
    for (int k = 0; k < 3; k++) {
        OK(ctx, spt_ctx_set_threads(ctx, k == 0 ? 1 : 3));
        OK(ctx, spt_options_set_number(o, "seed", k == 2 ? 2 : 1));
        OK(ctx, spt_fanova_new(ctx, h, o, &f[k]));
    }
    for (int32_t i = 0; i < 3; i++) {
        spt_importance a, b;
        spt_record_init(&a, sizeof a);
        spt_record_init(&b, sizeof b);
        OK(ctx, spt_fanova_main(f[0], i, &a));
        OK(ctx, spt_fanova_main(f[1], i, &b));
        ck_assert_mem_eq(&a.share, &b.share, sizeof a - offsetof(spt_importance, share));
    }
    ck_assert_double_eq(spt_fanova_residual(f[0], 2), spt_fanova_residual(f[1], 2));
    ck_assert_double_eq(spt_fanova_out_of_bag(f[0]), spt_fanova_out_of_bag(f[1]));
    ck_assert_double_ne(importance(f[0], "a").share, importance(f[2], "a").share);
    for (int k = 0; k < 3; k++)
        spt_fanova_free(f[k]);
    spt_options_free(o);
    spt_history_free(h);
    spt_space_free(space);
    spt_ctx_free(ctx);
}
END_TEST

static double constant(const spt_config *c)
{
    (void)c;
    return 1;
}

START_TEST(refusals)
{
    spt_ctx *ctx = new_ctx();
    spt_space *space = new_space(ctx);
    spt_fanova *f = NULL;
    spt_options *wrong = NULL, *o = NULL;
    int64_t n;
    double value;
    OK(ctx, spt_space_add_float(space, "a", 0, 1, 0, 0, 0.5));
    spt_history *none = study_of(ctx, space, additive, 0),
                *same = study_of(ctx, space, constant, 8);
    FAILS(ctx, SPT_EDATA, "2 or more complete trials; study 's' has 0",
          spt_fanova_new(ctx, none, NULL, &f));
    FAILS(ctx, SPT_EDATA, "same loss", spt_fanova_new(ctx, same, NULL, &f));
    OK(ctx, spt_sampler_options_new(ctx, &wrong));
    FAILS(ctx, SPT_EINVAL, "no options of a forest", spt_fanova_new(ctx, same, wrong, &f));
    FAILS(ctx, SPT_EINVAL, "history is NULL", spt_fanova_new(ctx, NULL, NULL, &f));
    OK(ctx, spt_fanova_options_new(ctx, &o));
    FAILS(ctx, SPT_EINVAL, "top_quantile", spt_options_set_number(o, "top_quantile", 1.5));
    FAILS(ctx, SPT_EINVAL, "prior", spt_options_set_text(o, "prior", "posterior"));
    FAILS(ctx, SPT_EINVAL, "0.01 to 0.99", spt_fanova_trials_needed(ctx, same, NULL, 1, &n));
    FAILS(ctx, SPT_EINVAL, "no options of PED-ANOVA",
          spt_ped_importance(ctx, same, o, &value, 1, &n));
    ck_assert_ptr_null(f);
    spt_fanova_free(NULL);
    spt_options_free(wrong);
    spt_options_free(o);
    spt_history_free(none);
    spt_history_free(same);
    spt_space_free(space);
    spt_ctx_free(ctx);
}
END_TEST

/* With a few trials an answer comes, and says how little it is worth. */
START_TEST(few_trials)
{
    spt_ctx *ctx = new_ctx();
    spt_space *space = child_space(ctx);
    for (int64_t n = 2; n <= 6; n++) {
        spt_fanova *f = NULL;
        spt_history *h = study_of(ctx, space, child_loss, n);
        OK(ctx, spt_fanova_new(ctx, h, NULL, &f));
        for (int i = 0; i < 3; i++) {
            const spt_importance p = importance(f, i == 0 ? "a" : i == 1 ? "n" : "b");
            ck_assert(p.share >= 0 && p.share <= 1);
        }
        ck_assert_double_ge(spt_fanova_residual(f, 1), -1e-9);
        spt_fanova_free(f);
        spt_history_free(h);
    }
    spt_space_free(space);
    spt_ctx_free(ctx);
}
END_TEST

static double hopeless(const spt_config *c)
{
    /* as good as noise: far finer than anything that could be seen */
    return sin(1e7 * number(c, "a"));
}

static double outliers(const spt_config *c)
{
    return number(c, "b") + (number(c, "a") > 0.99 ? 100 : 0);
}

START_TEST(warnings)
{
    spt_ctx *ctx = new_ctx();
    spt_space *space = new_space(ctx);
    spt_fanova *f = NULL;
    int64_t needed = 0;
    OK(ctx, spt_space_add_float(space, "a", 0, 1, 0, 0, 0.5));
    OK(ctx, spt_space_add_float(space, "b", 0, 1, 0, 0, 0.5));
    spt_history *h = study_of(ctx, space, hopeless, 200);
    OK(ctx, spt_fanova_new(ctx, h, NULL, &f));
    ck_assert_double_lt(spt_fanova_out_of_bag(f), 0.1);
    ck_assert_ptr_nonnull(spt_fanova_warning(f, 0));
    ck_assert_ptr_nonnull(strstr(spt_fanova_warning(f, 0), "no parameter was seen to matter"));
    ck_assert_double_eq(spt_fanova_variance(f), 0);
    ck_assert_double_eq(spt_fanova_residual(f, 1), 1);
    ck_assert_ptr_null(spt_fanova_warning(f, 1));
    OK(ctx, spt_fanova_trials_needed(ctx, h, NULL, 0.8, &needed));
    ck_assert_int_eq(needed, -1);
    spt_fanova_free(f);
    spt_history_free(h);
    h = study_of(ctx, space, outliers, 300);
    OK(ctx, spt_fanova_new(ctx, h, NULL, &f));
    bool found = false;
    for (int32_t i = 0; spt_fanova_warning(f, i) != NULL; i++)
        found = found || strstr(spt_fanova_warning(f, i), "top_quantile") != NULL;
    ck_assert(found);
    spt_fanova_free(f);
    spt_history_free(h);
    /* What is learnt well needs no more than there are. */
    h = study_of(ctx, space, additive, 100);
    OK(ctx, spt_fanova_trials_needed(ctx, h, NULL, 0.8, &needed));
    ck_assert_int_eq(needed, 100);
    spt_history_free(h);
    spt_space_free(space);
    spt_ctx_free(ctx);
}
END_TEST

TEST_MAIN("explain fanova", of_a_sum, of_scales, of_a_child, of_a_child_as_tried, of_interactions,
          failed_trials, the_good_ones, threads_and_seeds, refusals, few_trials, warnings)
