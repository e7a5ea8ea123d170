/* A whole study in memory, and out of the tables. */
#include "image.h"

#include <string.h>

/* ---- in memory ---- */

void spt__image_init(spt__image *image, spt_ctx *ctx)
{
    memset(image, 0, sizeof *image);
    image->ctx = ctx;
}

void spt__image_free(spt__image *image)
{
    spt_ctx *ctx = image->ctx;
    for (int64_t i = 0; i < image->n; i++) {
        spt__free(ctx, image->trials[i].started);
        spt__free(ctx, image->trials[i].ended);
    }
    for (int k = 0; k < SPT__IMAGE_LISTS; k++) {
        for (int64_t i = 0; i < image->lists[k].n; i++) {
            spt__free(ctx, image->lists[k].items[i].key);
            spt__free(ctx, image->lists[k].items[i].text);
            spt__free(ctx, image->lists[k].items[i].data);
        }
        spt__free(ctx, image->lists[k].items);
    }
    spt__free(ctx, image->trials);
    spt__free(ctx, image->name);
    spt__image_init(image, ctx);
}

int32_t spt__image_rename(spt__image *image, const char *name)
{
    char *copy = spt__strdup(image->ctx, name);
    if (copy == NULL) return spt__nomem(&image->ctx->err);
    spt__free(image->ctx, image->name);
    image->name = copy;
    return SPT_OK;
}

/* A copy of a text that may be NULL; false when memory ran out. */
static bool copy_text(spt_ctx *ctx, const char *text, char **out)
{
    *out = text != NULL ? spt__strdup(ctx, text) : NULL;
    return text == NULL || *out != NULL;
}

spt__image_trial *spt__image_trial_add(spt__image *image, int64_t number, int32_t state,
                                       const char *started, const char *ended)
{
    if (image->n == image->capacity) {
        const int64_t capacity = image->capacity > 0 ? 2 * image->capacity : 64;
        spt__image_trial *grown =
            spt__realloc(image->ctx, image->trials, (size_t)capacity, sizeof *grown);
        if (grown == NULL) return NULL;
        image->trials = grown;
        image->capacity = capacity;
    }
    spt__image_trial *t = &image->trials[image->n];
    *t = (spt__image_trial){.id = -1, .number = number, .state = state};
    image->n++;
    return copy_text(image->ctx, started, &t->started) && copy_text(image->ctx, ended, &t->ended)
               ? t
               : NULL;
}

spt__item *spt__image_add(spt__image *image, spt__image_list list, int64_t trial, const char *key,
                          const char *text)
{
    if (image->lists[list].n == image->lists[list].capacity) {
        const int64_t capacity = image->lists[list].n > 0 ? 2 * image->lists[list].n : 64;
        spt__item *grown =
            spt__realloc(image->ctx, image->lists[list].items, (size_t)capacity, sizeof *grown);
        if (grown == NULL) return NULL;
        image->lists[list].items = grown;
        image->lists[list].capacity = capacity;
    }
    spt__item *item = &image->lists[list].items[image->lists[list].n];
    *item = (spt__item){.trial = trial, .value = NAN};
    image->lists[list].n++;
    return copy_text(image->ctx, key, &item->key) && copy_text(image->ctx, text, &item->text)
               ? item
               : NULL;
}

const spt__item *spt__image_items(const spt__image *image, spt__image_list list, int64_t trial,
                                  int64_t *n)
{
    const spt__item *items = image->lists[list].items;
    int64_t low = 0, high = image->lists[list].n;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (items[middle].trial < trial)
            low = middle + 1;
        else
            high = middle;
    }
    *n = 0;
    if (items == NULL) return NULL;
    while (low + *n < image->lists[list].n && items[low + *n].trial == trial)
        *n += 1;
    return items + low;
}

const spt__item *spt__image_find(const spt__image *image, spt__image_list list, int64_t trial,
                                 const char *key)
{
    int64_t n;
    const spt__item *items = spt__image_items(image, list, trial, &n);
    for (int64_t i = 0; i < n; i++)
        if (strcmp(items[i].key, key) == 0) return &items[i];
    return NULL;
}

static const char *const directions[][2] = {
    {"minimize", "MINIMIZE"}, {"maximize", "MAXIMIZE"}, {"not_set", "NOT_SET"}};

