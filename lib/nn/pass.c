/* Layouts, buffers, and the way of a batch through the layers and back. */
#include "pass.h"

#include <string.h>

/* A run of layers that look at one sample at a time takes about this much of a batch at once, so
 * that what one layer wrote is still in the cache when the next reads it. */
static const int64_t block_bytes = 512 * 1024;
/* Prediction through the public function goes in batches of this many rows. */
enum { PREDICT_ROWS = 64, LINE = 16 };

/* ---- layouts --------------------------------------------------------------------------------- */

static bool same_layout(spt__layout a, spt__layout b)
{
    return a.lead == b.lead && a.stride == b.stride;
}

static spt__layout packed(spt__shape s)
{
    return (spt__layout){0, spt__shape_size(s)};
}

/* The room that a convolution wants round its samples, through layers that can write anywhere. */
static void plan_wishes(spt_network *network)
{
    for (int32_t i = network->n_layers - 1; i >= 0; i--) {
        spt__layer *l = &network->layers[i];
        l->in_layout = (spt__layout){0, 0};
        if (l->kind == &spt__kind_conv)
            l->in_layout = (spt__layout){l->pad_before * l->in.channels,
                                         l->pitch * l->stride * l->in.channels};
        else if (l->kind->elementwise && i + 1 < network->n_layers)
            l->in_layout = network->layers[i + 1].in_layout;
    }
}

static void plan_layouts(spt_network *network)
{
    plan_wishes(network);
    for (int32_t i = 0; i < network->n_layers; i++) {
        spt__layer *l = &network->layers[i];
        spt__layer *next = i + 1 < network->n_layers ? l + 1 : NULL;
        /* What a convolution leaves between samples is not the zeros that another wants there. */
        bool fouled = i > 0 && l[-1].kind == &spt__kind_conv && next && next->in_layout.stride > 0;
        if (i == 0 && l->in_layout.stride == 0) l->in_layout = packed(l->in);
        if (l->kind == &spt__kind_conv)
            l->out_layout = (spt__layout){0, l->pitch * l->units};
        else if (next && next->in_layout.stride > 0)
            l->out_layout = next->in_layout;
        else if (l->kind->elementwise)
            l->out_layout = l->in_layout;
        else
            l->out_layout = packed(l->out);
        if (next) next->in_layout = l->out_layout;
        bool same = l->kind->elementwise && same_layout(l->in_layout, l->out_layout);
        l->gradient_in_place = same;
        bool free_input = i == 0 || !l[-1].kind->reads_output || !l[-1].kind->reads_output(l - 1);
        l->output_in_place =
            same && !fouled && free_input && l->kind->in_place && l->kind->in_place(l);
    }
}

void spt__network_plan(spt_network *network)
{
    plan_layouts(network);
    for (int32_t i = network->n_layers - 1; i >= 0; i--) {
        spt__layer *l = &network->layers[i];
        int64_t size =
            l->in_layout.stride > l->out_layout.stride ? l->in_layout.stride : l->out_layout.stride;
        l->block = block_bytes / (size * (int64_t)sizeof(float));
        if (l->block < 1) l->block = 1;
    }
}

/* ---- buffers --------------------------------------------------------------------------------- */

void *spt__arena_take(spt__arena *arena, int64_t count, size_t size)
{
    size_t bytes = ((size_t)count * size + 63) / 64 * 64;
    void *piece = arena->base ? arena->base + arena->used : NULL;
    arena->used += bytes;
    return piece;
}

static spt__layout boundary_layout(const spt_network *network, int32_t i)
{
    if (i < network->n_layers) return network->layers[i].in_layout;
    return network->layers[i - 1].out_layout;
}

static int64_t boundary_floats(const spt_network *network, int32_t i, int64_t capacity)
{
    spt__layout layout = boundary_layout(network, i);
    return layout.lead + capacity * layout.stride;
}

/* Zeros in front of the first gradient of a convolution's output: windows that look back from the
 * first sample end there. */
