/* Documents of models: round trips, damage, hostile content, size. */
#include "models.h"

#include "base/file.h"

#include <libxml/parser.h>
#include <libxml/relaxng.h>

static const char *build_folder(void)
{
    const char *folder = getenv("SPT_TEST_BUILD");
    return folder ? folder : ".";
}

START_TEST(round_trip)
{
    spt_ctx *ctx = NULL;
    spt_model *model = NULL, *noted = NULL, *back = NULL, *from_file = NULL, *none = NULL;
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
    spt_dataset *dataset = make_spectra(ctx, 60, 60);
    spt_prep *prep = make_recipe(ctx);
    model = make_model_of(ctx, dataset, prep, 5, _i ? "log1p" : "none");
    const char *odd = " <a & \"b\">\ttab\nline\r\n\xc3\xa4 '";
    OK(ctx, spt_model_with_note(ctx, model, "note", odd, &noted));
    int64_t size = 0, again = 0, n = 0;
    char *text = document(ctx, noted, &size);
    ck_assert((strstr(text, "<expm1/>") != NULL) == (_i == 1));
    OK(ctx, spt_model_read_memory(ctx, text, size, "m", &back));
    char *second = document(ctx, back, &again);
    ck_assert_int_eq(size, again);
    ck_assert(!memcmp(text, second, (size_t)size));
    ck_assert_str_eq(spt_model_note(back, "note"), odd);
    double *before = predictions(ctx, noted, dataset, &n);
    double *after = predictions(ctx, back, dataset, &n);
    ck_assert_int_eq(n, 60);
    ck_assert(!memcmp(before, after, (size_t)n * sizeof *before));
    /* through a file whose name has a blank and an umlaut */
    char path[600];
    snprintf(path, sizeof path, "%s/model \xc3\xbc.xml", build_folder());
    OK(ctx, spt_model_write(ctx, back, path));
    OK(ctx, spt_model_read(ctx, path, &from_file));
    ck_assert_str_eq(spt_model_target(from_file), "fat");
    ck_assert_int_eq(spt_model_bands(from_file), 60);
    ck_assert_int_eq(spt_model_unit(from_file), SPT_UNIT_ABSORBANCE);
    ck_assert_int_eq(spt_model_axis_unit(from_file), SPT_AXIS_NM);
    ck_assert(!memcmp(spt_model_axis(from_file), spt_dataset_axis(dataset), 60 * sizeof(double)));
    remove(path);
    FAILS(ctx, SPT_EIO, "nowhere/m.xml", spt_model_write(ctx, back, "/nowhere/m.xml"));
    FAILS(ctx, SPT_EIO, "not found", spt_model_read(ctx, "/nowhere/m.xml", &none));
    FAILS(ctx, SPT_EIO, "directory", spt_model_read(ctx, build_folder(), &none));
    ck_assert_ptr_null(none);
    int64_t needed = 0;
    FAILS(ctx, SPT_ECAPACITY, "the buffer holds 10", spt_model_xml(ctx, back, path, 10, &needed));
    free(before);
    free(after);
    free(text);
    free(second);
    spt_model_free(model);
    spt_model_free(noted);
    spt_model_free(back);
    spt_model_free(from_file);
    spt_prep_free(prep);
    spt_dataset_free(dataset);
    spt_ctx_free(ctx);
}
END_TEST

/* A small model as text, for the tests that break it. The caller frees all three. */
static char *small_document(spt_ctx **ctx, spt_model **model, int64_t *size)
{
    ck_assert_int_eq(spt_ctx_new(NULL, ctx), SPT_OK);
    spt_dataset *dataset = make_spectra(*ctx, 20, 24);
    spt_prep *prep = make_recipe(*ctx);
    *model = make_model(*ctx, dataset, prep, 1);
    spt_prep_free(prep);
    spt_dataset_free(dataset);
    return document(*ctx, *model, size);
}

