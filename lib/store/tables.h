/* Optuna's tables (its schema version 12, as of 3.1), and one of ours that it does not look at,
 * once for every database: what they call the types differs.
 *
 * ID: an integer that is counted up, as primary key; REAL, TIME, BYTES: types of columns; the
 * others are words from a list, which PostgreSQL knows as types. */
#ifndef SPT_LIB_STORE_TABLES_H
#define SPT_LIB_STORE_TABLES_H

/* The attributes that users, or programs, give a study or a trial. */
#define SPT__ATTRIBUTE_TABLE(of, many, whose, ID)                                               \
    "CREATE TABLE IF NOT EXISTS " of "_" whose "_attributes (" of "_" whose "_attribute_id " ID \
    ", " of "_id INTEGER REFERENCES " many " (" of "_id), key VARCHAR(512), value_json TEXT,"   \
    " UNIQUE (" of "_id, key));"

#define SPT__TABLES(ID, REAL, TIME, BYTES, DIRECTION, STATE, VALUE_TYPE, STEP_TYPE)                \
    "CREATE TABLE IF NOT EXISTS studies (study_id " ID ", study_name VARCHAR(512) NOT NULL);"      \
    "CREATE UNIQUE INDEX IF NOT EXISTS ix_studies_study_name ON studies (study_name);"             \
    "CREATE TABLE IF NOT EXISTS version_info ("                                                    \
    "version_info_id INTEGER NOT NULL PRIMARY KEY CHECK (version_info_id = 1),"                    \
    " schema_version INTEGER, library_version VARCHAR(256));"                                      \
    "CREATE TABLE IF NOT EXISTS study_directions (study_direction_id " ID ", direction " DIRECTION \
    " NOT NULL, study_id INTEGER NOT NULL REFERENCES studies (study_id),"                          \
    " objective INTEGER NOT NULL, UNIQUE (study_id, objective));" SPT__ATTRIBUTE_TABLE(            \
        "study", "studies", "user", ID)                                                            \
        SPT__ATTRIBUTE_TABLE(                                                                      \
            "study", "studies", "system",                                                          \
            ID) "CREATE TABLE IF NOT EXISTS trials (trial_id " ID                                  \
                ", number INTEGER, study_id INTEGER REFERENCES studies (study_id), state " STATE   \
                " NOT NULL, datetime_start " TIME ", datetime_complete " TIME ");"                 \
                "CREATE INDEX IF NOT EXISTS ix_trials_study_id ON trials "                         \
                "(study_id);" SPT__ATTRIBUTE_TABLE("trial", "trials", "user", ID)                  \
                    SPT__ATTRIBUTE_TABLE(                                                          \
                        "trial", "trials", "system",                                               \
                        ID) "CREATE TABLE IF NOT EXISTS trial_params (param_id " ID                \
                            ", trial_id INTEGER REFERENCES trials (trial_id), "                    \
                            "param_name "                                                          \
                            "VARCHAR(512), param_value " REAL                                      \
                            ", distribution_json TEXT, UNIQUE (trial_id, param_name));"            \
                            "CREATE TABLE IF NOT EXISTS trial_values "                             \
                            "(trial_value_id " ID                                                  \
                            ", trial_id INTEGER NOT NULL REFERENCES trials (trial_id), "           \
                            "objective "                                                           \
                            "INTEGER NOT NULL,"                                                    \
                            " value " REAL ", value_type " VALUE_TYPE                              \
                            " NOT NULL, UNIQUE (trial_id, objective));"                            \
                            "CREATE TABLE IF NOT EXISTS trial_intermediate_values "                \
                            "(trial_intermediate_value_id " ID                                     \
                            ", trial_id INTEGER NOT NULL REFERENCES trials (trial_id), "           \
                            "step "                                                                \
                            "INTEGER NOT NULL,"                                                    \
                            " intermediate_value " REAL ", intermediate_value_type " STEP_TYPE     \
                            " NOT NULL, UNIQUE (trial_id, step));"                                 \
                            "CREATE TABLE IF NOT EXISTS trial_heartbeats "                         \
                            "(trial_heartbeat_id " ID                                              \
                            ", trial_id INTEGER NOT NULL UNIQUE REFERENCES trials "                \
                            "(trial_id), "                                                         \
                            "heartbeat " TIME " NOT NULL);"                                        \
                            "CREATE TABLE IF NOT EXISTS alembic_version (version_num "             \
                            "VARCHAR(32) "                                                         \
                            "NOT NULL,"                                                            \
                            " CONSTRAINT alembic_version_pkc PRIMARY KEY "                         \
                            "(version_num));" /* trial_id                                          \
                                                 -1:                                               \
                                                 the                                               \
                                                 study's                                           \
                                               */                                                  \
                            "CREATE TABLE IF NOT EXISTS spectune_blocks (block_id " ID             \
                            ", study_id INTEGER NOT NULL REFERENCES studies "                      \
                            "(study_id), trial_id "                                                \
                            "INTEGER NOT NULL,"                                                    \
                            " key VARCHAR(512) NOT NULL, data " BYTES                              \
                            " NOT NULL, UNIQUE (study_id, trial_id, key));"

#endif
