/* Trials in flight: what each sees, that neither threads nor cuts change the history, that every
 * proposal can be made anew, and what a host may not do from its callbacks. */
#include "studies.h"

#include <spectune/experimental.h>

enum { TRIALS = 20 };

/* ---- a cross-validation with trials in flight ---- */

typedef struct outcome {
    int n, pruned;
    double values[TRIALS], rates[TRIALS];
    char saw[TRIALS][64];
} outcome;

typedef struct watcher {
    int left; /* epochs until a stop; 0: never */
    int64_t last_begun, last_ended;
    int k;
} watcher;

static int32_t watch(const spt_event *event, void *user)
{
    watcher *w = user;
    if (event->kind == SPT_EVENT_TRIAL_START) {
        ck_assert_int_eq(event->trial, w->last_begun + 1);
        w->last_begun = event->trial;
        ck_assert_int_le(w->last_begun - w->last_ended, w->k);
    } else if (event->kind == SPT_EVENT_TRIAL_END) {
        ck_assert_int_eq(event->trial, w->last_ended + 1); /* in order */
        w->last_ended = event->trial;
    } else {
        ck_assert_int_eq(event->trial, w->last_ended + 1);
        if (event->kind == SPT_EVENT_EPOCH && w->left > 0 && --w->left == 0) return SPT_STOP_HOST;
    }
    return SPT_OK;
}

static void read_outcome(spt_study *study, outcome *out)
{
    spt_history *h = NULL;
    *out = (outcome){0};
    ck_assert_int_eq(spt_study_history(study, &h), SPT_OK);
    for (int64_t i = 0; i < spt_history_count(h); i++) {
        spt_trial_info info;
        const char *saw = spt_history_attribute(h, i, "saw");
        spt_record_init(&info, sizeof info);
        ck_assert_int_eq(spt_history_trial(h, i, &info), SPT_OK);
        if (info.state == SPT_TRIAL_FAILED) continue;
        out->values[out->n] = info.value;
        spt_config_number(spt_history_config(h, i), "learning_rate", &out->rates[out->n]);
        snprintf(out->saw[out->n], sizeof out->saw[0], "%s", saw != NULL ? saw : "");
        out->pruned += info.state == SPT_TRIAL_PRUNED;
        out->n++;
    }
    spt_history_free(h);
}

/* Make every proposal anew. */
static void replay_all(spt_ctx *ctx, spt_study *study)
{
    spt_history *h = NULL;
    OK(ctx, spt_study_history(study, &h));
    for (int64_t i = 0; i < spt_history_count(h); i++) {
        spt_config *config = NULL;
        OK(ctx, spt_study_replay(study, i, &config));
        ck_assert_int_eq(spt_config_equal(config, spt_history_config(h, i)), 1);
        spt_config_free(config);
    }
    spt_history_free(h);
}

static void run(int threads, int k, const char *wait, const char *prune, int cut, outcome *out)
{
    spt_ctx *ctx = new_ctx(threads);
    spt_dataset *ds = new_dataset(ctx, SAMPLES, 3);
    spt_space *space = new_space(ctx);
    char settings[100];
    snprintf(settings, sizeof settings, "in_flight=%d wait=%s prune=%s prune_startup=2", k, wait,
             prune);
    spt_options *sampler = new_sampler(ctx, "tpe", 4), *o = new_rules(ctx, settings);
    spt_cv *cv = new_cv(ctx, ds, "folds=4");
    spt_store *store = NULL;
    spt_study *study = NULL;
    watcher w = {.left = cut, .last_begun = -1, .last_ended = -1, .k = k > 1 ? k : 1};
    OK(ctx, spt_store_open(ctx, "memory:", SPT_STORE_CREATE, &store));
    OK(ctx, spt_study_open(store, "s", space, sampler, &study));
    OK(ctx, spt_study_set_options(study, o));
    OK(ctx, spt_study_set_cv(study, cv));
    if (strcmp(wait, "yes") == 0) OK(ctx, spt_study_set_events(study, watch, &w, NULL));
    if (cut > 0) {
        ck_assert_int_eq(spt_study_run(study, TRIALS, 0), SPT_STOP_HOST);
        ck_assert_int_eq(w.last_begun, w.last_ended); /* those in flight have ended too */
    }
    ck_assert_int_eq(spt_study_run(study, TRIALS, 0), SPT_STOP_TRIALS);
    read_outcome(study, out);
    ck_assert_int_eq(out->n, TRIALS);
    replay_all(ctx, study);
    spt_study_free(study);
    spt_store_free(store);
    spt_cv_free(cv);
    spt_options_free(sampler);
    spt_options_free(o);
    spt_space_free(space);
    spt_dataset_free(ds);
    spt_ctx_free(ctx);
}

