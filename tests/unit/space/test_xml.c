/* Spaces as XML: exact round trips, and files that must be refused. */
#include "testing.h"
#include "base/rng.h"
#include "base/threads.h"
#include "space/space.h"
#include "space/xml.h"

#include <fcntl.h>
#include <libxml/parser.h>
#include <libxml/xmlerror.h>
#include <unistd.h>

/* ---- random spaces --------------------------------------------------------------------------- */

static const char *const words[] = {"relu", "a<b",   "x & y",    "\"q\"",
                                    "it's", "50 %",  "\xc3\xa4", "\xf0\x9f\x8c\xb1",
                                    "]]>",  "&amp;", "&#65;",    "two  blanks"};
enum { WORDS = sizeof words / sizeof *words };

static double some_number(spt__rng *r)
{
    switch (spt__rng_below(r, 4)) {
    case 0:
        return (double)spt__rng_below(r, 100) / 100;
    case 1:
        return spt__rng_normal(r);
    case 2:
        return spt__rng_double(r) * pow(10, (double)spt__rng_below(r, 40) - 20);
    default:
        return (double)spt__rng_below(r, 1000) - 500;
    }
}

static void add_random(spt_ctx *ctx, spt_space *s, spt__rng *r, int32_t i)
{
    char name[32];
    snprintf(name, sizeof name, "p%d.x-%d_", (int)i, (int)spt__rng_below(r, 10));
    double low = some_number(r), high = low + fabs(some_number(r));
    int32_t log = spt__rng_below(r, 3) == 0;
    switch (1 + spt__rng_below(r, 5)) {
    case SPT_PARAMETER_FLOAT: {
        if (log) {
            low = fabs(low) + 1e-9;
            high = low + fabs(high);
        }
        double step = spt__rng_below(r, 2) ? (high - low) / 7 : 0;
        /* a step beside the bounds' own decimals, so that high moves */
        OK(ctx, spt_space_add_float(s, name, low, high, step, log, low));
        break;
    }
    case SPT_PARAMETER_INT: {
        int64_t from = (int64_t)spt__rng_below(r, 100) + 1,
                step = 1 + (int64_t)spt__rng_below(r, 4);
        OK(ctx, spt_space_add_int(s, name, log ? from : from - 50,
                                  from + (int64_t)spt__rng_below(r, 1000000), step, log,
                                  log ? from : from - 50));
        break;
    }
    case SPT_PARAMETER_BOOL:
        OK(ctx, spt_space_add_bool(s, name, (int32_t)spt__rng_below(r, 2)));
        break;
    default: {
        const char *choices[WORDS];
        int32_t n = 1 + (int32_t)spt__rng_below(r, WORDS);
        int32_t from = (int32_t)spt__rng_below(r, WORDS);
        for (int32_t k = 0; k < n; k++)
            choices[k] = words[(from + k) % WORDS];
        OK(ctx, (log ? spt_space_add_ordinal : spt_space_add_categorical)(
                    s, name, choices, n, (int32_t)spt__rng_below(r, (uint64_t)n)));
    }
    }
    static const char *const groups[] = {"", "conv", "g.2"};
    OK(ctx, spt_space_set_group(s, name, groups[spt__rng_below(r, 3)]));
}

/* A value text that the parameter can take. */
static void some_value(const spt__parameter *p, spt__rng *r, char out[300])
{
    spt__buf b;
    double x = p->count ? spt__space_grid_value(p, (int64_t)spt__rng_below(
                                                       r, p->count > 50 ? 50u : (uint64_t)p->count))
                        : p->low + (p->high - p->low) * spt__rng_double(r);
    spt_ctx *own;
    OK(NULL, spt_ctx_new(NULL, &own));
    spt__buf_init(&b, own);
    spt__parameter_print(p, spt__space_snap(p, x), &b);
    snprintf(out, 300, "%s", b.data);
    spt__buf_free(&b);
    spt_ctx_free(own);
}

/* Some of these are refused, because they can never hold; that is as good. */
static void add_comparison(spt_space *s, spt__rng *r, int32_t child)
{
    int32_t parent = (int32_t)spt__rng_below(r, (uint64_t)(child < 0 ? s->n : child));
    const spt__parameter *p = &s->parameters[parent];
    int32_t op = 1 + (int32_t)spt__rng_below(r, 7);
    char a[300], b[300];
    some_value(p, r, a);
    some_value(p, r, b);
    const char *values[] = {a, b};
    int32_t n = op == SPT_OP_IN && strcmp(a, b) != 0 ? 2 : 1;
    if (child >= 0)
        spt_space_add_condition(s, s->parameters[child].name, p->name, op, values, n);
    else
        spt_space_forbid_term(s, p->name, op, values, n);
}

