/* From a configuration to a network: the names in spectune/nn.h and what they default to. */
#include "network.h"
#include "training.h"

#include "../base/text.h"

#include <math.h>
#include <string.h>

typedef struct reader {
    spt_ctx *ctx;
    const spt_config *config;
    const spt_space *space;
} reader;

enum { NAME = 72, NAMES = 96 };

/* "decay" is a switch on which "weight_decay" may hang; by itself it does nothing. */
static const char *const top_names[] = {"conv_blocks", "fc_blocks", "decay", NULL};
static const char *const conv_names[] = {
    "filters",   "kernel",    "stride",      "padding",      "batch_norm", "activation",   "pool",
    "pool_type", "pool_size", "pool_stride", "pool_padding", "dropout",    "dropout_rate", NULL};
static const char *const fc_names[] = {"units",   "batch_norm",   "activation",
                                       "dropout", "dropout_rate", NULL};
const char *const spt__channel_names[] = {"channel_r",    "channel_a",     "channel_a_d1",
                                          "channel_a_d2", "channel_a_snv", NULL};
/* Knobs of fitting, a room above, that a configuration may have too. */
static const char *const fit_names[] = {"scale", "target_transform", "watch_share", NULL};
/* The values of spt_channel, of a room that this one does not stand on; a test compares them. */
static const int32_t channel_bits[] = {1, 2, 4, 8, 16};
static const int32_t absorbance_bit = 2;

static bool among(const char *name, const char *const *names)
{
    for (; *names; names++)
        if (!strcmp(name, *names)) return true;
    return false;
}

/* ---- names ----------------------------------------------------------------------------------- */

/* The part behind "conv_2_" (or "fc_2_"); NULL if the name does not start so. */
static const char *behind_block(const char *name, const char *prefix)
{
    size_t length = strlen(prefix);
    if (strncmp(name, prefix, length) != 0) return NULL;
    const char *digits = name + length, *end = digits;
    while (*end >= '0' && *end <= '9')
        end++;
    return end > digits && *digits != '0' && *end == '_' ? end + 1 : NULL;
}

static int32_t unknown_name(const reader *r, const char *name)
{
    const char *all[NAMES];
    size_t n = 0;
    for (const char *const *t = top_names; *t; t++)
        all[n++] = *t;
    for (const char *const *c = spt__channel_names; *c; c++)
        all[n++] = *c;
    for (const char *const *f = fit_names; *f; f++)
        all[n++] = *f;
    for (const spt__knob *k = spt__training_knobs; k->name && n < NAMES; k++)
        all[n++] = k->name;
    const char *rest = behind_block(name, "conv_"), *near = NULL;
    const char *const *names = conv_names;
    if (!rest) {
        rest = behind_block(name, "fc_");
        names = fc_names;
    }
    if (rest) {
        size_t count = 0;
        while (names[count])
            count++;
        near = spt__nearest(rest, names, count);
        if (near)
            return spt__fail(&r->ctx->err, SPT_EINVAL,
                             "parameter '%s' means nothing to a network; '%.*s%s' does", name,
                             (int)(rest - name), name, near);
    }
    near = spt__nearest(name, all, n);
    if (near)
        return spt__fail(&r->ctx->err, SPT_EINVAL,
                         "parameter '%s' means nothing to a network; '%s' does", name, near);
    return spt__fail(&r->ctx->err, SPT_EINVAL,
                     "parameter '%s' means nothing to a network; conv_blocks, conv_1_filters, "
                     "fc_blocks, fc_1_units and their kin do, channels and training options too",
                     name);
}

static int32_t check_names(const reader *r)
{
    for (int32_t i = 0; i < spt_space_count(r->space); i++) {
        spt_parameter_info info;
        spt_record_init(&info, sizeof info);
        SPT__TRY(spt_space_describe(r->space, i, &info));
        bool known = among(info.name, top_names) || among(info.name, spt__channel_names) ||
                     among(info.name, fit_names);
        for (const spt__knob *k = spt__training_knobs; !known && k->name; k++)
            known = !strcmp(info.name, k->name);
        const char *rest = behind_block(info.name, "conv_");
        if (rest) known = among(rest, conv_names);
        rest = behind_block(info.name, "fc_");
        if (rest) known = among(rest, fc_names);
        if (!known) return unknown_name(r, info.name);
    }
    return SPT_OK;
}

