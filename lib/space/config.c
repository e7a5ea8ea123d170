/* Configurations: one value per parameter of a space, where the parameter exists. */
#include "space.h"

#include <string.h>

int32_t spt__config_new_empty(spt_ctx *ctx, const spt_space *space, spt_config **out, spt__err *e)
{
    *out = NULL;
    SPT__TRY(spt__space_freeze(space, e));
    spt_config *config = spt__calloc(ctx, 1, sizeof *config);
    double *value = spt__alloc(ctx, (size_t)space->n, sizeof *value);
    if (!config || !value) {
        spt__free(ctx, config);
        spt__free(ctx, value);
        return spt__nomem(e);
    }
    for (int32_t i = 0; i < space->n; i++)
        value[i] = (double)NAN;
    config->ctx = spt__ctx_ref(ctx);
    config->space = spt__space_ref(space);
    config->value = value;
    *out = config;
    return SPT_OK;
}

void spt__config_settle(spt_config *config)
{
    const spt_space *space = config->space;
    for (int32_t i = 0; i < space->n; i++) {
        if (!spt__space_exists(space, i, config->value))
            config->value[i] = (double)NAN;
        else if (isnan(config->value[i]))
            config->value[i] = space->parameters[i].value;
    }
}

int32_t spt_config_new(spt_ctx *ctx, const spt_space *space, spt_config **out)
{
    if (out) *out = NULL;
    SPT__REQUIRE(ctx && space && out);
    SPT__TRY(spt__config_new_empty(ctx, space, out, &ctx->err));
    spt__config_settle(*out);
    return SPT_OK;
}

int32_t spt_config_copy(spt_ctx *ctx, const spt_config *config, spt_config **out)
{
    if (out) *out = NULL;
    SPT__REQUIRE(ctx && config && out);
    SPT__TRY(spt__config_new_empty(ctx, config->space, out, &ctx->err));
    memcpy((*out)->value, config->value, (size_t)config->space->n * sizeof *config->value);
    return SPT_OK;
}

void spt_config_free(spt_config *config)
{
    if (!config) return;
    spt_ctx *ctx = config->ctx;
    spt_space_free(config->space);
    spt__free(ctx, config->value);
    spt__free(ctx, config);
    spt__ctx_unref(ctx);
}

const spt_space *spt_config_space(const spt_config *config)
{
    return config ? config->space : NULL;
}

/* ---- one value ------------------------------------------------------------------------------- */

static int32_t no_such(const spt__parameter *p, int32_t status, spt__err *e)
{
    return spt__fail(e, status,
                     "parameter '%s' does not exist in this configuration; it needs %.200s",
                     p->name, p->when.text);
}

/* Index of a parameter that exists at present. */
static int32_t present(const spt_config *config, const char *name, spt__err *e)
{
    int32_t index = spt__space_index(config->space, name, e);
    if (index < 0 || !isnan(config->value[index])) return index;
    return no_such(&config->space->parameters[index], SPT_ENOTFOUND, e);
}

static int32_t assign(spt_config *config, int32_t index, double value, spt__err *e)
{
    SPT__TRY(spt__parameter_accept(&config->space->parameters[index], &value, e));
    config->value[index] = value;
    spt__config_settle(config);
    return SPT_OK;
}

int32_t spt_config_set_number(spt_config *config, const char *name, double value)
{
    SPT__REQUIRE(config);
    spt__err *e = &config->ctx->err;
    int32_t index = present(config, name, e);
    SPT__TRY(index);
    return assign(config, index, value, e);
}

int32_t spt_config_set_text(spt_config *config, const char *name, const char *value)
{
    SPT__REQUIRE(config);
    spt__err *e = &config->ctx->err;
    int32_t index = present(config, name, e);
    SPT__TRY(index);
    double x;
    SPT__TRY(spt__parameter_parse(&config->space->parameters[index], value, &x, e));
    return assign(config, index, x, e);
}

int32_t spt_config_exists(const spt_config *config, const char *name)
{
    SPT__REQUIRE(config);
    int32_t index = spt__space_index(config->space, name, &config->ctx->err);
    SPT__TRY(index);
    return !isnan(config->value[index]);
}

int32_t spt_config_number(const spt_config *config, const char *name, double *value)
{
    SPT__REQUIRE(config && value);
    int32_t index = present(config, name, &config->ctx->err);
    SPT__TRY(index);
    *value = config->value[index];
    return SPT_OK;
}

