#include "db.h"

#include <errno.h>
#include <string.h>

/* ---- failures ---- */

static int32_t fail(spt_store *s, int code)
{
    spt__err *e = &s->ctx->err;
    const char *path = s->path;
    const int system = s->db != NULL ? sqlite3_system_errno(s->db) : 0;
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
    case SQLITE_IOERR:
        /* What the system said of a failed write is lost on the way (a quota, a limit of size). */
        if (code == SQLITE_IOERR_WRITE || code == SQLITE_IOERR_FSYNC ||
            code == SQLITE_IOERR_TRUNCATE)
            return spt__fail(e, SPT_ESTORE, "%s: cannot be written, the disk is full or failing",
                             path);
        return spt__fail(e, SPT_ESTORE, "%s: reading or writing the study file failed (%s)", path,
                         sqlite3_errmsg(s->db));
    case SQLITE_READONLY:
        return spt__fail(e, SPT_EIO, "%s: the study file cannot be written, only read", path);
    case SQLITE_CANTOPEN:
        if (system == ENOENT && s->mode != SPT_STORE_CREATE)
            return spt__fail(e, SPT_EIO, "%s: no such study file", path);
        return spt__fail(e, SPT_EIO, "%s: cannot be opened as a study file (%s)", path,
                         system == EISDIR ? "it is a directory"
                         : system != 0    ? strerror(system)
                                          : sqlite3_errmsg(s->db));
    default:
        return spt__fail(e, SPT_ESTORE, "%s: %s", path, sqlite3_errmsg(s->db));
    }
}

/* ---- opening ---- */

int32_t spt__db_open(spt_store *s, bool create)
{
    const bool memory = strcmp(s->path, "memory:") == 0;
    const char *name = memory ? ":memory:" : s->path;
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READWRITE | (create ? SQLITE_OPEN_CREATE : 0);
    int code = sqlite3_open_v2(name, &s->db, flags, NULL);
    /* A store that is only read is opened for writing all the same where that is possible: after a
     * crash the last transaction must be rolled back before anything can be read. */
    if ((code & 0xff) == SQLITE_CANTOPEN && s->mode == SPT_STORE_READONLY) {
        const int system = s->db != NULL ? sqlite3_system_errno(s->db) : 0;
        if (system == EACCES || system == EROFS || system == EPERM) {
            sqlite3_close(s->db);
            s->db = NULL;
            code = sqlite3_open_v2(name, &s->db, SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READONLY, NULL);
        }
    }
    if (code == SQLITE_OK) {
        sqlite3_extended_result_codes(s->db, 1);
        sqlite3_busy_timeout(s->db, SPT__DB_PATIENCE * 1000);
        /* A rollback journal and full synchronisation are SQLite's defaults, but a build of it may
         * have others. Write-ahead logging is not for files that machines share. */
        code = sqlite3_exec(s->db, "PRAGMA synchronous=FULL; PRAGMA trusted_schema=OFF;", NULL,
                            NULL, NULL);
        if (code == SQLITE_OK && s->mode == SPT_STORE_READONLY)
            code = sqlite3_exec(s->db, "PRAGMA query_only=1;", NULL, NULL, NULL);
    }
    if (code == SQLITE_OK) return SPT_OK;
    const int32_t status = fail(s, code);
    spt__db_close(s);
    return status;
}

void spt__db_close(spt_store *s)
{
    for (int32_t i = 0; i < s->n_statements; i++)
        sqlite3_finalize(s->statements[i].handle);
    s->n_statements = 0;
    sqlite3_close(s->db);
    s->db = NULL;
}

/* ---- statements ---- */

static int32_t prepared(spt_store *s, const char *sql, sqlite3_stmt **out)
{
    for (int32_t i = 0; i < s->n_statements; i++)
        if (s->statements[i].sql == sql) {
            *out = s->statements[i].handle;
            return SPT_OK;
        }
    if (s->n_statements == SPT__DB_STATEMENTS)
        return spt__fail(&s->ctx->err, SPT_EINTERNAL,
                         "more statements than the store has room for");
    const int code = sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);
    if (code != SQLITE_OK) return fail(s, code);
    s->statements[s->n_statements++] = (spt__statement){sql, *out};
    return SPT_OK;
}

