/* Fitting one of the two densities: bandwidths, weights, and what goes with a kernel. */
#include "density.h"

#include <stdlib.h>
#include <string.h>

static const double LOG_SQRT_2PI = 0.91893853320467274178;

int32_t spt__side_init(spt__side *s, const spt__record *record, const spt__tpe_rule *rule,
                       bool good, spt__err *e)
{
    const size_t p = (size_t)record->p;
    spt_ctx *ctx = record->ctx;
    *s = (spt__side){.record = record, .rule = rule, .good = good};
    s->width = good ? rule->good_width : rule->bad_width;
    s->crossover = good ? rule->crossover : 0;
    s->weights = good ? rule->good_weights : rule->bad_weights;
    s->top = spt__calloc(ctx, p, sizeof *s->top);
    s->prior = spt__calloc(ctx, p, sizeof *s->prior);
    s->rest = spt__calloc(ctx, p + 1, sizeof *s->rest);
    s->of = spt__calloc(ctx, p, sizeof *s->of);
    s->kept = spt__calloc(ctx, p, sizeof *s->kept);
    return s->top && s->prior && s->rest && s->of && s->kept ? SPT_OK : spt__nomem(e);
}

static void free_columns(spt__side *s)
{
    spt_ctx *ctx = s->record->ctx;
    spt__free(ctx, s->sigma);
    spt__free(ctx, s->peak);
    spt__free(ctx, s->context);
    spt__free(ctx, s->work);
    spt__free(ctx, s->active);
    s->sigma = s->peak = s->context = s->work = NULL;
    s->active = NULL;
    s->capacity = s->context_columns = 0;
}

void spt__side_free(spt__side *s)
{
    if (!s->record) return;
    spt_ctx *ctx = s->record->ctx;
    free_columns(s);
    for (int32_t d = 0; s->kept && d < s->record->p; d++)
        spt__free(ctx, s->kept[d].table);
    spt__free(ctx, s->kept);
    spt__free(ctx, s->top);
    spt__free(ctx, s->prior);
    spt__free(ctx, s->rest);
    spt__free(ctx, s->of);
    spt__free(ctx, s->row_pool);
    spt__free(ctx, s->weight_pool);
    *s = (spt__side){0};
}

void spt__side_forget(spt__side *s)
{
    const spt__record *r = s->record;
    if (s->capacity != r->capacity) {
        free_columns(s);
        return;
    }
    for (int32_t d = 0; d < r->p; d++)
        for (int64_t i = r->kept; i < r->n; i++)
            s->sigma[d * s->capacity + i] = NAN;
}

/* Room for the record's rows. */
static int32_t reserve(spt__side *s, int32_t context_columns, spt__err *e)
{
    const spt__record *r = s->record;
    spt_ctx *ctx = r->ctx;
    const size_t rows = (size_t)r->capacity + 1, p = (size_t)r->p;
    if (s->capacity == r->capacity && s->context_columns >= context_columns) return SPT_OK;
    free_columns(s);
    s->sigma = spt__alloc(ctx, rows * p, sizeof *s->sigma);
    s->peak = spt__alloc(ctx, rows * p, sizeof *s->peak);
    s->context = spt__alloc(ctx, rows * (size_t)context_columns, sizeof *s->context);
    s->work = spt__alloc(ctx, rows * 4, sizeof *s->work);
    s->active = spt__alloc(ctx, rows, sizeof *s->active);
    if (!s->sigma || !s->peak || !s->context || !s->work || !s->active) {
        free_columns(s);
        return spt__nomem(e);
    }
    for (size_t i = 0; i < rows * p; i++)
        s->sigma[i] = NAN;
    s->capacity = r->capacity;
    s->context_columns = context_columns;
    return SPT_OK;
}

/* ---- bandwidths -------------------------------------------------------------------------- */

/* The larger distance to a neighbour, of ascending means. The prior's mean is a neighbour, too, if
 * the rule says so, and stands before equals; the interval's ends are if it says so or there is no
 * other. */
static void neighbour_widths(const spt__side *s, const spt__domain *d, const double *mean,
                             int64_t n, double *sigma)
{
    const spt__tpe_rule *rule = s->rule;
    const double middle = (d->lo + d->hi) / 2, range = d->hi - d->lo;
    int64_t at = n + 1; /* the first mean that is not below the prior's */
    if (rule->prior_in_sort)
        for (at = 0; at < n && mean[at] < middle; at++)
            ;
    const bool ends = rule->ends || n + rule->prior_in_sort == 1;
    for (int64_t i = 0; i < n; i++) {
        double below = ends ? mean[i] - d->lo : 0, above = ends ? d->hi - mean[i] : 0;
        if (i == at)
            below = mean[i] - middle;
        else if (i > 0)
            below = mean[i] - mean[i - 1];
        if (i + 1 == at)
            above = middle - mean[i];
        else if (i + 1 < n)
            above = mean[i + 1] - mean[i];
        sigma[i] = below > above ? below : above;
    }
    if (rule->lone_half && n == 1) sigma[0] = range / 2;
    const double least =
        range * fmax(rule->min_bandwidth, pow(2 + (double)n, -rule->clip_exponent));
    for (int64_t i = 0; i < n; i++)
        sigma[i] = fmin(fmax(s->width * sigma[i], least), range);
}

