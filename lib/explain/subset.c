/* What two or three axes do together beyond what fewer of them do. A leaf takes part only if it has
 * an edge on each of them: along an axis on which it has none it is the same everywhere, which
 * leaves nothing that needs that axis. The leaves are added up on the cells between the tree's
 * cuts, by their corners, as a constant and a slope per axis; then the mean along each axis in turn
 * is taken off. */
#include "effects.h"

#include <math.h>
#include <string.h>

enum { MOST = SPT__SUBSET_MOST };

/* The cells between the cuts of a tree, over all bins: of an axis without order its bins. */
typedef struct cells {
    int32_t *of;    /* bin -> cell */
    int32_t *start; /* cell -> first bin */
    int32_t *n;     /* per axis */
    spt__moments *m;
} cells;

typedef struct dim {
    int32_t axis, n, step; /* step: between neighbours in the grid */
    bool ordered;
    const int32_t *of, *start;
    double *w, *mean, *variance; /* per cell, within the activity of the subset; sum of w is 1 */
    double within;               /* measure of that part of the axis */
    int32_t *corner, n_corners;  /* of the leaf at work: cells, */
    double *sign;                /* and what of it begins or ends there */
} dim;

typedef struct grid {
    const spt__leaves *leaves;
    cells c;
    dim dims[MOST];
    int32_t n_dims;
    double *values; /* (1 + n_dims) x cells: constant, slopes */
    double *line;   /* scratch: one of them */
    int64_t capacity, n;
    double *scratch;
    int32_t *corners;
    double measure; /* of where the subset exists */
} grid;

/* A leaf that takes part, by its edges on the axes of the subset. */
typedef struct entry {
    int32_t leaf, edge[MOST];
} entry;

/* ---- cells ---- */

static void mark_cuts(const spt__leaves *l, int32_t *cut)
{
    const spt__lattice *f = l->tree->lattice;
    for (int32_t i = 0; i < l->n_edges; i++) {
        const spt__axis *axis = &f->axes[l->edge[i].axis];
        if (axis->categorical) continue;
        cut[axis->first + l->edge[i].part.low] = 1;
        cut[axis->first + l->edge[i].part.high + 1] = 1;
    }
}

static int32_t find_cells(const spt__leaves *l, cells *c, spt__err *e)
{
    const spt__lattice *f = l->tree->lattice;
    const size_t n = (size_t)f->places;
    c->of = spt__calloc(f->ctx, 2 * n + (size_t)f->d, sizeof *c->of);
    c->m = spt__alloc(f->ctx, n, sizeof *c->m);
    if (c->of == NULL || c->m == NULL) return spt__nomem(e);
    c->start = c->of + n;
    c->n = c->start + n;
    mark_cuts(l, c->of);
    for (int32_t j = 0; j < f->d; j++) {
        const spt__axis *axis = &f->axes[j];
        int32_t *of = c->of + axis->first, *start = c->start + axis->first, k = 0;
        start[0] = of[0] = 0;
        for (int32_t b = 1; b < axis->bins; b++) {
            if (of[b] || axis->categorical) start[++k] = b;
            of[b] = k;
        }
        c->n[j] = k + 1;
        start[k + 1] = axis->bins;
        for (int32_t i = 0; i <= k; i++) {
            spt__moments *m = &c->m[axis->first + i];
            const spt__part part = {start[i], start[i + 1] - 1, NULL};
            *m = axis->categorical ? (spt__moments){f->weight[axis->first + i], 0, 0}
                                   : spt__part_moments(f, axis, &part);
        }
    }
    return SPT_OK;
}

