/* What all samplers share: their knobs, their lives, and the search for a proposal that is allowed.
 */
#include "sampler.h"

#include "rule.h"

static const spt__sampler_kind *const kinds[] = {&spt__sampler_tpe, &spt__sampler_random,
                                                 &spt__sampler_sobol, &spt__sampler_grid};

/* The choices of "sampler" stand in the order of `kinds`; those of TPE's components, behind
 * "preset", in the order of the enums in rule.h. */
const spt__knob spt__sampler_knobs[] = {
    {"sampler", SPT_OPTION_CHOICE, 0, 0, 0, "tpe|random|sobol|grid", "tpe",
     "tree-structured Parzen estimator, uniform on every parameter's scale, the same evenly "
     "spread, "
     "or all combinations"},
    {"seed", SPT_OPTION_INTEGER, 0, 9007199254740992.0, 1, NULL, NULL,
     "the same seed proposes the same configurations"},
    {"first", SPT_OPTION_CHOICE, 0, 0, 0, "default|random", "default",
     "the first trial has the defaults of the space, or is drawn like the others"},
    {"grid_points", SPT_OPTION_INTEGER, 1, 1e6, 5, NULL, NULL,
     "grid: so many values of a number, evenly spread on its scale, if it has more"},
    {"preset", SPT_OPTION_CHOICE, 0, 0, 0, SPT__PRESETS, "default",
     "tpe: where the components below come from unless they are set"},
    {"startup", SPT_OPTION_INTEGER, -1, 1e6, -1, NULL, NULL,
     "tpe: so many trials are random before the densities are used; -1: the preset's"},
    {"startup_design", SPT_OPTION_CHOICE, 0, 0, 0, "preset|random|sobol", "preset",
     "tpe: how these are drawn"},
    {"structure", SPT_OPTION_CHOICE, 0, 0, 0, "preset|univariate|common|tree", "preset",
     "tpe: every parameter by itself, those together that all trials have, or all along the tree"},
    {"gamma_rule", SPT_OPTION_CHOICE, 0, 0, 0, "preset|linear|sqrt", "preset",
     "tpe: of n trials the best ceil(gamma * n), or ceil(gamma * sqrt(n)), are good"},
    {"gamma", SPT_OPTION_NUMBER, 0, 100, 0, NULL, NULL, "tpe: see gamma_rule; 0: the preset's"},
    {"most_good", SPT_OPTION_INTEGER, 0, 1e6, 0, NULL, NULL,
     "tpe: at most so many trials are good; 0: the preset's"},
    {"good_weights", SPT_OPTION_CHOICE, 0, 0, 0, "preset|uniform|age|rank|ei", "preset",
     "tpe: weights of good trials: equal, less for old ones, by rank, by improvement"},
    {"bad_weights", SPT_OPTION_CHOICE, 0, 0, 0, "preset|uniform|age", "preset",
     "tpe: weights of bad trials"},
    {"forgetting", SPT_OPTION_INTEGER, 0, 1e6, 0, NULL, NULL,
     "tpe: weights by age: so many newest trials count fully; 0: the preset's"},
    {"prior_weight", SPT_OPTION_NUMBER, 0, 1e6, 0, NULL, NULL,
     "tpe: weight of the prior, in observations; 0: the preset's"},
    {"truncate", SPT_OPTION_CHOICE, 0, 0, 0, "preset|kernels|mixture", "preset",
     "tpe: what is cut off at the bounds: each kernel, or the mixture (univariate only)"},
    {"categories", SPT_OPTION_CHOICE, 0, 0, 0, "preset|rows|counts", "preset",
     "tpe: probabilities of categories from kernels, or from counts (univariate only)"},
    {"log_grid", SPT_OPTION_CHOICE, 0, 0, 0, "preset|mass|density", "preset",
     "tpe: values of a logarithmic grid are compared by the mass of their cells, or by density"},
    {"ends", SPT_OPTION_CHOICE, 0, 0, 0, "preset|no|yes", "preset",
     "tpe: the bounds are neighbours when bandwidths are chosen"},
    {"prior_in_sort", SPT_OPTION_CHOICE, 0, 0, 0, "preset|no|yes", "preset",
     "tpe: the prior's mean is a neighbour when bandwidths are chosen"},
    {"good_width", SPT_OPTION_NUMBER, 0, 100, 0, NULL, NULL,
     "tpe: factor of the bandwidths of good trials; 0: the preset's"},
    {"bad_width", SPT_OPTION_NUMBER, 0, 100, 0, NULL, NULL,
     "tpe: factor of the bandwidths of bad trials; 0: the preset's"},
    {"min_bandwidth", SPT_OPTION_NUMBER, 0, 1, 0, NULL, NULL,
     "tpe: least bandwidth, as a share of the range; 0: the preset's"},
    {"clip_exponent", SPT_OPTION_NUMBER, 0, 100, 0, NULL, NULL,
     "tpe: of n trials no bandwidth is below (n + 2)^-clip_exponent of the range; 0: the preset's"},
    {"crossover", SPT_OPTION_NUMBER, -1, 1, -1, NULL, NULL,
     "tpe: share of values that come from another good trial; -1: the preset's"},
    {"focus", SPT_OPTION_NUMBER, -1, 1, -1, NULL, NULL,
     "tpe: share of proposals made from the trials of one branch alone while the search rests; -1: "
     "the preset's"},
    {"focus_after", SPT_OPTION_INTEGER, 0, 1e6, 0, NULL, NULL,
     "tpe: it rests after so many trials without progress; 0: the preset's"},
    {"branches", SPT_OPTION_INTEGER, 0, 1e6, 0, NULL, NULL,
     "tpe: that branch is one of so many best ones, the least tried; 0: the preset's"},
    {"candidates", SPT_OPTION_INTEGER, 0, 1e6, 0, NULL, NULL,
     "tpe: draws of which the most promising is taken; 0: the preset's"},
    {"failed", SPT_OPTION_CHOICE, 0, 0, 0, "preset|ignored|bad", "preset",
     "tpe: what failed trials count as"},
    {"running", SPT_OPTION_CHOICE, 0, 0, 0, "preset|ignored|bad", "preset",
     "tpe: what running trials count as"},
    {NULL, SPT_OPTION_NUMBER, 0, 0, 0, NULL, NULL, NULL}};