static void silent(void *user, const char *format, ...)
{
    (void)user;
    (void)format;
}

START_TEST(schema_holds)
{
    spt_ctx *ctx = NULL;
    spt_model *model = NULL, *pair = NULL;
    int64_t size = 0;
    char *text = small_document(&ctx, &model, &size);
    free(text);
    spt_dataset *dataset = make_spectra(ctx, 20, 24);
    spt_prep *prep = make_recipe(ctx);
    spt_model *logarithms = make_model_of(ctx, dataset, prep, 1, "log1p");
    spt_prep_free(prep);
    spt_dataset_free(dataset);
    const spt_model *both[] = {model, logarithms};
    OK(ctx, spt_model_ensemble(ctx, both, 2, &pair));
    text = document(ctx, pair, &size);
    xmlRelaxNGParserCtxtPtr source =
        xmlRelaxNGNewParserCtxt(SPT_TEST_SOURCE "/doc/schemas/model.rng");
    xmlRelaxNGPtr schema = xmlRelaxNGParse(source);
    ck_assert_ptr_nonnull(schema);
    xmlRelaxNGValidCtxtPtr valid = xmlRelaxNGNewValidCtxt(schema);
    xmlDocPtr doc = xmlReadMemory(text, (int)size, "model", NULL, XML_PARSE_NONET);
    ck_assert_int_eq(xmlRelaxNGValidateDoc(valid, doc), 0);
    /* and can fail */
    xmlSetProp(xmlDocGetRootElement(doc), (const xmlChar *)"format", (const xmlChar *)"x");
    xmlRelaxNGSetValidErrors(valid, silent, silent, NULL);
    ck_assert_int_ne(xmlRelaxNGValidateDoc(valid, doc), 0);
    xmlFreeDoc(doc);
    xmlRelaxNGFreeValidCtxt(valid);
    xmlRelaxNGFree(schema);
    xmlRelaxNGFreeParserCtxt(source);
    free(text);
    spt_model_free(pair);
    spt_model_free(logarithms);
    spt_model_free(model);
    spt_ctx_free(ctx);
}
END_TEST

START_TEST(damage_is_noticed)
{
    spt_ctx *ctx = NULL;
    spt_model *model = NULL, *back = NULL;
    int64_t size = 0;
    char *text = small_document(&ctx, &model, &size);
    for (int64_t cut = 0; cut < size; cut += cut < 200 || cut > size - 200 ? 1 : 97) {
        int32_t status = spt_model_read_memory(ctx, text, cut, "cut", &back);
        ck_assert_msg(status == SPT_EFORMAT, "%lld of %lld bytes: %d", (long long)cut,
                      (long long)size, (int)status);
        ck_assert_ptr_null(back);
    }
    FAILS(ctx, SPT_EFORMAT, "cut short", spt_model_read_memory(ctx, text, size - 1, "m", &back));
    FAILS(ctx, SPT_EFORMAT, "empty", spt_model_read_memory(ctx, text, 0, "m", &back));
    for (int64_t i = 0; i < size; i++) {
        if (i > 300 && i < size - 300 && i % 7) continue;
        text[i] = (char)(text[i] ^ (1 << i % 8));
        int32_t status = spt_model_read_memory(ctx, text, size, "flipped", &back);
        ck_assert_msg(status == SPT_EFORMAT || status == SPT_EVERSION, "byte %lld: %d",
                      (long long)i, (int)status);
        ck_assert_ptr_null(back);
        text[i] = (char)(text[i] ^ (1 << i % 8));
    }
    text[size / 2] ^= 1;
    FAILS(ctx, SPT_EFORMAT, "damaged or changed",
          spt_model_read_memory(ctx, text, size, "m", &back));
    text[size / 2] ^= 1;
    OK(ctx, spt_model_read_memory(ctx, text, size, "m", &back));
    spt_model_free(back);
    /* Something behind the end. */
    char *longer = malloc((size_t)size + 2);
    memcpy(longer, text, (size_t)size);
    memcpy(longer + size, "\n", 2);
    FAILS(ctx, SPT_EFORMAT, "checksum", spt_model_read_memory(ctx, longer, size + 1, "m", &back));
    FAILS(ctx, SPT_EFORMAT, "not a model",
          spt_model_read_memory(ctx, "<space/>", 8, "space.xml", &back));
    free(longer);
    free(text);
    spt_model_free(model);
    spt_ctx_free(ctx);
}
END_TEST

