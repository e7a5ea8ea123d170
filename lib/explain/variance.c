/* The exact analysis of variance of a tree (Hutter, Hoos & Leyton-Brown 2014, section 3). A tree is
 * constant on boxes, so every integral is a finite sum: with w the measure of a leaf's box and w_j
 * that of its side along parameter j, the marginal of j is the sum of value * w / w_j over the
 * leaves whose side holds the coordinate. */
#include "forest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The box of a node, side by side. Ordered: [low, high] in measure. Categorical: a set. */
typedef struct box {
    double *low, *high;  /* d */
    uint64_t *sets;      /* words of all categorical axes, one after the other */
    int32_t *first_word; /* d */
} box;

typedef struct analysis {
    const spt__tree *tree;
    const spt__forest_data *data;
    box b;
    double *cuts;        /* per ordered axis its thresholds in measure, sorted, from 0 to 1 */
    int64_t *first_cut;  /* d + 1 */
    int64_t *n_cuts;     /* d */
    double *marginal;    /* per interval (differences first) or category, as the cuts stand */
    double mean, square; /* moments of the tree */
} analysis;

static int64_t words_of(const spt__axis *axis)
{
    return (axis->count + 63) / 64;
}

/* The threshold of an ordered node as measure. */
static double measure_of(const spt__axis *axis, double cut)
{
    return axis->count > 0 ? spt__axis_below(axis, (int64_t)cut + 1) : cut;
}

static int64_t bits(const uint64_t *set, int64_t words)
{
    int64_t n = 0;
    for (int64_t i = 0; i < words; i++)
        for (uint64_t w = set[i]; w != 0; w &= w - 1)
            n++;
    return n;
}

static double side(const analysis *a, int32_t j)
{
    const spt__axis *axis = &a->data->axes[j];
    if (!axis->categorical) return a->b.high[j] - a->b.low[j];
    return (double)bits(a->b.sets + a->b.first_word[j], words_of(axis)) / (double)axis->count;
}

