/* Prediction: one row, many rows, many threads, other axes, bad rows. */
#include "models.h"

#include "base/threads.h"
#include "model/fit.h"

typedef struct bench {
    spt_ctx *ctx;
    spt_dataset *dataset;
    spt_prep *prep;
    spt_model *model;
    spt_predictor *predictor;
    int64_t n, p;
    double *spectra, *values;
} bench;

static void set_up(bench *b, int64_t n, int64_t p)
{
    *b = (bench){.n = n, .p = p};
    ck_assert_int_eq(spt_ctx_new(NULL, &b->ctx), SPT_OK);
    b->dataset = make_spectra(b->ctx, n, p);
    b->prep = make_recipe(b->ctx);
    b->model = make_model(b->ctx, b->dataset, b->prep, 2);
    OK(b->ctx, spt_predictor_new(b->ctx, b->model, &b->predictor));
    b->spectra = malloc((size_t)(n * p) * sizeof *b->spectra);
    OK(b->ctx, spt_dataset_spectra(b->dataset, 0, n, b->spectra, n * p));
    int64_t got = 0;
    b->values = predictions(b->ctx, b->model, b->dataset, &got);
    ck_assert_int_eq(got, n);
}

static void tear_down(bench *b)
{
    free(b->spectra);
    free(b->values);
    /* in an order that is as good as any other */
    spt_model_free(b->model);
    spt_ctx_free(b->ctx);
    spt_prep_free(b->prep);
    spt_dataset_free(b->dataset);
    spt_predictor_free(b->predictor);
}

#define P_OK(p, call) ck_assert_msg((call) == SPT_OK, "%s", spt_predictor_last_error(p))
#define P_FAILS(p, status, words, call)                                               \
    do {                                                                              \
        ck_assert_int_eq((call), (status));                                           \
        ck_assert_msg(strstr(spt_predictor_last_error(p), (words)) != NULL, "\"%s\"", \
                      spt_predictor_last_error(p));                                   \
        ck_assert_ptr_null(strchr(spt_predictor_last_error(p), '\n'));                \
    } while (0)

/* One row at a time gives the bits of a batch; so does the model that was trained, before it was a
 * model: channels of all rows, fit core. */
START_TEST(single_and_batch)
{
    bench b;
    set_up(&b, 150, 60);
    double value = 0;
    for (int64_t i = 0; i < b.n; i++) {
        P_OK(b.predictor, spt_predictor_run(b.predictor, b.spectra + i * b.p, b.p, &value, 1));
        ck_assert_msg(!memcmp(&value, &b.values[i], sizeof value), "row %lld: %.17g %.17g",
                      (long long)i, value, b.values[i]);
    }
    double mean = 0, fat[150], sse = 0;
    OK(b.ctx,
       spt_dataset_numbers(b.dataset, spt_dataset_find_column(b.dataset, "fat"), fat, LENGTH(fat)));
    for (int64_t i = 0; i < b.n; i++)
        mean += i == 3 ? 0 : fat[i] / 149;
    double sst = 0;
    for (int64_t i = 0; i < b.n; i++) {
        if (i == 3) continue;
        sst += (fat[i] - mean) * (fat[i] - mean);
        sse += (fat[i] - b.values[i]) * (fat[i] - b.values[i]);
    }
    ck_assert_double_lt(sse, 0.5 * sst); /* values in the target's unit that mean something */
    tear_down(&b);
}
END_TEST

/* The path of a cross-validation, channels of the whole dataset and the fit core, gives these bits
 * too. A dense layer on many inputs is where kernels for few rows would differ. */
