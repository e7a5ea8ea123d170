/* The bad side of the densities: many kernels, few of which are near. Those that cannot matter are
 * left out; what can is measured by a near kernel. */
#include "sieve.h"

#include <string.h>

/* Kernels that cannot add more than this share to a sum, as a logarithm, are left out: a part in
 * 10^13 each. */
static const double NEGLIGIBLE = 30;

/* An upper bound of log kernel: exact for densities and categories. A normal tail beyond z holds at
 * most exp(-z^2 / 2) / 2. */
static inline double bound(double from, double to, double mean, double sigma, double peak)
{
    const double below = from - mean, above = mean - to;
    const double most = below > above ? below : above, away = most > 0 ? most : 0;
    const double z = away / sigma;
    return peak - 0.5 * z * z;
}

/* How much more than the reference's another kernel can be at one parameter, at most. */
static double gain(const spt__side *s, int32_t d, const look *k)
{
    double top = 0;
    if (k->domain->kind != SPT__DOMAIN_CATEGORY) {
        const double flat = s->flat[d];
        top = k->density ? flat : fmin(0, flat + log(k->to - k->from));
        top += s->most_inside[d];
    }
    return fmax(0, top - s->reference[d]);
}

/* Measure all kernels by the prior. */
static void refer_to_prior(spt__side *s, const spt__point *at)
{
    double rest = 0;
    for (int32_t b = s->blocks->n; b-- > 0;) {
        const spt__block *block = &s->blocks->items[b];
        s->rest[b] = rest;
        for (int32_t m = 0; m < block->n; m++) {
            const int32_t d = block->members[m];
            if (isnan(at->value[d])) continue;
            const look k = look_there(s, d, &s->of[b], at);
            s->prior[d] = s->reference[d] = prior_log(s, d, &k);
            s->gain[d] = gain(s, d, &k);
            rest += s->gain[d];
        }
    }
    s->handicap = 0;
}

void spt__side_begin(spt__side *s, const spt__point *at, int32_t lane)
{
    s->lane = lane;
    refer_to_prior(s, at);
}

static double row_log(const look *k, int32_t row)
{
    return log(row_kernel(k, row));
}

/* Measure the others by a trial that has all of the point's parameters, rather than by the prior,
 * if it is nearer: then little else can matter. Called before anything was left out. */
static bool refer_to(spt__side *s, const spt__point *at, int32_t row)
{
    double sum = 0, prior = 0, rest = 0;
    for (int32_t pass = 0; pass < 2; pass++)
        for (int32_t b = s->blocks->n; b-- > 0;) {
            const spt__block *block = &s->blocks->items[b];
            if (pass) s->rest[b] = rest;
            for (int32_t m = 0; m < block->n; m++) {
                const int32_t d = block->members[m];
                if (isnan(at->value[d])) continue;
                const look k = look_there(s, d, &s->of[b], at);
                if (isnan(k.mean[row * k.stride])) {
                    refer_to_prior(s, at);
                    return false;
                }
                if (pass == 0) {
                    s->gain[d] = row_log(&k, row); /* for the second pass */
                    sum += s->gain[d];
                    prior += s->prior[d];
                } else {
                    s->reference[d] = s->gain[d];
                    s->gain[d] = gain(s, d, &k);
                    rest += s->gain[d];
                }
            }
            if (pass == 0 && b == 0 && !(sum > prior)) {
                refer_to_prior(s, at);
                return false;
            }
        }
    /* Weights by age go down to one in n. */
    s->handicap = log((double)s->record->n + 1);
    return true;
}

/* The active kernels of a walk over the parameters of a block. */
typedef struct walk {
    int64_t n;
    int32_t *row;
    double *weight, *log; /* log: K_i(context) and what was looked at so far */
    double prior, reference;
} walk;

static void step_categories(walk *w, const look *k, double bar)
{
    const double hit = log(k->hit), miss = log(k->miss), at = k->at;
    int64_t kept = 0;
    for (int64_t i = 0; i < w->n; i++) {
        const int32_t row = w->row[i];
        const double sum = w->log[i] + (k->mean[row * k->stride] == at ? hit : miss);
        w->row[kept] = row;
        w->weight[kept] = w->weight[i];
        w->log[kept] = sum;
        kept += sum >= bar;
    }
    w->n = kept;
}

