/* The training loop: what is visited, what is kept, when it ends, and that nothing else matters. */
#include "counting.h"
#include "fits.h"

#include "base/threads.h"

/* ---- learning -------------------------------------------------------------------------------- */

START_TEST(a_network_learns)
{
    static const char *const rules[] = {"sgd", "adagrad", "rmsprop", "adam", "adamw"};
    static const double rates[] = {0.02, 0.05, 3e-3, 5e-3, 5e-3};
    spt_network *network = built(plain);
    double before = watched_loss(network, 0, ROWS);
    OK(ctx, spt_options_set_text(options, "optimizer", rules[_i]));
    knob("learning_rate", rates[_i]);
    knob("batch_size", 16);
    spt_training_report report;
    OK(ctx, fit(network, ROWS, 0, NULL, NULL, &report));
    double after = watched_loss(network, 0, ROWS);
    ck_assert_msg(after < before / 10, "%s: loss %g, was %g", rules[_i], after, before);
    ck_assert_int_eq(report.epochs, 100);
    ck_assert_int_eq(report.best, 100);
    ck_assert(isnan(report.watched));
    ck_assert(report.loss < before / 10 && report.seconds > 0);
    spt_network_free(network);
}
END_TEST

/* ---- batches --------------------------------------------------------------------------------- */

typedef struct history {
    int n;
    double loss[64], watched[64];
    int64_t best[64];
    int64_t stop_at;
    int32_t answer;
    spt_ctx *stop_ctx;
} history;

static int32_t note(const spt_epoch *epoch, void *user)
{
    history *h = user;
    ck_assert_int_eq(epoch->epoch, h->n + 1);
    h->loss[h->n] = epoch->loss;
    h->watched[h->n] = epoch->watched;
    h->best[h->n] = epoch->best;
    h->n++;
    if (h->stop_at != epoch->epoch) return SPT_OK;
    if (h->stop_ctx) spt_ctx_stop(h->stop_ctx);
    return h->answer;
}

/* With no prediction (weights 0, hardly a step) a row's loss is its target squared, and no two
 * choices of rows have the same mean of these. */
START_TEST(an_epoch_sees_every_row_once)
{
    static const int sizes[] = {1, 2, 5, 7, 11, 22, 23, 24, 1000};
    enum { N = 23 };
    spt_network *network = built(linear);
    float zero[SIZE] = {0};
    OK(ctx, spt_network_set_values(network, 0, zero, LENGTH(zero)));
    double expected = 0.0;
    for (int i = 0; i < N; i++) {
        y[i] = (float)sqrt(1 + sqrt(i + 2) * (i % 3 + 1) / 10);
        expected += (double)y[i] * (double)y[i] / N;
    }
    OK(ctx, spt_options_set_text(options, "optimizer", "sgd"));
    knob("learning_rate", 1e-12);
    knob("epochs", 3);
    knob("batch_size", sizes[_i]);
    spt_training_report report;
    history h = {0};
    OK(ctx, fit(network, N, 0, note, &h, &report));
    for (int e = 0; e < 3; e++)
        RELATIVE(h.loss[e], expected, 1e-8);
    spt_network_free(network);
}
END_TEST

typedef struct visits {
    int n;
    double first[40];
} visits;

static int32_t note_loss(const spt_epoch *epoch, void *user)
{
    visits *v = user;
    v->first[v->n++] = epoch->loss;
    return SPT_OK;
}

/* The order of the rows is new each epoch, and named by seed, trial, fold and epoch. */
START_TEST(orders_differ)
{
    spt__err e;
    double last[4];
    for (int i = 0; i < 4; i++) {
        spt_network *network = built(plain);
        spt__fit f = {.n = ROWS, .x = x, .y = y, .train = rows, .n_train = ROWS};
        ck_assert_int_eq(spt__training_read(NULL, &f.training, &e), SPT_OK);
        f.training.epochs = 4;
        f.training.batch_size = 8;
        f.stream = (spt__stream){i == 1 ? 2 : 1, i == 2, i == 3};
        visits v = {0};
        f.fn = note_loss;
        f.user = &v;
        ck_assert_int_eq(spt__network_fit(network, &f, NULL, &e), SPT_OK);
        last[i] = v.first[3];
        for (int k = 0; k < i; k++)
            ck_assert(fabs(last[i] - last[k]) > 0);
        spt_network_free(network);
    }
}
END_TEST