/* ---- values ---------------------------------------------------------------------------------- */

static bool has(const reader *r, const char *name)
{
    return spt_space_find(r->space, name) >= 0 && spt_config_exists(r->config, name) == 1;
}

/* A number, or a choice whose text is one. */
static int32_t read_number(const reader *r, const char *name, double *value)
{
    if (!has(r, name)) return SPT_OK;
    const char *text = spt_config_choice(r->config, name);
    if (!text) return spt_config_number(r->config, name, value);
    if (spt__parse_double(text, strlen(text), '.', value)) return SPT_OK;
    return spt__fail(&r->ctx->err, SPT_EINVAL, "parameter '%s' is '%s'; a number would be right",
                     name, text);
}

static int32_t read_whole(const reader *r, const char *name, int64_t *value)
{
    double number = (double)*value;
    SPT__TRY(read_number(r, name, &number));
    if (!(fabs(number) <= 1e15) || number > floor(number))
        return spt__fail(&r->ctx->err, SPT_EINVAL,
                         "parameter '%s' is %g; a whole number would be right", name, number);
    *value = (int64_t)number;
    return SPT_OK;
}

static int32_t read_flag(const reader *r, const char *name, bool *value)
{
    if (!has(r, name)) return SPT_OK;
    const char *text = spt_config_choice(r->config, name);
    if (text && (!strcmp(text, "true") || !strcmp(text, "false"))) {
        *value = !strcmp(text, "true");
        return SPT_OK;
    }
    int64_t number = 0;
    SPT__TRY(read_whole(r, name, &number));
    if (number != 0 && number != 1)
        return spt__fail(&r->ctx->err, SPT_EINVAL,
                         "parameter '%s' is %lld; true or false would be right", name,
                         (long long)number);
    *value = number == 1;
    return SPT_OK;
}

/* The number of the text in `choices`, counted from 1 as the enums of spectune/nn.h are. */
static int32_t read_choice(const reader *r, const char *name, const char *const *choices,
                           const char *words, int32_t *value)
{
    if (!has(r, name)) return SPT_OK;
    const char *text = spt_config_choice(r->config, name);
    for (int32_t i = 0; text && choices[i]; i++) {
        if (strcmp(text, choices[i]) != 0) continue;
        *value = i + 1;
        return SPT_OK;
    }
    return spt__fail(&r->ctx->err, SPT_EINVAL, "parameter '%s' is '%s'; %s are possible", name,
                     text ? text : "a number", words);
}

static const char *const paddings[] = {"valid", "same", NULL};
static const char *const pools[] = {"max", "average", NULL};
static const char *const activations[] = {"relu", "leaky_relu", "elu", "selu", "swish", NULL};

/* ---- blocks ---------------------------------------------------------------------------------- */

typedef struct block {
    const char *prefix; /* "conv" or "fc" */
    int64_t number;
    int64_t size, kernel, stride, pool_size, pool_stride;
    int32_t padding, activation, pool_type, pool_padding;
    bool batch_norm, pool, dropout;
    double rate;
} block;

static const char *block_name(const block *b, const char *rest, char name[NAME])
{
    spt__format(name, NAME, "%s_%lld_%s", b->prefix, (long long)b->number, rest);
    return name;
}

