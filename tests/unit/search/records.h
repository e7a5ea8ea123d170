/* Samplers of every kind, and a record of trials kept by the test itself. */
#ifndef SPT_TESTS_SEARCH_RECORDS_H
#define SPT_TESTS_SEARCH_RECORDS_H

#include "testing.h"

#include "search/sampler.h"

/* Samplers by name, presets of TPE, a host's own, a list of given configurations. The first so many
 * draw by seed. */
static const char *const KINDS[] = {"tpe",      "random",  "sobol",   "bergstra2011",
                                    "hyperopt", "optuna3", "optuna5", "watanabe2023",
                                    "host",     "given",   "grid"};
enum { N_KINDS = 11, N_SEEDED = 9, N_GIVEN = 400, MAX_PARAMS = 16, MAX_TRIALS = 1000 };

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

/* Uniform, as a host may do it. */
static inline int32_t host_draw(const spt_trials *trials, int64_t sequence, int32_t attempt,
                                uint64_t seed, spt_config *config, void *user)
{
    (void)user;
    const spt_space *space = spt_config_space(config);
    ck_assert_int_ge(spt_trials_count(trials), 0);
    for (int32_t i = 0; i < space->n; i++) {
        const char *name = space->parameters[i].name;
        if (spt_config_exists(config, name) != 1) continue;
        spt__domain d;
        spt__rng rng;
        spt__domain_init(&d, &space->parameters[i]);
        spt__rng_init(&rng, seed, SPT__RNG_TEST, (uint64_t)sequence,
                      (uint64_t)(attempt * MAX_PARAMS + i));
        OK(config->ctx, spt_config_set_number(config, name, spt__domain_draw(&d, &rng)));
    }
    return SPT_OK;
}

static inline spt__sampler *new_given(spt_ctx *ctx, const spt_space *space, double seed)
{
    spt_config *list[N_GIVEN] = {NULL};
    spt__sampler *random = NULL, *s = NULL;
    spt_options *options;
    OK(ctx, spt_sampler_options_new(ctx, &options));
    OK(ctx, spt_options_set_text(options, "sampler", "random"));
    OK(ctx, spt_options_set_number(options, "seed", seed));
    OK(ctx, spt__sampler_new(ctx, space, options, &random, &ctx->err));
    for (int i = 0; i < N_GIVEN; i++)
        OK(ctx, spt_sampler_propose(random, i, &list[i]));
    OK(ctx, spt_sampler_new_given(ctx, space, (const spt_config *const *)list, N_GIVEN, &s));
    for (int i = 0; i < N_GIVEN; i++)
        spt_config_free(list[i]);
    spt__sampler_free(random);
    spt_options_free(options);
    return s;
}

static inline spt_options *options_of(spt_ctx *ctx, const char *kind, double seed)
{
    spt_options *options;
    OK(ctx, spt_sampler_options_new(ctx, &options));
    if (spt_options_set_text(options, "sampler", kind) < 0)
        (void)spt_options_set_text(options, "preset", kind);
    OK(ctx, spt_options_set_text(options, "first", "random"));
    OK(ctx, spt_options_set_number(options, "seed", seed));
    return options;
}

static inline record *begin(spt_ctx *ctx, const spt_space *space, const char *kind, double seed)
{
    record *r = calloc(1, sizeof *r);
    spt_options *options = options_of(ctx, kind, seed);
    if (!strcmp(kind, "given"))
        r->sampler = new_given(ctx, space, seed);
    else if (!strcmp(kind, "host"))
        OK(ctx, spt_sampler_new_host(ctx, space, options, host_draw, NULL, NULL, &r->sampler));
    else
        OK(ctx, spt__sampler_new(ctx, space, options, &r->sampler, &ctx->err));
    spt_options_free(options);
    ctx->err = (spt__err){0};
    r->ctx = ctx;
    r->n_params = spt_space_count(space);
    ck_assert_int_le(r->n_params, MAX_PARAMS);
    return r;
}

static inline void end(record *r)
{
    spt__sampler_free(r->sampler);
    free(r);
}

static inline spt__view view(const record *r)
{
    return (spt__view){r->n, r->n_params, r->values, r->loss, r->state, r->sequence, NULL, NULL, 0};
}

static inline int32_t propose_to(record *r, spt__accept_fn accept, void *arg, spt_config **out)
{
    spt__view v = view(r);
    return spt__sampler_propose(r->sampler, &v, r->n, accept, arg, out, &r->ctx->err);
}

static inline spt_config *propose(record *r)
{
    spt_config *config = NULL;
    ck_assert_int_eq(propose_to(r, NULL, NULL, &config), SPT_OK);
    return config;
}

static inline void add(record *r, const spt_config *config, double loss)
{
    memcpy(r->values + r->n * r->n_params, config->value, (size_t)r->n_params * sizeof(double));
    r->loss[r->n] = isfinite(loss) ? loss : INFINITY;
    r->state[r->n] = isfinite(loss) ? SPT_TRIAL_COMPLETE : SPT_TRIAL_FAILED;
    r->sequence[r->n] = r->n;
    r->n++;
}

/* Value of a parameter, NaN if it does not exist. */
static inline double get(const spt_config *config, const char *name)
{
    double v = NAN;
    spt_config_number(config, name, &v);
    return v;
}

static inline void add_bool_condition(spt_ctx *ctx, spt_space *space, const char *child,
                                      const char *parent)
{
    const char *const yes = "true";
    OK(ctx, spt_space_add_condition(space, child, parent, SPT_OP_EQ, &yes, 1));
}

/* Every type of parameter, a tree of depth two, a forbidden combination. */
static inline spt_space *mixed_space(spt_ctx *ctx)
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

static inline double mixed(const spt_config *c)
{
    double x = get(c, "x"), depth = get(c, "depth");
    return x * x + fabs(log10(get(c, "lr")) + 2) + (isnan(depth) ? 1 : depth / 9);
}

#endif
