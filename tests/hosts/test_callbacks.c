/* Callbacks that fail, that call back into what called them, that free it: each has its outcome.
 * Those of a study's run are asked in tests/unit/tune, too, those of samplers in tests/unit/search.
 */
#include "world.h"

#include "failing.h"

static world w;
static failing counts;

static void setup(void)
{
    world_new_on(&w, failing_ctx(&counts));
}

static void teardown(void)
{
    world_free(&w);
    ck_assert_int_eq(counts.live, 0);
}

/* Statuses that no callback has a right to: all mean that it failed. */
static const int32_t odd[] = {
    -1, -2, -20, -99, -1000, INT32_MIN, 99, 1000, INT32_MAX, SPT_STOP_TRIALS, SPT_STOP_TARGET};
enum { ODD = sizeof odd / sizeof odd[0] };

/* ---- epochs ------------------------------------------------------------------------------------
 */

typedef struct {
    int32_t says; /* in its second call */
    int calls;
    void (*act)(void);
} script;

static int32_t epoch(const spt_epoch *e, void *user)
{
    script *s = user;
    s->calls++;
    ck_assert_int_eq(e->epoch, s->calls);
    if (s->calls != 2) return SPT_OK;
    if (s->act) s->act();
    return s->says;
}

static const float fit_x[2 * WORLD_BANDS] = {0.5f, 0.25f}, fit_y[2] = {0, 1};
static const int64_t fit_rows[] = {0, 1};

static int32_t fit(script *s)
{
    OK(w.ctx, spt_options_set_number(w.options, "epochs", 4));
    return spt_network_fit(w.network, fit_x, fit_y, NULL, 2, fit_rows, 2, NULL, 0, w.options, epoch,
                           s, NULL);
}

START_TEST(epoch_fails)
{
    script s = {odd[_i], 0, NULL};
    FAILS(w.ctx, SPT_ECALLBACK, "callback", fit(&s));
    ck_assert_int_eq(s.calls, 2);
    s = (script){SPT_STOP_HOST, 0, NULL};
    ck_assert_int_eq(fit(&s), SPT_STOP_HOST);
    s = (script){SPT_OK, 0, NULL};
    ck_assert_int_eq(fit(&s), SPT_OK);
    ck_assert_int_eq(s.calls, 4);
}
END_TEST

START_TEST(model_epoch_fails)
{
    script s = {odd[_i], 0, NULL};
    spt_model *model = NULL;
    FAILS(w.ctx, SPT_ECALLBACK, "callback",
          spt_model_fit(w.ctx, w.dataset, NULL, "y", w.config, 3, NULL, epoch, &s, NULL, &model));
    ck_assert_ptr_null(model);
    ck_assert_int_eq(s.calls, 2);
}
END_TEST

static void use_the_network(void)
{
    float y = NAN, weights[64];
    spt_tensor_info info;
    spt_record_init(&info, sizeof info);
    /* Looking at it is fine ... */
    OK(w.ctx, spt_network_predict(w.network, fit_x, 1, &y));
    ck_assert(isfinite(y));
    OK(w.ctx, spt_network_tensor(w.network, 0, &info));
    ck_assert_int_le(info.size, 64);
    OK(w.ctx, spt_network_values(w.network, 0, weights, 64));
    /* ... changing it is not. */
    FAILS(w.ctx, SPT_EBUSY, "being trained", spt_network_set_values(w.network, 0, weights, 64));
    FAILS(w.ctx, SPT_EBUSY, "being trained",
          spt_trainer_step(w.trainer, fit_x, fit_y, NULL, 1, NULL));
    FAILS(w.ctx, SPT_EBUSY, "being trained",
          spt_network_fit(w.network, fit_x, fit_y, NULL, 2, fit_rows, 2, NULL, 0, NULL, NULL, NULL,
                          NULL));
    FAILS(w.ctx, SPT_EBUSY, "finished", spt_network_finish(w.network, 1));
}

START_TEST(epoch_uses_its_network)
{
    float undisturbed = NAN, disturbed = NAN;
    for (int pass = 0; pass < 2; pass++) {
        script s = {SPT_OK, 0, pass ? use_the_network : NULL};
        spt_network_free(w.network);
        OK(w.ctx, spt_network_from_config(w.ctx, w.config, WORLD_BANDS, 1, 1, 7, &w.network));
        spt_trainer_free(w.trainer);
        OK(w.ctx, spt_trainer_new(w.network, w.options, &w.trainer));
        ck_assert_int_eq(fit(&s), SPT_OK);
        OK(w.ctx, spt_network_predict(w.network, fit_x, 1, pass ? &disturbed : &undisturbed));
    }
    ck_assert_mem_eq(&disturbed, &undisturbed, sizeof disturbed);
    OK(w.ctx, spt_trainer_step(w.trainer, fit_x, fit_y, NULL, 1, NULL));
}
END_TEST

