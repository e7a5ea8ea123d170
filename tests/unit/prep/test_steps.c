/* The steps of a recipe on datasets and on single spectra: the same bits. */
#include "failing.h"

#include "nirsoil_row.h"

#include "prep/channels.h"
#include "prep/steps.h"

enum { N = 4, P = 700 };

/* Rows that differ from band to band, and a descending axis if asked for. */
static spt_dataset *spectra(spt_ctx *ctx, int32_t dtype, int descending)
{
    static double values[N * P], axis[P];
    static float values32[N * P];
    spt_matrix m;
    spt_dataset *ds;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < P; j++) {
            values[i * P + j] = nirsoil_row[j] * (1 + 0.1 * i) + 1e-3 * sin(j * (i + 1));
            /* an end that rounding would lose, and a zero with a sign */
            if (j == 0 || j == P - 1) values[i * P + j] = 1e-17;
            if (j == 7) values[i * P + j] = -0.0;
            values32[i * P + j] = (float)values[i * P + j];
        }
    for (int j = 0; j < P; j++)
        axis[j] = 1100 + 2 * (descending ? P - 1 - j : j);
    m = matrix_of(dtype, dtype == SPT_FLOAT32 ? (void *)values32 : (void *)values, N, P);
    OK(ctx, spt_dataset_new(ctx, &m, axis, SPT_AXIS_NM, SPT_UNIT_ABSORBANCE, 0, NULL, NULL, &ds));
    return ds;
}

/* Recipe number `which`, 0 to 8. */
static spt_prep *recipe(spt_ctx *ctx, int which)
{
    spt_prep *prep;
    OK(ctx, spt_prep_new(ctx, &prep));
    if (which == 1 || which == 5) OK(ctx, spt_prep_add_crop(prep, 1101, 2400));
    if (which == 2 || which == 5 || which == 8)
        OK(ctx, spt_prep_add_resample(prep, 1150.3, 2391.7, 1.7));
    if (which == 3 || which == 5) OK(ctx, spt_prep_add_decimate(prep, 3, 1));
    if (which == 4) OK(ctx, spt_prep_add_decimate(prep, 4, 0));
    if (which == 6) {
        OK(ctx, spt_prep_add_decimate(prep, 2, 1));
        OK(ctx, spt_prep_add_crop(prep, 1200, 2300));
        OK(ctx, spt_prep_add_decimate(prep, 3, 0));
        OK(ctx, spt_prep_add_resample(prep, 1210, 2290, 10));
        OK(ctx, spt_prep_add_crop(prep, 1250, 2250));
        OK(ctx, spt_prep_add_decimate(prep, 2, 1));
    }
    if (which == 7) {
        OK(ctx, spt_prep_add_resample(prep, 1100, 2498, 2)); /* every band met exactly */
        OK(ctx, spt_prep_add_decimate(prep, 1, 1));
    }
    if (which == 8) OK(ctx, spt_prep_add_crop(prep, 1300, 2000));
    return prep;
}

/* Steps and channels of all rows at once against one spectrum at a time. */
static void compare(spt_ctx *ctx, const spt_prep *prep, const spt_dataset *ds)
{
    enum { MOST = 2 * P }; /* bands after the steps */
    static double x[P], scratch[2 * MOST], values[MOST], want[MOST];
    static float all[N * MOST * 5], row[MOST * 5];
    spt_dataset *applied;
    spt__prep_plan steps = {0};
    spt__channel_plan channels = {0};
    spt__err e = {0};
    OK(ctx, spt_prep_apply(ctx, prep, ds, &applied));
    int64_t p = spt_dataset_bands(applied);
    ck_assert_int_le(p, MOST);
    OK(ctx, spt__prep_plan_init(&steps, ctx, prep, spt_dataset_axis(ds), P, SPT_AXIS_NM, NULL, 0));
    ck_assert_int_eq(steps.p, p);
    ck_assert_int_le(spt__prep_plan_scratch(&steps), 2 * MOST);
    ck_assert(memcmp(steps.axis, spt_dataset_axis(applied), (size_t)p * sizeof(double)) == 0);
    OK(ctx, spt__channel_plan_init(&channels, ctx, prep, steps.axis, p, SPT_AXIS_NM,
                                   SPT_UNIT_ABSORBANCE, SPT_CHANNEL_ALL, SPT_FLOAT32, &e));
    OK(ctx, spt_prep_channels(ctx, prep, applied, SPT_CHANNEL_ALL, SPT_FLOAT32, all, LENGTH(all)));
    for (int i = N - 1; i >= 0; i--) {
        OK(ctx, spt_dataset_spectra(ds, i, 1, x, LENGTH(x)));
        spt__prep_plan_row(&steps, x, values, scratch);
        OK(ctx, spt_dataset_spectra(applied, i, 1, want, LENGTH(want)));
        ck_assert(memcmp(values, want, (size_t)p * sizeof(double)) == 0);
        OK(ctx, spt__channels_row(&channels, values, i, NULL, row, scratch, &e));
        ck_assert(memcmp(row, all + i * p * 5, (size_t)p * 5 * sizeof(float)) == 0);
    }
    spt__channel_plan_free(&channels);
    spt__prep_plan_free(&steps);
    spt_dataset_free(applied);
}

