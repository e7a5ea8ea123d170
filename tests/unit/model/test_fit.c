/* The fit core: what trains, what is watched, and that nothing else has a part in it. */
#include "testing.h"

#include "base/rng.h"
#include "base/threads.h"
#include "model/fit.h"

enum { N = 120, P = 24, C = 2, HELD = 30 };

typedef struct problem {
    spt_ctx *ctx;
    spt_space *space;
    spt_config *config;
    spt_network *network;
    float x[N * P * C];
    double y[N];
    int64_t train[N], held[HELD], group[N];
    spt__fit_job job;
} problem;

/* y depends on a few bands of the second channel; the first HELD rows do not train. */
static problem *make_problem(uint64_t seed, bool noise)
{
    problem *q = calloc(1, sizeof *q);
    ck_assert_int_eq(spt_ctx_new(NULL, &q->ctx), SPT_OK);
    OK(q->ctx, spt_space_new(q->ctx, "test", &q->space));
    OK(q->ctx, spt_space_add_int(q->space, "fc_blocks", 0, 3, 1, 0, 1));
    OK(q->ctx, spt_space_add_int(q->space, "fc_1_units", 1, 64, 1, 0, 12));
    OK(q->ctx, spt_space_add_int(q->space, "epochs", 1, 1000, 1, 0, 60));
    OK(q->ctx, spt_space_add_float(q->space, "learning_rate", 1e-5, 1, 0, 1, 0.01));
    OK(q->ctx, spt_config_new(q->ctx, q->space, &q->config));
    spt__rng r;
    spt__rng_init(&r, seed, SPT__RNG_TEST, 0, 0);
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < P * C; j++)
            q->x[i * P * C + j] = (float)(spt__rng_normal(&r) * (j % C ? 1e-4 : 1) + 0.5);
        const float *row = q->x + i * P * C;
        q->y[i] = noise ? 30 + 5 * spt__rng_normal(&r)
                        : 30 + 5e4 * ((double)row[2 * 3 + 1] - (double)row[2 * 9 + 1]);
        q->group[i] = i / 7;
    }
    for (int i = 0; i < HELD; i++)
        q->held[i] = i;
    for (int i = HELD; i < N; i++)
        q->train[i - HELD] = i;
    q->job = (spt__fit_job){.ctx = q->ctx,
                            .x = q->x,
                            .n = N,
                            .p = P,
                            .x_mask = SPT_CHANNEL_A | SPT_CHANNEL_A_D1,
                            .mask = SPT_CHANNEL_A_D1,
                            .y = q->y,
                            .t = 1,
                            .train = q->train,
                            .n_train = N - HELD,
                            .watch = SPT__WATCH_INNER,
                            .stream = {.seed = seed}};
    OK(q->ctx, spt__fit_network(q->ctx, q->config, P, q->job.mask, 1, &q->network));
    OK(q->ctx, spt__fit_settings_init(q->ctx, NULL, q->config, 0, &q->job.settings));
    q->job.settings.scale = SPT_SCALE_BAND;
    q->job.network = q->network;
    return q;
}

static void free_problem(problem *q)
{
    spt_network_free(q->network);
    spt_config_free(q->config);
    spt_space_free(q->space);
    spt_ctx_free(q->ctx);
    free(q);
}

static double held_rmse(const problem *q, const spt__fit_result *result)
{
    double values[HELD], sum = 0;
    spt__err e = {0};
    ck_assert_int_eq(spt__fit_predict(result, q->x, q->job.x_mask, q->held, HELD, values, &e),
                     SPT_OK);
    for (int i = 0; i < HELD; i++)
        sum += (values[i] - q->y[i]) * (values[i] - q->y[i]);
    return sqrt(sum / HELD);
}

