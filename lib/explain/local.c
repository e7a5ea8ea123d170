/* Local importance: how much the loss varies around one configuration when one parameter takes all
 * of its values (LPI; Biedenkapp, Marben, Lindauer & Hutter 2018). All values, weighted by the
 * prior, instead of a sample; parameters that a value brings into being take all of theirs. */
#include "fanova.h"

#include "../base/threads.h"

#include <math.h>
#include <string.h>

typedef struct work {
    const spt_fanova *f;
    const uint16_t *code; /* d: the configuration */
    double *values;       /* trees x parameters: shares */
} work;

/* A point, of which some coordinates are not known: they are averaged over. */
typedef struct point {
    const spt__tree *tree;
    const uint16_t *code;
    spt__edge *side; /* d: of those not known, what the path has left of them */
} point;

static double mean_at(point *p, int32_t index)
{
    const spt__tree *t = p->tree;
    const spt__lattice *f = t->lattice;
    const spt__node *node = &t->nodes[index];
    if (node->axis < 0) {
        double sum = node->value;
        for (int32_t i = 0; i < node->n_slopes; i++) {
            const spt__slope *s = &t->slopes[node->first_slope + i];
            const uint16_t c = p->code[s->axis];
            sum += s->slope *
                   (c != SPT__NO_BIN ? f->at[f->axes[s->axis].first + c] : p->side[s->axis].mean);
        }
        return sum;
    }
    if (p->code[node->axis] != SPT__NO_BIN)
        return mean_at(p, spt__tree_left(t, node, p->code[node->axis]) ? node->left : node->right);
    const spt__edge kept = p->side[node->axis];
    uint64_t words[SPT__SET_WORDS];
    double sum = 0;
    for (int32_t side = 0; side < 2; side++) {
        spt__edge *edge = &p->side[node->axis];
        edge->part = spt__tree_side(t, node, side == 0, kept.part, words);
        spt__edge_measure(f, edge);
        if (edge->w > 0) sum += edge->w / kept.w * mean_at(p, side == 0 ? node->left : node->right);
        *edge = kept;
    }
    return sum;
}

/* The smooth functions of what exists. The mean of those that are not known is 0. */
static double smooth_at(const spt__tree *t, const uint16_t *code)
{
    const spt__lattice *f = t->lattice;
    double sum = 0;
    for (int32_t j = 0; j < f->d; j++) {
        const spt__activity *a = &f->activities[f->axes[j].activity];
        bool exists = code[j] != SPT__NO_BIN;
        for (int32_t i = 0; i < a->n && exists; i++) {
            const uint16_t c = code[a->needs[i].axis];
            exists = c != SPT__NO_BIN && spt__part_has(&a->needs[i].part, c);
        }
        if (exists) sum += t->main[f->axes[j].first + code[j]];
    }
    return sum;
}

static double variance_along(point *p, uint16_t *code, int32_t j)
{
    const spt__lattice *f = p->tree->lattice;
    const spt__axis *axis = &f->axes[j];
    const uint16_t kept = code[j];
    double mean = 0, square = 0, first = 0;
    for (int32_t b = 0; b < axis->bins; b++) {
        const double w = f->weight[axis->first + b];
        code[j] = (uint16_t)b;
        const double y = mean_at(p, 0) + smooth_at(p->tree, code);
        if (b == 0) first = y;
        mean += w * (y - first);
        square += w * (y - first) * (y - first);
    }
    code[j] = kept;
    return fmax(0, square - mean * mean);
}

