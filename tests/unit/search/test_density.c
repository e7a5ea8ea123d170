/* The densities of TPE against a second writing of their rules, and against 1. The second writing
 * has no sorting, no logarithms, no blocks that are kept and no shortcuts: neighbours are found by
 * looking at everybody, products are products, and every sum is a plain sum. */
#include "histories.h"

#include <spectune/experimental.h>

static const char *const PRESETS[] = {"default", "bergstra2011", "hyperopt",
                                      "optuna3", "optuna5",      "watanabe2023"};
enum { N_PRESETS = 6 };

/* Every kind of parameter, two levels of conditions. */
static spt_space *mixed_space(spt_ctx *ctx)
{
    spt_space *s;
    const char *const letters[] = {"a", "b", "c"}, *const sizes[] = {"xs", "s", "m", "l"};
    const char *const two = "2", *const b = "b", *const yes = "true";
    OK(ctx, spt_space_new(ctx, "mixed", &s));
    OK(ctx, spt_space_add_float(s, "x", -1, 1, 0, 0, 0));
    OK(ctx, spt_space_add_float(s, "lr", 1e-4, 1, 0, 1, 0.01));
    OK(ctx, spt_space_add_int(s, "blocks", 1, 3, 1, 0, 1));
    OK(ctx, spt_space_add_int(s, "units", 8, 512, 8, 1, 64));
    OK(ctx, spt_space_add_categorical(s, "letter", letters, 3, 0));
    OK(ctx, spt_space_add_ordinal(s, "size", sizes, 4, 1));
    OK(ctx, spt_space_add_bool(s, "deep", 0));
    OK(ctx, spt_space_add_int(s, "depth", 1, 9, 2, 0, 3));
    OK(ctx, spt_space_add_float(s, "slope", 0.1, 0.9, 0, 0, 0.5));
    OK(ctx, spt_space_add_int(s, "alone", 7, 7, 1, 0, 7));
    OK(ctx, spt_space_add_float(s, "rate", 0, 0.6, 0.05, 0, 0.2));
    OK(ctx, spt_space_add_condition(s, "deep", "blocks", SPT_OP_GE, &two, 1));
    OK(ctx, spt_space_add_condition(s, "depth", "deep", SPT_OP_EQ, &yes, 1));
    OK(ctx, spt_space_add_condition(s, "rate", "deep", SPT_OP_EQ, &yes, 1));
    OK(ctx, spt_space_add_condition(s, "slope", "letter", SPT_OP_EQ, &b, 1));
    return s;
}

/* ---- the second writing -------------------------------------------------------------------- */

typedef struct recipe {
    bool tree, common, shared, counts, failed_bad, running_bad, all_count, root_gamma;
    bool ends, prior_in_sort, lone_half, log_density, by_rank, by_gain, bad_by_age;
    double gamma, width, floor, exponent, crossover;
} recipe;

static recipe recipe_of(const char *preset)
{
    recipe optuna = {.common = true,
                     .gamma = 0.1,
                     .width = 1,
                     .floor = 0.01,
                     .exponent = 1,
                     .running_bad = true,
                     .bad_by_age = true};
    recipe r = optuna;
    if (!strcmp(preset, "bergstra2011") || !strcmp(preset, "hyperopt")) {
        r = (recipe){.shared = true,
                     .counts = true,
                     .failed_bad = true,
                     .running_bad = true,
                     .all_count = true,
                     .root_gamma = true,
                     .prior_in_sort = true,
                     .lone_half = true,
                     .bad_by_age = true,
                     .width = 1,
                     .floor = 0.01,
                     .exponent = 1};
        r.gamma = !strcmp(preset, "hyperopt") ? 0.25 : 0.15;
    } else if (!strcmp(preset, "optuna3")) {
        r.common = r.running_bad = false;
        r.prior_in_sort = r.log_density = true;
    } else if (!strcmp(preset, "watanabe2023")) {
        r.gamma = 0.15;
        r.ends = r.prior_in_sort = r.by_gain = true;
        r.floor = 0.03;
        r.exponent = 2;
        r.running_bad = r.bad_by_age = false;
    } else if (!strcmp(preset, "default")) {
        r.common = false;
        r.tree = r.by_rank = r.failed_bad = true;
        r.floor = 0.03;
        r.exponent = 2;
        r.crossover = 0.3;
        r.width = 0.7;
    }
    return r;
}

