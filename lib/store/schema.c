/* Optuna's tables (its schema version 12, as of 3.1), and one of ours that it does not look at.
 *
 * There is no row in alembic_version, so every Optuna from 3.1 on opens the file and then stamps it
 * with its own revision. */
#include "db.h"

#include <string.h>

enum { OPTUNA_SCHEMA = 12 };

static const char tables_sql[] =
    "CREATE TABLE IF NOT EXISTS studies (study_id INTEGER NOT NULL PRIMARY KEY,"
    " study_name VARCHAR(512) NOT NULL);"
    "CREATE UNIQUE INDEX IF NOT EXISTS ix_studies_study_name ON studies (study_name);"
    "CREATE TABLE IF NOT EXISTS version_info ("
    " version_info_id INTEGER NOT NULL PRIMARY KEY CHECK (version_info_id = 1),"
    " schema_version INTEGER, library_version VARCHAR(256));"
    "CREATE TABLE IF NOT EXISTS study_directions (study_direction_id INTEGER NOT NULL PRIMARY KEY,"
    " direction VARCHAR(8) NOT NULL, study_id INTEGER NOT NULL REFERENCES studies (study_id),"
    " objective INTEGER NOT NULL, UNIQUE (study_id, objective));"
    "CREATE TABLE IF NOT EXISTS study_user_attributes ("
    " study_user_attribute_id INTEGER NOT NULL PRIMARY KEY,"
    " study_id INTEGER REFERENCES studies (study_id), key VARCHAR(512), value_json TEXT,"
    " UNIQUE (study_id, key));"
    "CREATE TABLE IF NOT EXISTS study_system_attributes ("
    " study_system_attribute_id INTEGER NOT NULL PRIMARY KEY,"
    " study_id INTEGER REFERENCES studies (study_id), key VARCHAR(512), value_json TEXT,"
    " UNIQUE (study_id, key));"
    "CREATE TABLE IF NOT EXISTS trials (trial_id INTEGER NOT NULL PRIMARY KEY, number INTEGER,"
    " study_id INTEGER REFERENCES studies (study_id), state VARCHAR(8) NOT NULL,"
    " datetime_start DATETIME, datetime_complete DATETIME);"
    "CREATE INDEX IF NOT EXISTS ix_trials_study_id ON trials (study_id);"
    "CREATE TABLE IF NOT EXISTS trial_user_attributes ("
    " trial_user_attribute_id INTEGER NOT NULL PRIMARY KEY,"
    " trial_id INTEGER REFERENCES trials (trial_id), key VARCHAR(512), value_json TEXT,"
    " UNIQUE (trial_id, key));"
    "CREATE TABLE IF NOT EXISTS trial_system_attributes ("
    " trial_system_attribute_id INTEGER NOT NULL PRIMARY KEY,"
    " trial_id INTEGER REFERENCES trials (trial_id), key VARCHAR(512), value_json TEXT,"
    " UNIQUE (trial_id, key));"
    "CREATE TABLE IF NOT EXISTS trial_params (param_id INTEGER NOT NULL PRIMARY KEY,"
    " trial_id INTEGER REFERENCES trials (trial_id), param_name VARCHAR(512), param_value FLOAT,"
    " distribution_json TEXT, UNIQUE (trial_id, param_name));"
    "CREATE TABLE IF NOT EXISTS trial_values (trial_value_id INTEGER NOT NULL PRIMARY KEY,"
    " trial_id INTEGER NOT NULL REFERENCES trials (trial_id), objective INTEGER NOT NULL,"
    " value FLOAT, value_type VARCHAR(7) NOT NULL, UNIQUE (trial_id, objective));"
    "CREATE TABLE IF NOT EXISTS trial_intermediate_values ("
    " trial_intermediate_value_id INTEGER NOT NULL PRIMARY KEY,"
    " trial_id INTEGER NOT NULL REFERENCES trials (trial_id), step INTEGER NOT NULL,"
    " intermediate_value FLOAT, intermediate_value_type VARCHAR(7) NOT NULL,"
    " UNIQUE (trial_id, step));"
    "CREATE TABLE IF NOT EXISTS trial_heartbeats ("
    " trial_heartbeat_id INTEGER NOT NULL PRIMARY KEY,"
    " trial_id INTEGER NOT NULL UNIQUE REFERENCES trials (trial_id), heartbeat DATETIME NOT NULL);"
    "CREATE TABLE IF NOT EXISTS alembic_version (version_num VARCHAR(32) NOT NULL,"
    " CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num));"
    /* trial_id -1: of the study itself */
    "CREATE TABLE IF NOT EXISTS spectune_blocks (block_id INTEGER NOT NULL PRIMARY KEY,"
    " study_id INTEGER NOT NULL REFERENCES studies (study_id), trial_id INTEGER NOT NULL,"
    " key VARCHAR(512) NOT NULL, data BLOB NOT NULL, UNIQUE (study_id, trial_id, key));";

int32_t spt__schema_make(spt_store *s)
{
    char library[64];
    spt__format(library, sizeof library, "libspectune %s", spt_version());
    SPT__TRY(spt__db_script(s, tables_sql));
    return spt__db_run(s,
                       "INSERT OR IGNORE INTO version_info (version_info_id, schema_version,"
                       " library_version) VALUES (1, ?, ?)",
                       "it", (int64_t)OPTUNA_SCHEMA, library);
}

int32_t spt__schema_check(spt_store *s, bool *tables)
{
    int64_t all = 0, known = 0, version = 0;
    SPT__TRY(spt__db_int(s, &all, "SELECT count(*) FROM sqlite_master WHERE type = 'table'", ""));
    *tables = all != 0;
    if (all == 0) return SPT_OK;
    SPT__TRY(spt__db_int(
        s, &known,
        "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name IN ('studies',"
        " 'version_info', 'trials', 'trial_params', 'trial_values', 'study_directions',"
        " 'trial_intermediate_values', 'trial_user_attributes')",
        ""));
    if (known != 8)
        return spt__fail(
            &s->ctx->err, SPT_EFORMAT,
            "%s: is a SQLite database, but not one of studies (tables of Optuna's schema"
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
