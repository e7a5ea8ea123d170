/* A study from the JSON that export.c writes.
 *
 * Jansson says whether the text is JSON; after that it is walked through as text, since attributes
 * and distributions are kept as they stand, to the byte, which no tree of values would tell. */
#include "image.h"

#include "../base/file.h"

#include <jansson.h>
#include <string.h>

typedef struct reader {
    spt_ctx *ctx;
    const char *path, *text;
    spt__image image;
    const char *trials; /* read when all else is */
    int64_t directions;
    /* of the trial at hand, which becomes the next one of the image */
    int64_t number;
    int32_t state;
    char *started, *ended;
    double value; /* of the parameter at hand */
    const char *distribution;
} reader;

/* ---- walking through JSON that is known to be some ---- */

static const char *skip_blanks(const char *p)
{
    return p + strspn(p, " \t\r\n");
}

static const char *skip_string(const char *p)
{
    for (p++; *p != '"'; p++)
        if (*p == '\\') p++;
    return p + 1;
}

/* The end of the value that starts at p. */
static const char *skip_value(const char *p)
{
    int64_t depth = 0;
    if (*p != '"' && *p != '{' && *p != '[') return p + strcspn(p, ",]} \t\r\n");
    do {
        if (*p == '"') {
            p = skip_string(p);
            continue;
        }
        depth += *p == '{' || *p == '[';
        depth -= *p == '}' || *p == ']';
        p++;
    } while (depth > 0);
    return p;
}

/* Step to the next member of an object or element of an array; *at starts behind its bracket. */
static bool next(const char **at, const char **key, const char **value)
{
    const char *p = skip_blanks(*at);
    if (*p == ',') p = skip_blanks(p + 1);
    if (*p == '}' || *p == ']') return false;
    if (key != NULL) {
        *key = p;
        p = skip_blanks(skip_blanks(skip_string(p)) + 1);
    }
    *value = p;
    *at = skip_value(p);
    return true;
}

/* ---- what is wrong, and where ---- */

static int32_t fail_at(const reader *r, const char *at, const char *format, ...) SPT__PRINTF(3, 4);

static int32_t fail_at(const reader *r, const char *at, const char *format, ...)
{
    char text[300];
    int64_t line = 1;
    const char *start = r->text;
    va_list args;
    va_start(args, format);
    spt__vformat(text, sizeof text, format, args);
    va_end(args);
    for (const char *p = r->text; p < at; p++)
        if (*p == '\n') {
            line++;
            start = p + 1;
        }
    return spt__fail(&r->ctx->err, SPT_EFORMAT, "%s: line %lld, column %lld: %s", r->path,
                     (long long)line, (long long)(at - start + 1), text);
}

/* The text of a JSON string, released with spt__free. */
static int32_t read_text(const reader *r, const char *at, char **text)
{
    json_t *value =
        *at == '"' ? json_loadb(at, (size_t)(skip_value(at) - at), JSON_DECODE_ANY, NULL) : NULL;
    *text = NULL;
    if (!json_is_string(value)) {
        json_decref(value);
        return fail_at(r, at, "is no text");
    }
    *text = spt__strdup(r->ctx, json_string_value(value));
    json_decref(value);
    return *text != NULL ? SPT_OK : spt__nomem(&r->ctx->err);
}

/* JSON as it stands, or as it stood before put_json() of export.c hid it in a string. */
static int32_t read_json(const reader *r, const char *at, char **json)
{
    const char *inside = at + 1, *key, *value;
    static const char hidden[] = "\"" SPT__UNPARSED "\"";
    if (*at == '{' && next(&inside, &key, &value) && strncmp(key, hidden, sizeof hidden - 1) == 0 &&
        *value == '"')
        return read_text(r, value, json);
    *json = spt__strndup(r->ctx, at, (size_t)(skip_value(at) - at));
    return *json != NULL ? SPT_OK : spt__nomem(&r->ctx->err);
}

static int32_t read_number(const reader *r, const char *at, double *value)
{
    static const struct {
        const char *text;
        double value;
    } words[] = {{"\"NaN\"", NAN}, {"\"inf\"", INFINITY}, {"\"-inf\"", -INFINITY}};
    const size_t length = (size_t)(skip_value(at) - at);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strlen(words[i].text) == length && strncmp(at, words[i].text, length) == 0) {
            *value = words[i].value;
            return SPT_OK;
        }
    if (*at != '"' && spt__parse_double(at, length, '.', value)) return SPT_OK;
    return fail_at(r, at, "is no number; infinite ones are \"inf\" and \"-inf\"");
}

