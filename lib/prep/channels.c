/* The five channels of the paper: R, A = log10(1/R), A' and A'' by Savitzky-Golay, SNV of A. */
#include "channels.h"
#include "recipe.h"

#include "../data/dataset.h"

#include <math.h>
#include <string.h>

/* What no real spectrum reaches, and a wrong unit does. Values between are believed. */
static const double REFLECTANCE_HIGH = 1.2; /* exceeded by more than half of a spectrum */
static const double PERCENT_LOW = 1.5;      /* not reached by any value of a spectrum */
static const double ABSORBANCE_LOW = -0.3;  /* R = 2; a single value is refused */
static const double ABSORBANCE_HIGH = 10;   /* exceeded by more than half of a spectrum */

static const struct {
    int32_t bit;
    const char *name;
} names[SPT__CHANNELS_MAX] = {{SPT_CHANNEL_R, "R"},
                              {SPT_CHANNEL_A, "A"},
                              {SPT_CHANNEL_A_D1, "A+D1"},
                              {SPT_CHANNEL_A_D2, "A+D2"},
                              {SPT_CHANNEL_A_SNV, "A+SNV"}};

const char *spt_channel_name(int32_t channel)
{
    for (int i = 0; i < SPT__CHANNELS_MAX; i++)
        if (names[i].bit == channel) return names[i].name;
    return NULL;
}

/* ---- plan ---------------------------------------------------------------------------------- */

bool spt__axis_step(const double *axis, int64_t p, double *step)
{
    *step = (axis[p - 1] - axis[0]) / (double)(p - 1);
    for (int64_t j = 1; j < p; j++)
        if (!(fabs(axis[j] - axis[j - 1] - *step) <= 1e-6 * fabs(*step))) return false;
    return true;
}

static int32_t uneven(const spt__channel_plan *plan, spt__err *e)
{
    double low = INFINITY, high = 0;
    for (int64_t j = 1; j < plan->p; j++) {
        double gap = fabs(plan->axis[j] - plan->axis[j - 1]);
        low = fmin(low, gap);
        high = fmax(high, gap);
    }
    return spt__fail(e, SPT_EINVAL,
                     "the bands are unevenly spaced (%g to %g %s apart), and derivatives need an "
                     "even axis: resample the spectra first (spt_prep_add_resample, --resample)",
                     low, high, spt_axis_unit_name(plan->axis_unit));
}

static int32_t init_derivatives(spt__channel_plan *plan, const spt_prep *prep, spt__err *e)
{
    double step;
    if (!(plan->mask & (SPT_CHANNEL_A_D1 | SPT_CHANNEL_A_D2))) return SPT_OK;
    if (!spt__axis_step(plan->axis, plan->p, &step)) return uneven(plan, e);
    for (int32_t derivative = 1; derivative <= 2; derivative++) {
        if (!(plan->mask & (derivative == 1 ? SPT_CHANNEL_A_D1 : SPT_CHANNEL_A_D2))) continue;
        int32_t window, order;
        SPT__TRY(
            spt__channel_window(prep->channels, derivative, step, plan->p, &window, &order, e));
        SPT__TRY(spt__savgol_init(derivative == 1 ? &plan->d1 : &plan->d2, plan->ctx, step, window,
                                  order, derivative, e));
    }
    return SPT_OK;
}

static int32_t check_plan(int64_t p, int32_t unit, int32_t mask, int32_t dtype, spt__err *e)
{
    if (mask < 1 || mask > SPT_CHANNEL_ALL)
        return spt__fail(e, SPT_EINVAL,
                         "the channel mask is %d; one or more of R (1), A (2), A+D1 (4), A+D2 (8), "
                         "A+SNV (16) are needed",
                         mask);
    if (dtype != SPT_FLOAT32 && dtype != SPT_FLOAT64)
        return spt__fail(e, SPT_EINVAL,
                         "the type of the channels is %d; SPT_FLOAT32 (1) and SPT_FLOAT64 (2) are "
                         "possible",
                         dtype);
    if (unit < SPT_UNIT_ABSORBANCE || unit > SPT_UNIT_PERCENT_REFLECTANCE)
        return spt__fail(e, SPT_EINVAL,
                         "the unit of the spectra is unknown; absorbance, reflectance or "
                         "percent-reflectance must be declared");
    if (p < 2)
        return spt__fail(e, SPT_EINVAL, "the number of bands is %lld; 2 or more are needed",
                         (long long)p);
    return SPT_OK;
}

