#include "ctx.h"

#include "lib/base/build_info.h" /* stands in the build directory */
#include "cpu.h"
#include "text.h"
#include "threads.h"

#include <stdlib.h>
#include <string.h>

/* ---- status and version -------------------------------------------------------------------- */

const char *spt_status_name(int32_t status)
{
    switch (status) {
#define X(name, value, text) \
    case value:              \
        return #name;
        SPT_STATUS_LIST(X)
#undef X
    default:
        return "SPT_UNKNOWN";
    }
}

const char *spt_status_text(int32_t status)
{
    switch (status) {
#define X(name, value, text) \
    case value:              \
        return text;
        SPT_STATUS_LIST(X)
#undef X
    default:
        return status < 0 ? "unknown error" : "unknown status";
    }
}

const char *spt_version(void)
{
    return SPT__BUILD_VERSION;
}

const char *spt_build_info(void)
{
#if defined(__clang__)
    return "clang " __clang_version__ SPT__BUILD_LIBRARIES;
#elif defined(__GNUC__)
    return "gcc " __VERSION__ SPT__BUILD_LIBRARIES;
#else
    return "unknown compiler" SPT__BUILD_LIBRARIES;
#endif
}

/* ---- records ------------------------------------------------------------------------------- */

/* A struct_size beyond this is a record that nobody initialised. */
enum { RECORD_MIN = 4, RECORD_MAX = 65536 };

void spt_record_init(void *record, uint32_t size)
{
    if (!record || size < RECORD_MIN) return;
    memset(record, 0, size);
    memcpy(record, &size, sizeof size);
}

static bool record_size(const void *record, uint32_t *size)
{
    if (!record) return false;
    memcpy(size, record, sizeof *size);
    return *size >= RECORD_MIN && *size <= RECORD_MAX;
}

int32_t spt__record_out(void *theirs, const void *ours, uint32_t our_size)
{
    uint32_t size = 0;
    if (!record_size(theirs, &size)) return SPT_EINVAL;
    uint32_t common = size < our_size ? size : our_size;
    memcpy((char *)theirs + RECORD_MIN, (const char *)ours + RECORD_MIN, common - RECORD_MIN);
    memset((char *)theirs + common, 0, size - common);
    return SPT_OK;
}

int32_t spt__record_in(void *ours, uint32_t our_size, const void *theirs)
{
    uint32_t size = 0;
    spt_record_init(ours, our_size);
    if (!record_size(theirs, &size)) return SPT_EINVAL;
    uint32_t common = size < our_size ? size : our_size;
    memcpy((char *)ours + RECORD_MIN, (const char *)theirs + RECORD_MIN, common - RECORD_MIN);
    return SPT_OK;
}

int32_t spt__text_out(const char *text, char *buffer, int64_t capacity, int64_t *needed)
{
    if (!text || capacity < 0) return SPT_EINVAL;
    size_t size = strlen(text) + 1;
    if (needed) *needed = (int64_t)size;
    if (!buffer || (uint64_t)capacity < size) return SPT_ECAPACITY;
    memcpy(buffer, text, size);
    return SPT_OK;
}

/* ---- memory -------------------------------------------------------------------------------- */

static void *system_alloc(size_t size, void *user)
{
    (void)user;
    return malloc(size);
}

static void *system_realloc(void *block, size_t size, void *user)
{
    (void)user;
    return realloc(block, size);
}

static void system_free(void *block, void *user)
{
    (void)user;
    free(block);
}

/* count * size, at least 1; false when no object can be that large. */
static bool byte_count(size_t count, size_t size, size_t *bytes)
{
    if (size && count > (size_t)PTRDIFF_MAX / size) return false;
    size_t product = count * size;
    *bytes = product ? product : 1;
    return true;
}

void *spt__alloc(spt_ctx *ctx, size_t count, size_t size)
{
    size_t bytes = 0;
    return byte_count(count, size, &bytes) ? ctx->mem.alloc(bytes, ctx->mem.user) : NULL;
}

void *spt__calloc(spt_ctx *ctx, size_t count, size_t size)
{
    size_t bytes = 0;
    if (!byte_count(count, size, &bytes)) return NULL;
    /* calloc knows which pages the system zeroed already. */
    if (ctx->mem.alloc == system_alloc) return calloc(1, bytes);
    void *block = ctx->mem.alloc(bytes, ctx->mem.user);
    if (block) memset(block, 0, bytes);
    return block;
}

