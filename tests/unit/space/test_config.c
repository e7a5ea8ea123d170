/* Configurations: values, existence, copies, hashes, XML. */
#include "testing.h"
#include "space/space.h"

#include <unistd.h>

static spt_ctx *ctx;
static spt_space *space;
static const char path[] = "config-test.xml";

/* blocks 1..3; size_2 with blocks >= 2, size_3 with >= 3; pool with blocks >= 2; pool_size with
 * pool and blocks <= 2 */
static void begin(void)
{
    static const char *const acts[] = {"relu", "elu", "<&>\"'"}, *const levels[] = {"a", "b", "c"};
    const char *two = "2", *three = "3", *yes = "true", *both[] = {"b", "c"};
    OK(NULL, spt_ctx_new(NULL, &ctx));
    OK(ctx, spt_space_new(ctx, "tree", &space));
    OK(ctx, spt_space_add_int(space, "blocks", 1, 3, 1, 0, 1));
    OK(ctx, spt_space_add_int(space, "size_2", 4, 32, 4, 1, 8));
    OK(ctx, spt_space_add_int(space, "size_3", 4, 32, 1, 1, 16));
    OK(ctx, spt_space_add_bool(space, "pool", 1));
    OK(ctx, spt_space_add_float(space, "rate", 0.05, 0.6, 0.05, 0, 0.1));
    OK(ctx, spt_space_add_float(space, "lr", 1e-5, 1e-1, 0, 1, 1e-3));
    OK(ctx, spt_space_add_categorical(space, "act", acts, 3, 0));
    OK(ctx, spt_space_add_ordinal(space, "level", levels, 3, 1));
    OK(ctx, spt_space_add_condition(space, "size_2", "blocks", SPT_OP_GE, &two, 1));
    OK(ctx, spt_space_add_condition(space, "size_3", "blocks", SPT_OP_GE, &three, 1));
    OK(ctx, spt_space_add_condition(space, "pool", "blocks", SPT_OP_GE, &two, 1));
    OK(ctx, spt_space_add_condition(space, "rate", "pool", SPT_OP_EQ, &yes, 1));
    OK(ctx, spt_space_add_condition(space, "rate", "blocks", SPT_OP_LE, &two, 1));
    OK(ctx, spt_space_forbid(space));
    OK(ctx, spt_space_forbid_term(space, "level", SPT_OP_IN, both, 2));
    OK(ctx, spt_space_forbid_term(space, "blocks", SPT_OP_EQ, &three, 1));
}

static void end(void)
{
    spt_space_free(space);
    spt_ctx_free(ctx);
    unlink(path);
}

/* Which parameters exist, as a text of 0 and 1 in index order. */
static const char *existing(const spt_config *config)
{
    static char text[16];
    int32_t n = spt_space_count(space);
    for (int32_t i = 0; i < n; i++)
        text[i] = (char)('0' + spt_config_exists(config, space->parameters[i].name));
    text[n] = '\0';
    return text;
}

START_TEST(existence_follows_the_tree)
{
    begin();
    spt_config *c;
    OK(ctx, spt_config_new(ctx, space, &c));
    ck_assert_str_eq(existing(c), "10000111");
    OK(ctx, spt_config_set_number(c, "blocks", 2));
    ck_assert_str_eq(existing(c), "11011111");
    double x;
    OK(ctx, spt_config_number(c, "size_2", &x));
    ck_assert(x == 8);
    OK(ctx, spt_config_set_number(c, "size_2", 12));
    OK(ctx, spt_config_set_number(c, "rate", 0.3));
    OK(ctx, spt_config_set_number(c, "blocks", 3)); /* rate goes, size_3 comes, size_2 stays */
    ck_assert_str_eq(existing(c), "11110111");
    OK(ctx, spt_config_number(c, "size_2", &x));
    ck_assert(x == 12);
    OK(ctx, spt_config_set_number(c, "blocks", 2)); /* rate comes back with its default */
    OK(ctx, spt_config_number(c, "rate", &x));
    ck_assert(x == 0.1);
    OK(ctx, spt_config_set_text(c, "pool", "false"));
    ck_assert_str_eq(existing(c), "11010111");
    OK(ctx, spt_config_set_number(c, "blocks", 1)); /* pool goes, and with it what hung on it */
    ck_assert_str_eq(existing(c), "10000111");
    FAILS(ctx, SPT_ENOTFOUND, "'rate' does not exist in this configuration; it needs pool = true",
          spt_config_set_number(c, "rate", 0.3));
    FAILS(ctx, SPT_ENOTFOUND, "it needs blocks >= 2", spt_config_set_text(c, "pool", "true"));
    FAILS(ctx, SPT_ENOTFOUND, "needs blocks >= 3", spt_config_number(c, "size_3", &x));
    spt_config_free(c);
    end();
}
END_TEST