int32_t spt__channel_plan_init(spt__channel_plan *plan, spt_ctx *ctx, const spt_prep *prep,
                               const double *axis, int64_t p, int32_t axis_unit, int32_t unit,
                               int32_t mask, int32_t dtype, spt__err *e)
{
    SPT__TRY(check_plan(p, unit, mask, dtype, e));
    *plan = (spt__channel_plan){.ctx = ctx, .p = p, .mask = mask, .unit = unit, .dtype = dtype};
    plan->axis_unit = axis_unit;
    plan->zero_snv = spt__option_choice(prep->channels, spt__channel_knobs, "constant_snv") == 1;
    for (int i = 0; i < SPT__CHANNELS_MAX; i++)
        plan->c += (mask & names[i].bit) != 0;
    plan->axis = spt__alloc(ctx, (size_t)p, sizeof *plan->axis);
    int32_t status = SPT_OK;
    if (plan->axis) {
        memcpy(plan->axis, axis, (size_t)p * sizeof *axis);
        status = init_derivatives(plan, prep, e);
    } else {
        status = spt__nomem(e);
    }
    if (status < 0) spt__channel_plan_free(plan);
    return status;
}

void spt__channel_plan_free(spt__channel_plan *plan)
{
    if (!plan->ctx) return;
    spt__savgol_free(&plan->d1);
    spt__savgol_free(&plan->d2);
    spt__free(plan->ctx, plan->axis);
    *plan = (spt__channel_plan){0};
}

int64_t spt__channels_scratch(const spt__channel_plan *plan)
{
    return 2 * plan->p;
}

/* ---- one spectrum -------------------------------------------------------------------------- */

/* "reflectance 0 at row 'a1', band 1100 nm" in front of `advice`. */
static int32_t bad_value(const spt__channel_plan *plan, double value, int64_t row, const char *id,
                         int64_t band, const char *advice, spt__err *e)
{
    char number[32];
    if (!id) spt__format(number, sizeof number, "%lld", (long long)row + 1);
    return spt__fail(e, SPT_EDATA, "%s %g at row %s%s%s, band %.10g %s: %s",
                     spt_unit_name(plan->unit), value, id ? "'" : "", id ? id : number,
                     id ? "'" : "", plan->axis[band], spt_axis_unit_name(plan->axis_unit), advice);
}

/* Gross mistakes of the unit, and values without a logarithm. */
static int32_t check_row(const spt__channel_plan *plan, const double *x, int64_t row,
                         const char *id, spt__err *e)
{
    bool absorbance = plan->unit == SPT_UNIT_ABSORBANCE;
    bool percent = plan->unit == SPT_UNIT_PERCENT_REFLECTANCE;
    double limit = absorbance ? ABSORBANCE_HIGH : REFLECTANCE_HIGH * (percent ? 100 : 1);
    int64_t above = 0, first_above = -1, highest = 0;
    for (int64_t j = 0; j < plan->p; j++) {
        if (!isfinite(x[j]))
            return bad_value(plan, x[j], row, id, j, "a finite number is needed", e);
        if (!absorbance && x[j] <= 0)
            return bad_value(plan, x[j], row, id, j,
                             "values above 0 are needed, since absorbance is their logarithm", e);
        if (absorbance && x[j] < ABSORBANCE_LOW)
            return bad_value(plan, x[j], row, id, j,
                             "no spectrum goes below -0.3; absorbance is log10(1/R), and spectra "
                             "already derived or normalised cannot be used",
                             e);
        if (x[j] > limit && above++ == 0) first_above = j;
        if (x[j] > x[highest]) highest = j;
    }
    if (above > plan->p / 2)
        return bad_value(plan, x[first_above], row, id, first_above,
                         absorbance ? "most of the spectrum is above 10; if the file holds percent "
                                      "use percent-reflectance"
                         : percent  ? "most of the spectrum is above 120 percent"
                                   : "most of the spectrum is above 1.2; if the file holds percent "
                                     "use percent-reflectance",
                         e);
    if (percent && x[highest] < PERCENT_LOW)
        return bad_value(plan, x[highest], row, id, highest,
                         "the whole spectrum is below 1.5 percent; if the file holds fractions use "
                         "reflectance",
                         e);
    return SPT_OK;
}

/* Channel number k of the output. */
static void put(const spt__channel_plan *plan, const double *restrict from, int32_t k, void *out)
{
    int64_t p = plan->p, c = plan->c;
    if (plan->dtype == SPT_FLOAT32) {
        float *restrict to = (float *)out + k;
        for (int64_t j = 0; j < p; j++)
            to[j * c] = (float)from[j];
    } else {
        double *restrict to = (double *)out + k;
        for (int64_t j = 0; j < p; j++)
            to[j * c] = from[j];
    }
}

