/* Learning rates over the epochs, clipped gradients, weighted rows; and that divergence and stops
 * are seen with all of them. */
#include "fits.h"

#include "nn/trainer.h"

#include <pthread.h>
#include <time.h>

typedef struct history {
    int n;
    double loss[64], watched[64], rate[64];
} history;

static int32_t note(const spt_epoch *epoch, void *user)
{
    history *h = user;
    h->loss[h->n] = epoch->loss;
    h->watched[h->n] = epoch->watched;
    h->rate[h->n++] = epoch->learning_rate;
    return SPT_OK;
}

static void choose(const char *name, const char *value)
{
    OK(ctx, spt_options_set_text(options, name, value));
}

/* ---- schedules ------------------------------------------------------------------------------- */

START_TEST(constant_stays)
{
    spt_network *network = built(plain);
    history h = {0};
    spt_training_report report;
    knob("epochs", 4);
    OK(ctx, fit(network, 40, 30, note, &h, &report));
    for (int e = 0; e < 4; e++)
        NEAR(h.rate[e], 1e-3, 0);
    spt_network_free(network);
}
END_TEST

START_TEST(cosine_is_in_closed_form)
{
    enum { EPOCHS = 12, WAVE = 8 };
    spt_training_report report;
    choose("schedule", "cosine");
    knob("learning_rate", 0.02);
    knob("schedule_floor", 0.1);
    knob("epochs", EPOCHS);
    knob("patience", 0);
    for (int given = 0; given < 2; given++) {
        int all = given ? WAVE : EPOCHS;
        knob("schedule_epochs", given ? WAVE : 0);
        spt_network *network = built(plain);
        history h = {0};
        OK(ctx, fit(network, 40, 30, note, &h, &report));
        ck_assert_int_eq(h.n, EPOCHS);
        for (int e = 0; e < EPOCHS; e++) {
            double wave = e < all ? 0.5 * (1 + cos(acos(-1) * e / all)) : 0;
            NEAR(h.rate[e], 0.02 * (0.1 + 0.9 * wave), 1e-15);
        }
        ck_assert(h.rate[0] == 0.02);
        /* The same by hand. */
        spt_trainer *trainer;
        OK(ctx, spt_trainer_new(network, options, &trainer));
        for (int e = 0; e < EPOCHS; e++) {
            NEAR(spt_trainer_rate(trainer), h.rate[e], 0);
            OK(ctx, spt_trainer_epoch(trainer, 1));
        }
        spt_trainer_free(trainer);
        spt_network_free(network);
    }
    ck_assert(isnan(spt_trainer_rate(NULL)));
    ck_assert_int_eq(spt_trainer_epoch(NULL, 1), SPT_EINVAL);
}
END_TEST

START_TEST(plateau_follows_its_rule)
{
    spt__training t = {.schedule = SPT__PLATEAU,
                       .plateau_factor = 0.5,
                       .plateau_patience = 3,
                       .schedule_floor = 0.2};
    /* lowest in epochs 1, 2, 8; equal is not lower; NaN is not either */
    static const double loss[] = {5, 4, 4, 4.5, NAN, 4, 4, 3, 3, 3, 3, 9, 9, 9, 9, 9, 9};
    static const double share[] = {1,   1,    1,    1,    0.5, 0.5, 0.5, 0.5, 0.5,
                                   0.5, 0.25, 0.25, 0.25, 0.2, 0.2, 0.2, 0.2};
    spt__course c;
    spt__course_start(&c);
    NEAR(c.share, 1, 0);
    for (int i = 0; i < 17; i++) {
        spt__course_epoch(&t, &c, loss[i]);
        ck_assert_msg(c.share == share[i], "epoch %d: %g, expected %g", i + 1, c.share, share[i]);
    }
}
END_TEST

/* In training it is the watched loss that counts, or the training loss where none is watched. */
START_TEST(plateau_watches)
{
    for (int watch = 0; watch < 2; watch++) {
        spt_network *network = built(plain);
        history h = {0};
        spt_training_report report;
        choose("schedule", "plateau");
        knob("plateau_patience", 2);
        knob("plateau_factor", 0.5);
        knob("schedule_floor", 0);
        knob("learning_rate", 0.05);
        knob("epochs", 40);
        knob("patience", 0);
        OK(ctx, fit(network, 40, watch ? 30 : 0, note, &h, &report));
        double lowest = INFINITY, rate = 0.05;
        int since = 0, cuts = 0;
        for (int e = 0; e < 40; e++) {
            double loss = watch ? h.watched[e] : h.loss[e];
            ck_assert_msg(h.rate[e] == rate, "epoch %d: %g, expected %g", e + 1, h.rate[e], rate);
            if (loss < lowest) {
                lowest = loss;
                since = e;
            } else if (e - since >= 2) {
                rate *= 0.5;
                since = e;
                cuts++;
            }
        }
        ck_assert_int_gt(cuts, 1);
        spt_network_free(network);
    }
}
END_TEST