static int32_t read_whole(const reader *r, const char *at, int64_t *value)
{
    if (*at != '"' && spt__parse_int64(at, (size_t)(skip_value(at) - at), value) && *value >= 0)
        return SPT_OK;
    return fail_at(r, at, "is no whole number from 0 on");
}

/* ---- objects with members that have a meaning ---- */

typedef struct member {
    const char *name;
    char opens; /* the value starts with this; 0: with whatever */
    bool needed;
    int32_t (*read)(reader *r, const char *value);
} member;

static int32_t fail_member(const reader *r, const char *key, const member *table, int n)
{
    const char *names[16];
    char name[65];
    for (int i = 0; i < n; i++)
        names[i] = table[i].name;
    spt__format(name, sizeof name, "%.*s", (int)(skip_string(key) - key) - 2, key + 1);
    const char *near = spt__nearest(name, names, (size_t)n);
    return near != NULL
               ? fail_at(r, key, "\"%s\" is not known here; did you mean \"%s\"?", name, near)
               : fail_at(r, key, "\"%s\" is not known here", name);
}

static int32_t read_members(reader *r, const char *object, const member *table, int n)
{
    uint32_t seen = 0;
    const char *at = object + 1, *key, *value;
    while (next(&at, &key, &value)) {
        int i = 0;
        while (i < n && (strncmp(key + 1, table[i].name, strlen(table[i].name)) != 0 ||
                         key[1 + strlen(table[i].name)] != '"'))
            i++;
        if (i == n) return fail_member(r, key, table, n);
        const bool null = strncmp(value, "null", 4) == 0;
        if (table[i].opens != '\0' && *value != table[i].opens && !null)
            return fail_at(r, value, "\"%s\" is %s", table[i].name,
                           table[i].opens == '{'   ? "an object in braces"
                           : table[i].opens == '[' ? "a list in brackets"
                                                   : "a text in quotes");
        seen |= 1U << i;
        if (null && table[i].needed) return fail_at(r, value, "\"%s\" is null", table[i].name);
        if (!null) SPT__TRY(table[i].read(r, value));
    }
    for (int i = 0; i < n; i++)
        if (table[i].needed && (seen >> i & 1) == 0)
            return fail_at(r, object, "\"%s\" is missing", table[i].name);
    return SPT_OK;
}

/* ---- attributes and blocks, of a study or of the trial at hand ---- */

static int32_t read_attributes(reader *r, spt__image_list list, int64_t trial, const char *object)
{
    const char *at = object + 1, *key, *value;
    while (next(&at, &key, &value)) {
        char *name, *json = NULL;
        SPT__TRY(read_text(r, key, &name));
        int32_t status = read_json(r, value, &json);
        if (status >= 0 && spt__image_add(&r->image, list, trial, name, json) == NULL)
            status = spt__nomem(&r->ctx->err);
        spt__free(r->ctx, name);
        spt__free(r->ctx, json);
        if (status < 0) return status;
    }
    return SPT_OK;
}

static int32_t read_block(reader *r, int64_t trial, const char *name, const char *value)
{
    char *text;
    SPT__TRY(read_text(r, value, &text));
    const size_t length = strlen(text);
    spt__item *item = spt__image_add(&r->image, SPT__IMAGE_BLOCKS, trial, name, NULL);
    int32_t status = SPT_OK;
    if (item != NULL) item->data = spt__alloc(r->ctx, length / 4 * 3 + 3, 1);
    if (item == NULL || item->data == NULL) {
        status = spt__nomem(&r->ctx->err);
    } else {
        size_t size = length / 4 * 3 + 3;
        if (spt__base64_decode(text, length, item->data, &size))
            item->size = (int64_t)size;
        else
            status = fail_at(r, value, "is no base64");
    }
    spt__free(r->ctx, text);
    return status;
}

static int32_t read_blocks(reader *r, int64_t trial, const char *object)
{
    const char *at = object + 1, *key, *value;
    while (next(&at, &key, &value)) {
        char *name;
        SPT__TRY(read_text(r, key, &name));
        const int32_t status = read_block(r, trial, name, value);
        spt__free(r->ctx, name);
        if (status < 0) return status;
    }
    return SPT_OK;
}

