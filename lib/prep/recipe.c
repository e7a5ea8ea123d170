/* Recipes: a list of steps, and the settings of the channels. */
#include "recipe.h"

#include <math.h>
#include <string.h>

/* ---- life ---------------------------------------------------------------------------------- */

int32_t spt_prep_new(spt_ctx *ctx, spt_prep **out)
{
    SPT__REQUIRE(out);
    *out = NULL;
    SPT__REQUIRE(ctx);
    spt_prep *prep = spt__calloc(ctx, 1, sizeof *prep);
    if (!prep) return spt__nomem(&ctx->err);
    int32_t status = spt_prep_options_new(ctx, &prep->channels);
    if (status < 0) {
        spt__free(ctx, prep);
        return status;
    }
    prep->ctx = spt__ctx_ref(ctx);
    *out = prep;
    return SPT_OK;
}

void spt_prep_free(spt_prep *prep)
{
    if (!prep) return;
    spt_ctx *ctx = prep->ctx;
    for (int64_t i = 0; i < prep->n_steps; i++)
        spt__free(ctx, prep->steps[i].column);
    spt__free(ctx, prep->steps);
    spt_options_free(prep->channels);
    spt__free(ctx, prep);
    spt__ctx_unref(ctx);
}

/* Puts a step with a copy of `column` (or NULL) behind the others. */
static int32_t add(spt_prep *prep, spt__prep_step step, const char *column, spt__err *e)
{
    spt__prep_step *grown =
        spt__realloc(prep->ctx, prep->steps, (size_t)prep->n_steps + 1, sizeof *grown);
    if (!grown) return spt__nomem(e);
    prep->steps = grown;
    step.column = NULL;
    if (column && !(step.column = spt__strdup(prep->ctx, column))) return spt__nomem(e);
    prep->steps[prep->n_steps++] = step;
    return SPT_OK;
}

int32_t spt__prep_copy(const spt_prep *prep, spt_ctx *ctx, spt_prep **out)
{
    *out = NULL;
    spt_prep *copy = NULL;
    SPT__TRY(spt_prep_new(ctx, &copy));
    int32_t status = spt_prep_set_options(copy, prep->channels);
    for (int64_t i = 0; i < prep->n_steps && status >= 0; i++)
        status = add(copy, prep->steps[i], prep->steps[i].column, &ctx->err);
    if (status < 0) {
        spt_prep_free(copy);
        return status;
    }
    *out = copy;
    return SPT_OK;
}

int64_t spt__prep_step_count(const spt_prep *prep)
{
    return prep->n_steps;
}

const spt__prep_step *spt__prep_step_at(const spt_prep *prep, int64_t index)
{
    return &prep->steps[index];
}

const spt_options *spt__prep_channel_options(const spt_prep *prep)
{
    return prep->channels;
}

/* ---- steps --------------------------------------------------------------------------------- */

static void print_step(const spt__prep_step *step, spt__buf *b)
{
    switch (step->kind) {
    case SPT__STEP_AVERAGE:
        spt__buf_puts(b, "average ");
        spt__buf_json(b, step->column); /* quoted: a column's name may hold anything */
        break;
    case SPT__STEP_CROP:
        spt__buf_puts(b, "crop ");
        spt__buf_double(b, step->low);
        spt__buf_puts(b, " ");
        spt__buf_double(b, step->high);
        break;
    case SPT__STEP_RESAMPLE:
        spt__buf_puts(b, "resample ");
        spt__buf_double(b, step->low);
        spt__buf_puts(b, " ");
        spt__buf_double(b, step->high);
        spt__buf_puts(b, " ");
        spt__buf_double(b, step->step);
        break;
    case SPT__STEP_DECIMATE:
        spt__buf_printf(b, "decimate %lld %s", (long long)step->factor,
                        step->average ? "mean" : "first");
        break;
    }
}