/* Add one parameter and drop what cannot matter any more: what stays below `bar`. */
static void step(walk *w, const look *k, double bar)
{
    if (k->domain->kind == SPT__DOMAIN_CATEGORY) {
        step_categories(w, k, bar);
        return;
    }
    const double *mean = k->mean, *sigma = k->sigma, *peak = k->peak;
    const int64_t stride = k->stride;
    const double from = k->from, to = k->to;
    int64_t kept = 0;
    for (int64_t i = 0; i < w->n; i++) {
        const int32_t row = w->row[i];
        const int64_t at = row * stride;
        const double sum = w->log[i] + bound(from, to, mean[at], sigma[at], peak[at]);
        w->row[kept] = row;
        w->weight[kept] = w->weight[i];
        w->log[kept] = sum;
        kept += sum >= bar;
    }
    w->n = kept;
}

/* Log of the mass of a cell under a kernel of the least bandwidth at another point of a short grid:
 * most kernels of many trials have it, so these are kept as long as it stays the same. NULL: no
 * table. */
static double *least_masses(spt__side *s, int32_t d, const look *k)
{
    const int64_t points = k->domain->points;
    if (k->place < 0) return NULL;
    if (!s->masses[d]) {
        s->masses[d] = spt__alloc(s->record->ctx, (size_t)(points * points + 1), sizeof(double));
        if (!s->masses[d]) return NULL; /* it is only a shortcut */
        s->masses[d][points * points] = NAN;
    }
    double *table = s->masses[d];
    if (table[points * points] != s->least[d]) {
        for (int64_t i = 0; i < points * points; i++)
            table[i] = NAN;
        table[points * points] = s->least[d];
    }
    return table + k->place * points;
}

/* Put the exact mass in the place of the bound. */
static void refine(spt__side *s, int32_t d, walk *w, const look *k)
{
    const int16_t *places = s->record->place + d * s->record->capacity;
    double *table = least_masses(s, d, k);
    for (int64_t i = 0; i < w->n; i++) {
        const int32_t row = w->row[i];
        const double mean = k->mean[row * k->stride], sigma = k->sigma[row * k->stride];
        double *kept = table && sigma == s->least[d] ? &table[places[row]] : NULL;
        double mass = kept ? *kept : NAN;
        if (isnan(mass)) {
            mass = log(spt__normal_mass((k->from - mean) / sigma, (k->to - mean) / sigma));
            if (kept) *kept = mass;
        }
        w->log[i] += mass - bound(k->from, k->to, mean, sigma, 0);
    }
}

/* The kernels that are left of the block above; those of them that have this block. */
static void begin_below(spt__side *s, int32_t b, walk *w)
{
    const spt__block *block = &s->blocks->items[b];
    const int32_t above = block->context[block->n_context - 1];
    const int32_t *alive = s->alive + above * (s->capacity + 1);
    const int32_t *slot = s->slot + b * (s->capacity + 1);
    w->prior = context_log(s, block, s->capacity);
    for (int32_t c = 0; c < block->n_context; c++) {
        const spt__block *up = &s->blocks->items[block->context[c]];
        for (int32_t m = 0; m < up->n; m++)
            w->reference += s->reference[up->members[m]];
    }
    for (int64_t i = 0; i < s->n_alive[above]; i++) {
        const int32_t row = alive[i];
        if (slot[row] < 0) continue;
        const double log_k = context_log(s, block, row);
        w->row[w->n] = row;
        w->weight[w->n] = s->of[b].weight[slot[row]];
        w->log[w->n] = log_k;
        w->n += log_k > -INFINITY;
    }
}

/* The parameters of a block in the order in which they are looked at: numbers first, as they tell
 * more of most kernels. The next one that has a value, from *at on; -1 behind the last. */
static int32_t next_member(const spt__side *s, const spt__block *block, const spt__point *at,
                           int32_t *next)
{
    for (; *next < 2 * block->n; ++*next) {
        const int32_t d = block->members[*next % block->n];
        const bool category = s->record->domains[d].kind == SPT__DOMAIN_CATEGORY;
        if (isnan(at->value[d]) || category != (*next >= block->n)) continue;
        ++*next;
        return d;
    }
    return -1;
}

enum { AT_ONCE = 3 };

/* One parameter of all rows of the record, whoever's they are: a loop over whole columns, which the
 * compiler can make vector code of. */
static void add_column(const look *k, int64_t n, bool first, double *sum)
{
    const double *mean = k->mean, *sigma = k->sigma, *peak = k->peak, from = k->from, to = k->to;
    if (first)
        for (int64_t r = 0; r < n; r++)
            sum[r] = bound(from, to, mean[r], sigma[r], peak[r]);
    else
        for (int64_t r = 0; r < n; r++)
            sum[r] += bound(from, to, mean[r], sigma[r], peak[r]);
}

/* The same of the block's rows alone. */
static void add_rows(const look *k, const spt__block_rows *of, bool first, double *sum)
{
    for (int64_t i = 0; i < of->n; i++) {
        const int32_t row = of->rows[i];
        const int64_t at = row * k->stride;
        const double more = bound(k->from, k->to, k->mean[at], k->sigma[at], k->peak[at]);
        sum[row] = first ? more : sum[row] + more;
    }
}