static spt_space *random_space(spt_ctx *ctx, uint64_t number)
{
    spt__rng r;
    spt__rng_init(&r, 7, SPT__RNG_TEST, number, 0);
    spt_space *s;
    OK(ctx, spt_space_new(ctx, "random.space-1_x", &s));
    int32_t n = (int32_t)spt__rng_below(&r, 12);
    for (int32_t i = 0; i < n; i++) {
        add_random(ctx, s, &r, i);
        for (int32_t k = 0; i > 0 && k < (int32_t)spt__rng_below(&r, 3); k++)
            add_comparison(s, &r, i);
    }
    for (int32_t i = 0; n > 0 && i < (int32_t)spt__rng_below(&r, 3); i++) {
        int32_t before = s->n_forbidden;
        if (before == 0 || s->forbidden[before - 1].n > 0) OK(ctx, spt_space_forbid(s));
        for (int32_t k = 0; k < 3; k++)
            add_comparison(s, &r, -1);
    }
    return s;
}

static char *xml_of(spt_ctx *ctx, const spt_space *s)
{
    int64_t needed;
    ck_assert_int_eq(spt_space_xml(s, NULL, 0, &needed), SPT_ECAPACITY);
    char *text = malloc((size_t)needed);
    ck_assert_ptr_nonnull(text);
    OK(ctx, spt_space_xml(s, text, needed, &needed));
    ck_assert_uint_eq(strlen(text) + 1, (size_t)needed);
    return text;
}

START_TEST(random_round_trips)
{
    spt_ctx *ctx;
    OK(NULL, spt_ctx_new(NULL, &ctx));
    int32_t compared = 0, conditions = 0, clauses = 0;
    for (uint64_t number = 0; number < 300; number++) {
        spt_space *a = random_space(ctx, number), *b;
        int64_t needed;
        if (spt_space_xml(a, NULL, 0, &needed) == SPT_EINVAL) { /* its default is forbidden */
            spt_space_free(a);
            continue;
        }
        char *text = xml_of(ctx, a);
        int32_t status = spt_space_read_memory(ctx, text, (int64_t)strlen(text), NULL, &b);
        if (status < 0) {
            ck_abort_msg("%s\n%s", spt_ctx_last_error(ctx), text);
        } else {
            spt__buf why;
            spt__buf_init(&why, ctx);
            ck_assert_msg(spt__space_same(b, a, &why), "%s\n%s", why.data, text);
            ck_assert_str_eq(spt_space_name(a), spt_space_name(b));
            char *again = xml_of(ctx, b);
            ck_assert_str_eq(text, again);
            for (int32_t i = 0; i < a->n; i++) {
                const spt__parameter *p = &a->parameters[i], *q = &b->parameters[i];
                ck_assert(p->low == q->low && p->high == q->high && p->step == q->step);
                ck_assert(p->value == q->value && p->count == q->count && p->scale == q->scale);
                ck_assert_str_eq(spt_space_condition(a, i), spt_space_condition(b, i));
                conditions += p->when.n;
            }
            clauses += a->n_forbidden;
            compared++;
            free(again);
            spt_space_free(b);
        }
        free(text);
        spt_space_free(a);
    }
    ck_assert_int_gt(compared, 200);
    ck_assert_int_gt(conditions, 200);
    ck_assert_int_gt(clauses, 50);
    spt_ctx_free(ctx);
}
END_TEST

/* ---- files that are refused ------------------------------------------------------------------ */

static const char path[] = "space-test.xml";

#define SPACE(inside) "<space format='1' name='s'>\n" inside "</space>"
#define A "<int name='a' low='1' high='5' default='1'/>\n"
#define C "<categorical name='c' default='p'><choice>p</choice><choice>q</choice></categorical>\n"
#define DTD "<?xml version='1.0'?>\n<!DOCTYPE space [<!ENTITY e 'x'>]>\n"
#define BOMB                                                                                   \
    "<!DOCTYPE space [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;'>"    \
    "<!ENTITY c '&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;'><!ENTITY d '&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;'>" \
    "<!ENTITY e '&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;'><!ENTITY f '&e;&e;&e;&e;&e;&e;&e;&e;&e;&e;'>]>\n"

