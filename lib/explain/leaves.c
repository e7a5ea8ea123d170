/* A tree as its leaves; its moments and main effects. */
#include "effects.h"

#include <math.h>
#include <string.h>

/* ---- from the tree to leaves ---- */

/* A walk from the root: the box, which of its sides are cut, and what they measure. */
typedef struct walker {
    const spt__tree *tree;
    spt__leaves *out;
    spt__edge *side; /* d */
    int32_t *cut;    /* per axis: how often the path has cut it */
    int32_t *axes;   /* those that it has cut, in order */
    int32_t n_axes;
    uint64_t *free_words;
} walker;

void spt__edge_measure(const spt__lattice *f, spt__edge *edge)
{
    const spt__moments m = spt__part_moments(f, &f->axes[edge->axis], &edge->part);
    edge->w = m.w;
    edge->mean = m.w > 0 ? m.z / m.w : 0;
    edge->variance = m.w > 0 ? fmax(0, m.zz / m.w - edge->mean * edge->mean) : 0;
}

static int32_t add_leaf(walker *w, const spt__node *node, spt__err *e)
{
    spt__leaves *l = w->out;
    spt_ctx *ctx = w->tree->lattice->ctx;
    if (l->n == l->capacity) {
        const int32_t capacity = l->capacity > 0 ? 2 * l->capacity : 64;
        spt__leaf *grown = spt__realloc(ctx, l->leaf, (size_t)capacity, sizeof *grown);
        if (grown == NULL) return spt__nomem(e);
        l->leaf = grown;
        l->capacity = capacity;
    }
    const int32_t wanted = l->n_edges + w->n_axes + node->n_slopes;
    if (wanted > l->capacity_edges || l->edge == NULL) {
        const int32_t capacity = 2 * wanted + 1;
        spt__edge *grown = spt__realloc(ctx, l->edge, (size_t)capacity, sizeof *grown);
        if (grown == NULL) return spt__nomem(e);
        l->edge = grown;
        l->capacity_edges = capacity;
    }
    spt__leaf *leaf = &l->leaf[l->n];
    *leaf = (spt__leaf){.w = 1, .value = node->value - w->tree->nodes[0].step, .first = l->n_edges};
    spt__edge *edge = l->edge + leaf->first;
    for (int32_t i = 0; i < w->n_axes; i++)
        edge[leaf->n++] = w->side[w->axes[i]];
    for (int32_t i = 0; i < node->n_slopes; i++) {
        const spt__slope *s = &w->tree->slopes[node->first_slope + i];
        int32_t k = 0;
        while (k < leaf->n && edge[k].axis != s->axis)
            k++;
        if (k == leaf->n) edge[leaf->n++] = w->side[s->axis];
        edge[k].slope = s->slope;
    }
    for (int32_t i = 0; i < leaf->n; i++) {
        leaf->w *= edge[i].w;
        leaf->value += edge[i].slope * edge[i].mean;
    }
    l->n++;
    l->n_edges += leaf->n;
    return SPT_OK;
}

static int32_t walk(walker *w, int32_t index, spt__err *e)
{
    const spt__node *node = &w->tree->nodes[index];
    if (node->axis < 0) return add_leaf(w, node, e);
    const int32_t j = node->axis;
    const spt__edge kept = w->side[j];
    if (w->cut[j]++ == 0) w->axes[w->n_axes++] = j;
    int32_t status = SPT_OK;
    for (int32_t side = 0; side < 2 && status >= 0; side++) {
        w->side[j].part = spt__tree_side(w->tree, node, side == 0, kept.part, w->free_words);
        w->free_words += w->tree->lattice->axes[j].words;
        spt__edge_measure(w->tree->lattice, &w->side[j]);
        /* Nothing is in a box without measure. */
        if (w->side[j].w > 0) status = walk(w, side == 0 ? node->left : node->right, e);
    }
    w->side[j] = kept;
    if (--w->cut[j] == 0) w->n_axes--;
    return status;
}

