/* What fitting asks of the columns of its samples, told in the samples' own names. */
#include "fit.h"

#include "../data/dataset.h"

#include <math.h>

/* A number column; `what` is its part, for messages. */
static int32_t find_numbers(const spt_dataset *samples, const char *name, const char *what,
                            int64_t *column, spt__err *e)
{
    spt_column_info info;
    spt_record_init(&info, sizeof info);
    int32_t found = spt__dataset_column_named(samples, name, column, e);
    if (found < 0) return spt__fail_prefix(e, "%s: ", what);
    SPT__TRY(spt_dataset_column(samples, *column, &info));
    if (info.kind == SPT_COLUMN_NUMBER) return SPT_OK;
    return spt__fail(e, SPT_EDATA, "%s '%.60s' is a column of text; numbers are needed", what,
                     name);
}

int32_t spt__fit_target_column(const spt_dataset *samples, const char *name, int64_t *column,
                               spt__err *e)
{
    return find_numbers(samples, name, "target", column, e);
}

int32_t spt__fit_weights(spt_ctx *ctx, const spt_dataset *samples, const char *name, float **out,
                         spt__err *e)
{
    int64_t n = spt_dataset_rows(samples), column = 0;
    double sum = 0;
    *out = NULL;
    if (!*name) return SPT_OK;
    SPT__TRY(find_numbers(samples, name, "weights", &column, e));
    double *values = spt__alloc(ctx, (size_t)n, sizeof *values);
    float *weights = spt__alloc(ctx, (size_t)n, sizeof *weights);
    int32_t status = values && weights ? SPT_OK : spt__nomem(e);
    if (status >= 0) status = spt_dataset_numbers(samples, column, values, n);
    for (int64_t i = 0; i < n && status >= 0; i++) {
        weights[i] = (float)values[i];
        sum += (double)weights[i];
        if (isnan(values[i]))
            status = spt__fail(e, SPT_EDATA,
                               "weights: '%.60s' of sample '%.60s' is missing; every sample needs "
                               "a weight",
                               name, spt_dataset_id(samples, i));
        else if (values[i] < 0 || isinf(weights[i]))
            status = spt__fail(e, SPT_EDATA,
                               "weights: '%.60s' of sample '%.60s' is %g; 0 to 3e38 are possible",
                               name, spt_dataset_id(samples, i), values[i]);
    }
    if (status >= 0 && !(sum > 0))
        status = spt__fail(e, SPT_EDATA,
                           "weights: '%.60s' is 0 for all %lld samples; one above 0 is needed",
                           name, (long long)n);
    spt__free(ctx, values);
    if (status < 0)
        spt__free(ctx, weights);
    else
        *out = weights;
    return status;
}

int32_t spt__fit_check_targets(const spt__fit_settings *settings, const spt_dataset *samples,
                               const char *name, const double *y, spt__err *e)
{
    int64_t n = spt_dataset_rows(samples);
    for (int64_t i = 0; settings->target == SPT__TARGET_LOG1P && i < n; i++)
        if (y[i] <= -1)
            return spt__fail(e, SPT_EDATA,
                             "target '%.60s' of sample '%.60s' is %g; target_transform log1p takes "
                             "values above -1",
                             name, spt_dataset_id(samples, i), y[i]);
    return SPT_OK;
}
