/* What a host puts into a search: configurations whole and in part, another study's best, limits of
 * many kinds, no repetitions. */
#include "studies.h"

typedef struct bench {
    desk d;
    spt_options *rules;
    int calls, stop_at;
    char log[500];
} bench;

static void on_log(int32_t level, const char *text, void *user)
{
    bench *b = user;
    if (level <= SPT_LOG_WARNING) snprintf(b->log, sizeof b->log, "%s", text);
}

static int32_t objective(spt_trial *trial, double *loss, void *user)
{
    bench *b = user;
    if (++b->calls == b->stop_at) return SPT_STOP_HOST;
    *loss = loss_of(trial);
    return SPT_OK;
}

/* Go on with this study, in the space of the desk. */
static void reopen(bench *b, const char *name, const char *sampler)
{
    spt_options *s = new_sampler(b->d.ctx, sampler, 4);
    spt_study_free(b->d.study);
    b->d.study = NULL;
    OK(b->d.ctx, spt_study_open(b->d.store, name, b->d.space, s, &b->d.study));
    OK(b->d.ctx, spt_study_set_options(b->d.study, b->rules));
    OK(b->d.ctx, spt_study_set_objective(b->d.study, objective, b, NULL));
    spt_options_free(s);
}

static void open_bench(bench *b)
{
    *b = (bench){.calls = 0};
    open_desk(&b->d, "tpe", "");
    OK(b->d.ctx, spt_ctx_set_log(b->d.ctx, SPT_LOG_WARNING, on_log, b, NULL));
    b->rules = new_rules(b->d.ctx, "");
    OK(b->d.ctx, spt_study_set_objective(b->d.study, objective, b, NULL));
}

static void close_bench(bench *b)
{
    spt_options_free(b->rules);
    close_desk(&b->d);
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
    bench b;
    spt_history *h = NULL;
    int64_t first = -1, second = -1, again = -1;
    open_bench(&b);
    spt_config *whole = config_with(&b.d, "0", 0.05), *part = config_with(&b.d, "1", 0.002);
    OK(b.d.ctx, spt_config_set_number(part, "conv_1_kernel", 43));
    static const char *const names[] = {"learning_rate", "conv_blocks", "conv_1_kernel"};
    OK(b.d.ctx, spt_study_enqueue(b.d.study, whole, NULL, 0, &first));
    OK(b.d.ctx, spt_study_enqueue(b.d.study, part, names, 3, &second));
    ck_assert_int_eq(first, 0);
    ck_assert_int_eq(second, 1);
    /* once is enough, also in another order */
    static const char *const other[] = {"conv_1_kernel", "learning_rate", "conv_blocks"};
    OK(b.d.ctx, spt_study_enqueue(b.d.study, part, other, 3, &again));
    ck_assert_int_eq(again, 1);
    OK(b.d.ctx, spt_study_history(b.d.study, &h));
    ck_assert_int_eq(spt_history_count(h), 2);
    ck_assert_int_eq(spt_history_finished(h), 0);
    spt_history_free(h);
    ck_assert_int_eq(spt_study_run(b.d.study, 3, 0), SPT_STOP_TRIALS);
    OK(b.d.ctx, spt_study_history(b.d.study, &h));
    ck_assert_int_eq(spt_history_count(h), 3);
    ck_assert_int_eq(spt_config_equal(spt_history_config(h, 0), whole), 1);
    ck_assert_double_eq(number_of(spt_history_config(h, 1), "learning_rate"), 0.002);
    ck_assert_double_eq(number_of(spt_history_config(h, 1), "conv_1_kernel"), 43);
    /* the rest is drawn, not the defaults */
    ck_assert_int_eq(spt_config_equal(spt_history_config(h, 1), part), 0);
    /* and again, after it has been run */
    OK(b.d.ctx, spt_study_enqueue(b.d.study, whole, NULL, 0, &again));
    ck_assert_int_eq(again, 0);
    spt_history_free(h);
    spt_config_free(whole);
    spt_config_free(part);
    close_bench(&b);
}
END_TEST