START_TEST(batch_and_cross_validation)
{
    bench b;
    set_up(&b, 70, 400);
    spt_dataset *applied = NULL;
    OK(b.ctx, spt_prep_apply(b.ctx, b.prep, b.dataset, &applied));
    int64_t p = spt_dataset_bands(applied);
    float *x = malloc((size_t)(70 * p * 2) * sizeof *x);
    int32_t mask = SPT_CHANNEL_A_D1 | SPT_CHANNEL_A_SNV;
    OK(b.ctx, spt_prep_channels(b.ctx, b.prep, applied, mask, SPT_FLOAT32, x, 70 * p * 2));
    spt_scaler *scaler = NULL;
    spt_network *network = NULL;
    spt_model *model = NULL;
    OK(b.ctx, spt_scaler_fit(b.ctx, x, 70, p, 2, NULL, 0, SPT_SCALE_BAND, &scaler));
    OK(b.ctx, spt_network_new(b.ctx, p, 2, 2, &network));
    OK(b.ctx, spt_network_add_dense(network, 100));
    OK(b.ctx, spt_network_finish(network, 9));
    double mean[] = {4, 5}, sd[] = {2, 3};
    OK(b.ctx, spt_model_assemble(b.ctx, b.dataset, b.prep, mask, scaler, network, "fat", mean, sd,
                                 SPT_TRANSFORM_NONE, &model));
    int64_t n = 0;
    double *values = predictions(b.ctx, model, b.dataset, &n), out[140];
    ck_assert_int_eq(n, 140);
    spt__err e = {0};
    spt__fit_result result = {0};
    ck_assert_int_eq(spt__member_new(b.ctx, mask, network, scaler,
                                     &(spt__output){mean, sd, SPT_TRANSFORM_NONE}, &result.member,
                                     &e),
                     SPT_OK); /* takes network and scaler */
    ck_assert_int_eq(spt__fit_predict(&result, x, mask, NULL, 70, out, &e), SPT_OK);
    ck_assert(!memcmp(values, out, sizeof out));
    const int64_t rows[] = {69, 3, 3};
    ck_assert_int_eq(spt__fit_predict(&result, x, mask, rows, 3, out, &e), SPT_OK);
    ck_assert(!memcmp(out, values + 138, 16) && !memcmp(out + 2, values + 6, 16));
    ck_assert(!memcmp(out + 4, values + 6, 16));
    /* against the network's own prediction, scaled back by hand */
    float *own = malloc(140 * sizeof *own);
    ck_assert_int_eq(spt_scaler_apply(result.member->scaler, x, 70), SPT_OK);
    OK(b.ctx, spt_network_predict(result.member->network, x, 70, own));
    for (int i = 0; i < 140; i++)
        NEAR(values[i], (double)own[i] * sd[i % 2] + mean[i % 2], 1e-5);
    double single[2];
    spt_predictor *predictor = NULL;
    OK(b.ctx, spt_predictor_new(b.ctx, model, &predictor));
    for (int i = 0; i < 70; i++) {
        P_OK(predictor,
             spt_predictor_run(predictor, b.spectra + i * 400, 400, single, LENGTH(single)));
        ck_assert(!memcmp(single, values + 2 * i, sizeof single));
    }
    spt_predictor_free(predictor);
    spt__fit_release(&result);
    spt_model_free(model);
    spt_dataset_free(applied);
    free(own);
    free(values);
    free(x);
    tear_down(&b);
}
END_TEST

typedef struct crowd {
    bench *b;
    spt_predictor *predictors[4];
    double *values[4];
} crowd;

static int32_t one_of_crowd(int64_t index, int32_t worker, void *arg, spt__err *e)
{
    (void)worker;
    (void)e;
    crowd *c = arg;
    int64_t needed = 0;
    int32_t status = SPT_OK;
    for (int k = 0; k < 5 && status == SPT_OK; k++) {
        status = spt_predictor_dataset(c->predictors[index], c->b->dataset, 0, c->values[index],
                                       c->b->n, &needed, NULL, NULL);
        /* failures are told on the predictor, whose thread this is */
        if (spt_predictor_dataset(c->predictors[index], c->b->dataset, 7, c->values[index], c->b->n,
                                  &needed, NULL, NULL) != SPT_EINVAL)
            return SPT_EINTERNAL;
    }
    return status;
}

