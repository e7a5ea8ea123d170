/* The adaptive Parzen estimator against numpy: the expected numbers come from a second writing of
 * hyperopt's rules there (np.insert at np.searchsorted, np.diff, np.clip, scipy.stats.norm). */
#include "testing.h"

#include "search/parzen.h"

typedef struct fixture {
    spt_ctx *ctx;
    spt_space *space;
    spt__domain d;
    spt__parzen p;
} fixture;

/* Parameter 0 of the space is the one that is looked at. */
static void begin(fixture *f)
{
    *f = (fixture){0};
    ck_assert_int_eq(spt_ctx_new(NULL, &f->ctx), SPT_OK);
    OK(f->ctx, spt_space_new(f->ctx, "test", &f->space));
}

static void fit(fixture *f, const double *values, int64_t n, double prior_weight,
                int64_t forgetting)
{
    spt__parzen_rule rule = {prior_weight, forgetting};
    spt__domain_init(&f->d, &f->space->parameters[0]);
    OK(f->ctx, spt__parzen_fit(f->ctx, &f->d, values, n, &rule, &f->p, &f->ctx->err));
}

static void end(fixture *f)
{
    spt__parzen_free(f->ctx, &f->p);
    spt_space_free(f->space);
    spt_ctx_free(f->ctx);
}

static void same(const double *got, const double *expected, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        NEAR(got[i], expected[i], 1e-13);
}

static void add_float(fixture *f, double low, double high, double step, int32_t log)
{
    OK(f->ctx, spt_space_add_float(f->space, "x", low, high, step, log, low));
}

START_TEST(uniform)
{
    fixture f;
    begin(&f);
    add_float(&f, -2, 3, 0, 0);
    const double observed[] = {0.5, -1.5, 0.7, 2.9, 0.7};
    const double mean[] = {-1.5, 0.5, 0.5, 0.7, 0.7, 2.9};
    const double sigma[] = {2.0, 5.0, 0.7142857142857143, 0.7142857142857143, 2.2, 2.2};
    const double at[] = {-2, 0.5, 0.71, 3};
    const double log_density[] = {-2.4439658610795525, -0.9833061335429318, -0.9856672333110057,
                                  -2.414901603460377};
    fit(&f, observed, 5, 1, 25);
    ck_assert_int_eq(f.p.n, 6);
    same(f.p.mean, mean, 6);
    same(f.p.sigma, sigma, 6);
    for (int i = 0; i < 4; i++)
        NEAR(spt__parzen_log(&f.p, at[i]), log_density[i], 1e-12);
    end(&f);
}
END_TEST

START_TEST(one_and_no_observation)
{
    fixture f;
    begin(&f);
    add_float(&f, -2, 3, 0, 0);
    const double observed = -1, mean[] = {-1, 0.5}, sigma[] = {2.5, 5};
    fit(&f, &observed, 1, 1, 25);
    same(f.p.mean, mean, 2);
    same(f.p.sigma, sigma, 2);
    NEAR(spt__parzen_log(&f.p, -1), -1.4279508193412962, 1e-12);
    NEAR(spt__parzen_log(&f.p, 2.5), -1.9967271970012073, 1e-12);
    spt__parzen_free(f.ctx, &f.p);
    fit(&f, NULL, 0, 1, 25);
    ck_assert_int_eq(f.p.n, 1);
    NEAR(f.p.mean[0], 0.5, 0);
    NEAR(f.p.sigma[0], 5, 0);
    end(&f);
}
END_TEST

START_TEST(logarithmic_with_forgetting)
{
    fixture f;
    begin(&f);
    add_float(&f, 1e-4, 1, 0, 1);
    const double observed[] = {1e-3, 2e-2, .5, 1e-2, 9e-4, .11, .2};
    const double weight[] = {0.13725490196078433, 0.0196078431372549,  0.27450980392156865,
                             0.13725490196078433, 0.05882352941176471, 0.13725490196078433,
                             0.13725490196078433, 0.09803921568627452};
    const double sigma[] = {1.0233711524417979, 2.302585092994046,  9.210340371976182,
                            1.0233711524417979, 1.7047480922384253, 1.7047480922384253,
                            1.0233711524417979, 1.0233711524417979};
    const double at[] = {1e-4, 1e-3, .3, 1};
    const double log_density[] = {-4.016774329957189, -2.5762456746926055, -2.074668380319573,
                                  -2.640382233993562};
    fit(&f, observed, 7, 2, 3);
    same(f.p.weight, weight, 8);
    same(f.p.sigma, sigma, 8);
    for (int i = 0; i < 4; i++)
        NEAR(spt__parzen_log(&f.p, at[i]), log_density[i], 1e-12);
    end(&f);
}
END_TEST

