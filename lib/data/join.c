/* The columns of a second CSV file beside a dataset. */
#include "table.h"

#include "../base/file.h"
#include "textmap.h"

typedef struct matches {
    int64_t *rows; /* the file's row for each row of the dataset, -1: none */
    int64_t matched, unused;
} matches;

static char plain(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* "PointID", "POINT_ID" and "point id" are one name. */
static bool same_name(const char *a, const char *b)
{
    for (;; a++, b++) {
        while (*a == '_' || *a == ' ' || *a == '.')
            a++;
        while (*b == '_' || *b == ' ' || *b == '.')
            b++;
        if (plain(*a) != plain(*b)) return false;
        if (*a == '\0') return true;
    }
}

/* The dataset's column of the key's name, or else the one that names its rows; -1: neither. */
static int64_t own_key(const spt_dataset *ds, const char *key)
{
    for (int64_t k = 0; k < ds->n_columns; k++)
        if (same_name(ds->columns[k]->name, key)) return k;
    return ds->id_column;
}

/* Row of the file that has each id. */
static int32_t index_ids(spt__textmap *map, const spt__table *t, const spt__pool *pool, spt__err *e)
{
    const spt__field *id = &t->fields[t->id_field];
    for (int64_t i = 0; i < t->n; i++) {
        if (id->at[i] < 0) continue;
        const char *text = pool->data + id->at[i];
        int64_t first = spt__textmap_put(map, text, i);
        if (first != i)
            return spt__fail(e, SPT_EDATA,
                             "rows %lld and %lld have the same '%s' ('%.60s'); each may stand once",
                             (long long)(first + 1), (long long)(i + 1), id->name, text);
    }
    return SPT_OK;
}

static int32_t find_matches(matches *m, const spt_dataset *ds, const spt__column *own,
                            const spt__table *t, const spt__pool *pool, spt__err *e)
{
    spt__textmap map;
    int32_t status = SPT_ENOMEM;
    if (spt__textmap_init(&map, t->ctx, t->n) < 0) return spt__nomem(e);
    bool *used = spt__calloc(t->ctx, (size_t)t->n, sizeof *used);
    m->rows = spt__alloc(t->ctx, (size_t)ds->n, sizeof *m->rows);
    if (used == NULL || m->rows == NULL)
        (void)spt__nomem(e);
    else
        status = index_ids(&map, t, pool, e);
    for (int64_t i = 0; status >= 0 && i < ds->n; i++) {
        const char *id = own->texts[i];
        m->rows[i] = id == NULL ? -1 : spt__textmap_get(&map, id);
        if (m->rows[i] < 0) continue;
        m->matched++;
        used[m->rows[i]] = true;
    }
    for (int64_t i = 0; status >= 0 && i < t->n; i++)
        m->unused += !used[i];
    if (status >= 0 && m->matched == 0)
        status = spt__fail(
            e, SPT_EDATA,
            "no '%s' is the '%s' of a spectrum; the first of the spectra is '%.60s', "
            "the first here '%.60s'",
            t->fields[t->id_field].name, own->name, own->texts[0] == NULL ? "" : own->texts[0],
            t->fields[t->id_field].at[0] < 0 ? "" : pool->data + t->fields[t->id_field].at[0]);
    spt__free(t->ctx, used);
    spt__textmap_free(&map);
    return status;
}

static int32_t put_fields(spt_dataset *ds, const spt__table *t, spt__pool *pool, const matches *m,
                          const char *name, spt__err *e)
{
    for (int64_t k = 0; k < t->n_fields; k++) {
        const spt__field *f = &t->fields[k];
        if (f->skip || k == t->id_field || spt__field_is_trace(t, f)) continue;
        if (spt_dataset_find_column(ds, f->name) >= 0) {
            SPT__TRY(
                spt__dataset_note(ds, e,
                                  "warning: column '%s' of %s is left out: the dataset has one "
                                  "of this name",
                                  f->name, name));
            continue;
        }
        SPT__TRY(
            spt__dataset_put_column(ds, spt__field_column(ds->ctx, f, pool, m->rows, ds->n), e));
        SPT__TRY(spt__field_note(ds, t, f, pool, e));
    }
    return spt__dataset_note(
        ds, e,
        "%s joined by '%s': %lld rows have a match, %lld have none; %lld rows of "
        "the file are not used",
        name, t->fields[t->id_field].name, (long long)m->matched, (long long)(ds->n - m->matched),
        (long long)m->unused);
}

static int32_t join(spt_ctx *ctx, const spt_dataset *from, spt__table *t, const char *name,
                    spt_dataset **out)
{
    spt__err *e = &ctx->err;
    matches m = {0};
    if (t->id_field < 0)
        return spt__fail(e, SPT_EINVAL, "no column has a usual name of ids; the key names it");
    int64_t key = own_key(from, t->fields[t->id_field].name);
    if (key < 0)
        return spt__fail(e, SPT_EINVAL,
                         "the dataset has no column '%s', and none that names its rows",
                         t->fields[t->id_field].name);
    spt_dataset *ds = NULL;
    spt__pool *pool = spt__table_take_pool(t);
    int32_t status =
        pool == NULL ? spt__nomem(e) : find_matches(&m, from, from->columns[key], t, pool, e);
    if (status >= 0) ds = spt__dataset_like(ctx, from, from->spectra, from->n, from->p, true);
    if (status >= 0 && ds == NULL) status = spt__nomem(e);
    if (status >= 0) status = spt__dataset_copy_rows(ds, from, e);
    if (status >= 0) status = put_fields(ds, t, pool, &m, name, e);
    spt__free(ctx, m.rows);
    spt__pool_unref(pool);
    if (status < 0)
        spt_dataset_free(ds);
    else
        *out = ds;
    return status;
}

int32_t spt_dataset_join_csv(spt_ctx *ctx, const spt_dataset *dataset, const char *path,
                             const char *key, const spt_options *options, spt_dataset **out)
{
    spt__table_wish wish;
    spt__table t;
    char *data = NULL;
    size_t size = 0;
    if (out != NULL) *out = NULL;
    SPT__REQUIRE(ctx != NULL && dataset != NULL && out != NULL);
    SPT__TRY(spt__table_wish_of(&wish, options, &ctx->err));
    wish.spectra = false;
    wish.bands = "";
    wish.id = key != NULL ? key : "";
    SPT__TRY(spt__file_read(ctx, path, &data, &size, &ctx->err));
    int32_t status = spt__table_read(&t, ctx, data, size, &wish, &ctx->err);
    if (status >= 0) status = join(ctx, dataset, &t, path, out);
    spt__table_free(&t);
    spt__free(ctx, data);
    return status < 0 ? spt__fail_prefix(&ctx->err, "%s: ", path) : status;
}