/* Does trial a stand before trial b? */
static bool better(const history *h, int a, int b)
{
    const bool pa = h->state[a] == SPT_TRIAL_PRUNED, pb = h->state[b] == SPT_TRIAL_PRUNED;
    if (pa != pb) return pb;
    if (pa && h->steps[a] != h->steps[b]) return h->steps[a] > h->steps[b];
    return h->loss[a] < h->loss[b] || (h->loss[a] == h->loss[b] && a < b);
}

/* 0 ignored, 1 good, 2 bad; rank[i]: how many stand before. */
static void sort_out(const history *h, const recipe *r, int *side, int *rank)
{
    int counted = 0;
    for (int i = 0; i < N_TRIALS; i++)
        counted +=
            r->all_count || h->state[i] == SPT_TRIAL_COMPLETE || h->state[i] == SPT_TRIAL_PRUNED;
    double wanted = ceil(r->gamma * (r->root_gamma ? sqrt(counted) : counted));
    for (int i = 0; i < N_TRIALS; i++) {
        rank[i] = 0;
        const bool ends = h->state[i] == SPT_TRIAL_COMPLETE || h->state[i] == SPT_TRIAL_PRUNED;
        for (int j = 0; j < N_TRIALS; j++)
            if ((h->state[j] == SPT_TRIAL_COMPLETE || h->state[j] == SPT_TRIAL_PRUNED) && j != i)
                rank[i] += better(h, j, i);
        side[i] = ends                              ? (rank[i] < fmin(wanted, 25) ? 1 : 2)
                  : h->state[i] == SPT_TRIAL_FAILED ? (r->failed_bad ? 2 : 0)
                                                    : (r->running_bad ? 2 : 0);
    }
}

static double value(const history *h, int trial, int d)
{
    return h->values[trial * h->p + d];
}

static double scale(const spt__parameter *q, double v)
{
    return q->log ? log(v) : v;
}

static bool is_category(const spt__parameter *q)
{
    return q->type == SPT_PARAMETER_CATEGORICAL || q->type == SPT_PARAMETER_BOOL;
}

/* The interval of the scale, by the values of the space above: no cell of it is a mirror image. */
static void interval(const spt__parameter *q, double *lo, double *hi)
{
    const double half = q->count > 0 ? q->step / 2 : 0;
    *lo = scale(q, q->low - half);
    *hi = scale(q, q->high + half);
}

static double phi(double z)
{
    return 0.5 * (1 + erf(z / sqrt(2)));
}