static void free_the_network(void)
{
    spt_network_free(w.network);
    spt_options_free(w.options);
    w.network = NULL;
    w.options = NULL;
}

START_TEST(epoch_frees_its_network)
{
    script s = {SPT_OK, 0, free_the_network};
    spt_trainer_free(w.trainer); /* which would keep it alive */
    spt_model_free(w.model);
    w.trainer = NULL;
    w.model = NULL;
    ck_assert_int_eq(fit(&s), SPT_OK);
    ck_assert_int_eq(s.calls, 4);
}
END_TEST

/* ---- prediction --------------------------------------------------------------------------------
 */

static spt_dataset *bad_dataset(void)
{
    double x[4 * WORLD_BANDS], axis[WORLD_BANDS];
    spt_matrix m;
    spt_dataset *dataset = NULL;
    for (int j = 0; j < WORLD_BANDS; j++) {
        axis[j] = 1000 + 10 * j;
        for (int i = 0; i < 4; i++)
            x[i * WORLD_BANDS + j] = 0.5 + 0.01 * i;
    }
    x[1 * WORLD_BANDS + 3] = x[2 * WORLD_BANDS + 5] = -1; /* no absorbance */
    spt_record_init(&m, sizeof m);
    m.dtype = SPT_FLOAT64;
    m.data = x;
    m.rows = 4;
    m.cols = WORLD_BANDS;
    OK(w.ctx,
       spt_dataset_new(w.ctx, &m, axis, SPT_AXIS_NM, SPT_UNIT_ABSORBANCE, 0, NULL, NULL, &dataset));
    return dataset;
}

static spt_dataset *bad;

static int32_t told(int64_t row, const char *reason, void *user)
{
    double x[WORLD_BANDS] = {0.5}, y[4];
    int64_t needed = 0;
    int *calls = user;
    ck_assert_int_eq(row, 1 + (*calls)++);
    ck_assert_ptr_nonnull(strstr(reason, "band"));
    ck_assert_int_eq(spt_predictor_run(w.predictor, x, WORLD_BANDS, y, 4), SPT_EBUSY);
    ck_assert_int_eq(
        spt_predictor_dataset(w.predictor, bad, SPT_PREDICT_EXACT, y, 4, &needed, NULL, NULL),
        SPT_EBUSY);
    return SPT_OK;
}

static int32_t told_and_freed(int64_t row, const char *reason, void *user)
{
    told(row, reason, user);
    spt_predictor_free(w.predictor);
    return SPT_OK;
}

START_TEST(bad_row)
{
    double y[4];
    int64_t needed = 0;
    int calls = 0;
    bad = bad_dataset();
    ck_assert_int_eq(
        spt_predictor_dataset(w.predictor, bad, SPT_PREDICT_EXACT, y, 4, &needed, told, &calls),
        SPT_OK);
    ck_assert_int_eq(calls, 2);
    ck_assert(isfinite(y[0]) && isnan(y[1]) && isnan(y[2]) && isfinite(y[3]));
    calls = 0;
    ck_assert_int_eq(spt_predictor_dataset(w.predictor, bad, SPT_PREDICT_EXACT, y, 4, &needed,
                                           told_and_freed, &calls),
                     SPT_OK);
    ck_assert_int_eq(calls, 2);
    ck_assert(isfinite(y[3]));
    w.predictor = NULL;
    spt_dataset_free(bad);
}
END_TEST

/* ---- a study's run -----------------------------------------------------------------------------
 */

static int destroyed;

static void destroy(void *user)
{
    (void)user;
    destroyed++;
}

static spt_study *fresh(const char *name)
{
    spt_study *study = NULL;
    OK(w.ctx, spt_study_open(w.store, name, w.space, NULL, &study));
    return study;
}

static int32_t odd_objective(spt_trial *trial, double *loss, void *user)
{
    (void)trial;
    *loss = 1;
    return *(int32_t *)user;
}

/* Memory, store or library at fault: the next trial would do no better. */
static bool ends_run(int32_t status)
{
    return status == SPT_ENOMEM || status == SPT_ESTORE || status == SPT_EINTERNAL;
}

