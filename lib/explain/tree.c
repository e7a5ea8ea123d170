/* Growing a tree, and what it says. */
#include "grow.h"

#include <math.h>
#include <string.h>

/* ---- room ---- */

static int32_t add_node(spt__tree *t, int32_t *index, spt__err *e)
{
    if (t->n_nodes == t->capacity) {
        const int32_t capacity = t->capacity > 0 ? 2 * t->capacity : 64;
        spt__node *grown = spt__realloc(t->lattice->ctx, t->nodes, (size_t)capacity, sizeof *grown);
        if (grown == NULL) return spt__nomem(e);
        t->nodes = grown;
        t->capacity = capacity;
    }
    *index = t->n_nodes++;
    t->nodes[*index] = (spt__node){.axis = -1, .slope_axis = -1};
    return SPT_OK;
}

static int32_t add_set(spt__tree *t, const uint64_t *set, int32_t words, int32_t *first,
                       spt__err *e)
{
    if (t->n_words + words > t->capacity_words) {
        const int32_t capacity = 2 * (t->capacity_words + words);
        uint64_t *grown = spt__realloc(t->lattice->ctx, t->sets, (size_t)capacity, sizeof *grown);
        if (grown == NULL) return spt__nomem(e);
        t->sets = grown;
        t->capacity_words = capacity;
    }
    *first = t->n_words;
    memcpy(t->sets + t->n_words, set, (size_t)words * sizeof *set);
    t->n_words += words;
    return SPT_OK;
}

void spt__tree_free(spt__tree *t)
{
    if (t->lattice == NULL) return;
    spt_ctx *ctx = t->lattice->ctx;
    spt__free(ctx, t->main);
    spt__free(ctx, t->nodes);
    spt__free(ctx, t->sets);
    spt__free(ctx, t->slopes);
    *t = (spt__tree){.lattice = NULL};
}

/* ---- the box of a node ---- */

spt__part spt__tree_side(const spt__tree *t, const spt__node *node, bool left, spt__part from,
                         uint64_t *words)
{
    const spt__axis *axis = &t->lattice->axes[node->axis];
    if (!axis->categorical) {
        if (left)
            from.high = node->cut < from.high ? node->cut : from.high;
        else
            from.low = node->cut + 1 > from.low ? node->cut + 1 : from.low;
        return from;
    }
    for (int32_t i = 0; i < axis->words; i++)
        words[i] = from.set[i] & (left ? t->sets[node->set + i] : ~t->sets[node->set + i]);
    from.set = words;
    return from;
}

static spt__presence presence(const spt__grower *g, const spt__activity *a)
{
    uint64_t words[SPT__SET_WORDS];
    spt__presence found = SPT__SURELY;
    for (int32_t i = 0; i < a->n; i++) {
        const spt__axis *axis = &g->lattice->axes[a->needs[i].axis];
        const spt__part *box = &g->box[a->needs[i].axis];
        if (spt__part_within(axis, box, &a->needs[i].part)) continue;
        const spt__part both = spt__part_meet(axis, *box, a->needs[i].part, words);
        if (spt__part_empty(axis, &both)) return SPT__NEVER;
        found = SPT__MAYBE;
    }
    return found;
}

/* Presences of the level below, where only `axis` is narrower (-1: all anew). */
static void presences(spt__grower *g, int32_t axis)
{
    const spt__lattice *f = g->lattice;
    for (int32_t i = 0; i < f->n_activities; i++)
        if (axis < 0 || spt__activity_need(&f->activities[i], axis) != NULL)
            g->presence[i] = (uint8_t)presence(g, &f->activities[i]);
}

/* ---- growing ---- */

/* Sums over the rows, which must be some. */
static spt__rows sums(const spt__grower *g, int32_t first, int32_t n)
{
    spt__rows rows = {.first = first, .n = n};
    for (int32_t i = first; i < first + n; i++) {
        rows.total += g->residual[i];
        rows.squares += g->residual[i] * g->residual[i];
    }
    rows.squares = fmax(0, rows.squares - rows.total * rows.total / n);
    return rows;
}

/* The slope of the residuals along an axis, no steeper than keeps the line, wherever the box
 * reaches, among the residuals that were seen. */
