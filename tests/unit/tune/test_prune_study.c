/* Pruning in studies: one conformance suite over every pruner, through ask and tell, the run loop
 * and the cross-validation. */
#include "failing.h"
#include "studies.h"

static const char *const pruners[] = {"none", "wilcoxon", "racing", "median", "halving"};
enum { PRUNERS = 5, FOLDS = 6, TRIALS = 30 };

typedef struct bench {
    desk d;
    int calls, told;
    int way; /* 0: losses; 1: NaN; 2: all fail; 3: stop */
} bench;

static void open_bench(bench *b, const char *pruner, int startup, const char *sampler)
{
    char settings[100];
    *b = (bench){.calls = 0};
    snprintf(settings, sizeof settings, "prune=%s prune_startup=%d", pruner, startup);
    open_desk(&b->d, sampler, settings);
}

/* How far the learning rate is from 0.01, a little different in each fold. */
static double fold_loss(const spt_config *config, int fold)
{
    double rate;
    ck_assert_int_eq(spt_config_number(config, "learning_rate", &rate), SPT_OK);
    return 1 + fabs(log10(rate) + 2) + 0.05 * ((fold * 7) % 5) +
           0.02 * fabs(sin(1e4 * rate + fold));
}

static int32_t objective(spt_trial *trial, double *loss, void *user)
{
    bench *b = user;
    double sum = 0;
    b->calls++;
    if (b->way == 2) return b->calls % 2 ? SPT_EDATA : SPT_EDIVERGED;
    if (b->way == 3 && b->calls == 8) return SPT_STOP_HOST;
    for (int fold = 0; fold < FOLDS; fold++) {
        const double v = b->way == 1 && b->calls % 3 == 0 && fold == 2
                             ? NAN
                             : fold_loss(spt_trial_config(trial), fold);
        sum += v;
        OK(b->d.ctx, spt_trial_report(trial, fold, v));
        b->told++;
        *loss = sum / (fold + 1);
        if (fold == FOLDS - 1) break;
        const int32_t status = spt_trial_should_prune(trial);
        if (status != SPT_OK) return status;
    }
    return SPT_OK;
}

static int count(const spt_history *h, int32_t state)
{
    int n = 0;
    spt_trial_info info;
    spt_record_init(&info, sizeof info);
    for (int64_t i = 0; i < spt_history_count(h); i++) {
        ck_assert_int_eq(spt_history_trial(h, i, &info), SPT_OK);
        n += info.state == state;
    }
    return n;
}

START_TEST(the_run_loop)
{
    bench b;
    open_bench(&b, pruners[_i], 3, "tpe");
    OK(b.d.ctx, spt_study_set_objective(b.d.study, objective, &b, NULL));
    ck_assert_int_eq(spt_study_run(b.d.study, 0, 0), SPT_STOP_TRIALS);
    ck_assert_int_eq(spt_study_run(b.d.study, TRIALS, 0), SPT_STOP_TRIALS);
    read_desk(&b.d);
    const int pruned = count(b.d.h, SPT_TRIAL_PRUNED);
    ck_assert_int_eq(count(b.d.h, SPT_TRIAL_COMPLETE) + pruned, TRIALS);
    if (_i == 0)
        ck_assert_int_eq(pruned, 0);
    else
        ck_assert_int_gt(pruned, 3);
    ck_assert_int_eq(b.told<FOLDS * TRIALS, pruned> 0);
    for (int64_t i = 0; i < TRIALS; i++) {
        spt_trial_info info;
        double values[FOLDS], sum = 0;
        spt_record_init(&info, sizeof info);
        OK(b.d.ctx, spt_history_trial(b.d.h, i, &info));
        OK(b.d.ctx, spt_history_steps(b.d.h, i, NULL, values, LENGTH(values)));
        for (int f = 0; f < info.n_steps; f++)
            sum += values[f];
        NEAR(info.value, sum / (double)info.n_steps, 1e-14);
        if (i < 3) ck_assert_int_eq(info.state, SPT_TRIAL_COMPLETE);
        if (info.state != SPT_TRIAL_PRUNED) continue;
        ck_assert(info.n_steps >= 1 && info.n_steps < FOLDS);
        ck_assert(strncmp(spt_history_attribute(b.d.h, i, "reason"), pruners[_i],
                          strlen(pruners[_i])) == 0);
    }
    close_desk(&b.d);
}
END_TEST

