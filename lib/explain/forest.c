/* Trees in parallel; how much they are shrunk is what suits the rows that they did not see. */
#include "grow.h"

#include "../base/threads.h"

#include <math.h>
#include <string.h>

/* What may be chosen: from trees as they were grown to no trees at all, the smooth functions being
 * left. */
static const double shrinks[] = {0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 1024, INFINITY};
enum { SHRINKS = sizeof shrinks / sizeof *shrinks };

typedef struct work {
    spt_ctx *ctx;
    const spt__table *table;
    const spt__forest_settings *settings;
    spt__smooth *smooth;
    spt__forest *forest;
    int32_t sample, outside; /* rows of a tree, and the others */
    int32_t *rows;           /* trees x outside: which a tree did not see */
    float *said;             /* trees x outside x SHRINKS: what it says of them, mean of y = 0 */
    double mean;
} work;

static int32_t one_tree(int64_t number, int32_t worker, void *arg, spt__err *e)
{
    work *w = arg;
    spt__rng rng;
    double said[SHRINKS];
    const int64_t n = w->table->n;
    (void)worker;
    if (spt__stopping(w->ctx)) return SPT_OK;
    int32_t *rows = spt__alloc(w->ctx, (size_t)n, sizeof *rows);
    if (rows == NULL) return spt__nomem(e);
    spt__rng_init(&rng, w->settings->seed, SPT__RNG_FOREST, (uint64_t)number, 0);
    for (int32_t i = 0; i < (int32_t)n; i++) {
        const int32_t k = (int32_t)spt__rng_below(&rng, (uint64_t)i + 1);
        if (k < i) rows[i] = rows[k];
        rows[k] = i;
    }
    spt__tree *tree = &w->forest->trees[number];
    const int32_t status =
        spt__tree_grow(w->table, w->smooth, w->settings, &rng, rows, w->sample, tree, e);
    for (int32_t i = 0; i < w->outside && status >= 0; i++) {
        const int64_t at = number * w->outside + i;
        const int32_t row = rows[w->sample + i];
        w->rows[at] = row;
        spt__tree_trial(tree, w->table->code + row, n, shrinks, SHRINKS, said);
        for (int32_t k = 0; k < SHRINKS; k++)
            w->said[at * SHRINKS + k] = (float)(said[k] - w->mean);
    }
    spt__free(w->ctx, rows);
    return status;
}

static int32_t shrink_tree(int64_t number, int32_t worker, void *arg, spt__err *e)
{
    work *w = arg;
    (void)worker;
    return spt__tree_shrink(&w->forest->trees[number], w->forest->shrink, e);
}

/* R2 of the means of what trees say of rows that they did not see, for each way to shrink them. */
static int32_t choose_shrink(const work *w)
{
    const int64_t n = w->table->n;
    double *sum = spt__calloc(w->ctx, (size_t)n, (SHRINKS + 1) * sizeof *sum), best = -INFINITY;
    double total = 0, squares = 0, error[SHRINKS] = {0};
    int64_t seen = 0;
    if (sum == NULL) return spt__nomem(&w->ctx->err);
    for (int64_t i = 0; i < w->forest->n * w->outside; i++) {
        double *row = sum + (int64_t)w->rows[i] * (SHRINKS + 1);
        for (int32_t k = 0; k < SHRINKS; k++)
            row[k] += (double)w->said[i * SHRINKS + k];
        row[SHRINKS]++;
    }
    for (int64_t i = 0; i < n; i++) {
        const double *row = sum + i * (SHRINKS + 1), y = w->table->y[i] - w->mean;
        if (row[SHRINKS] == 0) continue;
        total += y;
        squares += y * y;
        seen++;
        for (int32_t k = 0; k < SHRINKS; k++) {
            const double off = y - row[k] / row[SHRINKS];
            error[k] += off * off;
        }
    }
    squares -= seen > 0 ? total * total / (double)seen : 0;
    w->forest->shrink = 16;
    w->forest->out_of_bag = NAN;
    for (int32_t k = 0; k < SHRINKS && squares > 0; k++) {
        const double r2 = 1 - error[k] / squares;
        if (!(r2 > best)) continue;
        best = w->forest->out_of_bag = r2;
        w->forest->shrink = shrinks[k];
    }
    spt__free(w->ctx, sum);
    return SPT_OK;
}