static int32_t start(spt_store *s, sqlite3_stmt **out, const char *sql, const char *format,
                     va_list args)
{
    int code = SQLITE_OK;
    *out = NULL;
    SPT__TRY(prepared(s, sql, out));
    for (int i = 1; *format != '\0' && code == SQLITE_OK; i++, format++) {
        if (*format == 'i') {
            code = sqlite3_bind_int64(*out, i, va_arg(args, int64_t));
        } else if (*format == 'd') {
            /* SQLite makes NULL of NaN by itself. */
            code = sqlite3_bind_double(*out, i, va_arg(args, double));
        } else if (*format == 't') {
            code = sqlite3_bind_text(*out, i, va_arg(args, const char *), -1, SQLITE_STATIC);
        } else {
            const void *data = va_arg(args, const void *);
            const int64_t size = va_arg(args, int64_t);
            code = sqlite3_bind_blob64(*out, i, data != NULL ? data : "", (sqlite3_uint64)size,
                                       SQLITE_STATIC);
        }
    }
    if (code == SQLITE_OK) return SPT_OK;
    spt__db_done(*out);
    *out = NULL;
    return code == SQLITE_TOOBIG
               ? spt__fail(&s->ctx->err, SPT_ESTORE,
                           "%s: a block is larger than SQLite takes (1 GB)", s->path)
               : fail(s, code);
}

int32_t spt__db_query(spt_store *s, sqlite3_stmt **out, const char *sql, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const int32_t status = start(s, out, sql, format, args);
    va_end(args);
    return status;
}

int32_t spt__db_row(spt_store *s, sqlite3_stmt *statement)
{
    const int code = sqlite3_step(statement);
    if (code == SQLITE_ROW) return 1;
    const int32_t status = code == SQLITE_DONE ? SPT_OK : fail(s, code);
    spt__db_done(statement);
    return status;
}

void spt__db_done(sqlite3_stmt *statement)
{
    if (statement == NULL) return;
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
}

int32_t spt__db_run(spt_store *s, const char *sql, const char *format, ...)
{
    sqlite3_stmt *statement;
    va_list args;
    va_start(args, format);
    int32_t status = start(s, &statement, sql, format, args);
    va_end(args);
    if (status < 0) return status;
    status = spt__db_row(s, statement);
    if (status > 0) spt__db_done(statement);
    return status < 0 ? status : SPT_OK;
}

int32_t spt__db_int(spt_store *s, int64_t *value, const char *sql, const char *format, ...)
{
    sqlite3_stmt *statement;
    va_list args;
    va_start(args, format);
    int32_t status = start(s, &statement, sql, format, args);
    va_end(args);
    if (status < 0) return status;
    status = spt__db_row(s, statement);
    if (status == 0) return SPT_ENOTFOUND;
    if (status < 0) return status;
    *value = sqlite3_column_int64(statement, 0);
    spt__db_done(statement);
    return SPT_OK;
}

int32_t spt__db_text(spt_store *s, sqlite3_stmt *statement, int column, char **text)
{
    const char *found = (const char *)sqlite3_column_text(statement, column);
    *text = NULL;
    if (found == NULL) return SPT_OK;
    *text = spt__strdup(s->ctx, found);
    return *text != NULL ? SPT_OK : spt__nomem(&s->ctx->err);
}

int32_t spt__db_script(spt_store *s, const char *sql)
{
    const int code = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? SPT_OK : fail(s, code);
}

/* ---- transactions ---- */

int32_t spt__db_begin(spt_store *s, bool write)
{
    if (write && s->mode == SPT_STORE_READONLY)
        return spt__fail(&s->ctx->err, SPT_EINVAL, "%s: the store was opened to be read only",
                         s->path);
    return spt__db_script(s, write ? "BEGIN IMMEDIATE" : "BEGIN");
}

int32_t spt__db_commit(spt_store *s)
{
    const int32_t status = spt__db_script(s, "COMMIT");
    /* A commit that failed may have left the transaction open. */
    if (status < 0 && !sqlite3_get_autocommit(s->db))
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

int32_t spt__db_end(spt_store *s, int32_t status)
{
    if (status >= 0) {
        const int32_t committed = spt__db_commit(s);
        return committed < 0 ? committed : status;
    }
    if (!sqlite3_get_autocommit(s->db)) sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

int64_t spt__db_last_id(spt_store *s)
{
    return sqlite3_last_insert_rowid(s->db);
}
