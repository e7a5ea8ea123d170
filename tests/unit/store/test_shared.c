/* A study that several programs work on, Optuna among them, on every kind of store. */
#include "kinds.h"

typedef struct desk {
    spt_ctx *ctx;
    spt_store *store;
    spt_space *space;
    spt_config *config;
    int64_t study;
} desk;

static void open_desk(desk *d, int kind)
{
    bool made;
    d->ctx = new_ctx();
    d->store = open_kind(d->ctx, kind);
    d->space = new_space(d->ctx);
    d->config = new_config(d->ctx, d->space, 2, 0.5, 1);
    OK(d->ctx, spt__store_make_study(d->store, "s", d->space, &d->study, &made));
}

static void close_desk(desk *d, int kind)
{
    spt_config_free(d->config);
    spt_space_free(d->space);
    close_kind(d->store, kind);
    spt_ctx_free(d->ctx);
}

/* What another program would do. */
static int32_t run_sql(spt_store *store, void *arg)
{
    return spt__db_script(store, arg);
}

static void sql(desk *d, const char *text)
{
    OK(d->ctx, spt__db_transact(d->store, true, run_sql, (void *)(uintptr_t)text));
}

static const char *attribute(desk *d, int64_t trial, const char *key)
{
    static char text[200];
    spt_history *h = NULL;
    OK(d->ctx, spt_history_read(d->store, "s", &h));
    const char *found = spt_history_attribute(h, trial, key);
    snprintf(text, sizeof text, "%s", found != NULL ? found : "-");
    spt_history_free(h);
    return text;
}

static int32_t state(desk *d, int64_t trial)
{
    spt_history *h = NULL;
    spt_trial_info info;
    spt_record_init(&info, sizeof info);
    OK(d->ctx, spt_history_read(d->store, "s", &h));
    OK(d->ctx, spt_history_trial(h, trial, &info));
    spt_history_free(h);
    return info.state;
}

static int32_t refuse(void *arg)
{
    *(int *)arg += 1;
    return -100002; /* any that the caller understands */
}

START_TEST(begun_only_if_admitted)
{
    desk d;
    open_desk(&d, _i);
    int asked = 0;
    int64_t id = -1, number = -1;
    const spt__begin begin = {.config = d.config, .admit = refuse, .arg = &asked};
    ck_assert_int_eq(spt__store_trial_new(d.store, d.study, &begin, &id, &number), -100002);
    ck_assert_int_eq(spt__store_trial_queue(d.store, d.study, &begin, &number), -100002);
    ck_assert_int_eq(asked, 2);
    spt_history *h = NULL;
    OK(d.ctx, spt_history_read(d.store, "s", &h));
    ck_assert_int_eq(spt_history_count(h), 0);
    spt_history_free(h);
    close_desk(&d, _i);
}
END_TEST

START_TEST(claimed_once)
{
    desk d;
    open_desk(&d, _i);
    int64_t number = -1, id;
    double values[8];
    spt_history *h = NULL;
    const spt__begin begin = {.config = d.config};
    OK(d.ctx, spt__store_trial_queue(d.store, d.study, &begin, &number));
    ck_assert_int_eq(number, 0);
    ck_assert_str_eq(attribute(&d, 0, "queue"), "0");
    OK(d.ctx, spt__history_open(d.store, d.study, d.space, false, &h));
    id = spt__history_rows(h, &number)[0]->id;
    OK(d.ctx, spt__store_trial_values(d.store, id, d.space, values));
    for (int32_t i = 0; i < d.space->n; i++)
        ck_assert(values[i] == d.config->value[i]);
    OK(d.ctx, spt__store_trial_claim(d.store, d.study, id, &begin));
    FAILS(d.ctx, SPT_EBUSY, "another program has taken the trial",
          spt__store_trial_claim(d.store, d.study, id, &begin));
    /* the history sees that it runs, without having been told */
    OK(d.ctx, spt__history_refresh(d.store, h));
    ck_assert_int_eq(spt__history_rows(h, &number)[0]->state, SPT_TRIAL_RUNNING);
    spt_history_free(h);
    close_desk(&d, _i);
}
END_TEST

