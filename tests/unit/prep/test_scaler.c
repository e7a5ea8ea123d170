/* Scalers against closed forms, and the promise that a row alone gives the bits of all rows. */
#include "failing.h"

#include "prep/scaler.h"

enum { ROWS = 6, P = 3, C = 2 };

/* Row i, band j, channel k: i * i + 10 j in channel 0, 1e-6 of (i + j) in channel 1. */
static void example(float *x)
{
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < P; j++) {
            x[(i * P + j) * C] = (float)(i * i + 10 * j);
            x[(i * P + j) * C + 1] = 1e-6F * (float)(i + j);
        }
}

START_TEST(per_band)
{
    spt_ctx *ctx;
    spt_scaler *s;
    float x[ROWS * P * C];
    const int64_t rows[4] = {3, 0, 2, 1};
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
    example(x);
    OK(ctx, spt_scaler_fit(ctx, x, ROWS, P, C, rows, 4, SPT_SCALE_BAND, &s));
    ck_assert_int_eq(spt__scaler_bands(s), P);
    ck_assert_int_eq(spt__scaler_channels(s), C);
    ck_assert_int_eq(spt__scaler_mode(s), SPT_SCALE_BAND);
    ck_assert_int_eq(spt__scaler_values(s), P * C);
    /* 0, 1, 4, 9: mean 3.5, sum of squares 49; 0, 1, 2, 3: mean 1.5, sum of squares 5 */
    for (int j = 0; j < P; j++) {
        NEAR(spt__scaler_mean(s)[j * C], 3.5 + 10 * j, 1e-14);
        NEAR(spt__scaler_sd(s)[j * C], sqrt(49 / 3.0), 1e-14);
        RELATIVE(spt__scaler_mean(s)[j * C + 1], 1e-6 * (1.5 + j), 1e-6);
        RELATIVE(spt__scaler_sd(s)[j * C + 1], 1e-6 * sqrt(5 / 3.0), 1e-6);
    }
    OK(ctx, spt_scaler_apply(s, x, ROWS));
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < P; j++) {
            NEAR(x[(i * P + j) * C], (i * i - 3.5) / sqrt(49 / 3.0), 1e-6);
            NEAR(x[(i * P + j) * C + 1], (i - 1.5) / sqrt(5 / 3.0), 1e-6);
        }
    spt_scaler_free(s);
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(per_channel)
{
    spt_ctx *ctx;
    spt_scaler *s;
    float x[ROWS * P * C];
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
    example(x);
    OK(ctx, spt_scaler_fit(ctx, x, ROWS, P, C, NULL, 0, SPT_SCALE_CHANNEL, &s));
    ck_assert_int_eq(spt__scaler_values(s), C);
    double sum = 0, squares = 0;
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < P; j++) {
            double v = i * i + 10 * j;
            sum += v;
            squares += v * v;
        }
    double n = ROWS * P, mean = sum / n, sd = sqrt((squares - n * mean * mean) / (n - 1));
    NEAR(spt__scaler_mean(s)[0], mean, 1e-14);
    NEAR(spt__scaler_sd(s)[0], sd, 1e-13);
    OK(ctx, spt_scaler_apply(s, x, ROWS));
    NEAR(x[(5 * P + 2) * C], (45 - mean) / sd, 1e-6);
    spt_scaler_free(s);
    spt_ctx_free(ctx);
}
END_TEST

/* Means of bands, the s.d. of whole channels. */
START_TEST(centred)
{
    spt_ctx *ctx;
    spt_scaler *bands, *channels, *s;
    float x[ROWS * P * C];
    const int64_t rows[4] = {3, 0, 2, 1};
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
    example(x);
    OK(ctx, spt_scaler_fit(ctx, x, ROWS, P, C, rows, 4, SPT_SCALE_BAND, &bands));
    OK(ctx, spt_scaler_fit(ctx, x, ROWS, P, C, rows, 4, SPT_SCALE_CHANNEL, &channels));
    OK(ctx, spt_scaler_fit(ctx, x, ROWS, P, C, rows, 4, SPT_SCALE_CENTRE, &s));
    ck_assert_int_eq(spt__scaler_values(s), P * C);
    for (int k = 0; k < P * C; k++) {
        ck_assert(spt__scaler_mean(s)[k] == spt__scaler_mean(bands)[k]);
        RELATIVE(spt__scaler_sd(s)[k], spt__scaler_sd(channels)[k % C], 1e-14);
    }
    /* 49 in each of three bands; means of 3.5, 13.5, 23.5, each four times */
    NEAR(spt__scaler_sd(s)[0], sqrt((3 * 49 + 4 * 200) / 11.0), 1e-13);
    OK(ctx, spt_scaler_apply(s, x, ROWS));
    NEAR(x[(5 * P + 2) * C], (25 - 3.5) / sqrt(947 / 11.0), 1e-6);
    spt_scaler_free(bands);
    spt_scaler_free(channels);
    spt_scaler_free(s);
    spt_ctx_free(ctx);
}
END_TEST

