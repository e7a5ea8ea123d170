/* Smooth functions of one parameter each, fitted by backfitting (Buja, Hastie & Tibshirani 1989):
 * in turn, each to what the others leave. A function is one value per bin, smoothed after Whittaker
 * (1923): least squares plus a penalty on differences of neighbours. How much is chosen by
 * generalised cross-validation (Craven & Wahba 1979) with every degree of freedom counting 1.4
 * (Kim & Gu 2004), which keeps small samples from being followed too closely. */
#include "forest.h"

#include <math.h>
#include <string.h>

enum { SWEEPS = 8, CHOOSING = 3, CHOICES = 12 };
static const double dearer = 1.4;
/* Sweeps end when the residuals shrink by less than this share. */
static const double settled = 1e-5;

typedef struct fitter {
    const spt__table *table;
    const int32_t *rows;
    int32_t n;
    double *residual;
    double *main;        /* over all bins */
    double *df;          /* per axis */
    double *count;       /* over all bins: rows */
    double *sum;         /* over the bins of the axis at work: of residuals plus the function */
    double *best, *next; /* candidates for the function */
    double *band[3];     /* scratch of the solver */
    double squares;      /* of all residuals */
    double df_total;     /* of all axes */
    double level;
} fitter;

/* What is known of the axis at work. */
typedef struct axis_sums {
    const spt__axis *axis;
    const double *count;
    int32_t filled; /* bins with rows */
    double n, mean;
    double squares; /* of residual + function over the rows that have the parameter */
    double rest;    /* squares of the residuals of the others */
} axis_sums;

/* ---- penalised least squares on the bins of an ordered axis ---- */

/* (N + penalty D'D) as L D L', two bands: the diagonal and what stands below it. */
static bool factorise(int32_t k, int32_t order, const double *count, double penalty, double *d,
                      double *l1, double *l2)
{
    for (int32_t i = 0; i < k; i++) {
        d[i] = count[i];
        l1[i] = l2[i] = 0;
    }
    for (int32_t i = 0; i + order < k; i++) {
        if (order == 1) {
            d[i] += penalty;
            d[i + 1] += penalty;
            l1[i] -= penalty;
        } else {
            d[i] += penalty;
            d[i + 1] += 4 * penalty;
            d[i + 2] += penalty;
            l1[i] -= 2 * penalty;
            l1[i + 1] -= 2 * penalty;
            l2[i] += penalty;
        }
    }
    for (int32_t i = 0; i < k; i++) {
        if (!(d[i] > 0)) return false;
        const double a = l1[i] / d[i], b = l2[i] / d[i];
        if (i + 1 < k) {
            d[i + 1] -= a * l1[i];
            l1[i + 1] -= a * l2[i];
        }
        if (i + 2 < k) d[i + 2] -= b * l2[i];
        l1[i] = a;
        l2[i] = b;
    }
    return true;
}

static void solve(int32_t k, const double *d, const double *l1, const double *l2, double *x)
{
    for (int32_t i = 0; i < k; i++) {
        if (i + 1 < k) x[i + 1] -= l1[i] * x[i];
        if (i + 2 < k) x[i + 2] -= l2[i] * x[i];
    }
    for (int32_t i = k - 1; i >= 0; i--) {
        x[i] /= d[i];
        if (i + 1 < k) x[i] -= l1[i] * x[i + 1];
        if (i + 2 < k) x[i] -= l2[i] * x[i + 2];
    }
}

/* Trace of (N + penalty D'D)^-1 N from the bands of the inverse (Hutchinson & de Hoog 1985). */
static double trace(int32_t k, const double *count, const double *d, const double *l1,
                    const double *l2)
{
    double sum = 0, z00 = 0, z01 = 0, z11 = 0; /* of the two rows behind i */
    for (int32_t i = k - 1; i >= 0; i--) {
        const double a = i + 1 < k ? l1[i] : 0, b = i + 2 < k ? l2[i] : 0;
        const double next1 = -a * z00 - b * z01, next2 = -a * z01 - b * z11;
        const double here = 1 / d[i] - a * next1 - b * next2;
        sum += here * count[i];
        z11 = z00;
        z01 = next1;
        z00 = here;
    }
    return sum;
}

/* ---- one axis ---- */

