/* One conformance suite over every sampler, and what TPE is worth on functions with known numbers.
 */
#include "testing.h"

#include "search/sampler.h"
#include "search/tpe.h"

static const char *const KINDS[] = {"tpe", "random", "sobol"};
enum { N_KINDS = 3, MAX_PARAMS = 16, MAX_TRIALS = 1000 };

/* A record of trials kept by the test itself. */
typedef struct record {
    spt_ctx *ctx;
    spt__sampler *sampler;
    int32_t n_params;
    int64_t n;
    double values[MAX_TRIALS * MAX_PARAMS], loss[MAX_TRIALS];
    int32_t state[MAX_TRIALS];
    int64_t sequence[MAX_TRIALS];
} record;

static record *begin(spt_ctx *ctx, const spt_space *space, const char *kind, double seed)
{
    record *r = calloc(1, sizeof *r);
    spt_options *options;
    OK(ctx, spt_sampler_options_new(ctx, &options));
    OK(ctx, spt_options_set_text(options, "sampler", kind));
    OK(ctx, spt_options_set_text(options, "first", "random"));
    OK(ctx, spt_options_set_number(options, "seed", seed));
    OK(ctx, spt__sampler_new(ctx, space, options, &r->sampler, &ctx->err));
    spt_options_free(options);
    r->ctx = ctx;
    r->n_params = spt_space_count(space);
    ck_assert_int_le(r->n_params, MAX_PARAMS);
    return r;
}

static void end(record *r)
{
    spt__sampler_free(r->sampler);
    free(r);
}

static spt__view view(const record *r)
{
    return (spt__view){r->n, r->n_params, r->values, r->loss, r->state, r->sequence, NULL};
}

static int32_t propose_to(record *r, spt__accept_fn accept, void *arg, spt_config **out)
{
    spt__view v = view(r);
    return spt__sampler_propose(r->sampler, &v, r->n, accept, arg, out, &r->ctx->err);
}

static spt_config *propose(record *r)
{
    spt_config *config = NULL;
    ck_assert_int_eq(propose_to(r, NULL, NULL, &config), SPT_OK);
    return config;
}

static void add(record *r, const spt_config *config, double loss)
{
    memcpy(r->values + r->n * r->n_params, config->value, (size_t)r->n_params * sizeof(double));
    r->loss[r->n] = isfinite(loss) ? loss : INFINITY;
    r->state[r->n] = isfinite(loss) ? SPT_TRIAL_COMPLETE : SPT_TRIAL_FAILED;
    r->sequence[r->n] = r->n;
    r->n++;
}

typedef double (*function)(const spt_config *config);

/* Value of a parameter, NaN if it does not exist. */
static double get(const spt_config *config, const char *name)
{
    double v = NAN;
    spt_config_number(config, name, &v);
    return v;
}

static double best_of(spt_ctx *ctx, const spt_space *space, const char *kind, double seed, int n,
                      function f)
{
    record *r = begin(ctx, space, kind, seed);
    double best = INFINITY;
    for (int i = 0; i < n; i++) {
        spt_config *config = propose(r);
        double loss = f(config);
        add(r, config, loss);
        if (loss < best) best = loss;
        spt_config_free(config);
    }
    end(r);
    return best;
}

static void add_bool_condition(spt_ctx *ctx, spt_space *space, const char *child,
                               const char *parent)
{
    const char *const yes = "true";
    OK(ctx, spt_space_add_condition(space, child, parent, SPT_OP_EQ, &yes, 1));
}

