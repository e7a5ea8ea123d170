/* Preparing a cross-validation: which rows take part, their folds, their channels. */
#include "cv.h"

#include "../data/dataset.h"
#include "../prep/recipe.h"

#include <math.h>
#include <string.h>

const spt__knob spt__objective_knobs[] = {
    SPT__INTEGER("folds", 2, 1e6, 5, "parts that are scored in turn"),
    {"group", SPT_OPTION_TEXT, 0, 0, 0, NULL, "", "column whose equal values stay in one fold"},
    {"test", SPT_OPTION_TEXT, 0, 0, 0, NULL, "", "COLUMN=VALUE: rows that are never used"},
    SPT__CHOICE("watch", "inner|scored", "inner",
                "rows that early stopping watches: a share of the training rows, or the fold that "
                "scores, which flatters the error"),
    SPT__FIT_KNOBS,
    SPT__TRAINING_KNOBS,
    {NULL, SPT_OPTION_NUMBER, 0, 0, 0, NULL, NULL, NULL}};

int32_t spt_cv_options_new(spt_ctx *ctx, spt_options **out)
{
    SPT__REQUIRE(out != NULL);
    *out = NULL;
    SPT__REQUIRE(ctx != NULL);
    return spt__options_new(ctx, "objective", spt__objective_knobs, out);
}

const char *spt__cv_watch(const spt_cv *cv)
{
    return spt__option_text(cv->options, spt__objective_knobs, "watch");
}

/* ---- rows ---- */

static int32_t drop_note(spt_cv *cv, int64_t count, const char *reason, const char *a,
                         const char *b)
{
    spt__buf text;
    if (count == 0) return SPT_OK;
    spt__buf_init(&text, cv->ctx);
    spt__buf_printf(&text, "%lld %s: ", (long long)count, count == 1 ? "row" : "rows");
    spt__buf_puts(&text, reason);
    if (a != NULL) spt__buf_printf(&text, "%s", a);
    if (b != NULL) spt__buf_printf(&text, " = %s", b);
    char **grown = spt__realloc(cv->ctx, cv->dropped, (size_t)cv->n_dropped + 1, sizeof *grown);
    char *line = spt__buf_take(&text);
    if (grown != NULL) cv->dropped = grown;
    if (grown == NULL || line == NULL) {
        spt__free(cv->ctx, line);
        return spt__nomem(&cv->ctx->err);
    }
    cv->dropped[cv->n_dropped++] = line;
    return SPT_OK;
}

/* Take out the test rows: "COLUMN=VALUE". */
static int32_t drop_test(spt_cv *cv, bool *use)
{
    spt__err *e = &cv->ctx->err;
    const char *rule = spt__option_text(cv->options, spt__objective_knobs, "test");
    const char *sign = strchr(rule, '=');
    if (*rule == '\0') return SPT_OK;
    if (sign == NULL || sign == rule)
        return spt__fail(e, SPT_EINVAL,
                         "test is '%.80s'; a column and a value are wanted, COLUMN=VALUE", rule);
    const int64_t n = spt_dataset_rows(cv->applied);
    char *column = spt__strndup(cv->ctx, rule, (size_t)(sign - rule));
    bool *same = spt__alloc(cv->ctx, (size_t)n, sizeof *same);
    int32_t status = column != NULL && same != NULL ? SPT_OK : spt__nomem(e);
    if (status >= 0) {
        status = spt__dataset_match(cv->applied, column, sign + 1, same, e);
        if (status < 0) spt__fail_prefix(e, "test: ");
    }
    int64_t count = 0;
    for (int64_t i = 0; i < n && status >= 0; i++)
        if (same[i]) {
            count += use[i];
            use[i] = false;
        }
    if (status >= 0 && count == 0)
        status = spt__fail(e, SPT_EDATA, "test: no row has %s = %s", column, sign + 1);
    if (status >= 0) status = drop_note(cv, count, "test, ", column, sign + 1);
    spt__free(cv->ctx, column);
    spt__free(cv->ctx, same);
    return status;
}

static int32_t target_column(spt_cv *cv, int64_t *column)
{
    spt__err *e = &cv->ctx->err;
    spt_column_info info;
    spt_record_init(&info, sizeof info);
    const int32_t found = spt__dataset_column_named(cv->applied, cv->target, column, e);
    if (found < 0) return spt__fail_prefix(e, "target: ");
    SPT__TRY(spt_dataset_column(cv->applied, *column, &info));
    if (info.n_missing == spt_dataset_rows(cv->applied))
        return spt__fail(e, SPT_EDATA, "target '%.60s' is missing in all %lld samples", cv->target,
                         (long long)info.n_missing);
    return spt__fit_target_column(cv->applied, cv->target, column, e);
}

