#include "search_functions.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const double PI = 3.14159265358979323846;

/* ---- continuous; minimum 0
 * ------------------------------------------------------------------------ */

static double sphere(const double *x, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += x[i] * x[i];
    return sum;
}

static double rosenbrock(const double *x, int n)
{
    double sum = 0;
    for (int i = 0; i + 1 < n; i++) {
        double a = x[i + 1] - x[i] * x[i], b = 1 - x[i];
        sum += 100 * a * a + b * b;
    }
    return sum;
}

static double rastrigin(const double *x, int n)
{
    double sum = 10 * n;
    for (int i = 0; i < n; i++)
        sum += x[i] * x[i] - 10 * cos(2 * PI * x[i]);
    return sum;
}

static double ackley(const double *x, int n)
{
    double squares = 0, cosines = 0;
    for (int i = 0; i < n; i++) {
        squares += x[i] * x[i];
        cosines += cos(2 * PI * x[i]);
    }
    return 20 + exp(1) - 20 * exp(-0.2 * sqrt(squares / n)) - exp(cosines / n);
}

static double levy(const double *x, int n)
{
    double first = sin(PI * (1 + (x[0] - 1) / 4)), sum = first * first;
    for (int i = 0; i < n; i++) {
        double w = 1 + (x[i] - 1) / 4, s = i + 1 < n ? sin(PI * w + 1) : sin(2 * PI * w);
        sum += (w - 1) * (w - 1) * (1 + (i + 1 < n ? 10 : 1) * s * s);
    }
    return sum;
}

static double styblinski(const double *x, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += (x[i] * x[i] * x[i] * x[i] - 16 * x[i] * x[i] + 5 * x[i]) / 2;
    return sum + 39.166165703771412 * n;
}

static int32_t box(spt_ctx *ctx, const search_function *f, spt_space **out)
{
    int32_t status = spt_space_new(ctx, f->name, out);
    for (int i = 0; status >= 0 && i < f->dimensions; i++) {
        char name[16];
        snprintf(name, sizeof name, "x%d", i);
        status = spt_space_add_float(*out, name, -f->radius, f->radius, 0, 0, 0);
    }
    return status;
}

/* ---- conditional
 * ------------------------------------------------------------------------------------ */

static int32_t when(spt_space *s, const char *child, const char *parent, int32_t op,
                    const char *value)
{
    return spt_space_add_condition(s, child, parent, op, &value, 1);
}

/* Four branches two levels deep, of which one holds the minimum, 0.01; three others have 0.025,
 * 0.05 and 0.4. Parameters: x n m y a b c d. */
static double conditional(const double *v, int n)
{
    static const double centre[] = {-0.75, -0.25, 0.25, 0.75}, base[] = {0.025, 0.05, 0.4, 0.01};
    (void)n;
    const int branch = v[0] > 0 ? (v[1] > 0 ? 0 : 1) : (v[2] > 0 ? 2 : 3);
    const double at = v[4 + branch];
    return (at - v[3]) * (at - v[3]) + (at - centre[branch]) * (at - centre[branch]) + base[branch];
}

static int32_t conditional_space(spt_ctx *ctx, const search_function *f, spt_space **out)
{
    int32_t bad = spt_space_new(ctx, f->name, out) < 0;
    spt_space *s = *out;
    if (bad) return SPT_ENOMEM;
    bad |= spt_space_add_bool(s, "x", 0) < 0;
    bad |= spt_space_add_bool(s, "n", 0) < 0;
    bad |= spt_space_add_bool(s, "m", 0) < 0;
    bad |= spt_space_add_float(s, "y", -1, 1, 0, 0, 0) < 0;
    for (const char *name = "a\0b\0c\0d"; *name; name += 2)
        bad |= spt_space_add_float(s, name, -1, 1, 0, 0, 0) < 0;
    bad |= when(s, "n", "x", SPT_OP_EQ, "true") < 0 || when(s, "m", "x", SPT_OP_EQ, "false") < 0;
    bad |= when(s, "a", "n", SPT_OP_EQ, "true") < 0 || when(s, "b", "n", SPT_OP_EQ, "false") < 0;
    bad |= when(s, "c", "m", SPT_OP_EQ, "true") < 0 || when(s, "d", "m", SPT_OP_EQ, "false") < 0;
    return bad ? SPT_EINTERNAL : SPT_OK;
}

/* The shape of a tuned CNN. Parameters: n lr act, filters and kernel of three layers, pool
 * pool_size drop. The minimum is -0.05 to within rounding; 0.05 is not added, so that figures
 * compare. */
static double cnnlike(const double *x, int n)
{
    static const double cost[] = {0, 0.05, 0.3};
    (void)n;
    const double layers = x[0], lr = log10(x[1]) + 3, drop = x[11] - 0.2;
    double f = 0.5 * lr * lr + cost[(int)x[2]] + 0.1 * fabs(layers - 2) + 2 * drop * drop;
    for (int i = 0; i < (int)layers; i++) {
        const double a = log2(x[3 + 2 * i]) - 5.5, b = x[4 + 2 * i] - (9 + 6 * i);
        f += 0.15 * a * a / layers + 0.002 * b * b / layers;
    }
    if (x[9] > 0) f += 0.02 * (x[10] - 3) * (x[10] - 3) - 0.05;
    return f;
}

