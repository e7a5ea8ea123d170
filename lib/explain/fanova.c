/* Functional analysis of variance of a history: the handle. */
#include "fanova.h"

#include "../base/threads.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- knobs ---- */

const spt__knob spt__forest_knobs[] = {
    {"trees", SPT_OPTION_INTEGER, 1, 100000, 64, NULL, NULL, "trees of the forest"},
    {"seed", SPT_OPTION_INTEGER, 0, 9007199254740992.0, 1, NULL, NULL, "names the forest"},
    {"top_quantile", SPT_OPTION_NUMBER, 0.001, 1, 1, NULL, NULL,
     "losses worse than this quantile are cut to it; 1: none"},
    {"prior", SPT_OPTION_CHOICE, 0, 0, 0, "auto|space|trials", "auto",
     "how probable the values are that switch parameters: as the space says, or the trials"},
    {"pruned", SPT_OPTION_CHOICE, 0, 0, 0, "ignore|last", "ignore",
     "pruned trials: ignored, or with the last value told"},
    {"failed", SPT_OPTION_CHOICE, 0, 0, 0, "ignore|worst", "ignore",
     "failed trials: ignored, or with the worst loss of the complete ones"},
    {"pairs", SPT_OPTION_INTEGER, 0, 1, 1, NULL, NULL, "interactions of pairs: 1, or 0 for none"},
    {"min_leaf", SPT_OPTION_INTEGER, 0, 1e9, 0, NULL, NULL,
     "trials in a leaf, at least; 0: 5, or a thousandth of more than 5000 trials"},
    {"max_depth", SPT_OPTION_INTEGER, 1, 1000, 64, NULL, NULL,
     "splits from the root to a leaf, at most"},
    {"features", SPT_OPTION_NUMBER, 0.01, 1, 1, NULL, NULL,
     "share of the parameters that are tried at a split"},
    {NULL, SPT_OPTION_NUMBER, 0, 0, 0, NULL, NULL, NULL}};

int32_t spt_fanova_options_new(spt_ctx *ctx, spt_options **out)
{
    SPT__REQUIRE(out != NULL);
    *out = NULL;
    SPT__REQUIRE(ctx != NULL);
    return spt__options_new(ctx, "forest", spt__forest_knobs, out);
}

void spt__forest_read(const spt_options *o, spt__forest_settings *forest,
                      spt__problem_settings *problem)
{
    const spt__knob *k = spt__forest_knobs;
    *forest = (spt__forest_settings){.seed = (uint64_t)spt__option_int(o, k, "seed"),
                                     .trees = spt__option_int(o, k, "trees"),
                                     .max_depth = (int32_t)spt__option_int(o, k, "max_depth"),
                                     .min_leaf = spt__option_int(o, k, "min_leaf"),
                                     .features = spt__option(o, k, "features")};
    *problem = (spt__problem_settings){.top_quantile = spt__option(o, k, "top_quantile"),
                                       .pruned = spt__option_choice(o, k, "pruned") == 1,
                                       .failed = spt__option_choice(o, k, "failed") == 1,
                                       .prior = spt__option_choice(o, k, "prior")};
}

/* ---- tree by tree ---- */

typedef struct work {
    spt_fanova *f;
    /* Per tree and axis: shares, NaN of a tree without variance. */
    double *main, *total, *within;
    /* Per tree: variances of pairs. */
    spt__pair_effect **pairs;
    int64_t *n_pairs;
} work;

static void to_shares(const work *w, int64_t number, const double *variance)
{
    const spt__lattice *f = &w->f->problem.lattice;
    const double whole = variance[0];
    for (int32_t j = 0; j < f->d; j++) {
        const int64_t at = number * f->d + j;
        const int32_t a = f->axes[j].activity;
        const double p = f->activities[a].measure;
        w->within[at] = !(whole > 0)          ? NAN
                        : variance[a] * p > 0 ? w->main[at] / (p * variance[a])
                                              : 0;
        w->main[at] = whole > 0 ? w->main[at] / whole : NAN;
        w->total[at] = whole > 0 ? w->total[at] / whole : NAN;
    }
    w->f->tree_variance[number] = whole > 0 ? whole : 0;
}