static int32_t prepare(grid *g, const spt__leaves *l, spt__err *e)
{
    const spt__lattice *f = l->tree->lattice;
    size_t most = 1;
    for (int32_t j = 0; j < f->d; j++)
        if ((size_t)f->axes[j].bins > most) most = (size_t)f->axes[j].bins;
    *g = (grid){.leaves = l};
    SPT__TRY(find_cells(l, &g->c, e));
    g->scratch = spt__alloc(f->ctx, 4 * MOST * most, sizeof *g->scratch);
    g->corners = spt__alloc(f->ctx, MOST * (most + 1), sizeof *g->corners);
    if (g->scratch == NULL || g->corners == NULL) return spt__nomem(e);
    for (size_t i = 0; i < MOST; i++) {
        dim *d = &g->dims[i];
        d->w = g->scratch + 4 * i * most;
        d->mean = d->w + most;
        d->variance = d->mean + most;
        d->sign = d->variance + most;
        d->corner = g->corners + i * (most + 1);
    }
    return SPT_OK;
}

static void release(grid *g)
{
    if (g->leaves == NULL) return;
    spt_ctx *ctx = g->leaves->tree->lattice->ctx;
    spt__free(ctx, g->c.of);
    spt__free(ctx, g->c.m);
    spt__free(ctx, g->scratch);
    spt__free(ctx, g->corners);
    spt__free(ctx, g->values);
}

/* ---- a grid for a subset ---- */

/* The cells of an axis as far as `need` (NULL: all) lets them be. */
static void measure_dim(const spt__lattice *f, const cells *c, dim *d, const spt__need *need)
{
    const spt__axis *axis = &f->axes[d->axis];
    d->within = 0;
    for (int32_t i = 0; i < d->n; i++) {
        spt__moments m = c->m[axis->first + i];
        if (need != NULL && axis->categorical) {
            if (!spt__set_has(need->part.set, i)) m = (spt__moments){0, 0, 0};
        } else if (need != NULL) {
            const spt__part cell = {d->start[i], d->start[i + 1] - 1, NULL};
            const spt__part both = spt__part_meet(axis, cell, need->part, NULL);
            m = spt__part_moments(f, axis, &both);
        }
        d->w[i] = m.w;
        d->mean[i] = m.w > 0 ? m.z / m.w : 0;
        d->variance[i] = m.w > 0 ? fmax(0, m.zz / m.w - d->mean[i] * d->mean[i]) : 0;
        d->within += m.w;
    }
    for (int32_t i = 0; i < d->n && d->within > 0; i++)
        d->w[i] /= d->within;
}

/* *exists: whether all of the axes ever exist together. */
static int32_t set_up(grid *g, const int32_t *axes, int32_t n, bool *exists, spt__err *e)
{
    const spt__lattice *f = g->leaves->tree->lattice;
    spt__activity both[MOST] = {{NULL, 0, 0}};
    uint64_t *words[MOST] = {NULL};
    const spt__activity *all = &f->activities[f->axes[axes[0]].activity];
    int32_t status = SPT_OK;
    for (int32_t i = 1; i < n && status >= 0; i++) {
        const spt__activity *next = &f->activities[f->axes[axes[i]].activity];
        if (next == all || next->n == 0) continue;
        status = spt__activity_meet(f, all, next, &both[i], &words[i], e);
        all = &both[i];
    }
    g->n_dims = n;
    g->n = 1;
    g->measure = all->measure;
    for (int32_t i = n - 1; i >= 0 && status >= 0; i--) {
        dim *d = &g->dims[i];
        const spt__axis *axis = &f->axes[axes[i]];
        d->axis = axes[i];
        d->n = g->c.n[axes[i]];
        d->ordered = !axis->categorical;
        d->of = g->c.of + axis->first;
        d->start = g->c.start + axis->first;
        d->step = (int32_t)g->n;
        g->n *= d->n;
        measure_dim(f, &g->c, d, spt__activity_need(all, axes[i]));
    }
    *exists = g->measure > 0;
    if (status >= 0 && g->n * (n + 2) > g->capacity) {
        spt__free(f->ctx, g->values);
        g->capacity = 2 * g->n * (n + 2);
        g->values = spt__alloc(f->ctx, (size_t)g->capacity, sizeof *g->values);
        if (g->values == NULL) {
            g->capacity = 0;
            status = spt__nomem(e);
        }
    }
    if (status >= 0) g->line = g->values + g->n * (n + 1);
    for (int32_t i = 0; i < n; i++) {
        spt__free(f->ctx, both[i].needs);
        spt__free(f->ctx, words[i]);
    }
    return status;
}