/* A failing objective fails its trial; the run goes on. */
START_TEST(objective_fails)
{
    int32_t says = odd[_i];
    spt_trial_info info;
    spt_history *history = NULL;
    spt_study *study = fresh("failing");
    const int trials = ends_run(says) ? 1 : 3;
    OK(w.ctx, spt_study_set_objective(study, odd_objective, &says, NULL));
    ck_assert_int_eq(spt_study_run(study, 3, 0), ends_run(says) ? says : SPT_STOP_TRIALS);
    OK(w.ctx, spt_study_history(study, &history));
    ck_assert_int_eq(spt_history_count(history), trials);
    ck_assert_int_eq(spt_history_finished(history), ends_run(says) ? 0 : trials);
    for (int64_t i = 0; i < trials; i++) {
        spt_record_init(&info, sizeof info);
        OK(w.ctx, spt_history_trial(history, i, &info));
        ck_assert_int_eq(info.state, SPT_TRIAL_FAILED);
        ck_assert_ptr_nonnull(spt_history_attribute(history, i, "reason"));
    }
    spt_history_free(history);
    spt_study_free(study);
}
END_TEST

static int32_t good_objective(spt_trial *trial, double *loss, void *user)
{
    (void)user;
    *loss = (double)spt_trial_number(trial);
    return SPT_OK;
}

static int32_t odd_event(const spt_event *event, void *user)
{
    return event->kind == SPT_EVENT_TRIAL_END ? *(int32_t *)user : SPT_OK;
}

/* A failing event callback ends the run; what it was told of stays on record, and the study goes
 * on. */
START_TEST(event_fails)
{
    int32_t says = odd[_i];
    spt_history *history = NULL;
    spt_study *study = fresh("events");
    OK(w.ctx, spt_study_set_objective(study, good_objective, NULL, NULL));
    OK(w.ctx, spt_study_set_events(study, odd_event, &says, NULL));
    FAILS(w.ctx, SPT_ECALLBACK, "event callback", spt_study_run(study, 3, 0));
    OK(w.ctx, spt_study_history(study, &history));
    ck_assert_int_eq(spt_history_finished(history), 1);
    spt_history_free(history);
    OK(w.ctx, spt_study_set_events(study, NULL, NULL, NULL));
    ck_assert_int_eq(spt_study_run(study, 3, 0), SPT_STOP_TRIALS);
    spt_study_free(study);
}
END_TEST

static int32_t odd_check(const spt_config *config, void *user)
{
    (void)config;
    return *(int32_t *)user;
}

/* A check that refuses everything leaves no proposal; one that fails ends the ask. */
START_TEST(check_fails)
{
    int32_t says = odd[_i], expected = SPT_STOP_EXHAUSTED;
    spt_study *study = fresh("checked");
    spt_trial *trial = (void *)&w;
    if (says > 0 || says == SPT_ECALLBACK) expected = SPT_ECALLBACK;
    if (says == SPT_ENOMEM || says == SPT_EINTERNAL) expected = says;
    OK(w.ctx, spt_study_set_check(study, odd_check, &says, NULL));
    ck_assert_int_eq(spt_study_ask(study, &trial), expected);
    ck_assert_ptr_null(trial);
    spt_study_free(study);
}
END_TEST

static spt_study *runs;

static int32_t freeing_objective(spt_trial *trial, double *loss, void *user)
{
    if (spt_trial_number(trial) == 0) spt_study_free(runs);
    spt_trial_free(trial); /* the run's: nothing happens */
    spt_trial_free(trial);
    ck_assert_int_eq(spt_trial_report(trial, 0, 1), SPT_OK);
    return good_objective(trial, loss, user);
}

START_TEST(objective_frees)
{
    destroyed = 0;
    runs = fresh("freed");
    OK(w.ctx, spt_study_set_objective(runs, freeing_objective, NULL, destroy));
    ck_assert_int_eq(spt_study_run(runs, 3, 0), SPT_STOP_TRIALS);
    ck_assert_int_eq(destroyed, 1); /* with the study, when its run was over */
}
END_TEST

static int32_t telling_objective(spt_trial *trial, double *loss, void *user)
{
    ck_assert_int_eq(spt_trial_tell(trial, SPT_TRIAL_COMPLETE, 5), SPT_OK);
    return good_objective(trial, loss, user);
}

/* What the objective has told itself stands. */
START_TEST(objective_tells)
{
    spt_study *study = fresh("told");
    spt_history *history = NULL;
    spt_trial_info info;
    spt_record_init(&info, sizeof info);
    OK(w.ctx, spt_study_set_objective(study, telling_objective, study, NULL));
    ck_assert_int_eq(spt_study_run(study, 3, 0), SPT_STOP_TRIALS);
    OK(w.ctx, spt_study_history(study, &history));
    OK(w.ctx, spt_history_trial(history, 2, &info));
    NEAR(info.value, 5, 0);
    spt_history_free(history);
    spt_study_free(study);
}
END_TEST

