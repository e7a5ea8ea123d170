/* Savitzky-Golay against exact rational least squares, scipy, polynomials and the real spectrum. */
#include "testing.h"

#include "nirsoil_row.h"

#include "prep/savgol.h"

enum { N = 41, CHECKED = 7 };

static const int at[CHECKED] = {0, 1, 3, 20, 23, 38, 40};

/* Least squares of each window of y[j] = (37 j^2 + 11 j) mod 101 in rational numbers (Python's
 * fractions), evaluated at the window's middle or, at the ends, at the band itself. scipy 1.10.1
 * savgol_filter(mode='interp') agrees to 1e-11, with order 8 on wide windows only to 7e-8. */
static const struct {
    int window, order, derivative;
    double spacing, value[CHECKED];
} exact[] = {
    {5,
     2,
     0,
     1.0,
     {0.0, 48.0, 54.34285714285714, 63.34285714285714, 47.31428571428572, 30.314285714285713,
      52.885714285714286}},
    {11,
     2,
     1,
     2.0,
     {6.924358974358975, 5.902214452214452, 3.857925407925408, 1.3136363636363637, -2.0,
      0.7489510489510489, 2.236130536130536}},
    {11,
     2,
     2,
     2.0,
     {-0.5110722610722611, -0.5110722610722611, -0.5110722610722611, -0.5110722610722611,
      -0.5699300699300699, 0.3717948717948718, 0.3717948717948718}},
    {15,
     3,
     2,
     0.5,
     {-23.807943690296632, -21.47209653092006, -16.80040221216692, -7.457013574660634,
      0.8345184227537169, 0.6531638296344179, 2.278100983983337}},
    {7,
     3,
     3,
     1.0,
     {16.833333333333332, 16.833333333333332, 16.833333333333332, -16.833333333333332, 0.0,
      16.833333333333332, 16.833333333333332}},
    {9,
     4,
     4,
     -2.0,
     {-0.8828671328671329, -0.8828671328671329, -0.8828671328671329, 0.13243006993006992,
      -0.8828671328671329, 0.618006993006993, 0.618006993006993}},
    {21,
     8,
     0,
     1.0,
     {1.0119862146848653, 47.20748067524679, 62.360167694689906, 64.11074772211417,
      66.4526860408805, 38.58866219658455, 51.781824672079544}},
    {21,
     8,
     4,
     0.25,
     {8090.94822321406, 2754.9228747206816, -1550.202528787206, -231.95969800445494,
      834.5138083589784, 4210.721091278037, 15089.486126628562}},
    {41,
     8,
     2,
     -1.0,
     {9.740296170147149, 0.6449578378298848, -6.253258250848182, -1.8242958984018243,
      -0.8802598935171811, 5.069792459735659, 28.562594885069437}},
    {9,
     8,
     1,
     3.0,
     {181.93968253968254, -14.711904761904762, -15.237301587301587, 13.242063492063492,
      -1.3333333333333333, -11.606349206349206, -152.8904761904762}},
    {3, 1, 1, -1.0, {-34.5, -34.5, 19.5, -26.5, 4.0, 5.0, -18.5}},
    {13,
     0,
     0,
     1.0,
     {51.38461538461539, 51.38461538461539, 51.38461538461539, 53.92307692307692, 50.76923076923077,
      47.53846153846154, 47.53846153846154}},
};

START_TEST(exact_least_squares)
{
    spt_ctx *ctx;
    double y[N], out[N];
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
    for (int j = 0; j < N; j++)
        y[j] = (37 * j * j + 11 * j) % 101;
    for (size_t i = 0; i < sizeof exact / sizeof exact[0]; i++) {
        OK(ctx, spt_prep_savgol(ctx, y, N, exact[i].spacing, exact[i].window, exact[i].order,
                                exact[i].derivative, out));
        double largest = 0;
        for (int k = 0; k < CHECKED; k++)
            largest = fmax(largest, fabs(exact[i].value[k]));
        for (int k = 0; k < CHECKED; k++)
            ck_assert_msg(fabs(out[at[k]] - exact[i].value[k]) <= 1e-13 * largest,
                          "window %d order %d derivative %d, band %d: %.17g, exact %.17g",
                          exact[i].window, exact[i].order, exact[i].derivative, at[k], out[at[k]],
                          exact[i].value[k]);
    }
    spt_ctx_free(ctx);
}
END_TEST

