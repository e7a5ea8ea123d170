/* Studies: ask and tell, the run loop, a host's objective, stops. The same questions go to a store
 * in memory and to one in a file. */
#include "studies.h"

static spt_store *open_kind(spt_ctx *ctx, int kind)
{
    spt_store *store = NULL;
    if (kind == 1) remove(file_name("study"));
    OK(ctx,
       spt_store_open(ctx, kind == 0 ? "memory:" : file_name("study"), SPT_STORE_CREATE, &store));
    return store;
}

static void close_kind(spt_store *store, int kind)
{
    spt_store_free(store);
    if (kind == 1) ck_assert_int_eq(remove(file_name("study")), 0);
}

static double rate_of(const spt_config *c)
{
    double v;
    ck_assert_int_eq(spt_config_number(c, "learning_rate", &v), SPT_OK);
    return v;
}

START_TEST(ask_and_tell)
{
    spt_ctx *ctx = new_ctx(1);
    spt_store *store = open_kind(ctx, _i);
    spt_space *space = new_space(ctx);
    spt_study *study = NULL;
    spt_trial *a = NULL, *b = NULL;
    spt_history *h = NULL;
    char bytes[3];
    int64_t size;
    OK(ctx, spt_study_open(store, "s", space, NULL, &study));
    OK(ctx, spt_study_ask(study, &a));
    OK(ctx, spt_study_ask(study, &b));
    ck_assert_int_eq(spt_trial_number(a), 0);
    ck_assert_int_eq(spt_trial_number(b), 1);
    /* two that run at a time are two proposals */
    ck_assert_int_eq(spt_config_equal(spt_trial_config(a), spt_trial_config(b)), 0);
    OK(ctx, spt_trial_report(a, 0, 0.5));
    FAILS(ctx, SPT_EINVAL, "told before", spt_trial_report(a, 0, 0.5));
    OK(ctx, spt_trial_set_number(a, "weights", 12));
    OK(ctx, spt_trial_set_number(a, "weights", 13));
    OK(ctx, spt_trial_set_text(a, "host", "K\xc3\xb6ln \"x\""));
    FAILS(ctx, SPT_EINVAL, "library's own", spt_trial_set_number(a, "sequence", 1));
    OK(ctx, spt_trial_set_block(a, "predictions", "abc", 3));
    OK(ctx, spt_trial_tell(a, SPT_TRIAL_COMPLETE, 0.25));
    FAILS(ctx, SPT_EBUSY, "ended already", spt_trial_tell(a, SPT_TRIAL_COMPLETE, 0.25));
    FAILS(ctx, SPT_EBUSY, "ended already", spt_trial_set_number(a, "x", 1));
    FAILS(ctx, SPT_EINVAL, "state is 0", spt_trial_tell(b, SPT_TRIAL_RUNNING, 0.25));
    OK(ctx, spt_trial_tell(b, SPT_TRIAL_COMPLETE, NAN));
    OK(ctx, spt_study_history(study, &h));
    ck_assert_int_eq(spt_history_finished(h), 2);
    ck_assert_str_eq(spt_history_attribute(h, 0, "weights"), "13");
    ck_assert_str_eq(spt_history_attribute(h, 0, "host"), "K\xc3\xb6ln \"x\"");
    ck_assert_str_eq(spt_history_attribute(h, 1, "reason"), "the loss is not a number");
    ck_assert_int_eq(spt_config_equal(spt_trial_config(a), spt_history_config(h, 0)), 1);
    ck_assert_int_eq(spt_history_best(h), 0);
    OK(ctx, spt_store_block(store, "s", 0, "predictions", bytes, 3, &size));
    ck_assert(memcmp(bytes, "abc", 3) == 0);
    spt_trial_free(a);
    spt_trial_free(b);
    spt_history_free(h);
    /* a handle let go is an abandoned trial: it does not count, and its proposal comes again */
    OK(ctx, spt_study_ask(study, &a));
    spt_config *first = NULL;
    OK(ctx, spt_config_copy(ctx, spt_trial_config(a), &first));
    spt_trial_free(a);
    OK(ctx, spt_study_ask(study, &a));
    ck_assert_int_eq(spt_trial_number(a), 3);
    ck_assert_int_eq(spt_config_equal(first, spt_trial_config(a)), 1);
    OK(ctx, spt_study_history(study, &h));
    ck_assert_int_eq(spt_history_finished(h), 2);
    ck_assert_str_eq(spt_history_attribute(h, 2, "reason"), "abandoned");
    spt_history_free(h);
    spt_trial_free(a);
    /* a configuration of the host's */
    OK(ctx, spt_study_ask_given(study, first, &a));
    ck_assert_int_eq(spt_config_equal(first, spt_trial_config(a)), 1);
    OK(ctx, spt_trial_tell(a, SPT_TRIAL_PRUNED, 3));
    spt_trial_free(a);
    spt_config_free(first);
    spt_study_free(study);
    spt_space_free(space);
    close_kind(store, _i);
    spt_ctx_free(ctx);
}
END_TEST