static int64_t gradient_front(const spt_network *network)
{
    int64_t front = 0;
    for (int32_t i = 0; i < network->n_layers; i++) {
        const spt__layer *l = &network->layers[i];
        if (l->kind != &spt__kind_conv) continue;
        int64_t taps = (l->kernel + l->stride - 1) / l->stride;
        if ((taps - 1) * l->units > front) front = (taps - 1) * l->units;
    }
    return (front + LINE - 1) / LINE * LINE;
}

/* Two buffers take turns; layers that work in place stay in theirs. */
static void plan_gradients(spt__pass *p, spt__arena *arena)
{
    const spt_network *network = p->network;
    int64_t front = gradient_front(network), floats = 0;
    int32_t last = p->mode & SPT__INPUT_GRADIENT ? 0 : p->first + 1;
    for (int32_t i = last; i <= network->n_layers; i++) {
        int64_t wanted = boundary_floats(network, i, p->capacity);
        if (wanted > floats) floats = wanted;
    }
    float *buffers[2];
    for (int k = 0; k < 2; k++)
        buffers[k] = spt__arena_take(arena, front + floats, sizeof(float));
    if (!arena->base) return;
    int turn = 0;
    for (int32_t i = network->n_layers; i >= last; i--) {
        if (i < network->n_layers && !network->layers[i].gradient_in_place) turn = 1 - turn;
        p->g[i] = buffers[turn] + front + boundary_layout(network, i).lead;
    }
}

static void plan_pass(spt__pass *p, spt__arena *arena)
{
    const spt_network *network = p->network;
    int32_t n = network->n_layers;
    p->x = spt__arena_take(arena, n + 1, sizeof *p->x);
    p->g = spt__arena_take(arena, n + 1, sizeof *p->g);
    p->slots = spt__arena_take(arena, n, sizeof *p->slots);
    for (int32_t i = 0; i <= n; i++) {
        if (i > 0 && network->layers[i - 1].output_in_place) {
            if (arena->base) p->x[i] = p->x[i - 1];
            continue;
        }
        float *x = spt__arena_take(arena, boundary_floats(network, i, p->capacity), sizeof *x);
        if (arena->base) p->x[i] = x + boundary_layout(network, i).lead;
    }
    for (int32_t i = 0; i < n; i++) {
        const spt__layer *l = &network->layers[i];
        spt__slot measured = {0};
        if (l->kind->plan)
            l->kind->plan(l, p->capacity, p->mode, arena->base ? &p->slots[i] : &measured, arena);
    }
    p->first = 0;
    if (!(p->mode & SPT__INPUT_GRADIENT))
        while (network->layers[p->first].tensor < 0) /* the output layer has some */
            p->first++;
    if (p->mode & SPT__TRAIN) {
        p->gradient = spt__arena_take(arena, network->n_trainable, sizeof *p->gradient);
        plan_gradients(p, arena);
    }
}

int64_t spt__pass_bytes(const spt_network *network, int64_t capacity, int32_t mode)
{
    spt__pass p = {.network = network, .capacity = capacity, .mode = mode};
    spt__arena arena = {NULL, 0};
    plan_pass(&p, &arena);
    return (int64_t)(sizeof p + arena.used);
}

int32_t spt__pass_new(const spt_network *network, int64_t capacity, int32_t mode, spt__pass **out,
                      spt__err *e)
{
    *out = NULL;
    spt_ctx *ctx = network->ctx;
    spt__pass *p = spt__calloc(ctx, 1, sizeof *p);
    if (!p) return spt__nomem(e);
    p->network = network;
    p->capacity = capacity;
    p->mode = mode;
    spt__arena arena = {NULL, 0};
    plan_pass(p, &arena);
    /* Zeroed: the room between samples stays zero where only samples are written. */
    p->memory = spt__calloc_aligned(ctx, arena.used, 1);
    if (!p->memory) {
        spt__free(ctx, p);
        return spt__nomem(e);
    }
    arena = (spt__arena){p->memory, 0};
    plan_pass(p, &arena);
    *out = p;
    return SPT_OK;
}

void spt__pass_free(spt__pass *p)
{
    if (!p) return;
    spt_ctx *ctx = p->network->ctx;
    spt__free_aligned(ctx, p->memory);
    spt__free(ctx, p);
}

