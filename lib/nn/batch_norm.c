/* Batch normalisation per channel or unit (Ioffe and Szegedy 2015), statistics over the batch and,
 * before the first dense layer, over the length. */
#include "pass.h"

#include "../base/text.h"

#include <math.h>

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

/* work: mean, factor (scale / deviation), shift, then 1 / deviation. */
static void plan(const spt__layer *l, int64_t capacity, int32_t mode, spt__slot *slot,
                 spt__arena *arena)
{
    (void)capacity;
    (void)mode;
    int64_t c = l->in.channels;
    slot->work = spt__arena_take(arena, 4 * c, sizeof(float));
    slot->partial = spt__arena_take(arena, 2 * c, sizeof(float));
    slot->sums = spt__arena_take(arena, 2 * c, sizeof(double));
}

/* Sum of squared deviations per channel, as spt__channel_sums. */
static void squares(const float *x, int64_t stride, int64_t n, int64_t length, int64_t channels,
                    const float *mean, float *partial, double *sums)
{
    for (int64_t c = 0; c < channels; c++)
        sums[c] = 0.0;
    for (int64_t s = 0; s < n; s++) {
        const float *row = x + s * stride;
        for (int64_t c = 0; c < channels; c++)
            partial[c] = 0.0F;
        for (int64_t r = 0; r < length; r++, row += channels) {
            SPT__EACH_ALONE
            for (int64_t c = 0; c < channels; c++)
                partial[c] += (row[c] - mean[c]) * (row[c] - mean[c]);
        }
        for (int64_t c = 0; c < channels; c++)
            sums[c] += (double)partial[c];
    }
}

/* Statistics of the batch into work; the running ones follow. */
static void measure(spt__pass *p, int32_t i, int64_t n)
{
    const spt__layer *l = &p->network->layers[i];
    int64_t channels = l->in.channels, stride = l->in_layout.stride;
    double count = (double)(n * l->in.length);
    spt__slot *slot = &p->slots[i];
    float *mean = slot->work, *inverse = slot->work + 3 * channels;
    spt__channel_sums(p->x[i], stride, n, l->in.length, channels, slot->partial, slot->sums);
    for (int64_t c = 0; c < channels; c++)
        mean[c] = (float)(slot->sums[c] / count);
    squares(p->x[i], stride, n, l->in.length, channels, mean, slot->partial, slot->sums);
    for (int64_t c = 0; c < channels; c++)
        inverse[c] = (float)(1.0 / sqrt(slot->sums[c] / count + epsilon));
    if (!p->statistics) return;

    const spt__tensor *t = &p->network->tensors[l->tensor];
    float *running_mean = p->statistics + (t[MEAN].offset - p->network->n_trainable);
    float *running_variance = p->statistics + (t[VARIANCE].offset - p->network->n_trainable);
    for (int64_t c = 0; c < channels; c++) {
        running_mean[c] += (float)(momentum * ((double)mean[c] - (double)running_mean[c]));
        /* One value has no unbiased variance: the running one stays. */
        if (count < 2.0) continue;
        double variance = slot->sums[c] / (count - 1.0);
        running_variance[c] += (float)(momentum * (variance - (double)running_variance[c]));
    }
}

static void use_running(spt__pass *p, int32_t i)
{
    const spt__layer *l = &p->network->layers[i];
    int64_t channels = l->in.channels;
    float *mean = p->slots[i].work, *inverse = p->slots[i].work + 3 * channels;
    const float *running = spt__pass_values(p, l, MEAN);
    const float *variance = spt__pass_values(p, l, VARIANCE);
    for (int64_t c = 0; c < channels; c++) {
        mean[c] = running[c];
        inverse[c] = (float)(1.0 / sqrt((double)variance[c] + epsilon));
    }
}

