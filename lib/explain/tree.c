/* Growing a regression tree: least squares, thresholds drawn between neighbours, categories split
 * by sets (ordered by their means, the best cut of that order is the best of all sets). */
#include "forest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int32_t words_of(const spt__axis *axis)
{
    return (int32_t)((axis->count + 63) / 64);
}

static bool has(const uint64_t *set, int64_t value)
{
    return (set[value / 64] >> (value % 64) & 1) != 0;
}

double spt__axis_below(const spt__axis *axis, int64_t k)
{
    if (!axis->log) return (double)k / (double)axis->count;
    const double first = log(axis->low - 0.5 * axis->step);
    const double last = log(axis->low + ((double)axis->count - 0.5) * axis->step);
    return (log(axis->low + ((double)k - 0.5) * axis->step) - first) / (last - first);
}

/* ---- one tree at work ---- */

typedef struct pair {
    double x, y;
} pair;

typedef struct split {
    int32_t axis; /* -1: none */
    double gain;  /* how much the sum of squares falls */
    double cut;
} split;

typedef struct grower {
    spt__tree *tree;
    const spt__forest_data *data;
    const spt__forest_settings *settings;
    spt__rng rng;
    int64_t *rows;  /* bootstrap sample, partitioned in place */
    pair *pairs;    /* scratch of n */
    int32_t *order; /* the axes, shuffled at every split */
    /* per category of one axis, scratch of the largest count */
    double *sum;
    int64_t *count, *sorted;
    uint64_t *set, *best_set;
    int32_t set_words;
} grower;

static int by_x(const void *a, const void *b)
{
    const pair *p = a, *q = b;
    if (p->x != q->x) return p->x < q->x ? -1 : 1;
    return p->y < q->y ? -1 : p->y > q->y;
}

/* A place for the threshold between two neighbours; of indices, the last that goes left. */
static double place(grower *g, const spt__axis *axis, double a, double b)
{
    if (axis->count > 0) return a + (double)spt__rng_below(&g->rng, (uint64_t)(b - a));
    const double u = spt__rng_double(&g->rng), cut = a + u * (b - a);
    return cut < b ? cut : a;
}

static void try_ordered(grower *g, int32_t axis, const int64_t *rows, int64_t n, double total,
                        split *best)
{
    const double *x = g->data->x + axis * g->data->n;
    double left = 0, a = 0, b = 0, gain = 0;
    for (int64_t i = 0; i < n; i++)
        g->pairs[i] = (pair){x[rows[i]], g->data->y[rows[i]]};
    qsort(g->pairs, (size_t)n, sizeof *g->pairs, by_x);
    for (int64_t i = 1; i < n; i++) {
        left += g->pairs[i - 1].y;
        if (g->pairs[i].x <= g->pairs[i - 1].x || i < g->settings->min_leaf ||
            n - i < g->settings->min_leaf)
            continue;
        const double right = total - left;
        const double found =
            left * left / (double)i + right * right / (double)(n - i) - total * total / (double)n;
        if (found > gain) {
            gain = found;
            a = g->pairs[i - 1].x;
            b = g->pairs[i].x;
        }
    }
    if (gain <= best->gain) return;
    best->gain = gain;
    best->axis = axis;
    best->cut = place(g, &g->data->axes[axis], a, b);
}

/* Categories that the rows have, by their means (insertion sort: they are few). */
static int64_t sort_categories(grower *g, const double *x, int64_t k, const int64_t *rows,
                               int64_t n)
{
    int64_t present = 0;
    memset(g->sum, 0, (size_t)k * sizeof *g->sum);
    memset(g->count, 0, (size_t)k * sizeof *g->count);
    for (int64_t i = 0; i < n; i++) {
        const int64_t c = (int64_t)x[rows[i]];
        g->sum[c] += g->data->y[rows[i]];
        g->count[c]++;
    }
    for (int64_t c = 0; c < k; c++) {
        if (g->count[c] == 0) continue;
        const double mean = g->sum[c] / (double)g->count[c];
        int64_t at = present++;
        for (; at > 0; at--) {
            const int64_t other = g->sorted[at - 1];
            if (g->sum[other] / (double)g->count[other] <= mean) break;
            g->sorted[at] = other;
        }
        g->sorted[at] = c;
    }
    return present;
}

