/* The database under a store. What knows SQLite's functions is in db_sqlite.c, what knows
 * PostgreSQL's in db_postgres.c; the other files of the room know SQL, as far as both read it
 * alike.
 *
 * Everything that touches the database is a function that is handed to spt__db_transact(). */
#ifndef SPT_LIB_STORE_DB_H
#define SPT_LIB_STORE_DB_H

#include "store.h"

#include "../space/space.h"

/* Of our own tables and texts; a file that says more is SPT_EVERSION. */
enum { SPT__STORE_FORMAT = 1 };
#define SPT__STORE_FORMAT_TEXT "1"

/* System attributes of a study that are ours. */
#define SPT__SPACE_KEY "spectune:space"
#define SPT__FORMAT_KEY "spectune:format"
/* A store that Optuna made has no such table. */
#define SPT__BLOCKS_TABLE "spectune_blocks"

/* States as databases have them: "RUNNING". Of a word that is none: -1. */
enum { SPT__STATES = 5 };
const char *spt__state_word(int32_t state);
int32_t spt__state_of_word(const char *word);

enum { SPT__DB_PATIENCE = 60 /* seconds that a lock is waited for */ };

/* What the functions below return inside a transaction when the connection is gone; nobody outside
 * of spt__db_transact() sees it. */
enum { SPT__DB_LOST = -100000 };

/* ---- statements ------------------------------------------------------------------------------ */

/* One argument of a statement. */
typedef struct spt__value {
    char kind; /* 'i', 'd' (NaN: NULL), 't' (NULL: NULL), 'b' */
    int64_t i; /* also the size of bytes */
    double d;
    const void *p; /* text or bytes; must stay as they are until the statement is done */
} spt__value;

/* Rows that are being read. */
typedef struct spt__cursor {
    spt_store *store;
    void *handle; /* NULL when it is done */
    int64_t at;   /* the row that is read, where all are there at once */
    bool kept;    /* the statement stays prepared */
} spt__cursor;

/* Start a statement. Places are "?". `sql` is a literal: statements are remembered by its address.
 * `format` has a letter for each argument: i int64_t, d double, t text, b bytes and their int64_t
 * number. */
int32_t spt__db_query(spt_store *s, spt__cursor *c, const char *sql, const char *format, ...);
/* The same with a text that is made up each time. */
int32_t spt__db_query_text(spt_store *s, spt__cursor *c, const char *sql, const spt__value *values,
                           int32_t n);
/* 1: a row can be read; 0: no more, the statement is done; negative: failed and done. */
int32_t spt__db_row(spt__cursor *c);
/* No more rows are wanted. Done twice, or after spt__db_row() said so, is fine. */
void spt__db_done(spt__cursor *c);
/* A column of the row, from 0. NULL is 0, NaN, NULL. Texts and bytes are valid until the next row;
 * truths read as 0 and 1. */
bool spt__col_null(const spt__cursor *c, int column);
int64_t spt__col_int(const spt__cursor *c, int column);
double spt__col_double(const spt__cursor *c, int column);
const char *spt__col_text(const spt__cursor *c, int column);
const void *spt__col_bytes(spt__cursor *c, int column, int64_t *size);
/* A text copied out of a row; NULL column: *text is NULL. Released with spt__free. */
int32_t spt__col_copy(const spt__cursor *c, int column, char **text);

/* Query whose rows, if any, nobody wants. */
int32_t spt__db_run(spt_store *s, const char *sql, const char *format, ...);
int32_t spt__db_run_text(spt_store *s, const char *sql, const spt__value *values, int32_t n);
/* The first column of the first row: also the new id of an INSERT ... RETURNING. SPT_ENOTFOUND
 * without a text if there is no row. */
int32_t spt__db_int(spt_store *s, int64_t *value, const char *sql, const char *format, ...);
/* Several statements, no rows. */
int32_t spt__db_script(spt_store *s, const char *sql);

/* ---- transactions ---------------------------------------------------------------------------- */

/* What is to be done, all of it or nothing. It may be called again, when the connection was lost
 * before it was certain to be done: it changes nothing but the database and what it hands out. */
typedef int32_t (*spt__body_fn)(spt_store *s, void *arg);

/* Run `body` in a transaction: committed when it returns 0 or more, else rolled back. A transaction
 * that writes takes its lock at once, so that it cannot fail half way for another writer. Inside
 * another one it is part of that one. A lost connection is made again, with patience; what was
 * committed then is not done twice. */
int32_t spt__db_transact(spt_store *s, bool write, spt__body_fn body, void *arg);

/* SPT_EBUSY in a child of the process that opened the store: databases bear no second user of a
 * connection, and closing it there would take the parent's locks away. */
int32_t spt__db_own_process(const spt_store *s);