/* One full batch per epoch is what a host gets that makes the steps itself. */
START_TEST(a_hosts_loop_is_the_same_training)
{
    spt_network *a = built(plain), *b = built(plain);
    knob("batch_size", 1e6);
    knob("epochs", 6);
    knob("learning_rate", 0.01);
    spt_training_report report;
    OK(ctx, fit(a, ROWS, 0, NULL, NULL, &report));
    spt_trainer *trainer;
    OK(ctx, spt_trainer_new(b, options, &trainer));
    double loss = 0.0;
    for (int step = 0; step < 6; step++)
        OK(ctx, spt_trainer_step(trainer, x, y, NULL, ROWS, &loss));
    RELATIVE(loss, report.loss, 1e-5);
    /* The rows' order differs, so the last bits do. */
    for (int64_t i = 0; i < a->n_values; i++)
        NEAR(a->values[i], b->values[i], 1e-4);
    FAILS(ctx, SPT_EINVAL, "a step on 0 rows", spt_trainer_step(trainer, x, y, NULL, 0, NULL));
    /* The trainer keeps its network. */
    spt_network_free(b);
    OK(ctx, spt_trainer_step(trainer, x, y, NULL, ROWS / 2, NULL));
    spt_trainer_free(trainer);
    spt_trainer_free(NULL);
    spt_network_free(a);
}
END_TEST

START_TEST(batch_norm_copes_with_lone_rows)
{
    spt_training_report report;
    knob("epochs", 3);
    knob("batch_size", 23); /* 70 = 23 + 23 + 24 */
    spt_network *network = built(paper);
    OK(ctx, fit(network, ROWS, 0, NULL, NULL, &report));
    OK(ctx, fit(network, 1, 0, NULL, NULL, &report));
    ck_assert(isfinite(watched_loss(network, 0, ROWS)));
    spt_network_free(network);
}
END_TEST

/* ---- early stopping -------------------------------------------------------------------------- */

START_TEST(the_best_epoch_comes_back)
{
    spt_network *network = built(paper);
    knob("learning_rate", 0.03);
    knob("epochs", 60);
    knob("patience", 5);
    spt_training_report report;
    history h = {0};
    OK(ctx, fit(network, 40, 30, note, &h, &report));
    int best = 0;
    for (int i = 1; i < h.n; i++)
        if (h.watched[i] < h.watched[best]) best = i;
    ck_assert_int_lt(h.n, 60); /* 40 noisy rows overfit at once */
    ck_assert_int_eq(report.epochs, h.n);
    ck_assert_int_eq(report.best, best + 1);
    ck_assert_int_eq(h.n - (best + 1), 5);
    for (int i = 0; i < h.n; i++)
        ck_assert_int_le(h.best[i], i + 1);
    ck_assert_int_eq(h.best[h.n - 1], best + 1);
    NEAR(report.watched, h.watched[best], 0);
    NEAR(report.loss, h.loss[best], 0);
    /* Weights and running statistics are those of that epoch. */
    RELATIVE(watched_loss(network, 40, 30), h.watched[best], 1e-5);
    ck_assert(fabs(h.watched[h.n - 1] / h.watched[best] - 1) > 1e-3);
    spt_network_free(network);
}
END_TEST

START_TEST(patience_zero_never_stops)
{
    spt_network *network = built(plain);
    knob("learning_rate", 1e-12); /* float weights do not move: all epochs tie */
    knob("epochs", 30);
    knob("patience", 0);
    spt_training_report report;
    OK(ctx, fit(network, 40, 30, NULL, NULL, &report));
    ck_assert_int_eq(report.epochs, 30);
    ck_assert_int_eq(report.best, 1); /* the first of equals */
    knob("patience", 3);
    OK(ctx, fit(network, 40, 30, NULL, NULL, &report));
    ck_assert_int_eq(report.epochs, 4);
    ck_assert_int_eq(report.best, 1);
    spt_network_free(network);
}
END_TEST