static const struct {
    const char *text;
    int32_t status;
    const char *words;
} refused[] = {
    {"", SPT_EFORMAT, "s.xml:1: empty; <space> is needed"},
    {" \n\n", SPT_EFORMAT, "s.xml:"},
    {"<space", SPT_EFORMAT, "s.xml:1: "},
    {"\x89PNG\r\n", SPT_EFORMAT, "not UTF-8"},
    {"<config format='1'/>", SPT_EFORMAT, "the root element is <config>; <space> is needed"},
    {"<space xmlns='urn:x' format='1' name='s'/>", SPT_EFORMAT, "s.xml:1: "},
    {"<x:space format='1' name='s'/>", SPT_EFORMAT, "s.xml:1: "},
    {"<space format='2' name='s'/>", SPT_EVERSION,
     "s.xml:1: format 2 is newer than this library; "
     "up to 1 is read"},
    {"<space format='99' name='s'><future/></space>", SPT_EVERSION, "format 99"},
    {"<space name='s'/>", SPT_EFORMAT, "s.xml:1: <space> lacks the attribute 'format'"},
    {"<space format='1'/>", SPT_EFORMAT, "s.xml:1: "},
    {"<space format='1' name='1s'/>", SPT_EFORMAT, "s.xml:1: space name '1s'"},
    {DTD SPACE(A), SPT_EFORMAT, "s.xml:2: a DTD"},
    {BOMB "<space format='1' name='&f;'/>", SPT_EFORMAT, "s.xml:1: a DTD"},
    {"<!DOCTYPE space SYSTEM 'http://127.0.0.1:9/x.dtd'>" SPACE(""), SPT_EFORMAT, "a DTD"},
    {"<!DOCTYPE space [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>" SPACE("&x;"), SPT_EFORMAT,
     "a DTD"},
    {SPACE("<int name='&x;' low='1' high='2' default='1'/>"), SPT_EFORMAT, "s.xml:2: "},
    {SPACE("&x;"), SPT_EFORMAT, "s.xml:2: "},
    {SPACE(A A), SPT_EFORMAT, "s.xml:3: space 's' has a parameter 'a' already"},
    {SPACE(A A "<bool/>"), SPT_EFORMAT, "s.xml:4: "},
    {SPACE("<int name='a' low='1' default='1'/>"), SPT_EFORMAT,
     "s.xml:2: <int> lacks the attribute 'high'"},
    {SPACE("<real name='a'/>"), SPT_EFORMAT, "s.xml:2: <real> is not possible within <space>"},
    {SPACE("<choice/>"), SPT_EFORMAT, "s.xml:2: <choice> is not possible within <space>"},
    {SPACE("<bool name='b' default='true'><bool/></bool>"), SPT_EFORMAT, "s.xml:2: <bool> is not"},
    {SPACE("<bool name='b' name='c' default='true'/>"), SPT_EFORMAT, "s.xml:2: "},
    {SPACE("<int name='a' low='1' high='2' default='1' depth='3'/>"), SPT_EFORMAT,
     "s.xml:2: <int> has an unknown attribute 'depth'; name low high default step"},
    {SPACE("<int name='a' low='1' high='2.5' default='1'/>"), SPT_EFORMAT,
     "s.xml:2: high is '2.5'; a whole number is needed"},
    {SPACE("<float name='a' low='1' high='2,5' default='1'/>"), SPT_EFORMAT,
     "s.xml:2: high is '2,5'; a number is needed"},
    {SPACE("<float name='a' low='1' high='nan' default='1'/>"), SPT_EFORMAT, "a number is needed"},
    {SPACE("<float name='a' low='1' high='2' log='yes' default='1'/>"), SPT_EFORMAT,
     "s.xml:2: log of <float> is 'yes'; false|true is possible"},
    {SPACE("<float name='a' low='0' high='2' log='true' default='1'/>"), SPT_EFORMAT,
     "s.xml:2: parameter 'a': low is 0; a logarithmic scale"},
    {SPACE("<int name='a' low='3' high='9' step='2' default='4'/>"), SPT_EFORMAT,
     "s.xml:2: default of parameter 'a' is 4"},
    {SPACE("<categorical name='c' default='z'><choice>p</choice></categorical>"), SPT_EFORMAT,
     "s.xml:2: parameter 'c': default 'z' is none of its choices"},
    {SPACE("<categorical name='c' default='p'/>"), SPT_EFORMAT, "s.xml:2: "},
    {SPACE("<ordinal name='c' default='p'><choice>p</choice><choice>p</choice></ordinal>"),
     SPT_EFORMAT, "s.xml:2: parameter 'c': choice 'p' is named twice"},
    {SPACE("<ordinal name='c' default='p'><choice>p</choice><choice/></ordinal>"), SPT_EFORMAT,
     "s.xml:2: parameter 'c': choice 1 is ''"},
    {SPACE("<ordinal name='c' default='p'><choice>p<!-- --></choice></ordinal>"), SPT_EFORMAT,
     "s.xml:2: a comment within <choice>"},
    {SPACE("<bool name='b' default='1'/>"), SPT_EFORMAT, "s.xml:2: parameter 'b': default '1'"},
    {SPACE("<bool name='b' group='a b' default='true'/>"), SPT_EFORMAT, "s.xml:2: group 'a b'"},
    {SPACE(A "<bool name='b' default='true'>\n<when parameter='x' op='eq' value='1'/></bool>"),
     SPT_EFORMAT, "s.xml:4: condition of 'b': space 's' has no parameter 'x'"},
    {SPACE("<bool name='b' default='true'><when parameter='a' op='eq' value='1'/></bool>" A),
     SPT_EFORMAT, "has no parameter 'a'"},
    {SPACE(A "<bool name='b' default='true'><when parameter='a' op='is' value='1'/></bool>"),
     SPT_EFORMAT, "s.xml:3: "},
    {SPACE(A "<bool name='b' default='true'><when parameter='a' op='in' value='1'/></bool>"),
     SPT_EFORMAT, "s.xml:3: "},
    {SPACE(A "<bool name='b' default='true'><when parameter='a' op='in'/></bool>"), SPT_EFORMAT,
     "s.xml:3: "},
    {SPACE(A "<bool name='b' default='true'><when parameter='a' op='ge' value='6'/></bool>"),
     SPT_EFORMAT, "s.xml:3: condition of 'b': 'a >= 6' can never hold"},
    {SPACE(C "<bool name='b' default='true'><when parameter='c' op='ge' value='q'/></bool>"),
     SPT_EFORMAT, "no order"},
    {SPACE(A "<forbidden/>"), SPT_EFORMAT, "s.xml:3: "},
    {SPACE("<forbidden><term parameter='a' op='eq' value='2'/></forbidden>" A), SPT_EFORMAT,
     "s.xml:"},
    {SPACE(A "<forbidden><term parameter='b' op='eq' value='2'/></forbidden>"), SPT_EFORMAT,
     "s.xml:3: forbidden combination 1: space 's' has no parameter 'b'"},
    {SPACE(A "<forbidden><term parameter='a' op='eq' value='1'/></forbidden>"), SPT_EFORMAT,
     "s.xml:1: space 's': the default configuration is forbidden by 'a = 1'"},
};