START_TEST(values_are_checked)
{
    begin();
    spt_config *c;
    OK(ctx, spt_config_new(ctx, space, &c));
    OK(ctx, spt_config_set_number(c, "blocks", 2));
    const int32_t bad = SPT_EINVAL;
    FAILS(ctx, bad, "1 to 3 are possible", spt_config_set_number(c, "blocks", 4));
    FAILS(ctx, bad, "whole number", spt_config_set_number(c, "blocks", 1.5));
    FAILS(ctx, bad, "whole number", spt_config_set_number(c, "blocks", NAN));
    FAILS(ctx, bad, "nearest is 8", spt_config_set_number(c, "size_2", 9));
    FAILS(ctx, bad, "0.05 to 0.6 by steps of 0.05 are possible, the nearest is 0.15",
          spt_config_set_number(c, "rate", 0.13));
    FAILS(ctx, bad, "possible", spt_config_set_number(c, "lr", 0.2));
    FAILS(ctx, bad, "possible", spt_config_set_number(c, "lr", NAN));
    FAILS(ctx, bad, "possible", spt_config_set_number(c, "lr", INFINITY));
    FAILS(ctx, bad, "choice 3; 0 to 2", spt_config_set_number(c, "act", 3));
    FAILS(ctx, bad, "choice 0.5", spt_config_set_number(c, "act", 0.5));
    FAILS(ctx, bad, "'relu' is the nearest", spt_config_set_text(c, "act", "rellu"));
    FAILS(ctx, bad, "'a' to 'c' is possible", spt_config_set_text(c, "level", "completely"));
    FAILS(ctx, bad, "no choice 'yes'", spt_config_set_text(c, "pool", "yes"));
    FAILS(ctx, bad, "a number is needed", spt_config_set_text(c, "blocks", "two"));
    FAILS(ctx, bad, "a number is needed", spt_config_set_text(c, "lr", "0,001"));
    FAILS(ctx, bad, "NULL", spt_config_set_text(c, "lr", NULL));
    FAILS(ctx, SPT_ENOTFOUND, "'blocks' is the nearest", spt_config_set_number(c, "block", 1));
    FAILS(ctx, SPT_ENOTFOUND, "has no parameter", spt_config_exists(c, "zzz"));
    /* a computed grid value is taken as the grid's own */
    OK(ctx, spt_config_set_number(c, "rate", 0.05 + 0.1 + 0.1 + 0.05));
    double x;
    OK(ctx, spt_config_number(c, "rate", &x));
    ck_assert(x == 0.3);
    OK(ctx, spt_config_set_text(c, "rate", " 0.35"));
    OK(ctx, spt_config_set_text(c, "lr", "2e-5"));
    OK(ctx, spt_config_set_text(c, "act", "<&>\"'"));
    static const struct {
        const char *name, *text;
    } texts[] = {{"blocks", "2"},  {"rate", "0.35"},  {"lr", "2e-05"},
                 {"pool", "true"}, {"act", "<&>\"'"}, {"level", "b"}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char text[32];
        int64_t needed;
        OK(ctx, spt_config_text(c, texts[i].name, text, sizeof text, &needed));
        ck_assert_str_eq(text, texts[i].text);
    }
    char tiny[2];
    int64_t needed;
    ck_assert_int_eq(spt_config_text(c, "pool", tiny, sizeof tiny, &needed), SPT_ECAPACITY);
    ck_assert_int_eq(needed, 5);
    ck_assert_str_eq(spt_config_choice(c, "level"), "b");
    ck_assert_ptr_null(spt_config_choice(c, "lr"));
    ck_assert_ptr_null(spt_config_choice(c, "size_3"));
    ck_assert_ptr_null(spt_config_choice(c, "zzz"));
    spt_config_free(c);
    end();
}
END_TEST