/* The same trials and prunings whether or not the study was cut in between. */
START_TEST(cuts_change_nothing)
{
    double values[2][TRIALS];
    for (int cut = 0; cut < 2; cut++) {
        bench b;
        int n = 0;
        open_bench(&b, pruners[_i], 3, "tpe");
        b.way = cut ? 3 : 0;
        OK(b.d.ctx, spt_study_set_objective(b.d.study, objective, &b, NULL));
        if (cut) ck_assert_int_eq(spt_study_run(b.d.study, TRIALS, 0), SPT_STOP_HOST);
        ck_assert_int_eq(spt_study_run(b.d.study, TRIALS, 0), SPT_STOP_TRIALS);
        read_desk(&b.d);
        for (int64_t i = 0; i < spt_history_count(b.d.h); i++) {
            spt_trial_info info;
            spt_record_init(&info, sizeof info);
            OK(b.d.ctx, spt_history_trial(b.d.h, i, &info));
            if (info.state != SPT_TRIAL_FAILED) values[cut][n++] = info.value + 1000 * info.state;
        }
        ck_assert_int_eq(n, TRIALS);
        close_desk(&b.d);
    }
    ck_assert(memcmp(values[0], values[1], sizeof values[0]) == 0);
}
END_TEST

START_TEST(nothing_to_compare_with)
{
    bench b;
    /* folds without a value */
    open_bench(&b, pruners[_i], 3, "random");
    b.way = 1;
    OK(b.d.ctx, spt_study_set_objective(b.d.study, objective, &b, NULL));
    ck_assert_int_eq(spt_study_run(b.d.study, TRIALS, 0), SPT_STOP_TRIALS);
    read_desk(&b.d);
    ck_assert_int_gt(count(b.d.h, SPT_TRIAL_COMPLETE), 0);
    close_desk(&b.d);
    /* all fail */
    open_bench(&b, pruners[_i], 1, "random");
    b.way = 2;
    OK(b.d.ctx, spt_study_set_objective(b.d.study, objective, &b, NULL));
    ck_assert_int_eq(spt_study_run(b.d.study, TRIALS, 0), SPT_STOP_TRIALS);
    read_desk(&b.d);
    ck_assert_int_eq(count(b.d.h, SPT_TRIAL_FAILED), TRIALS);
    close_desk(&b.d);
    /* all that went before were given up by the host */
    open_bench(&b, pruners[_i], 1, "random");
    for (int i = 0; i < 10; i++) {
        spt_trial *t = NULL;
        OK(b.d.ctx, spt_study_ask(b.d.study, &t));
        for (int f = 0; f < 4; f++) {
            OK(b.d.ctx, spt_trial_report(t, f, 100 + i));
            ck_assert_int_eq(spt_trial_should_prune(t), SPT_OK);
        }
        OK(b.d.ctx, spt_trial_tell(t, SPT_TRIAL_PRUNED, 100));
        ck_assert_int_eq(spt_trial_should_prune(t), SPT_OK); /* it has ended */
        spt_trial_free(t);
    }
    close_desk(&b.d);
}
END_TEST

