/* Models put together: of trained members, of a host's parts, of other models. */
#include "fit.h"
#include "model.h"

#include "../data/dataset.h"
#include "../prep/channels.h"
#include "../prep/steps.h"

#include <math.h>
#include <string.h>

/* ---- checks -------------------------------------------------------------------------------- */

int32_t spt__model_check(spt_ctx *ctx, const spt_model *model)
{
    const spt__frame *frame = model->frame;
    spt__err *e = &ctx->err;
    spt__prep_plan steps = {0};
    spt__channel_plan channels = {0};
    int32_t mask = 0;
    SPT__TRY(spt__prep_plan_init(&steps, ctx, frame->prep, frame->axis, frame->p, frame->axis_unit,
                                 NULL, 0));
    int32_t status = SPT_OK;
    if (steps.p != frame->bands)
        status = spt__fail(e, SPT_EINVAL, "the recipe makes %lld bands, the model has %lld",
                           (long long)steps.p, (long long)frame->bands);
    for (int64_t i = 0; i < model->n_parts && status >= 0; i++) {
        mask |= model->parts[i].member->mask;
        status = spt__model_check_member(model, model->parts[i].member, i, e);
    }
    if (status >= 0)
        status = spt__channel_plan_init(&channels, ctx, frame->prep, steps.axis, steps.p,
                                        frame->axis_unit, frame->unit, mask, SPT_FLOAT32, e);
    spt__channel_plan_free(&channels);
    spt__prep_plan_free(&steps);
    return status;
}

static int32_t check_name(const char *what, const char *name, spt__err *e)
{
    if (name && *name && strlen(name) <= SPT__NOTE_TEXT && spt__plain_text(name)) return SPT_OK;
    return spt__fail(e, SPT_EINVAL,
                     "the name of the %s cannot be kept; UTF-8 without control characters, not "
                     "empty, is possible",
                     what);
}

static int32_t check_names(const char *target, const spt_prep *prep, spt__err *e)
{
    SPT__TRY(check_name("target", target, e));
    for (int64_t i = 0; i < spt__prep_step_count(prep); i++)
        if (spt__prep_step_at(prep, i)->kind == SPT__STEP_AVERAGE)
            SPT__TRY(check_name("column to average by", spt__prep_step_at(prep, i)->column, e));
    return SPT_OK;
}

/* ---- parts of a model ---------------------------------------------------------------------- */

/* One target has the name itself; several count from 1: "name_1". */
static int32_t set_targets(spt__frame *frame, const char *name, int64_t t, spt__err *e)
{
    frame->targets = spt__calloc(frame->ctx, (size_t)t, sizeof *frame->targets);
    if (!frame->targets) return spt__nomem(e);
    frame->t = t;
    for (int64_t i = 0; i < t; i++) {
        spt__buf b;
        spt__buf_init(&b, frame->ctx);
        spt__buf_puts(&b, name);
        if (t > 1) spt__buf_printf(&b, "_%lld", (long long)i + 1);
        if (!(frame->targets[i] = spt__buf_take(&b))) return spt__nomem(e);
    }
    return SPT_OK;
}

static int32_t make_frame(spt_ctx *ctx, const spt_dataset *dataset, const spt_prep *prep,
                          const char *target, int64_t bands, int64_t t, spt__frame **out)
{
    spt__err *e = &ctx->err;
    SPT__TRY(check_names(target, prep, e));
    spt__frame *frame = spt__frame_new(ctx);
    if (!frame) return spt__nomem(e);
    frame->p = spt_dataset_bands(dataset);
    frame->axis_unit = spt_dataset_axis_unit(dataset);
    frame->unit = spt_dataset_unit(dataset);
    frame->bands = bands;
    frame->axis = spt__alloc(ctx, (size_t)frame->p, sizeof *frame->axis);
    int32_t status = frame->axis ? SPT_OK : spt__nomem(e);
    if (status >= 0) {
        memcpy(frame->axis, spt_dataset_axis(dataset), (size_t)frame->p * sizeof *frame->axis);
        status = spt__prep_copy(prep, ctx, &frame->prep);
    }
    if (status >= 0) status = set_targets(frame, target, t, e);
    if (status < 0) {
        spt__frame_unref(frame);
        return status;
    }
    *out = frame;
    return SPT_OK;
}