/* Everything that libxml2 has to say must end in our error text. */
static int generic_calls;
static void count_generic(void *user, const char *format, ...)
{
    (void)user;
    (void)format;
    generic_calls++;
}
static void host_handler(void *user, xmlErrorPtr error)
{
    (void)user;
    (void)error;
    generic_calls++;
}

START_TEST(refuses)
{
    spt_ctx *ctx;
    OK(NULL, spt_ctx_new(NULL, &ctx));
    xmlSetGenericErrorFunc(NULL, count_generic);
    int mark = 0;
    xmlSetStructuredErrorFunc(&mark, host_handler);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        spt_space *s = (spt_space *)&s;
        FAILS(ctx, refused[i].status, refused[i].words,
              spt_space_read_memory(ctx, refused[i].text, (int64_t)strlen(refused[i].text), "s.xml",
                                    &s));
        ck_assert_ptr_null(s);
    }
    ck_assert_int_eq(generic_calls, 0);
    /* the host's handlers are as they were */
    ck_assert(xmlStructuredError == host_handler && xmlStructuredErrorContext == &mark);
    xmlSetStructuredErrorFunc(NULL, NULL);

    spt_space *s;
    FAILS(ctx, SPT_EINVAL, "negative", spt_space_read_memory(ctx, "x", -1, NULL, &s));
    FAILS(ctx, SPT_EINVAL, "NULL", spt_space_read_memory(ctx, NULL, 1, NULL, &s));
    FAILS(ctx, SPT_EFORMAT, "MB", spt_space_read_memory(ctx, "x", 5000000, NULL, &s));
    FAILS(ctx, SPT_EFORMAT, "s.xml:1: ", spt_space_read_memory(ctx, "<a\0>", 4, "s.xml", &s));
    FAILS(ctx, SPT_EIO, "no-such.xml", spt_space_read(ctx, "no-such.xml", &s));
    FAILS(ctx, SPT_EIO, "/", spt_space_read(ctx, "/", &s));
    FAILS(ctx, SPT_EIO, "no-such-folder",
          spt_space_preset(ctx, "small", &s) < 0 ? SPT_EINTERNAL
                                                 : spt_space_write(ctx, s, "no-such-folder/s.xml"));
    spt_space_free(s);
    spt_ctx_free(ctx);
}
END_TEST

