/* The search spaces that the library brings along: the parametric 1D-CNN of Shen & Viscarra Rossel
 * (2021, Scientific Reports 11:208) in two sizes, and with more of training. What the ranges are
 * and why: doc/space.md. */
#include "space.h"

#include <string.h>

typedef struct {
    double low, high, step;
    bool log;
    double value; /* default */
} range;

/* All that differs between the presets. */
typedef struct {
    const char *name;
    range batch_size, epochs;
    range conv_blocks, filters, kernel, stride, pool_size, pool_stride;
    range fc_blocks, units, dropout;
    int32_t activation; /* default, index in activations[] */
    bool extended;      /* with the options of training that the paper leaves to its framework */
} preset;

/* clang-format off */
#define SHEN2021_RANGES                                                                         \
    .batch_size = {64, 4096, 1, true, 256}, .epochs = {100, 3000, 100, false, 500},             \
    .conv_blocks = {1, 4, 1, false, 1}, .filters = {8, 256, 1, true, 32},                       \
    .kernel = {3, 41, 2, false, 11}, .stride = {1, 4, 1, false, 1},                             \
    .pool_size = {2, 8, 1, false, 2}, .pool_stride = {1, 4, 1, false, 2},                       \
    .fc_blocks = {1, 4, 1, false, 1}, .units = {8, 512, 1, true, 64},                           \
    .dropout = {0.05, 0.6, 0.05, false, 0.2}
/* clang-format on */

static const preset presets[] = {
    {
        .name = "small",
        .batch_size = {8, 32, 1, true, 16},
        .epochs = {200, 500, 50, false, 400},
        .conv_blocks = {1, 2, 1, false, 1},
        .filters = {4, 32, 1, true, 16},
        .kernel = {3, 21, 2, false, 11},
        .stride = {1, 3, 1, false, 1},
        .pool_size = {2, 4, 1, false, 2},
        .pool_stride = {1, 3, 1, false, 2},
        .fc_blocks = {1, 2, 1, false, 1},
        .units = {8, 64, 1, true, 32},
        .dropout = {0.05, 0.4, 0.05, false, 0.1},
        .activation = 2,
    },
    {.name = "shen2021", SHEN2021_RANGES},
    {.name = "cnn1d", SHEN2021_RANGES, .extended = true},
};

static const range learning_rate = {1e-4, 3e-2, 0, true, 1e-3};
static const range weight_decay = {1e-6, 1e-2, 0, true, 1e-4};

static const char *const optimizers[] = {"adagrad", "rmsprop", "adam"};
static const char *const activations[] = {"relu", "leaky_relu", "elu", "selu", "swish"};
static const char *const paddings[] = {"valid", "same"};
static const char *const pools[] = {"max", "average"};
static const char *const scales[] = {"channel", "band", "centre"};
static const char *const schedules[] = {"constant", "cosine", "plateau"};
static const char *const transforms[] = {"standardise", "log1p"};
static const struct {
    const char *name;
    bool on;
} channels[] = {{"channel_r", false},
                {"channel_a", false},
                {"channel_a_d1", false},
                {"channel_a_d2", true},
                {"channel_a_snv", true}};
#define LENGTH(array) ((int32_t)(sizeof(array) / sizeof *(array)))

/* ---- one parameter --------------------------------------------------------------------------- */

/* The first failure is kept, what comes after does nothing. */
typedef struct {
    spt_space *space;
    const char *group;
    const char *block; /* "conv" or "fc", NULL outside a block */
    int32_t i;         /* number of the block */
    int32_t status;
    spt__err *e;
} maker;

/* "conv_2_pool_size" of "pool_size"; the text lasts until the next call with this buffer. */
static const char *full_name(const maker *m, const char *name, char out[SPT__NAME_LENGTH])
{
    if (m->block)
        spt__format(out, SPT__NAME_LENGTH, "%s_%d_%s", m->block, m->i, name);
    else
        spt__format(out, SPT__NAME_LENGTH, "%s", name);
    return out;
}

static void condition(maker *m, const char *child, const char *parent, int32_t op,
                      const char *value)
{
    if (m->status < 0) return;
    m->status = spt__space_condition_add(m->space, child, parent, op, &value, 1, m->e);
}

/* Add it to its group; within a block it exists only with its block, or with the switch named. */
static void add(maker *m, const char *name, spt__parameter spec, const char *const *choices,
                const char *needs)
{
    char full[SPT__NAME_LENGTH], parent[SPT__NAME_LENGTH], number[8];
    spec.name = (char *)(uintptr_t)full_name(m, name, full);
    if (m->status >= 0) m->status = spt__space_add(m->space, &spec, choices, m->e);
    if (m->status >= 0) m->status = spt__space_group(m->space, full, m->group, m->e);
    if (needs) {
        condition(m, full, full_name(m, needs, parent), SPT_OP_EQ, "true");
    } else if (m->block && m->i > 1) {
        spt__format(parent, sizeof parent, "%s_blocks", m->block);
        spt__format(number, sizeof number, "%d", m->i);
        condition(m, full, parent, SPT_OP_GE, number);
    }
}

static void add_number(maker *m, const char *name, int32_t type, const range *r, const char *needs)
{
    spt__parameter spec = {.type = type,
                           .low = r->low,
                           .high = r->high,
                           .step = r->step,
                           .log = r->log,
                           .value = r->value};
    add(m, name, spec, NULL, needs);
}

static void add_int(maker *m, const char *name, const range *r, const char *needs)
{
    add_number(m, name, SPT_PARAMETER_INT, r, needs);
}