START_TEST(silent_workers)
{
    desk d;
    open_desk(&d, _i);
    int64_t id, number;
    OK(d.ctx, new_trial(d.store, d.study, d.config, &id, &number));
    /* one of another machine that was heard of just now */
    sql(&d, "UPDATE trial_system_attributes SET value_json = '\"elsewhere/1/2:7:8\"'"
            " WHERE key = 'spectune:owner'");
    ck_assert_int_eq(fail_stale(d.store, d.study, 3600), 0);
    sql(&d, "UPDATE trial_heartbeats SET heartbeat = '2020-02-20 20:20:20'");
    OK(d.ctx, spt__store_trial_alive(d.store, id));
    ck_assert_int_eq(fail_stale(d.store, d.study, 3600), 0);
    sql(&d, "UPDATE trial_heartbeats SET heartbeat = '2020-02-20 20:20:20'");
    ck_assert_int_eq(fail_stale(d.store, d.study, 3600), 1);
    ck_assert_int_eq(fail_stale(d.store, d.study, 3600), 0);
    ck_assert_int_eq(state(&d, 0), SPT_TRIAL_FAILED);
    ck_assert_str_eq(attribute(&d, 0, "reason"), "abandoned");
    FAILS(d.ctx, SPT_EBUSY, "ended already", spt__store_trial_alive(d.store, id));
    /* one of Optuna's, that has no heartbeat: nobody knows */
    OK(d.ctx, new_trial(d.store, d.study, d.config, &id, &number));
    sql(&d, "DELETE FROM trial_system_attributes WHERE key = 'spectune:owner';"
            "DELETE FROM trial_heartbeats");
    ck_assert_int_eq(fail_stale(d.store, d.study, 1), 0);
    ck_assert_int_eq(state(&d, 1), SPT_TRIAL_RUNNING);
    close_desk(&d, _i);
}
END_TEST

static int64_t lose_one(desk *d, int64_t retries)
{
    spt__stale sweep = {.study = d->study, .seconds = 60, .reason = "abandoned"};
    sweep.retries = retries;
    sql(d, "UPDATE trial_system_attributes SET value_json = '\"elsewhere/1/2:7:8\"'"
           " WHERE key = 'spectune:owner';"
           "UPDATE trial_heartbeats SET heartbeat = '2020-02-20 20:20:20'");
    OK(d->ctx, spt__store_fail_stale(d->store, &sweep));
    return sweep.failed;
}

START_TEST(tried_again)
{
    desk d;
    open_desk(&d, _i);
    int64_t id, number;
    OK(d.ctx, new_trial(d.store, d.study, d.config, &id, &number));
    ck_assert_int_eq(lose_one(&d, 2), 1);
    ck_assert_str_eq(attribute(&d, 0, "queue"), "0");
    ck_assert_str_eq(attribute(&d, 0, "retry"), "1");
    ck_assert_str_eq(attribute(&d, 0, "fixed"), "blocks rate kind pool units");
    /* what comes of it has these attributes, as the room tune gives them */
    for (int k = 1; k <= 2; k++) {
        const spt__attr attrs[] = {{"queue", "0"}, {"retry", k == 1 ? "1" : "2"}};
        const spt__begin begin = {.config = d.config, .attrs = attrs, .n_attrs = 2};
        OK(d.ctx, spt__store_trial_new(d.store, d.study, &begin, &id, &number));
        ck_assert_int_eq(lose_one(&d, 2), 1);
    }
    ck_assert_str_eq(attribute(&d, 1, "retry"), "2");
    ck_assert_str_eq(attribute(&d, 1, "refused"), "-");
    ck_assert_str_eq(attribute(&d, 2, "refused"), "left unfinished 3 times");
    /* one that a host enqueued comes again by itself */
    const spt__attr queued = {"queue", "7"};
    const spt__begin begin = {.config = d.config, .attrs = &queued, .n_attrs = 1};
    OK(d.ctx, spt__store_trial_new(d.store, d.study, &begin, &id, &number));
    ck_assert_int_eq(lose_one(&d, 2), 1);
    ck_assert_str_eq(attribute(&d, 3, "retry"), "-");
    ck_assert_str_eq(attribute(&d, 3, "queue"), "7");
    close_desk(&d, _i);
}
END_TEST

