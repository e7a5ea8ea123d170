#include "testing.h"

#include "base/rng.h"

#include <stdbool.h>

/* Random123, kat_vectors: philox4x32 10 */
START_TEST(known_answers)
{
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } cases[] = {{{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
                 {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
                  {0xffffffff, 0xffffffff},
                  {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
                 {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
                  {0xa4093822, 0x299f31d0},
                  {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t out[4];
        spt__philox(cases[i].key, cases[i].counter, out);
        for (int j = 0; j < 4; j++)
            ck_assert_uint_eq(out[j], cases[i].out[j]);
    }
}
END_TEST

/* Recorded results depend on these numbers: a change here breaks every study on file. */
START_TEST(streams_never_change)
{
    spt__rng r;
    spt__rng_init(&r, 0, (spt__rng_purpose)0, 0, 0);
    ck_assert_uint_eq(spt__rng_u32(&r), 0x6627e8d5);
    ck_assert_uint_eq(spt__rng_u32(&r), 0xe169c58d);
    ck_assert_uint_eq(spt__rng_u64(&r), UINT64_C(0x9b00dbd8bc57ac4c));
    spt__rng_init(&r, UINT64_C(0x299f31d0a4093822), SPT__RNG_SAMPLE, 7, 3);
    const uint32_t key[2] = {0xa4093822, 0x299f31d0};
    const uint32_t counter[4] = {0, 7, 3 << 12, SPT__RNG_SAMPLE << 24};
    uint32_t out[4];
    spt__philox(key, counter, out);
    for (int i = 0; i < 4; i++)
        ck_assert_uint_eq(spt__rng_u32(&r), out[i]);
}
END_TEST

enum { STREAMS = 7 * 6 * 6 * 4 };

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, 16);
}

START_TEST(streams_differ)
{
    static uint64_t first[STREAMS][2];
    static const uint64_t numbers[] = {0,         1, 77, (UINT64_C(1) << 44) - 1, UINT64_C(1) << 44,
                                       UINT64_MAX};
    static const uint64_t seeds[] = {0, 1, UINT64_C(1) << 32, UINT64_MAX};
    int n = 0;
    for (int p = 0; p < 7; p++)
        for (int i = 0; i < 6; i++)
            for (int j = 0; j < 6; j++)
                for (int k = 0; k < 4; k++) {
                    spt__rng r;
                    spt__rng_init(&r, seeds[k], (spt__rng_purpose)(p + 1), numbers[i], numbers[j]);
                    first[n][0] = spt__rng_u64(&r);
                    first[n++][1] = spt__rng_u64(&r);
                }
    ck_assert_int_eq(n, STREAMS);
    qsort(first, STREAMS, sizeof first[0], compare);
    for (int i = 1; i < STREAMS; i++)
        ck_assert(compare(first[i - 1], first[i]) != 0);
}
END_TEST

START_TEST(a_stream_outlives_its_counter)
{
    spt__rng r;
    spt__rng_init(&r, 5, SPT__RNG_TEST, 1, 2);
    uint32_t start[4];
    for (int i = 0; i < 4; i++)
        start[i] = spt__rng_u32(&r);
    r.counter[0] = UINT32_MAX;
    for (int i = 0; i < 4; i++)
        spt__rng_u32(&r);
    ck_assert_uint_eq(r.counter[0], 0);
    int same = 0;
    for (int i = 0; i < 4; i++)
        same += spt__rng_u32(&r) == start[i];
    ck_assert_int_lt(same, 4);
}
END_TEST

START_TEST(uniform_numbers_are_uniform)
{
    enum { N = 200000, CELLS = 100 };
    spt__rng r;
    spt__rng_init(&r, 3, SPT__RNG_TEST, 0, 0);
    int cells[CELLS] = {0}, below[7] = {0};
    for (int i = 0; i < N; i++) {
        double u = spt__rng_double(&r);
        ck_assert(u >= 0 && u < 1);
        cells[(int)(u * CELLS)]++;
        uint64_t k = spt__rng_below(&r, 7);
        ck_assert_uint_lt(k, 7);
        below[k]++;
    }
    double chi = 0;
    for (int i = 0; i < CELLS; i++)
        chi += pow(cells[i] - (double)N / CELLS, 2) / ((double)N / CELLS);
    ck_assert_msg(chi > 50 && chi < 160, "chi-squared with 99 degrees of freedom: %g", chi);
    chi = 0;
    for (int i = 0; i < 7; i++)
        chi += pow(below[i] - N / 7.0, 2) / (N / 7.0);
    ck_assert_msg(chi < 25, "chi-squared with 6 degrees of freedom: %g", chi);
    ck_assert_uint_eq(spt__rng_below(&r, 1), 0);
    for (int i = 0; i < 100; i++)
        ck_assert_uint_lt(spt__rng_below(&r, (UINT64_C(1) << 63) + 1), (UINT64_C(1) << 63) + 1);
}
END_TEST

START_TEST(normal_numbers_are_normal)
{
    enum { N = 200000 };
    spt__rng r;
    spt__rng_init(&r, 4, SPT__RNG_TEST, 0, 0);
    double sum[5] = {0};
    for (int i = 0; i < N; i++) {
        double x = spt__rng_normal(&r), power = 1;
        ck_assert(isfinite(x));
        for (int k = 1; k < 5; k++)
            sum[k] += power *= x;
    }
    NEAR(sum[1] / N, 0, 0.01);
    NEAR(sum[2] / N, 1, 0.015);
    NEAR(sum[3] / N, 0, 0.04);
    NEAR(sum[4] / N, 3, 0.03);
}
END_TEST

/* Newton's method on the distribution function, in long double. */
static double quantile_by_erfc(double p)
{
    const long double root_half = 0.70710678118654752440084436210484904L;
    const long double density = 0.39894228040143267793994605993438187L;
    const bool upper = p > 0.5;
    const long double target = upper ? 1.0L - (long double)p : (long double)p;
    long double x = target > 0.02425L ? 0.0L : -sqrtl(-2 * logl(target));
    for (int i = 0; i < 200; i++) {
        long double error = 0.5L * erfcl(-x * root_half) - target;
        long double step = error / (density * expl(-0.5L * x * x));
        if (step > 1) step = 1;
        if (step < -1) step = -1;
        x -= step;
        if (fabsl(step) < 1e-19L * fabsl(x)) break;
    }
    return (double)(upper ? -x : x);
}

START_TEST(normal_quantiles_match_the_distribution)
{
    static const double ps[] = {1e-300, 1e-100, 1e-50,  1e-20, 1e-12, 1e-6, 1e-3,  0.01,
                                0.0749, 0.075,  0.0751, 0.1,   0.25,  0.4,  0.499, 0.501,
                                0.6,    0.75,   0.9,    0.925, 0.975, 0.99, 0.999, 0x1.fffffp-1};
    /* Where a long double is a double (valgrind computes so), the reference is no better than what
     * it is to judge. */
    const volatile long double one = 1, little = 1e-18L;
    const double tolerance = one + little > one ? 1e-15 : 1e-13;
    for (size_t i = 0; i < sizeof ps / sizeof ps[0]; i++)
        RELATIVE(spt__normal_quantile(ps[i]), quantile_by_erfc(ps[i]), tolerance);
    for (int i = 1; i < 1000; i++)
        if (i != 500)
            RELATIVE(spt__normal_quantile(i / 1000.0), quantile_by_erfc(i / 1000.0), tolerance);
    ck_assert(spt__normal_quantile(0.5) == 0);
    ck_assert(isinf(spt__normal_quantile(0)) && isinf(spt__normal_quantile(1)));
    ck_assert(isnan(spt__normal_quantile(-0.1)) && isnan(spt__normal_quantile(NAN)));
}
END_TEST

START_TEST(shuffles_are_fair_permutations)
{
    int count[4][4] = {{0}};
    for (uint64_t t = 0; t < 24000; t++) {
        int64_t items[4] = {0, 1, 2, 3};
        spt__rng r;
        spt__rng_init(&r, 1, SPT__RNG_TEST, t, 0);
        spt__rng_shuffle(&r, items, 4);
        int seen = 0;
        for (int i = 0; i < 4; i++) {
            count[i][items[i]]++;
            seen |= 1 << items[i];
        }
        ck_assert_int_eq(seen, 15);
    }
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
            ck_assert_msg(abs(count[i][j] - 6000) < 350, "%d at %d: %d", j, i, count[i][j]);
    spt__rng r;
    spt__rng_init(&r, 1, SPT__RNG_TEST, 0, 0);
    spt__rng_shuffle(&r, NULL, 0);
}
END_TEST

TEST_MAIN("base: rng", known_answers, streams_never_change, streams_differ,
          a_stream_outlives_its_counter, uniform_numbers_are_uniform, normal_numbers_are_normal,
          normal_quantiles_match_the_distribution, shuffles_are_fair_permutations)