START_TEST(threads)
{
    bench b;
    set_up(&b, 90, 60);
    crowd c = {.b = &b};
    for (int i = 0; i < 4; i++) {
        OK(b.ctx, spt_predictor_new(b.ctx, b.model, &c.predictors[i]));
        c.values[i] = malloc((size_t)b.n * sizeof(double));
    }
    OK(b.ctx, spt_ctx_set_threads(b.ctx, 4));
    spt__err e = {0};
    ck_assert_int_eq(spt__parallel(b.ctx, 4, one_of_crowd, &c, &e), SPT_OK);
    for (int i = 0; i < 4; i++) {
        ck_assert(!memcmp(c.values[i], b.values, (size_t)b.n * sizeof(double)));
        free(c.values[i]);
        spt_predictor_free(c.predictors[i]);
    }
    tear_down(&b);
}
END_TEST

/* No allocation but those of making it. */
typedef struct counted {
    int64_t allocs;
} counted;
static void *counted_alloc(size_t size, void *user)
{
    ((counted *)user)->allocs++;
    return malloc(size);
}
static void *counted_realloc(void *block, size_t size, void *user)
{
    ((counted *)user)->allocs++;
    return realloc(block, size);
}
static void counted_free(void *block, void *user)
{
    (void)user;
    free(block);
}

START_TEST(no_allocation)
{
    counted c = {0};
    spt_allocator a;
    spt_record_init(&a, sizeof a);
    a.alloc = counted_alloc;
    a.realloc = counted_realloc;
    a.free = counted_free;
    a.user = &c;
    spt_ctx *ctx = NULL;
    ck_assert_int_eq(spt_ctx_new(&a, &ctx), SPT_OK);
    spt_dataset *dataset = make_spectra(ctx, 30, 60);
    spt_model *model = make_model(ctx, dataset, NULL, 2);
    spt_predictor *predictor = NULL;
    OK(ctx, spt_predictor_new(ctx, model, &predictor));
    double spectrum[60], value = 0, values[30];
    int64_t needed = 0;
    OK(ctx, spt_dataset_spectra(dataset, 4, 1, spectrum, LENGTH(spectrum)));
    int64_t before = c.allocs;
    P_OK(predictor, spt_predictor_run(predictor, spectrum, 60, &value, 1));
    P_OK(predictor, spt_predictor_dataset(predictor, dataset, 0, values, 30, &needed, NULL, NULL));
    spectrum[7] = NAN;
    P_FAILS(predictor, SPT_EDATA, "band", spt_predictor_run(predictor, spectrum, 60, &value, 1));
    P_FAILS(predictor, SPT_EMISMATCH, "the spectrum has 59 bands, the model reads 60",
            spt_predictor_run(predictor, spectrum, 59, &value, 1));
    P_FAILS(predictor, SPT_EMISMATCH, "61 bands",
            spt_predictor_run(predictor, spectrum, 61, &value, 1));
    P_FAILS(predictor, SPT_ECAPACITY, "are 1 values, the buffer holds 0",
            spt_predictor_run(predictor, spectrum, 60, &value, 0));
    ck_assert_int_eq(c.allocs, before);
    spt_predictor_free(predictor);
    spt_model_free(model);
    spt_dataset_free(dataset);
    spt_ctx_free(ctx);
}
END_TEST

/* A dataset of these spectra on this axis. */
static spt_dataset *on_axis(const bench *b, const double *x, const double *axis, int64_t p,
                            int32_t axis_unit, int32_t unit)
{
    spt_matrix m;
    spt_dataset *out = NULL;
    m = matrix_of(SPT_FLOAT64, x, b->n, p);
    OK(b->ctx, spt_dataset_new(b->ctx, &m, axis, axis_unit, unit, 0, NULL, NULL, &out));
    return out;
}

