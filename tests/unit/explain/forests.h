/* What the tests of forests share: lattices, random trials, and sums over every configuration of a
 * small lattice, by the definitions of doc/explain.md and nothing else. */
#ifndef SPT_TESTS_FORESTS_H
#define SPT_TESTS_FORESTS_H

#include "testing.h"

#include "explain/effects.h"

static inline spt_ctx *new_ctx(void)
{
    spt_ctx *ctx = NULL;
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
    return ctx;
}

static inline void lattice_of(spt_ctx *ctx, const spt__axis_spec *specs, int32_t d,
                              spt__lattice *out)
{
    spt__err e;
    const int32_t status = spt__lattice_new(ctx, specs, d, out, &e);
    ck_assert_msg(status >= 0, "%s", e.text);
}

static inline bool holds(const spt__activity *a, const uint16_t *latent)
{
    for (int32_t i = 0; i < a->n; i++)
        if (!spt__part_has(&a->needs[i].part, latent[a->needs[i].axis])) return false;
    return true;
}

/* The codes of a point whose parameters all have a value: those that do not exist lose theirs. */
static inline void settle(const spt__lattice *f, const uint16_t *latent, uint16_t *code)
{
    for (int32_t j = 0; j < f->d; j++)
        code[j] = holds(&f->activities[f->axes[j].activity], latent) ? latent[j] : SPT__NO_BIN;
}

static inline void draw(const spt__lattice *f, spt__rng *r, uint16_t *code)
{
    uint16_t latent[64];
    for (int32_t j = 0; j < f->d; j++) {
        const spt__axis *a = &f->axes[j];
        double u = spt__rng_double(r);
        int32_t b = 0;
        while (b + 1 < a->bins && u >= f->weight[a->first + b])
            u -= f->weight[a->first + b++];
        latent[j] = (uint16_t)b;
    }
    settle(f, latent, code);
}

/* The coordinate of a code, 0 where it does not exist. */
static inline double z_of(const spt__lattice *f, const uint16_t *code, int32_t j)
{
    return code[j] == SPT__NO_BIN ? 0 : (code[j] + 0.5) / f->axes[j].bins;
}

typedef double (*loss_of)(const spt__lattice *f, const uint16_t *code);

typedef struct trials {
    spt__table table;
    uint16_t *code;
    double *y;
} trials;

/* n trials drawn from the measure, with noise. */
static inline trials draw_trials(const spt__lattice *f, int64_t n, uint64_t seed, loss_of loss,
                                 double noise)
{
    trials t;
    spt__rng r;
    uint16_t point[64];
    spt__rng_init(&r, seed, SPT__RNG_TEST, 0, 0);
    t.code = malloc(sizeof *t.code * (size_t)f->d * (size_t)n);
    t.y = malloc(sizeof *t.y * (size_t)n);
    for (int64_t i = 0; i < n; i++) {
        draw(f, &r, point);
        for (int32_t j = 0; j < f->d; j++)
            t.code[j * n + i] = point[j];
        t.y[i] = loss(f, point) + (noise > 0 ? noise * spt__rng_normal(&r) : 0);
    }
    t.table = (spt__table){f, n, t.code, t.y, NULL};
    return t;
}

static inline void free_trials(trials *t)
{
    free(t->code);
    free(t->y);
}

/* ---- every configuration of a lattice ---- */

typedef struct everything {
    const spt__lattice *f;
    int64_t n;
    uint16_t *latent; /* n x d */
    double *w, *y;    /* measure, and what a tree says */
} everything;

static inline everything enumerate(const spt__lattice *f, const spt__tree *tree)
{
    everything all = {.f = f, .n = 1};
    uint16_t code[64];
    for (int32_t j = 0; j < f->d; j++)
        all.n *= f->axes[j].bins;
    all.latent = malloc(sizeof *all.latent * (size_t)all.n * (size_t)f->d);
    all.w = malloc(sizeof *all.w * (size_t)all.n);
    all.y = malloc(sizeof *all.y * (size_t)all.n);
    for (int64_t i = 0; i < all.n; i++) {
        uint16_t *p = all.latent + i * f->d;
        int64_t rest = i;
        all.w[i] = 1;
        for (int32_t j = 0; j < f->d; j++) {
            p[j] = (uint16_t)(rest % f->axes[j].bins);
            rest /= f->axes[j].bins;
            all.w[i] *= f->weight[f->axes[j].first + p[j]];
        }
        settle(f, p, code);
        all.y[i] = spt__tree_predict(tree, code, 1);
    }
    return all;
}