/* Enqueued by Optuna: values as users know them, in a system attribute. */
START_TEST(enqueued_by_optuna)
{
    desk d;
    open_desk(&d, _i);
    int64_t id, number, n;
    double values[8];
    spt_history *h = NULL;
    OK(d.ctx, new_trial(d.store, d.study, d.config, &id, &number));
    sql(&d,
        "INSERT INTO trials (number, study_id, state) SELECT 1, study_id, 'WAITING' FROM trials;"
        "INSERT INTO trial_system_attributes (trial_id, key, value_json)"
        " SELECT trial_id, 'fixed_params', '{\"rate\": 0.25, \"kind\": \"elu\", \"pool\": false,"
        " \"other\": 1, \"units\": \"x\"}' FROM trials WHERE state = 'WAITING'");
    OK(d.ctx, spt__history_open(d.store, d.study, d.space, false, &h));
    const spt__row *row = spt__history_rows(h, &n)[1];
    ck_assert_int_eq(n, 2);
    ck_assert_str_eq(spt_history_attribute(h, 1, "queue"), "1");
    ck_assert_str_eq(spt_history_attribute(h, 1, "fixed"), "rate kind pool");
    OK(d.ctx, spt__store_trial_values(d.store, row->id, d.space, values));
    ck_assert(isnan(values[0]) && values[1] == 0.25 && values[2] == 2 && values[3] == 0 &&
              isnan(values[4]));
    spt_history_free(h);
    close_desk(&d, _i);
}
END_TEST

/* A study without a space on record, as other programs make them, gets one that fits. */
START_TEST(a_space_is_adopted)
{
    static const char *const choices[] = {"relu", "elu"};
    desk d;
    open_desk(&d, _i);
    spt_space *back = NULL, *other = NULL;
    bool inferred;
    add_trial(d.ctx, d.store, d.study, d.config, SPT_TRIAL_COMPLETE, 1);
    sql(&d, "DELETE FROM study_system_attributes");
    OK(d.ctx, spt__store_space(d.store, d.study, &back, &inferred));
    ck_assert(inferred);
    ck_assert_int_eq(back->n, d.space->n);
    spt_space_free(back);
    OK(d.ctx, spt_space_new(d.ctx, "other", &other));
    OK(d.ctx, spt_space_add_categorical(other, "kind", choices, 2, 0));
    FAILS(d.ctx, SPT_EMISMATCH, "parameter 'kind' is of another kind, scale or list of choices",
          spt__store_adopt_space(d.store, d.study, other));
    spt_space_free(other);
    OK(d.ctx, spt_space_new(d.ctx, "other", &other));
    OK(d.ctx, spt_space_add_float(other, "rate", 0.1, 1, 0, 0, 0.5));
    FAILS(d.ctx, SPT_EMISMATCH, "parameter 'rate'",
          spt__store_adopt_space(d.store, d.study, other));
    spt_space_free(other);
    OK(d.ctx, spt__store_adopt_space(d.store, d.study, d.space));
    OK(d.ctx, spt__store_space(d.store, d.study, &back, &inferred));
    ck_assert(!inferred);
    spt_space_free(back);
    close_desk(&d, _i);
}
END_TEST

/* Choices that are no texts keep their JSON, else the other program would refuse the study. */
START_TEST(distributions_word_for_word)
{
    static const char odd[] = "{\"name\": \"CategoricalDistribution\", \"attributes\":"
                              " {\"choices\": [\"a\", 2, null]}}";
    char text[600];
    desk d;
    open_desk(&d, _i);
    int64_t id, number;
    spt_space *inferred = NULL;
    spt_config *config = NULL;
    OK(d.ctx, new_trial(d.store, d.study, d.config, &id, &number));
    snprintf(text, sizeof text,
             "UPDATE trial_params SET distribution_json = '%s' WHERE param_name = 'kind';"
             "DELETE FROM study_system_attributes",
             odd);
    sql(&d, text);
    OK(d.ctx, spt__store_space(d.store, d.study, &inferred, NULL));
    OK(d.ctx, spt_config_new(d.ctx, inferred, &config));
    const spt__begin begin = {.config = config, .foreign = true};
    OK(d.ctx, spt__store_trial_new(d.store, d.study, &begin, &id, &number));
    sql(&d, "DELETE FROM trial_params WHERE trial_id IN (SELECT min(trial_id) FROM trials)");
    spt_space_free(inferred);
    OK(d.ctx, spt__store_space(d.store, d.study, &inferred, NULL));
    const int32_t kind = spt_space_find(inferred, "kind");
    ck_assert_int_ge(kind, 0);
    ck_assert_str_eq(inferred->parameters[kind].choices[2], "null");
    FAILS(d.ctx, SPT_EMISMATCH, "'kind'", spt__store_adopt_space(d.store, d.study, d.space));
    spt_config_free(config);
    spt_space_free(inferred);
    close_desk(&d, _i);
}
END_TEST