/* Kernel of a value (or of the prior, trial -1) at v; n kernels of this parameter on this side. */
static double kernel(const history *h, const recipe *r, const int *side, int mine, int trial, int d,
                     double v, bool norm)
{
    const spt__parameter *q = &h->space->parameters[d];
    int n = 0;
    for (int i = 0; i < N_TRIALS; i++)
        n += side[i] == mine && !isnan(value(h, i, d));
    if (is_category(q)) {
        const double k = (double)q->count, extra = r->counts ? 0 : 1.0 / (n + 1);
        if (trial < 0) return 1 / k;
        return ((value(h, trial, d) == v) + extra) / (1 + k * extra);
    }
    double lo, hi;
    interval(q, &lo, &hi);
    double m = (lo + hi) / 2, sigma = hi - lo;
    if (trial >= 0) {
        /* Neighbours: the largest that stands below and the smallest above, oneself excepted; of
         * equal ones the earlier stands below. */
        m = scale(q, value(h, trial, d));
        double below = -INFINITY, above = INFINITY;
        for (int i = 0; i < N_TRIALS; i++) {
            if (side[i] != mine || isnan(value(h, i, d)) || i == trial) continue;
            const double x = scale(q, value(h, i, d));
            if (x < m || (x == m && i < trial)) below = fmax(below, x);
            if (x > m || (x == m && i > trial)) above = fmin(above, x);
        }
        const double middle = (lo + hi) / 2;
        if (r->prior_in_sort && middle <= m) below = fmax(below, middle);
        if (r->prior_in_sort && middle > m) above = fmin(above, middle);
        const bool use_ends = r->ends || n + r->prior_in_sort == 1;
        if (use_ends && isinf(below)) below = lo;
        if (use_ends && isinf(above)) above = hi;
        sigma = fmax(isinf(below) ? 0 : m - below, isinf(above) ? 0 : above - m);
        if (r->lone_half && n == 1) sigma = (hi - lo) / 2;
        if (mine == 1) sigma *= r->width;
        sigma = fmax(sigma, (hi - lo) * fmax(r->floor, pow(n + 2, -r->exponent)));
        sigma = fmin(sigma, hi - lo);
    }
    const double inside = phi((hi - m) / sigma) - phi((lo - m) / sigma);
    if (norm) return inside;
    double k;
    if (q->count == 0 || (r->log_density && q->log)) {
        const double z = (scale(q, v) - m) / sigma;
        k = exp(-z * z / 2) / (sigma * sqrt(2 * acos(-1.0)));
    } else {
        k = phi((scale(q, v + q->step / 2) - m) / sigma) -
            phi((scale(q, v - q->step / 2) - m) / sigma);
    }
    return r->shared ? k : k / inside;
}

/* Weight of a trial among those of its side that have all parameters of `needs`. */
static double weight(const history *h, const recipe *r, const int *side, const int *rank, int mine,
                     int trial, const bool *needs)
{
    int n = 0, place = 0, before = 0;
    double sum = 0, own = 0, least_bad = INFINITY, ranks = 0;
    for (int i = 0; i < N_TRIALS; i++)
        if (side[i] == 2 && h->state[i] == SPT_TRIAL_COMPLETE)
            least_bad = fmin(least_bad, h->loss[i]);
    for (int i = 0; i < N_TRIALS; i++) {
        bool has = side[i] == mine;
        for (int d = 0; d < h->p; d++)
            has = has && !(needs[d] && isnan(value(h, i, d)));
        if (!has) continue;
        n++;
        place += i < trial;
        before += rank[i] < rank[trial];
        const double gain = fmax(1e-12, least_bad - h->loss[i]);
        sum += gain;
        if (i == trial) own = gain;
    }
    if (mine == 1 && r->by_gain) return own * n / sum;
    if (mine == 1 && r->by_rank) {
        for (int k = 1; k <= n; k++)
            ranks += log((n + 1.0) / k);
        return log((n + 1.0) / (before + 1)) * n / ranks;
    }
    if (mine == 2 && !r->bad_by_age) return 1;
    const int old = n - 25;
    if (place >= old) return 1;
    return old == 1 ? 1.0 / n : 1.0 / n + (1 - 1.0 / n) * place / (old - 1.0);
}

