/* Which Optuna a store is for: one row of a table that only Optuna looks at, and the check of it.
 */
#include "db.h"

#include <string.h>

/* The revisions whose tables are those that we read; the second has one index more. */
static const char revision_31[] = "v3.0.0.d", revision_32[] = "v3.2.0.a";

/* "3.1", "4.2.1": its two first numbers. */
static bool version_of(const char *text, int64_t *major, int64_t *minor)
{
    const size_t length = strlen(text), first = strcspn(text, ".");
    if (text[0] < '0' || text[0] > '9' || !spt__parse_int64(text, first, major)) return false;
    *minor = 0;
    if (first == length) return true;
    const char *rest = text + first + 1;
    return rest[0] >= '0' && rest[0] <= '9' && spt__parse_int64(rest, strcspn(rest, "."), minor);
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

static int32_t stamp(spt_store *s, const char *revision)
{
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
    SPT__TRY(spt__db_begin(s, true));
    return spt__db_end(s, stamp(s, revision));
}