int32_t spt__leaves_new(const spt__tree *tree, spt__leaves *out, spt__err *e)
{
    const spt__lattice *f = tree->lattice;
    walker w = {.tree = tree, .out = out};
    size_t words = (size_t)f->words;
    *out = (spt__leaves){.tree = tree};
    for (int32_t i = 0; i < tree->n_nodes; i++)
        if (tree->nodes[i].axis >= 0) words += 2 * (size_t)f->axes[tree->nodes[i].axis].words;
    w.side = spt__calloc(f->ctx, (size_t)f->d, sizeof *w.side);
    w.cut = spt__calloc(f->ctx, 2 * (size_t)f->d, sizeof *w.cut);
    out->words = spt__alloc(f->ctx, words, sizeof *out->words);
    int32_t status = w.side != NULL && w.cut != NULL && out->words != NULL ? SPT_OK : spt__nomem(e);
    if (status >= 0) {
        w.axes = w.cut + f->d;
        w.free_words = out->words;
        for (int32_t j = 0; j < f->d; j++) {
            w.side[j].axis = j;
            w.side[j].part = spt__part_whole(&f->axes[j], w.free_words);
            w.free_words += f->axes[j].words;
            spt__edge_measure(f, &w.side[j]);
        }
        status = walk(&w, 0, e);
    }
    spt__free(f->ctx, w.side);
    spt__free(f->ctx, w.cut);
    if (status < 0) spt__leaves_free(out);
    return status;
}

void spt__leaves_free(spt__leaves *l)
{
    if (l->tree == NULL) return;
    spt_ctx *ctx = l->tree->lattice->ctx;
    spt__free(ctx, l->leaf);
    spt__free(ctx, l->edge);
    spt__free(ctx, l->words);
    *l = (spt__leaves){.tree = NULL};
}

/* ---- the smooth functions, in sums ---- */

/* Over all bins: g times z, g^2, and the running sums of g, g z, g^2 times the measure. */
typedef struct smooth_sums {
    const double *g;
    double *gz, *gg, *below_g, *below_gz, *below_gg;
} smooth_sums;

static int32_t sum_smooth(const spt__tree *tree, smooth_sums *s, spt__err *e)
{
    const spt__lattice *f = tree->lattice;
    const size_t n = (size_t)f->places;
    s->g = tree->main;
    s->gz = spt__calloc(f->ctx, 5 * n, sizeof *s->gz);
    if (s->gz == NULL) return spt__nomem(e);
    s->gg = s->gz + n;
    s->below_g = s->gg + n;
    s->below_gz = s->below_g + n;
    s->below_gg = s->below_gz + n;
    for (int32_t j = 0; j < f->d; j++)
        for (int32_t i = f->axes[j].first; i < f->axes[j].first + f->axes[j].bins; i++) {
            s->gz[i] = s->g[i] * f->at[i];
            s->gg[i] = s->g[i] * s->g[i];
            s->below_g[i + 1] = s->below_g[i] + f->weight[i] * s->g[i];
            s->below_gz[i + 1] = s->below_gz[i] + f->weight[i] * s->gz[i];
            s->below_gg[i + 1] = s->below_gg[i] + f->weight[i] * s->gg[i];
        }
    return SPT_OK;
}

/* Mean of a smooth function over a part of its axis, and its covariance with the coordinate. */
typedef struct smooth_part {
    double mean, covariance;
} smooth_part;

static smooth_part smooth_over(const spt__lattice *f, const smooth_sums *s, const spt__edge *edge)
{
    const spt__axis *axis = &f->axes[edge->axis];
    smooth_part p = {0, 0};
    if (!(edge->w > 0)) return p;
    p.mean = spt__part_sum(f, axis, &edge->part, s->g, s->below_g) / edge->w;
    if (!axis->categorical)
        p.covariance =
            spt__part_sum(f, axis, &edge->part, s->gz, s->below_gz) / edge->w - p.mean * edge->mean;
    return p;
}

/* ---- moments where an activity holds ---- */

/* Integrals over where an activity holds: of the trees' leaves t, t^2, t times the smooth
 * functions. */
typedef struct integrals {
    double t, tt, ts;
} integrals;

