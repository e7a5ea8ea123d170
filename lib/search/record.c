#include "record.h"

#include "branch.h"
#include "sampler.h"

#include <stdlib.h>
#include <string.h>

int32_t spt__record_init(spt__record *r, spt_ctx *ctx, const spt__domain *domains, int32_t p,
                         spt__err *e)
{
    *r = (spt__record){.ctx = ctx, .domains = domains, .p = p};
    r->present = spt__calloc(ctx, (size_t)p, sizeof *r->present);
    return r->present ? SPT_OK : spt__nomem(e);
}

void spt__record_free(spt__record *r)
{
    spt__free(r->ctx, r->branch);
    spt__free(r->ctx, r->raw);
    spt__free(r->ctx, r->key);
    spt__free(r->ctx, r->position);
    spt__free(r->ctx, r->place);
    spt__free(r->ctx, r->bin);
    spt__free(r->ctx, r->order);
    spt__free(r->ctx, r->present);
}

/* Columns move when the capacity grows, so everything starts anew: it doubles, so that is rare. */
static int32_t reserve(spt__record *r, int64_t n, spt__err *e)
{
    if (n <= r->capacity && r->capacity > 0) return SPT_OK; /* columns are there for no rows, too */
    if (n > INT32_MAX / 2)
        return spt__fail(e, SPT_EINVAL, "%lld trials; a sampler can see at most %d", (long long)n,
                         INT32_MAX / 2);
    const int64_t capacity = n < 64 ? 64 : 2 * n;
    const size_t cells = (size_t)capacity * (size_t)r->p;
    spt__free(r->ctx, r->branch);
    spt__free(r->ctx, r->raw);
    spt__free(r->ctx, r->key);
    spt__free(r->ctx, r->position);
    spt__free(r->ctx, r->place);
    spt__free(r->ctx, r->bin);
    spt__free(r->ctx, r->order);
    r->n = r->capacity = 0;
    memset(r->present, 0, (size_t)r->p * sizeof *r->present);
    r->branch = spt__alloc(r->ctx, (size_t)capacity, sizeof *r->branch);
    r->raw = spt__alloc(r->ctx, cells, sizeof *r->raw);
    r->key = spt__alloc(r->ctx, (size_t)capacity, sizeof *r->key);
    r->position = spt__alloc(r->ctx, cells, sizeof *r->position);
    r->place = spt__alloc(r->ctx, cells, sizeof *r->place);
    r->bin = spt__alloc(r->ctx, cells, sizeof *r->bin);
    r->order = spt__alloc(r->ctx, cells, sizeof *r->order);
    if (!r->branch || !r->raw || !r->key || !r->position || !r->place || !r->bin || !r->order)
        return spt__nomem(e);
    r->capacity = capacity;
    return SPT_OK;
}

/* How many rows from the start on are the same, to the bit. */
static int64_t common(const spt__record *r, const spt__view *view)
{
    const size_t width = (size_t)r->p * sizeof *r->raw;
    const int64_t most = r->n < view->n ? r->n : view->n;
    int64_t k = 0;
    if (view->key && view->source && view->source == r->source) {
        while (k < most && r->key[k] == view->key[k])
            k++;
        return k;
    }
    if (most > 0 && memcmp(r->raw, view->values, width * (size_t)most) == 0) return most;
    while (k < most && memcmp(r->raw + k * r->p, view->values + k * r->p, width) == 0)
        k++;
    return k;
}

int32_t spt__record_compare(spt__record *r, const spt__view *view, spt__err *e)
{
    const int32_t status = reserve(r, view->n, e);
    r->kept = status < 0 ? 0 : common(r, view);
    return status;
}

static uint8_t bin_of(const spt__domain *d, double position)
{
    if (isnan(position)) return SPT__NO_BIN;
    if (d->kind == SPT__DOMAIN_CATEGORY)
        return position < SPT__SIEVE_BINS ? (uint8_t)position : (uint8_t)SPT__WIDE;
    const double bin = floor((position - d->lo) / (d->hi - d->lo) * SPT__SIEVE_BINS);
    return (uint8_t)fmax(0, fmin(SPT__SIEVE_BINS - 1, bin));
}

typedef struct entry {
    double position;
    int32_t row;
} entry;

static int by_position(const void *pa, const void *pb)
{
    const entry *a = pa, *b = pb;
    if (a->position != b->position) return a->position < b->position ? -1 : 1;
    return (a->row > b->row) - (a->row < b->row);
}

