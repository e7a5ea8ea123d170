/* Studies by name, what is on record with them, blocks of bytes. */
#include "db.h"

#include <string.h>

enum { NAME_LENGTH = 512 };

/* ---- names ---- */

typedef struct nth {
    int64_t index;
    char *name;
} nth;

static int32_t name_at(spt_store *s, void *arg)
{
    nth *n = arg;
    spt__cursor q;
    SPT__TRY(spt__db_query(
        s, &q, "SELECT study_name FROM studies ORDER BY study_id LIMIT 1 OFFSET ?", "i", n->index));
    const int32_t row = spt__db_row(&q);
    const int32_t status = row > 0 ? spt__col_copy(&q, 0, &n->name) : row;
    spt__db_done(&q);
    return status;
}

const char *spt_store_study(spt_store *s, int64_t index)
{
    nth n = {index, NULL};
    if (s == NULL || index < 0 || !s->tables) return NULL;
    if (spt__db_transact(s, false, name_at, &n) < 0 || n.name == NULL) return NULL;
    spt__free(s->ctx, s->study_name);
    s->study_name = n.name;
    return n.name;
}

/* "a, b, c and 4 more" */
static void list_studies(spt_store *s, spt__buf *b)
{
    const char *name;
    int64_t n = 0;
    for (; n < 5 && (name = spt_store_study(s, n)) != NULL; n++)
        spt__buf_printf(b, "%s'%s'", n > 0 ? ", " : "", name);
    int64_t all = 0;
    if (spt__db_int(s, &all, "SELECT count(*) FROM studies", "") == SPT_OK && all > n)
        spt__buf_printf(b, " and %lld more", (long long)(all - n));
}

static int32_t fail_study(spt_store *s, const char *name)
{
    spt__buf b;
    spt__buf_init(&b, s->ctx);
    if (s->tables) list_studies(s, &b);
    const char *list = b.size > 0 && !b.failed ? b.data : NULL;
    int32_t status;
    if (list == NULL)
        status = spt__fail(&s->ctx->err, SPT_ENOTFOUND, "%s: holds no study", s->path);
    else if (name != NULL)
        status = spt__fail(&s->ctx->err, SPT_ENOTFOUND, "%s: has no study '%s'; it has %s", s->path,
                           name, list);
    else
        status = spt__fail(&s->ctx->err, SPT_EINVAL,
                           "%s: has several studies, one must be named: %s", s->path, list);
    spt__buf_free(&b);
    return status;
}

static int32_t find(spt_store *s, const char *name, int64_t *study)
{
    return spt__db_int(s, study, "SELECT study_id FROM studies WHERE study_name = ?", "t", name);
}

typedef struct sought {
    const char *name;
    int64_t *study;
} sought;

static int32_t find_body(spt_store *s, void *arg)
{
    const sought *f = arg;
    int64_t n = 0;
    if (f->name == NULL) {
        SPT__TRY(spt__db_int(s, &n, "SELECT count(*) FROM studies", ""));
        if (n != 1) return fail_study(s, NULL);
        return spt__db_int(s, f->study, "SELECT study_id FROM studies", "");
    }
    const int32_t status = find(s, f->name, f->study);
    return status == SPT_ENOTFOUND ? fail_study(s, f->name) : status;
}

int32_t spt__store_find_study(spt_store *s, const char *name, int64_t *study)
{
    sought f = {name, study};
    return s->tables ? spt__db_transact(s, false, find_body, &f) : fail_study(s, name);
}

/* ---- making one ---- */

static int32_t set_attribute(spt_store *s, bool system, int64_t study, const char *key,
                             const char *text)
{
    spt__buf b;
    spt__buf_init(&b, s->ctx);
    spt__buf_json(&b, text);
    int32_t status = SPT_OK;
    if (b.failed)
        status = spt__nomem(&s->ctx->err);
    else if (system)
        status = spt__db_run(s,
                             "INSERT INTO study_system_attributes (study_id, key, value_json)"
                             " VALUES (?, ?, ?) ON CONFLICT (study_id, key)"
                             " DO UPDATE SET value_json = excluded.value_json",
                             "itt", study, key, b.data);
    else
        status = spt__db_run(s,
                             "INSERT INTO study_user_attributes (study_id, key, value_json)"
                             " VALUES (?, ?, ?) ON CONFLICT (study_id, key)"
                             " DO UPDATE SET value_json = excluded.value_json",
                             "itt", study, key, b.data);
    spt__buf_free(&b);
    return status;
}

