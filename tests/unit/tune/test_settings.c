/* Settings of the objective, those that the space searches among them: that they reach training,
 * the record and the model, and what is refused. */
#include "studies.h"

#include "base/text.h"

/* ---- settings that are searched ---- */

/* The configuration's scaling, not that of the settings, is that of trial, refit and folds. */
START_TEST(scaling_is_searched)
{
    spt_ctx *ctx = new_ctx(2);
    spt_dataset *ds = new_dataset(ctx, SAMPLES, 3);
    const char *const scales[] = {"channel", "band", "centre", "none"};
    spt_space *space = new_space(ctx);
    OK(ctx, spt_space_add_categorical(space, "scale", scales, 4, 0));
    spt_cv *cv = new_cv(ctx, ds, "scale=band");
    double loss[4];
    for (int k = 0; k < 4; k++) {
        spt_store *store = NULL;
        spt_study *study = NULL;
        spt_trial *trial = NULL;
        spt_config *config = NULL;
        spt_history *h = NULL;
        char mode[40];
        OK(ctx, spt_store_open(ctx, "memory:", SPT_STORE_CREATE, &store));
        OK(ctx, spt_study_open(store, "s", space, NULL, &study));
        OK(ctx, spt_study_set_cv(study, cv));
        OK(ctx, spt_config_new(ctx, space, &config));
        OK(ctx, spt_config_set_text(config, "scale", scales[k]));
        OK(ctx, spt_study_ask_given(study, config, &trial));
        OK(ctx, spt_cv_objective(trial, &loss[k], cv));
        OK(ctx, spt_trial_tell(trial, SPT_TRIAL_COMPLETE, loss[k]));
        OK(ctx, spt_study_history(study, &h));
        snprintf(mode, sizeof mode, "<scaling mode=\"%s\">", scales[k]);
        for (int ensemble = 0; ensemble < 2; ensemble++) {
            char *text = document(ctx, cv, h, ensemble);
            ck_assert_ptr_nonnull(strstr(text, mode));
            free(text);
        }
        for (int i = 0; i < k; i++)
            ck_assert(loss[i] < loss[k] || loss[i] > loss[k]);
        spt_history_free(h);
        spt_trial_free(trial);
        spt_config_free(config);
        spt_study_free(study);
        spt_store_free(store);
    }
    spt_cv_free(cv);
    spt_space_free(space);
    spt_dataset_free(ds);
    spt_ctx_free(ctx);
}
END_TEST

/* A value that no trial could have is refused before there is a study. */
START_TEST(impossible_values_of_a_space)
{
    spt_ctx *ctx = new_ctx(1);
    spt_dataset *ds = new_dataset(ctx, SAMPLES, 3);
    spt_cv *cv = new_cv(ctx, ds, "");
    for (int k = 0; k < 2; k++) {
        spt_space *space = new_space(ctx);
        if (k == 0)
            OK(ctx,
               spt_space_add_categorical(space, "scale", (const char *[]){"band", "bands"}, 2, 0));
        else
            OK(ctx, spt_space_add_int(space, "batch_size", 0, 32, 1, 0, 16));
        FAILS(ctx, SPT_EINVAL,
              k == 0 ? "parameter 'scale' is impossible: fit option 'scale' is 'bands'; possible "
                       "are channel, band, centre, none"
                     : "parameter 'batch_size' is impossible: fit option 'batch_size' is 0",
              spt_cv_check_space(cv, space));
        spt_space_free(space);
    }
    spt_cv_free(cv);
    spt_dataset_free(ds);
    spt_ctx_free(ctx);
}
END_TEST

/* ---- weights and logarithms ---- */

static spt_dataset *with_column(spt_ctx *ctx, const char *name, double (*value)(int i))
{
    spt_dataset *ds = new_dataset(ctx, SAMPLES, 3), *out = NULL;
    double v[SAMPLES];
    for (int i = 0; i < SAMPLES; i++)
        v[i] = value(i);
    OK(ctx, spt_dataset_with_numbers(ctx, ds, name, v, LENGTH(v), &out));
    spt_dataset_free(ds);
    return out;
}

static double ones(int i)
{
    (void)i;
    return 1;
}

