/* Curves and surfaces of a forest, the trials beside them, and the effects of chosen subsets. */
#include "fanova.h"

#include "../base/threads.h"

#include <math.h>
#include <string.h>

/* What the tasks of a call share; each tree has its own place in `values`. */
typedef struct work {
    const spt_fanova *f;
    int32_t axes[SPT__SUBSET_MOST];
    int32_t n;
    double *values;
} work;

static int32_t bad_parameter(spt_ctx *ctx, const spt_fanova *f, int64_t parameter)
{
    return spt__fail(&ctx->err, SPT_EINVAL, "parameter %lld; 0 to %d are possible",
                     (long long)parameter, f->problem.n_parameters - 1);
}

static bool is_parameter(const spt_fanova *f, int64_t parameter)
{
    return parameter >= 0 && parameter < f->problem.n_parameters;
}

/* ---- curves ---- */

static int32_t curve_of_tree(int64_t number, int32_t worker, void *arg, spt__err *e)
{
    work *w = arg;
    const spt__lattice *f = &w->f->problem.lattice;
    const spt__axis *axis = &f->axes[w->axes[0]];
    spt__leaves leaves;
    (void)worker;
    SPT__TRY(spt__leaves_new(&w->f->forest.trees[number], &leaves, e));
    const size_t n = 2 * (size_t)f->n_activities + (size_t)f->places + (size_t)f->d;
    double *mean = spt__alloc(f->ctx, n, sizeof *mean);
    int32_t status = mean != NULL ? SPT_OK : spt__nomem(e);
    if (status >= 0) {
        double *variance = mean + f->n_activities, *curve = variance + f->n_activities;
        status = spt__effects_moments(&leaves, mean, variance, e);
        if (status >= 0) status = spt__effects_main(&leaves, curve + f->places, curve, e);
        for (int32_t b = 0; b < axis->bins && status >= 0; b++)
            w->values[number * axis->bins + b] = mean[axis->activity] + curve[axis->first + b];
    }
    spt__free(f->ctx, mean);
    spt__leaves_free(&leaves);
    return status;
}

int32_t spt_fanova_curve(spt_ctx *ctx, const spt_fanova *f, int64_t parameter, double *x,
                         double *weight, double *mean, double *sd, int64_t capacity,
                         int64_t *needed)
{
    SPT__REQUIRE(ctx != NULL && f != NULL);
    if (!is_parameter(f, parameter)) return bad_parameter(ctx, f, parameter);
    const spt__problem *p = &f->problem;
    const spt__axis *axis = &p->lattice.axes[parameter];
    const int64_t trees = f->forest.n;
    work w = {.f = f, .axes = {(int32_t)parameter}};
    if (needed != NULL) *needed = axis->bins;
    if (capacity < axis->bins)
        return spt__fail(&ctx->err, SPT_ECAPACITY, "room for %lld points; %d are needed",
                         (long long)capacity, axis->bins);
    for (int32_t b = 0; b < axis->bins; b++) {
        if (x != NULL)
            x[b] = spt__bins_value(&p->space->parameters[parameter], &p->bins[parameter], b);
        if (weight != NULL) weight[b] = p->lattice.weight[axis->first + b];
    }
    if (mean == NULL && sd == NULL) return SPT_OK;
    w.values = spt__alloc(ctx, (size_t)trees * ((size_t)axis->bins + 1), sizeof *w.values);
    if (w.values == NULL) return spt__nomem(&ctx->err);
    double *column = w.values + trees * axis->bins;
    const int32_t status = spt__parallel(ctx, trees, curve_of_tree, &w, &ctx->err);
    for (int32_t b = 0; b < axis->bins && status >= 0; b++) {
        for (int64_t t = 0; t < trees; t++)
            column[t] = w.values[t * axis->bins + b];
        const spt__summary s = spt__summarise(column, trees, 0);
        if (mean != NULL) mean[b] = s.mean;
        if (sd != NULL) sd[b] = s.sd;
    }
    spt__free(ctx, w.values);
    return status;
}