static int32_t put_space(spt_store *s, int64_t study, const spt_space *space)
{
    spt__buf xml;
    spt__buf_init(&xml, s->ctx);
    spt__space_print(space, &xml);
    int32_t status = xml.failed ? spt__nomem(&s->ctx->err)
                                : set_attribute(s, true, study, SPT__SPACE_KEY, xml.data);
    spt__buf_free(&xml);
    if (status < 0) return status;
    return spt__db_run(s,
                       "INSERT INTO study_system_attributes (study_id, key, value_json)"
                       " VALUES (?, '" SPT__FORMAT_KEY "', ?) ON CONFLICT (study_id, key)"
                       " DO UPDATE SET value_json = excluded.value_json",
                       "it", study, SPT__STORE_FORMAT_TEXT);
}

typedef struct making {
    const char *name;
    const spt_space *space;
    int64_t *study;
    bool *made;
} making;

static int32_t make_body(spt_store *s, void *arg)
{
    const making *m = arg;
    *m->made = false;
    /* Another process may have been here since we looked. */
    if (!s->tables) SPT__TRY(spt__schema_make(s));
    int32_t status = find(s, m->name, m->study);
    if (status != SPT_ENOTFOUND) return status;
    status = spt__db_int(s, m->study,
                         "INSERT INTO studies (study_name) VALUES (?) ON CONFLICT DO NOTHING"
                         " RETURNING study_id",
                         "t", m->name);
    /* Somebody was faster, between our question and our answer. */
    if (status == SPT_ENOTFOUND) return find(s, m->name, m->study);
    if (status < 0) return status;
    SPT__TRY(spt__db_run(s,
                         "INSERT INTO study_directions (direction, study_id, objective)"
                         " VALUES ('MINIMIZE', ?, 0)",
                         "i", *m->study));
    *m->made = true;
    return put_space(s, *m->study, m->space);
}

int32_t spt__store_make_study(spt_store *s, const char *name, const spt_space *space,
                              int64_t *study, bool *made)
{
    sought f = {name, study};
    making m = {name, space, study, made};
    *made = false;
    if (name == NULL || *name == '\0' || strlen(name) > NAME_LENGTH)
        return spt__fail(&s->ctx->err, SPT_EINVAL, "a study's name has 1 to %d bytes, not %zu",
                         (int)NAME_LENGTH, name != NULL ? strlen(name) : 0);
    if (s->tables) {
        const spt__err before = s->ctx->err;
        const int32_t status = spt__db_transact(s, false, find_body, &f);
        if (status != SPT_ENOTFOUND) return status;
        s->ctx->err = before;
    }
    SPT__TRY(spt__space_freeze(space, &s->ctx->err));
    if (s->db == NULL) SPT__TRY(s->driver->open(s, true));
    const int32_t status = spt__db_transact(s, true, make_body, &m);
    if (status < 0)
        *made = false;
    else
        s->tables = true;
    return status;
}

/* ---- the space on record ---- */

typedef struct reading {
    int64_t study;
    spt_space **out;
    bool inferred;
} reading;

static int32_t read_space(spt_store *s, void *arg)
{
    reading *r = arg;
    spt__cursor q;
    int64_t format = 0;
    char *json = NULL, *xml;
    r->inferred = false;
    int32_t status = spt__db_int(s, &format,
                                 "SELECT CAST(value_json AS INTEGER) FROM study_system_attributes"
                                 " WHERE study_id = ? AND key = '" SPT__FORMAT_KEY "'",
                                 "i", r->study);
    if (status < 0 && status != SPT_ENOTFOUND) return status;
    if (format > SPT__STORE_FORMAT)
        return spt__fail(&s->ctx->err, SPT_EVERSION,
                         "%s: was written by a newer library (format %lld; this one knows %d)",
                         s->path, (long long)format, (int)SPT__STORE_FORMAT);
    SPT__TRY(spt__db_query(s, &q,
                           "SELECT value_json FROM study_system_attributes"
                           " WHERE study_id = ? AND key = '" SPT__SPACE_KEY "'",
                           "i", r->study));
    status = spt__db_row(&q);
    if (status < 0) return status;
    if (status == 0) {
        r->inferred = true;
        return spt__store_infer(s, r->study, r->out);
    }
    status = spt__col_copy(&q, 0, &json);
    spt__db_done(&q);
    if (status < 0) return status;
    xml = spt__json_plain(s->ctx, json != NULL ? json : "\"\"");
    spt__free(s->ctx, json);
    if (xml == NULL) return spt__nomem(&s->ctx->err);
    status = spt_space_read_memory(s->ctx, xml, (int64_t)strlen(xml), s->path, r->out);
    spt__free(s->ctx, xml);
    return status;
}

