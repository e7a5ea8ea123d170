/* Savitzky-Golay smoothing and derivatives.
 *
 * The least-squares polynomial of a window is written in the Gram polynomials, which are orthogonal
 * on its equidistant points: no system is solved, and order 8 costs no accuracy. With x = i / h for
 * the points i = -h .. h of a window of w = 2h + 1:
 *
 *     P0 = 1,  P1 = x,  P(k+1) = x P(k) - b(k) P(k-1),
 *     b(k) = k^2 (w^2 - k^2) / (4 (4 k^2 - 1)) / h^2,   |P(k)|^2 = w b(1) .. b(k)
 *
 * All sums run over differences to the middle value, so a constant gives exactly zero (or itself).
 */
#include "savgol.h"

#include "spectune/prep.h"

#include <math.h>
#include <string.h>

enum { TERMS = SPT__SAVGOL_MAX_ORDER + 1 };

/* values[k] = the m-th derivative of P(k) at x, k = 0 .. order. */
static void gram(double x, const double *b, int32_t order, int32_t m, double values[TERMS])
{
    double below[TERMS] = {0}; /* the derivative of one order less */
    for (int32_t l = 0; l <= m; l++) {
        double now[TERMS] = {0};
        now[0] = l == 0 ? 1.0 : 0.0;
        for (int32_t k = 0; k < order; k++) {
            now[k + 1] = x * now[k] + l * below[k];
            if (k > 0) now[k + 1] -= b[k] * now[k - 1];
        }
        memcpy(below, now, sizeof below);
    }
    memcpy(values, below, sizeof below);
}

static int32_t check(double spacing, int32_t window, int32_t order, int32_t derivative, spt__err *e)
{
    if (derivative < 0 || derivative > SPT__SAVGOL_MAX_DERIVATIVE)
        return spt__fail(e, SPT_EINVAL, "derivative is %d; 0 to %d are possible", derivative,
                         SPT__SAVGOL_MAX_DERIVATIVE);
    if (order < derivative || order > SPT__SAVGOL_MAX_ORDER)
        return spt__fail(e, SPT_EINVAL, "order is %d; %d (the derivative) to %d are possible",
                         order, derivative, SPT__SAVGOL_MAX_ORDER);
    if (window < 1 || window % 2 == 0)
        return spt__fail(e, SPT_EINVAL, "window is %d points; an odd number is needed", window);
    if (window <= order)
        return spt__fail(e, SPT_EINVAL,
                         "window is %d points; order %d needs more points than its own number",
                         window, order);
    if (!isfinite(spacing) || spacing == 0)
        return spt__fail(e, SPT_EINVAL, "spacing is %g; a finite number other than 0 is needed",
                         spacing);
    return SPT_OK;
}

static void fill(spt__savgol_plan *plan, double scale)
{
    int32_t w = plan->window, h = w / 2, terms = plan->order + 1;
    double half = h > 0 ? h : 1, b[TERMS] = {0}, norm[TERMS] = {0}, values[TERMS];
    norm[0] = w;
    for (int32_t k = 1; k < terms; k++) {
        double kk = (double)k * k, ww = (double)w * w;
        b[k] = kk * (ww - kk) / (4.0 * (4.0 * kk - 1.0)) / (half * half);
        norm[k] = norm[k - 1] * b[k];
    }
    for (int32_t i = 0; i < w; i++) {
        gram((i - h) / half, b, plan->order, 0, values);
        for (int32_t k = 0; k < terms; k++)
            plan->basis[(size_t)k * (size_t)w + (size_t)i] = values[k] / norm[k];
    }
    for (int32_t t = 0; t < h; t++) {
        gram((t - h) / half, b, plan->order, plan->derivative, values);
        for (int32_t k = 0; k < terms; k++)
            plan->ends[(size_t)t * (size_t)terms + (size_t)k] = values[k] * scale;
    }
    gram(0.0, b, plan->order, plan->derivative, values);
    for (int32_t i = 1; i <= h; i++) {
        double sum = 0;
        for (int32_t k = 0; k < terms; k++)
            sum += plan->basis[(size_t)k * (size_t)w + (size_t)(h + i)] * values[k];
        plan->pair[i - 1] = sum * scale;
    }
}

