/* Losses in closed form; optimisers against their formulas in double; the knobs of training. */
#include "testing.h"

#include "base/cpu.h"
#include "nn/trainer.h"

static spt_ctx *ctx;

static void set_up(void)
{
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
}

static void tear_down(void)
{
    spt_ctx_free(ctx);
}

/* ---- losses ---------------------------------------------------------------------------------- */

START_TEST(losses_are_in_closed_form)
{
    /* errors 0.5, -2, 0, 3 */
    const float output[4] = {1.5F, -1, 4, 5}, target[4] = {1, 1, 4, 2};
    float g[4];
    spt__training t = {.loss = SPT__LOSS_MSE, .huber_delta = 1.5};
    NEAR(spt__loss_sum(&t, &(spt__outcome){output, target, NULL, 4, 1}, 0.25, g), 0.25 + 4 + 0 + 9,
         1e-12);
    const double mse[4] = {0.25, -1, 0, 1.5}; /* 2 error / 4 */
    for (int i = 0; i < 4; i++)
        NEAR(g[i], mse[i], 1e-7);
    t.loss = SPT__LOSS_MAE;
    NEAR(spt__loss_sum(&t, &(spt__outcome){output, target, NULL, 4, 1}, 0.25, g), 5.5, 1e-12);
    const double mae[4] = {0.25, -0.25, 0, 0.25};
    for (int i = 0; i < 4; i++)
        NEAR(g[i], mae[i], 1e-7);
    t.loss = SPT__LOSS_HUBER; /* 0.125 + 1.5 (2 - 0.75) + 0 + 1.5 (3 - 0.75) */
    NEAR(spt__loss_sum(&t, &(spt__outcome){output, target, NULL, 4, 1}, 0.25, g),
         0.125 + 1.875 + 3.375, 1e-12);
    const double huber[4] = {0.125, -0.375, 0, 0.375};
    for (int i = 0; i < 4; i++)
        NEAR(g[i], huber[i], 1e-7);
}
END_TEST

START_TEST(a_loss_without_number_stays_one)
{
    const float bad[1] = {NAN}, zero[1] = {0};
    float g[1];
    for (int loss = SPT__LOSS_MSE; loss <= SPT__LOSS_HUBER; loss++) {
        spt__training t = {.loss = (spt__loss)loss, .huber_delta = 1};
        ck_assert(isnan(spt__loss_sum(&t, &(spt__outcome){bad, zero, NULL, 1, 1}, 1.0, g)));
    }
}
END_TEST

/* ---- optimisers ------------------------------------------------------------------------------ */

enum { N = 3, STEPS = 5 };

/* The formulas of doc/nn.md for one weight. */
static void reference_step(const spt__training *t, int step, double g, double *w, double *a,
                           double *b)
{
    if (t->optimizer != SPT__ADAMW) g += t->weight_decay * *w;
    switch (t->optimizer) {
    case SPT__SGD:
        *a = t->momentum * *a - t->learning_rate * g;
        *w += *a;
        break;
    case SPT__ADAGRAD:
        *a += g * g;
        *w -= t->learning_rate * g / (sqrt(*a) + t->epsilon);
        break;
    case SPT__RMSPROP:
        *a = t->rho * *a + (1 - t->rho) * g * g;
        *w -= t->learning_rate * g / (sqrt(*a) + t->epsilon);
        break;
    default:
        *a = t->beta1 * *a + (1 - t->beta1) * g;
        *b = t->beta2 * *b + (1 - t->beta2) * g * g;
        if (t->optimizer == SPT__ADAMW) *w -= t->learning_rate * t->weight_decay * *w;
        *w -= t->learning_rate * sqrt(1 - pow(t->beta2, step)) / (1 - pow(t->beta1, step)) * *a /
              (sqrt(*b) + t->epsilon);
        break;
    }
}

static const spt__training optimisers[] = {
    {.optimizer = SPT__SGD, .learning_rate = 0.1},
    {.optimizer = SPT__SGD, .learning_rate = 0.1, .momentum = 0.8, .weight_decay = 0.03},
    {.optimizer = SPT__ADAGRAD, .learning_rate = 0.05, .adagrad_start = 0.1, .epsilon = 1e-3},
    {.optimizer = SPT__ADAGRAD,
     .learning_rate = 0.05,
     .adagrad_start = 0,
     .weight_decay = 0.1,
     .epsilon = 1e-7},
    {.optimizer = SPT__RMSPROP, .learning_rate = 0.02, .rho = 0.9, .epsilon = 1e-2},
    {.optimizer = SPT__RMSPROP,
     .learning_rate = 0.02,
     .rho = 0.5,
     .weight_decay = 0.1,
     .epsilon = 1e-7},
    {.optimizer = SPT__ADAM, .learning_rate = 0.01, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-2},
    {.optimizer = SPT__ADAM,
     .learning_rate = 0.01,
     .beta1 = 0.5,
     .beta2 = 0.9,
     .epsilon = 1e-7,
     .weight_decay = 0.2},
    {.optimizer = SPT__ADAMW,
     .learning_rate = 0.01,
     .beta1 = 0.9,
     .beta2 = 0.999,
     .epsilon = 1e-7,
     .weight_decay = 0.2},
};

