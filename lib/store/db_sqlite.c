/* Studies in a SQLite file, or in SQLite's memory. The only file that knows SQLite's functions. */
#include "db.h"
#include "tables.h"

#include "../base/threads.h"

#include <errno.h>
#include <sqlite3.h>
#include <string.h>

enum { STATEMENTS = 96 };

typedef struct statement {
    const char *sql; /* a literal: statements are known by its address */
    sqlite3_stmt *handle;
} statement;

typedef struct file {
    sqlite3 *handle;
    statement statements[STATEMENTS];
    int32_t n_statements;
    double waiting_since; /* for the lock */
} file;

/* ---- failures ---- */

static int32_t fail(spt_store *s, int code)
{
    spt__err *e = &s->ctx->err;
    const file *f = s->db;
    const char *path = s->path;
    sqlite3 *db = f != NULL ? f->handle : NULL;
    const int system = db != NULL ? sqlite3_system_errno(db) : 0;
    switch (code & 0xff) {
    case SQLITE_NOMEM:
        return spt__nomem(e);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return spt__fail(e, SPT_ESTORE,
                         "%s: another program has kept the study file locked for %d s", path,
                         (int)SPT__DB_PATIENCE);
    case SQLITE_NOTADB:
        return spt__fail(e, SPT_EFORMAT, "%s: is not a study file (a SQLite database)", path);
    case SQLITE_CORRUPT:
        return spt__fail(e, SPT_EFORMAT, "%s: the study file is damaged or cut short", path);
    case SQLITE_FULL:
        return spt__fail(e, SPT_ESTORE, "%s: cannot be written, the disk is full", path);
    case SQLITE_TOOBIG:
        return spt__fail(e, SPT_ESTORE, "%s: a block is larger than SQLite takes (1 GB)", path);
    case SQLITE_IOERR:
        /* What the system said of a failed write is lost on the way (a quota, a limit of size). */
        if (code == SQLITE_IOERR_WRITE || code == SQLITE_IOERR_FSYNC ||
            code == SQLITE_IOERR_TRUNCATE)
            return spt__fail(e, SPT_ESTORE, "%s: cannot be written, the disk is full or failing",
                             path);
        return spt__fail(e, SPT_ESTORE, "%s: reading or writing the study file failed (%s)", path,
                         sqlite3_errmsg(db));
    case SQLITE_READONLY:
        return spt__fail(e, SPT_EIO, "%s: the study file cannot be written, only read", path);
    case SQLITE_CANTOPEN:
        if (system == ENOENT && s->mode != SPT_STORE_CREATE)
            return spt__fail(e, SPT_EIO, "%s: no such study file", path);
        return spt__fail(e, SPT_EIO, "%s: cannot be opened as a study file (%s)", path,
                         system == EISDIR ? "it is a directory"
                         : system != 0    ? strerror(system)
                                          : sqlite3_errmsg(db));
    default:
        return spt__fail(e, SPT_ESTORE, "%s: %s", path, sqlite3_errmsg(db));
    }
}

/* ---- opening ---- */

static void close_file(spt_store *s)
{
    file *f = s->db;
    if (f == NULL) return;
    for (int32_t i = 0; i < f->n_statements; i++)
        sqlite3_finalize(f->statements[i].handle);
    sqlite3_close(f->handle);
    spt__free(s->ctx, f);
    s->db = NULL;
}

/* Another program has the lock. SQLite's own patience sleeps for up to a tenth of a second at a
 * time, and who came first comes last; with many workers most of the time would go by so. */
static int wait_for_lock(void *arg, int count)
{
    file *f = arg;
    const double now = spt__now();
    if (count == 0) f->waiting_since = now;
    if (now - f->waiting_since > SPT__DB_PATIENCE) return 0;
    spt__sleep(count < 10 ? 0.001 : 0.004);
    return 1;
}

/* A store that is only read is opened for writing all the same where that is possible: after a
 * crash the last transaction must be rolled back before anything can be read. */
static int open_handle(const spt_store *s, file *f, bool create)
{
    const char *name = strcmp(s->path, "memory:") == 0 ? ":memory:" : s->path;
    const int flags =
        SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READWRITE | (create ? SQLITE_OPEN_CREATE : 0);
    const int code = sqlite3_open_v2(name, &f->handle, flags, NULL);
    if ((code & 0xff) != SQLITE_CANTOPEN || s->mode != SPT_STORE_READONLY) return code;
    const int system = f->handle != NULL ? sqlite3_system_errno(f->handle) : 0;
    if (system != EACCES && system != EROFS && system != EPERM) return code;
    sqlite3_close(f->handle);
    f->handle = NULL;
    return sqlite3_open_v2(name, &f->handle, SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READONLY, NULL);
}

static int32_t open_file(spt_store *s, bool create)
{
    file *f = spt__calloc(s->ctx, 1, sizeof *f);
    if (f == NULL) return spt__nomem(&s->ctx->err);
    s->db = f;
    int code = open_handle(s, f, create);
    if (code == SQLITE_OK) {
        sqlite3_extended_result_codes(f->handle, 1);
        sqlite3_busy_handler(f->handle, wait_for_lock, f);
        /* A rollback journal and full synchronisation are SQLite's defaults, but a build of it may
         * have others. Write-ahead logging is not for files that machines share. */
        code = sqlite3_exec(f->handle, "PRAGMA synchronous=FULL; PRAGMA trusted_schema=OFF;", NULL,
                            NULL, NULL);
        if (code == SQLITE_OK && s->mode == SPT_STORE_READONLY)
            code = sqlite3_exec(f->handle, "PRAGMA query_only=1;", NULL, NULL, NULL);
    }
    if (code == SQLITE_OK) return SPT_OK;
    const int32_t status = fail(s, code);
    close_file(s);
    return status;
}

