/* The cross-validation objective: what takes part, that nothing leaks, that threads and cuts change
 * nothing, what is refused. */
#include "studies.h"

#include <pthread.h>
#include <stdbool.h>

/* ---- one run, and all that must be the same in another ---- */

enum { TRIALS = 6, XML = 2000000 };

typedef struct outcome {
    int64_t trials;
    double values[TRIALS];
    float predictions[TRIALS][SAMPLES];
    char *model, *ensemble;
} outcome;

static int32_t stop_later(const spt_event *event, void *user)
{
    int *left = user;
    return event->kind == SPT_EVENT_EPOCH && --*left == 0 ? SPT_STOP_HOST : SPT_OK;
}

/* cut: stop after so many epochs, then go on with what is stored; 0: never. */
static void run(int threads, int cut, const char *settings, outcome *out)
{
    spt_ctx *ctx = new_ctx(threads);
    spt_dataset *ds = new_dataset(ctx, SAMPLES, 3);
    spt_space *space = new_space(ctx);
    spt_options *sampler = new_sampler(ctx, "tpe", 3);
    spt_cv *cv = new_cv(ctx, ds, settings);
    spt_store *store = NULL;
    spt_study *study = NULL;
    spt_history *h = NULL;
    OK(ctx, spt_store_open(ctx, "memory:", SPT_STORE_CREATE, &store));
    if (cut > 0) {
        OK(ctx, spt_study_open(store, "s", space, sampler, &study));
        OK(ctx, spt_study_set_cv(study, cv));
        OK(ctx, spt_study_set_events(study, stop_later, &cut, NULL));
        ck_assert_int_eq(spt_study_run(study, TRIALS, 0), SPT_STOP_HOST);
        spt_study_free(study);
    }
    OK(ctx, spt_study_open(store, "s", space, sampler, &study));
    OK(ctx, spt_study_set_cv(study, cv));
    ck_assert_int_eq(spt_study_run(study, TRIALS, 0), SPT_STOP_TRIALS);
    OK(ctx, spt_study_history(study, &h));
    out->trials = 0;
    for (int64_t i = 0; i < spt_history_count(h); i++) {
        spt_trial_info info;
        int64_t size;
        spt_record_init(&info, sizeof info);
        OK(ctx, spt_history_trial(h, i, &info));
        if (info.state != SPT_TRIAL_COMPLETE) continue;
        out->values[out->trials] = info.value;
        OK(ctx, spt_store_block(store, "s", i, "predictions", out->predictions[out->trials],
                                sizeof out->predictions[0], &size));
        out->trials++;
    }
    out->model = document(ctx, cv, h, 0);
    out->ensemble = document(ctx, cv, h, 1);
    spt_history_free(h);
    spt_study_free(study);
    spt_store_free(store);
    spt_cv_free(cv);
    spt_options_free(sampler);
    spt_space_free(space);
    spt_dataset_free(ds);
    spt_ctx_free(ctx);
}

/* The document names the trial by its number, which a stopped trial before it shifts. */
static void without_number(char *xml)
{
    char *at = strstr(xml, "<note key=\"trial\"");
    ck_assert_ptr_nonnull(at);
    for (; *at != '\0' && *at != '\n'; at++)
        if (*at >= '0' && *at <= '9') *at = '#';
    at = strstr(xml, "<checksum ");
    ck_assert_ptr_nonnull(at);
    for (; *at != '\0' && *at != '\n'; at++)
        *at = '#';
}

static void same(const outcome *a, const outcome *b, bool numbers)
{
    ck_assert_int_eq(a->trials, TRIALS);
    ck_assert_int_eq(b->trials, TRIALS);
    for (int i = 0; i < TRIALS; i++) {
        ck_assert_double_eq(a->values[i], b->values[i]);
        ck_assert(memcmp(a->predictions[i], b->predictions[i], sizeof a->predictions[i]) == 0);
    }
    if (!numbers) {
        without_number(a->model);
        without_number(b->model);
        without_number(a->ensemble);
        without_number(b->ensemble);
    }
    /* not ck_assert_str_eq(): the documents are longer than a message may be */
    ck_assert(strcmp(a->model, b->model) == 0);
    ck_assert(strcmp(a->ensemble, b->ensemble) == 0);
}