static void fit_slope(const spt__grower *g, int32_t axis, const spt__rows *rows, spt__node *node)
{
    const double *at = g->lattice->at + g->lattice->axes[axis].first;
    const uint16_t *code = g->table->code + (int64_t)axis * g->table->n;
    const spt__part *box = &g->box[axis];
    double mean = 0, zz = 0, zy = 0, farthest = 0;
    for (int32_t i = rows->first; i < rows->first + rows->n; i++)
        mean += at[code[g->rows[i]]] / rows->n;
    for (int32_t i = rows->first; i < rows->first + rows->n; i++) {
        const double z = at[code[g->rows[i]]] - mean, y = g->residual[i] - node->step;
        zz += z * z;
        zy += z * y;
        farthest = fmax(farthest, fabs(y));
    }
    if (!(zz > 1e-9)) return;
    const double reach = fmax(at[box->high] - mean, mean - at[box->low]);
    node->slope_axis = axis;
    node->pivot = mean;
    node->slope = zy / zz;
    if (fabs(node->slope) * reach > farthest) node->slope = copysign(farthest / reach, node->slope);
}

/* What a new node adds to its parent; taken off its residuals. */
static void settle(spt__grower *g, int32_t index, const spt__rows *rows, const spt__split *split)
{
    spt__node *node = &g->tree->nodes[index];
    node->rows = rows->n;
    /* Too few to say anything: as the parent. */
    if (rows->n < g->settings->min_leaf) return;
    node->step = rows->total / rows->n;
    if (split->linear && rows->n >= SPT__SLOPE_ROWS) fit_slope(g, split->axis, rows, node);
    if (node->slope_axis < 0) {
        for (int32_t i = rows->first; i < rows->first + rows->n; i++)
            g->residual[i] -= node->step;
        return;
    }
    const double *at = g->lattice->at + g->lattice->axes[node->slope_axis].first;
    const uint16_t *code = g->table->code + (int64_t)node->slope_axis * g->table->n;
    for (int32_t i = rows->first; i < rows->first + rows->n; i++)
        g->residual[i] -= node->step + node->slope * (at[code[g->rows[i]]] - node->pivot);
}

/* Put the split into the node. Bins of which nothing is known go where a coin says. */
static int32_t put_split(spt__grower *g, int32_t index, spt__split *split, spt__err *e)
{
    const spt__axis *axis = &g->lattice->axes[split->axis];
    spt__node *node = &g->tree->nodes[index];
    node->axis = split->axis;
    if (!axis->categorical) {
        node->cut = split->after +
                    (int32_t)spt__rng_below(g->rng, (uint64_t)(split->before - split->after));
        return SPT_OK;
    }
    for (int32_t b = 0; b < axis->bins; b++)
        if (!spt__set_has(split->known, b) && spt__part_has(&g->box[split->axis], b) &&
            spt__rng_below(g->rng, 2) == 0)
            split->left[b / 64] |= UINT64_C(1) << (b % 64);
    return add_set(g->tree, split->left, axis->words, &node->set, e);
}

/* The rows that go left come first. */
static int32_t partition(spt__grower *g, const spt__node *node, const spt__rows *rows)
{
    const uint16_t *code = g->table->code + (int64_t)node->axis * g->table->n;
    int32_t left = rows->first;
    for (int32_t i = rows->first; i < rows->first + rows->n; i++) {
        const int32_t row = g->rows[i];
        if (!spt__tree_left(g->tree, node, code[row])) continue;
        const double r = g->residual[i];
        g->rows[i] = g->rows[left];
        g->residual[i] = g->residual[left];
        g->rows[left] = row;
        g->residual[left++] = r;
    }
    return left - rows->first;
}

static int32_t grow(spt__grower *g, int32_t index, const spt__rows *rows, int32_t depth,
                    spt__err *e)
{
    spt__split split;
    if (rows->n < 2 * g->settings->min_leaf || depth >= g->settings->max_depth) return SPT_OK;
    spt__split_find(g, rows, depth, &split);
    if (split.axis < 0) return SPT_OK;
    const spt__axis *axis = &g->lattice->axes[split.axis];
    SPT__TRY(put_split(g, index, &split, e));
    const int32_t n = partition(g, &g->tree->nodes[index], rows);
    const spt__part box = g->box[split.axis];
    uint64_t kept[SPT__SET_WORDS], *words = g->box_words + (axis->categorical ? axis->word : 0);
    if (axis->categorical) memcpy(kept, words, (size_t)axis->words * sizeof *kept);
    for (int32_t side = 0; side < 2; side++) {
        int32_t child = -1;
        SPT__TRY(add_node(g->tree, &child, e));
        if (side == 0)
            g->tree->nodes[index].left = child;
        else
            g->tree->nodes[index].right = child;
        g->box[split.axis] =
            spt__tree_side(g->tree, &g->tree->nodes[index], side == 0, g->box[split.axis], words);
        memcpy(g->presence + g->lattice->n_activities, g->presence,
               (size_t)g->lattice->n_activities);
        g->presence += g->lattice->n_activities;
        presences(g, split.axis);
        const spt__rows part =
            side == 0 ? sums(g, rows->first, n) : sums(g, rows->first + n, rows->n - n);
        settle(g, child, &part, &split);
        const spt__rows rest = sums(g, part.first, part.n);
        SPT__TRY(grow(g, child, &rest, depth + 1, e));
        g->presence -= g->lattice->n_activities;
        g->box[split.axis] = box;
        if (axis->categorical) memcpy(words, kept, (size_t)axis->words * sizeof *kept);
    }
    return SPT_OK;
}

