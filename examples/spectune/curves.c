/* Curves and surfaces of spectune importance. */
#include "importance.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a curve is drawn from; `n` points. */
typedef struct curve {
    const char *name;
    int32_t parameter;
    int64_t n;
    double *x, *weight, *mean, *sd;
} curve;

static bool curve_read(tool *t, const analysis *a, int32_t parameter, curve *c)
{
    spt_parameter_info p;
    *c = (curve){.parameter = parameter};
    spt_fanova_curve(t->ctx, a->fanova, parameter, NULL, NULL, NULL, NULL, 0, &c->n);
    c->x = calloc(4 * (size_t)c->n + 1, sizeof *c->x);
    if (c->x == NULL) return false;
    c->weight = c->x + c->n;
    c->mean = c->weight + c->n;
    c->sd = c->mean + c->n;
    spt_record_init(&p, sizeof p);
    spt_space_describe(spt_history_space(a->history), parameter, &p);
    c->name = p.name;
    return spt_fanova_curve(t->ctx, a->fanova, parameter, c->x, c->weight, c->mean, c->sd, c->n,
                            &c->n) == SPT_OK;
}

/* A value as text: the choice, or the number. */
static const char *value_text(const analysis *a, int32_t parameter, double x, char *buffer,
                              size_t size)
{
    const char *choice = spt_space_choice(spt_history_space(a->history), parameter, (int32_t)x);
    return choice != NULL ? choice : show_number(x, 4, buffer, size);
}

/* ---- JSON ---- */

static json_t *value_json(const analysis *a, int32_t parameter, double x)
{
    const char *choice = spt_space_choice(spt_history_space(a->history), parameter, (int32_t)x);
    return choice != NULL ? json_string(choice) : json_number_or_null(x);
}

static json_t *numbers_json(const double *values, int64_t n)
{
    json_t *list = json_array();
    for (int64_t i = 0; i < n; i++)
        json_array_append_new(list, json_number_or_null(values[i]));
    return list;
}

static json_t *points_json(const analysis *a, int32_t parameter)
{
    int64_t n = 0;
    json_t *list = json_array();
    spt_fanova_points(a->fanova, parameter, NULL, NULL, NULL, 0, &n);
    int64_t *number = calloc((size_t)n + 1, sizeof *number);
    double *x = calloc(2 * (size_t)n + 1, sizeof *x);
    if (number != NULL && x != NULL)
        spt_fanova_points(a->fanova, parameter, number, x, x + n, n, &n);
    for (int64_t i = 0; i < n && number != NULL && x != NULL; i++) {
        json_t *o = json_object();
        json_object_set_new(o, "number", json_integer(number[i]));
        json_object_set_new(o, "x", value_json(a, parameter, x[i]));
        json_object_set_new(o, "loss", json_number_or_null(x[n + i]));
        json_array_append_new(list, o);
    }
    free(number);
    free(x);
    return list;
}

static json_t *curve_json(const analysis *a, const curve *c)
{
    json_t *o = json_object(), *x = json_array();
    for (int64_t i = 0; i < c->n; i++)
        json_array_append_new(x, value_json(a, c->parameter, c->x[i]));
    json_object_set_new(o, "parameter", json_string(c->name));
    json_object_set_new(o, "x", x);
    json_object_set_new(o, "weight", numbers_json(c->weight, c->n));
    json_object_set_new(o, "mean", numbers_json(c->mean, c->n));
    json_object_set_new(o, "sd", numbers_json(c->sd, c->n));
    json_object_set_new(o, "trials", points_json(a, c->parameter));
    return o;
}

/* Mean and standard deviation over the trees, side by side; the caller frees. NULL: no memory. */
static double *surface_read(tool *t, const analysis *a, int64_t *n)
{
    spt_fanova_surface(t->ctx, a->fanova, a->curves[0], a->curves[1], NULL, NULL, 0, n);
    double *mean = calloc(2 * (size_t)*n + 1, sizeof *mean);
    if (mean != NULL && spt_fanova_surface(t->ctx, a->fanova, a->curves[0], a->curves[1], mean,
                                           mean + *n, *n, n) < 0) {
        free(mean);
        mean = NULL;
    }
    return mean;
}

json_t *curves_json(tool *t, const analysis *a)
{
    json_t *o = json_object(), *list = json_array();
    curve c[2] = {{.name = NULL}, {.name = NULL}};
    for (int k = 0; k < 2 && a->curves[k] >= 0; k++)
        if (curve_read(t, a, a->curves[k], &c[k]))
            json_array_append_new(list, curve_json(a, &c[k]));
    json_object_set_new(o, "parameters", list);
    if (a->curves[1] >= 0) {
        int64_t n;
        double *mean = surface_read(t, a, &n);
        json_t *rows = json_array(), *spread = json_array();
        for (int64_t i = 0; i < c[0].n && mean != NULL; i++) {
            json_array_append_new(rows, numbers_json(mean + i * c[1].n, c[1].n));
            json_array_append_new(spread, numbers_json(mean + n + i * c[1].n, c[1].n));
        }
        json_object_set_new(o, "surface_mean", rows);
        json_object_set_new(o, "surface_sd", spread);
        free(mean);
    }
    free(c[0].x);
    free(c[1].x);
    return o;
}

/* ---- on the terminal ---- */

enum { MOST_ROWS = 24, MOST_COLUMNS = 6, COLUMNS = 80 };

