/* The knobs of training. */
#include "training.h"

const spt__knob spt__training_knobs[] = {SPT__TRAINING_KNOBS,
                                         {NULL, SPT_OPTION_NUMBER, 0, 0, 0, NULL, NULL, NULL}};

int32_t spt_training_options_new(spt_ctx *ctx, spt_options **out)
{
    if (out) *out = NULL;
    SPT__REQUIRE(ctx && out);
    return spt__options_new(ctx, "training", spt__training_knobs, out);
}

spt__training spt__training_from(const spt_options *options, const spt__knob *knobs)
{
    return (spt__training){
        .loss = (spt__loss)spt__option_choice(options, knobs, "loss"),
        .optimizer = (spt__optimizer)spt__option_choice(options, knobs, "optimizer"),
        .huber_delta = spt__option(options, knobs, "huber_delta"),
        .learning_rate = spt__option(options, knobs, "learning_rate"),
        .momentum = spt__option(options, knobs, "momentum"),
        .rho = spt__option(options, knobs, "rho"),
        .adagrad_start = spt__option(options, knobs, "adagrad_start"),
        .beta1 = spt__option(options, knobs, "beta1"),
        .beta2 = spt__option(options, knobs, "beta2"),
        .epsilon = spt__option(options, knobs, "epsilon"),
        .weight_decay = spt__option(options, knobs, "weight_decay"),
        .clip_norm = spt__option(options, knobs, "clip_norm"),
        .schedule = (spt__schedule)spt__option_choice(options, knobs, "schedule"),
        .schedule_floor = spt__option(options, knobs, "schedule_floor"),
        .schedule_epochs = spt__option_int(options, knobs, "schedule_epochs"),
        .plateau_factor = spt__option(options, knobs, "plateau_factor"),
        .plateau_patience = spt__option_int(options, knobs, "plateau_patience"),
        .batch_size = spt__option_int(options, knobs, "batch_size"),
        .epochs = spt__option_int(options, knobs, "epochs"),
        .patience = spt__option_int(options, knobs, "patience"),
        .seed = (uint64_t)spt__option_int(options, knobs, "seed"),
    };
}

int32_t spt__training_read(const spt_options *options, spt__training *out, spt__err *e)
{
    if (!spt__options_are(options, spt__training_knobs))
        return spt__fail(e, SPT_EINVAL,
                         "these are not training options; make them with "
                         "spt_training_options_new()");
    *out = spt__training_from(options, spt__training_knobs);
    return SPT_OK;
}