START_TEST(grids)
{
    fixture f;
    begin(&f);
    OK(f.ctx, spt_space_add_int(f.space, "x", 3, 15, 4, 0, 3));
    const double observed[] = {7, 7, 15, 3};
    const double sigma[] = {4, 4, 2.6666666666666665, 16, 6};
    const double log_mass[] = {-1.31426463749541, -0.9608007472226017, -1.4744785551911619,
                               -2.121566749287695};
    fit(&f, observed, 4, 1, 25);
    same(f.p.sigma, sigma, 5);
    double sum = 0;
    for (int k = 0; k < 4; k++) {
        NEAR(spt__parzen_log(&f.p, 3 + 4 * k), log_mass[k], 1e-12);
        sum += exp(log_mass[k]);
    }
    NEAR(sum, 1, 1e-12);
    end(&f);

    begin(&f);
    OK(f.ctx, spt_space_add_int(f.space, "x", 1, 9, 1, 1, 3));
    const double observed_log[] = {2, 8, 3};
    const double sigma_log[] = {0.5313513813429319, 2.6567569067146595, 0.980829253011726,
                                0.980829253011726};
    const double log_mass_log[] = {-1.5123167238820145, -1.3585187892848565, -1.7866951459041445,
                                   -2.2238926142959285, -2.579231842081709,  -2.8608974335093906,
                                   -3.092170684932964,  -3.290841418852954,  -3.4678327476090938};
    fit(&f, observed_log, 3, 1, 25);
    same(f.p.sigma, sigma_log, 4);
    for (int k = 0; k < 9; k++)
        NEAR(spt__parzen_log(&f.p, k + 1), log_mass_log[k], 1e-12);
    end(&f);
}
END_TEST

START_TEST(categories)
{
    fixture f;
    begin(&f);
    const char *const choices[] = {"a", "b", "c", "d"};
    OK(f.ctx, spt_space_add_categorical(f.space, "x", choices, 4, 0));
    const double observed[] = {3, 0, 0, 1, 3};
    const double log_mass[] = {-1.0986122886681096, -1.3609765531356006, -2.054123733695546,
                               -1.2656663733312756};
    fit(&f, observed, 5, 1, 2);
    for (int k = 0; k < 4; k++)
        NEAR(spt__parzen_log(&f.p, k), log_mass[k], 1e-13);
    end(&f);
}
END_TEST

/* A density on [lo, hi] integrates to 1; that of a continuous logarithmic parameter to its mass
 * there (see spt__parzen_log). Simpson's rule on the scale. */
START_TEST(densities_integrate)
{
    for (int32_t log_scale = 0; log_scale < 2; log_scale++) {
        fixture f;
        begin(&f);
        add_float(&f, 0.1, 4, 0, log_scale);
        const double observed[] = {0.11, 0.5, 3.9, 3.8, 3.85, 1, 2, 0.1, 4};
        fit(&f, observed, 9, 1, 5);
        enum { M = 4000 };
        double sum = 0, h = (f.d.hi - f.d.lo) / M;
        for (int i = 0; i <= M; i++) {
            double s = f.d.lo + h * i;
            double factor = i == 0 || i == M ? 1 : i % 2 ? 4 : 2;
            sum += factor * exp(spt__parzen_log(&f.p, log_scale ? exp(s) : s));
        }
        NEAR(sum * h / 3, log_scale ? exp(f.p.log_accept) : 1, 1e-9);
        ck_assert_double_lt(f.p.log_accept, -0.01);
        end(&f);
    }
}
END_TEST

