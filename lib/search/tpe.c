/* TPE (Bergstra, Bardenet, Bengio & Kegl 2011) by the rules of hyperopt 0.3: each node of the tree
 * is modelled by itself, from the trials in which it exists. Trials are split by loss into good and
 * bad ones; both densities are adaptive Parzen estimators; of some draws from that of the good
 * ones, the one with the highest ratio of the densities is taken.
 *
 * Failed and running trials have an infinite loss and so are bad ones. */
#include "tpe.h"

#include <stdlib.h>

/* Nothing is learnt from a refused proposal, so a model whose favourite is refused would go on
 * proposing it: from here on draws are uniform. */
enum { MODEL_ATTEMPTS = 100 };

/* Ratios are kept for parameters of so many values: candidates meet often on short grids. */
enum { KEPT_POINTS = 256 };

typedef struct tpe_node {
    bool fitted;
    spt__parzen good, bad;
    double *kept; /* per grid point or category, NaN until it is needed; or NULL */
} tpe_node;

typedef struct tpe_model {
    int64_t candidates;
    int32_t n;
    tpe_node nodes[];
} tpe_model;

typedef struct ranked {
    double loss;
    int64_t index;
} ranked;

static int by_loss(const void *pa, const void *pb)
{
    const ranked *a = pa, *b = pb;
    if (a->loss < b->loss) return -1;
    if (a->loss > b->loss) return 1;
    return (a->index > b->index) - (a->index < b->index);
}

int32_t spt__tpe_split(spt_ctx *ctx, const spt__view *view, double gamma, int64_t cap, bool *good,
                       spt__err *e)
{
    ranked *order = spt__alloc(ctx, (size_t)view->n, sizeof *order);
    if (!order) return spt__nomem(e);
    for (int64_t i = 0; i < view->n; i++) {
        order[i] = (ranked){isnan(view->loss[i]) ? INFINITY : view->loss[i], i};
        good[i] = false;
    }
    qsort(order, (size_t)view->n, sizeof *order, by_loss);
    double below = fmin(ceil(gamma * sqrt((double)view->n)), (double)cap);
    for (int64_t i = 0; i < view->n && (double)i < below; i++)
        good[order[i].index] = true;
    spt__free(ctx, order);
    return SPT_OK;
}

/* Values of one parameter in the good (or bad) trials that have it, oldest first. */
static int64_t collect(const spt__view *view, int32_t parameter, const bool *good, bool which,
                       double *values)
{
    int64_t n = 0;
    for (int64_t i = 0; i < view->n; i++) {
        double v = view->values[i * view->n_params + parameter];
        if (good[i] == which && !isnan(v)) values[n++] = v;
    }
    return n;
}

static int32_t fit(spt__sampler *s, const spt__view *view, tpe_model *model, bool *good,
                   double *values, spt__err *e)
{
    const spt__knob *knobs = spt__sampler_knobs;
    spt__parzen_rule rule = {.prior_weight = spt__option(s->options, knobs, "prior_weight"),
                             .forgetting = spt__option_int(s->options, knobs, "forgetting")};
    SPT__TRY(spt__tpe_split(s->ctx, view, spt__option(s->options, knobs, "gamma"), rule.forgetting,
                            good, e));
    for (int32_t i = 0; i < model->n; i++) {
        tpe_node *node = &model->nodes[i];
        const spt__domain *d = &s->domains[i];
        if (spt__domain_single(d)) continue;
        node->fitted = true;
        int64_t n = collect(view, i, good, true, values);
        SPT__TRY(spt__parzen_fit(s->ctx, d, values, n, &rule, &node->good, e));
        n = collect(view, i, good, false, values);
        SPT__TRY(spt__parzen_fit(s->ctx, d, values, n, &rule, &node->bad, e));
        if (d->points == 0 || d->points > KEPT_POINTS) continue;
        node->kept = spt__alloc(s->ctx, (size_t)d->points, sizeof *node->kept);
        if (!node->kept) return spt__nomem(e);
        for (int64_t k = 0; k < d->points; k++)
            node->kept[k] = NAN;
    }
    return SPT_OK;
}

static int32_t tpe_prepare(spt__sampler *s, const spt__view *view, spt__err *e)
{
    if (view->n < spt__option_int(s->options, spt__sampler_knobs, "startup")) return SPT_OK;
    size_t n = (size_t)s->space->n;
    tpe_model *model = spt__calloc(s->ctx, 1, sizeof *model + n * sizeof model->nodes[0]);
    bool *good = spt__alloc(s->ctx, (size_t)view->n, sizeof *good);
    double *values = spt__alloc(s->ctx, (size_t)view->n, sizeof *values);
    s->prepared = model;
    int32_t status;
    if (model && good && values) {
        model->n = s->space->n;
        model->candidates = spt__option_int(s->options, spt__sampler_knobs, "candidates");
        status = fit(s, view, model, good, values, e);
    } else {
        status = spt__nomem(e);
    }
    spt__free(s->ctx, good);
    spt__free(s->ctx, values);
    return status;
}

static double ratio(const tpe_node *node, double value)
{
    double *kept = NULL;
    if (node->kept) kept = &node->kept[spt__space_grid_index(node->good.domain->parameter, value)];
    if (kept && !isnan(*kept)) return *kept;
    double r = spt__parzen_log(&node->good, value) - spt__parzen_log(&node->bad, value);
    if (kept) *kept = r;
    return r;
}

static double best_of(const tpe_node *node, int64_t candidates, spt__rng *rng)
{
    double best = NAN, best_score = -INFINITY;
    for (int64_t i = 0; i < candidates; i++) {
        double value = spt__parzen_draw(&node->good, rng);
        double score = ratio(node, value);
        if (i > 0 && !(score > best_score)) continue;
        best = value;
        best_score = score;
    }
    return best;
}

static int32_t tpe_draw(spt__sampler *s, int64_t sequence, int32_t attempt, double *values,
                        spt__err *e)
{
    (void)e;
    const tpe_model *model = s->prepared;
    if (!model || attempt >= MODEL_ATTEMPTS) {
        spt__sampler_uniform(s, sequence, attempt, values);
        return SPT_OK;
    }
    for (int32_t i = 0; i < model->n; i++) {
        values[i] = NAN;
        if (!spt__space_exists(s->space, i, values)) continue;
        spt__rng rng;
        spt__sampler_rng(s, sequence, attempt, i, &rng);
        const tpe_node *node = &model->nodes[i];
        values[i] = node->fitted ? best_of(node, model->candidates, &rng)
                                 : spt__domain_draw(&s->domains[i], &rng);
    }
    return SPT_OK;
}

double spt__tpe_score(const spt__sampler *s, int32_t parameter, double value)
{
    const tpe_model *model = s->prepared;
    if (!model || !model->nodes[parameter].fitted) return 0;
    return ratio(&model->nodes[parameter], value);
}

static void tpe_release(spt__sampler *s)
{
    tpe_model *model = s->prepared;
    if (!model) return;
    for (int32_t i = 0; i < model->n; i++) {
        spt__parzen_free(s->ctx, &model->nodes[i].good);
        spt__parzen_free(s->ctx, &model->nodes[i].bad);
        spt__free(s->ctx, model->nodes[i].kept);
    }
    spt__free(s->ctx, model);
    s->prepared = NULL;
}

const spt__sampler_kind spt__sampler_tpe = {"tpe", tpe_prepare, tpe_draw, tpe_release};
