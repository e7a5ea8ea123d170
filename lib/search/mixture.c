/* Looking at the densities: the factor of a block of the good side, and draws from it. */
#include "look.h"

enum {
    KEPT_CELLS = 65536, /* of a table */
    STRIDE = 8          /* factors multiplied before a logarithm is taken: no overflow */
};

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
        same = kept->table[i] == k->mean[of->rows[i] * k->stride] &&
               kept->table[n + i] == k->sigma[of->rows[i] * k->stride];
    if (!same) {
        kept->rows = n;
        for (int64_t i = 0; i < n; i++) {
            kept->table[i] = k->mean[of->rows[i] * k->stride];
            kept->table[n + i] = k->sigma[of->rows[i] * k->stride];
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

double spt__side_log(spt__side *s, int32_t b, const spt__point *at)
{
    return s->good ? log_all(s, b, at) : spt__near_log(s, b, at);
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
    if (i < of->n && spt__rng_double(rng) >= k->miss * (double)points)
        return k->mean[of->rows[i] * k->stride];
    return (double)spt__rng_below(rng, points);
}

/* Every mean lies within [lo, hi] and no sigma exceeds its width, so at least a third of the draws
 * are accepted. Kernels that share a normaliser are picked anew with each draw. */
static double draw_number(const spt__side *s, const look *k, const spt__block_rows *of, int64_t i,
                          spt__rng *rng)
{
    const spt__domain *d = k->domain;
    for (;;) {
        const double mean = i < of->n ? k->mean[of->rows[i] * k->stride] : (d->lo + d->hi) / 2;
        const double sigma = i < of->n ? k->sigma[of->rows[i] * k->stride] : d->hi - d->lo;
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
