/* The five channels: published values, units, refusals, and rows that stand alone. */
#include "testing.h"

#include "nirsoil_row.h"

#include "prep/channels.h"

enum { P = 700 };

static void soil_axis(double axis[P])
{
    for (int j = 0; j < P; j++)
        axis[j] = 1100 + 2 * j;
}

static spt_dataset *dataset(spt_ctx *ctx, const double *values, int64_t n, int64_t p,
                            const double *axis, int32_t unit)
{
    spt_matrix m;
    spt_dataset *ds;
    m = matrix_of(SPT_FLOAT64, values, n, p);
    OK(ctx, spt_dataset_new(ctx, &m, axis, SPT_AXIS_NM, unit, 0, NULL, NULL, &ds));
    return ds;
}

/* One spectrum of p bands from 1000 nm, 2 nm apart. */
static int32_t one(spt_ctx *ctx, const spt_prep *prep, const double *values, int64_t p,
                   int32_t unit, int32_t mask, double *out)
{
    double axis[64];
    for (int j = 0; j < p; j++)
        axis[j] = 1000 + 2 * j;
    spt_dataset *ds = dataset(ctx, values, 1, p, axis, unit);
    int32_t status = spt_prep_channels(ctx, prep, ds, mask, SPT_FLOAT64, out, 5 * p);
    spt_dataset_free(ds);
    return status;
}

/* Made by scipy 1.10.1 savgol_filter(mode='interp', delta=2) and numpy, published with the data. */
START_TEST(real_spectrum)
{
    static const struct {
        int channel, band;
        double value;
    } known[] = {
        {0, 0, 0.4597213},          {1, 0, 0},
        {2, 0, -1.059451049e-04},   {2, 1, -1.079206294e-04},
        {2, 5, -1.158227273e-04},   {2, 350, -6.731363636e-05},
        {2, 694, 1.080727273e-04},  {3, 5, -9.877622378e-07},
        {3, 6, -1.240675991e-06},   {3, 350, -2.140442890e-06},
        {4, 0, 0.9948469213651286}, {4, 350, -1.3923183906987187},
    };
    spt_ctx *ctx;
    spt_prep *prep;
    spt_options *o;
    static double axis[P], out[P * 5];
    static float out32[P * 5];
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
    soil_axis(axis);
    OK(ctx, spt_prep_new(ctx, &prep));
    spt_dataset *ds = dataset(ctx, nirsoil_row, 1, P, axis, SPT_UNIT_ABSORBANCE);
    OK(ctx, spt_prep_channels(ctx, prep, ds, SPT_CHANNEL_ALL, SPT_FLOAT64, out, LENGTH(out)));
    OK(ctx, spt_prep_channels(ctx, prep, ds, SPT_CHANNEL_ALL, SPT_FLOAT32, out32, LENGTH(out32)));
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        int at = known[i].band * 5 + known[i].channel;
        double want = known[i].value;
        if (known[i].channel == 0) want = pow(10, -nirsoil_row[known[i].band]);
        if (known[i].channel == 1) want = nirsoil_row[known[i].band];
        RELATIVE(out[at], want, 1e-8);
        RELATIVE(out32[at], want, 1e-6);
    }
    OK(ctx, spt_prep_options_new(ctx, &o));
    OK(ctx, spt_options_set_number(o, "d2_window", 15));
    OK(ctx, spt_options_set_number(o, "d2_order", 3));
    OK(ctx, spt_prep_set_options(prep, o));
    OK(ctx, spt_prep_channels(ctx, prep, ds, SPT_CHANNEL_A_D2, SPT_FLOAT64, out, LENGTH(out)));
    RELATIVE(out[7], -1.205074337e-06, 1e-8);
    RELATIVE(out[350], -1.836457660e-06, 1e-8);
    /* 30 nm are 15 points here */
    OK(ctx, spt_options_set_text(o, "window_in", "axis"));
    OK(ctx, spt_options_set_number(o, "d2_window", 30));
    OK(ctx, spt_prep_set_options(prep, o));
    OK(ctx, spt_prep_channels(ctx, prep, ds, SPT_CHANNEL_A_D2, SPT_FLOAT64, out, LENGTH(out)));
    RELATIVE(out[350], -1.836457660e-06, 1e-8);
    spt_options_free(o);
    spt_dataset_free(ds);
    spt_prep_free(prep);
    spt_ctx_free(ctx);
}
END_TEST

