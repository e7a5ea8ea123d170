/* What a model is, in lines of text. */
#include "model.h"

#include <math.h>
#include <string.h>

static void put_channels(spt__buf *b, int32_t mask)
{
    const char *between = "";
    for (int32_t bit = 1; bit < SPT_CHANNEL_ALL; bit <<= 1) {
        if (!(mask & bit)) continue;
        spt__buf_printf(b, "%s%s", between, spt_channel_name(bit));
        between = ", ";
    }
}

static const char *scaling_name(const spt__member *member)
{
    switch (member->scaler ? member->scaler->mode : SPT_SCALE_NONE) {
    case SPT_SCALE_CHANNEL:
        return "per channel";
    case SPT_SCALE_BAND:
        return "per band and channel";
    case SPT_SCALE_CENTRE:
        return "mean per band, s.d. per channel";
    default:
        return "none";
    }
}

static void put_input(spt__buf *b, const spt_model *model)
{
    const spt__frame *frame = model->frame;
    for (int64_t i = 0; i < frame->t; i++) {
        spt__buf_printf(b, "target    %s", frame->targets[i]);
        if (!isnan(model->ranges.target_low[i]))
            spt__buf_printf(b, ", %g to %g in training", model->ranges.target_low[i],
                            model->ranges.target_high[i]);
        spt__buf_puts(b, "\n");
    }
    spt__buf_printf(b, "input     %lld bands, %.10g to %.10g %s, %s\n", (long long)frame->p,
                    frame->axis[0], frame->axis[frame->p - 1], spt_axis_unit_name(frame->axis_unit),
                    spt_unit_name(frame->unit));
    spt__buf_puts(b, "recipe    ");
    spt__prep_print(frame->prep, b);
    spt__buf_puts(b, "\n");
    if (model->ranges.samples > 0)
        spt__buf_printf(b, "trained   on %lld samples\n", (long long)model->ranges.samples);
}

/* The table of layers, from its own query-then-fill function. */
static int32_t put_network(spt__buf *b, const spt_network *network)
{
    int64_t needed = 0;
    int32_t status = spt_network_summary(network, NULL, 0, &needed);
    if (status < 0 && status != SPT_ECAPACITY) return status;
    char *text = spt__alloc(b->ctx, (size_t)needed, 1);
    if (!text) return SPT_ENOMEM;
    status = spt_network_summary(network, text, needed, &needed);
    if (status >= 0) spt__buf_puts(b, text);
    spt__free(b->ctx, text);
    return status;
}

static int32_t put_member(spt__buf *b, const spt__member *member)
{
    spt__buf_puts(b, "channels  ");
    put_channels(b, member->mask);
    spt__buf_printf(b, "\nscaling   %s\n", scaling_name(member));
    if (member->transform == SPT_TRANSFORM_LOG1P) spt__buf_puts(b, "output    log(1 + target)\n");
    SPT__TRY(put_network(b, member->network));
    if (b->size && b->data[b->size - 1] != '\n') spt__buf_puts(b, "\n");
    return SPT_OK;
}

static int32_t put_model(spt__buf *b, const spt_model *model)
{
    put_input(b, model);
    if (model->n_parts > 1)
        spt__buf_printf(b, "networks  %lld, their mean counts\n", (long long)model->n_parts);
    for (int64_t i = 0; i < model->n_parts; i++) {
        const spt__member *member = model->parts[i].member;
        const spt__member *before = i > 0 ? model->parts[i - 1].member : NULL;
        if (before && before->mask == member->mask &&
            spt__network_same_shape(before->network, member->network))
            continue; /* one table for networks that are alike */
        SPT__TRY(put_member(b, member));
    }
    for (int64_t i = 0; i < model->n_notes; i++)
        spt__buf_printf(b, "%-9s %s\n", model->notes[i].key, model->notes[i].text);
    spt__buf_printf(b, "written   by spectune %s", model->version);
    return SPT_OK;
}

int32_t spt_model_summary(const spt_model *model, char *buffer, int64_t capacity, int64_t *needed)
{
    SPT__REQUIRE(model);
    spt__buf b;
    spt__buf_init(&b, model->ctx);
    int32_t status = put_model(&b, model);
    if (status >= 0)
        status = b.failed ? SPT_ENOMEM : spt__text_out(b.data, buffer, capacity, needed);
    spt__buf_free(&b);
    return status;
}
