/* Several workers on one study: each is a context of its own with the same file open. */
#include "studies.h"

#include "store/db.h"
#include "tune/study.h"

#include <spectune/experimental.h>

enum { WORKERS = 3 };

typedef struct worker {
    spt_ctx *ctx;
    spt_store *store;
    spt_space *space;
    spt_study *study;
    char log[300];
} worker;

static void on_log(int32_t level, const char *text, void *user)
{
    worker *w = user;
    (void)level;
    snprintf(w->log, sizeof w->log, "%s", text);
}

static void open_worker(worker *w, const char *settings)
{
    *w = (worker){.ctx = new_ctx(1)};
    spt_options *s = new_sampler(w->ctx, "tpe", 4), *o = new_rules(w->ctx, settings);
    OK(w->ctx, spt_ctx_set_log(w->ctx, SPT_LOG_INFO, on_log, w, NULL));
    w->space = new_space(w->ctx);
    OK(w->ctx, spt_store_open(w->ctx, file_name("workers"), SPT_STORE_CREATE, &w->store));
    OK(w->ctx, spt_study_open(w->store, "s", w->space, s, &w->study));
    OK(w->ctx, spt_study_set_options(w->study, o));
    spt_options_free(o);
    spt_options_free(s);
}

static void close_worker(worker *w)
{
    spt_study_free(w->study);
    spt_store_free(w->store);
    spt_space_free(w->space);
    spt_ctx_free(w->ctx);
}

static void open_workers(worker w[WORKERS], const char *settings)
{
    remove(file_name("workers"));
    for (int k = 0; k < WORKERS; k++)
        open_worker(&w[k], settings);
}

static void close_workers(worker w[WORKERS])
{
    for (int k = 0; k < WORKERS; k++)
        close_worker(&w[k]);
    ck_assert_int_eq(remove(file_name("workers")), 0);
}

static int64_t number_of(const spt_history *h, int64_t i, const char *key)
{
    const char *text = spt_history_attribute(h, i, key);
    return text != NULL ? strtoll(text, NULL, 10) : -1;
}

START_TEST(each_its_own_place)
{
    worker w[WORKERS];
    spt_history *h = NULL;
    open_workers(w, "");
    for (int round = 0; round < 8; round++) {
        spt_trial *t[WORKERS] = {NULL};
        for (int k = 0; k < WORKERS; k++) {
            OK(w[k].ctx, spt_study_ask(w[k].study, &t[k]));
            ck_assert_int_eq(spt_trial_number(t[k]), round * WORKERS + k);
        }
        for (int k = WORKERS; k-- > 0; spt_trial_free(t[k]))
            OK(w[k].ctx, spt_trial_tell(t[k], SPT_TRIAL_COMPLETE, loss_of(t[k])));
    }
    OK(w[0].ctx, spt_study_history(w[0].study, &h));
    ck_assert_int_eq(spt_history_count(h), 8 * WORKERS);
    for (int64_t i = 0; i < spt_history_count(h); i++) {
        spt_config *again = NULL;
        ck_assert_int_eq(number_of(h, i, "sequence"), i);
        if (i % WORKERS > 0) ck_assert_str_ne(spt_history_attribute(h, i, "pending"), "");
        /* and from what it saw each proposal is made anew, by whichever worker */
        OK(w[1].ctx, spt_study_replay(w[1].study, i, &again));
        ck_assert_int_eq(spt_config_equal(again, spt_history_config(h, i)), 1);
        spt_config_free(again);
    }
    spt_history_free(h);
    close_workers(w);
}
END_TEST

/* Another worker begins a trial while ours is being proposed. */
typedef struct rival {
    worker *other;
    int times;
    spt_trial *trials[8];
    int n;
} rival;

static int32_t overtake(const spt_config *config, void *user)
{
    rival *r = user;
    (void)config;
    if (r->n < r->times) {
        OK(r->other->ctx, spt_study_ask(r->other->study, &r->trials[r->n]));
        r->n++;
    }
    return SPT_OK;
}