int32_t spt__store_space(spt_store *s, int64_t study, spt_space **out, bool *inferred)
{
    reading r = {study, out, false};
    *out = NULL;
    const int32_t status = spt__db_transact(s, false, read_space, &r);
    if (inferred != NULL) *inferred = r.inferred;
    return status;
}

typedef struct adopting {
    int64_t study;
    const spt_space *space;
} adopting;

static int32_t adopt_body(spt_store *s, void *arg)
{
    const adopting *a = arg;
    SPT__TRY(spt__store_fits(s, a->study, a->space));
    return put_space(s, a->study, a->space);
}

int32_t spt__store_adopt_space(spt_store *s, int64_t study, const spt_space *space)
{
    adopting a = {study, space};
    SPT__TRY(spt__space_freeze(space, &s->ctx->err));
    return spt__db_transact(s, true, adopt_body, &a);
}

/* ---- records ---- */

typedef struct record {
    int64_t study;
    const char *key, *text;
    char *then; /* what is on record */
} record;

static int32_t read_record(spt_store *s, void *arg)
{
    record *r = arg;
    spt__cursor q;
    char *json;
    spt__free(s->ctx, r->then); /* of a call before, whose connection was lost */
    r->then = NULL;
    SPT__TRY(spt__db_query(s, &q,
                           "SELECT value_json FROM study_user_attributes"
                           " WHERE study_id = ? AND key = ?",
                           "it", r->study, r->key));
    int32_t status = spt__db_row(&q);
    if (status <= 0) return status;
    status = spt__col_copy(&q, 0, &json);
    spt__db_done(&q);
    if (status < 0 || json == NULL) return status;
    r->then = spt__json_plain(s->ctx, json);
    spt__free(s->ctx, json);
    return r->then != NULL ? SPT_OK : spt__nomem(&s->ctx->err);
}

int32_t spt__store_record(spt_store *s, int64_t study, const char *key, char **text)
{
    record r = {.study = study, .key = key};
    const int32_t status = spt__db_transact(s, false, read_record, &r);
    *text = r.then;
    return status;
}

/* The first blank-separated word in which two texts differ: settings are lists of name=value. */
static int32_t fail_pin(spt_store *s, const char *key, const char *now, const char *then)
{
    const char *a = now, *b = then;
    while (strchr(now, '=') != NULL && *a != '\0' && *b != '\0') {
        const size_t n = strcspn(a, " "), m = strcspn(b, " ");
        if (n != m || memcmp(a, b, n) != 0)
            return spt__fail(&s->ctx->err, SPT_EMISMATCH, "%s: %s: now %.*s; the study has %.*s",
                             s->path, key, (int)n, a, (int)m, b);
        a += n + strspn(a + n, " ");
        b += m + strspn(b + m, " ");
    }
    return spt__fail(&s->ctx->err, SPT_EMISMATCH, "%s: %s is '%.150s'; the study has '%.150s'",
                     s->path, key, now, then);
}

static int32_t pin_body(spt_store *s, void *arg)
{
    record *r = arg;
    SPT__TRY(spt__db_lock_study(s, r->study));
    SPT__TRY(read_record(s, r));
    return r->then != NULL ? SPT_OK : set_attribute(s, false, r->study, r->key, r->text);
}

int32_t spt__store_pin(spt_store *s, int64_t study, const char *key, const char *text)
{
    record r = {.study = study, .key = key, .text = text};
    SPT__TRY(spt__db_transact(s, false, read_record, &r));
    if (r.then == NULL && s->mode != SPT_STORE_READONLY)
        SPT__TRY(spt__db_transact(s, true, pin_body, &r));
    if (r.then == NULL) return SPT_OK;
    const int32_t status = strcmp(r.then, text) == 0 ? SPT_OK : fail_pin(s, key, text, r.then);
    spt__free(s->ctx, r.then);
    return status;
}

static int32_t set_body(spt_store *s, void *arg)
{
    const record *r = arg;
    return set_attribute(s, false, r->study, r->key, r->text);
}

int32_t spt__store_set_record(spt_store *s, int64_t study, const char *key, const char *text)
{
    record r = {.study = study, .key = key, .text = text};
    return spt__db_transact(s, true, set_body, &r);
}

/* ---- blocks ---- */

typedef struct blocks {
    int64_t study, trial;
    const char *key;
    const spt__block *put;
    void *data; /* read: a copy */
    int64_t size;
} blocks;

