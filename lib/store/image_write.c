/* A whole study, into the tables: many rows at a time, as each statement is a journey to a server.
 */
#include "image.h"

#include "../base/threads.h"

#include <string.h>

enum {
    ROWS = 200,           /* of one statement; SQLite takes 32766 arguments, PostgreSQL 65535 */
    COLUMNS = 4,          /* at most */
    BLOCK_BYTES = 1 << 22 /* no more rows once they hold so much */
};

/* Where the items of a list go, and what of an item stands in which column: 'o' the id of the study
 * or trial that it belongs to (-1 in the table of blocks: the study's own), 's' the study's, 'n'
 * number, 'k' key, 't' text, 'v' value, 'w' the word for a value that is no number, 'd' data. */
typedef struct {
    spt__image_list list;
    bool trials; /* those of trials, or of the study */
    const char *head, *columns;
} target;

static const target targets[] = {
    {SPT__IMAGE_DIRECTIONS, false,
     "INSERT INTO study_directions (study_id, objective, direction) VALUES ", "ont"},
    {SPT__IMAGE_USER, false,
     "INSERT INTO study_user_attributes (study_id, key, value_json) VALUES ", "okt"},
    {SPT__IMAGE_SYSTEM, false,
     "INSERT INTO study_system_attributes (study_id, key, value_json) VALUES ", "okt"},
    {SPT__IMAGE_BLOCKS, false,
     "INSERT INTO spectune_blocks (study_id, trial_id, key, data) VALUES ", "sokd"},
    {SPT__IMAGE_PARAMETERS, true,
     "INSERT INTO trial_params (trial_id, param_name, param_value, distribution_json) VALUES ",
     "okvt"},
    {SPT__IMAGE_VALUES, true,
     "INSERT INTO trial_values (trial_id, objective, value, value_type) VALUES ", "onvw"},
    {SPT__IMAGE_STEPS, true,
     "INSERT INTO trial_intermediate_values (trial_id, step, intermediate_value,"
     " intermediate_value_type) VALUES ",
     "onvw"},
    {SPT__IMAGE_USER, true, "INSERT INTO trial_user_attributes (trial_id, key, value_json) VALUES ",
     "okt"},
    {SPT__IMAGE_SYSTEM, true,
     "INSERT INTO trial_system_attributes (trial_id, key, value_json) VALUES ", "okt"},
    {SPT__IMAGE_BLOCKS, true, "INSERT INTO spectune_blocks (study_id, trial_id, key, data) VALUES ",
     "sokd"}};

/* Rows that wait for their statement. */
typedef struct {
    spt_store *store;
    const target *to;
    spt__value values[ROWS * COLUMNS];
    int32_t n_values, n_rows;
    int64_t bytes;
} batch;

static spt__value whole(int64_t i)
{
    return (spt__value){.kind = 'i', .i = i};
}

static spt__value text(const char *p)
{
    return (spt__value){.kind = 't', .p = p};
}

static const char *value_word(const spt__item *item, bool step)
{
    if (isinf(item->value)) return item->value > 0 ? "INF_POS" : "INF_NEG";
    return step && isnan(item->value) ? "NAN" : "FINITE";
}

static spt__value column(const target *to, char what, const spt__item *item, int64_t study,
                         int64_t owner)
{
    switch (what) {
    case 'o':
        return whole(owner);
    case 's':
        return whole(study);
    case 'n':
        return whole(item->number);
    case 'k':
        return text(item->key);
    case 't':
        return text(item->text);
    case 'v':
        return (spt__value){.kind = 'd', .d = isfinite(item->value) ? item->value : NAN};
    case 'w':
        return text(value_word(item, to->list == SPT__IMAGE_STEPS));
    default:
        return (spt__value){.kind = 'b', .p = item->data, .i = item->size};
    }
}

/* "head (?, ?), (?, ?)" */
static void put_statement(spt__buf *b, const char *head, int32_t rows, int32_t columns)
{
    spt__buf_puts(b, head);
    for (int32_t i = 0; i < rows; i++) {
        spt__buf_puts(b, i > 0 ? ", (?" : "(?");
        for (int32_t k = 1; k < columns; k++)
            spt__buf_puts(b, ", ?");
        spt__buf_puts(b, ")");
    }
}

static int32_t flush(batch *b)
{
    spt__buf sql;
    if (b->n_rows == 0) return SPT_OK;
    spt__buf_init(&sql, b->store->ctx);
    put_statement(&sql, b->to->head, b->n_rows, (int32_t)strlen(b->to->columns));
    const int32_t status = sql.failed
                               ? spt__nomem(&b->store->ctx->err)
                               : spt__db_run_text(b->store, sql.data, b->values, b->n_values);
    spt__buf_free(&sql);
    b->n_rows = b->n_values = 0;
    b->bytes = 0;
    return status;
}

/* Has a running trial lost the reason that it may have had? */
static bool is_replaced(const spt__image *image, const spt__item *item)
{
    return item->trial >= 0 && image->trials[item->trial].state == SPT_TRIAL_RUNNING &&
           strcmp(item->key, "reason") == 0;
}

