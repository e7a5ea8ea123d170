/* Bins of parameters, conditions as declared and as seen, lattices. */
#include "forests.h"

#include "explain/problem.h"

/* ---- bins ---- */

static spt_space *new_space(spt_ctx *ctx)
{
    static const char *const kinds[] = {"a", "b", "c"};
    spt_space *s = NULL;
    OK(ctx, spt_space_new(ctx, "bins", &s));
    OK(ctx, spt_space_add_float(s, "rate", 1e-4, 1, 0, 1, 1e-2)); /* 0 */
    OK(ctx, spt_space_add_int(s, "units", 1, 100000, 1, 1, 10));  /* 1 */
    OK(ctx, spt_space_add_int(s, "blocks", 1, 4, 1, 0, 1));       /* 2 */
    OK(ctx, spt_space_add_categorical(s, "kind", kinds, 3, 0));   /* 3 */
    OK(ctx, spt_space_add_float(s, "fixed", 2, 2, 0, 0, 2));      /* 4 */
    OK(ctx, spt_space_add_float(s, "low", 0, 1, 0, 0, 0.5));      /* 5 */
    OK(ctx, spt_space_add_float(s, "not3", 0, 1, 0, 0, 0.5));     /* 6 */
    OK(ctx, spt_space_add_float(s, "wide", 0, 1, 0, 0, 0.5));     /* 7 */
    OK(ctx, spt_space_add_bool(s, "flag", 0));                    /* 8 */
    OK(ctx, spt_space_add_float(s, "deep", 0, 1, 0, 0, 0.5));     /* 9 */
    OK(ctx, spt_space_add_condition(s, "low", "rate", SPT_OP_LT, (const char *[]){"0.0123"}, 1));
    OK(ctx, spt_space_add_condition(s, "not3", "blocks", SPT_OP_NE, (const char *[]){"3"}, 1));
    OK(ctx, spt_space_add_condition(s, "wide", "units", SPT_OP_GE, (const char *[]){"777"}, 1));
    OK(ctx, spt_space_add_condition(s, "flag", "kind", SPT_OP_IN, (const char *[]){"a", "c"}, 2));
    OK(ctx, spt_space_add_condition(s, "deep", "flag", SPT_OP_EQ, (const char *[]){"true"}, 1));
    OK(ctx, spt_space_add_condition(s, "deep", "blocks", SPT_OP_GT, (const char *[]){"1"}, 1));
    return s;
}

START_TEST(bins)
{
    spt_ctx *ctx = new_ctx();
    spt_space *s = new_space(ctx);
    spt__err e;
    for (int32_t j = 0; j < s->n; j++) {
        const spt__parameter *p = &s->parameters[j];
        spt__bins b;
        double weight[300], at[300], sum = 0;
        OK(ctx, spt__bins_new(ctx, s, j, &b, &e));
        ck_assert_int_ge(b.n, 1);
        spt__bins_measure(p, &b, weight, at);
        for (int32_t k = 0; k < b.n; k++) {
            const double x = spt__bins_value(p, &b, k);
            ck_assert_int_eq(spt__bins_find(p, &b, x), k);
            ck_assert(weight[k] > 0 && at[k] >= 0 && at[k] <= 1);
            ck_assert(k == 0 || at[k] > at[k - 1]);
            sum += weight[k];
        }
        NEAR(sum, 1, 1e-12);
        ck_assert_int_eq(spt__bins_find(p, &b, p->low), 0);
        ck_assert_int_eq(spt__bins_find(p, &b, p->high), b.n - 1);
        spt__bins_free(ctx, &b);
    }
    spt_space_free(s);
    spt_ctx_free(ctx);
}
END_TEST

