/* What a host puts into a search: configurations whole and in part, another study's best, limits of
 * many kinds, no repetitions. */
#include "studies.h"

typedef struct desk {
    spt_ctx *ctx;
    spt_space *space;
    spt_store *store;
    spt_study *study;
    spt_options *rules;
    int calls, stop_at;
    char log[500];
} desk;

static void on_log(int32_t level, const char *text, void *user)
{
    desk *d = user;
    if (level <= SPT_LOG_WARNING) snprintf(d->log, sizeof d->log, "%s", text);
}

static int32_t objective(spt_trial *trial, double *loss, void *user)
{
    desk *d = user;
    double rate;
    if (++d->calls == d->stop_at) return SPT_STOP_HOST;
    OK(d->ctx, spt_config_number(spt_trial_config(trial), "learning_rate", &rate));
    *loss = fabs(log10(rate) + 2);
    return SPT_OK;
}

static void reopen(desk *d, const char *name, const char *sampler)
{
    spt_options *s = new_sampler(d->ctx, sampler, 4);
    spt_study_free(d->study);
    d->study = NULL;
    OK(d->ctx, spt_study_open(d->store, name, d->space, s, &d->study));
    OK(d->ctx, spt_study_set_options(d->study, d->rules));
    OK(d->ctx, spt_study_set_objective(d->study, objective, d, NULL));
    spt_options_free(s);
}

static void open_desk(desk *d)
{
    *d = (desk){.ctx = new_ctx(1)};
    OK(d->ctx, spt_ctx_set_log(d->ctx, SPT_LOG_WARNING, on_log, d, NULL));
    d->space = new_space(d->ctx);
    OK(d->ctx, spt_store_open(d->ctx, "memory:", SPT_STORE_CREATE, &d->store));
    OK(d->ctx, spt_study_options_new(d->ctx, &d->rules));
    reopen(d, "s", "tpe");
}

static void close_desk(desk *d)
{
    spt_options_free(d->rules);
    spt_study_free(d->study);
    spt_store_free(d->store);
    spt_space_free(d->space);
    spt_ctx_free(d->ctx);
}

static spt_config *config_with(desk *d, const char *blocks, double rate)
{
    spt_config *c = NULL;
    OK(d->ctx, spt_config_new(d->ctx, d->space, &c));
    OK(d->ctx, spt_config_set_text(c, "conv_blocks", blocks));
    OK(d->ctx, spt_config_set_number(c, "learning_rate", rate));
    return c;
}

static double number_of(const spt_config *c, const char *name)
{
    double v;
    ck_assert_int_eq(spt_config_number(c, name, &v), SPT_OK);
    return v;
}

START_TEST(whole_and_in_part)
{
    desk d;
    spt_history *h = NULL;
    int64_t a = -1, b = -1, again = -1;
    open_desk(&d);
    spt_config *whole = config_with(&d, "0", 0.05), *part = config_with(&d, "1", 0.002);
    OK(d.ctx, spt_config_set_number(part, "conv_1_kernel", 43));
    static const char *const names[] = {"learning_rate", "conv_blocks", "conv_1_kernel"};
    OK(d.ctx, spt_study_enqueue(d.study, whole, NULL, 0, &a));
    OK(d.ctx, spt_study_enqueue(d.study, part, names, 3, &b));
    ck_assert_int_eq(a, 0);
    ck_assert_int_eq(b, 1);
    /* once is enough, also in another order */
    static const char *const other[] = {"conv_1_kernel", "learning_rate", "conv_blocks"};
    OK(d.ctx, spt_study_enqueue(d.study, part, other, 3, &again));
    ck_assert_int_eq(again, 1);
    OK(d.ctx, spt_study_history(d.study, &h));
    ck_assert_int_eq(spt_history_count(h), 2);
    ck_assert_int_eq(spt_history_finished(h), 0);
    spt_history_free(h);
    ck_assert_int_eq(spt_study_run(d.study, 3, 0), SPT_STOP_TRIALS);
    OK(d.ctx, spt_study_history(d.study, &h));
    ck_assert_int_eq(spt_history_count(h), 3);
    ck_assert_int_eq(spt_config_equal(spt_history_config(h, 0), whole), 1);
    ck_assert_double_eq(number_of(spt_history_config(h, 1), "learning_rate"), 0.002);
    ck_assert_double_eq(number_of(spt_history_config(h, 1), "conv_1_kernel"), 43);
    /* the rest is drawn, not the defaults */
    ck_assert_int_eq(spt_config_equal(spt_history_config(h, 1), part), 0);
    /* and again, after it has been run */
    OK(d.ctx, spt_study_enqueue(d.study, whole, NULL, 0, &again));
    ck_assert_int_eq(again, 0);
    spt_history_free(h);
    spt_config_free(whole);
    spt_config_free(part);
    close_desk(&d);
}
END_TEST