/* Deep nesting must not eat the stack. */
START_TEST(deep)
{
    enum { DEPTH = 100000 };
    spt_ctx *ctx;
    OK(NULL, spt_ctx_new(NULL, &ctx));
    char *text = malloc(3 * DEPTH);
    ck_assert_ptr_nonnull(text);
    for (int i = 0; i < DEPTH; i++)
        memcpy(text + 3 * i, "<a>", 3);
    spt_space *s;
    FAILS(ctx, SPT_EFORMAT, "deep:1: ", spt_space_read_memory(ctx, text, 3 * DEPTH, "deep", &s));
    free(text);
    spt_ctx_free(ctx);
}
END_TEST

static const char sample[] =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    "<!-- \xc3\xa4 -->\n"
    "<space format=\"1\" name=\"s\">\n"
    "  <int name=\"a\" group=\"g\" low=\"1\" high=\"5\" step=\"2\" log=\"true\" default=\"3\"/>\n"
    "  <categorical name=\"c\" default=\"&lt;p&gt;\">\n"
    "    <choice>&lt;p&gt;</choice><choice><![CDATA[q&]]></choice>\n"
    "    <when parameter=\"a\" op=\"in\"><value>3</value><value>5</value></when>\n"
    "  </categorical>\n"
    "  <float name=\"f\" low=\"-1e-3\" high=\"1\" default=\"0.5\"/>\n"
    "  <forbidden><term parameter=\"c\" op=\"ne\" value=\"&#60;p&gt;\"/></forbidden>\n"
    "</space>";

START_TEST(cut_at_every_byte)
{
    spt_ctx *ctx;
    OK(NULL, spt_ctx_new(NULL, &ctx));
    spt_space *s;
    for (size_t n = 0; n < sizeof sample - 1; n++) {
        char *part = malloc(n + 1); /* exact, so that a sanitizer sees a read behind it */
        ck_assert_ptr_nonnull(part);
        memcpy(part, sample, n);
        FAILS(ctx, SPT_EFORMAT, "cut:", spt_space_read_memory(ctx, part, (int64_t)n, "cut", &s));
        ck_assert_ptr_null(s);
        free(part);
    }
    OK(ctx, spt_space_read_memory(ctx, sample, sizeof sample - 1, "whole", &s));
    ck_assert_str_eq(spt_space_choice(s, 1, 0), "<p>");
    ck_assert_str_eq(spt_space_choice(s, 1, 1), "q&");
    ck_assert_str_eq(spt_space_forbidden(s, 0), "c != <p>");
    ck_assert_str_eq(spt_space_condition(s, 1), "a in {3, 5}");
    /* through a file */
    spt_space *again;
    OK(ctx, spt_space_write(ctx, s, path));
    OK(ctx, spt_space_read(ctx, path, &again));
    spt__buf why;
    spt__buf_init(&why, ctx);
    ck_assert(spt__space_same(s, again, &why));
    ck_assert_int_eq(unlink(path), 0);
    spt_space_free(again);
    spt_space_free(s);
    spt_ctx_free(ctx);
}
END_TEST

