/* Fitting one of the two densities: bandwidths, weights, and what goes with a kernel. */
#include "sieve.h"
#include "tpe.h"

#include <stdlib.h>
#include <string.h>

static const double LOG_SQRT_2PI = 0.91893853320467274178;

enum { FEW = 64 }; /* rows that come and leave, beside which bandwidths are worked out anew */

static int64_t most_stale(const spt__side *s)
{
    return 2 * FEW * (int64_t)s->record->p;
}

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
    s->stale = spt__alloc(ctx, 2 * (size_t)most_stale(s), sizeof *s->stale);
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

static double *sigma_at(const spt__side *s, int32_t d, int64_t row)
{
    return s->kernels ? s->kernels + (row * s->record->p + d) * 3 + 1
                      : s->sigma + d * s->capacity + row;
}

/* A row's bandwidth is not known, and its mean may be another. */
static void forget_row(spt__side *s, int32_t d, int64_t row)
{
    double *sigma = sigma_at(s, d, row);
    *sigma = NAN;
    if (s->kernels) sigma[-1] = s->record->position[d * s->record->capacity + row];
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
    for (int32_t d = 0; d < r->p; d++)
        for (int64_t i = 0; i < r->n; i++)
            forget_row(s, d, i);
    return SPT_OK;
}

/* ---- bandwidths -------------------------------------------------------------------------- */

/* What the bandwidths of one parameter on one side have in common. */
typedef struct widths {
    const spt__domain *domain;
    double middle, range, factor, least;
    bool prior, ends; /* the prior's mean, the interval's ends are neighbours */
    bool lone;        /* a single observation, which has half of the range */
} widths;

static widths widths_of(const spt__side *s, int32_t d, int64_t n)
{
    const spt__domain *domain = &s->record->domains[d];
    const spt__tpe_rule *rule = s->rule;
    widths w = {.domain = domain,
                .middle = (domain->lo + domain->hi) / 2,
                .range = domain->hi - domain->lo,
                .factor = s->width,
                .prior = rule->prior_in_sort,
                .ends = rule->ends || n + rule->prior_in_sort == 1,
                .lone = rule->lone_half && n == 1};
    w.least = w.range * fmax(rule->min_bandwidth, pow(2 + (double)n, -rule->clip_exponent));
    return w;
}

/* The larger distance to a neighbour, of a mean between `below` and `above` (NaN: none). The
 * prior's mean stands before equals. */
static double width(const widths *w, double below, double mean, double above)
{
    double down = w->ends ? mean - w->domain->lo : 0, up = w->ends ? w->domain->hi - mean : 0;
    if (w->prior && w->middle <= mean && !(below >= w->middle))
        down = mean - w->middle;
    else if (!isnan(below))
        down = mean - below;
    if (w->prior && mean < w->middle && !(above < w->middle))
        up = w->middle - mean;
    else if (!isnan(above))
        up = above - mean;
    const double wide = w->lone ? w->range / 2 : down > up ? down : up;
    return fmin(fmax(w->factor * wide, w->least), w->range);
}

double spt__peak(const spt__side *s, int32_t parameter, double mean, double sigma)
{
    const spt__domain *d = &s->record->domains[parameter];
    const bool mass = d->kind == SPT__DOMAIN_GRID && !(s->rule->log_density && d->parameter->log);
    double peak = mass ? 0 : -log(sigma) - LOG_SQRT_2PI;
    if (!s->rule->shared)
        peak -= log(spt__normal_mass((d->lo - mean) / sigma, (d->hi - mean) / sigma));
    return peak;
}

static void set_width(spt__side *s, int32_t d, const widths *w, int32_t row, double below,
                      double above)
{
    const int64_t at = d * s->capacity + row;
    const double mean = s->record->position[d * s->record->capacity + row];
    const double sigma = width(w, below, mean, above);
    if (s->sieve.bin)
        s->sieve.bin[at] =
            sigma == w->least ? s->record->bin[d * s->record->capacity + row] : (uint8_t)SPT__WIDE;
    double *known = sigma_at(s, d, row);
    if (*known == sigma) return;
    *known = sigma;
    *(s->kernels ? known + 1 : s->peak + at) = spt__peak(s, d, mean, sigma);
}

/* The side's rows, and how to go about their bandwidths. */
typedef struct own {
    const int32_t *rows; /* ascending */
    int64_t n;
    int64_t n_changed; /* -1: many, or not known */
    int32_t changed[FEW];
} own;

typedef struct placed {
    double position;
    int32_t row;
} placed;

static int by_position(const void *pa, const void *pb)
{
    const placed *a = pa, *b = pb;
    if (a->position != b->position) return a->position < b->position ? -1 : 1;
    return (a->row > b->row) - (a->row < b->row);
}