START_TEST(single_spectra_give_the_bits_of_datasets)
{
    spt_ctx *ctx;
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
    for (int dtype = SPT_FLOAT32; dtype <= SPT_FLOAT64; dtype++)
        for (int descending = 0; descending <= 1; descending++) {
            spt_dataset *ds = spectra(ctx, dtype, descending);
            for (int which = 0; which <= 8; which++) {
                spt_prep *prep = recipe(ctx, which);
                compare(ctx, prep, ds);
                spt_prep_free(prep);
            }
            spt_dataset_free(ds);
        }
    spt_ctx_free(ctx);
}
END_TEST

/* crop 1100 to 2400, then every 4 bands: the recipe of the main job, by hand. */
START_TEST(values_by_hand)
{
    spt_ctx *ctx;
    spt_prep *prep;
    spt_dataset *applied;
    double out[P];
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
    spt_dataset *ds = spectra(ctx, SPT_FLOAT64, 0);
    OK(ctx, spt_prep_new(ctx, &prep));
    OK(ctx, spt_prep_add_crop(prep, 1200, 2400));
    OK(ctx, spt_prep_add_decimate(prep, 4, 1));
    OK(ctx, spt_prep_apply(ctx, prep, ds, &applied));
    ck_assert_int_eq(spt_dataset_bands(applied), 601 / 4);
    ck_assert(spt_dataset_axis(applied)[0] == 1203);
    ck_assert(spt_dataset_axis(applied)[1] == 1211);
    OK(ctx, spt_dataset_spectra(applied, 0, 1, out, LENGTH(out)));
    double sum = 0;
    for (int j = 54; j < 58; j++)
        sum += nirsoil_row[j] + 1e-3 * sin(j);
    RELATIVE(out[1], sum / 4, 1e-14);
    spt_dataset_free(applied);
    spt_prep_free(prep);
    spt_dataset_free(ds);
    spt_ctx_free(ctx);
}
END_TEST