/* The bits of a result. */
static bool same_result(const spt__fit_result *a, const spt__fit_result *b)
{
    const spt__member *p = a->member, *q = b->member;
    return p->network->n_values == q->network->n_values &&
           !memcmp(p->network->values, q->network->values,
                   (size_t)p->network->n_values * sizeof(float)) &&
           !memcmp(p->scaler->mean, q->scaler->mean, (size_t)p->scaler->n_values * 8) &&
           !memcmp(p->scaler->sd, q->scaler->sd, (size_t)p->scaler->n_values * 8) &&
           !memcmp(p->target_mean, q->target_mean, 8) && !memcmp(p->target_sd, q->target_sd, 8) &&
           a->report.epochs == b->report.epochs && a->report.best == b->report.best;
}

START_TEST(learns)
{
    problem *q = make_problem(3, false);
    spt__fit_result result;
    spt__err e = {0};
    /* No hidden layer: what it can learn is what the targets are. */
    spt_network_free(q->network);
    OK(q->ctx, spt_config_set_number(q->config, "fc_blocks", 0));
    OK(q->ctx, spt_config_set_number(q->config, "epochs", 500));
    OK(q->ctx, spt__fit_network(q->ctx, q->config, P, q->job.mask, 1, &q->network));
    OK(q->ctx, spt__fit_settings_init(q->ctx, NULL, q->config, 0, &q->job.settings));
    q->job.settings.scale = SPT_SCALE_BAND;
    q->job.network = q->network;
    ck_assert_msg(spt__fit_run(&q->job, &result, &e) == SPT_OK, "%s", e.text);
    ck_assert_int_eq(result.n_watched, 9);
    ck_assert_double_lt(held_rmse(q, &result), 0.1); /* s.d. of y is 7 */
    ck_assert_int_eq(result.member->mask, SPT_CHANNEL_A_D1);
    ck_assert_int_eq(result.member->c, 1);
    spt__fit_release(&result);
    /* Without scaling of inputs of 1e-4 nothing is learned: the scaler works. */
    q->job.settings.scale = SPT_SCALE_NONE;
    ck_assert_int_eq(spt__fit_run(&q->job, &result, &e), SPT_OK);
    ck_assert_ptr_null(result.member->scaler);
    ck_assert_double_gt(held_rmse(q, &result), 4.0);
    spt__fit_release(&result);
    free_problem(q);
}
END_TEST

/* Rows that do not train may hold anything at all: not one bit of the result changes. */
START_TEST(held_rows_have_no_part)
{
    problem *q = make_problem(4, false);
    spt__fit_result a, b;
    spt__err e = {0};
    ck_assert_int_eq(spt__fit_run(&q->job, &a, &e), SPT_OK);
    for (int i = 0; i < HELD; i++)
        q->y[i] = NAN;
    for (int i = 0; i < HELD * P * C; i++)
        q->x[i] = NAN;
    ck_assert_msg(spt__fit_run(&q->job, &b, &e) == SPT_OK, "%s", e.text);
    ck_assert(same_result(&a, &b));
    spt__fit_release(&a);
    spt__fit_release(&b);
    /* In a row that trains it is an error that names the row. */
    q->y[50] = NAN;
    ck_assert_int_eq(spt__fit_run(&q->job, &b, &e), SPT_EDATA);
    ck_assert_msg(strstr(e.text, "row 51") != NULL, "%s", e.text);
    ck_assert_ptr_null(b.member);
    free_problem(q);
}
END_TEST

/* Given watched rows decide when to stop, and nothing else: scaling is that of the training rows.
 */
