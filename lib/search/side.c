/* Fitting one of the two densities: its memory, weights, and which trials have a block. */
#include "widths.h"

#include <stdlib.h>
#include <string.h>

/* Tables of a short grid. */
static int32_t fill_cells(spt__side *s, int32_t d, spt__err *e)
{
    const spt__domain *domain = &s->record->domains[d];
    const int64_t n = domain->points;
    if (domain->kind != SPT__DOMAIN_GRID || n > SPT__SHORT_GRID || spt__domain_single(domain))
        return SPT_OK;
    double *cells = spt__alloc(s->record->ctx, (size_t)(2 * n + 1), sizeof *cells);
    s->cells[d] = cells;
    if (!cells) return spt__nomem(e);
    for (int64_t k = 0; k < n; k++)
        spt__domain_cell(domain, spt__space_grid_value(domain->parameter, k), &cells[k],
                         &cells[k + 1]);
    const double middle = (domain->lo + domain->hi) / 2, sigma = domain->hi - domain->lo;
    for (int64_t k = 0; k < n; k++)
        cells[n + 1 + k] =
            log(spt__normal_mass((cells[k] - middle) / sigma, (cells[k + 1] - middle) / sigma));
    return SPT_OK;
}

void spt__point_set(spt__point *at, const spt__domain *domain, int32_t d, double value)
{
    at->value[d] = value;
    at->position[d] = isnan(value) ? NAN : spt__domain_scaled(domain, value);
    const bool is_short = domain->kind == SPT__DOMAIN_GRID && domain->points <= SPT__SHORT_GRID;
    at->place[d] =
        is_short && !isnan(value) ? (int32_t)spt__space_grid_index(domain->parameter, value) : -1;
}

int32_t spt__side_init(spt__side *s, const spt__record *record, const spt__tpe_rule *rule,
                       bool good, spt__err *e)
{
    const size_t p = (size_t)record->p;
    spt_ctx *ctx = record->ctx;
    *s = (spt__side){.record = record, .rule = rule, .good = good, .sieve.block = -1};
    s->width = good ? rule->good_width : rule->bad_width;
    s->crossover = good ? rule->crossover : 0;
    s->weights = good ? rule->good_weights : rule->bad_weights;
    s->count = spt__calloc(ctx, p, sizeof *s->count);
    s->least = spt__calloc(ctx, p, sizeof *s->least);
    s->flat = spt__calloc(ctx, p, sizeof *s->flat);
    s->most_inside = spt__calloc(ctx, p, sizeof *s->most_inside);
    s->cells = spt__calloc(ctx, p, sizeof *s->cells);
    s->gain = spt__calloc(ctx, p, sizeof *s->gain);
    s->reference = spt__calloc(ctx, p, sizeof *s->reference);
    s->masses = spt__calloc(ctx, p, sizeof *s->masses);
    s->n_alive = spt__calloc(ctx, p, sizeof *s->n_alive);
    s->prior = spt__calloc(ctx, p, sizeof *s->prior);
    s->rest = spt__calloc(ctx, p + 1, sizeof *s->rest);
    s->of = spt__calloc(ctx, p, sizeof *s->of);
    s->kept = spt__calloc(ctx, p, sizeof *s->kept);
    s->stale = spt__alloc(ctx, 2 * (size_t)spt__widths_stale(s->record), sizeof *s->stale);
    if (!s->count || !s->least || !s->flat || !s->most_inside || !s->cells || !s->gain ||
        !s->reference || !s->masses || !s->n_alive || !s->prior || !s->rest || !s->of || !s->kept ||
        !s->stale)
        return spt__nomem(e);
    for (int32_t d = 0; d < record->p; d++)
        SPT__TRY(fill_cells(s, d, e));
    return SPT_OK;
}

static void free_columns(spt__side *s)
{
    spt_ctx *ctx = s->record->ctx;
    spt__free(ctx, s->sigma);
    spt__free(ctx, s->peak);
    spt__free(ctx, s->kernels);
    spt__free(ctx, s->context);
    spt__free(ctx, s->work);
    spt__free(ctx, s->active);
    spt__free(ctx, s->code);
    spt__free(ctx, s->alive);
    spt__free(ctx, s->slot);
    spt__sieve_free(s);
    s->alive = s->slot = NULL;
    s->code = NULL;
    s->n_code = s->n_stale = 0;
    s->sigma = s->peak = s->kernels = s->context = s->work = NULL;
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
    for (int32_t d = 0; s->cells && d < s->record->p; d++)
        spt__free(ctx, s->cells[d]);
    spt__free(ctx, s->cells);
    spt__free(ctx, s->count);
    spt__free(ctx, s->least);
    spt__free(ctx, s->flat);
    spt__free(ctx, s->most_inside);
    spt__free(ctx, s->stale);
    spt__free(ctx, s->gain);
    spt__free(ctx, s->reference);
    for (int32_t d = 0; s->masses && d < s->record->p; d++)
        spt__free(ctx, s->masses[d]);
    spt__free(ctx, s->masses);
    spt__free(ctx, s->n_alive);
    spt__free(ctx, s->prior);
    spt__free(ctx, s->rest);
    spt__free(ctx, s->of);
    spt__free(ctx, s->row_pool);
    spt__free(ctx, s->weight_pool);
    *s = (spt__side){0};
}