static double uneven(int i)
{
    return i % 4;
}

/* One trial with the defaults of the space; the model of it as text, free() it. */
static char *one_trial(spt_ctx *ctx, const spt_dataset *ds, const char *settings, double *loss,
                       double *pooled)
{
    spt_space *space = new_space(ctx);
    spt_store *store = NULL;
    spt_study *study = NULL;
    spt_history *h = NULL;
    spt_trial_info info;
    float predictions[SAMPLES];
    double y[SAMPLES], sum = 0;
    int64_t size;
    spt_cv *cv = new_cv(ctx, ds, settings);
    OK(ctx, spt_store_open(ctx, "memory:", SPT_STORE_CREATE, &store));
    OK(ctx, spt_study_open(store, "s", space, NULL, &study));
    OK(ctx, spt_study_set_cv(study, cv));
    ck_assert_int_eq(spt_study_run(study, 1, 0), SPT_STOP_TRIALS);
    OK(ctx, spt_study_history(study, &h));
    spt_record_init(&info, sizeof info);
    OK(ctx, spt_history_trial(h, 0, &info));
    ck_assert_int_eq(info.state, SPT_TRIAL_COMPLETE);
    *loss = info.value;
    /* The score is that of all samples alike. */
    OK(ctx, spt_store_block(store, "s", 0, "predictions", predictions, sizeof predictions, &size));
    OK(ctx, spt_dataset_numbers(ds, spt_dataset_find_column(ds, "y"), y, LENGTH(y)));
    for (int i = 0; i < SAMPLES; i++)
        sum += pow((double)predictions[i] - y[i], 2) / SAMPLES;
    const char *rmse = spt_history_attribute(h, 0, "rmse");
    ck_assert_msg(rmse != NULL && spt__parse_double(rmse, strlen(rmse), '.', pooled), "rmse is %s",
                  rmse != NULL ? rmse : "missing");
    RELATIVE(*pooled, sqrt(sum), 1e-5);
    char *text = document(ctx, cv, h, 0);
    spt_history_free(h);
    spt_study_free(study);
    spt_store_free(store);
    spt_cv_free(cv);
    spt_space_free(space);
    return text;
}

START_TEST(weights_count)
{
    spt_ctx *ctx = new_ctx(2);
    spt_dataset *even = with_column(ctx, "w", ones), *odd = with_column(ctx, "w", uneven);
    double a, b, c, pooled;
    char *none = one_trial(ctx, even, "", &a, &pooled);
    char *same = one_trial(ctx, even, "weights=w", &b, &pooled);
    char *other = one_trial(ctx, odd, "weights=w", &c, &pooled);
    ck_assert(a == b);
    ck_assert(a < c || a > c);
    ck_assert_ptr_null(strstr(none, "weights_sha256"));
    ck_assert_ptr_nonnull(strstr(same, "<note key=\"weights_sha256\">"));
    ck_assert_ptr_nonnull(strstr(other, "weights=w"));
    free(none);
    free(same);
    free(other);
    spt_dataset_free(even);
    spt_dataset_free(odd);
    spt_ctx_free(ctx);
}
END_TEST

/* A study goes on with its weights only. */
START_TEST(weights_are_on_record)
{
    spt_ctx *ctx = new_ctx(1);
    spt_dataset *even = with_column(ctx, "w", ones), *odd = with_column(ctx, "w", uneven);
    spt_space *space = new_space(ctx);
    spt_store *store = NULL;
    spt_study *study = NULL;
    OK(ctx, spt_store_open(ctx, "memory:", SPT_STORE_CREATE, &store));
    OK(ctx, spt_study_open(store, "s", space, NULL, &study));
    spt_cv *cv = new_cv(ctx, odd, "weights=w");
    OK(ctx, spt_study_set_cv(study, cv));
    OK(ctx, spt_study_set_cv(study, cv));
    spt_cv_free(cv);
    cv = new_cv(ctx, even, "weights=w");
    FAILS(ctx, SPT_EMISMATCH, "study 's' was made with other weights 'w'",
          spt_study_set_cv(study, cv));
    spt_cv_free(cv);
    cv = new_cv(ctx, odd, "");
    FAILS(ctx, SPT_EMISMATCH, "objective: now weights=\"\"; the study has weights=w",
          spt_study_set_cv(study, cv));
    spt_cv_free(cv);
    spt_study_free(study);
    spt_store_free(store);
    spt_space_free(space);
    spt_dataset_free(even);
    spt_dataset_free(odd);
    spt_ctx_free(ctx);
}
END_TEST