/* The same spectrum in any unit and from either end gives the same channels. */
START_TEST(units_and_directions)
{
    spt_ctx *ctx;
    spt_prep *prep;
    static double axis[P], back[P], values[P], mirror[P], want[P * 5], out[P * 5];
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
    OK(ctx, spt_prep_new(ctx, &prep));
    soil_axis(axis);
    spt_dataset *ds = dataset(ctx, nirsoil_row, 1, P, axis, SPT_UNIT_ABSORBANCE);
    OK(ctx, spt_prep_channels(ctx, prep, ds, SPT_CHANNEL_ALL, SPT_FLOAT64, want, LENGTH(want)));
    spt_dataset_free(ds);
    for (int unit = SPT_UNIT_REFLECTANCE; unit <= SPT_UNIT_PERCENT_REFLECTANCE; unit++) {
        for (int j = 0; j < P; j++) {
            values[j] = pow(10, -nirsoil_row[j]) * (unit == SPT_UNIT_REFLECTANCE ? 1 : 100);
            mirror[P - 1 - j] = values[j];
            back[P - 1 - j] = axis[j];
        }
        ds = dataset(ctx, values, 1, P, axis, unit);
        OK(ctx, spt_prep_channels(ctx, prep, ds, SPT_CHANNEL_ALL, SPT_FLOAT64, out, LENGTH(out)));
        spt_dataset_free(ds);
        static const double tolerance[5] = {1e-14, 1e-14, 1e-15, 1e-15, 1e-12};
        for (int j = 0; j < P; j++)
            for (int k = 0; k < 5; k++)
                ck_assert_msg(fabs(out[j * 5 + k] - want[j * 5 + k]) <= tolerance[k],
                              "unit %d band %d channel %d: %.17g, %.17g", unit, j, k,
                              out[j * 5 + k], want[j * 5 + k]);
        static double reverse[P * 5];
        ds = dataset(ctx, mirror, 1, P, back, unit);
        OK(ctx, spt_prep_channels(ctx, prep, ds, SPT_CHANNEL_ALL, SPT_FLOAT64, reverse,
                                  LENGTH(reverse)));
        spt_dataset_free(ds);
        for (int j = 0; j < P; j++) {
            for (int k = 0; k < 4; k++)
                ck_assert(reverse[(P - 1 - j) * 5 + k] == out[j * 5 + k]);
            NEAR(reverse[(P - 1 - j) * 5 + 4], out[j * 5 + 4], 1e-12); /* another order of sums */
        }
    }
    spt_prep_free(prep);
    spt_ctx_free(ctx);
}
END_TEST

