#include "testing.h"

#include "base/ctx.h"
#include "base/file.h"
#include "base/text.h"
#include "base/threads.h"

#include <unistd.h>

START_TEST(statuses_have_names_and_texts)
{
    ck_assert_str_eq(spt_status_name(SPT_EINVAL), "SPT_EINVAL");
    ck_assert_str_eq(spt_status_name(SPT_STOP_EXHAUSTED), "SPT_STOP_EXHAUSTED");
    ck_assert_str_eq(spt_status_name(-12345), "SPT_UNKNOWN");
    ck_assert_str_eq(spt_status_text(SPT_OK), "done");
    ck_assert_ptr_nonnull(spt_status_text(-12345));
    ck_assert_ptr_nonnull(spt_status_text(12345));
}
END_TEST

START_TEST(the_build_is_described)
{
    char version[32];
    snprintf(version, sizeof version, "%d.%d.%d", SPT_VERSION_MAJOR, SPT_VERSION_MINOR,
             SPT_VERSION_PATCH);
    ck_assert_str_eq(spt_version(), version);
    static const char *const words[] = {"libxml2 ", "SQLite ", "jansson ", "BLIS "};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        ck_assert_msg(strstr(spt_build_info(), words[i]) != NULL, "%s", spt_build_info());
    ck_assert_ptr_null(strchr(spt_build_info(), '\n'));
}
END_TEST

START_TEST(null_handles_are_survived)
{
    spt_ctx_free(NULL);
    spt_ctx_stop(NULL);
    spt_ctx_clear_stop(NULL);
    spt_record_init(NULL, 8);
    ck_assert_int_eq(spt_ctx_new(NULL, NULL), SPT_EINVAL);
    ck_assert_int_eq(spt_ctx_set_threads(NULL, 1), SPT_EINVAL);
    ck_assert_int_eq(spt_ctx_threads(NULL), SPT_EINVAL);
    ck_assert_int_eq(spt_ctx_stopping(NULL), SPT_EINVAL);
    ck_assert_int_eq(spt_ctx_set_log(NULL, SPT_LOG_INFO, NULL, NULL, NULL), SPT_EINVAL);
    ck_assert_ptr_nonnull(spt_ctx_last_error(NULL));
}
END_TEST