/* Bounds of the first numbers, by row. seen: these parameters, -1 behind the last. */
static void sum_columns(const spt__side *s, int32_t b, const spt__point *at, int32_t *next,
                        double *sum, int32_t seen[AT_ONCE])
{
    const spt__block *block = &s->blocks->items[b];
    const spt__block_rows *of = &s->of[b];
    const int64_t n = s->record->n;
    int used = 0;
    for (int i = 0; i < AT_ONCE; i++)
        seen[i] = -1;
    for (; used < AT_ONCE; used++) {
        int32_t after = *next;
        const int32_t d = next_member(s, block, at, &after);
        if (d < 0 || s->record->domains[d].kind == SPT__DOMAIN_CATEGORY) break;
        *next = after;
        const look k = look_there(s, d, of, at);
        if (k.stride > 1 || of->n < n / 4)
            add_rows(&k, of, used == 0, sum);
        else
            add_column(&k, n, used == 0, sum);
        seen[used] = d;
    }
    if (used == 0) memset(sum, 0, (size_t)n * sizeof *sum);
}

/* The row of the block with the highest sum, the first of equals. Four at a time: the comparisons
 * of one need not wait for each other. */
static int32_t highest(const spt__block_rows *of, const double *sum)
{
    double best[4] = {-INFINITY, -INFINITY, -INFINITY, -INFINITY};
    int64_t i = 0;
    for (; i + 4 <= of->n; i += 4)
        for (int j = 0; j < 4; j++) {
            const double v = sum[of->rows[i + j]];
            best[j] = v > best[j] ? v : best[j];
        }
    for (; i < of->n; i++)
        best[0] = sum[of->rows[i]] > best[0] ? sum[of->rows[i]] : best[0];
    const double most = fmax(fmax(best[0], best[1]), fmax(best[2], best[3]));
    for (i = 0; i < of->n; i++)
        if (sum[of->rows[i]] == most) return of->rows[i];
    return -1;
}

/* All kernels of a block without a context, after its first numbers. */
static void begin_whole(spt__side *s, int32_t b, const spt__point *at, int32_t *next, double *slack,
                        walk *w)
{
    const spt__block *block = &s->blocks->items[b];
    const spt__block_rows *of = &s->of[b];
    double *sum = s->work + 2 * (s->capacity + 1);
    int32_t seen[AT_ONCE];
    sum_columns(s, b, at, next, sum, seen);
    const int32_t nearest = highest(of, sum);
    if (nearest >= 0) (void)refer_to(s, at, nearest);
    *slack = s->rest[b];
    for (int32_t m = 0; m < block->n; m++)
        if (!isnan(at->value[block->members[m]])) *slack += s->gain[block->members[m]];
    for (int i = 0; i < AT_ONCE && seen[i] >= 0; i++) {
        *slack -= s->gain[seen[i]];
        w->prior += s->prior[seen[i]];
        w->reference += s->reference[seen[i]];
    }
    const double bar = w->reference - *slack - of->odds - s->handicap - NEGLIGIBLE;
    for (int64_t i = 0; i < of->n; i++) {
        const int32_t row = of->rows[i];
        w->row[w->n] = row;
        w->weight[w->n] = of->weight[i];
        w->log[w->n] = sum[row];
        w->n += sum[row] >= bar;
    }
}