/* Every type of parameter, a tree of depth two, a forbidden combination. */
static spt_space *mixed_space(spt_ctx *ctx)
{
    spt_space *s;
    const char *const letters[] = {"a", "b", "c"}, *const sizes[] = {"xs", "s", "m", "l"};
    const char *const two = "2", *const b = "b";
    OK(ctx, spt_space_new(ctx, "mixed", &s));
    OK(ctx, spt_space_add_float(s, "x", -1, 1, 0, 0, 0));
    OK(ctx, spt_space_add_float(s, "lr", 1e-4, 1, 0, 1, 0.01));
    OK(ctx, spt_space_add_float(s, "rate", 0, 0.6, 0.05, 0, 0.2));
    OK(ctx, spt_space_add_int(s, "blocks", 1, 3, 1, 0, 1));
    OK(ctx, spt_space_add_int(s, "units", 8, 512, 8, 1, 64));
    OK(ctx, spt_space_add_categorical(s, "letter", letters, 3, 0));
    OK(ctx, spt_space_add_ordinal(s, "size", sizes, 4, 1));
    OK(ctx, spt_space_add_bool(s, "deep", 0));
    OK(ctx, spt_space_add_int(s, "depth", 1, 9, 2, 0, 3));
    OK(ctx, spt_space_add_float(s, "slope", 0.1, 0.9, 0, 0, 0.5));
    OK(ctx, spt_space_add_int(s, "alone", 7, 7, 1, 0, 7));
    OK(ctx, spt_space_add_condition(s, "deep", "blocks", SPT_OP_GE, &two, 1));
    add_bool_condition(ctx, s, "depth", "deep");
    OK(ctx, spt_space_add_condition(s, "slope", "letter", SPT_OP_EQ, &b, 1));
    OK(ctx, spt_space_forbid(s));
    OK(ctx, spt_space_forbid_term(s, "letter", SPT_OP_EQ, &b, 1));
    OK(ctx, spt_space_forbid_term(s, "blocks", SPT_OP_GE, &two, 1));
    return s;
}

static double mixed(const spt_config *c)
{
    double x = get(c, "x"), depth = get(c, "depth");
    return x * x + fabs(log10(get(c, "lr")) + 2) + (isnan(depth) ? 1 : depth / 9);
}

/* The same trials and seed give the same proposal, also from a sampler made anew; another seed
 * another one. */
START_TEST(determinism)
{
    spt_ctx *ctx;
    spt_ctx_new(NULL, &ctx);
    spt_space *space = mixed_space(ctx);
    for (int k = 0; k < N_KINDS; k++) {
        record *a = begin(ctx, space, KINDS[k], 3), *other = begin(ctx, space, KINDS[k], 4);
        int same_seed = 0, other_seed = 0;
        for (int i = 0; i < 40; i++) {
            spt_config *first = propose(a), *again = propose(a), *c = propose(other);
            record *b = begin(ctx, space, KINDS[k], 3);
            spt__sampler *sampler = a->sampler;
            a->sampler = b->sampler;
            spt_config *fresh = propose(a);
            a->sampler = sampler;
            same_seed += spt_config_equal(first, again) && spt_config_equal(first, fresh);
            other_seed += spt_config_equal(first, c);
            add(a, first, mixed(first));
            add(other, c, mixed(c));
            spt_config_free(first);
            spt_config_free(again);
            spt_config_free(fresh);
            spt_config_free(c);
            end(b);
        }
        ck_assert_int_eq(same_seed, 40);
        ck_assert_int_eq(other_seed, 0);
        end(a);
        end(other);
    }
    spt_space_free(space);
    spt_ctx_free(ctx);
}
END_TEST

/* Unless the options say otherwise, trial 0 has the defaults of the space, whatever the seed; if
 * they are refused, it is drawn. */
static int32_t not_the_defaults(const spt_config *config, void *defaults)
{
    return spt_config_equal(config, defaults) ? SPT_ESHAPE : SPT_OK;
}

