/* Is a database one of studies, and making it one.
 *
 * There is no row in alembic_version, so every Optuna from 3.1 on opens what we make and then
 * stamps it with its own revision. */
#include "db.h"

#include <string.h>

enum { OPTUNA_SCHEMA = 12, KNOWN_TABLES = 8 };

int32_t spt__schema_make(spt_store *s)
{
    char library[64];
    spt__format(library, sizeof library, "libspectune %s", spt_version());
    SPT__TRY(spt__db_script(s, s->driver->tables));
    return spt__db_run(s,
                       "INSERT INTO version_info (version_info_id, schema_version,"
                       " library_version) VALUES (1, ?, ?) ON CONFLICT DO NOTHING",
                       "it", (int64_t)OPTUNA_SCHEMA, library);
}

int32_t spt__schema_check(spt_store *s)
{
    int64_t all = 0, known = 0, version = 0, optuna = 0;
    SPT__TRY(spt__db_int(s, &all, s->driver->count_tables, ""));
    s->tables = all != 0;
    if (all == 0) return SPT_OK;
    /* First, as those of an old Optuna lack tables. */
    SPT__TRY(spt__db_int(s, &optuna, s->driver->count_table, "t", "version_info"));
    if (optuna != 0) SPT__TRY(spt__stamp_check(s));
    SPT__TRY(spt__db_int(s, &known, s->driver->count_known_tables, ""));
    if (known != KNOWN_TABLES)
        return spt__fail(&s->ctx->err, SPT_EFORMAT,
                         "%s: is a database, but not one of studies (tables of Optuna's schema"
                         " are missing)",
                         s->path);
    int32_t status = spt__db_int(
        s, &version, "SELECT schema_version FROM version_info WHERE version_info_id = 1", "");
    if (status < 0 && status != SPT_ENOTFOUND) return status;
    if (version > OPTUNA_SCHEMA)
        return spt__fail(&s->ctx->err, SPT_EVERSION,
                         "%s: has Optuna's schema version %lld; this library knows those up to %d",
                         s->path, (long long)version, (int)OPTUNA_SCHEMA);
    return SPT_OK;
}

int32_t spt__schema_blocks(spt_store *s)
{
    int64_t there = 0;
    SPT__TRY(spt__db_int(s, &there, s->driver->count_table, "t", SPT__BLOCKS_TABLE));
    return there != 0 ? SPT_OK : spt__db_script(s, s->driver->tables);
}