static bool same(const outcome *a, const outcome *b)
{
    return memcmp(a->values, b->values, sizeof a->values) == 0 &&
           memcmp(a->rates, b->rates, sizeof a->rates) == 0;
}

START_TEST(threads_change_nothing)
{
    static outcome one, other;
    const char *prune = _i % 2 ? "racing" : "none";
    const int k = 1 + _i / 2 * 3; /* 1, 4 */
    run(1, k, "yes", prune, 0, &one);
    for (int threads = 2; threads <= 6; threads += 2) {
        run(threads, k, "yes", prune, 0, &other);
        ck_assert(same(&one, &other));
        ck_assert(memcmp(one.saw, other.saw, sizeof one.saw) == 0);
    }
    /* and cut in various places */
    for (int cut = 1; cut < 200; cut += 61) {
        run(3, k, "yes", prune, cut, &other);
        ck_assert(same(&one, &other));
    }
    if (_i % 2) ck_assert_int_gt(one.pruned, 0);
}
END_TEST

/* The numbers in flight do say something. */
START_TEST(flights_differ)
{
    static outcome one, three;
    run(2, 1, "yes", "none", 0, &one);
    run(2, 3, "yes", "none", 0, &three);
    ck_assert(!same(&one, &three));
    ck_assert_str_eq(one.saw[10], "");
    ck_assert_str_eq(three.saw[10], "0-7");
}
END_TEST

START_TEST(nobody_waits)
{
    static outcome out;
    run(1 + _i, 3, "no", "racing", 0, &out);
}
END_TEST

/* ---- ask and tell ---- */

/* Whatever order the host tells in, the trials are those of the run loop. */
START_TEST(told_in_any_order)
{
    double rates[2][12];
    for (int way = 0; way < 2; way++) {
        desk d;
        spt_trial *flying[3] = {NULL};
        int64_t got = 0;
        open_desk(&d, "tpe", "in_flight=3");
        OK(d.ctx, spt_study_ask_many(d.study, 3, flying, &got));
        ck_assert_int_eq(got, 3);
        for (int n = 0; n < 12; n++) {
            spt_config_number(spt_trial_config(flying[0]), "learning_rate", &rates[way][n]);
            if (way == 1 && n % 3 == 0) /* the younger ones first: they must not be seen */
                for (int i = 2; i > 0; i--)
                    OK(d.ctx, spt_trial_tell(flying[i], SPT_TRIAL_COMPLETE, loss_of(flying[i])));
            if (way == 1 && n % 3 == 0) {
                spt_trial *t = NULL;
                FAILS(d.ctx, SPT_EBUSY, "must end first", spt_study_ask(d.study, &t));
            }
            if (way == 0 || n % 3 == 0)
                OK(d.ctx, spt_trial_tell(flying[0], SPT_TRIAL_COMPLETE, loss_of(flying[0])));
            spt_trial_free(flying[0]);
            flying[0] = flying[1];
            flying[1] = flying[2];
            OK(d.ctx, spt_study_ask(d.study, &flying[2]));
        }
        replay_all(d.ctx, d.study);
        for (int i = 0; i < 3; i++)
            spt_trial_free(flying[i]);
        close_desk(&d);
    }
    ck_assert(memcmp(rates[0], rates[1], sizeof rates[0]) == 0);
}
END_TEST

/* Several at once take each other into account, and a proposal can be made anew from what it saw.
 */
START_TEST(many_at_once)
{
    desk d;
    spt_trial *t[6] = {NULL};
    spt_config *config = NULL;
    int64_t got = -1;
    open_desk(&d, "tpe", "");
    for (int round = 0; round < 4; round++) {
        OK(d.ctx, spt_study_ask_many(d.study, 6, t, &got));
        ck_assert_int_eq(got, 6);
        for (int i = 0; i < 6; i++)
            for (int j = 0; j < i; j++)
                ck_assert_int_eq(spt_config_equal(spt_trial_config(t[i]), spt_trial_config(t[j])),
                                 0);
        for (int i = 5; i >= 0; i--) {
            OK(d.ctx, spt_trial_tell(t[i], SPT_TRIAL_COMPLETE, loss_of(t[i])));
            spt_trial_free(t[i]);
        }
    }
    read_desk(&d);
    ck_assert_str_eq(spt_history_attribute(d.h, 9, "saw"), "0-5");
    ck_assert_str_eq(spt_history_attribute(d.h, 9, "pending"), "6-8");
    ck_assert_ptr_null(spt_history_attribute(d.h, 6, "saw"));
    replay_all(d.ctx, d.study);
    /* what was given was not proposed */
    OK(d.ctx, spt_study_ask_given(d.study, spt_history_config(d.h, 3), &t[0]));
    FAILS(d.ctx, SPT_ENOTFOUND, "was given", spt_study_replay(d.study, 24, &config));
    FAILS(d.ctx, SPT_ENOTFOUND, "no trial 25", spt_study_replay(d.study, 25, &config));
    spt_trial_free(t[0]);
    OK(d.ctx, spt_study_ask_many(d.study, 0, NULL, &got));
    ck_assert_int_eq(got, 0);
    close_desk(&d);
}
END_TEST