/* A condition cuts where it says: what compares false on the border stays on its side. */
START_TEST(borders)
{
    spt_ctx *ctx = new_ctx();
    spt_space *s = new_space(ctx);
    spt__bins b;
    spt__err e;
    OK(ctx, spt__bins_new(ctx, s, 0, &b, &e));
    const int32_t at = spt__bins_find(&s->parameters[0], &b, 0.0123);
    ck_assert_int_eq(spt__bins_find(&s->parameters[0], &b, nextafter(0.0123, 0)), at - 1);
    ck_assert_double_eq(b.edge[at], 0.0123);
    spt__bins_free(ctx, &b);
    OK(ctx, spt__bins_new(ctx, s, 1, &b, &e));
    ck_assert_int_eq(spt__bins_find(&s->parameters[1], &b, 776) + 1,
                     spt__bins_find(&s->parameters[1], &b, 777));
    ck_assert_int_le(b.n, SPT__BINS + 2);
    /* Small whole numbers on a logarithm each have a bin, large ones share. */
    ck_assert_int_eq(spt__bins_find(&s->parameters[1], &b, 2),
                     spt__bins_find(&s->parameters[1], &b, 1) + 1);
    ck_assert_int_eq(spt__bins_find(&s->parameters[1], &b, 90000),
                     spt__bins_find(&s->parameters[1], &b, 90001));
    spt__bins_free(ctx, &b);
    spt_space_free(s);
    spt_ctx_free(ctx);
}
END_TEST

/* ---- drafts ---- */

static void new_draft(spt_ctx *ctx, const spt_space *s, int64_t n, spt__draft *d)
{
    spt__err e;
    const size_t most = 2 * (size_t)s->n;
    *d = (spt__draft){.ctx = ctx, .space = s, .d = s->n, .n_parameters = s->n, .n = n};
    d->bins = calloc((size_t)s->n, sizeof *d->bins);
    d->specs = calloc(most, sizeof *d->specs);
    d->code = calloc(most * (size_t)n + 1, sizeof *d->code);
    d->hidden = calloc(most, sizeof *d->hidden);
    for (int32_t j = 0; j < s->n; j++) {
        OK(ctx, spt__bins_new(ctx, s, j, &d->bins[j], &e));
        const int32_t type = s->parameters[j].type;
        double *weight = spt__alloc(ctx, (size_t)d->bins[j].n, sizeof *weight);
        double *at = spt__alloc(ctx, (size_t)d->bins[j].n, sizeof *at);
        spt__bins_measure(&s->parameters[j], &d->bins[j], weight, at);
        d->specs[j] = (spt__axis_spec){.bins = d->bins[j].n,
                                       .categorical = type == SPT_PARAMETER_CATEGORICAL ||
                                                      type == SPT_PARAMETER_BOOL,
                                       .weight = weight,
                                       .at = at};
    }
}

static void free_draft(spt__draft *d)
{
    for (int32_t j = 0; j < d->d; j++) {
        for (int32_t i = 0; i < d->specs[j].n_needs; i++)
            spt__free(d->ctx, (bool *)(uintptr_t)d->specs[j].needs[i].in);
        spt__free(d->ctx, (spt__axis_need *)(uintptr_t)d->specs[j].needs);
        spt__free(d->ctx, (double *)(uintptr_t)d->specs[j].weight);
        spt__free(d->ctx, (double *)(uintptr_t)d->specs[j].at);
        if (j < d->n_parameters) spt__bins_free(d->ctx, &d->bins[j]);
    }
    free(d->bins);
    free(d->specs);
    free(d->code);
    free(d->hidden);
}

static double p_of(const spt__lattice *f, int32_t axis)
{
    return f->activities[f->axes[axis].activity].measure;
}