START_TEST(overtaken)
{
    worker w[WORKERS];
    spt_trial *mine = NULL;
    spt_history *h = NULL;
    open_workers(w, "");
    for (int times = 1; times <= 3; times++) {
        rival r = {&w[1], times, {NULL}, 0};
        OK(w[0].ctx, spt_study_set_check(w[0].study, overtake, &r, NULL));
        OK(w[0].ctx, spt_study_ask(w[0].study, &mine));
        ck_assert_int_eq(r.n, times);
        for (int i = 0; i < r.n; i++) {
            ck_assert_int_ne(
                spt_config_equal(spt_trial_config(mine), spt_trial_config(r.trials[i])), 1);
            OK(w[1].ctx, spt_trial_tell(r.trials[i], SPT_TRIAL_COMPLETE, 1));
            spt_trial_free(r.trials[i]);
        }
        OK(w[0].ctx, spt_trial_tell(mine, SPT_TRIAL_COMPLETE, 2));
        spt_trial_free(mine);
    }
    OK(w[0].ctx, spt_study_set_check(w[0].study, NULL, NULL, NULL));
    OK(w[2].ctx, spt_study_history(w[2].study, &h));
    ck_assert_int_eq(spt_history_count(h), 1 + 2 + 3 + 3);
    bool seen[9] = {false};
    for (int64_t i = 0; i < 9; i++) {
        const int64_t place = number_of(h, i, "sequence");
        ck_assert(place >= 0 && place < 9 && !seen[place]);
        seen[place] = true;
    }
    spt_history_free(h);
    close_workers(w);
}
END_TEST

static int32_t objective(spt_trial *trial, double *loss, void *user)
{
    (void)user;
    *loss = loss_of(trial);
    return SPT_OK;
}

START_TEST(one_budget)
{
    worker w[WORKERS];
    spt_trial *held = NULL;
    spt_history *h = NULL;
    open_workers(w, "linger=no");
    for (int k = 0; k < WORKERS; k++)
        OK(w[k].ctx, spt_study_set_objective(w[k].study, objective, NULL, NULL));
    OK(w[0].ctx, spt_study_ask(w[0].study, &held));
    /* one runs: the other worker does four of five and leaves */
    ck_assert_int_eq(spt_study_run(w[1].study, 5, 0), SPT_STOP_TRIALS);
    OK(w[1].ctx, spt_study_history(w[1].study, &h));
    ck_assert_int_eq(spt_history_count(h), 5);
    ck_assert_int_eq(spt_history_finished(h), 4);
    spt_history_free(h);
    OK(w[0].ctx, spt_trial_tell(held, SPT_TRIAL_COMPLETE, 1));
    spt_trial_free(held);
    ck_assert_int_eq(spt_study_run(w[2].study, 5, 0), SPT_STOP_TRIALS);
    OK(w[1].ctx, spt_study_history(w[1].study, &h));
    ck_assert_int_eq(spt_history_count(h), 5);
    ck_assert_int_eq(spt_history_finished(h), 5);
    spt_history_free(h);
    close_workers(w);
}
END_TEST

static int32_t silence(spt_store *store, void *arg)
{
    (void)arg;
    return spt__db_script(store, "UPDATE trial_system_attributes SET value_json = '\"far/1/2:3:4\"'"
                                 " WHERE key = 'spectune:owner';"
                                 "UPDATE trial_heartbeats SET heartbeat = '2020-02-20 20:20:20'");
}

/* The worker is taken for dead while it computes the second of its trials. */
typedef struct forgotten {
    worker *other;
    int calls;
} forgotten;

static int32_t slow_objective(spt_trial *trial, double *loss, void *user)
{
    forgotten *f = user;
    spt_trial *theirs = NULL;
    *loss = loss_of(trial);
    if (++f->calls != 2) return SPT_OK;
    OK(f->other->ctx, spt__db_transact(f->other->store, true, silence, NULL));
    OK(f->other->ctx, spt_study_ask(f->other->study, &theirs));
    OK(f->other->ctx, spt_trial_tell(theirs, SPT_TRIAL_COMPLETE, 3));
    spt_trial_free(theirs);
    ck_assert_int_eq(spt_trial_heartbeat(trial), SPT_EBUSY);
    return SPT_OK;
}

