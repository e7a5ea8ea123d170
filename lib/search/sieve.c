/* Which of many bad trials can matter at all, at several points at once. The loss of every kernel
 * on the best that there could be, a few bits of it, is added up over the parameters for all points
 * in one instruction; what passes is then looked at exactly (near.c), and what does not could not
 * have stayed there. So nothing depends on the bits but which trial the others are measured by. */
#include "sieve.h"

#include <string.h>

enum {
    SCALE = 8,  /* units of loss per 1 of a logarithm */
    ROWS = 512, /* at a time: their sums, and the table of a parameter, stay near the processor */
    GROUP = 32, /* rows of which the least losses are known */
    WORDS = SPT__LANES / 4, /* a word holds the losses at four points */
    TABLE = 256 * WORDS,
    MOST_LOSS = INT16_MAX
};

/* For what float32 makes of a sum of losses. */
static const double MARGIN = 0.5;
/* Of the range: bins are so much wider than they are, which is more than float32 makes of a
 * distance, so that no loss comes out too high. */
static const double EDGE = 1e-6;
/* With bandwidths of a lower share of the range bins would tell nothing. */
static const double FINEST = 1.0 / 4096;

/* ---- what is kept with a side ------------------------------------------------------------- */

void spt__sieve_free(spt__side *s)
{
    spt_ctx *ctx = s->record->ctx;
    spt__free(ctx, s->sieve.bin);
    spt__free(ctx, s->sieve.peaks);
    spt__free(ctx, s->sieve.table);
    spt__free(ctx, s->sieve.loss);
    spt__free(ctx, s->sieve.least);
    spt__free(ctx, s->sieve.stages);
    s->sieve = (spt__sieve){.block = -1};
}

int32_t spt__sieve_reserve(spt__side *s, int64_t capacity, spt__err *e)
{
    spt_ctx *ctx = s->record->ctx;
    const size_t rows = (size_t)capacity, p = (size_t)s->record->p;
    if (s->good || s->rule->structure != SPT__STRUCTURE_TREE || capacity < SPT__SIEVED)
        return SPT_OK;
    spt__sieve *v = &s->sieve;
    v->bin = spt__alloc(ctx, rows * p, sizeof *v->bin);
    v->peaks = spt__alloc(ctx, p * SPT__SIEVE_BINS, sizeof *v->peaks);
    v->table = spt__alloc(ctx, p * TABLE, sizeof *v->table);
    v->loss = spt__alloc(ctx, rows * WORDS, sizeof *v->loss);
    v->least = spt__alloc(ctx, (rows / GROUP + 1) * SPT__LANES, sizeof *v->least);
    v->stages = spt__alloc(ctx, p, sizeof *v->stages);
    return v->stages && v->bin && v->peaks && v->table && v->loss && v->least ? SPT_OK
                                                                              : spt__nomem(e);
}

void spt__sieve_peaks(spt__side *s, int32_t d)
{
    const spt__domain *domain = &s->record->domains[d];
    if (!s->sieve.bin) return;
    const double range = domain->hi - domain->lo;
    double *peaks = s->sieve.peaks + d * SPT__SIEVE_BINS;
    double before = spt__peak(s, d, domain->lo, s->least[d]);
    /* The nearer to a bound the higher, so the higher one of its ends holds for a bin. */
    for (int i = 0; i < SPT__SIEVE_BINS; i++) {
        const double at = domain->lo + range * ((double)i + 1) / SPT__SIEVE_BINS;
        const double after = spt__peak(s, d, at, s->least[d]);
        peaks[i] = before > after ? before : after;
        before = after;
    }
}

/* ---- losses ------------------------------------------------------------------------------- */

/* No kernel is higher there, of whatever bandwidth: as the bounds of near.c have it. */
static double highest(const spt__side *s, int32_t d, const look *k)
{
    if (k->domain->kind == SPT__DOMAIN_CATEGORY) return log(k->hit);
    if (k->density) return s->flat[d] + s->most_inside[d];
    /* the widest one, at an end */
    return s->rule->shared ? 0 : fmax(s->most_inside[d], -log(spt__normal_mass(0, 1)));
}

/* What the points have at one parameter. */
typedef struct lanes {
    float from[SPT__LANES], to[SPT__LANES], unit[SPT__LANES];
} lanes;