/* Every byte changed once: refused in one line, or read as something that can be written again. */
START_TEST(flipped_bytes)
{
    spt_ctx *ctx;
    OK(NULL, spt_ctx_new(NULL, &ctx));
    char text[sizeof sample];
    for (size_t i = 0; i < sizeof sample - 1; i++) {
        for (int flip = 1; flip < 256; flip = 5 * flip + 2) {
            memcpy(text, sample, sizeof sample);
            text[i] = (char)(text[i] ^ flip);
            spt_space *s;
            int32_t status = spt_space_read_memory(ctx, text, sizeof sample - 1, "f", &s);
            if (status == SPT_OK) {
                free(xml_of(ctx, s));
                spt_space_free(s);
            } else {
                ck_assert_msg(status == SPT_EFORMAT || status == SPT_EVERSION, "%d: %s", status,
                              spt_ctx_last_error(ctx));
                ck_assert_ptr_null(strchr(spt_ctx_last_error(ctx), '\n'));
            }
        }
    }
    spt_ctx_free(ctx);
}
END_TEST

/* ---- threads and memory ---------------------------------------------------------------------- */

static int32_t read_one(int64_t index, int32_t worker, void *arg, spt__err *e)
{
    (void)worker;
    (void)arg;
    spt_ctx *own;
    if (spt_ctx_new(NULL, &own) < 0) return spt__fail(e, SPT_ENOMEM, "no context");
    spt_space *s = NULL;
    const char *text = index % 2 ? sample : "<space format='1' name='s'><no/></space>";
    int32_t status = spt_space_read_memory(own, text, (int64_t)strlen(text), "t", &s);
    int32_t expected = index % 2 ? SPT_OK : SPT_EFORMAT;
    spt_space_free(s);
    spt_ctx_free(own);
    return status == expected ? SPT_OK : spt__fail(e, SPT_EINTERNAL, "%d", (int)status);
}

START_TEST(several_threads)
{
    spt_ctx *ctx;
    OK(NULL, spt_ctx_new(NULL, &ctx));
    OK(ctx, spt_ctx_set_threads(ctx, 8));
    spt__err e = {0};
    int32_t status = spt__parallel(ctx, 200, read_one, NULL, &e);
    ck_assert_msg(status == SPT_OK, "%s", e.text);
    spt_ctx_free(ctx);
}
END_TEST

typedef struct {
    int64_t left, live;
} budget;

static void *scarce_alloc(size_t size, void *user)
{
    budget *b = user;
    if (b->left-- <= 0) return NULL;
    b->live++;
    return malloc(size);
}
static void *scarce_realloc(void *block, size_t size, void *user)
{
    budget *b = user;
    return b->left-- <= 0 ? NULL : realloc(block, size);
}
static void scarce_free(void *block, void *user)
{
    ((budget *)user)->live--;
    free(block);
}

/* Every single allocation fails once; nothing is left behind. */
START_TEST(out_of_memory)
{
    budget b = {1 << 20, 0};
    spt_allocator mem = {.struct_size = sizeof mem,
                         .alloc = scarce_alloc,
                         .realloc = scarce_realloc,
                         .free = scarce_free,
                         .user = &b};
    spt_ctx *ctx;
    OK(NULL, spt_ctx_new(&mem, &ctx));
    spt_space *preset;
    OK(ctx, spt_space_preset(ctx, "small", &preset));
    int64_t before = b.live;
    bool done[3] = {false};
    for (int64_t n = 0; n < 5000 && !(done[0] && done[1] && done[2]); n++) {
        spt_space *s = NULL;
        spt_config *c = NULL;
        for (int what = 0; what < 3; what++) {
            if (done[what]) continue;
            b.left = n;
            int32_t status = what == 0 ? spt_space_preset(ctx, "small", &s)
                             : what == 1
                                 ? spt_space_read_memory(ctx, sample, sizeof sample - 1, "m", &s)
                                 : spt_config_new(ctx, preset, &c);
            b.left = 1 << 20;
            done[what] = status == SPT_OK;
            ck_assert_msg(done[what] || status == SPT_ENOMEM, "%d at %d: %s", what, (int)n,
                          spt_ctx_last_error(ctx));
            spt_space_free(s);
            spt_config_free(c);
            s = NULL;
            c = NULL;
            ck_assert_int_eq(b.live, before);
        }
    }
    ck_assert(done[0] && done[1] && done[2]);
    spt_space_free(preset);
    spt_ctx_free(ctx);
    ck_assert_int_eq(b.live, 0);
}
END_TEST

TEST_MAIN("space_xml", random_round_trips, refuses, deep, cut_at_every_byte, flipped_bytes,
          several_threads, out_of_memory)