/* The rate does what it says: sgd's steps are proportional to it. */
START_TEST(the_rate_is_that_of_the_step)
{
    spt_network *network = built(plain);
    spt_trainer *trainer;
    choose("optimizer", "sgd");
    choose("schedule", "cosine");
    knob("epochs", 2);
    knob("schedule_floor", 0);
    knob("learning_rate", 1e-3);
    OK(ctx, spt_trainer_new(network, options, &trainer));
    for (int e = 0; e < 2; e++) {
        float before = network->values[0];
        OK(ctx, spt_trainer_step(trainer, x, y, NULL, ROWS, NULL));
        double slope = (double)trainer->pass->gradient[0];
        ck_assert(fabs(slope) > 1e-3);
        NEAR(network->values[0], (double)before - (e ? 0.5e-3 : 1e-3) * slope, 1e-7);
        OK(ctx, spt_trainer_epoch(trainer, 1));
    }
    spt_trainer_free(trainer);
    spt_network_free(network);
}
END_TEST

/* ---- clipping -------------------------------------------------------------------------------- */

START_TEST(norms)
{
    float v[37];
    for (int n = 0; n <= 37; n++) {
        double sum = 0;
        for (int i = 0; i < n; i++) {
            v[i] = (float)(sin(i) * pow(10, i % 5 - 2));
            sum += (double)v[i] * (double)v[i];
        }
        RELATIVE(spt__norm(v, n), sqrt(sum), 1e-15);
    }
}
END_TEST

/* A step of sgd is as long as rate x norm, and in the gradient's direction. */
START_TEST(a_long_gradient_is_shortened)
{
    static const double limits[] = {0, 1e-3, 1e6};
    choose("optimizer", "sgd");
    knob("learning_rate", 1);
    double step[3], norm = 0;
    float *moved[3];
    for (int k = 0; k < 3; k++) {
        spt_network *network = built(paper);
        int64_t n = network->n_trainable;
        spt_trainer *trainer;
        knob("clip_norm", limits[k]);
        OK(ctx, spt_trainer_new(network, options, &trainer));
        moved[k] = malloc((size_t)n * sizeof *moved[k]);
        for (int64_t i = 0; i < n; i++)
            moved[k][i] = -network->values[i];
        OK(ctx, spt_trainer_step(trainer, x, y, NULL, ROWS, NULL));
        for (int64_t i = 0; i < n; i++)
            moved[k][i] += network->values[i];
        step[k] = spt__norm(moved[k], n);
        norm = spt__norm(trainer->pass->gradient, n);
        if (k > 0) {
            double inner = 0;
            for (int64_t i = 0; i < n; i++)
                inner += (double)moved[0][i] * (double)moved[k][i];
            RELATIVE(inner, step[0] * step[k], 1e-4);
        }
        spt_trainer_free(trainer);
        spt_network_free(network);
    }
    ck_assert_double_gt(norm, 0.1);
    RELATIVE(step[0], norm, 1e-5);
    RELATIVE(step[1], 1e-3, 1e-3); /* differences of float32 weights */
    ck_assert(step[2] == step[0]);
    for (int k = 0; k < 3; k++)
        free(moved[k]);
}
END_TEST

/* ---- weights --------------------------------------------------------------------------------- */

START_TEST(weighted_losses_have_the_right_slope)
{
    enum { N = 3, T = 2 };
    const float target[N * T] = {1, 2, 3, 4, 5, 6}, weight[N] = {0.5F, 0, 3};
    float output[N * T] = {1.3F, 2, 0, 7, 5.2F, 4}, g[N * T];
    for (int loss = SPT__LOSS_MSE; loss <= SPT__LOSS_HUBER; loss++) {
        spt__training t = {.loss = (spt__loss)loss, .huber_delta = 0.7};
        spt__outcome o = {output, target, weight, N, T};
        spt__loss_sum(&t, &o, 1 / 7.0, g);
        for (int k = 0; k < N * T; k++) {
            const float at = output[k], h = 1e-3F;
            if (k == 1 && loss == SPT__LOSS_MAE) continue; /* a corner */
            output[k] = at + h;
            double up = spt__loss_sum(&t, &o, 0, NULL);
            output[k] = at - h;
            double down = spt__loss_sum(&t, &o, 0, NULL);
            output[k] = at;
            NEAR(g[k], (up - down) / (double)(2 * h) / 7, 1e-4);
        }
        ck_assert(g[2] == 0 && g[3] == 0);
    }
}
END_TEST

