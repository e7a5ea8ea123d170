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
        l->fouled = i > 0 && l[-1].kind == &spt__kind_conv && next && next->in_layout.stride > 0;
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
            same && !l->fouled && free_input && l->kind->in_place && l->kind->in_place(l);
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

/* ---- what is done together ------------------------------------------------------------------- */

static bool trains(const spt__pass *p)
{
    return p->mode & SPT__TRAIN;
}

/* Layer i waits for the whole batch before its forward and before its backward. */
static bool couples(const spt__pass *p, int32_t i)
{
    return trains(p) && p->network->layers[i].kind->gather;
}

/* The output of layer i stands where its input stood. */
static bool in_place(const spt__pass *p, int32_t i)
{
    const spt__layer *l = &p->network->layers[i];
    return l->output_in_place || (!trains(p) && l->kind == &spt__kind_batch_norm && !l->fouled &&
                                  same_layout(l->in_layout, l->out_layout));
}

/* In prediction a batch normalisation behind a product becomes part of its weights, where these
 * are packed anyway. */
static bool folded(const spt__pass *p, int32_t i)
{
    const spt__layer *l = &p->network->layers[i];
    return !trains(p) && (l->kind == &spt__kind_conv || l->kind == &spt__kind_dense) &&
           i + 1 < p->network->n_layers && l[1].kind == &spt__kind_batch_norm &&
           in_place(p, i + 1) && p->kernels->panel_size(1, 1) > 0;
}

/* The layer that applies activation i with its own work; -1: nobody. */
static int32_t applied_by(const spt__pass *p, int32_t i)
{
    const spt__layer *layers = p->network->layers;
    if (i < 1 || layers[i].kind != &spt__kind_activation || !in_place(p, i)) return -1;
    if (i >= 2 && folded(p, i - 2)) return i - 2;
    return layers[i - 1].kind->epilogue ? i - 1 : -1;
}

/* An activation in front of max pooling i whose derivative can be taken behind it, from the largest
 * values; 0: there is none. What stands in the place of these may keep no more than their sign. */
static int32_t pooled_activation(const spt__pass *p, int32_t i)
{
    const spt__layer *l = &p->network->layers[i];
    if (!trains(p) || i == 0 || l->kind != &spt__kind_pool || l->type != SPT_POOL_MAX) return 0;
    if (l[-1].kind != &spt__kind_activation || l[-1].type == SPT_ACTIVATION_SWISH ||
        !in_place(p, i - 1))
        return 0;
    if (i + 1 < p->network->n_layers && in_place(p, i + 1) &&
        (l[1].kind != &spt__kind_dropout || l[-1].kind->reads_output(l - 1)))
        return 0;
    return l[-1].type;
}

/* The gradient of a dense layer's input may take the place of the input, if nobody reads that as
 * the output of the layers before any more: but for one activation, whose derivative is then taken
 * on the way. */
static bool takes_place_of_input(const spt__pass *p, int32_t i)
{
    const spt__layer *layers = p->network->layers;
    if (layers[i].kind != &spt__kind_dense) return false;
    for (int32_t j = i - 1; j >= 0; j--) {
        bool stays = in_place(p, j);
        bool wants =
            (layers[j].kind == &spt__kind_activation && layers[j].type != SPT_ACTIVATION_SWISH) ||
            pooled_activation(p, j) > 0;
        if (wants && (j < i - 1 || (!stays && layers[j].kind == &spt__kind_activation)))
            return false;
        if (!stays) return true;
    }
    return false;
}

/* The activation whose derivative the backward of layer i applies on its way, 0: none. */
static int32_t gate_of(const spt__pass *p, int32_t i)
{
    const spt__layer *layers = p->network->layers;
    if (!trains(p) || i == 0) return 0;
    if (layers[i].kind == &spt__kind_pool) {
        bool behind = i + 1 < p->network->n_layers && takes_place_of_input(p, i + 1);
        return behind ? 0 : pooled_activation(p, i);
    }
    if (!takes_place_of_input(p, i)) return 0;
    if (layers[i - 1].kind == &spt__kind_pool) return pooled_activation(p, i - 1);
    bool has_gate =
        layers[i - 1].kind == &spt__kind_activation && layers[i - 1].type != SPT_ACTIVATION_SWISH;
    return has_gate ? layers[i - 1].type : 0;
}

static bool done_behind(const spt__pass *p, int32_t i)
{
    if (i + 1 >= p->network->n_layers || p->network->layers[i].kind != &spt__kind_activation)
        return false;
    return pooled_activation(p, i + 1) > 0 || gate_of(p, i + 1) > 0;
}

