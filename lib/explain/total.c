/* Total effects of a tree: the mean variance that is left when one axis alone is drawn anew. Two
 * points that differ in one axis lie in two leaves that are apart in that axis alone, or in one
 * leaf; so the pairs of such leaves are looked through, below every node those whose common path
 * ends there. */
#include "effects.h"

#include <math.h>
#include <string.h>

/* What a walk reads of a node, side by side. */
typedef struct fork {
    int32_t axis, cut, left, right;
} fork;

typedef struct pairs {
    const spt__tree *tree;
    fork *forks; /* the nodes */
    /* The box that both leaves share, per axis; the two sides of the axis in which they are apart;
     * and the measure of the box, that axis left out. Means and variances are found when a slope
     * asks for them: until then the variance of a side that was cut is negative. */
    spt__edge *side;
    spt__edge apart[2];
    double w;
    double *difference; /* d: of slopes, scratch */
    double *variance;   /* d: what is summed */
    uint64_t *words;
} pairs;

/* Cut a side; only its measure is found. */
static inline void narrow(const spt__lattice *f, spt__edge *edge)
{
    const spt__axis *axis = &f->axes[edge->axis];
    const double *below = f->below0 + axis->first;
    if (axis->categorical)
        edge->w = spt__part_moments(f, axis, &edge->part).w;
    else
        edge->w = edge->part.high < edge->part.low
                      ? 0
                      : below[edge->part.high + 1] - below[edge->part.low];
    edge->variance = -1;
}

static inline const spt__edge *measured(const spt__lattice *f, spt__edge *edge)
{
    if (edge->variance < 0) spt__edge_measure(f, edge);
    return edge;
}

/* Two leaves: half the mean square of their difference, both ways to draw the two points. */
static void two_leaves(pairs *p, const spt__node *a, const spt__node *b)
{
    const int32_t apart = p->apart[0].axis;
    const spt__node *of[2] = {a, b};
    const spt__lattice *f = p->tree->lattice;
    double mean = a->value - b->value, square = 0;
    for (int32_t k = 0; k < 2; k++)
        for (int32_t i = 0; i < of[k]->n_slopes; i++) {
            const spt__slope s = p->tree->slopes[of[k]->first_slope + i];
            const double sign = k == 0 ? 1 : -1;
            if (s.axis == apart) {
                const spt__edge *edge = measured(f, &p->apart[k]);
                mean += sign * s.slope * edge->mean;
                square += s.slope * s.slope * edge->variance;
            } else {
                mean += sign * s.slope * measured(f, &p->side[s.axis])->mean;
                p->difference[s.axis] += sign * s.slope;
            }
        }
    for (int32_t k = 0; k < 2; k++)
        for (int32_t i = 0; i < of[k]->n_slopes; i++) {
            const int32_t axis = p->tree->slopes[of[k]->first_slope + i].axis;
            if (axis == apart) continue;
            square += p->difference[axis] * p->difference[axis] * p->side[axis].variance;
            p->difference[axis] = 0;
        }
    square += mean * mean;
    p->variance[apart] += p->w * p->apart[0].w * p->apart[1].w * square;
}

/* Does a side of a box lie on one side of a node's cut? 0: left, 1: right, -1: on both. */
static int32_t whole_side(const fork *node, const spt__part *part)
{
    if (part->set != NULL) return -1;
    return part->high <= node->cut ? 0 : part->low > node->cut ? 1 : -1;
}

/* All pairs of leaves below a and below b that share a box but for one axis. */
static void below_both(pairs *p, int32_t a, int32_t b)
{
    const spt__tree *t = p->tree;
    const fork *node;
    spt__edge *edge;
    bool first, own;
    /* First down to a leaf of a, then to one of b, while there is but one way to go. */
    for (;;) {
        first = p->forks[a].axis >= 0;
        node = &p->forks[first ? a : b];
        if (node->axis < 0) {
            two_leaves(p, &t->nodes[a], &t->nodes[b]);
            return;
        }
        own = node->axis == p->apart[0].axis;
        edge = own ? &p->apart[first ? 0 : 1] : &p->side[node->axis];
        const int32_t only = whole_side(node, &edge->part);
        if (only < 0) break;
        *(first ? &a : &b) = only == 0 ? node->left : node->right;
    }
    uint64_t words[SPT__SET_WORDS];
    const spt__edge kept = *edge;
    const double w = p->w;
    for (int32_t side = 0; side < 2; side++) {
        edge->part = spt__tree_side(t, &t->nodes[first ? a : b], side == 0, kept.part, words);
        narrow(t->lattice, edge);
        if (!(edge->w > 0)) continue;
        if (!own) p->w = w * (edge->w / kept.w);
        const int32_t child = side == 0 ? node->left : node->right;
        below_both(p, first ? child : a, first ? b : child);
    }
    p->w = w;
    *edge = kept;
}

