/* Looking at the densities: the factor of a block, and draws from it. */
#include "density.h"

#include <string.h>

/* Kernels that together cannot add more than this share to a sum, as a logarithm, are left out: a
 * part in 10^15 for each. */
static const double NEGLIGIBLE = 30;
static const double LOG_SQRT_2PI = 0.91893853320467274178;
static const double LOG_PRIOR_INSIDE = -0.9599163336956223; /* log(Phi(1/2) - Phi(-1/2)) */

enum {
    KEPT_CELLS = 65536, /* of a table */
    STRIDE = 8          /* factors multiplied before a logarithm is taken: no overflow */
};

/* ---- one kernel -------------------------------------------------------------------------- */

static bool by_density(const spt__side *s, const spt__domain *d)
{
    return d->kind == SPT__DOMAIN_CONTINUOUS || (s->rule->log_density && d->parameter->log);
}

/* What belongs to one parameter at one point. */
typedef struct look {
    const spt__domain *domain;
    const double *mean, *sigma, *peak; /* by row */
    double at;                         /* position */
    double from, to;                   /* its cell; densities: both the position */
    double hit, miss; /* categories: probability of the observed one, and of another */
    bool density;
    int32_t place; /* on a short grid, or -1 */
} look;

static look look_at(const spt__side *s, int32_t d, const spt__block_rows *of)
{
    const spt__domain *domain = &s->record->domains[d];
    look k = {.domain = domain,
              .mean = s->record->position + d * s->record->capacity,
              .sigma = s->sigma + d * s->capacity,
              .peak = s->peak + d * s->capacity,
              .density = by_density(s, domain)};
    if (domain->kind == SPT__DOMAIN_CATEGORY) {
        const double extra = s->rule->counts ? 0 : s->rule->prior_weight / ((double)of->n + 1);
        const double sum = 1 + (double)domain->points * extra;
        k.hit = (1 + extra) / sum;
        k.miss = extra / sum;
    }
    return k;
}

static look look_there(const spt__side *s, int32_t d, const spt__block_rows *of,
                       const spt__point *at)
{
    look k = look_at(s, d, of);
    k.at = at->position[d];
    k.place = at->place[d];
    k.from = k.to = k.at;
    if (k.domain->kind != SPT__DOMAIN_GRID || k.density) return k;
    if (k.place >= 0) {
        k.from = s->cells[d][k.place];
        k.to = s->cells[d][k.place + 1];
    } else {
        spt__domain_cell(k.domain, at->value[d], &k.from, &k.to);
    }
    return k;
}

static double kernel(const look *k, double mean, double sigma, double peak)
{
    if (k->density) {
        const double z = (k->at - mean) / sigma;
        return exp(peak - 0.5 * z * z);
    }
    return exp(peak) * spt__normal_mass((k->from - mean) / sigma, (k->to - mean) / sigma);
}

static double row_kernel(const look *k, int32_t row)
{
    if (k->domain->kind == SPT__DOMAIN_CATEGORY) return k->mean[row] == k->at ? k->hit : k->miss;
    return kernel(k, k->mean[row], k->sigma[row], k->peak[row]);
}

/* Log of the prior's kernel: as wide as the interval, in its middle. */
static double prior_log(const spt__side *s, int32_t d, const look *k)
{
    const spt__domain *domain = k->domain;
    if (domain->kind == SPT__DOMAIN_CATEGORY) return -log((double)domain->points);
    const double sigma = domain->hi - domain->lo, middle = (domain->lo + domain->hi) / 2;
    const double inside = s->rule->shared ? 0 : LOG_PRIOR_INSIDE;
    if (k->density) {
        const double z = (k->at - middle) / sigma;
        return -0.5 * z * z - log(sigma) - LOG_SQRT_2PI - inside;
    }
    if (k->place >= 0) return s->cells[d][domain->points + 1 + k->place] - inside;
    return log(spt__normal_mass((k->from - middle) / sigma, (k->to - middle) / sigma)) - inside;
}

/* ---- tables of kernels ------------------------------------------------------------------- */

/* The column of the table for the point that is looked at, made anew where means or sigmas have
 * changed; NULL where there is no table (also when memory ran out: it is only a shortcut). */