/* The probabilities that the conditions have under the prior of the space. */
START_TEST(declared)
{
    spt_ctx *ctx = new_ctx();
    spt_space *s = new_space(ctx);
    spt__draft d;
    spt__lattice f;
    spt__err e;
    new_draft(ctx, s, 0, &d);
    OK(ctx, spt__needs_declared(&d, &e));
    lattice_of(ctx, d.specs, d.d, &f);
    NEAR(p_of(&f, 0), 1, 1e-15);
    NEAR(p_of(&f, 5), log(0.0123 / 1e-4) / log(1e4), 1e-12);
    NEAR(p_of(&f, 6), 0.75, 1e-12);
    ck_assert(f.axes[2].categorical);
    const double low = log(0.5), high = log(100000.5);
    NEAR(p_of(&f, 7), (high - log(776.5)) / (high - low), 1e-12);
    NEAR(p_of(&f, 8), 2.0 / 3, 1e-12);
    NEAR(p_of(&f, 9), 2.0 / 3 / 2 * 0.75, 1e-12);
    ck_assert_int_eq(f.activities[f.axes[9].activity].n, 3);
    spt__lattice_free(&f);
    free_draft(&d);
    spt_space_free(s);
    spt_ctx_free(ctx);
}
END_TEST

/* ---- as seen ---- */

/* layers 1..3, units_1 from 2 on, kind, momentum with kind 0, odd: no parameter explains it. */
static spt_space *flat_space(spt_ctx *ctx)
{
    static const char *const kinds[] = {"sgd", "adam"};
    spt_space *s = NULL;
    OK(ctx, spt_space_new(ctx, "inferred", &s));
    OK(ctx, spt_space_add_int(s, "layers", 1, 5, 1, 0, 1));
    OK(ctx, spt_space_add_int(s, "units_1", 1, 64, 1, 0, 1));
    OK(ctx, spt_space_add_categorical(s, "kind", kinds, 2, 0));
    OK(ctx, spt_space_add_float(s, "momentum", 0, 1, 0, 0, 0));
    OK(ctx, spt_space_add_float(s, "odd", 0, 1, 0, 0, 0));
    OK(ctx, spt_space_add_float(s, "odder", 0, 1, 0, 0, 0));
    OK(ctx, spt_space_add_float(s, "x", 0, 1, 0, 0, 0));
    return s;
}

enum { ROWS = 60 };

static void fill(spt__draft *d)
{
    spt__rng r;
    spt__rng_init(&r, 1, SPT__RNG_TEST, 1, 0);
    for (int64_t i = 0; i < ROWS; i++) {
        uint16_t *c = d->code + i;
        /* 4 is never tried: as 3 or 5, the nearest that were */
        const uint16_t layers = (uint16_t)((uint16_t[]){0, 0, 1, 2, 4})[spt__rng_below(&r, 5)];
        const uint16_t kind = (uint16_t)spt__rng_below(&r, 2);
        const bool odd = spt__rng_below(&r, 3) == 0;
        c[0 * ROWS] = layers;
        c[1 * ROWS] = layers >= 1 ? (uint16_t)spt__rng_below(&r, 64) : SPT__NO_BIN;
        c[2 * ROWS] = kind;
        c[3 * ROWS] = kind == 0 ? (uint16_t)spt__rng_below(&r, 128) : SPT__NO_BIN;
        c[4 * ROWS] = odd ? (uint16_t)spt__rng_below(&r, 128) : SPT__NO_BIN;
        c[5 * ROWS] = odd ? (uint16_t)spt__rng_below(&r, 128) : SPT__NO_BIN;
        c[6 * ROWS] = (uint16_t)spt__rng_below(&r, 128);
    }
}

static double seen(const spt__draft *d, int32_t axis)
{
    double n = 0;
    for (int64_t i = 0; i < d->n; i++)
        n += d->code[axis * d->n + i] != SPT__NO_BIN;
    return n / (double)d->n;
}