/* ---- ends ------------------------------------------------------------------------------------ */

START_TEST(divergence_is_noticed)
{
    static const char *const losses[] = {"mse", "mae", "huber"};
    spt_network *network = built(paper);
    knob("learning_rate", 1e12);
    OK(ctx, spt_options_set_text(options, "optimizer", "sgd"));
    OK(ctx, spt_options_set_text(options, "loss", losses[_i]));
    if (_i > 0) knob("weight_decay", 100);
    spt_training_report report;
    FAILS(ctx, SPT_EDIVERGED, "the learning rate is 1e+12, a lower one",
          fit(network, 40, 30, NULL, NULL, &report));
    ck_assert_ptr_eq(strstr(spt_ctx_last_error(ctx), "epoch "), spt_ctx_last_error(ctx));
    ck_assert_int_lt(report.epochs, 10);
    spt_network_free(network);
}
END_TEST

START_TEST(a_stop_request_keeps_the_best)
{
    spt_network *network = built(plain);
    size_t bytes = (size_t)network->n_values * sizeof(float);
    float *start = malloc(bytes);
    memcpy(start, network->values, bytes);
    spt_training_report report;
    spt_ctx_stop(ctx);
    ck_assert_int_eq(fit(network, 40, 30, NULL, NULL, &report), SPT_STOP_HOST);
    ck_assert_int_eq(report.epochs, 0);
    ck_assert_int_eq(report.best, 0);
    ck_assert_mem_eq(start, network->values, bytes);
    spt_ctx_clear_stop(ctx);
    free(start);

    knob("learning_rate", 0.03);
    for (int by_context = 0; by_context < 2; by_context++) {
        history h = {.stop_at = 9, .answer = by_context ? SPT_OK : SPT_STOP_HOST};
        h.stop_ctx = by_context ? ctx : NULL;
        ck_assert_int_eq(fit(network, 40, 30, note, &h, &report), SPT_STOP_HOST);
        ck_assert_int_eq(h.n, 9);
        ck_assert_int_eq(report.epochs, 9);
        ck_assert_int_eq(report.best, h.best[8]);
        RELATIVE(watched_loss(network, 40, 30), h.watched[h.best[8] - 1], 1e-5);
        spt_ctx_clear_stop(ctx);
    }
    history h = {.stop_at = 2, .answer = SPT_PRUNED};
    ck_assert_int_eq(fit(network, 40, 30, note, &h, &report), SPT_PRUNED);
    h = (history){.stop_at = 2, .answer = -77};
    FAILS(ctx, SPT_ECALLBACK, "the epoch callback returned -77 after epoch 2",
          fit(network, 40, 30, note, &h, &report));
    spt_network_free(network);
}
END_TEST

START_TEST(bad_rows_are_refused)
{
    spt_network *network = built(plain);
    spt_training_report report;
    FAILS(ctx, SPT_EINVAL, "training on 0 rows", fit(network, 0, 30, NULL, NULL, &report));
    FAILS(ctx, SPT_EINVAL, "-1 watched rows", fit(network, 40, -1, NULL, NULL, &report));
    rows[3] = -2;
    FAILS(ctx, SPT_EINVAL, "training row 3 is -2", fit(network, 40, 30, NULL, NULL, &report));
    rows[3] = 3;
    FAILS(ctx, SPT_EINVAL, "training row 9 is 9; 0 to 8 are possible",
          spt_network_fit(network, x, y, NULL, 9, rows, 10, NULL, 0, NULL, NULL, NULL, &report));
    FAILS(ctx, SPT_EINVAL, "watched row 1 is 9; 0 to 8 are possible",
          spt_network_fit(network, x, y, NULL, 9, rows, 5, rows + 8, 2, NULL, NULL, NULL, &report));
    FAILS(ctx, SPT_EINVAL, "x and y have 0 rows",
          spt_network_fit(network, x, y, NULL, 0, rows, 5, NULL, 0, NULL, NULL, NULL, &report));
    x[50 * SIZE + 2 * 6 + 1] = INFINITY;
    FAILS(ctx, SPT_EINVAL, "x of row 50 is not finite at band 6, channel 1",
          fit(network, 40, 30, NULL, NULL, &report));
    OK(ctx, fit(network, 40, 0, NULL, NULL, &report));
    y[2] = NAN;
    FAILS(ctx, SPT_EINVAL, "y of row 2 is not finite at target 0",
          fit(network, 40, 0, NULL, NULL, &report));
    report.struct_size = 0;
    y[2] = 0;
    FAILS(ctx, SPT_EINVAL, "struct_size",
          spt_network_fit(network, x, y, NULL, ROWS, rows, 9, NULL, 0, NULL, NULL, NULL, &report));
    spt_network_free(network);
}
END_TEST