START_TEST(threads_are_bounded)
{
    spt_ctx *ctx = NULL;
    OK(NULL, spt_ctx_new(NULL, &ctx));
    ck_assert_int_ge(spt_ctx_threads(ctx), 1);
    FAILS(ctx, SPT_EINVAL, "1 to 1024", spt_ctx_set_threads(ctx, 1025));
    FAILS(ctx, SPT_EINVAL, "-1", spt_ctx_set_threads(ctx, -1));
    OK(ctx, spt_ctx_set_threads(ctx, 1024));
    ck_assert_int_eq(spt_ctx_threads(ctx), 1024);
    OK(ctx, spt_ctx_set_threads(ctx, 0));
    ck_assert_int_eq(spt_ctx_threads(ctx), spt__available_threads());
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(a_stop_request_stays_until_it_is_cleared)
{
    spt_ctx *ctx = NULL;
    OK(NULL, spt_ctx_new(NULL, &ctx));
    ck_assert_int_eq(spt_ctx_stopping(ctx), 0);
    spt_ctx_stop(ctx);
    spt_ctx_stop(ctx);
    ck_assert_int_eq(spt_ctx_stopping(ctx), 1);
    ck_assert(spt__stopping(ctx));
    spt_ctx_clear_stop(ctx);
    ck_assert_int_eq(spt_ctx_stopping(ctx), 0);
    spt_ctx_free(ctx);
}
END_TEST

/* ---- error text ---------------------------------------------------------------------------- */

START_TEST(error_texts_are_one_line_of_utf8)
{
    spt__err e = {0};
    ck_assert_int_eq(spt__fail(&e, SPT_EDATA, "a%sb\tc %d", "\r\n", 5), SPT_EDATA);
    ck_assert_str_eq(e.text, "a  b c 5");
    ck_assert_int_eq(e.status, SPT_EDATA);
    spt__fail(&e, SPT_EDATA, "%s", "next\xc2\x85line\xe2\x80\xa8sep\xe2\x80\xa9par");
    ck_assert_str_eq(e.text, "next line sep par");
    spt__fail(&e, SPT_EDATA, "%s", "latin \xe4 1");
    ck_assert_str_eq(e.text, "latin ? 1");
    ck_assert_int_eq(spt__fail(NULL, SPT_EIO, "nowhere"), SPT_EIO);
    spt__fail(&e, SPT_EINVAL, "low is %g", 0.5);
    ck_assert_int_eq(spt__fail_prefix(&e, "%s: ", "nirsoil.csv"), SPT_EINVAL);
    ck_assert_str_eq(e.text, "nirsoil.csv: low is 0.5");
    spt__fail(&e, SPT_EIO, "%s again", e.text);
    ck_assert_str_eq(e.text, "nirsoil.csv: low is 0.5 again");
    ck_assert_int_eq(spt__nomem(&e), SPT_ENOMEM);
}
END_TEST

START_TEST(long_error_texts_are_cut_between_characters)
{
    static const char *const characters[] = {"a", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x8c\x88"};
    char text[1200];
    for (size_t c = 0; c < 4; c++) {
        for (size_t shift = 0; shift < 4; shift++) {
            const size_t n = strlen(characters[c]);
            memset(text, 'x', shift);
            for (size_t i = shift; i + n < sizeof text; i += n)
                memcpy(text + i, characters[c], n + 1);
            spt__err e = {0};
            spt__fail(&e, SPT_EDATA, "%s", text);
            const size_t length = strlen(e.text);
            ck_assert(length < SPT__ERROR_CAPACITY && length + n >= SPT__ERROR_CAPACITY);
            ck_assert(spt__is_utf8(e.text, length));
            ck_assert_ptr_null(strchr(e.text, '?'));
        }
    }
}
END_TEST

/* ---- log ----------------------------------------------------------------------------------- */

typedef struct {
    int lines, destroyed, level;
    char text[2000];
} log_state;

static void take_line(int32_t level, const char *text, void *user)
{
    log_state *s = user;
    s->lines++;
    s->level = level;
    snprintf(s->text, sizeof s->text, "%s", text);
}

static void destroy_log(void *user)
{
    ((log_state *)user)->destroyed++;
}

START_TEST(log_lines_go_to_the_host)
{
    spt_ctx *ctx = NULL;
    log_state a = {0}, b = {0}, c = {0}, d = {0};
    OK(NULL, spt_ctx_new(NULL, &ctx));
    spt__log(ctx, SPT_LOG_ERROR, "nobody listens");
    OK(ctx, spt_ctx_set_log(ctx, SPT_LOG_INFO, take_line, &a, destroy_log));
    spt__log(ctx, SPT_LOG_DEBUG, "too fine");
    ck_assert_int_eq(a.lines, 0);
    spt__log(ctx, SPT_LOG_INFO, "fold %d\nof %d", 1, 5);
    ck_assert_str_eq(a.text, "fold 1 of 5");
    ck_assert_int_eq(a.level, SPT_LOG_INFO);
    /* A call that fails releases what it was given and leaves the old one in place. */
    FAILS(ctx, SPT_EINVAL, "1 to 4", spt_ctx_set_log(ctx, 5, take_line, &b, destroy_log));
    ck_assert_int_eq(b.destroyed, 1);
    ck_assert_int_eq(a.destroyed, 0);
    ck_assert_int_eq(spt_ctx_set_log(NULL, 1, take_line, &b, destroy_log), SPT_EINVAL);
    ck_assert_int_eq(b.destroyed, 2);
    OK(ctx, spt_ctx_set_log(ctx, SPT_LOG_DEBUG, take_line, &c, destroy_log));
    ck_assert_int_eq(a.destroyed, 1);
    OK(ctx, spt_ctx_set_log(ctx, 0, NULL, &d, destroy_log));
    ck_assert_int_eq(c.destroyed, 1);
    ck_assert_int_eq(d.destroyed, 1);
    OK(ctx, spt_ctx_set_log(ctx, SPT_LOG_DEBUG, take_line, &c, destroy_log));
    /* What was made from the context may still log. */
    spt__ctx_ref(ctx);
    spt_ctx_free(ctx);
    ck_assert_int_eq(c.destroyed, 1);
    spt__log(ctx, SPT_LOG_DEBUG, "last words");
    ck_assert_str_eq(c.text, "last words");
    spt__ctx_unref(ctx);
    ck_assert_int_eq(c.destroyed, 2);
}
END_TEST

static int32_t log_from_task(int64_t index, int32_t worker, void *arg, spt__err *e)
{
    (void)worker;
    (void)e;
    spt__log(arg, SPT_LOG_INFO, "task %d", (int)index);
    return SPT_OK;
}

START_TEST(workers_do_not_log)
{
    spt_ctx *ctx = NULL;
    log_state s = {0};
    OK(NULL, spt_ctx_new(NULL, &ctx));
    OK(ctx, spt_ctx_set_log(ctx, SPT_LOG_INFO, take_line, &s, NULL));
    OK(ctx, spt_ctx_set_threads(ctx, 2));
    OK(ctx, spt__parallel(ctx, 8, log_from_task, ctx, &ctx->err));
    ck_assert_int_eq(s.lines, 0);
    OK(ctx, spt_ctx_set_threads(ctx, 1));
    OK(ctx, spt__parallel(ctx, 8, log_from_task, ctx, &ctx->err));
    ck_assert_int_eq(s.lines, 8);
    spt_ctx_free(ctx);
}
END_TEST

/* ---- memory -------------------------------------------------------------------------------- */

typedef struct {
    int64_t live, calls, fail_at;
} counted;

static void *counted_alloc(size_t size, void *user)
{
    counted *c = user;
    if (c->calls++ == c->fail_at) return NULL;
    void *block = malloc(size);
    if (block) c->live++;
    return block;
}

static void *counted_realloc(void *block, size_t size, void *user)
{
    counted *c = user;
    if (c->calls++ == c->fail_at) return NULL;
    return realloc(block, size);
}

static void counted_free(void *block, void *user)
{
    ((counted *)user)->live--;
    free(block);
}

static spt_allocator counting(counted *c)
{
    spt_allocator a;
    spt_record_init(&a, sizeof a);
    a.alloc = counted_alloc;
    a.realloc = counted_realloc;
    a.free = counted_free;
    a.user = c;
    return a;
}

START_TEST(the_hosts_allocator_serves_everything)
{
    counted c = {.fail_at = -1};
    spt_allocator a = counting(&c);
    spt_ctx *ctx = NULL;
    OK(NULL, spt_ctx_new(&a, &ctx));
    ck_assert_int_eq(c.live, 1);
    char *text = spt__strdup(ctx, "abc");
    char *part = spt__strndup(ctx, "abcdef", 2);
    void *nothing = spt__alloc(ctx, 0, 8);
    ck_assert_str_eq(text, "abc");
    ck_assert_str_eq(part, "ab");
    ck_assert_ptr_nonnull(nothing);
    double *zeros = spt__calloc_aligned(ctx, 1000, sizeof *zeros);
    ck_assert_uint_eq((uintptr_t)zeros % 64, 0);
    for (int i = 0; i < 1000; i++)
        ck_assert(zeros[i] == 0);
    int *grown = spt__realloc(ctx, NULL, 4, sizeof *grown);
    grown[3] = 7;
    grown = spt__realloc(ctx, grown, 400, sizeof *grown);
    ck_assert_int_eq(grown[3], 7);
    ck_assert_int_eq(c.live, 6);
    spt__free(ctx, grown);
    spt__free(ctx, NULL);
    spt__free_aligned(ctx, zeros);
    spt__free_aligned(ctx, NULL);
    spt__free(ctx, text);
    spt__free(ctx, part);
    spt__free(ctx, nothing);
    spt_ctx_free(ctx);
    ck_assert_int_eq(c.live, 0);
}
END_TEST

START_TEST(sizes_that_overflow_are_no_memory)
{
    spt_ctx *ctx = NULL;
    OK(NULL, spt_ctx_new(NULL, &ctx));
    ck_assert_ptr_null(spt__alloc(ctx, SIZE_MAX / 4, 8));
    ck_assert_ptr_null(spt__calloc(ctx, SIZE_MAX / 2, 2));
    ck_assert_ptr_null(spt__calloc_aligned(ctx, (size_t)PTRDIFF_MAX, 1));
    ck_assert_ptr_null(spt__realloc(ctx, NULL, SIZE_MAX, 16));
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(allocators_must_be_complete)
{
    counted c = {.fail_at = -1};
    spt_ctx *ctx = (spt_ctx *)&c;
    spt_allocator a = counting(&c);
    a.realloc = NULL;
    ck_assert_int_eq(spt_ctx_new(&a, &ctx), SPT_EINVAL);
    ck_assert_ptr_null(ctx);
    a = counting(&c);
    a.struct_size = 0;
    ck_assert_int_eq(spt_ctx_new(&a, &ctx), SPT_EINVAL);
    a = counting(&c);
    c.fail_at = 0;
    ck_assert_int_eq(spt_ctx_new(&a, &ctx), SPT_ENOMEM);
    ck_assert_ptr_null(ctx);
}
END_TEST

static int32_t post_twice(int64_t index, int32_t worker, spt__events *events, void *arg,
                          spt__err *e)
{
    (void)worker;
    (void)arg;
    if (spt__post(events, index, &index) < 0 || spt__post(events, index, &index) < 0)
        return spt__nomem(e);
    return SPT_OK;
}

static int32_t ignore_event(int64_t task, const void *event, void *arg)
{
    (void)task;
    (void)event;
    (void)arg;
    return SPT_OK;
}

/* Something of every part of the room that allocates. */
static int32_t use_everything(spt_ctx *ctx)
{
    char path[64];
    char *data = NULL;
    size_t size = 0;
    spt__buf b;
    snprintf(path, sizeof path, "test_ctx_%ld.tmp", (long)getpid());
    spt__buf_init(&b, ctx);
    for (int i = 0; i < 100; i++)
        spt__buf_printf(&b, "%d,", i);
    char *text = spt__buf_take(&b);
    if (!text) return spt__nomem(&ctx->err);
    int32_t status = spt__file_write(ctx, path, text, strlen(text), &ctx->err);
    if (status == SPT_OK) status = spt__file_read(ctx, path, &data, &size, &ctx->err);
    if (status == SPT_OK) ck_assert_str_eq(data, text);
    spt__free(ctx, data);
    spt__free(ctx, text);
    unlink(path);
    if (status < 0) return status;
    return spt__parallel_events(ctx, 3, 0, sizeof(int64_t), post_twice, ignore_event, NULL,
                                &ctx->err);
}

START_TEST(every_failing_allocation_is_told_and_nothing_leaks)
{
    int64_t failed = 0;
    for (bool done = false; !done;) {
        counted c = {.fail_at = -1};
        spt_allocator a = counting(&c);
        spt_ctx *ctx = NULL;
        OK(NULL, spt_ctx_new(&a, &ctx));
        OK(ctx, spt_ctx_set_threads(ctx, 1));
        c.fail_at = 1 + failed;
        int32_t status = use_everything(ctx);
        done = status == SPT_OK && c.calls <= c.fail_at;
        if (!done && status != SPT_OK) {
            ck_assert_int_eq(status, SPT_ENOMEM);
            ck_assert_str_ne(spt_ctx_last_error(ctx), "");
        }
        spt_ctx_free(ctx);
        ck_assert_int_eq(c.live, 0);
        failed++;
        ck_assert_int_lt(failed, 1000);
    }
    ck_assert_int_gt(failed, 5);
}
END_TEST

/* ---- records and texts out ----------------------------------------------------------------- */

typedef struct {
    uint32_t struct_size;
    int32_t first;
    double second;
} small_record;

typedef struct {
    uint32_t struct_size;
    int32_t first;
    double second, third;
} large_record;

START_TEST(records_of_other_ages_are_understood)
{
    small_record small;
    large_record large;
    spt_record_init(&small, sizeof small);
    ck_assert_uint_eq(small.struct_size, sizeof small);
    small.first = 1;
    small.second = 2;
    memset(&large, 0x55, sizeof large);
    OK(NULL, spt__record_in(&large, sizeof large, &small));
    ck_assert(large.first == 1 && large.second == 2 && large.third == 0);
    ck_assert_uint_eq(large.struct_size, sizeof large);
    large.third = 3;
    large.second = 4;
    OK(NULL, spt__record_out(&small, &large, sizeof large));
    ck_assert_uint_eq(small.struct_size, sizeof small);
    ck_assert(small.second == 4);
    large.third = 5;
    OK(NULL, spt__record_out(&large, &small, sizeof small));
    ck_assert(large.third == 0);
    ck_assert_uint_eq(large.struct_size, sizeof large);
    large.struct_size = 0;
    ck_assert_int_eq(spt__record_out(&large, &small, sizeof small), SPT_EINVAL);
    ck_assert_int_eq(spt__record_in(&small, sizeof small, &large), SPT_EINVAL);
    large.struct_size = 0xdeadbeef;
    ck_assert_int_eq(spt__record_out(&large, &small, sizeof small), SPT_EINVAL);
    ck_assert_int_eq(spt__record_in(&small, sizeof small, NULL), SPT_EINVAL);
}
END_TEST

START_TEST(texts_are_queried_then_filled)
{
    char buffer[8] = "-------";
    int64_t needed = 0;
    ck_assert_int_eq(spt__text_out("abc", NULL, 0, &needed), SPT_ECAPACITY);
    ck_assert_int_eq(needed, 4);
    ck_assert_int_eq(spt__text_out("abc", buffer, 3, &needed), SPT_ECAPACITY);
    ck_assert_str_eq(buffer, "-------");
    ck_assert_int_eq(spt__text_out("abc", buffer, 4, NULL), SPT_OK);
    ck_assert_str_eq(buffer, "abc");
    ck_assert_int_eq(spt__text_out(NULL, buffer, 4, &needed), SPT_EINVAL);
    ck_assert_int_eq(spt__text_out("abc", buffer, -1, &needed), SPT_EINVAL);
}
END_TEST

TEST_MAIN("base: ctx", statuses_have_names_and_texts, the_build_is_described,
          null_handles_are_survived, threads_are_bounded, a_stop_request_stays_until_it_is_cleared,
          error_texts_are_one_line_of_utf8, long_error_texts_are_cut_between_characters,
          log_lines_go_to_the_host, workers_do_not_log, the_hosts_allocator_serves_everything,
          sizes_that_overflow_are_no_memory, allocators_must_be_complete,
          every_failing_allocation_is_told_and_nothing_leaks, records_of_other_ages_are_understood,
          texts_are_queried_then_filled)