/* ---- a grower ---- */

static void release(spt__grower *g, uint8_t *presences_of_levels)
{
    spt_ctx *ctx = g->lattice->ctx;
    spt__free(ctx, presences_of_levels);
    spt__free(ctx, g->residual);
    spt__free(ctx, g->box);
    spt__free(ctx, g->box_words);
    spt__free(ctx, g->bins);
    spt__free(ctx, g->bin);
    spt__free(ctx, g->tables);
}

static int32_t prepare(spt__grower *g, int32_t n, spt__err *e)
{
    const spt__lattice *f = g->lattice;
    spt_ctx *ctx = f->ctx;
    size_t most = 1;
    for (int32_t j = 0; j < f->d; j++)
        if ((size_t)f->axes[j].bins > most) most = (size_t)f->axes[j].bins;
    /* Doubles, then whole numbers. */
    const size_t doubles = 2 * (size_t)n + 1 + 7 * most, wholes = 2 * most + (size_t)f->d;
    const size_t table = 2 * sizeof(double) * SPT__GROUPS * SPT__GROUPS;
    g->residual = spt__calloc(ctx, doubles, sizeof *g->residual);
    g->bins = spt__calloc(ctx, most, sizeof *g->bins);
    g->bin = spt__calloc(ctx, wholes, sizeof *g->bin);
    g->box = spt__alloc(ctx, (size_t)f->d, sizeof *g->box);
    g->box_words = spt__alloc(ctx, (size_t)f->words, sizeof *g->box_words);
    g->tables = spt__alloc(ctx, SPT__LOOK_AXES, table);
    g->presence = spt__alloc(ctx, (size_t)g->settings->max_depth + 2, (size_t)f->n_activities);
    if (g->residual == NULL || g->bins == NULL || g->bin == NULL || g->box == NULL ||
        g->box_words == NULL || g->tables == NULL || g->presence == NULL)
        return spt__nomem(e);
    g->inverse = g->residual + n;
    g->filled_sum = g->inverse + n + 1;
    g->cells = g->filled_sum + most;
    g->filled_count = g->bin + most;
    g->order = g->filled_count + most;
    for (int32_t i = 1; i <= n; i++)
        g->inverse[i] = 1.0 / i;
    for (int32_t j = 0; j < f->d; j++) {
        const spt__axis *axis = &f->axes[j];
        g->order[j] = j;
        g->box[j] = spt__part_whole(axis, g->box_words + (axis->categorical ? axis->word : 0));
    }
    presences(g, -1);
    return SPT_OK;
}

int32_t spt__tree_grow(const spt__table *table, const spt__smooth *smooth,
                       const spt__forest_settings *settings, spt__rng *rng, int32_t *rows,
                       int32_t n, spt__tree *tree, spt__err *e)
{
    const spt__lattice *f = table->lattice;
    spt__grower g = {.table = table, .lattice = f, .settings = settings, .rng = rng, .tree = tree};
    int32_t root = 0;
    double level = 0;
    *tree = (spt__tree){.lattice = f};
    g.rows = rows;
    g.group = table->group;
    int32_t status = prepare(&g, n, e);
    uint8_t *presences_of_levels = g.presence;
    if (status >= 0) {
        tree->main = spt__alloc(f->ctx, (size_t)f->places, sizeof *tree->main);
        status = tree->main != NULL ? add_node(tree, &root, e) : spt__nomem(e);
    }
    if (status >= 0) {
        for (int32_t i = 0; i < n; i++)
            g.residual[i] = table->y[rows[i]];
        status = spt__smooth_fit(table, rows, n, smooth, g.residual, tree->main, &level, e);
    }
    if (status >= 0) {
        const spt__rows all = sums(&g, 0, n);
        tree->nodes[root].step = level;
        tree->nodes[root].rows = n;
        status = grow(&g, root, &all, 0, e);
    }
    release(&g, presences_of_levels);
    return status;
}

