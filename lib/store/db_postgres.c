/* Studies in a PostgreSQL database, which many machines can share. The only file that knows libpq.
 *
 * Arguments and rows travel as text (bytes excepted): PostgreSQL writes a double with the digits it
 * takes to read the same one back. */
#include "db.h"
#include "tables.h"

#include "../base/threads.h"

#include <libpq-fe.h>
#include <string.h>

enum {
    OLDEST = 100000,             /* server 10: the first that tells what became of a transaction */
    CELL = SPT__DOUBLE_CAPACITY, /* a number as text */
    RECONNECT = 300              /* seconds that a lost connection is waited for */
};

typedef struct server {
    PGconn *connection;
    char transaction[CELL]; /* its number, while one that writes is open */
    unsigned char *scratch; /* bytes of the last row that were asked for */
} server;

/* ---- failures ---- */

/* The first line of what libpq says, which may have several. */
static void first_line(const char *text, char *out, size_t size)
{
    size_t n = strcspn(text, "\n");
    if (n >= size) n = size - 1;
    memcpy(out, text, n);
    out[n] = '\0';
}

static int32_t fail(spt_store *s, const PGresult *result)
{
    const server *v = s->db;
    const char *state = result != NULL ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *primary =
        result != NULL ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    char line[400];
    spt__err *e = &s->ctx->err;
    first_line(primary != NULL ? primary : PQerrorMessage(v->connection), line, sizeof line);
    if (PQstatus(v->connection) != CONNECTION_OK) return SPT__DB_LOST;
    if (state == NULL) return spt__fail(e, SPT_ESTORE, "%s: %s", s->path, line);
    /* The server is going down or comes up; two transactions were in each other's way. */
    if (strncmp(state, "08", 2) == 0 || strncmp(state, "57P", 3) == 0 ||
        strcmp(state, "40001") == 0 || strcmp(state, "40P01") == 0)
        return SPT__DB_LOST;
    if (strcmp(state, "55P03") == 0)
        return spt__fail(e, SPT_ESTORE, "%s: another program has kept the study locked for %d s",
                         s->path, (int)SPT__DB_PATIENCE);
    if (strcmp(state, "53100") == 0)
        return spt__fail(e, SPT_ESTORE, "%s: cannot be written, the server's disk is full",
                         s->path);
    if (strcmp(state, "42501") == 0 || strcmp(state, "25006") == 0)
        return spt__fail(e, SPT_EIO, "%s: this user may not do that (%s)", s->path, line);
    return spt__fail(e, SPT_ESTORE, "%s: %s", s->path, line);
}

/* Takes the result. */
static int32_t settle(spt_store *s, PGresult *result)
{
    const ExecStatusType status = PQresultStatus(result);
    const int32_t answer =
        status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ? SPT_OK : fail(s, result);
    PQclear(result);
    return answer;
}

static int32_t script(spt_store *s, const char *sql)
{
    return settle(s, PQexec(((server *)s->db)->connection, sql));
}

/* ---- connections ---- */

/* What the server has to tell besides is nobody's business, least of all standard error's. */
static void hush(void *arg, const PGresult *result)
{
    (void)arg;
    (void)result;
}

/* Settings that every connection has. */
static int32_t introduce(spt_store *s)
{
    const server *v = s->db;
    char sql[256];
    PQsetNoticeReceiver(v->connection, hush, NULL);
    if (PQserverVersion(v->connection) < OLDEST)
        return spt__fail(&s->ctx->err, SPT_EVERSION,
                         "%s: the server is PostgreSQL %d; 10 or newer is needed", s->path,
                         PQserverVersion(v->connection) / 10000);
    spt__format(sql, sizeof sql,
                "SET extra_float_digits = 3; SET datestyle = ISO; SET bytea_output = hex;"
                " SET lock_timeout = '%ds'; SET default_transaction_read_only = %s",
                (int)SPT__DB_PATIENCE, s->mode == SPT_STORE_READONLY ? "on" : "off");
    return script(s, sql);
}