int32_t spt_fanova_points(const spt_fanova *f, int64_t parameter, int64_t *number, double *x,
                          double *loss, int64_t capacity, int64_t *needed)
{
    SPT__REQUIRE(f != NULL && is_parameter(f, parameter));
    const spt__problem *p = &f->problem;
    const double *value = p->value + parameter * p->table.n;
    int64_t k = 0, points = 0;
    for (int64_t i = 0; i < p->table.n; i++)
        points += !isnan(value[i]);
    if (needed != NULL) *needed = points;
    if (capacity < points) return SPT_ECAPACITY;
    for (int64_t i = 0; i < p->table.n; i++) {
        if (isnan(value[i])) continue;
        if (number != NULL) number[k] = p->number[i];
        if (x != NULL) x[k] = value[i];
        if (loss != NULL) loss[k] = p->loss[i];
        k++;
    }
    return SPT_OK;
}

/* ---- surfaces ---- */

/* One tree after the other, so that only sums are kept: of differences to the first. */
static int32_t sum_surfaces(spt_ctx *ctx, const spt_fanova *f, int32_t first, int32_t second,
                            int64_t n, double *mean, double *sd)
{
    int32_t status = SPT_OK;
    double *own = spt__alloc(ctx, (size_t)n, 4 * sizeof *own);
    if (own == NULL) return spt__nomem(&ctx->err);
    double *start = own + n, *sum = start + n, *squares = sum + n;
    memset(sum, 0, 2 * (size_t)n * sizeof *sum);
    for (int64_t t = 0; t < f->forest.n && status >= 0; t++) {
        spt__leaves leaves;
        status = spt__leaves_new(&f->forest.trees[t], &leaves, &ctx->err);
        if (status < 0) break;
        status = spt__effects_surface(&leaves, first, second, t == 0 ? start : own, &ctx->err);
        for (int64_t i = 0; i < n && t > 0 && status >= 0; i++) {
            const double d = own[i] - start[i];
            sum[i] += d;
            squares[i] += d * d;
        }
        spt__leaves_free(&leaves);
    }
    const double trees = (double)f->forest.n;
    for (int64_t i = 0; i < n && status >= 0; i++) {
        const double m = sum[i] / trees;
        if (mean != NULL) mean[i] = start[i] + m;
        if (sd != NULL)
            sd[i] = isnan(start[i]) ? NAN
                    : trees > 1     ? sqrt(fmax(0, squares[i] - trees * m * m) / (trees - 1))
                                    : 0;
    }
    spt__free(ctx, own);
    return status;
}

int32_t spt_fanova_surface(spt_ctx *ctx, const spt_fanova *f, int64_t first, int64_t second,
                           double *mean, double *sd, int64_t capacity, int64_t *needed)
{
    SPT__REQUIRE(ctx != NULL && f != NULL);
    if (!is_parameter(f, first)) return bad_parameter(ctx, f, first);
    if (!is_parameter(f, second)) return bad_parameter(ctx, f, second);
    if (first == second)
        return spt__fail(&ctx->err, SPT_EINVAL, "a surface needs two different parameters");
    const spt__lattice *lattice = &f->problem.lattice;
    const int64_t points = (int64_t)lattice->axes[first].bins * lattice->axes[second].bins;
    if (needed != NULL) *needed = points;
    if (capacity < points)
        return spt__fail(&ctx->err, SPT_ECAPACITY, "room for %lld points; %lld are needed",
                         (long long)capacity, (long long)points);
    return sum_surfaces(ctx, f, (int32_t)first, (int32_t)second, points, mean, sd);
}

/* ---- subsets ---- */

