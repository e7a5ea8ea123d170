/* An allocator that counts: requests, bytes in use and the most that ever were; and can be told to
 * fail at one request. */
#ifndef SPT_TESTS_COUNTING_H
#define SPT_TESTS_COUNTING_H

#include "testing.h"

#include <stdatomic.h>

/* Any thread may ask. */
typedef struct counter {
    _Atomic int64_t calls, live, peak;
    int64_t fail_at; /* 0: never */
} counter;

static void *count_alloc(size_t size, void *user)
{
    counter *c = user;
    if (++c->calls == c->fail_at) return NULL;
    size_t *block = malloc(size + 64);
    if (!block) return NULL;
    *block = size;
    int64_t live = atomic_fetch_add(&c->live, (int64_t)size) + (int64_t)size, peak = c->peak;
    while (live > peak && !atomic_compare_exchange_weak(&c->peak, &peak, live))
        ;
    return (char *)block + 64;
}

static void count_free(void *pointer, void *user)
{
    if (!pointer) return;
    size_t *block = (size_t *)(void *)((char *)pointer - 64);
    ((counter *)user)->live -= (int64_t)*block;
    free(block);
}

static void *count_realloc(void *pointer, size_t size, void *user)
{
    void *more = count_alloc(size, user);
    if (!more || !pointer) return more;
    size_t *old = (size_t *)(void *)((char *)pointer - 64);
    memcpy(more, pointer, *old < size ? *old : size);
    count_free(pointer, user);
    return more;
}

static inline spt_ctx *counting_ctx(counter *c)
{
    spt_allocator a;
    spt_record_init(&a, sizeof a);
    a.alloc = count_alloc;
    a.realloc = count_realloc;
    a.free = count_free;
    a.user = c;
    spt_ctx *made = NULL;
    spt_ctx_new(&a, &made);
    return made;
}

#endif
