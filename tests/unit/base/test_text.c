#include "testing.h"

#include "base/text.h"

static spt_ctx *ctx;

static void setup(void)
{
    OK(NULL, spt_ctx_new(NULL, &ctx));
}

static void check_taken(spt__buf *b, const char *expected)
{
    char *text = spt__buf_take(b);
    ck_assert_str_eq(text, expected);
    spt__free(ctx, text);
}

START_TEST(buffers_grow)
{
    spt__buf b;
    setup();
    spt__buf_init(&b, ctx);
    check_taken(&b, "");
    for (int i = 0; i < 10000; i++) {
        spt__buf_put(&b, "0123456789", 10);
        ck_assert_uint_eq(strlen(b.data), b.size);
    }
    ck_assert_uint_eq(b.size, 100000);
    spt__buf_free(&b);
    spt__buf_puts(&b, "x ");
    spt__buf_printf(&b, "%s %d %g ", "y", 2, 0.25);
    spt__buf_double(&b, 0.1);
    check_taken(&b, "x y 2 0.25 0.1");
    spt_ctx_free(ctx);
}
END_TEST

static void *no_alloc(size_t size, void *user)
{
    return *(int *)user ? NULL : malloc(size);
}

static void *no_realloc(void *block, size_t size, void *user)
{
    return *(int *)user ? NULL : realloc(block, size);
}

static void plain_free(void *block, void *user)
{
    (void)user;
    free(block);
}

START_TEST(buffers_remember_that_memory_ran_out)
{
    int broke = 0;
    spt_allocator a;
    spt_record_init(&a, sizeof a);
    a.alloc = no_alloc;
    a.realloc = no_realloc;
    a.free = plain_free;
    a.user = &broke;
    OK(NULL, spt_ctx_new(&a, &ctx));
    spt__buf b;
    spt__buf_init(&b, ctx);
    spt__buf_puts(&b, "fine");
    broke = 1;
    for (int i = 0; i < 100; i++)
        spt__buf_puts(&b, "more than there is");
    ck_assert(b.failed);
    broke = 0;
    spt__buf_puts(&b, "later");
    ck_assert_ptr_null(spt__buf_take(&b));
    spt__buf_free(&b);
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(json_texts_are_escaped)
{
    spt__buf b;
    setup();
    spt__buf_init(&b, ctx);
    spt__buf_json(&b, NULL);
    check_taken(&b, "null");
    spt__buf_json(&b, "a\"b\\c\nd\te\rf\x01g/\xc3\xa4\xf0\x9f\x8c\x88\x7f");
    check_taken(&b, "\"a\\\"b\\\\c\\nd\\te\\rf\\u0001g/\xc3\xa4\xf0\x9f\x8c\x88\x7f\"");
    spt__buf_json(&b, "\xff|\xc3");
    check_taken(&b, "\"\xef\xbf\xbd|\xef\xbf\xbd\"");
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(xml_texts_are_escaped)
{
    spt__buf b;
    setup();
    spt__buf_init(&b, ctx);
    spt__buf_xml(&b, "<a href=\"x\">'R&D'</a>");
    check_taken(&b, "&lt;a href=&quot;x&quot;&gt;&apos;R&amp;D&apos;&lt;/a&gt;");
    spt__buf_xml(&b, "1\n2\t3\r4");
    check_taken(&b, "1&#10;2&#9;3&#13;4");
    spt__buf_xml(&b, "\x01|\xef\xbf\xbf|\xe4|\xc3\xa4");
    check_taken(&b, "\xef\xbf\xbd|\xef\xbf\xbd|\xef\xbf\xbd|\xc3\xa4");
    spt__buf_xml(&b, NULL);
    check_taken(&b, "");
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(utf8_is_told_from_other_bytes)
{
    static const char *const good[] = {"",
                                       "abc",
                                       "\xc3\xa4",
                                       "\xe2\x82\xac",
                                       "\xf0\x9f\x8c\x88",
                                       "\xed\x9f\xbf",
                                       "\xee\x80\x80",
                                       "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {"\x80",         "\xc3",         "\xc0\xaf",
                                      "\xc1\xbf",     "\xe0\x80\x80", "\xe0\x9f\xbf",
                                      "\xed\xa0\x80", "\xe2\x82",     "\xf0\x80\x80\x80",
                                      "\xf0\x9f\x8c", "\xff",         "\xf4\x90\x80\x80",
                                      "a\xe4 b"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        ck_assert_msg(spt__is_utf8(good[i], strlen(good[i])), "good %d", (int)i);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(!spt__is_utf8(bad[i], strlen(bad[i])), "bad %d", (int)i);
    ck_assert(spt__is_utf8("a\0b", 3));
    ck_assert_uint_eq(spt__utf8_next("\xe2\x82\xac", 3), 3);
    ck_assert_uint_eq(spt__utf8_next("", 0), 0);
}
END_TEST

START_TEST(texts_are_compared_without_case)
{
    ck_assert(spt__same_text("SampleID", "sampleid"));
    ck_assert(spt__same_text("", ""));
    ck_assert(spt__same_text(NULL, NULL));
    ck_assert(!spt__same_text(NULL, ""));
    ck_assert(!spt__same_text("ab", "abc"));
    ck_assert(!spt__same_text("\xc3\x84", "\xc3\xa4"));
    /* 'i' and 'I' are one letter in every locale. */
    ck_assert(spt__same_text("ID", "id"));
}
END_TEST

START_TEST(near_names_are_offered)
{
    static const char *const names[] = {"learning_rate", "momentum", "batch_size", "epochs", "l2"};
    const size_t n = sizeof names / sizeof names[0];
    ck_assert_str_eq(spt__nearest("momentun", names, n), "momentum");
    ck_assert_str_eq(spt__nearest("Learning-Rate", names, n), "learning_rate");
    ck_assert_str_eq(spt__nearest("learnign_rate", names, n), "learning_rate");
    ck_assert_str_eq(spt__nearest("rate", names, n), "learning_rate");
    ck_assert_str_eq(spt__nearest("epoch", names, n), "epochs");
    ck_assert_str_eq(spt__nearest("l1", names, n), "l2");
    ck_assert_ptr_null(spt__nearest("dropout", names, n));
    ck_assert_ptr_null(spt__nearest("zz", names, n));
    ck_assert_ptr_null(spt__nearest("", names, n));
    ck_assert_ptr_null(spt__nearest(NULL, names, n));
    char longer[200];
    memset(longer, 'm', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    ck_assert_ptr_null(spt__nearest(longer, names, n));
}
END_TEST

TEST_MAIN("base: text", buffers_grow, buffers_remember_that_memory_ran_out, json_texts_are_escaped,
          xml_texts_are_escaped, utf8_is_told_from_other_bytes, texts_are_compared_without_case,
          near_names_are_offered)
