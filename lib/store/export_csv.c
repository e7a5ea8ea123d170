/* A study as a table: one row per trial. Names of columns, and the words of states, are those of
 * Optuna's trials_dataframe(), so that both stand in one data frame; its Timedelta "duration" is
 * "seconds" here, a number. */
#include "image.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* A column of many: a parameter, a step or an attribute. */
typedef struct {
    const char *key; /* of the image; NULL: by number */
    int64_t number;
    const char *distribution; /* whose choices these are */
    json_t *choices;
} column;

/* The columns of one list, in order of the first trial that has them; by number where they have no
 * key. */
typedef struct {
    spt__image_list list;
    column *items;
    int64_t n, capacity;
    int64_t guess; /* trials have their items mostly in the same order */
} columns;

static bool is_column(const column *c, const spt__item *item)
{
    return item->key != NULL ? strcmp(c->key, item->key) == 0 : c->number == item->number;
}

static column *find_column(columns *all, const spt__item *item)
{
    for (int64_t k = 0; k < all->n; k++) {
        column *c = &all->items[(all->guess + k) % all->n];
        if (!is_column(c, item)) continue;
        all->guess = (all->guess + k + 1) % all->n;
        return c;
    }
    return NULL;
}

static int by_number(const void *a, const void *b)
{
    const int64_t x = ((const column *)a)->number, y = ((const column *)b)->number;
    return (x > y) - (x < y);
}

static int32_t collect(const spt__image *image, columns *all)
{
    for (int64_t i = 0; i < image->lists[all->list].n; i++) {
        const spt__item *item = &image->lists[all->list].items[i];
        if (item->trial < 0 || find_column(all, item) != NULL) continue;
        if (all->n == all->capacity) {
            const int64_t capacity = all->capacity > 0 ? 2 * all->capacity : 32;
            column *grown = spt__realloc(image->ctx, all->items, (size_t)capacity, sizeof *grown);
            if (grown == NULL) return spt__nomem(&image->ctx->err);
            all->items = grown;
            all->capacity = capacity;
        }
        all->items[all->n++] = (column){.key = item->key, .number = item->number};
    }
    if (all->list == SPT__IMAGE_STEPS || all->list == SPT__IMAGE_VALUES)
        if (all->n > 0) qsort(all->items, (size_t)all->n, sizeof *all->items, by_number);
    all->guess = 0;
    return SPT_OK;
}

static void clear(spt_ctx *ctx, columns *all)
{
    for (int64_t k = 0; k < all->n; k++)
        json_decref(all->items[k].choices);
    spt__free(ctx, all->items);
}

/* ---- cells ---- */

/* RFC 4180: quoted where it must be, quotes doubled. Blanks at the ends, which some readers drop,
 * are reason enough. */
static void put_cell(spt__buf *b, const char *text)
{
    const size_t length = strlen(text);
    if (length > 0 && strpbrk(text, ",;\"\n\r\t") == NULL && text[0] != ' ' &&
        text[length - 1] != ' ') {
        spt__buf_put(b, text, length);
        return;
    }
    spt__buf_puts(b, "\"");
    for (const char *quote; (quote = strchr(text, '"')) != NULL; text = quote + 1) {
        spt__buf_put(b, text, (size_t)(quote + 1 - text));
        spt__buf_puts(b, "\"");
    }
    spt__buf_puts(b, text);
    spt__buf_puts(b, "\"");
}

static void put_name(spt__buf *b, const char *prefix, const column *c)
{
    spt__buf name;
    spt__buf_init(&name, b->ctx);
    if (c->key != NULL)
        spt__buf_printf(&name, "%s%s", prefix, c->key);
    else
        spt__buf_printf(&name, "%s%lld", prefix, (long long)c->number);
    spt__buf_puts(b, ",");
    if (name.failed)
        b->failed = true;
    else
        put_cell(b, name.data);
    spt__buf_free(&name);
}