/* All rows of the side anew, where the order of all trials has few of them. */
static void fit_sparse(spt__side *s, int32_t d, const widths *w, const own *mine)
{
    const double *position = s->record->position + d * s->record->capacity;
    placed *sorted = (placed *)(void *)s->work;
    int64_t n = 0;
    for (int64_t i = 0; i < mine->n; i++)
        if (!isnan(position[mine->rows[i]]))
            sorted[n++] = (placed){position[mine->rows[i]], mine->rows[i]};
    qsort(sorted, (size_t)n, sizeof *sorted, by_position);
    for (int64_t i = 0; i < n; i++)
        set_width(s, d, w, sorted[i].row, i > 0 ? sorted[i - 1].position : NAN,
                  i + 1 < n ? sorted[i + 1].position : NAN);
}

/* All rows of the side anew. */
static void fit_parameter(spt__side *s, int32_t d, const widths *w, const spt__side_rows *rows)
{
    const spt__record *r = s->record;
    const double *position = r->position + d * r->capacity;
    const int32_t *order = r->order + d * r->capacity;
    int32_t last = -1;
    double before = NAN;
    for (int64_t i = 0; i < r->present[d]; i++) {
        if (rows->code[order[i]] != rows->mine) continue;
        if (last >= 0) {
            set_width(s, d, w, last, before, position[order[i]]);
            before = position[last];
        }
        last = order[i];
    }
    if (last >= 0) set_width(s, d, w, last, before, NAN);
}

/* The nearest row below `limit` with a code, from place `i` on, in steps of `by`; -1: none. */
static int32_t nearest(const spt__record *r, int32_t d, const uint8_t *code, uint8_t mine,
                       int64_t limit, int64_t i, int64_t by)
{
    const int32_t *order = r->order + d * r->capacity;
    for (; i >= 0 && i < r->present[d]; i += by)
        if (order[i] < limit && code[order[i]] == mine) return order[i];
    return -1;
}

static void refit_row(spt__side *s, int32_t d, const widths *w, const spt__side_rows *rows,
                      int32_t row)
{
    const spt__record *r = s->record;
    const double *position = r->position + d * r->capacity;
    if (row < 0) return;
    const int64_t at = spt__record_place(r, d, row);
    const int32_t below = nearest(r, d, rows->code, rows->mine, r->n, at - 1, -1);
    const int32_t above = nearest(r, d, rows->code, rows->mine, r->n, at + 1, 1);
    set_width(s, d, w, row, below < 0 ? NAN : position[below], above < 0 ? NAN : position[above]);
}

/* Only rows that came, left, or have another neighbour now. */
static void refit_parameter(spt__side *s, int32_t d, const widths *w, const spt__side_rows *rows,
                            const own *mine)
{
    const spt__record *r = s->record;
    const double *position = r->position + d * r->capacity;
    for (int64_t i = 0; i < mine->n_changed; i++) {
        const int32_t row = mine->changed[i];
        if (isnan(position[row])) continue;
        const int64_t at = spt__record_place(r, d, row);
        refit_row(s, d, w, rows, nearest(r, d, rows->code, rows->mine, r->n, at - 1, -1));
        if (rows->code[row] == rows->mine) refit_row(s, d, w, rows, row);
        refit_row(s, d, w, rows, nearest(r, d, rows->code, rows->mine, r->n, at + 1, 1));
    }
    for (int64_t i = 0; i < s->n_stale; i++) {
        const int32_t row = s->stale[2 * i + 1];
        if (s->stale[2 * i] != d || row >= r->n || isnan(position[row])) continue;
        if (rows->code[row] == rows->mine) refit_row(s, d, w, rows, row);
    }
}

/* ---- rows that are replaced ---------------------------------------------------------------- */

static void add_stale(spt__side *s, int32_t d, int32_t row)
{
    if (row < 0 || s->n_code < 0) return;
    if (s->n_stale == most_stale(s)) {
        s->n_code = -1;
        return;
    }
    s->stale[2 * s->n_stale] = d;
    s->stale[2 * s->n_stale++ + 1] = row;
}

void spt__side_leave(spt__side *s)
{
    const spt__record *r = s->record;
    const uint8_t mine = s->good ? SPT__GOOD : SPT__BAD;
    if (s->capacity != r->capacity) {
        free_columns(s);
        return;
    }
    if (s->n_code <= r->kept) return;
    if (s->good) s->n_code = -1; /* they are few, and soon sorted */
    if (s->n_code > r->n || s->n_code - r->kept > FEW) s->n_code = -1;
    for (int64_t row = r->kept; row < s->n_code; row++) {
        if (s->code[row] != mine) continue;
        for (int32_t d = 0; d < r->p; d++) {
            const bool number = r->domains[d].kind != SPT__DOMAIN_CATEGORY;
            if (!number || isnan(r->position[d * r->capacity + row])) continue;
            const int64_t at = spt__record_place(r, d, (int32_t)row);
            add_stale(s, d, nearest(r, d, s->code, mine, r->kept, at - 1, -1));
            add_stale(s, d, nearest(r, d, s->code, mine, r->kept, at + 1, 1));
        }
    }
    if (s->n_code > r->kept) s->n_code = r->kept;
}

