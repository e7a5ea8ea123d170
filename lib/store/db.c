/* What is the same for every database: arguments, transactions, connections made again. */
#include "db.h"

#include <string.h>
#include <unistd.h>

enum { ARGUMENTS = 12 };

/* ---- statements ---- */

static int32_t collect(spt__value values[ARGUMENTS], const char *format, va_list args)
{
    int32_t n = 0;
    for (; *format != '\0' && n < ARGUMENTS; format++, n++) {
        spt__value *v = &values[n];
        *v = (spt__value){.kind = *format};
        if (*format == 'i') {
            v->i = va_arg(args, int64_t);
        } else if (*format == 'd') {
            v->d = va_arg(args, double);
        } else {
            v->p = va_arg(args, const void *);
            if (*format == 'b') v->i = va_arg(args, int64_t);
        }
    }
    return n;
}

static int32_t start(spt_store *s, spt__cursor *c, const char *sql, bool literal,
                     const spt__value *values, int32_t n)
{
    *c = (spt__cursor){.store = s};
    return s->driver->query(s, c, sql, literal, values, n);
}

int32_t spt__db_query(spt_store *s, spt__cursor *c, const char *sql, const char *format, ...)
{
    spt__value values[ARGUMENTS];
    va_list args;
    va_start(args, format);
    const int32_t n = collect(values, format, args);
    va_end(args);
    return start(s, c, sql, true, values, n);
}

int32_t spt__db_query_text(spt_store *s, spt__cursor *c, const char *sql, const spt__value *values,
                           int32_t n)
{
    return start(s, c, sql, false, values, n);
}

int32_t spt__db_row(spt__cursor *c)
{
    return c->handle != NULL ? c->store->driver->row(c) : 0;
}

void spt__db_done(spt__cursor *c)
{
    if (c->handle == NULL) return;
    c->store->driver->done(c);
    c->handle = NULL;
}

/* Run it to its end. */
static int32_t finish(spt__cursor *c)
{
    const int32_t status = spt__db_row(c);
    spt__db_done(c);
    return status < 0 ? status : SPT_OK;
}

int32_t spt__db_run(spt_store *s, const char *sql, const char *format, ...)
{
    spt__value values[ARGUMENTS];
    spt__cursor c;
    va_list args;
    va_start(args, format);
    const int32_t n = collect(values, format, args);
    va_end(args);
    SPT__TRY(start(s, &c, sql, true, values, n));
    return finish(&c);
}

int32_t spt__db_run_text(spt_store *s, const char *sql, const spt__value *values, int32_t n)
{
    spt__cursor c;
    SPT__TRY(start(s, &c, sql, false, values, n));
    return finish(&c);
}

int32_t spt__db_int(spt_store *s, int64_t *value, const char *sql, const char *format, ...)
{
    spt__value values[ARGUMENTS];
    spt__cursor c;
    va_list args;
    va_start(args, format);
    const int32_t n = collect(values, format, args);
    va_end(args);
    SPT__TRY(start(s, &c, sql, true, values, n));
    const int32_t status = spt__db_row(&c);
    if (status == 0) return SPT_ENOTFOUND;
    if (status < 0) return status;
    *value = spt__col_int(&c, 0);
    spt__db_done(&c);
    return SPT_OK;
}

int32_t spt__db_script(spt_store *s, const char *sql)
{
    return s->driver->script(s, sql);
}

/* ---- columns ---- */

bool spt__col_null(const spt__cursor *c, int column)
{
    return c->store->driver->is_null(c, column);
}

int64_t spt__col_int(const spt__cursor *c, int column)
{
    return c->store->driver->integer(c, column);
}

double spt__col_double(const spt__cursor *c, int column)
{
    return c->store->driver->real(c, column);
}

const char *spt__col_text(const spt__cursor *c, int column)
{
    return c->store->driver->text(c, column);
}

const void *spt__col_bytes(spt__cursor *c, int column, int64_t *size)
{
    return c->store->driver->bytes(c, column, size);
}

int32_t spt__col_copy(const spt__cursor *c, int column, char **text)
{
    const char *found = spt__col_text(c, column);
    *text = NULL;
    if (found == NULL) return SPT_OK;
    *text = spt__strdup(c->store->ctx, found);
    return *text != NULL ? SPT_OK : spt__nomem(&c->store->ctx->err);
}

/* ---- transactions ---- */

/* *committing: the connection was lost where nobody knows whether it is done. */
static int32_t attempt(spt_store *s, bool write, spt__body_fn body, void *arg, int32_t *answer,
                       bool *committing)
{
    SPT__TRY(s->driver->begin(s, write));
    s->working = true;
    s->writing = write;
    *answer = body(s, arg);
    s->working = s->writing = false;
    if (*answer < 0) {
        s->driver->rollback(s);
        return *answer;
    }
    const int32_t status = s->driver->commit(s);
    if (status == SPT__DB_LOST && !write) return SPT_OK; /* what was read was read */
    *committing = status == SPT__DB_LOST;
    if (status < 0 && status != SPT__DB_LOST) s->driver->rollback(s);
    return status;
}

int32_t spt__db_own_process(const spt_store *s)
{
    if (s->process == 0 || s->process == getpid()) return SPT_OK;
    return spt__fail(&s->ctx->err, SPT_EBUSY,
                     "%s: was opened before fork(); a child process opens the store anew", s->path);
}

int32_t spt__db_transact(spt_store *s, bool write, spt__body_fn body, void *arg)
{
    SPT__TRY(spt__db_own_process(s));
    if (s->working) {
        if (write && !s->writing)
            return spt__fail(&s->ctx->err, SPT_EINTERNAL, "a write inside of a read");
        return body(s, arg);
    }
    if (write && s->mode == SPT_STORE_READONLY)
        return spt__fail(&s->ctx->err, SPT_EINVAL, "%s: the store was opened to be read only",
                         s->path);
    for (;;) {
        int32_t answer = SPT_OK;
        bool committing = false, committed = false;
        const int32_t status = attempt(s, write, body, arg, &answer, &committing);
        if (status != SPT__DB_LOST) return status < 0 ? status : answer;
        if (s->driver->again == NULL)
            return spt__fail(&s->ctx->err, SPT_EINTERNAL, "%s: a connection was lost", s->path);
        SPT__TRY(s->driver->again(s, committing, &committed));
        if (committed) return answer;
    }
}

int32_t spt__db_lock_study(spt_store *s, int64_t study)
{
    if (!s->driver->locks_rows) return SPT_OK;
    return spt__db_run(s, "SELECT study_id FROM studies WHERE study_id = ? FOR UPDATE", "i", study);
}

int32_t spt__db_lock_trial(spt_store *s, int64_t trial)
{
    if (!s->driver->locks_rows) return SPT_OK;
    return spt__db_run(s, "SELECT trial_id FROM trials WHERE trial_id = ? FOR UPDATE", "i", trial);
}