/* Log of what a kernel's exponential is multiplied with. */
static double peak_of(const spt__side *s, const spt__domain *d, double mean, double sigma)
{
    const bool mass = d->kind == SPT__DOMAIN_GRID && !(s->rule->log_density && d->parameter->log);
    double peak = mass ? 0 : -log(sigma) - LOG_SQRT_2PI;
    if (!s->rule->shared)
        peak -= log(spt__normal_mass((d->lo - mean) / sigma, (d->hi - mean) / sigma));
    return peak;
}

static void fit_parameter(spt__side *s, int32_t d, const spt__side_rows *rows)
{
    const spt__record *r = s->record;
    const spt__domain *domain = &r->domains[d];
    const double *position = r->position + d * r->capacity;
    const int32_t *order = r->order + d * r->capacity;
    double *sigma = s->sigma + d * s->capacity, *peak = s->peak + d * s->capacity;
    double *mean = s->work, *width = s->work + s->capacity + 1;
    int64_t n = 0;
    for (int64_t i = 0; i < r->present[d]; i++) {
        if (rows->code[order[i]] != rows->mine) continue;
        s->active[n] = order[i];
        mean[n++] = position[order[i]];
    }
    neighbour_widths(s, domain, mean, n, width);
    double top = peak_of(s, domain, (domain->lo + domain->hi) / 2, domain->hi - domain->lo);
    for (int64_t i = 0; i < n; i++) {
        const int32_t row = s->active[i];
        if (sigma[row] != width[i]) {
            sigma[row] = width[i];
            peak[row] = peak_of(s, domain, mean[i], width[i]);
        }
        if (peak[row] > top) top = peak[row];
    }
    s->top[d] = top;
}

/* ---- weights ----------------------------------------------------------------------------- */

/* Weight of the observation of age rank `i` (0 the oldest) of `n`. */
static double age_weight(int64_t i, int64_t n, int64_t full)
{
    const int64_t old = n - full;
    if (old <= 0 || i >= old) return 1;
    const double first = 1.0 / (double)n;
    return old == 1 ? first : first + (1 - first) * (double)i / (double)(old - 1);
}

/* Weights by rank: ascending rows get the weight of their rank among the block's. `place` maps a
 * row to its index in the block. */
static void rank_weights(const spt__side_rows *rows, const spt__block_rows *of,
                         const int32_t *place)
{
    int64_t rank = 0;
    for (int64_t i = 0; i < rows->n; i++) {
        const int32_t at = place[rows->ranked[i]];
        if (at < 0) continue;
        rank++;
        of->weight[at] = log((double)of->n + 1) - log((double)rank);
    }
}

static void ei_weights(const spt__side_rows *rows, const spt__block_rows *of)
{
    bool finite = isfinite(rows->threshold);
    for (int64_t i = 0; i < of->n; i++)
        finite = finite && isfinite(rows->threshold - rows->loss[of->rows[i]]);
    for (int64_t i = 0; i < of->n; i++)
        of->weight[i] = finite ? fmax(1e-12, rows->threshold - rows->loss[of->rows[i]]) : 1;
}

static void set_weights(spt__side *s, int32_t b, const spt__side_rows *rows, int32_t *place)
{
    spt__block_rows *of = &s->of[b];
    const spt__block *block = &s->blocks->items[b];
    if (s->weights == SPT__WEIGHTS_RANK) {
        for (int64_t i = 0; i < rows->n; i++)
            place[rows->ranked[i]] = -1;
        for (int64_t i = 0; i < of->n; i++)
            place[of->rows[i]] = (int32_t)i;
        rank_weights(rows, of, place);
    } else if (s->weights == SPT__WEIGHTS_EI) {
        ei_weights(rows, of);
    } else {
        const int64_t full = s->weights == SPT__WEIGHTS_AGE ? s->rule->forgetting : of->n;
        for (int64_t i = 0; i < of->n; i++)
            of->weight[i] = age_weight(i, of->n, full);
    }
    double sum = 0, most = 0, prior = s->rule->prior_weight;
    for (int64_t i = 0; i < of->n; i++)
        sum += of->weight[i];
    const bool scale = s->weights == SPT__WEIGHTS_RANK || s->weights == SPT__WEIGHTS_EI;
    const double factor = scale && sum > 0 ? (double)of->n / sum : 1;
    for (int64_t i = 0; i < of->n; i++) {
        of->weight[i] *= factor;
        if (of->weight[i] > most) most = of->weight[i];
    }
    const spt__domain *first = &s->record->domains[block->members[0]];
    if (s->rule->counts && first->kind == SPT__DOMAIN_CATEGORY) prior *= (double)first->points;
    of->weight[of->n] = prior;
    of->total = sum * factor + prior;
    of->odds = fmax(0, log(most > 0 ? most / prior : 1));
}