int32_t spt_sampler_options_new(spt_ctx *ctx, spt_options **out)
{
    if (out) *out = NULL;
    SPT__REQUIRE(ctx && out);
    return spt__options_new(ctx, "sampler", spt__sampler_knobs, out);
}

static int32_t check_options(const spt_options *options, spt__err *e)
{
    if (!options || spt__options_are(options, spt__sampler_knobs)) return SPT_OK;
    return spt__fail(e, SPT_EINVAL,
                     "the options are not a sampler's; spt_sampler_options_new() makes them");
}

/* What all kinds share. */
static int32_t init(spt__sampler *s, const spt_space *space, const spt_options *options,
                    spt__err *e)
{
    SPT__TRY(check_options(options, e));
    SPT__TRY(spt__space_freeze(space, e));
    s->space = spt__space_ref(space);
    s->domains = spt__calloc(s->ctx, (size_t)space->n, sizeof *s->domains);
    if (!s->domains) return spt__nomem(e);
    for (int32_t i = 0; i < space->n; i++)
        spt__domain_init(&s->domains[i], &space->parameters[i]);
    const int32_t status =
        options ? spt__options_copy(options, s->ctx, &s->options)
                : spt__options_new(s->ctx, "sampler", spt__sampler_knobs, &s->options);
    if (status < 0) {
        if (&s->ctx->err != e) *e = s->ctx->err;
        return status;
    }
    s->seed = (uint64_t)spt__option_int(s->options, spt__sampler_knobs, "seed");
    /* What whoever wrote the space holds to be plausible is a better start than chance. */
    s->first_default =
        !s->kind->given && spt__option_choice(s->options, spt__sampler_knobs, "first") == 0;
    return SPT_OK;
}

int32_t spt__sampler_new_kind(spt_ctx *ctx, const spt_space *space, const spt_options *options,
                              const spt__sampler_kind *kind, void *memory, spt__sampler **out,
                              spt__err *e)
{
    *out = NULL;
    spt__sampler *s = spt__calloc(ctx, 1, sizeof *s);
    spt__sampler nobody = {.ctx = ctx, .memory = memory};
    if (!s) {
        if (memory) kind->destroy(&nobody);
        return spt__nomem(e);
    }
    s->ctx = spt__ctx_ref(ctx);
    s->refs = 1;
    s->memory = memory;
    s->kind = kind;
    int32_t status = init(s, space, options, e);
    if (status >= 0 && kind->init) status = kind->init(s, e);
    if (status < 0) {
        spt__sampler_free(s);
        return status;
    }
    *out = s;
    return SPT_OK;
}

