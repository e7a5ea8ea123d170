/* The mean of a tree at the bins of two axes, where both exist. */
#include "effects.h"

#include <math.h>
#include <string.h>

typedef struct plane {
    const spt__leaves *leaves;
    const spt__axis *axis[2];
    int32_t index[2];
    spt__activity where; /* both exist */
    spt__part part[2];   /* what of the axes is possible there */
    double *out;
} plane;

/* The leaf's edge on an axis; if it has none, the whole axis. */
static spt__edge edge_of(const spt__leaves *l, const spt__leaf *leaf, int32_t axis, uint64_t *words)
{
    const spt__lattice *f = l->tree->lattice;
    for (int32_t k = leaf->first; k < leaf->first + leaf->n; k++)
        if (l->edge[k].axis == axis) return l->edge[k];
    spt__edge whole = {.axis = axis, .part = spt__part_whole(&f->axes[axis], words)};
    spt__edge_measure(f, &whole);
    return whole;
}

/* Measure of the leaf where both axes exist, without the two, per measure of that place; and what
 * the other conditions make of its mean. */
static double weigh(const plane *p, const spt__leaf *leaf, double *value)
{
    const spt__leaves *l = p->leaves;
    const spt__lattice *f = l->tree->lattice;
    double w = leaf->w;
    *value = leaf->value;
    for (int32_t i = 0; i < p->where.n && w > 0; i++) {
        const spt__need *need = &p->where.needs[i];
        uint64_t words[SPT__SET_WORDS], both_words[SPT__SET_WORDS];
        if (need->axis == p->index[0] || need->axis == p->index[1]) continue;
        const spt__axis *axis = &f->axes[need->axis];
        const spt__edge edge = edge_of(l, leaf, need->axis, words);
        spt__edge both = edge;
        both.part = spt__part_meet(axis, edge.part, need->part, both_words);
        spt__edge_measure(f, &both);
        w *= both.w / edge.w / spt__part_moments(f, axis, &need->part).w;
        *value += edge.slope * (both.mean - edge.mean);
    }
    return w;
}

static void add_leaf(plane *p, const spt__leaf *leaf)
{
    const double *at = p->leaves->tree->lattice->at;
    uint64_t words[2][SPT__SET_WORDS];
    double value, w = weigh(p, leaf, &value);
    spt__edge edge[2];
    for (int32_t k = 0; k < 2; k++) {
        edge[k] = edge_of(p->leaves, leaf, p->index[k], words[k]);
        w /= edge[k].w;
        value -= edge[k].slope * edge[k].mean;
    }
    if (!(w > 0)) return;
    for (int32_t a = 0; a < p->axis[0]->bins; a++) {
        if (!spt__part_has(&edge[0].part, a)) continue;
        const double first = value + edge[0].slope * at[p->axis[0]->first + a];
        double *row = p->out + (int64_t)a * p->axis[1]->bins;
        for (int32_t b = 0; b < p->axis[1]->bins; b++)
            if (spt__part_has(&edge[1].part, b))
                row[b] += w * (first + edge[1].slope * at[p->axis[1]->first + b]);
    }
}

/* The smooth functions: those of the two axes, and the means of those of the conditions. */
static void add_smooth(plane *p)
{
    const spt__tree *tree = p->leaves->tree;
    const spt__lattice *f = tree->lattice;
    double level = tree->nodes[0].step;
    for (int32_t i = 0; i < p->where.n; i++) {
        const spt__need *need = &p->where.needs[i];
        const spt__axis *axis = &f->axes[need->axis];
        double sum = 0, w = 0;
        if (need->axis == p->index[0] || need->axis == p->index[1]) continue;
        for (int32_t b = 0; b < axis->bins; b++)
            if (spt__part_has(&need->part, b)) {
                sum += f->weight[axis->first + b] * tree->main[axis->first + b];
                w += f->weight[axis->first + b];
            }
        level += sum / w;
    }
    for (int32_t a = 0; a < p->axis[0]->bins; a++)
        for (int32_t b = 0; b < p->axis[1]->bins; b++) {
            double *cell = p->out + (int64_t)a * p->axis[1]->bins + b;
            *cell += level + tree->main[p->axis[0]->first + a] + tree->main[p->axis[1]->first + b];
            if (!spt__part_has(&p->part[0], a) || !spt__part_has(&p->part[1], b)) *cell = NAN;
        }
}

int32_t spt__effects_surface(const spt__leaves *l, int32_t first, int32_t second, double *out,
                             spt__err *e)
{
    const spt__lattice *f = l->tree->lattice;
    plane p = {.leaves = l, .index = {first, second}, .out = out};
    uint64_t *words = NULL, whole[2][SPT__SET_WORDS];
    const spt__activity *activity[2];
    for (int32_t k = 0; k < 2; k++) {
        p.axis[k] = &f->axes[p.index[k]];
        p.part[k] = spt__part_whole(p.axis[k], whole[k]);
        activity[k] = &f->activities[p.axis[k]->activity];
    }
    const int64_t n = (int64_t)p.axis[0]->bins * p.axis[1]->bins;
    int32_t status = spt__activity_meet(f, activity[0], activity[1], &p.where, &words, e);
    if (status >= 0 && p.where.measure > 0) {
        for (int32_t k = 0; k < 2; k++) {
            const spt__need *need = spt__activity_need(&p.where, p.index[k]);
            if (need != NULL) p.part[k] = need->part;
        }
        memset(out, 0, (size_t)n * sizeof *out);
        for (int32_t i = 0; i < l->n; i++)
            add_leaf(&p, &l->leaf[i]);
        add_smooth(&p);
    }
    for (int64_t i = 0; i < n && status >= 0 && !(p.where.measure > 0); i++)
        out[i] = NAN;
    spt__free(f->ctx, p.where.needs);
    spt__free(f->ctx, words);
    return status;
}