/* ---- adding leaves up ---- */

static void find_corners(const spt__lattice *f, dim *d, const spt__edge *edge)
{
    d->n_corners = 0;
    if (d->ordered) {
        d->corner[0] = d->of[edge->part.low];
        d->sign[0] = 1;
        d->corner[1] = d->of[edge->part.high] + 1;
        d->sign[1] = -1;
        d->n_corners = d->corner[1] < d->n ? 2 : 1;
        return;
    }
    for (int32_t b = 0; b < f->axes[d->axis].bins; b++) {
        if (!spt__set_has(edge->part.set, b)) continue;
        d->corner[d->n_corners] = b;
        d->sign[d->n_corners++] = 1;
    }
}

static void add_entry(grid *g, const entry *en, int32_t coefficients)
{
    const spt__leaves *l = g->leaves;
    const spt__leaf *leaf = &l->leaf[en->leaf];
    double c[1 + MOST] = {leaf->value}, u = leaf->w / g->measure;
    for (int32_t i = 0; i < g->n_dims; i++) {
        const spt__edge *edge = &l->edge[en->edge[i]];
        find_corners(l->tree->lattice, &g->dims[i], edge);
        u *= g->dims[i].within / edge->w;
        c[0] -= edge->slope * edge->mean;
        c[1 + i] = edge->slope;
    }
    const dim *x = &g->dims[0], *y = &g->dims[1], *z = &g->dims[2];
    const int32_t n_y = g->n_dims > 1 ? y->n_corners : 1, n_z = g->n_dims > 2 ? z->n_corners : 1;
    for (int32_t i = 0; i < x->n_corners; i++)
        for (int32_t j = 0; j < n_y; j++)
            for (int32_t k = 0; k < n_z; k++) {
                int64_t at = (int64_t)x->corner[i] * x->step;
                double sign = u * x->sign[i];
                if (g->n_dims > 1) at += (int64_t)y->corner[j] * y->step, sign *= y->sign[j];
                if (g->n_dims > 2) at += z->corner[k], sign *= z->sign[k];
                for (int32_t q = 0; q < coefficients; q++)
                    g->values[q * g->n + at] += sign * c[q];
            }
}

/* From corners to sums. */
static void run_on(grid *g, int32_t coefficients)
{
    for (int32_t i = 0; i < g->n_dims; i++) {
        const dim *d = &g->dims[i];
        const int64_t block = (int64_t)d->n * d->step;
        if (!d->ordered) continue;
        for (int64_t at = 0; at < coefficients * g->n; at += block)
            for (int64_t k = at + d->step; k < at + block; k++)
                g->values[k] += g->values[k - d->step];
    }
}

/* Take the mean along dimension `i` off, for all lines side by side. */
static void centre(grid *g, int32_t i, int32_t coefficients)
{
    const dim *d = &g->dims[i];
    const int64_t block = (int64_t)d->n * d->step;
    for (int32_t q = 0; q < coefficients; q++) {
        if (q == 1 + i) continue; /* the slope along it is no part of what is left of others */
        for (int64_t at = 0; at < g->n; at += block) {
            double *v = g->values + q * g->n + at, *mean = g->line;
            const double *slope = g->values + (1 + i) * g->n + at;
            const bool sloping = q == 0 && coefficients > 1;
            memset(mean, 0, (size_t)d->step * sizeof *mean);
            for (int32_t p = 0; p < d->n; p++) {
                const double w = d->w[p], m = d->mean[p];
                const double *row = v + (int64_t)p * d->step;
                const double *steep = slope + (int64_t)p * d->step;
                for (int32_t k = 0; k < d->step; k++)
                    mean[k] += sloping ? w * (row[k] + m * steep[k]) : w * row[k];
            }
            for (int32_t p = 0; p < d->n; p++)
                for (int32_t k = 0; k < d->step; k++)
                    v[(int64_t)p * d->step + k] -= mean[k];
        }
    }
}