/* Density of the parameters `own` at v, given those of `given`. */
static double factor(const history *h, const recipe *r, const int *side, const int *rank, int mine,
                     const bool *own, const bool *given, const double *v)
{
    bool needs[MOST];
    double above = 0, below = 0, mass = 0;
    const double rho = mine == 1 ? r->crossover : 0;
    for (int d = 0; d < h->p; d++)
        needs[d] = own[d] || given[d];
    for (int i = -1; i < N_TRIALS; i++) {
        double w = 1, top = 1, bottom = 1, inside = 1;
        bool has = i < 0 || side[i] == mine;
        for (int d = 0; i >= 0 && d < h->p; d++)
            has = has && !(needs[d] && isnan(value(h, i, d)));
        if (!has) continue;
        if (i >= 0) w = weight(h, r, side, rank, mine, i, own);
        for (int d = 0; d < h->p; d++) {
            if (!needs[d] || isnan(v[d])) continue;
            if (i < 0 && r->counts && is_category(&h->space->parameters[d]))
                w = (double)h->space->parameters[d].count;
            double k = kernel(h, r, side, mine, i, d, v[d], false);
            if (rho > 0) {
                /* The mixture of this parameter alone, among the trials of the block it belongs to.
                 */
                bool one[MOST] = {false};
                one[d] = true;
                double sum = 0, total = 0;
                for (int j = -1; j < N_TRIALS; j++) {
                    if (j >= 0 && (side[j] != mine || isnan(value(h, j, d)))) continue;
                    const double wj = j < 0 ? 1 : weight(h, r, side, rank, mine, j, one);
                    sum += wj * kernel(h, r, side, mine, j, d, v[d], false);
                    total += wj;
                }
                k = (1 - rho) * k + rho * sum / total;
            }
            if (own[d]) top *= k;
            if (given[d]) bottom *= k;
            if (r->shared && !is_category(&h->space->parameters[d]))
                inside = kernel(h, r, side, mine, i, d, v[d], true);
        }
        above += w * top * bottom;
        below += w * bottom;
        mass += w * inside;
    }
    const bool unscaled = r->shared && own[1]; /* lr: as in hyperopt */
    return r->shared && !unscaled ? above / mass : above / below;
}

/* Which parameters belong together: x lr blocks units letter size | deep | depth rate | slope. */
static int block_of(int d)
{
    static const int block[] = {0, 0, 0, 0, 0, 0, 1, 2, 3, -1, 2};
    return block[d];
}

static double second_writing(const history *h, const recipe *r, int mine, const double *v)
{
    int side[N_TRIALS], rank[N_TRIALS];
    double product = 1;
    sort_out(h, r, side, rank);
    for (int d = 0; d < h->p; d++) {
        bool own[MOST] = {false}, given[MOST] = {false}, first = true;
        if (block_of(d) < 0 || isnan(v[d])) continue;
        const bool together = r->tree || (r->common && block_of(d) == 0);
        for (int e = 0; e < h->p; e++) {
            own[e] = together ? block_of(e) == block_of(d) : e == d;
            if (own[e] && e < d) first = false;
            const int b = block_of(d), c = block_of(e);
            given[e] = r->tree &&
                       ((b == 1 && c == 0) || (b == 2 && (c == 0 || c == 1)) || (b == 3 && c == 0));
        }
        if (first) product *= factor(h, r, side, rank, mine, own, given, v);
    }
    return product;
}

START_TEST(second_opinion)
{
    spt_ctx *ctx;
    history h;
    spt_ctx_new(NULL, &ctx);
    spt_space *space = mixed_space(ctx);
    begin(&h, ctx, space, PRESETS[_i]);
    const recipe r = recipe_of(PRESETS[_i]);
    int deep = 0, slope = 0;
    for (int i = 0; i < 200; i++) {
        double v[MOST], good, bad;
        draw(h.sampler, 1000 + i, v);
        /* Every other one close to a trial, where kernels are steep. */
        if (i % 2) memcpy(v, h.values + i % N_TRIALS * h.p, (size_t)h.p * sizeof *v);
        if (i % 4 == 1) v[0] = fmin(1, v[0] + 0.01 * i / 200);
        spt__tpe_look(h.sampler, v, &good, &bad);
        NEAR(good, log(second_writing(&h, &r, 1, v)), 1e-9);
        NEAR(bad, log(second_writing(&h, &r, 2, v)), 1e-9);
        deep += !isnan(v[7]);
        slope += !isnan(v[8]);
    }
    ck_assert_int_gt(deep, 20);
    ck_assert_int_gt(slope, 20);
    spt__sampler_free(h.sampler);
    spt_space_free(space);
    spt_ctx_free(ctx);
}
END_TEST