/* The function of least penalised squares into `g`; *df counts it without the constant. */
static bool smoothed(const fitter *f, const axis_sums *a, spt__smooth how, double *g, double *df)
{
    const int32_t k = a->axis->bins;
    const double penalty = how.penalty * a->n;
    if (a->axis->categorical) {
        double means = -1;
        for (int32_t b = 0; b < k; b++) {
            const double n = a->count[b];
            g[b] = n > 0 ? a->mean + (f->sum[b] - n * a->mean) / (n + penalty) : a->mean;
            means += n > 0 ? n / (n + penalty) : 0;
        }
        if (df != NULL) *df = fmax(0, means);
        return true;
    }
    if (!factorise(k, how.order, a->count, penalty, f->band[0], f->band[1], f->band[2]))
        return false;
    memcpy(g, f->sum, (size_t)k * sizeof *g);
    solve(k, f->band[0], f->band[1], f->band[2], g);
    if (df != NULL) *df = fmax(0, trace(k, a->count, f->band[0], f->band[1], f->band[2]) - 1);
    /* No running on into values that nobody has tried. */
    int32_t first = 0, last = k - 1;
    while (a->count[first] == 0)
        first++;
    while (a->count[last] == 0)
        last--;
    for (int32_t b = 0; b < k; b++)
        g[b] = b < first ? g[first] : b > last ? g[last] : g[b];
    return true;
}

static double squares_left(const fitter *f, const axis_sums *a, const double *g)
{
    double left = a->squares;
    for (int32_t b = 0; b < a->axis->bins; b++)
        left += g[b] * (a->count[b] * g[b] - 2 * f->sum[b]);
    return a->rest + fmax(0, left);
}

static axis_sums gather(fitter *f, int32_t j)
{
    const spt__axis *axis = &f->table->lattice->axes[j];
    const uint16_t *code = f->table->code + (int64_t)j * f->table->n;
    const double *g = f->main + axis->first;
    axis_sums a = {.axis = axis, .count = f->count + axis->first};
    double own = 0, total = 0;
    memset(f->sum, 0, (size_t)axis->bins * sizeof *f->sum);
    if (axis->activity == 0) {
        for (int32_t i = 0; i < f->n; i++)
            f->sum[code[f->rows[i]]] += f->residual[i];
        own = f->squares;
    } else {
        for (int32_t i = 0; i < f->n; i++) {
            const uint16_t c = code[f->rows[i]];
            if (c == SPT__NO_BIN) continue;
            f->sum[c] += f->residual[i];
            own += f->residual[i] * f->residual[i];
        }
    }
    a.squares = own;
    a.rest = fmax(0, f->squares - own);
    for (int32_t b = 0; b < axis->bins; b++) {
        const double n = a.count[b];
        a.squares += g[b] * (2 * f->sum[b] + n * g[b]);
        f->sum[b] += n * g[b];
        a.n += n;
        total += f->sum[b];
        a.filled += n > 0;
    }
    a.mean = a.n > 0 ? total / a.n : 0;
    return a;
}

/* Put the function in place: mean 0 under the measure, residuals with mean 0. */
static void put(fitter *f, int32_t j, double *g)
{
    const spt__lattice *lattice = f->table->lattice;
    const spt__axis *axis = &lattice->axes[j];
    const uint16_t *code = f->table->code + (int64_t)j * f->table->n;
    const double *weight = lattice->weight + axis->first;
    double *old = f->main + axis->first, mean = 0, level = 0;
    for (int32_t b = 0; b < axis->bins; b++)
        mean += weight[b] * g[b];
    for (int32_t b = 0; b < axis->bins; b++) {
        g[b] -= mean;
        const double change = g[b] - old[b];
        old[b] = g[b];
        g[b] = change;
        level -= f->count[axis->first + b] * change;
    }
    level /= f->n;
    f->level += level;
    f->squares = 0;
    for (int32_t i = 0; i < f->n; i++) {
        const uint16_t c = code[f->rows[i]];
        f->residual[i] -= (c == SPT__NO_BIN ? 0 : g[c]) + level;
        f->squares += f->residual[i] * f->residual[i];
    }
}

static spt__smooth choice(const spt__axis *axis, int32_t order, int32_t i)
{
    const double k = axis->bins;
    if (axis->categorical) return (spt__smooth){1, pow(10, -5 + 0.5 * i) / k};
    /* From nearly none to nearly flat (order 1) or straight (order 2), whatever the bins. */
    return order == 1 ? (spt__smooth){1, k * pow(10, -6 + 0.5 * i)}
                      : (spt__smooth){2, k * k * k * pow(10, -10 + 0.75 * i)};
}

/* The best of all ways to smooth the axis, none among them, into f->best. */
static void choose(fitter *f, int32_t j, const axis_sums *a, spt__smooth *smooth)
{
    const int32_t k = a->axis->bins, orders = a->axis->categorical ? 1 : 2;
    const double free = f->n - 1 - (f->df_total - f->df[j]);
    double lowest = (a->rest + fmax(0, a->squares - a->n * a->mean * a->mean)) / (free * free);
    double df = 0;
    f->df_total -= f->df[j];
    f->df[j] = 0;
    *smooth = (spt__smooth){0, 0};
    memset(f->best, 0, (size_t)k * sizeof *f->best);
    for (int32_t order = 1; order <= orders && free > 0; order++)
        for (int32_t i = 0; i < CHOICES && a->filled > order; i++) {
            const spt__smooth how = choice(a->axis, order, i);
            if (!smoothed(f, a, how, f->next, &df) || free - dearer * df < 1) continue;
            const double left = free - dearer * df;
            const double score = squares_left(f, a, f->next) / (left * left);
            if (!(score < lowest)) continue;
            lowest = score;
            *smooth = how;
            f->df[j] = df;
            memcpy(f->best, f->next, (size_t)k * sizeof *f->best);
        }
    f->df_total += f->df[j];
}

