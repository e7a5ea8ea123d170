/* The limit that a host sets on memory: a run that is allowed keeps to it, one that is not is
 * refused before it starts, and results never depend on it. */
#include "counting.h"
#include "studies.h"

enum { MANY = 600, TRIALS = 3 };

/* Layers large enough that what is planned is most of what is taken. */
static spt_space *large_space(spt_ctx *ctx, int64_t least, int64_t most)
{
    spt_space *s = NULL;
    OK(ctx, spt_space_new(ctx, "large", &s));
    OK(ctx, spt_space_add_int(s, "conv_blocks", 1, 1, 1, 0, 1));
    OK(ctx, spt_space_add_int(s, "conv_1_filters", least, most, 1, 1, 16));
    OK(ctx, spt_space_add_int(s, "fc_blocks", 1, 1, 1, 0, 1));
    OK(ctx, spt_space_add_int(s, "fc_1_units", 64, 64, 1, 0, 64));
    OK(ctx, spt_space_add_float(s, "learning_rate", 1e-4, 1e-2, 0, 1, 1e-3));
    return s;
}

typedef struct outcome {
    int32_t status;
    double values[TRIALS];
    int64_t peak; /* beside what there was before */
    char *model;
} outcome;

/* TRIALS trials with folds side by side under the limit, and the ensemble of the best. */
static void run_flights(int64_t limit, int threads, int in_flight, outcome *out)
{
    counter c = {0};
    spt_ctx *ctx = counting_ctx(&c);
    OK(ctx, spt_ctx_set_threads(ctx, threads));
    spt_dataset *ds = new_dataset(ctx, MANY, 3);
    spt_space *space = large_space(ctx, 16, 16);
    const int64_t before = c.live;
    c.peak = before;
    /* long enough for the folds to be under way together */
    spt_cv *cv = new_cv(ctx, ds, "batch_size=128 epochs=5");
    spt_store *store = NULL;
    spt_study *study = NULL;
    spt_history *h = NULL;
    OK(ctx, spt_ctx_set_memory_limit(ctx, limit));
    OK(ctx, spt_store_open(ctx, "memory:", SPT_STORE_CREATE, &store));
    OK(ctx, spt_study_open(store, "s", space, NULL, &study));
    OK(ctx, spt_study_set_cv(study, cv));
    spt_options *rules = NULL;
    OK(ctx, spt_study_options_new(ctx, &rules));
    OK(ctx, spt_options_set_number(rules, "in_flight", in_flight));
    OK(ctx, spt_study_set_options(study, rules));
    spt_options_free(rules);
    out->status = spt_study_run(study, TRIALS, 0);
    out->peak = c.peak - before;
    out->model = NULL;
    if (out->status == SPT_STOP_TRIALS) {
        OK(ctx, spt_study_history(study, &h));
        for (int64_t i = 0; i < TRIALS; i++) {
            spt_trial_info info;
            spt_record_init(&info, sizeof info);
            OK(ctx, spt_history_trial(h, i, &info));
            out->values[i] = info.value;
        }
        /* the networks of all folds stay */
        OK(ctx, spt_ctx_set_memory_limit(ctx, 2 * limit));
        out->model = document(ctx, cv, h, 1);
    } else {
        ck_assert_ptr_nonnull(strstr(spt_ctx_last_error(ctx), "training needs "));
    }
    spt_history_free(h);
    spt_study_free(study);
    spt_store_free(store);
    spt_cv_free(cv);
    spt_space_free(space);
    spt_dataset_free(ds);
    spt_ctx_free(ctx);
    ck_assert_int_eq(c.live, 0);
}

static void run(int64_t limit, int threads, outcome *out)
{
    run_flights(limit, threads, 0, out);
}