/* Two handles on one study, as two programs have them: nobody waits, and what each saw is on
 * record. */
START_TEST(two_programs)
{
    desk d;
    spt_trial *a = NULL, *b = NULL, *c = NULL;
    spt_study *other = NULL;
    open_desk(&d, "tpe", "in_flight=1");
    spt_options *s = new_sampler(d.ctx, "tpe", 4), *o = new_rules(d.ctx, "in_flight=1");
    OK(d.ctx, spt_study_open(d.store, "s", NULL, s, &other));
    OK(d.ctx, spt_study_set_options(other, o));
    for (int i = 0; i < 6; i++) {
        OK(d.ctx, spt_study_ask(d.study, &a));
        OK(d.ctx, spt_study_ask(other, &b));
        OK(d.ctx, spt_trial_tell(b, SPT_TRIAL_COMPLETE, loss_of(b)));
        OK(d.ctx, spt_study_ask(other, &c));
        OK(d.ctx, spt_trial_tell(a, SPT_TRIAL_COMPLETE, loss_of(a)));
        OK(d.ctx, spt_trial_tell(c, SPT_TRIAL_COMPLETE, loss_of(c)));
        spt_trial_free(a);
        spt_trial_free(b);
        spt_trial_free(c);
    }
    read_desk(&d);
    ck_assert_str_eq(spt_history_attribute(d.h, 2, "saw"), "1");
    ck_assert_str_eq(spt_history_attribute(d.h, 2, "pending"), "0");
    ck_assert_str_eq(spt_history_attribute(d.h, 16, "saw"), "0-14");
    ck_assert_str_eq(spt_history_attribute(d.h, 16, "pending"), "15");
    replay_all(d.ctx, d.study);
    replay_all(d.ctx, other);
    spt_options_free(s);
    spt_options_free(o);
    spt_study_free(other);
    close_desk(&d);
}
END_TEST

/* Three handles whose trials report steps and end in every way and in any order. Whoever opens the
 * study afterwards, and has seen nothing of it, makes every proposal anew. */
START_TEST(workers)
{
    enum { HANDLES = 3, EACH = 3, MANY = 150 };
    static const char *const rules[] = {"wait=no in_flight=3 duplicates=avoid",
                                        "wait=no in_flight=9 prune=median prune_after=2"};
    desk d;
    spt__rng rng;
    spt_study *studies[HANDLES] = {NULL}, *fresh = NULL;
    spt_trial *flying[HANDLES * EACH] = {NULL};
    open_desk(&d, "tpe", rules[_i]);
    spt_options *s = new_sampler(d.ctx, "tpe", 4), *o = new_rules(d.ctx, rules[_i]);
    spt__rng_init(&rng, 8, SPT__RNG_TEST, (uint64_t)_i, 0);
    studies[0] = d.study;
    for (int i = 1; i < HANDLES; i++) {
        OK(d.ctx, spt_study_open(d.store, "s", NULL, s, &studies[i]));
        OK(d.ctx, spt_study_set_options(studies[i], o));
    }
    for (int n = 0; n < MANY; n++) {
        const int at = (int)(spt__rng_double(&rng) * HANDLES * EACH), h = at % HANDLES;
        spt_trial *t = flying[at];
        const double way = spt__rng_double(&rng), loss = t != NULL ? loss_of(t) : 0;
        const int64_t steps =
            way >= 0.6 ? 2 : 4; /* what a pruned one would have come to is guessed */
        for (int64_t step = 0; t != NULL && step < steps; step++)
            OK(d.ctx, spt_trial_report(t, step, loss + 0.1 * sin((double)(n + step))));
        if (t != NULL && way < 0.9) /* else it is abandoned */
            OK(d.ctx, spt_trial_tell(t,
                                     way < 0.6   ? SPT_TRIAL_COMPLETE
                                     : way < 0.8 ? SPT_TRIAL_PRUNED
                                                 : SPT_TRIAL_FAILED,
                                     loss));
        spt_trial_free(t);
        OK(d.ctx, spt_study_ask(studies[h], &flying[at]));
    }
    OK(d.ctx, spt_study_open(d.store, "s", NULL, s, &fresh));
    OK(d.ctx, spt_study_set_options(fresh, o));
    replay_all(d.ctx, fresh);
    replay_all(d.ctx, studies[1]);
    for (int i = 0; i < HANDLES * EACH; i++)
        spt_trial_free(flying[i]);
    for (int i = 1; i < HANDLES; i++)
        spt_study_free(studies[i]);
    spt_study_free(fresh);
    spt_options_free(s);
    spt_options_free(o);
    close_desk(&d);
}
END_TEST

