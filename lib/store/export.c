/* A study as JSON, all of it; and the way out for both formats. */
#include "image.h"

#include "../base/file.h"

#include <jansson.h>
#include <string.h>

/* ---- pieces ---- */

/* JSON as it stands on record. What a strict reader would not take (Optuna writes NaN), or take for
 * this very form, is put into a string: {"unparsed": "NaN"}. */
static void put_json(spt__buf *b, const char *json)
{
    json_t *value =
        json_loads(json, JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
    if (value != NULL && json_object_get(value, SPT__UNPARSED) == NULL) {
        spt__buf_puts(b, json);
    } else {
        spt__buf_puts(b, "{\"" SPT__UNPARSED "\": ");
        spt__buf_json(b, json);
        spt__buf_puts(b, "}");
    }
    json_decref(value);
}

static void put_key(spt__buf *b, const char *key, bool first)
{
    if (!first) spt__buf_puts(b, ", ");
    spt__buf_json(b, key);
    spt__buf_puts(b, ": ");
}

/* An object of attributes; `without`: that key is left out. */
static void put_attributes(spt__buf *b, const spt__image *image, spt__image_list list,
                           int64_t trial, const char *without)
{
    int64_t n;
    bool first = true;
    const spt__item *items = spt__image_items(image, list, trial, &n);
    spt__buf_puts(b, "{");
    for (int64_t i = 0; i < n; i++) {
        if (without != NULL && strcmp(items[i].key, without) == 0) continue;
        put_key(b, items[i].key, first);
        put_json(b, items[i].text);
        first = false;
    }
    spt__buf_puts(b, "}");
}

static void put_blocks(spt__buf *b, const spt__image *image, int64_t trial)
{
    int64_t n;
    const spt__item *items = spt__image_items(image, SPT__IMAGE_BLOCKS, trial, &n);
    spt__buf_puts(b, "{");
    for (int64_t i = 0; i < n; i++) {
        const size_t size = (size_t)items[i].size, length = 4 * ((size + 2) / 3);
        char *text = spt__alloc(image->ctx, length + 1, 1);
        put_key(b, items[i].key, i == 0);
        if (text != NULL) {
            spt__base64_encode(items[i].data, size, text);
            spt__buf_puts(b, "\"");
            spt__buf_put(b, text, length);
            spt__buf_puts(b, "\"");
        } else {
            b->failed = true;
        }
        spt__free(image->ctx, text);
    }
    spt__buf_puts(b, "}");
}

/* A category by its own value, for readers: it is the distribution's choice number `value`. */
static void put_choice(spt__buf *b, const spt__item *item)
{
    json_t *all = json_loads(item->text, JSON_REJECT_DUPLICATES, NULL);
    const json_t *choices = json_object_get(json_object_get(all, "attributes"), "choices");
    const json_t *choice = item->value >= 0 ? json_array_get(choices, (size_t)item->value) : NULL;
    char *text = choice != NULL ? spt__json_choice(b->ctx, choice) : NULL;
    if (choice != NULL && text == NULL) b->failed = true;
    if (text != NULL) {
        spt__buf_puts(b, ", \"choice\": ");
        if (json_is_string(choice))
            spt__buf_json(b, text);
        else
            spt__buf_puts(b, text);
    }
    spt__free(b->ctx, text);
    json_decref(all);
}

static void put_parameters(spt__buf *b, const spt__image *image, int64_t trial)
{
    int64_t n;
    const spt__item *items = spt__image_items(image, SPT__IMAGE_PARAMETERS, trial, &n);
    spt__buf_puts(b, "{");
    for (int64_t i = 0; i < n; i++) {
        put_key(b, items[i].key, i == 0);
        spt__buf_puts(b, "{\"value\": ");
        spt__json_number(b, items[i].value);
        put_choice(b, &items[i]);
        spt__buf_puts(b, ", \"distribution\": ");
        put_json(b, items[i].text);
        spt__buf_puts(b, "}");
    }
    spt__buf_puts(b, "}");
}

static void put_time(spt__buf *b, const char *name, const char *text)
{
    spt__buf_printf(b, ", \"%s\": ", name);
    spt__buf_json(b, text);
}

static void put_trial(spt__buf *b, const spt__image *image, int64_t trial)
{
    int64_t n;
    const spt__image_trial *t = &image->trials[trial];
    spt__buf_printf(b, "  {\"number\": %lld, \"state\": \"%s\", \"values\": [",
                    (long long)t->number, spt_trial_state_name(t->state));
    const spt__item *items = spt__image_items(image, SPT__IMAGE_VALUES, trial, &n);
    for (int64_t i = 0, place = 0; i < n; i++, place++) {
        if (i > 0) spt__buf_puts(b, ", ");
        for (; place < items[i].number; place++)
            spt__buf_puts(b, "null, ");
        spt__json_number(b, items[i].value);
    }
    spt__buf_puts(b, "]");
    put_time(b, "started", t->started);
    put_time(b, "ended", t->ended);
    spt__buf_puts(b, ",\n   \"parameters\": ");
    put_parameters(b, image, trial);
    spt__buf_puts(b, ",\n   \"steps\": [");
    items = spt__image_items(image, SPT__IMAGE_STEPS, trial, &n);
    for (int64_t i = 0; i < n; i++) {
        spt__buf_printf(b, "%s[%lld, ", i > 0 ? ", " : "", (long long)items[i].number);
        spt__json_number(b, items[i].value);
        spt__buf_puts(b, "]");
    }
    spt__buf_puts(b, "],\n   \"attributes\": ");
    put_attributes(b, image, SPT__IMAGE_USER, trial, NULL);
    spt__buf_puts(b, ",\n   \"system_attributes\": ");
    put_attributes(b, image, SPT__IMAGE_SYSTEM, trial, NULL);
    spt__buf_puts(b, ",\n   \"blocks\": ");
    put_blocks(b, image, trial);
    spt__buf_puts(b, "}");
}

/* ---- the whole ---- */

static void put_study(spt__buf *b, const spt__image *image)
{
    int64_t n;
    const spt__item *space = spt__image_find(image, SPT__IMAGE_SYSTEM, -1, SPT__SPACE_KEY);
    spt__buf_puts(b, "{\"format\": \"" SPT__EXPORT_FORMAT "\", \"version\": 1,\n \"study\": ");
    spt__buf_json(b, image->name);
    spt__buf_puts(b, ",\n \"directions\": [");
    const spt__item *items = spt__image_items(image, SPT__IMAGE_DIRECTIONS, -1, &n);
    for (int64_t i = 0; i < n; i++) {
        if (i > 0) spt__buf_puts(b, ", ");
        spt__buf_json(b, spt__direction_name(items[i].text));
    }
    spt__buf_puts(b, "],\n \"space\": ");
    spt__buf_puts(b, space != NULL ? space->text : "null");
    spt__buf_puts(b, ",\n \"records\": ");
    put_attributes(b, image, SPT__IMAGE_USER, -1, NULL);
    spt__buf_puts(b, ",\n \"system_attributes\": ");
    put_attributes(b, image, SPT__IMAGE_SYSTEM, -1, SPT__SPACE_KEY);
    spt__buf_puts(b, ",\n \"blocks\": ");
    put_blocks(b, image, -1);
    spt__buf_puts(b, ",\n \"trials\": [");
    for (int64_t i = 0; i < image->n; i++) {
        spt__buf_puts(b, i > 0 ? ",\n" : "\n");
        put_trial(b, image, i);
    }
    spt__buf_puts(b, "]}\n");
}

static int32_t build(spt_store *s, const char *study, int32_t format, spt__buf *b)
{
    spt__image image;
    if (format != SPT_EXPORT_CSV && format != SPT_EXPORT_JSON)
        return spt__fail(&s->ctx->err, SPT_EINVAL,
                         "format is %d; 1 (CSV) and 2 (JSON) are possible", (int)format);
    spt__image_init(&image, s->ctx);
    int32_t status = spt__image_read(s, study, format == SPT_EXPORT_JSON, &image);
    if (status >= 0 && format == SPT_EXPORT_JSON)
        put_study(b, &image);
    else if (status >= 0)
        status = spt__export_csv(&image, b);
    spt__image_free(&image);
    return status >= 0 && b->failed ? spt__nomem(&s->ctx->err) : status;
}

int32_t spt_store_export(spt_store *s, const char *study, int32_t format, const char *path)
{
    spt__buf b;
    SPT__REQUIRE(s != NULL && path != NULL);
    spt__buf_init(&b, s->ctx);
    int32_t status = build(s, study, format, &b);
    if (status >= 0) status = spt__file_write(s->ctx, path, b.data, b.size, &s->ctx->err);
    spt__buf_free(&b);
    return status;
}

int32_t spt_store_export_text(spt_store *s, const char *study, int32_t format, spt_text_fn fn,
                              void *user)
{
    spt__buf b;
    SPT__REQUIRE(s != NULL && fn != NULL);
    spt__buf_init(&b, s->ctx);
    int32_t status = build(s, study, format, &b);
    if (status >= 0 && fn(b.data, (int64_t)b.size, user) != SPT_OK)
        status = spt__fail(&s->ctx->err, SPT_ECALLBACK, "the host did not take the text");
    spt__buf_free(&b);
    return status;
}
