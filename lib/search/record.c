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
    spt__free(r->ctx, r->position);
    spt__free(r->ctx, r->place);
    spt__free(r->ctx, r->bin);
    spt__free(r->ctx, r->order);
    spt__free(r->ctx, r->present);
}

/* Columns move when the capacity grows, so everything starts anew: it doubles, so that is rare. */
static int32_t reserve(spt__record *r, int64_t n, spt__err *e)
{
    if (n <= r->capacity) return SPT_OK;
    if (n > INT32_MAX / 2)
        return spt__fail(e, SPT_EINVAL, "%lld trials; a sampler can see at most %d", (long long)n,
                         INT32_MAX / 2);
    const int64_t capacity = n < 64 ? 64 : 2 * n;
    const size_t cells = (size_t)capacity * (size_t)r->p;
    spt__free(r->ctx, r->branch);
    spt__free(r->ctx, r->raw);
    spt__free(r->ctx, r->position);
    spt__free(r->ctx, r->place);
    spt__free(r->ctx, r->bin);
    spt__free(r->ctx, r->order);
    r->n = r->capacity = 0;
    memset(r->present, 0, (size_t)r->p * sizeof *r->present);
    r->branch = spt__alloc(r->ctx, (size_t)capacity, sizeof *r->branch);
    r->raw = spt__alloc(r->ctx, cells, sizeof *r->raw);
    r->position = spt__alloc(r->ctx, cells, sizeof *r->position);
    r->place = spt__alloc(r->ctx, cells, sizeof *r->place);
    r->bin = spt__alloc(r->ctx, cells, sizeof *r->bin);
    r->order = spt__alloc(r->ctx, cells, sizeof *r->order);
    if (!r->branch || !r->raw || !r->position || !r->place || !r->bin || !r->order)
        return spt__nomem(e);
    r->capacity = capacity;
    return SPT_OK;
}

/* How many rows from the start on are the same, to the bit. */
static int64_t common(const spt__record *r, const spt__view *view)
{
    const size_t width = (size_t)r->p * sizeof *r->raw;
    const int64_t most = r->n < view->n ? r->n : view->n;
    if (most > 0 && memcmp(r->raw, view->values, width * (size_t)most) == 0) return most;
    int64_t k = 0;
    while (k < most && memcmp(r->raw + k * r->p, view->values + k * r->p, width) == 0)
        k++;
    return k;
}

static uint8_t bin_of(const spt__domain *d, double position)
{
    if (isnan(position)) return SPT__NO_BIN;
    if (d->kind == SPT__DOMAIN_CATEGORY)
        return position < SPT__BINS ? (uint8_t)position : (uint8_t)SPT__WIDE;
    const double bin = floor((position - d->lo) / (d->hi - d->lo) * SPT__BINS);
    return (uint8_t)fmax(0, fmin(SPT__BINS - 1, bin));
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

/* The rows from `kept` on go to their places in the order of one parameter; `fresh` has room for
 * all of them. */
static void sort_in(spt__record *r, int32_t d, entry *fresh)
{
    const double *position = r->position + d * r->capacity;
    int32_t *order = r->order + d * r->capacity;
    int64_t old = 0, n = 0;
    for (int64_t i = 0; i < r->present[d]; i++)
        if (order[i] < r->kept) order[old++] = order[i];
    for (int64_t i = r->kept; i < r->n; i++)
        if (!isnan(position[i])) fresh[n++] = (entry){position[i], (int32_t)i};
    qsort(fresh, (size_t)n, sizeof *fresh, by_position);
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

int32_t spt__record_follow(spt__record *r, const spt__view *view, spt__err *e)
{
    const int32_t status = reserve(r, view->n, e);
    r->kept = status < 0 ? 0 : common(r, view);
    entry *fresh = NULL;
    if (status >= 0) fresh = spt__alloc(r->ctx, (size_t)(view->n - r->kept), sizeof *fresh);
    if (!fresh) {
        r->n = r->kept = 0;
        memset(r->present, 0, (size_t)r->p * sizeof *r->present);
        return status < 0 ? status : spt__nomem(e);
    }
    const int64_t cut = r->n;
    r->n = view->n;
    if (r->n > r->kept)
        memcpy(r->raw + r->kept * r->p, view->values + r->kept * r->p,
               (size_t)(r->n - r->kept) * (size_t)r->p * sizeof *r->raw);
    for (int64_t i = r->kept; i < r->n; i++)
        r->branch[i] = spt__branch_of(r->raw + i * r->p, r->p);
    for (int32_t d = 0; d < r->p && (r->n > r->kept || cut > r->kept); d++) {
        const spt__domain *domain = &r->domains[d];
        const bool is_short = domain->kind == SPT__DOMAIN_GRID && domain->points <= SPT__SHORT_GRID;
        double *position = r->position + d * r->capacity;
        int16_t *place = r->place + d * r->capacity;
        uint8_t *bin = r->bin + d * r->capacity;
        for (int64_t i = r->kept; i < r->n; i++) {
            const double v = r->raw[i * r->p + d];
            position[i] = isnan(v) ? NAN : spt__domain_scaled(domain, v);
            bin[i] = bin_of(domain, position[i]);
            place[i] =
                is_short && !isnan(v) ? (int16_t)spt__space_grid_index(domain->parameter, v) : -1;
        }
        sort_in(r, d, fresh);
    }
    spt__free(r->ctx, fresh);
    return SPT_OK;
}
