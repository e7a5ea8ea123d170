/* Models fitted, assembled, joined, noted; what can be read off them. */
#include "models.h"

typedef struct bench {
    spt_ctx *ctx;
    spt_dataset *dataset;
    spt_prep *prep;
} bench;

static bench set_up(void)
{
    bench b = {0};
    ck_assert_int_eq(spt_ctx_new(NULL, &b.ctx), SPT_OK);
    b.dataset = make_spectra(b.ctx, 60, 60);
    b.prep = make_recipe(b.ctx);
    return b;
}

static void tear_down(bench *b)
{
    spt_prep_free(b->prep);
    spt_dataset_free(b->dataset);
    spt_ctx_free(b->ctx);
}

static int32_t count_epochs(const spt_epoch *epoch, void *user)
{
    ck_assert_int_eq(epoch->epoch, ++*(int64_t *)user);
    return SPT_OK;
}

static int32_t stop_at_4(const spt_epoch *epoch, void *user)
{
    (void)user;
    return epoch->epoch == 4 ? SPT_STOP_HOST : SPT_OK;
}

static int32_t fail_at_4(const spt_epoch *epoch, void *user)
{
    (void)user;
    return epoch->epoch == 4 ? -4711 : SPT_OK;
}

START_TEST(fitted)
{
    bench b = set_up();
    spt_config *config = make_config(b.ctx);
    spt_model *model = NULL, *again = NULL;
    spt_training_report report;
    spt_record_init(&report, sizeof report);
    int64_t epochs = 0;
    OK(b.ctx, spt_model_fit(b.ctx, b.dataset, b.prep, "fat", config, 12, NULL, count_epochs,
                            &epochs, &report, &model));
    ck_assert(epochs == 12 && report.epochs == 12 && report.best == 12 && isnan(report.watched));
    ck_assert_str_eq(spt_model_target(model), "fat");
    ck_assert(spt_model_targets(model) == 1 && spt_model_members(model) == 1);
    ck_assert_str_eq(spt_model_note(model, "epochs"), "12");
    ck_assert_str_eq(spt_model_note(model, "seed"), "1");
    ck_assert_str_eq(spt_model_note(model, "samples_watched"), "0");
    ck_assert_ptr_nonnull(strstr(spt_model_note(model, "configuration"), "conv_1_filters=4"));
    ck_assert_ptr_nonnull(strstr(spt_model_note(model, "configuration"), "fc_1_dropout=true"));
    ck_assert_uint_eq(strlen(spt_model_note(model, "spectra_sha256")), 64);
    ck_assert_ptr_null(spt_model_note(model, "date")); /* the host's business */
    ck_assert_ptr_null(spt_model_note(model, "x"));
    ck_assert_str_eq(spt_model_note_key(model, 0), "seed");
    ck_assert_ptr_null(spt_model_note_key(model, 1000));
    ck_assert_ptr_null(spt_model_note_key(model, -1));
    int64_t needed = 0;
    ck_assert_int_eq(spt_model_summary(model, NULL, 0, &needed), SPT_ECAPACITY);
    char *text = malloc((size_t)needed);
    OK(b.ctx, spt_model_summary(model, text, needed, &needed));
    ck_assert_ptr_nonnull(strstr(text, "60 bands, 1100 to 1218 nm, absorbance"));
    ck_assert_ptr_nonnull(strstr(text, "A+D1, A+SNV"));
    ck_assert_ptr_nonnull(strstr(text, "conv_1"));
    ck_assert_ptr_nonnull(strstr(text, "59 samples")); /* one has no reference value */
    free(text);
    /* The same seed gives the same document, and two threads too. */
    int64_t size = 0, second = 0;
    OK(b.ctx, spt_ctx_set_threads(b.ctx, 2));
    OK(b.ctx,
       spt_model_fit(b.ctx, b.dataset, b.prep, "fat", config, 12, NULL, NULL, NULL, NULL, &again));
    text = document(b.ctx, model, &size);
    char *other = document(b.ctx, again, &second);
    ck_assert_str_eq(text, other);
    free(text);
    free(other);
    spt_model_free(again);
    spt_model_free(model);
    spt_config_free(config);
    tear_down(&b);
}
END_TEST