/* ---- dropout --------------------------------------------------------------------------------- */

START_TEST(dropout_masks_are_even_and_new_each_time)
{
    spt_network *network;
    OK(ctx, spt_network_new(ctx, 501, 3, 1, &network));
    OK(ctx, spt_network_add_dropout(network, 0.3));
    OK(ctx, spt_network_add_dropout(network, 0.3));
    OK(ctx, spt_network_finish(network, 1));
    enum { N = 20, PLACES = 1503, ROW = 1504 };
    spt__err e;
    spt__pass *p;
    ck_assert_int_eq(spt__pass_new(network, N, SPT__TRAIN, &p, &e), SPT_OK);
    uint8_t *before = malloc(ROW * N);
    for (int turn = 0; turn < 4; turn++) {
        p->stream.seed = turn == 2;
        p->step = turn == 1;
        p->stream.fold = turn == 3;
        ck_assert_int_eq(spt__pass_forward(p, N), SPT_OK);
        double kept = 0.0;
        for (int s = 0; s < N; s++)
            for (int j = 0; j < PLACES; j++)
                kept += p->slots[0].mask[s * ROW + j];
        kept /= N * PLACES;
        ck_assert_msg(fabs(kept - 0.7) < 5 * sqrt(0.21 / (N * PLACES)), "kept %g", kept);
        if (turn > 0) ck_assert_mem_ne(before, p->slots[0].mask, ROW * N);
        ck_assert_mem_ne(p->slots[0].mask, p->slots[0].mask + ROW, PLACES);
        ck_assert_mem_ne(p->slots[0].mask, p->slots[1].mask, PLACES);
        memcpy(before, p->slots[0].mask, ROW * N);
    }
    free(before);
    spt__pass_free(p);
    spt_network_free(network);
}
END_TEST

/* ---- nothing else matters -------------------------------------------------------------------- */

enum { TASKS = 4 };

typedef struct tasks {
    const spt_network *start;
    spt__fit fit;
    spt_network *networks[TASKS];
} tasks;

static int32_t fit_clone(int64_t index, int32_t worker, void *arg, spt__err *e)
{
    (void)worker;
    tasks *t = arg;
    SPT__TRY(spt__network_clone(t->start, &t->networks[index], e));
    spt__fit f = t->fit;
    f.stream.fold = (int32_t)(index / 2);
    spt__network_init(t->networks[index], &f.stream);
    return spt__network_fit(t->networks[index], &f, NULL, e);
}