/* The bandwidths of these rows are not known, and their means may be others. */
static void forget_rows(spt__side *s, int64_t from, int64_t to)
{
    const spt__record *r = s->record;
    for (int64_t i = from; i < to && s->kernels; i++)
        for (int32_t d = 0; d < r->p; d++) {
            double *sigma = spt__sigma_at(s, d, i);
            sigma[-1] = r->position[d * r->capacity + i];
            *sigma = NAN;
        }
    for (int32_t d = 0; d < r->p && !s->kernels; d++)
        for (int64_t i = from; i < to; i++)
            *spt__sigma_at(s, d, i) = NAN;
}

void spt__side_leave(spt__side *s)
{
    if (s->capacity == s->record->capacity)
        spt__widths_leave(s);
    else
        free_columns(s);
}

void spt__side_forget(spt__side *s)
{
    if (s->capacity == s->record->capacity) forget_rows(s, s->record->kept, s->record->n);
}

/* Room for the record's rows. */
static int32_t reserve(spt__side *s, int32_t context_columns, spt__err *e)
{
    const spt__record *r = s->record;
    spt_ctx *ctx = r->ctx;
    const size_t rows = (size_t)r->capacity + 1, p = (size_t)r->p;
    if (s->work && s->capacity == r->capacity && s->context_columns >= context_columns)
        return SPT_OK;
    free_columns(s);
    if (spt__sieve_reserve(s, r->capacity, e) < 0) {
        free_columns(s);
        return spt__nomem(e);
    }
    const bool by_row = s->sieve.bin != NULL;
    s->sigma = spt__alloc(ctx, by_row ? 0 : rows * p, sizeof *s->sigma);
    s->peak = spt__alloc(ctx, by_row ? 0 : rows * p, sizeof *s->peak);
    if (by_row) s->kernels = spt__alloc(ctx, rows * p * 3, sizeof *s->kernels);
    const size_t columns = rows * (size_t)context_columns;
    s->context = spt__alloc(ctx, columns, sizeof *s->context);
    s->work = spt__alloc(ctx, rows * 4, sizeof *s->work);
    s->active = spt__alloc(ctx, rows, sizeof *s->active);
    s->code = spt__calloc(ctx, rows, sizeof *s->code);
    s->alive = spt__alloc(ctx, s->good ? 0 : columns, sizeof *s->alive);
    s->slot = spt__alloc(ctx, s->good ? 0 : columns, sizeof *s->slot);
    if (!s->sigma || !s->peak || (by_row && !s->kernels) || !s->context || !s->work || !s->active ||
        !s->code || !s->alive || !s->slot) {
        free_columns(s);
        return spt__nomem(e);
    }
    for (int32_t d = 0; d < r->p; d++)
        s->least[d] = 0; /* so that all that hangs on it is worked out */
    s->capacity = r->capacity;
    s->context_columns = context_columns;
    for (size_t i = 0; i < columns; i++)
        s->context[i] = -INFINITY; /* of rows that are not alive */
    memset(s->n_alive, 0, p * sizeof *s->n_alive);
    forget_rows(s, 0, r->n);
    return SPT_OK;
}

/* ---- weights ----------------------------------------------------------------------------- */

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
        const int64_t old = of->n > full ? of->n - full : 0;
        const double first = 1.0 / (double)of->n;
        const double slope = old > 1 ? (1 - first) / (double)(old - 1) : 0;
        for (int64_t i = 0; i < old; i++)
            of->weight[i] = first + slope * (double)i;
        for (int64_t i = old; i < of->n; i++)
            of->weight[i] = 1;
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
    of->most = most;
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
        const double sigma = *spt__sigma_at(s, d, of->rows[i]);
        mass += of->weight[i] *
                spt__normal_mass((domain->lo - mean) / sigma, (domain->hi - mean) / sigma);
    }
    of->log_norm = log(mass / of->total);
}

/* ---- rows of blocks ---------------------------------------------------------------------- */

static inline bool has_block(const spt__record *r, const spt__block *block, int structure,
                             int64_t row)
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
static int64_t own_rows(const spt__side *s, const spt__side_rows *rows, int32_t *list)
{
    int64_t n = 0;
    for (int64_t i = 0; i < s->record->n; i++)
        if (rows->code[i] == rows->mine) list[n++] = (int32_t)i;
    return n;
}

static int32_t fit_blocks(spt__side *s, const spt__side_rows *rows, const int32_t *own, int64_t n,
                          spt__err *e)
{
    const spt__record *r = s->record;
    const int structure = s->rule->structure;
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
        if (!s->good && s->blocks->items[b].n_context > 0) {
            int32_t *slot = s->slot + b * (s->capacity + 1);
            for (int64_t i = 0; i < r->n; i++)
                slot[i] = -1;
            for (int64_t i = 0; i < k; i++)
                slot[of->rows[i]] = (int32_t)i;
        }
        set_weights(s, b, rows, place);
        set_norm(s, b);
    }
    spt__free(r->ctx, place);
    return SPT_OK;
}

int32_t spt__side_fit(spt__side *s, const spt__blocks *blocks, const spt__side_rows *rows,
                      spt__err *e)
{
    s->blocks = blocks;
    s->sieve.block = -1;
    SPT__TRY(reserve(s, s->rule->structure == SPT__STRUCTURE_TREE ? blocks->n : 0, e));
    const int64_t n = own_rows(s, rows, s->active);
    spt__widths_fit(s, rows, s->active, n);
    return fit_blocks(s, rows, s->active, n, e);
}