/* The document with the first `from` turned into `to`, under a checksum that is right. */
static char *forge(const char *text, const char *from, const char *to, int64_t *size)
{
    const char *at = strstr(text, from), *end = strstr(text, "<checksum");
    ck_assert_msg(at != NULL, "no %s", from);
    size_t room = strlen(text) + strlen(to) + 1;
    char *out = malloc(room), hex[65];
    snprintf(out, room, "%.*s%s%.*s<checksum algorithm=\"sha-256\">", (int)(at - text), text, to,
             (int)(end - at - (long)strlen(from)), at + strlen(from));
    spt__sha256 sum;
    spt__sha256_init(&sum);
    spt__sha256_put(&sum, out, strlen(out));
    spt__sha256_hex(&sum, hex);
    strcat(out, hex);
    strcat(out, "</checksum>\n</model>\n");
    *size = (int64_t)strlen(out);
    return out;
}

/* Wrong content under a right checksum: every line must be refused, with the words given. */
static const struct {
    const char *from, *to;
    int32_t status;
    const char *words;
} forgeries[] = {
    {"format=\"1\"", "format=\"2\"", SPT_EVERSION, "format 2 is newer"},
    {"format=\"1\"", "format=\"99999999999999999999\"", SPT_EFORMAT, "format"},
    {"format=\"1\"", "format=\"0\"", SPT_EFORMAT, "format"},
    {"format=\"1\"", "format=\"1\" more=\"1\"", SPT_EFORMAT, "attributes"},
    {"<input", "<!DOCTYPE model [<!ENTITY a \"b\">]><input", SPT_EFORMAT, "no DTD"},
    {"<input", "<!-- hello --><input", SPT_EFORMAT, "no comments"},
    {"<input", "<?php hello ?><input", SPT_EFORMAT, "only elements"},
    {"<input", "hello<input", SPT_EFORMAT, "text stands"},
    {"<steps>", "<steps>&hello;", SPT_EFORMAT, "Entity 'hello' not defined"},
    {"axis_unit=\"nm\"", "axis_unit=\"mm\"", SPT_EFORMAT, "'mm'"},
    {"unit=\"absorbance\"", "unit=\"unknown\"", SPT_EFORMAT, "no units"},
    {"<axis count=\"24\"", "<axis count=\"25\"", SPT_EFORMAT, "24 numbers; 25"},
    {"<axis count=\"24\"", "<axis count=\"23\"", SPT_EFORMAT, "more than 23"},
    {"<axis count=\"24\"", "<axis count=\"1000000000000\"", SPT_EFORMAT, "cannot hold"},
    {"<axis count=\"24\"", "<axis count=\"-1\"", SPT_EFORMAT, "cannot hold"},
    {"1100 1102", "1100 1100", SPT_EFORMAT, "ascending"},
    {"1100 1102", "1100 nan", SPT_EFORMAT, "'nan'"},
    {"<crop low=\"1110\"", "<crop low=\"99999\"", SPT_EFORMAT, "crop"},
    {"<decimate factor=\"2\"", "<decimate factor=\"0\"", SPT_EFORMAT, "factor"},
    {"method=\"mean\"", "method=\"median\"", SPT_EFORMAT, "'median'"},
    {"<decimate factor=\"2\" method=\"mean\"/>", "<shuffle/>", SPT_EFORMAT, "<shuffle>"},
    {"name=\"d1_window\" value=\"7\"", "name=\"d1_window\" value=\"700\"", SPT_EFORMAT, "window"},
    {"name=\"d1_window\"", "name=\"d9_window\"", SPT_EFORMAT, "d9_window"},
    {"weight=\"1\"", "weight=\"0.5\"", SPT_EFORMAT, "sum to 0.5"},
    {"weight=\"1\"", "weight=\"-1\"", SPT_EFORMAT, "weight -1"},
    {"channels=\"A+D1 A+SNV\"", "channels=\"A+SNV A+D1\"", SPT_EFORMAT, "in this order"},
    {"channels=\"A+D1 A+SNV\"", "channels=\"A+D1\"", SPT_EFORMAT, "1 channels"},
    {"channels=\"A+D1 A+SNV\"", "channels=\"\"", SPT_EFORMAT, "mask is 0"},
    {"channels=\"A+D1 A+SNV\"", "channels=\"R A A+D1 A+D2 A+SNV A+SNV\"", SPT_EFORMAT, "order"},
    {"<network bands=\"9\"", "<network bands=\"7\"", SPT_EFORMAT, "tensor"},
    {"<network bands=\"9\"", "<network bands=\"1000000\"", SPT_EFORMAT, "cannot hold"},
    {"<network bands=\"9\"", "<network bands=\"99999999999\"", SPT_EFORMAT, "bands is"},
    {"outputs=\"1\"", "outputs=\"2\"", SPT_EFORMAT, "tensor"},
    {"<dense units=\"24\"", "<dense units=\"2000000000\"", SPT_EFORMAT, ""},
    {"<dense units=\"24\"", "<dense units=\"-24\"", SPT_EFORMAT, "units"},
    {"<dense units=\"24\"/>",
     "<dense units=\"24\"/><pool type=\"max\" size=\"2\" stride=\"2\" "
     "padding=\"valid\"/>",
     SPT_EFORMAT, "pool"},
    {"<activation type=\"swish\"", "<activation type=\"tanh\"", SPT_EFORMAT, "'tanh'"},
    {"share=\"0.2\"", "share=\"1\"", SPT_EFORMAT, "share"},
    {"<tensor name=\"conv_1.weight\"", "<tensor name=\"conv_2.weight\"", SPT_EFORMAT,
     "conv_1.weight"},
    {"<tensor name=\"conv_1.bias\" count=\"4\">\n<piece>",
     "<tensor name=\"conv_1.bias\" count=\"4\">\n<piece>AACAfwAA", SPT_EFORMAT, "base64"},
    {"<tensor name=\"conv_1.bias\" count=\"4\">\n<piece>",
     "<tensor name=\"conv_1.bias\" count=\"4\">\n<piece>!!", SPT_EFORMAT, "base64"},
    {"<tensor name=\"conv_1.bias\" count=\"4\">\n<piece>",
     "<tensor name=\"conv_1.bias\" count=\"4\">\n<piece>AAAAAAAAAAAAAAAA</piece><piece>",
     SPT_EFORMAT, "more than 4"},
    {"<tensor name=\"conv_1.bias\" count=\"4\">\n",
     "<tensor name=\"conv_1.bias\" count=\"4\">\n<x/>", SPT_EFORMAT, "conv_1.bias has 0"},
    {"<target name=\"fat\"", "<target name=\"fat\" x=\"1\" y=\"2\" z=\"3\"", SPT_EFORMAT,
     "attributes"},
    {"samples=\"19\"", "samples=\"-19\"", SPT_EFORMAT, "samples is -19"},
    {"<low count=\"9\">", "<low count=\"8\">", SPT_EFORMAT, "more than 8"},
    {"<note key=\"seed\">", "<note key=\"epochs\">", SPT_EFORMAT, "twice"},
    {"<note key=\"seed\">", "<note key=\"\">", SPT_EFORMAT, "key"},
    {"<note key=\"seed\">", "<note key=\"seed\"><b/>", SPT_EFORMAT, "text is needed"},
    {"<library version=", "<extra/><library version=", SPT_EFORMAT, "<extra>"},
    {"</training>", "</training", SPT_EFORMAT, ""},
    {"<training", "<training\x01", SPT_EFORMAT, ""},
    {"</output>\n</member>", "<expm1 x=\"1\"/></output>\n</member>", SPT_EFORMAT, "expm1"},
    {"</output>\n</member>", "<expm1/><expm1/></output>\n</member>", SPT_EFORMAT, "expm1"},
    {"<training",
     "<tr\xff"
     "aining",
     SPT_EFORMAT, ""},
};