static double sum_squares(const grid *g, int32_t coefficients)
{
    const double one = 1, none = 0;
    const dim point = {.n = 1,
                       .w = (double *)(uintptr_t)&one,
                       .mean = (double *)(uintptr_t)&none,
                       .variance = (double *)(uintptr_t)&none};
    const dim *x = &g->dims[0], *y = g->n_dims > 1 ? &g->dims[1] : &point,
              *z = g->n_dims > 2 ? &g->dims[2] : &point;
    const double *v = g->values;
    double sum = 0;
    for (int32_t i = 0; i < x->n; i++)
        for (int32_t j = 0; j < y->n; j++) {
            double line = 0;
            for (int32_t k = 0; k < z->n; k++, v++) {
                double value = *v, spread = 0;
                if (coefficients > 1) {
                    const double a = v[g->n], b = v[2 * g->n];
                    value += a * x->mean[i] + b * y->mean[j];
                    spread += a * a * x->variance[i] + b * b * y->variance[j];
                }
                if (coefficients > 3) {
                    const double c = v[3 * g->n];
                    value += c * z->mean[k];
                    spread += c * c * z->variance[k];
                }
                line += z->w[k] * (value * value + spread);
            }
            sum += x->w[i] * y->w[j] * line;
        }
    return sum;
}

static double variance_of(grid *g, const entry *entries, int64_t n)
{
    int32_t coefficients = 1;
    for (int64_t i = 0; i < n && coefficients == 1; i++)
        for (int32_t k = 0; k < g->n_dims; k++)
            if (g->leaves->edge[entries[i].edge[k]].slope != 0) coefficients = 1 + g->n_dims;
    memset(g->values, 0, (size_t)g->n * (size_t)coefficients * sizeof *g->values);
    for (int64_t i = 0; i < n; i++)
        add_entry(g, &entries[i], coefficients);
    run_on(g, coefficients);
    for (int32_t i = 0; i < g->n_dims; i++)
        centre(g, i, coefficients);
    return g->measure * sum_squares(g, coefficients);
}

/* ---- one subset ---- */

static int32_t edge_on(const spt__leaves *l, const spt__leaf *leaf, int32_t axis)
{
    for (int32_t k = leaf->first; k < leaf->first + leaf->n; k++)
        if (l->edge[k].axis == axis) return k;
    return -1;
}

int32_t spt__effects_subset(const spt__leaves *l, const int32_t *axes, int32_t n, double *variance,
                            spt__err *e)
{
    grid g = {.leaves = NULL};
    bool exists;
    int64_t count = 0;
    spt_ctx *ctx = l->tree->lattice->ctx;
    entry *entries = spt__alloc(ctx, (size_t)l->n, sizeof *entries);
    int32_t status = entries != NULL ? prepare(&g, l, e) : spt__nomem(e);
    if (status >= 0) status = set_up(&g, axes, n, &exists, e);
    for (int32_t i = 0; i < l->n && status >= 0; i++) {
        entry en = {.leaf = i};
        bool takes_part = true;
        for (int32_t k = 0; k < n && takes_part; k++) {
            en.edge[k] = edge_on(l, &l->leaf[i], axes[k]);
            takes_part = en.edge[k] >= 0;
        }
        if (takes_part) entries[count++] = en;
    }
    if (status >= 0) *variance = exists ? variance_of(&g, entries, count) : 0;
    release(&g);
    spt__free(ctx, entries);
    return status;
}

/* ---- all pairs ---- */

typedef struct pair_entry {
    int32_t axis[2];
    entry e;
} pair_entry;

/* A stable counting sort by one of the axes. */
static void sort_by(const pair_entry *from, pair_entry *to, int64_t n, int32_t which,
                    int64_t *count, int32_t d)
{
    memset(count, 0, ((size_t)d + 1) * sizeof *count);
    for (int64_t i = 0; i < n; i++)
        count[from[i].axis[which] + 1]++;
    for (int32_t j = 0; j < d; j++)
        count[j + 1] += count[j];
    for (int64_t i = 0; i < n; i++)
        to[count[from[i].axis[which]]++] = from[i];
}

