/* Grid search: every combination of values, in the order of an odometer whose last parameter turns
 * fastest. Numbers with more than grid_points values take so many of them, evenly spread on their
 * scale, both ends among them. Combinations that the trials have had are passed over. */
#include "sampler.h"

#include <stdlib.h>
#include <string.h>

/* Rows of the view in order, so that a combination is found in it fast. */
typedef struct lattice {
    int64_t most;
    const spt__view *view;
    int64_t *rows, capacity;
    double *at; /* the combination that the walk stands at; its indices */
    int64_t *index;
    bool started, ended;
} lattice;

static void lattice_destroy(spt__sampler *s)
{
    lattice *l = s->memory;
    if (!l) return;
    spt__free(s->ctx, l->rows);
    spt__free(s->ctx, l->at);
    spt__free(s->ctx, l->index);
    spt__free(s->ctx, l);
    s->memory = NULL;
}

static int32_t lattice_init(spt__sampler *s, spt__err *e)
{
    lattice *l = spt__calloc(s->ctx, 1, sizeof *l);
    s->memory = l;
    if (!l) return spt__nomem(e);
    l->most = spt__option_int(s->options, spt__sampler_knobs, "grid_points");
    l->at = spt__alloc(s->ctx, (size_t)s->space->n, sizeof *l->at);
    l->index = spt__alloc(s->ctx, (size_t)s->space->n, sizeof *l->index);
    return l->at && l->index ? SPT_OK : spt__nomem(e);
}

/* ---- the walk ---------------------------------------------------------------------------- */

static int64_t count_of(const spt__domain *d, int64_t most)
{
    if (spt__domain_single(d)) return 1;
    const int32_t type = d->parameter->type;
    const bool number = type == SPT_PARAMETER_FLOAT || type == SPT_PARAMETER_INT;
    if (!number || (d->points > 0 && d->points <= most)) return d->points;
    return most;
}

static double value_of(const spt__domain *d, int64_t k, int64_t count)
{
    const spt__parameter *p = d->parameter;
    if (d->points == count) return spt__space_grid_value(p, k);
    if (spt__domain_single(d)) return p->low;
    const double share = count == 1 ? 0.5 : (double)k / (double)(count - 1);
    const double low = spt__domain_scaled(d, p->low), high = spt__domain_scaled(d, p->high);
    return k == 0 && count > 1 ? p->low : spt__domain_value(d, low + share * (high - low));
}

/* First values for all parameters from `from` on that exist. */
static void restart(const spt__sampler *s, lattice *l, int32_t from)
{
    for (int32_t i = from; i < s->space->n; i++) {
        l->at[i] = NAN;
        if (!spt__space_exists(s->space, i, l->at)) continue;
        l->index[i] = 0;
        l->at[i] = value_of(&s->domains[i], 0, count_of(&s->domains[i], l->most));
    }
}

/* The next combination; false behind the last. */
static bool advance(const spt__sampler *s, lattice *l)
{
    if (!l->started) {
        l->started = true;
        restart(s, l, 0);
        return true;
    }
    for (int32_t i = s->space->n; i-- > 0;) {
        if (isnan(l->at[i])) continue;
        const int64_t count = count_of(&s->domains[i], l->most);
        if (l->index[i] + 1 == count) continue;
        l->index[i]++;
        l->at[i] = value_of(&s->domains[i], l->index[i], count);
        restart(s, l, i + 1);
        return true;
    }
    return false;
}

/* ---- what was tried ---------------------------------------------------------------------- */

/* NaN comes first. */
static int compare_rows(const double *a, const double *b, int32_t n)
{
    for (int32_t i = 0; i < n; i++) {
        if (isnan(a[i]) && isnan(b[i])) continue;
        if (isnan(a[i]) || a[i] < b[i]) return -1;
        if (isnan(b[i]) || a[i] > b[i]) return 1;
    }
    return 0;
}

/* Heap sort, as qsort() cannot be told of the view. */
static void sift(lattice *l, int64_t root, int64_t n)
{
    const double *values = l->view->values;
    const int32_t p = l->view->n_params;
    for (int64_t child; (child = 2 * root + 1) < n; root = child) {
        if (child + 1 < n &&
            compare_rows(values + l->rows[child] * p, values + l->rows[child + 1] * p, p) < 0)
            child++;
        if (compare_rows(values + l->rows[root] * p, values + l->rows[child] * p, p) >= 0) return;
        const int64_t row = l->rows[root];
        l->rows[root] = l->rows[child];
        l->rows[child] = row;
    }
}

static void sort_rows(lattice *l)
{
    const int64_t n = l->view->n;
    for (int64_t i = n / 2; i-- > 0;)
        sift(l, i, n);
    for (int64_t i = n; i-- > 1;) {
        const int64_t row = l->rows[0];
        l->rows[0] = l->rows[i];
        l->rows[i] = row;
        sift(l, 0, i);
    }
}

static bool tried(const lattice *l)
{
    int64_t from = 0, to = l->view->n;
    while (from < to) {
        const int64_t middle = from + (to - from) / 2;
        const int order = compare_rows(l->view->values + l->rows[middle] * l->view->n_params, l->at,
                                       l->view->n_params);
        if (order == 0) return true;
        if (order < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return false;
}

static int32_t lattice_prepare(spt__sampler *s, const spt__view *view, spt__err *e)
{
    lattice *l = s->memory;
    l->view = view;
    l->started = l->ended = false;
    if (view->n > l->capacity) {
        spt__free(s->ctx, l->rows);
        l->capacity = 0;
        l->rows = spt__alloc(s->ctx, (size_t)(2 * view->n), sizeof *l->rows);
        if (!l->rows) return spt__nomem(e);
        l->capacity = 2 * view->n;
    }
    for (int64_t i = 0; i < view->n; i++)
        l->rows[i] = i;
    sort_rows(l);
    return SPT_OK;
}

static int32_t lattice_draw(spt__sampler *s, int64_t sequence, int32_t attempt, double *values,
                            spt__err *e)
{
    lattice *l = s->memory;
    (void)sequence, (void)attempt, (void)e;
    do {
        if (l->ended || !advance(s, l)) {
            l->ended = true;
            return SPT_STOP_EXHAUSTED;
        }
    } while (tried(l));
    memcpy(values, l->at, (size_t)s->space->n * sizeof *values);
    return SPT_OK;
}

const spt__sampler_kind spt__sampler_grid = {.name = "grid",
                                             .prepare = lattice_prepare,
                                             .draw = lattice_draw,
                                             .init = lattice_init,
                                             .destroy = lattice_destroy,
                                             .given = true};
