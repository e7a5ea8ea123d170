/* Prediction: from raw spectra to values, with scratch memory made once. */
#include "model.h"

#include "../data/dataset.h"
#include "../prep/channels.h"
#include "../prep/steps.h"

#include <math.h>
#include <string.h>

struct spt_predictor {
    /* Its own, for its errors and for what dataset functions allocate: several predictors of one
     * context run on several threads. */
    spt_ctx *ctx;
    spt_model *model;
    spt__prep_plan steps;
    spt__channel_plan channels;
    int32_t mask; /* channels of all members */
    int64_t rows; /* predicted at once */
    double *raw, *bands, *scratch;
    float *x, *gathered, *y;
    double *values;
    int64_t *waiting; /* rows whose channels stand in x */
    int64_t n_waiting;
    spt__pass **passes; /* one per member */
    bool busy, doomed;  /* the host is told of a bad row; it has freed the predictor meanwhile */
};

static int32_t idle(const spt_predictor *p)
{
    if (!p->busy) return SPT_OK;
    return spt__fail(&p->ctx->err, SPT_EBUSY, "the predictor is at work; a callback cannot use it");
}

/* ---- life ---------------------------------------------------------------------------------- */

static int32_t make_plans(spt_predictor *p)
{
    const spt__frame *frame = p->model->frame;
    spt_ctx *ctx = p->ctx;
    SPT__TRY(spt__prep_plan_init(&p->steps, ctx, frame->prep, frame->axis, frame->p,
                                 frame->axis_unit, NULL, 0));
    for (int64_t i = 0; i < p->model->n_parts; i++)
        p->mask |= p->model->parts[i].member->mask;
    return spt__channel_plan_init(&p->channels, ctx, frame->prep, p->steps.axis, p->steps.p,
                                  frame->axis_unit, frame->unit, p->mask, SPT_FLOAT32, &ctx->err);
}

static int32_t make_passes(spt_predictor *p)
{
    spt__err *e = &p->ctx->err;
    int64_t n = p->model->n_parts;
    p->passes = spt__calloc(p->ctx, (size_t)n, sizeof *p->passes);
    if (!p->passes) return spt__nomem(e);
    for (int64_t i = 0; i < n; i++) {
        int64_t rows = spt__steady_rows(p->model->parts[i].member->network);
        if (i == 0 || rows < p->rows) p->rows = rows;
    }
    for (int64_t i = 0; i < n; i++)
        SPT__TRY(spt__pass_new_with(p->model->parts[i].member->network, p->ctx->kernels, p->rows,
                                    SPT__STEADY, &p->passes[i], e));
    return SPT_OK;
}

static int32_t make_buffers(spt_predictor *p)
{
    spt_ctx *ctx = p->ctx;
    size_t size = (size_t)(p->steps.p * p->channels.c), rows = (size_t)p->rows;
    size_t t = (size_t)p->model->frame->t;
    int64_t scratch = spt__prep_plan_scratch(&p->steps);
    if (spt__channels_scratch(&p->channels) > scratch)
        scratch = spt__channels_scratch(&p->channels);
    p->raw = spt__alloc(ctx, (size_t)p->steps.p_in, sizeof *p->raw);
    p->bands = spt__alloc(ctx, (size_t)p->steps.p, sizeof *p->bands);
    p->scratch = spt__alloc(ctx, (size_t)scratch, sizeof *p->scratch);
    p->x = spt__alloc(ctx, rows, size * sizeof *p->x);
    p->gathered = spt__calloc_aligned(ctx, rows, size * sizeof *p->gathered);
    p->y = spt__alloc(ctx, rows, t * sizeof *p->y);
    p->values = spt__alloc(ctx, rows, 2 * t * sizeof *p->values); /* of a member, of all */
    p->waiting = spt__alloc(ctx, rows, sizeof *p->waiting);
    if (!p->raw || !p->bands || !p->scratch || !p->x || !p->gathered || !p->y || !p->values ||
        !p->waiting)
        return spt__nomem(&ctx->err);
    return SPT_OK;
}

