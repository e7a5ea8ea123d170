/* Shares against the truth: functions whose shares are known in closed form or follow from one-line
 * integrals, 2,000 random trials, 64 trees, the mean over 10 seeds. */
#include "forests.h"

enum { TRIALS = 2000, TREES = 64, SEEDS = 10, MOST = 8 };
static const double pi = 3.14159265358979323846;

typedef struct problem {
    const char *name;
    int32_t d;
    spt__axis_spec axes[MOST];
    /* Of coordinates in (0, 1), all of them; what does not exist must not be looked at. */
    double (*loss)(const double *x);
    double main[MOST];
    int32_t first, second; /* a pair whose share is known, if first < second */
    double pair;
    double bound;
} problem;

/* ---- the functions ---- */

static double additive(const double *x)
{
    return x[0] + 2 * x[1] + 3 * x[2] + 4 * x[3] + 5 * x[4];
}

static double ishigami(const double *x)
{
    const double a = pi * (2 * x[0] - 1), b = pi * (2 * x[1] - 1), c = pi * (2 * x[2] - 1);
    return sin(a) + 7 * sin(b) * sin(b) + 0.1 * c * c * c * c * sin(a);
}

/* Sobol's g, a = 0, 1, 4.5, 9, 99, 99, 99, 99. */
static const double sobol[] = {0, 1, 4.5, 9, 99, 99, 99, 99};

static double g(const double *x)
{
    double product = 1;
    for (int i = 0; i < 8; i++)
        product *= (fabs(4 * x[i] - 2) + sobol[i]) / (1 + sobol[i]);
    return product;
}

static double exclusive_or(const double *x)
{
    return (x[0] < 0.5) != (x[1] < 0.5);
}

/* The same with the borders where no bin and no group of bins has one. */
static double shifted_or(const double *x)
{
    return (fmod(x[0] + 0.13, 1) < 0.5) != (fmod(x[1] + 0.13, 1) < 0.5);
}

static double product(const double *x)
{
    return (x[0] - 0.5) * (x[1] - 0.5);
}

/* (log10 lr + 3)^2 / 4 + u, lr log-uniform in 1e-5 .. 1e-1. */
static double logarithm(const double *x)
{
    const double l = (-5 + 4 * x[0] + 3) / 2;
    return l * l + x[1];
}

static double one_good(const double *x)
{
    return (x[0] >= 0.25) + x[1];
}

/* a + [n = 2] (0.5 + b) */
static double child(const double *x)
{
    return x[0] + (x[1] < 0.5 ? 0 : 0.5 + x[2]);
}

/* a + [n >= 2] (b + [kind = q] (1 + 2 c)), n in 1 .. 3 */
static double nested(const double *x)
{
    return x[0] + (x[1] < 1.0 / 3 ? 0 : x[2] + (x[3] < 0.5 ? 0 : 1 + 2 * x[4]));
}

static const bool second_of_two[] = {false, true}, upper_of_three[] = {false, true, true};
static const spt__axis_need of_n = {1, second_of_two}, of_n3 = {1, upper_of_three},
                            of_kind = {3, second_of_two};

#define AXIS              \
    {                     \
        .bins = SPT__BINS \
    }
static const problem problems[] = {
    {"additive",
     5,
     {AXIS, AXIS, AXIS, AXIS, AXIS},
     additive,
     {1.0 / 55, 4.0 / 55, 9.0 / 55, 16.0 / 55, 25.0 / 55},
     0,
     0,
     0,
     0.015},
    {"Ishigami", 3, {AXIS, AXIS, AXIS}, ishigami, {0.3139, 0.4424, 0}, 0, 2, 0.2437, 0.03},
    {"g", 8, {AXIS, AXIS, AXIS, AXIS, AXIS, AXIS, AXIS, AXIS}, g, {0}, 0, 1, 0, 0.015},
    {"exclusive or", 4, {AXIS, AXIS, AXIS, AXIS}, exclusive_or, {0}, 0, 1, 1, 0.01},
    {"exclusive or, shifted", 4, {AXIS, AXIS, AXIS, AXIS}, shifted_or, {0}, 0, 1, 1, 0.01},
    {"exclusive or of switches",
     4,
     {{.bins = 2, .categorical = true}, {.bins = 2, .categorical = true}, AXIS, AXIS},
     exclusive_or,
     {0},
     0,
     1,
     1,
     0.01},
    {"product", 2, {AXIS, AXIS}, product, {0}, 0, 1, 1, 0.015},
    {"logarithm", 2, {AXIS, AXIS}, logarithm, {16.0 / 31, 15.0 / 31}, 0, 0, 0, 0.015},
    {"one good of four",
     2,
     {{.bins = 4, .categorical = true}, AXIS},
     one_good,
     {9.0 / 13, 4.0 / 13},
     0,
     0,
     0,
     0.015},
    /* By C.4 (a): Var(a) = 1/12; E[y | n] = .5, 1.5; P(b exists) Var(b) = 1/2 1/12. */
    {"child",
     3,
     {AXIS, {.bins = 2}, {.bins = SPT__BINS, .needs = &of_n, .n_needs = 1}},
     child,
     {2.0 / 9, 6.0 / 9, 1.0 / 9},
     0,
     0,
     0,
     0.015},
    /* 1/12; n: .5 against 2 with 1/3, 2/3; 2/3 1/12; 2/3 1; 1/3 4/12; together 17/12. */
    {"nested",
     5,
     {AXIS,
      {.bins = 3},
      {.bins = SPT__BINS, .needs = &of_n3, .n_needs = 1},
      {.bins = 2, .categorical = true, .needs = &of_n3, .n_needs = 1},
      {.bins = SPT__BINS, .needs = &of_kind, .n_needs = 1}},
     nested,
     {3.0 / 51, 18.0 / 51, 2.0 / 51, 24.0 / 51, 4.0 / 51},
     0,
     0,
     0,
     0.015},
};
enum { PROBLEMS = sizeof problems / sizeof *problems };

