/* Opening and closing, studies by name, records, blocks. */
#include "db.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { NAME_LENGTH = 512 };

/* ---- the store ---- */

spt_store *spt__store_ref(spt_store *store)
{
    store->refs++;
    return store;
}

spt_ctx *spt__store_ctx(const spt_store *store)
{
    return store->ctx;
}

void spt_store_free(spt_store *store)
{
    if (store == NULL || --store->refs > 0) return;
    spt_ctx *ctx = store->ctx;
    spt__db_close(store);
    spt__free(ctx, store->path);
    spt__free(ctx, store->study_name);
    spt__free(ctx, store);
    spt__ctx_unref(ctx);
}

/* The part of a url that names the file, or NULL: another kind of store. */
static const char *file_of(const char *url)
{
    static const char sqlite[] = "sqlite:///";
    if (strcmp(url, "memory:") == 0) return url;
    if (strncmp(url, sqlite, sizeof sqlite - 1) == 0) return url + sizeof sqlite - 1;
    return strstr(url, "://") == NULL ? url : NULL;
}

static int32_t open_file(spt_store *s)
{
    const bool memory = strcmp(s->path, "memory:") == 0;
    /* A file that is to be made appears with its first study, not before: what fails until then
     * leaves nothing behind. */
    if (s->mode == SPT_STORE_CREATE && !memory && access(s->path, F_OK) != 0 && errno == ENOENT)
        return SPT_OK;
    if (memory && s->mode != SPT_STORE_CREATE)
        return spt__fail(&s->ctx->err, SPT_EINVAL,
                         "'memory:' is empty when it is opened; open it with SPT_STORE_CREATE");
    SPT__TRY(spt__db_open(s, false));
    SPT__TRY(spt__schema_check(s, &s->tables));
    if (!s->tables && s->mode != SPT_STORE_CREATE)
        return spt__fail(&s->ctx->err, SPT_EFORMAT, "%s: is empty, not a study file", s->path);
    return SPT_OK;
}

int32_t spt_store_open(spt_ctx *ctx, const char *url, int32_t mode, spt_store **out)
{
    SPT__REQUIRE(out != NULL);
    *out = NULL;
    SPT__REQUIRE(ctx != NULL);
    if (url == NULL || *url == '\0')
        return spt__fail(&ctx->err, SPT_EINVAL, "the name of the study file is empty");
    if (mode < SPT_STORE_CREATE || mode > SPT_STORE_READONLY)
        return spt__fail(&ctx->err, SPT_EINVAL, "mode is %d; 1 to 3 are possible", (int)mode);
    const char *path = file_of(url);
    if (path == NULL)
        return spt__fail(&ctx->err, SPT_EUNSUPPORTED,
                         "%s: studies are kept in a file (sqlite:///FILE) or in memory (memory:)",
                         url);
    if (*path == '\0')
        return spt__fail(&ctx->err, SPT_EINVAL, "%s: names no file behind sqlite:///", url);
    spt_store *s = spt__calloc(ctx, 1, sizeof *s);
    if (s == NULL) return spt__nomem(&ctx->err);
    s->ctx = spt__ctx_ref(ctx);
    s->refs = 1;
    s->mode = mode;
    s->path = spt__strdup(ctx, path);
    const int32_t status = s->path != NULL ? open_file(s) : spt__nomem(&ctx->err);
    if (status < 0) {
        spt_store_free(s);
        return status;
    }
    *out = s;
    return SPT_OK;
}

/* ---- studies ---- */