/* `w`: measure of the box of the node. */
static void below(pairs *p, int32_t index, double w)
{
    const spt__tree *t = p->tree;
    const spt__node *node = &t->nodes[index];
    if (node->axis < 0) {
        for (int32_t i = 0; i < node->n_slopes; i++) {
            const spt__slope s = t->slopes[node->first_slope + i];
            const spt__edge *edge = measured(t->lattice, &p->side[s.axis]);
            p->variance[s.axis] += w * edge->w * s.slope * s.slope * edge->variance;
        }
        return;
    }
    uint64_t words[2][SPT__SET_WORDS];
    const int32_t j = node->axis;
    const spt__edge kept = p->side[j];
    spt__edge side[2] = {kept, kept};
    for (int32_t k = 0; k < 2; k++) {
        side[k].part = spt__tree_side(t, node, k == 0, kept.part, words[k]);
        narrow(t->lattice, &side[k]);
        p->apart[k] = side[k];
    }
    p->w = w / kept.w;
    if (side[0].w > 0 && side[1].w > 0) below_both(p, node->left, node->right);
    for (int32_t k = 0; k < 2; k++) {
        p->side[j] = side[k];
        if (side[k].w > 0) below(p, k == 0 ? node->left : node->right, w * (side[k].w / kept.w));
    }
    p->side[j] = kept;
}

/* What the smooth functions add: an axis's own, with what the tree says of it, and those of the
 * axes that it switches, which come and go with it. */
static double smooth_part(const spt__tree *t, int32_t j, const double *curve)
{
    const spt__lattice *f = t->lattice;
    double sum = 0;
    for (int32_t k = 0; k < f->d; k++) {
        const spt__axis *axis = &f->axes[k];
        const spt__activity *a = &f->activities[axis->activity];
        double share = k == j;
        if (k != j) {
            const spt__need *need = spt__activity_need(a, j);
            if (need == NULL) continue;
            share = 1 - spt__part_moments(f, &f->axes[j], &need->part).w;
        }
        double both = 0;
        for (int32_t i = axis->first; i < axis->first + axis->bins; i++)
            both += f->weight[i] * t->main[i] * (2 * curve[i] - t->main[i]);
        sum += share * a->measure * both;
    }
    return sum;
}

int32_t spt__effects_total(const spt__tree *tree, const double *curve, double *variance,
                           spt__err *e)
{
    const spt__lattice *f = tree->lattice;
    pairs p = {.tree = tree, .variance = variance};
    p.side = spt__calloc(f->ctx, (size_t)f->d, sizeof *p.side);
    p.difference = spt__calloc(f->ctx, (size_t)f->d, sizeof *p.difference);
    p.words = spt__alloc(f->ctx, (size_t)f->words, sizeof *p.words);
    p.forks = spt__alloc(f->ctx, (size_t)tree->n_nodes, sizeof *p.forks);
    const int32_t status =
        p.side != NULL && p.difference != NULL && p.words != NULL && p.forks != NULL
            ? SPT_OK
            : spt__nomem(e);
    if (status >= 0) {
        for (int32_t i = 0; i < tree->n_nodes; i++) {
            const spt__node *node = &tree->nodes[i];
            p.forks[i] = (fork){node->axis, node->cut, node->left, node->right};
        }
        for (int32_t j = 0; j < f->d; j++) {
            const spt__axis *axis = &f->axes[j];
            p.side[j].axis = j;
            p.side[j].part = spt__part_whole(axis, p.words + (axis->categorical ? axis->word : 0));
            spt__edge_measure(f, &p.side[j]);
            variance[j] = 0;
        }
        below(&p, 0, 1);
        for (int32_t j = 0; j < f->d; j++)
            variance[j] += smooth_part(tree, j, curve);
    }
    spt__free(f->ctx, p.side);
    spt__free(f->ctx, p.difference);
    spt__free(f->ctx, p.words);
    spt__free(f->ctx, p.forks);
    return status;
}