START_TEST(hostile_content)
{
    spt_ctx *ctx = NULL;
    spt_model *model = NULL, *back = NULL;
    int64_t size = 0;
    char *text = small_document(&ctx, &model, &size);
    for (size_t i = 0; i < sizeof forgeries / sizeof forgeries[0]; i++) {
        char *forged = forge(text, forgeries[i].from, forgeries[i].to, &size);
        int32_t status = spt_model_read_memory(ctx, forged, size, "forged", &back);
        const char *words = spt_ctx_last_error(ctx);
        ck_assert_msg(status == forgeries[i].status, "%s: %d (%s)", forgeries[i].to, (int)status,
                      status < 0 ? words : "");
        ck_assert_msg(strstr(words, forgeries[i].words) != NULL, "%s: \"%s\"", forgeries[i].to,
                      words);
        ck_assert_msg(!strncmp(words, "forged:", 7), "%s", words);
        ck_assert_ptr_null(strchr(words, '\n'));
        ck_assert_ptr_null(back);
        free(forged);
    }
    /* The forger itself makes no difference. */
    char *same = forge(text, "format=\"1\"", "format=\"1\"", &size);
    ck_assert_str_eq(same, text);
    free(same);
    free(text);
    spt_model_free(model);
    spt_ctx_free(ctx);
}
END_TEST

