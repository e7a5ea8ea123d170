/* The counted pieces below a dataset: spectra, pools of text, columns. */
#include "dataset.h"

#include "../base/text.h"

#include <math.h>
#include <string.h>

static void hold(_Atomic int64_t *refs)
{
    atomic_fetch_add_explicit(refs, 1, memory_order_relaxed);
}

/* True for the one that lets go last; everything others did to the piece happened before. */
static bool let_go(_Atomic int64_t *refs)
{
    return atomic_fetch_sub_explicit(refs, 1, memory_order_acq_rel) == 1;
}

/* ---- spectra ------------------------------------------------------------------------------- */

/* Owned storage; takes `data`, also when it fails. */
static spt__spectra *own(spt_ctx *ctx, int32_t dtype, void *data, int64_t n, int64_t p)
{
    spt__spectra *s = data == NULL ? NULL : spt__calloc(ctx, 1, sizeof *s);
    if (s == NULL) {
        spt__free(ctx, data);
        return NULL;
    }
    atomic_init(&s->refs, 1);
    s->ctx = spt__ctx_ref(ctx);
    s->dtype = dtype;
    s->checked = true;
    s->data = s->own = data;
    s->rows = n;
    s->cols = p;
    s->row_stride = p;
    s->col_stride = 1;
    return s;
}

spt__spectra *spt__spectra_new(spt_ctx *ctx, int32_t dtype, int64_t n, int64_t p)
{
    size_t size = dtype == SPT_FLOAT32 ? sizeof(float) : sizeof(double);
    if (n < 1 || p < 1 || (uint64_t)n > SIZE_MAX / (uint64_t)p) return NULL;
    return own(ctx, dtype, spt__calloc(ctx, (size_t)n * (size_t)p, size), n, p);
}

spt__spectra *spt__spectra_take(spt_ctx *ctx, double *data, int64_t n, int64_t p)
{
    return own(ctx, SPT_FLOAT64, data, n, p);
}

spt__spectra *spt__spectra_ref(spt__spectra *s)
{
    hold(&s->refs);
    return s;
}

void spt__spectra_unref(spt__spectra *s)
{
    if (s == NULL || !let_go(&s->refs)) return;
    spt_ctx *ctx = s->ctx;
    if (s->destroy != NULL) s->destroy(s->user);
    spt__free(ctx, s->own);
    spt__free(ctx, s);
    spt__ctx_unref(ctx);
}

/* ---- pools --------------------------------------------------------------------------------- */

spt__pool *spt__pool_take(spt_ctx *ctx, char *data)
{
    spt__pool *pool = data == NULL ? NULL : spt__calloc(ctx, 1, sizeof *pool);
    if (pool == NULL) {
        spt__free(ctx, data);
        return NULL;
    }
    atomic_init(&pool->refs, 1);
    pool->ctx = spt__ctx_ref(ctx);
    pool->data = data;
    return pool;
}

spt__pool *spt__pool_ref(spt__pool *pool)
{
    if (pool != NULL) hold(&pool->refs);
    return pool;
}

void spt__pool_unref(spt__pool *pool)
{
    if (pool == NULL || !let_go(&pool->refs)) return;
    spt_ctx *ctx = pool->ctx;
    spt__free(ctx, pool->data);
    spt__free(ctx, pool);
    spt__ctx_unref(ctx);
}

/* ---- columns ------------------------------------------------------------------------------- */

spt__column *spt__column_new(spt_ctx *ctx, const char *name, int32_t kind, int64_t n,
                             spt__pool *pool)
{
    spt__column *c = spt__calloc(ctx, 1, sizeof *c);
    if (c == NULL) return NULL;
    atomic_init(&c->refs, 1);
    c->ctx = spt__ctx_ref(ctx);
    c->kind = kind;
    c->n = n;
    c->pool = spt__pool_ref(pool);
    c->name = spt__strdup(ctx, name);
    c->texts = spt__calloc(ctx, (size_t)n, sizeof *c->texts);
    bool failed = c->name == NULL || c->texts == NULL;
    if (kind == SPT_COLUMN_NUMBER) {
        c->numbers = spt__alloc(ctx, (size_t)n, sizeof *c->numbers);
        failed = failed || c->numbers == NULL;
    }
    if (failed) {
        spt__column_unref(c);
        return NULL;
    }
    for (int64_t i = 0; c->numbers != NULL && i < n; i++)
        c->numbers[i] = NAN;
    return c;
}

