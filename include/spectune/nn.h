/**
 * @file
 * One-dimensional convolutional networks: built by hand or from a configuration, trained, asked.
 *
 * Data is float32, channels last: a batch is n x bands x channels, targets and outputs are n x t.
 * Convolution is cross-correlation (as in every framework). Weights of a convolution stand as
 * kernel x channels x filters, of a dense layer as inputs x units, row-major.
 *
 * @since 0.1
 */
#ifndef SPECTUNE_NN_H
#define SPECTUNE_NN_H

#include "space.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct spt_network spt_network;

typedef enum {
    SPT_ACTIVATION_RELU = 1,
    SPT_ACTIVATION_LEAKY_RELU = 2, /**< slope 0.01 below 0 */
    SPT_ACTIVATION_ELU = 3,        /**< alpha 1 */
    SPT_ACTIVATION_SELU = 4,       /**< Klambauer et al. 2017 */
    SPT_ACTIVATION_SWISH = 5,      /**< x * sigmoid(x) */
    SPT_ACTIVATION_MAX_ENUM_ = 0x7fffffff
} spt_activation;

typedef enum {
    SPT_PADDING_VALID = 1, /**< none: length = floor((length - size) / stride) + 1 */
    SPT_PADDING_SAME = 2,  /**< zeros: length = ceil(length / stride); the odd one at the end */
    SPT_PADDING_MAX_ENUM_ = 0x7fffffff
} spt_padding;

typedef enum {
    SPT_POOL_MAX = 1,
    SPT_POOL_AVERAGE = 2, /**< over the values inside, padding not counted */
    SPT_POOL_TYPE_MAX_ENUM_ = 0x7fffffff
} spt_pool;

/** An empty network for inputs of `bands` x `channels` and `outputs` targets.
 * @threads ctx (all functions of spt_network, spt_trainer) */
SPT_API int32_t spt_network_new(spt_ctx *ctx, int64_t bands, int64_t channels, int64_t outputs,
                                spt_network **out);
SPT_API void spt_network_free(spt_network *network);

/** Layers are added from input to output. A convolution or pooling after a dense layer, or one that
 * leaves no length, is SPT_ESHAPE. The first dense layer flattens. */
SPT_API int32_t spt_network_add_conv(spt_network *network, int64_t filters, int64_t kernel,
                                     int64_t stride, int32_t padding);
/** Batch normalisation per channel or unit; epsilon 1e-5; running statistics with momentum 0.1 on
 * the newest batch (the unbiased variance), as PyTorch has them. */
SPT_API int32_t spt_network_add_batch_norm(spt_network *network);
SPT_API int32_t spt_network_add_activation(spt_network *network, int32_t activation);
SPT_API int32_t spt_network_add_pool(spt_network *network, int32_t type, int64_t size,
                                     int64_t stride, int32_t padding);
/** @param share  share of the values dropped in training, 0 to less than 1; the rest is scaled up.
 * (The paper's rate is the share kept: 1 - share.) */
SPT_API int32_t spt_network_add_dropout(spt_network *network, double share);
SPT_API int32_t spt_network_add_dense(spt_network *network, int64_t units);

/** Add the output layer (dense, linear) and draw the initial weights: He for ReLU, LeakyReLU, ELU
 * and Swish, LeCun for SELU, Glorot where no activation follows; normal; biases 0. After this no
 * layer can be added. @param seed the same seed gives the same weights */
SPT_API int32_t spt_network_finish(spt_network *network, uint64_t seed);

/** Build a finished network from a configuration.
 *
 * Parameter names (those that the space lacks take the value in brackets; others are an error, but
 * for the channels and the options of training and fitting that can be searched): `conv_blocks`
 * (0); per block i from 1: `conv_i_filters` (16), `conv_i_kernel` (5), `conv_i_stride` (1),
 * `conv_i_padding` valid|same (same), `conv_i_batch_norm` (false), `conv_i_activation` (relu),
 * `conv_i_pool` (false), `conv_i_pool_type` max|average (max), `conv_i_pool_size` (2),
 * `conv_i_pool_stride` (the size), `conv_i_pool_padding` (valid), `conv_i_dropout` (false),
 * `conv_i_dropout_rate` (0.2); `fc_blocks` (0); per block: `fc_i_units` (32), `fc_i_batch_norm`
 * (false), `fc_i_activation` (relu), `fc_i_dropout` (false), `fc_i_dropout_rate` (0.2); `decay`, a
 * switch on which `weight_decay` may hang and which does nothing else. Order in a block:
 * convolution or dense, batch normalisation, activation, pooling, dropout.
 *
 * @param channels  number of channels that the configuration switches on
 * @return SPT_OK, SPT_ESHAPE (block named), SPT_EINVAL, SPT_ENOMEM
 */