static void try_categorical(grower *g, int32_t axis, const int64_t *rows, int64_t n, double total,
                            split *best)
{
    const int64_t k = g->data->axes[axis].count;
    const int64_t present = sort_categories(g, g->data->x + axis * g->data->n, k, rows, n);
    double left = 0, gain = 0;
    int64_t n_left = 0, cut = 0;
    for (int64_t i = 1; i < present; i++) {
        left += g->sum[g->sorted[i - 1]];
        n_left += g->count[g->sorted[i - 1]];
        if (n_left < g->settings->min_leaf || n - n_left < g->settings->min_leaf) continue;
        const double right = total - left;
        const double found = left * left / (double)n_left + right * right / (double)(n - n_left) -
                             total * total / (double)n;
        if (found > gain) {
            gain = found;
            cut = i;
        }
    }
    if (gain <= best->gain) return;
    best->gain = gain;
    best->axis = axis;
    memset(g->best_set, 0, (size_t)g->set_words * sizeof *g->best_set);
    /* Nothing is known of the values that no row here has: each goes where a coin says. */
    for (int64_t c = 0; c < k; c++)
        if (g->count[c] == 0 && spt__rng_below(&g->rng, 2) == 0)
            g->best_set[c / 64] |= (uint64_t)1 << (c % 64);
    for (int64_t i = 0; i < cut; i++)
        g->best_set[g->sorted[i] / 64] |= (uint64_t)1 << (g->sorted[i] % 64);
}

static split best_split(grower *g, const int64_t *rows, int64_t n)
{
    const int32_t d = g->data->d;
    split best = {-1, 0, 0};
    double total = 0, squares = 0;
    for (int64_t i = 0; i < n; i++) {
        total += g->data->y[rows[i]];
        squares += g->data->y[rows[i]] * g->data->y[rows[i]];
    }
    /* Differences of the size of rounding are none. */
    best.gain = 1e-12 * squares;
    int32_t tries = (int32_t)ceil(g->settings->features * d);
    if (tries < 1) tries = 1;
    for (int32_t i = 0; i < d; i++) {
        const int32_t j = i + (int32_t)spt__rng_below(&g->rng, (uint64_t)(d - i));
        const int32_t axis = g->order[j];
        g->order[j] = g->order[i];
        g->order[i] = axis;
        /* An axis on which the rows do not differ costs no try: further ones are looked at until
         * one splits. */
        if (i >= tries && best.axis >= 0) break;
        if (g->data->axes[axis].categorical)
            try_categorical(g, axis, rows, n, total, &best);
        else
            try_ordered(g, axis, rows, n, total, &best);
    }
    return best;
}

/* ---- nodes ---- */

static int32_t add_node(spt__tree *t, int32_t *index, spt__err *e)
{
    if (t->n_nodes == t->capacity) {
        const int32_t capacity = t->capacity > 0 ? 2 * t->capacity : 64;
        spt__node *grown = spt__realloc(t->ctx, t->nodes, (size_t)capacity, sizeof *grown);
        if (grown == NULL) return spt__nomem(e);
        t->nodes = grown;
        t->capacity = capacity;
    }
    *index = t->n_nodes++;
    t->nodes[*index] = (spt__node){.axis = -1};
    return SPT_OK;
}

static int32_t add_set(spt__tree *t, const uint64_t *set, int32_t words, int32_t *first,
                       spt__err *e)
{
    if (t->n_words + words > t->capacity_words) {
        const int32_t capacity = 2 * (t->capacity_words + words);
        uint64_t *grown = spt__realloc(t->ctx, t->sets, (size_t)capacity, sizeof *grown);
        if (grown == NULL) return spt__nomem(e);
        t->sets = grown;
        t->capacity_words = capacity;
    }
    *first = t->n_words;
    memcpy(t->sets + t->n_words, set, (size_t)words * sizeof *set);
    t->n_words += words;
    return SPT_OK;
}

static bool goes_left(const spt__tree *t, const spt__node *node, double x)
{
    return t->data->axes[node->axis].categorical ? has(t->sets + node->set, (int64_t)x)
                                                 : x <= node->cut;
}

