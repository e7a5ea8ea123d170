/* Statistics of agreement, against numpy 1.24 and scipy 1.10. */
#include "testing.h"

#include "model/statistics.h"

/* The root of scipy.special.betainc(df / 2, 1 / 2, df / (df + t^2)) = 0.05 by brentq; the ppf() of
 * scipy.stats.t is good to 1e-9 only below 10 degrees of
 * freedom, but is taken for the two largest, where df + t^2 loses digits. */
START_TEST(t_quantile)
{
    static const double known[][2] = {
        {1, 12.706204736174708},    {2, 4.3026527297494646},      {3, 3.18244630528371},
        {4, 2.7764451051977943},    {5, 2.5705818356363155},      {9, 2.2621571627982053},
        {10, 2.2281388519862748},   {29, 2.0452296421327039},     {42, 2.0180817028184443},
        {99, 1.9842169515864159},   {206, 1.9715466694452364},    {500, 1.964719837467388},
        {1999, 1.9611514201701874}, {2000, 1.9611508260997468},   {2001, 1.9611502326226113},
        {5000, 1.9604385517074587}, {100000, 1.9599877075346093}, {1000000000, 1.9599639869123251},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        RELATIVE(spt__t975(known[i][0]), known[i][1], 2e-12);
    /* Closed forms of one and two degrees of freedom. */
    RELATIVE(spt__t975(1), tan(0.475 * 3.14159265358979323846), 1e-13);
    RELATIVE(spt__t975(2), 0.95 / sqrt(2 * 0.975 * 0.025), 1e-13);
    ck_assert(isnan(spt__t975(0)));
    ck_assert(isnan(spt__t975(NAN)));
}
END_TEST

/* y, p as below; e = p - y; numpy's mean, std(ddof=1), percentile (25, 75), corrcoef, cov(ddof=0);
 * scipy's linregress(p, y) and t.ppf(0.975, 9) * sep / sqrt(10). */
START_TEST(against_numpy)
{
    const double y[] = {12.1, 7.4, 9.9, NAN, 15.2, 3.3, 8.8, 21.0, 11.5, 6.1, 1, 10.4};
    const double p[] = {11.6, 8.0, 9.1, 3, 14.1, 4.9, 8.9, 18.7, 12.8, 6.6, NAN, 10.2};
    spt_statistics s;
    spt_record_init(&s, sizeof s);
    ck_assert_int_eq(spt_statistics_compute(y, p, 12, &s), SPT_OK);
    ck_assert_int_eq(s.n, 10);
    RELATIVE(s.rmse, 1.109053650640942, 1e-13);
    RELATIVE(s.bias, -0.08, 1e-13);
    RELATIVE(s.bias_limit, 0.8341060160043235, 1e-10);
    RELATIVE(s.sep, 1.1659998094148885, 1e-13);
    RELATIVE(s.slope, 1.2204830394993373, 1e-13);
    RELATIVE(s.intercept, -2.2328670843480474, 1e-12);
    RELATIVE(s.r2, 0.944070825432769, 1e-13);
    RELATIVE(s.r2_cor, 0.9762210522378942, 1e-13);
    RELATIVE(s.rpd, 4.457173506153494, 1e-13);
    RELATIVE(s.rpiq, 3.7870124656032136, 1e-13);
    RELATIVE(s.rer, 15.959552533613545, 1e-13);
    RELATIVE(s.ccc, 0.96621937085638, 1e-13);
    RELATIVE(s.mean, 10.57, 1e-13);
    RELATIVE(s.sd, 4.94324454853962, 1e-13);
    /* RMSE^2 = bias^2 + SEP^2 (n - 1) / n */
    RELATIVE(s.rmse * s.rmse, s.bias * s.bias + s.sep * s.sep * 9 / 10, 1e-13);
}
END_TEST

/* numpy.percentile(y[:k], 75) - numpy.percentile(y[:k], 25) for every count modulo 4; values of
 * both signs and ties. */
START_TEST(quartiles)
{
    const double y[] = {12.1, 7.4, 9.9, 15.2, 3.3, 8.8, 21.0};
    const double iqr[] = {2.35, 2.35, 3.6, 4.7, 3.8, 5.55};
    double p[7], shifted[7];
    for (int64_t k = 2; k <= 7; k++) {
        for (int64_t i = 0; i < k; i++) {
            p[i] = y[i] + 1;
            shifted[i] = y[i] - 10;
        }
        spt_statistics s;
        spt_record_init(&s, sizeof s);
        ck_assert_int_eq(spt_statistics_compute(y, p, k, &s), SPT_OK);
        RELATIVE(s.rpiq, iqr[k - 2], 1e-12);
        ck_assert_int_eq(spt_statistics_compute(shifted, y, k, &s), SPT_OK);
        RELATIVE(s.rpiq, iqr[k - 2] / 10, 1e-12);
    }
    const double ties[] = {-0.0, 0.0, 0.0, -1, -1, 2}, zeros[] = {0, 0, 0, 0, 0, 0};
    spt_statistics s;
    spt_record_init(&s, sizeof s);
    ck_assert_int_eq(spt_statistics_compute(ties, zeros, 6, &s), SPT_OK);
    RELATIVE(s.rpiq, 0.75 / 1.0, 1e-12); /* quartiles -0.75 and 0; rmse 1 */
}
END_TEST

START_TEST(edges)
{
    const double y[] = {1, 1, 1}, p[] = {1, 2, 3}, gaps[] = {NAN, NAN, NAN};
    spt_statistics s;
    spt_record_init(&s, sizeof s);
    ck_assert_int_eq(spt_statistics_compute(y, p, 0, &s), SPT_EINVAL);
    ck_assert_int_eq(spt_statistics_compute(y, gaps, 3, &s), SPT_EINVAL);
    ck_assert_int_eq(spt_statistics_compute(NULL, p, 3, &s), SPT_EINVAL);
    /* One pair: what needs two is not a number. */
    ck_assert_int_eq(spt_statistics_compute(y, p + 1, 1, &s), SPT_OK);
    ck_assert(s.n == 1 && s.rmse == 1 && s.bias == 1 && s.mean == 1);
    ck_assert(isnan(s.sep) && isnan(s.bias_limit) && isnan(s.sd) && isnan(s.rpd) && isnan(s.r2));
    ck_assert(isnan(s.slope) && isnan(s.ccc) && isnan(s.rer) && isnan(s.rpiq));
    /* References without variation: no share of it can be explained. */
    ck_assert_int_eq(spt_statistics_compute(y, p, 3, &s), SPT_OK);
    ck_assert(isnan(s.r2) && isnan(s.r2_cor) && s.slope == 0 && s.intercept == 1 && s.sd == 0);
    /* Predictions without variation. */
    ck_assert_int_eq(spt_statistics_compute(p, y, 3, &s), SPT_OK);
    ck_assert(isnan(s.slope) && isnan(s.intercept) && isnan(s.r2_cor) && s.r2 == -1.5);
    /* A shorter record of an older program is not written past its end. */
    struct {
        spt_statistics s;
        double guard;
    } old = {.guard = 7};
    spt_record_init(&old.s, 32);
    old.s.sep = 7;
    ck_assert_int_eq(spt_statistics_compute(y, p, 3, &old.s), SPT_OK);
    ck_assert(old.s.bias == 1 && old.s.sep == 7 && old.s.struct_size == 32);
}
END_TEST

TEST_MAIN("model_statistics", t_quantile, against_numpy, quartiles, edges)