int32_t spt__sampler_new(spt_ctx *ctx, const spt_space *space, const spt_options *options,
                         spt__sampler **out, spt__err *e)
{
    *out = NULL;
    SPT__TRY(check_options(options, e));
    const int kind = spt__option_choice(options, spt__sampler_knobs, "sampler");
    return spt__sampler_new_kind(ctx, space, options, kinds[kind], NULL, out, e);
}

spt__sampler *spt__sampler_ref(spt__sampler *s)
{
    s->refs++;
    return s;
}

void spt__sampler_free(spt__sampler *s)
{
    if (!s || --s->refs > 0) return;
    spt_ctx *ctx = s->ctx;
    if (s->kind->destroy) s->kind->destroy(s);
    spt__told_free(s);
    spt__free(ctx, s->domains);
    spt_options_free(s->options);
    spt_space_free(s->space);
    spt__free(ctx, s);
    spt__ctx_unref(ctx);
}

void spt__sampler_rng(const spt__sampler *s, int64_t sequence, int32_t attempt, int32_t parameter,
                      spt__rng *rng)
{
    spt__rng_init(rng, s->seed, SPT__RNG_SAMPLE, (uint64_t)sequence,
                  (uint64_t)parameter << 16 | (uint64_t)attempt);
}

void spt__sampler_uniform(const spt__sampler *s, int64_t sequence, int32_t attempt, double *values)
{
    for (int32_t i = 0; i < s->space->n; i++) {
        values[i] = NAN;
        if (!spt__space_exists(s->space, i, values)) continue;
        spt__rng rng;
        spt__sampler_rng(s, sequence, attempt, i, &rng);
        values[i] = spt__domain_draw(&s->domains[i], &rng);
    }
}

/* A refusal says "not this one"; these say that nothing will help. */
static bool is_fatal(int32_t status)
{
    return status == SPT_ENOMEM || status == SPT_ECALLBACK || status == SPT_EINTERNAL;
}

/* SPT_OK, or a negative status and a text. */
static int32_t judge(spt__sampler *s, const double *values, spt__accept_fn accept, void *arg,
                     spt_config **out, spt__err *e)
{
    int32_t clause = spt__space_forbidden(s->space, values);
    if (clause >= 0)
        return spt__fail(e, SPT_EINVAL, "forbidden: %s", s->space->forbidden[clause].text);
    SPT__TRY(spt__config_new_empty(s->ctx, s->space, out, e));
    for (int32_t i = 0; i < s->space->n; i++)
        spt__config_set(*out, i, values[i]);
    int32_t status = accept ? accept(*out, arg) : SPT_OK;
    if (status < 0) {
        if (&s->ctx->err != e) *e = s->ctx->err;
        spt_config_free(*out);
        *out = NULL;
    }
    return status;
}

/* The defaults of the space, into values. */
static void defaults(const spt__sampler *s, double *values)
{
    for (int32_t i = 0; i < s->space->n; i++) {
        values[i] = NAN;
        if (spt__space_exists(s->space, i, values)) values[i] = s->space->parameters[i].value;
    }
}

/* Attempt after attempt. */
static int32_t search(spt__sampler *s, int64_t sequence, spt__accept_fn accept, void *arg,
                      double *values, spt_config **out, spt__err *e)
{
    const spt__err before = *e; /* a refusal on the way to a proposal is no failure to tell of */
    for (int32_t attempt = 0; attempt < SPT__ATTEMPTS; attempt++) {
        if (attempt == 0 && sequence == 0 && s->first_default) {
            defaults(s, values);
        } else {
            const int32_t status = s->kind->draw(s, sequence, attempt, values, e);
            if (status != SPT_OK) return status;
        }
        const int32_t verdict = judge(s, values, accept, arg, out, e);
        if (verdict >= 0) {
            *e = before;
            return SPT_OK;
        }
        if (is_fatal(verdict)) return verdict;
    }
    return SPT_STOP_EXHAUSTED;
}

int32_t spt__sampler_propose(spt__sampler *s, const spt__view *view, int64_t sequence,
                             spt__accept_fn accept, void *arg, spt_config **out, spt__err *e)
{
    *out = NULL;
    if (s->busy)
        return spt__fail(e, SPT_EBUSY, "the sampler is at work; a callback cannot ask it again");
    double *values = spt__alloc(s->ctx, (size_t)s->space->n, sizeof *values);
    if (!values) return spt__nomem(e);
    s->busy = true;
    int32_t status = s->kind->prepare ? s->kind->prepare(s, view, e) : SPT_OK;
    if (status >= 0) status = search(s, sequence, accept, arg, values, out, e);
    s->busy = false;
    spt__free(s->ctx, values);
    return status;
}
