/* The kinds of store that a test can run on: memory, a file, a server. */
#ifndef SPT_TESTS_KINDS_H
#define SPT_TESTS_KINDS_H

#include "stores.h"

#include "store/db.h"

enum { MEMORY, A_FILE, SERVER, KINDS };

/* Where the script that runs the tests has started a server. */
static inline const char *server_url(void)
{
    return getenv("SPT_TEST_POSTGRES");
}

static inline int kinds(void)
{
    return server_url() != NULL ? KINDS : SERVER;
}

/* Begin with an empty database. */
static inline int32_t wipe(spt_store *store, void *arg)
{
    (void)arg;
    return spt__db_script(store, "DROP SCHEMA public CASCADE; CREATE SCHEMA public");
}

static inline spt_store *open_kind(spt_ctx *ctx, int kind)
{
    spt_store *store = NULL;
    const char *url = kind == SERVER   ? server_url()
                      : kind == MEMORY ? "memory:"
                                       : file_name("conf");
    if (kind == A_FILE) remove(url);
    OK(ctx, spt_store_open(ctx, url, SPT_STORE_CREATE, &store));
    if (kind != SERVER) return store;
    OK(ctx, spt__db_transact(store, true, wipe, NULL));
    spt_store_free(store);
    OK(ctx, spt_store_open(ctx, url, SPT_STORE_CREATE, &store));
    return store;
}

static inline void close_kind(spt_store *store, int kind)
{
    spt_store_free(store);
    if (kind == A_FILE) ck_assert_int_eq(remove(file_name("conf")), 0);
}

#endif
