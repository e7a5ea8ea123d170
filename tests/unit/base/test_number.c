#include "testing.h"

#include "base/rng.h"
#include "base/text.h"

#include <float.h>
#include <inttypes.h>
#include <locale.h>

/* What the C library says in the C locale is the measure. */
static locale_t c_locale;

static void setup(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    ck_assert(c_locale != (locale_t)0);
}

#define SAME_AS_C(...)                                       \
    do {                                                     \
        char ours_[600], theirs_[600];                       \
        int length_ = spt__format(ours_, 600, __VA_ARGS__);  \
        locale_t old_ = uselocale(c_locale);                 \
        int expected_ = snprintf(theirs_, 600, __VA_ARGS__); \
        uselocale(old_);                                     \
        ck_assert_str_eq(ours_, theirs_);                    \
        ck_assert_int_eq(length_, expected_);                \
    } while (0)

static void check_formats(void)
{
    static const double values[] = {0.0,  -0.0,   1.5,     -2.25,   1e300, 1e-300,   123456.789,
                                    1e15, 0.0001, DBL_MAX, DBL_MIN, NAN,   INFINITY, -INFINITY};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        const double v = values[i];
        SAME_AS_C("%g|%f|%e|%G|%E", v, v > 1e100 ? 1.0 : v, v, v, v);
        SAME_AS_C("%.3f", v);
        SAME_AS_C("[%12.4g] [%-12.4g] [%+g] [% g] [%#g]", v, v, v, v, v);
        SAME_AS_C("[%012.3f] [%+08.2e] [%0*.*g]", v > 1e100 ? 1.0 : v, v, 15, 6, v);
    }
    SAME_AS_C("%d %i %u %c %x %X %o", -5, 7, 9U, 'q', 255U, 255U, 8U);
    SAME_AS_C("%ld %lld %zu %lu %llu", -5L, -7LL, (size_t)9, 11UL, 13ULL);
    SAME_AS_C("%" PRId64 " %" PRIu64 " %" PRIx64, INT64_MIN, UINT64_MAX, UINT64_MAX);
    SAME_AS_C("%hhd %hd %jd %td", (signed char)-44, (short)4464, (intmax_t)-1, (ptrdiff_t)-2);
    SAME_AS_C("[%5d] [%-5d] [%05d] [%+d] [% d] [%.3d] [%8.3d] [%-8.3d]", 42, 42, -42, 42, 42, 7, 7,
              7);
    SAME_AS_C("[%.0d] [%#x] [%#o] [%#06x] [%*d] [%-*d]", 0, 255U, 8U, 255U, 6, 42, 6, 42);
    SAME_AS_C("[%s] [%10s] [%-10s] [%.2s] [%.*s] [%*s]", "abc", "abc", "abc", "abc", 1, "abc", -6,
              "abc");
    SAME_AS_C("[%5c] [%-5c] 100%%", 'x', 'y');
    SAME_AS_C("nothing");
}

START_TEST(formats_are_those_of_printf)
{
    setup();
    check_formats();
    char out[8];
    ck_assert_int_eq(spt__format(out, sizeof out, "%s", "0123456789"), 10);
    ck_assert_str_eq(out, "0123456");
    ck_assert_int_eq(spt__format(NULL, 0, "%d", 12345), 5);
    ck_assert_int_eq(spt__format(out, 1, "%g", 0.5), 3);
    ck_assert_str_eq(out, "");
    /* The compiler lets pass what is not ours; nothing after it is read. */
    char shown[32];
    spt__format(shown, sizeof shown, "%d %a %s", 1, 0.5, "x");
    ck_assert_str_eq(shown, "1 %a %s");
    freelocale(c_locale);
}
END_TEST

static double read_back(const char *text)
{
    double v = -77;
    ck_assert_msg(spt__parse_double(text, strlen(text), '.', &v), "%s", text);
    return v;
}

static void check_numbers(void)
{
    spt__rng r;
    spt__rng_init(&r, 1, SPT__RNG_TEST, 0, 0);
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = spt__rng_u64(&r);
        double v = 0;
        memcpy(&v, &bits, sizeof v);
        if (i % 4 == 1) v = spt__rng_double(&r);
        if (i % 4 == 2) v = rint(spt__rng_normal(&r) * 1e4) / 1e3;
        if (i % 4 == 3) v = spt__rng_double(&r) * 1e-308;
        if (!isfinite(v)) continue;
        char text[SPT__DOUBLE_CAPACITY];
        int length = spt__format_double(v, text);
        ck_assert_int_eq((int)strlen(text), length);
        ck_assert_msg(strspn(text, "0123456789+-.e") == (size_t)length, "%s", text);
        ck_assert_msg(read_back(text) == v, "%s", text);
        ck_assert(strtod_l(text, NULL, c_locale) == v);
        /* Any text, more digits than a double has among them. */
        char digits[64];
        int n = 1 + (int)spt__rng_below(&r, 30);
        for (int k = 0; k < n; k++)
            digits[k] = (char)('0' + spt__rng_below(&r, 10));
        digits[spt__rng_below(&r, (uint64_t)n)] = '.';
        if (n == 1) digits[0] = '4';
        snprintf(digits + n, sizeof digits - (size_t)n, "e%d", (int)spt__rng_below(&r, 600) - 320);
        double expected = strtod_l(digits, NULL, c_locale), got = 0;
        bool read = spt__parse_double(digits, strlen(digits), '.', &got);
        ck_assert_msg(read == (isfinite(expected) != 0), "%s", digits);
        if (read) ck_assert_msg(got == expected, "%s: %.17g, not %.17g", digits, got, expected);
    }
}

START_TEST(numbers_come_back)
{
    setup();
    check_numbers();
    freelocale(c_locale);
}
END_TEST