START_TEST(the_first_has_the_defaults)
{
    spt_ctx *ctx;
    spt_ctx_new(NULL, &ctx);
    spt_space *space = mixed_space(ctx);
    spt_config *defaults = NULL;
    const spt__view none = {.n_params = spt_space_count(space)};
    OK(ctx, spt_config_new(ctx, space, &defaults));
    for (int k = 0; k < N_KINDS; k++) {
        spt_options *options;
        spt__sampler *s;
        spt_config *c = NULL;
        OK(ctx, spt_sampler_options_new(ctx, &options));
        OK(ctx, spt_options_set_text(options, "sampler", KINDS[k]));
        OK(ctx, spt__sampler_new(ctx, space, options, &s, &ctx->err));
        OK(ctx, spt__sampler_propose(s, &none, 0, NULL, NULL, &c, &ctx->err));
        ck_assert_int_eq(spt_config_equal(c, defaults), 1);
        spt_config_free(c);
        OK(ctx, spt__sampler_propose(s, &none, 0, not_the_defaults, defaults, &c, &ctx->err));
        ck_assert_int_eq(spt_config_equal(c, defaults), 0);
        spt_config_free(c);
        OK(ctx, spt__sampler_propose(s, &none, 1, NULL, NULL, &c, &ctx->err));
        ck_assert_int_eq(spt_config_equal(c, defaults), 0);
        spt_config_free(c);
        spt__sampler_free(s);
        spt_options_free(options);
    }
    spt_config_free(defaults);
    spt_space_free(space);
    spt_ctx_free(ctx);
}
END_TEST

/* Proposals are whole: what exists has a possible value, the rest has none, nothing is forbidden.
 */