/* Collects texts that become one column's pool. */
typedef struct texts {
    spt__buf bytes;
    int64_t *at; /* offset of each text, -1 for a missing one */
} texts;

static bool texts_init(texts *t, spt_ctx *ctx, int64_t n)
{
    spt__buf_init(&t->bytes, ctx);
    t->at = spt__alloc(ctx, (size_t)n, sizeof *t->at);
    return t->at != NULL;
}

static void texts_put(texts *t, int64_t i, const char *text)
{
    t->at[i] = text == NULL ? -1 : (int64_t)t->bytes.size;
    if (text != NULL) spt__buf_put(&t->bytes, text, strlen(text) + 1);
}

/* The finished column; numbers are the caller's to fill in. Releases t. */
static spt__column *texts_column(texts *t, spt_ctx *ctx, const char *name, int32_t kind, int64_t n)
{
    spt__column *c = NULL;
    spt__pool *pool = NULL;
    if (t->at == NULL) goto done;
    spt__buf_put(&t->bytes, "", 1); /* so that there are bytes even when all texts are missing */
    pool = spt__pool_take(ctx, spt__buf_take(&t->bytes));
    if (pool == NULL) goto done;
    c = spt__column_new(ctx, name, kind, n, pool);
    for (int64_t i = 0; c != NULL && i < n; i++)
        c->texts[i] = t->at[i] < 0 ? NULL : pool->data + t->at[i];
done:
    spt__pool_unref(pool);
    spt__free(ctx, t->at);
    spt__buf_free(&t->bytes);
    return c;
}

spt__column *spt__column_of_numbers(spt_ctx *ctx, const char *name, const double *values, int64_t n)
{
    texts t;
    char text[SPT__DOUBLE_CAPACITY];
    if (texts_init(&t, ctx, n)) {
        for (int64_t i = 0; i < n; i++) {
            if (!isnan(values[i])) (void)spt__format_double(values[i], text);
            texts_put(&t, i, isnan(values[i]) ? NULL : text);
        }
    }
    spt__column *c = texts_column(&t, ctx, name, SPT_COLUMN_NUMBER, n);
    if (c != NULL) memcpy(c->numbers, values, (size_t)n * sizeof *values);
    return c;
}

spt__column *spt__column_of_texts(spt_ctx *ctx, const char *name, const char *const *values,
                                  int64_t n)
{
    texts t;
    if (texts_init(&t, ctx, n)) {
        for (int64_t i = 0; i < n; i++)
            texts_put(&t, i, values[i]);
    }
    return texts_column(&t, ctx, name, SPT_COLUMN_TEXT, n);
}

/* One more, in decimal digits: formatting every number takes most of the time that a borrowed
 * matrix needs to become a dataset. */
static void count_up(char *digits, size_t *length)
{
    size_t at = *length;
    while (at > 0 && digits[at - 1] == '9')
        digits[--at] = '0';
    if (at > 0) {
        digits[at - 1]++;
        return;
    }
    memmove(digits + 1, digits, ++*length);
    digits[0] = '1';
}

spt__column *spt__column_of_row_numbers(spt_ctx *ctx, int64_t n)
{
    texts t;
    char text[SPT__DOUBLE_CAPACITY] = "0";
    size_t length = 1;
    if (texts_init(&t, ctx, n)) {
        for (int64_t i = 0; i < n; i++) {
            count_up(text, &length);
            texts_put(&t, i, text);
        }
    }
    return texts_column(&t, ctx, "row", SPT_COLUMN_TEXT, n);
}

spt__column *spt__column_take(spt_ctx *ctx, const spt__column *column, const int64_t *rows,
                              int64_t n)
{
    spt__column *c = spt__column_new(ctx, column->name, column->kind, n, column->pool);
    if (c == NULL) return NULL;
    for (int64_t i = 0; i < n; i++) {
        c->texts[i] = column->texts[rows[i]];
        if (c->numbers != NULL) c->numbers[i] = column->numbers[rows[i]];
    }
    return c;
}

spt__column *spt__column_ref(spt__column *column)
{
    hold(&column->refs);
    return column;
}

void spt__column_unref(spt__column *column)
{
    if (column == NULL || !let_go(&column->refs)) return;
    spt_ctx *ctx = column->ctx;
    spt__pool_unref(column->pool);
    spt__free(ctx, column->name);
    spt__free(ctx, column->numbers);
    spt__free(ctx, column->texts);
    spt__free(ctx, column);
    spt__ctx_unref(ctx);
}