/* The public queries say the same as what is inside. */
START_TEST(queries)
{
    spt_ctx *ctx;
    history h;
    spt_sampler *s;
    spt_config *config = NULL;
    double good, bad, g, b;
    spt_ctx_new(NULL, &ctx);
    spt_space *space = mixed_space(ctx);
    begin(&h, ctx, space, "default");
    OK(ctx, spt_sampler_new(ctx, space, NULL, &s));
    /* Told backwards, and running trials twice: the order of telling does not matter. */
    for (int i = N_TRIALS; i-- > 0;) {
        OK(ctx, spt__config_from_values(ctx, space, h.values + i * h.p, &config, &ctx->err));
        if (i % 3 == 0) OK(ctx, spt_sampler_tell(s, i, config, SPT_TRIAL_RUNNING, 0, 0));
        if (i % 3 != 0 || h.state[i] != SPT_TRIAL_RUNNING)
            OK(ctx, spt_sampler_tell(s, i, config, h.state[i], h.loss[i], h.steps[i]));
        spt_config_free(config);
    }
    for (int i = 0; i < 20; i++) {
        double v[MOST];
        draw(h.sampler, 2000 + i, v);
        OK(ctx, spt__tpe_fit(h.sampler, &h.view, &ctx->err));
        spt__tpe_look(h.sampler, v, &good, &bad);
        OK(ctx, spt__config_from_values(ctx, space, v, &config, &ctx->err));
        OK(ctx, spt_sampler_densities(s, config, &g, &b));
        ck_assert_double_eq(good, g);
        ck_assert_double_eq(bad, b);
        spt_config_free(config);
    }
    spt__sampler_free(h.sampler);
    spt_sampler_free(s);
    spt_space_free(space);
    spt_ctx_free(ctx);
}
END_TEST

/* What is kept between asks changes nothing: a sampler that saw every step, one that saw the
 * history grow and shrink, and one that sees it for the first time agree to the bit. */
START_TEST(memory_changes_nothing)
{
    spt_ctx *ctx;
    history h;
    spt__sampler *fresh;
    spt_ctx_new(NULL, &ctx);
    spt_space *space = mixed_space(ctx);
    for (int k = 0; k < N_PRESETS; k++) {
        begin(&h, ctx, space, PRESETS[k]);
        static const int lengths[] = {5, 6, 7, 30, 31, 12, 33, 34, 35, 36, 40, 39, 40};
        for (size_t l = 0; l < sizeof lengths / sizeof lengths[0]; l++) {
            double v[MOST], a, b, c, d;
            spt__view view = h.view;
            view.n = lengths[l];
            OK(ctx, spt__sampler_new(ctx, space, h.sampler->options, &fresh, &ctx->err));
            OK(ctx, spt__tpe_fit(fresh, &view, &ctx->err));
            OK(ctx, spt__tpe_fit(h.sampler, &view, &ctx->err));
            for (int i = 0; i < 20; i++) {
                draw(fresh, 3000 + i, v);
                spt__tpe_look(fresh, v, &a, &b);
                spt__tpe_look(h.sampler, v, &c, &d);
                ck_assert_double_eq(a, c);
                ck_assert_double_eq(b, d);
            }
            spt__sampler_free(fresh);
        }
        spt__sampler_free(h.sampler);
    }
    spt_space_free(space);
    spt_ctx_free(ctx);
}
END_TEST

SUITE_MAIN("search_density", tcase_add_loop_test(tcase, second_opinion, 0, N_PRESETS);
           tcase_add_test(tcase, queries); tcase_add_test(tcase, memory_changes_nothing);)