/* A channel does not depend on the others asked for, a row not on the other rows. */
START_TEST(masks_and_rows)
{
    enum { N = 5, BANDS = 40 };
    spt_ctx *ctx;
    spt_prep *prep;
    double values[N * BANDS], axis[BANDS], all[N * BANDS * 5], out[N * BANDS * 5];
    double x[BANDS], scratch[2 * BANDS], row[BANDS * 5];
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
    OK(ctx, spt_prep_new(ctx, &prep));
    for (int i = 0; i < N * BANDS; i++)
        values[i] = 30 + 20 * sin(0.1 * i) + i % 7;
    for (int j = 0; j < BANDS; j++)
        axis[j] = 5000 - 8 * j;
    spt_dataset *ds = dataset(ctx, values, N, BANDS, axis, SPT_UNIT_PERCENT_REFLECTANCE);
    OK(ctx, spt_prep_channels(ctx, prep, ds, SPT_CHANNEL_ALL, SPT_FLOAT64, all, LENGTH(all)));
    for (int mask = 1; mask <= SPT_CHANNEL_ALL; mask++) {
        spt__channel_plan plan = {0};
        OK(ctx, spt_prep_channels(ctx, prep, ds, mask, SPT_FLOAT64, out, LENGTH(out)));
        int c = 0;
        for (int k = 0; k < 5; k++)
            c += mask >> k & 1;
        for (int k = 0, to = 0; k < 5; k++) {
            if (!(mask >> k & 1)) continue;
            for (int i = 0; i < N * BANDS; i++)
                ck_assert(out[i * c + to] == all[i * 5 + k]);
            to++;
        }
        spt__err e = {0};
        OK(ctx, spt__channel_plan_init(&plan, ctx, prep, axis, BANDS, SPT_AXIS_NM,
                                       SPT_UNIT_PERCENT_REFLECTANCE, mask, SPT_FLOAT64, &e));
        ck_assert_int_eq(plan.c, c);
        ck_assert_int_eq(spt__channels_scratch(&plan), 2 * BANDS);
        for (int i = N - 1; i >= 0; i--) {
            OK(ctx, spt_dataset_spectra(ds, i, 1, x, LENGTH(x)));
            OK(ctx, spt__channels_row(&plan, x, i, NULL, row, scratch, &e));
            ck_assert(memcmp(row, out + i * BANDS * c, (size_t)(BANDS * c) * sizeof *row) == 0);
        }
        spt__channel_plan_free(&plan);
    }
    spt_dataset_free(ds);
    spt_prep_free(prep);
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(names)
{
    ck_assert_str_eq(spt_channel_name(SPT_CHANNEL_R), "R");
    ck_assert_str_eq(spt_channel_name(SPT_CHANNEL_A), "A");
    ck_assert_str_eq(spt_channel_name(SPT_CHANNEL_A_D1), "A+D1");
    ck_assert_str_eq(spt_channel_name(SPT_CHANNEL_A_D2), "A+D2");
    ck_assert_str_eq(spt_channel_name(SPT_CHANNEL_A_SNV), "A+SNV");
    ck_assert_ptr_null(spt_channel_name(0));
    ck_assert_ptr_null(spt_channel_name(SPT_CHANNEL_ALL));
}
END_TEST

START_TEST(constant_spectra)
{
    spt_ctx *ctx;
    spt_prep *prep;
    spt_options *o;
    double values[12], out[12 * 5];
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
    OK(ctx, spt_prep_new(ctx, &prep));
    for (int j = 0; j < 12; j++)
        values[j] = 0.1;
    FAILS(ctx, SPT_EDATA, "absorbance 0.1 at row '1', band 1000 nm: all bands have this value",
          one(ctx, prep, values, 12, SPT_UNIT_ABSORBANCE, SPT_CHANNEL_ALL, out));
    OK(ctx, one(ctx, prep, values, 12, SPT_UNIT_ABSORBANCE, 15, out));
    for (int j = 0; j < 12; j++)
        ck_assert(out[j * 4 + 2] == 0 && out[j * 4 + 3] == 0);
    OK(ctx, spt_prep_options_new(ctx, &o));
    OK(ctx, spt_options_set_text(o, "constant_snv", "zero"));
    OK(ctx, spt_prep_set_options(prep, o));
    spt_options_free(o);
    values[3] = nextafter(0.1, 1); /* a last bit is no variation */
    OK(ctx, one(ctx, prep, values, 12, SPT_UNIT_ABSORBANCE, SPT_CHANNEL_A_SNV, out));
    for (int j = 0; j < 12; j++)
        ck_assert(out[j] == 0);
    values[3] = 0.1000001;
    OK(ctx, one(ctx, prep, values, 12, SPT_UNIT_ABSORBANCE, SPT_CHANNEL_A_SNV, out));
    RELATIVE(out[3], 11 / sqrt(12), 1e-6); /* (n - 1) / sqrt(n), whatever the height */
    spt_prep_free(prep);
    spt_ctx_free(ctx);
}
END_TEST

/* What is refused, and what is believed although it is odd. */
START_TEST(units_that_cannot_be)
{
    enum { N = 12 };
    spt_ctx *ctx;
    spt_prep *prep;
    double v[N], out[N];
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
    OK(ctx, spt_prep_new(ctx, &prep));
    for (int j = 0; j < N; j++)
        v[j] = 0.3 + 0.01 * j;
    OK(ctx, one(ctx, prep, v, N, SPT_UNIT_REFLECTANCE, SPT_CHANNEL_R, out));
    OK(ctx, one(ctx, prep, v, N, SPT_UNIT_ABSORBANCE, SPT_CHANNEL_R, out));
    FAILS(ctx, SPT_EINVAL, "unit of the spectra is unknown",
          one(ctx, prep, v, N, SPT_UNIT_UNKNOWN, SPT_CHANNEL_A, out));
    FAILS(ctx, SPT_EDATA,
          "percent-reflectance 0.41 at row '1', band 1022 nm: the whole spectrum is below 1.5",
          one(ctx, prep, v, N, SPT_UNIT_PERCENT_REFLECTANCE, SPT_CHANNEL_A, out));
    v[4] = 0;
    FAILS(ctx, SPT_EDATA, "reflectance 0 at row '1', band 1008 nm: values above 0",
          one(ctx, prep, v, N, SPT_UNIT_REFLECTANCE, SPT_CHANNEL_A, out));
    FAILS(ctx, SPT_EDATA, "reflectance 0 at row '1'", /* whatever channels are asked for */
          one(ctx, prep, v, N, SPT_UNIT_REFLECTANCE, SPT_CHANNEL_R, out));
    v[4] = -0.002;
    FAILS(ctx, SPT_EDATA, "reflectance -0.002 at row '1', band 1008 nm",
          one(ctx, prep, v, N, SPT_UNIT_REFLECTANCE, SPT_CHANNEL_R, out));
    OK(ctx, one(ctx, prep, v, N, SPT_UNIT_ABSORBANCE, SPT_CHANNEL_R, out)); /* noise */
    v[4] = -0.31;
    FAILS(ctx, SPT_EDATA, "absorbance -0.31 at row '1', band 1008 nm: no spectrum goes below -0.3",
          one(ctx, prep, v, N, SPT_UNIT_ABSORBANCE, SPT_CHANNEL_R, out));
    for (int j = 0; j < N; j++)
        v[j] = j < 6 ? 45.3 : 0.9;
    OK(ctx, one(ctx, prep, v, N, SPT_UNIT_REFLECTANCE, SPT_CHANNEL_A, out)); /* half may be odd */
    OK(ctx, one(ctx, prep, v, N, SPT_UNIT_PERCENT_REFLECTANCE, SPT_CHANNEL_A, out));
    OK(ctx, one(ctx, prep, v, N, SPT_UNIT_ABSORBANCE, SPT_CHANNEL_A, out));
    v[6] = 1.3;
    FAILS(ctx, SPT_EDATA,
          "reflectance 45.3 at row '1', band 1000 nm: most of the spectrum is above 1.2; if the "
          "file holds percent use percent-reflectance",
          one(ctx, prep, v, N, SPT_UNIT_REFLECTANCE, SPT_CHANNEL_A, out));
    v[6] = 10.1;
    FAILS(ctx, SPT_EDATA, "absorbance 45.3 at row '1', band 1000 nm: most of the spectrum is above",
          one(ctx, prep, v, N, SPT_UNIT_ABSORBANCE, SPT_CHANNEL_A, out));
    for (int j = 0; j < N; j++)
        v[j] = 4530;
    FAILS(ctx, SPT_EDATA, "percent-reflectance 4530 at row '1', band 1000 nm: most",
          one(ctx, prep, v, N, SPT_UNIT_PERCENT_REFLECTANCE, SPT_CHANNEL_A, out));
    spt_prep_free(prep);
    spt_ctx_free(ctx);
}
END_TEST

/* A bad row tells its id, or its number where it has none, and leaves the plan fit for others. */
START_TEST(bad_rows)
{
    enum { N = 12 };
    spt_ctx *ctx;
    spt_prep *prep;
    spt__channel_plan plan = {0};
    spt__err e = {0};
    double v[N], axis[N], out[N * 5], scratch[2 * N];
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
    OK(ctx, spt_prep_new(ctx, &prep));
    for (int j = 0; j < N; j++) {
        v[j] = 0.3 + 0.01 * j;
        axis[j] = 4000 - 4 * j;
    }
    OK(ctx, spt__channel_plan_init(&plan, ctx, prep, axis, N, SPT_AXIS_CM1, SPT_UNIT_REFLECTANCE,
                                   SPT_CHANNEL_ALL, SPT_FLOAT64, &e));
    v[2] = NAN;
    ck_assert_int_eq(spt__channels_row(&plan, v, 7, "a1", out, scratch, &e), SPT_EDATA);
    ck_assert_str_eq(e.text, "reflectance nan at row 'a1', band 3992 cm-1: a finite number is "
                             "needed");
    v[2] = 0;
    ck_assert_int_eq(spt__channels_row(&plan, v, 7, NULL, out, scratch, &e), SPT_EDATA);
    ck_assert_ptr_nonnull(strstr(e.text, "reflectance 0 at row 8, band 3992 cm-1: values above 0"));
    v[2] = 0.5;
    ck_assert_int_eq(spt__channels_row(&plan, v, 7, NULL, out, scratch, &e), SPT_OK);
    spt__channel_plan_free(&plan);

    char ids[2][4] = {"a1", "b2"};
    const char *texts[2] = {ids[0], ids[1]};
    double two[2 * N];
    spt_dataset *ds, *named;
    for (int j = 0; j < 2 * N; j++)
        two[j] = 0.5 + 0.01 * (j % 5);
    two[N + 3] = -1;
    ds = dataset(ctx, two, 2, N, axis, SPT_UNIT_REFLECTANCE);
    OK(ctx, spt_dataset_with_texts(ctx, ds, "id", texts, LENGTH(texts), &named));
    FAILS(ctx, SPT_EDATA, "reflectance -1 at row 'b2', band 3988 nm",
          spt_prep_channels(ctx, prep, named, SPT_CHANNEL_A, SPT_FLOAT64, out, LENGTH(out)));
    spt_dataset_free(ds);
    spt_dataset_free(named);
    spt_prep_free(prep);
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(axes_and_windows)
{
    enum { N = 12 };
    spt_ctx *ctx;
    spt_prep *prep;
    double v[N], axis[N], out[N * 5];
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
    OK(ctx, spt_prep_new(ctx, &prep));
    for (int j = 0; j < N; j++) {
        v[j] = 0.3 + 0.01 * j;
        axis[j] = 1e7 / (4000 + 10 * j); /* even in wavenumbers, uneven in nm */
    }
    spt_dataset *ds = dataset(ctx, v, 1, N, axis, SPT_UNIT_REFLECTANCE);
    FAILS(ctx, SPT_EINVAL, "unevenly spaced (5.93437 to 6.23441 nm",
          spt_prep_channels(ctx, prep, ds, SPT_CHANNEL_A_D1, SPT_FLOAT64, out, LENGTH(out)));
    FAILS(ctx, SPT_EINVAL, "spt_prep_add_resample, --resample",
          spt_prep_channels(ctx, prep, ds, SPT_CHANNEL_A_D2, SPT_FLOAT64, out, LENGTH(out)));
    OK(ctx, spt_prep_channels(ctx, prep, ds, SPT_CHANNEL_R | SPT_CHANNEL_A | SPT_CHANNEL_A_SNV,
                              SPT_FLOAT64, out, LENGTH(out)));
    spt_dataset_free(ds);
    FAILS(ctx, SPT_EINVAL, "d1_window is 11 points, but the spectra have 10 bands",
          one(ctx, prep, v, 10, SPT_UNIT_REFLECTANCE, SPT_CHANNEL_ALL, out));
    FAILS(ctx, SPT_EINVAL, "d2_window is 11 points, but the spectra have 10 bands",
          one(ctx, prep, v, 10, SPT_UNIT_REFLECTANCE, SPT_CHANNEL_A_D2, out));
    OK(ctx, one(ctx, prep, v, 11, SPT_UNIT_REFLECTANCE, SPT_CHANNEL_ALL, out));
    FAILS(ctx, SPT_EINVAL, "channel mask is 0", one(ctx, prep, v, N, SPT_UNIT_REFLECTANCE, 0, out));
    FAILS(ctx, SPT_EINVAL, "channel mask is 32",
          one(ctx, prep, v, N, SPT_UNIT_REFLECTANCE, 32, out));
    ds = dataset(ctx, v, 1, N, axis, SPT_UNIT_REFLECTANCE);
    FAILS(ctx, SPT_EINVAL, "type of the channels is 3",
          spt_prep_channels(ctx, prep, ds, SPT_CHANNEL_A, 3, out, LENGTH(out)));
    FAILS(ctx, SPT_ECAPACITY, "the channels are",
          spt_prep_channels(ctx, prep, ds, SPT_CHANNEL_R | SPT_CHANNEL_A, SPT_FLOAT64, out,
                            2 * N - 1));
    OK(ctx,
       spt_prep_channels(ctx, prep, ds, SPT_CHANNEL_R | SPT_CHANNEL_A, SPT_FLOAT64, out, 2 * N));
    FAILS(ctx, SPT_EINVAL, "NULL",
          spt_prep_channels(ctx, NULL, ds, 1, SPT_FLOAT64, out, LENGTH(out)));
    FAILS(ctx, SPT_EINVAL, "NULL", spt_prep_channels(ctx, prep, ds, 1, SPT_FLOAT64, NULL, 0));
    spt_dataset_free(ds);
    spt_prep_free(prep);
    spt_ctx_free(ctx);
}
END_TEST

/* The derivative of a straight line is its slope per unit of the axis, its sign that of the axis.
 */
START_TEST(slope_per_unit_of_the_axis)
{
    enum { N = 12 };
    spt_ctx *ctx;
    spt_prep *prep;
    double v[N], axis[N], out[N * 2];
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
    OK(ctx, spt_prep_new(ctx, &prep));
    for (int sign = -1; sign <= 1; sign += 2) {
        for (int j = 0; j < N; j++) {
            axis[j] = 1000 + sign * 0.25 * j;
            v[j] = 0.2 + 0.003 * (axis[j] - 990) + 0.0004 * (axis[j] - 990) * (axis[j] - 990);
        }
        spt_dataset *ds = dataset(ctx, v, 1, N, axis, SPT_UNIT_ABSORBANCE);
        OK(ctx, spt_prep_channels(ctx, prep, ds, SPT_CHANNEL_A_D1 | SPT_CHANNEL_A_D2, SPT_FLOAT64,
                                  out, LENGTH(out)));
        for (int j = 0; j < N; j++) {
            RELATIVE(out[2 * j], 0.003 + 0.0008 * (axis[j] - 990), 1e-10);
            RELATIVE(out[2 * j + 1], 0.0008, 1e-9);
        }
        spt_dataset_free(ds);
    }
    spt_prep_free(prep);
    spt_ctx_free(ctx);
}
END_TEST

TEST_MAIN("prep_channels", real_spectrum, units_and_directions, masks_and_rows, names,
          constant_spectra, units_that_cannot_be, bad_rows, axes_and_windows,
          slope_per_unit_of_the_axis)
