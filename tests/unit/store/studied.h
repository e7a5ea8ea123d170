/* A study with everything that a store can hold, for what leaves stores and comes back. */
#ifndef SPT_TESTS_STUDIED_H
#define SPT_TESTS_STUDIED_H

#include "kinds.h"

/* What only other programs write. */
static inline int32_t odd_rows(spt_store *store, void *arg)
{
    const int64_t *id = arg;
    static const char *const attributes[][2] = {
        {"nan", "NaN"},
        {"spaced", "{\"a\": [1, 2.50, 1e-05],\n \"b\" : null}"},
        {"hidden", "{\"unparsed\": \"x\"}"},
        {"large", "123456789012345678901234567890"},
        {"escaped", "\"\\u00e4\\/\""},
        {"twice", "{\"k\": 1, \"k\": 2}"}};
    for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++) {
        SPT__TRY(spt__db_run(store,
                             "INSERT INTO trial_user_attributes (trial_id, key, value_json)"
                             " VALUES (?, ?, ?)",
                             "itt", *id, attributes[i][0], attributes[i][1]));
        SPT__TRY(spt__db_run(store,
                             "INSERT INTO trial_system_attributes (trial_id, key, value_json)"
                             " VALUES (?, ?, ?)",
                             "itt", *id, attributes[i][0], attributes[i][1]));
    }
    SPT__TRY(spt__db_run(store,
                         "UPDATE trial_values SET value = ?, value_type = 'INF_POS'"
                         " WHERE trial_id = ?",
                         "di", NAN, *id));
    return spt__db_run(store,
                       "INSERT INTO trial_params (trial_id, param_name, param_value,"
                       " distribution_json) VALUES (?, 'of \"theirs\"', ?, ?)",
                       "idt", *id, 1.0,
                       "{\"name\":\"CategoricalDistribution\",\"attributes\":{\"choices\":[\"a\","
                       "0.1,null]}}");
}

/* Trials of every state (running only if asked for), blocks, odd texts; the study's name is "s". */
static inline void fill_study(spt_ctx *ctx, spt_store *store, bool running)
{
    spt_space *space = new_space(ctx);
    spt_config *config = new_config(ctx, space, 2, 0.1 + 0.2, 1), *waits = NULL;
    int64_t study, id, number;
    bool made;
    OK(ctx, spt__store_make_study(store, "s", space, &study, &made));
    OK(ctx, spt__store_pin(store, study, "target", "C \"org\"\n\xc3\xa4"));
    const spt__block rows = {"rows", "\0\1\2\xff", 4}, empty = {"empty", "", 0};
    OK(ctx, spt__store_pin_block(store, study, &rows));
    OK(ctx, spt__store_pin_block(store, study, &empty));
    OK(ctx, new_trial(store, study, config, &id, &number));
    OK(ctx, spt__store_trial_step(store, id, 0, 1.5));
    OK(ctx, spt__store_trial_step(store, id, 2, NAN));
    OK(ctx, spt__store_trial_step(store, id, 7, -INFINITY));
    const spt__attr attrs[] = {{"rmse", "0.30000000000000004"},
                               {"note", "\"says \\\"no\\\", then\\nmore; \\u00fc\""},
                               {"blank", "\" x \""},
                               {"nothing", "\"\""}};
    const spt__block block = {"predictions", "abcde", 5};
    spt__finish f = {SPT_TRIAL_COMPLETE, 0.1 + 0.2, attrs, 4, &block, 1};
    OK(ctx, spt__store_trial_finish(store, id, &f));
    add_trial(ctx, store, study, config, SPT_TRIAL_FAILED, NAN);
    add_trial(ctx, store, study, config, SPT_TRIAL_PRUNED, 1e300);
    OK(ctx, new_trial(store, study, config, &id, &number));
    f = (spt__finish){.state = SPT_TRIAL_COMPLETE, .value = 7};
    OK(ctx, spt__store_trial_finish(store, id, &f));
    OK(ctx, spt__db_transact(store, true, odd_rows, &id));
    OK(ctx, spt_config_copy(ctx, config, &waits));
    const spt__begin queued = {.config = waits};
    OK(ctx, spt__store_trial_queue(store, study, &queued, &number));
    if (running) OK(ctx, new_trial(store, study, config, &id, &number));
    spt_config_free(waits);
    spt_config_free(config);
    spt_space_free(space);
}

/* The text of an export, released with free(). */
static int32_t keep_text(const char *text, int64_t size, void *user)
{
    char **out = user;
    *out = malloc((size_t)size + 1);
    memcpy(*out, text, (size_t)size);
    (*out)[size] = '\0';
    return SPT_OK;
}

static inline char *exported(spt_ctx *ctx, spt_store *store, const char *study, int32_t format)
{
    char *text = NULL;
    OK(ctx, spt_store_export_text(store, study, format, keep_text, &text));
    return text;
}

static inline void put_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(text, 1, strlen(text), f), strlen(text));
    ck_assert_int_eq(fclose(f), 0);
}

#endif
