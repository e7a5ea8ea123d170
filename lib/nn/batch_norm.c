/* Batch normalisation per channel or unit (Ioffe and Szegedy 2015), statistics over the batch and,
 * before the first dense layer, over the length. */
#include "pass.h"

#include "../base/text.h"

#include <math.h>
#include <string.h>

enum { SCALE, SHIFT, MEAN, VARIANCE };
static const double epsilon = 1e-5, momentum = 0.1;

static int32_t shape(spt__layer *l, spt__err *e)
{
    (void)e;
    l->out = l->in;
    return SPT_OK;
}

static int32_t tensors(spt_network *network, int32_t layer, spt__err *e)
{
    int64_t c = network->layers[layer].in.channels;
    static const struct {
        const char *role;
        spt__init init;
        bool trainable;
    } rows[] = {{"scale", SPT__INIT_ONE, true},
                {"shift", SPT__INIT_ZERO, true},
                {"mean", SPT__INIT_ZERO, false},
                {"variance", SPT__INIT_ONE, false}};
    for (int i = 0; i < 4; i++)
        SPT__TRY(spt__add_tensor(
            network, layer, rows[i].role,
            (spt__tensor){
                .trainable = rows[i].trainable, .init = rows[i].init, .n_dims = 1, .dims = {c}},
            e));
    return SPT_OK;
}

/* Tables of spt__wide() values that repeat the channels. */
enum { T_MEAN, T_FACTOR, T_SHIFT, T_LEVEL, T_SLOPE, TABLES };
/* Sums per channel: of a block, then those of the batch so far. */
enum { S_BLOCK, S_BLOCK_2, S_MEAN, S_SQUARES, SUMS };

static float *table_of(const spt__pass *p, int32_t i, int32_t k)
{
    return p->slots[i].work + k * spt__wide(p->network->layers[i].in.channels);
}
static double *sums_of(const spt__pass *p, int32_t i, int32_t k)
{
    return p->slots[i].sums + k * p->network->layers[i].in.channels;
}
static void repeat(float *table, int64_t channels)
{
    for (int64_t j = channels; j < spt__wide(channels); j++)
        table[j] = table[j - channels];
}

static void plan(const spt__pass *p, int32_t i, spt__slot *slot, spt__arena *arena)
{
    int64_t c = p->network->layers[i].in.channels, wide = spt__wide(c);
    slot->work = spt__arena_take(arena, TABLES * wide, sizeof(float));
    if (!(p->mode & SPT__TRAIN)) return;
    slot->partial = spt__arena_take(arena, 2 * wide, sizeof(float));
    slot->sums = spt__arena_take(arena, SUMS * c, sizeof(double));
}

void spt__batch_norm_running(const spt__pass *p, int32_t i, float *mean, float *factor,
                             float *shift)
{
    const spt__layer *l = &p->network->layers[i];
    const float *variance = spt__pass_values(p, l, VARIANCE);
    for (int64_t c = 0; c < l->in.channels; c++) {
        mean[c] = spt__pass_values(p, l, MEAN)[c];
        factor[c] =
            spt__pass_values(p, l, SCALE)[c] * (float)(1.0 / sqrt((double)variance[c] + epsilon));
        shift[c] = spt__pass_values(p, l, SHIFT)[c];
    }
}

static void prepare(spt__pass *p, int32_t i)
{
    if ((p->mode & SPT__TRAIN) || p->slots[i].done) return;
    int64_t channels = p->network->layers[i].in.channels;
    spt__batch_norm_running(p, i, table_of(p, i, T_MEAN), table_of(p, i, T_FACTOR),
                            table_of(p, i, T_SHIFT));
    for (int32_t k = T_MEAN; k <= T_SHIFT; k++)
        repeat(table_of(p, i, k), channels);
}

/* ---- statistics of a batch ------------------------------------------------------------------- */

/* Mean and squares of a block, joined with those of the blocks before (Chan, Golub and LeVeque
 * 1979), so that a block is looked at while it is in the cache. */
static void gather(spt__pass *p, int32_t i, int64_t first, int64_t n)
{
    const spt__layer *l = &p->network->layers[i];
    int64_t channels = l->in.channels;
    spt__slot *slot = &p->slots[i];
    double *sum = sums_of(p, i, S_BLOCK), *square = sums_of(p, i, S_BLOCK_2);
    double *mean = sums_of(p, i, S_MEAN), *squares = sums_of(p, i, S_SQUARES);
    float *block_mean = table_of(p, i, T_MEAN);
    if (first == 0) memset(slot->sums, 0, (size_t)(SUMS * channels) * sizeof *slot->sums);
    memset(sum, 0, (size_t)(2 * channels) * sizeof *sum);
    const float *x = spt__pass_x(p, i, first);
    spt__rows rows = spt__layer_rows(l, n);
    double before = (double)(first * l->in.length), here = (double)(n * l->in.length);
    p->kernels->sums(x, rows, slot->partial, sum);
    for (int64_t c = 0; c < channels; c++)
        block_mean[c] = (float)(sum[c] / here);
    repeat(block_mean, channels);
    p->kernels->squares(x, rows, block_mean, slot->partial, square);
    for (int64_t c = 0; c < channels; c++) {
        double apart = sum[c] / here - mean[c];
        mean[c] += apart * here / (before + here);
        squares[c] += square[c] + apart * apart * before * here / (before + here);
    }
}