static void widen(double value, double *low, double *high)
{
    *low = fmin(*low, value); /* a NaN on one side gives the other */
    *high = fmax(*high, value);
}

static int32_t set_ranges(spt_model *model, const spt__model_parts *parts, spt__err *e)
{
    const spt_dataset *applied = parts->applied;
    spt__ranges *ranges = &model->ranges;
    int64_t bands = model->frame->bands, rows = spt_dataset_rows(applied);
    ranges->samples = parts->rows ? parts->n_rows : rows;
    size_t room = (size_t)(bands > rows ? bands : rows);
    double *values = spt__alloc(model->ctx, room, sizeof *values);
    if (!values) return spt__nomem(e);
    for (int64_t i = 0; i < ranges->samples; i++) {
        spt__dataset_read(applied, parts->rows ? parts->rows[i] : i, 0, bands, values);
        for (int64_t j = 0; j < bands; j++)
            widen(values[j], &ranges->low[j], &ranges->high[j]);
    }
    for (int64_t k = 0; k < model->frame->t; k++) {
        int64_t column = spt_dataset_find_column(applied, model->frame->targets[k]);
        if (column < 0 || spt_dataset_numbers(applied, column, values, rows) < 0) continue;
        for (int64_t i = 0; i < ranges->samples; i++)
            widen(values[parts->rows ? parts->rows[i] : i], &ranges->target_low[k],
                  &ranges->target_high[k]);
    }
    spt__free(model->ctx, values);
    return SPT_OK;
}

static int32_t make(spt_ctx *ctx, const spt__model_parts *parts, const spt_prep *prep,
                    spt_model **out)
{
    spt__err *e = &ctx->err;
    spt__frame *frame = NULL;
    spt_model *model = NULL;
    SPT__TRY(make_frame(ctx, parts->dataset, prep, parts->target, spt_dataset_bands(parts->applied),
                        parts->members[0]->t, &frame));
    int32_t status = spt__model_new(ctx, frame, parts->n_members, spt_version(), &model, e);
    spt__frame_unref(frame);
    if (status < 0) return status;
    for (int64_t i = 0; i < parts->n_members; i++) {
        model->parts[i].member = spt__member_ref(parts->members[i]);
        model->parts[i].weight = 1.0 / (double)parts->n_members;
    }
    status = spt__model_check(ctx, model);
    if (status >= 0) status = set_ranges(model, parts, e);
    if (status < 0) {
        spt_model_free(model);
        return status;
    }
    *out = model;
    return SPT_OK;
}

int32_t spt__model_make(spt_ctx *ctx, const spt__model_parts *parts, spt_model **out)
{
    *out = NULL;
    spt_prep *none = NULL;
    if (!parts->prep) SPT__TRY(spt_prep_new(ctx, &none));
    int32_t status = make(ctx, parts, parts->prep ? parts->prep : none, out);
    spt_prep_free(none);
    return status;
}

/* ---- of a host's parts --------------------------------------------------------------------- */