static spt__slot slot_of(const spt__pass *p, int32_t i)
{
    const spt_network *network = p->network;
    spt__slot slot = {.group = 1, .group_back = 1};
    slot.folded = folded(p, i);
    slot.gate = gate_of(p, i);
    slot.done = applied_by(p, i) >= 0 || (i > 0 && folded(p, i - 1));
    slot.done_back = done_behind(p, i);
    int32_t next = i + 1 + slot.folded;
    if (next < network->n_layers && applied_by(p, next) == i)
        slot.activation = network->layers[next].type;
    return slot;
}

/* ---- runs: layers that a block of samples goes through at once ------------------------------- */

static bool starts_run(const spt__pass *p, int32_t i)
{
    const spt__layer *layers = p->network->layers;
    return i == 0 || couples(p, i) || layers[i].kind->dense || layers[i - 1].kind->dense;
}

static int32_t run_end(const spt__pass *p, int32_t start)
{
    int32_t end = start + 1;
    while (end < p->network->n_layers && !starts_run(p, end))
        end++;
    return end;
}

static int32_t run_start(const spt__pass *p, int32_t i)
{
    while (!starts_run(p, i))
        i--;
    return i;
}

static int64_t run_block(const spt__pass *p, int32_t start, int64_t n)
{
    int64_t block = n;
    for (int32_t i = start, end = run_end(p, start); i < end; i++) {
        const spt__layer *l = &p->network->layers[i];
        if (l->kind->dense) return n;
        if (l->block < block) block = l->block;
    }
    return block;
}

/* The boundary below which the run works backward: a coupled layer at the start of a run does its
 * own backward with the run below. */
static int32_t run_top(const spt__pass *p, int32_t start)
{
    int32_t end = run_end(p, start);
    return end < p->network->n_layers && couples(p, end) ? end + 1 : end;
}

/* ---- buffers --------------------------------------------------------------------------------- */

void *spt__arena_take(spt__arena *arena, int64_t count, size_t size)
{
    size_t bytes = ((size_t)count * size + 63) / 64 * 64;
    void *piece = arena->base ? arena->base + arena->used : NULL;
    arena->used += bytes;
    return piece;
}

void spt__arena_want(spt__arena *arena, int64_t floats)
{
    if (floats > arena->work) arena->work = floats;
}

/* Room round the samples of any buffer: windows that look back from the first sample end in zeros
 * in front of it; windows of the last group of positions reach beyond the last sample. */
typedef struct room {
    int64_t front, behind;
} room;

static room room_of(const spt_network *network)
{
    room r = {0, 0};
    for (int32_t i = 0; i < network->n_layers; i++) {
        const spt__layer *l = &network->layers[i];
        if (l->kind != &spt__kind_conv) continue;
        int64_t front = (l->kernel + l->stride - 1) / l->stride * l->units;
        int64_t behind = l->kernel * (l->in.channels + l->units);
        if (front > r.front) r.front = front;
        if (behind > r.behind) r.behind = behind;
    }
    r.front = (r.front + LINE - 1) / LINE * LINE;
    return r;
}

static int64_t boundary_floats(const spt_network *network, int32_t i, int64_t samples)
{
    spt__layout layout = spt__boundary_layout(network, i);
    room r = room_of(network);
    return r.front + layout.lead + samples * layout.stride + r.behind;
}

/* Backward reads what stands between layers i - 1 and i. */
static bool needed_again(const spt__pass *p, int32_t i)
{
    const spt__layer *l = &p->network->layers[i], *before = l - 1;
    if (l->kind == &spt__kind_conv || l->kind == &spt__kind_dense || l->kind->gather) return true;
    if (l->kind == &spt__kind_activation && l->type == SPT_ACTIVATION_SWISH) return true;
    if (before->kind == &spt__kind_activation && before->type != SPT_ACTIVATION_SWISH)
        return !done_behind(p, i - 1);
    return before->kind == &spt__kind_pool && gate_of(p, i - 1) > 0;
}

/* Values in one place, from the boundary where they are written to the last behind layers that work
 * in place: do they pass from one run to another, or are they needed for backward? */
static bool holds_values(const spt__pass *p, int32_t from, int32_t to)
{
    if (from == 0 || to == p->network->n_layers) return true;
    for (int32_t i = from; i <= to; i++)
        if (starts_run(p, i) || (trains(p) && needed_again(p, i))) return true;
    return false;
}

