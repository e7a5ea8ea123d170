/* The densities of TPE sum and integrate to 1, and nothing that is near is left out of them. */
#include "histories.h"

static double phi(double z)
{
    return 0.5 * (1 + erf(z / sqrt(2)));
}

/* ---- sums to one ----------------------------------------------------------------------------- */

/* Points and weights of Gauss's rule in panels over an interval. */
enum { PANELS = 24, POINTS = 5, NODES = PANELS * POINTS };

static void nodes(double lo, double hi, double *x, double *w)
{
    static const double at[] = {-0.90617984593866399, -0.53846931010568309, 0, 0.53846931010568309,
                                0.90617984593866399};
    static const double share[] = {0.23692688505618909, 0.47862867049936647, 0.56888888888888889,
                                   0.47862867049936647, 0.23692688505618909};
    const double h = (hi - lo) / PANELS;
    for (int i = 0; i < NODES; i++) {
        x[i] = lo + h * (i / POINTS + 0.5 + at[i % POINTS] / 2);
        w[i] = share[i % POINTS] * h / 2;
    }
}

/* letter decides whether slope and size exist; x and slope are continuous, slope logarithmic. */
static spt_space *small_space(spt_ctx *ctx)
{
    spt_space *s;
    const char *const letters[] = {"a", "b", "c"}, *const sizes[] = {"s", "m", "l"}, *const b = "b";
    OK(ctx, spt_space_new(ctx, "small", &s));
    OK(ctx, spt_space_add_float(s, "x", -1, 1, 0, 0, 0));
    OK(ctx, spt_space_add_categorical(s, "letter", letters, 3, 0));
    OK(ctx, spt_space_add_int(s, "units", 2, 20, 3, 1, 8));
    OK(ctx, spt_space_add_float(s, "slope", 0.1, 9, 0, 1, 0.5));
    OK(ctx, spt_space_add_ordinal(s, "size", sizes, 3, 1));
    OK(ctx, spt_space_add_condition(s, "slope", "letter", SPT_OP_EQ, &b, 1));
    OK(ctx, spt_space_add_condition(s, "size", "letter", SPT_OP_EQ, &b, 1));
    return s;
}

START_TEST(densities_sum_to_one)
{
    static const char *const whole[] = {"default", "optuna5", "watanabe2023"};
    spt_ctx *ctx;
    history h;
    double x[NODES], wx[NODES], y[NODES], wy[NODES], sum_good = 0, sum_bad = 0;
    spt_ctx_new(NULL, &ctx);
    spt_space *space = small_space(ctx);
    begin(&h, ctx, space, whole[_i]);
    nodes(-1, 1, x, wx);
    nodes(log(0.1), log(9), y, wy);
    for (int letter = 0; letter < 3; letter++)
        for (int units = 2; units <= 20; units += 3)
            for (int i = 0; i < NODES; i++)
                for (int k = 0; k < (letter == 1 ? 3 * NODES : 1); k++) {
                    double v[] = {x[i], letter, units, NAN, NAN}, w = wx[i], good, bad;
                    if (letter == 1) {
                        v[3] = exp(y[k / 3]);
                        v[4] = k % 3;
                        w *= wy[k / 3];
                    }
                    spt__tpe_look(h.sampler, v, &good, &bad);
                    sum_good += w * exp(good);
                    sum_bad += w * exp(bad);
                }
    NEAR(sum_good, 1, 1e-6);
    NEAR(sum_bad, 1, 1e-6);
    spt__sampler_free(h.sampler);
    spt_space_free(space);
    spt_ctx_free(ctx);
}
END_TEST

/* One parameter at a time, of every kind, without and with trials. */
START_TEST(kernels_sum_to_one)
{
    static const char *const whole[] = {"default", "optuna5", "watanabe2023"};
    const char *const letters[] = {"a", "b", "c", "d"};
    for (int kind = 0; kind < 8; kind++)
        for (int trials = 0; trials < N_TRIALS; trials += 13) {
            spt_ctx *ctx;
            spt_space *s;
            history h;
            double sum_good = 0, sum_bad = 0, good, bad;
            spt_ctx_new(NULL, &ctx);
            OK(ctx, spt_space_new(ctx, "one", &s));
            if (kind == 0) OK(ctx, spt_space_add_float(s, "x", -2, 3, 0, 0, 0));
            if (kind == 1) OK(ctx, spt_space_add_float(s, "x", 1e-5, 10, 0, 1, 1));
            if (kind == 2) OK(ctx, spt_space_add_float(s, "x", 0, 0.6, 0.05, 0, 0));
            if (kind == 3) OK(ctx, spt_space_add_float(s, "x", 0.1, 2, 0.1, 1, 0.1));
            if (kind == 4) OK(ctx, spt_space_add_int(s, "x", 1, 1000, 1, 1, 1));
            if (kind == 5) OK(ctx, spt_space_add_int(s, "x", 1, 21, 4, 1, 1));
            if (kind == 6) OK(ctx, spt_space_add_ordinal(s, "x", letters, 4, 0));
            if (kind == 7) OK(ctx, spt_space_add_categorical(s, "x", letters, 4, 0));
            begin(&h, ctx, s, whole[_i]);
            h.view.n = trials;
            OK(ctx, spt__tpe_fit(h.sampler, &h.view, &ctx->err));
            const spt__domain *d = &h.sampler->domains[0];
            double x[NODES], w[NODES];
            nodes(d->lo, d->hi, x, w);
            for (int64_t k = 0; k < (d->points ? d->points : NODES); k++) {
                double v = d->points           ? spt__space_grid_value(d->parameter, k)
                           : d->parameter->log ? exp(x[k])
                                               : x[k];
                spt__tpe_look(h.sampler, &v, &good, &bad);
                sum_good += exp(good) * (d->points ? 1 : w[k]);
                sum_bad += exp(bad) * (d->points ? 1 : w[k]);
            }
            NEAR(sum_good, 1, 1e-6);
            NEAR(sum_bad, 1, 1e-6);
            spt__sampler_free(h.sampler);
            spt_space_free(s);
            spt_ctx_free(ctx);
        }
}
END_TEST