/* The bins of an axis in groups with about as many rows each; few bins are groups themselves. */
static void group_axis(const spt__table *table, int32_t j, int32_t *count, uint8_t *group)
{
    const spt__axis *axis = &table->lattice->axes[j];
    const uint16_t *code = table->code + (int64_t)j * table->n;
    uint8_t *of_bin = group + table->n * table->lattice->d;
    int64_t below = 0, all = 0;
    memset(count, 0, (size_t)axis->bins * sizeof *count);
    for (int64_t i = 0; i < table->n; i++)
        if (code[i] != SPT__NO_BIN) count[code[i]]++, all++;
    for (int32_t b = 0; b < axis->bins; b++) {
        const int64_t k = axis->bins <= SPT__GROUPS || all == 0
                              ? b
                              : SPT__GROUPS * (2 * below + count[b]) / (2 * all);
        of_bin[b] = (uint8_t)(k < SPT__GROUPS ? k : SPT__GROUPS - 1);
        below += count[b];
    }
    for (int64_t i = 0; i < table->n; i++)
        group[i * table->lattice->d + j] = code[i] != SPT__NO_BIN ? of_bin[code[i]] : 0;
}

static int32_t group_rows(spt_ctx *ctx, const spt__table *table, uint8_t **group)
{
    const spt__lattice *f = table->lattice;
    /* Behind the groups of the rows there is room for those of the bins of one axis. */
    int32_t *count = spt__alloc(ctx, (size_t)f->places, sizeof *count);
    *group = spt__alloc(ctx, 1, (size_t)table->n * (size_t)f->d + (size_t)f->places);
    int32_t status = count != NULL && *group != NULL ? SPT_OK : spt__nomem(&ctx->err);
    for (int32_t j = 0; j < f->d && status >= 0; j++)
        group_axis(table, j, count, *group);
    spt__free(ctx, count);
    return status;
}

int32_t spt__forest_sample(int64_t n)
{
    const int32_t sample = (int32_t)lround(0.8 * (double)n);
    return sample >= 2 ? sample : n < 2 ? (int32_t)n : 2;
}

/* Small leaves while there are few rows; about a thousand leaves say all that many rows can. */
static int64_t least_rows(int64_t min_leaf, int64_t n)
{
    return min_leaf > 0 ? min_leaf : n > 5000 ? n / 1000 : 5;
}

int32_t spt__forest_grow(spt_ctx *ctx, const spt__table *rows, const spt__forest_settings *wanted,
                         spt__forest *forest)
{
    spt__forest_settings own = *wanted;
    const spt__forest_settings *settings = &own;
    const int32_t n = (int32_t)rows->n;
    spt__table grouped = *rows;
    const spt__table *table = &grouped;
    uint8_t *group = NULL;
    work w = {.ctx = ctx, .table = table, .settings = settings, .forest = forest};
    const size_t trees = (size_t)settings->trees;
    own.min_leaf = least_rows(wanted->min_leaf, n);
    w.sample = spt__forest_sample(n);
    w.outside = n - w.sample;
    for (int32_t i = 0; i < n; i++)
        w.mean += table->y[i] / n;
    *forest = (spt__forest){.ctx = ctx};
    forest->trees = spt__calloc(ctx, trees, sizeof *forest->trees);
    w.smooth = spt__alloc(ctx, (size_t)table->lattice->d, sizeof *w.smooth);
    w.rows = spt__alloc(ctx, trees * (size_t)w.outside, sizeof *w.rows);
    w.said = spt__alloc(ctx, trees * (size_t)w.outside, SHRINKS * sizeof *w.said);
    int32_t status = forest->trees != NULL && w.smooth != NULL && w.rows != NULL && w.said != NULL
                         ? SPT_OK
                         : spt__nomem(&ctx->err);
    if (forest->trees != NULL) forest->n = settings->trees;
    if (status >= 0) status = group_rows(ctx, table, &group);
    grouped.group = group;
    if (status >= 0) status = spt__smooth_choose(table, w.smooth, &ctx->err);
    if (status >= 0) status = spt__parallel(ctx, forest->n, one_tree, &w, &ctx->err);
    if (status >= 0 && spt__stopping(ctx)) status = SPT_STOP_HOST;
    if (status == SPT_OK) status = choose_shrink(&w);
    if (status == SPT_OK) status = spt__parallel(ctx, forest->n, shrink_tree, &w, &ctx->err);
    spt__free(ctx, group);
    spt__free(ctx, w.smooth);
    spt__free(ctx, w.rows);
    spt__free(ctx, w.said);
    if (status != SPT_OK) spt__forest_free(forest);
    return status;
}

void spt__forest_free(spt__forest *forest)
{
    for (int64_t i = 0; i < forest->n; i++)
        spt__tree_free(&forest->trees[i]);
    if (forest->ctx != NULL) spt__free(forest->ctx, forest->trees);
    *forest = (spt__forest){.ctx = NULL};
}