static double *kept_column(spt__side *s, int32_t d, const spt__block_rows *of, const look *k)
{
    const spt__domain *domain = k->domain;
    const int64_t n = of->n, points = domain->points;
    if (k->density || domain->kind != SPT__DOMAIN_GRID || n == 0 || k->place < 0 ||
        n * points > KEPT_CELLS)
        return NULL;
    spt__kept *kept = &s->kept[d];
    const int64_t size = n * (points + 2);
    if (kept->size < size) {
        spt__free(s->record->ctx, kept->table);
        *kept = (spt__kept){0};
        kept->table = spt__alloc(s->record->ctx, (size_t)(2 * size), sizeof *kept->table);
        if (!kept->table) return NULL;
        kept->size = 2 * size;
    }
    bool same = kept->rows == n;
    for (int64_t i = 0; same && i < n; i++)
        same =
            kept->table[i] == k->mean[of->rows[i]] && kept->table[n + i] == k->sigma[of->rows[i]];
    if (!same) {
        kept->rows = n;
        for (int64_t i = 0; i < n; i++) {
            kept->table[i] = k->mean[of->rows[i]];
            kept->table[n + i] = k->sigma[of->rows[i]];
        }
        for (int64_t i = 2 * n; i < size; i++)
            kept->table[i] = NAN;
    }
    double *column = kept->table + n * (2 + (int64_t)k->place);
    if (isnan(column[0]))
        for (int64_t i = 0; i < n; i++)
            column[i] = row_kernel(k, of->rows[i]);
    return column;
}

/* ---- sums -------------------------------------------------------------------------------- */

/* log sum_i w_i exp(a_i) over n kernels and the prior. */
static double log_sum(const double *weight, const double *a, int64_t n, double prior_weight,
                      double prior)
{
    double top = prior;
    for (int64_t i = 0; i < n; i++)
        if (a[i] > top) top = a[i];
    double sum = prior_weight * exp(prior - top);
    for (int64_t i = 0; i < n; i++)
        sum += weight[i] * exp(a[i] - top);
    return top + log(sum);
}

static double *context_of(const spt__side *s, int32_t b)
{
    return s->context + b * (s->capacity + 1);
}

/* log K_i(context) of a row (or, at s->capacity, of the prior). */
static double context_log(const spt__side *s, const spt__block *block, int64_t row)
{
    double sum = 0;
    for (int32_t c = 0; c < block->n_context; c++)
        sum += context_of(s, block->context[c])[row];
    return sum;
}

/* ---- the good side: few kernels, all of them looked at ----------------------------------- */

static double log_all(spt__side *s, int32_t b, const spt__point *at)
{
    const spt__block *block = &s->blocks->items[b];
    const spt__block_rows *of = &s->of[b];
    const int64_t n = of->n;
    double *own = s->work, *product = own + s->capacity + 1, *one = product + s->capacity + 1;
    double *above = one + s->capacity + 1;
    for (int64_t i = 0; i <= n; i++) {
        own[i] = 0;
        product[i] = 1;
    }
    int32_t pending = 0;
    for (int32_t m = 0; m < block->n; m++) {
        const int32_t d = block->members[m];
        if (isnan(at->value[d])) continue;
        const look k = look_there(s, d, of, at);
        const double *column = kept_column(s, d, of, &k);
        if (!column) {
            for (int64_t i = 0; i < n; i++)
                one[i] = row_kernel(&k, of->rows[i]);
            column = one;
        }
        const double prior = exp(prior_log(s, d, &k));
        double mixed = 0;
        if (s->crossover > 0) {
            mixed = of->weight[n] * prior;
            for (int64_t i = 0; i < n; i++)
                mixed += of->weight[i] * column[i];
            mixed *= s->crossover / of->total;
        }
        const double keep = 1 - s->crossover;
        for (int64_t i = 0; i < n; i++)
            product[i] *= keep * column[i] + mixed;
        product[n] *= keep * prior + mixed;
        if (++pending % STRIDE) continue;
        for (int64_t i = 0; i <= n; i++) {
            own[i] += log(product[i]);
            product[i] = 1;
        }
    }
    for (int64_t i = 0; i <= n; i++)
        own[i] += log(product[i]);
    if (block->above) {
        double *context = context_of(s, b);
        for (int64_t i = 0; i < n; i++)
            context[of->rows[i]] = own[i];
        context[s->capacity] = own[n];
    }
    if (block->n_context == 0)
        return log_sum(of->weight, own, n, of->weight[n], own[n]) - log(of->total) - of->log_norm;
    for (int64_t i = 0; i <= n; i++) {
        above[i] = context_log(s, block, i < n ? of->rows[i] : s->capacity);
        own[i] += above[i];
    }
    return log_sum(of->weight, own, n, of->weight[n], own[n]) -
           log_sum(of->weight, above, n, of->weight[n], above[n]);
}