/* Bytes and tags turned into others at random, under a checksum that is right: whatever comes of
 * it, it is a model that works or an error. */
START_TEST(random_content)
{
    static const char *const scraps[] = {"<",        ">",   "\"",  "/>",   "0",       "9",
                                         "-",        "e9",  " ",   "&#0;", "<piece>", "</piece>",
                                         "<layers>", "nan", "]]>", "\xff"};
    spt_ctx *ctx = NULL;
    spt_model *model = NULL, *back = NULL;
    int64_t size = 0, read = 0;
    char *text = small_document(&ctx, &model, &size);
    int64_t content = strstr(text, "<checksum") - text;
    spt__rng r;
    spt__rng_init(&r, 1, SPT__RNG_TEST, 1, 1);
    for (int k = 0; k < 1500; k++) {
        /* half of them where the structure is, before the weights */
        uint64_t range = (uint64_t)(k % 2 ? content : content / 8) - 60;
        int64_t at = 60 + (int64_t)spt__rng_below(&r, range);
        char *copy = strdup(text);
        const char *scrap = scraps[spt__rng_below(&r, sizeof scraps / sizeof scraps[0])];
        size_t length = strlen(scrap);
        if (at + (int64_t)length > content) length = 1;
        memcpy(copy + at, scrap, length);
        char *forged = forge(copy, "<model", "<model", &size);
        int32_t status = spt_model_read_memory(ctx, forged, size, "m", &back);
        ck_assert((status == SPT_OK) == (back != NULL));
        ck_assert_msg(status == SPT_OK || status == SPT_EFORMAT, "%d: %s", (int)status,
                      spt_ctx_last_error(ctx));
        if (back) {
            spt_predictor *predictor = NULL;
            OK(ctx, spt_predictor_new(ctx, back, &predictor));
            spt_predictor_free(predictor);
            read++;
        }
        spt_model_free(back);
        free(forged);
        free(copy);
    }
    ck_assert(read > 0 && read < 1500);
    free(text);
    spt_model_free(model);
    spt_ctx_free(ctx);
}
END_TEST