/* R of the values, and A; `a` is filled in every case. */
static void absorbance(const spt__channel_plan *plan, const double *restrict x, double *restrict a,
                       double *restrict r)
{
    bool want_r = plan->mask & SPT_CHANNEL_R;
    double scale = plan->unit == SPT_UNIT_PERCENT_REFLECTANCE ? 100.0 : 1.0;
    for (int64_t j = 0; j < plan->p; j++) {
        if (plan->unit == SPT_UNIT_ABSORBANCE) {
            a[j] = x[j];
            if (want_r) r[j] = pow(10.0, -x[j]);
        } else {
            r[j] = x[j] / scale;
            a[j] = -log10(r[j]);
        }
    }
}

/* False for a spectrum without variation, up to the last bits of its values. */
static bool snv(const double *restrict a, int64_t p, double *restrict out)
{
    double low = a[0], high = a[0], sum = 0, squares = 0;
    for (int64_t j = 0; j < p; j++) {
        low = fmin(low, a[j]);
        high = fmax(high, a[j]);
        sum += a[j];
    }
    if (high - low <= 1e-14 * fmax(fabs(low), fabs(high))) return false;
    double mean = sum / (double)p;
    for (int64_t j = 0; j < p; j++)
        squares += (a[j] - mean) * (a[j] - mean);
    double sd = sqrt(squares / (double)(p - 1));
    if (!(sd > 0)) return false;
    for (int64_t j = 0; j < p; j++)
        out[j] = (a[j] - mean) / sd;
    return true;
}

int32_t spt__channels_row(const spt__channel_plan *plan, const double *x, int64_t row,
                          const char *id, void *out, double *scratch, spt__err *e)
{
    double *a = scratch, *other = scratch + plan->p;
    int32_t k = 0;
    SPT__TRY(check_row(plan, x, row, id, e));
    absorbance(plan, x, a, other);
    if (plan->mask & SPT_CHANNEL_R) put(plan, other, k++, out);
    if (plan->mask & SPT_CHANNEL_A) put(plan, a, k++, out);
    if (plan->mask & SPT_CHANNEL_A_D1) {
        spt__savgol_run(&plan->d1, a, plan->p, other);
        put(plan, other, k++, out);
    }
    if (plan->mask & SPT_CHANNEL_A_D2) {
        spt__savgol_run(&plan->d2, a, plan->p, other);
        put(plan, other, k++, out);
    }
    if (plan->mask & SPT_CHANNEL_A_SNV) {
        if (!snv(a, plan->p, other)) {
            if (!plan->zero_snv)
                return bad_value(plan, x[0], row, id, 0,
                                 "all bands have this value, so there is no standard normal "
                                 "variate; constant_snv=zero allows it",
                                 e);
            memset(other, 0, (size_t)plan->p * sizeof *other);
        }
        put(plan, other, k, out);
    }
    return SPT_OK;
}

/* ---- a dataset ----------------------------------------------------------------------------- */

static int32_t all_rows(const spt__channel_plan *plan, const spt_dataset *applied, void *out,
                        spt__err *e)
{
    int64_t n = spt_dataset_rows(applied), p = plan->p;
    size_t size = plan->dtype == SPT_FLOAT32 ? sizeof(float) : sizeof(double);
    size_t row_size = (size_t)p * (size_t)plan->c * size;
    double *x = spt__alloc(plan->ctx, (size_t)(p + spt__channels_scratch(plan)), sizeof *x);
    if (!x) return spt__nomem(e);
    int32_t status = SPT_OK;
    for (int64_t i = 0; i < n && status >= 0; i++) {
        status = spt__dataset_row(applied, i, x, e);
        if (status >= 0)
            status = spt__channels_row(plan, x, i, spt_dataset_id(applied, i),
                                       (char *)out + (size_t)i * row_size, x + p, e);
    }
    spt__free(plan->ctx, x);
    return status;
}

int32_t spt_prep_channels(spt_ctx *ctx, const spt_prep *prep, const spt_dataset *applied,
                          int32_t mask, int32_t dtype, void *out, int64_t capacity)
{
    SPT__REQUIRE(ctx);
    if (!prep || !applied || !out)
        return spt__fail(&ctx->err, SPT_EINVAL, "prep, dataset and out must not be NULL");
    spt__channel_plan plan = {0};
    SPT__TRY(spt__channel_plan_init(&plan, ctx, prep, spt_dataset_axis(applied),
                                    spt_dataset_bands(applied), spt_dataset_axis_unit(applied),
                                    spt_dataset_unit(applied), mask, dtype, &ctx->err));
    int64_t n = spt_dataset_rows(applied) * spt_dataset_bands(applied) * plan.c;
    int32_t status = spt__check_capacity(capacity, n, "the channels", &ctx->err);
    if (status >= 0) status = all_rows(&plan, applied, out, &ctx->err);
    spt__channel_plan_free(&plan);
    return status;
}