START_TEST(observed)
{
    spt_ctx *ctx = new_ctx();
    spt_space *s = flat_space(ctx);
    spt__draft d;
    spt__lattice f;
    spt__err e;
    new_draft(ctx, s, ROWS, &d);
    fill(&d);
    OK(ctx, spt__needs_observed(&d, &e));
    /* One switch for both odd ones. */
    ck_assert_int_eq(d.d, 8);
    ck_assert_int_eq(d.hidden[0], 4);
    ck_assert_int_eq(d.specs[1].n_needs, 1);
    ck_assert_int_eq(d.specs[1].needs[0].axis, 0);
    static const bool more_than_one[] = {false, true, true, true, true};
    ck_assert_mem_eq(d.specs[1].needs[0].in, more_than_one, sizeof more_than_one);
    ck_assert_int_eq(d.specs[3].needs[0].axis, 2);
    ck_assert_int_eq(d.specs[4].needs[0].axis, 7);
    ck_assert_int_eq(d.specs[5].needs[0].axis, 7);
    ck_assert_int_eq(d.specs[6].n_needs, 0);
    lattice_of(ctx, d.specs, d.d, &f);
    NEAR(p_of(&f, 1), 0.8, 1e-12);
    NEAR(p_of(&f, 4), seen(&d, 4), 1e-12);
    spt__lattice_free(&f);
    /* With the measure of the trials everything exists as often as it was seen. */
    OK(ctx, spt__needs_weigh(&d, &e));
    lattice_of(ctx, d.specs, d.d, &f);
    for (int32_t j = 0; j < d.d; j++)
        NEAR(p_of(&f, j), seen(&d, j), 1e-12);
    /* Values that switch alike share as the prior says, tried or not. */
    for (int32_t b = 2; b < 5; b++)
        NEAR(f.weight[f.axes[0].first + b], f.weight[f.axes[0].first + 1], 1e-12);
    spt__lattice_free(&f);
    free_draft(&d);
    spt_space_free(s);
    spt_ctx_free(ctx);
}
END_TEST

/* A switch that no trial has keeps the measure of the space. */
START_TEST(never_tried)
{
    spt_ctx *ctx = new_ctx();
    spt_space *s = new_space(ctx);
    spt__draft d;
    spt__lattice f;
    spt__err e;
    new_draft(ctx, s, 4, &d);
    for (int32_t j = 0; j < d.d; j++)
        for (int64_t i = 0; i < 4; i++)
            d.code[j * 4 + i] = j == 8 || j == 9 ? SPT__NO_BIN : (uint16_t)(j == 3);
    OK(ctx, spt__needs_declared(&d, &e));
    OK(ctx, spt__needs_weigh(&d, &e));
    lattice_of(ctx, d.specs, d.d, &f);
    ck_assert_double_eq(p_of(&f, 8), 0);
    ck_assert_double_eq(p_of(&f, 9), 0);
    NEAR(f.weight[f.axes[8].first], 0.5, 1e-12);
    spt__lattice_free(&f);
    free_draft(&d);
    spt_space_free(s);
    spt_ctx_free(ctx);
}
END_TEST

/* ---- lattices ---- */

START_TEST(refused_lattices)
{
    static const bool in[] = {false, true};
    static const spt__axis_need of_0 = {0, in}, of_1 = {1, in};
    const spt__axis_spec circle[] = {{.bins = 2, .needs = &of_1, .n_needs = 1},
                                     {.bins = 2, .needs = &of_0, .n_needs = 1}};
    const spt__axis_spec huge[] = {{.bins = SPT__BINS_LIMIT + 1}};
    spt_ctx *ctx = new_ctx();
    spt__lattice f;
    spt__err e;
    ck_assert_int_eq(spt__lattice_new(ctx, circle, 2, &f, &e), SPT_EINTERNAL);
    ck_assert_ptr_nonnull(strstr(e.text, "circle"));
    ck_assert_int_eq(spt__lattice_new(ctx, huge, 1, &f, &e), SPT_EUNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(e.text, "1025 parts"));
    spt_ctx_free(ctx);
}
END_TEST

TEST_MAIN("explain needs", bins, borders, declared, observed, never_tried, refused_lattices)