/* In a transaction that writes: nobody else begins or queues a trial of the study, or changes this
 * trial, until it ends. */
int32_t spt__db_lock_study(spt_store *s, int64_t study);
int32_t spt__db_lock_trial(spt_store *s, int64_t trial);

/* ---- drivers --------------------------------------------------------------------------------- */

typedef struct spt__driver {
    /* Open the database of the store; `create` makes the file. */
    int32_t (*open)(spt_store *s, bool create);
    void (*close)(spt_store *s);
    /* `literal`: sql lives for ever at its address. Sets c->handle. */
    int32_t (*query)(spt_store *s, spt__cursor *c, const char *sql, bool literal,
                     const spt__value *values, int32_t n);
    int32_t (*row)(spt__cursor *c);
    void (*done)(spt__cursor *c);
    bool (*is_null)(const spt__cursor *c, int column);
    int64_t (*integer)(const spt__cursor *c, int column);
    double (*real)(const spt__cursor *c, int column);
    const char *(*text)(const spt__cursor *c, int column);
    const void *(*bytes)(spt__cursor *c, int column, int64_t *size);
    int32_t (*script)(spt_store *s, const char *sql);
    int32_t (*begin)(spt_store *s, bool write);
    /* SPT__DB_LOST: it may be committed or not. */
    int32_t (*commit)(spt_store *s);
    void (*rollback)(spt_store *s);
    /* After SPT__DB_LOST: a connection again, waited for, or a status with its text. `committing`:
     * *committed tells what became of the transaction. NULL: connections are not lost. */
    int32_t (*again)(spt_store *s, bool committing, bool *committed);
    bool locks_rows;   /* SELECT ... FOR UPDATE is needed, and known */
    const char *words; /* "study file", "database" */
    /* ---- where the two read SQL differently ---- */
    const char *tables; /* script that makes the tables that are missing */
    const char *count_tables, *count_known_tables;
    const char *count_table; /* of this name: 0 or 1 */
    const char *stale; /* running trials with id, owner, silent longer than; by study, behind id */
} spt__driver;

extern const spt__driver spt__sqlite;
/* NULL in a build without it. */
const spt__driver *spt__postgres(void);

struct spt_store {
    spt_ctx *ctx;
    _Atomic int64_t refs;
    char *path;   /* as given, without "sqlite:///"; "memory:"; a url without its password */
    char *url;    /* of a server, as given */
    int32_t mode; /* spt_store_mode */
    const spt__driver *driver;
    void *db;     /* the driver's; NULL while there is no file: it is made with the first study */
    bool tables;  /* the tables are known to be there */
    bool working; /* in a transaction */
    bool writing; /* one that writes */
    char *study_name; /* what spt_store_study() gave out */
    int64_t process;  /* that opened it; 0: any may use its copy, as nothing is shared */
};

/* ---- schema.c ---- */

/* Is this a database of studies that we can read? s->tables: has it tables at all? In a
 * transaction. */
int32_t spt__schema_check(spt_store *s);
/* Make the tables that are missing. In a transaction that writes. */
int32_t spt__schema_make(spt_store *s);
/* The table of blocks, which a store that Optuna made has not. In a transaction that writes. */
int32_t spt__schema_blocks(spt_store *s);

/* ---- stamp.c ---- */

/* SPT_EVERSION if an Optuna whose tables we do not know has stamped it. In a transaction. */
int32_t spt__stamp_check(spt_store *s);

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
    bool texts; /* all choices are texts, not numbers or null */
} spt__foreign;

/* Widen `f` (zeroed, but for its name, at first) by what a distribution says. SPT_EFORMAT, and a
 * text, when it is none or contradicts what was there. */
int32_t spt__json_widen(spt_ctx *ctx, spt__foreign *f, const char *json);
void spt__foreign_clear(spt_ctx *ctx, spt__foreign *f);

/* ---- infer.c ---- */

/* A flat space from the trials of a study that has none on record. In a transaction. */
int32_t spt__store_infer(spt_store *s, int64_t study, spt_space **out);
/* The distribution of a parameter as the study's first trial with it has it, word for word: choices
 * may be numbers or null there, which the space only has as texts. NULL: no trial has it. */
int32_t spt__store_distribution(spt_store *s, int64_t study, const char *parameter, char **json);

/* SPT_EMISMATCH: trials of the study have a parameter of the space in another kind. */
int32_t spt__store_fits(spt_store *s, int64_t study, const spt_space *space);

/* ---- fixed.c ---- */

/* What a waiting trial of Optuna's fixes (its system attribute "fixed_params"), as values of
 * parameters that have none yet. In a transaction. */
int32_t spt__store_fixed(spt_store *s, int64_t trial, const spt_space *space, double *values);

#endif