static int32_t read_conv(const reader *r, block *b)
{
    char name[NAME];
    b->size = 16;
    b->kernel = 5;
    b->stride = 1;
    b->padding = SPT_PADDING_SAME;
    b->pool_type = SPT_POOL_MAX;
    b->pool_size = 2;
    b->pool_padding = SPT_PADDING_VALID;
    SPT__TRY(read_whole(r, block_name(b, "filters", name), &b->size));
    SPT__TRY(read_whole(r, block_name(b, "kernel", name), &b->kernel));
    SPT__TRY(read_whole(r, block_name(b, "stride", name), &b->stride));
    SPT__TRY(
        read_choice(r, block_name(b, "padding", name), paddings, "valid and same", &b->padding));
    SPT__TRY(read_flag(r, block_name(b, "pool", name), &b->pool));
    SPT__TRY(
        read_choice(r, block_name(b, "pool_type", name), pools, "max and average", &b->pool_type));
    SPT__TRY(read_whole(r, block_name(b, "pool_size", name), &b->pool_size));
    b->pool_stride = b->pool_size;
    SPT__TRY(read_whole(r, block_name(b, "pool_stride", name), &b->pool_stride));
    return read_choice(r, block_name(b, "pool_padding", name), paddings, "valid and same",
                       &b->pool_padding);
}

static int32_t read_block(const reader *r, const char *prefix, int64_t number, block *b)
{
    *b = (block){.prefix = prefix,
                 .number = number,
                 .size = 32,
                 .activation = SPT_ACTIVATION_RELU,
                 .rate = 0.2};
    char name[NAME];
    if (!strcmp(prefix, "conv"))
        SPT__TRY(read_conv(r, b));
    else
        SPT__TRY(read_whole(r, block_name(b, "units", name), &b->size));
    SPT__TRY(read_flag(r, block_name(b, "batch_norm", name), &b->batch_norm));
    SPT__TRY(read_choice(r, block_name(b, "activation", name), activations,
                         "relu, leaky_relu, elu, selu and swish", &b->activation));
    SPT__TRY(read_flag(r, block_name(b, "dropout", name), &b->dropout));
    return read_number(r, block_name(b, "dropout_rate", name), &b->rate);
}

/* A window that does not fit is told in the configuration's terms. `left` is the input's length. */
static int32_t check_fit(const reader *r, const block *b, const char *what, int64_t size,
                         int32_t padding, int64_t left)
{
    if (padding == SPT_PADDING_SAME || size <= left || size < 1) return SPT_OK;
    char from[48];
    if (!strcmp(what, "pool size"))
        spt__format(from, sizeof from, "its convolution leaves");
    else if (b->number == 1)
        spt__format(from, sizeof from, "the input");
    else
        spt__format(from, sizeof from, "what block %lld leaves", (long long)b->number - 1);
    return spt__fail(&r->ctx->err, SPT_ESHAPE,
                     "conv block %lld: %s %lld is longer than %s (length %lld); a shorter one, "
                     "padding same or less pooling and stride before would be right",
                     (long long)b->number, what, (long long)size, from, (long long)left);
}

static int64_t length_left(const spt_network *network)
{
    if (network->n_layers == 0) return network->bands;
    return network->layers[network->n_layers - 1].out.length;
}

static int32_t add_block(const reader *r, spt_network *network, const block *b)
{
    bool conv = !strcmp(b->prefix, "conv");
    if (conv) {
        SPT__TRY(check_fit(r, b, "kernel", b->kernel, b->padding, length_left(network)));
        SPT__TRY(spt_network_add_conv(network, b->size, b->kernel, b->stride, b->padding));
    } else {
        SPT__TRY(spt_network_add_dense(network, b->size));
    }
    if (b->batch_norm) SPT__TRY(spt_network_add_batch_norm(network));
    SPT__TRY(spt_network_add_activation(network, b->activation));
    if (conv && b->pool) {
        SPT__TRY(check_fit(r, b, "pool size", b->pool_size, b->pool_padding, length_left(network)));
        SPT__TRY(spt_network_add_pool(network, b->pool_type, b->pool_size, b->pool_stride,
                                      b->pool_padding));
    }
    return b->dropout ? spt_network_add_dropout(network, b->rate) : SPT_OK;
}

