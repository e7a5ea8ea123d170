/* The knobs of training. */
#include "training.h"

#define NUMBER(name, low, high, value, text)                        \
    {                                                               \
        name, SPT_OPTION_NUMBER, low, high, value, NULL, NULL, text \
    }
#define INTEGER(name, low, high, value, text)                        \
    {                                                                \
        name, SPT_OPTION_INTEGER, low, high, value, NULL, NULL, text \
    }
#define CHOICE(name, choices, value, text)                     \
    {                                                          \
        name, SPT_OPTION_CHOICE, 0, 0, 0, choices, value, text \
    }

const spt__knob spt__training_knobs[] = {
    CHOICE("loss", "mse|mae|huber", "mse", "what training minimises, mean over rows and targets"),
    NUMBER("huber_delta", 1e-6, 1e6, 1.0, "huber: error from which on the loss grows linearly"),
    CHOICE("optimizer", "sgd|adagrad|rmsprop|adam|adamw", "adam", "rule of the step"),
    NUMBER("learning_rate", 1e-12, 1e12, 1e-3, "factor of the step"),
    NUMBER("momentum", 0, 0.999999, 0, "sgd: share of the last step that is kept"),
    NUMBER("rho", 0, 0.999999, 0.9, "rmsprop: share of the mean square that is kept"),
    NUMBER("adagrad_start", 0, 1e6, 0.1, "adagrad: sum of squares before the first step"),
    NUMBER("beta1", 0, 0.999999, 0.9, "adam, adamw: share of the mean gradient that is kept"),
    NUMBER("beta2", 0, 0.999999, 0.999, "adam, adamw: share of the mean square that is kept"),
    NUMBER("epsilon", 1e-16, 1, 1e-7, "added to the denominator of a step"),
    NUMBER("weight_decay", 0, 1e3, 0,
           "adamw: share of a weight taken off at learning rate 1; else times the weight, added to "
           "its gradient"),
    INTEGER("batch_size", 1, 1e9, 32, "rows per step; more than there are is one full batch"),
    INTEGER("epochs", 1, 1e9, 100, "times through the training rows, at most"),
    INTEGER("patience", 0, 1e9, 20,
            "epochs without a better watched loss before training stops; 0 never stops early"),
    INTEGER("seed", 0, 9007199254740992.0, 1, "names the order of the rows and the dropout masks"),
    {NULL, SPT_OPTION_NUMBER, 0, 0, 0, NULL, NULL, NULL}};

int32_t spt_training_options_new(spt_ctx *ctx, spt_options **out)
{
    if (out) *out = NULL;
    SPT__REQUIRE(ctx && out);
    return spt__options_new(ctx, "training", spt__training_knobs, out);
}

int32_t spt__training_read(const spt_options *options, spt__training *out, spt__err *e)
{
    const spt__knob *knobs = spt__training_knobs;
    if (options && !spt__options_are(options, knobs))
        return spt__fail(e, SPT_EINVAL,
                         "these are not training options; make them with "
                         "spt_training_options_new()");
    *out = (spt__training){
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
        .batch_size = spt__option_int(options, knobs, "batch_size"),
        .epochs = spt__option_int(options, knobs, "epochs"),
        .patience = spt__option_int(options, knobs, "patience"),
        .seed = (uint64_t)spt__option_int(options, knobs, "seed"),
    };
    return SPT_OK;
}