static int32_t one_tree(int64_t number, int32_t worker, void *arg, spt__err *e)
{
    work *w = arg;
    const spt__tree *tree = &w->f->forest.trees[number];
    const spt__lattice *f = &w->f->problem.lattice;
    spt__leaves leaves;
    (void)worker;
    if (spt__stopping(w->f->ctx)) return SPT_OK;
    SPT__TRY(spt__leaves_new(tree, &leaves, e));
    const size_t n = 2 * (size_t)f->n_activities + (size_t)f->places;
    double *mean = spt__alloc(f->ctx, n, sizeof *mean);
    int32_t status = mean != NULL ? SPT_OK : spt__nomem(e);
    if (status >= 0) {
        double *variance = mean + f->n_activities, *curve = variance + f->n_activities;
        status = spt__effects_moments(&leaves, mean, variance, e);
        if (status >= 0) status = spt__effects_main(&leaves, w->main + number * f->d, curve, e);
        if (status >= 0) status = spt__effects_total(tree, curve, w->total + number * f->d, e);
        if (status >= 0 && w->pairs != NULL)
            status = spt__effects_pairs(&leaves, &w->pairs[number], &w->n_pairs[number], e);
        if (status >= 0) to_shares(w, number, variance);
    }
    spt__free(f->ctx, mean);
    spt__leaves_free(&leaves);
    return status;
}

/* ---- over the trees ---- */

spt__summary spt__summarise(const double *values, int64_t n, double error_of_sd)
{
    double sum = 0, squares = 0;
    int64_t k = 0;
    for (int64_t i = 0; i < n; i++)
        if (!isnan(values[i])) {
            sum += values[i];
            k++;
        }
    const double mean = k > 0 ? sum / (double)k : 0;
    for (int64_t i = 0; i < n; i++)
        if (!isnan(values[i])) squares += (values[i] - mean) * (values[i] - mean);
    const double sd = k > 1 ? sqrt(squares / (double)(k - 1)) : 0;
    return (spt__summary){mean, sd, sd * error_of_sd};
}

const char *spt__fanova_name(const spt_fanova *f, int32_t axis)
{
    return axis < f->problem.n_parameters ? f->problem.space->parameters[axis].name
                                          : f->names[axis - f->problem.n_parameters];
}

int32_t spt__fanova_parameter(const spt_fanova *f, int32_t axis)
{
    return axis < f->problem.n_parameters ? axis : -1;
}

static int by_share(const void *a, const void *b)
{
    const spt_importance *x = a, *y = b;
    if (x->share != y->share) return x->share > y->share ? -1 : 1;
    /* Parameters stand in the order of the space, switches behind them. */
    return (x->parameter < 0) != (y->parameter < 0) ? (x->parameter < 0) - (y->parameter < 0)
                                                    : x->parameter - y->parameter;
}

static double observed(const spt__problem *p, int32_t axis)
{
    double there = 0;
    for (int64_t i = 0; i < p->table.n; i++)
        there += p->code[axis * p->table.n + i] != SPT__NO_BIN;
    return there / (double)p->table.n;
}

static int32_t summarise_axes(const work *w, spt__err *e)
{
    spt_fanova *f = w->f;
    const spt__problem *p = &f->problem;
    const int32_t d = p->lattice.d;
    const int64_t trees = f->forest.n;
    double *column = spt__alloc(f->ctx, (size_t)trees, sizeof *column);
    if (column == NULL) return spt__nomem(e);
    for (int32_t j = 0; j < d; j++) {
        spt_importance *i = &f->importance[j];
        spt_record_init(i, sizeof *i);
        i->parameter = spt__fanova_parameter(f, j);
        i->name = spt__fanova_name(f, j);
        i->group = j < p->n_parameters ? p->space->parameters[j].group : "";
        i->p_active = p->lattice.activities[p->lattice.axes[j].activity].measure;
        i->observed = observed(p, j);
        const double *const from[] = {w->main, w->total, w->within};
        for (int32_t k = 0; k < 3; k++) {
            for (int64_t t = 0; t < trees; t++)
                column[t] = from[k][t * d + j];
            const spt__summary s = spt__summarise(column, trees, f->error_of_sd);
            if (k == 0) {
                i->share = s.mean;
                i->sd = s.sd;
                i->error = s.error;
            } else if (k == 1) {
                i->total = s.mean;
                i->total_sd = s.sd;
            } else {
                i->within = s.mean;
            }
        }
    }
    spt__free(f->ctx, column);
    qsort(f->importance, (size_t)d, sizeof *f->importance, by_share);
    return SPT_OK;
}