typedef struct host {
    int calls, stop_at, fail_at, fail_every, checks, destroyed;
    int events[5];
} host;

static int32_t objective(spt_trial *trial, double *loss, void *user)
{
    host *h = user;
    h->calls++;
    if (h->calls == h->stop_at) return SPT_STOP_HOST;
    if (h->calls == h->fail_at || h->fail_every) return SPT_EDATA;
    *loss = fabs(log10(rate_of(spt_trial_config(trial))) + 2);
    return SPT_OK;
}

static int32_t check(const spt_config *config, void *user)
{
    host *h = user;
    h->checks++;
    return rate_of(config) < 0.02 ? SPT_OK : SPT_EINVAL;
}

static int32_t refuse(const spt_config *config, void *user)
{
    (void)config;
    (void)user;
    return SPT_ESHAPE;
}

static int32_t on_event(const spt_event *event, void *user)
{
    host *h = user;
    h->events[event->kind]++;
    if (event->kind == SPT_EVENT_TRIAL_END && event->state == SPT_TRIAL_COMPLETE)
        ck_assert(event->best <= event->loss && event->best_trial >= 0);
    return SPT_OK;
}

static void destroy(void *user)
{
    ((host *)user)->destroyed++;
}

START_TEST(the_run_loop)
{
    spt_ctx *ctx = new_ctx(1);
    spt_store *store = open_kind(ctx, _i);
    spt_space *space = new_space(ctx);
    spt_study *study = NULL;
    spt_history *h = NULL;
    host user = {.fail_at = 3};
    OK(ctx, spt_study_open(store, NULL, space, NULL, &study));
    FAILS(ctx, SPT_EINVAL, "no objective", spt_study_run(study, 1, 0));
    OK(ctx, spt_study_set_objective(study, objective, &user, destroy));
    OK(ctx, spt_study_set_check(study, check, &user, destroy));
    OK(ctx, spt_study_set_events(study, on_event, &user, destroy));
    FAILS(ctx, SPT_EINVAL, "trials is -1", spt_study_run(study, -1, 0));
    ck_assert_int_eq(spt_study_run(study, 0, 0), SPT_STOP_TRIALS);
    ck_assert_int_eq(spt_study_run(study, 7, 0), SPT_STOP_TRIALS);
    ck_assert_int_eq(user.calls, 7);
    ck_assert_int_ge(user.checks, 7);
    ck_assert_int_eq(user.events[SPT_EVENT_TRIAL_START], 7);
    ck_assert_int_eq(user.events[SPT_EVENT_TRIAL_END], 7);
    ck_assert_int_eq(spt_study_run(study, 7, 0), SPT_STOP_TRIALS);
    ck_assert_int_eq(user.calls, 7);
    user.stop_at = 9;
    ck_assert_int_eq(spt_study_run(study, 12, 0), SPT_STOP_HOST);
    ck_assert_int_eq(spt_study_run(study, 12, 0), SPT_STOP_TRIALS);
    OK(ctx, spt_study_history(study, &h));
    ck_assert_int_eq(spt_history_finished(h), 12);
    ck_assert_int_eq(spt_history_count(h), 13);
    ck_assert_str_eq(spt_history_attribute(h, 8, "reason"), "stopped");
    ck_assert_str_eq(spt_history_name(h), "spectune");
    for (int64_t i = 0; i < 13; i++)
        ck_assert_double_lt(rate_of(spt_history_config(h, i)), 0.02);
    spt_history_free(h);
    ck_assert_int_eq(spt_study_run(study, 1000000, 0.05), SPT_STOP_TIME);
    spt_ctx_stop(ctx);
    ck_assert_int_eq(spt_study_run(study, 1000000, 0), SPT_STOP_HOST);
    spt_ctx_clear_stop(ctx);
    OK(ctx, spt_study_set_check(study, refuse, NULL, NULL));
    ck_assert_int_eq(spt_study_run(study, 1000000, 0), SPT_STOP_EXHAUSTED);
    spt_study_free(study);
    ck_assert_int_eq(user.destroyed, 3);
    spt_space_free(space);
    close_kind(store, _i);
    spt_ctx_free(ctx);
}
END_TEST