SPT_API int32_t spt_network_from_config(spt_ctx *ctx, const spt_config *config, int64_t bands,
                                        int64_t channels, int64_t outputs, uint64_t seed,
                                        spt_network **out);
/** SPT_OK if that network is possible; costs nothing. @return as spt_network_from_config() */
SPT_API int32_t spt_network_check_config(spt_ctx *ctx, const spt_config *config, int64_t bands,
                                         int64_t channels, int64_t outputs);
/** The mask (spt_channel in prep.h) of a configuration: parameters `channel_r`, `channel_a`,
 * `channel_a_d1`, `channel_a_d2`, `channel_a_snv`; absent ones are off; A alone if the space has
 * none of them. */
SPT_API int32_t spt_config_channels(const spt_config *config, int32_t *mask);

/** A table of layers with shapes and numbers of weights, query-then-fill. */
SPT_API int32_t spt_network_summary(const spt_network *network, char *buffer, int64_t capacity,
                                    int64_t *needed);
/** Trainable weights. */
SPT_API int64_t spt_network_weights(const spt_network *network);

/** One tensor of a network: weights, or the running statistics of a batch normalisation. */
typedef struct spt_tensor_info {
    uint32_t struct_size;
    int32_t trainable; /**< 0 for running statistics */
    const char *name;  /**< "conv_1.weight", "conv_1.bias", "bn_1.scale", "bn_1.shift",
                            "bn_1.mean", "bn_1.variance", "dense_2.weight", "output.bias"; valid
                            while the network is */
    int32_t n_dims;    /**< 1 to 3 */
    int32_t reserved;
    int64_t dims[3];
    int64_t size; /**< product of the dims */
} spt_tensor_info;

/** Number of tensors. */
SPT_API int64_t spt_network_tensors(const spt_network *network);
/** Describe tensor `index` (0 to their number - 1). @return SPT_OK, SPT_EINVAL (not finished, no
 * such tensor) */
SPT_API int32_t spt_network_tensor(const spt_network *network, int64_t index,
                                   spt_tensor_info *info);
/** Copy a tensor out. @param capacity of `values`, spt_tensor_info.size or more
 * @return SPT_OK, SPT_EINVAL (not finished, no such tensor), SPT_ECAPACITY */
SPT_API int32_t spt_network_values(const spt_network *network, int64_t index, float *values,
                                   int64_t capacity);
/** Copy a tensor in. Values must be finite, variances not negative. @param n spt_tensor_info.size
 * @return SPT_OK, SPT_EINVAL (also another number of values) */
SPT_API int32_t spt_network_set_values(spt_network *network, int64_t index, const float *values,
                                       int64_t n);

/** Outputs in prediction mode (running statistics, no dropout).
 * @param x  n x bands x channels   @param y  n x t */
SPT_API int32_t spt_network_predict(spt_network *network, const float *x, int64_t n, float *y);

/* ---- training -------------------------------------------------------------------------------- */

/** Knobs of training, with their defaults: `loss` mse|mae|huber (mse), `huber_delta` (1),
 * `optimizer` sgd|adagrad|rmsprop|adam|adamw (adam), `learning_rate` (1e-3), `momentum` (0, sgd),
 * `rho` (0.9, rmsprop), `adagrad_start` (0.1), `beta1` (0.9), `beta2` (0.999), `epsilon` (1e-7),
 * `weight_decay` (0; decoupled for adamw, else added to the gradient), `clip_norm` (0: off; else
 * the whole gradient is shortened to this norm, before the decay is added), `schedule`
 * constant|cosine|plateau (constant), `schedule_floor` (0.01; share of the learning rate that
 * stays), `schedule_epochs` (0: as many as `epochs`), `plateau_factor` (0.3), `plateau_patience`
 * (15), `batch_size` (32; larger than the rows means one full batch), `epochs` (100), `patience`
 * (60 epochs without a better watched loss; 0: never stop early), `seed` (1).
 *
 * The learning rate is the same within an epoch. Epoch e (from 0) of `schedule_epochs` E has by
 * `cosine` floor + (1 - floor) (1 + cos(pi e / E)) / 2 of it, later ones the floor. By `plateau` it
 * is multiplied by `plateau_factor` after each `plateau_patience` epochs without a lower loss, the
 * watched one, or that of training where nothing is watched. */