static void clear(outcome *o)
{
    free(o->model);
    free(o->ensemble);
}

/* The defaults, and everything else that training can do. */
static const char *const how[] = {
    "", "schedule=plateau plateau_patience=1 clip_norm=0.3 loss=huber weights=y optimizer=adamw "
        "weight_decay=0.01 target_transform=log1p scale=band"};

START_TEST(threads_change_nothing)
{
    static outcome a, b;
    run(1, 0, how[_i], &a);
    run(2, 0, how[_i], &b);
    same(&a, &b, true);
    clear(&b);
    run(3, 0, how[_i], &b);
    same(&a, &b, true);
    ck_assert(strstr(a.model, "rmsecv") != NULL);
    ck_assert(strcmp(a.model, a.ensemble) != 0);
    clear(&a);
    clear(&b);
}
END_TEST

START_TEST(cuts_change_nothing)
{
    static outcome a, b;
    for (int cut = 1; cut < 90; cut += 17) {
        run(1, 0, how[_i], &a);
        run(2, cut, how[_i], &b);
        same(&a, &b, false);
        clear(&a);
        clear(&b);
    }
}
END_TEST

/* ---- leaks ---- */

/* Out-of-fold predictions of one fixed configuration. */
static void predict_folds(spt_ctx *ctx, const spt_dataset *ds, const char *settings, float *out,
                          double *loss)
{
    spt_space *space = new_space(ctx);
    spt_config *config = NULL;
    spt_store *store = NULL;
    spt_study *study = NULL;
    spt_trial *trial = NULL;
    int64_t size;
    spt_cv *cv = new_cv(ctx, ds, settings);
    OK(ctx, spt_config_new(ctx, space, &config));
    OK(ctx, spt_store_open(ctx, "memory:", SPT_STORE_CREATE, &store));
    OK(ctx, spt_study_open(store, NULL, space, NULL, &study));
    OK(ctx, spt_study_set_cv(study, cv));
    OK(ctx, spt_study_ask_given(study, config, &trial));
    OK(ctx, spt_cv_objective(trial, loss, cv));
    OK(ctx, spt_trial_tell(trial, SPT_TRIAL_COMPLETE, *loss));
    OK(ctx, spt_store_block(store, NULL, 0, "predictions", out,
                            spt_dataset_rows(ds) * (int64_t)sizeof *out, &size));
    spt_trial_free(trial);
    spt_study_free(study);
    spt_store_free(store);
    spt_config_free(config);
    spt_space_free(space);
    spt_cv_free(cv);
}

/* The references of a fold have no say in what is predicted for it, nor in its scaling or stopping;
 * and with "watch=scored" they do, so the test can fail. */
START_TEST(scored_rows_do_not_train)
{
    spt_ctx *ctx = new_ctx(1);
    spt_dataset *ds = new_dataset(ctx, SAMPLES, 3), *changed = NULL;
    spt_cv *cv = new_cv(ctx, ds, "");
    int32_t fold[SAMPLES];
    double y[SAMPLES], loss;
    float before[SAMPLES], after[SAMPLES];
    int64_t n;
    const char *settings = _i == 0 ? "epochs=40 patience=2" : "epochs=40 patience=2 watch=scored";
    OK(ctx, spt_cv_rows(cv, NULL, fold, SAMPLES, &n));
    OK(ctx, spt_dataset_numbers(ds, spt_dataset_find_column(ds, "y"), y, LENGTH(y)));
    for (int i = 0; i < SAMPLES; i++)
        if (fold[i] == 1) y[i] = 1000 - 77 * y[i];
    OK(ctx, spt_dataset_with_numbers(ctx, ds, "y", y, LENGTH(y), &changed));
    predict_folds(ctx, ds, settings, before, &loss);
    predict_folds(ctx, changed, settings, after, &loss);
    int differ = 0;
    for (int i = 0; i < SAMPLES; i++)
        differ += fold[i] == 1 && before[i] != after[i];
    if (_i == 0)
        ck_assert_int_eq(differ, 0);
    else
        ck_assert_int_gt(differ, 0);
    spt_cv_free(cv);
    spt_dataset_free(ds);
    spt_dataset_free(changed);
    spt_ctx_free(ctx);
}
END_TEST