/* ---- the bad side: many kernels, few of which are near ----------------------------------- */

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
        const double flat = -log(s->least[d]) - LOG_SQRT_2PI;
        top = k->density ? flat : fmin(0, flat + log(k->to - k->from));
        /* The widest part of the mass that a kernel at an end loses is half of it, or a little more
         * where bandwidths are as wide as the interval. */
        const double range = k->domain->hi - k->domain->lo;
        if (!s->rule->shared) top -= log(spt__normal_mass(0, range / s->least[d]));
    }
    return fmax(0, top - s->reference[d]);
}

void spt__side_begin(spt__side *s, const spt__point *at)
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

static double row_log(const look *k, int32_t row)
{
    return log(row_kernel(k, row));
}

/* Measure the others by a trial that has all of the point's parameters, rather than by the prior,
 * if it is nearer: then little else can matter. Called before anything was left out. */
static void refer_to(spt__side *s, const spt__point *at, int32_t row)
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
                if (isnan(k.mean[row])) {
                    spt__side_begin(s, at);
                    return;
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
                spt__side_begin(s, at);
                return;
            }
        }
    /* Weights by age go down to one in n. */
    s->handicap = log((double)s->record->n + 1);
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
        const double sum = w->log[i] + (k->mean[row] == at ? hit : miss);
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
    const double from = k->from, to = k->to;
    int64_t kept = 0;
    for (int64_t i = 0; i < w->n; i++) {
        const int32_t row = w->row[i];
        const double sum = w->log[i] + bound(from, to, mean[row], sigma[row], peak[row]);
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
        const double mean = k->mean[row], sigma = k->sigma[row];
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

/* All kernels of a block without a context, after its first numbers: a loop over whole columns,
 * which the compiler can make vector code of. */
static void begin_whole(spt__side *s, int32_t b, const spt__point *at, int32_t *next, double *slack,
                        walk *w)
{
    enum { AT_ONCE = 3 };
    const spt__block *block = &s->blocks->items[b];
    const spt__block_rows *of = &s->of[b];
    const int64_t n = s->record->n;
    double *sum = s->work + 2 * (s->capacity + 1);
    int32_t seen[AT_ONCE];
    for (int i = 0; i < AT_ONCE; i++)
        seen[i] = -1;
    for (int64_t i = 0; i < n; i++)
        sum[i] = 0;
    for (int i = 0; i < AT_ONCE; i++) {
        int32_t after = *next;
        const int32_t d = next_member(s, block, at, &after);
        if (d < 0 || s->record->domains[d].kind == SPT__DOMAIN_CATEGORY) break;
        *next = after;
        const look k = look_there(s, d, of, at);
        const double *mean = k.mean, *sigma = k.sigma, *peak = k.peak, from = k.from, to = k.to;
        for (int64_t r = 0; r < n; r++)
            sum[r] += bound(from, to, mean[r], sigma[r], peak[r]);
        seen[i] = d;
    }
    int32_t nearest = of->n ? of->rows[0] : -1;
    for (int64_t i = 1; i < of->n; i++)
        if (sum[of->rows[i]] > sum[nearest]) nearest = of->rows[i];
    if (nearest >= 0) refer_to(s, at, nearest);
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

/* What the blocks below need to know. */
static void keep_context(spt__side *s, int32_t b, const walk *w, double prior_above)
{
    const spt__block *block = &s->blocks->items[b];
    double *context = context_of(s, b);
    int32_t *alive = s->alive + b * (s->capacity + 1);
    for (int64_t i = 0; i < s->record->n; i++)
        context[i] = -INFINITY;
    for (int64_t i = 0; i < w->n; i++) {
        const int32_t row = w->row[i];
        context[row] = w->log[i] - (block->n_context ? context_log(s, block, row) : 0);
        alive[i] = row;
    }
    s->n_alive[b] = w->n;
    context[s->capacity] = w->prior - prior_above;
}

static double log_near(spt__side *s, int32_t b, const spt__point *at)
{
    const spt__block *block = &s->blocks->items[b];
    const spt__block_rows *of = &s->of[b];
    walk w = {.row = s->active, .weight = s->work, .log = s->work + s->capacity + 1};
    const double prior_weight = of->weight[of->n];
    double slack = 0, below = log(of->total) + of->log_norm;
    int32_t next = 0;
    if (block->n_context) {
        slack = s->rest[b];
        for (int32_t m = 0; m < block->n; m++)
            if (!isnan(at->value[block->members[m]])) slack += s->gain[block->members[m]];
        begin_below(s, b, &w);
        below = log_sum(w.weight, w.log, w.n, prior_weight, w.prior);
    } else {
        begin_whole(s, b, at, &next, &slack, &w);
    }
    const double above = block->n_context ? context_log(s, block, s->capacity) : 0;
    for (int32_t d; (d = next_member(s, block, at, &next)) >= 0;) {
        const look k = look_there(s, d, of, at);
        slack -= s->gain[d];
        w.prior += s->prior[d];
        w.reference += s->reference[d];
        step(&w, &k, w.reference - slack - of->odds - s->handicap - NEGLIGIBLE);
    }
    for (int32_t m = 0; m < block->n; m++) {
        const int32_t d = block->members[m];
        if (isnan(at->value[d])) continue;
        const look k = look_there(s, d, of, at);
        if (k.domain->kind == SPT__DOMAIN_GRID && !k.density) refine(s, d, &w, &k);
    }
    if (block->above) keep_context(s, b, &w, above);
    return log_sum(w.weight, w.log, w.n, prior_weight, w.prior) - below;
}

double spt__side_log(spt__side *s, int32_t b, const spt__point *at)
{
    return s->good ? log_all(s, b, at) : log_near(s, b, at);
}

/* ---- draws ------------------------------------------------------------------------------- */

/* A kernel by weight: the first whose running sum exceeds a uniform draw; n is the prior. */
static int64_t pick(const double *weight, int64_t n, double total, spt__rng *rng)
{
    double left = spt__rng_double(rng) * total;
    for (int64_t i = 0; i < n; i++) {
        left -= weight[i];
        if (left < 0) return i;
    }
    return n;
}

/* A kernel of block b by its weight and its context. */
static int64_t pick_in_context(spt__side *s, int32_t b, spt__rng *rng)
{
    const spt__block *block = &s->blocks->items[b];
    const spt__block_rows *of = &s->of[b];
    if (block->n_context == 0) return pick(of->weight, of->n, of->total, rng);
    double *w = s->work, total = 0, top = context_log(s, block, s->capacity);
    w[of->n] = top;
    for (int64_t i = 0; i < of->n; i++) {
        w[i] = context_log(s, block, of->rows[i]);
        if (w[i] > top) top = w[i];
    }
    for (int64_t i = 0; i <= of->n; i++) {
        w[i] = of->weight[i] * exp(w[i] - top);
        total += w[i];
    }
    return pick(w, of->n, total, rng);
}

/* A category near kernel i: the observed one, or with the share of the extra mass any of them. */
static double draw_category(const look *k, const spt__block_rows *of, int64_t i, spt__rng *rng)
{
    const uint64_t points = (uint64_t)k->domain->points;
    if (i < of->n && spt__rng_double(rng) >= k->miss * (double)points) return k->mean[of->rows[i]];
    return (double)spt__rng_below(rng, points);
}

/* Every mean lies within [lo, hi] and no sigma exceeds its width, so at least a third of the draws
 * are accepted. Kernels that share a normaliser are picked anew with each draw. */
static double draw_number(const spt__side *s, const look *k, const spt__block_rows *of, int64_t i,
                          spt__rng *rng)
{
    const spt__domain *d = k->domain;
    for (;;) {
        const double mean = i < of->n ? k->mean[of->rows[i]] : (d->lo + d->hi) / 2;
        const double sigma = i < of->n ? k->sigma[of->rows[i]] : d->hi - d->lo;
        const double at = mean + sigma * spt__rng_normal(rng);
        if (at >= d->lo && at < d->hi) return spt__domain_value(d, at);
        if (s->rule->shared) i = pick(of->weight, of->n, of->total, rng);
    }
}

void spt__side_draw(spt__side *s, int32_t b, spt__point *at, spt__rng *rngs)
{
    const spt__block *block = &s->blocks->items[b];
    const spt__block_rows *of = &s->of[b];
    const int64_t chosen = pick_in_context(s, b, &rngs[s->record->p + b]);
    for (int32_t m = 0; m < block->n; m++) {
        const int32_t d = block->members[m];
        const look k = look_at(s, d, of);
        int64_t i = chosen;
        if (s->crossover > 0 && spt__rng_double(&rngs[d]) < s->crossover)
            i = pick(of->weight, of->n, of->total, &rngs[d]);
        const double value = k.domain->kind == SPT__DOMAIN_CATEGORY
                                 ? draw_category(&k, of, i, &rngs[d])
                                 : draw_number(s, &k, of, i, &rngs[d]);
        spt__point_set(at, k.domain, d, value);
    }
}