static float weights[ROWS];

static int32_t fit_weighted(spt_network *network, const float *w, int64_t n_train, int64_t n_watch,
                            spt_training_report *report)
{
    spt_record_init(report, sizeof *report);
    return spt_network_fit(network, x, y, w, ROWS, rows, n_train, rows + n_train, n_watch, options,
                           NULL, NULL, report);
}

/* With full batches a row of weight 3 is three rows. */
START_TEST(a_weight_is_a_repetition)
{
    static const char *const losses[] = {"mse", "mae", "huber"};
    int64_t repeated[3 * ROWS], n = 0;
    for (int i = 0; i < 40; i++) {
        weights[i] = (float)(i % 4);
        for (int k = 0; k < i % 4; k++)
            repeated[n++] = i;
    }
    for (int i = 40; i < ROWS; i++)
        weights[i] = (float)(i % 3);
    int64_t n_train = n;
    for (int i = 40; i < ROWS; i++)
        for (int k = 0; k < i % 3; k++)
            repeated[n++] = i;
    choose("loss", losses[_i]);
    knob("batch_size", 1e6);
    knob("epochs", 20);
    knob("learning_rate", 0.01);
    spt_network *a = built(plain), *b = built(plain);
    spt_training_report ra, rb;
    OK(ctx, fit_weighted(a, weights, 40, 30, &ra));
    spt_record_init(&rb, sizeof rb);
    OK(ctx, spt_network_fit(b, x, y, NULL, ROWS, repeated, n_train, repeated + n_train, n - n_train,
                            options, NULL, NULL, &rb));
    ck_assert_int_eq(ra.best, rb.best);
    RELATIVE(ra.loss, rb.loss, 1e-4);
    RELATIVE(ra.watched, rb.watched, 1e-4);
    for (int64_t i = 0; i < a->n_values; i++)
        NEAR(a->values[i], b->values[i], 2e-4);
    spt_network_free(a);
    spt_network_free(b);
}
END_TEST

static bool same_values(const spt_network *a, const spt_network *b)
{
    return !memcmp(a->values, b->values, (size_t)a->n_values * sizeof *a->values);
}

/* Weights of 1, of 4, and none are the same bits; rows of weight 0 train nothing. */
START_TEST(only_relations_count)
{
    spt_training_report report, other;
    spt_network *none = built(paper);
    knob("batch_size", 16);
    knob("epochs", 5);
    OK(ctx, fit_weighted(none, NULL, 40, 30, &report));
    for (int k = 0; k < 2; k++) {
        spt_network *network = built(paper);
        for (int i = 0; i < ROWS; i++)
            weights[i] = k ? 4.0F : 1.0F;
        OK(ctx, fit_weighted(network, weights, 40, 30, &other));
        ck_assert(same_values(none, network));
        ck_assert(report.loss == other.loss && report.watched == other.watched);
        spt_network_free(network);
    }
    spt_network *first = built(plain);
    for (int i = 0; i < ROWS; i++)
        weights[i] = i % 5 == 2 ? 0 : 0.1F * (float)(i + 1);
    OK(ctx, fit_weighted(first, weights, 40, 30, &report));
    for (int i = 2; i < ROWS; i += 5)
        y[i] += 1000;
    spt_network *second = built(plain);
    OK(ctx, fit_weighted(second, weights, 40, 30, &other));
    ck_assert(same_values(first, second));
    ck_assert(report.loss == other.loss && report.watched == other.watched);
    spt_network_free(none);
    spt_network_free(first);
    spt_network_free(second);
}
END_TEST