/* Targets of pure noise: no configuration can be better than the mean. The mean over 10 seeds of
 * RMSE / s.d. may fall below 1 by no more than its standard error. */
START_TEST(noise_stays_noise)
{
    enum { N = 200, SEEDS = 10 };
    spt_ctx *ctx = new_ctx(2);
    double ratio[SEEDS], mean = 0, squares = 0;
    for (int seed = 0; seed < SEEDS; seed++) {
        spt_dataset *plain = new_dataset(ctx, N, (uint64_t)seed), *ds = NULL;
        static float p[N];
        double y[N], sum = 0, sd = 0, sse = 0, loss;
        spt__rng r;
        spt__rng_init(&r, (uint64_t)seed, SPT__RNG_TEST, 2, 0);
        for (int i = 0; i < N; i++) {
            y[i] = 5 + spt__rng_normal(&r);
            sum += y[i] / N;
        }
        for (int i = 0; i < N; i++)
            sd += (y[i] - sum) * (y[i] - sum) / (N - 1);
        OK(ctx, spt_dataset_with_numbers(ctx, plain, "y", y, LENGTH(y), &ds));
        predict_folds(ctx, ds, "folds=5 epochs=60 patience=10", p, &loss);
        for (int i = 0; i < N; i++)
            sse += (p[i] - y[i]) * (p[i] - y[i]) / N;
        ratio[seed] = sqrt(sse) / sqrt(sd);
        mean += ratio[seed] / SEEDS;
        spt_dataset_free(ds);
        spt_dataset_free(plain);
    }
    for (int seed = 0; seed < SEEDS; seed++)
        squares += (ratio[seed] - mean) * (ratio[seed] - mean);
    const double error = sqrt(squares / (SEEDS - 1) / SEEDS);
    ck_assert_msg(mean >= 1 - error, "RMSE / s.d. is %g +- %g on noise", mean, error);
    /* and it did train: noise that is learned by heart predicts worse than the mean */
    ck_assert_double_lt(mean, 1.6);
    spt_ctx_free(ctx);
}
END_TEST

/* ---- what takes part ---- */

START_TEST(rows_and_groups)
{
    spt_ctx *ctx = new_ctx(1);
    spt_dataset *plain = new_dataset(ctx, SAMPLES, 3), *ds = NULL;
    double y[SAMPLES];
    int64_t rows[SAMPLES], n;
    int32_t fold[SAMPLES], of_site[12];
    spt_cv *cv = NULL;
    OK(ctx, spt_dataset_numbers(plain, spt_dataset_find_column(plain, "y"), y, LENGTH(y)));
    y[0] = y[9] = NAN;
    OK(ctx, spt_dataset_with_numbers(ctx, plain, "y", y, LENGTH(y), &ds));
    cv = new_cv(ctx, ds, "test=part=b group=site");
    ck_assert_int_eq(spt_cv_rows(cv, NULL, NULL, 0, &n), SPT_ECAPACITY);
    ck_assert_int_eq(n, SAMPLES - 6 - 2);
    OK(ctx, spt_cv_rows(cv, rows, fold, SAMPLES, &n));
    for (int s = 0; s < 12; s++)
        of_site[s] = -1;
    for (int64_t i = 0; i < n; i++) {
        ck_assert(rows[i] % 8 != 7 && rows[i] != 0 && rows[i] != 9);
        const int64_t site = rows[i] / 4;
        if (of_site[site] < 0) of_site[site] = fold[i];
        ck_assert_int_eq(of_site[site], fold[i]);
    }
    ck_assert_str_eq(spt_cv_dropped(cv, 0), "6 rows: test, part = b");
    ck_assert_str_eq(spt_cv_dropped(cv, 1), "2 rows: no value of y");
    ck_assert_ptr_null(spt_cv_dropped(cv, 2));
    spt_cv_free(cv);
    /* given folds */
    for (int i = 0; i < SAMPLES; i++)
        fold[i] = i < 8 ? -1 : i % 4;
    OK(ctx, spt_cv_new_folds(ctx, ds, NULL, "y", fold, SAMPLES, NULL, &cv));
    int32_t back[SAMPLES];
    OK(ctx, spt_cv_rows(cv, rows, back, SAMPLES, &n));
    ck_assert_int_eq(n, SAMPLES - 8 - 1);
    for (int64_t i = 0; i < n; i++)
        ck_assert_int_eq(back[i], rows[i] % 4);
    spt_cv_free(cv);
    for (int i = 0; i < SAMPLES; i++)
        fold[i] = 2 * (i % 2);
    FAILS(ctx, SPT_EINVAL, "fold 1 of the given folds",
          spt_cv_new_folds(ctx, ds, NULL, "y", fold, SAMPLES, NULL, &cv));
    FAILS(ctx, SPT_EINVAL, "5 folds are given for 48 samples",
          spt_cv_new_folds(ctx, ds, NULL, "y", fold, 5, NULL, &cv));
    spt_dataset_free(ds);
    spt_dataset_free(plain);
    spt_ctx_free(ctx);
}
END_TEST

