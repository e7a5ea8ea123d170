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
    spt__cursor q;
    int32_t status;
    SPT__TRY(spt__db_query(s, &q,
                           "SELECT p.param_name, p.distribution_json FROM trial_params p"
                           " JOIN trials t ON t.trial_id = p.trial_id WHERE t.study_id = ?"
                           " GROUP BY p.param_name, p.distribution_json ORDER BY min(p.param_id)",
                           "i", study));
    while ((status = spt__db_row(&q)) > 0) {
        const char *name = spt__col_text(&q, 0), *json = spt__col_text(&q, 1);
        spt__foreign *f = NULL;
        if (name == NULL || json == NULL) continue;
        status = find_or_add(s->ctx, all, name, &f);
        if (status >= 0) status = spt__json_widen(s->ctx, f, json);
        if (status < 0) break;
    }
    spt__db_done(&q);
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

int32_t spt__store_distribution(spt_store *s, int64_t study, const char *parameter, char **json)
{
    spt__cursor q;
    *json = NULL;
    SPT__TRY(spt__db_query(s, &q,
                           "SELECT p.distribution_json FROM trial_params p"
                           " JOIN trials t ON t.trial_id = p.trial_id"
                           " WHERE t.study_id = ? AND p.param_name = ? ORDER BY p.param_id LIMIT 1",
                           "it", study, parameter));
    const int32_t row = spt__db_row(&q);
    const int32_t status = row > 0 ? spt__col_copy(&q, 0, json) : row;
    spt__db_done(&q);
    return status;
}

/* Would Optuna go on with the study after us? It wants the same kind, scale and choices. */
static int32_t fits(const spt__foreign *f, const spt__parameter *p, spt__err *e)
{
    const bool choices = p->n_choices > 0;
    bool same = choices == (f->type == SPT_PARAMETER_CATEGORICAL);
    if (same && choices) {
        same = f->n_choices == p->n_choices && f->texts == (p->type != SPT_PARAMETER_BOOL);
        for (int32_t i = 0; i < f->n_choices && same; i++)
            same = strcmp(f->choices[i], p->choices[i]) == 0;
    } else if (same) {
        same = f->type == p->type && f->log == p->log;
    }
    return same ? SPT_OK
                : spt__fail(e, SPT_EMISMATCH,
                            "parameter '%s' is of another kind, scale or list of choices in the"
                            " trials that the study has",
                            p->name);
}

int32_t spt__store_fits(spt_store *s, int64_t study, const spt_space *space)
{
    foreigns all = {NULL, 0, 0};
    int32_t status = collect(s, study, &all);
    for (int32_t i = 0; i < all.n && status >= 0; i++) {
        const int32_t at = spt_space_find(space, all.items[i].name);
        if (at >= 0) status = fits(&all.items[i], &space->parameters[at], &s->ctx->err);
    }
    for (int32_t i = 0; i < all.n; i++)
        spt__foreign_clear(s->ctx, &all.items[i]);
    spt__free(s->ctx, all.items);
    return status;
}