/* All orders and derivatives give back a polynomial of the full order and its derivatives, in every
 * band, ends too. */
START_TEST(polynomials_come_back)
{
    spt_ctx *ctx;
    double y[N], out[N];
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
    for (int order = 0; order <= 8; order++)
        for (int derivative = 0; derivative <= 4 && derivative <= order; derivative++)
            for (int window = order + 1 + order % 2; window <= 23; window += 4) {
                double want[N], largest = 0;
                for (int j = 0; j < N; j++) {
                    double x = (j - 20) / 20.0;
                    y[j] = want[j] = 0;
                    for (int k = 0; k <= order; k++) {
                        double factor = 1.0 / (k + 1);
                        y[j] += factor * pow(x, k);
                        for (int d = 0; d < derivative; d++)
                            factor *= k - d;
                        if (k >= derivative) want[j] += factor * pow(x, k - derivative);
                    }
                    largest = fmax(largest, fabs(want[j]));
                }
                OK(ctx, spt_prep_savgol(ctx, y, N, 1 / 20.0, window, order, derivative, out));
                /* What the last bit of y may do at the end of the window, as bound: the k-th
                 * derivative of an interpolating polynomial grows with (2 k^2 / width)^k. */
                double width = (window > 1 ? window - 1 : 1) / 20.0, noise = 4e-16;
                for (int d = 0; d < derivative; d++)
                    noise *= 2.0 * order * order / width;
                double bound = 1e-12 * largest + 30 * noise;
                if (order == window - 1)
                    bound *= 1000; /* no value too many: nothing averages out */
                for (int j = 0; j < N; j++)
                    ck_assert_msg(fabs(out[j] - want[j]) <= bound,
                                  "order %d derivative %d window %d band %d: %.17g, %.17g", order,
                                  derivative, window, j, out[j], want[j]);
            }
    spt_ctx_free(ctx);
}
END_TEST

/* A constant has exactly no derivative and is its own smoothing, whatever its bits. */
START_TEST(constants_are_exact)
{
    spt_ctx *ctx;
    double y[N], out[N];
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
    for (int j = 0; j < N; j++)
        y[j] = 0.1;
    for (int derivative = 0; derivative <= 4; derivative++) {
        OK(ctx, spt_prep_savgol(ctx, y, N, 0.7, 15, 5, derivative, out));
        for (int j = 0; j < N; j++)
            ck_assert(out[j] == (derivative == 0 ? 0.1 : 0.0));
    }
    spt_ctx_free(ctx);
}
END_TEST

/* The same spectrum written from the other end has the same derivatives, to the bit. */
START_TEST(descending_axis)
{
    spt_ctx *ctx;
    double y[N], back[N], out[N], out_back[N];
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
    for (int j = 0; j < N; j++)
        back[N - 1 - j] = y[j] = sin(j / 5.0) + 0.1 * j;
    for (int derivative = 0; derivative <= 4; derivative++) {
        OK(ctx, spt_prep_savgol(ctx, y, N, 0.3, 9, 4, derivative, out));
        OK(ctx, spt_prep_savgol(ctx, back, N, -0.3, 9, 4, derivative, out_back));
        for (int j = 0; j < N; j++)
            ck_assert(out[j] == out_back[N - 1 - j]);
        OK(ctx, spt_prep_savgol(ctx, y, N, -0.3, 9, 4, derivative, out_back));
        for (int j = 0; j < N; j++)
            ck_assert(out[j] == (derivative % 2 ? -1 : 1) * out_back[j]);
    }
    spt_ctx_free(ctx);
}
END_TEST

/* Values published with the data set, spacing 2 nm; made by scipy 1.10.1, checked with prospectr.
 */
