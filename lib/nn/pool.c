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

static spt__windows windows_of(const spt__layer *l)
{
    return (spt__windows){.length = l->in.length,
                          .outputs = l->out.length,
                          .channels = l->in.channels,
                          .size = l->kernel,
                          .stride = l->stride,
                          .before = l->pad_before,
                          .largest = l->type == SPT_POOL_MAX};
}

static void plan(const spt__pass *p, int32_t i, spt__slot *slot, spt__arena *arena)
{
    const spt__layer *l = &p->network->layers[i];
    int64_t size = spt__shape_size(l->out);
    if (!(p->mode & SPT__TRAIN)) return;
    if (l->type == SPT_POOL_MAX)
        slot->place = spt__arena_take(arena, p->capacity * size, sizeof *slot->place);
    if (slot->gate) slot->work = spt__arena_take(arena, size, sizeof *slot->work);
}

static int32_t forward(spt__pass *p, int32_t i, int64_t first, int64_t n)
{
    const spt__layer *l = &p->network->layers[i];
    spt__windows w = windows_of(l);
    uint16_t *place = p->slots[i].place;
    for (int64_t s = first; s < first + n; s++)
        p->kernels->pool(&w, spt__pass_x(p, i, s), spt__pass_x(p, i + 1, s),
                         place ? place + s * spt__shape_size(l->out) : NULL);
    return SPT_OK;
}

/* The derivative of an activation in front of a max pooling is asked only where a largest value
 * stood, and its output there is the output here: so it is taken here, on fewer values. */
static int32_t backward(spt__pass *p, int32_t i, int64_t first, int64_t n)
{
    const spt__layer *l = &p->network->layers[i];
    if (!p->g[i]) return SPT_OK;
    const spt__slot *slot = &p->slots[i];
    int64_t size = spt__shape_size(l->out);
    spt__windows w = windows_of(l);
    for (int64_t s = first; s < first + n; s++) {
        const float *g = spt__pass_g(p, i + 1, s);
        if (slot->gate) {
            const float *y = spt__pass_x(p, i + 1, s);
            p->kernels->differentiate(slot->gate, y, y, g, slot->work, size);
            g = slot->work;
        }
        p->kernels->pool_back(&w, g, slot->place ? slot->place + s * size : NULL,
                              spt__pass_g(p, i, s));
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