/* The running statistics follow the newest batch. */
static void run_after(spt__pass *p, int32_t i, double count)
{
    const spt__layer *l = &p->network->layers[i];
    const spt__tensor *t = &p->network->tensors[l->tensor];
    float *running_mean = p->statistics + (t[MEAN].offset - p->network->n_trainable);
    float *running_variance = p->statistics + (t[VARIANCE].offset - p->network->n_trainable);
    for (int64_t c = 0; c < l->in.channels; c++) {
        double mean = sums_of(p, i, S_MEAN)[c];
        running_mean[c] += (float)(momentum * (mean - (double)running_mean[c]));
        /* One value has no unbiased variance: the running one stays. */
        if (count < 2.0) continue;
        double variance = sums_of(p, i, S_SQUARES)[c] / (count - 1.0);
        running_variance[c] += (float)(momentum * (variance - (double)running_variance[c]));
    }
}

/* 1 / deviation of a channel in the batch. */
static double inverse_of(const spt__pass *p, int32_t i, int64_t c)
{
    double count = (double)(p->rows * p->network->layers[i].in.length);
    return 1.0 / sqrt(sums_of(p, i, S_SQUARES)[c] / count + epsilon);
}

static void settle(spt__pass *p, int32_t i)
{
    const spt__layer *l = &p->network->layers[i];
    int64_t channels = l->in.channels;
    float *mean = table_of(p, i, T_MEAN), *factor = table_of(p, i, T_FACTOR),
          *shift = table_of(p, i, T_SHIFT);
    for (int64_t c = 0; c < channels; c++) {
        mean[c] = (float)sums_of(p, i, S_MEAN)[c];
        factor[c] = spt__pass_values(p, l, SCALE)[c] * (float)inverse_of(p, i, c);
        shift[c] = spt__pass_values(p, l, SHIFT)[c];
    }
    for (int32_t k = T_MEAN; k <= T_SHIFT; k++)
        repeat(table_of(p, i, k), channels);
    if (p->statistics) run_after(p, i, (double)(p->rows * l->in.length));
}

static int32_t forward(spt__pass *p, int32_t i, int64_t first, int64_t n)
{
    const spt__layer *l = &p->network->layers[i];
    p->kernels->normalise(spt__pass_x(p, i, first), spt__pass_x(p, i + 1, first),
                          spt__layer_rows(l, n), l->out_layout.stride, table_of(p, i, T_MEAN),
                          table_of(p, i, T_FACTOR), table_of(p, i, T_SHIFT),
                          p->slots[i].activation);
    return SPT_OK;
}

/* ---- back ------------------------------------------------------------------------------------ */

/* Sums over the batch of the gradient, and of the gradient times the centred input. */
static void gather_back(spt__pass *p, int32_t i, int64_t first, int64_t n)
{
    const spt__layer *l = &p->network->layers[i];
    double *sum = sums_of(p, i, S_BLOCK);
    if (first == 0) memset(sum, 0, (size_t)(2 * l->in.channels) * sizeof *sum);
    p->kernels->products(spt__pass_x(p, i, first), spt__pass_g(p, i + 1, first),
                         spt__layer_rows(l, n), l->out_layout.stride, table_of(p, i, T_MEAN),
                         p->slots[i].partial, sum);
}

/* dx = factor (g - mean(g) - normalised x * mean(g * normalised x)) */
static void settle_back(spt__pass *p, int32_t i)
{
    const spt__layer *l = &p->network->layers[i];
    int64_t channels = l->in.channels;
    double count = (double)(p->rows * l->in.length);
    float *g_scale = spt__pass_gradient(p, l, SCALE), *g_shift = spt__pass_gradient(p, l, SHIFT);
    float *level = table_of(p, i, T_LEVEL), *slope = table_of(p, i, T_SLOPE);
    for (int64_t c = 0; c < channels; c++) {
        double inverse = inverse_of(p, i, c), product = sums_of(p, i, S_BLOCK_2)[c] * inverse;
        g_shift[c] = (float)sums_of(p, i, S_BLOCK)[c];
        g_scale[c] = (float)product;
        level[c] = (float)(sums_of(p, i, S_BLOCK)[c] / count);
        slope[c] = (float)(product * inverse / count);
    }
    repeat(level, channels);
    repeat(slope, channels);
}

static int32_t backward(spt__pass *p, int32_t i, int64_t first, int64_t n)
{
    const spt__layer *l = &p->network->layers[i];
    if (!p->g[i]) return SPT_OK;
    p->kernels->normalise_back(
        spt__pass_x(p, i, first), spt__pass_g(p, i + 1, first), spt__pass_g(p, i, first),
        spt__layer_rows(l, n), l->out_layout.stride, table_of(p, i, T_MEAN),
        table_of(p, i, T_FACTOR), table_of(p, i, T_LEVEL), table_of(p, i, T_SLOPE));
    return SPT_OK;
}

const spt__layer_kind spt__kind_batch_norm = {
    .name = "bn",
    .elementwise = true,
    .epilogue = true,
    .shape = shape,
    .tensors = tensors,
    .plan = plan,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .gather = gather,
    .settle = settle,
    .gather_back = gather_back,
    .settle_back = settle_back,
};
