/* Which Optuna a store is for: one row of a table that only Optuna looks at, and the check of it.
 */
#include "db.h"

#include <string.h>

/* The revisions whose tables are those that we read; the second has one index more. */
static const char revision_31[] = "v3.0.0.d", revision_32[] = "v3.2.0.a";

/* "3.1", "4.2.1": its two first numbers. */
static bool version_of(const char *text, int64_t *major, int64_t *minor)
{
    static const char digits[] = "0123456789";
    size_t n = strspn(text, digits);
    *minor = 0;
    if (n == 0 || n > 4 || !spt__parse_int64(text, n, major)) return false;
    if (text[n] == '\0') return true;
    const char *rest = text + n + 1;
    n = strspn(rest, digits);
    return rest[-1] == '.' && n > 0 && n <= 4 && (rest[n] == '\0' || rest[n] == '.') &&
           spt__parse_int64(rest, n, minor);
}

/* The revision that an Optuna wants; "" for any, NULL for one that is not known. */
static const char *revision_of(const char *optuna)
{
    int64_t major, minor;
    if (spt__same_text(optuna, "any")) return "";
    if (!version_of(optuna, &major, &minor)) return NULL;
    if (major == 3 && minor <= 1) return revision_31;
    return major >= 3 && major <= 5 ? revision_32 : NULL;
}

static int32_t stamp(spt_store *s, void *arg)
{
    const char *revision = arg;
    /* A store of 3.1 lacks the index that 3.2 made, and may lack the table. */
    SPT__TRY(spt__schema_make(s));
    SPT__TRY(spt__db_run(s, "DELETE FROM alembic_version", ""));
    if (*revision == '\0') return SPT_OK;
    return spt__db_run(s, "INSERT INTO alembic_version (version_num) VALUES (?)", "t", revision);
}

int32_t spt_store_stamp(spt_store *s, const char *optuna)
{
    SPT__REQUIRE(s != NULL && optuna != NULL);
    const char *revision = revision_of(optuna);
    if (revision == NULL)
        return spt__fail(&s->ctx->err, SPT_EINVAL,
                         "Optuna '%.40s' is not known; 3.0 to 5.x and any are possible", optuna);
    if (!s->tables)
        return spt__fail(&s->ctx->err, SPT_ENOTFOUND, "%s: holds no study yet", s->path);
    return spt__db_transact(s, true, stamp, (char *)revision);
}

/* ---- what others have stamped ---- */

/* Optuna's revisions are named after its versions, so they sort as texts. */
static int32_t look(spt_store *s, const char *revision)
{
    if (strcmp(revision, revision_31) == 0 || strcmp(revision, revision_32) == 0) return SPT_OK;
    if (strcmp(revision, revision_31) < 0)
        return spt__fail(&s->ctx->err, SPT_EVERSION,
                         "%s: was made by an older Optuna (revision %.40s); 'optuna storage"
                         " upgrade' of Optuna 3.0 or newer makes it readable",
                         s->path, revision);
    return spt__fail(&s->ctx->err, SPT_EVERSION,
                     "%s: is from a newer Optuna (revision %.40s; this library knows those up to"
                     " %s)",
                     s->path, revision, revision_32);
}

int32_t spt__stamp_check(spt_store *s)
{
    spt__cursor q;
    int64_t there = 0;
    int32_t status;
    SPT__TRY(spt__db_int(s, &there, s->driver->count_table, "t", "alembic_version"));
    if (there == 0) return SPT_OK;
    SPT__TRY(spt__db_query(s, &q, "SELECT version_num FROM alembic_version", ""));
    while ((status = spt__db_row(&q)) > 0) {
        const char *revision = spt__col_text(&q, 0);
        status = revision != NULL ? look(s, revision) : SPT_OK;
        if (status < 0) break;
    }
    spt__db_done(&q);
    return status;
}