/* Rows that are not asked for must not matter: no test row leaks into the scaling of a fold. */
START_TEST(other_rows_do_not_matter)
{
    spt_ctx *ctx;
    spt_scaler *a, *b;
    float x[ROWS * P * C];
    const int64_t rows[3] = {0, 1, 4};
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
    for (int mode = SPT_SCALE_CHANNEL; mode <= SPT_SCALE_CENTRE; mode++) {
        example(x);
        OK(ctx, spt_scaler_fit(ctx, x, ROWS, P, C, rows, 3, mode, &a));
        for (int j = 0; j < P * C; j++)
            x[2 * P * C + j] = x[3 * P * C + j] = x[5 * P * C + j] = NAN;
        OK(ctx, spt_scaler_fit(ctx, x, ROWS, P, C, rows, 3, mode, &b));
        for (int64_t k = 0; k < spt__scaler_values(a); k++) {
            ck_assert(spt__scaler_mean(a)[k] == spt__scaler_mean(b)[k]);
            ck_assert(spt__scaler_sd(a)[k] == spt__scaler_sd(b)[k]);
        }
        spt_scaler_free(a);
        spt_scaler_free(b);
    }
    spt_ctx_free(ctx);
}
END_TEST

/* A mean summed in float32 would leave a last bit of 0.1F to be blown up. */
START_TEST(constants_become_zero)
{
    enum { MANY = 1000 };
    spt_ctx *ctx;
    spt_scaler *s;
    static float x[MANY * C];
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
    for (int mode = SPT_SCALE_CHANNEL; mode <= SPT_SCALE_CENTRE; mode++) {
        for (int i = 0; i < MANY; i++) {
            x[i * C] = 0.1F;
            x[i * C + 1] = 1e-7F;
        }
        OK(ctx, spt_scaler_fit(ctx, x, MANY, 1, C, NULL, 0, mode, &s));
        ck_assert(spt__scaler_sd(s)[0] == 1 && spt__scaler_sd(s)[1] == 1);
        OK(ctx, spt_scaler_apply(s, x, MANY));
        for (int i = 0; i < MANY * C; i++)
            ck_assert(x[i] == 0);
        spt_scaler_free(s);
    }
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(one_row_has_no_spread)
{
    spt_ctx *ctx;
    spt_scaler *s;
    float x[P * C];
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
    for (int j = 0; j < P * C; j++)
        x[j] = (float)j;
    OK(ctx, spt_scaler_fit(ctx, x, 1, P, C, NULL, 0, SPT_SCALE_BAND, &s));
    OK(ctx, spt_scaler_apply(s, x, 1));
    for (int j = 0; j < P * C; j++)
        ck_assert(x[j] == 0);
    spt_scaler_free(s);
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(row_by_row_is_the_same)
{
    enum { N = 50, BANDS = 37 };
    spt_ctx *ctx;
    spt_scaler *s, *copy;
    static float x[N * BANDS * C], whole[N * BANDS * C];
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
    for (int i = 0; i < N * BANDS * C; i++)
        x[i] = (float)(0.37 + sin(i * 0.7) * (i % C ? 1e-6 : 1));
    for (int mode = SPT_SCALE_NONE; mode <= SPT_SCALE_CENTRE; mode++) {
        OK(ctx, spt_scaler_fit(ctx, x, N, BANDS, C, NULL, 0, mode, &s));
        /* one made of the numbers of the other, as a model file does, is the same */
        OK(ctx, spt_scaler_new(ctx, BANDS, C, mode, spt__scaler_mean(s), spt__scaler_sd(s), &copy));
        memcpy(whole, x, sizeof x);
        OK(ctx, spt_scaler_apply(s, whole, N));
        if (mode == SPT_SCALE_NONE) ck_assert(memcmp(whole, x, sizeof x) == 0);
        for (int i = 0; i < N; i++) {
            float row[BANDS * C];
            memcpy(row, x + i * BANDS * C, sizeof row);
            OK(ctx, spt_scaler_apply(copy, row, 1));
            ck_assert(memcmp(row, whole + i * BANDS * C, sizeof row) == 0);
        }
        spt_scaler_free(s);
        spt_scaler_free(copy);
    }
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(outlives_the_context)
{
    failing f;
    spt_ctx *ctx = failing_ctx(&f);
    spt_scaler *s;
    const double mean[2] = {1, 2}, sd[2] = {1, 2};
    float x[2] = {3, 4};
    OK(ctx, spt_scaler_new(ctx, 1, 2, SPT_SCALE_CHANNEL, mean, sd, &s));
    spt_scaler *other = spt__scaler_ref(s);
    spt_ctx_free(ctx);
    spt_scaler_free(s);
    ck_assert_int_eq(spt_scaler_apply(other, x, 1), SPT_OK);
    ck_assert(x[0] == 2 && x[1] == 1);
    spt_scaler_free(other);
    spt_scaler_free(NULL);
    ck_assert_int_eq(f.live, 0);
}
END_TEST

START_TEST(short_of_memory)
{
    failing f;
    spt_ctx *ctx = failing_ctx(&f);
    spt_scaler *s;
    float x[ROWS * P * C];
    long before = f.live;
    example(x);
    int32_t status = SPT_ENOMEM;
    for (long n = 0; status != SPT_OK; n++) {
        ck_assert_int_lt(n, 20);
        f.until_failure = n;
        status = spt_scaler_fit(ctx, x, ROWS, P, C, NULL, 0, SPT_SCALE_BAND, &s);
        f.until_failure = -1;
        if (status != SPT_OK) {
            ck_assert_int_eq(status, SPT_ENOMEM);
            ck_assert_ptr_null(s);
            ck_assert_int_eq(f.live, before);
        }
    }
    spt_scaler_free(s);
    spt_ctx_free(ctx);
    ck_assert_int_eq(f.live, 0);
}
END_TEST

START_TEST(bad_arguments)
{
    spt_ctx *ctx;
    spt_scaler *s;
    float x[ROWS * P * C];
    const int64_t rows[2] = {0, ROWS};
    const double mean[2] = {0, NAN}, zero[2] = {1, 0}, good[2] = {1, 1};
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
    example(x);
    FAILS(ctx, SPT_EINVAL, "row 6 at index 1; 0 to 5",
          spt_scaler_fit(ctx, x, ROWS, P, C, rows, 2, SPT_SCALE_BAND, &s));
    ck_assert_ptr_null(s);
    FAILS(ctx, SPT_EINVAL, "0 of 6 rows",
          spt_scaler_fit(ctx, x, ROWS, P, C, rows, 0, SPT_SCALE_BAND, &s));
    FAILS(ctx, SPT_EINVAL, "mode is 5", spt_scaler_fit(ctx, x, ROWS, P, C, NULL, 0, 5, &s));
    FAILS(ctx, SPT_EINVAL, "0 bands",
          spt_scaler_fit(ctx, x, ROWS, 0, C, NULL, 0, SPT_SCALE_BAND, &s));
    FAILS(ctx, SPT_EINVAL, "NULL",
          spt_scaler_fit(ctx, NULL, ROWS, P, C, NULL, 0, SPT_SCALE_BAND, &s));
    x[(2 * P + 1) * C] = INFINITY;
    FAILS(ctx, SPT_EINVAL, "band 1 in channel 0",
          spt_scaler_fit(ctx, x, ROWS, P, C, NULL, 0, SPT_SCALE_BAND, &s));
    FAILS(ctx, SPT_EINVAL, "band 1 in channel 0",
          spt_scaler_fit(ctx, x, ROWS, P, C, NULL, 0, SPT_SCALE_CENTRE, &s));
    FAILS(ctx, SPT_EINVAL, "channel 0",
          spt_scaler_fit(ctx, x, ROWS, P, C, NULL, 0, SPT_SCALE_CHANNEL, &s));
    FAILS(ctx, SPT_EINVAL, "at index 1; finite",
          spt_scaler_new(ctx, 5, 2, SPT_SCALE_CHANNEL, mean, good, &s));
    FAILS(ctx, SPT_EINVAL, "s.d. 0 at index 1",
          spt_scaler_new(ctx, 5, 2, SPT_SCALE_CHANNEL, good, zero, &s));
    FAILS(ctx, SPT_EINVAL, "NULL", spt_scaler_new(ctx, 5, 2, SPT_SCALE_CHANNEL, NULL, NULL, &s));
    ck_assert_int_eq(spt_scaler_apply(NULL, x, 1), SPT_EINVAL);
    spt_ctx_free(ctx);
}
END_TEST

TEST_MAIN("prep_scaler", per_band, per_channel, centred, other_rows_do_not_matter,
          constants_become_zero, one_row_has_no_spread, row_by_row_is_the_same,
          outlives_the_context, short_of_memory, bad_arguments)