static int32_t write_list(batch *b, const spt__image *image, int64_t study, const int64_t *ids)
{
    for (int64_t i = 0; i < image->lists[b->to->list].n; i++) {
        const spt__item *item = &image->lists[b->to->list].items[i];
        if ((item->trial >= 0) != b->to->trials) continue;
        if (b->to->list == SPT__IMAGE_USER && is_replaced(image, item)) continue;
        const int64_t owner = item->trial >= 0                   ? ids[item->trial]
                              : b->to->list == SPT__IMAGE_BLOCKS ? -1
                                                                 : study;
        for (const char *c = b->to->columns; *c != '\0'; c++)
            b->values[b->n_values++] = column(b->to, *c, item, study, owner);
        b->bytes += item->size;
        if (++b->n_rows == ROWS || b->bytes > BLOCK_BYTES) SPT__TRY(flush(b));
    }
    return flush(b);
}

/* Nobody works on them here. */
static int32_t write_abandoned(batch *b, const spt__image *image, const int64_t *ids)
{
    static const target reasons = {
        SPT__IMAGE_USER, true,
        "INSERT INTO trial_user_attributes (trial_id, key, value_json) VALUES ", "okt"};
    b->to = &reasons;
    for (int64_t i = 0; i < image->n; i++) {
        if (image->trials[i].state != SPT_TRIAL_RUNNING) continue;
        b->values[b->n_values++] = whole(ids[i]);
        b->values[b->n_values++] = text("reason");
        b->values[b->n_values++] = text("\"abandoned\"");
        if (++b->n_rows == ROWS) SPT__TRY(flush(b));
    }
    return flush(b);
}

/* Ids of `n` trials from `first` on, in one statement. */
static int32_t write_some_trials(spt_store *s, const spt__image *image, int64_t study,
                                 const char *now, int64_t first, int32_t n, int64_t *ids)
{
    enum { TRIAL_COLUMNS = 5 };
    spt__value values[ROWS * TRIAL_COLUMNS];
    spt__buf sql;
    spt__cursor q;
    int32_t k = 0;
    for (int64_t i = first; i < first + n; i++) {
        const spt__image_trial *t = &image->trials[i];
        const bool running = t->state == SPT_TRIAL_RUNNING;
        values[k++] = whole(t->number);
        values[k++] = whole(study);
        values[k++] = text(spt__state_word(running ? SPT_TRIAL_FAILED : t->state));
        values[k++] = text(t->started);
        values[k++] = text(running ? now : t->ended);
    }
    spt__buf_init(&sql, s->ctx);
    put_statement(&sql,
                  "INSERT INTO trials (number, study_id, state, datetime_start, datetime_complete)"
                  " VALUES ",
                  n, TRIAL_COLUMNS);
    spt__buf_puts(&sql, " RETURNING trial_id, number");
    int32_t status =
        sql.failed ? spt__nomem(&s->ctx->err) : spt__db_query_text(s, &q, sql.data, values, k);
    /* The ids come in no promised order. */
    while (status >= 0 && (status = spt__db_row(&q)) > 0)
        for (int64_t i = first; i < first + n; i++)
            if (image->trials[i].number == spt__col_int(&q, 1)) ids[i] = spt__col_int(&q, 0);
    spt__buf_free(&sql);
    return status;
}

static int32_t write_trials(spt_store *s, const spt__image *image, int64_t study, int64_t *ids)
{
    char now[32];
    spt__utc(now);
    for (int64_t first = 0; first < image->n; first += ROWS) {
        const int64_t n = image->n - first < ROWS ? image->n - first : ROWS;
        SPT__TRY(write_some_trials(s, image, study, now, first, (int32_t)n, ids));
    }
    return SPT_OK;
}

static int32_t write_study(spt_store *s, const spt__image *image, int64_t *ids)
{
    int64_t study;
    batch b = {.store = s};
    int32_t status = spt__db_int(s, &study,
                                 "INSERT INTO studies (study_name) VALUES (?)"
                                 " ON CONFLICT DO NOTHING RETURNING study_id",
                                 "t", image->name);
    if (status == SPT_ENOTFOUND)
        return spt__fail(&s->ctx->err, SPT_EBUSY,
                         "%s: has a study '%s' already; another name is wanted", s->path,
                         image->name);
    if (status >= 0) status = write_trials(s, image, study, ids);
    for (size_t i = 0; i < sizeof targets / sizeof targets[0] && status >= 0; i++) {
        b.to = &targets[i];
        status = write_list(&b, image, study, ids);
    }
    return status >= 0 ? write_abandoned(&b, image, ids) : status;
}

static int32_t write_body(spt_store *s, void *arg)
{
    const spt__image *image = arg;
    int64_t ours = 0;
    /* Tables that Optuna made have no place for blocks. */
    if (s->tables) SPT__TRY(spt__db_int(s, &ours, s->driver->count_table, "t", SPT__BLOCKS_TABLE));
    if (ours == 0) SPT__TRY(spt__schema_make(s));
    int64_t *ids = spt__calloc(s->ctx, (size_t)image->n, sizeof *ids);
    if (ids == NULL) return spt__nomem(&s->ctx->err);
    const int32_t status = write_study(s, image, ids);
    spt__free(s->ctx, ids);
    return status;
}

int32_t spt__image_write(spt_store *s, spt__image *image)
{
    enum { NAME_LENGTH = 512 };
    if (*image->name == '\0' || strlen(image->name) > NAME_LENGTH)
        return spt__fail(&s->ctx->err, SPT_EINVAL, "a study's name has 1 to %d bytes, not %zu",
                         (int)NAME_LENGTH, strlen(image->name));
    if (s->mode != SPT_STORE_READONLY && s->db == NULL) SPT__TRY(s->driver->open(s, true));
    const int32_t status = spt__db_transact(s, true, write_body, image);
    if (status >= 0) s->tables = true;
    return status;
}