START_TEST(number_texts_are_short)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {{0.1, "0.1"},
                 {0, "0"},
                 {-0.0, "-0"},
                 {1, "1"},
                 {-42, "-42"},
                 {1e22, "1e+22"},
                 {123456789012345.0, "123456789012345"},
                 {0.30000000000000004, "0.30000000000000004"},
                 {1.0 / 3, "0.3333333333333333"},
                 {5e-324, "5e-324"},
                 {2.2250738585072014e-308, "2.2250738585072014e-308"},
                 {1.7976931348623157e308, "1.7976931348623157e+308"},
                 {NAN, "NaN"},
                 {INFINITY, "inf"},
                 {-INFINITY, "-inf"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[SPT__DOUBLE_CAPACITY];
        spt__format_double(cases[i].value, text);
        ck_assert_str_eq(text, cases[i].text);
    }
}
END_TEST

START_TEST(hard_numbers_are_rounded_correctly)
{
    ck_assert(read_back("9007199254740993") == 9007199254740992.0);
    ck_assert(read_back("9007199254740993.0000000000000000000000000001") == 9007199254740994.0);
    ck_assert(read_back("1e23") == 1e23);
    ck_assert(read_back("2.2250738585072011e-308") == 0x0.fffffffffffffp-1022);
    ck_assert(read_back("4.9406564584124654e-324") == 5e-324);
    ck_assert(read_back("2.4703282292062327e-324") == 0);
    ck_assert(read_back("2.4703282292062328e-324") == 5e-324);
    ck_assert(read_back("1e-99999999999999999999") == 0);
    ck_assert(read_back("0e99999999999999999999") == 0);
    ck_assert(signbit(read_back("-0")));
    /* 1 + 2^-53 lies halfway; what comes 900 digits later decides. */
    char text[1000] = "1.00000000000000011102230246251565404236316680908203125";
    ck_assert(read_back(text) == 1.0);
    size_t n = strlen(text);
    memset(text + n, '0', 900);
    strcpy(text + n + 900, "1");
    ck_assert(read_back(text) == 1.0 + DBL_EPSILON);
    /* Many zeros and an exponent that takes them back. */
    memset(text, '0', sizeof text);
    text[1] = '.';
    strcpy(text + 700, "15e700");
    ck_assert(read_back(text) == 15);
    memset(text, '0', sizeof text);
    text[0] = '7';
    strcpy(text + 600, "e-599");
    ck_assert(read_back(text) == 7);
}
END_TEST

START_TEST(what_is_no_number_is_refused)
{
    static const char *const bad[] = {
        "",    " ",   "+",   "-",   ".",     "e5",    "1e",     "1e+", "1.2.3",      "1,5", "0x10",
        "inf", "nan", "1 2", "--1", "1e5.0", "1e309", "-1e400", "1_0", "\xc2\xa0-1", "1\n", "1d5"};
    double v = 0;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(!spt__parse_double(bad[i], strlen(bad[i]), '.', &v), "'%s'", bad[i]);
    ck_assert(read_back("5.") == 5);
    ck_assert(read_back(".5") == 0.5);
    ck_assert(read_back(" \t+1.5E+2 ") == 150);
    ck_assert(spt__parse_double("1,5", 3, ',', &v) && v == 1.5);
    ck_assert(!spt__parse_double("1.5", 3, ',', &v));
    ck_assert(spt__parse_double("12345", 2, '.', &v) && v == 12);
}
END_TEST

START_TEST(whole_numbers_are_read)
{
    static const char *const bad[] = {
        "",    "-",  "1.0", "9223372036854775808", "-9223372036854775809", "99999999999999999999",
        "1 2", "0x1"};
    int64_t v = 0;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(!spt__parse_int64(bad[i], strlen(bad[i]), &v), "%s", bad[i]);
    ck_assert(spt__parse_int64("9223372036854775807", 19, &v) && v == INT64_MAX);
    ck_assert(spt__parse_int64("-9223372036854775808", 20, &v) && v == INT64_MIN);
    ck_assert(spt__parse_int64(" +42 ", 5, &v) && v == 42);
    ck_assert(spt__parse_int64("-0", 2, &v) && v == 0);
}
END_TEST

/* Comma, comma, and a mark of two bytes (U+066B). */
START_TEST(no_locale_changes_a_number)
{
    static const char *const names[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "ps_AF.UTF-8"};
    int found = 0;
    setup();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (!setlocale(LC_ALL, names[i])) {
            printf("skipped: this system has no locale %s\n", names[i]);
            continue;
        }
        found++;
        char libc[16];
        snprintf(libc, sizeof libc, "%g", 0.5);
        ck_assert_str_ne(libc, "0.5");
        check_formats();
        check_numbers();
        spt_ctx *ctx = NULL;
        OK(NULL, spt_ctx_new(NULL, &ctx));
        spt__fail(&ctx->err, SPT_EINVAL, "rate is %g; %.2f to %e are possible", 1.5, 0.25, 1.0);
        ck_assert_str_eq(spt_ctx_last_error(ctx), "rate is 1.5; 0.25 to 1.000000e+00 are possible");
        spt_ctx_free(ctx);
        ck_assert(read_back("1.25") == 1.25);
        ck_assert(read_back("123456789.123456789123456789") == 123456789.123456789123456789);
    }
    setlocale(LC_ALL, "C");
    freelocale(c_locale);
    printf("locales tried: %d\n", found);
}
END_TEST

TEST_MAIN("base: number", formats_are_those_of_printf, numbers_come_back, number_texts_are_short,
          hard_numbers_are_rounded_correctly, what_is_no_number_is_refused, whole_numbers_are_read,
          no_locale_changes_a_number)