/* ---- a trial ---- */

static int32_t read_trial_number(reader *r, const char *value)
{
    SPT__TRY(read_whole(r, value, &r->number));
    return r->number == r->image.n
               ? SPT_OK
               : fail_at(r, value, "the number is %lld; trials are in order, %lld is next",
                         (long long)r->number, (long long)r->image.n);
}

static int32_t read_state(reader *r, const char *value)
{
    char *text;
    SPT__TRY(read_text(r, value, &text));
    r->state = SPT_TRIAL_RUNNING;
    while (r->state <= SPT_TRIAL_WAITING && strcmp(spt_trial_state_name(r->state), text) != 0)
        r->state++;
    spt__free(r->ctx, text);
    return r->state <= SPT_TRIAL_WAITING
               ? SPT_OK
               : fail_at(r, value,
                         "is no state; running, complete, pruned, failed and waiting are");
}

static int32_t read_time(reader *r, const char *value, char **out)
{
    char *text;
    int64_t ignored;
    SPT__TRY(read_text(r, value, &text));
    if (!spt__time_of(text, &ignored)) {
        spt__free(r->ctx, text);
        return fail_at(r, value, "is no time; \"YYYY-MM-DD HH:MM:SS.ffffff\" in UTC is");
    }
    *out = spt__time_full(r->ctx, text);
    spt__free(r->ctx, text);
    return *out != NULL ? SPT_OK : spt__nomem(&r->ctx->err);
}

static int32_t read_started(reader *r, const char *value)
{
    return read_time(r, value, &r->started);
}

static int32_t read_ended(reader *r, const char *value)
{
    return read_time(r, value, &r->ended);
}

static int32_t read_values(reader *r, const char *list)
{
    const char *at = list + 1, *value;
    for (int64_t k = 0; next(&at, NULL, &value); k++) {
        double x;
        if (strncmp(value, "null", 4) == 0) continue;
        if (k >= r->directions)
            return fail_at(r, value, "has more values than the study has directions (%lld)",
                           (long long)r->directions);
        SPT__TRY(read_number(r, value, &x));
        if (isnan(x)) return fail_at(r, value, "NaN is no value of a trial; it has none then");
        spt__item *item = spt__image_add(&r->image, SPT__IMAGE_VALUES, r->image.n, NULL, NULL);
        if (item == NULL) return spt__nomem(&r->ctx->err);
        item->number = k;
        item->value = x;
    }
    return SPT_OK;
}

static int32_t read_steps(reader *r, const char *list)
{
    const char *at = list + 1, *pair;
    int64_t last = -1;
    while (next(&at, NULL, &pair)) {
        const char *inside = pair + 1, *step, *value, *more;
        int64_t number;
        double x;
        if (*pair != '[' || !next(&inside, NULL, &step) || !next(&inside, NULL, &value) ||
            next(&inside, NULL, &more))
            return fail_at(r, pair, "a step is [number, value]");
        SPT__TRY(read_whole(r, step, &number));
        SPT__TRY(read_number(r, value, &x));
        if (number <= last)
            return fail_at(r, step, "step %lld comes after %lld; steps are in order",
                           (long long)number, (long long)last);
        spt__item *item = spt__image_add(&r->image, SPT__IMAGE_STEPS, r->image.n, NULL, NULL);
        if (item == NULL) return spt__nomem(&r->ctx->err);
        item->number = last = number;
        item->value = x;
    }
    return SPT_OK;
}

static int32_t read_parameter_value(reader *r, const char *value)
{
    return read_number(r, value, &r->value);
}

static int32_t pass_over(reader *r, const char *value)
{
    (void)r;
    (void)value;
    return SPT_OK;
}

static int32_t read_distribution(reader *r, const char *value)
{
    json_t *all = json_loadb(value, (size_t)(skip_value(value) - value), JSON_ALLOW_NUL, NULL);
    const bool good = json_is_string(json_object_get(all, "name")) &&
                      json_is_object(json_object_get(all, "attributes"));
    const bool hidden = json_is_string(json_object_get(all, SPT__UNPARSED));
    json_decref(all);
    r->distribution = value;
    return good || hidden ? SPT_OK
                          : fail_at(r, value, "a distribution has \"name\" and \"attributes\"");
}

