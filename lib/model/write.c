/* Models as documents. */
#include "document.h"

#include "../base/file.h"
#include "../prep/recipe.h"

#include <math.h>
#include <string.h>

const char *const spt__activation_names[] = {"relu", "leaky_relu", "elu", "selu", "swish", NULL};
const char *const spt__padding_names[] = {"valid", "same", NULL};
const char *const spt__pool_names[] = {"max", "average", NULL};
const char *const spt__scale_names[] = {"none", "channel", "band", "centre", NULL};

const char *spt__layer_element(const spt__layer_kind *kind)
{
    return kind == &spt__kind_batch_norm ? "batch_norm" : kind->name;
}

/* Where the text goes: to a file, to memory, or nowhere to be counted. What was written so far is
 * part of the checksum. Errors stay; later calls do nothing. */
typedef struct sink {
    spt_ctx *ctx;
    spt__err *e;
    int32_t status;
    spt__writer *file;
    char *memory;
    size_t used;
    spt__sha256 sum;
    spt__buf line; /* what is being put together */
    char *base64;
} sink;

static void put(sink *s, const void *data, size_t size)
{
    if (s->status < 0) return;
    spt__sha256_put(&s->sum, data, size);
    if (s->memory) memcpy(s->memory + s->used, data, size);
    if (s->file) s->status = spt__writer_put(s->file, data, size, s->e);
    s->used += size;
}

static void put_line(sink *s)
{
    if (s->line.failed && s->status >= 0) s->status = spt__nomem(s->e);
    put(s, s->line.data, s->line.size);
    s->line.size = 0;
}

static void puts_(sink *s, const char *text)
{
    put(s, text, strlen(text));
}

static void attribute(sink *s, const char *name, const char *text)
{
    spt__buf_printf(&s->line, " %s=\"", name);
    spt__buf_xml(&s->line, text);
    spt__buf_puts(&s->line, "\"");
}

static void attribute_int(sink *s, const char *name, int64_t value)
{
    spt__buf_printf(&s->line, " %s=\"%lld\"", name, (long long)value);
}

static void attribute_double(sink *s, const char *name, double value)
{
    spt__buf_printf(&s->line, " %s=\"", name);
    spt__buf_double(&s->line, value);
    spt__buf_puts(&s->line, "\"");
}

/* <name count="..."> pieces of decimals </name> */
static void put_numbers(sink *s, const char *name, const double *values, int64_t n)
{
    spt__buf_printf(&s->line, "<%s count=\"%lld\">\n", name, (long long)n);
    for (int64_t first = 0; first < n; first += SPT__PIECE_NUMBERS) {
        int64_t end = n - first < SPT__PIECE_NUMBERS ? n : first + SPT__PIECE_NUMBERS;
        spt__buf_puts(&s->line, "<piece>");
        for (int64_t i = first; i < end; i++) {
            if (i > first) spt__buf_puts(&s->line, " ");
            spt__buf_double(&s->line, values[i]);
        }
        spt__buf_puts(&s->line, "</piece>\n");
        put_line(s);
    }
    spt__buf_printf(&s->line, "</%s>\n", name);
    put_line(s);
}

/* ---- what the sensor delivers, and the steps ----------------------------------------------- */

static void put_input(sink *s, const spt__frame *frame)
{
    spt__buf_puts(&s->line, "<input");
    attribute(s, "axis_unit", spt_axis_unit_name(frame->axis_unit));
    attribute(s, "unit", spt_unit_name(frame->unit));
    spt__buf_puts(&s->line, ">\n");
    put_numbers(s, "axis", frame->axis, frame->p);
    puts_(s, "</input>\n");
}

static void put_step(sink *s, const spt__prep_step *step)
{
    switch (step->kind) {
    case SPT__STEP_AVERAGE:
        spt__buf_puts(&s->line, "<average");
        attribute(s, "column", step->column);
        break;
    case SPT__STEP_CROP:
        spt__buf_puts(&s->line, "<crop");
        attribute_double(s, "low", step->low);
        attribute_double(s, "high", step->high);
        break;
    case SPT__STEP_RESAMPLE:
        spt__buf_puts(&s->line, "<resample");
        attribute_double(s, "low", step->low);
        attribute_double(s, "high", step->high);
        attribute_double(s, "step", step->step);
        break;
    case SPT__STEP_DECIMATE:
        spt__buf_puts(&s->line, "<decimate");
        attribute_int(s, "factor", step->factor);
        attribute(s, "method", step->average ? "mean" : "first");
        break;
    }
    spt__buf_puts(&s->line, "/>\n");
    put_line(s);
}