START_TEST(other_axes)
{
    bench b;
    set_up(&b, 20, 60);
    int64_t needed = 0;
    double axis[60], values[20];
    memcpy(axis, spt_dataset_axis(b.dataset), sizeof axis);
    /* An unknown unit is taken for the model's. */
    spt_dataset *other = on_axis(&b, b.spectra, axis, 60, SPT_AXIS_NM, SPT_UNIT_UNKNOWN);
    P_OK(b.predictor,
         spt_predictor_dataset(b.predictor, other, 0, values, 20, &needed, NULL, NULL));
    ck_assert(!memcmp(values, b.values, sizeof values));
    spt_dataset_free(other);
    other = on_axis(&b, b.spectra, axis, 60, SPT_AXIS_NM, SPT_UNIT_REFLECTANCE);
    P_FAILS(b.predictor, SPT_EMISMATCH, "declared as reflectance, the model reads absorbance",
            spt_predictor_dataset(b.predictor, other, 0, values, 20, &needed, NULL, NULL));
    spt_dataset_free(other);
    other = on_axis(&b, b.spectra, axis, 60, SPT_AXIS_CM1, SPT_UNIT_ABSORBANCE);
    P_FAILS(b.predictor, SPT_EMISMATCH, "in cm-1",
            spt_predictor_dataset(b.predictor, other, 1, values, 20, &needed, NULL, NULL));
    spt_dataset_free(other);
    /* The last digits of a file do not matter, a hundredth of a nanometre does. */
    axis[8] *= 1 + 1e-12;
    other = on_axis(&b, b.spectra, axis, 60, SPT_AXIS_NM, SPT_UNIT_ABSORBANCE);
    P_OK(b.predictor,
         spt_predictor_dataset(b.predictor, other, 0, values, 20, &needed, NULL, NULL));
    spt_dataset_free(other);
    axis[8] += 0.01;
    other = on_axis(&b, b.spectra, axis, 60, SPT_AXIS_NM, SPT_UNIT_ABSORBANCE);
    P_FAILS(b.predictor, SPT_EMISMATCH, "band 9 of the data is at 1116.01 nm",
            spt_predictor_dataset(b.predictor, other, 0, values, 20, &needed, NULL, NULL));
    P_FAILS(b.predictor, SPT_EMISMATCH, "--resample",
            spt_predictor_dataset(b.predictor, other, 0, values, 20, &needed, NULL, NULL));
    P_OK(b.predictor,
         spt_predictor_dataset(b.predictor, other, 1, values, 20, &needed, NULL, NULL));
    for (int i = 0; i < 20; i++)
        NEAR(values[i], b.values[i], 0.05);
    spt_dataset_free(other);
    /* Fewer bands: the range of the model is not covered, resampled or not. */
    other =
        on_axis(&b, b.spectra, spt_dataset_axis(b.dataset), 59, SPT_AXIS_NM, SPT_UNIT_ABSORBANCE);
    P_FAILS(b.predictor, SPT_EMISMATCH, "59 bands",
            spt_predictor_dataset(b.predictor, other, 0, values, 20, &needed, NULL, NULL));
    P_FAILS(b.predictor, SPT_EMISMATCH, "onto the model's axis",
            spt_predictor_dataset(b.predictor, other, 1, values, 20, &needed, NULL, NULL));
    spt_dataset_free(other);
    tear_down(&b);
}
END_TEST

/* Twice as many bands, with those of the model among them, descending: the same values. And it
 * equals resampling first and predicting then. */
START_TEST(resampled)
{
    bench b;
    set_up(&b, 20, 60);
    enum { FINE = 119 };
    double axis[FINE], values[20], *x = malloc(20 * FINE * sizeof *x);
    int64_t needed = 0;
    for (int64_t j = 0; j < FINE; j++) {
        axis[FINE - 1 - j] = 1100 + (double)j;
        for (int64_t i = 0; i < 20; i++) {
            const double *from = b.spectra + i * 60 + j / 2;
            x[i * FINE + FINE - 1 - j] = j % 2 ? from[0] + 3 : from[0];
        }
    }
    spt_dataset *fine = on_axis(&b, x, axis, FINE, SPT_AXIS_NM, SPT_UNIT_ABSORBANCE);
    P_OK(b.predictor, spt_predictor_dataset(b.predictor, fine, SPT_PREDICT_RESAMPLE, values, 20,
                                            &needed, NULL, NULL));
    for (int i = 0; i < 20; i++)
        NEAR(values[i], b.values[i], 1e-12);
    spt_dataset_free(fine);
    /* Positions between: resampling by the data room gives the same bits. */
    for (int64_t j = 0; j < FINE; j++)
        axis[j] += 0.3 * (j == 0 ? 1 : j == FINE - 1 ? -1 : 0.5);
    fine = on_axis(&b, x, axis, FINE, SPT_AXIS_NM, SPT_UNIT_ABSORBANCE);
    spt_dataset *inside = NULL;
    int32_t status = spt_dataset_resample(b.ctx, fine, spt_model_axis(b.model), 60, &inside);
    ck_assert_msg(status == SPT_OK, "%s", spt_ctx_last_error(b.ctx));
    double expected[20];
    P_OK(b.predictor,
         spt_predictor_dataset(b.predictor, inside, 0, expected, 20, &needed, NULL, NULL));
    P_OK(b.predictor, spt_predictor_dataset(b.predictor, fine, 1, values, 20, &needed, NULL, NULL));
    ck_assert(!memcmp(values, expected, sizeof values));
    spt_dataset_free(inside);
    spt_dataset_free(fine);
    free(x);
    tear_down(&b);
}
END_TEST