static inline void free_everything(everything *all)
{
    free(all->latent);
    free(all->w);
    free(all->y);
}

/* Do all of the axes exist? */
static inline bool exist(const everything *all, int64_t i, const int32_t *axes, int32_t n)
{
    for (int32_t k = 0; k < n; k++)
        if (!holds(&all->f->activities[all->f->axes[axes[k]].activity],
                   all->latent + i * all->f->d))
            return false;
    return true;
}

/* Variance, where the axes exist, of the mean given those of them that `which` names; and the
 * probability that they exist. */
static inline double variance_of_mean(const everything *all, const int32_t *axes, int32_t n,
                                      uint32_t which, double *exists)
{
    int64_t cells = 1, step[3] = {0};
    for (int32_t k = 0; k < n; k++)
        if ((which >> k & 1) != 0) {
            step[k] = cells;
            cells *= all->f->axes[axes[k]].bins;
        }
    double *w = calloc((size_t)cells, sizeof *w), *y = calloc((size_t)cells, sizeof *y);
    double total = 0, mean = 0, variance = 0;
    for (int64_t i = 0; i < all->n; i++) {
        if (!exist(all, i, axes, n)) continue;
        int64_t cell = 0;
        for (int32_t k = 0; k < n; k++)
            cell += step[k] * all->latent[i * all->f->d + axes[k]];
        w[cell] += all->w[i];
        y[cell] += all->w[i] * all->y[i];
        total += all->w[i];
        mean += all->w[i] * all->y[i];
    }
    mean /= total;
    for (int64_t c = 0; c < cells; c++)
        if (w[c] > 0) variance += w[c] / total * (y[c] / w[c] - mean) * (y[c] / w[c] - mean);
    free(w);
    free(y);
    *exists = total;
    return variance;
}

/* The effect of axes together, by inclusion and exclusion of what is known of them. */
static inline double brute_effect(const everything *all, const int32_t *axes, int32_t n)
{
    double sum = 0, exists = 0;
    for (uint32_t which = 1; which < 1U << n; which++) {
        int32_t size = 0;
        for (int32_t k = 0; k < n; k++)
            size += (int32_t)(which >> k & 1);
        const double v = variance_of_mean(all, axes, n, which, &exists);
        sum += (n - size) % 2 == 0 ? v : -v;
    }
    return exists * sum;
}

/* Mean and variance where an activity holds. */
static inline void brute_moments(const everything *all, const spt__activity *a, double *mean,
                                 double *variance)
{
    double w = 0, m = 0, s = 0;
    for (int64_t i = 0; i < all->n; i++) {
        if (!holds(a, all->latent + i * all->f->d)) continue;
        w += all->w[i];
        m += all->w[i] * all->y[i];
    }
    m /= w;
    for (int64_t i = 0; i < all->n; i++)
        if (holds(a, all->latent + i * all->f->d))
            s += all->w[i] / w * (all->y[i] - m) * (all->y[i] - m);
    *mean = m;
    *variance = s;
}

/* The mean variance along one axis, all other values as they are, needed or not. */
static inline double brute_total(const everything *all, int32_t axis)
{
    const spt__lattice *f = all->f;
    const spt__axis *a = &f->axes[axis];
    int64_t step = 1;
    double sum = 0;
    for (int32_t j = 0; j < axis; j++)
        step *= f->axes[j].bins;
    for (int64_t i = 0; i < all->n; i++) {
        double mean = 0, square = 0;
        if (all->latent[i * f->d + axis] != 0) continue;
        for (int32_t b = 0; b < a->bins; b++)
            mean += f->weight[a->first + b] * all->y[i + b * step];
        for (int32_t b = 0; b < a->bins; b++) {
            const double off = all->y[i + b * step] - mean;
            square += f->weight[a->first + b] * off * off;
        }
        if (f->weight[a->first] > 0) sum += all->w[i] / f->weight[a->first] * square;
    }
    return sum;
}

#endif
