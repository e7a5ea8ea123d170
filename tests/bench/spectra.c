/* Made-up spectra of soils, as large and as awkward as real ones: broad bands that overlap,
 * scatter, baselines, noise. */
#include "bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Absorption bands in nm: iron oxides and organic matter in the visible range, overtones of OH,
 * water, clay minerals, carbonate. One column of shapes for each constituent. */
enum { SHAPES = 11, CONSTITUENTS = 5 };
static const struct {
    double centre, width, strength[CONSTITUENTS]; /* carbon, iron, water, clay, carbonate */
} shapes[SHAPES] = {
    {420, 170, {0.30, 0.20, 0.00, 0.00, 0.00}}, {530, 60, {0.00, 0.25, 0.00, 0.00, 0.00}},
    {660, 190, {0.35, 0.05, 0.00, 0.00, 0.00}}, {900, 110, {0.00, 0.22, 0.00, 0.00, 0.00}},
    {1415, 32, {0.00, 0.00, 0.12, 0.08, 0.00}}, {1450, 70, {0.02, 0.00, 0.22, 0.00, 0.00}},
    {1725, 45, {0.06, 0.00, 0.00, 0.00, 0.00}}, {1915, 40, {0.00, 0.00, 0.35, 0.05, 0.00}},
    {2205, 26, {0.03, 0.00, 0.02, 0.18, 0.00}}, {2310, 38, {0.07, 0.00, 0.00, 0.03, 0.04}},
    {2340, 30, {0.03, 0.00, 0.00, 0.00, 0.20}},
};

/* The same stream on every machine; each sample has one of its own, so that the first rows of a
 * large dataset are those of a small one. */
static double uniform(uint64_t *state)
{
    *state += 0x9e3779b97f4a7c15U;
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return (double)((z ^ (z >> 31)) >> 11) / 9007199254740992.0;
}

static void shape_tables(const double *axis, double table[CONSTITUENTS][BENCH_BANDS])
{
    for (int k = 0; k < CONSTITUENTS; k++)
        for (int j = 0; j < BENCH_BANDS; j++) {
            table[k][j] = 0;
            for (int s = 0; s < SHAPES; s++) {
                const double d = (axis[j] - shapes[s].centre) / shapes[s].width;
                table[k][j] += shapes[s].strength[k] * exp(-0.5 * d * d);
            }
        }
}

static void spectrum(int64_t row, double table[CONSTITUENTS][BENCH_BANDS], float *out,
                     double *carbon)
{
    uint64_t state = (uint64_t)row * 0xd1342543de82ef95U + 7;
    double amount[CONSTITUENTS];
    for (int k = 0; k < CONSTITUENTS; k++)
        amount[k] = uniform(&state);
    *carbon = 0.2 + 5 * amount[0] * amount[0] * amount[0]; /* percent; most soils hold little */
    amount[0] = log1p(*carbon);                            /* dark soils darken no further */
    const double scatter = 0.85 + 0.3 * uniform(&state), offset = 0.15 + 0.15 * uniform(&state);
    const double slope = 0.1 * uniform(&state);
    for (int j = 0; j < BENCH_BANDS; j++) {
        double a = 0;
        for (int k = 0; k < CONSTITUENTS; k++)
            a += amount[k] * table[k][j];
        const double noise = uniform(&state) + uniform(&state) - 1;
        out[j] = (float)(offset - slope * j / BENCH_BANDS + scatter * a + 0.001 * noise);
    }
}

int32_t bench_dataset(spt_ctx *ctx, int64_t n, spt_dataset **out)
{
    double axis[BENCH_BANDS], table[CONSTITUENTS][BENCH_BANDS];
    float *x = malloc((size_t)n * BENCH_BANDS * sizeof *x);
    double *y = malloc((size_t)n * sizeof *y);
    spt_dataset *bare = NULL;
    spt_matrix view;
    int32_t status = SPT_ENOMEM;
    *out = NULL;
    if (x == NULL || y == NULL) goto done;
    for (int j = 0; j < BENCH_BANDS; j++)
        axis[j] = 400 + 10 * j;
    shape_tables(axis, table);
    for (int64_t i = 0; i < n; i++)
        spectrum(i, table, x + i * BENCH_BANDS, &y[i]);
    spt_record_init(&view, sizeof view);
    view.dtype = SPT_FLOAT32;
    view.data = x;
    view.rows = n;
    view.cols = BENCH_BANDS;
    status =
        spt_dataset_new(ctx, &view, axis, SPT_AXIS_NM, SPT_UNIT_ABSORBANCE, 0, NULL, NULL, &bare);
    if (status >= 0) status = spt_dataset_with_numbers(ctx, bare, "carbon", y, n, out);
done:
    spt_dataset_free(bare);
    free(x);
    free(y);
    return status;
}

static void standardise(const double *y, int64_t n, float *out)
{
    double mean = 0, squares = 0;
    for (int64_t i = 0; i < n; i++)
        mean += y[i] / (double)n;
    for (int64_t i = 0; i < n; i++)
        squares += (y[i] - mean) * (y[i] - mean);
    const double sd = sqrt(squares / (double)(n - 1));
    for (int64_t i = 0; i < n; i++)
        out[i] = (float)((y[i] - mean) / sd);
}

int32_t bench_inputs(spt_ctx *ctx, const bench_job *job, int64_t rows, float **x, float **y)
{
    spt_dataset *all = NULL, *dataset = NULL;
    spt_prep *prep = NULL;
    spt_scaler *scaler = NULL;
    double *carbon = malloc((size_t)rows * sizeof *carbon);
    *x = malloc((size_t)(rows * job->bands * job->channels) * sizeof **x);
    *y = malloc((size_t)rows * sizeof **y);
    int32_t status = SPT_ENOMEM;
    if (carbon == NULL || *x == NULL || *y == NULL) goto done;
    if ((status = bench_dataset(ctx, rows, &all)) < 0) goto done;
    const double *axis = spt_dataset_axis(all);
    if ((status = spt_dataset_crop(ctx, all, axis[0], axis[job->bands - 1], &dataset)) < 0)
        goto done;
    if ((status = spt_prep_new(ctx, &prep)) < 0) goto done;
    status = spt_prep_channels(ctx, prep, dataset, job->mask, SPT_FLOAT32, *x,
                               rows * job->bands * job->channels);
    if (status >= 0)
        status = spt_scaler_fit(ctx, *x, rows, job->bands, job->channels, NULL, 0,
                                SPT_SCALE_CHANNEL, &scaler);
    if (status >= 0) status = spt_scaler_apply(scaler, *x, rows);
    if (status >= 0)
        status =
            spt_dataset_numbers(dataset, spt_dataset_find_column(dataset, "carbon"), carbon, rows);
    if (status >= 0) standardise(carbon, rows, *y);
done:
    free(carbon);
    spt_scaler_free(scaler);
    spt_prep_free(prep);
    spt_dataset_free(dataset);
    spt_dataset_free(all);
    return status;
}
