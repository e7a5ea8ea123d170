/* Pooling of one sample over windows of its length, per channel. */
#include "lanes.h"

#include <string.h>

/* The part of window o that lies inside: first row and number of rows, at least one. */
static int64_t inside(const spt__windows *w, int64_t o, int64_t *rows)
{
    int64_t start = o * w->stride - w->before, end = start + w->size;
    if (start < 0) start = 0;
    if (end > w->length) end = w->length;
    *rows = end - start;
    return start;
}

/* ---- forward --------------------------------------------------------------------------------- */

/* The usual window: two rows. The first of equals stays, NaN goes on. */
static void larger_of_two(const float *restrict x, int64_t channels, float *restrict y,
                          uint16_t *restrict place)
{
    const float *next = x + channels;
    for (int64_t c = 0; c < channels; c++)
        y[c] = next[c] > x[c] ? next[c] : x[c];
    for (int64_t c = 0; place && c < channels; c++)
        place[c] = next[c] > x[c];
}

static void largest(const float *restrict x, int64_t rows, int64_t channels, float *restrict y,
                    uint16_t *restrict place)
{
    memcpy(y, x, (size_t)channels * sizeof *y);
    for (int64_t r = 1; r < rows; r++)
        for (int64_t c = 0; c < channels; c++)
            y[c] = x[r * channels + c] > y[c] ? x[r * channels + c] : y[c];
    if (!place) return;
    memset(place, 0, (size_t)channels * sizeof *place);
    for (int64_t r = rows - 1; r > 0; r--) /* the first of equals stays */
        for (int64_t c = 0; c < channels; c++)
            place[c] = x[r * channels + c] < y[c] ? place[c] : (uint16_t)r;
    for (int64_t c = 0; c < channels; c++)
        place[c] = x[c] < y[c] ? place[c] : 0;
}

static void average(const float *restrict x, int64_t rows, int64_t channels, float *restrict y)
{
    float share = 1.0F / (float)rows;
    memcpy(y, x, (size_t)channels * sizeof *y);
    for (int64_t r = 1; r < rows; r++)
        for (int64_t c = 0; c < channels; c++)
            y[c] += x[r * channels + c];
    for (int64_t c = 0; c < channels; c++)
        y[c] *= share;
}

void SPT__PATH(pool)(const spt__windows *w, const float *x, float *y, uint16_t *place)
{
    int64_t channels = w->channels;
    for (int64_t o = 0; o < w->outputs; o++, y += channels) {
        int64_t rows, start = inside(w, o, &rows);
        uint16_t *from = place ? place + o * channels : NULL;
        if (!w->largest)
            average(x + start * channels, rows, channels, y);
        else if (rows == 2)
            larger_of_two(x + start * channels, channels, y, from);
        else
            largest(x + start * channels, rows, channels, y, from);
    }
}

/* ---- back ------------------------------------------------------------------------------------ */

/* Windows that share no row: each writes its rows, the gradient where the largest stood. */
static void place_largest(const float *restrict g, const uint16_t *restrict place, int64_t rows,
                          int64_t channels, float *restrict out)
{
    for (int64_t r = 0; r < rows; r++, out += channels)
        for (int64_t c = 0; c < channels; c++)
            out[c] = place[c] == r ? g[c] : 0.0F;
}

static void place_average(const float *restrict g, int64_t rows, int64_t channels,
                          float *restrict out)
{
    float share = 1.0F / (float)rows;
    for (int64_t r = 0; r < rows; r++, out += channels)
        for (int64_t c = 0; c < channels; c++)
            out[c] = g[c] * share;
}

static void clear(float *out, int64_t from, int64_t to, int64_t channels)
{
    if (to > from) memset(out + from * channels, 0, (size_t)((to - from) * channels) * sizeof *out);
}

static void back_apart(const spt__windows *w, const float *g, const uint16_t *place, float *out)
{
    int64_t channels = w->channels, done = 0;
    for (int64_t o = 0; o < w->outputs; o++, g += channels) {
        int64_t rows, start = inside(w, o, &rows);
        clear(out, done, start, channels);
        if (w->largest)
            place_largest(g, place + o * channels, rows, channels, out + start * channels);
        else
            place_average(g, rows, channels, out + start * channels);
        done = start + rows;
    }
    clear(out, done, w->length, channels);
}

static void add_largest(const float *restrict g, const uint16_t *restrict place, int64_t channels,
                        float *restrict out)
{
    for (int64_t c = 0; c < channels; c++)
        out[place[c] * channels + c] += g[c];
}

static void add_average(const float *restrict g, int64_t rows, int64_t channels,
                        float *restrict out)
{
    float share = 1.0F / (float)rows;
    for (int64_t r = 0; r < rows; r++, out += channels)
        for (int64_t c = 0; c < channels; c++)
            out[c] += g[c] * share;
}

void SPT__PATH(pool_back)(const spt__windows *w, const float *g, const uint16_t *place, float *out)
{
    if (w->stride >= w->size) {
        back_apart(w, g, place, out);
        return;
    }
    int64_t channels = w->channels;
    clear(out, 0, w->length, channels);
    for (int64_t o = 0; o < w->outputs; o++, g += channels) {
        int64_t rows, start = inside(w, o, &rows);
        if (w->largest)
            add_largest(g, place + o * channels, channels, out + start * channels);
        else
            add_average(g, rows, channels, out + start * channels);
    }
}
