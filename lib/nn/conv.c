/* Convolution without copies of windows.
 *
 * The input stands padded, sample after sample, each `pitch` strides long. Window o of sample s
 * starts at row (s * pitch + o) * stride, so all windows of the batch are the rows of one matrix
 * that overlap (row stride = stride x channels) and the convolution is one product. Rows whose
 * window runs from one sample into the next are not outputs; they stand between the samples'
 * outputs and nobody reads them. In the gradient they are set to zero: then the same matrix,
 * transposed, gives the gradient of the weights, and windows that look back over the gradient that
 * of the input. */
#include "pass.h"

#include "gemm.h"
#include "../base/text.h"

#include <string.h>

static const int64_t max_filters = 65536, max_kernel = 65536;

static int32_t check_settings(const spt__layer *l, spt__err *e)
{
    if (l->in.flat)
        return spt__fail(e, SPT_ESHAPE, "%s: a convolution cannot follow a dense layer", l->name);
    if (l->units < 1 || l->units > max_filters)
        return spt__fail(e, SPT_EINVAL, "%s: filters is %lld; 1 to %lld are possible", l->name,
                         (long long)l->units, (long long)max_filters);
    if (l->kernel < 1 || l->kernel > max_kernel)
        return spt__fail(e, SPT_EINVAL, "%s: kernel is %lld; 1 to %lld are possible", l->name,
                         (long long)l->kernel, (long long)max_kernel);
    if (l->stride < 1 || l->stride > max_kernel)
        return spt__fail(e, SPT_EINVAL, "%s: stride is %lld; 1 to %lld are possible", l->name,
                         (long long)l->stride, (long long)max_kernel);
    if (l->padding != SPT_PADDING_VALID && l->padding != SPT_PADDING_SAME)
        return spt__fail(e, SPT_EINVAL,
                         "%s: padding is %d; SPT_PADDING_VALID and SPT_PADDING_SAME are possible",
                         l->name, (int)l->padding);
    return SPT_OK;
}

static int32_t shape(spt__layer *l, spt__err *e)
{
    SPT__TRY(check_settings(l, e));
    int64_t length = l->in.length, windows = 0;
    l->pad_before = 0;
    if (l->padding == SPT_PADDING_SAME) {
        windows = (length + l->stride - 1) / l->stride;
        int64_t pad = (windows - 1) * l->stride + l->kernel - length;
        if (pad > 0) l->pad_before = pad / 2;
    } else {
        if (l->kernel > length)
            return spt__fail(e, SPT_ESHAPE,
                             "%s: kernel %lld is longer than its input (length %lld); 1 to %lld "
                             "are possible, or padding same",
                             l->name, (long long)l->kernel, (long long)length, (long long)length);
        windows = (length - l->kernel) / l->stride + 1;
    }
    /* Long enough for all windows and for the values that no window reads, in whole strides. */
    int64_t end = (windows - 1) * l->stride + l->kernel;
    if (l->pad_before + length > end) end = l->pad_before + length;
    l->pitch = (end + l->stride - 1) / l->stride;
    l->out = (spt__shape){windows, l->units, false};
    return SPT_OK;
}

static int32_t tensors(spt_network *network, int32_t layer, spt__err *e)
{
    const spt__layer *l = &network->layers[layer];
    int64_t k = l->kernel, c = l->in.channels, f = l->units;
    SPT__TRY(spt__add_tensor(network, layer, "weight",
                             (spt__tensor){.trainable = true,
                                           .init = SPT__INIT_WEIGHT,
                                           .n_dims = 3,
                                           .dims = {k, c, f},
                                           .fan_in = k * c,
                                           .fan_out = k * f},
                             e));
    return spt__add_tensor(network, layer, "bias",
                           (spt__tensor){.trainable = true, .n_dims = 1, .dims = {f}}, e);
}

static void plan(const spt__layer *l, int64_t capacity, int32_t mode, spt__slot *slot,
                 spt__arena *arena)
{
    (void)capacity;
    if (!(mode & SPT__TRAIN)) return;
    slot->work = spt__arena_take(arena, l->kernel * l->in.channels * l->units, sizeof(float));
    slot->partial = spt__arena_take(arena, l->units, sizeof(float));
    slot->sums = spt__arena_take(arena, l->units, sizeof(double));
}