START_TEST(given_rows_do_not_scale)
{
    problem *q = make_problem(5, false);
    spt__fit_result a, b;
    spt__err e = {0};
    q->job.watch = SPT__WATCH_GIVEN;
    q->job.watched = q->held;
    q->job.n_watched = HELD;
    ck_assert_int_eq(spt__fit_run(&q->job, &a, &e), SPT_OK);
    ck_assert_int_eq(a.n_watched, HELD);
    for (int i = 0; i < HELD * P * C; i++)
        q->x[i] += 7;
    for (int i = 0; i < HELD; i++)
        q->y[i] += 1000;
    ck_assert_int_eq(spt__fit_run(&q->job, &b, &e), SPT_OK);
    ck_assert(!memcmp(a.member->scaler->mean, b.member->scaler->mean, P * 8));
    ck_assert(!memcmp(a.member->scaler->sd, b.member->scaler->sd, P * 8));
    ck_assert(a.member->target_mean[0] == b.member->target_mean[0]);
    ck_assert(a.member->target_sd[0] == b.member->target_sd[0]);
    /* mean and s.d. (n - 1) of the target, in closed form */
    double sum = 0, squares = 0;
    for (int i = HELD; i < N; i++)
        sum += q->y[i];
    for (int i = HELD; i < N; i++)
        squares += (q->y[i] - sum / (N - HELD)) * (q->y[i] - sum / (N - HELD));
    RELATIVE(a.member->target_mean[0], sum / (N - HELD), 1e-13);
    RELATIVE(a.member->target_sd[0], sqrt(squares / (N - HELD - 1)), 1e-13);
    spt__fit_release(&a);
    spt__fit_release(&b);
    free_problem(q);
}
END_TEST

/* Losses are in the target's unit: the watched one is the mean squared error of the predictions. */
static int32_t remember(const spt_epoch *epoch, void *user)
{
    spt_epoch *last = user;
    if (epoch->epoch == epoch->best) *last = *epoch;
    return SPT_OK;
}

/* The loss of the held rows, in the target's unit. `sd`: of the training rows' targets. */
static double held_loss(const problem *q, const spt__fit_result *result, int loss, double sd)
{
    double values[HELD], sum = 0, weights = 0;
    spt__err e = {0};
    ck_assert_int_eq(spt__fit_predict(result, q->x, q->job.x_mask, q->held, HELD, values, &e),
                     SPT_OK);
    for (int i = 0; i < HELD; i++) {
        double d = fabs(values[i] - q->y[i]), w = q->job.weights ? (double)q->job.weights[i] : 1;
        double huber = d <= sd ? 0.5 * d * d : sd * (d - 0.5 * sd); /* delta is 1 s.d. */
        sum += w * (loss == 0 ? d * d : loss == 1 ? d : huber);
        weights += w;
    }
    return sum / weights;
}

static double training_sd(const problem *q)
{
    double sum = 0, squares = 0;
    for (int i = HELD; i < N; i++)
        sum += q->y[i] / (N - HELD);
    for (int i = HELD; i < N; i++)
        squares += pow(q->y[i] - sum, 2) / (N - HELD - 1);
    return sqrt(squares);
}

/* For every loss, transform, with and without weights. */
START_TEST(losses_have_the_unit)
{
    static const char *const losses[] = {"mse", "mae", "huber"};
    static const char *const transforms[] = {"none", "standardise", "log1p"};
    const int k = _i % 3, transform = _i / 3 % 3;
    problem *q = make_problem(6, false);
    spt_options *options = NULL;
    float weights[N];
    for (int i = 0; i < N; i++)
        weights[i] = 0.25F * (float)(i % 5);
    OK(q->ctx, spt_fit_options_new(q->ctx, &options));
    OK(q->ctx, spt_options_set_text(options, "loss", losses[k]));
    OK(q->ctx, spt_options_set_text(options, "target_transform", transforms[transform]));
    OK(q->ctx, spt__fit_settings_init(q->ctx, options, q->config, 0, &q->job.settings));
    ck_assert_int_eq(q->job.settings.training.epochs, 60); /* of the configuration */
    ck_assert_int_eq((int)q->job.settings.target, transform);
    q->job.watch = SPT__WATCH_GIVEN;
    q->job.watched = q->held;
    q->job.n_watched = HELD;
    if (_i >= 9) q->job.weights = weights;
    spt_epoch best = {0};
    q->job.fn = remember;
    q->job.user = &best;
    spt__fit_result result;
    spt__err e = {0};
    ck_assert_msg(spt__fit_run(&q->job, &result, &e) == SPT_OK, "%s", e.text);
    double sd = transform == 0 ? 1 : training_sd(q);
    RELATIVE(result.report.watched, held_loss(q, &result, k, sd), 2e-4);
    RELATIVE(best.watched, result.report.watched, 1e-12);
    RELATIVE(best.loss, result.report.loss, 1e-12);
    ck_assert_int_eq(best.epoch, result.report.best);
    ck_assert_double_gt(best.loss, 0);
    spt__fit_release(&result);
    spt_options_free(options);
    free_problem(q);
}
END_TEST