/* What only the next layer wants is there for a block of samples, and stays in the cache. */
static void plan_values(spt__pass *p, spt__arena *arena)
{
    const spt_network *network = p->network;
    int64_t front = room_of(network).front;
    for (int32_t i = 0; i <= network->n_layers; i++) {
        int32_t end = i;
        while (end < network->n_layers && in_place(p, end))
            end++;
        bool held = holds_values(p, i, end);
        int64_t samples = held ? p->capacity : run_block(p, run_start(p, i - 1), p->capacity);
        float *x = spt__arena_take(arena, boundary_floats(network, i, samples), sizeof *x);
        for (int32_t k = i; arena->base && k <= end; k++) {
            p->x[k] = x + front + spt__boundary_layout(network, k).lead;
            p->x_held[k] = held;
        }
        i = end;
    }
}

/* Boundaries whose gradients stand in one place: from i down to the number returned. */
static int32_t place_end(const spt__pass *p, int32_t i, int32_t last)
{
    while (i > last && p->network->layers[i - 1].gradient_in_place)
        i--;
    return i;
}

/* The run whose layers write the gradient at boundary i. */
static int32_t run_writing(const spt__pass *p, int32_t i)
{
    int32_t start = run_start(p, i);
    return start == i && i > 0 && couples(p, i) ? run_start(p, i - 1) : start;
}

/* One of the boundaries is where a run hands its gradient to the one below (run_top). */
static bool crosses_runs(const spt__pass *p, int32_t from, int32_t to)
{
    if (from == p->network->n_layers || to == 0) return true;
    for (int32_t i = from; i >= to; i--)
        if ((starts_run(p, i) && !couples(p, i)) || couples(p, i - 1)) return true;
    return false;
}

/* What passes from one run to the next is there for the whole batch, the rest for a block. Of each
 * sort two buffers take turns, since only neighbours are needed at a time. Twice through: first for
 * the sizes. */
static void plan_gradients(spt__pass *p, spt__arena *arena)
{
    const spt_network *network = p->network;
    int64_t front = room_of(network).front, floats[2][2] = {{0}};
    float *buffers[2][2] = {{NULL}};
    int32_t last = p->mode & SPT__INPUT_GRADIENT ? 0 : p->first + 1;
    for (int round = 0; round < 2; round++) {
        int turn[2] = {0, 0};
        for (int32_t i = network->n_layers; i >= last;) {
            int32_t end = place_end(p, i, last);
            bool held = crosses_runs(p, i, end);
            bool in_x = i < network->n_layers && takes_place_of_input(p, i);
            int which = turn[held];
            for (int32_t k = i; k >= end; k--) {
                int64_t samples = held ? p->capacity : run_block(p, run_writing(p, k), p->capacity);
                int64_t wanted = boundary_floats(network, k, samples);
                if (round == 0 && !in_x && wanted > floats[held][which])
                    floats[held][which] = wanted;
                if (round == 0 || !arena->base) continue;
                float *buffer = in_x ? NULL : buffers[held][which] + front;
                p->g_held[k] = held;
                p->g[k] = in_x ? p->x[i] : buffer + spt__boundary_layout(network, k).lead;
            }
            if (!in_x) turn[held] = 1 - which;
            i = end - 1;
        }
        for (int k = 0; round == 0 && k < 4; k++)
            if (floats[k / 2][k % 2] > 0)
                buffers[k / 2][k % 2] = spt__arena_take(arena, floats[k / 2][k % 2], sizeof(float));
    }
}

static void plan_pass(spt__pass *p, spt__arena *arena)
{
    const spt_network *network = p->network;
    int32_t n = network->n_layers;
    p->x = spt__arena_take(arena, n + 1, sizeof *p->x);
    p->g = spt__arena_take(arena, n + 1, sizeof *p->g);
    p->x_first = spt__arena_take(arena, n + 1, sizeof *p->x_first);
    p->g_first = spt__arena_take(arena, n + 1, sizeof *p->g_first);
    p->x_held = spt__arena_take(arena, n + 1, sizeof *p->x_held);
    p->g_held = spt__arena_take(arena, n + 1, sizeof *p->g_held);
    p->slots = spt__arena_take(arena, n, sizeof *p->slots);
    plan_values(p, arena);
    for (int32_t i = 0; i < n; i++) {
        spt__slot slot = slot_of(p, i);
        if (network->layers[i].kind->plan) network->layers[i].kind->plan(p, i, &slot, arena);
        if (arena->base) p->slots[i] = slot;
    }
    if (trains(p)) {
        p->gradient = spt__arena_take(arena, network->n_trainable, sizeof *p->gradient);
        plan_gradients(p, arena);
    }
    p->work = spt__arena_take(arena, arena->work, sizeof *p->work);
}

static spt__pass pass_for(const spt_network *network, int32_t kernels, int64_t capacity,
                          int32_t mode)
{
    spt__pass p = {.network = network,
                   .kernels = spt__kernels_table[kernels],
                   .capacity = capacity,
                   .mode = mode};
    if (!(mode & SPT__INPUT_GRADIENT))
        while (network->layers[p.first].tensor < 0) /* the output layer has some */
            p.first++;
    return p;
}