static int32_t read_parameters(reader *r, const char *object)
{
    static const member members[] = {{"value", '\0', true, read_parameter_value},
                                     {"choice", '\0', false, pass_over}, /* the value says it */
                                     {"distribution", '{', true, read_distribution}};
    const char *at = object + 1, *key, *value;
    while (next(&at, &key, &value)) {
        char *name = NULL, *json = NULL;
        if (*value != '{')
            return fail_at(r, value, "a parameter is {\"value\": ..., \"distribution\": ...}");
        SPT__TRY(read_members(r, value, members, 3));
        int32_t status = read_text(r, key, &name);
        if (status >= 0) status = read_json(r, r->distribution, &json);
        if (status >= 0) {
            spt__item *item =
                spt__image_add(&r->image, SPT__IMAGE_PARAMETERS, r->image.n, name, json);
            if (item != NULL)
                item->value = r->value;
            else
                status = spt__nomem(&r->ctx->err);
        }
        spt__free(r->ctx, name);
        spt__free(r->ctx, json);
        if (status < 0) return status;
    }
    return SPT_OK;
}

static int32_t read_trial_user(reader *r, const char *value)
{
    return read_attributes(r, SPT__IMAGE_USER, r->image.n, value);
}

static int32_t read_trial_system(reader *r, const char *value)
{
    return read_attributes(r, SPT__IMAGE_SYSTEM, r->image.n, value);
}

static int32_t read_trial_blocks(reader *r, const char *value)
{
    return read_blocks(r, r->image.n, value);
}

static int32_t read_trial(reader *r, const char *object)
{
    static const member members[] = {{"number", '\0', true, read_trial_number},
                                     {"state", '"', true, read_state},
                                     {"values", '[', false, read_values},
                                     {"started", '"', false, read_started},
                                     {"ended", '"', false, read_ended},
                                     {"parameters", '{', false, read_parameters},
                                     {"steps", '[', false, read_steps},
                                     {"attributes", '{', false, read_trial_user},
                                     {"system_attributes", '{', false, read_trial_system},
                                     {"blocks", '{', false, read_trial_blocks}};
    int64_t n;
    if (*object != '{') return fail_at(r, object, "a trial is an object in braces");
    r->started = r->ended = NULL;
    int32_t status = read_members(r, object, members, (int)(sizeof members / sizeof members[0]));
    spt__image_items(&r->image, SPT__IMAGE_VALUES, r->image.n, &n);
    if (status >= 0 && r->state == SPT_TRIAL_COMPLETE && n != r->directions)
        status = fail_at(r, object,
                         "a complete trial has as many values as the study has"
                         " directions (%lld)",
                         (long long)r->directions);
    if (status >= 0 &&
        spt__image_trial_add(&r->image, r->number, r->state, r->started, r->ended) == NULL)
        status = spt__nomem(&r->ctx->err);
    spt__free(r->ctx, r->started);
    spt__free(r->ctx, r->ended);
    return status;
}

/* ---- the study ---- */

static int32_t read_format(reader *r, const char *value)
{
    char *text;
    SPT__TRY(read_text(r, value, &text));
    const bool ours = strcmp(text, SPT__EXPORT_FORMAT) == 0;
    spt__free(r->ctx, text);
    return ours ? SPT_OK
                : fail_at(r, value,
                          "is no exported study; its format is \"" SPT__EXPORT_FORMAT "\"");
}

static int32_t read_version(reader *r, const char *value)
{
    int64_t version;
    SPT__TRY(read_whole(r, value, &version));
    if (version <= SPT__EXPORT_VERSION) return SPT_OK;
    return spt__fail(&r->ctx->err, SPT_EVERSION,
                     "%s: was exported by a newer library (version %lld; this one knows %d)",
                     r->path, (long long)version, (int)SPT__EXPORT_VERSION);
}

static int32_t read_name(reader *r, const char *value)
{
    return read_text(r, value, &r->image.name);
}

static int32_t read_directions(reader *r, const char *list)
{
    const char *at = list + 1, *value;
    while (next(&at, NULL, &value)) {
        char *name;
        SPT__TRY(read_text(r, value, &name));
        const char *word = spt__direction_word(name);
        spt__free(r->ctx, name);
        if (word == NULL)
            return fail_at(r, value, "is no direction; minimize, maximize and not_set are");
        spt__item *item = spt__image_add(&r->image, SPT__IMAGE_DIRECTIONS, -1, NULL, word);
        if (item == NULL) return spt__nomem(&r->ctx->err);
        item->number = r->directions++;
    }
    return r->directions > 0 ? SPT_OK : fail_at(r, list, "a study has one direction or more");
}