int32_t spt_predictor_new(spt_ctx *ctx, const spt_model *model, spt_predictor **out)
{
    SPT__REQUIRE(out);
    *out = NULL;
    SPT__REQUIRE(ctx);
    spt__err *e = &ctx->err;
    if (!model) return spt__fail(e, SPT_EINVAL, "model must not be NULL");
    spt_ctx *own = NULL;
    if (spt_ctx_new(&ctx->mem, &own) < 0) return spt__nomem(e);
    spt_predictor *p = spt__calloc(own, 1, sizeof *p);
    if (!p) {
        spt_ctx_free(own);
        return spt__nomem(e);
    }
    p->ctx = own;
    own->kernels = ctx->kernels;
    p->model = (spt_model *)(uintptr_t)model; /* the count is all that ever changes */
    atomic_fetch_add_explicit(&p->model->refs, 1, memory_order_relaxed);
    int32_t status = make_plans(p);
    if (status >= 0) status = make_passes(p);
    if (status >= 0) status = make_buffers(p);
    if (status < 0) {
        *e = own->err;
        spt_predictor_free(p);
        return status;
    }
    *out = p;
    return SPT_OK;
}

void spt_predictor_free(spt_predictor *predictor)
{
    if (!predictor) return;
    spt_predictor *p = predictor;
    if (p->busy) {
        p->doomed = true;
        return;
    }
    spt_ctx *ctx = p->ctx;
    for (int64_t i = 0; p->passes && i < p->model->n_parts; i++)
        spt__pass_free(p->passes[i]);
    spt__free(ctx, p->passes);
    spt__free(ctx, p->raw);
    spt__free(ctx, p->bands);
    spt__free(ctx, p->scratch);
    spt__free(ctx, p->x);
    spt__free_aligned(ctx, p->gathered);
    spt__free(ctx, p->y);
    spt__free(ctx, p->values);
    spt__free(ctx, p->waiting);
    spt__channel_plan_free(&p->channels);
    spt__prep_plan_free(&p->steps);
    spt_model_free(p->model);
    spt__free(ctx, p);
    spt_ctx_free(ctx);
}

const char *spt_predictor_last_error(const spt_predictor *predictor)
{
    return predictor ? spt_ctx_last_error(predictor->ctx) : "no predictor was given (NULL)";
}

/* ---- one row, one block -------------------------------------------------------------------- */

/* Channels of a raw spectrum into the place of the next waiting row. */
static int32_t load(spt_predictor *p, const spt__prep_plan *steps, const double *raw,
                    double *scratch, int64_t row, const char *id)
{
    float *x = p->x + p->n_waiting * p->steps.p * p->channels.c;
    spt__prep_plan_row(steps, raw, p->bands, scratch);
    SPT__TRY(spt__channels_row(&p->channels, p->bands, row, id, x, p->scratch, &p->ctx->err));
    p->waiting[p->n_waiting++] = row;
    return SPT_OK;
}

/* Values of the waiting rows, in the second half of p->values; none waits afterwards. */
static int32_t flush(spt_predictor *p, const double **values)
{
    const spt_model *model = p->model;
    int64_t n = p->n_waiting, t = model->frame->t, size = p->steps.p * p->channels.c;
    double *sum = p->values + p->rows * t;
    p->n_waiting = 0;
    *values = sum;
    for (int64_t k = 0; k < n * t; k++)
        sum[k] = 0;
    for (int64_t m = 0; m < model->n_parts; m++) {
        const spt__member *member = model->parts[m].member;
        for (int64_t i = 0; i < n; i++)
            spt__take_channels(p->x + i * size, p->mask, p->steps.p, member->mask,
                               p->gathered + i * member->p * member->c);
        SPT__TRY(
            spt__member_run(member, p->passes[m], p->gathered, n, p->y, p->values, &p->ctx->err));
        for (int64_t k = 0; k < n * t; k++)
            sum[k] += model->parts[m].weight * p->values[k];
    }
    return SPT_OK;
}

static int32_t check_value(spt_predictor *p, const double *value)
{
    for (int64_t k = 0; k < p->model->frame->t; k++)
        if (!isfinite(value[k]))
            return spt__fail(&p->ctx->err, SPT_EDATA,
                             "the prediction is not finite: the spectrum is far outside of what "
                             "the model was trained on");
    return SPT_OK;
}

int32_t spt_predictor_run(spt_predictor *predictor, const double *spectrum, int64_t n_bands,
                          double *values, int64_t capacity)
{
    SPT__REQUIRE(predictor);
    spt_predictor *p = predictor;
    SPT__TRY(idle(p));
    if (!spectrum || !values)
        return spt__fail(&p->ctx->err, SPT_EINVAL, "spectrum and values must not be NULL");
    const spt__frame *frame = p->model->frame;
    if (n_bands != frame->p)
        return spt__fail(&p->ctx->err, SPT_EMISMATCH,
                         "the spectrum has %lld bands, the model reads %lld", (long long)n_bands,
                         (long long)frame->p);
    SPT__TRY(spt__check_capacity(capacity, frame->t, "the predicted properties", &p->ctx->err));
    const double *found = NULL;
    p->n_waiting = 0;
    SPT__TRY(load(p, &p->steps, spectrum, p->scratch, 0, NULL));
    SPT__TRY(flush(p, &found));
    SPT__TRY(check_value(p, found));
    memcpy(values, found, (size_t)frame->t * sizeof *values);
    return SPT_OK;
}