START_TEST(fitting_fails)
{
    bench b = set_up();
    spt_ctx *ctx = b.ctx;
    spt_config *config = make_config(ctx);
    spt_model *model = NULL;
    spt_options *options = NULL, *wrong = NULL;
    spt_training_report report;
    spt_record_init(&report, sizeof report);
    FAILS(ctx, SPT_ENOTFOUND, "fatt",
          spt_model_fit(ctx, b.dataset, b.prep, "fatt", config, 1, NULL, NULL, NULL, NULL, &model));
    FAILS(
        ctx, SPT_EDATA, "text",
        spt_model_fit(ctx, b.dataset, b.prep, "batch", config, 1, NULL, NULL, NULL, NULL, &model));
    FAILS(ctx, SPT_EINVAL, "epochs is -1",
          spt_model_fit(ctx, b.dataset, b.prep, "fat", config, -1, NULL, NULL, NULL, NULL, &model));
    FAILS(ctx, SPT_EINVAL, "NULL",
          spt_model_fit(ctx, NULL, b.prep, "fat", config, 1, NULL, NULL, NULL, NULL, &model));
    OK(ctx, spt_training_options_new(ctx, &wrong));
    FAILS(ctx, SPT_EINVAL, "spt_fit_options_new",
          spt_model_fit(ctx, b.dataset, b.prep, "fat", config, 1, wrong, NULL, NULL, NULL, &model));
    OK(ctx, spt_fit_options_new(ctx, &options));
    OK(ctx, spt_options_set_text(options, "group", "batsch"));
    FAILS(
        ctx, SPT_ENOTFOUND, "group: ",
        spt_model_fit(ctx, b.dataset, b.prep, "fat", config, 0, options, NULL, NULL, NULL, &model));
    OK(ctx, spt_options_set_text(options, "group", "batch"));
    OK(ctx,
       spt_model_fit(ctx, b.dataset, b.prep, "fat", config, 0, options, NULL, NULL, NULL, &model));
    /* 59 samples in 8 batches of 7 or 8: six rows are wanted, the smallest batch is taken */
    ck_assert_str_eq(spt_model_note(model, "samples_watched"), "7");
    spt_model_free(model);
    OK(ctx, spt_config_set_text(config, "channel_a_d1", "false"));
    OK(ctx, spt_config_set_text(config, "channel_a_snv", "false"));
    FAILS(ctx, SPT_EINVAL, "all channels off",
          spt_model_fit(ctx, b.dataset, b.prep, "fat", config, 1, NULL, NULL, NULL, NULL, &model));
    OK(ctx, spt_config_set_text(config, "channel_a_snv", "true"));
    /* stopped: a model of what there is; failed: none, and the host's own status */
    ck_assert_int_eq(spt_model_fit(ctx, b.dataset, b.prep, "fat", config, 9, NULL, stop_at_4, NULL,
                                   &report, &model),
                     SPT_STOP_HOST);
    ck_assert_int_eq(report.epochs, 4);
    ck_assert_str_eq(spt_model_note(model, "epochs"), "4");
    spt_model_free(model);
    ck_assert_int_lt(spt_model_fit(ctx, b.dataset, b.prep, "fat", config, 9, NULL, fail_at_4, NULL,
                                   &report, &model),
                     0);
    ck_assert_ptr_null(model);
    spt_ctx_stop(ctx);
    ck_assert_int_eq(
        spt_model_fit(ctx, b.dataset, b.prep, "fat", config, 9, NULL, NULL, NULL, &report, &model),
        SPT_STOP_HOST);
    ck_assert_ptr_null(model);
    spt_options_free(wrong);
    spt_options_free(options);
    spt_config_free(config);
    tear_down(&b);
}
END_TEST

/* Targets that are all missing, or one that is not. */
START_TEST(too_few_targets)
{
    bench b = set_up();
    spt_config *config = make_config(b.ctx);
    spt_model *model = NULL;
    double values[60];
    for (int i = 0; i < 60; i++)
        values[i] = NAN;
    for (int k = 0; k < 2; k++) {
        spt_dataset *few = NULL;
        values[30] = k ? 1.5 : NAN;
        OK(b.ctx, spt_dataset_with_numbers(b.ctx, b.dataset, "few", values, LENGTH(values), &few));
        FAILS(b.ctx, SPT_EDATA, k ? "1 of 60 samples" : "0 of 60 samples",
              spt_model_fit(b.ctx, few, b.prep, "few", config, 3, NULL, NULL, NULL, NULL, &model));
        spt_dataset_free(few);
    }
    spt_config_free(config);
    tear_down(&b);
}
END_TEST

