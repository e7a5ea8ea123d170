/* Importance of hyperparameters from a study, against shares that are known. */
#include "testing.h"

static spt_ctx *new_ctx(void)
{
    spt_ctx *ctx = NULL;
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
    return ctx;
}

static double number(const spt_config *c, const char *name)
{
    double v = 0;
    ck_assert_int_eq(spt_config_number(c, name, &v), SPT_OK);
    return v;
}

typedef double (*loss_fn)(const spt_config *c);

static int32_t objective(spt_trial *trial, double *loss, void *user)
{
    *loss = (*(loss_fn *)user)(spt_trial_config(trial));
    return SPT_OK;
}

/* A study of random trials in memory. */
static spt_history *study_of(spt_ctx *ctx, spt_space *space, loss_fn fn, int64_t trials)
{
    spt_store *store = NULL;
    spt_study *study = NULL;
    spt_options *sampler = NULL;
    spt_history *h = NULL;
    OK(ctx, spt_store_open(ctx, "memory:", SPT_STORE_CREATE, &store));
    OK(ctx, spt_sampler_options_new(ctx, &sampler));
    OK(ctx, spt_options_set_text(sampler, "sampler", "random"));
    OK(ctx, spt_study_open(store, "s", space, sampler, &study));
    OK(ctx, spt_study_set_objective(study, objective, &fn, NULL));
    OK(ctx, spt_study_run(study, trials, 0));
    OK(ctx, spt_study_history(study, &h));
    spt_options_free(sampler);
    spt_study_free(study);
    spt_store_free(store);
    return h;
}

static double share(const spt_fanova *f, const char *name)
{
    for (int32_t i = 0; i < spt_fanova_count(f); i++) {
        spt_importance p;
        spt_record_init(&p, sizeof p);
        ck_assert_int_eq(spt_fanova_main(f, i, &p), SPT_OK);
        if (strcmp(p.name, name) == 0) return p.share;
    }
    ck_abort_msg("'%s' is not analysed", name);
    return 0;
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
    spt_space *space = NULL;
    spt_fanova *f = NULL;
    OK(ctx, spt_space_new(ctx, "sum", &space));
    for (int i = 0; i < 4; i++)
        OK(ctx, spt_space_add_float(space, names[i], 0, 1, 0, 0, 0.5));
    OK(ctx, spt_space_set_group(space, "a", "first"));
    spt_history *h = study_of(ctx, space, additive, 500);
    OK(ctx, spt_fanova_new(ctx, h, NULL, &f));
    for (int i = 0; i < 4; i++)
        ck_assert_msg(fabs(share(f, names[i]) - truth[i]) < 0.04, "%s: %g, not %g", names[i],
                      share(f, names[i]), truth[i]);
    spt_importance first;
    spt_record_init(&first, sizeof first);
    OK(ctx, spt_fanova_main(f, 0, &first));
    ck_assert_str_eq(first.name, "a");
    ck_assert_str_eq(first.group, "first");
    ck_assert(first.sd > 0 && first.sd < 0.1);
    double sum = spt_fanova_residual(f);
    for (int i = 0; i < 4; i++)
        sum += share(f, names[i]);
    NEAR(sum, 1, 1e-12);
    ck_assert_double_gt(spt_fanova_out_of_bag(f), 0.9);
    ck_assert_int_eq(spt_fanova_trials(f), 500);
    ck_assert_int_eq(spt_fanova_main(f, 4, &first), SPT_EINVAL);
    spt_fanova_free(f);
    spt_history_free(h);
    spt_space_free(space);
    spt_ctx_free(ctx);
}
END_TEST

static double log_rate(const spt_config *c)
{
    const double l = (log10(number(c, "rate")) + 3) / 2;
    return l * l + number(c, "u");
}

/* (log10 r + 3)^2 / 4 + u, r log-uniform in 1e-5 .. 1e-1: shares .516 and .484. */
START_TEST(of_a_logarithm)
{
    spt_ctx *ctx = new_ctx();
    spt_space *space = NULL;
    spt_fanova *f = NULL;
    OK(ctx, spt_space_new(ctx, "log", &space));
    OK(ctx, spt_space_add_float(space, "rate", 1e-5, 1e-1, 0, 1, 1e-3));
    OK(ctx, spt_space_add_float(space, "u", 0, 1, 0, 0, 0.5));
    spt_history *h = study_of(ctx, space, log_rate, 600);
    OK(ctx, spt_fanova_new(ctx, h, NULL, &f));
    ck_assert_msg(fabs(share(f, "rate") - 0.516) < 0.05, "%g", share(f, "rate"));
    ck_assert_msg(fabs(share(f, "u") - 0.484) < 0.05, "%g", share(f, "u"));
    spt_fanova_free(f);
    spt_history_free(h);
    spt_space_free(space);
    spt_ctx_free(ctx);
}
END_TEST