static int32_t refused(spt_ctx *ctx, const spt_dataset *ds, const char *target, const char *name,
                       const char *value)
{
    spt_options *o = NULL;
    spt_cv *cv = NULL;
    OK(ctx, spt_cv_options_new(ctx, &o));
    int32_t s = name != NULL ? spt_options_set_text(o, name, value) : SPT_OK;
    if (s >= 0) s = spt_cv_new(ctx, ds, NULL, target, o, &cv);
    ck_assert_ptr_null(cv);
    spt_options_free(o);
    return s;
}

START_TEST(refusals)
{
    spt_ctx *ctx = new_ctx(1);
    spt_dataset *ds = new_dataset(ctx, SAMPLES, 3), *one = NULL, *none = NULL;
    double nan[SAMPLES];
    for (int i = 0; i < SAMPLES; i++)
        nan[i] = NAN;
    OK(ctx, spt_dataset_with_numbers(ctx, ds, "empty", nan, LENGTH(nan), &none));
    OK(ctx, spt_dataset_take(ctx, ds, (const int64_t[]){3}, 1, &one));
    FAILS(ctx, SPT_EINVAL, "folds", refused(ctx, ds, "y", "folds", "1"));
    FAILS(ctx, SPT_EINVAL, "folds is 49; 2 to the number of samples (48) are possible",
          refused(ctx, ds, "y", "folds", "49"));
    FAILS(ctx, SPT_ENOTFOUND, "target: ", refused(ctx, ds, "yy", NULL, NULL));
    FAILS(ctx, SPT_EDATA, "is a column of text", refused(ctx, ds, "site", NULL, NULL));
    FAILS(ctx, SPT_EDATA, "'empty' is missing in all 48 samples",
          refused(ctx, none, "empty", NULL, NULL));
    FAILS(ctx, SPT_EDATA, "1 of 1 samples can be used", refused(ctx, one, "y", NULL, NULL));
    FAILS(ctx, SPT_ENOTFOUND, "group: ", refused(ctx, ds, "y", "group", "sites"));
    FAILS(ctx, SPT_ENOTFOUND, "test: ", refused(ctx, ds, "y", "test", "parts=b"));
    FAILS(ctx, SPT_EDATA, "no row has part = c", refused(ctx, ds, "y", "test", "part=c"));
    FAILS(ctx, SPT_EINVAL, "COLUMN=VALUE", refused(ctx, ds, "y", "test", "part"));
    spt_options *wrong = NULL;
    spt_cv *cv = NULL;
    OK(ctx, spt_sampler_options_new(ctx, &wrong));
    FAILS(ctx, SPT_EINVAL, "no options of an objective",
          spt_cv_new(ctx, ds, NULL, "y", wrong, &cv));
    spt_options_free(wrong);
    spt_dataset_free(ds);
    spt_dataset_free(one);
    spt_dataset_free(none);
    spt_ctx_free(ctx);
}
END_TEST

/* ---- going on with something different is refused, and the difference named ---- */

