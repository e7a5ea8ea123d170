/* The bins of one parameter. */
#include "problem.h"

#include <stdlib.h>
#include <string.h>

/* Where the value of a condition cuts: of a grid the number of values below the cut; else the
 * value, and whether it belongs to what is above. */
typedef struct mark {
    int64_t index;
    double value;
    bool above;
} mark;

static int by_place(const void *a, const void *b)
{
    const mark *x = a, *y = b;
    if (x->index != y->index) return x->index < y->index ? -1 : 1;
    if (x->value != y->value) return x->value < y->value ? -1 : 1;
    return (int)x->above - (int)y->above;
}

/* How many values of a grid are below x, or not above it. */
static int64_t values_below(const spt__parameter *p, double x, bool or_equal)
{
    int64_t k = spt__space_grid_index(p, x);
    const double nearest = spt__space_grid_value(p, k);
    return k + (nearest < x || (or_equal && nearest == x));
}

/* One cut for what compares by order, one on either side of what must be equal. */
static int32_t add_marks(const spt__parameter *p, const spt__term *term, mark *marks)
{
    const bool below = term->op == SPT_OP_LT || term->op == SPT_OP_GE;
    const bool above = term->op == SPT_OP_LE || term->op == SPT_OP_GT;
    int32_t n = 0;
    for (int32_t i = 0; i < term->n; i++) {
        const double x = term->values[i];
        if (p->count == 0) {
            /* No probability lies on one value: what must equal it cuts nothing off. */
            if (below || above) marks[n++] = (mark){0, x, below};
            continue;
        }
        if (!above) marks[n++] = (mark){values_below(p, x, false), 0, false};
        if (!below) marks[n++] = (mark){values_below(p, x, true), 0, false};
    }
    return n;
}

static int32_t collect(spt_ctx *ctx, const spt_space *space, int32_t parameter, mark **out,
                       int32_t *n, spt__err *e)
{
    const spt__parameter *p = &space->parameters[parameter];
    size_t most = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (int32_t j = parameter + 1; j < space->n; j++)
            for (int32_t i = 0; i < space->parameters[j].when.n; i++) {
                const spt__term *term = &space->parameters[j].when.items[i];
                if (term->parameter != parameter) continue;
                if (pass == 0)
                    most += 2 * (size_t)term->n;
                else
                    *n += add_marks(p, term, *out + *n);
            }
        if (pass == 0) {
            *n = 0;
            *out = spt__alloc(ctx, most, sizeof **out);
            if (*out == NULL) return spt__nomem(e);
        }
    }
    qsort(*out, (size_t)*n, sizeof **out, by_place);
    return SPT_OK;
}

/* Place k of n that share the scale evenly. */
static int64_t even_index(const spt__parameter *p, int32_t k, int32_t n)
{
    const double low = spt__space_edge(p, 0), high = spt__space_edge(p, p->count);
    const double s = low + (high - low) * k / n;
    const double x = p->log ? exp(s) : s;
    return k == 0 ? 0 : k == n ? p->count : values_below(p, x, false);
}

static void fill_grid(const spt__parameter *p, const mark *marks, int32_t n_marks, int32_t cells,
                      spt__bins *out)
{
    int32_t m = 0;
    out->n = -1;
    for (int32_t k = 0; k <= cells; k++) {
        const int64_t here = cells == p->count ? k : even_index(p, k, cells);
        for (; m < n_marks && marks[m].index <= here; m++)
            if (out->n < 0 || marks[m].index > out->start[out->n])
                out->start[++out->n] = marks[m].index;
        if (out->n < 0 || here > out->start[out->n]) out->start[++out->n] = here;
    }
}

static void fill_range(const spt__parameter *p, const mark *marks, int32_t n_marks, spt__bins *out)
{
    const double low = spt__space_edge(p, 0), high = spt__space_edge(p, 1);
    int32_t m = 0;
    out->n = 0;
    out->edge[0] = p->low;
    for (int32_t k = 1; k <= SPT__BINS; k++) {
        const double s = low + (high - low) * k / SPT__BINS;
        const double here = k == SPT__BINS ? p->high : p->log ? exp(s) : s;
        for (; m < n_marks && marks[m].value <= here; m++)
            if (marks[m].value > out->edge[out->n] && marks[m].value < p->high) {
                out->edge[++out->n] = marks[m].value;
                out->above[out->n] = marks[m].above;
            }
        if (here > out->edge[out->n]) {
            out->edge[++out->n] = here;
            out->above[out->n] = true;
        }
    }
    if (out->n == 0) out->edge[++out->n] = p->high; /* a range of one value */
}