int32_t spt_model_assemble(spt_ctx *ctx, const spt_dataset *dataset, const spt_prep *prep,
                           int32_t mask, const spt_scaler *scaler, const spt_network *network,
                           const char *target, const double *target_mean, const double *target_sd,
                           int32_t transform, spt_model **out)
{
    SPT__REQUIRE(out);
    *out = NULL;
    SPT__REQUIRE(ctx);
    spt__err *e = &ctx->err;
    if (!dataset || !network || !target)
        return spt__fail(e, SPT_EINVAL, "dataset, network and target must not be NULL");
    if (!network->finished)
        return spt__fail(e, SPT_EINVAL,
                         "the network has no weights yet; call spt_network_finish() first");
    spt_prep *none = NULL;
    spt_dataset *applied = NULL;
    spt_network *copy = NULL;
    spt__member *member = NULL;
    int32_t status = prep ? SPT_OK : spt_prep_new(ctx, &none);
    if (status >= 0) status = spt_prep_apply(ctx, prep ? prep : none, dataset, &applied);
    if (status >= 0) status = spt__network_clone(network, &copy, e);
    if (status >= 0)
        status = spt__member_new(ctx, mask, copy, scaler ? spt__scaler_ref(scaler) : NULL,
                                 &(spt__output){target_mean, target_sd, transform}, &member, e);
    if (status >= 0) {
        spt__model_parts parts = {.dataset = dataset,
                                  .prep = prep,
                                  .applied = applied,
                                  .target = target,
                                  .members = &member,
                                  .n_members = 1};
        status = spt__model_make(ctx, &parts, out);
    }
    spt__member_unref(member);
    spt_dataset_free(applied);
    spt_prep_free(none);
    return status;
}

/* ---- of models ----------------------------------------------------------------------------- */

static void unite_ranges(spt__ranges *to, const spt__ranges *from, const spt__frame *frame)
{
    if (from->samples > to->samples) to->samples = from->samples;
    for (int64_t j = 0; j < frame->bands; j++) {
        to->low[j] = fmin(to->low[j], from->low[j]);
        to->high[j] = fmax(to->high[j], from->high[j]);
    }
    for (int64_t k = 0; k < frame->t; k++) {
        to->target_low[k] = fmin(to->target_low[k], from->target_low[k]);
        to->target_high[k] = fmax(to->target_high[k], from->target_high[k]);
    }
}

/* Notes on which all models agree. */
static int32_t common_notes(spt_model *to, const spt_model *const *models, int64_t n, spt__err *e)
{
    for (int64_t i = 0; i < models[0]->n_notes; i++) {
        const spt__note *note = &models[0]->notes[i];
        bool same = true;
        for (int64_t k = 1; k < n && same; k++) {
            const char *text = spt_model_note(models[k], note->key);
            same = text && strcmp(text, note->text) == 0;
        }
        if (same) SPT__TRY(spt__model_note(to, note->key, note->text, e));
    }
    return SPT_OK;
}

static int32_t check_models(const spt_model *const *models, int64_t n, int64_t *n_parts,
                            spt__err *e)
{
    if (!models || n < 1)
        return spt__fail(e, SPT_EINVAL, "an ensemble of %lld models; 1 or more are needed",
                         (long long)n);
    *n_parts = 0;
    for (int64_t i = 0; i < n; i++) {
        char who[40];
        if (!models[i])
            return spt__fail(e, SPT_EINVAL, "model %lld must not be NULL", (long long)i + 1);
        spt__format(who, sizeof who, "model %lld", (long long)i + 1);
        SPT__TRY(spt__frame_same(models[0]->frame, models[i]->frame, who, e));
        *n_parts += models[i]->n_parts;
    }
    return SPT_OK;
}

int32_t spt_model_ensemble(spt_ctx *ctx, const spt_model *const *models, int64_t n, spt_model **out)
{
    SPT__REQUIRE(out);
    *out = NULL;
    SPT__REQUIRE(ctx);
    spt__err *e = &ctx->err;
    int64_t n_parts = 0, k = 0;
    spt_model *model = NULL;
    SPT__TRY(check_models(models, n, &n_parts, e));
    SPT__TRY(spt__model_new(ctx, models[0]->frame, n_parts, spt_version(), &model, e));
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < models[i]->n_parts; j++, k++) {
            model->parts[k].member = spt__member_ref(models[i]->parts[j].member);
            model->parts[k].weight = models[i]->parts[j].weight / (double)n;
        }
        unite_ranges(&model->ranges, &models[i]->ranges, model->frame);
    }
    int32_t status = common_notes(model, models, n, e);
    if (status < 0) {
        spt_model_free(model);
        return status;
    }
    *out = model;
    return SPT_OK;
}
