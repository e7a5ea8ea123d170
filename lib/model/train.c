/* spt_model_fit(): from raw spectra and references to a model, without a search. */
#include "fit.h"
#include "model.h"

#include "../data/dataset.h"

#include <math.h>
#include <string.h>

const spt__knob spt__fit_knobs[] = {
    SPT__TRAINING_KNOBS,
    SPT__FIT_KNOBS,
    {"group", SPT_OPTION_TEXT, 0, 0, 0, NULL, "",
     "column whose equal values are watched, or trained on, together"},
    {NULL, SPT_OPTION_NUMBER, 0, 0, 0, NULL, NULL, NULL}};

int32_t spt_fit_options_new(spt_ctx *ctx, spt_options **out)
{
    SPT__REQUIRE(out);
    *out = NULL;
    SPT__REQUIRE(ctx);
    return spt__options_new(ctx, "fit", spt__fit_knobs, out);
}

/* What one call owns. */
typedef struct session {
    spt_ctx *ctx;
    const spt_dataset *dataset;
    const spt_prep *prep; /* the caller's, or `none` */
    spt_prep *none;
    const char *target;
    const spt_config *config;
    const spt_options *options;
    spt_dataset *applied, *used; /* after the steps; of these the rows with a target */
    int64_t n, p;
    double *y;
    float *x, *weights;
    int64_t *rows, *group;
    int32_t mask;
    spt_network *network;
    spt__fit_result result;
    spt_model *model;
} session;

static void close_session(session *s)
{
    spt_prep_free(s->none);
    spt_dataset_free(s->applied);
    spt_dataset_free(s->used);
    spt__free(s->ctx, s->y);
    spt__free(s->ctx, s->x);
    spt__free(s->ctx, s->weights);
    spt__free(s->ctx, s->rows);
    spt__free(s->ctx, s->group);
    spt_network_free(s->network);
    spt__fit_release(&s->result);
    spt_model_free(s->model);
}

/* ---- data ---------------------------------------------------------------------------------- */

/* Rows that have a target, and y for them. */
static int32_t choose_rows(session *s)
{
    spt__err *e = &s->ctx->err;
    int64_t n = spt_dataset_rows(s->applied), column = 0;
    SPT__TRY(spt__fit_target_column(s->applied, s->target, &column, e));
    s->y = spt__alloc(s->ctx, (size_t)n, sizeof *s->y);
    s->rows = spt__alloc(s->ctx, (size_t)n, sizeof *s->rows);
    if (!s->y || !s->rows) return spt__nomem(e);
    SPT__TRY(spt_dataset_numbers(s->applied, column, s->y, n));
    for (int64_t i = 0; i < n; i++) {
        if (isnan(s->y[i])) continue;
        s->y[s->n] = s->y[i];
        s->rows[s->n++] = i;
    }
    if (s->n < n)
        spt__log(s->ctx, SPT_LOG_INFO, "%lld of %lld samples have no '%s' and are left out",
                 (long long)(n - s->n), (long long)n, s->target);
    if (s->n < 2)
        return spt__fail(e, SPT_EDATA,
                         "%lld of %lld samples have a value of '%.60s'; 2 or more are needed",
                         (long long)s->n, (long long)n, s->target);
    return spt_dataset_take(s->ctx, s->applied, s->rows, s->n, &s->used);
}

static int32_t load(session *s)
{
    spt__err *e = &s->ctx->err;
    if (!s->prep) {
        SPT__TRY(spt_prep_new(s->ctx, &s->none));
        s->prep = s->none;
    }
    SPT__TRY(spt_prep_apply(s->ctx, s->prep, s->dataset, &s->applied));
    SPT__TRY(choose_rows(s));
    SPT__TRY(spt_config_channels(s->config, &s->mask));
    if (s->mask == 0)
        return spt__fail(e, SPT_EINVAL,
                         "the configuration switches all channels off; one or more "
                         "are needed");
    s->p = spt_dataset_bands(s->used);
    const char *weights = spt__option_text(s->options, spt__fit_knobs, "weights");
    SPT__TRY(spt__fit_weights(s->ctx, s->used, weights, &s->weights, e));
    const char *group = spt__option_text(s->options, spt__fit_knobs, "group");
    int64_t column = 0, n_groups = 0;
    if (!*group) return SPT_OK;
    s->group = spt__alloc(s->ctx, (size_t)s->n, sizeof *s->group);
    if (!s->group) return spt__nomem(e);
    int32_t found = spt__dataset_column_named(s->used, group, &column, e);
    if (found < 0) return spt__fail_prefix(e, "group: ");
    return spt__dataset_groups(s->used, column, s->group, &n_groups, e);
}