/* Optuna knows no steps on a logarithmic scale. */
START_TEST(between_the_points_of_a_grid)
{
    desk d;
    open_desk(&d, _i);
    spt_history *h = NULL;
    int64_t n;
    add_trial(d.ctx, d.store, d.study, d.config, SPT_TRIAL_COMPLETE, 1);
    sql(&d, "UPDATE trial_params SET param_value = 17 WHERE param_name = 'units'");
    OK(d.ctx, spt__history_open(d.store, d.study, d.space, false, &h));
    const spt_config *config = spt__history_rows(h, &n)[0]->config;
    ck_assert_ptr_nonnull(config);
    ck_assert(config->value[spt_space_find(d.space, "units")] == 17);
    spt_history_free(h);
    sql(&d, "UPDATE trial_params SET param_value = 1700 WHERE param_name = 'units'");
    OK(d.ctx, spt__history_open(d.store, d.study, d.space, false, &h));
    ck_assert_ptr_null(spt__history_rows(h, &n)[0]->config);
    spt_history_free(h);
    close_desk(&d, _i);
}
END_TEST

/* Distributions as Optuna before 3.0 named them. */
START_TEST(old_names)
{
    static const struct {
        const char *json;
        int32_t type;
        bool log;
        double low, high, step;
    } old[] = {
        {"{\"name\": \"UniformDistribution\", \"attributes\": {\"low\": -1.0, \"high\": 2.0}}",
         SPT_PARAMETER_FLOAT, false, -1, 2, 0},
        {"{\"name\": \"LogUniformDistribution\", \"attributes\": {\"low\": 1e-5, \"high\": 0.1}}",
         SPT_PARAMETER_FLOAT, true, 1e-5, 0.1, 0},
        {"{\"name\": \"DiscreteUniformDistribution\", \"attributes\":"
         " {\"low\": 0.0, \"high\": 1.0, \"q\": 0.25}}",
         SPT_PARAMETER_FLOAT, false, 0, 1, 0.25},
        {"{\"name\": \"IntUniformDistribution\", \"attributes\":"
         " {\"low\": 1, \"high\": 9, \"step\": 2}}",
         SPT_PARAMETER_INT, false, 1, 9, 2},
        {"{\"name\": \"IntLogUniformDistribution\", \"attributes\":"
         " {\"low\": 1, \"high\": 64, \"step\": 1}}",
         SPT_PARAMETER_INT, true, 1, 64, 1},
    };
    desk d;
    open_desk(&d, _i);
    int64_t id, number;
    OK(d.ctx, new_trial(d.store, d.study, d.config, &id, &number));
    for (size_t k = 0; k < sizeof old / sizeof old[0]; k++) {
        char text[600];
        spt_space *space = NULL;
        snprintf(text, sizeof text,
                 "UPDATE trial_params SET distribution_json = '%s' WHERE param_name = 'rate';"
                 "DELETE FROM study_system_attributes",
                 old[k].json);
        sql(&d, text);
        OK(d.ctx, spt__store_space(d.store, d.study, &space, NULL));
        const spt__parameter *p = &space->parameters[spt_space_find(space, "rate")];
        ck_assert_int_eq(p->type, old[k].type);
        ck_assert_int_eq(p->log, old[k].log);
        ck_assert(p->low == old[k].low && p->high == old[k].high && p->step == old[k].step);
        spt_space_free(space);
    }
    close_desk(&d, _i);
}
END_TEST

SUITE_MAIN("shared store", tcase_add_loop_test(tcase, begun_only_if_admitted, 0, kinds());
           tcase_add_loop_test(tcase, claimed_once, 0, kinds());
           tcase_add_loop_test(tcase, silent_workers, 0, kinds());
           tcase_add_loop_test(tcase, tried_again, 0, kinds());
           tcase_add_loop_test(tcase, enqueued_by_optuna, 0, kinds());
           tcase_add_loop_test(tcase, a_space_is_adopted, 0, kinds());
           tcase_add_loop_test(tcase, distributions_word_for_word, 0, kinds());
           tcase_add_loop_test(tcase, between_the_points_of_a_grid, 0, kinds());
           tcase_add_loop_test(tcase, old_names, 0, kinds());)
