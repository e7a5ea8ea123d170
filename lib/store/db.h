/* The database under a store. Everything that knows SQLite's functions is here and in db.c; what
 * the other files of the room know is SQL. */
#ifndef SPT_LIB_STORE_DB_H
#define SPT_LIB_STORE_DB_H

#include "store.h"

#include "../space/space.h"

#include <sqlite3.h>

/* Of our own tables and texts; a file that says more is SPT_EVERSION. */
enum { SPT__STORE_FORMAT = 1 };

enum { SPT__DB_STATEMENTS = 64, SPT__DB_PATIENCE = 60 /* seconds that a lock is waited for */ };

typedef struct spt__statement {
    const char *sql; /* a literal: statements are known by its address */
    sqlite3_stmt *handle;
} spt__statement;

struct spt_store {
    spt_ctx *ctx;
    _Atomic int64_t refs;
    char *path;   /* as given, without "sqlite:///"; "memory:" */
    int32_t mode; /* spt_store_mode */
    sqlite3 *db;  /* NULL while there is no file: it is made with the first study */
    bool tables;  /* the tables are known to be there */
    spt__statement statements[SPT__DB_STATEMENTS];
    int32_t n_statements;
    char *study_name; /* what spt_store_study() gave out */
};

/* Open the database of the store; `create` makes the file. */
int32_t spt__db_open(spt_store *s, bool create);
void spt__db_close(spt_store *s);

/* Start a statement. `format` has a letter for each argument: i int64_t, d double (NaN: NULL),
 * t text (may be NULL; must stay as it is until the statement is done), b bytes and their int64_t
 * number. */
int32_t spt__db_query(spt_store *s, sqlite3_stmt **out, const char *sql, const char *format, ...);
/* 1: a row can be read; 0: no more, the statement is done; negative: failed and done. */
int32_t spt__db_row(spt_store *s, sqlite3_stmt *statement);
/* No more rows are wanted. NULL is fine. */
void spt__db_done(sqlite3_stmt *statement);
/* Query without rows. */
int32_t spt__db_run(spt_store *s, const char *sql, const char *format, ...);
/* The first column of the first row. SPT_ENOTFOUND without a text if there is no row. */
int32_t spt__db_int(spt_store *s, int64_t *value, const char *sql, const char *format, ...);
/* A text copied out of a row; NULL column: *text is NULL. Released with spt__free. */
int32_t spt__db_text(spt_store *s, sqlite3_stmt *statement, int column, char **text);
/* Several statements, no rows. */
int32_t spt__db_script(spt_store *s, const char *sql);

/* A transaction that writes takes the lock at once, so that it cannot fail half way for another
 * writer; a failed begin needs no rollback. */
int32_t spt__db_begin(spt_store *s, bool write);
int32_t spt__db_commit(spt_store *s);
/* Commit if status is 0 or more, else roll back and keep status. */
int32_t spt__db_end(spt_store *s, int32_t status);

int64_t spt__db_last_id(spt_store *s);

/* ---- schema.c ---- */

/* Is this a database of studies that we can read? *tables: has it tables at all? */
int32_t spt__schema_check(spt_store *s, bool *tables);
/* Make the tables that are missing. Inside a transaction. */
int32_t spt__schema_make(spt_store *s);

/* ---- json.c ---- */

/* The text of a JSON string, or the JSON itself. NULL when memory ran out. */
char *spt__json_plain(spt_ctx *ctx, const char *json);
/* A parameter as Optuna describes it. */
void spt__json_distribution(spt__buf *b, const spt__parameter *p);
/* A choice as text: Optuna's may be numbers, null and the like. NULL when memory ran out. */
struct json_t;
char *spt__json_choice(spt_ctx *ctx, const struct json_t *choice);

/* One parameter of a study that somebody else made. */
typedef struct spt__foreign {
    char *name;
    int32_t type; /* spt_parameter_type: float, int or categorical; 0: not understood */
    bool log;
    double low, high, step;
    char **choices;
    int32_t n_choices;
} spt__foreign;

/* Widen `f` (zeroed, but for its name, at first) by what a distribution says. SPT_EFORMAT, and a
 * text, when it is none or contradicts what was there. */
int32_t spt__json_widen(spt_ctx *ctx, spt__foreign *f, const char *json);
void spt__foreign_clear(spt_ctx *ctx, spt__foreign *f);

/* ---- infer.c ---- */

/* A flat space from the trials of a study that has none on record. */
int32_t spt__store_infer(spt_store *s, int64_t study, spt_space **out);

#endif