/* One leaf within one activity. `of`: its edge per axis or -1. */
static integrals leaf_within(const spt__leaves *l, const smooth_sums *s, const smooth_part *parts,
                             const spt__leaf *leaf, const int32_t *of, const spt__activity *a)
{
    const spt__lattice *f = l->tree->lattice;
    double w = leaf->w, value = leaf->value, variance = 0, smooth = 0, covariance = 0;
    for (int32_t i = leaf->first; i < leaf->first + leaf->n; i++) {
        variance += l->edge[i].slope * l->edge[i].slope * l->edge[i].variance;
        smooth += parts[i].mean;
        covariance += l->edge[i].slope * parts[i].covariance;
    }
    for (int32_t i = 0; i < a->n; i++) {
        uint64_t words[SPT__SET_WORDS];
        const spt__axis *axis = &f->axes[a->needs[i].axis];
        const int32_t at = of[a->needs[i].axis];
        spt__edge both = {.axis = a->needs[i].axis, .part = a->needs[i].part};
        if (at >= 0) {
            const spt__edge *edge = &l->edge[at];
            both.part = spt__part_meet(axis, edge->part, both.part, words);
            both.slope = edge->slope;
            variance -= edge->slope * edge->slope * edge->variance;
            smooth -= parts[at].mean;
            covariance -= edge->slope * parts[at].covariance;
            value -= edge->slope * edge->mean;
            w /= edge->w;
        }
        spt__edge_measure(f, &both);
        const smooth_part p = smooth_over(f, s, &both);
        w *= both.w;
        value += both.slope * both.mean;
        variance += both.slope * both.slope * both.variance;
        smooth += p.mean;
        covariance += both.slope * p.covariance;
        if (!(w > 0)) return (integrals){0, 0, 0};
    }
    return (integrals){w * value, w * (value * value + variance),
                       w * (value * smooth + covariance)};
}

/* Mean and mean square of the sum of the smooth functions where an activity holds: those of its
 * needs have a mean there, all others none, and all are independent. */
static void smooth_moments(const spt__lattice *f, const smooth_sums *s, const spt__activity *a,
                           double *mean, double *square)
{
    double squares_of_means = 0;
    *mean = *square = 0;
    for (int32_t j = 0; j < f->d; j++) {
        const spt__axis *axis = &f->axes[j];
        const spt__need *need = spt__activity_need(a, j);
        const double gg = s->below_gg[axis->first + axis->bins];
        if (need == NULL) {
            if (gg > 0) *square += gg * spt__activity_given(f, &f->activities[axis->activity], a);
            continue;
        }
        const double w = spt__part_moments(f, axis, &need->part).w;
        const double m = spt__part_sum(f, axis, &need->part, s->g, s->below_g) / w;
        *mean += m;
        squares_of_means += m * m;
        *square += spt__part_sum(f, axis, &need->part, s->gg, s->below_gg) / w;
    }
    *square += *mean * *mean - squares_of_means;
}

static void moments(const spt__leaves *l, const smooth_sums *s, const smooth_part *parts,
                    int32_t *of, integrals *sum, double *mean, double *variance)
{
    const spt__lattice *f = l->tree->lattice;
    for (int32_t j = 0; j < f->d; j++)
        of[j] = -1;
    for (int32_t i = 0; i < l->n; i++) {
        const spt__leaf *leaf = &l->leaf[i];
        for (int32_t k = leaf->first; k < leaf->first + leaf->n; k++)
            of[l->edge[k].axis] = k;
        for (int32_t a = 0; a < f->n_activities; a++) {
            const integrals one = leaf_within(l, s, parts, leaf, of, &f->activities[a]);
            sum[a].t += one.t;
            sum[a].tt += one.tt;
            sum[a].ts += one.ts;
        }
        for (int32_t k = leaf->first; k < leaf->first + leaf->n; k++)
            of[l->edge[k].axis] = -1;
    }
    for (int32_t a = 0; a < f->n_activities; a++) {
        const double p = f->activities[a].measure;
        double smooth, square;
        mean[a] = variance[a] = NAN;
        if (!(p > 0)) continue;
        smooth_moments(f, s, &f->activities[a], &smooth, &square);
        const double m = sum[a].t / p + smooth;
        mean[a] = l->tree->nodes[0].step + m;
        variance[a] = fmax(0, (sum[a].tt + 2 * sum[a].ts) / p + square - m * m);
    }
}