void *spt__realloc(spt_ctx *ctx, void *block, size_t count, size_t size)
{
    size_t bytes = 0;
    if (!byte_count(count, size, &bytes)) return NULL;
    if (!block) return ctx->mem.alloc(bytes, ctx->mem.user);
    return ctx->mem.realloc(block, bytes, ctx->mem.user);
}

void spt__free(spt_ctx *ctx, void *block)
{
    if (block) ctx->mem.free(block, ctx->mem.user);
}

char *spt__strndup(spt_ctx *ctx, const char *text, size_t length)
{
    char *copy = length < SIZE_MAX ? spt__alloc(ctx, length + 1, 1) : NULL;
    if (!copy) return NULL;
    if (length) memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

char *spt__strdup(spt_ctx *ctx, const char *text)
{
    return spt__strndup(ctx, text, strlen(text));
}

enum { ALIGNMENT = 64 };

void *spt__calloc_aligned(spt_ctx *ctx, size_t count, size_t size)
{
    size_t bytes = 0;
    const size_t extra = ALIGNMENT + sizeof(void *);
    if (!byte_count(count, size, &bytes) || bytes > (size_t)PTRDIFF_MAX - extra) return NULL;
    char *block = spt__calloc(ctx, bytes + extra, 1);
    if (!block) return NULL;
    /* The address to release stands right before the aligned one. */
    char *first = block + sizeof(void *);
    char *aligned = first + (ALIGNMENT - (uintptr_t)first % ALIGNMENT) % ALIGNMENT;
    memcpy(aligned - sizeof(void *), &block, sizeof block);
    return aligned;
}

void spt__free_aligned(spt_ctx *ctx, void *block)
{
    if (!block) return;
    void *start = NULL;
    memcpy(&start, (char *)block - sizeof start, sizeof start);
    spt__free(ctx, start);
}

/* ---- context ------------------------------------------------------------------------------- */

int32_t spt_ctx_new(const spt_allocator *allocator, spt_ctx **out)
{
    SPT__REQUIRE(out);
    *out = NULL;
    spt_allocator mem;
    spt_record_init(&mem, sizeof mem);
    if (allocator) {
        SPT__TRY(spt__record_in(&mem, sizeof mem, allocator));
        SPT__REQUIRE(mem.alloc && mem.realloc && mem.free);
    } else {
        mem.alloc = system_alloc;
        mem.realloc = system_realloc;
        mem.free = system_free;
    }
    spt_ctx *ctx = mem.alloc(sizeof *ctx, mem.user);
    if (!ctx) return SPT_ENOMEM;
    memset(ctx, 0, sizeof *ctx);
    atomic_init(&ctx->refs, 1);
    atomic_init(&ctx->stop, 0);
    ctx->mem = mem;
    ctx->threads = spt__available_threads();
    ctx->kernels = spt__cpu_best();
    *out = ctx;
    return SPT_OK;
}

spt_ctx *spt__ctx_ref(spt_ctx *ctx)
{
    if (ctx) atomic_fetch_add_explicit(&ctx->refs, 1, memory_order_relaxed);
    return ctx;
}

void spt__ctx_unref(spt_ctx *ctx)
{
    if (!ctx || atomic_fetch_sub_explicit(&ctx->refs, 1, memory_order_acq_rel) != 1) return;
    if (ctx->log_destroy) ctx->log_destroy(ctx->log_user);
    spt_allocator mem = ctx->mem;
    mem.free(ctx, mem.user);
}

void spt_ctx_free(spt_ctx *ctx)
{
    spt__ctx_unref(ctx);
}

const char *spt_ctx_last_error(const spt_ctx *ctx)
{
    return ctx ? ctx->err.text : "no context was given (NULL)";
}

int32_t spt_ctx_set_threads(spt_ctx *ctx, int32_t n)
{
    SPT__REQUIRE(ctx);
    if (n < 0 || n > SPT__THREADS_MAX)
        return spt__fail(&ctx->err, SPT_EINVAL,
                         "the number of threads is %d; 1 to %d are possible, or 0 for all that "
                         "the process may use",
                         (int)n, SPT__THREADS_MAX);
    ctx->threads = n ? n : spt__available_threads();
    return SPT_OK;
}

int32_t spt_ctx_threads(const spt_ctx *ctx)
{
    return ctx ? ctx->threads : SPT_EINVAL;
}

void spt_ctx_stop(spt_ctx *ctx)
{
    if (ctx) atomic_store_explicit(&ctx->stop, 1, memory_order_relaxed);
}

void spt_ctx_clear_stop(spt_ctx *ctx)
{
    if (ctx) atomic_store_explicit(&ctx->stop, 0, memory_order_relaxed);
}

int32_t spt_ctx_stopping(const spt_ctx *ctx)
{
    if (!ctx) return SPT_EINVAL;
    return spt__stopping(ctx) ? 1 : 0;
}

/* ---- error text and log -------------------------------------------------------------------- */

/* Make text[0..length) one line of valid UTF-8, in place. `cut` says that the text went on: then a
 * character that lacks its end goes altogether. */
static void clean_line(char *text, size_t length, bool cut)
{
    size_t to = 0;
    for (size_t i = 0; i < length;) {
        size_t n = spt__utf8_next(text + i, length - i);
        const unsigned char c = (unsigned char)text[i];
        if (!n) {
            if (cut && length - i < 4 && c >= 0xc2) {
                size_t tail = i + 1;
                while (tail < length && ((unsigned char)text[tail] & 0xc0) == 0x80)
                    tail++;
                if (tail == length) break;
            }
            text[to++] = '?';
            i++;
            continue;
        }
        /* Controls and the line ends of Unicode: U+0085, U+2028, U+2029. */
        bool blank = c < 0x20 || c == 0x7f || (n == 2 && memcmp(text + i, "\xc2\x85", 2) == 0) ||
                     (n == 3 && (memcmp(text + i, "\xe2\x80\xa8", 3) == 0 ||
                                 memcmp(text + i, "\xe2\x80\xa9", 3) == 0));
        if (blank) {
            text[to++] = ' ';
        } else {
            memmove(text + to, text + i, n);
            to += n;
        }
        i += n;
    }
    text[to] = '\0';
}

static void format_line(char *out, size_t capacity, const char *format, va_list args)
{
    int total = spt__vformat(out, capacity, format, args);
    bool cut = total >= 0 && (size_t)total >= capacity;
    clean_line(out, cut ? capacity - 1 : strlen(out), cut);
}

int32_t spt__fail(spt__err *e, int32_t status, const char *format, ...)
{
    if (!e) return status;
    /* Not in place: the arguments may point into the text that is replaced. */
    char text[SPT__ERROR_CAPACITY];
    va_list args;
    va_start(args, format);
    format_line(text, sizeof text, format, args);
    va_end(args);
    memcpy(e->text, text, sizeof text);
    e->status = status;
    return status;
}

int32_t spt__nomem(spt__err *e)
{
    return spt__fail(e, SPT_ENOMEM, "memory allocation failed");
}

int32_t spt__fail_prefix(spt__err *e, const char *format, ...)
{
    if (!e) return SPT_EINTERNAL;
    char prefix[SPT__ERROR_CAPACITY];
    va_list args;
    va_start(args, format);
    format_line(prefix, sizeof prefix, format, args);
    va_end(args);
    return spt__fail(e, e->status, "%s%s", prefix, e->text);
}

void spt__log(spt_ctx *ctx, int32_t level, const char *format, ...)
{
    /* The promise that log lines come on the host's thread is kept here, whoever calls. */
    if (!ctx || !ctx->log_fn || level > ctx->log_level || spt__on_worker()) return;
    char text[2 * SPT__ERROR_CAPACITY];
    va_list args;
    va_start(args, format);
    format_line(text, sizeof text, format, args);
    va_end(args);
    ctx->log_fn(level, text, ctx->log_user);
}

int32_t spt_ctx_set_log(spt_ctx *ctx, int32_t level, spt_log_fn fn, void *user,
                        spt_destroy_fn destroy)
{
    if (!ctx || (fn && (level < SPT_LOG_ERROR || level > SPT_LOG_DEBUG))) {
        if (destroy) destroy(user);
        SPT__REQUIRE(ctx);
        return spt__fail(&ctx->err, SPT_EINVAL, "the log level is %d; %d to %d are possible",
                         (int)level, SPT_LOG_ERROR, SPT_LOG_DEBUG);
    }
    void *old_user = ctx->log_user;
    spt_destroy_fn old_destroy = ctx->log_destroy;
    ctx->log_level = fn ? level : 0;
    ctx->log_fn = fn;
    ctx->log_user = fn ? user : NULL;
    ctx->log_destroy = fn ? destroy : NULL;
    if (old_destroy) old_destroy(old_user);
    if (!fn && destroy) destroy(user);
    return SPT_OK;
}