/* Every two edges of every leaf, in order of (first axis, second axis). */
static int32_t list_pairs(const spt__leaves *l, pair_entry **out, int64_t *n, spt__err *e)
{
    const spt__lattice *f = l->tree->lattice;
    int64_t most = 0, k = 0;
    for (int32_t i = 0; i < l->n; i++)
        most += (int64_t)l->leaf[i].n * (l->leaf[i].n - 1) / 2;
    pair_entry *a = spt__alloc(f->ctx, (size_t)most, sizeof *a);
    pair_entry *b = spt__alloc(f->ctx, (size_t)most, sizeof *b);
    int64_t *count = spt__alloc(f->ctx, (size_t)f->d + 1, sizeof *count);
    *out = a;
    *n = most;
    const int32_t status = a != NULL && b != NULL && count != NULL ? SPT_OK : spt__nomem(e);
    for (int32_t i = 0; i < l->n && status >= 0; i++) {
        const spt__leaf *leaf = &l->leaf[i];
        for (int32_t p = leaf->first; p < leaf->first + leaf->n; p++)
            for (int32_t q = leaf->first; q < p; q++) {
                const bool order = l->edge[p].axis < l->edge[q].axis;
                const int32_t x = order ? p : q, y = order ? q : p;
                b[k++] = (pair_entry){{l->edge[x].axis, l->edge[y].axis}, {i, {x, y, 0}}};
            }
    }
    if (status >= 0) {
        sort_by(b, a, most, 1, count, f->d);
        sort_by(a, b, most, 0, count, f->d);
        *out = b;
        b = a;
    }
    spt__free(f->ctx, b);
    spt__free(f->ctx, count);
    return status;
}

static int32_t measure_pairs(const spt__leaves *l, const pair_entry *list, int64_t n,
                             entry *entries, spt__pair_effect *out, int64_t *n_out, spt__err *e)
{
    grid g = {.leaves = NULL};
    int32_t status = prepare(&g, l, e);
    *n_out = 0;
    for (int64_t i = 0, end; i < n && status >= 0; i = end) {
        bool exists;
        for (end = i; end < n && list[end].axis[0] == list[i].axis[0] &&
                      list[end].axis[1] == list[i].axis[1];
             end++)
            entries[end - i] = list[end].e;
        status = set_up(&g, list[i].axis, 2, &exists, e);
        if (status < 0 || !exists) continue;
        out[(*n_out)++] =
            (spt__pair_effect){list[i].axis[0], list[i].axis[1], variance_of(&g, entries, end - i)};
    }
    release(&g);
    return status;
}

int32_t spt__effects_pairs(const spt__leaves *l, spt__pair_effect **out, int64_t *n, spt__err *e)
{
    spt_ctx *ctx = l->tree->lattice->ctx;
    pair_entry *list = NULL;
    entry *entries = NULL;
    int64_t n_list = 0, distinct = 0;
    *out = NULL;
    int32_t status = list_pairs(l, &list, &n_list, e);
    for (int64_t i = 0; i < n_list && status >= 0; i++)
        distinct += i == 0 || list[i].axis[0] != list[i - 1].axis[0] ||
                    list[i].axis[1] != list[i - 1].axis[1];
    if (status >= 0) {
        *out = spt__alloc(ctx, (size_t)distinct, sizeof **out);
        entries = spt__alloc(ctx, (size_t)l->n, sizeof *entries);
        if (*out == NULL || entries == NULL) status = spt__nomem(e);
    }
    if (status >= 0) status = measure_pairs(l, list, n_list, entries, *out, n, e);
    spt__free(ctx, list);
    spt__free(ctx, entries);
    if (status < 0) {
        spt__free(ctx, *out);
        *out = NULL;
    }
    return status;
}
