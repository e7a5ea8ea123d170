/* Two copies of the library in one process, as when two plug-ins of a program bring one each: a
 * second one is loaded from another file, beside the one that this program is linked against, and
 * both work at the same time, each for itself. */
#include "testing.h"

#include <dlfcn.h>
#include <pthread.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

static const char *library; /* the second file, from meson */

/* What is asked of a copy. */
typedef struct {
    void *handle;
    int32_t (*ctx_new)(const spt_allocator *, spt_ctx **);
    void (*ctx_free)(spt_ctx *);
    const char *(*last_error)(const spt_ctx *);
    int32_t (*space_preset)(spt_ctx *, const char *, spt_space **);
    int32_t (*space_xml)(const spt_space *, char *, int64_t, int64_t *);
    void (*space_free)(spt_space *);
    int32_t (*network_new)(spt_ctx *, int64_t, int64_t, int64_t, spt_network **);
    int32_t (*add_dense)(spt_network *, int64_t);
    int32_t (*finish)(spt_network *, uint64_t);
    int32_t (*fit)(spt_network *, const float *, const float *, const float *, int64_t,
                   const int64_t *, int64_t, const int64_t *, int64_t, const spt_options *,
                   spt_epoch_fn, void *, spt_training_report *);
    int32_t (*predict)(spt_network *, const float *, int64_t, float *);
    void (*network_free)(spt_network *);
    float result;
    int wrong;
} copy;

#define TAKE(copy, member, name)                                                        \
    do {                                                                                \
        void *symbol_ = dlsym((copy)->handle, name);                                    \
        ck_assert_msg(symbol_ != NULL, "%s: %s", name, dlerror());                      \
        memcpy(&(copy)->member, &symbol_, sizeof symbol_); /* ISO C has no other way */ \
    } while (0)

static void take(copy *c, void *handle)
{
    memset(c, 0, sizeof *c);
    c->handle = handle;
    TAKE(c, ctx_new, "spt_ctx_new");
    TAKE(c, ctx_free, "spt_ctx_free");
    TAKE(c, last_error, "spt_ctx_last_error");
    TAKE(c, space_preset, "spt_space_preset");
    TAKE(c, space_xml, "spt_space_xml");
    TAKE(c, space_free, "spt_space_free");
    TAKE(c, network_new, "spt_network_new");
    TAKE(c, add_dense, "spt_network_add_dense");
    TAKE(c, finish, "spt_network_finish");
    TAKE(c, fit, "spt_network_fit");
    TAKE(c, predict, "spt_network_predict");
    TAKE(c, network_free, "spt_network_free");
}

static void *job(void *arg)
{
    copy *c = arg;
    static const int64_t rows[] = {0, 1, 2, 3};
    static const float y[] = {0, 1, 2, 3};
    float x[4 * 8];
    char error[512];
    spt_ctx *ctx = NULL;
    spt_space *space = NULL;
    spt_network *network = NULL;
    int64_t needed = 0;
    for (int i = 0; i < 4 * 8; i++)
        x[i] = 0.1f * (float)(i % 5);
    c->wrong =
        c->ctx_new(NULL, &ctx) < 0 || c->space_preset(ctx, "nonesuch", &space) != SPT_ENOTFOUND;
    snprintf(error, sizeof error, "%s", c->last_error(ctx));
    c->wrong |= strstr(error, "nonesuch") == NULL || c->space_preset(ctx, "small", &space) < 0 ||
                c->space_xml(space, NULL, 0, &needed) != SPT_ECAPACITY || needed < 100;
    c->wrong |= c->network_new(ctx, 8, 1, 1, &network) < 0 || c->add_dense(network, 4) < 0 ||
                c->finish(network, 3) < 0 ||
                c->fit(network, x, y, NULL, 4, rows, 4, NULL, 0, NULL, NULL, NULL, NULL) < 0 ||
                c->predict(network, x, 1, &c->result) < 0;
    c->network_free(network);
    c->space_free(space);
    c->ctx_free(ctx);
    return NULL;
}

/* Symbols of the second copy must not be those of the first, also where it calls itself. */
static void both(copy *first, copy *second)
{
    pthread_t thread;
    ck_assert(first->ctx_new != second->ctx_new);
    ck_assert(first->predict != second->predict);
    ck_assert_int_eq(pthread_create(&thread, NULL, job, first), 0);
    job(second);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(first->wrong, 0);
    ck_assert_int_eq(second->wrong, 0);
    ck_assert_mem_eq(&first->result, &second->result, sizeof first->result);
}

START_TEST(loaded_beside)
{
    copy first, second;
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    ck_assert_msg(handle != NULL, "%s", dlerror());
    take(&first, RTLD_DEFAULT);
    take(&second, handle);
    ck_assert(first.ctx_new == spt_ctx_new);
    both(&first, &second);
    /* The first goes on when the second is gone. */
    ck_assert_int_eq(dlclose(handle), 0);
    job(&first);
    ck_assert_int_eq(first.wrong, 0);
}
END_TEST

/* In a name space of its own, with its own libraries below it. */
START_TEST(in_a_name_space)
{
#if !defined(SANITIZED) && defined(LM_ID_NEWLM)
    copy first, second;
    void *handle = dlmopen(LM_ID_NEWLM, library, RTLD_NOW | RTLD_LOCAL);
    ck_assert_msg(handle != NULL, "%s", dlerror());
    take(&first, RTLD_DEFAULT);
    take(&second, handle);
    job(&second);
    job(&first);
    ck_assert_int_eq(first.wrong, 0);
    ck_assert_int_eq(second.wrong, 0);
    ck_assert_mem_eq(&first.result, &second.result, sizeof first.result);
#endif
}
END_TEST

/* Loaded, used and closed again and again: nothing is left that keeps it. */
START_TEST(loaded_again)
{
    for (int i = 0; i < 20; i++) {
        copy c;
        void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
        ck_assert_msg(handle != NULL, "%s", dlerror());
        take(&c, handle);
        job(&c);
        ck_assert_int_eq(c.wrong, 0);
        ck_assert_int_eq(dlclose(handle), 0);
    }
}
END_TEST

SUITE_MAIN(
    "copies", library = getenv("SPT_TEST_LIBRARY"); if (!library) {
        printf("skipped: SPT_TEST_LIBRARY names no second library\n");
        return 77;
    } tcase_add_test(tcase, loaded_beside);
    tcase_add_test(tcase, in_a_name_space); tcase_add_test(tcase, loaded_again);)