static double product(const spt_config *c)
{
    return (number(c, "a") - 0.5) * (number(c, "b") - 0.5);
}

/* A pure interaction is left in the residual, not spread over the parameters. */
START_TEST(of_an_interaction)
{
    spt_ctx *ctx = new_ctx();
    spt_space *space = NULL;
    spt_fanova *f = NULL;
    OK(ctx, spt_space_new(ctx, "product", &space));
    OK(ctx, spt_space_add_float(space, "a", 0, 1, 0, 0, 0.5));
    OK(ctx, spt_space_add_float(space, "b", 0, 1, 0, 0, 0.5));
    spt_history *h = study_of(ctx, space, product, 600);
    OK(ctx, spt_fanova_new(ctx, h, NULL, &f));
    ck_assert_double_lt(share(f, "a"), 0.12);
    ck_assert_double_lt(share(f, "b"), 0.12);
    ck_assert_double_gt(spt_fanova_residual(f), 0.76);
    spt_fanova_free(f);
    spt_history_free(h);
    spt_space_free(space);
    spt_ctx_free(ctx);
}
END_TEST

static double tree_loss(const spt_config *c)
{
    return (strcmp(spt_config_choice(c, "kind"), "good") == 0 ? 0 : 1) + 0.5 * number(c, "blocks") +
           (spt_config_exists(c, "rate") == 1 ? 0.01 * number(c, "rate") : 0);
}

/* Conditional parameters are listed as left out; threads change nothing. */
START_TEST(of_a_tree_on_any_number_of_threads)
{
    static const char *const kinds[] = {"bad", "good", "worse"};
    spt_ctx *ctx = new_ctx();
    spt_space *space = NULL;
    spt_fanova *f[2] = {NULL};
    OK(ctx, spt_space_new(ctx, "tree", &space));
    OK(ctx, spt_space_add_categorical(space, "kind", kinds, 3, 0));
    OK(ctx, spt_space_add_int(space, "blocks", 0, 3, 1, 0, 1));
    OK(ctx, spt_space_add_float(space, "rate", 0, 1, 0, 0, 0.5));
    OK(ctx, spt_space_add_condition(space, "rate", "blocks", SPT_OP_GE, (const char *[]){"2"}, 1));
    spt_history *h = study_of(ctx, space, tree_loss, 150);
    for (int k = 0; k < 2; k++) {
        OK(ctx, spt_ctx_set_threads(ctx, k == 0 ? 1 : 3));
        OK(ctx, spt_fanova_new(ctx, h, NULL, &f[k]));
    }
    ck_assert_int_eq(spt_fanova_count(f[0]), 2);
    ck_assert_str_eq(spt_fanova_left_out(f[0], 0), "rate");
    ck_assert_ptr_null(spt_fanova_left_out(f[0], 1));
    ck_assert_double_eq(share(f[0], "kind"), share(f[1], "kind"));
    ck_assert_double_eq(share(f[0], "blocks"), share(f[1], "blocks"));
    ck_assert_double_eq(spt_fanova_out_of_bag(f[0]), spt_fanova_out_of_bag(f[1]));
    /* Var(kind) = 2/9, Var(blocks) = 5/16 */
    ck_assert_double_eq_tol(share(f[0], "kind"), (2.0 / 9) / (2.0 / 9 + 5.0 / 16), 0.06);
    spt_fanova_free(f[0]);
    spt_fanova_free(f[1]);
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
    spt_space *space = NULL;
    spt_fanova *f = NULL;
    spt_options *wrong = NULL;
    OK(ctx, spt_space_new(ctx, "one", &space));
    OK(ctx, spt_space_add_float(space, "a", 0, 1, 0, 0, 0.5));
    spt_history *one = study_of(ctx, space, additive, 0), *same = study_of(ctx, space, constant, 8);
    FAILS(ctx, SPT_EDATA, "2 or more complete trials; study 's' has 0",
          spt_fanova_new(ctx, one, NULL, &f));
    FAILS(ctx, SPT_EDATA, "same loss", spt_fanova_new(ctx, same, NULL, &f));
    OK(ctx, spt_sampler_options_new(ctx, &wrong));
    FAILS(ctx, SPT_EINVAL, "no options of a forest", spt_fanova_new(ctx, same, wrong, &f));
    FAILS(ctx, SPT_EINVAL, "history is NULL", spt_fanova_new(ctx, NULL, NULL, &f));
    ck_assert_ptr_null(f);
    spt_options_free(wrong);
    spt_history_free(one);
    spt_history_free(same);
    spt_space_free(space);
    spt_ctx_free(ctx);
}
END_TEST

TEST_MAIN("explain fanova", of_a_sum, of_a_logarithm, of_an_interaction,
          of_a_tree_on_any_number_of_threads, refusals)