static int32_t add_blocks(const reader *r, spt_network *network, const char *prefix)
{
    char name[NAME];
    int64_t n = 0;
    spt__format(name, sizeof name, "%s_blocks", prefix);
    SPT__TRY(read_whole(r, name, &n));
    if (n < 0 || n > 100)
        return spt__fail(&r->ctx->err, SPT_EINVAL, "%s is %lld; 0 to 100 are possible", name,
                         (long long)n);
    for (int64_t i = 1; i <= n; i++) {
        block b;
        SPT__TRY(read_block(r, prefix, i, &b));
        if (add_block(r, network, &b) == SPT_OK) continue;
        char start[32];
        spt__format(start, sizeof start, "%s block ", prefix);
        if (!strncmp(r->ctx->err.text, start, strlen(start))) return r->ctx->err.status;
        return spt__fail_prefix(&r->ctx->err, "%s%lld: ", start, (long long)i);
    }
    return SPT_OK;
}

int32_t spt__network_from_config(spt_ctx *ctx, const spt_config *config, int64_t bands,
                                 int64_t channels, int64_t outputs, const spt__stream *stream,
                                 bool finish, spt_network **out)
{
    *out = NULL;
    reader r = {ctx, config, spt_config_space(config)};
    SPT__TRY(check_names(&r));
    spt_network *network = NULL;
    SPT__TRY(spt_network_new(ctx, bands, channels, outputs, &network));
    int32_t status = add_blocks(&r, network, "conv");
    if (status == SPT_OK) status = add_blocks(&r, network, "fc");
    if (status == SPT_OK && finish) status = spt__network_finish(network, stream, &ctx->err);
    if (status < 0)
        spt_network_free(network);
    else
        *out = network;
    return status;
}

int32_t spt_network_from_config(spt_ctx *ctx, const spt_config *config, int64_t bands,
                                int64_t channels, int64_t outputs, uint64_t seed, spt_network **out)
{
    if (out) *out = NULL;
    SPT__REQUIRE(ctx && config && out);
    return spt__network_from_config(ctx, config, bands, channels, outputs,
                                    &(spt__stream){.seed = seed}, true, out);
}

int32_t spt_network_check_config(spt_ctx *ctx, const spt_config *config, int64_t bands,
                                 int64_t channels, int64_t outputs)
{
    SPT__REQUIRE(ctx && config);
    spt_network *network = NULL;
    int32_t status =
        spt__network_from_config(ctx, config, bands, channels, outputs, NULL, false, &network);
    spt_network_free(network);
    return status;
}

int32_t spt_config_channels(const spt_config *config, int32_t *mask)
{
    SPT__REQUIRE(config && mask);
    const spt_space *space = spt_config_space(config);
    bool any = false;
    *mask = 0;
    for (int i = 0; spt__channel_names[i]; i++) {
        if (spt_space_find(space, spt__channel_names[i]) < 0) continue;
        any = true;
        if (spt_config_exists(config, spt__channel_names[i]) != 1) continue;
        const char *text = spt_config_choice(config, spt__channel_names[i]);
        double number = 0.0;
        if (!text) SPT__TRY(spt_config_number(config, spt__channel_names[i], &number));
        if (text ? !strcmp(text, "true") : number > 0.5) *mask |= channel_bits[i];
    }
    if (!any) *mask = absorbance_bit;
    return SPT_OK;
}

int32_t spt_training_options_configure(spt_options *options, const spt_config *config)
{
    SPT__REQUIRE(options && config);
    const spt_space *space = spt_config_space(config);
    int64_t n = spt_options_count(options);
    for (int64_t i = 0; i < n; i++) {
        spt_option_info knob;
        spt_record_init(&knob, sizeof knob);
        SPT__TRY(spt_options_describe(options, i, &knob));
        if (spt_space_find(space, knob.name) < 0 || spt_config_exists(config, knob.name) != 1)
            continue;
        const char *text = spt_config_choice(config, knob.name);
        if (text) {
            SPT__TRY(spt_options_set_text(options, knob.name, text));
        } else {
            double value = 0.0;
            SPT__TRY(spt_config_number(config, knob.name, &value));
            SPT__TRY(spt_options_set_number(options, knob.name, value));
        }
    }
    return SPT_OK;
}