int64_t spt__record_place(const spt__record *r, int32_t d, int32_t row)
{
    const double *position = r->position + d * r->capacity, at = position[row];
    const int32_t *order = r->order + d * r->capacity;
    int64_t from = 0, to = r->present[d] - 1;
    while (from < to) {
        const int64_t middle = from + (to - from) / 2;
        const double there = position[order[middle]];
        if (there < at || (there == at && order[middle] < row))
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

/* ---- orders ------------------------------------------------------------------------------ */

/* The rows from `kept` on go to their places in the order of one parameter. */
static void sort_in(spt__record *r, int32_t d, const entry *fresh, int64_t n)
{
    const double *position = r->position + d * r->capacity;
    int32_t *order = r->order + d * r->capacity;
    int64_t old = 0;
    for (int64_t i = 0; i < r->present[d]; i++)
        if (order[i] < r->kept) order[old++] = order[i];
    r->present[d] = old + n;
    /* From the end, so that nothing is overwritten before it was moved. Old rows are lower than new
     * ones and so come first among equals. */
    for (int64_t to = old + n - 1; n > 0; to--) {
        if (old > 0 && position[order[old - 1]] > fresh[n - 1].position)
            order[to] = order[--old];
        else
            order[to] = fresh[--n].row;
    }
}

enum { FEW = 64 }; /* rows that come, and that leave, for which an order is mended */

/* Old entries from..to of an order, and how far they move. */
typedef struct stretch {
    int64_t from, to, shift;
} stretch;

/* How many entries of an order are not above a position: a row that comes goes behind equals. */
static int64_t place_behind(const spt__record *r, int32_t d, double at)
{
    const double *position = r->position + d * r->capacity;
    const int32_t *order = r->order + d * r->capacity;
    int64_t from = 0, to = r->present[d];
    while (from < to) {
        const int64_t middle = from + (to - from) / 2;
        if (position[order[middle]] <= at)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

/* The places of the rows kept..cut, ascending. */
static int64_t places_of(const spt__record *r, int32_t d, int64_t cut, int64_t *places)
{
    int64_t n = 0;
    for (int64_t row = r->kept; row < cut; row++) {
        if (isnan(r->position[d * r->capacity + row])) continue;
        const int64_t place = spt__record_place(r, d, (int32_t)row);
        int64_t at = n++;
        for (; at > 0 && places[at - 1] > place; at--)
            places[at] = places[at - 1];
        places[at] = place;
    }
    return n;
}

/* Where a stretch moves right, all that it would overwrite moves right too; and to the left. */
static void move_stretches(int32_t *order, const stretch *s, int64_t n)
{
    for (int64_t i = n; i-- > 0;)
        if (s[i].shift > 0)
            memmove(order + s[i].from + s[i].shift, order + s[i].from,
                    (size_t)(s[i].to - s[i].from) * sizeof *order);
    for (int64_t i = 0; i < n; i++)
        if (s[i].shift < 0)
            memmove(order + s[i].from + s[i].shift, order + s[i].from,
                    (size_t)(s[i].to - s[i].from) * sizeof *order);
}

/* Few rows: what lies between their places is moved as it is, and most of it not at all. The
 * positions are still those of before, up to row `cut`. */
static void mend(spt__record *r, int32_t d, const entry *fresh, int64_t n, int64_t cut)
{
    int32_t *order = r->order + d * r->capacity;
    int64_t gone[FEW], slot[FEW], k = 0, f = 0, g = 0, from = 0, shift = 0;
    stretch stretches[2 * FEW + 1];
    const int64_t n_gone = places_of(r, d, cut, gone);
    while (f < n || g < n_gone) {
        const int64_t to = f < n ? place_behind(r, d, fresh[f].position) : INT64_MAX;
        const bool comes = g == n_gone || to <= gone[g];
        const int64_t end = comes ? to : gone[g];
        stretches[k++] = (stretch){from, end, shift};
        from = comes ? end : end + 1;
        if (comes) {
            slot[f++] = end + shift++;
        } else {
            g++;
            shift--;
        }
    }
    stretches[k++] = (stretch){from, r->present[d], shift};
    move_stretches(order, stretches, k);
    for (f = 0; f < n; f++)
        order[slot[f]] = fresh[f].row;
    r->present[d] += shift;
}

/* ---- following --------------------------------------------------------------------------- */

/* One parameter of the rows from `kept` on; `fresh` has room for all of them. There were `cut` rows
 * before. */
static void follow_parameter(spt__record *r, int32_t d, int64_t cut, entry *fresh)
{
    const spt__domain *domain = &r->domains[d];
    const bool is_short = domain->kind == SPT__DOMAIN_GRID && domain->points <= SPT__SHORT_GRID;
    const bool few = cut - r->kept <= FEW && r->n - r->kept <= FEW;
    double *position = r->position + d * r->capacity;
    int16_t *place = r->place + d * r->capacity;
    uint8_t *bin = r->bin + d * r->capacity;
    int64_t n = 0;
    for (int64_t i = r->kept; i < r->n; i++) {
        const double v = r->raw[i * r->p + d];
        if (!isnan(v)) fresh[n++] = (entry){spt__domain_scaled(domain, v), (int32_t)i};
    }
    qsort(fresh, (size_t)n, sizeof *fresh, by_position);
    if (few) mend(r, d, fresh, n, cut);
    for (int64_t i = r->kept; i < r->n; i++) {
        const double v = r->raw[i * r->p + d];
        position[i] = isnan(v) ? NAN : spt__domain_scaled(domain, v);
        bin[i] = bin_of(domain, position[i]);
        place[i] =
            is_short && !isnan(v) ? (int16_t)spt__space_grid_index(domain->parameter, v) : -1;
    }
    if (!few) sort_in(r, d, fresh, n);
}

int32_t spt__record_follow(spt__record *r, const spt__view *view, spt__err *e)
{
    const int64_t n = view->n - r->kept, cut = r->n;
    entry *fresh = view->n > r->capacity ? NULL : spt__alloc(r->ctx, (size_t)n, sizeof *fresh);
    r->n = view->n;
    if (!fresh) {
        r->n = r->kept = 0;
        memset(r->present, 0, (size_t)r->p * sizeof *r->present);
        return spt__nomem(e);
    }
    if (n > 0)
        memcpy(r->raw + r->kept * r->p, view->values + r->kept * r->p,
               (size_t)n * (size_t)r->p * sizeof *r->raw);
    /* Keys of rows that were kept may be new to it. */
    r->source = view->key ? view->source : 0;
    if (view->key && view->n > 0) memcpy(r->key, view->key, (size_t)view->n * sizeof *r->key);
    for (int64_t i = r->kept; i < r->n; i++)
        r->branch[i] = spt__branch_of(r->raw + i * r->p, r->p);
    for (int32_t d = 0; d < r->p && (r->n > r->kept || cut > r->kept); d++)
        follow_parameter(r, d, cut, fresh);
    spt__free(r->ctx, fresh);
    return SPT_OK;
}