START_TEST(proposals_are_valid)
{
    spt_ctx *ctx;
    spt_ctx_new(NULL, &ctx);
    spt_space *space = mixed_space(ctx);
    for (int k = 0; k < N_KINDS; k++) {
        record *r = begin(ctx, space, KINDS[k], 1);
        int deep = 0, slope = 0;
        for (int i = 0; i < 200; i++) {
            spt_config *config = propose(r), *checked = NULL;
            OK(ctx, spt__config_from_values(ctx, space, config->value, &checked, &ctx->err));
            OK(ctx, spt_config_check(config));
            deep += spt_config_exists(config, "depth");
            slope += spt_config_exists(config, "slope");
            NEAR(get(config, "alone"), 7, 0);
            add(r, config, mixed(config));
            spt_config_free(checked);
            spt_config_free(config);
        }
        ck_assert_int_gt(deep, 20);
        ck_assert_int_gt(slope, 3);
        end(r);
    }
    spt_space_free(space);
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(all_failed_or_nan)
{
    spt_ctx *ctx;
    spt_ctx_new(NULL, &ctx);
    spt_space *space = mixed_space(ctx);
    const double losses[] = {INFINITY, NAN, 1e308, -1e308};
    for (int k = 0; k < N_KINDS; k++) {
        for (int l = 0; l < 4; l++) {
            record *r = begin(ctx, space, KINDS[k], 1);
            for (int i = 0; i < 40; i++) {
                spt_config *config = propose(r);
                add(r, config, losses[l]);
                if (isnan(losses[l])) r->loss[r->n - 1] = NAN;
                spt_config_free(config);
            }
            end(r);
        }
    }
    spt_space_free(space);
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(one_point_space)
{
    spt_ctx *ctx;
    spt_ctx_new(NULL, &ctx);
    spt_space *space;
    const char *const only = "only";
    OK(ctx, spt_space_new(ctx, "point", &space));
    OK(ctx, spt_space_add_float(space, "x", 0.25, 0.25, 0, 0, 0.25));
    OK(ctx, spt_space_add_float(space, "l", 1e-3, 1e-3, 0, 1, 1e-3));
    OK(ctx, spt_space_add_int(space, "i", 5, 5, 1, 1, 5));
    OK(ctx, spt_space_add_categorical(space, "c", &only, 1, 0));
    for (int k = 0; k < N_KINDS; k++) {
        record *r = begin(ctx, space, KINDS[k], 1);
        for (int i = 0; i < 30; i++) {
            spt_config *config = propose(r);
            NEAR(get(config, "x"), 0.25, 0);
            NEAR(get(config, "l"), 1e-3, 0);
            NEAR(get(config, "i"), 5, 0);
            NEAR(get(config, "c"), 0, 0);
            add(r, config, 1);
            spt_config_free(config);
        }
        end(r);
    }
    spt_space_free(space);
    spt_ctx_free(ctx);
}
END_TEST

typedef struct judge {
    spt_ctx *ctx;
    int32_t status;
    int calls, refuse; /* refuse the first so many */
} judge;

static int32_t refuse(const spt_config *config, void *arg)
{
    judge *j = arg;
    (void)config;
    if (j->calls++ < j->refuse) return spt__fail(&j->ctx->err, j->status, "not this one");
    return SPT_OK;
}

START_TEST(refusals)
{
    spt_ctx *ctx;
    spt_ctx_new(NULL, &ctx);
    spt_space *space = mixed_space(ctx);
    for (int k = 0; k < N_KINDS; k++) {
        record *r = begin(ctx, space, KINDS[k], 1);
        for (int i = 0; i < 30; i++) {
            spt_config *config = propose(r);
            add(r, config, mixed(config));
            spt_config_free(config);
        }
        spt_config *plain = propose(r), *later = NULL, *none = NULL;
        judge j = {ctx, SPT_ESHAPE, 0, 150};
        ctx->err = (spt__err){0};
        OK(ctx, propose_to(r, refuse, &j, &later));
        ck_assert_int_eq(j.calls, 151);
        ck_assert_int_eq(spt_config_equal(plain, later), 0);
        ck_assert_str_eq(spt_ctx_last_error(ctx), "");

        j = (judge){ctx, SPT_ESHAPE, 0, 1 << 30};
        ck_assert_int_eq(propose_to(r, refuse, &j, &none), SPT_STOP_EXHAUSTED);
        ck_assert_ptr_null(none);
        ck_assert_int_le(j.calls, SPT__ATTEMPTS);
        ck_assert_ptr_nonnull(strstr(spt_ctx_last_error(ctx), "not this one"));

        j = (judge){ctx, SPT_ENOMEM, 0, 1 << 30};
        ck_assert_int_eq(propose_to(r, refuse, &j, &none), SPT_ENOMEM);
        ck_assert_int_eq(j.calls, 1);
        ctx->err = (spt__err){0};
        spt_config_free(plain);
        spt_config_free(later);
        end(r);
    }
    spt_space_free(space);
    spt_ctx_free(ctx);
}
END_TEST

/* ---- worth ---------------------------------------------------------------------------------- */

static double quadratic(const spt_config *c)
{
    double x = get(c, "x") - 3;
    return x * x;
}

static double branin(const spt_config *c)
{
    const double pi = 3.14159265358979323846;
    double x = get(c, "x"), y = get(c, "y");
    double a = y - 5.1 / (4 * pi * pi) * x * x + 5 / pi * x - 6;
    return a * a + 10 * (1 - 1 / (8 * pi)) * cos(x) + 10;
}

/* hyperopt's own thresholds for its TPE: quadratic after 1,000 evaluations 1e-5, Branin after 200
 * 0.7 (the minimum is 0.398). */
START_TEST(hyperopt_thresholds)
{
    spt_ctx *ctx;
    spt_ctx_new(NULL, &ctx);
    spt_space *line, *plane;
    OK(ctx, spt_space_new(ctx, "line", &line));
    OK(ctx, spt_space_add_float(line, "x", -5, 5, 0, 0, 0));
    OK(ctx, spt_space_new(ctx, "plane", &plane));
    OK(ctx, spt_space_add_float(plane, "x", -5, 10, 0, 0, 0));
    OK(ctx, spt_space_add_float(plane, "y", 0, 15, 0, 0, 0));
    ck_assert_double_le(best_of(ctx, line, "tpe", 1, 1000, quadratic), 1e-5);
    ck_assert_double_le(best_of(ctx, plane, "tpe", 1, 200, branin), 0.7);
    spt_space_free(line);
    spt_space_free(plane);
    spt_ctx_free(ctx);
}
END_TEST

/* A function in the shape of a tuned CNN: depth, layers that exist only at that depth, pooling. The
 * minimum is -0.05. */
static spt_space *cnn_space(spt_ctx *ctx)
{
    spt_space *s;
    const char *const acts[] = {"relu", "elu", "tanh"};
    OK(ctx, spt_space_new(ctx, "cnn-like", &s));
    OK(ctx, spt_space_add_int(s, "n", 1, 3, 1, 0, 1));
    OK(ctx, spt_space_add_float(s, "lr", 1e-5, 1e-1, 0, 1, 1e-3));
    OK(ctx, spt_space_add_categorical(s, "act", acts, 3, 0));
    for (int i = 0; i < 3; i++) {
        char filters[] = "filters_0", kernel[] = "kernel_0";
        const char *const values[] = {"1", "2", "3"};
        filters[8] = kernel[7] = (char)('0' + i);
        OK(ctx, spt_space_add_int(s, filters, 8, 128, 1, 1, 16));
        OK(ctx, spt_space_add_int(s, kernel, 3, 41, 2, 0, 5));
        OK(ctx, spt_space_add_condition(s, filters, "n", SPT_OP_GE, &values[i], 1));
        OK(ctx, spt_space_add_condition(s, kernel, "n", SPT_OP_GE, &values[i], 1));
    }
    OK(ctx, spt_space_add_bool(s, "pool", 0));
    OK(ctx, spt_space_add_int(s, "pool_size", 2, 8, 1, 0, 2));
    add_bool_condition(ctx, s, "pool_size", "pool");
    OK(ctx, spt_space_add_float(s, "drop", 0, 0.6, 0.05, 0, 0));
    return s;
}

static double cnn(const spt_config *c)
{
    static const double cost[] = {0, 0.05, 0.3};
    double n = get(c, "n"), lr = log10(get(c, "lr")) + 3, drop = get(c, "drop") - 0.2;
    double f = 0.5 * lr * lr + cost[(int)get(c, "act")] + 0.1 * fabs(n - 2) + 2 * drop * drop;
    for (int i = 0; i < (int)n; i++) {
        char filters[] = "filters_0", kernel[] = "kernel_0";
        filters[8] = kernel[7] = (char)('0' + i);
        double a = log2(get(c, filters)) - 5.5, b = get(c, kernel) - (9 + 6 * i);
        f += 0.15 * a * a / n + 0.002 * b * b / n;
    }
    double pool = get(c, "pool_size") - 3;
    return isnan(pool) ? f : f + 0.02 * pool * pool - 0.05;
}

/* Means of the best of 100 over many seeds elsewhere: random 0.299, univariate TPEs 0.06 to 0.11,
 * with standard deviations of 0.13 and 0.06. Ten seeds: three standard errors are 0.12 and 0.06. */
START_TEST(tpe_beats_random)
{
    spt_ctx *ctx;
    spt_ctx_new(NULL, &ctx);
    spt_space *space = cnn_space(ctx);
    double mean[N_KINDS] = {0};
    for (int k = 0; k < N_KINDS; k++)
        for (int seed = 0; seed < 10; seed++)
            mean[k] += best_of(ctx, space, KINDS[k], seed, 100, cnn) / 10;
    printf("cnn-like: tpe %.4f random %.4f\n", mean[0], mean[1]);
    ck_assert_msg(fabs(mean[1] - 0.299) < 0.12, "random %g", mean[1]);
    ck_assert_msg(mean[0] < 0.20, "tpe %g", mean[0]);
    ck_assert_msg(mean[0] < 0.6 * mean[1], "tpe %g, random %g", mean[0], mean[1]);
    spt_space_free(space);
    spt_ctx_free(ctx);
}
END_TEST

TEST_MAIN("tune_samplers", determinism, the_first_has_the_defaults, proposals_are_valid,
          all_failed_or_nan, one_point_space, refusals, hyperopt_thresholds, tpe_beats_random)