START_TEST(real_spectrum)
{
    spt_ctx *ctx;
    double out[700];
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
    OK(ctx, spt_prep_savgol(ctx, nirsoil_row, 700, 2, 11, 2, 1, out));
    RELATIVE(out[0], -1.059451049e-04, 1e-8);
    RELATIVE(out[1], -1.079206294e-04, 1e-8);
    RELATIVE(out[5], -1.158227273e-04, 1e-8);
    RELATIVE(out[350], -6.731363636e-05, 1e-8);
    RELATIVE(out[694], 1.080727273e-04, 1e-8);
    OK(ctx, spt_prep_savgol(ctx, nirsoil_row, 700, 2, 11, 2, 2, out));
    RELATIVE(out[5], -9.877622378e-07, 1e-8);
    RELATIVE(out[6], -1.240675991e-06, 1e-8);
    RELATIVE(out[350], -2.140442890e-06, 1e-8);
    OK(ctx, spt_prep_savgol(ctx, nirsoil_row, 700, 2, 15, 3, 2, out));
    RELATIVE(out[7], -1.205074337e-06, 1e-8);
    RELATIVE(out[350], -1.836457660e-06, 1e-8);
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(shortest_and_window_of_all)
{
    spt_ctx *ctx;
    double y[5] = {1, 4, 9, 16, 25}, out[5] = {0};
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
    OK(ctx, spt_prep_savgol(ctx, y, 1, 1, 1, 0, 0, out));
    ck_assert(out[0] == 1 && out[1] == 0);
    OK(ctx, spt_prep_savgol(ctx, y, 5, 1, 5, 2, 1, out));
    for (int j = 0; j < 5; j++)
        NEAR(out[j], 2.0 * (j + 1), 1e-14);
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(bad_arguments)
{
    spt_ctx *ctx;
    double y[N] = {0}, out[N];
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
    FAILS(ctx, SPT_EINVAL, "window is 10 points; an odd",
          spt_prep_savgol(ctx, y, N, 1, 10, 2, 1, out));
    FAILS(ctx, SPT_EINVAL, "window is -3 points", spt_prep_savgol(ctx, y, N, 1, -3, 2, 1, out));
    FAILS(ctx, SPT_EINVAL, "window is 0 points", spt_prep_savgol(ctx, y, N, 1, 0, 0, 0, out));
    FAILS(ctx, SPT_EINVAL, "window is 43 points, but there are 41 values",
          spt_prep_savgol(ctx, y, N, 1, 43, 2, 1, out));
    FAILS(ctx, SPT_EINVAL, "window is 3 points; order 3 needs more",
          spt_prep_savgol(ctx, y, N, 1, 3, 3, 1, out));
    FAILS(ctx, SPT_EINVAL, "order is 1; 2", spt_prep_savgol(ctx, y, N, 1, 5, 1, 2, out));
    FAILS(ctx, SPT_EINVAL, "order is 9", spt_prep_savgol(ctx, y, N, 1, 21, 9, 2, out));
    FAILS(ctx, SPT_EINVAL, "derivative is 5", spt_prep_savgol(ctx, y, N, 1, 21, 8, 5, out));
    FAILS(ctx, SPT_EINVAL, "derivative is -1", spt_prep_savgol(ctx, y, N, 1, 21, 8, -1, out));
    FAILS(ctx, SPT_EINVAL, "spacing is 0", spt_prep_savgol(ctx, y, N, 0, 5, 2, 1, out));
    FAILS(ctx, SPT_EINVAL, "spacing is", spt_prep_savgol(ctx, y, N, NAN, 5, 2, 1, out));
    FAILS(ctx, SPT_EINVAL, "spacing 1e-200 is too near",
          spt_prep_savgol(ctx, y, N, 1e-200, 5, 2, 2, out));
    FAILS(ctx, SPT_EINVAL, "NULL", spt_prep_savgol(ctx, NULL, N, 1, 5, 2, 1, out));
    FAILS(ctx, SPT_EINVAL, "NULL", spt_prep_savgol(ctx, y, N, 1, 5, 2, 1, NULL));
    FAILS(ctx, SPT_EINVAL, "there are -1 values", spt_prep_savgol(ctx, y, -1, 1, 5, 2, 1, out));
    ck_assert_int_eq(spt_prep_savgol(NULL, y, N, 1, 5, 2, 1, out), SPT_EINVAL);
    spt_ctx_free(ctx);
}
END_TEST

TEST_MAIN("prep_savgol", exact_least_squares, polynomials_come_back, constants_are_exact,
          descending_axis, real_spectrum, shortest_and_window_of_all, bad_arguments)