static int32_t no_block(spt_store *s, const blocks *b)
{
    return spt__fail(&s->ctx->err, SPT_ENOTFOUND, "%s: the %s has no block '%s'", s->path,
                     b->trial < 0 ? "study" : "trial", b->key);
}

static int32_t read_block(spt_store *s, void *arg)
{
    blocks *b = arg;
    spt__cursor q;
    int64_t there = 0;
    spt__free(s->ctx, b->data);
    b->data = NULL;
    /* A store that Optuna made has no such table. */
    SPT__TRY(spt__db_int(s, &there, s->driver->count_table, "t", SPT__BLOCKS_TABLE));
    if (there == 0) return no_block(s, b);
    SPT__TRY(spt__db_query(s, &q,
                           "SELECT data FROM spectune_blocks"
                           " WHERE study_id = ? AND trial_id = ? AND key = ?",
                           "iit", b->study, b->trial, b->key));
    const int32_t status = spt__db_row(&q);
    if (status < 0) return status;
    if (status == 0) return no_block(s, b);
    const void *found = spt__col_bytes(&q, 0, &b->size);
    b->data = spt__alloc(s->ctx, (size_t)b->size, 1);
    if (b->data != NULL && found != NULL) memcpy(b->data, found, (size_t)b->size);
    spt__db_done(&q);
    return b->data != NULL ? SPT_OK : spt__nomem(&s->ctx->err);
}

int32_t spt__store_get_block(spt_store *s, int64_t study, int64_t trial, const char *key,
                             void **data, int64_t *size)
{
    blocks b = {.study = study, .trial = trial, .key = key};
    const int32_t status = spt__db_transact(s, false, read_block, &b);
    *data = b.data;
    *size = b.size;
    return status;
}

static int32_t put_block(spt_store *s, void *arg)
{
    const blocks *b = arg;
    SPT__TRY(spt__schema_blocks(s));
    return spt__db_run(s,
                       "INSERT INTO spectune_blocks (study_id, trial_id, key, data)"
                       " VALUES (?, -1, ?, ?) ON CONFLICT DO NOTHING",
                       "itb", b->study, b->put->key, b->put->data, b->put->size);
}

int32_t spt__store_pin_block(spt_store *s, int64_t study, const spt__block *block)
{
    blocks b = {.study = study, .trial = -1, .key = block->key, .put = block};
    if (s->mode != SPT_STORE_READONLY) SPT__TRY(spt__db_transact(s, true, put_block, &b));
    SPT__TRY(spt__db_transact(s, false, read_block, &b));
    const bool same =
        b.size == block->size && (b.size == 0 || memcmp(b.data, block->data, (size_t)b.size) == 0);
    spt__free(s->ctx, b.data);
    return same ? SPT_OK
                : spt__fail(&s->ctx->err, SPT_EMISMATCH, "%s: '%s' are not those of the study",
                            s->path, block->key);
}

typedef struct numbered {
    int64_t study, number, *id;
} numbered;

static int32_t find_trial(spt_store *s, void *arg)
{
    const numbered *n = arg;
    const int32_t status =
        spt__db_int(s, n->id, "SELECT trial_id FROM trials WHERE study_id = ? AND number = ?", "ii",
                    n->study, n->number);
    return status == SPT_ENOTFOUND
               ? spt__fail(&s->ctx->err, status, "%s: the study has no trial %lld", s->path,
                           (long long)n->number)
               : status;
}

int32_t spt_store_block(spt_store *s, const char *study, int64_t trial, const char *key,
                        void *buffer, int64_t capacity, int64_t *needed)
{
    int64_t id, row = -1, size = 0;
    void *data = NULL;
    if (needed != NULL) *needed = 0;
    SPT__REQUIRE(s != NULL && key != NULL && capacity >= 0 && (buffer != NULL || capacity == 0));
    SPT__TRY(spt__store_find_study(s, study, &id));
    numbered n = {id, trial, &row};
    if (trial >= 0) SPT__TRY(spt__db_transact(s, false, find_trial, &n));
    SPT__TRY(spt__store_get_block(s, id, row, key, &data, &size));
    if (needed != NULL) *needed = size;
    int32_t status = SPT_OK;
    if (size > capacity)
        status =
            spt__fail(&s->ctx->err, SPT_ECAPACITY, "the block '%s' has %lld bytes, the buffer %lld",
                      key, (long long)size, (long long)capacity);
    else if (size > 0)
        memcpy(buffer, data, (size_t)size);
    spt__free(s->ctx, data);
    return status;
}