/* The least limit that lets all trials run: what one fold at a time needs. */
static int64_t least_limit(void)
{
    int64_t low = 0, high = INT64_C(1) << 26;
    while (high - low > 4096) {
        outcome o;
        const int64_t middle = (low + high) / 2;
        run(middle, 1, &o);
        if (o.status == SPT_STOP_TRIALS)
            high = middle;
        else
            low = middle;
        free(o.model);
    }
    return high;
}

START_TEST(fewer_folds_at_a_time)
{
    const int64_t least = least_limit();
    outcome free_of, tight, one;
    run(0, 3, &free_of);
    run(least, 3, &tight);
    run(least, 1, &one);
    ck_assert_int_eq(tight.status, SPT_STOP_TRIALS);
    /* trials in flight keep to it too; the first ones are drawn, so they are the same */
    outcome flights;
    run_flights(least, 3, 3, &flights);
    ck_assert_int_eq(flights.status, SPT_STOP_TRIALS);
    ck_assert_msg(flights.peak <= least, "%lld of %lld", (long long)flights.peak, (long long)least);
    ck_assert(memcmp(flights.values, tight.values, sizeof flights.values) == 0);
    free(flights.model);
    for (int i = 0; i < TRIALS; i++) {
        ck_assert(free_of.values[i] == tight.values[i]);
        ck_assert(free_of.values[i] == one.values[i]);
    }
    ck_assert(strcmp(free_of.model, tight.model) == 0);
    /* It keeps to the limit, and the limit is not much more than what was taken. */
    ck_assert_msg(tight.peak <= least, "%lld of %lld", (long long)tight.peak, (long long)least);
    ck_assert_msg((double)one.peak > 0.7 * (double)least, "%lld of %lld", (long long)one.peak,
                  (long long)least);
    /* Without it folds run side by side; that they meet is up to the machine, so not always at
     * once. */
    for (int turn = 0; turn < 20 && (double)free_of.peak <= 1.5 * (double)least; turn++) {
        free(free_of.model);
        run(0, 3, &free_of);
    }
    ck_assert_msg((double)free_of.peak > 1.5 * (double)least, "%lld without, %lld with",
                  (long long)free_of.peak, (long long)least);
    free(free_of.model);
    free(tight.model);
    free(one.model);
}
END_TEST

/* A search over networks some of which are too large goes on with the others; such trials are never
 * made. Where none is small enough the run ends and says why. */
START_TEST(large_networks_are_left_out)
{
    spt_ctx *ctx = new_ctx(2);
    spt_dataset *ds = new_dataset(ctx, MANY, 3);
    spt_space *space = large_space(ctx, 4, 4000);
    spt_cv *cv = new_cv(ctx, ds, "batch_size=128 epochs=1");
    spt_store *store = NULL;
    spt_study *study = NULL;
    spt_trial *trial = NULL;
    spt_config *config = NULL;
    spt_history *h = NULL;
    double filters, most = 0;
    OK(ctx, spt_store_open(ctx, "memory:", SPT_STORE_CREATE, &store));
    OK(ctx, spt_study_open(store, "s", space, NULL, &study));
    OK(ctx, spt_study_set_cv(study, cv));
    OK(ctx, spt_ctx_set_memory_limit(ctx, 4 << 20));
    ck_assert_int_eq(spt_study_run(study, 12, 0), SPT_STOP_TRIALS);
    OK(ctx, spt_study_history(study, &h));
    ck_assert_int_eq(spt_history_count(h), 12);
    for (int64_t i = 0; i < 12; i++) {
        OK(ctx, spt_config_number(spt_history_config(h, i), "conv_1_filters", &filters));
        most = fmax(most, filters);
    }
    ck_assert(most > 8 && most < 200);
    spt_history_free(h);
    /* Given by hand it is refused, by the study and by the objective. */
    OK(ctx, spt_config_new(ctx, space, &config));
    OK(ctx, spt_config_set_number(config, "conv_1_filters", 4000));
    FAILS(ctx, SPT_ELIMIT, "the weights of the network need",
          spt_study_ask_given(study, config, &trial));
    OK(ctx, spt_config_set_number(config, "conv_1_filters", 200));
    FAILS(ctx, SPT_ELIMIT, "training needs ", spt_study_ask_given(study, config, &trial));
    OK(ctx, spt_study_set_check(study, NULL, NULL, NULL));
    OK(ctx, spt_study_ask_given(study, config, &trial));
    FAILS(ctx, SPT_ELIMIT, "training needs ", spt_cv_objective(trial, &filters, cv));
    spt_trial_free(trial);
    OK(ctx, spt_study_set_cv(study, cv));
    OK(ctx, spt_ctx_set_memory_limit(ctx, 300000));
    ck_assert_int_eq(spt_study_run(study, 20, 0), SPT_STOP_EXHAUSTED);
    ck_assert_ptr_nonnull(strstr(spt_ctx_last_error(ctx), "the limit is 293 KiB"));
    spt_config_free(config);
    spt_study_free(study);
    spt_store_free(store);
    spt_cv_free(cv);
    /* Channels that are too much are told before the study. */
    cv = new_cv(ctx, ds, "");
    spt_space *channels = new_space(ctx);
    OK(ctx, spt_ctx_set_memory_limit(ctx, 100000));
    FAILS(ctx, SPT_ELIMIT, "the channels of all samples need", spt_cv_check_space(cv, channels));
    spt_space_free(channels);
    spt_cv_free(cv);
    spt_space_free(space);
    spt_dataset_free(ds);
    spt_ctx_free(ctx);
}
END_TEST