static void close_server(spt_store *s)
{
    server *v = s->db;
    if (v == NULL) return;
    PQfreemem(v->scratch);
    PQfinish(v->connection);
    spt__free(s->ctx, v);
    s->db = NULL;
}

static int32_t open_server(spt_store *s, bool create)
{
    /* What comes behind overrules: the url has the last word. */
    static const char *const keys[] = {"connect_timeout",
                                       "keepalives_idle",
                                       "tcp_user_timeout",
                                       "fallback_application_name",
                                       "dbname",
                                       "client_encoding",
                                       NULL};
    const char *const values[] = {"20", "30", "60000", "spectune", s->url, "UTF8", NULL};
    (void)create; /* a database is made by its administrator */
    server *v = spt__calloc(s->ctx, 1, sizeof *v);
    if (v == NULL) return spt__nomem(&s->ctx->err);
    s->db = v;
    v->connection = PQconnectdbParams(keys, values, 1);
    int32_t status;
    if (v->connection == NULL) {
        status = spt__nomem(&s->ctx->err);
    } else if (PQstatus(v->connection) != CONNECTION_OK) {
        char line[400];
        first_line(PQerrorMessage(v->connection), line, sizeof line);
        status = spt__fail(&s->ctx->err, SPT_EIO, "%s: %s", s->path, line);
    } else {
        status = introduce(s);
        if (status == SPT__DB_LOST)
            status =
                spt__fail(&s->ctx->err, SPT_EIO, "%s: the server closed the connection", s->path);
    }
    if (status < 0) close_server(s);
    return status;
}

/* Wait until the server answers again. */
static int32_t reconnect(spt_store *s)
{
    server *v = s->db;
    const double until = spt__now() + RECONNECT;
    bool told = false;
    for (double pause = 0.1;; pause = pause < 2 ? 2 * pause : 2) {
        if (PQstatus(v->connection) == CONNECTION_OK) return SPT_OK;
        PQreset(v->connection);
        if (PQstatus(v->connection) == CONNECTION_OK) {
            const int32_t status = introduce(s);
            if (status >= 0 && told) spt__log(s->ctx, SPT_LOG_INFO, "%s: connected again", s->path);
            if (status != SPT__DB_LOST) return status;
        }
        if (!told)
            spt__log(s->ctx, SPT_LOG_WARNING,
                     "%s: the connection is lost; it is tried again for %d s", s->path,
                     (int)RECONNECT);
        told = true;
        if (spt__now() > until || spt__stopping(s->ctx)) {
            char line[400];
            first_line(PQerrorMessage(v->connection), line, sizeof line);
            return spt__fail(&s->ctx->err, SPT_ESTORE, "%s: the connection is lost: %s", s->path,
                             line);
        }
        spt__sleep(pause);
    }
}

/* The connection broke while the transaction was being committed: is it? */
static int32_t outcome(spt_store *s, bool *committed)
{
    const server *v = s->db;
    const char *const values[] = {v->transaction};
    for (;;) {
        PGresult *r = PQexecParams(v->connection, "SELECT txid_status($1::bigint)", 1, NULL, values,
                                   NULL, NULL, 0);
        if (PQresultStatus(r) != PGRES_TUPLES_OK) return settle(s, r);
        const char *word = PQntuples(r) == 1 ? PQgetvalue(r, 0, 0) : "";
        const bool open = strcmp(word, "in progress") == 0;
        *committed = strcmp(word, "committed") == 0;
        PQclear(r);
        if (!open) return SPT_OK;
        spt__sleep(0.1); /* its session has not noticed yet that nobody is there */
    }
}

static int32_t again(spt_store *s, bool committing, bool *committed)
{
    int32_t status;
    do {
        SPT__TRY(reconnect(s));
        status = committing ? outcome(s, committed) : SPT_OK;
    } while (status == SPT__DB_LOST);
    return status;
}

/* ---- transactions ---- */