int32_t spt__savgol_init(spt__savgol_plan *plan, spt_ctx *ctx, double spacing, int32_t window,
                         int32_t order, int32_t derivative, spt__err *e)
{
    SPT__TRY(check(spacing, window, order, derivative, e));
    double scale = 1.0;
    for (int32_t l = 0; l < derivative; l++)
        scale /= spacing * (window / 2);
    if (!isfinite(scale) || scale == 0)
        return spt__fail(e, SPT_EINVAL, "spacing %g is too near to zero or infinity", spacing);
    size_t h = (size_t)(window / 2), terms = (size_t)order + 1;
    *plan = (spt__savgol_plan){.ctx = ctx, .window = window, .order = order};
    plan->derivative = derivative;
    plan->pair = spt__alloc(ctx, h, sizeof(double));
    plan->basis = spt__alloc(ctx, terms * (size_t)window, sizeof(double));
    plan->ends = spt__alloc(ctx, terms * h, sizeof(double));
    if (!plan->pair || !plan->basis || !plan->ends) {
        spt__savgol_free(plan);
        return spt__nomem(e);
    }
    fill(plan, scale);
    return SPT_OK;
}

void spt__savgol_free(spt__savgol_plan *plan)
{
    if (!plan->ctx) return;
    spt__free(plan->ctx, plan->pair);
    spt__free(plan->ctx, plan->basis);
    spt__free(plan->ctx, plan->ends);
    *plan = (spt__savgol_plan){0};
}

/* The half window at one end: `step` 1 from the left, -1 from the right, where the polynomial is
 * the mirrored one and odd derivatives change sign. */
static void run_end(const spt__savgol_plan *plan, const double *y, double *out, int64_t step)
{
    int64_t w = plan->window, h = w / 2;
    int32_t terms = plan->order + 1;
    double middle = y[h * step], a[TERMS];
    for (int32_t k = 0; k < terms; k++) {
        const double *basis = plan->basis + k * w;
        double sum = 0;
        for (int64_t i = 0; i < w; i++)
            sum += basis[i] * (y[i * step] - middle);
        a[k] = sum;
    }
    double base = plan->derivative == 0 ? middle : 0.0;
    double sign = plan->derivative % 2 != 0 && step < 0 ? -1.0 : 1.0;
    for (int64_t t = 0; t < h; t++) {
        const double *at = plan->ends + t * terms;
        double sum = 0;
        for (int32_t k = 0; k < terms; k++)
            sum += at[k] * a[k];
        out[t * step] = base + sign * sum;
    }
}

/* Band by band inside, weight by weight outside: the inner loop has no reduction to reorder. */
static void run_middle(const spt__savgol_plan *plan, const double *restrict y, int64_t n,
                       double *restrict out)
{
    int64_t h = plan->window / 2, count = n - 2 * h;
    const double *restrict middle = y + h;
    double *restrict to = out + h;
    for (int64_t j = 0; j < count; j++)
        to[j] = plan->derivative == 0 ? middle[j] : 0.0;
    for (int64_t i = 1; i <= h; i++) {
        const double *restrict right = middle + i, *restrict left = middle - i;
        double weight = plan->pair[i - 1];
        if (plan->derivative % 2 != 0)
            for (int64_t j = 0; j < count; j++)
                to[j] += weight * (right[j] - left[j]);
        else
            for (int64_t j = 0; j < count; j++)
                to[j] += weight * ((right[j] - middle[j]) + (left[j] - middle[j]));
    }
}

void spt__savgol_run(const spt__savgol_plan *plan, const double *y, int64_t n, double *out)
{
    run_middle(plan, y, n, out);
    run_end(plan, y, out, 1);
    run_end(plan, y + n - 1, out + n - 1, -1);
}

int32_t spt_prep_savgol(spt_ctx *ctx, const double *y, int64_t n, double spacing, int32_t window,
                        int32_t order, int32_t derivative, double *out)
{
    SPT__REQUIRE(ctx);
    if (!y || !out) return spt__fail(&ctx->err, SPT_EINVAL, "y and out must not be NULL");
    spt__savgol_plan plan = {0};
    SPT__TRY(spt__savgol_init(&plan, ctx, spacing, window, order, derivative, &ctx->err));
    if (window > n) {
        spt__savgol_free(&plan);
        return spt__fail(&ctx->err, SPT_EINVAL,
                         "window is %d points, but there are %lld values; the window must fit",
                         window, (long long)n);
    }
    spt__savgol_run(&plan, y, n, out);
    spt__savgol_free(&plan);
    return SPT_OK;
}