/* Trained on logarithms: what the network was shown, and the way back. */
START_TEST(logarithms)
{
    problem *q = make_problem(8, false);
    spt__fit_result result;
    spt__err e = {0};
    double sum = 0, value = 0, first = 0;
    const double mean = 0.25, sd = 2;
    q->job.settings.target = SPT__TARGET_LOG1P;
    for (int i = 0; i < N; i++)
        q->y[i] = i == 60 ? -0.999 : exp(0.1 * q->y[i]) - 1;
    ck_assert_msg(spt__fit_run(&q->job, &result, &e) == SPT_OK, "%s", e.text);
    for (int i = HELD; i < N; i++)
        sum += log(1 + q->y[i]) / (N - HELD);
    RELATIVE(result.member->target_mean[0], sum, 1e-12);
    ck_assert_int_eq(result.member->transform, SPT_TRANSFORM_LOG1P);
    /* The same network read as one of values and as one of logarithms. */
    ck_assert_int_eq(spt__fit_predict(&result, q->x, q->job.x_mask, q->held, 1, &value, &e),
                     SPT_OK);
    result.member->transform = SPT_TRANSFORM_NONE;
    ck_assert_int_eq(spt__fit_predict(&result, q->x, q->job.x_mask, q->held, 1, &first, &e),
                     SPT_OK);
    ck_assert(value == expm1(first));
    spt__member *none = NULL;
    spt_network *copy = NULL;
    ck_assert_int_eq(spt__network_clone(result.member->network, &copy, &e), SPT_OK);
    ck_assert_int_eq(spt__member_new(q->ctx, SPT_CHANNEL_A, copy, NULL,
                                     &(spt__output){&mean, &sd, 7}, &none, &e),
                     SPT_EINVAL);
    ck_assert_msg(strstr(e.text, "transform is 7") != NULL, "%s", e.text);
    spt__fit_release(&result);
    q->y[60] = -1;
    ck_assert_int_eq(spt__fit_run(&q->job, &result, &e), SPT_EDATA);
    ck_assert_msg(strstr(e.text, "row 61 is -1; target_transform log1p") != NULL, "%s", e.text);
    free_problem(q);
}
END_TEST

/* Weights reach the steps and the rows that are watched; only their relations count. */
START_TEST(weights_train)
{
    problem *q = make_problem(9, false);
    spt__fit_result plain, even, odd;
    spt__err e = {0};
    float weights[N];
    ck_assert_int_eq(spt__fit_run(&q->job, &plain, &e), SPT_OK);
    q->job.weights = weights;
    for (int i = 0; i < N; i++)
        weights[i] = i < HELD ? NAN : 2; /* rows that do not train may hold anything */
    ck_assert_int_eq(spt__fit_run(&q->job, &even, &e), SPT_OK);
    ck_assert(same_result(&plain, &even));
    ck_assert(plain.report.watched == even.report.watched);
    weights[77] = weights[78] = 3; /* not both are watched */
    ck_assert_int_eq(spt__fit_run(&q->job, &odd, &e), SPT_OK);
    ck_assert(!same_result(&plain, &odd));
    spt__fit_release(&plain);
    spt__fit_release(&even);
    spt__fit_release(&odd);
    for (int i = 0; i < N; i++)
        weights[i] = 0;
    ck_assert_int_eq(spt__fit_run(&q->job, &odd, &e), SPT_EINVAL);
    ck_assert_msg(strstr(e.text, "all 81 training rows are 0") != NULL, "%s", e.text);
    free_problem(q);
}
END_TEST