/* A study with a queue that is cut anywhere goes on as if nothing had been. */
START_TEST(cut_anywhere)
{
    enum { TRIALS = 9 };
    double whole[TRIALS];
    static const char *const names[] = {"learning_rate"};
    for (int cut = 0; cut <= TRIALS; cut++) {
        desk d;
        spt_history *h = NULL;
        int n = 0;
        open_desk(&d);
        if (_i > 0) {
            OK(d.ctx, spt_options_set_number(d.rules, "in_flight", _i));
            OK(d.ctx, spt_study_set_options(d.study, d.rules));
        }
        d.stop_at = cut;
        for (int i = 0; i < 3; i++) {
            spt_config *c = config_with(&d, "1", 0.01 + 0.02 * i);
            OK(d.ctx, spt_study_enqueue(d.study, c, names, 1, NULL));
            spt_config_free(c);
        }
        int32_t why = spt_study_run(d.study, TRIALS, 0);
        if (cut > 0) {
            ck_assert_int_eq(why, SPT_STOP_HOST);
            reopen(&d, "s", "tpe");
            why = spt_study_run(d.study, TRIALS, 0);
        }
        ck_assert_int_eq(why, SPT_STOP_TRIALS);
        OK(d.ctx, spt_study_history(d.study, &h));
        double values[TRIALS], hashes[TRIALS];
        /* by place in the sequence: what comes again has another number */
        for (int64_t i = 0; i < spt_history_count(h); i++) {
            spt_trial_info info;
            spt_record_init(&info, sizeof info);
            OK(d.ctx, spt_history_trial(h, i, &info));
            if (info.state != SPT_TRIAL_COMPLETE) continue;
            const int at = atoi(spt_history_attribute(h, i, "sequence"));
            ck_assert_int_lt(at, TRIALS);
            values[at] = number_of(spt_history_config(h, i), "learning_rate") +
                         1000 * number_of(spt_history_config(h, i), "fc_1_units");
            hashes[at] = info.value;
            n++;
        }
        ck_assert_int_eq(n, TRIALS);
        ck_assert(hashes[0] >= 0);
        if (cut == 0) memcpy(whole, values, sizeof whole);
        ck_assert(memcmp(whole, values, sizeof whole) == 0);
        spt_history_free(h);
        close_desk(&d);
    }
}
END_TEST

static int32_t only_small(const spt_config *config, void *user)
{
    (void)user;
    return number_of(config, "learning_rate") < 0.02 ? SPT_OK : SPT_EINVAL;
}

