/* The best trials tried again: what is queued, what is chosen, what is left alone. */
#include "studies.h"

typedef struct bench {
    spt_ctx *ctx;
    spt_space *space;
    spt_store *store;
    spt_study *study;
    spt_options *rules;
    int calls, stop_at;
} bench;

/* The first time each configuration is lucky or not by turns; later the loss is what it is. */
static int32_t lucky(spt_trial *trial, double *loss, void *user)
{
    bench *b = user;
    double rate;
    OK(b->ctx, spt_config_number(spt_trial_config(trial), "learning_rate", &rate));
    if (++b->calls == b->stop_at) return SPT_STOP_HOST;
    *loss = fabs(log10(rate) + 2);
    if (spt_trial_number(trial) < 12) *loss -= spt_trial_number(trial) % 3 == 0 ? 2 : 0;
    OK(b->ctx, spt_trial_report(trial, 0, 100));
    return spt_trial_should_prune(trial);
}

static void open_bench(bench *b, const char *url)
{
    *b = (bench){.ctx = new_ctx(1)};
    b->space = new_space(b->ctx);
    spt_options *s = new_sampler(b->ctx, "random", 4);
    OK(b->ctx, spt_store_open(b->ctx, url, SPT_STORE_CREATE, &b->store));
    OK(b->ctx, spt_study_options_new(b->ctx, &b->rules));
    OK(b->ctx, spt_study_open(b->store, "s", b->space, s, &b->study));
    OK(b->ctx, spt_study_set_objective(b->study, lucky, b, NULL));
    spt_options_free(s);
}

static void close_bench(bench *b)
{
    spt_options_free(b->rules);
    spt_study_free(b->study);
    spt_store_free(b->store);
    spt_space_free(b->space);
    spt_ctx_free(b->ctx);
}

static spt_history *look(bench *b)
{
    spt_history *h = NULL;
    OK(b->ctx, spt_study_history(b->study, &h));
    return h;
}

static int64_t confirm(bench *b, int64_t k, int64_t repeats)
{
    int64_t n = -1;
    OK(b->ctx, spt_study_confirm(b->study, k, repeats, &n));
    return n;
}

static double value_of(const spt_history *h, int64_t index)
{
    spt_trial_info info;
    spt_record_init(&info, sizeof info);
    ck_assert_int_eq(spt_history_trial(h, index, &info), SPT_OK);
    return info.value;
}

START_TEST(luck_does_not_last)
{
    bench b;
    open_bench(&b, "memory:");
    ck_assert_int_eq(spt_study_run(b.study, 12, 0), SPT_STOP_TRIALS);
    spt_history *h = look(&b);
    const int64_t lucky_one = spt_history_best(h);
    ck_assert_int_eq(lucky_one % 3, 0);
    ck_assert_int_eq(spt_history_confirmed(h), lucky_one);
    ck_assert_int_eq(spt_history_repeated(h), 0);
    spt_history_free(h);

    ck_assert_int_eq(confirm(&b, 6, 3), 18);
    ck_assert_int_eq(confirm(&b, 6, 3), 0);
    h = look(&b);
    ck_assert_int_eq(spt_history_repeated(h), 18);
    spt_history_free(h);
    ck_assert_int_eq(spt_study_run(b.study, 30, 0), SPT_STOP_TRIALS);
    h = look(&b);
    /* four lucky ones and the two best of the others; the truth among them wins */
    const int64_t chosen = spt_history_confirmed(h);
    int64_t count, groups = 0;
    double mean, sd, lowest = INFINITY;
    for (int64_t i = 0; i < 12; i++) {
        OK(b.ctx, spt_history_repeats(h, i, &count, &mean, &sd));
        if (count == 0) {
            ck_assert(isnan(mean) && isnan(sd));
            continue;
        }
        ck_assert_int_eq(count, 3);
        NEAR(mean, value_of(h, i) + (i % 3 == 0 ? 2 : 0), 1e-12);
        NEAR(sd, 0, 1e-12);
        if (mean < lowest) lowest = mean;
        groups++;
    }
    ck_assert_int_eq(groups, 6);
    OK(b.ctx, spt_history_repeats(h, chosen, &count, &mean, NULL));
    NEAR(mean, lowest, 0);
    for (int64_t i = 12; i < 30; i++) {
        const char *of = spt_history_attribute(h, i, "repeats");
        ck_assert_ptr_nonnull(of);
        ck_assert(spt_config_equal(spt_history_config(h, i),
                                   spt_history_config(h, strtol(of, NULL, 10))) == 1);
    }
    ck_assert_int_eq(spt_history_repeats(h, 99, &count, NULL, NULL), SPT_EINVAL);
    spt_history_free(h);
    FAILS(b.ctx, SPT_EINVAL, "0 or more are possible", spt_study_confirm(b.study, -1, 1, NULL));
    close_bench(&b);
}
END_TEST

/* Neither pruners nor ends of the search have a say in repetitions; what was stopped comes again.
 */
START_TEST(nobody_gives_them_up)
{
    bench b;
    open_bench(&b, "memory:");
    OK(b.ctx, spt_options_set_text(b.rules, "prune", "median"));
    OK(b.ctx, spt_options_set_number(b.rules, "stop_at", 100));
    ck_assert_int_eq(spt_study_run(b.study, 8, 0), SPT_STOP_TRIALS);
    OK(b.ctx, spt_study_set_options(b.study, b.rules));
    ck_assert_int_eq(confirm(&b, 2, 3), 6);
    b.stop_at = b.calls + 4;
    ck_assert_int_eq(spt_study_run(b.study, 14, 0), SPT_STOP_HOST);
    ck_assert_int_eq(confirm(&b, 2, 3), 0); /* the stopped one comes by itself */
    spt_history *h = look(&b);
    const int64_t repeated = spt_history_repeated(h);
    spt_history_free(h);
    ck_assert_int_eq(repeated, 6);
    (void)spt_study_run(b.study, 8 + repeated, 0);
    h = look(&b);
    ck_assert_int_eq(spt_history_finished(h), 14);
    int64_t count;
    for (int64_t i = 0; i < 8; i++) {
        OK(b.ctx, spt_history_repeats(h, i, &count, NULL, NULL));
        ck_assert(count == 0 || count == 3);
    }
    for (int64_t i = 8; i < spt_history_count(h); i++) {
        spt_trial_info info;
        spt_record_init(&info, sizeof info);
        OK(b.ctx, spt_history_trial(h, i, &info));
        ck_assert_int_ne(info.state, SPT_TRIAL_PRUNED);
    }
    spt_history_free(h);
    close_bench(&b);
}
END_TEST

TEST_MAIN("tune confirm", luck_does_not_last, nobody_gives_them_up)