/* ---- training ------------------------------------------------------------------------------ */

/* The job, and whether memory allows it, before anything large is allocated. */
static int32_t plan(session *s, int64_t epochs, spt__fit_job *job)
{
    spt__err *e = &s->ctx->err;
    *job = (spt__fit_job){.ctx = s->ctx,
                          .n = s->n,
                          .p = s->p,
                          .x_mask = s->mask,
                          .mask = s->mask,
                          .y = s->y,
                          .t = 1,
                          .weights = s->weights,
                          .train = s->rows,
                          .n_train = s->n,
                          .group = s->group,
                          .watch = epochs > 0 ? SPT__WATCH_NONE : SPT__WATCH_INNER};
    SPT__TRY(spt__fit_settings_init(s->ctx, s->options, s->config, epochs, &job->settings));
    SPT__TRY(spt__fit_check_targets(&job->settings, s->used, s->target, s->y, e));
    SPT__TRY(spt__fit_network(s->ctx, s->config, s->p, s->mask, 1, &s->network));
    job->network = s->network;
    job->stream = (spt__stream){.seed = job->settings.training.seed};
    return spt__fit_check_memory(job, spt__fit_channel_bytes(s->n, s->p, s->mask), e);
}

static int32_t train(session *s, spt__fit_job *job)
{
    spt__err *e = &s->ctx->err;
    s->x = spt__alloc(s->ctx, (size_t)spt__fit_channel_bytes(s->n, s->p, s->mask), 1);
    if (!s->x) return spt__nomem(e);
    SPT__TRY(spt_prep_channels(s->ctx, s->prep, s->used, s->mask, SPT_FLOAT32, s->x,
                               s->n * s->p * spt__channel_count(s->mask)));
    for (int64_t i = 0; i < s->n; i++) /* numbers within `applied` have had their use */
        s->rows[i] = i;
    job->x = s->x;
    return spt__fit_run(job, &s->result, e);
}

/* ---- notes --------------------------------------------------------------------------------- */

static int32_t note_buffer(spt_model *model, const char *key, spt__buf *b, spt__err *e)
{
    int32_t status = b->failed ? spt__nomem(e) : spt__model_note(model, key, b->data, e);
    spt__buf_free(b);
    return status;
}

static int32_t note_int(spt_model *model, const char *key, int64_t value, spt__err *e)
{
    spt__buf b;
    spt__buf_init(&b, model->ctx);
    spt__buf_printf(&b, "%lld", (long long)value);
    return note_buffer(model, key, &b, e);
}

static int32_t note_double(spt_model *model, const char *key, double value, spt__err *e)
{
    spt__buf b;
    spt__buf_init(&b, model->ctx);
    spt__buf_double(&b, value);
    return note_buffer(model, key, &b, e);
}

int32_t spt__model_note_config(spt_model *model, const spt_config *config, spt__err *e)
{
    const spt_space *space = spt_config_space(config);
    spt__buf b;
    spt__buf_init(&b, model->ctx);
    int32_t n = spt_space_count(space);
    for (int32_t i = 0; i < n; i++) {
        spt_parameter_info info;
        double value = 0;
        spt_record_init(&info, sizeof info);
        SPT__TRY(spt_space_describe(space, i, &info));
        if (spt_config_exists(config, info.name) != 1) continue;
        SPT__TRY(spt_config_number(config, info.name, &value));
        const char *choice = spt_config_choice(config, info.name);
        if (b.size) spt__buf_puts(&b, " ");
        spt__buf_printf(&b, "%s=", info.name);
        if (choice)
            spt__buf_puts(&b, choice);
        else
            spt__buf_double(&b, value);
    }
    spt__buf_puts(&b, "");
    return note_buffer(model, "configuration", &b, e);
}

int32_t spt__model_note_data(spt_model *model, const spt_dataset *used, const char *target,
                             const char *weights, spt__err *e)
{
    char hex[65];
    SPT__TRY(spt_dataset_fingerprint(used, SPT_PART_SPECTRA, 0, hex));
    SPT__TRY(spt__model_note(model, "spectra_sha256", hex, e));
    SPT__TRY(spt_dataset_fingerprint(used, SPT_PART_AXIS, 0, hex));
    SPT__TRY(spt__model_note(model, "axis_sha256", hex, e));
    int64_t column = spt_dataset_find_column(used, target);
    SPT__TRY(spt_dataset_fingerprint(used, SPT_PART_COLUMN, column, hex));
    SPT__TRY(spt__model_note(model, "target_sha256", hex, e));
    if (!*weights) return SPT_OK;
    column = spt_dataset_find_column(used, weights);
    SPT__TRY(spt_dataset_fingerprint(used, SPT_PART_COLUMN, column, hex));
    return spt__model_note(model, "weights_sha256", hex, e);
}