/* Tasks 0 and 1 have one seed, 2 and 3 another. All of them at once give the bits of one by one. */
START_TEST(the_same_seed_gives_the_same_bits_on_any_thread)
{
    tasks t[2] = {0};
    spt_network *start = built(paper);
    size_t bytes = (size_t)start->n_values * sizeof(float);
    for (int i = 0; i < 2; i++) {
        spt__err e;
        OK(ctx, spt_ctx_set_threads(ctx, i == 0 ? 1 : TASKS));
        t[i].start = start;
        t[i].fit = (spt__fit){.n = ROWS,
                              .x = x,
                              .y = y,
                              .train = rows,
                              .n_train = 50,
                              .watch = rows + 50,
                              .n_watch = 20};
        ck_assert_int_eq(spt__training_read(NULL, &t[i].fit.training, &e), SPT_OK);
        t[i].fit.training.epochs = 15;
        ck_assert_int_eq(spt__parallel(ctx, TASKS, fit_clone, &t[i], &e), SPT_OK);
    }
    for (int k = 0; k < TASKS; k++) {
        ck_assert_mem_eq(t[0].networks[k]->values, t[1].networks[k]->values, bytes);
        ck_assert_mem_ne(t[0].networks[k]->values, start->values, bytes);
    }
    ck_assert_mem_eq(t[0].networks[0]->values, t[0].networks[1]->values, bytes);
    ck_assert_mem_ne(t[0].networks[0]->values, t[0].networks[2]->values, bytes);
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < TASKS; k++)
            spt_network_free(t[i].networks[k]);
    spt_network_free(start);
}
END_TEST

/* ---- memory ---------------------------------------------------------------------------------- */

static int32_t build_and_fit(spt_ctx *c, int epochs, spt_network **out)
{
    spt_options *o = NULL;
    spt_network *network = NULL;
    int32_t status = spt_training_options_new(c, &o);
    if (status == SPT_OK) status = spt_options_set_number(o, "epochs", epochs);
    if (status == SPT_OK) status = spt_network_new(c, BANDS, CHANNELS, 1, &network);
    if (status == SPT_OK) status = add_layers(network, paper);
    if (status == SPT_OK) status = spt_network_finish(network, 1);
    if (status == SPT_OK)
        status = spt_network_fit(network, x, y, NULL, ROWS, rows, 40, rows + 40, 30, o, NULL, NULL,
                                 NULL);
    spt_options_free(o);
    *out = network;
    return status;
}

START_TEST(memory_is_planned_before_the_loop)
{
    int64_t calls[2];
    for (int i = 0; i < 2; i++) {
        counter c = {0};
        spt_ctx *counting = counting_ctx(&c);
        spt_network *network;
        OK(counting, build_and_fit(counting, i == 0 ? 1 : 9, &network));
        calls[i] = c.calls;
        int64_t told = spt__network_memory(network, 32, 40, 30);
        c.peak = c.live;
        int64_t base = c.live;
        OK(counting, spt_network_fit(network, x, y, NULL, ROWS, rows, 40, rows + 40, 30, NULL, NULL,
                                     NULL, NULL));
        double taken = (double)(c.peak - base);
        ck_assert_msg(taken <= (double)told && taken > 0.98 * (double)told, "took %g, told %g",
                      taken, (double)told);
        spt_network_free(network);
        spt_ctx_free(counting);
        ck_assert_int_eq(c.live, 0);
    }
    ck_assert_int_eq(calls[0], calls[1]);
}
END_TEST