START_TEST(copies_and_hashes)
{
    begin();
    spt_config *a, *b, *other;
    OK(ctx, spt_config_new(ctx, space, &a));
    OK(ctx, spt_config_set_number(a, "blocks", 2));
    OK(ctx, spt_config_set_number(a, "rate", 0.3));
    OK(ctx, spt_config_copy(ctx, a, &b));
    ck_assert_int_eq(spt_config_equal(a, b), 1);
    ck_assert(spt__config_hash(a) == spt__config_hash(b));
    /* The same on every machine. From ten lines of Python: h = c; for each value h = (h ^ bits) + c
     * with the IEEE bits, or all ones if it does not exist, then SplitMix64's finaliser. */
    ck_assert_uint_eq(spt__config_hash(a), UINT64_C(0xff9bc050765f4836));
    OK(ctx, spt_config_set_number(b, "rate", 0.35));
    ck_assert_int_eq(spt_config_equal(a, b), 0);
    ck_assert(spt__config_hash(a) != spt__config_hash(b));
    OK(ctx, spt_config_set_number(b, "blocks", 1));
    ck_assert_int_eq(spt_config_equal(a, b), 0);
    /* the same space from elsewhere is the same; one that differs is not */
    spt_space *preset, *again;
    OK(ctx, spt_space_preset(ctx, "small", &preset));
    OK(ctx, spt_space_preset(ctx, "small", &again));
    OK(ctx, spt_config_new(ctx, preset, &other));
    ck_assert_int_eq(spt_config_equal(a, other), 0);
    spt_config_free(b);
    OK(ctx, spt_config_new(ctx, again, &b));
    ck_assert_int_eq(spt_config_equal(b, other), 1);
    ck_assert_int_eq(spt_config_equal(b, NULL), SPT_EINVAL);
    spt_config_free(other);
    spt_config_free(b);
    spt_config_free(a);
    spt_space_free(preset);
    spt_space_free(again);
    end();
}
END_TEST

START_TEST(from_values)
{
    begin();
    spt__err e;
    spt_config *a, *b;
    OK(ctx, spt_config_new(ctx, space, &a));
    OK(ctx, spt_config_set_number(a, "blocks", 2));
    ck_assert_int_eq(spt__config_from_values(ctx, space, a->value, &b, &e), SPT_OK);
    ck_assert_int_eq(spt_config_equal(a, b), 1);
    spt_config_free(b);
    static const struct {
        int32_t index;
        double x;
        const char *words;
    } rows[] = {{0, NAN, "'blocks' has no value; it exists always"},
                {1, NAN, "'size_2' has no value; it exists because blocks >= 2"},
                {2, 8, "'size_3' does not exist"},
                {4, 0.12, "nearest is 0.1"},
                {7, 3, "choice 3"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double values[8];
        memcpy(values, a->value, sizeof values);
        values[rows[i].index] = rows[i].x;
        ck_assert_int_eq(spt__config_from_values(ctx, space, values, &b, &e), SPT_EINVAL);
        ck_assert_msg(strstr(e.text, rows[i].words) != NULL, "%s", e.text);
        ck_assert_ptr_null(b);
    }
    spt_config_free(a);
    end();
}
END_TEST

static void put(const char *text)
{
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(text, 1, strlen(text), f), strlen(text));
    ck_assert_int_eq(fclose(f), 0);
}

START_TEST(xml_round_trip)
{
    begin();
    spt_config *a, *b;
    OK(ctx, spt_config_new(ctx, space, &a));
    OK(ctx, spt_config_set_number(a, "blocks", 2));
    OK(ctx, spt_config_set_number(a, "lr", 0.1 / 3));
    OK(ctx, spt_config_set_text(a, "act", "<&>\"'"));
    OK(ctx, spt_config_write(ctx, a, path));
    OK(ctx, spt_config_read(ctx, space, path, &b));
    ck_assert_int_eq(spt_config_equal(a, b), 1);
    char text[2000];
    int64_t needed;
    OK(ctx, spt_config_xml(a, text, sizeof text, &needed));
    ck_assert_str_eq(text, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                           "<config format=\"1\" space=\"tree\">\n"
                           "  <parameter name=\"blocks\" value=\"2\"/>\n"
                           "  <parameter name=\"size_2\" value=\"8\"/>\n"
                           "  <parameter name=\"pool\" value=\"true\"/>\n"
                           "  <parameter name=\"rate\" value=\"0.1\"/>\n"
                           "  <parameter name=\"lr\" value=\"0.03333333333333333\"/>\n"
                           "  <parameter name=\"act\" value=\"&lt;&amp;&gt;&quot;&apos;\"/>\n"
                           "  <parameter name=\"level\" value=\"b\"/>\n"
                           "</config>\n");
    spt_config_free(b);
    OK(ctx, spt_config_read_memory(ctx, space, text, needed - 1, NULL, &b)); /* but for the NUL */
    ck_assert_int_eq(spt_config_equal(a, b), 1);
    spt_config_free(b);
    /* any order; what is not named takes its default */
    put("<config format='1'><parameter name='rate' value='0.2'/>"
        "<!-- the parent behind its child --><parameter name='blocks' value='2'/></config>");
    OK(ctx, spt_config_read(ctx, space, path, &b));
    double x;
    OK(ctx, spt_config_number(b, "rate", &x));
    ck_assert(x == 0.2);
    OK(ctx, spt_config_number(b, "size_2", &x));
    ck_assert(x == 8);
    spt_config_free(b);
    spt_config_free(a);
    end();
}
END_TEST