START_TEST(mismatches)
{
    spt_ctx *ctx = new_ctx(1);
    spt_dataset *ds = new_dataset(ctx, SAMPLES, 3), *other = new_dataset(ctx, SAMPLES, 4),
                *changed = NULL;
    spt_space *space = new_space(ctx);
    spt_store *store = NULL;
    spt_study *study = NULL;
    double y[SAMPLES];
    OK(ctx, spt_store_open(ctx, "memory:", SPT_STORE_CREATE, &store));
    OK(ctx, spt_study_open(store, "s", space, NULL, &study));
    spt_cv *cv = new_cv(ctx, ds, "group=site");
    OK(ctx, spt_study_set_cv(study, cv));
    OK(ctx, spt_study_set_cv(study, cv));
    spt_cv_free(cv);
    OK(ctx, spt_dataset_numbers(ds, spt_dataset_find_column(ds, "y"), y, LENGTH(y)));
    y[5] += 0.001;
    OK(ctx, spt_dataset_with_numbers(ctx, ds, "y", y, LENGTH(y), &changed));
    const struct {
        const spt_dataset *ds;
        const char *settings, *words;
    } cases[] = {
        {ds, "group=site scale=band", "objective: now scale=band; the study has scale=centre"},
        {ds, "group=site folds=4", "objective: now folds=4; the study has folds=3"},
        {ds, "group=site seed=2", "objective: now seed=2; the study has seed=1"},
        {ds, "group=site test=part=b", "objective: now test="},
        {ds, "", "objective: now group=\"\"; the study has group=site"},
        {other, "group=site", "study 's' was made with other spectra"},
        {changed, "group=site", "study 's' was made with other values of 'y'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cv = new_cv(ctx, cases[i].ds, cases[i].settings);
        FAILS(ctx, SPT_EMISMATCH, cases[i].words, spt_study_set_cv(study, cv));
        spt_cv_free(cv);
    }
    spt_study_free(study);
    spt_store_free(store);
    spt_space_free(space);
    spt_dataset_free(ds);
    spt_dataset_free(other);
    spt_dataset_free(changed);
    spt_ctx_free(ctx);
}
END_TEST

/* ---- events ---- */

typedef struct seen {
    pthread_t thread;
    int32_t fold;
    int64_t epoch;
    int order[3];
    int trials, folds, epochs, prune_at;
} seen;

static int32_t look(const spt_event *event, void *user)
{
    seen *s = user;
    ck_assert(pthread_equal(s->thread, pthread_self()));
    if (event->kind == SPT_EVENT_TRIAL_START) {
        s->fold = 0;
        s->epoch = 0;
    } else if (event->kind == SPT_EVENT_EPOCH) {
        ck_assert_int_eq(event->place, s->fold);
        ck_assert_int_eq(event->fold, s->order[event->place]);
        ck_assert_int_eq(event->epoch, ++s->epoch);
        ck_assert_int_eq(event->folds, 3);
        ck_assert(isfinite(event->loss) && isfinite(event->watched));
        s->epochs++;
    } else if (event->kind == SPT_EVENT_FOLD_END) {
        ck_assert_int_eq(event->place, s->fold);
        ck_assert_int_eq(event->fold, s->order[event->place]);
        s->fold++;
        s->epoch = 0;
        s->folds++;
        if (s->prune_at == event->place + 1) return SPT_PRUNED;
    } else {
        s->trials++;
    }
    return SPT_OK;
}

START_TEST(order_of_events)
{
    spt_ctx *ctx = new_ctx(3);
    spt_dataset *ds = new_dataset(ctx, SAMPLES, 3);
    spt_space *space = new_space(ctx);
    spt_store *store = NULL;
    spt_study *study = NULL;
    spt_history *h = NULL;
    spt_trial_info info;
    seen s = {.thread = pthread_self()};
    spt_cv *cv = new_cv(ctx, ds, "");
    spt_record_init(&info, sizeof info);
    OK(ctx, spt_store_open(ctx, "memory:", SPT_STORE_CREATE, &store));
    OK(ctx, spt_study_open(store, "s", space, NULL, &study));
    OK(ctx, spt_study_set_cv(study, cv));
    OK(ctx, spt_study_set_events(study, look, &s, NULL));
    /* folds whose targets spread least come first, and that is on record */
    OK(ctx, spt_study_history(study, &h));
    const char *order = spt_history_record(h, "fold_order"); /* "2 0 1" */
    ck_assert_uint_eq(strlen(order), 5);
    for (int f = 0; f < 3; f++)
        s.order[f] = order[2 * f] - '0';
    spt_history_free(h);
    double y[SAMPLES], spread[3];
    int64_t rows[SAMPLES], needed;
    int32_t folds[SAMPLES];
    OK(ctx, spt_dataset_numbers(ds, spt_dataset_find_column(ds, "y"), y, LENGTH(y)));
    OK(ctx, spt_cv_rows(cv, rows, folds, SAMPLES, &needed));
    for (int f = 0; f < 3; f++) {
        double n = 0, sum = 0, squares = 0;
        for (int i = 0; i < SAMPLES; i++)
            if (folds[i] == s.order[f]) n++, sum += y[rows[i]], squares += y[rows[i]] * y[rows[i]];
        spread[f] = squares / n - sum / n * sum / n;
    }
    ck_assert(spread[0] < spread[1] && spread[1] < spread[2]);
    ck_assert_int_eq(spt_study_run(study, 3, 0), SPT_STOP_TRIALS);
    ck_assert(s.trials == 3 && s.folds == 9 && s.epochs >= 9);
    /* given up after the second fold: two steps, their mean as value, state pruned */
    s.prune_at = 2;
    ck_assert_int_eq(spt_study_run(study, 4, 0), SPT_STOP_TRIALS);
    OK(ctx, spt_study_history(study, &h));
    OK(ctx, spt_history_trial(h, 3, &info));
    double steps[2];
    ck_assert_int_eq(info.state, SPT_TRIAL_PRUNED);
    ck_assert_int_eq(info.n_steps, 2);
    OK(ctx, spt_history_steps(h, 3, NULL, steps, LENGTH(steps)));
    NEAR(info.value, (steps[0] + steps[1]) / 2, 1e-15);
    ck_assert_str_eq(spt_history_attribute(h, 3, "reason"),
                     "the host gave it up after 2 of 3 folds");
    ck_assert_ptr_nonnull(strchr(spt_history_attribute(h, 3, "fold_epochs"), ' '));
    ck_assert_ptr_null(spt_history_attribute(h, 3, "rmse"));
    OK(ctx, spt_history_trial(h, 0, &info));
    ck_assert_int_eq(info.n_steps, 3);
    double three[3];
    OK(ctx, spt_history_steps(h, 0, NULL, three, LENGTH(three)));
    NEAR(info.value, (three[0] + three[1] + three[2]) / 3, 1e-15);
    spt_history_free(h);
    spt_study_free(study);
    spt_store_free(store);
    spt_cv_free(cv);
    spt_space_free(space);
    spt_dataset_free(ds);
    spt_ctx_free(ctx);
}
END_TEST

static void *stopper(void *ctx)
{
    usleep(30000);
    spt_ctx_stop(ctx);
    return NULL;
}

START_TEST(stop_from_another_thread)
{
    spt_ctx *ctx = new_ctx(2);
    spt_dataset *ds = new_dataset(ctx, SAMPLES, 3);
    spt_space *space = new_space(ctx);
    spt_store *store = NULL;
    spt_study *study = NULL;
    pthread_t thread;
    spt_cv *cv = new_cv(ctx, ds, "epochs=1000000 patience=0");
    OK(ctx, spt_store_open(ctx, "memory:", SPT_STORE_CREATE, &store));
    OK(ctx, spt_study_open(store, "s", space, NULL, &study));
    OK(ctx, spt_study_set_cv(study, cv));
    ck_assert_int_eq(pthread_create(&thread, NULL, stopper, ctx), 0);
    ck_assert_int_eq(spt_study_run(study, 3, 0), SPT_STOP_HOST);
    pthread_join(thread, NULL);
    spt_study_free(study);
    spt_store_free(store);
    spt_cv_free(cv);
    spt_space_free(space);
    spt_dataset_free(ds);
    spt_ctx_free(ctx);
}
END_TEST

SUITE_MAIN("tune cv", tcase_add_loop_test(tcase, threads_change_nothing, 0, 2);
           tcase_add_loop_test(tcase, cuts_change_nothing, 0, 2);
           tcase_add_loop_test(tcase, scored_rows_do_not_train, 0, 2);
           tcase_add_test(tcase, noise_stays_noise); tcase_add_test(tcase, rows_and_groups);
           tcase_add_test(tcase, refusals); tcase_add_test(tcase, mismatches);
           tcase_add_test(tcase, order_of_events); tcase_add_test(tcase, stop_from_another_thread);)