int32_t spt__effects_moments(const spt__leaves *l, double *mean, double *variance, spt__err *e)
{
    const spt__lattice *f = l->tree->lattice;
    smooth_sums s = {NULL, NULL, NULL, NULL, NULL, NULL};
    smooth_part *parts = spt__alloc(f->ctx, (size_t)l->n_edges, sizeof *parts);
    integrals *sum = spt__calloc(f->ctx, (size_t)f->n_activities, sizeof *sum);
    int32_t *of = spt__alloc(f->ctx, (size_t)f->d, sizeof *of);
    int32_t status = parts != NULL && sum != NULL && of != NULL ? SPT_OK : spt__nomem(e);
    if (status >= 0) status = sum_smooth(l->tree, &s, e);
    if (status >= 0) {
        for (int32_t i = 0; i < l->n_edges; i++)
            parts[i] = smooth_over(f, &s, &l->edge[i]);
        moments(l, &s, parts, of, sum, mean, variance);
    }
    spt__free(f->ctx, parts);
    spt__free(f->ctx, sum);
    spt__free(f->ctx, of);
    spt__free(f->ctx, s.gz);
    return status;
}

/* ---- main effects ---- */

/* An edge's share of its axis's effect, per bin: what is added from a bin on (ordered), constant
 * and times the coordinate, or in a bin (without order). */
static void add_edge(const spt__lattice *f, const spt__leaf *leaf, const spt__edge *edge,
                     double *constant, double *slope)
{
    const spt__axis *axis = &f->axes[edge->axis];
    const double u = leaf->w / edge->w, c = u * (leaf->value - edge->slope * edge->mean);
    double *at = constant + axis->first;
    if (axis->categorical) {
        for (int32_t b = 0; b < axis->bins; b++)
            if (spt__set_has(edge->part.set, b)) at[b] += c;
        return;
    }
    at[edge->part.low] += c;
    at[edge->part.high + 1] -= c;
    slope[axis->first + edge->part.low] += u * edge->slope;
    slope[axis->first + edge->part.high + 1] -= u * edge->slope;
}

static double finish_axis(const spt__leaves *l, int32_t j, double *curve, const double *slope,
                          double base)
{
    const spt__lattice *f = l->tree->lattice;
    const spt__axis *axis = &f->axes[j];
    const double p = f->activities[axis->activity].measure;
    double constant = 0, steep = 0, sum = 0;
    for (int32_t i = axis->first; i < axis->first + axis->bins; i++) {
        constant = axis->categorical ? curve[i] : constant + curve[i];
        steep += slope[i];
        curve[i] = p > 0 ? l->tree->main[i] + (constant + steep * f->at[i] - base) / p : 0;
        sum += f->weight[i] * curve[i] * curve[i];
    }
    return p * sum;
}

int32_t spt__effects_main(const spt__leaves *l, double *variance, double *curve, spt__err *e)
{
    const spt__lattice *f = l->tree->lattice;
    const size_t n = (size_t)f->places;
    double *own = spt__calloc(f->ctx, 2 * n + (size_t)f->d, sizeof *own);
    if (own == NULL) return spt__nomem(e);
    double *slope = own + n, *base = slope + n;
    for (int32_t i = 0; i < l->n; i++)
        for (int32_t k = l->leaf[i].first; k < l->leaf[i].first + l->leaf[i].n; k++) {
            add_edge(f, &l->leaf[i], &l->edge[k], own, slope);
            base[l->edge[k].axis] += l->leaf[i].w * l->leaf[i].value;
        }
    for (int32_t j = 0; j < f->d; j++)
        variance[j] = finish_axis(l, j, own, slope, base[j]);
    if (curve != NULL) memcpy(curve, own, n * sizeof *curve);
    spt__free(f->ctx, own);
    return SPT_OK;
}