SPT_API int32_t spt_training_options_new(spt_ctx *ctx, spt_options **out);
/** Set those knobs that are parameters of the configuration too, by the same names; of options of
 * fitting as well (spt_fit_options_new()). */
SPT_API int32_t spt_training_options_configure(spt_options *options, const spt_config *config);

/** What is known after an epoch. */
typedef struct spt_epoch {
    uint32_t struct_size;
    int32_t reserved;
    int64_t epoch;        /**< from 1 */
    int64_t epochs;       /**< at most */
    double loss;          /**< mean training loss over the epoch's batches */
    double watched;       /**< loss on the watched rows, NaN without any */
    int64_t best;         /**< epoch of the lowest watched loss so far */
    double learning_rate; /**< in this epoch */
} spt_epoch;

/** After each epoch. SPT_STOP_HOST ends training; anything else but SPT_OK fails it. */
typedef int32_t (*spt_epoch_fn)(const spt_epoch *epoch, void *user);

/** What training came to. */
typedef struct spt_training_report {
    uint32_t struct_size;
    int32_t reserved;
    int64_t epochs; /**< run */
    int64_t best;   /**< epoch whose weights the network has now */
    double loss;    /**< training loss of that epoch */
    double watched; /**< its watched loss, NaN without watched rows */
    double seconds;
} spt_training_report;

/** Train a finished network in mini-batches, in a new random order each epoch.
 *
 * With `watch` rows training stops after `patience` epochs without a lower loss on them, and the
 * weights and statistics of the best epoch are restored.
 *
 * @param x        n x bands x channels, already scaled; not copied
 * @param y        n x t, already scaled
 * @param weights  of the n rows, finite, 0 or more, not all 0 among the rows that train nor among
 *                 those watched; NULL: 1 each. Losses are weighted means: a row counts by its
 *                 weight over the mean weight of the training rows, in whatever batch it is
 * @param n        rows of x, y and weights
 * @param train    indices (0 to n - 1) of the training rows; `watch` those watched, may be NULL
 * with n_watch 0
 * @param options  of spt_training_options_new(), or NULL
 * @param fn, user called after each epoch; may be NULL
 * @param report   may be NULL
 * @return SPT_OK, SPT_STOP_HOST (the best weights so far are kept), SPT_EDIVERGED, SPT_EINVAL,
 *         SPT_ELIMIT (see spt_network_fit_memory()), SPT_ECALLBACK, SPT_ENOMEM
 */
SPT_API int32_t spt_network_fit(spt_network *network, const float *x, const float *y,
                                const float *weights, int64_t n, const int64_t *train,
                                int64_t n_train, const int64_t *watch, int64_t n_watch,
                                const spt_options *options, spt_epoch_fn fn, void *user,
                                spt_training_report *report);

/** Bytes that spt_network_fit() will allocate with these options and numbers of rows, beside the
 * data and the network, and give back at its end. More than the context's limit
 * (spt_ctx_set_memory_limit()) and it refuses to train.
 * @return the bytes; SPT_EINVAL (unfinished network, no training rows, other options) */
SPT_API int64_t spt_network_fit_memory(const spt_network *network, const spt_options *options,
                                       int64_t n_train, int64_t n_watch);

/** An optimiser with its memory, for hosts that write the loop themselves. */
typedef struct spt_trainer spt_trainer;
/** Make one for a finished network, which it keeps alive. @param options of
 * spt_training_options_new(), or NULL @return SPT_OK, SPT_EINVAL, SPT_ENOMEM */
SPT_API int32_t spt_trainer_new(spt_network *network, const spt_options *options,
                                spt_trainer **out);
SPT_API void spt_trainer_free(spt_trainer *trainer);
/** One step on one mini-batch.
 * @param weights  of the n rows, finite, 0 or more, not all 0; NULL: 1 each
 * @param loss     weighted mean loss of the batch before the step; may be NULL
 * @return SPT_OK, SPT_EDIVERGED (the weights are left alone), SPT_EINVAL, SPT_ENOMEM */
SPT_API int32_t spt_trainer_step(spt_trainer *trainer, const float *x, const float *y,
                                 const float *weights, int64_t n, double *loss);
/** An epoch of the host's has ended with this loss (of rows it watches, or of training): the
 * learning rate goes on as `schedule` says. Without this call it stays. */
SPT_API int32_t spt_trainer_epoch(spt_trainer *trainer, double loss);
/** Learning rate of the next step; NaN for NULL. */
SPT_API double spt_trainer_rate(const spt_trainer *trainer);

#ifdef __cplusplus
}
#endif
#endif