START_TEST(assembled)
{
    bench b = set_up();
    spt_ctx *ctx = b.ctx;
    spt_network *network = NULL, *unfinished = NULL;
    spt_model *model = NULL;
    /* crop and decimation leave 27 bands of 60 */
    OK(ctx, spt_network_new(ctx, 27, 1, 1, &network));
    OK(ctx, spt_network_add_dense(network, 3));
    FAILS(ctx, SPT_EINVAL, "no weights",
          spt_model_assemble(ctx, b.dataset, b.prep, 2, NULL, network, "fat", NULL, NULL,
                             SPT_TRANSFORM_NONE, &model));
    OK(ctx, spt_network_finish(network, 1));
    FAILS(ctx, SPT_EINVAL, "60",
          spt_model_assemble(ctx, b.dataset, NULL, 2, NULL, network, "fat", NULL, NULL,
                             SPT_TRANSFORM_NONE, &model));
    FAILS(ctx, SPT_EINVAL, "2 channels, the network reads 1",
          spt_model_assemble(ctx, b.dataset, b.prep, 3, NULL, network, "fat", NULL, NULL,
                             SPT_TRANSFORM_NONE, &model));
    FAILS(ctx, SPT_EINVAL, "mask is 0",
          spt_model_assemble(ctx, b.dataset, b.prep, 0, NULL, network, "fat", NULL, NULL,
                             SPT_TRANSFORM_NONE, &model));
    const double zero = 0, one = 1, wide[54] = {0};
    FAILS(ctx, SPT_EINVAL, "s.d. 0",
          spt_model_assemble(ctx, b.dataset, b.prep, 2, NULL, network, "fat", &one, &zero,
                             SPT_TRANSFORM_NONE, &model));
    FAILS(ctx, SPT_EINVAL, "name of the target",
          spt_model_assemble(ctx, b.dataset, b.prep, 2, NULL, network, "", NULL, NULL,
                             SPT_TRANSFORM_NONE, &model));
    FAILS(ctx, SPT_EINVAL, "name of the target",
          spt_model_assemble(ctx, b.dataset, b.prep, 2, NULL, network, "f\x01", NULL, NULL,
                             SPT_TRANSFORM_NONE, &model));
    spt_scaler *scaler = NULL;
    double sd[54];
    for (int i = 0; i < 54; i++)
        sd[i] = 1;
    OK(ctx, spt_scaler_new(ctx, 54, 1, SPT_SCALE_BAND, wide, sd, &scaler));
    FAILS(ctx, SPT_EINVAL, "54 bands",
          spt_model_assemble(ctx, b.dataset, b.prep, 2, scaler, network, "fat", NULL, NULL,
                             SPT_TRANSFORM_NONE, &model));
    spt_scaler_free(scaler);
    /* It works, keeps a copy of the network, and knows nothing of a target without column. */
    OK(ctx, spt_model_assemble(ctx, b.dataset, b.prep, 2, NULL, network, "water", NULL, NULL,
                               SPT_TRANSFORM_NONE, &model));
    int64_t n = 0, size = 0;
    double *before = predictions(ctx, model, b.dataset, &n);
    float weights[81] = {0};
    OK(ctx, spt_network_set_values(network, 0, weights, LENGTH(weights)));
    spt_network_free(network);
    double *after = predictions(ctx, model, b.dataset, &n);
    ck_assert(!memcmp(before, after, (size_t)n * sizeof *before));
    char *text = document(ctx, model, &size);
    ck_assert_ptr_nonnull(strstr(text, "<target name=\"water\"/>"));
    spt_model *back = NULL;
    OK(ctx, spt_model_read_memory(ctx, text, size, "m", &back));
    spt_model_free(back);
    free(text);
    free(before);
    free(after);
    spt_model_free(model);
    spt_network_free(unfinished);
    tear_down(&b);
}
END_TEST