/* Log of the mixture's mass within the bounds, where kernels are not truncated by themselves. */
static void set_norm(spt__side *s, int32_t b)
{
    spt__block_rows *of = &s->of[b];
    const int32_t d = s->blocks->items[b].members[0];
    const spt__domain *domain = &s->record->domains[d];
    of->log_norm = 0;
    if (!s->rule->shared || domain->kind == SPT__DOMAIN_CATEGORY) return;
    if (domain->kind == SPT__DOMAIN_CONTINUOUS && domain->parameter->log && s->rule->log_unscaled)
        return;
    double mass = of->weight[of->n] * spt__normal_mass(-0.5, 0.5);
    for (int64_t i = 0; i < of->n; i++) {
        const double mean = s->record->position[d * s->record->capacity + of->rows[i]];
        const double sigma = s->sigma[d * s->capacity + of->rows[i]];
        mass += of->weight[i] *
                spt__normal_mass((domain->lo - mean) / sigma, (domain->hi - mean) / sigma);
    }
    of->log_norm = log(mass / of->total);
}

/* ---- rows of blocks ---------------------------------------------------------------------- */

static bool has_block(const spt__record *r, const spt__block *block, int structure, int64_t row)
{
    const int32_t n = structure == SPT__STRUCTURE_COMMON ? block->n : 1;
    for (int32_t i = 0; i < n; i++)
        if (isnan(r->position[block->members[i] * r->capacity + row])) return false;
    return true;
}

static int32_t pools(spt__side *s, int64_t n, spt__err *e)
{
    if (n <= s->n_pool) return SPT_OK;
    spt_ctx *ctx = s->record->ctx;
    n += n / 2;
    spt__free(ctx, s->row_pool);
    spt__free(ctx, s->weight_pool);
    s->row_pool = spt__alloc(ctx, (size_t)n, sizeof *s->row_pool);
    s->weight_pool = spt__alloc(ctx, (size_t)n, sizeof *s->weight_pool);
    s->n_pool = s->row_pool && s->weight_pool ? n : 0;
    return s->n_pool ? SPT_OK : spt__nomem(e);
}

/* The side's rows, ascending, into `own`. */
static int64_t own_rows(const spt__side *s, const spt__side_rows *rows, int32_t *own)
{
    int64_t n = 0;
    for (int64_t i = 0; i < s->record->n; i++)
        if (rows->code[i] == rows->mine) own[n++] = (int32_t)i;
    return n;
}

static int32_t fit_blocks(spt__side *s, const spt__side_rows *rows, spt__err *e)
{
    const spt__record *r = s->record;
    const int structure = s->rule->structure;
    int32_t *own = s->active;
    const int64_t n = own_rows(s, rows, own);
    int64_t needed = 0;
    for (int32_t b = 0; b < s->blocks->n; b++) {
        s->of[b] = (spt__block_rows){0};
        for (int64_t i = 0; i < n; i++)
            s->of[b].n += has_block(r, &s->blocks->items[b], structure, own[i]);
        needed += s->of[b].n + 1;
    }
    SPT__TRY(pools(s, needed, e));
    int32_t *place = spt__alloc(r->ctx, (size_t)r->n, sizeof *place);
    if (!place) return spt__nomem(e);
    int64_t from = 0;
    for (int32_t b = 0; b < s->blocks->n; b++) {
        spt__block_rows *of = &s->of[b];
        of->rows = s->row_pool + from;
        of->weight = s->weight_pool + from;
        from += of->n + 1;
        int64_t k = 0;
        for (int64_t i = 0; i < n; i++)
            if (has_block(r, &s->blocks->items[b], structure, own[i])) of->rows[k++] = own[i];
        set_weights(s, b, rows, place);
        set_norm(s, b);
    }
    spt__free(r->ctx, place);
    return SPT_OK;
}

int32_t spt__side_fit(spt__side *s, const spt__blocks *blocks, const spt__side_rows *rows,
                      spt__err *e)
{
    const spt__record *r = s->record;
    s->blocks = blocks;
    SPT__TRY(reserve(s, blocks->n, e));
    for (int32_t b = 0; b < blocks->n; b++)
        for (int32_t i = 0; i < blocks->items[b].n; i++) {
            const int32_t d = blocks->items[b].members[i];
            s->top[d] = 0;
            if (r->domains[d].kind != SPT__DOMAIN_CATEGORY) fit_parameter(s, d, rows);
        }
    return fit_blocks(s, rows, e);
}