/* ---- datasets ------------------------------------------------------------------------------ */

int32_t spt_predictor_samples(spt_predictor *predictor, const spt_dataset *dataset,
                              spt_dataset **out)
{
    SPT__REQUIRE(out);
    *out = NULL;
    SPT__REQUIRE(predictor);
    spt_ctx *ctx = predictor->ctx;
    if (!dataset) return spt__fail(&ctx->err, SPT_EINVAL, "dataset must not be NULL");
    const spt_prep *prep = predictor->model->frame->prep;
    if (spt__prep_step_count(prep) > 0) {
        const spt__prep_step *step = spt__prep_step_at(prep, 0);
        if (step->kind == SPT__STEP_AVERAGE && spt_dataset_find_column(dataset, step->column) >= 0)
            return spt_dataset_average(ctx, dataset, step->column, out);
    }
    *out = spt__dataset_ref(dataset);
    return SPT_OK;
}

static int32_t check_units(spt_predictor *p, const spt_dataset *dataset)
{
    const spt__frame *frame = p->model->frame;
    int32_t axis_unit = spt_dataset_axis_unit(dataset), unit = spt_dataset_unit(dataset);
    if (axis_unit != frame->axis_unit)
        return spt__fail(&p->ctx->err, SPT_EMISMATCH,
                         "the axis of the data is in %s, that of the model in %s; the same unit is "
                         "needed",
                         spt_axis_unit_name(axis_unit), spt_axis_unit_name(frame->axis_unit));
    /* Data that do not say their unit are taken for what the model reads. */
    if (unit != frame->unit && unit != SPT_UNIT_UNKNOWN)
        return spt__fail(&p->ctx->err, SPT_EMISMATCH,
                         "the data are declared as %s, the model reads %s", spt_unit_name(unit),
                         spt_unit_name(frame->unit));
    return SPT_OK;
}

static int32_t fail_axis(spt_predictor *p, const spt_dataset *dataset, int64_t first)
{
    static const char advice[] = "interpolation must be asked for (--resample, "
                                 "SPT_PREDICT_RESAMPLE)";
    const spt__frame *frame = p->model->frame;
    const double *axis = spt_dataset_axis(dataset);
    const char *unit = spt_axis_unit_name(frame->axis_unit);
    int64_t n = spt_dataset_bands(dataset);
    if (n != frame->p)
        return spt__fail(
            &p->ctx->err, SPT_EMISMATCH,
            "the data have %lld bands (%.10g to %.10g %s), the model reads %lld (%.10g "
            "to %.10g %s); %s",
            (long long)n, axis[0], axis[n - 1], unit, (long long)frame->p, frame->axis[0],
            frame->axis[frame->p - 1], unit, advice);
    return spt__fail(&p->ctx->err, SPT_EMISMATCH,
                     "band %lld of the data is at %.10g %s, that of the model at %.10g %s; %s",
                     (long long)first + 1, axis[first], unit, frame->axis[first], unit, advice);
}

/* Steps for a dataset on another axis; `own` stays empty when the axis is the model's. */
static int32_t plan_axis(spt_predictor *p, const spt_dataset *dataset, int32_t flags,
                         spt__prep_plan *own)
{
    const spt__frame *frame = p->model->frame;
    int64_t n = spt_dataset_bands(dataset), first = 0;
    if (flags != SPT_PREDICT_EXACT && flags != SPT_PREDICT_RESAMPLE)
        return spt__fail(&p->ctx->err, SPT_EINVAL,
                         "flags is %d; SPT_PREDICT_EXACT (0) and SPT_PREDICT_RESAMPLE (1) are "
                         "possible",
                         (int)flags);
    SPT__TRY(check_units(p, dataset));
    const double *axis = spt_dataset_axis(dataset);
    if (n == frame->p && spt__same_axis(axis, frame->axis, n, &first)) return SPT_OK;
    if (flags == SPT_PREDICT_EXACT) return fail_axis(p, dataset, first);
    if (spt__prep_plan_init(own, p->ctx, frame->prep, axis, n, frame->axis_unit, frame->axis,
                            frame->p) == SPT_OK)
        return SPT_OK;
    spt__err *e = &p->ctx->err;
    if (e->status != SPT_ENOMEM) e->status = SPT_EMISMATCH;
    return spt__fail_prefix(e, "onto the model's axis: ");
}