START_TEST(refused)
{
    desk d;
    spt_config *c;
    spt_history *h = NULL;
    spt_space *other = NULL;
    open_desk(&d);
    OK(d.ctx, spt_study_set_check(d.study, only_small, NULL, NULL));
    c = config_with(&d, "1", 0.05);
    ck_assert_int_eq(spt_study_enqueue(d.study, c, NULL, 0, NULL), SPT_EINVAL);
    static const char *const wrong[] = {"learning_rat"}, *const rate[] = {"learning_rate"};
    FAILS(d.ctx, SPT_ENOTFOUND, "learning_rate", spt_study_enqueue(d.study, c, wrong, 1, NULL));
    ck_assert_int_eq(spt_study_enqueue(d.study, NULL, NULL, 0, NULL), SPT_EINVAL);
    /* in part it shows only when its turn comes: it is put aside, and the search goes on */
    OK(d.ctx, spt_study_enqueue(d.study, c, rate, 1, NULL));
    ck_assert_int_eq(spt_study_run(d.study, 2, 0), SPT_STOP_TRIALS);
    ck_assert_ptr_nonnull(strstr(d.log, "cannot be run"));
    OK(d.ctx, spt_study_history(d.study, &h));
    ck_assert_int_eq(spt_history_count(h), 3);
    ck_assert_int_eq(spt_history_finished(h), 2);
    ck_assert_ptr_nonnull(spt_history_attribute(h, 0, "refused"));
    spt_history_free(h);
    spt_config_free(c);
    c = config_with(&d, "0", 0.01);
    static const char *const absent[] = {"conv_1_kernel"};
    FAILS(d.ctx, SPT_EINVAL, "has no value", spt_study_enqueue(d.study, c, absent, 1, NULL));
    OK(d.ctx, spt_config_set_text(c, "channel_a", "false"));
    FAILS(d.ctx, SPT_EINVAL, "forbidden", spt_study_enqueue(d.study, c, NULL, 0, NULL));
    spt_config_free(c);
    OK(d.ctx, spt_space_preset(d.ctx, "small", &other));
    OK(d.ctx, spt_config_new(d.ctx, other, &c));
    FAILS(d.ctx, SPT_EMISMATCH, "another space", spt_study_enqueue(d.study, c, NULL, 0, NULL));
    spt_config_free(c);
    spt_space_free(other);
    close_desk(&d);
}
END_TEST

/* ---- from another study ---- */

START_TEST(warm_start)
{
    desk d;
    spt_history *from = NULL, *h = NULL;
    spt_space *narrow = NULL;
    int64_t n = -1;
    open_desk(&d);
    ck_assert_int_eq(spt_study_run(d.study, 12, 0), SPT_STOP_TRIALS);
    OK(d.ctx, spt_study_history(d.study, &from));
    reopen(&d, "second", "tpe");
    OK(d.ctx, spt_study_warm_start(d.study, from, 3, &n));
    ck_assert_int_eq(n, 3);
    OK(d.ctx, spt_study_warm_start(d.study, from, 3, &n)); /* when the study goes on */
    ck_assert_int_eq(n, 0);
    FAILS(d.ctx, SPT_EMISMATCH, "warm_start", spt_study_warm_start(d.study, from, 4, &n));
    OK(d.ctx, spt_study_history(d.study, &h));
    ck_assert_int_eq(spt_history_finished(h), 0); /* no loss has come along */
    ck_assert_int_eq(spt_history_best(h), -1);
    spt_history_free(h);
    ck_assert_int_eq(spt_study_run(d.study, 4, 0), SPT_STOP_TRIALS);
    OK(d.ctx, spt_study_history(d.study, &h));
    const int64_t best = spt_history_best(from);
    ck_assert_int_eq(spt_config_equal(spt_history_config(h, 0), spt_history_config(from, best)), 1);
    spt_history_free(h);
    /* another space: one parameter more, another narrower, so that some do not fit */
    OK(d.ctx, spt_space_new(d.ctx, "narrow", &narrow));
    OK(d.ctx, spt_space_add_int(narrow, "conv_blocks", 0, 1, 1, 0, 1));
    OK(d.ctx, spt_space_add_float(narrow, "learning_rate", 1e-2, 1e-1, 0, 1, 5e-2));
    OK(d.ctx, spt_space_add_int(narrow, "batch_size", 8, 32, 1, 0, 16));
    spt_space_free(d.space);
    d.space = narrow;
    reopen(&d, "third", "random");
    OK(d.ctx, spt_study_warm_start(d.study, from, 12, &n));
    ck_assert(n > 0 && n < 12);
    ck_assert_ptr_nonnull(strstr(d.log, "is not taken over"));
    ck_assert_ptr_nonnull(strstr(d.log, "learning_rate"));
    ck_assert_int_eq(spt_study_run(d.study, n, 0), SPT_STOP_TRIALS);
    OK(d.ctx, spt_study_history(d.study, &h));
    ck_assert_int_eq(spt_history_count(h), n);
    for (int64_t i = 0; i < n; i++)
        ck_assert_double_eq(number_of(spt_history_config(h, i), "batch_size"), 16);
    spt_history_free(h);
    spt_history_free(from);
    close_desk(&d);
}
END_TEST