/* Draws fall into cells as often as the masses say: chi-square with 8 degrees of freedom, whose
 * 99.9 % point is 26.1. */
static double chi_square(const fixture *f, int cells)
{
    enum { DRAWS = 20000 };
    double count[16] = {0}, chi = 0;
    spt__rng rng;
    spt__rng_init(&rng, 1, SPT__RNG_TEST, 0, 0);
    for (int i = 0; i < DRAWS; i++) {
        double v = spt__parzen_draw(&f->p, &rng);
        ck_assert_double_eq(v, spt__space_snap(f->d.parameter, v));
        int64_t k = f->d.points ? spt__space_grid_index(f->d.parameter, v)
                                : (int64_t)((v - f->d.lo) / (f->d.hi - f->d.lo) * cells);
        count[k]++;
    }
    for (int k = 0; k < cells; k++) {
        double mass = 0;
        if (f->d.points) {
            mass = exp(spt__parzen_log(&f->p, spt__space_grid_value(f->d.parameter, k)));
        } else {
            double h = (f->d.hi - f->d.lo) / cells;
            for (int j = 0; j < 100; j++)
                mass += exp(spt__parzen_log(&f->p, f->d.lo + h * (k + (j + 0.5) / 100))) * h / 100;
        }
        chi += (count[k] - DRAWS * mass) * (count[k] - DRAWS * mass) / (DRAWS * mass);
    }
    return chi;
}

START_TEST(draws_follow_the_density)
{
    const double observed[] = {2, 8, 3, 3, 9, 1};
    const char *const choices[] = {"1", "2", "3", "4", "5", "6", "7", "8", "9", "10"};
    for (int kind = 0; kind < 4; kind++) {
        fixture f;
        begin(&f);
        if (kind == 0) add_float(&f, 1, 9, 0, 0);
        if (kind == 1) OK(f.ctx, spt_space_add_int(f.space, "x", 1, 9, 1, 0, 1));
        if (kind == 2) OK(f.ctx, spt_space_add_int(f.space, "x", 1, 9, 1, 1, 1));
        if (kind == 3) OK(f.ctx, spt_space_add_categorical(f.space, "x", choices, 10, 0));
        fit(&f, observed, 6, 1, 4);
        double chi = chi_square(&f, kind == 3 ? 10 : 9);
        ck_assert_msg(chi < 27.9, "kind %d: chi-square %g", kind, chi);
        end(&f);
    }
}
END_TEST

/* Without observations: equal mass per point, or in proportion to the cell's logarithmic width. */
START_TEST(uniform_draws)
{
    for (int32_t log_scale = 0; log_scale < 2; log_scale++) {
        fixture f;
        begin(&f);
        OK(f.ctx, spt_space_add_int(f.space, "x", 2, 18, 2, log_scale, 2));
        fit(&f, NULL, 0, 1, 25);
        enum { DRAWS = 20000 };
        double count[9] = {0}, chi = 0, covered = 0;
        spt__rng rng;
        spt__rng_init(&rng, 2, SPT__RNG_TEST, 0, 0);
        for (int i = 0; i < DRAWS; i++)
            count[(int)(spt__domain_draw(&f.d, &rng) / 2) - 1]++;
        for (int k = 0; k < 9; k++) {
            double from = k == 0 ? 4.0 / 3 : 2 * k + 1, to = 2 * k + 3;
            double mass = log_scale ? log(to / from) / log(19 / (4.0 / 3)) : 1.0 / 9;
            chi += (count[k] - DRAWS * mass) * (count[k] - DRAWS * mass) / (DRAWS * mass);
            covered += mass;
            double a, b;
            spt__domain_cell(&f.d, 2 + 2 * k, &a, &b);
            if (log_scale) NEAR(a, log(from), 1e-14);
            if (log_scale) NEAR(b, log(to), 1e-14);
        }
        NEAR(covered, 1, 1e-13);
        ck_assert_msg(chi < 26.1, "log %d: chi-square %g", log_scale, chi);
        end(&f);
    }
}
END_TEST

TEST_MAIN("tune_parzen", uniform, one_and_no_observation, logarithmic_with_forgetting, grids,
          categories, densities_integrate, draws_follow_the_density, uniform_draws)