/* ---- all axes ---- */

static void release(fitter *f)
{
    spt_ctx *ctx = f->table->lattice->ctx;
    spt__free(ctx, f->df);
    spt__free(ctx, f->count);
    spt__free(ctx, f->sum);
}

static int32_t prepare(fitter *f, spt__err *e)
{
    const spt__lattice *lattice = f->table->lattice;
    int32_t most = 1;
    for (int32_t j = 0; j < lattice->d; j++)
        most = lattice->axes[j].bins > most ? lattice->axes[j].bins : most;
    f->df = spt__calloc(lattice->ctx, (size_t)lattice->d, sizeof *f->df);
    f->count = spt__calloc(lattice->ctx, (size_t)lattice->places, sizeof *f->count);
    f->sum = spt__calloc(lattice->ctx, 6 * (size_t)most, sizeof *f->sum);
    if (f->df == NULL || f->count == NULL || f->sum == NULL) return spt__nomem(e);
    f->best = f->sum + most;
    f->next = f->best + most;
    for (int32_t i = 0; i < 3; i++)
        f->band[i] = f->next + (i + 1) * most;
    memset(f->main, 0, (size_t)lattice->places * sizeof *f->main);
    f->level = 0;
    for (int32_t i = 0; i < f->n; i++)
        f->level += f->residual[i] / f->n;
    for (int32_t i = 0; i < f->n; i++) {
        f->residual[i] -= f->level;
        f->squares += f->residual[i] * f->residual[i];
    }
    for (int32_t j = 0; j < lattice->d; j++) {
        const uint16_t *code = f->table->code + (int64_t)j * f->table->n;
        double *count = f->count + lattice->axes[j].first;
        for (int32_t i = 0; i < f->n; i++)
            if (code[f->rows[i]] != SPT__NO_BIN) count[code[f->rows[i]]]++;
    }
    return SPT_OK;
}

static void sweep(fitter *f, spt__smooth *smooth, bool choosing)
{
    for (int32_t j = 0; j < f->table->lattice->d; j++) {
        if (!choosing && smooth[j].order == 0) continue;
        const axis_sums a = gather(f, j);
        if (a.filled < 2 || f->table->lattice->activities[a.axis->activity].measure == 0) continue;
        if (choosing)
            choose(f, j, &a, &smooth[j]);
        else if (a.filled <= smooth[j].order || !smoothed(f, &a, smooth[j], f->best, NULL))
            continue;
        put(f, j, f->best);
    }
}

static int32_t fit(fitter *f, spt__smooth *smooth, bool choosing, spt__err *e)
{
    int32_t status = prepare(f, e);
    if (status >= 0)
        for (int32_t i = 0; i < SWEEPS; i++) {
            const double before = f->squares;
            sweep(f, smooth, choosing && i < CHOOSING);
            if (i >= (choosing ? CHOOSING - 1 : 0) && before - f->squares <= settled * before)
                break;
        }
    release(f);
    return status;
}

int32_t spt__smooth_choose(const spt__table *table, spt__smooth *smooth, spt__err *e)
{
    const spt__lattice *lattice = table->lattice;
    spt_ctx *ctx = lattice->ctx;
    fitter f = {.table = table, .n = (int32_t)table->n};
    int32_t *rows = spt__alloc(ctx, (size_t)table->n, sizeof *rows);
    f.main = spt__alloc(ctx, (size_t)lattice->places, sizeof *f.main);
    f.residual = spt__alloc(ctx, (size_t)table->n, sizeof *f.residual);
    int32_t status = rows != NULL && f.main != NULL && f.residual != NULL ? SPT_OK : spt__nomem(e);
    for (int32_t j = 0; j < lattice->d; j++)
        smooth[j] = (spt__smooth){0, 0};
    for (int32_t i = 0; i < f.n && status >= 0; i++) {
        rows[i] = i;
        f.residual[i] = table->y[i];
    }
    f.rows = rows;
    if (status >= 0) status = fit(&f, smooth, true, e);
    spt__free(ctx, rows);
    spt__free(ctx, f.main);
    spt__free(ctx, f.residual);
    return status;
}

int32_t spt__smooth_fit(const spt__table *table, const int32_t *rows, int32_t n,
                        const spt__smooth *smooth, double *residual, double *main, double *level,
                        spt__err *e)
{
    fitter f = {.table = table, .rows = rows, .n = n, .residual = residual, .main = main};
    const int32_t status = fit(&f, (spt__smooth *)(uintptr_t)smooth, false, e);
    *level = f.level;
    return status;
}