/* A study with a queue that is cut anywhere goes on as if nothing had been. */
START_TEST(cut_anywhere)
{
    enum { TRIALS = 9 };
    double whole[TRIALS];
    static const char *const names[] = {"learning_rate"};
    for (int cut = 0; cut <= TRIALS; cut++) {
        bench b;
        spt_history *h = NULL;
        int n = 0;
        open_bench(&b);
        if (_i > 0) {
            OK(b.d.ctx, spt_options_set_number(b.rules, "in_flight", _i));
            OK(b.d.ctx, spt_study_set_options(b.d.study, b.rules));
        }
        b.stop_at = cut;
        for (int i = 0; i < 3; i++) {
            spt_config *c = config_with(&b.d, "1", 0.01 + 0.02 * i);
            OK(b.d.ctx, spt_study_enqueue(b.d.study, c, names, 1, NULL));
            spt_config_free(c);
        }
        int32_t why = spt_study_run(b.d.study, TRIALS, 0);
        if (cut > 0) {
            ck_assert_int_eq(why, SPT_STOP_HOST);
            reopen(&b, "s", "tpe");
            why = spt_study_run(b.d.study, TRIALS, 0);
        }
        ck_assert_int_eq(why, SPT_STOP_TRIALS);
        OK(b.d.ctx, spt_study_history(b.d.study, &h));
        double values[TRIALS], hashes[TRIALS];
        /* by place in the sequence: what comes again has another number */
        for (int64_t i = 0; i < spt_history_count(h); i++) {
            spt_trial_info info;
            spt_record_init(&info, sizeof info);
            OK(b.d.ctx, spt_history_trial(h, i, &info));
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
        close_bench(&b);
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
    bench b;
    spt_config *c;
    spt_history *h = NULL;
    spt_space *other = NULL;
    open_bench(&b);
    OK(b.d.ctx, spt_study_set_check(b.d.study, only_small, NULL, NULL));
    c = config_with(&b.d, "1", 0.05);
    ck_assert_int_eq(spt_study_enqueue(b.d.study, c, NULL, 0, NULL), SPT_EINVAL);
    static const char *const wrong[] = {"learning_rat"}, *const rate[] = {"learning_rate"};
    FAILS(b.d.ctx, SPT_ENOTFOUND, "learning_rate", spt_study_enqueue(b.d.study, c, wrong, 1, NULL));
    ck_assert_int_eq(spt_study_enqueue(b.d.study, NULL, NULL, 0, NULL), SPT_EINVAL);
    /* in part it shows only when its turn comes: it is put aside, and the search goes on */
    OK(b.d.ctx, spt_study_enqueue(b.d.study, c, rate, 1, NULL));
    ck_assert_int_eq(spt_study_run(b.d.study, 2, 0), SPT_STOP_TRIALS);
    ck_assert_ptr_nonnull(strstr(b.log, "cannot be run"));
    OK(b.d.ctx, spt_study_history(b.d.study, &h));
    ck_assert_int_eq(spt_history_count(h), 3);
    ck_assert_int_eq(spt_history_finished(h), 2);
    ck_assert_ptr_nonnull(spt_history_attribute(h, 0, "refused"));
    spt_history_free(h);
    spt_config_free(c);
    c = config_with(&b.d, "0", 0.01);
    static const char *const absent[] = {"conv_1_kernel"};
    FAILS(b.d.ctx, SPT_EINVAL, "has no value", spt_study_enqueue(b.d.study, c, absent, 1, NULL));
    OK(b.d.ctx, spt_config_set_text(c, "channel_a", "false"));
    FAILS(b.d.ctx, SPT_EINVAL, "forbidden", spt_study_enqueue(b.d.study, c, NULL, 0, NULL));
    spt_config_free(c);
    OK(b.d.ctx, spt_space_preset(b.d.ctx, "small", &other));
    OK(b.d.ctx, spt_config_new(b.d.ctx, other, &c));
    FAILS(b.d.ctx, SPT_EMISMATCH, "another space", spt_study_enqueue(b.d.study, c, NULL, 0, NULL));
    spt_config_free(c);
    spt_space_free(other);
    close_bench(&b);
}
END_TEST

/* ---- from another study ---- */

START_TEST(warm_start)
{
    bench b;
    spt_history *from = NULL, *h = NULL;
    spt_space *narrow = NULL;
    int64_t n = -1;
    open_bench(&b);
    ck_assert_int_eq(spt_study_run(b.d.study, 12, 0), SPT_STOP_TRIALS);
    OK(b.d.ctx, spt_study_history(b.d.study, &from));
    reopen(&b, "second", "tpe");
    OK(b.d.ctx, spt_study_warm_start(b.d.study, from, 3, &n));
    ck_assert_int_eq(n, 3);
    OK(b.d.ctx, spt_study_warm_start(b.d.study, from, 3, &n)); /* when the study goes on */
    ck_assert_int_eq(n, 0);
    FAILS(b.d.ctx, SPT_EMISMATCH, "warm_start", spt_study_warm_start(b.d.study, from, 4, &n));
    OK(b.d.ctx, spt_study_history(b.d.study, &h));
    ck_assert_int_eq(spt_history_finished(h), 0); /* no loss has come along */
    ck_assert_int_eq(spt_history_best(h), SPT_ENOTFOUND);
    spt_history_free(h);
    ck_assert_int_eq(spt_study_run(b.d.study, 4, 0), SPT_STOP_TRIALS);
    OK(b.d.ctx, spt_study_history(b.d.study, &h));
    const int64_t best = spt_history_best(from);
    ck_assert_int_eq(spt_config_equal(spt_history_config(h, 0), spt_history_config(from, best)), 1);
    spt_history_free(h);
    /* another space: one parameter more, another narrower, so that some do not fit */
    OK(b.d.ctx, spt_space_new(b.d.ctx, "narrow", &narrow));
    OK(b.d.ctx, spt_space_add_int(narrow, "conv_blocks", 0, 1, 1, 0, 1));
    OK(b.d.ctx, spt_space_add_float(narrow, "learning_rate", 1e-2, 1e-1, 0, 1, 5e-2));
    OK(b.d.ctx, spt_space_add_int(narrow, "batch_size", 8, 32, 1, 0, 16));
    spt_space_free(b.d.space);
    b.d.space = narrow;
    reopen(&b, "third", "random");
    OK(b.d.ctx, spt_study_warm_start(b.d.study, from, 12, &n));
    ck_assert(n > 0 && n < 12);
    ck_assert_ptr_nonnull(strstr(b.log, "is not taken over"));
    ck_assert_ptr_nonnull(strstr(b.log, "learning_rate"));
    ck_assert_int_eq(spt_study_run(b.d.study, n, 0), SPT_STOP_TRIALS);
    OK(b.d.ctx, spt_study_history(b.d.study, &h));
    ck_assert_int_eq(spt_history_count(h), n);
    for (int64_t i = 0; i < n; i++)
        ck_assert_double_eq(number_of(spt_history_config(h, i), "batch_size"), 16);
    spt_history_free(h);
    spt_history_free(from);
    close_bench(&b);
}
END_TEST

/* ---- repetitions ---- */

START_TEST(duplicates)
{
    bench b;
    spt_space *few = NULL;
    open_bench(&b);
    OK(b.d.ctx, spt_space_new(b.d.ctx, "few", &few));
    OK(b.d.ctx, spt_space_add_int(few, "conv_blocks", 0, 3, 1, 0, 1));
    OK(b.d.ctx, spt_space_add_float(few, "learning_rate", 0.01, 0.02, 0.01, 0, 0.01));
    spt_space_free(b.d.space);
    b.d.space = few;
    static const char *const rules[] = {"allow", "avoid", "never"};
    for (int r = 0; r < 3; r++) {
        spt_history *h = NULL;
        int repeated = 0;
        OK(b.d.ctx, spt_options_set_text(b.rules, "duplicates", rules[r]));
        reopen(&b, rules[r], "random");
        ck_assert_int_eq(spt_study_run(b.d.study, 20, 0),
                         r == 2 ? SPT_STOP_EXHAUSTED : SPT_STOP_TRIALS);
        OK(b.d.ctx, spt_study_history(b.d.study, &h));
        ck_assert_int_eq(spt_history_count(h), r == 2 ? 8 : 20);
        for (int64_t i = 0; i < 8; i++)
            for (int64_t j = 0; j < i; j++)
                repeated += spt_config_equal(spt_history_config(h, i), spt_history_config(h, j));
        ck_assert_int_eq(repeated > 0, r == 0);
        spt_history_free(h);
    }
    close_bench(&b);
}
END_TEST

/* ---- when it ends ---- */

START_TEST(limits)
{
    bench b;
    spt_history *h = NULL;
    spt_trial_info info;
    spt_record_init(&info, sizeof info);
    open_bench(&b);
    OK(b.d.ctx, spt_options_set_number(b.rules, "in_flight", 1 + _i));
    OK(b.d.ctx, spt_options_set_text(b.rules, "wait", "yes"));
    OK(b.d.ctx, spt_options_set_number(b.rules, "stop_at", 0.2));
    reopen(&b, "target", "random");
    ck_assert_int_eq(spt_study_run(b.d.study, 1000, 0), SPT_STOP_TARGET);
    ck_assert_int_eq(spt_study_run(b.d.study, 1000, 0), SPT_STOP_TARGET);
    OK(b.d.ctx, spt_study_history(b.d.study, &h));
    OK(b.d.ctx, spt_history_trial(h, spt_history_best(h), &info));
    ck_assert_double_le(info.value, 0.2);
    ck_assert_int_eq(info.number, spt_history_finished(h) - 1); /* the last one that counts */
    spt_history_free(h);
    OK(b.d.ctx, spt_options_set_number(b.rules, "stop_at", -1));
    OK(b.d.ctx, spt_options_set_number(b.rules, "patience_trials", 7));
    reopen(&b, "plateau", "random");
    ck_assert_int_eq(spt_study_run(b.d.study, 1000, 0), SPT_STOP_PLATEAU);
    const int calls = b.calls;
    ck_assert_int_eq(spt_study_run(b.d.study, 1000, 0), SPT_STOP_PLATEAU);
    ck_assert_int_eq(b.calls, calls);
    OK(b.d.ctx, spt_study_history(b.d.study, &h));
    ck_assert_int_eq(spt_history_finished(h), spt_history_best(h) + 8);
    spt_history_free(h);
    /* more patience goes on from there */
    OK(b.d.ctx, spt_options_set_number(b.rules, "patience_trials", 15));
    reopen(&b, "plateau", "random");
    ck_assert_int_eq(spt_study_run(b.d.study, 1000, 0), SPT_STOP_PLATEAU);
    OK(b.d.ctx, spt_study_history(b.d.study, &h));
    ck_assert_int_ge(spt_history_finished(h), spt_history_best(h) + 16);
    spt_history_free(h);
    close_bench(&b);
}
END_TEST

SUITE_MAIN("tune queue", tcase_add_test(tcase, whole_and_in_part);
           tcase_add_loop_test(tcase, cut_anywhere, 0, 3); tcase_add_test(tcase, refused);
           tcase_add_test(tcase, warm_start); tcase_add_test(tcase, duplicates);
           tcase_add_loop_test(tcase, limits, 0, 3);)
