/* The values that one parameter can take. */
#include "space.h"

#include <inttypes.h>
#include <string.h>

/* Whole numbers below this come out of x * 10^d exactly. */
static const double exact_limit = 2251799813685248.0; /* 2^51 */
/* Whole numbers within this have exact differences. */
static const double whole_limit = 4503599627370496.0; /* 2^52 */
static const double count_limit = 1e15;

/* The smallest power of ten that makes x whole, 0 if there is none up to 1e15. */
static double decimal_scale(double x)
{
    double scale = 1;
    for (int d = 0; d <= 15; d++, scale *= 10) {
        double whole = round(x * scale);
        if (fabs(whole) < exact_limit && whole / scale == x) return scale;
    }
    return 0;
}

static bool is_number(const spt__parameter *p)
{
    return p->type == SPT_PARAMETER_FLOAT || p->type == SPT_PARAMETER_INT;
}

static int32_t check_bounds(const spt__parameter *p, spt__err *e)
{
    const double limit = p->type == SPT_PARAMETER_INT ? whole_limit : 1e300;
    if (!(fabs(p->low) <= limit) || !(fabs(p->high) <= limit))
        return spt__fail(e, SPT_EINVAL, "parameter '%s': bounds %g and %g; -%g to %g are possible",
                         p->name, p->low, p->high, limit, limit);
    if (p->low > p->high)
        return spt__fail(e, SPT_EINVAL, "parameter '%s': low %.15g is above high %.15g", p->name,
                         p->low, p->high);
    if (p->type == SPT_PARAMETER_INT && !(p->step >= 1 && p->step <= whole_limit))
        return spt__fail(e, SPT_EINVAL, "parameter '%s': step is %.15g; 1 or more is possible",
                         p->name, p->step);
    if (!(p->step >= 0 && p->step <= 1e300))
        return spt__fail(e, SPT_EINVAL,
                         "parameter '%s': step is %g; 0 (continuous) or more is possible", p->name,
                         p->step);
    if (p->log && !(p->low > 0))
        return spt__fail(e, SPT_EINVAL,
                         "parameter '%s': low is %.15g; a logarithmic scale needs it above 0",
                         p->name, p->low);
    return SPT_OK;
}

int32_t spt__parameter_grid(spt__parameter *p, spt__err *e)
{
    p->count = p->n_choices;
    p->scale = 1;
    if (!is_number(p)) {
        p->low = 0;
        p->high = p->n_choices - 1;
        p->step = 1;
        return SPT_OK;
    }
    /* -0 and 0 are one value and have one text. */
    p->low += 0.0;
    p->high += 0.0;
    SPT__TRY(check_bounds(p, e));
    p->count = 0;
    p->scale = 0;
    if (p->step == 0) return SPT_OK;
    if ((p->high - p->low) / p->step > count_limit)
        return spt__fail(e, SPT_EINVAL,
                         "parameter '%s': step %g is too small for %g to %g; at most %g values are "
                         "possible",
                         p->name, p->step, p->low, p->high, count_limit);
    if (p->type == SPT_PARAMETER_INT) {
        p->scale = 1;
    } else {
        double a = decimal_scale(p->low), b = decimal_scale(p->step), c = decimal_scale(p->high);
        double scale = fmax(a, fmax(b, c));
        bool exact = a > 0 && b > 0 && c > 0 && fabs(p->low * scale) < exact_limit &&
                     fabs(p->high * scale) < exact_limit && p->step * scale < exact_limit;
        p->scale = exact ? scale : 0;
    }
    if (p->scale > 0) {
        double low = round(p->low * p->scale), high = round(p->high * p->scale);
        p->count = (int64_t)floor((high - low) / round(p->step * p->scale)) + 1;
    } else {
        p->count = (int64_t)floor((p->high - p->low) / p->step + 1e-9) + 1;
    }
    p->high = spt__space_grid_value(p, p->count - 1);
    return SPT_OK;
}

double spt__space_grid_value(const spt__parameter *p, int64_t k)
{
    if (p->scale > 0) {
        /* Numerator and denominator are whole and exact, so the division rounds only once. */
        double whole = round(p->low * p->scale) + (double)k * round(p->step * p->scale);
        return whole / p->scale + 0.0;
    }
    double x = p->low + (double)k * p->step + 0.0;
    return fmin(x, fmax(p->high, p->low));
}