/* ---- a batch --------------------------------------------------------------------------------- */

void spt__pass_load(spt__pass *p, const float *x, const int64_t *rows, int64_t n)
{
    const spt__layer *l = &p->network->layers[0];
    int64_t size = spt__shape_size(l->in);
    for (int64_t s = 0; s < n; s++)
        memcpy(p->x[0] + s * l->in_layout.stride, x + (rows ? rows[s] : s) * size,
               (size_t)size * sizeof *x);
}

static bool whole_batch(const spt__pass *p, const spt__layer *l)
{
    return l->kind->dense || (l->kind->batch_coupled && (p->mode & SPT__TRAIN));
}

int32_t spt__pass_forward(spt__pass *p, int64_t n)
{
    const spt_network *network = p->network;
    int32_t i = 0;
    while (i < network->n_layers) {
        if (whole_batch(p, &network->layers[i])) {
            SPT__TRY(network->layers[i].kind->forward(p, i, 0, n));
            i++;
            continue;
        }
        int32_t end = i;
        int64_t block = n;
        for (; end < network->n_layers && !whole_batch(p, &network->layers[end]); end++)
            if (network->layers[end].block < block) block = network->layers[end].block;
        for (int64_t s = 0; s < n; s += block)
            for (int32_t k = i; k < end; k++)
                SPT__TRY(network->layers[k].kind->forward(p, k, s, n - s < block ? n - s : block));
        i = end;
    }
    return SPT_OK;
}

int32_t spt__pass_backward(spt__pass *p, int64_t n)
{
    for (int32_t i = p->network->n_layers - 1; i >= p->first; i--)
        SPT__TRY(p->network->layers[i].kind->backward(p, i, n));
    return SPT_OK;
}

void spt__channel_sums(const float *restrict x, int64_t stride, int64_t n, int64_t length,
                       int64_t channels, float *restrict partial, double *restrict sums)
{
    for (int64_t c = 0; c < channels; c++)
        sums[c] = 0.0;
    for (int64_t s = 0; s < n; s++) {
        const float *row = x + s * stride;
        for (int64_t c = 0; c < channels; c++)
            partial[c] = row[c];
        for (int64_t r = 1; r < length; r++) {
            row += channels;
            for (int64_t c = 0; c < channels; c++)
                partial[c] += row[c];
        }
        for (int64_t c = 0; c < channels; c++)
            sums[c] += (double)partial[c];
    }
}

/* ---- prediction ------------------------------------------------------------------------------ */

int32_t spt__network_predict_with(spt__pass *p, const float *x, const int64_t *rows, int64_t n,
                                  float *y)
{
    const spt_network *network = p->network;
    int64_t size = network->bands * network->channels, t = network->outputs;
    for (int64_t s = 0; s < n; s += p->capacity) {
        int64_t count = n - s < p->capacity ? n - s : p->capacity;
        spt__pass_load(p, rows ? x : x + s * size, rows ? rows + s : NULL, count);
        SPT__TRY(spt__pass_forward(p, count));
        memcpy(y + s * t, spt__pass_output(p), (size_t)(count * t) * sizeof *y);
    }
    return SPT_OK;
}

int32_t spt_network_predict(spt_network *network, const float *x, int64_t n, float *y)
{
    SPT__REQUIRE(network);
    spt__err *e = &network->ctx->err;
    if (n < 0 || (n > 0 && (!x || !y)))
        return spt__fail(e, SPT_EINVAL,
                         "prediction of %lld rows; 0 or more, with x and y, are possible",
                         (long long)n);
    if (!network->finished)
        return spt__fail(e, SPT_EINVAL,
                         "the network has no weights yet; call spt_network_finish() first");
    if (!network->predictor)
        SPT__TRY(spt__pass_new(network, PREDICT_ROWS, SPT__PREDICT, &network->predictor, e));
    if (spt__network_predict_with(network->predictor, x, NULL, n, y) < 0)
        return spt__fail(e, SPT_EINTERNAL, "a matrix product of the prediction failed");
    return SPT_OK;
}