static int32_t nesting_objective(spt_trial *trial, double *loss, void *user)
{
    spt_study *inner = NULL;
    OK(w.ctx, spt_study_open(w.store, "inner", w.space, NULL, &inner));
    OK(w.ctx, spt_study_set_objective(inner, good_objective, NULL, NULL));
    ck_assert_int_eq(spt_study_run(inner, spt_trial_number(trial) + 1, 0), SPT_STOP_TRIALS);
    spt_study_free(inner);
    return good_objective(trial, loss, user);
}

/* Another study of the same context and store may run inside. */
START_TEST(objective_runs_another)
{
    spt_study *study = fresh("outer");
    OK(w.ctx, spt_study_set_objective(study, nesting_objective, NULL, NULL));
    ck_assert_int_eq(spt_study_run(study, 3, 0), SPT_STOP_TRIALS);
    spt_study_free(study);
}
END_TEST

/* ---- log and destroy ---------------------------------------------------------------------------
 */

static int lines;

static void logging(int32_t level, const char *text, void *user)
{
    (void)level, (void)user;
    ck_assert_ptr_null(strchr(text, '\n'));
    lines++;
    /* A log that replaces itself. */
    OK(w.ctx, spt_ctx_set_log(w.ctx, SPT_LOG_DEBUG, NULL, NULL, NULL));
}

START_TEST(log_replaces_itself)
{
    spt_study *study = fresh("source"), *other = fresh("logged");
    spt_history *history = NULL;
    spt_config *config = NULL;
    int64_t enqueued = 0;
    destroyed = lines = 0;
    OK(w.ctx, spt_ctx_set_log(w.ctx, SPT_LOG_DEBUG, logging, NULL, destroy));
    OK(w.ctx, spt_study_history(w.study, &history));
    OK(w.ctx, spt_study_warm_start(other, history, 3, &enqueued));
    OK(w.ctx, spt_study_set_objective(other, good_objective, NULL, NULL));
    OK(w.ctx, spt_study_run(other, 3, 0));
    OK(w.ctx, spt_ctx_set_log(w.ctx, SPT_LOG_DEBUG, NULL, NULL, NULL));
    ck_assert_int_le(lines, 1);
    ck_assert_int_eq(destroyed, 1);
    spt_config_free(config);
    spt_history_free(history);
    spt_study_free(other);
    spt_study_free(study);
}
END_TEST

static int32_t sampler_fn(const spt_trials *trials, int64_t sequence, int32_t attempt,
                          uint64_t seed, spt_config *config, void *user)
{
    (void)trials, (void)sequence, (void)attempt, (void)seed, (void)config, (void)user;
    return SPT_OK;
}

/* A hook of destruction that asks the library for something. */
static void asking_destroy(void *user)
{
    spt_options *o = NULL;
    destroyed++;
    OK(user, spt_csv_options_new(user, &o));
    spt_options_free(o);
}

START_TEST(destroy_calls_back)
{
    spt_sampler *sampler = NULL;
    spt_study *study = fresh("destroying");
    destroyed = 0;
    OK(w.ctx,
       spt_sampler_new_host(w.ctx, w.space, NULL, sampler_fn, w.ctx, asking_destroy, &sampler));
    OK(w.ctx, spt_study_set_objective(study, good_objective, w.ctx, asking_destroy));
    OK(w.ctx, spt_study_set_objective(study, good_objective, w.ctx, asking_destroy));
    ck_assert_int_eq(destroyed, 1);
    spt_sampler_free(sampler);
    spt_study_free(study);
    ck_assert_int_eq(destroyed, 3);
}
END_TEST

SUITE_MAIN("callbacks", tcase_add_checked_fixture(tcase, setup, teardown);
           tcase_add_loop_test(tcase, epoch_fails, 0, ODD);
           tcase_add_loop_test(tcase, model_epoch_fails, 0, ODD);
           tcase_add_loop_test(tcase, objective_fails, 0, ODD);
           tcase_add_loop_test(tcase, event_fails, 0, ODD);
           tcase_add_loop_test(tcase, check_fails, 0, ODD);
           const TTest *const tests[] = {epoch_uses_its_network, epoch_frees_its_network, bad_row,
                                         objective_frees, objective_tells, objective_runs_another,
                                         log_replaces_itself, destroy_calls_back};
           for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
               tcase_add_test(tcase, tests[i]);)