START_TEST(ensembles)
{
    bench b = set_up();
    spt_ctx *ctx = b.ctx;
    spt_model *first = make_model(ctx, b.dataset, b.prep, 1), *pair = NULL, *three = NULL;
    spt_model *second = make_model(ctx, b.dataset, b.prep, 2);
    spt_model *third = make_model(ctx, b.dataset, b.prep, 3), *noted = NULL;
    OK(ctx, spt_model_with_note(ctx, first, "operator", "A", &noted));
    const spt_model *two[] = {noted, second}, *nested[] = {NULL, third};
    OK(ctx, spt_model_ensemble(ctx, two, 2, &pair));
    nested[0] = pair;
    OK(ctx, spt_model_ensemble(ctx, nested, 2, &three));
    ck_assert(spt_model_members(pair) == 2 && spt_model_members(three) == 3);
    int64_t n = 0, size = 0;
    double *x = predictions(ctx, first, b.dataset, &n),
           *y = predictions(ctx, second, b.dataset, &n);
    double *z = predictions(ctx, third, b.dataset, &n), *xy = predictions(ctx, pair, b.dataset, &n);
    double *all = predictions(ctx, three, b.dataset, &n);
    int differ = 0;
    for (int64_t i = 0; i < n; i++) {
        RELATIVE(xy[i], (x[i] + y[i]) / 2, 1e-14);
        RELATIVE(all[i], ((x[i] + y[i]) / 2 + z[i]) / 2, 1e-14); /* the mean of what was given */
        differ |= x[i] < y[i] || x[i] > y[i];
    }
    ck_assert(differ);
    /* Notes on which all agree. */
    ck_assert_ptr_null(spt_model_note(pair, "seed"));
    ck_assert_ptr_null(spt_model_note(pair, "operator"));
    ck_assert_str_eq(spt_model_note(pair, "target_sha256"), spt_model_note(first, "target_sha256"));
    char *text = document(ctx, three, &size);
    spt_model *back = NULL;
    OK(ctx, spt_model_read_memory(ctx, text, size, "m", &back));
    double *read = predictions(ctx, back, b.dataset, &n);
    ck_assert(!memcmp(read, all, (size_t)n * sizeof *all));
    /* What does not belong together. */
    spt_model *other = make_model(ctx, b.dataset, NULL, 1), *none = NULL;
    const spt_model *bad[] = {first, other};
    FAILS(ctx, SPT_EMISMATCH, "model 2 has the recipe", spt_model_ensemble(ctx, bad, 2, &none));
    FAILS(ctx, SPT_EINVAL, "1 or more", spt_model_ensemble(ctx, bad, 0, &none));
    bad[1] = NULL;
    FAILS(ctx, SPT_EINVAL, "model 2", spt_model_ensemble(ctx, bad, 2, &none));
    ck_assert_ptr_null(none);
    spt_model *const every[] = {first, second, third, noted, pair, three, back, other};
    for (int i = 0; i < 8; i++)
        spt_model_free(every[i]);
    double *const arrays[] = {x, y, z, xy, all, read};
    for (int i = 0; i < 6; i++)
        free(arrays[i]);
    free(text);
    tear_down(&b);
}
END_TEST

START_TEST(notes)
{
    bench b = set_up();
    spt_ctx *ctx = b.ctx;
    spt_model *model = make_model(ctx, b.dataset, b.prep, 1), *a = NULL, *c = NULL, *none = NULL;
    OK(ctx, spt_model_with_note(ctx, model, "date", "2026-11-24", &a));
    OK(ctx, spt_model_with_note(ctx, a, "date", "2026-11-25", &c));
    spt_model_free(model); /* copies stand by themselves */
    ck_assert_str_eq(spt_model_note(a, "date"), "2026-11-24");
    ck_assert_str_eq(spt_model_note(c, "date"), "2026-11-25");
    ck_assert_str_eq(spt_model_note(c, "seed"), "1");
    int64_t n = 0;
    double *x = predictions(ctx, a, b.dataset, &n), *y = predictions(ctx, c, b.dataset, &n);
    ck_assert(!memcmp(x, y, (size_t)n * sizeof *x));
    FAILS(ctx, SPT_EINVAL, "key", spt_model_with_note(ctx, a, "a b", "x", &none));
    FAILS(ctx, SPT_EINVAL, "key", spt_model_with_note(ctx, a, "1a", "x", &none));
    FAILS(ctx, SPT_EINVAL, "key", spt_model_with_note(ctx, a, "", "x", &none));
    FAILS(ctx, SPT_EINVAL, "key", spt_model_with_note(ctx, a, NULL, "x", &none));
    FAILS(ctx, SPT_EINVAL, "UTF-8", spt_model_with_note(ctx, a, "a", "\xff", &none));
    FAILS(ctx, SPT_EINVAL, "control", spt_model_with_note(ctx, a, "a", "\x02", &none));
    FAILS(ctx, SPT_EINVAL, "note 'a'", spt_model_with_note(ctx, a, "a", NULL, &none));
    char *much = malloc(1000002);
    memset(much, '<', 1000001);
    much[1000001] = '\0';
    FAILS(ctx, SPT_EINVAL, "1000000 bytes", spt_model_with_note(ctx, a, "a", much, &none));
    /* the longest note there is, at its longest in XML, comes back */
    much[1000000] = '\0';
    spt_model *heavy = NULL, *back = NULL;
    OK(ctx, spt_model_with_note(ctx, a, "a", much, &heavy));
    int64_t size = 0;
    char *text = document(ctx, heavy, &size);
    OK(ctx, spt_model_read_memory(ctx, text, size, "m", &back));
    ck_assert_str_eq(spt_model_note(back, "a"), much);
    free(text);
    free(much);
    free(x);
    free(y);
    spt_model_free(heavy);
    spt_model_free(back);
    spt_model_free(a);
    spt_model_free(c);
    tear_down(&b);
}
END_TEST

TEST_MAIN("model_model", fitted, fitting_fails, too_few_targets, assembled, ensembles, notes)