/* One model without a search. */
START_TEST(one_model)
{
    counter c = {0};
    spt_ctx *ctx = counting_ctx(&c);
    spt_dataset *ds = new_dataset(ctx, MANY, 3);
    spt_space *space = large_space(ctx, 4, 64);
    spt_options *o = NULL;
    spt_config *config = NULL;
    OK(ctx, spt_fit_options_new(ctx, &o));
    OK(ctx, spt_options_set_number(o, "batch_size", 256));
    OK(ctx, spt_options_set_number(o, "epochs", 1));
    OK(ctx, spt_config_new(ctx, space, &config));
    int64_t low = 0, high = INT64_C(1) << 26, peak = 0;
    char said[300] = "";
    while (high - low > 4096) {
        const int64_t middle = (low + high) / 2, before = c.live;
        spt_model *model = NULL;
        OK(ctx, spt_ctx_set_memory_limit(ctx, middle));
        c.peak = before;
        const int32_t status =
            spt_model_fit(ctx, ds, NULL, "y", config, 0, o, NULL, NULL, NULL, &model);
        ck_assert(status == SPT_OK || status == SPT_ELIMIT);
        if (status == SPT_OK) {
            high = middle;
            peak = c.peak - before;
        } else {
            low = middle;
            snprintf(said, sizeof said, "%s", spt_ctx_last_error(ctx));
        }
        spt_model_free(model);
    }
    ck_assert_msg(peak <= high && (double)peak > 0.8 * (double)high, "%lld of %lld",
                  (long long)peak, (long long)high);
    const char *help = strstr(said, "batch_size ");
    ck_assert_msg(help != NULL, "%s", said);
    spt_model *model = NULL;
    OK(ctx, spt_ctx_set_memory_limit(ctx, low));
    OK(ctx, spt_options_set_number(o, "batch_size",
                                   (double)strtol(help + strlen("batch_size "), NULL, 10)));
    OK(ctx, spt_model_fit(ctx, ds, NULL, "y", config, 0, o, NULL, NULL, NULL, &model));
    spt_model_free(model);
    spt_config_free(config);
    spt_options_free(o);
    spt_space_free(space);
    spt_dataset_free(ds);
    spt_ctx_free(ctx);
    ck_assert_int_eq(c.live, 0);
}
END_TEST

TEST_MAIN("tune limit", fewer_folds_at_a_time, large_networks_are_left_out, one_model)