/* A sensor with another axis is brought onto the model's first. */
START_TEST(onto_another_axis)
{
    spt_ctx *ctx;
    spt_dataset *moved, *applied;
    spt__prep_plan plan = {0};
    double onto[300], x[P], out[P], want[P], scratch[2 * P];
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
    spt_dataset *ds = spectra(ctx, SPT_FLOAT64, 1);
    spt_prep *prep = recipe(ctx, 3);
    for (int j = 0; j < 300; j++)
        onto[j] = 1200.5 + 3.1 * j;
    OK(ctx, spt_dataset_resample(ctx, ds, onto, 300, &moved));
    OK(ctx, spt_prep_apply(ctx, prep, moved, &applied));
    OK(ctx, spt__prep_plan_init(&plan, ctx, prep, spt_dataset_axis(ds), P, SPT_AXIS_NM, onto, 300));
    ck_assert_int_eq(plan.p, 100);
    for (int i = 0; i < N; i++) {
        OK(ctx, spt_dataset_spectra(ds, i, 1, x, LENGTH(x)));
        OK(ctx, spt_dataset_spectra(applied, i, 1, want, LENGTH(want)));
        spt__prep_plan_row(&plan, x, out, scratch);
        ck_assert(memcmp(out, want, 100 * sizeof *out) == 0);
    }
    spt__prep_plan_free(&plan);
    onto[299] = 2600;
    FAILS(ctx, SPT_EINVAL, "2600",
          spt__prep_plan_init(&plan, ctx, prep, spt_dataset_axis(ds), P, SPT_AXIS_NM, onto, 300));
    spt_dataset_free(moved);
    spt_dataset_free(applied);
    spt_dataset_free(ds);
    spt_prep_free(prep);
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(averaging_only_where_the_column_is)
{
    spt_ctx *ctx;
    spt_prep *prep;
    spt_dataset *scans, *applied, *again;
    const char *ids[N] = {"a", "b", "a", "a"};
    double x[P], y[P], want[P];
    spt__prep_plan plan = {0};
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
    spt_dataset *ds = spectra(ctx, SPT_FLOAT64, 0);
    OK(ctx, spt_prep_new(ctx, &prep));
    OK(ctx, spt_prep_add_average(prep, "sample"));
    OK(ctx, spt_prep_apply(ctx, prep, ds, &applied)); /* no such column: samples already */
    ck_assert_int_eq(spt_dataset_rows(applied), N);
    spt_dataset_free(applied);
    OK(ctx, spt_dataset_with_texts(ctx, ds, "sample", ids, LENGTH(ids), &scans));
    OK(ctx, spt_prep_apply(ctx, prep, scans, &applied));
    ck_assert_int_eq(spt_dataset_rows(applied), 2);
    OK(ctx, spt_dataset_spectra(applied, 0, 1, x, LENGTH(x)));
    memset(want, 0, sizeof want);
    for (int i = 0; i < N; i++) {
        if (i == 1) continue;
        OK(ctx, spt_dataset_spectra(ds, i, 1, y, LENGTH(y)));
        for (int j = 0; j < P; j++)
            want[j] += y[j] / 3;
    }
    for (int j = 0; j < P; j++)
        RELATIVE(x[j], want[j], 1e-14);
    OK(ctx, spt__prep_plan_init(&plan, ctx, prep, spt_dataset_axis(ds), P, SPT_AXIS_NM, NULL, 0));
    ck_assert_int_eq(plan.p, P);
    double scratch[2 * P];
    spt__prep_plan_row(&plan, x, y, scratch);
    ck_assert(memcmp(x, y, sizeof x) == 0);
    spt__prep_plan_free(&plan);
    OK(ctx, spt_prep_apply(ctx, prep, applied, &again));
    spt_dataset_free(again);
    spt_dataset_free(applied);
    spt_dataset_free(scans);
    spt_dataset_free(ds);
    spt_prep_free(prep);
    spt_ctx_free(ctx);
}
END_TEST

/* Steps that cannot be run on these spectra, told alike for datasets and single spectra. */
START_TEST(impossible_steps)
{
    spt_ctx *ctx;
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
    spt_dataset *ds = spectra(ctx, SPT_FLOAT64, 0);
    for (int which = 0; which < 4; which++) {
        static const char *const words[] = {"1100", "outside", "decimat", "2"};
        spt_prep *prep;
        spt_dataset *applied;
        spt__prep_plan plan = {0};
        OK(ctx, spt_prep_new(ctx, &prep));
        if (which == 0) OK(ctx, spt_prep_add_crop(prep, 400, 1000));
        if (which == 1) OK(ctx, spt_prep_add_resample(prep, 1000, 2000, 2));
        if (which == 2) OK(ctx, spt_prep_add_decimate(prep, 701, 1));
        if (which == 3) OK(ctx, spt_prep_add_crop(prep, 1100, 1101));
        FAILS(ctx, SPT_EINVAL, words[which], spt_prep_apply(ctx, prep, ds, &applied));
        ck_assert_ptr_null(applied);
        char text[512];
        snprintf(text, sizeof text, "%s", spt_ctx_last_error(ctx));
        FAILS(ctx, SPT_EINVAL, text,
              spt__prep_plan_init(&plan, ctx, prep, spt_dataset_axis(ds), P, SPT_AXIS_NM, NULL, 0));
        spt__prep_plan_free(&plan);
        spt_prep_free(prep);
    }
    spt__prep_plan plan = {0};
    spt_prep *prep = recipe(ctx, 0);
    const double axis[2] = {1100, 1100};
    FAILS(ctx, SPT_EINVAL, "",
          spt__prep_plan_init(&plan, ctx, prep, axis, 2, SPT_AXIS_NM, NULL, 0));
    FAILS(ctx, SPT_EINVAL, "number of bands is 1",
          spt__prep_plan_init(&plan, ctx, prep, axis, 1, SPT_AXIS_NM, NULL, 0));
    spt_prep_free(prep);
    spt_dataset_free(ds);
    spt_ctx_free(ctx);
}
END_TEST

/* Each allocation in turn fails: an error, and nothing left behind. */
START_TEST(short_of_memory)
{
    failing f;
    spt_ctx *ctx = failing_ctx(&f);
    spt_dataset *ds = spectra(ctx, SPT_FLOAT64, 0);
    spt_prep *prep = recipe(ctx, 6);
    static float out[P * N * 5];
    int32_t status = SPT_ENOMEM;
    long before = f.live;
    for (long n = 0; status != SPT_OK; n++) {
        spt_dataset *applied = NULL;
        spt__prep_plan plan = {0};
        ck_assert_int_lt(n, 1000);
        f.until_failure = n;
        status = spt_prep_apply(ctx, prep, ds, &applied);
        if (status == SPT_OK)
            status = spt_prep_channels(ctx, prep, applied, SPT_CHANNEL_ALL, SPT_FLOAT32, out,
                                       LENGTH(out));
        if (status == SPT_OK)
            status = spt__prep_plan_init(&plan, ctx, prep, spt_dataset_axis(ds), P, SPT_AXIS_NM,
                                         NULL, 0);
        f.until_failure = -1;
        ck_assert(status == SPT_OK || status == SPT_ENOMEM);
        spt__prep_plan_free(&plan);
        spt_dataset_free(applied);
        ck_assert_int_eq(f.live, before);
    }
    spt_prep_free(prep);
    spt_dataset_free(ds);
    spt_ctx_free(ctx);
    ck_assert_int_eq(f.live, 0);
}
END_TEST

TEST_MAIN("prep_steps", single_spectra_give_the_bits_of_datasets, values_by_hand, onto_another_axis,
          averaging_only_where_the_column_is, impossible_steps, short_of_memory)