/* A trial is held against those that its proposal saw: what ends meanwhile has no say. */
START_TEST(later_ends_have_no_say)
{
    bench b;
    spt_trial *first = NULL, *second = NULL;
    open_bench(&b, pruners[_i], 1, "random");
    OK(b.d.ctx, spt_study_ask(b.d.study, &first));
    OK(b.d.ctx, spt_study_ask(b.d.study, &second));
    for (int f = 0; f < FOLDS; f++)
        OK(b.d.ctx, spt_trial_report(first, f, 1 + 0.001 * f));
    OK(b.d.ctx, spt_trial_tell(first, SPT_TRIAL_COMPLETE, 1));
    spt_trial_free(first);
    for (int f = 0; f < 4; f++) {
        OK(b.d.ctx, spt_trial_report(second, f, 1000 + f * 0.001));
        ck_assert_int_eq(spt_trial_should_prune(second), SPT_OK);
    }
    OK(b.d.ctx, spt_trial_tell(second, SPT_TRIAL_PRUNED, 1000));
    spt_trial_free(second);
    /* the next one saw it */
    OK(b.d.ctx, spt_study_ask(b.d.study, &first));
    int32_t said = SPT_OK;
    for (int f = 0; f < 4; f++) {
        OK(b.d.ctx, spt_trial_report(first, f, 2000 + f * 0.001));
        said = spt_trial_should_prune(first);
    }
    ck_assert_int_eq(said, _i == 0 || _i == 4 ? SPT_OK : SPT_PRUNED);
    spt_trial_free(first);
    close_desk(&b.d);
}
END_TEST

/* ---- the cross-validation ---- */

typedef struct outcome {
    int pruned;
    double values[TRIALS];
    int64_t steps[TRIALS];
    char reasons[TRIALS][100], epochs[TRIALS][100];
} outcome;

static int32_t listen(const spt_event *event, void *user)
{
    int *folds = user;
    *folds += event->kind == SPT_EVENT_FOLD_END;
    return SPT_OK;
}

static void run_cv(int threads, const char *pruner, int events, outcome *out)
{
    spt_ctx *ctx = new_ctx(threads);
    spt_dataset *ds = new_dataset(ctx, SAMPLES, 3);
    spt_space *space = new_space(ctx);
    char settings[100];
    const bool epochs = strchr(pruner, ' ') != NULL;
    snprintf(settings, sizeof settings, "prune=%.*s prune_startup=2 prune_steps=%s",
             (int)strcspn(pruner, " "), pruner, epochs ? "epochs" : "folds");
    spt_options *sampler = new_sampler(ctx, "random", 3), *o = new_rules(ctx, settings);
    spt_cv *cv = new_cv(ctx, ds, epochs ? "folds=6 epochs=12" : "folds=6");
    spt_store *store = NULL;
    spt_study *study = NULL;
    spt_history *h = NULL;
    int folds = 0, steps = 0;
    *out = (outcome){0};
    OK(ctx, spt_store_open(ctx, "memory:", SPT_STORE_CREATE, &store));
    OK(ctx, spt_study_open(store, "s", space, sampler, &study));
    OK(ctx, spt_study_set_options(study, o));
    OK(ctx, spt_study_set_cv(study, cv));
    if (events) OK(ctx, spt_study_set_events(study, listen, &folds, NULL));
    ck_assert_int_eq(spt_study_run(study, TRIALS, 0), SPT_STOP_TRIALS);
    OK(ctx, spt_study_history(study, &h));
    ck_assert_int_eq(spt_history_count(h), TRIALS);
    for (int64_t i = 0; i < TRIALS; i++) {
        spt_trial_info info;
        const char *reason = spt_history_attribute(h, i, "reason");
        spt_record_init(&info, sizeof info);
        OK(ctx, spt_history_trial(h, i, &info));
        out->pruned += info.state == SPT_TRIAL_PRUNED;
        out->values[i] = info.value;
        out->steps[i] = info.n_steps;
        steps += (int)info.n_steps;
        snprintf(out->reasons[i], sizeof out->reasons[i], "%s", reason != NULL ? reason : "");
        snprintf(out->epochs[i], sizeof out->epochs[i], "%s",
                 spt_history_attribute(h, i, "fold_epochs"));
    }
    if (events) ck_assert_int_eq(folds, steps);
    spt_history_free(h);
    spt_study_free(study);
    spt_store_free(store);
    spt_cv_free(cv);
    spt_options_free(sampler);
    spt_options_free(o);
    spt_space_free(space);
    spt_dataset_free(ds);
    spt_ctx_free(ctx);
}