/* What it will need is told, and refused beyond the limit; the batch offered does fit. */
START_TEST(memory_has_a_limit)
{
    spt_network *network = built(paper), *large;
    knob("batch_size", 64);
    knob("epochs", 1);
    int64_t needs = spt_network_fit_memory(network, options, 60, 10);
    ck_assert_int_eq(needs, spt__network_memory(network, 64, 60, 10));
    ck_assert(spt_network_fit_memory(network, NULL, 60, 10) < needs); /* batches of 32 */
    spt_training_report report;
    ck_assert_int_eq(spt_ctx_memory_limit(ctx), 0);
    OK(ctx, spt_ctx_set_memory_limit(ctx, needs));
    ck_assert_int_eq(spt_ctx_memory_limit(ctx), needs);
    OK(ctx, fit(network, 60, 10, NULL, NULL, &report));
    OK(ctx, spt_ctx_set_memory_limit(ctx, needs - 1));
    FAILS(ctx, SPT_ELIMIT, "training needs ", fit(network, 60, 10, NULL, NULL, &report));
    const char *help = strstr(spt_ctx_last_error(ctx), "batch_size ");
    ck_assert_ptr_nonnull(strstr(spt_ctx_last_error(ctx), " KiB of memory, the limit is "));
    ck_assert_ptr_nonnull(help);
    double offered = (double)strtol(help + strlen("batch_size "), NULL, 10);
    ck_assert(offered >= 16 && offered < 60);
    knob("batch_size", offered + 1);
    FAILS(ctx, SPT_ELIMIT, "would fit", fit(network, 60, 10, NULL, NULL, &report));
    knob("batch_size", offered);
    OK(ctx, fit(network, 60, 10, NULL, NULL, &report));
    OK(ctx, spt_ctx_set_memory_limit(ctx, 5000));
    FAILS(ctx, SPT_ELIMIT, "the limit is 4.88 KiB; a smaller network would help",
          fit(network, 60, 10, NULL, NULL, &report));
    /* A network alone may be too large. */
    OK(ctx, spt_network_new(ctx, BANDS, CHANNELS, 1, &large));
    OK(ctx, spt_network_add_dense(large, 1000));
    FAILS(ctx, SPT_EINVAL, "no weights yet", (int32_t)spt_network_fit_memory(large, NULL, 10, 0));
    FAILS(ctx, SPT_ELIMIT, "the weights of the network need 195 KiB of memory",
          spt_network_finish(large, 1));
    OK(ctx, spt_ctx_set_memory_limit(ctx, 0));
    OK(ctx, spt_network_finish(large, 1));
    FAILS(ctx, SPT_EINVAL, "0 training", (int32_t)spt_network_fit_memory(large, NULL, 0, 0));
    FAILS(ctx, SPT_EINVAL, "-1 bytes", spt_ctx_set_memory_limit(ctx, -1));
    ck_assert_int_eq(spt_ctx_memory_limit(NULL), SPT_EINVAL);
    ck_assert_int_eq(spt_ctx_set_memory_limit(NULL, 1), SPT_EINVAL);
    ck_assert_int_eq(spt_network_fit_memory(NULL, NULL, 1, 0), SPT_EINVAL);
    spt_network_free(network);
    spt_network_free(large);
}
END_TEST

START_TEST(every_failed_allocation_is_reported_and_nothing_leaks)
{
    int32_t status = SPT_ENOMEM;
    for (int64_t n = 1; status != SPT_OK; n++) {
        ck_assert_int_lt(n, 200);
        counter c = {0};
        spt_ctx *counting = counting_ctx(&c);
        ck_assert_ptr_nonnull(counting);
        c.fail_at = c.calls + n;
        spt_network *network;
        status = build_and_fit(counting, 2, &network);
        ck_assert(status == SPT_OK || status == SPT_ENOMEM);
        if (status == SPT_ENOMEM) ck_assert_str_ne(spt_ctx_last_error(counting), "");
        spt_network_free(network);
        spt_ctx_free(counting);
        ck_assert_int_eq(c.live, 0);
    }
}
END_TEST

SUITE_MAIN("nn fit", tcase_add_checked_fixture(tcase, set_up, tear_down);
           tcase_add_loop_test(tcase, a_network_learns, 0, 5);
           tcase_add_loop_test(tcase, an_epoch_sees_every_row_once, 0, 9);
           tcase_add_test(tcase, orders_differ);
           tcase_add_test(tcase, a_hosts_loop_is_the_same_training);
           tcase_add_test(tcase, batch_norm_copes_with_lone_rows);
           tcase_add_test(tcase, the_best_epoch_comes_back);
           tcase_add_test(tcase, patience_zero_never_stops);
           tcase_add_loop_test(tcase, divergence_is_noticed, 0, 3);
           tcase_add_test(tcase, a_stop_request_keeps_the_best);
           tcase_add_test(tcase, bad_rows_are_refused);
           tcase_add_test(tcase, dropout_masks_are_even_and_new_each_time);
           tcase_add_test(tcase, the_same_seed_gives_the_same_bits_on_any_thread);
           tcase_add_test(tcase, memory_is_planned_before_the_loop);
           tcase_add_test(tcase, memory_has_a_limit);
           tcase_add_test(tcase, every_failed_allocation_is_reported_and_nothing_leaks);)