static void follow_the_formula(const spt__kernels *kernels, const spt__training *t)
{
    float w[N] = {1, -0.5F, 2}, a[N], b[N];
    double rw[N] = {1, -0.5, 2}, ra[N], rb[N] = {0};
    spt__optimizer_start(t, N, a, b);
    for (int i = 0; i < N; i++)
        ra[i] = t->optimizer == SPT__ADAGRAD ? t->adagrad_start : 0;
    for (int step = 1; step <= STEPS; step++) {
        float g[N];
        for (int i = 0; i < N; i++) {
            g[i] = (float)cos(step * 1.7 + i) * (i == 2 ? 1e-2F : 1.0F);
            reference_step(t, step, (double)g[i], &rw[i], &ra[i], &rb[i]);
        }
        spt__step s = {step, t->learning_rate, 1.0F};
        spt__optimizer_step(kernels, t, &s, N, w, g, a, b);
        for (int i = 0; i < N; i++)
            RELATIVE(w[i], rw[i], 2e-6);
    }
}

START_TEST(five_steps_follow_the_formula)
{
    for (int32_t k = 0; k <= spt__cpu_best(); k++)
        follow_the_formula(spt__kernels_table[k], &optimisers[_i]);
}
END_TEST

/* ---- knobs ----------------------------------------------------------------------------------- */

START_TEST(defaults_are_the_documented_ones)
{
    spt_options *options;
    OK(ctx, spt_training_options_new(ctx, &options));
    spt__err e;
    for (int i = 0; i < 2; i++) {
        spt__training t;
        ck_assert_int_eq(spt__training_read(i ? options : NULL, &t, &e), SPT_OK);
        ck_assert_int_eq(t.loss, SPT__LOSS_MSE);
        ck_assert_int_eq(t.optimizer, SPT__ADAM);
        NEAR(t.huber_delta, 1, 0);
        NEAR(t.learning_rate, 1e-3, 0);
        NEAR(t.momentum, 0, 0);
        NEAR(t.rho, 0.9, 0);
        NEAR(t.adagrad_start, 0.1, 0);
        NEAR(t.beta1, 0.9, 0);
        NEAR(t.beta2, 0.999, 0);
        NEAR(t.epsilon, 1e-7, 0);
        NEAR(t.weight_decay, 0, 0);
        ck_assert_int_eq(t.batch_size, 32);
        ck_assert_int_eq(t.epochs, 100);
        ck_assert_int_eq(t.patience, 60);
        ck_assert_uint_eq(t.seed, 1);
    }
    static const char *const losses[] = {"mse", "mae", "huber"};
    static const char *const rules[] = {"sgd", "adagrad", "rmsprop", "adam", "adamw"};
    spt__training t;
    for (int i = 0; i < 3; i++) {
        OK(ctx, spt_options_set_text(options, "loss", losses[i]));
        ck_assert_int_eq(spt__training_read(options, &t, &e), SPT_OK);
        ck_assert_int_eq(t.loss, i);
    }
    for (int i = 0; i < 5; i++) {
        OK(ctx, spt_options_set_text(options, "optimizer", rules[i]));
        ck_assert_int_eq(spt__training_read(options, &t, &e), SPT_OK);
        ck_assert_int_eq(t.optimizer, i);
    }
    FAILS(ctx, SPT_EINVAL, "momentum", spt_options_set_number(options, "momentum", 1));
    FAILS(ctx, SPT_EINVAL, "learning_rate", spt_options_set_number(options, "learning_rate", 0));
    FAILS(ctx, SPT_EINVAL, "batch_size", spt_options_set_number(options, "batch_size", 0));
    FAILS(ctx, SPT_EINVAL, "epochs", spt_options_set_number(options, "epochs", 2.5));
    FAILS(ctx, SPT_ENOTFOUND, "learning_rate", spt_options_set_number(options, "learning_rat", 1));
    spt_options_free(options);
}
END_TEST

START_TEST(other_options_are_refused)
{
    static const spt__knob knobs[] = {
        {"depth", SPT_OPTION_INTEGER, 0, 9, 1, NULL, NULL, "how deep"},
        {NULL, SPT_OPTION_NUMBER, 0, 0, 0, NULL, NULL, NULL}};
    spt_options *options;
    OK(ctx, spt__options_new(ctx, "other", knobs, &options));
    spt_network *network;
    spt_trainer *trainer;
    OK(ctx, spt_network_new(ctx, 2, 1, 1, &network));
    OK(ctx, spt_network_finish(network, 1));
    FAILS(ctx, SPT_EINVAL, "spt_training_options_new()",
          spt_trainer_new(network, options, &trainer));
    ck_assert_ptr_null(trainer);
    float x[2] = {0}, y[1] = {0};
    int64_t row = 0;
    FAILS(ctx, SPT_EINVAL, "spt_training_options_new()",
          spt_network_fit(network, x, y, NULL, 1, &row, 1, NULL, 0, options, NULL, NULL, NULL));
    spt_options_free(options);
    spt_network_free(network);
}
END_TEST

SUITE_MAIN("nn optimizer", tcase_add_checked_fixture(tcase, set_up, tear_down);
           tcase_add_test(tcase, losses_are_in_closed_form);
           tcase_add_test(tcase, a_loss_without_number_stays_one);
           tcase_add_loop_test(tcase, five_steps_follow_the_formula, 0,
                               (int)(sizeof optimisers / sizeof optimisers[0]));
           tcase_add_test(tcase, defaults_are_the_documented_ones);
           tcase_add_test(tcase, other_options_are_refused);)
