/* A space for a study that Optuna made: it keeps a distribution with every value, and no tree. */
#include "db.h"

#include <string.h>

typedef struct {
    spt__foreign *items;
    int32_t n, capacity;
} foreigns;

static int32_t find_or_add(spt_ctx *ctx, foreigns *all, const char *name, spt__foreign **out)
{
    for (int32_t i = 0; i < all->n; i++)
        if (strcmp(all->items[i].name, name) == 0) {
            *out = &all->items[i];
            return SPT_OK;
        }
    if (all->n == all->capacity) {
        const int32_t capacity = all->capacity > 0 ? 2 * all->capacity : 16;
        spt__foreign *grown = spt__realloc(ctx, all->items, (size_t)capacity, sizeof *grown);
        if (grown == NULL) return spt__nomem(&ctx->err);
        all->items = grown;
        all->capacity = capacity;
    }
    *out = &all->items[all->n];
    **out = (spt__foreign){.name = spt__strdup(ctx, name)};
    if ((*out)->name == NULL) return spt__nomem(&ctx->err);
    all->n++;
    return SPT_OK;
}

static int32_t collect(spt_store *s, int64_t study, foreigns *all)
{
    sqlite3_stmt *q;
    int32_t status;
    SPT__TRY(spt__db_query(s, &q,
                           "SELECT p.param_name, p.distribution_json FROM trial_params p"
                           " JOIN trials t ON t.trial_id = p.trial_id WHERE t.study_id = ?"
                           " GROUP BY p.param_name, p.distribution_json ORDER BY min(p.param_id)",
                           "i", study));
    while ((status = spt__db_row(s, q)) > 0) {
        const char *name = (const char *)sqlite3_column_text(q, 0);
        const char *json = (const char *)sqlite3_column_text(q, 1);
        spt__foreign *f = NULL;
        status = name != NULL && json != NULL ? find_or_add(s->ctx, all, name, &f) : SPT_OK;
        if (status >= 0 && name != NULL && json != NULL) status = spt__json_widen(s->ctx, f, json);
        if (status < 0) {
            spt__db_done(q);
            return status;
        }
    }
    return status;
}

static int32_t add(spt_space *space, const spt__foreign *f, spt__err *e)
{
    if (f->type == SPT_PARAMETER_CATEGORICAL) {
        const spt__parameter p = {.name = f->name, .type = f->type, .n_choices = f->n_choices};
        return spt__space_add(space, &p, (const char *const *)f->choices, e);
    }
    const bool grid = f->step > 0 && f->high > f->low;
    const spt__parameter p = {.name = f->name,
                              .type = f->type,
                              .log = f->log,
                              .low = f->low,
                              .high = f->high,
                              .step = f->type == SPT_PARAMETER_INT ? fmax(1, f->step)
                                      : grid                       ? f->step
                                                                   : 0,
                              .value = f->low};
    return spt__space_add(space, &p, NULL, e);
}

int32_t spt__store_infer(spt_store *s, int64_t study, spt_space **out)
{
    foreigns all = {NULL, 0, 0};
    int32_t status = collect(s, study, &all);
    if (status >= 0) status = spt_space_new(s->ctx, "inferred", out);
    for (int32_t i = 0; i < all.n && status >= 0; i++)
        status = add(*out, &all.items[i], &s->ctx->err);
    for (int32_t i = 0; i < all.n; i++)
        spt__foreign_clear(s->ctx, &all.items[i]);
    spt__free(s->ctx, all.items);
    if (status < 0) {
        spt_space_free(*out);
        *out = NULL;
        return spt__fail_prefix(&s->ctx->err, "%s: ", s->path);
    }
    return SPT_OK;
}