int32_t spt_config_text(const spt_config *config, const char *name, char *buffer, int64_t capacity,
                        int64_t *needed)
{
    SPT__REQUIRE(config);
    int32_t index = present(config, name, &config->ctx->err);
    SPT__TRY(index);
    spt__buf b;
    spt__buf_init(&b, config->ctx);
    spt__parameter_print(&config->space->parameters[index], config->value[index], &b);
    int32_t status =
        b.failed ? spt__nomem(&config->ctx->err) : spt__text_out(b.data, buffer, capacity, needed);
    spt__buf_free(&b);
    return status;
}

const char *spt_config_choice(const spt_config *config, const char *name)
{
    int32_t index = config ? spt_space_find(config->space, name) : SPT_EINVAL;
    if (index < 0 || isnan(config->value[index])) return NULL;
    return spt_space_choice(config->space, index, (int32_t)config->value[index]);
}

/* ---- the whole ------------------------------------------------------------------------------- */

int32_t spt_config_check(const spt_config *config)
{
    SPT__REQUIRE(config);
    int32_t clause = spt__space_forbidden(config->space, config->value);
    if (clause < 0) return SPT_OK;
    return spt__fail(&config->ctx->err, SPT_EINVAL, "this configuration is forbidden: %s",
                     config->space->forbidden[clause].text);
}

bool spt__config_same_values(const spt_config *a, const spt_config *b)
{
    for (int32_t i = 0; i < a->space->n; i++) {
        double x = a->value[i], y = b->value[i];
        if (isnan(x) != isnan(y) || x < y || x > y) return false;
    }
    return true;
}

int32_t spt_config_equal(const spt_config *a, const spt_config *b)
{
    SPT__REQUIRE(a && b);
    spt__buf why;
    spt__buf_init(&why, a->ctx);
    bool same = strcmp(a->space->name, b->space->name) == 0 &&
                spt__space_same(a->space, b->space, &why) && spt__config_same_values(a, b);
    spt__buf_free(&why);
    return same;
}

/* Also between the points of a grid. */
static bool lies_within(const spt__parameter *p, double x)
{
    return p->n_choices == 0 && x >= p->low && x <= p->high &&
           (p->type != SPT_PARAMETER_INT || x == floor(x));
}

static int32_t from_values(spt_ctx *ctx, const spt_space *space, const double *values, bool between,
                           spt_config **out, spt__err *e)
{
    *out = NULL;
    spt_config *config;
    SPT__TRY(spt__config_new_empty(ctx, space, &config, e));
    int32_t status = SPT_OK;
    for (int32_t i = 0; i < space->n && status == SPT_OK; i++) {
        const spt__parameter *p = &space->parameters[i];
        bool exists = spt__space_exists(space, i, config->value);
        double x = values[i];
        if (exists && isnan(x))
            status =
                spt__fail(e, SPT_EINVAL, "parameter '%s' has no value; it exists%s%.200s", p->name,
                          p->when.n ? " because " : " always", p->when.n ? p->when.text : "");
        else if (exists)
            status = between && lies_within(p, x) ? SPT_OK : spt__parameter_accept(p, &x, e);
        else if (!isnan(x))
            status = no_such(p, SPT_EINVAL, e);
        config->value[i] = x;
    }
    if (status == SPT_OK)
        *out = config;
    else
        spt_config_free(config);
    return status;
}

int32_t spt__config_from_values(spt_ctx *ctx, const spt_space *space, const double *values,
                                spt_config **out, spt__err *e)
{
    return from_values(ctx, space, values, false, out, e);
}

int32_t spt__config_from_others(spt_ctx *ctx, const spt_space *space, const double *values,
                                spt_config **out, spt__err *e)
{
    return from_values(ctx, space, values, true, out, e);
}

uint64_t spt__config_hash(const spt_config *config)
{
    /* The finaliser of SplitMix64 over the bits of the values. */
    uint64_t hash = 0x9e3779b97f4a7c15u;
    for (int32_t i = 0; i < config->space->n; i++) {
        uint64_t bits = UINT64_MAX; /* does not exist: every NaN alike */
        if (!isnan(config->value[i])) memcpy(&bits, &config->value[i], sizeof bits);
        hash = (hash ^ bits) + 0x9e3779b97f4a7c15u;
        hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9u;
        hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebu;
        hash ^= hash >> 31;
    }
    return hash;
}