/* Sobol's closed form: V_i = 1 / (3 (1 + a_i)^2), V_12 = V_1 V_2, V = prod (1 + V_i) - 1. */
static void fill_g(problem *p)
{
    double v = 1;
    for (int i = 0; i < 8; i++)
        v *= 1 + 1 / (3 * (1 + sobol[i]) * (1 + sobol[i]));
    for (int i = 0; i < 8; i++)
        p->main[i] = 1 / (3 * (1 + sobol[i]) * (1 + sobol[i])) / (v - 1);
    p->pair = p->main[0] * p->main[1] * (v - 1);
}

static void one_seed(spt_ctx *ctx, const problem *p, const spt__lattice *f, uint64_t seed,
                     double *main, double *pair)
{
    static uint16_t code[MOST * TRIALS];
    static double y[TRIALS];
    spt__rng r;
    spt__forest forest;
    spt__err e;
    spt__rng_init(&r, seed, SPT__RNG_TEST, 7, 0);
    for (int i = 0; i < TRIALS; i++) {
        double x[MOST];
        uint16_t latent[MOST], point[MOST];
        for (int32_t j = 0; j < p->d; j++) {
            x[j] = spt__rng_double(&r);
            latent[j] = (uint16_t)(x[j] * p->axes[j].bins);
        }
        settle(f, latent, point);
        for (int32_t j = 0; j < p->d; j++)
            code[j * TRIALS + i] = point[j];
        y[i] = p->loss(x);
    }
    const spt__table t = {f, TRIALS, code, y, NULL};
    const spt__forest_settings s = {
        .seed = seed, .trees = TREES, .max_depth = 64, .min_leaf = 5, .features = 1};
    OK(ctx, spt__forest_grow(ctx, &t, &s, &forest));
    for (int64_t k = 0; k < TREES; k++) {
        spt__leaves leaves;
        double mean[MOST], variance[MOST], own[MOST], both = 0;
        OK(ctx, spt__leaves_new(&forest.trees[k], &leaves, &e));
        OK(ctx, spt__effects_moments(&leaves, mean, variance, &e));
        OK(ctx, spt__effects_main(&leaves, own, NULL, &e));
        if (p->first < p->second)
            OK(ctx,
               spt__effects_subset(&leaves, (const int32_t[]){p->first, p->second}, 2, &both, &e));
        for (int32_t j = 0; j < p->d; j++)
            main[j] += own[j] / variance[0] / TREES / SEEDS;
        *pair += both / variance[0] / TREES / SEEDS;
        spt__leaves_free(&leaves);
    }
    spt__forest_free(&forest);
}

START_TEST(shares)
{
    problem p = problems[_i];
    spt_ctx *ctx = new_ctx();
    spt__lattice f;
    double main[MOST] = {0}, pair = 0, worst = 0;
    if (p.loss == g) fill_g(&p);
    lattice_of(ctx, p.axes, p.d, &f);
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        one_seed(ctx, &p, &f, seed, main, &pair);
    for (int32_t j = 0; j < p.d; j++)
        worst = fmax(worst, fabs(main[j] - p.main[j]));
    if (p.first < p.second) worst = fmax(worst, fabs(pair - p.pair));
    printf("%s: %.4f from the truth, %.3f are allowed\n", p.name, worst, p.bound);
    for (int32_t j = 0; j < p.d; j++)
        ck_assert_msg(fabs(main[j] - p.main[j]) < p.bound, "%s: axis %d has %.4f, not %.4f", p.name,
                      j, main[j], p.main[j]);
    if (p.first < p.second)
        ck_assert_msg(fabs(pair - p.pair) < p.bound, "%s: the pair has %.4f, not %.4f", p.name,
                      pair, p.pair);
    spt__lattice_free(&f);
    spt_ctx_free(ctx);
}
END_TEST

SUITE_MAIN("explain truth", tcase_add_loop_test(tcase, shares, 0, PROBLEMS);)