static int32_t begin(spt_store *s, bool write)
{
    server *v = s->db;
    PGresult *r =
        PQexec(v->connection, write ? "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT txid_current()"
                                    : "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    if (PQresultStatus(r) == PGRES_TUPLES_OK && PQntuples(r) == 1)
        spt__format(v->transaction, sizeof v->transaction, "%s", PQgetvalue(r, 0, 0));
    return settle(s, r);
}

static int32_t commit(spt_store *s)
{
    return script(s, "COMMIT");
}

static void rollback(spt_store *s)
{
    const server *v = s->db;
    if (PQstatus(v->connection) == CONNECTION_OK &&
        PQtransactionStatus(v->connection) != PQTRANS_IDLE)
        PQclear(PQexec(v->connection, "ROLLBACK"));
}

/* ---- statements ---- */

/* "a = ? AND b = ?" as "a = $1 AND b = $2" */
static char *numbered(spt_ctx *ctx, const char *sql)
{
    spt__buf b;
    int32_t n = 0;
    spt__buf_init(&b, ctx);
    for (size_t k; *sql != '\0'; sql += k) {
        k = strcspn(sql, "?");
        spt__buf_put(&b, sql, k);
        if (sql[k] == '?') {
            spt__buf_printf(&b, "$%d", (int)++n);
            k++;
        }
    }
    spt__buf_puts(&b, "");
    return spt__buf_take(&b);
}

typedef struct arguments {
    const char **values;
    int *lengths, *formats;
    char *cells; /* numbers as text, CELL bytes each */
} arguments;

static void free_arguments(spt_ctx *ctx, arguments *a)
{
    spt__free(ctx, (void *)a->values);
    spt__free(ctx, a->lengths);
    spt__free(ctx, a->formats);
    spt__free(ctx, a->cells);
}

static int32_t make_arguments(spt_store *s, const spt__value *values, int32_t n, arguments *a)
{
    const size_t count = (size_t)(n > 0 ? n : 1);
    a->values = spt__calloc(s->ctx, count, sizeof *a->values);
    a->lengths = spt__calloc(s->ctx, count, sizeof *a->lengths);
    a->formats = spt__calloc(s->ctx, count, sizeof *a->formats);
    a->cells = spt__alloc(s->ctx, count, CELL);
    if (a->values == NULL || a->lengths == NULL || a->formats == NULL || a->cells == NULL)
        return spt__nomem(&s->ctx->err);
    for (int32_t i = 0; i < n; i++) {
        const spt__value *v = &values[i];
        char *cell = a->cells + (size_t)i * CELL;
        if (v->kind == 'i') {
            spt__format(cell, CELL, "%lld", (long long)v->i);
            a->values[i] = cell;
        } else if (v->kind == 'd') {
            a->values[i] = isnan(v->d) ? NULL : cell;
            if (!isnan(v->d)) spt__format_double(v->d, cell);
        } else if (v->kind == 't') {
            a->values[i] = v->p;
        } else if (v->i > INT32_MAX / 2) {
            return spt__fail(&s->ctx->err, SPT_ESTORE,
                             "%s: a block is larger than PostgreSQL takes (1 GB)", s->path);
        } else {
            a->values[i] = v->p != NULL ? v->p : "";
            a->lengths[i] = (int)v->i;
            a->formats[i] = 1;
        }
    }
    return SPT_OK;
}

static int32_t query(spt_store *s, spt__cursor *c, const char *sql, bool literal,
                     const spt__value *values, int32_t n)
{
    const server *v = s->db;
    arguments a = {.values = NULL};
    (void)literal; /* statements prepared on the server get in the way of connection poolers */
    char *text = numbered(s->ctx, sql);
    int32_t status = text != NULL ? make_arguments(s, values, n, &a) : spt__nomem(&s->ctx->err);
    if (status >= 0) {
        PGresult *r = PQexecParams(v->connection, text, n, NULL, a.values, a.lengths, a.formats, 0);
        if (PQresultStatus(r) == PGRES_TUPLES_OK || PQresultStatus(r) == PGRES_COMMAND_OK) {
            c->handle = r;
            c->at = -1;
        } else {
            status = settle(s, r);
        }
    }
    free_arguments(s->ctx, &a);
    spt__free(s->ctx, text);
    return status;
}

static int32_t row(spt__cursor *c)
{
    if (++c->at < PQntuples(c->handle)) return 1;
    spt__db_done(c);
    return SPT_OK;
}

static void done(spt__cursor *c)
{
    PQclear(c->handle);
}

static bool is_null(const spt__cursor *c, int column)
{
    return PQgetisnull(c->handle, (int)c->at, column) == 1;
}

static const char *text(const spt__cursor *c, int column)
{
    return is_null(c, column) ? NULL : PQgetvalue(c->handle, (int)c->at, column);
}

static int64_t integer(const spt__cursor *c, int column)
{
    int64_t value = 0;
    const char *t = text(c, column);
    if (t == NULL) return 0;
    if (!spt__parse_int64(t, strlen(t), &value)) return *t == 't';
    return value;
}

static double real(const spt__cursor *c, int column)
{
    double value;
    const char *t = text(c, column);
    return t != NULL && spt__parse_double(t, strlen(t), '.', &value) ? value : (double)NAN;
}

static const void *bytes(spt__cursor *c, int column, int64_t *size)
{
    server *v = c->store->db;
    size_t n = 0;
    PQfreemem(v->scratch);
    const char *t = text(c, column);
    v->scratch = t != NULL ? PQunescapeBytea((const unsigned char *)t, &n) : NULL;
    *size = v->scratch != NULL ? (int64_t)n : 0;
    return v->scratch;
}

/* ---- the tables ---- */

#define KNOWN_TABLES                                                                           \
    "SELECT count(*) FROM information_schema.tables WHERE table_schema = current_schema()"     \
    " AND table_name IN ('studies', 'version_info', 'trials', 'trial_params', 'trial_values'," \
    " 'study_directions', 'trial_intermediate_values', 'trial_user_attributes')"

/* PostgreSQL makes no type "if not exists". */
#define WORDS(type, list)                             \
    "DO $$ BEGIN CREATE TYPE " type " AS ENUM (" list \
    "); EXCEPTION WHEN duplicate_object THEN NULL; END $$;"

static const spt__driver postgres = {
    .open = open_server,
    .close = close_server,
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
    .again = again,
    .locks_rows = true,
    .words = "database",
    /* The lock: two programs make no table at once. Any number that nobody else takes. */
    .tables = "SELECT pg_advisory_xact_lock(7310285130471);"                     //
    WORDS("studydirection", "'NOT_SET', 'MINIMIZE', 'MAXIMIZE'")                 //
    WORDS("trialstate", "'RUNNING', 'COMPLETE', 'PRUNED', 'FAIL', 'WAITING'")    //
    WORDS("trialvaluetype", "'FINITE', 'INF_POS', 'INF_NEG'")                    //
    WORDS("trialintermediatevaluetype", "'FINITE', 'INF_POS', 'INF_NEG', 'NAN'") //
    SPT__TABLES("SERIAL PRIMARY KEY", "DOUBLE PRECISION", "TIMESTAMP WITHOUT TIME ZONE", "BYTEA",
                "studydirection", "trialstate", "trialvaluetype", "trialintermediatevaluetype"),
    /* The database may hold other tables, too. */
    .count_tables = KNOWN_TABLES,
    .count_known_tables = KNOWN_TABLES,
    .count_table = "SELECT count(*) FROM information_schema.tables"
                   " WHERE table_schema = current_schema() AND table_name = ?",
    .stale = "SELECT t.trial_id, a.value_json, h.heartbeat IS NOT NULL AND"
             " EXTRACT(EPOCH FROM (CURRENT_TIMESTAMP::timestamp - h.heartbeat)) > ? FROM trials t"
             " LEFT JOIN trial_system_attributes a"
             " ON a.trial_id = t.trial_id AND a.key = 'spectune:owner'"
             " LEFT JOIN trial_heartbeats h ON h.trial_id = t.trial_id"
             " WHERE t.study_id = ? AND t.state = 'RUNNING' AND t.trial_id > ?"
             " ORDER BY t.trial_id",
};

const spt__driver *spt__postgres(void)
{
    return &postgres;
}