#define CONFIG(inside) "<config format='1'>\n" inside "</config>"
#define SET(name, value) "<parameter name='" name "' value='" value "'/>\n"

START_TEST(bad_xml)
{
    static const struct {
        const char *text;
        int32_t status;
        const char *words;
    } rows[] = {
        {"", SPT_EFORMAT, "config-test.xml:1: empty"},
        {"hello", SPT_EFORMAT, "config-test.xml:1: "},
        {"<space format='1' name='x'/>", SPT_EFORMAT, "<config> is needed"},
        {"<config format='2'/>", SPT_EVERSION, "format 2 is newer"},
        {"<config format='0'/>", SPT_EFORMAT, "config-test.xml:1: "},
        {"<config/>", SPT_EFORMAT, "config-test.xml:1: "},
        {"<config format='one'/>", SPT_EFORMAT, "a whole number is needed"},
        {"<config format='1' space='small'/>", SPT_EMISMATCH, "'small'; one of 'tree' is needed"},
        {CONFIG(SET("blokcs", "1")), SPT_EFORMAT, "config-test.xml:2: "},
        {CONFIG(SET("blokcs", "1")), SPT_EFORMAT, "'blocks' is the nearest"},
        {CONFIG(SET("blocks", "1") SET("blocks", "2")), SPT_EFORMAT, ":3: parameter 'blocks' is"},
        {CONFIG(SET("blocks", "9")), SPT_EFORMAT, ":2: parameter 'blocks' is 9; 1 to 3"},
        {CONFIG(SET("blocks", "x")), SPT_EFORMAT, ":2: parameter 'blocks' is 'x'; a number"},
        {CONFIG(SET("blocks", "1") SET("rate", "0.1")), SPT_EFORMAT, ":3: parameter 'rate' does "},
        {CONFIG(SET("act", "gelu")), SPT_EFORMAT, ":2: parameter 'act' has no choice 'gelu'"},
        {CONFIG(SET("blocks", "3")), SPT_EFORMAT, ":1: this configuration is forbidden: level in"},
        {CONFIG("<parameter name='blocks'/>\n"), SPT_EFORMAT, "config-test.xml:2: "},
        {CONFIG("<other/>\n"), SPT_EFORMAT, "config-test.xml:2: "},
        {CONFIG("text\n"), SPT_EFORMAT, "config-test.xml:"},
    };
    begin();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        put(rows[i].text);
        spt_config *c = (spt_config *)&c;
        FAILS(ctx, rows[i].status, rows[i].words, spt_config_read(ctx, space, path, &c));
        ck_assert_ptr_null(c);
    }
    spt_config *c;
    FAILS(ctx, SPT_EIO, "no-such", spt_config_read(ctx, space, "no-such.xml", &c));
    FAILS(ctx, SPT_EFORMAT, "row 7:1",
          spt_config_read_memory(ctx, space, "<config", 7, "row 7", &c));
    FAILS(ctx, SPT_EINVAL, "configuration: the data is NULL",
          spt_config_read_memory(ctx, space, NULL, 7, NULL, &c));
    FAILS(ctx, SPT_EINVAL, "row 7: the size is negative",
          spt_config_read_memory(ctx, space, "<config", -1, "row 7", &c));
    ck_assert_ptr_null(c);
    end();
}
END_TEST

TEST_MAIN("space_config", existence_follows_the_tree, values_are_checked, copies_and_hashes,
          from_values, xml_round_trip, bad_xml)