/* ---- pairs ---- */

typedef struct pair_of_tree {
    int32_t first, second;
    int64_t tree;
    double share;
} pair_of_tree;

static int by_pair(const void *a, const void *b)
{
    const pair_of_tree *x = a, *y = b;
    if (x->first != y->first) return x->first < y->first ? -1 : 1;
    if (x->second != y->second) return x->second < y->second ? -1 : 1;
    return x->tree < y->tree ? -1 : x->tree > y->tree;
}

static int by_pair_share(const void *a, const void *b)
{
    const spt_interaction *x = a, *y = b;
    if (x->share != y->share) return x->share > y->share ? -1 : 1;
    for (int32_t i = 0; i < 2; i++)
        if (x->parameters[i] != y->parameters[i]) return x->parameters[i] - y->parameters[i];
    return strcmp(x->names[0], y->names[0]) != 0 ? strcmp(x->names[0], y->names[0])
                                                 : strcmp(x->names[1], y->names[1]);
}

static int32_t gather_pairs(const work *w, pair_of_tree **out, int64_t *n, spt__err *e)
{
    spt_fanova *f = w->f;
    int64_t k = 0, most = 0;
    for (int64_t t = 0; t < f->forest.n; t++)
        most += w->n_pairs[t];
    *out = spt__alloc(f->ctx, (size_t)most, sizeof **out);
    if (*out == NULL) return spt__nomem(e);
    for (int64_t t = 0; t < f->forest.n; t++)
        for (int64_t i = 0; i < w->n_pairs[t] && f->tree_variance[t] > 0; i++) {
            const spt__pair_effect *p = &w->pairs[t][i];
            (*out)[k++] = (pair_of_tree){p->first, p->second, t, p->variance / f->tree_variance[t]};
        }
    *n = k;
    qsort(*out, (size_t)k, sizeof **out, by_pair);
    return SPT_OK;
}

static int32_t summarise_pairs(const work *w, spt__err *e)
{
    spt_fanova *f = w->f;
    const spt__lattice *lattice = &f->problem.lattice;
    const int64_t trees = f->forest.n;
    pair_of_tree *all = NULL;
    int64_t n = 0, distinct = 0;
    double *column = spt__alloc(f->ctx, (size_t)trees, sizeof *column);
    int32_t status = column != NULL ? gather_pairs(w, &all, &n, e) : spt__nomem(e);
    for (int64_t i = 0; i < n && status >= 0; i++)
        distinct +=
            i == 0 || all[i].first != all[i - 1].first || all[i].second != all[i - 1].second;
    if (status >= 0) {
        f->pairs = spt__alloc(f->ctx, (size_t)distinct, sizeof *f->pairs);
        status = f->pairs != NULL ? SPT_OK : spt__nomem(e);
    }
    for (int64_t i = 0, end; i < n && status >= 0; i = end) {
        /* A tree without this pair has 0 of it. */
        for (int64_t t = 0; t < trees; t++)
            column[t] = f->tree_variance[t] > 0 ? 0 : NAN;
        for (end = i; end < n && all[end].first == all[i].first && all[end].second == all[i].second;
             end++)
            column[all[end].tree] = all[end].share;
        const spt__summary s = spt__summarise(column, trees, f->error_of_sd);
        const int32_t axes[2] = {all[i].first, all[i].second};
        spt_interaction *p = &f->pairs[f->n_pairs++];
        spt_record_init(p, sizeof *p);
        p->n = 2;
        p->parameters[2] = -1;
        for (int32_t k = 0; k < 2; k++) {
            p->parameters[k] = spt__fanova_parameter(f, axes[k]);
            p->names[k] = spt__fanova_name(f, axes[k]);
        }
        p->share = s.mean;
        p->sd = s.sd;
        p->error = s.error;
        const spt__activity *a = &lattice->activities[lattice->axes[axes[0]].activity];
        const spt__activity *b = &lattice->activities[lattice->axes[axes[1]].activity];
        p->p_active = a->measure > 0 ? a->measure * spt__activity_given(lattice, b, a) : 0;
    }
    if (status >= 0) qsort(f->pairs, (size_t)f->n_pairs, sizeof *f->pairs, by_pair_share);
    spt__free(f->ctx, all);
    spt__free(f->ctx, column);
    return status;
}