START_TEST(watched_rows)
{
    problem *q = make_problem(7, false);
    spt__err e = {0};
    uint8_t mark[N], again[N];
    int64_t n = 0;
    ck_assert_int_eq(spt__fit_choose_watched(&q->job, mark, &n, &e), SPT_OK);
    ck_assert_int_eq(n, 9);
    ck_assert_int_eq(spt__fit_choose_watched(&q->job, again, &n, &e), SPT_OK);
    ck_assert(!memcmp(mark, again, N - HELD));
    q->job.stream.fold = 1;
    ck_assert_int_eq(spt__fit_choose_watched(&q->job, again, &n, &e), SPT_OK);
    ck_assert(memcmp(mark, again, N - HELD) != 0);
    /* Whole groups: rows 30 to 119 are groups 4 (5 rows) to 17 (1 row), the others have 7. */
    q->job.group = q->group;
    for (int32_t fold = 0; fold < 20; fold++) {
        q->job.stream.fold = fold;
        ck_assert_int_eq(spt__fit_choose_watched(&q->job, mark, &n, &e), SPT_OK);
        ck_assert(n >= 1 && n <= 9);
        for (int i = 1; i < N - HELD; i++)
            if (q->group[q->train[i]] == q->group[q->train[i - 1]])
                ck_assert_int_eq(mark[i], mark[i - 1]);
    }
    /* Groups that are all too large: the smallest one, never all. */
    for (int i = 0; i < N; i++)
        q->group[i] = i < 70;
    ck_assert_int_eq(spt__fit_choose_watched(&q->job, mark, &n, &e), SPT_OK);
    ck_assert_int_eq(n, 40);
    ck_assert(mark[0] && mark[39] && !mark[40]);
    for (int i = 0; i < N; i++)
        q->group[i] = 5;
    ck_assert_int_eq(spt__fit_choose_watched(&q->job, mark, &n, &e), SPT_EDATA);
    ck_assert_ptr_nonnull(strstr(e.text, "one group"));
    q->job.group = NULL;
    q->job.n_train = 1;
    ck_assert_int_eq(spt__fit_choose_watched(&q->job, mark, &n, &e), SPT_EDATA);
    /* Two rows: one of them; a share near 1 leaves one to train. */
    q->job.n_train = 2;
    q->job.settings.watch_share = 0.9;
    ck_assert_int_eq(spt__fit_choose_watched(&q->job, mark, &n, &e), SPT_OK);
    ck_assert_int_eq(n, 1);
    free_problem(q);
}
END_TEST

/* Six jobs on one and on three threads, and in the other order. */
typedef struct many {
    problem *q;
    spt__fit_result results[6];
    bool backwards;
} many;

static int32_t one_of_many(int64_t index, int32_t worker, void *arg, spt__err *e)
{
    (void)worker;
    many *m = arg;
    if (m->backwards) index = 5 - index;
    spt__fit_job job = m->q->job;
    job.stream.trial = index / 3;
    job.stream.fold = (int32_t)(index % 3);
    return spt__fit_run(&job, &m->results[index], e);
}

START_TEST(threads_do_not_matter)
{
    problem *q = make_problem(8, false);
    spt__err e = {0};
    many one = {.q = q}, three = {.q = q, .backwards = true};
    OK(q->ctx, spt_ctx_set_threads(q->ctx, 1));
    ck_assert_int_eq(spt__parallel(q->ctx, 6, one_of_many, &one, &e), SPT_OK);
    OK(q->ctx, spt_ctx_set_threads(q->ctx, 3));
    ck_assert_int_eq(spt__parallel(q->ctx, 6, one_of_many, &three, &e), SPT_OK);
    for (int i = 0; i < 6; i++) {
        ck_assert(same_result(&one.results[i], &three.results[i]));
        /* and each is another network */
        if (i > 0) ck_assert(!same_result(&one.results[i], &one.results[i - 1]));
    }
    for (int i = 0; i < 6; i++) {
        spt__fit_release(&one.results[i]);
        spt__fit_release(&three.results[i]);
    }
    free_problem(q);
}
END_TEST

/* Targets of pure noise: five folds, ten seeds; the pooled error is not below the s.d. of y by more
 * than its standard error, s.d. / sqrt(2 n). */