static int32_t forward(spt__pass *p, int32_t i, int64_t first, int64_t n)
{
    const spt__layer *l = &p->network->layers[i];
    int64_t channels = l->in.channels;
    if (p->mode & SPT__TRAIN)
        measure(p, i, n);
    else
        use_running(p, i);
    float *mean = p->slots[i].work, *factor = mean + channels, *shift = factor + channels;
    const float *inverse = shift + channels;
    for (int64_t c = 0; c < channels; c++) {
        factor[c] = spt__pass_values(p, l, SCALE)[c] * inverse[c];
        shift[c] = spt__pass_values(p, l, SHIFT)[c];
    }
    for (int64_t s = first; s < first + n; s++) {
        const float *x = p->x[i] + s * l->in_layout.stride;
        float *y = p->x[i + 1] + s * l->out_layout.stride;
        for (int64_t r = 0; r < l->in.length; r++, x += channels, y += channels) {
            SPT__EACH_ALONE
            for (int64_t c = 0; c < channels; c++)
                y[c] = (x[c] - mean[c]) * factor[c] + shift[c];
        }
    }
    return SPT_OK;
}

/* Sums over the batch of the gradient, and of the gradient times the normalised input. */
static void gradient_sums(const spt__pass *p, int32_t i, int64_t n)
{
    const spt__layer *l = &p->network->layers[i];
    int64_t channels = l->in.channels;
    const spt__slot *slot = &p->slots[i];
    const float *mean = slot->work;
    float *a = slot->partial, *b = a + channels;
    for (int64_t c = 0; c < 2 * channels; c++)
        slot->sums[c] = 0.0;
    for (int64_t s = 0; s < n; s++) {
        const float *x = p->x[i] + s * l->in_layout.stride;
        const float *g = p->g[i + 1] + s * l->out_layout.stride;
        for (int64_t c = 0; c < channels; c++)
            a[c] = b[c] = 0.0F;
        for (int64_t r = 0; r < l->in.length; r++, x += channels, g += channels) {
            SPT__EACH_ALONE
            for (int64_t c = 0; c < channels; c++)
                a[c] += g[c];
            SPT__EACH_ALONE
            for (int64_t c = 0; c < channels; c++)
                b[c] += g[c] * (x[c] - mean[c]);
        }
        for (int64_t c = 0; c < 2 * channels; c++)
            slot->sums[c] += (double)a[c];
    }
    for (int64_t c = 0; c < channels; c++)
        slot->sums[channels + c] *= (double)slot->work[3 * channels + c];
}

static int32_t backward(spt__pass *p, int32_t i, int64_t n)
{
    const spt__layer *l = &p->network->layers[i];
    int64_t channels = l->in.channels;
    double count = (double)(n * l->in.length);
    spt__slot *slot = &p->slots[i];
    gradient_sums(p, i, n);
    float *g_scale = spt__pass_gradient(p, l, SCALE), *g_shift = spt__pass_gradient(p, l, SHIFT);
    for (int64_t c = 0; c < channels; c++) {
        g_shift[c] = (float)slot->sums[c];
        g_scale[c] = (float)slot->sums[channels + c];
    }
    if (!p->g[i]) return SPT_OK;
    /* dx = factor (g - mean(g) - normalised x * mean(g * normalised x)) */
    const float *mean = slot->work, *factor = mean + channels, *inverse = mean + 3 * channels;
    float *level = slot->partial, *slope = level + channels;
    for (int64_t c = 0; c < channels; c++) {
        level[c] = (float)(slot->sums[c] / count);
        slope[c] = (float)(slot->sums[channels + c] / count * (double)inverse[c]);
    }
    for (int64_t s = 0; s < n; s++) {
        const float *x = p->x[i] + s * l->in_layout.stride;
        const float *g = p->g[i + 1] + s * l->out_layout.stride;
        float *out = p->g[i] + s * l->in_layout.stride;
        for (int64_t r = 0; r < l->in.length; r++, x += channels, g += channels, out += channels) {
            SPT__EACH_ALONE
            for (int64_t c = 0; c < channels; c++)
                out[c] = factor[c] * (g[c] - level[c] - (x[c] - mean[c]) * slope[c]);
        }
    }
    return SPT_OK;
}

const spt__layer_kind spt__kind_batch_norm = {
    .name = "bn",
    .elementwise = true,
    .batch_coupled = true,
    .shape = shape,
    .tensors = tensors,
    .plan = plan,
    .forward = forward,
    .backward = backward,
};