static int32_t drop_rows(spt_cv *cv, const int32_t *given, bool *use, double *y)
{
    const int64_t n = spt_dataset_rows(cv->applied);
    int64_t column = 0, count = 0;
    for (int64_t i = 0; i < n; i++) {
        use[i] = given == NULL || given[i] >= 0;
        count += !use[i];
    }
    SPT__TRY(drop_note(cv, count, "of no fold", NULL, NULL));
    SPT__TRY(drop_test(cv, use));
    SPT__TRY(target_column(cv, &column));
    SPT__TRY(spt_dataset_numbers(cv->applied, column, y, n));
    count = 0;
    for (int64_t i = 0; i < n; i++)
        if (use[i] && isnan(y[i])) {
            use[i] = false;
            count++;
        }
    return drop_note(cv, count, "no value of ", cv->target, NULL);
}

static int32_t choose_rows(spt_cv *cv, const int32_t *given)
{
    spt__err *e = &cv->ctx->err;
    const int64_t n = spt_dataset_rows(cv->applied);
    bool *use = spt__alloc(cv->ctx, (size_t)n, sizeof *use);
    cv->rows = spt__alloc(cv->ctx, (size_t)n, sizeof *cv->rows);
    cv->fold = spt__alloc(cv->ctx, (size_t)n, sizeof *cv->fold);
    cv->y = spt__alloc(cv->ctx, (size_t)n, sizeof *cv->y);
    int32_t status = use != NULL && cv->rows != NULL && cv->fold != NULL && cv->y != NULL
                         ? drop_rows(cv, given, use, cv->y)
                         : spt__nomem(e);
    for (int64_t i = 0; i < n && status >= 0; i++) {
        if (!use[i]) continue;
        cv->y[cv->n] = cv->y[i];
        cv->fold[cv->n] = given != NULL ? given[i] : 0;
        cv->rows[cv->n++] = i;
    }
    spt__free(cv->ctx, use);
    if (status < 0) return status;
    if (cv->n < 2)
        return spt__fail(
            e, SPT_EDATA,
            "%lld of %lld samples can be used with target '%.60s'; 2 or more are needed",
            (long long)cv->n, (long long)n, cv->target);
    return spt_dataset_take(cv->ctx, cv->applied, cv->rows, cv->n, &cv->used);
}

/* ---- folds ---- */

static int32_t check_given(spt_cv *cv)
{
    spt__err *e = &cv->ctx->err;
    int64_t *count = NULL;
    cv->k = 0;
    for (int64_t i = 0; i < cv->n; i++)
        if (cv->fold[i] >= cv->k) cv->k = cv->fold[i] + 1;
    if (cv->k < 2 || cv->k > cv->n)
        return spt__fail(
            e, SPT_EINVAL,
            "the given folds go from 0 to %d; 2 to the number of samples (%lld) of them are "
            "possible",
            (int)cv->k - 1, (long long)cv->n);
    count = spt__calloc(cv->ctx, (size_t)cv->k, sizeof *count);
    if (count == NULL) return spt__nomem(e);
    for (int64_t i = 0; i < cv->n; i++)
        count[cv->fold[i]]++;
    int32_t status = SPT_OK;
    for (int32_t f = 0; f < cv->k && status >= 0; f++)
        if (count[f] == 0)
            status = spt__fail(e, SPT_EINVAL,
                               "fold %d of the given folds (0 to %d) has no usable sample", (int)f,
                               (int)cv->k - 1);
    spt__free(cv->ctx, count);
    return status;
}

static int32_t make_folds(spt_cv *cv, bool given)
{
    spt__err *e = &cv->ctx->err;
    const char *group = spt__option_text(cv->options, spt__objective_knobs, "group");
    int64_t column = 0, n_groups = 0;
    if (*group != '\0') {
        cv->group = spt__alloc(cv->ctx, (size_t)cv->n, sizeof *cv->group);
        if (cv->group == NULL) return spt__nomem(e);
        const int32_t found = spt__dataset_column_named(cv->used, group, &column, e);
        if (found < 0) return spt__fail_prefix(e, "group: ");
        SPT__TRY(spt__dataset_groups(cv->used, column, cv->group, &n_groups, e));
    }
    if (given) return check_given(cv);
    cv->k = (int32_t)spt__option_int(cv->options, spt__objective_knobs, "folds");
    return spt_dataset_folds(cv->ctx, cv->used, *group != '\0' ? group : NULL, cv->k,
                             (uint64_t)spt__option_int(cv->options, spt__objective_knobs, "seed"),
                             cv->fold, cv->n);
}