START_TEST(noise_is_not_learned)
{
    double below = 0;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        problem *q = make_problem(seed, true);
        double sse = 0, sum = 0, squares = 0;
        for (int32_t fold = 0; fold < 5; fold++) {
            int64_t n_train = 0, scored[N], n_scored = 0;
            for (int i = 0; i < N; i++) {
                if (i % 5 == fold)
                    scored[n_scored++] = i;
                else
                    q->train[n_train++] = i;
            }
            q->job.n_train = n_train;
            q->job.stream.fold = fold;
            q->job.settings.training.epochs = 60;
            spt__fit_result result;
            spt__err e = {0};
            double values[N];
            ck_assert_int_eq(spt__fit_run(&q->job, &result, &e), SPT_OK);
            ck_assert_int_eq(
                spt__fit_predict(&result, q->x, q->job.x_mask, scored, n_scored, values, &e),
                SPT_OK);
            for (int64_t i = 0; i < n_scored; i++)
                sse += (values[i] - q->y[scored[i]]) * (values[i] - q->y[scored[i]]);
            spt__fit_release(&result);
        }
        for (int i = 0; i < N; i++)
            sum += q->y[i];
        for (int i = 0; i < N; i++)
            squares += (q->y[i] - sum / N) * (q->y[i] - sum / N);
        double sd = sqrt(squares / (N - 1));
        below += (sd - sqrt(sse / N)) / sd / 10;
        free_problem(q);
    }
    ck_assert_double_lt(below, 1 / sqrt(2.0 * N * 10));
}
END_TEST

static int32_t stop_at_3(const spt_epoch *epoch, void *user)
{
    (void)user;
    return epoch->epoch == 3 ? SPT_STOP_HOST : SPT_OK;
}

START_TEST(stops_and_failures)
{
    problem *q = make_problem(9, false);
    spt__fit_result result;
    spt__err e = {0};
    q->job.fn = stop_at_3;
    ck_assert_int_eq(spt__fit_run(&q->job, &result, &e), SPT_STOP_HOST);
    ck_assert_int_eq(result.report.epochs, 3);
    ck_assert_ptr_nonnull(result.member);
    spt__fit_release(&result);
    q->job.fn = NULL;
    spt_ctx_stop(q->ctx);
    ck_assert_int_eq(spt__fit_run(&q->job, &result, &e), SPT_STOP_HOST);
    ck_assert_int_eq(result.report.epochs, 0);
    spt__fit_release(&result);
    spt_ctx_clear_stop(q->ctx);
    /* A fixed number of epochs: all rows train, none is watched. */
    q->job.watch = SPT__WATCH_NONE;
    OK(q->ctx, spt__fit_settings_init(q->ctx, NULL, q->config, 7, &q->job.settings));
    ck_assert_int_eq(q->job.settings.training.schedule_epochs, 60); /* the rates of the 60 */
    ck_assert_int_eq(spt__fit_run(&q->job, &result, &e), SPT_OK);
    ck_assert(result.report.epochs == 7 && result.report.best == 7 && result.n_watched == 0);
    ck_assert(isnan(result.report.watched));
    spt__fit_release(&result);
    /* A learning rate that no network survives. */
    q->job.settings.training.learning_rate = 1e12;
    q->job.settings.training.optimizer = SPT__SGD;
    ck_assert_int_eq(spt__fit_run(&q->job, &result, &e), SPT_EDIVERGED);
    ck_assert_ptr_null(result.member);
    free_problem(q);
}
END_TEST

SUITE_MAIN("model_fit", tcase_add_test(tcase, learns);
           tcase_add_test(tcase, held_rows_have_no_part);
           tcase_add_test(tcase, given_rows_do_not_scale);
           tcase_add_loop_test(tcase, losses_have_the_unit, 0, 18);
           tcase_add_test(tcase, logarithms); tcase_add_test(tcase, weights_train);
           tcase_add_test(tcase, watched_rows); tcase_add_test(tcase, threads_do_not_matter);
           tcase_add_test(tcase, noise_is_not_learned); tcase_add_test(tcase, stops_and_failures);)