static void fill_numbers(const spt__side *s, int32_t d, const lanes *at, double top, float most,
                         uint64_t *table)
{
    const spt__domain *domain = &s->record->domains[d];
    const double *peaks = s->sieve.peaks + d * SPT__SIEVE_BINS;
    const float sharp = (float)((domain->hi - domain->lo) / s->least[d]);
    for (int i = 0; i < SPT__SIEVE_BINS; i++, table += WORDS) {
        int16_t losses[SPT__LANES];
        const float lo = (float)((double)i / SPT__SIEVE_BINS - EDGE);
        const float hi = (float)((double)(i + 1) / SPT__SIEVE_BINS + EDGE);
        const float off = (float)fmax(0, top - peaks[i]);
        for (int l = 0; l < SPT__LANES; l++) {
            const float below = lo - at->to[l], above = at->from[l] - hi;
            const float gap = below > above ? below : above, z = (gap > 0 ? gap : 0) * sharp;
            const float loss = (off + 0.5F * z * z) * at->unit[l];
            losses[l] = (int16_t)(loss < most ? loss : most);
        }
        memcpy(table, losses, sizeof losses);
    }
}

static int16_t get_loss(const uint64_t *words, int32_t lane)
{
    int16_t loss;
    memcpy(&loss, (const unsigned char *)words + (size_t)lane * sizeof loss, sizeof loss);
    return loss;
}

static void put_loss(uint64_t *words, int32_t lane, int16_t loss)
{
    memcpy((unsigned char *)words + (size_t)lane * sizeof loss, &loss, sizeof loss);
}

/* The losses of all bins of one parameter at all points; by a wide kernel nothing is lost. */
static void fill_table(spt__side *s, int32_t d, const spt__block_rows *of, const spt__point *points,
                       int32_t n, float most)
{
    uint64_t *table = s->sieve.table + d * (int64_t)TABLE;
    lanes at = {{0}, {0}, {0}};
    double top = 0;
    memset(table, 0, TABLE * sizeof *table);
    for (int32_t l = 0; l < n; l++) {
        if (isnan(points[l].value[d])) continue;
        const look k = look_there(s, d, of, &points[l]);
        const double range = k.domain->hi - k.domain->lo;
        top = highest(s, d, &k);
        s->sieve.top[l] += top;
        if (k.domain->kind == SPT__DOMAIN_CATEGORY) {
            const double loss = fmin((top - log(k.miss)) * SCALE, (double)most);
            for (int i = 0; i < SPT__SIEVE_BINS; i++)
                if ((double)i != k.at) put_loss(table + i * WORDS, l, (int16_t)loss);
            continue;
        }
        at.from[l] = (float)((k.from - k.domain->lo) / range);
        at.to[l] = (float)((k.to - k.domain->lo) / range);
        at.unit[l] = SCALE;
    }
    if (s->record->domains[d].kind != SPT__DOMAIN_CATEGORY)
        fill_numbers(s, d, &at, top, most, table);
}

/* One parameter of n rows. Four points are added at once, as no sum carries over. */
static void add_losses(const uint8_t *bin, const uint64_t *table, const int32_t *rows, int64_t n,
                       uint64_t *sum)
{
    for (int64_t i = 0; i < n; i++, sum += WORDS) {
        const uint64_t *loss = table + bin[rows[i]] * WORDS;
        const uint64_t a = sum[0] + loss[0], b = sum[1] + loss[1];
        const uint64_t c = sum[2] + loss[2], d = sum[3] + loss[3];
        sum[0] = a;
        sum[1] = b;
        sum[2] = c;
        sum[3] = d;
    }
}

static void find_least(const uint64_t *sum, int64_t n, int16_t *least)
{
    int16_t most[SPT__LANES], v[SPT__LANES];
    for (int l = 0; l < SPT__LANES; l++)
        most[l] = MOST_LOSS;
    for (int64_t i = 0; i < n; i++) {
        memcpy(v, sum + i * WORDS, sizeof v);
        for (int l = 0; l < SPT__LANES; l++)
            most[l] = v[l] < most[l] ? v[l] : most[l];
    }
    memcpy(least, most, sizeof most);
}