const char *spt__direction_name(const char *word)
{
    for (size_t i = 0; i < sizeof directions / sizeof directions[0]; i++)
        if (strcmp(directions[i][1], word) == 0) return directions[i][0];
    return word;
}

const char *spt__direction_word(const char *name)
{
    for (size_t i = 0; i < sizeof directions / sizeof directions[0]; i++)
        if (strcmp(directions[i][0], name) == 0) return directions[i][1];
    return NULL;
}

/* ---- out of the tables ---- */

/* Every list is asked for in one shape: trial_id (-1: of the study), key, text, number, value, word
 * for a value that is no number. */
static const char directions_sql[] =
    "SELECT -1, NULL, direction, objective, NULL, NULL FROM study_directions WHERE study_id = ?"
    " ORDER BY objective";
static const char study_user_sql[] =
    "SELECT -1, key, value_json, 0, NULL, NULL FROM study_user_attributes WHERE study_id = ?"
    " ORDER BY study_user_attribute_id";
static const char study_system_sql[] =
    "SELECT -1, key, value_json, 0, NULL, NULL FROM study_system_attributes WHERE study_id = ?"
    " ORDER BY study_system_attribute_id";
static const char user_sql[] =
    "SELECT a.trial_id, a.key, a.value_json, 0, NULL, NULL FROM trial_user_attributes a"
    " JOIN trials t ON t.trial_id = a.trial_id WHERE t.study_id = ?"
    " ORDER BY a.trial_id, a.trial_user_attribute_id";
static const char system_sql[] =
    "SELECT a.trial_id, a.key, a.value_json, 0, NULL, NULL FROM trial_system_attributes a"
    " JOIN trials t ON t.trial_id = a.trial_id WHERE t.study_id = ?"
    " ORDER BY a.trial_id, a.trial_system_attribute_id";
static const char parameters_sql[] =
    "SELECT p.trial_id, p.param_name, p.distribution_json, 0, p.param_value, NULL"
    " FROM trial_params p JOIN trials t ON t.trial_id = p.trial_id WHERE t.study_id = ?"
    " ORDER BY p.trial_id, p.param_id";
static const char values_sql[] =
    "SELECT v.trial_id, NULL, NULL, v.objective, v.value, v.value_type FROM trial_values v"
    " JOIN trials t ON t.trial_id = v.trial_id WHERE t.study_id = ?"
    " ORDER BY v.trial_id, v.objective";
static const char steps_sql[] =
    "SELECT i.trial_id, NULL, NULL, i.step, i.intermediate_value, i.intermediate_value_type"
    " FROM trial_intermediate_values i JOIN trials t ON t.trial_id = i.trial_id"
    " WHERE t.study_id = ? ORDER BY i.trial_id, i.step";

static int32_t read_trials(spt_store *s, int64_t study, spt__image *image)
{
    spt__cursor q;
    int32_t status;
    SPT__TRY(spt__db_query(s, &q,
                           "SELECT trial_id, number, state, datetime_start, datetime_complete"
                           " FROM trials WHERE study_id = ? ORDER BY trial_id",
                           "i", study));
    while ((status = spt__db_row(&q)) > 0) {
        const int32_t state = spt__state_of_word(spt__col_text(&q, 2));
        spt__image_trial *t = spt__image_trial_add(
            image, spt__col_int(&q, 1), state >= 0 ? state : SPT_TRIAL_FAILED, NULL, NULL);
        const char *started = spt__col_text(&q, 3), *ended = spt__col_text(&q, 4);
        if (t != NULL) {
            t->id = spt__col_int(&q, 0);
            t->started = started != NULL ? spt__time_full(s->ctx, started) : NULL;
            t->ended = ended != NULL ? spt__time_full(s->ctx, ended) : NULL;
        }
        if (t == NULL || (started != NULL && t->started == NULL) ||
            (ended != NULL && t->ended == NULL)) {
            spt__db_done(&q);
            return spt__nomem(&s->ctx->err);
        }
    }
    return status;
}

/* Index of the trial that a row belongs to, at or behind *at: both are in order of the ids. */
static int64_t trial_of(const spt__image *image, int64_t id, int64_t *at)
{
    if (id < 0) return -1;
    while (*at < image->n && image->trials[*at].id < id)
        *at += 1;
    return *at;
}

