/* Repeated scans become one row. */
#include "dataset.h"

#include "../base/text.h"

#include <math.h>
#include <string.h>

/* Rows by group: those of group g are at members[start[g]] .. members[start[g + 1] - 1]. */
typedef struct grouping {
    int64_t n; /* groups */
    int64_t *start, *members;
} grouping;

static void grouping_free(grouping *g, spt_ctx *ctx)
{
    spt__free(ctx, g->start);
    spt__free(ctx, g->members);
}

static int32_t grouping_make(grouping *g, spt_ctx *ctx, const spt_dataset *ds, int64_t column)
{
    int32_t status = SPT_ENOMEM;
    memset(g, 0, sizeof *g);
    int64_t *group = spt__alloc(ctx, (size_t)ds->n, sizeof *group);
    g->start = spt__calloc(ctx, (size_t)ds->n + 2, sizeof *g->start);
    g->members = spt__alloc(ctx, (size_t)ds->n, sizeof *g->members);
    if (group == NULL || g->start == NULL || g->members == NULL)
        (void)spt__nomem(&ctx->err);
    else
        status = spt__dataset_groups(ds, column, group, &g->n, &ctx->err);
    if (status >= 0) {
        /* Counted one place up, so that filling moves start[g + 1] to where group g ends. */
        for (int64_t i = 0; i < ds->n; i++)
            g->start[group[i] + 2]++;
        for (int64_t k = 2; k <= g->n + 1; k++)
            g->start[k] += g->start[k - 1];
        for (int64_t i = 0; i < ds->n; i++)
            g->members[g->start[group[i] + 1]++] = i;
    }
    spt__free(ctx, group);
    return status;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* True when all rows of group k have one text, or all have none. */
static bool agrees(const spt__column *c, const grouping *g, int64_t k)
{
    const char *first = c->texts[g->members[g->start[k]]];
    for (int64_t m = g->start[k] + 1; m < g->start[k + 1]; m++)
        if (!same_text(c->texts[g->members[m]], first)) return false;
    return true;
}

static double mean_present(const spt__column *c, const grouping *g, int64_t k)
{
    double sum = 0;
    int64_t present = 0;
    for (int64_t m = g->start[k]; m < g->start[k + 1]; m++) {
        double v = c->numbers[g->members[m]];
        if (isnan(v)) continue;
        sum += v;
        present++;
    }
    return present == 0 ? NAN : sum / (double)present;
}

/* One column of the result. `exact`: a name of rows, whose numbers have no mean. */
static spt__column *average_column(spt_ctx *ctx, const spt__column *c, const grouping *g,
                                   bool exact)
{
    spt__column *to = NULL, *means = NULL;
    double *values = NULL;
    if (c->numbers != NULL && !exact) {
        values = spt__alloc(ctx, (size_t)g->n, sizeof *values);
        for (int64_t k = 0; values != NULL && k < g->n; k++)
            values[k] =
                agrees(c, g, k) ? c->numbers[g->members[g->start[k]]] : mean_present(c, g, k);
        if (values != NULL) means = spt__column_of_numbers(ctx, c->name, values, g->n);
        spt__free(ctx, values);
        return means;
    }
    to = spt__column_new(ctx, c->name, c->kind, g->n, c->pool);
    for (int64_t k = 0; to != NULL && k < g->n; k++) {
        if (!agrees(c, g, k)) continue;
        int64_t row = g->members[g->start[k]];
        to->texts[k] = c->texts[row];
        if (to->numbers != NULL) to->numbers[k] = c->numbers[row];
    }
    return to;
}

static int32_t average_columns(spt_dataset *to, const spt_dataset *from, const grouping *g,
                               int64_t by, spt__err *e)
{
    for (int64_t k = 0; k < from->n_columns; k++)
        SPT__TRY(spt__dataset_put_column(
            to, average_column(to->ctx, from->columns[k], g, k == by || k == from->id_column), e));
    /* The ids stay where they agree; where they do not, the rows are called by what they share. */
    bool keep = from->id_column >= 0;
    for (int64_t k = 0; keep && k < g->n; k++)
        keep = agrees(from->ids, g, k);
    return spt__dataset_set_ids(to, keep ? from->id_column : by, e);
}

static int32_t average_spectra(const spt_dataset *from, const grouping *g, double *to, double *row,
                               spt__err *e)
{
    for (int64_t k = 0; k < g->n; k++) {
        double *mean = to + k * from->p; /* zeroed */
        for (int64_t m = g->start[k]; m < g->start[k + 1]; m++) {
            if (from->spectra->lenient)
                spt__dataset_read(from, g->members[m], 0, from->p, row);
            else
                SPT__TRY(spt__dataset_row(from, g->members[m], row, e));
            for (int64_t j = 0; j < from->p; j++)
                mean[j] += row[j];
        }
        double count = (double)(g->start[k + 1] - g->start[k]);
        for (int64_t j = 0; j < from->p; j++)
            mean[j] /= count;
    }
    return SPT_OK;
}

int32_t spt_dataset_average(spt_ctx *ctx, const spt_dataset *dataset, const char *column,
                            spt_dataset **out)
{
    if (out != NULL) *out = NULL;
    SPT__REQUIRE(ctx != NULL && dataset != NULL && out != NULL);
    spt__err *e = &ctx->err;
    int64_t by = 0;
    SPT__TRY(spt__dataset_column_named(dataset, column, &by, e));
    grouping g;
    spt_dataset *ds = NULL;
    spt__spectra *s = NULL;
    double *row = NULL;
    int32_t status = grouping_make(&g, ctx, dataset, by);
    if (status < 0) goto done;
    s = spt__spectra_new(ctx, SPT_FLOAT64, g.n, dataset->p);
    row = spt__alloc(ctx, (size_t)dataset->p, sizeof *row);
    if (s != NULL && row != NULL) ds = spt__dataset_like(ctx, dataset, s, g.n, dataset->p, false);
    if (ds == NULL) {
        status = spt__nomem(e);
        goto done;
    }
    s->lenient = dataset->spectra->lenient;
    s->checked = !s->lenient;
    status = average_spectra(dataset, &g, s->own, row, e);
    if (status >= 0) status = average_columns(ds, dataset, &g, by, e);
    if (status >= 0)
        status = spt__dataset_note(ds, e, "%lld rows averaged to %lld by '%s'",
                                   (long long)dataset->n, (long long)g.n, column);
done:
    spt__free(ctx, row);
    spt__spectra_unref(s);
    grouping_free(&g, ctx);
    if (status < 0)
        spt_dataset_free(ds);
    else
        *out = ds;
    return status;
}
