/* How far an analysis is to be trusted. */
#include "fanova.h"
#include "spectune/experimental.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A forest that explains less than this of unseen trials says little. */
static const double little = 0.5;
/* When so small a part of the trials makes so much of the variance, the rest is not seen. */
static const double few = 0.02, most = 0.5;

static int32_t warn(spt_fanova *f, spt__buf *b, spt__err *e)
{
    f->warnings[f->n_warnings] = spt__buf_take(b);
    if (f->warnings[f->n_warnings] == NULL) return spt__nomem(e);
    f->n_warnings++;
    return SPT_OK;
}

static int32_t warn_of_forest(spt_fanova *f, spt__err *e)
{
    spt__buf b;
    const double r2 = f->forest.out_of_bag;
    if (r2 >= little) return SPT_OK;
    spt__buf_init(&b, f->ctx);
    if (!(f->variance > 0))
        spt__buf_puts(&b, "no parameter was seen to matter: the forest says the same of every "
                          "configuration");
    else if (!(r2 > 0))
        spt__buf_puts(&b, "the forest explains nothing of trials that it has not seen: the shares "
                          "are noise");
    else
        spt__buf_printf(&b,
                        "the forest explains only %.0f %% of trials that it has not seen: the "
                        "shares are those of the part that it found",
                        100 * r2);
    return warn(f, &b, e);
}

static int farthest_first(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x > y ? -1 : x < y;
}

/* A few trials far off, as when training diverges. */
static int32_t warn_of_outliers(spt_fanova *f, spt__err *e)
{
    const spt__problem *p = &f->problem;
    const int64_t n = p->table.n, k = (int64_t)ceil(few * (double)n);
    double mean = 0, sum = 0, far = 0;
    double *squares = spt__alloc(f->ctx, (size_t)n, sizeof *squares);
    spt__buf b;
    if (squares == NULL) return spt__nomem(e);
    for (int64_t i = 0; i < n; i++)
        mean += p->loss[i] / (double)n;
    for (int64_t i = 0; i < n; i++) {
        squares[i] = (p->loss[i] - mean) * (p->loss[i] - mean);
        sum += squares[i];
    }
    qsort(squares, (size_t)n, sizeof *squares, farthest_first);
    for (int64_t i = 0; i < k; i++)
        far += squares[i];
    spt__free(f->ctx, squares);
    /* Of a handful of trials one is always far off. */
    if (n < 20 || far < most * sum) return SPT_OK;
    spt__buf_init(&b, f->ctx);
    spt__buf_printf(&b,
                    "%lld of %lld trials make %.0f %% of the variance of the losses: the shares "
                    "tell what made these; a top_quantile below 1 tells of the others",
                    (long long)k, (long long)n, 100 * far / sum);
    return warn(f, &b, e);
}

int32_t spt__fanova_warn(spt_fanova *f, spt__err *e)
{
    SPT__TRY(warn_of_forest(f, e));
    return warn_of_outliers(f, e);
}

/* ---- how many trials are needed ---- */

/* R2 of a small forest on the first n of the rows in `order`. */
static int32_t r2_of(spt_ctx *ctx, const spt__problem *p, const spt__forest_settings *settings,
                     const int64_t *order, int64_t n, double *r2)
{
    const int32_t d = p->lattice.d;
    spt__forest forest;
    spt__table part = p->table;
    uint16_t *code = spt__alloc(ctx, (size_t)d * (size_t)n, sizeof *code);
    double *y = spt__alloc(ctx, (size_t)n, sizeof *y);
    int32_t status = code != NULL && y != NULL ? SPT_OK : spt__nomem(&ctx->err);
    if (status >= 0) {
        for (int64_t i = 0; i < n; i++) {
            y[i] = p->loss[order[i]];
            for (int32_t j = 0; j < d; j++)
                code[j * n + i] = p->code[j * p->table.n + order[i]];
        }
        part.n = n;
        part.code = code;
        part.y = y;
        status = spt__forest_grow(ctx, &part, settings, &forest);
    }
    if (status == SPT_OK) {
        *r2 = forest.out_of_bag;
        spt__forest_free(&forest);
    }
    spt__free(ctx, code);
    spt__free(ctx, y);
    return status;
}

/* log(1 - R2) against log(n) as a straight line, and where it meets the target. */
static int64_t extrapolate(const double *n, const double *r2, int32_t k, double target)
{
    double sx = 0, sy = 0, sxx = 0, sxy = 0;
    if (r2[k - 1] >= target) return (int64_t)n[k - 1];
    for (int32_t i = 0; i < k; i++) {
        const double x = log(n[i]), y = log(fmax(1e-6, 1 - r2[i]));
        sx += x / k;
        sy += y / k;
        sxx += x * x / k;
        sxy += x * y / k;
    }
    const double slope = (sxy - sx * sy) / (sxx - sx * sx);
    if (!(slope < -0.02)) return -1;
    const double needed = exp(sx + (log(1 - target) - sy) / slope);
    return needed > 100 * n[k - 1] ? -1 : (int64_t)ceil(fmax(needed, n[k - 1] + 1));
}

int32_t spt_fanova_trials_needed(spt_ctx *ctx, const spt_history *history,
                                 const spt_options *options, double r2, int64_t *trials)
{
    spt__forest_settings forest;
    spt__problem_settings settings;
    spt__problem p;
    spt__rng rng;
    double sizes[3], found[3];
    int32_t k = 0;
    SPT__REQUIRE(ctx != NULL && trials != NULL);
    *trials = -1;
    SPT__TRY(spt__forest_check(ctx, history, options));
    if (!(r2 >= 0.01 && r2 <= 0.99))
        return spt__fail(&ctx->err, SPT_EINVAL, "r2 is %g; 0.01 to 0.99 are possible", r2);
    spt__forest_read(options, &forest, &settings);
    SPT__TRY(spt__problem_new(ctx, history, &settings, &p));
    const int64_t n = p.table.n;
    int64_t *order = spt__alloc(ctx, (size_t)n, sizeof *order);
    int32_t status = order != NULL ? SPT_OK : spt__nomem(&ctx->err);
    if (status >= 0) {
        for (int64_t i = 0; i < n; i++)
            order[i] = i;
        /* A tree's number is never as large. */
        spt__rng_init(&rng, forest.seed, SPT__RNG_FOREST, UINT32_MAX, 0);
        spt__rng_shuffle(&rng, order, n);
    }
    for (int64_t part = 4; part >= 1 && status == SPT_OK; part /= 2) {
        if (n / part < 3) continue;
        status = r2_of(ctx, &p, &forest, order, n / part, &found[k]);
        sizes[k] = (double)(n / part);
        if (status == SPT_OK && !isnan(found[k])) k++;
    }
    if (status == SPT_OK && k > 0) *trials = extrapolate(sizes, found, k, r2);
    spt__free(ctx, order);
    spt__problem_free(&p);
    return status;
}