static double missing(int i)
{
    return i == 5 ? NAN : 1;
}

static double negative(int i)
{
    return i == 6 ? -2 : 1;
}

static double huge(int i)
{
    return i == 7 ? 1e39 : 1;
}

static double nothing(int i)
{
    (void)i;
    return 0;
}

START_TEST(bad_weights)
{
    static const struct {
        double (*value)(int i);
        const char *column, *words;
    } cases[] = {
        {missing, "w", "'w' of sample '6' is missing"},
        {negative, "w", "'w' of sample '7' is -2; 0 to 3e38"},
        {huge, "w", "'w' of sample '8' is 1e+39"},
        {nothing, "w", "'w' is 0 for all 48 samples"},
        {ones, "site", "weights 'site' is a column of text"},
        {ones, "v", "weights: "},
    };
    spt_ctx *ctx = new_ctx(1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        spt_dataset *ds = with_column(ctx, "w", cases[i].value);
        spt_options *o = NULL;
        spt_cv *cv = NULL;
        OK(ctx, spt_cv_options_new(ctx, &o));
        OK(ctx, spt_options_set_text(o, "weights", cases[i].column));
        ck_assert_int_lt(spt_cv_new(ctx, ds, NULL, "y", o, &cv), 0);
        ck_assert_msg(strstr(spt_ctx_last_error(ctx), cases[i].words) != NULL, "%s",
                      spt_ctx_last_error(ctx));
        ck_assert_ptr_null(cv);
        spt_options_free(o);
        spt_dataset_free(ds);
    }
    spt_ctx_free(ctx);
}
END_TEST

static double shifted(int i)
{
    return i == 9 ? -1 : i;
}

/* A target that has no logarithm: refused where log1p is set, left out where it is searched. */
START_TEST(logarithms_of_what_has_none)
{
    spt_ctx *ctx = new_ctx(1);
    spt_dataset *ds = with_column(ctx, "y", shifted);
    const char *const transforms[] = {"log1p", "standardise"};
    spt_space *plain = new_space(ctx), *searched = new_space(ctx);
    spt_store *store = NULL;
    spt_study *study = NULL;
    spt_trial *trial = NULL;
    spt_config *config = NULL;
    OK(ctx, spt_space_add_categorical(searched, "target_transform", transforms, 2, 0));
    spt_cv *set = new_cv(ctx, ds, "target_transform=log1p"), *not_set = new_cv(ctx, ds, "");
    OK(ctx, spt_cv_check_space(not_set, plain));
    FAILS(ctx, SPT_EDATA, "target 'y' of sample '10' is -1; target_transform log1p takes values",
          spt_cv_check_space(set, plain));
    OK(ctx, spt_store_open(ctx, "memory:", SPT_STORE_CREATE, &store));
    OK(ctx, spt_study_open(store, "s", searched, NULL, &study));
    OK(ctx, spt_study_set_cv(study, not_set));
    for (int i = 0; i < 8; i++) {
        OK(ctx, spt_study_ask(study, &trial));
        ck_assert_str_eq(spt_config_choice(spt_trial_config(trial), "target_transform"),
                         "standardise");
        spt_trial_free(trial);
    }
    OK(ctx, spt_config_new(ctx, searched, &config));
    FAILS(ctx, SPT_EDATA, "sample '10'", spt_study_ask_given(study, config, &trial));
    spt_config_free(config);
    spt_study_free(study);
    spt_store_free(store);
    spt_cv_free(set);
    spt_cv_free(not_set);
    spt_space_free(plain);
    spt_space_free(searched);
    spt_dataset_free(ds);
    spt_ctx_free(ctx);
}
END_TEST

TEST_MAIN("tune settings", scaling_is_searched, impossible_values_of_a_space, weights_count,
          weights_are_on_record, bad_weights, logarithms_of_what_has_none)