typedef struct told {
    int64_t rows[200];
    int n, enough; /* answers so at bad row number `enough` */
    int32_t answer;
    char text[4][300];
} told;

static int32_t tell(int64_t row, const char *reason, void *user)
{
    told *t = user;
    if (t->n < 4) snprintf(t->text[t->n], sizeof t->text[0], "%s", reason);
    t->rows[t->n++] = row;
    return t->n == t->enough ? t->answer : SPT_OK;
}

/* Bad rows among good ones: NaN and a reason, in order; the others have the values that they have
 * without them. */
START_TEST(bad_rows)
{
    bench b;
    set_up(&b, 150, 60);
    double values[150];
    int64_t needed = 0;
    b.spectra[0 * 60 + 20] = NAN;
    b.spectra[70 * 60 + 58] = INFINITY; /* the last that decimation leaves */
    b.spectra[71 * 60 + 30] = -5;
    for (int j = 0; j < 60; j++)
        b.spectra[149 * 60 + j] = 0.5;
    b.spectra[90 * 60 + 1] = NAN; /* below the crop: nobody looks */
    spt_matrix m;
    spt_dataset *lenient = NULL;
    m = matrix_of(SPT_FLOAT64, b.spectra, b.n, 60);
    OK(b.ctx, spt_dataset_new(b.ctx, &m, spt_dataset_axis(b.dataset), SPT_AXIS_NM,
                              SPT_UNIT_ABSORBANCE, 1, NULL, NULL, &lenient));
    told t = {0};
    P_OK(b.predictor,
         spt_predictor_dataset(b.predictor, lenient, 0, values, 150, &needed, tell, &t));
    ck_assert_msg(t.n == 4, "%d: %s; %s; %s; %s", t.n, t.text[0], t.text[1], t.text[2], t.text[3]);
    const int64_t bad[] = {0, 70, 71, 149};
    for (int i = 0, k = 0; i < 150; i++) {
        if (k < 4 && i == bad[k]) {
            ck_assert_int_eq(t.rows[k], i);
            ck_assert(isnan(values[i]));
            k++;
        } else {
            ck_assert(!memcmp(&values[i], &b.values[i], sizeof values[i]));
        }
    }
    ck_assert_msg(strstr(t.text[0], "row '1'") && strstr(t.text[0], "finite"), "%s", t.text[0]);
    ck_assert_msg(strstr(t.text[2], "row '72'"), "%s", t.text[2]);
    ck_assert_msg(strstr(t.text[3], "standard normal variate"), "%s", t.text[3]);
    /* one by one */
    double value = 0;
    P_FAILS(b.predictor, SPT_EDATA, "band",
            spt_predictor_run(b.predictor, b.spectra, 60, &value, 1));
    P_OK(b.predictor, spt_predictor_run(b.predictor, b.spectra + 60, 60, &value, 1));
    ck_assert(value == b.values[1]);
    /* without anybody to tell */
    P_OK(b.predictor,
         spt_predictor_dataset(b.predictor, lenient, 0, values, 150, &needed, NULL, NULL));
    ck_assert(isnan(values[149]));
    /* so far outside that the network overflows */
    for (int j = 0; j < 60; j++)
        b.spectra[5 * 60 + j] = 1e300 * (j % 2 ? 1 : 0.1);
    P_FAILS(b.predictor, SPT_EDATA, "",
            spt_predictor_run(b.predictor, b.spectra + 5 * 60, 60, &value, 1));
    /* The host ends it at the second of them, or fails: the first block stays, the rest is NaN. */
    t = (told){.enough = 2, .answer = SPT_STOP_HOST};
    for (int i = 0; i < 150; i++)
        values[i] = 7;
    ck_assert_int_eq(spt_predictor_dataset(b.predictor, lenient, 0, values, 150, &needed, tell, &t),
                     SPT_STOP_HOST);
    ck_assert_int_eq(t.n, 2);
    ck_assert(values[1] == b.values[1] && isnan(values[70]) && isnan(values[148]));
    t = (told){.enough = 1, .answer = 5};
    P_FAILS(b.predictor, SPT_ECALLBACK, "row 0: the callback for bad rows returned 5",
            spt_predictor_dataset(b.predictor, lenient, 0, values, 150, &needed, tell, &t));
    ck_assert_int_eq(t.n, 1);
    t = (told){.enough = 5, .answer = -1}; /* the last row */
    P_FAILS(b.predictor, SPT_ECALLBACK, "row 149",
            spt_predictor_dataset(b.predictor, lenient, 0, values, 150, &needed, tell, &t));
    spt_dataset_free(lenient);
    tear_down(&b);
}
END_TEST