static void put_recipe(sink *s, const spt_prep *prep)
{
    puts_(s, "<steps>\n");
    for (int64_t i = 0; i < spt__prep_step_count(prep); i++)
        put_step(s, spt__prep_step_at(prep, i));
    puts_(s, "</steps>\n<channels>\n");
    const spt_options *options = spt__prep_channel_options(prep);
    for (const spt__knob *knob = spt__channel_knobs; knob->name; knob++) {
        spt__buf_puts(&s->line, "<setting");
        attribute(s, "name", knob->name);
        if (knob->type == SPT_OPTION_NUMBER || knob->type == SPT_OPTION_INTEGER)
            attribute_double(s, "value", spt__option(options, spt__channel_knobs, knob->name));
        else
            attribute(s, "value", spt__option_text(options, spt__channel_knobs, knob->name));
        spt__buf_puts(&s->line, "/>\n");
        put_line(s);
    }
    puts_(s, "</channels>\n");
}

/* ---- networks ------------------------------------------------------------------------------ */

static void put_layer(sink *s, const spt__layer *layer)
{
    spt__buf_printf(&s->line, "<%s", spt__layer_element(layer->kind));
    if (layer->kind == &spt__kind_conv) {
        attribute_int(s, "filters", layer->units);
        attribute_int(s, "kernel", layer->kernel);
        attribute_int(s, "stride", layer->stride);
        attribute(s, "padding", spt__padding_names[layer->padding - 1]);
    } else if (layer->kind == &spt__kind_activation) {
        attribute(s, "type", spt__activation_names[layer->type - 1]);
    } else if (layer->kind == &spt__kind_pool) {
        attribute(s, "type", spt__pool_names[layer->type - 1]);
        attribute_int(s, "size", layer->kernel);
        attribute_int(s, "stride", layer->stride);
        attribute(s, "padding", spt__padding_names[layer->padding - 1]);
    } else if (layer->kind == &spt__kind_dropout) {
        attribute_double(s, "share", layer->share);
    } else if (layer->kind == &spt__kind_dense) {
        attribute_int(s, "units", layer->units);
    }
    spt__buf_puts(&s->line, "/>\n");
    put_line(s);
}

static void put_piece(sink *s, const float *values, int64_t n)
{
    unsigned char bytes[4 * 768];
    size_t done = 0;
    /* In runs whose length is a multiple of three, so that base64 goes on without a seam. */
    for (int64_t first = 0; first < n; first += 768) {
        int64_t count = n - first < 768 ? n - first : 768;
        for (int64_t i = 0; i < count; i++) {
            uint32_t bits;
            memcpy(&bits, &values[first + i], sizeof bits);
            for (int k = 0; k < 4; k++)
                bytes[4 * i + k] = (unsigned char)(bits >> 8 * k & 0xff);
        }
        spt__base64_encode(bytes, (size_t)count * 4, s->base64 + done);
        done += ((size_t)count * 4 + 2) / 3 * 4;
    }
    puts_(s, "<piece>");
    put(s, s->base64, done);
    puts_(s, "</piece>\n");
}

static void put_network(sink *s, const spt_network *network)
{
    spt__buf_puts(&s->line, "<network");
    attribute_int(s, "bands", network->bands);
    attribute_int(s, "channels", network->channels);
    attribute_int(s, "outputs", network->outputs);
    spt__buf_puts(&s->line, ">\n<layers>\n");
    put_line(s);
    for (int32_t i = 0; i + 1 < network->n_layers; i++) /* the last is the output layer */
        if (!network->layers[i].kind->hidden) put_layer(s, &network->layers[i]);
    puts_(s, "</layers>\n");
    for (int32_t i = 0; i < network->n_tensors; i++) {
        const spt__tensor *tensor = &network->tensors[i];
        spt__buf_puts(&s->line, "<tensor");
        attribute(s, "name", tensor->name);
        attribute_int(s, "count", tensor->size);
        spt__buf_puts(&s->line, ">\n");
        put_line(s);
        for (int64_t k = 0; k < tensor->size; k += SPT__PIECE_FLOATS)
            put_piece(s, network->values + tensor->offset + k,
                      tensor->size - k < SPT__PIECE_FLOATS ? tensor->size - k : SPT__PIECE_FLOATS);
        puts_(s, "</tensor>\n");
    }
    puts_(s, "</network>\n");
}

static void put_member(sink *s, const spt__part *part)
{
    const spt__member *member = part->member;
    const char *between = "";
    spt__buf_puts(&s->line, "<member");
    attribute_double(s, "weight", part->weight);
    spt__buf_puts(&s->line, " channels=\"");
    for (int32_t bit = 1; bit < SPT_CHANNEL_ALL; bit <<= 1) {
        if (!(member->mask & bit)) continue;
        spt__buf_printf(&s->line, "%s%s", between, spt_channel_name(bit));
        between = " ";
    }
    int32_t mode = member->scaler ? member->scaler->mode : SPT_SCALE_NONE;
    spt__buf_puts(&s->line, "\">\n<scaling");
    attribute(s, "mode", spt__scale_names[mode - 1]);
    spt__buf_puts(&s->line, ">\n");
    put_line(s);
    if (mode != SPT_SCALE_NONE) {
        put_numbers(s, "mean", member->scaler->mean, member->scaler->n_values);
        put_numbers(s, "sd", member->scaler->sd, member->scaler->n_values);
    }
    puts_(s, "</scaling>\n");
    put_network(s, member->network);
    puts_(s, "<output>\n");
    for (int64_t i = 0; i < member->t; i++) {
        spt__buf_puts(&s->line, "<scale");
        attribute_double(s, "mean", member->target_mean[i]);
        attribute_double(s, "sd", member->target_sd[i]);
        spt__buf_puts(&s->line, "/>\n");
        put_line(s);
    }
    if (member->transform == SPT_TRANSFORM_LOG1P) puts_(s, "<expm1/>\n");
    puts_(s, "</output>\n</member>\n");
}