/* ---- statements ---- */

static int32_t prepare(spt_store *s, spt__cursor *c, const char *sql, bool literal,
                       sqlite3_stmt **out)
{
    file *f = s->db;
    for (int32_t i = 0; i < f->n_statements && literal; i++)
        if (f->statements[i].sql == sql) {
            c->kept = true;
            *out = f->statements[i].handle;
            return SPT_OK;
        }
    c->kept = literal && f->n_statements < STATEMENTS;
    const int code =
        sqlite3_prepare_v3(f->handle, sql, -1, c->kept ? SQLITE_PREPARE_PERSISTENT : 0, out, NULL);
    if (code != SQLITE_OK) return fail(s, code);
    if (c->kept) f->statements[f->n_statements++] = (statement){sql, *out};
    return SPT_OK;
}

static void done(spt__cursor *c)
{
    if (c->kept) {
        sqlite3_reset(c->handle);
        sqlite3_clear_bindings(c->handle);
    } else {
        sqlite3_finalize(c->handle);
    }
}

static int32_t query(spt_store *s, spt__cursor *c, const char *sql, bool literal,
                     const spt__value *values, int32_t n)
{
    int code = SQLITE_OK;
    sqlite3_stmt *q = NULL;
    SPT__TRY(prepare(s, c, sql, literal, &q));
    c->handle = q;
    for (int32_t i = 0; i < n && code == SQLITE_OK; i++) {
        const spt__value *v = &values[i];
        if (v->kind == 'i')
            code = sqlite3_bind_int64(q, i + 1, v->i);
        else if (v->kind == 'd') /* SQLite makes NULL of NaN by itself. */
            code = sqlite3_bind_double(q, i + 1, v->d);
        else if (v->kind == 't')
            code = sqlite3_bind_text(q, i + 1, v->p, -1, SQLITE_STATIC);
        else
            code = sqlite3_bind_blob64(q, i + 1, v->p != NULL ? v->p : "", (sqlite3_uint64)v->i,
                                       SQLITE_STATIC);
    }
    if (code == SQLITE_OK) return SPT_OK;
    spt__db_done(c);
    return fail(s, code);
}

static int32_t row(spt__cursor *c)
{
    const int code = sqlite3_step(c->handle);
    if (code == SQLITE_ROW) return 1;
    const int32_t status = code == SQLITE_DONE ? SPT_OK : fail(c->store, code);
    spt__db_done(c);
    return status;
}

static bool is_null(const spt__cursor *c, int column)
{
    return sqlite3_column_type(c->handle, column) == SQLITE_NULL;
}

static int64_t integer(const spt__cursor *c, int column)
{
    return sqlite3_column_int64(c->handle, column);
}

static double real(const spt__cursor *c, int column)
{
    return is_null(c, column) ? (double)NAN : sqlite3_column_double(c->handle, column);
}

static const char *text(const spt__cursor *c, int column)
{
    return (const char *)sqlite3_column_text(c->handle, column);
}

static const void *bytes(spt__cursor *c, int column, int64_t *size)
{
    *size = sqlite3_column_bytes(c->handle, column);
    return sqlite3_column_blob(c->handle, column);
}

static int32_t script(spt_store *s, const char *sql)
{
    const int code = sqlite3_exec(((file *)s->db)->handle, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? SPT_OK : fail(s, code);
}

/* ---- transactions ---- */

static int32_t begin(spt_store *s, bool write)
{
    return script(s, write ? "BEGIN IMMEDIATE" : "BEGIN");
}

static int32_t commit(spt_store *s)
{
    return script(s, "COMMIT");
}

static void rollback(spt_store *s)
{
    /* Some failures have ended it already. */
    sqlite3 *db = ((file *)s->db)->handle;
    if (!sqlite3_get_autocommit(db)) sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
}

const spt__driver spt__sqlite = {
    .open = open_file,
    .close = close_file,
    .query = query,
    .row = row,
    .done = done,
    .is_null = is_null,
    .integer = integer,
    .real = real,
    .text = text,
    .bytes = bytes,
    .script = script,
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .words = "study file",
    .tables = SPT__TABLES("INTEGER NOT NULL PRIMARY KEY", "FLOAT", "DATETIME", "BLOB", "VARCHAR(8)",
                          "VARCHAR(8)", "VARCHAR(7)", "VARCHAR(7)"),
    .count_tables = "SELECT count(*) FROM sqlite_master WHERE type = 'table'",
    .count_table = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?",
    .count_known_tables =
        "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name IN"
        " ('studies', 'version_info', 'trials', 'trial_params', 'trial_values',"
        " 'study_directions', 'trial_intermediate_values', 'trial_user_attributes')",
    .stale = "SELECT t.trial_id, a.value_json, h.heartbeat IS NOT NULL AND"
             " (julianday('now') - julianday(h.heartbeat)) * 86400 > ? FROM trials t"
             " LEFT JOIN trial_system_attributes a"
             " ON a.trial_id = t.trial_id AND a.key = 'spectune:owner'"
             " LEFT JOIN trial_heartbeats h ON h.trial_id = t.trial_id"
             " WHERE t.study_id = ? AND t.state = 'RUNNING' AND t.trial_id > ?"
             " ORDER BY t.trial_id",
};