/* The losses of all rows of a block, and the least ones of each group of rows. */
static void sum_losses(spt__side *s, const spt__block *block, const spt__block_rows *of)
{
    for (int64_t from = 0; from < of->n; from += ROWS) {
        const int64_t n = of->n - from < ROWS ? of->n - from : ROWS;
        uint64_t *sum = s->sieve.loss + from * WORDS;
        memset(sum, 0, (size_t)n * WORDS * sizeof *sum);
        for (int32_t m = 0; m < block->n; m++) {
            const int32_t d = block->members[m];
            const bool category = s->record->domains[d].kind == SPT__DOMAIN_CATEGORY;
            add_losses(category ? s->record->bin + d * s->record->capacity
                                : s->sieve.bin + d * s->capacity,
                       s->sieve.table + d * (int64_t)TABLE, of->rows + from, n, sum);
        }
        for (int64_t i = 0; i < n; i += GROUP)
            find_least(sum + i * WORDS, n - i < GROUP ? n - i : GROUP,
                       s->sieve.least + (from + i) / GROUP * SPT__LANES);
    }
}

/* Is it worth it, and fine enough? */
static bool applies(const spt__side *s, int32_t b)
{
    const spt__block *block = &s->blocks->items[b];
    if (!s->sieve.bin || block->n_context > 0 || s->of[b].n < SPT__SIEVED) return false;
    for (int32_t m = 0; m < block->n; m++) {
        const spt__domain *domain = &s->record->domains[block->members[m]];
        if (domain->kind != SPT__DOMAIN_CATEGORY &&
            s->least[block->members[m]] < FINEST * (domain->hi - domain->lo))
            return false;
    }
    return true;
}

void spt__side_sieve(spt__side *s, const spt__point *points, int32_t n)
{
    s->sieve.block = -1;
    for (int32_t b = 0; b < s->blocks->n && s->sieve.block < 0; b++)
        if (applies(s, b)) s->sieve.block = b;
    if (s->sieve.block < 0) return;
    const spt__block *block = &s->blocks->items[s->sieve.block];
    const spt__block_rows *of = &s->of[s->sieve.block];
    const float most = (float)(MOST_LOSS / block->n);
    memset(s->sieve.top, 0, sizeof s->sieve.top);
    for (int32_t m = 0; m < block->n; m++)
        fill_table(s, block->members[m], of, points, n, most);
    sum_losses(s, block, of);
}

/* ---- what passes -------------------------------------------------------------------------- */

/* Has the row all parameters of the point? */
static bool has_all(const spt__side *s, const spt__point *at, int32_t row)
{
    const spt__record *r = s->record;
    for (int32_t b = 0; b < s->blocks->n; b++) {
        const int32_t d = s->blocks->items[b].members[0];
        if (!isnan(at->value[d]) && isnan(r->position[d * r->capacity + row])) return false;
    }
    return true;
}

int32_t spt__sieve_nearest(const spt__side *s, const spt__point *at, int32_t lane)
{
    const spt__block_rows *of = &s->of[s->sieve.block];
    int32_t best = INT32_MAX, nearest = -1;
    for (int64_t from = 0; from < of->n; from += GROUP) {
        if (s->sieve.least[from / GROUP * SPT__LANES + lane] >= best) continue;
        for (int64_t i = from; i < of->n && i < from + GROUP; i++) {
            const int32_t loss = get_loss(s->sieve.loss + i * WORDS, lane);
            if (loss >= best || !has_all(s, at, of->rows[i])) continue;
            best = loss;
            nearest = of->rows[i];
        }
    }
    return nearest;
}

int64_t spt__sieve_pass(const spt__side *s, int32_t lane, double bar, int32_t *row, double *weight)
{
    const spt__block_rows *of = &s->of[s->sieve.block];
    const double most = (s->sieve.top[lane] - bar + MARGIN) * SCALE;
    int64_t n = 0;
    for (int64_t from = 0; from < of->n; from += GROUP) {
        if ((double)s->sieve.least[from / GROUP * SPT__LANES + lane] > most) continue;
        for (int64_t i = from; i < of->n && i < from + GROUP; i++) {
            row[n] = of->rows[i];
            weight[n] = of->weight[i];
            n += (double)get_loss(s->sieve.loss + i * WORDS, lane) <= most;
        }
    }
    return n;
}