/* ---- the analysis ---- */

static int32_t name_switches(spt_fanova *f, spt__err *e)
{
    const spt__problem *p = &f->problem;
    const int32_t n = p->lattice.d - p->n_parameters;
    f->names = spt__calloc(f->ctx, (size_t)n, sizeof *f->names);
    if (f->names == NULL) return spt__nomem(e);
    for (int32_t i = 0; i < n; i++) {
        spt__buf b;
        spt__buf_init(&b, f->ctx);
        spt__buf_printf(&b, "existence of %s", p->space->parameters[p->hidden[i]].name);
        f->names[i] = spt__buf_take(&b);
        if (f->names[i] == NULL) return spt__nomem(e);
    }
    return SPT_OK;
}

static int32_t prepare(work *w, bool pairs, spt__err *e)
{
    spt_fanova *f = w->f;
    const size_t d = (size_t)f->problem.lattice.d, trees = (size_t)f->forest.n;
    w->main = spt__calloc(f->ctx, trees * d, sizeof *w->main);
    w->total = spt__calloc(f->ctx, trees * d, sizeof *w->total);
    w->within = spt__calloc(f->ctx, trees * d, sizeof *w->within);
    w->n_pairs = spt__calloc(f->ctx, trees, sizeof *w->n_pairs);
    f->importance = spt__calloc(f->ctx, d, sizeof *f->importance);
    f->tree_variance = spt__calloc(f->ctx, trees, sizeof *f->tree_variance);
    if (pairs) w->pairs = spt__calloc(f->ctx, trees, sizeof *w->pairs);
    f->has_pairs = pairs;
    if (w->main == NULL || w->total == NULL || w->within == NULL || w->n_pairs == NULL ||
        f->importance == NULL || f->tree_variance == NULL || (pairs && w->pairs == NULL))
        return spt__nomem(e);
    return name_switches(f, e);
}

static void release(work *w)
{
    spt_ctx *ctx = w->f->ctx;
    for (int64_t t = 0; t < w->f->forest.n && w->pairs != NULL; t++)
        spt__free(ctx, w->pairs[t]);
    spt__free(ctx, w->pairs);
    spt__free(ctx, w->n_pairs);
    spt__free(ctx, w->main);
    spt__free(ctx, w->total);
    spt__free(ctx, w->within);
}

static int32_t analyse(spt_ctx *ctx, const spt_history *history, const spt_options *options,
                       spt_fanova *f)
{
    spt__forest_settings forest;
    spt__problem_settings problem;
    work w = {.f = f};
    spt__err *e = &ctx->err;
    spt__forest_read(options, &forest, &problem);
    SPT__TRY(spt__problem_new(ctx, history, &problem, &f->problem));
    int32_t status = spt__forest_grow(ctx, &f->problem.table, &forest, &f->forest);
    if (status != SPT_OK) return status;
    const int32_t sample = spt__forest_sample(f->problem.table.n);
    const double outside = (double)f->problem.table.n - sample;
    f->error_of_sd = outside > 0 ? sqrt(sample / outside) : NAN;
    status = prepare(&w, spt__option_int(options, spt__forest_knobs, "pairs") != 0, e);
    if (status >= 0) status = spt__parallel(ctx, f->forest.n, one_tree, &w, e);
    if (status >= 0 && spt__stopping(ctx)) status = SPT_STOP_HOST;
    if (status == SPT_OK) status = summarise_axes(&w, e);
    if (status == SPT_OK && f->has_pairs) status = summarise_pairs(&w, e);
    for (int64_t t = 0; t < f->forest.n && status == SPT_OK; t++)
        f->variance += f->tree_variance[t] / (double)f->forest.n;
    release(&w);
    if (status == SPT_OK) status = spt__fanova_warn(f, e);
    return status;
}

