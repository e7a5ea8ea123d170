/* Assigning rows, or whole groups of rows, to folds. */
#include "dataset.h"

#include "../base/rng.h"

static int32_t fail_limits(int32_t k, int64_t most, const char *things, spt__err *e)
{
    if (most < 2)
        return spt__fail(e, SPT_EINVAL, "folds is %d, but the number of %s is %lld; folds need 2",
                         (int)k, things, (long long)most);
    return spt__fail(e, SPT_EINVAL, "folds is %d; 2 to the number of %s (%lld) are possible",
                     (int)k, things, (long long)most);
}

static void shuffled(int64_t *items, int64_t n, uint64_t seed)
{
    spt__rng r;
    for (int64_t i = 0; i < n; i++)
        items[i] = i;
    spt__rng_init(&r, seed, SPT__RNG_FOLDS, 0, 0);
    spt__rng_shuffle(&r, items, n);
}

static int32_t folds_of_rows(spt_ctx *ctx, int64_t n, int32_t k, uint64_t seed, int32_t *fold)
{
    if (k < 2 || k > n) return fail_limits(k, n, "samples", &ctx->err);
    int64_t *order = spt__alloc(ctx, (size_t)n, sizeof *order);
    if (order == NULL) return spt__nomem(&ctx->err);
    shuffled(order, n, seed);
    for (int64_t i = 0; i < n; i++)
        fold[order[i]] = (int32_t)(i % k);
    spt__free(ctx, order);
    return SPT_OK;
}

/* Stable sort of the groups, largest first: a counting sort, as sizes run from 1 to n.
 * `place` has room for n + 2 counts. */
static void largest_first(const int64_t *order, const int64_t *size, int64_t n_groups, int64_t n,
                          int64_t *place, int64_t *sorted)
{
    for (int64_t s = 0; s < n + 2; s++)
        place[s] = 0;
    for (int64_t g = 0; g < n_groups; g++)
        place[n - size[g] + 1]++;
    for (int64_t s = 1; s < n + 2; s++)
        place[s] += place[s - 1];
    for (int64_t i = 0; i < n_groups; i++)
        sorted[place[n - size[order[i]]]++] = order[i];
}

static int32_t smallest(const int64_t *rows_in, int32_t k)
{
    int32_t best = 0;
    for (int32_t f = 1; f < k; f++)
        if (rows_in[f] < rows_in[best]) best = f;
    return best;
}

static int32_t folds_of_groups(spt_ctx *ctx, const spt_dataset *ds, int64_t column, int32_t k,
                               uint64_t seed, int32_t *fold)
{
    int64_t n = ds->n, n_groups = 0;
    /* group of each row; then per group: rows, shuffled order, sorted order, fold; counts */
    int64_t *group = spt__calloc(ctx, 6 * ((size_t)n + 2), sizeof *group);
    if (group == NULL) return spt__nomem(&ctx->err);
    int64_t *size = group + n, *order = size + n, *sorted = order + n, *fold_of = sorted + n,
            *count = fold_of + n;
    int32_t status = spt__dataset_groups(ds, column, group, &n_groups, &ctx->err);
    if (status >= 0 && (k < 2 || k > n_groups))
        status = fail_limits(k, n_groups, "groups", &ctx->err);
    if (status >= 0) {
        for (int64_t i = 0; i < n; i++)
            size[group[i]]++;
        shuffled(order, n_groups, seed);
        largest_first(order, size, n_groups, n, count, sorted);
        for (int32_t f = 0; f < k; f++)
            count[f] = 0;
        for (int64_t i = 0; i < n_groups; i++) {
            int32_t f = smallest(count, k);
            fold_of[sorted[i]] = f;
            count[f] += size[sorted[i]];
        }
        for (int64_t i = 0; i < n; i++)
            fold[i] = (int32_t)fold_of[group[i]];
    }
    spt__free(ctx, group);
    return status;
}

int32_t spt_dataset_folds(spt_ctx *ctx, const spt_dataset *dataset, const char *group, int32_t k,
                          uint64_t seed, int32_t *fold, int64_t capacity)
{
    SPT__REQUIRE(ctx != NULL && dataset != NULL);
    if (fold == NULL) return spt__fail(&ctx->err, SPT_EINVAL, "the array for the folds is NULL");
    SPT__TRY(spt__check_capacity(capacity, dataset->n, "the folds of the rows", &ctx->err));
    if (group == NULL) return folds_of_rows(ctx, dataset->n, k, seed, fold);
    int64_t column = 0;
    SPT__TRY(spt__dataset_column_named(dataset, group, &column, &ctx->err));
    return folds_of_groups(ctx, dataset, column, k, seed, fold);
}