/* Scans are averaged when the column is there; else every row is a sample. */
START_TEST(averaged)
{
    spt_ctx *ctx = NULL;
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
    spt_dataset *dataset = make_spectra(ctx, 40, 60), *samples = NULL, *mean = NULL;
    spt_prep *prep = NULL;
    OK(ctx, spt_prep_new(ctx, &prep));
    OK(ctx, spt_prep_add_average(prep, "batch"));
    spt_model *model = make_model(ctx, dataset, prep, 1);
    spt_predictor *predictor = NULL;
    OK(ctx, spt_predictor_new(ctx, model, &predictor));
    double values[40], expected[8];
    int64_t needed = 0;
    P_OK(predictor, spt_predictor_samples(predictor, dataset, &samples));
    ck_assert_int_eq(spt_dataset_rows(samples), 8);
    P_FAILS(predictor, SPT_ECAPACITY, "8 values",
            spt_predictor_dataset(predictor, dataset, 0, values, 7, &needed, NULL, NULL));
    ck_assert_int_eq(needed, 8);
    P_OK(predictor, spt_predictor_dataset(predictor, dataset, 0, values, 40, &needed, NULL, NULL));
    OK(ctx, spt_dataset_average(ctx, dataset, "batch", &mean));
    double spectra[8 * 60];
    OK(ctx, spt_dataset_spectra(mean, 0, 8, spectra, LENGTH(spectra)));
    for (int i = 0; i < 8; i++) {
        P_OK(predictor, spt_predictor_run(predictor, spectra + 60 * i, 60, &expected[i], 1));
        ck_assert(expected[i] == values[i]);
    }
    spt_dataset_free(samples);
    /* without the column */
    spt_matrix m;
    spt_dataset *bare = NULL;
    m = matrix_of(SPT_FLOAT64, spectra, 8, 60);
    OK(ctx, spt_dataset_new(ctx, &m, spt_dataset_axis(dataset), SPT_AXIS_NM, SPT_UNIT_ABSORBANCE, 0,
                            NULL, NULL, &bare));
    P_OK(predictor, spt_predictor_dataset(predictor, bare, 0, values, 40, &needed, NULL, NULL));
    ck_assert_int_eq(needed, 8);
    ck_assert(!memcmp(values, expected, sizeof expected));
    spt_dataset_free(bare);
    spt_dataset_free(mean);
    spt_predictor_free(predictor);
    spt_model_free(model);
    spt_prep_free(prep);
    spt_dataset_free(dataset);
    spt_ctx_free(ctx);
}
END_TEST

TEST_MAIN("model_predict", single_and_batch, batch_and_cross_validation, threads, no_allocation,
          other_axes, resampled, bad_rows, averaged)