int32_t spt_fanova_new(spt_ctx *ctx, const spt_history *history, const spt_options *options,
                       spt_fanova **out)
{
    SPT__REQUIRE(out != NULL);
    *out = NULL;
    SPT__REQUIRE(ctx != NULL);
    SPT__TRY(spt__forest_check(ctx, history, options));
    spt_fanova *f = spt__calloc(ctx, 1, sizeof *f);
    if (f == NULL) return spt__nomem(&ctx->err);
    f->ctx = spt__ctx_ref(ctx);
    const int32_t status = analyse(ctx, history, options, f);
    if (status != SPT_OK) {
        spt_fanova_free(f);
        return status;
    }
    *out = f;
    return SPT_OK;
}

int32_t spt__forest_check(spt_ctx *ctx, const spt_history *history, const spt_options *options)
{
    if (history == NULL) return spt__fail(&ctx->err, SPT_EINVAL, "the history is NULL");
    if (!spt__options_are(options, spt__forest_knobs))
        return spt__fail(
            &ctx->err, SPT_EINVAL,
            "these are no options of a forest; make them with spt_fanova_options_new()");
    return SPT_OK;
}

void spt_fanova_free(spt_fanova *f)
{
    if (f == NULL) return;
    spt_ctx *ctx = f->ctx;
    const int32_t switches = f->names != NULL ? f->problem.lattice.d - f->problem.n_parameters : 0;
    for (int32_t i = 0; i < switches; i++)
        spt__free(ctx, f->names[i]);
    spt__free(ctx, f->names);
    for (int32_t i = 0; i < f->n_warnings; i++)
        spt__free(ctx, f->warnings[i]);
    spt__free(ctx, f->importance);
    spt__free(ctx, f->pairs);
    spt__free(ctx, f->tree_variance);
    spt__forest_free(&f->forest);
    spt__problem_free(&f->problem);
    spt__free(ctx, f);
    spt__ctx_unref(ctx);
}

/* ---- what a host reads ---- */

int64_t spt_fanova_count(const spt_fanova *f)
{
    return f != NULL ? f->problem.lattice.d : SPT_EINVAL;
}

int32_t spt_fanova_main(const spt_fanova *f, int64_t rank, spt_importance *out)
{
    SPT__REQUIRE(f != NULL && out != NULL && rank >= 0 && rank < f->problem.lattice.d);
    return spt__record_out(out, &f->importance[rank], sizeof *out);
}

int64_t spt_fanova_pair_count(const spt_fanova *f)
{
    return f != NULL ? f->n_pairs : SPT_EINVAL;
}

int32_t spt_fanova_pair(const spt_fanova *f, int64_t rank, spt_interaction *out)
{
    SPT__REQUIRE(f != NULL && out != NULL && rank >= 0 && rank < f->n_pairs);
    return spt__record_out(out, &f->pairs[rank], sizeof *out);
}

double spt_fanova_residual(const spt_fanova *f, int32_t order)
{
    double left = 1;
    if (f == NULL || order < 1 || order > 2 || (order == 2 && !f->has_pairs)) return NAN;
    for (int32_t i = 0; i < f->problem.lattice.d; i++)
        left -= f->importance[i].share;
    for (int64_t i = 0; i < f->n_pairs && order == 2; i++)
        left -= f->pairs[i].share;
    return left;
}

double spt_fanova_out_of_bag(const spt_fanova *f)
{
    return f != NULL ? f->forest.out_of_bag : NAN;
}

int64_t spt_fanova_trials(const spt_fanova *f)
{
    return f != NULL ? f->problem.table.n : SPT_EINVAL;
}

double spt_fanova_variance(const spt_fanova *f)
{
    return f != NULL ? f->variance : NAN;
}

double spt_fanova_cut(const spt_fanova *f)
{
    return f != NULL ? f->problem.cut : NAN;
}

const char *spt_fanova_prior(const spt_fanova *f)
{
    return f == NULL ? NULL : f->problem.from_trials ? "trials" : "space";
}

const char *spt_fanova_warning(const spt_fanova *f, int64_t index)
{
    return f != NULL && index >= 0 && index < f->n_warnings ? f->warnings[index] : NULL;
}