static int32_t read_list(spt_store *s, int64_t study, spt__image_list list, const char *sql,
                         spt__image *image)
{
    spt__cursor q;
    int64_t at = 0;
    int32_t status;
    SPT__TRY(spt__db_query(s, &q, sql, "i", study));
    while ((status = spt__db_row(&q)) > 0) {
        const char *key = spt__col_text(&q, 1), *text = spt__col_text(&q, 2),
                   *word = spt__col_text(&q, 5);
        const bool keyed =
            list == SPT__IMAGE_USER || list == SPT__IMAGE_SYSTEM || list == SPT__IMAGE_PARAMETERS;
        if (keyed && (key == NULL || text == NULL)) continue;
        spt__item *item =
            spt__image_add(image, list, trial_of(image, spt__col_int(&q, 0), &at), key, text);
        if (item == NULL) {
            spt__db_done(&q);
            return spt__nomem(&s->ctx->err);
        }
        item->number = spt__col_int(&q, 3);
        item->value = spt__col_double(&q, 4);
        if (word != NULL && strcmp(word, "INF_POS") == 0) item->value = INFINITY;
        if (word != NULL && strcmp(word, "INF_NEG") == 0) item->value = -INFINITY;
    }
    return status;
}

static int32_t read_blocks(spt_store *s, int64_t study, spt__image *image)
{
    spt__cursor q;
    int64_t at = 0;
    int32_t status;
    SPT__TRY(spt__db_query(s, &q,
                           "SELECT trial_id, key, data FROM spectune_blocks WHERE study_id = ?"
                           " ORDER BY trial_id, block_id",
                           "i", study));
    while ((status = spt__db_row(&q)) > 0) {
        spt__item *item =
            spt__image_add(image, SPT__IMAGE_BLOCKS, trial_of(image, spt__col_int(&q, 0), &at),
                           spt__col_text(&q, 1), NULL);
        int64_t size;
        const void *data = spt__col_bytes(&q, 2, &size);
        if (item != NULL) item->data = spt__alloc(s->ctx, (size_t)size, 1);
        if (item == NULL || item->data == NULL) {
            spt__db_done(&q);
            return spt__nomem(&s->ctx->err);
        }
        item->size = size;
        if (size > 0 && data != NULL) memcpy(item->data, data, (size_t)size);
    }
    return status;
}

static int32_t read_study(spt_store *s, int64_t study, spt__image *image)
{
    static const struct {
        spt__image_list list;
        const char *sql;
    } lists[] = {{SPT__IMAGE_DIRECTIONS, directions_sql},
                 {SPT__IMAGE_USER, study_user_sql},
                 {SPT__IMAGE_USER, user_sql},
                 {SPT__IMAGE_SYSTEM, study_system_sql},
                 {SPT__IMAGE_SYSTEM, system_sql},
                 {SPT__IMAGE_PARAMETERS, parameters_sql},
                 {SPT__IMAGE_VALUES, values_sql},
                 {SPT__IMAGE_STEPS, steps_sql}};
    spt__cursor q;
    SPT__TRY(spt__db_query(s, &q, "SELECT study_name FROM studies WHERE study_id = ?", "i", study));
    int32_t status = spt__db_row(&q);
    if (status > 0) {
        status = spt__col_copy(&q, 0, &image->name);
        spt__db_done(&q);
    }
    if (status >= 0) status = read_trials(s, study, image);
    for (size_t i = 0; i < sizeof lists / sizeof lists[0] && status >= 0; i++)
        status = read_list(s, study, lists[i].list, lists[i].sql, image);
    return status;
}

/* ---- transactions ---- */

typedef struct {
    const char *name;
    bool blocks;
    spt__image *image;
} reading;

static int32_t read_body(spt_store *s, void *arg)
{
    const reading *r = arg;
    int64_t study, ours = 0;
    spt__image_free(r->image); /* of a call before, whose connection was lost */
    SPT__TRY(spt__store_find_study(s, r->name, &study));
    SPT__TRY(read_study(s, study, r->image));
    if (r->blocks) SPT__TRY(spt__db_int(s, &ours, s->driver->count_table, "t", SPT__BLOCKS_TABLE));
    return ours != 0 ? read_blocks(s, study, r->image) : SPT_OK;
}

int32_t spt__image_read(spt_store *s, const char *study, bool blocks, spt__image *image)
{
    reading r = {study, blocks, image};
    if (!s->tables) return spt__store_find_study(s, study, &(int64_t){0}); /* which says so */
    return spt__db_transact(s, false, read_body, &r);
}