/* All windows of n samples from `first` on. */
static spt__mat windows_of(const spt__pass *p, int32_t i, int64_t first)
{
    const spt__layer *l = &p->network->layers[i];
    return (spt__mat){p->x[i] - l->in_layout.lead + first * l->in_layout.stride,
                      l->stride * l->in.channels, 1};
}

static int32_t forward(spt__pass *p, int32_t i, int64_t first, int64_t n)
{
    const spt__layer *l = &p->network->layers[i];
    int64_t width = l->kernel * l->in.channels, filters = l->units;
    int64_t rows = (n - 1) * l->pitch + l->out.length;
    float *y = p->x[i + 1] + first * l->out_layout.stride;
    spt__mat weight = {spt__pass_values(p, l, 0), filters, 1};
    SPT__TRY(spt__pass_gemm(p, rows, filters, width, windows_of(p, i, first), weight, y, filters));
    const float *bias = spt__pass_values(p, l, 1);
    for (int64_t s = 0; s < n; s++) {
        float *row = y + s * l->out_layout.stride;
        for (int64_t o = 0; o < l->out.length; o++, row += filters) {
            SPT__EACH_ALONE
            for (int64_t f = 0; f < filters; f++)
                row[f] += bias[f];
        }
    }
    return SPT_OK;
}

/* The input's gradient at rows r, r + stride, ...: output rows look back over the taps
 * r, r + stride, ... in reverse, so with the weights turned round it is a product again. */
static int32_t input_gradient(spt__pass *p, int32_t i, int64_t n, int64_t r)
{
    const spt__layer *l = &p->network->layers[i];
    int64_t c = l->in.channels, f = l->units;
    float *g = p->g[i] - l->in_layout.lead + r * c;
    int64_t taps = r < l->kernel ? (l->kernel - r + l->stride - 1) / l->stride : 0;
    const float *weight = spt__pass_values(p, l, 0);
    float *turned = p->slots[i].work;
    for (int64_t t = 0; t < taps; t++) {
        const float *tap = weight + (r + l->stride * (taps - 1 - t)) * c * f;
        for (int64_t a = 0; a < c; a++)
            for (int64_t b = 0; b < f; b++)
                turned[(t * f + b) * c + a] = tap[a * f + b];
    }
    spt__mat back = {p->g[i + 1] - (taps > 0 ? taps - 1 : 0) * f, f, 1};
    return spt__gemm(n * l->pitch, c, taps * f, back, (spt__mat){turned, c, 1}, false, g,
                     l->stride * c);
}

static int32_t backward(spt__pass *p, int32_t i, int64_t n)
{
    const spt__layer *l = &p->network->layers[i];
    int64_t width = l->kernel * l->in.channels, filters = l->units;
    float *g = p->g[i + 1];
    int64_t gap = (l->pitch - l->out.length) * filters;
    for (int64_t s = 0; gap > 0 && s < n; s++)
        memset(g + s * l->out_layout.stride + l->out.length * filters, 0, (size_t)gap * sizeof *g);

    spt__slot *slot = &p->slots[i];
    spt__channel_sums(g, l->out_layout.stride, n, l->out.length, filters, slot->partial,
                      slot->sums);
    float *bias = spt__pass_gradient(p, l, 1);
    for (int64_t f = 0; f < filters; f++)
        bias[f] = (float)slot->sums[f];

    spt__mat windows = windows_of(p, i, 0);
    spt__mat turned = {windows.data, windows.col, windows.row};
    int64_t rows = (n - 1) * l->pitch + l->out.length;
    SPT__TRY(spt__gemm(width, filters, rows, turned, (spt__mat){g, filters, 1}, false,
                       spt__pass_gradient(p, l, 0), filters));
    if (!p->g[i]) return SPT_OK;
    int64_t look_back = (l->kernel + l->stride - 1) / l->stride - 1;
    memset(g - look_back * filters, 0, (size_t)(look_back * filters) * sizeof *g);
    for (int64_t r = 0; r < l->stride; r++)
        SPT__TRY(input_gradient(p, i, n, r));
    return SPT_OK;
}

static void words(const spt__layer *l, char *out, size_t capacity)
{
    spt__format(out, capacity, "%lld filters, kernel %lld, stride %lld, %s", (long long)l->units,
                (long long)l->kernel, (long long)l->stride,
                l->padding == SPT_PADDING_SAME ? "same" : "valid");
}

const spt__layer_kind spt__kind_conv = {
    .name = "conv",
    .shape = shape,
    .tensors = tensors,
    .plan = plan,
    .forward = forward,
    .backward = backward,
    .words = words,
};