/* Point `i` of `shown` among n, from the first to the last. */
static int64_t pick(int64_t i, int64_t shown, int64_t n)
{
    return shown > 1 ? (i * (n - 1) + (shown - 1) / 2) / (shown - 1) : 0;
}

/* How many trials have a value nearest to each of the shown points. */
static void count_trials(const analysis *a, const curve *c, int64_t shown, int64_t *count)
{
    int64_t n = 0;
    spt_fanova_points(a->fanova, c->parameter, NULL, NULL, NULL, 0, &n);
    double *x = calloc((size_t)n + 1, sizeof *x);
    if (x != NULL) spt_fanova_points(a->fanova, c->parameter, NULL, x, NULL, n, &n);
    for (int64_t i = 0; i < n && x != NULL; i++) {
        int64_t best = 0;
        for (int64_t k = 1; k < shown; k++)
            if (fabs(c->x[pick(k, shown, c->n)] - x[i]) <
                fabs(c->x[pick(best, shown, c->n)] - x[i]))
                best = k;
        count[best]++;
    }
    free(x);
}

static int place(double value, double low, double scale)
{
    return scale > 0 ? (int)lround((value - low) * scale) : 0;
}

static void print_curve(const analysis *a, const curve *c)
{
    const int64_t shown = c->n < MOST_ROWS ? c->n : MOST_ROWS;
    int64_t count[MOST_ROWS] = {0};
    double low = INFINITY, high = -INFINITY;
    char text[32], mean[32], sd[32];
    int width = 9;
    count_trials(a, c, shown, count);
    for (int64_t i = 0; i < shown; i++) {
        const int64_t k = pick(i, shown, c->n);
        const int w = show_width(value_text(a, c->parameter, c->x[k], text, sizeof text));
        low = fmin(low, c->mean[k] - c->sd[k]);
        high = fmax(high, c->mean[k] + c->sd[k]);
        if (w > width) width = w < 24 ? w : 24;
    }
    const int room = COLUMNS - width - 35;
    printf("\nmean loss at the values of %s, over all else where it exists:\n\n  ", c->name);
    print_cell("value", width);
    printf("   mean loss  +- trees  trials\n");
    for (int64_t i = 0; i < shown; i++) {
        const int64_t k = pick(i, shown, c->n);
        /* Nothing is drawn of a parameter that never exists under the prior. */
        const double scale = high > low && !isnan(c->mean[k]) ? room / (high - low) : 0;
        const int at = place(c->mean[k], low, scale);
        const int from = place(c->mean[k] - c->sd[k], low, scale);
        const int to = place(c->mean[k] + c->sd[k], low, scale);
        printf("  ");
        print_cell(value_text(a, c->parameter, c->x[k], text, sizeof text), width);
        printf("  %10s %9s  %6lld  ", show_number(c->mean[k], 5, mean, sizeof mean),
               show_number(c->sd[k], 2, sd, sizeof sd), (long long)count[i]);
        for (int b = 0; b <= to && !isnan(c->mean[k]); b++)
            putchar(b == at ? '#' : b >= from ? '-' : ' ');
        printf("\n");
    }
}

static void print_surface(const analysis *a, const curve *c, const double *mean)
{
    const int64_t rows = c[0].n < MOST_ROWS / 2 ? c[0].n : MOST_ROWS / 2;
    const int64_t columns = c[1].n < MOST_COLUMNS ? c[1].n : MOST_COLUMNS;
    char text[32];
    int width = 9;
    for (int64_t i = 0; i < rows; i++) {
        const int w = show_width(
            value_text(a, c[0].parameter, c[0].x[pick(i, rows, c[0].n)], text, sizeof text));
        if (w > width) width = w < 14 ? w : 14;
    }
    printf("\nmean loss at the values of %s (down) and %s (across):\n\n  ", c[0].name, c[1].name);
    print_cell("", width);
    for (int64_t k = 0; k < columns; k++)
        printf(" %9.9s",
               value_text(a, c[1].parameter, c[1].x[pick(k, columns, c[1].n)], text, sizeof text));
    printf("\n");
    for (int64_t i = 0; i < rows; i++) {
        const int64_t r = pick(i, rows, c[0].n);
        printf("  ");
        print_cell(value_text(a, c[0].parameter, c[0].x[r], text, sizeof text), width);
        for (int64_t k = 0; k < columns; k++)
            printf(" %9s",
                   show_number(mean[r * c[1].n + pick(k, columns, c[1].n)], 5, text, sizeof text));
        printf("\n");
    }
}

int print_curves(tool *t, const analysis *a)
{
    int code = EXIT_DONE;
    curve c[2] = {{.name = NULL}, {.name = NULL}};
    for (int k = 0; k < 2 && a->curves[k] >= 0 && code == EXIT_DONE; k++)
        if (!curve_read(t, a, a->curves[k], &c[k])) code = fail("memory ran out");
    if (code == EXIT_DONE && a->curves[1] < 0) print_curve(a, &c[0]);
    if (code == EXIT_DONE && a->curves[1] >= 0) {
        int64_t n;
        double *mean = surface_read(t, a, &n);
        if (mean != NULL)
            print_surface(a, c, mean);
        else
            code = fail("memory ran out");
        free(mean);
    }
    free(c[0].x);
    free(c[1].x);
    return code;
}
