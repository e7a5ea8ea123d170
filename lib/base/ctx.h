/* Context, error text, memory and log, as the rooms see them. */
#ifndef SPT_LIB_BASE_CTX_H
#define SPT_LIB_BASE_CTX_H

#include "spectune/base.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>

#if defined(__GNUC__)
#define SPT__PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define SPT__PRINTF(f, a)
#endif

enum { SPT__ERROR_CAPACITY = 512 };

/* Where a failure is told. A worker thread has one of its own; the caller's thread copies it to the
 * context. Functions that may run on workers take an spt__err, never a context, to report. */
typedef struct spt__err {
    int32_t status;
    char text[SPT__ERROR_CAPACITY];
} spt__err;

struct spt_ctx {
    _Atomic int64_t refs;
    spt_allocator mem;
    spt__err err;
    atomic_int stop;
    int32_t threads;
    int32_t kernels;      /* SPT__CPU_...: which table the passes of lib/nn use */
    int64_t memory_limit; /* bytes that one run may need; 0: any number */
    int32_t log_level;
    spt_log_fn log_fn;
    void *log_user;
    spt_destroy_fn log_destroy;
};

spt_ctx *spt__ctx_ref(spt_ctx *ctx);
void spt__ctx_unref(spt_ctx *ctx);

static inline bool spt__stopping(const spt_ctx *ctx)
{
    return atomic_load_explicit(&ctx->stop, memory_order_relaxed) != 0;
}

/* Set the text and return the status: `return spt__fail(e, SPT_EINVAL, "folds is %d; ...", k);`.
 * The format is printf's without the locale: %g and %f always use a point. One line, no full stop
 * at the end, impersonal: what, where, what would be right. Arguments may point into e->text. */
int32_t spt__fail(spt__err *e, int32_t status, const char *format, ...) SPT__PRINTF(3, 4);
int32_t spt__nomem(spt__err *e);
/* Put more in front of a text already set: "nirsoil.csv: " + text. Returns e->status. */
int32_t spt__fail_prefix(spt__err *e, const char *format, ...) SPT__PRINTF(2, 3);

/* One line for the host's log. On a worker thread it does nothing: post an event instead. */
void spt__log(spt_ctx *ctx, int32_t level, const char *format, ...) SPT__PRINTF(3, 4);

/* Memory through the context's allocator. Sizes are checked for overflow; NULL when there is none.
 * count 0 gives a valid pointer. free takes NULL. Thread-safe as the allocator is. */
void *spt__alloc(spt_ctx *ctx, size_t count, size_t size);
void *spt__calloc(spt_ctx *ctx, size_t count, size_t size);
void *spt__realloc(spt_ctx *ctx, void *block, size_t count, size_t size);
void spt__free(spt_ctx *ctx, void *block);
char *spt__strdup(spt_ctx *ctx, const char *text);
char *spt__strndup(spt_ctx *ctx, const char *text, size_t length);
/* 64-byte aligned and zeroed, for the numeric kernels; released with spt__free_aligned. */
void *spt__calloc_aligned(spt_ctx *ctx, size_t count, size_t size);
void spt__free_aligned(spt_ctx *ctx, void *block);

/* May a run need so many bytes? Else SPT_ELIMIT: "`what` 3.21 GiB of memory, the limit is 1.00 GiB;
 * `help`". */
int32_t spt__check_memory(const spt_ctx *ctx, int64_t bytes, const char *what, const char *help,
                          spt__err *e);

/* An array of the host's that is to take `needed` values: "`what` are 40 values, the buffer holds
 * 3" and SPT_ECAPACITY if it is too short. */
int32_t spt__check_capacity(int64_t capacity, int64_t needed, const char *what, spt__err *e);
/* A parameter that is 0 or 1; anything else may get a meaning in a later version. */
int32_t spt__check_switch(int32_t value, const char *name, spt__err *e);

/* Argument checks of public functions: a NULL handle has no context to carry a text. */
#define SPT__REQUIRE(cond)              \
    do {                                \
        if (!(cond)) return SPT_EINVAL; \
    } while (0)

#define SPT__TRY(call)                                   \
    do {                                                 \
        int32_t spt__try_status = (call);                \
        if (spt__try_status < 0) return spt__try_status; \
    } while (0)

/* Copy the `size` first bytes of our record into the caller's, which may be shorter (older) or
 * longer (newer); struct_size stays the caller's. */
int32_t spt__record_out(void *theirs, const void *ours, uint32_t our_size);
/* The reverse: ours is zeroed first. */
int32_t spt__record_in(void *ours, uint32_t our_size, const void *theirs);

/* Query-then-fill for text: writes text and its NUL when they fit. *needed counts the NUL. */
int32_t spt__text_out(const char *text, char *buffer, int64_t capacity, int64_t *needed);

#endif
