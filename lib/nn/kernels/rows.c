/* Loops over rows of channels: sums of a batch, normalisation. */
#include "lanes.h"

#include <string.h>

/* Floats are added up to this many times before the sum goes on in double. */
enum { ADDITIONS = 64 };

static int64_t row_width(int64_t channels)
{
    return spt__wide(channels);
}

/* Samples without a gap between them are one. */
static spt__rows joined(spt__rows r)
{
    if (r.n > 1 && r.stride == r.length * r.channels) {
        r.length *= r.n;
        r.n = 1;
    }
    return r;
}

static void flush(float *partial, int64_t wide, int64_t channels, double *sums)
{
    for (int64_t j = 0; j < wide; j += channels)
        for (int64_t c = 0; c < channels; c++)
            sums[c] += (double)partial[j + c];
    memset(partial, 0, (size_t)wide * sizeof *partial);
}

static void add(const float *restrict x, int64_t n, float *restrict partial)
{
    for (int64_t j = 0; j < n; j++)
        partial[j] += x[j];
}

void SPT__PATH(sums)(const float *x, spt__rows rows, float *partial, double *sums)
{
    spt__rows r = joined(rows);
    int64_t wide = row_width(r.channels), size = r.length * r.channels, steps = 0;
    memset(partial, 0, (size_t)wide * sizeof *partial);
    for (int64_t s = 0; s < r.n; s++)
        for (int64_t at = 0; at < size; at += wide) {
            add(x + s * r.stride + at, size - at < wide ? size - at : wide, partial);
            if (++steps % ADDITIONS == 0) flush(partial, wide, r.channels, sums);
        }
    flush(partial, wide, r.channels, sums);
}

static void add_squares(const float *restrict x, const float *restrict mean, int64_t n,
                        float *restrict partial)
{
    for (int64_t j = 0; j < n; j++)
        partial[j] += (x[j] - mean[j]) * (x[j] - mean[j]);
}

void SPT__PATH(squares)(const float *x, spt__rows rows, const float *mean, float *partial,
                        double *sums)
{
    spt__rows r = joined(rows);
    int64_t wide = row_width(r.channels), size = r.length * r.channels, steps = 0;
    memset(partial, 0, (size_t)wide * sizeof *partial);
    for (int64_t s = 0; s < r.n; s++)
        for (int64_t at = 0; at < size; at += wide) {
            add_squares(x + s * r.stride + at, mean, size - at < wide ? size - at : wide, partial);
            if (++steps % ADDITIONS == 0) flush(partial, wide, r.channels, sums);
        }
    flush(partial, wide, r.channels, sums);
}

static void add_products(const float *restrict x, const float *restrict g,
                         const float *restrict mean, int64_t n, float *restrict a,
                         float *restrict b)
{
    for (int64_t j = 0; j < n; j++) {
        a[j] += g[j];
        b[j] += g[j] * (x[j] - mean[j]);
    }
}

void SPT__PATH(products)(const float *x, const float *g, spt__rows x_rows, int64_t g_stride,
                         const float *mean, float *partial, double *sums)
{
    spt__rows r = x_rows;
    if (g_stride == x_rows.stride) r = joined(r);
    int64_t wide = row_width(r.channels), size = r.length * r.channels, steps = 0;
    float *other = partial + wide;
    memset(partial, 0, 2 * (size_t)wide * sizeof *partial);
    for (int64_t s = 0; s < r.n; s++)
        for (int64_t at = 0; at < size; at += wide) {
            add_products(x + s * r.stride + at, g + s * g_stride + at, mean,
                         size - at < wide ? size - at : wide, partial, other);
            if (++steps % ADDITIONS != 0) continue;
            flush(partial, wide, r.channels, sums);
            flush(other, wide, r.channels, sums + r.channels);
        }
    flush(partial, wide, r.channels, sums);
    flush(other, wide, r.channels, sums + r.channels);
}

/* ---- normalisation --------------------------------------------------------------------------- */

static void scale(const float *x, float *y, int64_t n, const float *mean, const float *factor,
                  const float *shift)
{
    SPT__EACH_ALONE
    for (int64_t j = 0; j < n; j++)
        y[j] = (x[j] - mean[j]) * factor[j] + shift[j];
}

static void scale_relu(const float *x, float *y, int64_t n, const float *mean, const float *factor,
                       const float *shift)
{
    SPT__EACH_ALONE
    for (int64_t j = 0; j < n; j++) {
        float v = (x[j] - mean[j]) * factor[j] + shift[j];
        y[j] = v < 0.0F ? 0.0F : v;
    }
}

void SPT__PATH(normalise)(const float *x, float *y, spt__rows x_rows, int64_t y_stride,
                          const float *mean, const float *factor, const float *shift,
                          int32_t activation)
{
    spt__rows r = x_rows;
    if (y_stride == x_rows.stride) r = joined(r);
    int64_t wide = row_width(r.channels), size = r.length * r.channels;
    for (int64_t s = 0; s < r.n; s++)
        for (int64_t at = 0; at < size; at += wide) {
            const float *from = x + s * r.stride + at;
            float *to = y + s * y_stride + at;
            int64_t n = size - at < wide ? size - at : wide;
            if (activation == SPT__RELU) {
                scale_relu(from, to, n, mean, factor, shift);
                continue;
            }
            scale(from, to, n, mean, factor, shift);
            if (activation) SPT__PATH(activate)(activation, to, to, n);
        }
}

static void scale_back(const float *x, const float *g, float *out, int64_t n, const float *mean,
                       const float *factor, const float *level, const float *slope)
{
    SPT__EACH_ALONE
    for (int64_t j = 0; j < n; j++)
        out[j] = factor[j] * (g[j] - level[j] - (x[j] - mean[j]) * slope[j]);
}

void SPT__PATH(normalise_back)(const float *x, const float *g, float *out, spt__rows x_rows,
                               int64_t g_stride, const float *mean, const float *factor,
                               const float *level, const float *slope)
{
    spt__rows r = x_rows;
    if (g_stride == x_rows.stride) r = joined(r);
    int64_t wide = row_width(r.channels), size = r.length * r.channels;
    for (int64_t s = 0; s < r.n; s++)
        for (int64_t at = 0; at < size; at += wide)
            scale_back(x + s * r.stride + at, g + s * g_stride + at, out + s * r.stride + at,
                       size - at < wide ? size - at : wide, mean, factor, level, slope);
}