int64_t spt__pass_bytes(const spt_network *network, int64_t capacity, int32_t mode)
{
    spt__pass p = pass_for(network, network->ctx->kernels, capacity, mode);
    spt__arena arena = {NULL, 0, 0};
    plan_pass(&p, &arena);
    return (int64_t)(sizeof p + arena.used);
}

int32_t spt__pass_new_with(const spt_network *network, int32_t kernels, int64_t capacity,
                           int32_t mode, spt__pass **out, spt__err *e)
{
    *out = NULL;
    spt_ctx *ctx = network->ctx;
    spt__pass *p = spt__calloc(ctx, 1, sizeof *p);
    if (!p) return spt__nomem(e);
    *p = pass_for(network, kernels, capacity, mode);
    spt__arena arena = {NULL, 0, 0};
    plan_pass(p, &arena);
    /* Zeroed: the room between samples stays zero where only samples are written. */
    p->memory = spt__calloc_aligned(ctx, arena.used, 1);
    if (!p->memory) {
        spt__free(ctx, p);
        return spt__nomem(e);
    }
    arena = (spt__arena){p->memory, 0, 0};
    plan_pass(p, &arena);
    *out = p;
    return SPT_OK;
}

int32_t spt__pass_new(const spt_network *network, int64_t capacity, int32_t mode, spt__pass **out,
                      spt__err *e)
{
    return spt__pass_new_with(network, network->ctx->kernels, capacity, mode, out, e);
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
    int64_t size = spt__shape_size(p->network->layers[0].in);
    for (int64_t s = 0; s < n; s++)
        memcpy(spt__pass_x(p, 0, s), x + (rows ? rows[s] : s) * size, (size_t)size * sizeof *x);
}

static void prepare(spt__pass *p)
{
    const spt_network *network = p->network;
    if (p->packed && p->version == network->version) return;
    for (int32_t i = 0; i < network->n_layers; i++)
        if (network->layers[i].kind->prepare) network->layers[i].kind->prepare(p, i);
    p->packed = true;
    p->version = network->version;
}

int32_t spt__pass_forward(spt__pass *p, int64_t n)
{
    const spt__layer *layers = p->network->layers;
    int32_t n_layers = p->network->n_layers;
    prepare(p);
    p->rows = n;
    if (couples(p, 0)) layers[0].kind->gather(p, 0, 0, n);
    for (int32_t start = 0, end; start < n_layers; start = end) {
        end = run_end(p, start);
        int64_t block = run_block(p, start, n);
        bool gathers = end < n_layers && couples(p, end);
        if (couples(p, start)) layers[start].kind->settle(p, start);
        for (int64_t s = 0; s < n; s += block) {
            int64_t count = n - s < block ? n - s : block;
            for (int32_t i = start + 1; i <= end; i++)
                p->x_first[i] = p->x_held[i] ? 0 : s;
            for (int32_t i = start; i < end; i++)
                if (!p->slots[i].done) SPT__TRY(layers[i].kind->forward(p, i, s, count));
            if (gathers) layers[end].kind->gather(p, end, s, count);
        }
    }
    return SPT_OK;
}

/* The layers of a run from the top, for one block; a coupled layer at the start only gathers. */
static int32_t back_through(spt__pass *p, int32_t start, int64_t first, int64_t n)
{
    const spt__layer *layers = p->network->layers;
    int32_t top = run_top(p, start);
    for (int32_t i = start; i < top; i++)
        p->g_first[i] = p->g_held[i] ? 0 : first;
    for (int32_t i = top - 1; i >= start && i >= p->first; i--) {
        if (i == start && couples(p, start))
            layers[i].kind->gather_back(p, i, first, n);
        else if (!p->slots[i].done_back)
            SPT__TRY(layers[i].kind->backward(p, i, first, n));
    }
    return SPT_OK;
}

int32_t spt__pass_backward(spt__pass *p, int64_t n)
{
    const spt__layer *layers = p->network->layers;
    for (int32_t end = p->network->n_layers; end > p->first;) {
        int32_t start = run_start(p, end - 1);
        int64_t block = run_block(p, start, n);
        for (int64_t s = 0; s < n; s += block)
            SPT__TRY(back_through(p, start, s, n - s < block ? n - s : block));
        if (couples(p, start) && start >= p->first) layers[start].kind->settle_back(p, start);
        end = start;
    }
    /* A coupled layer in front of all others has no run below to do its backward with. */
    return couples(p, 0) && p->first == 0 ? layers[0].kind->backward(p, 0, 0, n) : SPT_OK;
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
        p->backwards = !p->backwards;
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