/* With thousands of trials few kernels matter, and the others are left out; they must not be
 * missed. */
START_TEST(nothing_is_missed)
{
    enum { MANY = 1500 };
    spt_ctx *ctx;
    spt__sampler *s;
    spt_ctx_new(NULL, &ctx);
    spt_space *space;
    OK(ctx, spt_space_new(ctx, "box", &space));
    for (char name[] = "a"; name[0] <= 'd'; name[0]++)
        OK(ctx, spt_space_add_float(space, name, 0, 1, 0, 0, 0));
    OK(ctx, spt__sampler_new(ctx, space, NULL, &s, &ctx->err));
    static double values[4 * MANY], loss[MANY];
    static int32_t state[MANY];
    static int64_t sequence[MANY];
    for (int i = 0; i < MANY; i++) {
        draw(s, i, values + 4 * i);
        sequence[i] = i;
        state[i] = SPT_TRIAL_COMPLETE;
        loss[i] = i;
    }
    const spt__view view = {MANY, 4, values, loss, state, sequence, NULL, NULL, 0};
    OK(ctx, spt__tpe_fit(s, &view, &ctx->err));
    for (int t = 0; t < 50; t++) {
        double v[4], good, bad, sum = 0, total = 1, prior = 1;
        draw(s, 5000 + t, v);
        for (int d = 0; d < 4; d++)
            prior *= exp(-0.5 * (v[d] - 0.5) * (v[d] - 0.5)) /
                     (sqrt(2 * acos(-1.0)) * (phi(0.5) - phi(-0.5)));
        sum = prior;
        /* The first 25 are good. At this number every bandwidth is the least one but those beside
         * gaps, which are worked out in full here. */
        for (int i = 25; i < MANY; i++) {
            double k = 1;
            for (int d = 0; d < 4; d++) {
                const double m = values[4 * i + d];
                double below = -INFINITY, above = INFINITY;
                for (int j = 25; j < MANY; j++) {
                    const double x = values[4 * j + d];
                    if (x < m) below = fmax(below, x);
                    if (x > m) above = fmin(above, x);
                }
                double sigma = fmax(isinf(below) ? 0 : m - below, isinf(above) ? 0 : above - m);
                sigma = fmax(sigma, 0.03);
                const double z = (v[d] - m) / sigma;
                k *= exp(-z * z / 2) /
                     (sigma * sqrt(2 * acos(-1.0)) * (phi((1 - m) / sigma) - phi(-m / sigma)));
            }
            const int n = MANY - 25, old = n - 25, place = i - 25;
            const double w = place >= old ? 1 : 1.0 / n + (1 - 1.0 / n) * place / (old - 1.0);
            sum += w * k;
            total += w;
        }
        spt__tpe_look(s, v, &good, &bad);
        NEAR(bad, log(sum / total), 1e-9);
    }
    spt__sampler_free(s);
    spt_space_free(space);
    spt_ctx_free(ctx);
}
END_TEST

/* Components that do not go together, and options of another kind, are refused. */
START_TEST(refusals)
{
    spt_ctx *ctx;
    spt_options *options;
    spt_sampler *s;
    spt_ctx_new(NULL, &ctx);
    spt_space *space = small_space(ctx);
    OK(ctx, spt_sampler_options_new(ctx, &options));
    OK(ctx, spt_options_set_text(options, "truncate", "mixture"));
    FAILS(ctx, SPT_EINVAL, "structure 'univariate'", spt_sampler_new(ctx, space, options, &s));
    OK(ctx, spt_options_set_text(options, "structure", "univariate"));
    OK(ctx, spt_sampler_new(ctx, space, options, &s));
    spt_sampler_free(s);
    FAILS(ctx, SPT_ENOTFOUND, "crossover", spt_options_set_number(options, "crosover", 0.5));
    FAILS(ctx, SPT_EINVAL, "-1 to 1", spt_options_set_number(options, "crossover", 2));
    FAILS(ctx, SPT_EINVAL, "watanabe2023", spt_options_set_text(options, "preset", "optuna4"));
    spt_options_free(options);
    spt_space_free(space);
    spt_ctx_free(ctx);
}
END_TEST

SUITE_MAIN("search_sums", tcase_add_loop_test(tcase, densities_sum_to_one, 0, 3);
           tcase_add_loop_test(tcase, kernels_sum_to_one, 0, 3);
           tcase_add_test(tcase, nothing_is_missed); tcase_add_test(tcase, refusals);)