/* Of a batch by hand the loss is the weighted mean. */
START_TEST(a_hosts_weights)
{
    spt_network *network = built(plain);
    spt_trainer *trainer;
    float out[3];
    const float w[3] = {1, 0, 0.5F}, bad[3] = {1, -1, 1}, nan[3] = {NAN, 1, 1}, zero[3] = {0};
    double loss = 0;
    OK(ctx, spt_network_predict(network, x, 3, out));
    OK(ctx, spt_trainer_new(network, options, &trainer));
    FAILS(ctx, SPT_EINVAL, "weight of row 1 is -1", spt_trainer_step(trainer, x, y, bad, 3, NULL));
    FAILS(ctx, SPT_EINVAL, "weight of row 0 is nan", spt_trainer_step(trainer, x, y, nan, 3, NULL));
    FAILS(ctx, SPT_EINVAL, "all 3 rows are 0", spt_trainer_step(trainer, x, y, zero, 3, NULL));
    OK(ctx, spt_trainer_step(trainer, x, y, w, 3, &loss));
    RELATIVE(loss,
             (pow((double)out[0] - (double)y[0], 2) + 0.5 * pow((double)out[2] - (double)y[2], 2)) /
                 1.5,
             1e-5);
    spt_trainer_free(trainer);
    spt_training_report report;
    for (int i = 0; i < ROWS; i++)
        weights[i] = i < 40;
    FAILS(ctx, SPT_EINVAL, "all 30 watched rows are 0",
          fit_weighted(network, weights, 40, 30, &report));
    for (int i = 0; i < ROWS; i++)
        weights[i] = i >= 40;
    FAILS(ctx, SPT_EINVAL, "all 40 training rows are 0",
          fit_weighted(network, weights, 40, 30, &report));
    weights[7] = -0.5F;
    FAILS(ctx, SPT_EINVAL, "weight of row 7 is -0.5",
          fit_weighted(network, weights, 40, 30, &report));
    spt_network_free(network);
}
END_TEST

/* ---- the ends of training -------------------------------------------------------------------- */

/* Whatever the loss and schedule, and also where the last step of an epoch spoils the weights, so
 * that only the watched rows can show it. */
START_TEST(divergence_with_every_loss_and_schedule)
{
    static const char *const losses[] = {"mse", "mae", "huber"};
    static const char *const schedules[] = {"constant", "cosine", "plateau"};
    choose("loss", losses[_i % 3]);
    choose("schedule", schedules[_i / 3]);
    choose("optimizer", "sgd");
    knob("learning_rate", 1e12);
    knob("epochs", 50);
    for (int k = 0; k < 4; k++) {
        spt_network *network = built(plain);
        spt_training_report report;
        knob("batch_size", k & 1 ? 1000 : 8);
        knob("clip_norm", k & 2 ? 1e12 : 0);
        FAILS(ctx, SPT_EDIVERGED, "epoch ", fit(network, 40, 30, NULL, NULL, &report));
        ck_assert_ptr_nonnull(strstr(spt_ctx_last_error(ctx), "learning rate"));
        spt_network_free(network);
    }
}
END_TEST

static void *stop_soon(void *arg)
{
    struct timespec pause = {0, 5000000};
    nanosleep(&pause, NULL);
    spt_ctx_stop(arg);
    return NULL;
}

static int32_t start_stopper(const spt_epoch *epoch, void *user)
{
    if (epoch->epoch == 1) ck_assert_int_eq(pthread_create(user, NULL, stop_soon, ctx), 0);
    return SPT_OK;
}

/* An epoch that trains in no time and watches for long: the stop comes while it watches, and
 * that epoch does not count. */
START_TEST(a_stop_is_seen_while_watching)
{
    enum { MANY = 500000 };
    int64_t *watched = calloc(MANY, sizeof *watched);
    spt_network *network = built(paper);
    spt_training_report report;
    pthread_t thread;
    knob("epochs", 2);
    spt_record_init(&report, sizeof report);
    ck_assert_int_eq(spt_network_fit(network, x, y, NULL, ROWS, rows, 4, watched, MANY, options,
                                     start_stopper, &thread, &report),
                     SPT_STOP_HOST);
    pthread_join(thread, NULL);
    ck_assert_int_eq(report.epochs, 1);
    ck_assert_int_eq(report.best, 1);
    free(watched);
    spt_network_free(network);
}
END_TEST

SUITE_MAIN("nn_schedule", tcase_add_checked_fixture(tcase, set_up, tear_down);
           tcase_add_test(tcase, constant_stays); tcase_add_test(tcase, cosine_is_in_closed_form);
           tcase_add_test(tcase, plateau_follows_its_rule); tcase_add_test(tcase, plateau_watches);
           tcase_add_test(tcase, the_rate_is_that_of_the_step); tcase_add_test(tcase, norms);
           tcase_add_test(tcase, a_long_gradient_is_shortened);
           tcase_add_test(tcase, weighted_losses_have_the_right_slope);
           tcase_add_loop_test(tcase, a_weight_is_a_repetition, 0, 3);
           tcase_add_test(tcase, only_relations_count); tcase_add_test(tcase, a_hosts_weights);
           tcase_add_loop_test(tcase, divergence_with_every_loss_and_schedule, 0, 9);
           tcase_add_test(tcase, a_stop_is_seen_while_watching);)