void spt__side_forget(spt__side *s)
{
    const spt__record *r = s->record;
    if (s->capacity != r->capacity) return;
    for (int32_t d = 0; d < r->p; d++)
        for (int64_t i = r->kept; i < r->n; i++)
            forget_row(s, d, i);
}

/* ---- all bandwidths ------------------------------------------------------------------------ */

static bool is_mine(const spt__side *s, const spt__side_rows *rows, int64_t row, bool before)
{
    if (before) return row < s->n_code && s->code[row] == rows->mine;
    return rows->code[row] == rows->mine;
}

/* The rows that came or left since sigmas were worked out, at most `most`; -1: more, or not known.
 */
static int64_t find_changed(const spt__side *s, const spt__side_rows *rows, int32_t *changed,
                            int64_t most)
{
    int64_t n = 0;
    if (s->n_code < 0) return -1;
    for (int64_t i = 0; i < s->record->n; i++) {
        if (is_mine(s, rows, i, true) == is_mine(s, rows, i, false)) continue;
        if (n == most) return -1;
        changed[n++] = (int32_t)i;
    }
    return n;
}

static void set_least(spt__side *s, int32_t d, const widths *w)
{
    if (s->least[d] == w->least) return;
    s->least[d] = w->least;
    s->flat[d] = -log(w->least) - LOG_SQRT_2PI;
    s->most_inside[d] = s->rule->shared ? 0 : -log(spt__normal_mass(0, w->range / w->least));
    spt__sieve_peaks(s, d);
}

/* How many rows of the side have parameter d. */
static int64_t count_rows(const spt__side *s, int32_t d, const own *mine)
{
    const double *position = s->record->position + d * s->record->capacity;
    int64_t n = 0;
    for (int64_t i = 0; i < mine->n; i++)
        n += !isnan(position[mine->rows[i]]);
    return n;
}

/* In an order that has many others between the rows of a side it takes long to find a neighbour, so
 * there is a limit to what is mended; and in one that has next to nothing else, their own order is
 * found sooner. */
enum { SPARSE = 32, HANDFUL = 64, MENDED = 64 };

static void fit_widths(spt__side *s, const spt__side_rows *rows, own *mine)
{
    const spt__record *r = s->record;
    const bool sparse = mine->n <= HANDFUL || mine->n < r->n / SPARSE;
    mine->n_changed = sparse ? -1 : find_changed(s, rows, mine->changed, FEW);
    const bool few = mine->n_changed >= 0 && mine->n_changed * MENDED <= mine->n &&
                     s->n_stale * MENDED <= mine->n * r->p;
    for (int32_t b = 0; b < s->blocks->n; b++) {
        const spt__block *block = &s->blocks->items[b];
        int64_t n = 0;
        for (int32_t m = 0; m < block->n; m++) {
            const int32_t d = block->members[m];
            /* Those of a block exist together, but where the block is a matter of the trials. */
            if (m == 0 || s->rule->structure == SPT__STRUCTURE_COMMON) n = count_rows(s, d, mine);
            if (r->domains[d].kind == SPT__DOMAIN_CATEGORY) continue;
            const widths now = widths_of(s, d, n), before = widths_of(s, d, s->count[d]);
            s->count[d] = n;
            set_least(s, d, &now);
            if (sparse)
                fit_sparse(s, d, &now, mine);
            else if (few && now.least == before.least && now.ends == before.ends &&
                     now.lone == before.lone)
                refit_parameter(s, d, &now, rows, mine);
            else
                fit_parameter(s, d, &now, rows);
        }
    }
    s->n_stale = 0;
    memcpy(s->code, rows->code, (size_t)r->n * sizeof *s->code);
    s->n_code = r->n;
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
        const double sigma = *sigma_at(s, d, of->rows[i]);
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

static int32_t fit_blocks(spt__side *s, const spt__side_rows *rows, const own *mine, spt__err *e)
{
    const spt__record *r = s->record;
    const int structure = s->rule->structure;
    const int64_t n = mine->n;
    int64_t needed = 0;
    for (int32_t b = 0; b < s->blocks->n; b++) {
        s->of[b] = (spt__block_rows){0};
        for (int64_t i = 0; i < n; i++)
            s->of[b].n += has_block(r, &s->blocks->items[b], structure, mine->rows[i]);
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
            if (has_block(r, &s->blocks->items[b], structure, mine->rows[i]))
                of->rows[k++] = mine->rows[i];
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
    SPT__TRY(reserve(s, s->rule->structure == SPT__STRUCTURE_TREE ? blocks->n : 0, e));
    own mine = {.rows = s->active, .n = own_rows(s, rows, s->active)};
    fit_widths(s, rows, &mine);
    return fit_blocks(s, rows, &mine, e);
}