static int32_t put_parameter(spt__buf *b, column *c, const spt__item *item)
{
    if (c->distribution == NULL || strcmp(c->distribution, item->text) != 0) {
        json_t *all = json_loads(item->text, 0, NULL);
        json_decref(c->choices);
        c->choices = json_incref(json_object_get(json_object_get(all, "attributes"), "choices"));
        c->distribution = item->text;
        json_decref(all);
    }
    const json_t *choice =
        item->value >= 0 ? json_array_get(c->choices, (size_t)item->value) : NULL;
    if (choice == NULL) {
        spt__buf_double(b, item->value);
        return SPT_OK;
    }
    char *text = spt__json_choice(b->ctx, choice);
    if (text == NULL) return spt__nomem(&b->ctx->err);
    put_cell(b, text);
    spt__free(b->ctx, text);
    return SPT_OK;
}

static int32_t put_item(spt__buf *b, spt__image_list list, column *c, const spt__item *item)
{
    if (list == SPT__IMAGE_PARAMETERS) return put_parameter(b, c, item);
    if (list != SPT__IMAGE_USER) {
        spt__buf_double(b, item->value);
        return SPT_OK;
    }
    char *text = spt__json_plain(b->ctx, item->text);
    if (text == NULL) return spt__nomem(&b->ctx->err);
    put_cell(b, text);
    spt__free(b->ctx, text);
    return SPT_OK;
}

/* The cells of a trial in the columns of one list, each with its comma before it. */
static int32_t put_cells(spt__buf *b, const spt__image *image, columns *all, int64_t trial)
{
    int64_t n;
    const spt__item *items = spt__image_items(image, all->list, trial, &n);
    int64_t guess = 0;
    for (int64_t k = 0; k < all->n; k++) {
        spt__buf_puts(b, ",");
        for (int64_t i = 0; i < n; i++) {
            const spt__item *item = &items[(guess + i) % n];
            if (!is_column(&all->items[k], item)) continue;
            SPT__TRY(put_item(b, all->list, &all->items[k], item));
            guess = (guess + i + 1) % n;
            break;
        }
    }
    return SPT_OK;
}

/* ---- the table ---- */

static void put_times(spt__buf *b, const spt__image_trial *t)
{
    int64_t from, to;
    spt__buf_printf(b, ",%s,%s,", t->started != NULL ? t->started : "",
                    t->ended != NULL ? t->ended : "");
    if (t->started != NULL && t->ended != NULL && spt__time_of(t->started, &from) &&
        spt__time_of(t->ended, &to))
        spt__buf_double(b, (double)(to - from) / 1e6);
}

static int32_t put_table(spt__buf *b, const spt__image *image, columns lists[4])
{
    static const char *const prefixes[] = {"values_", "params_", "intermediate_values_",
                                           "user_attrs_"};
    const bool one = lists[0].n <= 1;
    spt__buf_puts(b, "number,state");
    if (one) spt__buf_puts(b, ",value");
    for (int64_t k = 0; k < lists[0].n && !one; k++)
        put_name(b, prefixes[0], &lists[0].items[k]);
    spt__buf_puts(b, ",datetime_start,datetime_complete,seconds");
    for (int i = 1; i < 4; i++)
        for (int64_t k = 0; k < lists[i].n; k++)
            put_name(b, prefixes[i], &lists[i].items[k]);
    spt__buf_puts(b, "\n");
    for (int64_t i = 0; i < image->n; i++) {
        const spt__image_trial *t = &image->trials[i];
        spt__buf_printf(b, "%lld,%s", (long long)t->number, spt__state_word(t->state));
        if (lists[0].n == 0) spt__buf_puts(b, ",");
        SPT__TRY(put_cells(b, image, &lists[0], i));
        put_times(b, t);
        for (int k = 1; k < 4; k++)
            SPT__TRY(put_cells(b, image, &lists[k], i));
        spt__buf_puts(b, "\n");
    }
    return SPT_OK;
}

int32_t spt__export_csv(const spt__image *image, spt__buf *b)
{
    columns lists[] = {{.list = SPT__IMAGE_VALUES},
                       {.list = SPT__IMAGE_PARAMETERS},
                       {.list = SPT__IMAGE_STEPS},
                       {.list = SPT__IMAGE_USER}};
    int32_t status = SPT_OK;
    for (int i = 0; i < 4 && status >= 0; i++)
        status = collect(image, &lists[i]);
    if (status >= 0) status = put_table(b, image, lists);
    for (int i = 0; i < 4; i++)
        clear(image->ctx, &lists[i]);
    return status;
}