static int32_t cnnlike_space(spt_ctx *ctx, const search_function *f, spt_space **out)
{
    static const char *const acts[] = {"relu", "elu", "tanh"}, *const least[] = {"1", "2", "3"};
    if (spt_space_new(ctx, f->name, out) < 0) return SPT_ENOMEM;
    spt_space *s = *out;
    int32_t bad = spt_space_add_int(s, "n", 1, 3, 1, 0, 1) < 0;
    bad |= spt_space_add_float(s, "lr", 1e-5, 1e-1, 0, 1, 1e-5) < 0;
    bad |= spt_space_add_categorical(s, "act", acts, 3, 2) < 0;
    for (int i = 0; i < 3; i++) {
        char filters[16], kernel[16];
        snprintf(filters, sizeof filters, "filters_%d", i);
        snprintf(kernel, sizeof kernel, "kernel_%d", i);
        bad |= spt_space_add_int(s, filters, 8, 128, 1, 1, 8) < 0;
        bad |= spt_space_add_int(s, kernel, 3, 41, 2, 0, 3) < 0;
        bad |= when(s, filters, "n", SPT_OP_GE, least[i]) < 0;
        bad |= when(s, kernel, "n", SPT_OP_GE, least[i]) < 0;
    }
    bad |= spt_space_add_bool(s, "pool", 0) < 0;
    bad |= spt_space_add_int(s, "pool_size", 2, 8, 1, 0, 8) < 0;
    bad |= when(s, "pool_size", "pool", SPT_OP_EQ, "true") < 0;
    bad |= spt_space_add_float(s, "drop", 0, 0.6, 0.05, 0, 0) < 0;
    return bad ? SPT_EINTERNAL : SPT_OK;
}

/* ---- the list
 * --------------------------------------------------------------------------------------- */

static const search_function functions[] = {
    {"cnnlike", 0, 0, cnnlike, cnnlike_space},
    {"conditional", 0, 0, conditional, conditional_space},
    {"sphere10", 10, 5, sphere, box},
    {"sphere5", 5, 5, sphere, box},
    {"rosenbrock10", 10, 5, rosenbrock, box},
    {"rosenbrock5", 5, 5, rosenbrock, box},
    {"rastrigin10", 10, 5.12, rastrigin, box},
    {"rastrigin5", 5, 5.12, rastrigin, box},
    {"ackley10", 10, 32.768, ackley, box},
    {"ackley5", 5, 32.768, ackley, box},
    {"levy10", 10, 10, levy, box},
    {"levy5", 5, 10, levy, box},
    {"styblinski10", 10, 5, styblinski, box},
    {"styblinski5", 5, 5, styblinski, box},
};
enum { N_FUNCTIONS = sizeof functions / sizeof functions[0] };

const search_function *search_at(int index)
{
    return index >= 0 && index < N_FUNCTIONS ? &functions[index] : NULL;
}

const search_function *search_find(const char *name)
{
    for (int i = 0; i < N_FUNCTIONS; i++)
        if (strcmp(functions[i].name, name) == 0) return &functions[i];
    return NULL;
}

int32_t search_timing_space(spt_ctx *ctx, spt_space **out)
{
    static const char *const letters[] = {"a", "b", "c", "d"};
    static const char *const two = "2", *const three = "3", *const yes = "true", *const b = "b";
    if (spt_space_new(ctx, "timing", out) < 0) return SPT_ENOMEM;
    spt_space *s = *out;
    int32_t bad = spt_space_add_int(s, "layers", 1, 4, 1, 0, 1) < 0;
    bad |= spt_space_add_bool(s, "pool", 0) < 0;
    bad |= spt_space_add_categorical(s, "letter", letters, 4, 0) < 0;
    for (int i = 0; i < 27; i++) {
        char name[16];
        snprintf(name, sizeof name, "p%02d", i);
        switch (i % 5) {
        case 0:
            bad |= spt_space_add_float(s, name, -1, 1, 0, 0, 0) < 0;
            break;
        case 1:
            bad |= spt_space_add_float(s, name, 1e-5, 0.1, 0, 1, 1e-3) < 0;
            break;
        case 2:
            bad |= spt_space_add_int(s, name, 8, 128, 1, 1, 16) < 0;
            break;
        case 3:
            bad |= spt_space_add_int(s, name, 3, 41, 2, 0, 5) < 0;
            break;
        default:
            bad |= spt_space_add_categorical(s, name, letters, 3, 0) < 0;
        }
        if (i >= 15 && i < 18) bad |= when(s, name, "layers", SPT_OP_GE, two) < 0;
        if (i >= 18 && i < 21) bad |= when(s, name, "layers", SPT_OP_GE, three) < 0;
        if (i >= 21 && i < 24) bad |= when(s, name, "pool", SPT_OP_EQ, yes) < 0;
        if (i >= 24) bad |= when(s, name, "letter", SPT_OP_EQ, b) < 0;
    }
    return bad ? SPT_EINTERNAL : SPT_OK;
}