/* ---- the rest ------------------------------------------------------------------------------ */

static bool all_known(const double *values, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(values[i])) return false;
    return true;
}

static void put_training(sink *s, const spt_model *model)
{
    const spt__ranges *ranges = &model->ranges;
    int64_t bands = model->frame->bands;
    for (int64_t i = 0; i < model->frame->t; i++) {
        spt__buf_puts(&s->line, "<target");
        attribute(s, "name", model->frame->targets[i]);
        if (isfinite(ranges->target_low[i]) && isfinite(ranges->target_high[i])) {
            attribute_double(s, "low", ranges->target_low[i]);
            attribute_double(s, "high", ranges->target_high[i]);
        }
        spt__buf_puts(&s->line, "/>\n");
        put_line(s);
    }
    spt__buf_puts(&s->line, "<training");
    attribute_int(s, "samples", ranges->samples);
    spt__buf_puts(&s->line, ">\n");
    put_line(s);
    if (all_known(ranges->low, bands) && all_known(ranges->high, bands)) {
        put_numbers(s, "low", ranges->low, bands);
        put_numbers(s, "high", ranges->high, bands);
    }
    puts_(s, "</training>\n");
}

static void put_notes(sink *s, const spt_model *model)
{
    for (int64_t i = 0; i < model->n_notes; i++) {
        spt__buf_puts(&s->line, "<note");
        attribute(s, "key", model->notes[i].key);
        spt__buf_puts(&s->line, ">");
        spt__buf_xml(&s->line, model->notes[i].text);
        spt__buf_puts(&s->line, "</note>\n");
        put_line(s);
    }
    spt__buf_puts(&s->line, "<library");
    attribute(s, "version", model->version);
    spt__buf_puts(&s->line, "/>\n");
    put_line(s);
}

static void put_document(sink *s, const spt_model *model)
{
    puts_(s, SPT__MODEL_START);
    spt__buf_printf(&s->line, "<model format=\"%d\">\n", (int)SPT__MODEL_FORMAT);
    put_line(s);
    put_input(s, model->frame);
    put_recipe(s, model->frame->prep);
    for (int64_t i = 0; i < model->n_parts; i++)
        put_member(s, &model->parts[i]);
    put_training(s, model);
    put_notes(s, model);
    puts_(s, SPT__CHECKSUM_START);
    char hex[65];
    spt__sha256_hex(&s->sum, hex);
    puts_(s, hex);
    puts_(s, SPT__MODEL_END);
}

static int32_t run(sink *s, const spt_model *model)
{
    spt__sha256_init(&s->sum);
    spt__buf_init(&s->line, s->ctx);
    s->base64 = spt__alloc(s->ctx, (SPT__PIECE_FLOATS * 4 + 2) / 3 * 4 + 1, 1);
    if (!s->base64)
        s->status = spt__nomem(s->e);
    else
        put_document(s, model);
    spt__free(s->ctx, s->base64);
    spt__buf_free(&s->line);
    return s->status;
}

int32_t spt_model_write(spt_ctx *ctx, const spt_model *model, const char *path)
{
    SPT__REQUIRE(ctx);
    spt__err *e = &ctx->err;
    if (!model || !path) return spt__fail(e, SPT_EINVAL, "model and file name must not be NULL");
    spt__writer w;
    SPT__TRY(spt__writer_open(&w, ctx, path, e));
    sink s = {.ctx = ctx, .e = e, .file = &w};
    int32_t status = run(&s, model);
    if (status < 0) {
        spt__writer_abort(&w);
        return status;
    }
    return spt__writer_commit(&w, e);
}

int32_t spt_model_xml(spt_ctx *ctx, const spt_model *model, char *buffer, int64_t capacity,
                      int64_t *needed)
{
    SPT__REQUIRE(ctx);
    spt__err *e = &ctx->err;
    if (!model) return spt__fail(e, SPT_EINVAL, "model must not be NULL");
    sink count = {.ctx = ctx, .e = e};
    SPT__TRY(run(&count, model));
    const int64_t size = (int64_t)count.used + 1;
    if (needed) *needed = size;
    if (!buffer || capacity < size)
        return spt__fail(e, SPT_ECAPACITY, "the document has %lld bytes; the buffer holds %lld",
                         (long long)size, (long long)capacity);
    sink s = {.ctx = ctx, .e = e, .memory = buffer};
    SPT__TRY(run(&s, model));
    buffer[s.used] = '\0';
    return SPT_OK;
}
