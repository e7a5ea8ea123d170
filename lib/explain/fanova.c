/* Functional analysis of variance of a history. */
#include "forest.h"

#include "../base/options.h"
#include "../base/threads.h"
#include "../space/space.h"
#include "../store/store.h"
#include "spectune/explain.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const spt__knob forest_knobs[] = {
    {"trees", SPT_OPTION_INTEGER, 1, 100000, 64, NULL, NULL, "trees of the forest"},
    {"seed", SPT_OPTION_INTEGER, 0, 9007199254740992.0, 1, NULL, NULL, "names the forest"},
    {"max_depth", SPT_OPTION_INTEGER, 1, 1000, 64, NULL, NULL,
     "splits from the root to a leaf, at most"},
    {"min_leaf", SPT_OPTION_INTEGER, 1, 1e9, 1, NULL, NULL, "trials in a leaf, at least"},
    {"features", SPT_OPTION_NUMBER, 0.01, 1, 0.7, NULL, NULL,
     "share of the parameters that are tried at a split"},
    {NULL, SPT_OPTION_NUMBER, 0, 0, 0, NULL, NULL, NULL}};

int32_t spt_forest_options_new(spt_ctx *ctx, spt_options **out)
{
    SPT__REQUIRE(out != NULL);
    *out = NULL;
    SPT__REQUIRE(ctx != NULL);
    return spt__options_new(ctx, "forest", forest_knobs, out);
}

typedef struct effect {
    int32_t parameter;
    double share, sd;
} effect;

struct spt_fanova {
    spt_ctx *ctx;
    spt_space *space;
    effect *effects; /* the most important first */
    int32_t n;
    int32_t *left_out;
    int32_t n_left_out;
    int64_t trials;
    double out_of_bag;
};

/* ---- from trials to coordinates ---- */

typedef struct table {
    int32_t *parameters; /* d, indices in the space */
    spt__axis *axes;     /* d */
    double *x;           /* d x n */
    double *y;           /* n */
    int32_t d;
    int64_t n;
} table;

static void describe(const spt__parameter *p, spt__axis *axis)
{
    *axis = (spt__axis){.count = spt__space_grid_count(p),
                        .categorical =
                            p->type == SPT_PARAMETER_CATEGORICAL || p->type == SPT_PARAMETER_BOOL,
                        .log = p->log,
                        .low = p->low,
                        .step = p->step};
    /* Half a step below the lowest value a logarithm may not exist: the lowest cell is cut there.
     */
    if (axis->log && axis->count > 0 && !(p->low - 0.5 * p->step > 0)) axis->log = false;
}

static double coordinate(const spt__parameter *p, double value)
{
    if (spt__space_grid_count(p) > 0) return (double)spt__space_grid_index(p, value);
    const double u = p->log ? log(value / p->low) / log(p->high / p->low)
                            : (value - p->low) / (p->high - p->low);
    return !(u > 0) ? 0 : u < 1 ? u : 1; /* a range of one value: 0 / 0 */
}

static bool usable(const spt__row *row)
{
    return row->state == SPT_TRIAL_COMPLETE && row->config != NULL && isfinite(row->value);
}

/* Parameters that all complete trials have are analysed, the others listed. */
static int32_t choose(spt_ctx *ctx, const spt__row *const *rows, int64_t n, table *t, spt_fanova *f)
{
    const spt_space *space = f->space;
    const size_t all = (size_t)space->n;
    t->parameters = spt__alloc(ctx, all, sizeof *t->parameters);
    f->left_out = spt__alloc(ctx, all, sizeof *f->left_out);
    if (t->parameters == NULL || f->left_out == NULL) return spt__nomem(&ctx->err);
    for (int32_t j = 0; j < space->n; j++) {
        bool always = true;
        for (int64_t i = 0; i < n && always; i++)
            always = !usable(rows[i]) || !isnan(rows[i]->config->value[j]);
        if (always)
            t->parameters[t->d++] = j;
        else
            f->left_out[f->n_left_out++] = j;
    }
    if (t->d == 0)
        return spt__fail(&ctx->err, SPT_EDATA, "no parameter exists in all %lld complete trials",
                         (long long)t->n);
    return SPT_OK;
}