/* An objective that cannot work is noticed; one that fails now and then is not the end. */
START_TEST(hopeless)
{
    spt_ctx *ctx = new_ctx(1);
    spt_store *store = open_kind(ctx, _i);
    spt_space *space = new_space(ctx);
    spt_study *study = NULL;
    host user = {.fail_every = 1};
    OK(ctx, spt_study_open(store, NULL, space, NULL, &study));
    OK(ctx, spt_study_set_objective(study, objective, &user, NULL));
    FAILS(ctx, SPT_EDATA, "the first 5 trials failed alike: spectra", spt_study_run(study, 100, 0));
    ck_assert_int_eq(user.calls, 5);
    spt_study_free(study);
    spt_space_free(space);
    close_kind(store, _i);
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(other_spaces)
{
    spt_ctx *ctx = new_ctx(1);
    spt_store *store = open_kind(ctx, _i);
    spt_space *space = new_space(ctx), *other = NULL, *preset = NULL;
    spt_study *study = NULL;
    OK(ctx, spt_study_open(store, "s", space, NULL, &study));
    spt_study_free(study);
    OK(ctx, spt_space_preset(ctx, "small", &preset));
    FAILS(ctx, SPT_EMISMATCH, "another space", spt_study_open(store, "s", preset, NULL, &study));
    FAILS(ctx, SPT_ENOTFOUND, "no study 't'", spt_study_open(store, "t", NULL, NULL, &study));
    OK(ctx, spt_study_open(store, "s", NULL, NULL, &study));
    spt_study_free(study);
    other = new_space(ctx);
    OK(ctx, spt_study_open(store, "s", other, NULL, &study));
    OK(ctx, spt_study_pin(study, "target", "fat"));
    FAILS(ctx, SPT_EMISMATCH, "target is 'protein'; the study has 'fat'",
          spt_study_pin(study, "target", "protein"));
    spt_study_free(study);
    spt_space_free(other);
    spt_space_free(preset);
    spt_space_free(space);
    close_kind(store, _i);
    spt_ctx_free(ctx);
}
END_TEST

/* A study cut anywhere, by a stop or by a handle that is dropped, goes on as if nothing had been.
 */
START_TEST(cut_anywhere)
{
    enum { TRIALS = 14 };
    spt_ctx *ctx = new_ctx(1);
    spt_space *space = new_space(ctx);
    spt_options *sampler = new_sampler(ctx, _i == 0 ? "tpe" : "random", 5);
    double whole[TRIALS];
    for (int cut = 0; cut <= TRIALS; cut++) {
        spt_store *store = NULL;
        spt_study *study = NULL;
        spt_history *h = NULL;
        host user = {.stop_at = cut};
        OK(ctx, spt_store_open(ctx, "memory:", SPT_STORE_CREATE, &store));
        OK(ctx, spt_study_open(store, "s", space, sampler, &study));
        OK(ctx, spt_study_set_objective(study, objective, &user, NULL));
        if (cut > 0) ck_assert_int_eq(spt_study_run(study, TRIALS, 0), SPT_STOP_HOST);
        spt_study_free(study);
        OK(ctx, spt_study_open(store, "s", space, sampler, &study));
        user.stop_at = 0;
        OK(ctx, spt_study_set_objective(study, objective, &user, NULL));
        ck_assert_int_eq(spt_study_run(study, TRIALS, 0), SPT_STOP_TRIALS);
        OK(ctx, spt_study_history(study, &h));
        int at = 0;
        for (int64_t i = 0; i < spt_history_count(h); i++) {
            if (cut > 0 && i == cut - 1) continue; /* the one that was stopped */
            const double rate = rate_of(spt_history_config(h, i));
            if (cut == 0)
                whole[at] = rate;
            else
                ck_assert_double_eq(rate, whole[at]);
            at++;
        }
        ck_assert_int_eq(at, TRIALS);
        spt_history_free(h);
        spt_study_free(study);
        spt_store_free(store);
    }
    spt_options_free(sampler);
    spt_space_free(space);
    spt_ctx_free(ctx);
}
END_TEST

/* Proposes the rate that is the trial's number of hundredths, and tries what it may not. */
static int32_t by_number(const spt_trials *trials, int64_t sequence, int32_t attempt, uint64_t seed,
                         spt_config *config, void *user)
{
    spt_study *study = *(spt_study **)user;
    spt_trial *trial = NULL;
    (void)attempt;
    (void)seed;
    ck_assert_int_eq(spt_trials_count(trials), sequence);
    ck_assert_int_eq(spt_study_ask(study, &trial), SPT_EBUSY);
    if (sequence == 3) return SPT_STOP_EXHAUSTED;
    return spt_config_set_number(config, "learning_rate", 0.01 * (double)(sequence + 1));
}

static int32_t rate_is_loss(spt_trial *trial, double *loss, void *user)
{
    (void)user;
    *loss = rate_of(spt_trial_config(trial));
    return SPT_OK;
}

/* A host's sampler in a study, whose space is another object with the same contents. */
START_TEST(own_sampler)
{
    spt_ctx *ctx = new_ctx(1), *elsewhere = new_ctx(1);
    spt_store *store = open_kind(ctx, _i);
    spt_space *space = new_space(ctx), *equal = new_space(ctx), *preset = NULL,
              *far = new_space(elsewhere);
    spt_study *study = NULL;
    spt_sampler *sampler = NULL;
    spt_history *h = NULL;
    OK(ctx, spt_space_preset(ctx, "small", &preset));
    OK(ctx, spt_study_open(store, "s", space, NULL, &study));
    OK(ctx, spt_study_set_objective(study, rate_is_loss, NULL, NULL));
    OK(ctx, spt_sampler_new(ctx, preset, NULL, &sampler));
    FAILS(ctx, SPT_EMISMATCH, "the sampler has another space",
          spt_study_set_sampler(study, sampler));
    spt_sampler_free(sampler);
    OK(elsewhere, spt_sampler_new(elsewhere, far, NULL, &sampler));
    FAILS(ctx, SPT_EINVAL, "another context", spt_study_set_sampler(study, sampler));
    spt_sampler_free(sampler);
    OK(ctx, spt_sampler_new_host(ctx, equal, NULL, by_number, &study, NULL, &sampler));
    OK(ctx, spt_study_set_sampler(study, sampler));
    spt_sampler_free(sampler);
    spt_space_free(equal);
    ck_assert_int_eq(spt_study_run(study, 5, 0), SPT_STOP_EXHAUSTED);
    OK(ctx, spt_study_history(study, &h));
    ck_assert_int_eq(spt_history_finished(h), 3);
    for (int i = 0; i < 3; i++) {
        ck_assert_ptr_eq(spt_config_space(spt_history_config(h, i)), space);
        NEAR(rate_of(spt_history_config(h, i)), 0.01 * (i + 1), 1e-15);
    }
    spt_history_free(h);
    spt_study_free(study);
    spt_space_free(far);
    spt_space_free(preset);
    spt_space_free(space);
    close_kind(store, _i);
    spt_ctx_free(elsewhere);
    spt_ctx_free(ctx);
}
END_TEST

SUITE_MAIN("tune study", tcase_add_loop_test(tcase, own_sampler, 0, 2);
           tcase_add_loop_test(tcase, ask_and_tell, 0, 2);
           tcase_add_loop_test(tcase, the_run_loop, 0, 2);
           tcase_add_loop_test(tcase, hopeless, 0, 2);
           tcase_add_loop_test(tcase, other_spaces, 0, 2);
           tcase_add_loop_test(tcase, cut_anywhere, 0, 2);)