int32_t spt_prep_add_average(spt_prep *prep, const char *column)
{
    SPT__REQUIRE(prep);
    spt__err *e = &prep->ctx->err;
    if (!column || !*column)
        return spt__fail(e, SPT_EINVAL, "averaging needs the name of a column");
    if (prep->n_steps > 0 && prep->steps[0].kind == SPT__STEP_AVERAGE)
        return spt__fail(e, SPT_EINVAL,
                         "averaging by '%s' is asked for, but '%s' is averaged by "
                         "already; one averaging is possible",
                         column, prep->steps[0].column);
    if (prep->n_steps > 0)
        return spt__fail(e, SPT_EINVAL,
                         "averaging by '%s' is added as step %lld; it must be the first step",
                         column, (long long)prep->n_steps + 1);
    return add(prep, (spt__prep_step){.kind = SPT__STEP_AVERAGE}, column, e);
}

/* Shared by the steps that have a range. */
static int32_t check_range(const char *what, double low, double high, spt__err *e)
{
    if (isfinite(low) && isfinite(high) && low < high) return SPT_OK;
    return spt__fail(e, SPT_EINVAL,
                     "%s from %g to %g: two finite positions are needed, the lower one first", what,
                     low, high);
}

int32_t spt_prep_add_crop(spt_prep *prep, double low, double high)
{
    SPT__REQUIRE(prep);
    SPT__TRY(check_range("crop", low, high, &prep->ctx->err));
    return add(prep, (spt__prep_step){.kind = SPT__STEP_CROP, .low = low, .high = high}, NULL,
               &prep->ctx->err);
}

int64_t spt__resample_count(double low, double high, double step)
{
    return (int64_t)fmin(floor((high - low) / step + 1e-6), SPT__RESAMPLE_MAX) + 1;
}

int32_t spt_prep_add_resample(spt_prep *prep, double low, double high, double step)
{
    SPT__REQUIRE(prep);
    spt__err *e = &prep->ctx->err;
    SPT__TRY(check_range("resample", low, high, e));
    if (!isfinite(step) || step <= 0)
        return spt__fail(e, SPT_EINVAL, "the step of resampling is %g; a number above 0 is needed",
                         step);
    int64_t count = spt__resample_count(low, high, step);
    if (count < 2)
        return spt__fail(e, SPT_EINVAL,
                         "resample from %g to %g by %g gives one band; 2 or more are needed", low,
                         high, step);
    if (count > SPT__RESAMPLE_MAX)
        return spt__fail(e, SPT_EINVAL, "resample from %g to %g by %g gives more than %d bands",
                         low, high, step, SPT__RESAMPLE_MAX);
    spt__prep_step added = {.kind = SPT__STEP_RESAMPLE, .low = low, .high = high, .step = step};
    return add(prep, added, NULL, e);
}

int32_t spt_prep_add_decimate(spt_prep *prep, int64_t factor, int32_t average)
{
    SPT__REQUIRE(prep);
    if (factor < 1)
        return spt__fail(&prep->ctx->err, SPT_EINVAL,
                         "the factor of decimation is %lld; 1 or more is needed",
                         (long long)factor);
    if (average != 0 && average != 1)
        return spt__fail(&prep->ctx->err, SPT_EINVAL,
                         "average of decimation is %d; 1 (mean) and 0 (first) are possible",
                         average);
    spt__prep_step step = {.kind = SPT__STEP_DECIMATE, .factor = factor, .average = average};
    return add(prep, step, NULL, &prep->ctx->err);
}

/* ---- text ---------------------------------------------------------------------------------- */

void spt__prep_print(const spt_prep *prep, spt__buf *b)
{
    for (int64_t i = 0; i < prep->n_steps; i++) {
        print_step(&prep->steps[i], b);
        spt__buf_puts(b, "; ");
    }
    spt__options_print(prep->channels, spt__channel_knobs, b);
}

int32_t spt_prep_text(const spt_prep *prep, char *buffer, int64_t capacity, int64_t *needed)
{
    SPT__REQUIRE(prep);
    spt__buf b;
    spt__buf_init(&b, prep->ctx);
    spt__prep_print(prep, &b);
    int32_t status =
        b.failed ? spt__nomem(&prep->ctx->err) : spt__text_out(b.data, buffer, capacity, needed);
    spt__buf_free(&b);
    return status;
}