static int32_t note_agreement(const session *s, spt_model *model)
{
    spt__err *e = &s->ctx->err;
    double *values = spt__alloc(s->ctx, (size_t)s->n, sizeof *values);
    if (!values) return spt__nomem(e);
    spt_statistics statistics;
    spt_record_init(&statistics, sizeof statistics);
    int32_t status = spt__fit_predict(&s->result, s->x, s->mask, NULL, s->n, values, e);
    if (status >= 0) status = spt_statistics_compute(s->y, values, s->n, &statistics);
    spt__free(s->ctx, values);
    if (status >= 0) status = note_double(model, "rmse_training", statistics.rmse, e);
    if (status >= 0) status = note_double(model, "r2_training", statistics.r2, e);
    return status;
}

static int32_t write_notes(const session *s, spt_model *model, uint64_t seed)
{
    spt__err *e = &s->ctx->err;
    const spt_training_report *report = &s->result.report;
    SPT__TRY(note_int(model, "seed", (int64_t)seed, e));
    SPT__TRY(spt__model_note(model, "kernels", spt_ctx_kernels(s->ctx), e));
    SPT__TRY(note_int(model, "epochs", report->epochs, e));
    SPT__TRY(note_int(model, "best_epoch", report->best, e));
    SPT__TRY(note_int(model, "samples_watched", s->result.n_watched, e));
    SPT__TRY(note_agreement(s, model));
    SPT__TRY(spt__model_note_config(model, s->config, e));
    spt__buf b;
    spt__buf_init(&b, s->ctx);
    spt__options_print(s->options, spt__fit_knobs, &b);
    SPT__TRY(note_buffer(model, "options", &b, e));
    return spt__model_note_data(model, s->used, s->target,
                                spt__option_text(s->options, spt__fit_knobs, "weights"), e);
}

/* ---- the call ------------------------------------------------------------------------------ */

static int32_t run(session *s, int64_t epochs, spt_epoch_fn fn, void *user)
{
    spt__fit_job job;
    SPT__TRY(load(s));
    SPT__TRY(plan(s, epochs, &job));
    job.fn = fn;
    job.user = user;
    int32_t trained = train(s, &job);
    if (trained < 0 || s->result.report.epochs == 0) return trained;
    spt__model_parts parts = {.dataset = s->dataset,
                              .prep = s->prep,
                              .applied = s->used,
                              .target = s->target,
                              .members = &s->result.member,
                              .n_members = 1};
    SPT__TRY(spt__model_make(s->ctx, &parts, &s->model));
    SPT__TRY(write_notes(s, s->model, job.stream.seed));
    return trained;
}

int32_t spt_model_fit(spt_ctx *ctx, const spt_dataset *dataset, const spt_prep *prep,
                      const char *target, const spt_config *config, int64_t epochs,
                      const spt_options *options, spt_epoch_fn fn, void *user,
                      spt_training_report *report, spt_model **out)
{
    SPT__REQUIRE(out);
    *out = NULL;
    SPT__REQUIRE(ctx);
    spt__err *e = &ctx->err;
    if (!dataset || !target || !config)
        return spt__fail(e, SPT_EINVAL, "dataset, target and configuration must not be NULL");
    if (epochs < 0)
        return spt__fail(e, SPT_EINVAL, "epochs is %lld; 0 (early stopping) or more are possible",
                         (long long)epochs);
    if (options && !spt__options_are(options, spt__fit_knobs))
        return spt__fail(e, SPT_EINVAL,
                         "these are no options of fitting; make them with spt_fit_options_new()");
    session s = {.ctx = ctx,
                 .dataset = dataset,
                 .prep = prep,
                 .target = target,
                 .config = config,
                 .options = options};
    int32_t status = run(&s, epochs, fn, user);
    if (status >= 0 && report &&
        spt__record_out(report, &s.result.report, sizeof s.result.report) < 0)
        status = spt__fail(e, SPT_EINVAL,
                           "spt_training_report.struct_size is not set; call "
                           "spt_record_init() first");
    if (status >= 0) {
        *out = s.model;
        s.model = NULL;
    }
    close_session(&s);
    return status;
}