static int64_t find_cut(const analysis *a, int32_t j, double x)
{
    const double *cuts = a->cuts + a->first_cut[j];
    int64_t low = 0, high = a->n_cuts[j] - 1;
    while (low < high) {
        const int64_t middle = (low + high) / 2;
        if (cuts[middle] < x)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void add_leaf(analysis *a, double value)
{
    double w = 1;
    for (int32_t j = 0; j < a->data->d; j++)
        w *= side(a, j);
    a->mean += w * value;
    a->square += w * value * value;
    /* A set of categories may have become empty on the way; such a box has no measure. */
    if (!(w > 0)) return;
    for (int32_t j = 0; j < a->data->d; j++) {
        const spt__axis *axis = &a->data->axes[j];
        double *m = a->marginal + a->first_cut[j];
        const double share = value * w / side(a, j);
        if (axis->categorical) {
            const uint64_t *set = a->b.sets + a->b.first_word[j];
            for (int64_t c = 0; c < axis->count; c++)
                if ((set[c / 64] >> (c % 64) & 1) != 0) m[c] += share;
        } else {
            m[find_cut(a, j, a->b.low[j])] += share;
            m[find_cut(a, j, a->b.high[j])] -= share;
        }
    }
}

/* Into both halves of every node, with the box narrowed and restored. */
static int32_t walk(analysis *a, int32_t index, spt__err *e)
{
    const spt__node *node = &a->tree->nodes[index];
    if (node->axis < 0) {
        add_leaf(a, node->value);
        return SPT_OK;
    }
    const int32_t j = node->axis;
    const spt__axis *axis = &a->data->axes[j];
    if (!axis->categorical) {
        const double low = a->b.low[j], high = a->b.high[j], cut = measure_of(axis, node->cut);
        a->b.high[j] = cut;
        SPT__TRY(walk(a, node->left, e));
        a->b.low[j] = cut;
        a->b.high[j] = high;
        SPT__TRY(walk(a, node->right, e));
        a->b.low[j] = low;
        return SPT_OK;
    }
    const int64_t words = words_of(axis);
    uint64_t *set = a->b.sets + a->b.first_word[j];
    const uint64_t *left = a->tree->sets + node->set;
    uint64_t *saved = spt__alloc(a->tree->ctx, (size_t)words, sizeof *saved);
    if (saved == NULL) return spt__nomem(e);
    memcpy(saved, set, (size_t)words * sizeof *set);
    for (int64_t i = 0; i < words; i++)
        set[i] = saved[i] & left[i];
    int32_t status = walk(a, node->left, e);
    for (int64_t i = 0; i < words; i++)
        set[i] = saved[i] & ~left[i];
    if (status >= 0) status = walk(a, node->right, e);
    memcpy(set, saved, (size_t)words * sizeof *set);
    spt__free(a->tree->ctx, saved);
    return status;
}

static int by_number(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Room for the cuts of every axis: 0, 1 and one per node that splits it; categories need `count`.
 */
static int32_t lay_out(analysis *a, spt__err *e)
{
    const spt__tree *t = a->tree;
    const int32_t d = a->data->d;
    spt_ctx *ctx = t->ctx;
    int32_t words = 0;
    a->first_cut = spt__calloc(ctx, (size_t)d + 1, sizeof *a->first_cut);
    a->n_cuts = spt__calloc(ctx, (size_t)d, sizeof *a->n_cuts);
    a->b.low = spt__calloc(ctx, (size_t)d, sizeof *a->b.low);
    a->b.high = spt__calloc(ctx, (size_t)d, sizeof *a->b.high);
    a->b.first_word = spt__calloc(ctx, (size_t)d, sizeof *a->b.first_word);
    if (a->first_cut == NULL || a->n_cuts == NULL || a->b.low == NULL || a->b.high == NULL ||
        a->b.first_word == NULL)
        return spt__nomem(e);
    for (int32_t i = 0; i < t->n_nodes; i++)
        if (t->nodes[i].axis >= 0) a->n_cuts[t->nodes[i].axis]++;
    for (int32_t j = 0; j < d; j++) {
        const spt__axis *axis = &a->data->axes[j];
        a->first_cut[j + 1] =
            a->first_cut[j] + (axis->categorical ? axis->count : a->n_cuts[j] + 2);
        a->b.high[j] = 1;
        a->b.first_word[j] = words;
        if (axis->categorical) words += (int32_t)words_of(axis);
        a->n_cuts[j] = 0;
    }
    a->cuts = spt__calloc(ctx, (size_t)a->first_cut[d], sizeof *a->cuts);
    a->marginal = spt__calloc(ctx, (size_t)a->first_cut[d], sizeof *a->marginal);
    a->b.sets = spt__calloc(ctx, (size_t)words, sizeof *a->b.sets);
    if (a->cuts == NULL || a->marginal == NULL || a->b.sets == NULL) return spt__nomem(e);
    return SPT_OK;
}

static void fill(analysis *a)
{
    const spt__tree *t = a->tree;
    const int32_t d = a->data->d;
    for (int32_t j = 0; j < d; j++) {
        const spt__axis *axis = &a->data->axes[j];
        for (int64_t c = 0; axis->categorical && c < axis->count; c++)
            a->b.sets[a->b.first_word[j] + c / 64] |= (uint64_t)1 << (c % 64);
        a->cuts[a->first_cut[j]] = 0;
        if (!axis->categorical) a->n_cuts[j] = 1;
    }
    for (int32_t i = 0; i < t->n_nodes; i++) {
        const int32_t j = t->nodes[i].axis;
        if (j < 0 || a->data->axes[j].categorical) continue;
        a->cuts[a->first_cut[j] + a->n_cuts[j]++] = measure_of(&a->data->axes[j], t->nodes[i].cut);
    }
    for (int32_t j = 0; j < d; j++) {
        double *cuts = a->cuts + a->first_cut[j];
        int64_t n = a->n_cuts[j], unique = 0;
        if (a->data->axes[j].categorical) continue;
        cuts[n++] = 1;
        qsort(cuts, (size_t)n, sizeof *cuts, by_number);
        for (int64_t i = 0; i < n; i++)
            if (unique == 0 || cuts[i] > cuts[unique - 1]) cuts[unique++] = cuts[i];
        a->n_cuts[j] = unique;
    }
}

static double main_effect(const analysis *a, int32_t j)
{
    const spt__axis *axis = &a->data->axes[j];
    const double *m = a->marginal + a->first_cut[j], *cuts = a->cuts + a->first_cut[j];
    double sum = 0, level = 0;
    if (axis->categorical) {
        for (int64_t c = 0; c < axis->count; c++)
            sum += (m[c] - a->mean) * (m[c] - a->mean) / (double)axis->count;
        return sum;
    }
    for (int64_t i = 0; i + 1 < a->n_cuts[j]; i++) {
        level += m[i];
        sum += (level - a->mean) * (level - a->mean) * (cuts[i + 1] - cuts[i]);
    }
    return sum;
}

int32_t spt__tree_variance(const spt__tree *tree, double *total, double *main, spt__err *e)
{
    analysis a = {.tree = tree, .data = tree->data};
    spt_ctx *ctx = tree->ctx;
    int32_t status = lay_out(&a, e);
    if (status >= 0) {
        fill(&a);
        status = walk(&a, 0, e);
    }
    if (status >= 0) {
        *total = fmax(0, a.square - a.mean * a.mean);
        for (int32_t j = 0; j < a.data->d; j++)
            main[j] = main_effect(&a, j);
    }
    spt__free(ctx, a.first_cut);
    spt__free(ctx, a.n_cuts);
    spt__free(ctx, a.b.low);
    spt__free(ctx, a.b.high);
    spt__free(ctx, a.b.first_word);
    spt__free(ctx, a.b.sets);
    spt__free(ctx, a.cuts);
    spt__free(ctx, a.marginal);
    return status;
}
