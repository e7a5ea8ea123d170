#include "branch.h"

#include <stdlib.h>
#include <string.h>

static const double PROGRESS = 0.01;

uint64_t spt__branch_of(const double *values, int32_t n)
{
    uint64_t h = UINT64_C(14695981039346656037); /* FNV-1a over one byte per parameter */
    for (int32_t i = 0; i < n; i++)
        h = (h ^ (isnan(values[i]) ? 1 : 2)) * UINT64_C(1099511628211);
    return h;
}

/* ---- rest -------------------------------------------------------------------------------- */

/* The k-th lowest (from 0); the values are moved about. */
static double select_lowest(double *v, int64_t n, int64_t k)
{
    int64_t from = 0, to = n - 1;
    while (from < to) {
        const double pivot = v[from + (to - from) / 2];
        int64_t i = from, j = to;
        while (i <= j) {
            while (v[i] < pivot)
                i++;
            while (v[j] > pivot)
                j--;
            if (i > j) break;
            const double t = v[i];
            v[i++] = v[j];
            v[j--] = t;
        }
        if (k <= j)
            to = j;
        else if (k >= i)
            from = i;
        else
            break;
    }
    return v[k];
}

int32_t spt__branch_rests(spt_ctx *ctx, const spt__view *view, int64_t after, bool *rests,
                          spt__err *e)
{
    double *loss = spt__alloc(ctx, (size_t)view->n, sizeof *loss);
    if (!loss) return spt__nomem(e);
    int64_t n = 0;
    for (int64_t i = 0; i < view->n; i++)
        if (view->state[i] == SPT_TRIAL_COMPLETE && isfinite(view->loss[i]))
            loss[n++] = view->loss[i];
    *rests = false;
    if (n > after) {
        double before = INFINITY, best = INFINITY;
        for (int64_t i = 0; i < n; i++) {
            if (i < n - after && loss[i] < before) before = loss[i];
            if (loss[i] < best) best = loss[i];
        }
        *rests = before - best < PROGRESS * (select_lowest(loss, n, n / 2) - best);
    }
    spt__free(ctx, loss);
    return SPT_OK;
}

/* ---- branches ---------------------------------------------------------------------------- */

typedef struct branch {
    uint64_t id;
    double loss; /* the lowest */
    int64_t n;   /* trials; 0: a free place of the table */
    int64_t row; /* of the first trial */
} branch;

static int by_best(const void *pa, const void *pb)
{
    const branch *a = pa, *b = pb;
    if (a->loss != b->loss) return a->loss < b->loss ? -1 : 1;
    return (a->row > b->row) - (a->row < b->row);
}

/* The branches of the view at the start of `table`, of which `size`, a power of two larger than the
 * view, is the size. */
static int64_t find_branches(const spt__view *view, const uint64_t *branches, branch *table,
                             size_t size)
{
    for (int64_t i = 0; i < view->n; i++) {
        const uint64_t id = branches[i];
        const double loss = isfinite(view->loss[i]) ? view->loss[i] : INFINITY;
        size_t at = id & (size - 1);
        while (table[at].n > 0 && table[at].id != id)
            at = (at + 1) & (size - 1);
        branch *b = &table[at];
        if (b->n == 0) *b = (branch){.id = id, .loss = loss, .row = i};
        if (loss < b->loss) b->loss = loss;
        b->n++;
    }
    int64_t n = 0;
    for (size_t i = 0; i < size; i++)
        if (table[i].n > 0) table[n++] = table[i];
    return n;
}

int32_t spt__branch_least_tried(spt_ctx *ctx, const spt__view *view, const uint64_t *branches,
                                int64_t most, bool *found, uint64_t *id, spt__err *e)
{
    size_t size = 4;
    while (size <= 2 * (size_t)view->n)
        size *= 2;
    branch *table = spt__calloc(ctx, size, sizeof *table);
    if (!table) return spt__nomem(e);
    const int64_t n = find_branches(view, branches, table, size);
    qsort(table, (size_t)n, sizeof *table, by_best);
    int64_t chosen = 1;
    for (int64_t i = 2; i < n && i < most; i++)
        if (table[i].n < table[chosen].n) chosen = i;
    *found = n > 1 && most > 1;
    if (*found) *id = table[chosen].id;
    spt__free(ctx, table);
    return SPT_OK;
}
