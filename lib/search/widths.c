/* Bandwidths, which hang on the neighbours of a trial among those of its side. Most of them stay
 * the same from ask to ask, so they are worked out anew beside trials that came or left. */
#include "widths.h"

#include "tpe.h"

#include <stdlib.h>
#include <string.h>

static const double LOG_SQRT_2PI = 0.91893853320467274178;

enum { FEW = 64 }; /* rows that come and leave, beside which bandwidths are worked out anew */

int64_t spt__widths_stale(const spt__record *r)
{
    return 2 * FEW * (int64_t)r->p;
}

/* ---- one bandwidth ----------------------------------------------------------------------- */

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
    double *known = spt__sigma_at(s, d, row);
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
    if (s->n_stale == spt__widths_stale(s->record)) {
        s->n_code = -1;
        return;
    }
    s->stale[2 * s->n_stale] = d;
    s->stale[2 * s->n_stale++ + 1] = row;
}

void spt__widths_leave(spt__side *s)
{
    const spt__record *r = s->record;
    const uint8_t mine = s->good ? SPT__GOOD : SPT__BAD;
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

void spt__widths_fit(spt__side *s, const spt__side_rows *rows, const int32_t *list, int64_t n_rows)
{
    own found = {.rows = list, .n = n_rows}, *mine = &found;
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
    if (r->n > 0) memcpy(s->code, rows->code, (size_t)r->n * sizeof *s->code);
    s->n_code = r->n;
}