/* Steps that are epochs: trials end within their first fold. */
START_TEST(epochs)
{
    static outcome one, other;
    run_cv(1, _i == 0 ? "median epochs" : "halving epochs", 1, &one);
    ck_assert_int_gt(one.pruned, 3);
    for (int i = 0; i < TRIALS; i++)
        if (one.steps[i] == 0) {
            ck_assert(isnan(one.values[i]));
            ck_assert_ptr_nonnull(strstr(one.reasons[i], "8 epochs of the first fold"));
            ck_assert_str_eq(one.epochs[i], "");
            one.values[i] = 0;
        } else {
            ck_assert_int_eq(one.steps[i], 6);
        }
    for (int threads = 2; threads <= 7; threads += 5) {
        run_cv(threads, _i == 0 ? "median epochs" : "halving epochs", threads == 2, &other);
        for (int i = 0; i < TRIALS; i++)
            if (other.steps[i] == 0) other.values[i] = 0;
        ck_assert(memcmp(&one, &other, sizeof one) == 0);
    }
}
END_TEST

static int32_t give_up(const spt_event *event, void *user)
{
    (void)user;
    return event->kind == SPT_EVENT_EPOCH && event->epoch == 9 ? SPT_PRUNED : SPT_OK;
}

/* The host gives trials up within their first fold, while it and others run. */
START_TEST(given_up_by_the_host)
{
    spt_ctx *ctx = new_ctx(1 + _i);
    spt_dataset *ds = new_dataset(ctx, SAMPLES, 3);
    spt_space *space = new_space(ctx);
    spt_options *o = new_rules(ctx, "in_flight=2");
    spt_cv *cv = new_cv(ctx, ds, "folds=4 epochs=40 patience=0");
    spt_store *store = NULL;
    spt_study *study = NULL;
    spt_history *h = NULL;
    OK(ctx, spt_store_open(ctx, "memory:", SPT_STORE_CREATE, &store));
    OK(ctx, spt_study_open(store, "s", space, NULL, &study));
    OK(ctx, spt_study_set_options(study, o));
    OK(ctx, spt_study_set_cv(study, cv));
    OK(ctx, spt_study_set_events(study, give_up, NULL, NULL));
    ck_assert_int_eq(spt_study_run(study, 6, 0), SPT_STOP_TRIALS);
    OK(ctx, spt_study_history(study, &h));
    ck_assert_int_eq(count(h, SPT_TRIAL_PRUNED), 6);
    for (int64_t i = 0; i < 6; i++) {
        ck_assert_str_eq(spt_history_attribute(h, i, "reason"),
                         "the host gave it up after 0 of 4 folds");
        ck_assert_ptr_null(spt_history_attribute(h, i, "rungs"));
    }
    spt_history_free(h);
    spt_options_free(o);
    spt_study_free(study);
    spt_store_free(store);
    spt_cv_free(cv);
    spt_space_free(space);
    spt_dataset_free(ds);
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(threads_change_nothing)
{
    static outcome one, other;
    run_cv(1, pruners[_i], 1, &one);
    if (_i > 0) ck_assert_int_gt(one.pruned, 0);
    for (int threads = 2; threads <= 7; threads += 5) {
        run_cv(threads, pruners[_i], threads == 2, &other);
        ck_assert(memcmp(&one, &other, sizeof one) == 0);
    }
}
END_TEST

/* ---- memory ---- */

static int32_t prune_once(spt_ctx *ctx, const spt_dataset *ds, const spt_space *space,
                          const char *pruner)
{
    spt_options *o = NULL, *how = NULL;
    spt_cv *cv = NULL;
    spt_store *store = NULL;
    spt_study *study = NULL;
    spt_trial *t = NULL;
    spt_config *config = NULL;
    spt_history *h = NULL;
    static const char *const names[] = {"learning_rate"};
    int32_t s = spt_study_options_new(ctx, &o);
    if (s >= 0) s = spt_options_set_text(o, "prune", pruner);
    if (s >= 0) s = spt_options_set_number(o, "in_flight", 2);
    if (s >= 0) s = spt_options_set_number(o, "prune_startup", 1);
    if (s >= 0) s = spt_cv_options_new(ctx, &how);
    if (s >= 0) s = spt_options_set_number(how, "epochs", 1);
    if (s >= 0) s = spt_cv_new(ctx, ds, NULL, "y", how, &cv);
    if (s >= 0) s = spt_store_open(ctx, "memory:", SPT_STORE_CREATE, &store);
    if (s >= 0) s = spt_study_open(store, "s", space, NULL, &study);
    if (s >= 0) s = spt_study_set_options(study, o);
    if (s >= 0) s = spt_study_set_cv(study, cv);
    if (s >= 0) s = spt_config_new(ctx, space, &config);
    if (s >= 0) s = spt_study_enqueue(study, config, names, 1, NULL);
    if (s >= 0) s = spt_study_run(study, 3, 0);
    if (s >= 0) s = spt_study_history(study, &h);
    if (s >= 0) s = spt_study_warm_start(study, h, 2, NULL);
    if (s >= 0) s = spt_study_ask(study, &t);
    for (int f = 0; s >= 0 && f < 4; f++) {
        s = spt_trial_report(t, f, 1e6);
        if (s >= 0) s = spt_trial_should_prune(t);
    }
    spt_trial_free(t);
    spt_config_free(config);
    spt_history_free(h);
    spt_study_free(study);
    spt_store_free(store);
    spt_cv_free(cv);
    spt_options_free(how);
    spt_options_free(o);
    return s;
}

START_TEST(every_allocation)
{
    failing f;
    spt_ctx *ctx = failing_ctx(&f);
    OK(ctx, spt_ctx_set_threads(ctx, 1 + _i % 2));
    spt_dataset *ds = new_dataset(ctx, 16, 3);
    spt_space *space = new_space(ctx);
    f.asked = 0;
    OK(ctx, prune_once(ctx, ds, space, pruners[_i]));
    const long all = f.asked;
    int failures = 0;
    for (long limit = 0; limit < all - 10; limit += 1 + all / 300) {
        f.until_failure = limit;
        const int32_t s = prune_once(ctx, ds, space, pruners[_i]);
        f.until_failure = -1;
        ck_assert_msg(s >= 0 || s == SPT_ENOMEM, "allocation %ld: %s: %s", limit,
                      spt_status_name(s), spt_ctx_last_error(ctx));
        failures += s < 0;
    }
    ck_assert_int_gt(failures, 100);
    spt_space_free(space);
    spt_dataset_free(ds);
    spt_ctx_free(ctx);
    ck_assert_int_eq(f.live, 0);
}
END_TEST

SUITE_MAIN("tune prune", tcase_add_loop_test(tcase, the_run_loop, 0, PRUNERS);
           tcase_add_loop_test(tcase, cuts_change_nothing, 0, PRUNERS);
           tcase_add_loop_test(tcase, nothing_to_compare_with, 0, PRUNERS);
           tcase_add_loop_test(tcase, later_ends_have_no_say, 0, PRUNERS);
           tcase_add_loop_test(tcase, threads_change_nothing, 0, PRUNERS);
           tcase_add_loop_test(tcase, epochs, 0, 2);
           tcase_add_loop_test(tcase, given_up_by_the_host, 0, 3);
           tcase_add_loop_test(tcase, every_allocation, 0, PRUNERS);)
