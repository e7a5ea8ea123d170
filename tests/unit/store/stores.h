/* What the tests of the store share: a small space, a study, trials. */
#ifndef SPT_TESTS_STORES_H
#define SPT_TESTS_STORES_H

#include "testing.h"

#include "base/ctx.h"
#include "space/space.h"
#include "store/store.h"

#include <unistd.h>

static inline spt_ctx *new_ctx(void)
{
    spt_ctx *ctx = NULL;
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
    return ctx;
}

/* A file of this process in the build folder; the name has a blank and an umlaut. */
static inline const char *file_name(const char *name)
{
    static char path[1024];
    const char *folder = getenv("SPT_TEST_BUILD");
    snprintf(path, sizeof path, "%s/st\xc3\xb6re %s %d.db", folder != NULL ? folder : ".", name,
             (int)getpid());
    return path;
}

static inline spt_space *new_space(spt_ctx *ctx)
{
    static const char *const choices[] = {"relu", "\"quoted\" & <odd>", "elu"};
    spt_space *space = NULL;
    OK(ctx, spt_space_new(ctx, "tree", &space));
    OK(ctx, spt_space_add_int(space, "blocks", 0, 3, 1, 0, 1));
    OK(ctx, spt_space_add_float(space, "rate", 1e-5, 1, 0, 1, 0.1));
    OK(ctx, spt_space_add_categorical(space, "kind", choices, 3, 0));
    OK(ctx, spt_space_add_bool(space, "pool", 1));
    OK(ctx, spt_space_add_int(space, "units", 8, 512, 8, 1, 16));
    OK(ctx, spt_space_add_condition(space, "units", "blocks", SPT_OP_GE, (const char *[]){"2"}, 1));
    return space;
}

static inline spt_config *new_config(spt_ctx *ctx, const spt_space *space, int blocks, double rate,
                                     int kind)
{
    spt_config *config = NULL;
    OK(ctx, spt_config_new(ctx, space, &config));
    OK(ctx, spt_config_set_number(config, "blocks", blocks));
    OK(ctx, spt_config_set_number(config, "rate", rate));
    OK(ctx, spt_config_set_number(config, "kind", kind));
    return config;
}

static inline int32_t new_trial(spt_store *store, int64_t study, const spt_config *config,
                                int64_t *id, int64_t *number)
{
    const spt__begin begin = {.config = config};
    return spt__store_trial_new(store, study, &begin, id, number);
}

/* How many trials of workers that are gone were failed; negative: it could not be done. */
static inline int64_t fail_stale(spt_store *store, int64_t study, double seconds)
{
    spt__stale sweep = {.study = study, .seconds = seconds, .reason = "abandoned"};
    const int32_t status = spt__store_fail_stale(store, &sweep);
    return status < 0 ? status : sweep.failed;
}

/* One finished trial; its number. */
static inline int64_t add_trial(spt_ctx *ctx, spt_store *store, int64_t study,
                                const spt_config *config, int32_t state, double value)
{
    int64_t id, number;
    spt__finish f = {.state = state, .value = value};
    OK(ctx, new_trial(store, study, config, &id, &number));
    OK(ctx, spt__store_trial_finish(store, id, &f));
    return number;
}

#endif
