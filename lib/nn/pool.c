/* Pooling over windows of the length, per channel. */
#include "pass.h"

#include "../base/text.h"

#include <string.h>

static const int64_t max_size = 65536;

static int32_t check_settings(const spt__layer *l, spt__err *e)
{
    if (l->in.flat)
        return spt__fail(e, SPT_ESHAPE, "%s: pooling cannot follow a dense layer", l->name);
    if (l->type != SPT_POOL_MAX && l->type != SPT_POOL_AVERAGE)
        return spt__fail(e, SPT_EINVAL,
                         "%s: type is %d; SPT_POOL_MAX and SPT_POOL_AVERAGE are possible", l->name,
                         (int)l->type);
    if (l->kernel < 1 || l->kernel > max_size)
        return spt__fail(e, SPT_EINVAL, "%s: size is %lld; 1 to %lld are possible", l->name,
                         (long long)l->kernel, (long long)max_size);
    if (l->stride < 1 || l->stride > max_size)
        return spt__fail(e, SPT_EINVAL, "%s: stride is %lld; 1 to %lld are possible", l->name,
                         (long long)l->stride, (long long)max_size);
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
                             "%s: size %lld is longer than its input (length %lld); 1 to %lld are "
                             "possible, or padding same",
                             l->name, (long long)l->kernel, (long long)length, (long long)length);
        windows = (length - l->kernel) / l->stride + 1;
    }
    l->out = (spt__shape){windows, l->in.channels, false};
    return SPT_OK;
}

static void plan(const spt__pass *p, int32_t i, spt__slot *slot, spt__arena *arena)
{
    const spt__layer *l = &p->network->layers[i];
    if (l->type == SPT_POOL_MAX && (p->mode & SPT__TRAIN))
        slot->place =
            spt__arena_take(arena, p->capacity * spt__shape_size(l->out), sizeof *slot->place);
}

/* The part of window o that lies inside: first row and number of rows, at least one. */
static int64_t inside(const spt__layer *l, int64_t o, int64_t *rows)
{
    int64_t start = o * l->stride - l->pad_before, end = start + l->kernel;
    if (start < 0) start = 0;
    if (end > l->in.length) end = l->in.length;
    *rows = end - start;
    return start;
}

static int32_t forward(spt__pass *p, int32_t i, int64_t first, int64_t n)
{
    const spt__layer *l = &p->network->layers[i];
    int64_t channels = l->in.channels, size = spt__shape_size(l->out);
    uint16_t *place = p->slots[i].place;
    for (int64_t s = first; s < first + n; s++) {
        const float *x = spt__pass_x(p, i, s);
        float *y = spt__pass_x(p, i + 1, s);
        for (int64_t o = 0; o < l->out.length; o++) {
            int64_t rows, start = inside(l, o, &rows);
            if (l->type == SPT_POOL_MAX)
                p->kernels->take_largest(x + start * channels, rows, channels, y + o * channels,
                                         place ? place + s * size + o * channels : NULL);
            else
                p->kernels->take_average(x + start * channels, rows, channels, y + o * channels);
        }
    }
    return SPT_OK;
}

static int32_t backward(spt__pass *p, int32_t i, int64_t first, int64_t n)
{
    const spt__layer *l = &p->network->layers[i];
    if (!p->g[i]) return SPT_OK;
    int64_t channels = l->in.channels, size = spt__shape_size(l->out);
    for (int64_t s = first; s < first + n; s++) {
        const float *g = spt__pass_g(p, i + 1, s);
        float *out = spt__pass_g(p, i, s);
        memset(out, 0, (size_t)spt__shape_size(l->in) * sizeof *out);
        for (int64_t o = 0; o < l->out.length; o++) {
            int64_t rows, start = inside(l, o, &rows);
            if (l->type == SPT_POOL_MAX)
                p->kernels->give_largest(g + o * channels,
                                         p->slots[i].place + s * size + o * channels, channels,
                                         out + start * channels);
            else
                p->kernels->give_average(g + o * channels, rows, channels, out + start * channels);
        }
    }
    return SPT_OK;
}

static void words(const spt__layer *l, char *out, size_t capacity)
{
    spt__format(out, capacity, "%s, size %lld, stride %lld, %s",
                l->type == SPT_POOL_MAX ? "max" : "average", (long long)l->kernel,
                (long long)l->stride, l->padding == SPT_PADDING_SAME ? "same" : "valid");
}

const spt__layer_kind spt__kind_pool = {
    .name = "pool",
    .shape = shape,
    .plan = plan,
    .forward = forward,
    .backward = backward,
    .words = words,
};