/* Folds whose targets spread least come first. Errors, and so what tells two configurations apart,
 * are erratic where a few extreme samples decide: seen first they would say little, or the wrong
 * thing, of the mean over all folds. */
static int32_t order_folds(spt_cv *cv)
{
    const size_t k = (size_t)cv->k;
    double *sum = spt__calloc(cv->ctx, k, sizeof *sum),
           *squares = spt__calloc(cv->ctx, k, sizeof *sum);
    int64_t *n = spt__calloc(cv->ctx, k, sizeof *n);
    cv->order = spt__calloc(cv->ctx, k, sizeof *cv->order);
    const bool failed = sum == NULL || squares == NULL || n == NULL || cv->order == NULL;
    for (int64_t i = 0; i < cv->n && !failed; i++) {
        sum[cv->fold[i]] += cv->y[i];
        n[cv->fold[i]]++;
    }
    for (int64_t i = 0; i < cv->n && !failed; i++) {
        const int32_t f = cv->fold[i];
        const double d = cv->y[i] - sum[f] / (double)n[f];
        squares[f] += d * d / (double)n[f];
    }
    for (int32_t f = 0; f < cv->k && !failed; f++) {
        int32_t at = f;
        for (; at > 0 && squares[cv->order[at - 1]] > squares[f]; at--)
            cv->order[at] = cv->order[at - 1];
        cv->order[at] = f;
    }
    spt__free(cv->ctx, sum);
    spt__free(cv->ctx, squares);
    spt__free(cv->ctx, n);
    return failed ? spt__nomem(&cv->ctx->err) : SPT_OK;
}

/* ---- channels ---- */

int32_t spt__cv_channels(spt_cv *cv, int32_t mask)
{
    const int32_t wanted = cv->x_mask | mask;
    spt__err *e = &cv->ctx->err;
    if (wanted == cv->x_mask) return SPT_OK;
    const int64_t bytes = spt__fit_channel_bytes(cv->n, cv->p, wanted);
    SPT__TRY(spt__check_memory(cv->ctx, bytes + spt__fit_channel_bytes(cv->n, cv->p, cv->x_mask),
                               "the channels of all samples need",
                               "fewer bands (crop, decimation) or channels would help", e));
    float *x = spt__alloc(cv->ctx, (size_t)bytes, 1);
    if (x == NULL) return spt__nomem(e);
    const int32_t status = spt_prep_channels(cv->ctx, cv->prep, cv->used, wanted, SPT_FLOAT32, x,
                                             cv->n * cv->p * spt__channel_count(wanted));
    if (status < 0) {
        spt__free(cv->ctx, x);
        return status;
    }
    spt__free(cv->ctx, cv->x);
    cv->x = x;
    cv->x_mask = wanted;
    return SPT_OK;
}

int32_t spt__cv_space_channels(const spt_space *space)
{
    static const int32_t bits[] = {SPT_CHANNEL_R, SPT_CHANNEL_A, SPT_CHANNEL_A_D1, SPT_CHANNEL_A_D2,
                                   SPT_CHANNEL_A_SNV};
    int32_t mask = 0;
    for (int i = 0; spt__channel_names[i] != NULL; i++)
        if (spt_space_find(space, spt__channel_names[i]) >= 0) mask |= bits[i];
    return mask != 0 ? mask : SPT_CHANNEL_A;
}

/* ---- the handle ---- */

static int32_t prepare(spt_cv *cv, const spt_prep *prep, const int32_t *given, int64_t n)
{
    spt_ctx *ctx = cv->ctx;
    if (prep != NULL)
        SPT__TRY(spt__prep_copy(prep, ctx, &cv->prep));
    else
        SPT__TRY(spt_prep_new(ctx, &cv->prep));
    SPT__TRY(spt_prep_apply(ctx, cv->prep, cv->dataset, &cv->applied));
    if (given != NULL && n != spt_dataset_rows(cv->applied))
        return spt__fail(&ctx->err, SPT_EINVAL,
                         "%lld folds are given for %lld samples; one per sample is wanted",
                         (long long)n, (long long)spt_dataset_rows(cv->applied));
    SPT__TRY(choose_rows(cv, given));
    cv->p = spt_dataset_bands(cv->used);
    SPT__TRY(make_folds(cv, given != NULL));
    SPT__TRY(order_folds(cv));
    SPT__TRY(spt__fit_weights(ctx, cv->used,
                              spt__option_text(cv->options, spt__objective_knobs, "weights"),
                              &cv->weights, &ctx->err));
    /* Absorbance is defined for all spectra that are any: what is wrong with them shows now. */
    return spt__cv_channels(cv, SPT_CHANNEL_A);
}