static int32_t subset_of_tree(int64_t number, int32_t worker, void *arg, spt__err *e)
{
    work *w = arg;
    const spt__lattice *f = &w->f->problem.lattice;
    const double whole = w->f->tree_variance[number];
    spt__leaves leaves;
    double variance = 0;
    (void)worker;
    w->values[number] = NAN;
    if (!(whole > 0)) return SPT_OK;
    SPT__TRY(spt__leaves_new(&w->f->forest.trees[number], &leaves, e));
    int32_t status = SPT_OK;
    if (w->n == 1) {
        double *all = spt__alloc(f->ctx, (size_t)f->d, sizeof *all);
        status = all != NULL ? spt__effects_main(&leaves, all, NULL, e) : spt__nomem(e);
        if (status >= 0) variance = all[w->axes[0]];
        spt__free(f->ctx, all);
    } else {
        status = spt__effects_subset(&leaves, w->axes, w->n, &variance, e);
    }
    w->values[number] = variance / whole;
    spt__leaves_free(&leaves);
    return status;
}

/* Probability that all of the axes exist. */
static double exist_together(const spt__lattice *f, const int32_t *axes, int32_t n)
{
    double p = 1;
    spt__activity all = f->activities[0];
    spt__activity both[SPT__SUBSET_MOST] = {{NULL, 0, 0}};
    uint64_t *words[SPT__SUBSET_MOST] = {NULL};
    spt__err ignored;
    for (int32_t i = 0; i < n; i++) {
        if (spt__activity_meet(f, &all, &f->activities[f->axes[axes[i]].activity], &both[i],
                               &words[i], &ignored) < 0)
            p = NAN;
        else
            p = both[i].measure;
        if (isnan(p)) break;
        all = both[i];
    }
    for (int32_t i = 0; i < n; i++) {
        spt__free(f->ctx, both[i].needs);
        spt__free(f->ctx, words[i]);
    }
    return p;
}

int32_t spt_fanova_subset(spt_ctx *ctx, const spt_fanova *f, const int64_t *parameters, int64_t n,
                          spt_interaction *out)
{
    SPT__REQUIRE(ctx != NULL && f != NULL && parameters != NULL && out != NULL);
    if (n < 1 || n > SPT__SUBSET_MOST)
        return spt__fail(&ctx->err, SPT_EINVAL, "%lld parameters; 1 to %d are possible",
                         (long long)n, SPT__SUBSET_MOST);
    work w = {.f = f, .n = (int32_t)n};
    spt_interaction found;
    spt_record_init(&found, sizeof found);
    found.n = w.n;
    for (int32_t i = 0; i < SPT__SUBSET_MOST; i++)
        found.parameters[i] = -1;
    for (int32_t i = 0; i < w.n; i++) {
        if (!is_parameter(f, parameters[i])) return bad_parameter(ctx, f, parameters[i]);
        for (int32_t k = 0; k < i; k++)
            if (parameters[k] == parameters[i])
                return spt__fail(&ctx->err, SPT_EINVAL, "parameter '%s' is named twice",
                                 spt__fanova_name(f, (int32_t)parameters[i]));
        w.axes[i] = found.parameters[i] = (int32_t)parameters[i];
        found.names[i] = spt__fanova_name(f, w.axes[i]);
    }
    w.values = spt__alloc(ctx, (size_t)f->forest.n, sizeof *w.values);
    if (w.values == NULL) return spt__nomem(&ctx->err);
    int32_t status = spt__parallel(ctx, f->forest.n, subset_of_tree, &w, &ctx->err);
    if (status >= 0) {
        const spt__summary s = spt__summarise(w.values, f->forest.n, f->error_of_sd);
        found.share = s.mean;
        found.sd = s.sd;
        found.error = s.error;
        found.p_active = exist_together(&f->problem.lattice, w.axes, w.n);
        status = isnan(found.p_active) ? spt__nomem(&ctx->err)
                                       : spt__record_out(out, &found, sizeof found);
    }
    spt__free(ctx, w.values);
    return status;
}