/* One call of spt_predictor_dataset(). */
typedef struct batch {
    spt_predictor *p;
    const spt_dataset *samples;
    const spt__prep_plan *steps;
    double *raw, *scratch;
    double *values;
    spt_bad_row_fn fn;
    void *user;
} batch;

/* The row's values are NaN from the start. */
static int32_t bad_row(const batch *b, int64_t row)
{
    if (!b->fn) return SPT_OK;
    const int32_t answer = b->fn(row, b->p->ctx->err.text, b->user);
    if (answer == SPT_OK || answer == SPT_STOP_HOST) return answer;
    return spt__fail(&b->p->ctx->err, SPT_ECALLBACK,
                     "row %lld: the callback for bad rows returned %d", (long long)row,
                     (int)answer);
}

/* Here and below SPT_STOP_HOST comes back as soon as the host has said so. */
static int32_t finish_block(const batch *b)
{
    spt_predictor *p = b->p;
    int64_t n = p->n_waiting, t = p->model->frame->t;
    const double *values = NULL;
    SPT__TRY(flush(p, &values));
    for (int64_t i = 0; i < n; i++) {
        if (check_value(p, values + i * t) < 0) {
            const int32_t status = bad_row(b, p->waiting[i]);
            if (status != SPT_OK) return status;
            continue;
        }
        memcpy(b->values + p->waiting[i] * t, values + i * t, (size_t)t * sizeof *values);
    }
    return SPT_OK;
}

static int32_t run_batch(const batch *b)
{
    spt_predictor *p = b->p;
    int64_t n = spt_dataset_rows(b->samples), bands = spt_dataset_bands(b->samples);
    int32_t status = SPT_OK;
    p->n_waiting = 0;
    for (int64_t k = 0; k < n * p->model->frame->t; k++)
        b->values[k] = NAN;
    for (int64_t i = 0; i < n; i++) {
        spt__dataset_read(b->samples, i, 0, bands, b->raw);
        if (load(p, b->steps, b->raw, b->scratch, i, spt_dataset_id(b->samples, i)) < 0) {
            spt__err reason = p->ctx->err;
            status = finish_block(b); /* rows are told in their order */
            if (status != SPT_OK) return status;
            p->ctx->err = reason;
            status = bad_row(b, i);
        }
        if (status == SPT_OK && p->n_waiting == p->rows) status = finish_block(b);
        if (status != SPT_OK) return status;
    }
    return finish_block(b);
}

static int32_t predict(spt_predictor *p, const spt_dataset *samples, const spt__prep_plan *other,
                       double *values, spt_bad_row_fn fn, void *user)
{
    batch b = {.p = p,
               .samples = samples,
               .steps = other->ctx ? other : &p->steps,
               .raw = p->raw,
               .scratch = p->scratch,
               .values = values,
               .fn = fn,
               .user = user};
    if (!other->ctx) return run_batch(&b);
    b.raw = spt__alloc(p->ctx, (size_t)other->p_in, sizeof *b.raw);
    b.scratch = spt__alloc(p->ctx, (size_t)spt__prep_plan_scratch(other), sizeof *b.scratch);
    int32_t status = b.raw && b.scratch ? run_batch(&b) : spt__nomem(&p->ctx->err);
    spt__free(p->ctx, b.raw);
    spt__free(p->ctx, b.scratch);
    return status;
}

int32_t spt_predictor_dataset(spt_predictor *predictor, const spt_dataset *dataset, int32_t flags,
                              double *values, int64_t capacity, int64_t *needed, spt_bad_row_fn fn,
                              void *user)
{
    SPT__REQUIRE(predictor);
    spt_predictor *p = predictor;
    spt_dataset *samples = NULL;
    spt__prep_plan other = {0};
    SPT__TRY(idle(p));
    SPT__TRY(spt_predictor_samples(p, dataset, &samples));
    int32_t status = plan_axis(p, samples, flags, &other);
    int64_t n = spt_dataset_rows(samples) * p->model->frame->t;
    if (status >= 0) {
        if (needed) *needed = n;
        if (!values || capacity < n)
            status = spt__fail(&p->ctx->err, SPT_ECAPACITY,
                               "there are %lld values, the buffer holds %lld", (long long)n,
                               values ? (long long)capacity : 0);
    }
    if (status >= 0) {
        p->busy = true;
        status = predict(p, samples, &other, values, fn, user);
        p->busy = false;
    }
    spt__prep_plan_free(&other);
    spt_dataset_free(samples);
    if (p->doomed) spt_predictor_free(p);
    return status;
}