/* ---- what it says ---- */

static double shrinkage(double shrink, const spt__node *parent)
{
    return parent == NULL ? 1 : 1 / (1 + shrink / parent->rows);
}

/* A path from the root: what its nodes add, shrunk. */
typedef struct path {
    double value;
    spt__slope *slopes;
    int32_t n;
} path;

static int32_t fill_leaf(spt__tree *t, spt__node *leaf, const path *p, spt__err *e)
{
    if (t->n_slopes + p->n > t->capacity_slopes) {
        const int32_t capacity = 2 * (t->n_slopes + p->n);
        spt__slope *grown =
            spt__realloc(t->lattice->ctx, t->slopes, (size_t)capacity, sizeof *grown);
        if (grown == NULL) return spt__nomem(e);
        t->slopes = grown;
        t->capacity_slopes = capacity;
    }
    leaf->value = p->value;
    leaf->first_slope = t->n_slopes;
    leaf->n_slopes = 0;
    for (int32_t i = 0; i < p->n; i++) {
        int32_t k = 0;
        spt__slope *mine = t->slopes + leaf->first_slope;
        while (k < leaf->n_slopes && mine[k].axis != p->slopes[i].axis)
            k++;
        if (k < leaf->n_slopes) {
            mine[k].slope += p->slopes[i].slope;
        } else {
            mine[leaf->n_slopes++] = p->slopes[i];
        }
    }
    t->n_slopes += leaf->n_slopes;
    return SPT_OK;
}

static int32_t fill(spt__tree *t, int32_t index, const spt__node *parent, double shrink, path p,
                    spt__err *e)
{
    spt__node *node = &t->nodes[index];
    const double share = shrinkage(shrink, parent);
    p.value += share * node->step;
    if (node->slope_axis >= 0 && share * node->slope != 0) {
        p.value -= share * node->slope * node->pivot;
        p.slopes[p.n++] = (spt__slope){node->slope_axis, share * node->slope};
    }
    if (node->axis < 0) return fill_leaf(t, node, &p, e);
    SPT__TRY(fill(t, node->left, node, shrink, p, e));
    return fill(t, node->right, node, shrink, p, e);
}

int32_t spt__tree_shrink(spt__tree *t, double shrink, spt__err *e)
{
    path p = {.value = 0};
    /* No path is longer than there are nodes. */
    p.slopes = spt__alloc(t->lattice->ctx, (size_t)t->n_nodes, sizeof *p.slopes);
    if (p.slopes == NULL) return spt__nomem(e);
    t->n_slopes = 0;
    const int32_t status = fill(t, 0, NULL, shrink, p, e);
    spt__free(t->lattice->ctx, p.slopes);
    return status;
}

double spt__tree_smooth(const spt__tree *t, const uint16_t *code, int64_t stride)
{
    double sum = 0;
    for (int32_t j = 0; j < t->lattice->d; j++)
        if (code[j * stride] != SPT__NO_BIN)
            sum += t->main[t->lattice->axes[j].first + code[j * stride]];
    return sum;
}

void spt__tree_trial(const spt__tree *t, const uint16_t *code, int64_t stride, const double *shrink,
                     int32_t n, double *out)
{
    const spt__node *node = &t->nodes[0], *parent = NULL;
    const double smooth = spt__tree_smooth(t, code, stride);
    for (int32_t k = 0; k < n; k++)
        out[k] = smooth;
    for (;;) {
        double add = node->step;
        if (node->slope_axis >= 0) {
            const double *at = t->lattice->at + t->lattice->axes[node->slope_axis].first;
            add += node->slope * (at[code[node->slope_axis * stride]] - node->pivot);
        }
        for (int32_t k = 0; k < n; k++)
            out[k] += shrinkage(shrink[k], parent) * add;
        if (node->axis < 0) return;
        parent = node;
        node = &t->nodes[spt__tree_left(t, node, code[node->axis * stride]) ? node->left
                                                                            : node->right];
    }
}

double spt__tree_predict(const spt__tree *t, const uint16_t *code, int64_t stride)
{
    const spt__node *node = &t->nodes[0];
    while (node->axis >= 0)
        node = &t->nodes[spt__tree_left(t, node, code[node->axis * stride]) ? node->left
                                                                            : node->right];
    double sum = node->value + spt__tree_smooth(t, code, stride);
    for (int32_t i = 0; i < node->n_slopes; i++) {
        const spt__slope *s = &t->slopes[node->first_slope + i];
        sum += s->slope * t->lattice->at[t->lattice->axes[s->axis].first + code[s->axis * stride]];
    }
    return sum;
}
