/* Running the steps of a recipe: on datasets, and on one spectrum at a time. */
#include "steps.h"
#include "recipe.h"

#include "../data/dataset.h"

#include <math.h>
#include <string.h>

/* ---- on datasets --------------------------------------------------------------------------- */

static int32_t resample(spt_ctx *ctx, const spt__prep_step *step, const spt_dataset *ds,
                        spt_dataset **out)
{
    int64_t n = spt__resample_count(step->low, step->high, step->step);
    double *positions = spt__alloc(ctx, (size_t)n, sizeof *positions);
    if (!positions) return spt__nomem(&ctx->err);
    for (int64_t j = 0; j < n; j++)
        positions[j] = step->low + (double)j * step->step;
    int32_t status = spt_dataset_resample(ctx, ds, positions, n, out);
    spt__free(ctx, positions);
    return status;
}

static int32_t run_step(spt_ctx *ctx, const spt__prep_step *step, const spt_dataset *ds,
                        spt_dataset **out)
{
    switch (step->kind) {
    case SPT__STEP_AVERAGE:
        if (spt_dataset_find_column(ds, step->column) >= 0)
            return spt_dataset_average(ctx, ds, step->column, out);
        *out = spt__dataset_ref(ds);
        return SPT_OK;
    case SPT__STEP_CROP:
        return spt_dataset_crop(ctx, ds, step->low, step->high, out);
    case SPT__STEP_RESAMPLE:
        return resample(ctx, step, ds, out);
    case SPT__STEP_DECIMATE:
        return spt_dataset_decimate(ctx, ds, step->factor, step->average, out);
    }
    return spt__fail(&ctx->err, SPT_EINTERNAL, "step of unknown kind %d", (int)step->kind);
}

int32_t spt_prep_apply(spt_ctx *ctx, const spt_prep *prep, const spt_dataset *dataset,
                       spt_dataset **out)
{
    SPT__REQUIRE(out);
    *out = NULL;
    SPT__REQUIRE(ctx);
    if (!prep || !dataset)
        return spt__fail(&ctx->err, SPT_EINVAL, "prep and dataset must not be NULL");
    spt_dataset *now = spt__dataset_ref(dataset);
    for (int64_t i = 0; i < prep->n_steps; i++) {
        spt_dataset *next = NULL;
        int32_t status = run_step(ctx, &prep->steps[i], now, &next);
        spt_dataset_free(now);
        if (status < 0) return status;
        now = next;
    }
    *out = now;
    return SPT_OK;
}

/* ---- on one spectrum ----------------------------------------------------------------------- */

/* Between band `left` and its right neighbour, this share of the way. */
typedef struct {
    int64_t left;
    double share;
} place;

struct spt__prep_op {
    spt__step_kind kind;
    int64_t p;     /* bands behind the step */
    int64_t first; /* crop: the band that becomes the first */
    int64_t factor;
    int32_t average;
    place *places; /* resampling: p of them */
};

/* Resampling and decimation repeat the arithmetic of the dataset functions operation by operation,
 * since predictions are promised to the bit; the tests hold the two together. */
static int32_t place_bands(spt__prep_op *op, spt_ctx *ctx, const spt_dataset *before,
                           const spt_dataset *after)
{
    const double *axis = spt_dataset_axis(before), *to = spt_dataset_axis(after);
    bool up = axis[1] > axis[0];
    op->places = spt__alloc(ctx, (size_t)op->p, sizeof *op->places);
    if (!op->places) return spt__nomem(&ctx->err);
    for (int64_t j = 0; j < op->p; j++) {
        int64_t low = 0, high = spt_dataset_bands(before) - 1;
        while (high - low > 1) {
            int64_t middle = low + (high - low) / 2;
            if (up ? axis[middle] <= to[j] : axis[middle] >= to[j])
                low = middle;
            else
                high = middle;
        }
        op->places[j].left = low;
        op->places[j].share = fmin(1, fmax(0, (to[j] - axis[low]) / (axis[low + 1] - axis[low])));
    }
    return SPT_OK;
}

/* Puts the step that leads from one dataset to the other behind the plan's ops; `step` NULL stands
 * for the resampling in front of the recipe. */
static int32_t compile(spt__prep_plan *plan, const spt__prep_step *step, const spt_dataset *before,
                       const spt_dataset *after)
{
    spt__prep_op *op = &plan->ops[plan->n_ops++];
    op->kind = step ? step->kind : SPT__STEP_RESAMPLE;
    op->p = spt_dataset_bands(after);
    if (op->p > plan->widest) plan->widest = op->p;
    if (op->kind == SPT__STEP_CROP)
        while (spt_dataset_axis(before)[op->first] != spt_dataset_axis(after)[0])
            op->first++;
    if (op->kind == SPT__STEP_DECIMATE) {
        op->factor = step->factor;
        op->average = step->average && step->factor > 1;
    }
    if (op->kind == SPT__STEP_RESAMPLE) return place_bands(op, plan->ctx, before, after);
    return SPT_OK;
}