/* ---- repetitions ---- */

START_TEST(duplicates)
{
    desk d;
    spt_space *few = NULL;
    open_desk(&d);
    OK(d.ctx, spt_space_new(d.ctx, "few", &few));
    OK(d.ctx, spt_space_add_int(few, "conv_blocks", 0, 3, 1, 0, 1));
    OK(d.ctx, spt_space_add_float(few, "learning_rate", 0.01, 0.02, 0.01, 0, 0.01));
    spt_space_free(d.space);
    d.space = few;
    static const char *const rules[] = {"allow", "avoid", "never"};
    for (int r = 0; r < 3; r++) {
        spt_history *h = NULL;
        int repeated = 0;
        OK(d.ctx, spt_options_set_text(d.rules, "duplicates", rules[r]));
        reopen(&d, rules[r], "random");
        ck_assert_int_eq(spt_study_run(d.study, 20, 0),
                         r == 2 ? SPT_STOP_EXHAUSTED : SPT_STOP_TRIALS);
        OK(d.ctx, spt_study_history(d.study, &h));
        ck_assert_int_eq(spt_history_count(h), r == 2 ? 8 : 20);
        for (int64_t i = 0; i < 8; i++)
            for (int64_t j = 0; j < i; j++)
                repeated += spt_config_equal(spt_history_config(h, i), spt_history_config(h, j));
        ck_assert_int_eq(repeated > 0, r == 0);
        spt_history_free(h);
    }
    close_desk(&d);
}
END_TEST

/* ---- when it ends ---- */

START_TEST(limits)
{
    desk d;
    spt_history *h = NULL;
    spt_trial_info info;
    spt_record_init(&info, sizeof info);
    open_desk(&d);
    OK(d.ctx, spt_options_set_number(d.rules, "in_flight", 1 + _i));
    OK(d.ctx, spt_options_set_text(d.rules, "wait", "yes"));
    OK(d.ctx, spt_options_set_number(d.rules, "stop_at", 0.2));
    reopen(&d, "target", "random");
    ck_assert_int_eq(spt_study_run(d.study, 1000, 0), SPT_STOP_TARGET);
    ck_assert_int_eq(spt_study_run(d.study, 1000, 0), SPT_STOP_TARGET);
    OK(d.ctx, spt_study_history(d.study, &h));
    OK(d.ctx, spt_history_trial(h, spt_history_best(h), &info));
    ck_assert_double_le(info.value, 0.2);
    ck_assert_int_eq(info.number, spt_history_finished(h) - 1); /* the last one that counts */
    spt_history_free(h);
    OK(d.ctx, spt_options_set_number(d.rules, "stop_at", -1));
    OK(d.ctx, spt_options_set_number(d.rules, "patience_trials", 7));
    reopen(&d, "plateau", "random");
    ck_assert_int_eq(spt_study_run(d.study, 1000, 0), SPT_STOP_PLATEAU);
    const int calls = d.calls;
    ck_assert_int_eq(spt_study_run(d.study, 1000, 0), SPT_STOP_PLATEAU);
    ck_assert_int_eq(d.calls, calls);
    OK(d.ctx, spt_study_history(d.study, &h));
    ck_assert_int_eq(spt_history_finished(h), spt_history_best(h) + 8);
    spt_history_free(h);
    /* more patience goes on from there */
    OK(d.ctx, spt_options_set_number(d.rules, "patience_trials", 15));
    reopen(&d, "plateau", "random");
    ck_assert_int_eq(spt_study_run(d.study, 1000, 0), SPT_STOP_PLATEAU);
    OK(d.ctx, spt_study_history(d.study, &h));
    ck_assert_int_ge(spt_history_finished(h), spt_history_best(h) + 16);
    spt_history_free(h);
    close_desk(&d);
}
END_TEST

SUITE_MAIN("tune queue", tcase_add_test(tcase, whole_and_in_part);
           tcase_add_loop_test(tcase, cut_anywhere, 0, 3); tcase_add_test(tcase, refused);
           tcase_add_test(tcase, warm_start); tcase_add_test(tcase, duplicates);
           tcase_add_loop_test(tcase, limits, 0, 3);)