/* Depth is bounded by max_depth, so recursion is fine. */
static int32_t grow(grower *g, int64_t first, int64_t n, int32_t depth, int32_t *index, spt__err *e)
{
    spt__tree *t = g->tree;
    int64_t *rows = g->rows + first, n_left = 0;
    double sum = 0;
    int32_t left = 0, right = 0, self = 0;
    SPT__TRY(add_node(t, &self, e));
    *index = self;
    for (int64_t i = 0; i < n; i++)
        sum += g->data->y[rows[i]];
    t->nodes[self].value = sum / (double)n;
    if (depth >= g->settings->max_depth || n < 2 * g->settings->min_leaf || n < 2) return SPT_OK;
    const split s = best_split(g, rows, n);
    if (s.axis < 0) return SPT_OK;
    t->nodes[self].axis = s.axis;
    t->nodes[self].cut = s.cut;
    if (g->data->axes[s.axis].categorical)
        SPT__TRY(add_set(t, g->best_set, words_of(&g->data->axes[s.axis]), &t->nodes[self].set, e));
    const double *x = g->data->x + s.axis * g->data->n;
    for (int64_t i = 0; i < n; i++) {
        if (!goes_left(t, &t->nodes[self], x[rows[i]])) continue;
        const int64_t row = rows[i];
        rows[i] = rows[n_left];
        rows[n_left++] = row;
    }
    SPT__TRY(grow(g, first, n_left, depth + 1, &left, e));
    SPT__TRY(grow(g, first + n_left, n - n_left, depth + 1, &right, e));
    t->nodes[self].left = left;
    t->nodes[self].right = right;
    return SPT_OK;
}

/* ---- the tree ---- */

static double value_at(const spt__tree *t, const double *x, int64_t stride)
{
    const spt__node *node = &t->nodes[0];
    while (node->axis >= 0)
        node = &t->nodes[goes_left(t, node, x[node->axis * stride]) ? node->left : node->right];
    return node->value;
}

double spt__tree_predict(const spt__tree *t, const double *x)
{
    return value_at(t, x, 1);
}

static int32_t prepare(grower *g, spt__err *e)
{
    const spt__forest_data *data = g->data;
    spt_ctx *ctx = g->tree->ctx;
    int64_t most = 1;
    for (int32_t j = 0; j < data->d; j++)
        if (data->axes[j].categorical && data->axes[j].count > most) most = data->axes[j].count;
    g->set_words = (int32_t)((most + 63) / 64);
    g->rows = spt__alloc(ctx, (size_t)data->n, sizeof *g->rows);
    g->pairs = spt__alloc(ctx, (size_t)data->n, sizeof *g->pairs);
    g->order = spt__alloc(ctx, (size_t)data->d, sizeof *g->order);
    g->sum = spt__alloc(ctx, (size_t)most, sizeof *g->sum);
    g->count = spt__alloc(ctx, (size_t)most, sizeof *g->count);
    g->sorted = spt__alloc(ctx, (size_t)most, sizeof *g->sorted);
    g->best_set = spt__calloc(ctx, (size_t)g->set_words, sizeof *g->best_set);
    if (g->rows == NULL || g->pairs == NULL || g->order == NULL || g->sum == NULL ||
        g->count == NULL || g->sorted == NULL || g->best_set == NULL)
        return spt__nomem(e);
    for (int32_t j = 0; j < data->d; j++)
        g->order[j] = j;
    return SPT_OK;
}

static void clean_up(grower *g)
{
    spt_ctx *ctx = g->tree->ctx;
    spt__free(ctx, g->rows);
    spt__free(ctx, g->pairs);
    spt__free(ctx, g->order);
    spt__free(ctx, g->sum);
    spt__free(ctx, g->count);
    spt__free(ctx, g->sorted);
    spt__free(ctx, g->best_set);
}

int32_t spt__tree_grow(spt_ctx *ctx, const spt__forest_data *data, const spt__forest_settings *s,
                       int64_t number, spt__tree *tree, double *out_of_bag, spt__err *e)
{
    int32_t root;
    *tree = (spt__tree){.ctx = ctx, .data = data};
    grower g = {.tree = tree, .data = data, .settings = s};
    spt__rng_init(&g.rng, s->seed, SPT__RNG_FOREST, (uint64_t)number, 0);
    int32_t status = prepare(&g, e);
    if (status >= 0) {
        for (int64_t i = 0; i < data->n && out_of_bag != NULL; i++)
            out_of_bag[i] = 0;
        for (int64_t i = 0; i < data->n; i++) {
            g.rows[i] = (int64_t)spt__rng_below(&g.rng, (uint64_t)data->n);
            if (out_of_bag != NULL) out_of_bag[g.rows[i]] = NAN;
        }
        status = grow(&g, 0, data->n, 0, &root, e);
    }
    for (int64_t i = 0; i < data->n && out_of_bag != NULL && status >= 0; i++)
        if (!isnan(out_of_bag[i])) out_of_bag[i] = value_at(tree, data->x + i, data->n);
    clean_up(&g);
    return status;
}

void spt__tree_free(spt__tree *t)
{
    if (t->ctx == NULL) return;
    spt__free(t->ctx, t->nodes);
    spt__free(t->ctx, t->sets);
    *t = (spt__tree){.ctx = NULL};
}