/* One spectrum of zeros goes through the dataset functions: they alone say which bands a step
 * leaves and what is refused. `now` is taken over. */
static int32_t compile_all(spt__prep_plan *plan, const spt_prep *prep, spt_dataset *now,
                           const double *onto, int64_t n_onto)
{
    spt_dataset *next = NULL;
    int32_t status = SPT_OK;
    for (int64_t i = onto ? -1 : 0; i < prep->n_steps; i++) {
        const spt__prep_step *step = i < 0 ? NULL : &prep->steps[i];
        if (step && step->kind == SPT__STEP_AVERAGE) continue;
        status = step ? run_step(plan->ctx, step, now, &next)
                      : spt_dataset_resample(plan->ctx, now, onto, n_onto, &next);
        if (status >= 0) status = compile(plan, step, now, next);
        if (status < 0) break;
        spt_dataset_free(now);
        now = next;
        next = NULL;
    }
    if (status >= 0) {
        plan->p = spt_dataset_bands(now);
        plan->axis = spt__alloc(plan->ctx, (size_t)plan->p, sizeof *plan->axis);
        if (plan->axis)
            memcpy(plan->axis, spt_dataset_axis(now), (size_t)plan->p * sizeof *plan->axis);
        else
            status = spt__nomem(&plan->ctx->err);
    }
    spt_dataset_free(next);
    spt_dataset_free(now);
    return status;
}

int32_t spt__prep_plan_init(spt__prep_plan *plan, spt_ctx *ctx, const spt_prep *prep,
                            const double *axis, int64_t p_in, int32_t axis_unit, const double *onto,
                            int64_t n_onto)
{
    if (p_in < 2)
        return spt__fail(&ctx->err, SPT_EINVAL, "the number of bands is %lld; 2 or more are needed",
                         (long long)p_in);
    *plan = (spt__prep_plan){.ctx = ctx, .p_in = p_in, .widest = p_in};
    plan->ops = spt__calloc(ctx, (size_t)prep->n_steps + 1, sizeof *plan->ops);
    double *zeros = spt__calloc(ctx, (size_t)p_in, sizeof *zeros);
    spt_dataset *probe = NULL;
    spt_matrix m;
    spt_record_init(&m, sizeof m);
    m.dtype = SPT_FLOAT64;
    m.data = zeros;
    m.rows = 1;
    m.cols = p_in;
    int32_t status = plan->ops && zeros ? spt_dataset_new(ctx, &m, axis, axis_unit,
                                                          SPT_UNIT_UNKNOWN, 0, NULL, NULL, &probe)
                                        : spt__nomem(&ctx->err);
    if (status >= 0) status = compile_all(plan, prep, probe, onto, n_onto);
    spt__free(ctx, zeros);
    if (status < 0) spt__prep_plan_free(plan);
    return status;
}

void spt__prep_plan_free(spt__prep_plan *plan)
{
    if (!plan->ctx) return;
    for (int64_t i = 0; i < plan->n_ops; i++)
        spt__free(plan->ctx, plan->ops[i].places);
    spt__free(plan->ctx, plan->ops);
    spt__free(plan->ctx, plan->axis);
    *plan = (spt__prep_plan){0};
}

int64_t spt__prep_plan_scratch(const spt__prep_plan *plan)
{
    return 2 * plan->widest;
}

static void resample_row(const spt__prep_op *op, const double *restrict x, double *restrict out)
{
    for (int64_t j = 0; j < op->p; j++) {
        const double *at = x + op->places[j].left;
        double share = op->places[j].share;
        /* A band met exactly has its value, whatever the neighbour is. */
        out[j] = share == 0 ? at[0] : share == 1 ? at[1] : at[0] + share * (at[1] - at[0]);
    }
}

static void decimate_row(const spt__prep_op *op, const double *restrict x, double *restrict out)
{
    for (int64_t j = 0; j < op->p; j++) {
        const double *from = x + j * op->factor;
        double sum = 0;
        for (int64_t k = 0; op->average && k < op->factor; k++)
            sum += from[k];
        out[j] = op->average ? sum / (double)op->factor : from[0];
    }
}

void spt__prep_plan_row(const spt__prep_plan *plan, const double *x, double *out, double *scratch)
{
    double *to = scratch, *other = scratch + plan->widest;
    for (int64_t i = 0; i < plan->n_ops; i++) {
        const spt__prep_op *op = &plan->ops[i];
        if (op->kind == SPT__STEP_CROP) {
            x += op->first;
            continue;
        }
        if (op->kind == SPT__STEP_RESAMPLE)
            resample_row(op, x, to);
        else
            decimate_row(op, x, to);
        double *filled = to;
        to = other;
        other = filled;
        x = filled;
    }
    memcpy(out, x, (size_t)plan->p * sizeof *out);
}