/* The place of a row that the block has. */
static int64_t place_in(const spt__side *s, int32_t b, int32_t row)
{
    const spt__block_rows *of = &s->of[b];
    int64_t from = 0, to = of->n - 1;
    if (s->blocks->items[b].n_context > 0) return s->slot[b * (s->capacity + 1) + row];
    while (from < to) {
        const int64_t middle = from + (to - from) / 2;
        if (of->rows[middle] < row)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

/* How much less a row that has all of the point's parameters may weigh than another. */
static double handicap(const spt__side *s, const spt__point *at, int32_t row)
{
    double ratio = 1;
    for (int32_t b = 0; b < s->blocks->n; b++) {
        const spt__block_rows *of = &s->of[b];
        if (isnan(at->value[s->blocks->items[b].members[0]])) continue;
        ratio = fmax(ratio, of->most / of->weight[place_in(s, b, row)]);
    }
    return log(ratio);
}

/* All kernels of a block without a context that have passed the sieve; none of its parameters was
 * looked at yet. */
static void begin_sieved(spt__side *s, int32_t b, const spt__point *at, double *slack, walk *w)
{
    const spt__block *block = &s->blocks->items[b];
    const int32_t nearest = spt__sieve_nearest(s, at, s->lane);
    double reference = 0;
    if (nearest >= 0 && refer_to(s, at, nearest)) s->handicap = handicap(s, at, nearest);
    *slack = s->rest[b];
    for (int32_t m = 0; m < block->n; m++) {
        const int32_t d = block->members[m];
        if (isnan(at->value[d])) continue;
        *slack += s->gain[d];
        reference += s->reference[d];
    }
    const double bar = reference - s->rest[b] - s->of[b].odds - s->handicap - NEGLIGIBLE;
    w->n = spt__sieve_pass(s, s->lane, bar, w->row, w->weight);
}

enum { AHEAD = 8 };

/* A row that is far from the last one takes long to come from memory: ask for it in good time. */
static inline void fetch_row(const look *k, int32_t row)
{
#if defined(__GNUC__)
    for (int64_t i = 0; i < k->stride; i += 8)
        __builtin_prefetch(k->mean + row * k->stride + i);
#else
    (void)k;
    (void)row;
#endif
}

/* All parameters of one row after the other: its kernels stand side by side. */
static void walk_rows(walk *w, const spt__stage *stages, int32_t n)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < w->n; i++) {
        const int32_t row = w->row[i];
        double sum = 0;
        int32_t m = 0;
        if (n > 0 && i + AHEAD < w->n) fetch_row(&stages[0].at, w->row[i + AHEAD]);
        for (; m < n; m++) {
            const look *k = &stages[m].at;
            const int64_t at = row * k->stride;
            if (k->domain->kind == SPT__DOMAIN_CATEGORY)
                sum += k->mean[at] == k->at ? stages[m].hit : stages[m].miss;
            else
                sum += bound(k->from, k->to, k->mean[at], k->sigma[at], k->peak[at]);
            if (!(sum >= stages[m].bar)) break;
        }
        w->row[kept] = row;
        w->weight[kept] = w->weight[i];
        w->log[kept] = sum;
        kept += m == n;
    }
    w->n = kept;
}

/* What the blocks below need to know. */
static void keep_context(spt__side *s, int32_t b, const walk *w, double prior_above)
{
    const spt__block *block = &s->blocks->items[b];
    double *context = context_of(s, b);
    int32_t *alive = s->alive + b * (s->capacity + 1);
    for (int64_t i = 0; i < s->n_alive[b]; i++) /* those of the last point */
        context[alive[i]] = -INFINITY;
    for (int64_t i = 0; i < w->n; i++) {
        const int32_t row = w->row[i];
        context[row] = w->log[i] - (block->n_context ? context_log(s, block, row) : 0);
        alive[i] = row;
    }
    s->n_alive[b] = w->n;
    context[s->capacity] = w->prior - prior_above;
}

double spt__near_log(spt__side *s, int32_t b, const spt__point *at)
{
    const spt__block *block = &s->blocks->items[b];
    const spt__block_rows *of = &s->of[b];
    walk w = {.row = s->active, .weight = s->work, .log = s->work + s->capacity + 1};
    const double prior_weight = of->weight[of->n];
    double slack = 0, below = log(of->total) + of->log_norm;
    const bool sieved = s->sieve.block == b;
    int32_t next = 0, stages = 0;
    if (block->n_context) {
        slack = s->rest[b];
        for (int32_t m = 0; m < block->n; m++)
            if (!isnan(at->value[block->members[m]])) slack += s->gain[block->members[m]];
        begin_below(s, b, &w);
        below = log_sum(w.weight, w.log, w.n, prior_weight, w.prior);
    } else if (sieved) {
        begin_sieved(s, b, at, &slack, &w);
    } else {
        begin_whole(s, b, at, &next, &slack, &w);
    }
    const double above = block->n_context ? context_log(s, block, s->capacity) : 0;
    for (int32_t d; (d = next_member(s, block, at, &next)) >= 0;) {
        const look k = look_there(s, d, of, at);
        slack -= s->gain[d];
        w.prior += s->prior[d];
        w.reference += s->reference[d];
        const double bar = w.reference - slack - of->odds - s->handicap - NEGLIGIBLE;
        if (sieved)
            s->sieve.stages[stages++] = (spt__stage){k, log(k.hit), log(k.miss), bar};
        else
            step(&w, &k, bar);
    }
    if (sieved) walk_rows(&w, s->sieve.stages, stages);
    for (int32_t m = 0; m < block->n; m++) {
        const int32_t d = block->members[m];
        if (isnan(at->value[d])) continue;
        const look k = look_there(s, d, of, at);
        if (k.domain->kind == SPT__DOMAIN_GRID && !k.density) refine(s, d, &w, &k);
    }
    if (block->above) keep_context(s, b, &w, above);
    return log_sum(w.weight, w.log, w.n, prior_weight, w.prior) - below;
}
