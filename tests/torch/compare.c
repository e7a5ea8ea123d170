#include "compare.h"

#include "nn/trainer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const torch_measure_names[TORCH_MEASURES] = {"output", "gradient", "weight"};
const double torch_bars[TORCH_MEASURES] = {1e-5, 1e-4, 1e-3};

/* ---- paths ----------------------------------------------------------------------------------- */

/* ---- the file -------------------------------------------------------------------------------- */

enum { WORD = 4, HEADER_WORDS = 3, LAYER_WORDS = 6 };
static const uint32_t magic = 0x31545053; /* "SPT1" */

static void refuse(const char *why)
{
    fprintf(stderr, "not a file of tests/torch/nets.py: %s\n", why);
    exit(1);
}

static void *need(void *memory)
{
    if (!memory) {
        fprintf(stderr, "no memory\n");
        exit(1);
    }
    return memory;
}

/* Where reading stands; every word is little-endian. */
typedef struct cursor {
    const unsigned char *at, *end;
} cursor;

static const unsigned char *take(cursor *c, size_t words)
{
    if ((size_t)(c->end - c->at) / WORD < words) refuse("it ends too early");
    const unsigned char *at = c->at;
    c->at += words * WORD;
    return at;
}

static uint32_t word_at(const unsigned char *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint32_t take_word(cursor *c)
{
    return word_at(take(c, 1));
}

static float take_number(cursor *c)
{
    uint32_t word = take_word(c);
    float number;
    memcpy(&number, &word, sizeof number);
    return number;
}

static float *take_numbers(cursor *c, int64_t n, float **memory)
{
    float *numbers = *memory;
    *memory += n;
    for (int64_t i = 0; i < n; i++)
        numbers[i] = take_number(c);
    return numbers;
}

torch_file torch_open(const char *path)
{
    torch_file f = {NULL, 0, 0, 0};
    FILE *stream = fopen(path, "rb");
    if (!stream) {
        perror(path);
        exit(1);
    }
    for (size_t capacity = 1 << 16, got = 1; got > 0; capacity *= 2) {
        f.bytes = need(realloc(f.bytes, capacity));
        got = fread(f.bytes + f.size, 1, capacity - f.size, stream);
        f.size += got;
    }
    fclose(stream);
    cursor c = {f.bytes, f.bytes + f.size};
    if (take_word(&c) != magic) refuse("its first word is not SPT1");
    f.n_cases = take_word(&c);
    f.steps = take_word(&c);
    return f;
}

void torch_close(torch_file *file)
{
    free(file->bytes);
    *file = (torch_file){NULL, 0, 0, 0};
}

static void read_tensors(torch_case *out, cursor *c, float **memory)
{
    out->n_tensors = take_word(c);
    if (out->n_tensors > TORCH_MAX_TENSORS) refuse("a network has too many tensors");
    for (uint32_t i = 0; i < out->n_tensors; i++) {
        torch_tensor *t = &out->tensors[i];
        t->flags = take_word(c);
        t->size = take_word(c);
        t->initial = take_numbers(c, t->size, memory);
        if (t->flags & TORCH_TRAINABLE) t->gradient = take_numbers(c, t->size, memory);
        t->final = take_numbers(c, t->size, memory);
    }
}

torch_case torch_read(const torch_file *file, uint32_t index)
{
    cursor c = {file->bytes + HEADER_WORDS * WORD, file->bytes + file->size};
    for (uint32_t i = 0; i < index; i++)
        take(&c, take_word(&c));
    uint32_t words = take_word(&c);
    cursor whole = c;
    take(&whole, words);
    c.end = whole.at;
    torch_case out = {.steps = file->steps};
    float *memory = out.memory = need(malloc((size_t)words * sizeof(float)));
    out.seed = take_word(&c);
    out.bands = take_word(&c);
    out.channels = take_word(&c);
    out.outputs = take_word(&c);
    out.rows = take_word(&c);
    out.loss = take_word(&c);
    out.huber_delta = (double)take_number(&c);
    out.learning_rate = (double)take_number(&c);
    out.epsilon = (double)take_number(&c);
    out.n_layers = take_word(&c);
    out.layers = take(&c, (size_t)out.n_layers * LAYER_WORDS);
    read_tensors(&out, &c, &memory);
    out.first_loss = (double)take_number(&c);
    out.last_loss = (double)take_number(&c);
    out.predicted = take_numbers(&c, out.rows * out.outputs, &memory);
    out.trained = take_numbers(&c, out.rows * out.outputs, &memory);
    out.predicted_last = take_numbers(&c, out.rows * out.outputs, &memory);
    return out;
}

void torch_free(torch_case *c)
{
    free(c->memory);
    c->memory = NULL;
}

/* ---- network and data ------------------------------------------------------------------------ */

static int32_t add_layer(spt_network *network, const unsigned char *layer)
{
    int64_t units = word_at(layer + 1 * WORD), kernel = word_at(layer + 2 * WORD);
    int64_t stride = word_at(layer + 3 * WORD);
    int32_t padding = (int32_t)word_at(layer + 4 * WORD), type = (int32_t)word_at(layer + 5 * WORD);
    switch (word_at(layer)) {
    case 'c':
        return spt_network_add_conv(network, units, kernel, stride, padding);
    case 'b':
        return spt_network_add_batch_norm(network);
    case 'a':
        return spt_network_add_activation(network, type);
    case 'p':
        return spt_network_add_pool(network, type, kernel, stride, padding);
    case 'd':
        return spt_network_add_dense(network, units);
    default:
        refuse("a layer is of an unknown kind");
        return SPT_EINTERNAL;
    }
}

/* Number i of the data: 24 bits of SplitMix64 (Steele, Lea and Flood 2014), 0 to less than 1. */
static float data_at(uint32_t seed, uint64_t i)
{
    uint64_t z = ((uint64_t)seed << 32) + (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    return (float)(z >> 40) / 16777216.0F;
}

/* What one comparison owns. */
typedef struct work {
    const torch_case *c;
    spt_ctx *ctx;
    spt_network *network;
    spt_options *options;
    spt_trainer *trainer;
    float *x, *y, *out;
    torch_figures figures;
} work;

/* The tensors of both sides are the same, and only those are excused that may be: in front of a
 * batch normalisation a bias, whose exact gradient is zero, and in it the running mean, which
 * follows the bias. */
static int32_t check_tensors(const work *w, int64_t *most)
{
    const char *next = "";
    for (int64_t i = (int64_t)w->c->n_tensors - 1; i >= 0; i--) {
        const torch_tensor *t = &w->c->tensors[i];
        spt_tensor_info info;
        spt_record_init(&info, sizeof info);
        SPT__TRY(spt_network_tensor(w->network, i, &info));
        if (info.size != t->size) refuse("a tensor has another size");
        if (info.trainable != (int32_t)(t->flags & TORCH_TRAINABLE))
            refuse("a tensor is trainable on one side only");
        bool bias = strstr(info.name, ".bias") && strncmp(next, "bn_", 3) == 0;
        if (t->flags & TORCH_ZERO && !bias) refuse("a gradient is said to be zero and is not");
        bool follows = (bias || strstr(info.name, ".mean")) && w->c->epsilon < 1e-6;
        if (t->flags & TORCH_UNDETERMINED && !follows)
            refuse("a tensor is said to be undetermined and is not");
        if (info.size > *most) *most = info.size;
        next = info.name;
    }
    return SPT_OK;
}

static int32_t build(work *w, const char *kernels)
{
    const torch_case *c = w->c;
    int64_t n_x = c->rows * c->bands * c->channels, n_y = c->rows * c->outputs;
    w->x = need(malloc((size_t)n_x * sizeof *w->x));
    w->y = need(malloc((size_t)n_y * sizeof *w->y));
    for (int64_t i = 0; i < n_x; i++)
        w->x[i] = 4.0F * data_at(c->seed, (uint64_t)i) - 2.0F;
    for (int64_t i = 0; i < n_y; i++)
        w->y[i] = 2.0F * data_at(c->seed, (uint64_t)(n_x + i)) - 1.0F;

    SPT__TRY(spt_ctx_set_kernels(w->ctx, kernels));
    SPT__TRY(spt_network_new(w->ctx, c->bands, c->channels, c->outputs, &w->network));
    for (uint32_t i = 0; i < c->n_layers; i++)
        SPT__TRY(add_layer(w->network, c->layers + (size_t)i * LAYER_WORDS * WORD));
    SPT__TRY(spt_network_finish(w->network, 1));
    if (spt_network_tensors(w->network) != c->n_tensors) refuse("another number of tensors");
    int64_t most = n_y;
    SPT__TRY(check_tensors(w, &most));
    w->out = need(malloc((size_t)most * sizeof *w->out));
    return SPT_OK;
}

static int32_t start_training(work *w)
{
    static const char *const losses[] = {"mse", "mae", "huber"};
    SPT__TRY(spt_training_options_new(w->ctx, &w->options));
    if (w->c->loss > 2) refuse("an unknown loss");
    SPT__TRY(spt_options_set_text(w->options, "loss", losses[w->c->loss]));
    SPT__TRY(spt_options_set_text(w->options, "optimizer", "adam"));
    SPT__TRY(spt_options_set_number(w->options, "huber_delta", w->c->huber_delta));
    SPT__TRY(spt_options_set_number(w->options, "learning_rate", w->c->learning_rate));
    SPT__TRY(spt_options_set_number(w->options, "epsilon", w->c->epsilon));
    return spt_trainer_new(w->network, w->options, &w->trainer);
}

/* ---- measures -------------------------------------------------------------------------------- */

static double largest(const float *values, int64_t n)
{
    double most = 0.0;
    for (int64_t i = 0; i < n; i++)
        most = fmax(most, fabs((double)values[i]));
    return most;
}

/* Largest difference over `scale`; infinite when ours is no number, or differs where all is 0. */
static double difference(const float *ours, const float *theirs, int64_t n, double scale)
{
    double worst = 0.0;
    for (int64_t i = 0; i < n; i++) {
        double off = fabs((double)ours[i] - (double)theirs[i]);
        if (!isfinite(off)) return INFINITY;
        worst = fmax(worst, off);
    }
    return worst > 0.0 ? worst / scale : 0.0;
}

static void note(work *w, torch_measure measure, double off, const char *where)
{
    if (off < w->figures.worst[measure]) return;
    w->figures.worst[measure] = off;
    snprintf(w->figures.where[measure], sizeof w->figures.where[measure], "%s", where);
}

static void note_loss(work *w, torch_measure measure, double ours, double theirs, const char *where)
{
    double off = fabs(ours - theirs) / theirs;
    note(w, measure, isfinite(off) ? off : INFINITY, where);
}

static void note_outputs(work *w, torch_measure measure, const float *ours, const float *theirs,
                         const char *where)
{
    int64_t n = w->c->rows * w->c->outputs;
    note(w, measure, difference(ours, theirs, n, largest(theirs, n)), where);
}

/* The one place that looks inside: the gradients of a step, which no public function tells. */
static void compare_gradients(work *w)
{
    double before = 0.0;
    for (uint32_t i = 0; i < w->c->n_tensors; i++) {
        const torch_tensor *t = &w->c->tensors[i];
        if (!(t->flags & TORCH_TRAINABLE)) continue;
        const spt__tensor *ours = &w->network->tensors[i];
        double scale = t->flags & TORCH_ZERO ? before : largest(t->gradient, t->size);
        const float *gradient = w->trainer->pass->gradient + ours->offset;
        note(w, TORCH_GRADIENT, difference(gradient, t->gradient, t->size, scale), ours->name);
        before = scale;
    }
    note_outputs(w, TORCH_OUTPUT, spt__pass_output(w->trainer->pass), w->c->trained, "trained");
}

static int32_t compare_weights(work *w)
{
    for (uint32_t i = 0; i < w->c->n_tensors; i++) {
        const torch_tensor *t = &w->c->tensors[i];
        if (t->flags & TORCH_UNDETERMINED) continue;
        SPT__TRY(spt_network_values(w->network, i, w->out, (int64_t)t->size));
        note(w, TORCH_WEIGHT, difference(w->out, t->final, t->size, largest(t->final, t->size)),
             w->network->tensors[i].name);
    }
    return SPT_OK;
}

static int32_t set_tensors(work *w, bool final)
{
    for (uint32_t i = 0; i < w->c->n_tensors; i++) {
        const torch_tensor *t = &w->c->tensors[i];
        SPT__TRY(
            spt_network_set_values(w->network, i, final ? t->final : t->initial, (int64_t)t->size));
    }
    return SPT_OK;
}

static int32_t compare_all(work *w)
{
    const torch_case *c = w->c;
    double loss = 0.0;
    SPT__TRY(set_tensors(w, false));
    SPT__TRY(spt_network_predict(w->network, w->x, c->rows, w->out));
    note_outputs(w, TORCH_OUTPUT, w->out, c->predicted, "predicted");
    SPT__TRY(start_training(w));
    for (int64_t step = 0; step < c->steps; step++) {
        SPT__TRY(spt_trainer_step(w->trainer, w->x, w->y, NULL, c->rows, &loss));
        if (step > 0) continue;
        compare_gradients(w);
        note_loss(w, TORCH_OUTPUT, loss, c->first_loss, "loss");
    }
    note_loss(w, TORCH_WEIGHT, loss, c->last_loss, "loss");
    SPT__TRY(compare_weights(w));
    /* Running statistics that mean something are in force now. */
    SPT__TRY(set_tensors(w, true));
    SPT__TRY(spt_network_predict(w->network, w->x, c->rows, w->out));
    note_outputs(w, TORCH_OUTPUT, w->out, c->predicted_last, "predicted at last");
    return SPT_OK;
}

torch_figures torch_compare(const torch_case *c, const char *kernels)
{
    work w = {.c = c};
    if (spt_ctx_new(NULL, &w.ctx) < 0) need(NULL);
    int32_t status = build(&w, kernels);
    if (status >= 0) status = compare_all(&w);
    if (status < 0)
        snprintf(w.figures.error, sizeof w.figures.error, "%s: %s", spt_status_name(status),
                 spt_ctx_last_error(w.ctx));
    spt_trainer_free(w.trainer);
    spt_options_free(w.options);
    spt_network_free(w.network);
    spt_ctx_free(w.ctx);
    free(w.x);
    free(w.y);
    free(w.out);
    return w.figures;
}