START_TEST(taken_for_dead)
{
    worker w[WORKERS];
    spt_history *h = NULL;
    open_workers(w, "grace=5 retries=1");
    forgotten f = {&w[1], 0};
    OK(w[0].ctx, spt_study_set_objective(w[0].study, slow_objective, &f, NULL));
    ck_assert_int_eq(spt_study_run(w[0].study, 5, 0), SPT_STOP_TRIALS);
    ck_assert_msg(strstr(w[0].log, "trial 1 was ended by another worker") != NULL, "%s", w[0].log);
    OK(w[2].ctx, spt_study_history(w[2].study, &h));
    ck_assert_int_eq(spt_history_finished(h), 5);
    ck_assert_int_eq(spt_history_count(h), 6);
    ck_assert_str_eq(spt_history_attribute(h, 1, "reason"), "abandoned");
    /* the one who ended it took its configuration up again */
    ck_assert_int_eq(number_of(h, 2, "queue"), 1);
    ck_assert_int_eq(number_of(h, 2, "retry"), 1);
    ck_assert_int_eq(spt_config_equal(spt_history_config(h, 1), spt_history_config(h, 2)), 1);
    spt_history_free(h);
    close_workers(w);
}
END_TEST

START_TEST(queued_once)
{
    worker w[WORKERS];
    spt_history *h = NULL;
    int64_t numbers[WORKERS], added;
    open_workers(w, "");
    for (int k = 0; k < WORKERS; k++) {
        spt_config *c = NULL;
        OK(w[k].ctx, spt_config_new(w[k].ctx, w[k].space, &c));
        OK(w[k].ctx, spt_study_enqueue(w[k].study, c, NULL, 0, &numbers[k]));
        ck_assert_int_eq(numbers[k], 0);
        spt_config_free(c);
    }
    OK(w[0].ctx, spt_study_set_objective(w[0].study, objective, NULL, NULL));
    ck_assert_int_eq(spt_study_run(w[0].study, 6, 0), SPT_STOP_TRIALS);
    for (int k = 0; k < WORKERS; k++) {
        OK(w[k].ctx, spt_study_confirm(w[k].study, 2, 2, &added));
        ck_assert_int_eq(added, k == 0 ? 4 : 0);
    }
    OK(w[1].ctx, spt_study_history(w[1].study, &h));
    ck_assert_int_eq(spt_history_count(h), 10);
    spt_history_free(h);
    close_workers(w);
}
END_TEST

/* A study that looks for the highest value, as only other programs make them. */
static int32_t upwards(spt_store *store, void *arg)
{
    (void)arg;
    return spt__db_script(store, "UPDATE study_directions SET direction = 'MAXIMIZE'");
}

static int32_t heights(spt_trial *trial, double *value, void *user)
{
    (void)user;
    *value = -loss_of(trial);
    return SPT_OK;
}

START_TEST(the_highest_value)
{
    worker w[WORKERS];
    spt_history *down = NULL, *up = NULL;
    spt_options *rules;
    open_workers(w, "");
    OK(w[0].ctx, spt_study_set_objective(w[0].study, objective, NULL, NULL));
    ck_assert_int_eq(spt_study_run(w[0].study, 30, 0), SPT_STOP_TRIALS);
    OK(w[0].ctx, spt_study_history(w[0].study, &down));
    close_workers(w);
    open_workers(w, "");
    OK(w[0].ctx, spt__db_transact(w[0].store, true, upwards, NULL));
    close_worker(&w[0]);
    open_worker(&w[0], "");
    OK(w[0].ctx, spt_study_set_objective(w[0].study, heights, NULL, NULL));
    ck_assert_int_eq(spt_study_run(w[0].study, 30, 0), SPT_STOP_TRIALS);
    OK(w[0].ctx, spt_study_history(w[0].study, &up));
    /* the same search, mirrored */
    ck_assert_int_eq(spt_history_best(up), spt_history_best(down));
    for (int64_t i = 0; i < 30; i++) {
        const spt_config *a = spt_history_config(up, i), *b = spt_history_config(down, i);
        for (int32_t k = 0; k < a->space->n; k++)
            ck_assert(a->value[k] == b->value[k] || (isnan(a->value[k]) && isnan(b->value[k])));
    }
    rules = new_rules(w[0].ctx, "prune=racing");
    FAILS(w[0].ctx, SPT_EUNSUPPORTED, "looks for the highest value",
          spt_study_set_options(w[0].study, rules));
    spt_options_free(rules);
    rules = new_rules(w[0].ctx, "stop_at=-100");
    OK(w[0].ctx, spt_study_set_options(w[0].study, rules));
    ck_assert_int_eq(spt_study_run(w[0].study, 40, 0), SPT_STOP_TARGET);
    spt_options_free(rules);
    spt_history_free(up);
    spt_history_free(down);
    close_workers(w);
}
END_TEST

TEST_MAIN("workers", each_its_own_place, overtaken, one_budget, taken_for_dead, queued_once,
          the_highest_value)