/* Variances below zero and weights that are not finite, through base64. */
START_TEST(hostile_values)
{
    spt_ctx *ctx = NULL;
    spt_model *model = NULL, *back = NULL;
    int64_t size = 0;
    char *text = small_document(&ctx, &model, &size);
    static const struct {
        const char *tensor, *base64, *words;
    } values[] = {{"conv_1.bias", "AACAfwAAAAAAAAAAAAAAAA==", "inf"},
                  {"bn_1.variance", "AACAvwAAAAAAAAAAAAAAAA==", "0 or more"}};
    for (int i = 0; i < 2; i++) {
        char from[200], to[200], head[80];
        snprintf(head, sizeof head, "<tensor name=\"%s\" count=\"4\">\n<piece>", values[i].tensor);
        const char *at = strstr(text, head);
        ck_assert_ptr_nonnull(at);
        snprintf(from, sizeof from, "%s%.24s", head, at + strlen(head));
        snprintf(to, sizeof to, "%s%s", head, values[i].base64);
        char *forged = forge(text, from, to, &size);
        FAILS(ctx, SPT_EFORMAT, values[i].words,
              spt_model_read_memory(ctx, forged, size, "m", &back));
        free(forged);
    }
    free(text);
    spt_model_free(model);
    spt_ctx_free(ctx);
}
END_TEST

/* One convolution of 64 filters and a dense layer of 128 on 700 bands: 23 MB of weights. */
START_TEST(large)
{
    spt_ctx *ctx = NULL;
    spt_model *model = NULL, *back = NULL, *again = NULL;
    spt_network *network = NULL;
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
    spt_dataset *dataset = make_spectra(ctx, 5, 700);
    OK(ctx, spt_network_new(ctx, 700, 1, 1, &network));
    OK(ctx, spt_network_add_conv(network, 64, 11, 1, SPT_PADDING_SAME));
    OK(ctx, spt_network_add_activation(network, SPT_ACTIVATION_RELU));
    OK(ctx, spt_network_add_dense(network, 128));
    OK(ctx, spt_network_add_activation(network, SPT_ACTIVATION_RELU));
    OK(ctx, spt_network_finish(network, 3));
    OK(ctx, spt_model_assemble(ctx, dataset, NULL, SPT_CHANNEL_A, NULL, network, "fat", NULL, NULL,
                               SPT_TRANSFORM_NONE, &model));
    spt_network_free(network);
    int64_t size = 0, n = 0;
    char *text = document(ctx, model, &size);
    ck_assert_int_gt(size, 30000000);
    OK(ctx, spt_model_read_memory(ctx, text, size, "m", &back));
    char path[600];
    snprintf(path, sizeof path, "%s/large.xml", build_folder());
    OK(ctx, spt_model_write(ctx, back, path));
    OK(ctx, spt_model_read(ctx, path, &again));
    remove(path);
    double *a = predictions(ctx, model, dataset, &n), *b = predictions(ctx, again, dataset, &n);
    ck_assert(!memcmp(a, b, (size_t)n * sizeof *a));
    free(a);
    free(b);
    free(text);
    spt_model_free(model);
    spt_model_free(back);
    spt_model_free(again);
    spt_dataset_free(dataset);
    spt_ctx_free(ctx);
}
END_TEST

SUITE_MAIN("model_document", tcase_add_loop_test(tcase, round_trip, 0, 2);
           tcase_add_test(tcase, schema_holds); tcase_add_test(tcase, damage_is_noticed);
           tcase_add_test(tcase, hostile_content); tcase_add_test(tcase, random_content);
           tcase_add_test(tcase, hostile_values); tcase_add_test(tcase, large);)