/* ---- what callbacks may not do ---- */

static int32_t nested_objective(spt_trial *trial, double *loss, void *user)
{
    desk *d = user;
    spt_trial *t = NULL;
    spt_config *config = NULL;
    spt_history *h = NULL;
    int64_t got;
    FAILS(d->ctx, SPT_EBUSY, "callbacks", spt_study_ask(d->study, &t));
    FAILS(d->ctx, SPT_EBUSY, "callbacks", spt_study_ask_many(d->study, 1, &t, &got));
    FAILS(d->ctx, SPT_EBUSY, "callbacks",
          spt_study_ask_given(d->study, spt_trial_config(trial), &t));
    FAILS(d->ctx, SPT_EBUSY, "callbacks", spt_study_run(d->study, 1, 0));
    FAILS(d->ctx, SPT_EBUSY, "callbacks", spt_study_replay(d->study, 0, &config));
    FAILS(d->ctx, SPT_EBUSY, "running", spt_study_set_options(d->study, NULL));
    FAILS(d->ctx, SPT_EBUSY, "running", spt_study_set_objective(d->study, NULL, NULL, NULL));
    FAILS(d->ctx, SPT_EBUSY, "running", spt_study_set_check(d->study, NULL, NULL, NULL));
    FAILS(d->ctx, SPT_EBUSY, "running", spt_study_set_events(d->study, NULL, NULL, NULL));
    /* looking is allowed */
    OK(d->ctx, spt_study_history(d->study, &h));
    spt_history_free(h);
    *loss = loss_of(trial);
    return SPT_OK;
}

static int32_t nested_check(const spt_config *config, void *user)
{
    desk *d = user;
    spt_trial *t = NULL;
    FAILS(d->ctx, SPT_EBUSY, "callbacks", spt_study_ask(d->study, &t));
    FAILS(d->ctx, SPT_EBUSY, "callbacks", spt_study_ask_given(d->study, config, &t));
    FAILS(d->ctx, SPT_EBUSY, "callbacks", spt_study_run(d->study, 1, 0));
    return SPT_OK;
}

static int32_t nested_event(const spt_event *event, void *user)
{
    return nested_check(event->config, user);
}

START_TEST(re_entry)
{
    desk d;
    spt_trial *t = NULL;
    static const char *const settings[] = {"", "in_flight=1", "in_flight=2"};
    open_desk(&d, "tpe", settings[_i]);
    OK(d.ctx, spt_study_set_objective(d.study, nested_objective, &d, NULL));
    OK(d.ctx, spt_study_set_check(d.study, nested_check, &d, NULL));
    OK(d.ctx, spt_study_set_events(d.study, nested_event, &d, NULL));
    ck_assert_int_eq(spt_study_run(d.study, 5, 0), SPT_STOP_TRIALS);
    /* the check is a callback also where there is no run loop */
    OK(d.ctx, spt_study_ask(d.study, &t));
    spt_trial_free(t);
    OK(d.ctx, spt_study_ask_many(d.study, 1, &t, &(int64_t){0}));
    spt_trial_free(t);
    close_desk(&d);
}
END_TEST

SUITE_MAIN("tune flight", tcase_add_loop_test(tcase, threads_change_nothing, 0, 4);
           tcase_add_test(tcase, flights_differ); tcase_add_loop_test(tcase, nobody_waits, 0, 3);
           tcase_add_test(tcase, told_in_any_order); tcase_add_test(tcase, many_at_once);
           tcase_add_test(tcase, two_programs); tcase_add_loop_test(tcase, workers, 0, 2);
           tcase_add_loop_test(tcase, re_entry, 0, 3);)