int32_t spt__bins_new(spt_ctx *ctx, const spt_space *space, int32_t parameter, spt__bins *out,
                      spt__err *e)
{
    const spt__parameter *p = &space->parameters[parameter];
    const bool unordered = p->type == SPT_PARAMETER_CATEGORICAL || p->type == SPT_PARAMETER_BOOL;
    mark *marks = NULL;
    int32_t n_marks = 0, cells = SPT__BINS;
    *out = (spt__bins){.n = 0};
    if (unordered || (p->count > 0 && p->count <= SPT__BINS_MOST)) cells = (int32_t)p->count;
    int32_t status = collect(ctx, space, parameter, &marks, &n_marks, e);
    if (status >= 0) {
        const size_t n = (size_t)cells + (size_t)n_marks + 2;
        out->start = spt__alloc(ctx, n, sizeof *out->start);
        out->edge = spt__alloc(ctx, n, sizeof *out->edge);
        out->above = spt__calloc(ctx, n, sizeof *out->above);
        if (out->start == NULL || out->edge == NULL || out->above == NULL) status = spt__nomem(e);
    }
    if (status >= 0 && p->count > 0)
        fill_grid(p, marks, n_marks, cells, out);
    else if (status >= 0)
        fill_range(p, marks, n_marks, out);
    spt__free(ctx, marks);
    return status;
}

void spt__bins_free(spt_ctx *ctx, spt__bins *bins)
{
    spt__free(ctx, bins->start);
    spt__free(ctx, bins->edge);
    spt__free(ctx, bins->above);
    *bins = (spt__bins){.n = 0};
}

int32_t spt__bins_find(const spt__parameter *p, const spt__bins *bins, double value)
{
    const int64_t index = p->count > 0 ? spt__space_grid_index(p, value) : 0;
    int32_t low = 0, high = bins->n - 1;
    while (low < high) {
        const int32_t middle = (low + high + 1) / 2;
        const bool at_least = p->count > 0
                                  ? index >= bins->start[middle]
                                  : value > bins->edge[middle] ||
                                        (value == bins->edge[middle] && bins->above[middle]);
        if (at_least)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

double spt__bins_value(const spt__parameter *p, const spt__bins *bins, int32_t bin)
{
    if (p->count > 0)
        return spt__space_grid_value(p, (bins->start[bin] + bins->start[bin + 1] - 1) / 2);
    const double s =
        (spt__space_scale(p, bins->edge[bin]) + spt__space_scale(p, bins->edge[bin + 1])) / 2;
    return spt__space_snap(p, p->log ? exp(s) : s);
}

void spt__bins_measure(const spt__parameter *p, const spt__bins *bins, double *weight, double *at)
{
    const bool unordered = p->type == SPT_PARAMETER_CATEGORICAL || p->type == SPT_PARAMETER_BOOL;
    const bool grid = p->count > 0;
    const double first = unordered ? 0 : spt__space_edge(p, 0);
    const double last = unordered ? (double)p->count : spt__space_edge(p, grid ? p->count : 1);
    for (int32_t b = 0; b < bins->n; b++) {
        double from = first, to = last;
        if (unordered) {
            from = (double)bins->start[b];
            to = (double)bins->start[b + 1];
        } else {
            from = grid ? spt__space_edge(p, bins->start[b]) : spt__space_scale(p, bins->edge[b]);
            to = grid ? spt__space_edge(p, bins->start[b + 1])
                      : spt__space_scale(p, bins->edge[b + 1]);
        }
        const bool point = !(last > first);
        weight[b] = point ? 1 : (to - from) / (last - first);
        at[b] = point ? 0.5 : ((from + to) / 2 - first) / (last - first);
    }
}
