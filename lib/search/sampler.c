/* What all samplers share: their knobs, their lives, and the search for a proposal that is allowed.
 */
#include "sampler.h"

#include "spectune/search.h"

static const spt__sampler_kind *const kinds[] = {&spt__sampler_tpe, &spt__sampler_random};
enum { N_KINDS = sizeof kinds / sizeof kinds[0] };

/* The choices of "sampler" stand in the order of `kinds`. */
const spt__knob spt__sampler_knobs[] = {
    {"sampler", SPT_OPTION_CHOICE, 0, 0, 0, "tpe|random", "tpe",
     "tree-structured Parzen estimator, or uniform on every parameter's scale"},
    {"seed", SPT_OPTION_INTEGER, 0, 9007199254740992.0, 1, NULL, NULL,
     "the same seed proposes the same configurations"},
    {"first", SPT_OPTION_CHOICE, 0, 0, 0, "default|random", "default",
     "the first trial has the defaults of the space, or is drawn like the others"},
    {"startup", SPT_OPTION_INTEGER, 0, 1e6, 20, NULL, NULL,
     "tpe: so many trials are random before the densities are used"},
    {"gamma", SPT_OPTION_NUMBER, 1e-3, 100, 0.25, NULL, NULL,
     "tpe: the best ceil(gamma * sqrt(n)) of n trials count as good, at most `forgetting`"},
    {"candidates", SPT_OPTION_INTEGER, 1, 1e6, 24, NULL, NULL,
     "tpe: draws per parameter, of which the most promising is taken"},
    {"prior_weight", SPT_OPTION_NUMBER, 1e-6, 1e6, 1, NULL, NULL,
     "tpe: weight of the prior, in observations"},
    {"forgetting", SPT_OPTION_INTEGER, 1, 1e6, 25, NULL, NULL,
     "tpe: so many newest trials count fully, older ones less and less"},
    {NULL, SPT_OPTION_NUMBER, 0, 0, 0, NULL, NULL, NULL}};

int32_t spt_sampler_options_new(spt_ctx *ctx, spt_options **out)
{
    SPT__REQUIRE(ctx && out);
    return spt__options_new(ctx, "sampler", spt__sampler_knobs, out);
}

int32_t spt__sampler_new(spt_ctx *ctx, const spt_space *space, const spt_options *options,
                         spt__sampler **out, spt__err *e)
{
    *out = NULL;
    if (options && !spt__options_are(options, spt__sampler_knobs))
        return spt__fail(e, SPT_EINVAL,
                         "the options are not a sampler's; spt_sampler_options_new() makes them");
    SPT__TRY(spt__space_freeze(space, e));
    spt__sampler *s = spt__calloc(ctx, 1, sizeof *s);
    if (!s) return spt__nomem(e);
    s->ctx = spt__ctx_ref(ctx);
    s->space = spt__space_ref(space);
    s->domains = spt__calloc(ctx, (size_t)space->n, sizeof *s->domains);
    int32_t status = s->domains ? SPT_OK : spt__nomem(e);
    if (status == SPT_OK && options)
        status = spt__options_copy(options, ctx, &s->options);
    else if (status == SPT_OK)
        status = spt__options_new(ctx, "sampler", spt__sampler_knobs, &s->options);
    if (status < 0) {
        if (&ctx->err != e) *e = ctx->err;
        spt__sampler_free(s);
        return status;
    }
    for (int32_t i = 0; i < space->n; i++)
        spt__domain_init(&s->domains[i], &space->parameters[i]);
    s->kind = kinds[spt__option_choice(s->options, spt__sampler_knobs, "sampler")];
    s->seed = (uint64_t)spt__option_int(s->options, spt__sampler_knobs, "seed");
    *out = s;
    return SPT_OK;
}

void spt__sampler_free(spt__sampler *s)
{
    if (!s) return;
    spt_ctx *ctx = s->ctx;
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

int32_t spt__sampler_propose(spt__sampler *s, const spt__view *view, int64_t sequence,
                             spt__accept_fn accept, void *arg, spt_config **out, spt__err *e)
{
    *out = NULL;
    double *values = spt__alloc(s->ctx, (size_t)s->space->n, sizeof *values);
    if (!values) return spt__nomem(e);
    const spt__err before = *e; /* a refusal on the way to a proposal is no failure to tell of */
    /* What whoever wrote the space holds to be plausible is a better start than chance. */
    const bool defaults_first = spt__option_choice(s->options, spt__sampler_knobs, "first") == 0;
    int32_t status = s->kind->prepare(s, view, e);
    int32_t result = SPT_STOP_EXHAUSTED;
    for (int32_t attempt = 0; status >= 0 && attempt < SPT__ATTEMPTS; attempt++) {
        if (attempt == 0 && sequence == 0 && defaults_first)
            defaults(s, values);
        else
            status = s->kind->draw(s, sequence, attempt, values, e);
        if (status < 0) break;
        int32_t verdict = judge(s, values, accept, arg, out, e);
        if (verdict >= 0) {
            result = SPT_OK;
            *e = before;
            break;
        }
        if (is_fatal(verdict)) status = verdict;
    }
    s->kind->release(s);
    spt__free(s->ctx, values);
    return status < 0 ? status : result;
}
