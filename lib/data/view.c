/* Columns, ids and fingerprints of a dataset. */
#include "dataset.h"

#include "../base/file.h"
#include "../base/text.h"
#include "textmap.h"

#include <math.h>
#include <string.h>

int64_t spt_dataset_columns(const spt_dataset *dataset)
{
    return dataset == NULL ? SPT_EINVAL : dataset->n_columns;
}

static bool has_column(const spt_dataset *ds, int64_t column)
{
    return ds != NULL && column >= 0 && column < ds->n_columns;
}

int32_t spt_dataset_column(const spt_dataset *dataset, int64_t index, spt_column_info *info)
{
    SPT__REQUIRE(has_column(dataset, index) && info != NULL);
    const spt__column *c = dataset->columns[index];
    spt_column_info ours;
    spt_record_init(&ours, sizeof ours);
    ours.kind = c->kind;
    ours.name = c->name;
    ours.low = ours.high = NAN;
    ours.is_id = index == dataset->id_column;
    spt__textmap map;
    int32_t status = spt__textmap_init(&map, dataset->ctx, c->n);
    if (status < 0) return status;
    for (int64_t i = 0; i < c->n; i++) {
        if (c->texts[i] == NULL) {
            ours.n_missing++;
            continue;
        }
        (void)spt__textmap_put(&map, c->texts[i], i);
        if (c->numbers == NULL) continue;
        ours.low = fmin(ours.low, c->numbers[i]); /* fmin and fmax pass over NaN */
        ours.high = fmax(ours.high, c->numbers[i]);
    }
    ours.n_distinct = map.used;
    spt__textmap_free(&map);
    return spt__record_out(info, &ours, sizeof ours);
}

int64_t spt_dataset_find_column(const spt_dataset *dataset, const char *name)
{
    SPT__REQUIRE(dataset != NULL && name != NULL);
    for (int64_t i = 0; i < dataset->n_columns; i++)
        if (strcmp(dataset->columns[i]->name, name) == 0) return i;
    return SPT_ENOTFOUND;
}

int32_t spt__dataset_column_named(const spt_dataset *ds, const char *name, int64_t *index,
                                  spt__err *e)
{
    if (name == NULL) return spt__fail(e, SPT_EINVAL, "the column's name is NULL");
    *index = spt_dataset_find_column(ds, name);
    if (*index >= 0) return SPT_OK;
    if (ds->n_columns == 0)
        return spt__fail(e, SPT_ENOTFOUND, "no column '%s': the dataset has spectra only", name);
    const char **names = spt__alloc(ds->ctx, (size_t)ds->n_columns, sizeof *names);
    if (names == NULL) return spt__nomem(e);
    for (int64_t i = 0; i < ds->n_columns; i++)
        names[i] = ds->columns[i]->name;
    const char *near = spt__nearest(name, names, (size_t)ds->n_columns);
    int32_t status =
        spt__fail(e, SPT_ENOTFOUND, "no column '%s'; %s '%s'", name,
                  near != NULL ? "the nearest is" : "the first is", near != NULL ? near : names[0]);
    spt__free(ds->ctx, names);
    return status;
}

int32_t spt_dataset_numbers(const spt_dataset *dataset, int64_t column, double *out,
                            int64_t capacity)
{
    SPT__REQUIRE(has_column(dataset, column) && out != NULL);
    SPT__REQUIRE(dataset->columns[column]->numbers != NULL);
    if (capacity < dataset->n) return SPT_ECAPACITY;
    memcpy(out, dataset->columns[column]->numbers, (size_t)dataset->n * sizeof *out);
    return SPT_OK;
}

const char *spt_dataset_text(const spt_dataset *dataset, int64_t row, int64_t column)
{
    if (!has_column(dataset, column) || row < 0 || row >= dataset->n) return NULL;
    return dataset->columns[column]->texts[row];
}

const char *spt_dataset_id(const spt_dataset *dataset, int64_t row)
{
    if (dataset == NULL || row < 0 || row >= dataset->n) return NULL;
    return dataset->ids->texts[row];
}

int32_t spt__dataset_groups(const spt_dataset *ds, int64_t column, int64_t *group,
                            int64_t *n_groups, spt__err *e)
{
    const spt__column *c = ds->columns[column];
    spt__textmap map;
    if (spt__textmap_init(&map, ds->ctx, c->n) < 0) return spt__nomem(e);
    *n_groups = 0;
    for (int64_t i = 0; i < c->n; i++) {
        group[i] = c->texts[i] == NULL ? *n_groups : spt__textmap_put(&map, c->texts[i], *n_groups);
        if (group[i] == *n_groups) (*n_groups)++;
    }
    spt__textmap_free(&map);
    return SPT_OK;
}

/* ---- fingerprints ---------------------------------------------------------------------------- */

static void put_spectra(spt__sha256 *s, const spt_dataset *ds)
{
    double part[256];
    spt__sha256_int64(s, ds->n);
    spt__sha256_int64(s, ds->p);
    for (int64_t i = 0; i < ds->n; i++) {
        for (int64_t first = 0; first < ds->p; first += 256) {
            int64_t count = ds->p - first < 256 ? ds->p - first : 256;
            spt__dataset_read(ds, i, first, count, part);
            for (int64_t j = 0; j < count; j++)
                spt__sha256_double(s, part[j]);
        }
    }
}

static void put_column(spt__sha256 *s, const spt__column *c)
{
    spt__sha256_int64(s, c->kind);
    spt__sha256_int64(s, c->n);
    for (int64_t i = 0; i < c->n; i++) {
        spt__sha256_int64(s, c->texts[i] != NULL); /* NaN has many forms, a missing value one */
        if (c->texts[i] == NULL) continue;
        if (c->numbers != NULL)
            spt__sha256_double(s, c->numbers[i]);
        else
            spt__sha256_text(s, c->texts[i]);
    }
}

int32_t spt_dataset_fingerprint(const spt_dataset *dataset, int32_t part, int64_t column,
                                char out[65])
{
    spt__sha256 s;
    SPT__REQUIRE(dataset != NULL && out != NULL);
    spt__sha256_init(&s);
    switch (part) {
    case SPT_PART_SPECTRA:
        put_spectra(&s, dataset);
        break;
    case SPT_PART_AXIS:
        spt__sha256_text(&s, spt_axis_unit_name(dataset->axis_unit));
        spt__sha256_int64(&s, dataset->p);
        for (int64_t j = 0; j < dataset->p; j++)
            spt__sha256_double(&s, dataset->axis[j]);
        break;
    case SPT_PART_COLUMN:
        SPT__REQUIRE(has_column(dataset, column));
        put_column(&s, dataset->columns[column]);
        break;
    default:
        return SPT_EINVAL;
    }
    spt__sha256_hex(&s, out);
    return SPT_OK;
}
