/* Dropout (Srivastava et al. 2014), "inverted": what stays is scaled up in training. */
#include "pass.h"

#include "../base/rng.h"
#include "../base/text.h"

#include <string.h>

static int32_t shape(spt__layer *l, spt__err *e)
{
    if (!(l->share >= 0.0 && l->share < 1.0))
        return spt__fail(e, SPT_EINVAL,
                         "%s: the share dropped is %g; 0 to less than 1 are possible", l->name,
                         l->share);
    l->out = l->in;
    return SPT_OK;
}

/* Masks are drawn eight values at a time, 16 random bits for each. */
enum { AT_ONCE = 8 };

static int64_t blocks_per_sample(const spt__layer *l)
{
    return (spt__shape_size(l->in) + AT_ONCE - 1) / AT_ONCE;
}

static void plan(const spt__pass *p, int32_t i, spt__slot *slot, spt__arena *arena)
{
    if (p->mode & SPT__TRAIN)
        slot->mask = spt__arena_take(
            arena, p->capacity * blocks_per_sample(&p->network->layers[i]) * AT_ONCE, 1);
}

/* The mask of a sample is a function of seed, trial, fold, step, layer and place in the batch. */
static void draw(const spt__pass *p, int32_t i, int64_t first, int64_t n)
{
    const spt__layer *l = &p->network->layers[i];
    int64_t blocks = blocks_per_sample(l);
    uint32_t limit = (uint32_t)(l->share * 65536.0 + 0.5);
    spt__rng r;
    spt__rng_init(&r, p->stream.seed, SPT__RNG_DROPOUT,
                  (uint64_t)p->stream.trial << 32 | (uint64_t)p->step,
                  (uint64_t)p->stream.fold << 16 | (uint64_t)i);
    p->kernels->draw_mask(r.key, r.counter + 1, (uint32_t)(first * blocks), n * blocks, limit,
                          p->slots[i].mask + first * blocks * AT_ONCE);
}

static int32_t forward(spt__pass *p, int32_t i, int64_t first, int64_t n)
{
    const spt__layer *l = &p->network->layers[i];
    int64_t size = spt__shape_size(l->in), row = blocks_per_sample(l) * AT_ONCE;
    bool train = p->mode & SPT__TRAIN;
    if (!train && p->x[i] == p->x[i + 1]) return SPT_OK;
    if (train) draw(p, i, first, n);
    float scale = (float)(1.0 / (1.0 - l->share));
    for (int64_t s = first; s < first + n; s++) {
        const float *x = spt__pass_x(p, i, s);
        float *y = spt__pass_x(p, i + 1, s);
        if (train)
            p->kernels->apply_mask(p->slots[i].mask + s * row, scale, x, y, size);
        else
            memcpy(y, x, (size_t)size * sizeof *y);
    }
    return SPT_OK;
}

static int32_t backward(spt__pass *p, int32_t i, int64_t first, int64_t n)
{
    const spt__layer *l = &p->network->layers[i];
    if (!p->g[i]) return SPT_OK;
    int64_t row = blocks_per_sample(l) * AT_ONCE;
    float scale = (float)(1.0 / (1.0 - l->share));
    for (int64_t s = first; s < first + n; s++)
        p->kernels->apply_mask(p->slots[i].mask + s * row, scale, spt__pass_g(p, i + 1, s),
                               spt__pass_g(p, i, s), spt__shape_size(l->in));
    return SPT_OK;
}

static bool in_place(const spt__layer *l)
{
    (void)l;
    return true;
}

static void words(const spt__layer *l, char *out, size_t capacity)
{
    spt__format(out, capacity, "share %g dropped", l->share);
}

const spt__layer_kind spt__kind_dropout = {
    .name = "dropout",
    .elementwise = true,
    .shape = shape,
    .plan = plan,
    .forward = forward,
    .backward = backward,
    .in_place = in_place,
    .words = words,
};