static int32_t new_cv(spt_ctx *ctx, const spt_dataset *dataset, const spt_prep *prep,
                      const char *target, const int32_t *given, int64_t n,
                      const spt_options *options, spt_cv **out)
{
    SPT__REQUIRE(out != NULL);
    *out = NULL;
    SPT__REQUIRE(ctx != NULL);
    spt__err *e = &ctx->err;
    if (dataset == NULL || target == NULL)
        return spt__fail(e, SPT_EINVAL, "dataset and target must not be NULL");
    if (!spt__options_are(options, spt__objective_knobs))
        return spt__fail(e, SPT_EINVAL,
                         "these are no options of an objective; make them with "
                         "spt_cv_options_new()");
    spt_cv *cv = spt__calloc(ctx, 1, sizeof *cv);
    if (cv == NULL) return spt__nomem(e);
    cv->ctx = spt__ctx_ref(ctx);
    cv->refs = 1;
    cv->dataset = spt__dataset_ref(dataset);
    cv->target = spt__strdup(ctx, target);
    int32_t status = cv->target != NULL ? SPT_OK : spt__nomem(e);
    if (status >= 0)
        status = options != NULL ? spt__options_copy(options, ctx, &cv->options)
                                 : spt_cv_options_new(ctx, &cv->options);
    if (status >= 0) status = prepare(cv, prep, given, n);
    if (status < 0) {
        spt_cv_free(cv);
        return status;
    }
    *out = cv;
    return SPT_OK;
}

int32_t spt_cv_new(spt_ctx *ctx, const spt_dataset *dataset, const spt_prep *prep,
                   const char *target, const spt_options *options, spt_cv **out)
{
    return new_cv(ctx, dataset, prep, target, NULL, 0, options, out);
}

int32_t spt_cv_new_folds(spt_ctx *ctx, const spt_dataset *dataset, const spt_prep *prep,
                         const char *target, const int32_t *fold, int64_t n,
                         const spt_options *options, spt_cv **out)
{
    if (fold == NULL) {
        if (out != NULL) *out = NULL;
        SPT__REQUIRE(ctx != NULL);
        return spt__fail(&ctx->err, SPT_EINVAL, "the folds are NULL");
    }
    return new_cv(ctx, dataset, prep, target, fold, n, options, out);
}

void spt_cv_free(spt_cv *cv)
{
    if (cv == NULL || --cv->refs > 0) return;
    spt_ctx *ctx = cv->ctx;
    spt_dataset_free(cv->dataset);
    spt_dataset_free(cv->applied);
    spt_dataset_free(cv->used);
    spt_prep_free(cv->prep);
    spt_options_free(cv->options);
    spt__free(ctx, cv->target);
    spt__free(ctx, cv->rows);
    spt__free(ctx, cv->fold);
    spt__free(ctx, cv->order);
    spt__free(ctx, cv->group);
    spt__free(ctx, cv->y);
    spt__free(ctx, cv->weights);
    spt__free(ctx, cv->x);
    for (int32_t i = 0; i < cv->n_dropped; i++)
        spt__free(ctx, cv->dropped[i]);
    spt__free(ctx, cv->dropped);
    spt__free(ctx, cv);
    spt__ctx_unref(ctx);
}

int32_t spt_cv_rows(const spt_cv *cv, int64_t *rows, int32_t *folds, int64_t capacity,
                    int64_t *needed)
{
    SPT__REQUIRE(cv != NULL && capacity >= 0);
    if (needed != NULL) *needed = cv->n;
    if (capacity < cv->n) return SPT_ECAPACITY;
    if (rows != NULL) memcpy(rows, cv->rows, (size_t)cv->n * sizeof *rows);
    if (folds != NULL) memcpy(folds, cv->fold, (size_t)cv->n * sizeof *folds);
    return SPT_OK;
}

const char *spt_cv_dropped(const spt_cv *cv, int64_t index)
{
    return cv != NULL && index >= 0 && index < cv->n_dropped ? cv->dropped[index] : NULL;
}