const char *spt_store_study(spt_store *s, int64_t index)
{
    sqlite3_stmt *q;
    if (s == NULL || index < 0 || !s->tables) return NULL;
    if (spt__db_query(s, &q, "SELECT study_name FROM studies ORDER BY study_id LIMIT 1 OFFSET ?",
                      "i", index) < 0)
        return NULL;
    if (spt__db_row(s, q) <= 0) return NULL;
    char *name;
    const int32_t status = spt__db_text(s, q, 0, &name);
    spt__db_done(q);
    if (status < 0) return NULL;
    spt__free(s->ctx, s->study_name);
    s->study_name = name;
    return name;
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

int32_t spt__store_find_study(spt_store *s, const char *name, int64_t *study)
{
    int64_t n = 0;
    if (!s->tables) return fail_study(s, name);
    if (name == NULL) {
        SPT__TRY(spt__db_int(s, &n, "SELECT count(*) FROM studies", ""));
        if (n != 1) return fail_study(s, NULL);
        return spt__db_int(s, study, "SELECT study_id FROM studies", "");
    }
    const int32_t status = find(s, name, study);
    return status == SPT_ENOTFOUND ? fail_study(s, name) : status;
}

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

static int32_t insert_study(spt_store *s, const char *name, const spt_space *space, int64_t *study)
{
    spt__buf xml;
    spt__buf_init(&xml, s->ctx);
    int32_t status = spt__db_run(s, "INSERT INTO studies (study_name) VALUES (?)", "t", name);
    if (status < 0) goto done;
    *study = spt__db_last_id(s);
    status = spt__db_run(s,
                         "INSERT INTO study_directions (direction, study_id, objective)"
                         " VALUES ('MINIMIZE', ?, 0)",
                         "i", *study);
    if (status < 0) goto done;
    spt__space_print(space, &xml);
    if (xml.failed) {
        status = spt__nomem(&s->ctx->err);
        goto done;
    }
    status = set_attribute(s, true, *study, "spectune:space", xml.data);
    if (status < 0) goto done;
    status = spt__db_run(s,
                         "INSERT INTO study_system_attributes (study_id, key, value_json)"
                         " VALUES (?, 'spectune:format', ?)",
                         "ii", *study, (int64_t)SPT__STORE_FORMAT);
done:
    spt__buf_free(&xml);
    return status;
}

int32_t spt__store_make_study(spt_store *s, const char *name, const spt_space *space,
                              int64_t *study, bool *made)
{
    *made = false;
    if (name == NULL || *name == '\0' || strlen(name) > NAME_LENGTH)
        return spt__fail(&s->ctx->err, SPT_EINVAL, "a study's name has 1 to %d bytes, not %zu",
                         (int)NAME_LENGTH, name != NULL ? strlen(name) : 0);
    if (s->tables) {
        const int32_t status = find(s, name, study);
        if (status != SPT_ENOTFOUND) return status;
    }
    SPT__TRY(spt__space_freeze(space, &s->ctx->err));
    if (s->db == NULL) SPT__TRY(spt__db_open(s, true));
    SPT__TRY(spt__db_begin(s, true));
    /* Another process may have been here since we looked. */
    int32_t status = s->tables ? SPT_OK : spt__schema_make(s);
    if (status >= 0) status = find(s, name, study);
    if (status == SPT_ENOTFOUND) {
        status = insert_study(s, name, space, study);
        *made = status >= 0;
    }
    status = spt__db_end(s, status);
    if (status < 0)
        *made = false;
    else
        s->tables = true;
    return status;
}

int32_t spt__store_space(spt_store *s, int64_t study, spt_space **out, bool *inferred)
{
    sqlite3_stmt *q;
    int64_t format = 0;
    char *json = NULL, *xml;
    *out = NULL;
    if (inferred != NULL) *inferred = false;
    int32_t status = spt__db_int(s, &format,
                                 "SELECT value_json FROM study_system_attributes"
                                 " WHERE study_id = ? AND key = 'spectune:format'",
                                 "i", study);
    if (status < 0 && status != SPT_ENOTFOUND) return status;
    if (format > SPT__STORE_FORMAT)
        return spt__fail(&s->ctx->err, SPT_EVERSION,
                         "%s: was written by a newer library (format %lld; this one knows %d)",
                         s->path, (long long)format, (int)SPT__STORE_FORMAT);
    SPT__TRY(spt__db_query(s, &q,
                           "SELECT value_json FROM study_system_attributes"
                           " WHERE study_id = ? AND key = 'spectune:space'",
                           "i", study));
    status = spt__db_row(s, q);
    if (status < 0) return status;
    if (status == 0) {
        if (inferred != NULL) *inferred = true;
        return spt__store_infer(s, study, out);
    }
    status = spt__db_text(s, q, 0, &json);
    spt__db_done(q);
    if (status < 0) return status;
    xml = spt__json_plain(s->ctx, json != NULL ? json : "\"\"");
    spt__free(s->ctx, json);
    if (xml == NULL) return spt__nomem(&s->ctx->err);
    status = spt_space_read_xml_memory(s->ctx, xml, (int64_t)strlen(xml), s->path, out);
    spt__free(s->ctx, xml);
    return status;
}

/* ---- records ---- */

int32_t spt__store_record(spt_store *s, int64_t study, const char *key, char **text)
{
    sqlite3_stmt *q;
    char *json;
    *text = NULL;
    SPT__TRY(spt__db_query(s, &q,
                           "SELECT value_json FROM study_user_attributes"
                           " WHERE study_id = ? AND key = ?",
                           "it", study, key));
    int32_t status = spt__db_row(s, q);
    if (status <= 0) return status;
    status = spt__db_text(s, q, 0, &json);
    spt__db_done(q);
    if (status < 0 || json == NULL) return status;
    *text = spt__json_plain(s->ctx, json);
    spt__free(s->ctx, json);
    return *text != NULL ? SPT_OK : spt__nomem(&s->ctx->err);
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

int32_t spt__store_pin(spt_store *s, int64_t study, const char *key, const char *text)
{
    char *then = NULL;
    SPT__TRY(spt__store_record(s, study, key, &then));
    if (then == NULL) {
        if (s->mode == SPT_STORE_READONLY) return SPT_OK;
        SPT__TRY(spt__db_begin(s, true));
        int32_t status = spt__store_record(s, study, key, &then);
        if (status >= 0 && then == NULL) status = set_attribute(s, false, study, key, text);
        SPT__TRY(spt__db_end(s, status));
    }
    if (then == NULL) return SPT_OK;
    const int32_t status = strcmp(then, text) == 0 ? SPT_OK : fail_pin(s, key, text, then);
    spt__free(s->ctx, then);
    return status;
}

int32_t spt__store_set_record(spt_store *s, int64_t study, const char *key, const char *text)
{
    SPT__TRY(spt__db_begin(s, true));
    return spt__db_end(s, set_attribute(s, false, study, key, text));
}

/* ---- blocks ---- */

static int32_t block_query(spt_store *s, int64_t study, int64_t trial, const char *key,
                           sqlite3_stmt **q)
{
    SPT__TRY(spt__db_query(s, q,
                           "SELECT data FROM spectune_blocks"
                           " WHERE study_id = ? AND trial_id = ? AND key = ?",
                           "iit", study, trial, key));
    const int32_t status = spt__db_row(s, *q);
    if (status != 0) return status;
    return trial < 0 ? spt__fail(&s->ctx->err, SPT_ENOTFOUND, "%s: the study has no block '%s'",
                                 s->path, key)
                     : spt__fail(&s->ctx->err, SPT_ENOTFOUND, "%s: the trial has no block '%s'",
                                 s->path, key);
}

int32_t spt__store_get_block(spt_store *s, int64_t study, int64_t trial, const char *key,
                             void **data, int64_t *size)
{
    sqlite3_stmt *q;
    *data = NULL;
    *size = 0;
    SPT__TRY(block_query(s, study, trial, key, &q));
    const int bytes = sqlite3_column_bytes(q, 0);
    const void *found = sqlite3_column_blob(q, 0);
    *data = spt__alloc(s->ctx, (size_t)bytes, 1);
    if (*data != NULL && found != NULL) memcpy(*data, found, (size_t)bytes);
    *size = bytes;
    spt__db_done(q);
    return *data != NULL ? SPT_OK : spt__nomem(&s->ctx->err);
}

int32_t spt__store_pin_block(spt_store *s, int64_t study, const spt__block *block)
{
    void *then = NULL;
    int64_t size = 0;
    if (s->mode != SPT_STORE_READONLY) {
        SPT__TRY(spt__db_begin(s, true));
        SPT__TRY(spt__db_end(s, spt__db_run(s,
                                            "INSERT OR IGNORE INTO spectune_blocks"
                                            " (study_id, trial_id, key, data) VALUES (?, -1, ?, ?)",
                                            "itb", study, block->key, block->data, block->size)));
    }
    SPT__TRY(spt__store_get_block(s, study, -1, block->key, &then, &size));
    const bool same =
        size == block->size && (size == 0 || memcmp(then, block->data, (size_t)size) == 0);
    spt__free(s->ctx, then);
    return same ? SPT_OK
                : spt__fail(&s->ctx->err, SPT_EMISMATCH, "%s: '%s' are not those of the study",
                            s->path, block->key);
}

int32_t spt_store_block(spt_store *s, const char *study, int64_t trial, const char *key,
                        void *buffer, int64_t capacity, int64_t *needed)
{
    sqlite3_stmt *q;
    int64_t id, row = -1;
    if (needed != NULL) *needed = 0;
    SPT__REQUIRE(s != NULL && key != NULL && capacity >= 0 && (buffer != NULL || capacity == 0));
    SPT__TRY(spt__store_find_study(s, study, &id));
    if (trial >= 0) {
        const int32_t status =
            spt__db_int(s, &row, "SELECT trial_id FROM trials WHERE study_id = ? AND number = ?",
                        "ii", id, trial);
        if (status == SPT_ENOTFOUND)
            return spt__fail(&s->ctx->err, status, "%s: the study has no trial %lld", s->path,
                             (long long)trial);
        if (status < 0) return status;
    }
    SPT__TRY(block_query(s, id, row, key, &q));
    const int64_t size = sqlite3_column_bytes(q, 0);
    if (needed != NULL) *needed = size;
    int32_t status = SPT_OK;
    if (size > capacity)
        status =
            spt__fail(&s->ctx->err, SPT_ECAPACITY, "the block '%s' has %lld bytes, the buffer %lld",
                      key, (long long)size, (long long)capacity);
    else if (size > 0)
        memcpy(buffer, sqlite3_column_blob(q, 0), (size_t)size);
    spt__db_done(q);
    return status;
}