static int32_t one_tree(int64_t number, int32_t worker, void *arg, spt__err *e)
{
    work *w = arg;
    const spt__lattice *f = &w->f->problem.lattice;
    const int32_t n = w->f->problem.n_parameters;
    double *share = w->values + number * n, sum = 0;
    point p = {.tree = &w->f->forest.trees[number]};
    (void)worker;
    p.side = spt__calloc(f->ctx, (size_t)f->d, sizeof *p.side);
    uint16_t *code = spt__alloc(f->ctx, (size_t)f->d, sizeof *code);
    uint64_t *words = spt__alloc(f->ctx, (size_t)f->words, sizeof *words);
    const int32_t status = p.side != NULL && code != NULL && words != NULL ? SPT_OK : spt__nomem(e);
    if (status >= 0) {
        memcpy(code, w->code, (size_t)f->d * sizeof *code);
        p.code = code;
        for (int32_t j = 0; j < f->d; j++) {
            const spt__axis *axis = &f->axes[j];
            p.side[j].axis = j;
            p.side[j].part = spt__part_whole(axis, words + (axis->categorical ? axis->word : 0));
            spt__edge_measure(f, &p.side[j]);
        }
        for (int32_t j = 0; j < n; j++) {
            share[j] = code[j] != SPT__NO_BIN ? variance_along(&p, code, j) : NAN;
            if (!isnan(share[j])) sum += share[j];
        }
        for (int32_t j = 0; j < n; j++)
            share[j] = sum > 0 ? share[j] / sum : NAN;
    }
    spt__free(f->ctx, p.side);
    spt__free(f->ctx, code);
    spt__free(f->ctx, words);
    return status;
}

/* The bins of a configuration. */
static void encode(const spt__problem *p, const spt_config *config, uint16_t *code)
{
    const spt__lattice *f = &p->lattice;
    for (int32_t j = 0; j < f->d; j++) {
        if (config == NULL) {
            code[j] = p->code[j * p->table.n + p->best];
            continue;
        }
        const double x = config->value[j < p->n_parameters ? j : p->hidden[j - p->n_parameters]];
        if (j >= p->n_parameters)
            code[j] = (uint16_t)!isnan(x);
        else
            code[j] = isnan(x) ? SPT__NO_BIN
                               : (uint16_t)spt__bins_find(&p->space->parameters[j], &p->bins[j], x);
    }
    for (int32_t j = 0; j < f->d; j++) {
        const spt__activity *a = &f->activities[f->axes[j].activity];
        for (int32_t i = 0; i < a->n; i++) {
            const uint16_t c = code[a->needs[i].axis];
            if (c == SPT__NO_BIN || !spt__part_has(&a->needs[i].part, c)) code[j] = SPT__NO_BIN;
        }
    }
}

static int32_t check_space(spt_ctx *ctx, const spt_fanova *f, const spt_config *config)
{
    spt__buf why;
    if (config == NULL || config->space == f->problem.space) return SPT_OK;
    spt__buf_init(&why, ctx);
    const bool same = spt__space_same(config->space, f->problem.space, &why);
    int32_t status = SPT_OK;
    if (!same)
        status = spt__fail(&ctx->err, SPT_EINVAL, "the configuration is of another space: %.300s",
                           why.failed ? "" : why.data);
    spt__buf_free(&why);
    return status;
}

int32_t spt_fanova_local(spt_ctx *ctx, const spt_fanova *f, const spt_config *config, double *share,
                         double *sd, int64_t capacity, int64_t *needed)
{
    SPT__REQUIRE(ctx != NULL && f != NULL && needed != NULL);
    const spt__problem *p = &f->problem;
    const int64_t trees = f->forest.n;
    work w = {.f = f};
    *needed = p->n_parameters;
    SPT__TRY(spt__check_capacity(capacity, *needed, "the shares", &ctx->err));
    SPT__TRY(check_space(ctx, f, config));
    uint16_t *code = spt__alloc(ctx, (size_t)p->lattice.d, sizeof *code);
    double *column = spt__alloc(ctx, (size_t)trees, sizeof *column);
    w.values = spt__alloc(ctx, (size_t)trees * (size_t)p->n_parameters, sizeof *w.values);
    int32_t status =
        code != NULL && column != NULL && w.values != NULL ? SPT_OK : spt__nomem(&ctx->err);
    if (status >= 0) {
        encode(p, config, code);
        w.code = code;
        status = spt__parallel(ctx, trees, one_tree, &w, &ctx->err);
    }
    for (int32_t j = 0; j < p->n_parameters && status >= 0; j++) {
        for (int64_t t = 0; t < trees; t++)
            column[t] = w.values[t * p->n_parameters + j];
        const spt__summary s = spt__summarise(column, trees, 0);
        if (share != NULL) share[j] = code[j] != SPT__NO_BIN ? s.mean : NAN;
        if (sd != NULL) sd[j] = code[j] != SPT__NO_BIN ? s.sd : NAN;
    }
    spt__free(ctx, code);
    spt__free(ctx, column);
    spt__free(ctx, w.values);
    return status;
}