int64_t spt__space_grid_index(const spt__parameter *p, double x)
{
    if (!(x > p->low)) return 0;
    if (x >= p->high) return p->count - 1;
    int64_t k = (int64_t)round((x - p->low) / p->step);
    return k > p->count - 1 ? p->count - 1 : k;
}

double spt__space_scale(const spt__parameter *p, double x)
{
    return p->log ? log(x) : x;
}

double spt__space_edge(const spt__parameter *p, int64_t k)
{
    const double half = p->count > 0 ? p->step / 2 : 0;
    if (k <= 0 && !p->log) return p->low - half;
    /* Half a step down a logarithm may be nothing at all: then the mirror image of half a step up.
     */
    if (k <= 0)
        return 2 * half <= p->low ? log(p->low - half) : 2 * log(p->low) - log(p->low + half);
    if (k >= p->count) return spt__space_scale(p, p->high + half);
    return spt__space_scale(p, p->low + ((double)k - 0.5) * p->step);
}

double spt__space_snap(const spt__parameter *p, double x)
{
    if (isnan(x)) return p->value;
    if (p->count > 0) return spt__space_grid_value(p, spt__space_grid_index(p, x));
    return fmin(fmax(x, p->low), p->high) + 0.0;
}

int32_t spt__parameter_accept(const spt__parameter *p, double *x, spt__err *e)
{
    if (!is_number(p)) {
        if (*x >= 0 && *x < p->n_choices && *x == floor(*x)) return SPT_OK;
        return spt__fail(e, SPT_EINVAL, "parameter '%s': choice %.15g; 0 to %d are possible",
                         p->name, *x, p->n_choices - 1);
    }
    double nearest = spt__space_snap(p, *x);
    double slack = p->type == SPT_PARAMETER_FLOAT ? 1e-9 * p->step : 0;
    if (fabs(nearest - *x) <= slack) {
        *x = nearest;
        return SPT_OK;
    }
    if (p->type == SPT_PARAMETER_INT && !(*x == floor(*x)))
        return spt__fail(e, SPT_EINVAL, "parameter '%s' is %.15g; a whole number is needed",
                         p->name, *x);
    if (!(*x >= p->low && *x <= p->high))
        return spt__fail(e, SPT_EINVAL, "parameter '%s' is %.15g; %.15g to %.15g are possible",
                         p->name, *x, p->low, p->high);
    return spt__fail(e, SPT_EINVAL,
                     "parameter '%s' is %.15g; %.15g to %.15g by steps of %.15g are possible, the "
                     "nearest is %.15g",
                     p->name, *x, p->low, p->high, p->step, nearest);
}

int32_t spt__parameter_parse(const spt__parameter *p, const char *text, double *x, spt__err *e)
{
    if (!text) return spt__fail(e, SPT_EINVAL, "parameter '%s': the value is NULL", p->name);
    if (is_number(p)) {
        if (spt__parse_double(text, strlen(text), '.', x)) {
            *x += 0.0;
            return SPT_OK;
        }
        return spt__fail(e, SPT_EINVAL, "parameter '%s' is '%.80s'; a number is needed", p->name,
                         text);
    }
    for (int32_t i = 0; i < p->n_choices; i++) {
        if (strcmp(p->choices[i], text) == 0) {
            *x = i;
            return SPT_OK;
        }
    }
    const char *near = spt__nearest(text, (const char *const *)p->choices, (size_t)p->n_choices);
    if (near)
        return spt__fail(e, SPT_EINVAL, "parameter '%s' has no choice '%.80s'; '%s' is the nearest",
                         p->name, text, near);
    return spt__fail(e, SPT_EINVAL, "parameter '%s' has no choice '%.80s'; '%s'%s%s%s is possible",
                     p->name, text, p->choices[0], p->n_choices > 1 ? " to '" : "",
                     p->n_choices > 1 ? p->choices[p->n_choices - 1] : "",
                     p->n_choices > 1 ? "'" : "");
}

void spt__parameter_print(const spt__parameter *p, double x, spt__buf *b)
{
    if (!is_number(p))
        spt__buf_puts(b, p->choices[(int32_t)x]);
    else if (p->type == SPT_PARAMETER_INT && fabs(x) <= whole_limit && x == floor(x))
        spt__buf_printf(b, "%" PRId64, (int64_t)x);
    else
        spt__buf_double(b, x);
}
