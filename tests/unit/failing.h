/* An allocator that counts what is live and can be told to fail from the n-th request on. */
#ifndef SPT_TESTS_FAILING_H
#define SPT_TESTS_FAILING_H

#include "testing.h"

#include <stdatomic.h>

/* Any thread may ask. */
typedef struct {
    _Atomic long live;
    _Atomic long until_failure; /* -1: never */
    _Atomic long asked;         /* requests so far */
} failing;

static inline int failing_now(failing *f)
{
    f->asked++;
    long left = f->until_failure;
    while (left > 0 && !atomic_compare_exchange_weak(&f->until_failure, &left, left - 1))
        ;
    return left == 0;
}

static void *failing_alloc(size_t size, void *user)
{
    failing *f = user;
    if (failing_now(f)) return NULL;
    f->live++;
    return malloc(size);
}

static void *failing_realloc(void *block, size_t size, void *user)
{
    failing *f = user;
    if (failing_now(f)) return NULL;
    if (!block) f->live++;
    return realloc(block, size);
}

static void failing_free(void *block, void *user)
{
    failing *f = user;
    if (block) f->live--;
    free(block);
}

/* A context on it; nothing fails until f->until_failure is set. */
static inline spt_ctx *failing_ctx(failing *f)
{
    spt_allocator a;
    spt_ctx *ctx;
    f->live = f->asked = 0;
    f->until_failure = -1;
    spt_record_init(&a, sizeof a);
    a.alloc = failing_alloc;
    a.realloc = failing_realloc;
    a.free = failing_free;
    a.user = f;
    ck_assert_int_eq(spt_ctx_new(&a, &ctx), SPT_OK);
    return ctx;
}

#endif