static int32_t encode(spt_ctx *ctx, const spt_history *history, table *t, spt_fanova *f)
{
    int64_t n, used = 0;
    const spt__row *const *rows = spt__history_rows(history, &n);
    for (int64_t i = 0; i < n; i++)
        t->n += usable(rows[i]);
    if (t->n < 2)
        return spt__fail(&ctx->err, SPT_EDATA,
                         "importance needs 2 or more complete trials; study '%s' has %lld",
                         spt_history_name(history), (long long)t->n);
    SPT__TRY(choose(ctx, rows, n, t, f));
    t->axes = spt__alloc(ctx, (size_t)t->d, sizeof *t->axes);
    t->x = spt__alloc(ctx, (size_t)t->d * (size_t)t->n, sizeof *t->x);
    t->y = spt__alloc(ctx, (size_t)t->n, sizeof *t->y);
    if (t->axes == NULL || t->x == NULL || t->y == NULL) return spt__nomem(&ctx->err);
    bool varies = false;
    for (int64_t i = 0; i < n; i++) {
        if (!usable(rows[i])) continue;
        for (int32_t j = 0; j < t->d; j++)
            t->x[j * t->n + used] = coordinate(&f->space->parameters[t->parameters[j]],
                                               rows[i]->config->value[t->parameters[j]]);
        t->y[used] = rows[i]->value;
        varies = varies || t->y[used] != t->y[0];
        used++;
    }
    for (int32_t j = 0; j < t->d; j++)
        describe(&f->space->parameters[t->parameters[j]], &t->axes[j]);
    if (varies) return SPT_OK;
    return spt__fail(&ctx->err, SPT_EDATA, "all %lld complete trials have the same loss",
                     (long long)t->n);
}

/* ---- the forest ---- */

typedef struct forest {
    spt_ctx *ctx;
    spt__forest_data data;
    spt__forest_settings settings;
    double *shares; /* trees x d; NaN of a tree without variance */
    double *bags;   /* trees x n */
} forest;

static int32_t one_tree(int64_t number, int32_t worker, void *arg, spt__err *e)
{
    forest *f = arg;
    spt__tree tree;
    double total = 0, *shares = f->shares + number * f->data.d;
    (void)worker;
    if (spt__stopping(f->ctx)) return SPT_OK;
    int32_t status = spt__tree_grow(f->ctx, &f->data, &f->settings, number, &tree,
                                    f->bags + number * f->data.n, e);
    if (status >= 0) status = spt__tree_variance(&tree, &total, shares, e);
    for (int32_t j = 0; j < f->data.d && status >= 0; j++)
        shares[j] = total > 0 ? shares[j] / total : NAN;
    spt__tree_free(&tree);
    return status;
}

/* R2 of the means of those predictions that were made without the row. */
static double bag_r2(const forest *f, int64_t trees)
{
    double sum = 0, sse = 0, sst = 0;
    int64_t used = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int64_t i = 0; i < f->data.n; i++) {
            double p = 0;
            int64_t votes = 0;
            for (int64_t k = 0; k < trees; k++) {
                const double v = f->bags[k * f->data.n + i];
                if (isnan(v)) continue;
                p += v;
                votes++;
            }
            if (votes == 0) continue;
            if (pass == 0) {
                sum += f->data.y[i];
                used++;
                continue;
            }
            const double mean = sum / (double)used, e = f->data.y[i] - p / (double)votes;
            sse += e * e;
            sst += (f->data.y[i] - mean) * (f->data.y[i] - mean);
        }
    return sst > 0 ? 1 - sse / sst : NAN;
}

static int by_share(const void *a, const void *b)
{
    const effect *x = a, *y = b;
    if (x->share != y->share) return x->share > y->share ? -1 : 1;
    return x->parameter - y->parameter;
}

static int32_t summarise(const forest *f, int64_t trees, const table *t, spt_fanova *out)
{
    out->effects = spt__calloc(f->ctx, (size_t)t->d, sizeof *out->effects);
    if (out->effects == NULL) return spt__nomem(&f->ctx->err);
    out->n = t->d;
    for (int32_t j = 0; j < t->d; j++) {
        double sum = 0, squares = 0;
        int64_t n = 0;
        for (int64_t k = 0; k < trees; k++) {
            if (isnan(f->shares[k * t->d + j])) continue;
            sum += f->shares[k * t->d + j];
            n++;
        }
        if (n == 0)
            return spt__fail(&f->ctx->err, SPT_EDATA,
                             "no tree of the forest splits: too few trials for min_leaf");
        for (int64_t k = 0; k < trees; k++) {
            const double d = f->shares[k * t->d + j] - sum / (double)n;
            if (!isnan(d)) squares += d * d;
        }
        out->effects[j] = (effect){t->parameters[j], sum / (double)n,
                                   n > 1 ? sqrt(squares / (double)(n - 1)) : 0};
    }
    qsort(out->effects, (size_t)out->n, sizeof *out->effects, by_share);
    out->trials = t->n;
    out->out_of_bag = bag_r2(f, trees);
    return SPT_OK;
}