static void add_choice(maker *m, const char *name, const char *const *choices, int32_t n,
                       int32_t value, const char *needs)
{
    spt__parameter spec = {.type = SPT_PARAMETER_CATEGORICAL, .n_choices = n, .value = value};
    add(m, name, spec, choices, needs);
}

static void add_bool(maker *m, const char *name, bool value)
{
    static const char *const choices[] = {"false", "true"};
    spt__parameter spec = {.type = SPT_PARAMETER_BOOL, .n_choices = 2, .value = value};
    add(m, name, spec, choices, NULL);
}

/* ---- the tree -------------------------------------------------------------------------------- */

static void add_dropout(maker *m, const preset *p)
{
    add_bool(m, "dropout", false);
    add_number(m, "dropout_rate", SPT_PARAMETER_FLOAT, &p->dropout, "dropout");
}

static void add_conv_block(maker *m, const preset *p)
{
    add_int(m, "filters", &p->filters, NULL);
    add_int(m, "kernel", &p->kernel, NULL);
    add_int(m, "stride", &p->stride, NULL);
    add_choice(m, "padding", paddings, LENGTH(paddings), 1, NULL);
    add_bool(m, "batch_norm", false);
    add_choice(m, "activation", activations, LENGTH(activations), p->activation, NULL);
    add_bool(m, "pool", false);
    add_choice(m, "pool_type", pools, LENGTH(pools), 0, "pool");
    add_int(m, "pool_size", &p->pool_size, "pool");
    add_int(m, "pool_stride", &p->pool_stride, "pool");
    add_choice(m, "pool_padding", paddings, LENGTH(paddings), 0, "pool");
    add_dropout(m, p);
}

static void add_fc_block(maker *m, const preset *p)
{
    add_int(m, "units", &p->units, NULL);
    add_bool(m, "batch_norm", false);
    add_choice(m, "activation", activations, LENGTH(activations), p->activation, NULL);
    add_dropout(m, p);
}

static void add_blocks(maker *m, const preset *p, const char *kind, const range *count,
                       void (*add_block)(maker *, const preset *))
{
    char name[SPT__NAME_LENGTH];
    m->group = kind;
    spt__format(name, sizeof name, "%s_blocks", kind);
    add_int(m, name, count, NULL);
    m->block = kind;
    for (m->i = 1; m->i <= (int32_t)count->high; m->i++)
        add_block(m, p);
    m->block = NULL;
}

static void forbid_no_channel(maker *m)
{
    static const char *const off[] = {"false"};
    if (m->status >= 0) m->status = spt__space_forbid(m->space, m->e);
    for (int32_t i = 0; i < LENGTH(channels) && m->status >= 0; i++)
        m->status = spt__space_forbid_term(m->space, channels[i].name, SPT_OP_EQ, off, 1, m->e);
}

static void add_training(maker *m, const preset *p)
{
    m->group = "training";
    add_choice(m, "optimizer", optimizers, LENGTH(optimizers), 2, NULL);
    add_int(m, "batch_size", &p->batch_size, NULL);
    add_int(m, "epochs", &p->epochs, NULL);
    if (!p->extended) return;
    add_number(m, "learning_rate", SPT_PARAMETER_FLOAT, &learning_rate, NULL);
    add_choice(m, "schedule", schedules, LENGTH(schedules), 0, NULL);
    add_bool(m, "decay", false);
    add_number(m, "weight_decay", SPT_PARAMETER_FLOAT, &weight_decay, "decay");
    add_choice(m, "target_transform", transforms, LENGTH(transforms), 0, NULL);
}

static void build(maker *m, const preset *p)
{
    add_training(m, p);
    m->group = "input";
    for (int32_t i = 0; i < LENGTH(channels); i++)
        add_bool(m, channels[i].name, channels[i].on);
    add_choice(m, "scale", scales, LENGTH(scales), 2, NULL);
    add_blocks(m, p, "conv", &p->conv_blocks, add_conv_block);
    add_blocks(m, p, "fc", &p->fc_blocks, add_fc_block);
    forbid_no_channel(m);
}

/* ---- public ---------------------------------------------------------------------------------- */

const char *spt_space_preset_name(int32_t index)
{
    return index >= 0 && index < LENGTH(presets) ? presets[index].name : NULL;
}

int32_t spt_space_preset(spt_ctx *ctx, const char *name, spt_space **out)
{
    if (out) *out = NULL;
    SPT__REQUIRE(ctx && out);
    spt__err *e = &ctx->err;
    if (!name) return spt__fail(e, SPT_EINVAL, "the name of a space is NULL");
    const char *names[LENGTH(presets)];
    for (int32_t i = 0; i < LENGTH(presets); i++) {
        names[i] = presets[i].name;
        if (strcmp(name, names[i]) != 0) continue;
        maker m = {.e = e};
        SPT__TRY(spt_space_new(ctx, name, &m.space));
        build(&m, &presets[i]);
        if (m.status < 0)
            spt_space_free(m.space);
        else
            *out = m.space;
        return m.status < 0 ? m.status : SPT_OK;
    }
    const char *near = spt__nearest(name, names, LENGTH(presets));
    if (near)
        return spt__fail(e, SPT_ENOTFOUND, "no space is called '%.80s'; '%s' is the nearest", name,
                         near);
    return spt__fail(e, SPT_ENOTFOUND, "no space is called '%.80s'; %s, %s and %s are possible",
                     name, names[0], names[1], names[2]);
}