/* Kept as it stands, once it is known to be a space. */
static int32_t read_space(reader *r, const char *value)
{
    char *xml, *json = NULL;
    spt_space *space = NULL;
    SPT__TRY(read_text(r, value, &xml));
    int32_t status = spt_space_read_memory(r->ctx, xml, (int64_t)strlen(xml), "the space", &space);
    if (status == SPT_EFORMAT) status = fail_at(r, value, "%s", r->ctx->err.text);
    spt_space_free(space);
    spt__free(r->ctx, xml);
    if (status >= 0) status = read_json(r, value, &json);
    if (status >= 0 &&
        spt__image_add(&r->image, SPT__IMAGE_SYSTEM, -1, SPT__SPACE_KEY, json) == NULL)
        status = spt__nomem(&r->ctx->err);
    spt__free(r->ctx, json);
    return status;
}

static int32_t read_records(reader *r, const char *value)
{
    return read_attributes(r, SPT__IMAGE_USER, -1, value);
}

static int32_t read_system(reader *r, const char *value)
{
    return read_attributes(r, SPT__IMAGE_SYSTEM, -1, value);
}

static int32_t read_study_blocks(reader *r, const char *value)
{
    return read_blocks(r, -1, value);
}

static int32_t keep_trials(reader *r, const char *value)
{
    r->trials = value;
    return SPT_OK;
}

static int32_t read_study(reader *r)
{
    static const member members[] = {{"format", '"', true, read_format},
                                     {"version", '\0', true, read_version},
                                     {"study", '"', true, read_name},
                                     {"directions", '[', true, read_directions},
                                     {"space", '"', false, read_space},
                                     {"records", '{', false, read_records},
                                     {"system_attributes", '{', false, read_system},
                                     {"blocks", '{', false, read_study_blocks},
                                     {"trials", '[', true, keep_trials}};
    const char *at = skip_blanks(r->text), *trial;
    if (*at != '{') return fail_at(r, at, "is no exported study; that is an object in braces");
    SPT__TRY(read_members(r, at, members, (int)(sizeof members / sizeof members[0])));
    at = r->trials + 1;
    while (next(&at, NULL, &trial))
        SPT__TRY(read_trial(r, trial));
    return SPT_OK;
}

/* Also that nobody newer wrote what the attributes say. */
static int32_t check_format(const reader *r)
{
    int64_t format;
    const spt__item *item = spt__image_find(&r->image, SPT__IMAGE_SYSTEM, -1, SPT__FORMAT_KEY);
    if (item == NULL || !spt__parse_int64(item->text, strlen(item->text), &format) ||
        format <= SPT__STORE_FORMAT)
        return SPT_OK;
    return spt__fail(&r->ctx->err, SPT_EVERSION,
                     "%s: the study was written by a newer library (format %lld; this one knows"
                     " %d)",
                     r->path, (long long)format, (int)SPT__STORE_FORMAT);
}

static int32_t check_json(reader *r, size_t size)
{
    json_error_t error;
    json_t *all = json_loadb(r->text, size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (all != NULL) {
        json_decref(all);
        return SPT_OK;
    }
    return spt__fail(&r->ctx->err, SPT_EFORMAT, "%s: line %d, column %d: %s", r->path, error.line,
                     error.column, error.text);
}

int32_t spt_store_import_json(spt_store *s, const char *path, const char *study)
{
    char *text;
    size_t size;
    SPT__REQUIRE(s != NULL && path != NULL);
    SPT__TRY(spt__file_read(s->ctx, path, &text, &size, &s->ctx->err));
    reader r = {.ctx = s->ctx, .path = path, .text = text};
    spt__image_init(&r.image, s->ctx);
    int32_t status = check_json(&r, size);
    if (status >= 0) status = read_study(&r);
    if (status >= 0) status = check_format(&r);
    if (status >= 0 && study != NULL) status = spt__image_rename(&r.image, study);
    if (status >= 0) status = spt__image_write(s, &r.image);
    spt__image_free(&r.image);
    spt__free(s->ctx, text);
    return status;
}