static int32_t analyse(spt_ctx *ctx, const spt_history *history, const spt_options *options,
                       spt_fanova *out)
{
    table t = {NULL, NULL, NULL, NULL, 0, 0};
    forest f = {.ctx = ctx};
    const int64_t trees = spt__option_int(options, forest_knobs, "trees");
    int32_t status = encode(ctx, history, &t, out);
    if (status >= 0) {
        f.data = (spt__forest_data){t.d, t.axes, t.n, t.x, t.y};
        f.settings = (spt__forest_settings){
            .seed = (uint64_t)spt__option_int(options, forest_knobs, "seed"),
            .max_depth = (int32_t)spt__option_int(options, forest_knobs, "max_depth"),
            .min_leaf = spt__option_int(options, forest_knobs, "min_leaf"),
            .features = spt__option(options, forest_knobs, "features")};
        f.shares = spt__calloc(ctx, (size_t)trees * (size_t)t.d, sizeof *f.shares);
        f.bags = spt__calloc(ctx, (size_t)trees * (size_t)t.n, sizeof *f.bags);
        status = f.shares != NULL && f.bags != NULL ? SPT_OK : spt__nomem(&ctx->err);
    }
    if (status >= 0) status = spt__parallel(ctx, trees, one_tree, &f, &ctx->err);
    if (status >= 0 && spt__stopping(ctx)) status = SPT_STOP_HOST;
    if (status == SPT_OK) status = summarise(&f, trees, &t, out);
    spt__free(ctx, f.shares);
    spt__free(ctx, f.bags);
    spt__free(ctx, t.parameters);
    spt__free(ctx, t.axes);
    spt__free(ctx, t.x);
    spt__free(ctx, t.y);
    return status;
}

/* ---- the handle ---- */

int32_t spt_fanova_new(spt_ctx *ctx, const spt_history *history, const spt_options *options,
                       spt_fanova **out)
{
    SPT__REQUIRE(out != NULL);
    *out = NULL;
    SPT__REQUIRE(ctx != NULL);
    if (history == NULL) return spt__fail(&ctx->err, SPT_EINVAL, "the history is NULL");
    if (!spt__options_are(options, forest_knobs))
        return spt__fail(
            &ctx->err, SPT_EINVAL,
            "these are no options of a forest; make them with spt_forest_options_new()");
    spt_fanova *f = spt__calloc(ctx, 1, sizeof *f);
    if (f == NULL) return spt__nomem(&ctx->err);
    f->ctx = spt__ctx_ref(ctx);
    f->space = spt__space_ref(spt_history_space(history));
    const int32_t status = analyse(ctx, history, options, f);
    if (status != SPT_OK) {
        spt_fanova_free(f);
        return status;
    }
    *out = f;
    return SPT_OK;
}

void spt_fanova_free(spt_fanova *f)
{
    if (f == NULL) return;
    spt_ctx *ctx = f->ctx;
    spt__free(ctx, f->effects);
    spt__free(ctx, f->left_out);
    spt_space_free(f->space);
    spt__free(ctx, f);
    spt__ctx_unref(ctx);
}

int32_t spt_fanova_count(const spt_fanova *f)
{
    return f != NULL ? f->n : SPT_EINVAL;
}

int32_t spt_fanova_main(const spt_fanova *f, int32_t rank, spt_importance *out)
{
    spt_importance i;
    SPT__REQUIRE(f != NULL && out != NULL && rank >= 0 && rank < f->n);
    const spt__parameter *p = &f->space->parameters[f->effects[rank].parameter];
    spt_record_init(&i, sizeof i);
    i.parameter = f->effects[rank].parameter;
    i.name = p->name;
    i.group = p->group;
    i.share = f->effects[rank].share;
    i.sd = f->effects[rank].sd;
    return spt__record_out(out, &i, sizeof i);
}

double spt_fanova_residual(const spt_fanova *f)
{
    double sum = 0;
    if (f == NULL) return NAN;
    for (int32_t i = 0; i < f->n; i++)
        sum += f->effects[i].share;
    return 1 - sum;
}

double spt_fanova_out_of_bag(const spt_fanova *f)
{
    return f != NULL ? f->out_of_bag : NAN;
}

int64_t spt_fanova_trials(const spt_fanova *f)
{
    return f != NULL ? f->trials : SPT_EINVAL;
}

const char *spt_fanova_left_out(const spt_fanova *f, int32_t index)
{
    if (f == NULL || index < 0 || index >= f->n_left_out) return NULL;
    return f->space->parameters[f->left_out[index]].name;
}
