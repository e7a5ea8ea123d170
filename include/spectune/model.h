/**
 * @file
 * Models: everything between a raw spectrum and a value, in one document.
 *
 * A model holds the pretreatment recipe, the scaling, one network or several (an ensemble, whose
 * mean counts), and what a later reader needs to trust it. It is written as one XML document
 * (doc/schemas/model.rng) with a checksum; reading it back predicts the same bits.
 *
 * @since 0.1
 */
#ifndef SPECTUNE_MODEL_H
#define SPECTUNE_MODEL_H

#include "nn.h"
#include "prep.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- statistics -------------------------------------------------------------------------------
 */

/** How predictions agree with references; e = predicted - reference, n pairs. Terms and limits as
 * in ISO 12099. What needs more pairs than there are, or differing values where all are the same,
 * is NaN; a ratio to an RMSE of 0 is infinite. */
typedef struct spt_statistics {
    uint32_t struct_size;
    int32_t reserved;
    int64_t n;
    double rmse; /**< sqrt(mean(e^2)) */
    double bias; /**< mean(e) */
    double
        bias_limit; /**< half width of the 95 % confidence interval of the bias, t SEP / sqrt(n) */
    double sep;     /**< s.d. of e, n - 1 */
    double slope;   /**< of the regression of reference on predicted */
    double intercept;
    double r2;       /**< 1 - SSE / SST */
    double r2_cor;   /**< squared correlation */
    double rpd;      /**< s.d. of the references (n - 1) / RMSE */
    double rpiq;     /**< interquartile range of the references (type 7) / RMSE */
    double rer;      /**< range of the references / RMSE */
    double ccc;      /**< Lin's concordance, moments with 1/n */
    double mean, sd; /**< of the references */
} spt_statistics;

/** @param reference, predicted  n values; pairs with a NaN on either side are left out
 * @return SPT_OK, SPT_EINVAL (no pair) @threads any */
SPT_API int32_t spt_statistics_compute(const double *reference, const double *predicted, int64_t n,
                                       spt_statistics *out);

/* ---- models --------------------------------------------------------------------------------- */

/** What a network was trained on. Both are scaled: the option `target_transform` is "log1p" for the
 * second, "standardise", or "none" (which is mean 0 and sd 1), for the first. */
typedef enum {
    SPT_TRANSFORM_NONE = 1,  /**< the target, scaled: value = output * sd + mean */
    SPT_TRANSFORM_LOG1P = 2, /**< log(1 + target), scaled: value = exp(output * sd + mean) - 1 */
    SPT_TRANSFORM_MAX_ENUM_ = 0x7fffffff
} spt_transform;

/** A model; immutable, readable from any thread. */
typedef struct spt_model spt_model;

/** Knobs of fitting beside those of training (which it contains, same names): `scale`
 * channel|band|centre|none (centre; see spt_scale), `target_transform` none|standardise|log1p
 * (standardise; log1p trains on log(1 + y), standardised, and takes targets above -1), `weights`
 * (number column, ""; how much a sample counts in training losses, watched ones too: finite, 0 or
 * more, not all 0; scaling and statistics do not know of it), `watch_share` (0.1, share of the
 * training rows watched for early stopping, whole groups where groups are given), `group` (column,
 * ""). */
SPT_API int32_t spt_fit_options_new(spt_ctx *ctx, spt_options **out);

/** Train a model with one configuration.
 *
 * @param dataset  raw spectra; rows with a missing target are left out
 * @param prep     recipe, copied; NULL for none
 * @param target   name of a number column, recorded with the model
 * @param config   network, channels and training options (it wins over `options`)
 * @param epochs   0: early stopping on `watch_share` of the rows; more: train on all rows for
 * exactly so many epochs (the median best epoch of a cross-validation, say), with the learning
 * rates that these have when `epochs` of configuration or options run
 * @param options  of spt_fit_options_new(), or NULL
 * @param fn, user called after each epoch; may be NULL
 * @param report   may be NULL
 * @return SPT_OK, SPT_STOP_HOST (a model of the best weights so far, NULL if no epoch had ended),
 * SPT_ELIMIT, or as spt_prep_apply(), spt_prep_channels(), spt_network_from_config(),
 * spt_network_fit()
 *
 * Losses in callback and report are in the target's unit (mse and huber: its square; huber's delta
 * is in s.d. of what is trained on, with log1p in s.d. of the target). Notes of the
 * model: seed, epochs, best_epoch, samples_watched, rmse_training, r2_training, configuration,
 * options, spectra_sha256, axis_sha256, target_sha256. There is no date among them, so that the
 * same seed gives the same bytes: a host that wants one adds it with spt_model_with_note().
 * @threads ctx
 */
SPT_API int32_t spt_model_fit(spt_ctx *ctx, const spt_dataset *dataset, const spt_prep *prep,
                              const char *target, const spt_config *config, int64_t epochs,
                              const spt_options *options, spt_epoch_fn fn, void *user,
                              spt_training_report *report, spt_model **out);

/** Make a model of parts that a host trained itself.
 *
 * @param dataset  a dataset on the raw axis (axis, unit and training ranges are taken from it)
 * @param prep     recipe; copied; NULL for none
 * @param mask     channels that the network reads
 * @param scaler   for the channels; shared; NULL for none
 * @param network  finished; copied
 * @param target   name of the property; several outputs are called name_1, name_2, ...; a number
 *                 column of the dataset gives the training range
 * @param target_mean, target_sd  value = output * sd + mean; t values each; NULL for 0 and 1
 * @param transform  spt_transform of the targets that the network was trained on
 */
SPT_API int32_t spt_model_assemble(spt_ctx *ctx, const spt_dataset *dataset, const spt_prep *prep,
                                   int32_t mask, const spt_scaler *scaler,
                                   const spt_network *network, const char *target,
                                   const double *target_mean, const double *target_sd,
                                   int32_t transform, spt_model **out);

/** An ensemble of models that read the same raw axis, unit and recipe and predict the same target;
 * its prediction is the mean of theirs, its notes are those on which all agree, its training ranges
 * hold theirs. Shares the members' parts. @param n 1 or more
 * @return SPT_OK, SPT_EMISMATCH (the first difference is named), SPT_EINVAL, SPT_ENOMEM */
SPT_API int32_t spt_model_ensemble(spt_ctx *ctx, const spt_model *const *models, int64_t n,
                                   spt_model **out);

/** A copy with a note more (or replaced): free text by key, kept in the file ("note", "operator",
 * "instrument", "date", "target_unit", "parent", "study", "trial", "rmsecv", ...). Shares
 * everything else.
 * @param key   1 to 64 letters, digits, '_', '.', '-', a letter first
 * @param text  UTF-8 without control characters but tab and line ends, up to 1,000,000 bytes */
SPT_API int32_t spt_model_with_note(spt_ctx *ctx, const spt_model *model, const char *key,
                                    const char *text, spt_model **out);
SPT_API void spt_model_free(spt_model *model);

/** Write to a file, complete or not at all. @return SPT_OK, SPT_EIO, SPT_ENOMEM */
SPT_API int32_t spt_model_write(spt_ctx *ctx, const spt_model *model, const char *path);
/** The document as text, query-then-fill; `needed` counts the final NUL. */
SPT_API int32_t spt_model_xml(spt_ctx *ctx, const spt_model *model, char *buffer, int64_t capacity,
                              int64_t *needed);
/** @return SPT_OK, SPT_EIO, SPT_EFORMAT (cut short, wrong checksum, line named), SPT_EVERSION,
 *          SPT_ENOMEM */
SPT_API int32_t spt_model_read(spt_ctx *ctx, const char *path, spt_model **out);
SPT_API int32_t spt_model_read_memory(spt_ctx *ctx, const void *data, int64_t size,
                                      const char *name, spt_model **out);

/* Reading a model: @threads any; texts are valid while the model is. */
/** Name of the (first) target. */
SPT_API const char *spt_model_target(const spt_model *model);
/** Number of targets, t. */
SPT_API int64_t spt_model_targets(const spt_model *model);
/** Number of networks, more than 1 for an ensemble. */
SPT_API int64_t spt_model_members(const spt_model *model);
/** The raw axis the model reads: number of bands, positions, unit of the axis and of the values. */
SPT_API int64_t spt_model_bands(const spt_model *model);
SPT_API const double *spt_model_axis(const spt_model *model);
SPT_API int32_t spt_model_axis_unit(const spt_model *model);
SPT_API int32_t spt_model_unit(const spt_model *model);
/** Text of a note, NULL if there is none; key of note `index`, NULL behind the last. */
SPT_API const char *spt_model_note(const spt_model *model, const char *key);
SPT_API const char *spt_model_note_key(const spt_model *model, int64_t index);
/** What the model is, in lines of text: input, recipe, channels, layers, training. Query-then-fill.
 */
SPT_API int32_t spt_model_summary(const spt_model *model, char *buffer, int64_t capacity,
                                  int64_t *needed);

/* ---- prediction --------------------------------------------------------------------------------
 */

/** Predicts with one model on one thread: owns its scratch memory and its error text. Nothing is
 * allocated after it is made, but for datasets on another axis. @threads one at a time */
typedef struct spt_predictor spt_predictor;

/** Make one; it keeps the model alive. @return SPT_OK, SPT_EINVAL, SPT_ENOMEM @threads ctx */
SPT_API int32_t spt_predictor_new(spt_ctx *ctx, const spt_model *model, spt_predictor **out);
SPT_API void spt_predictor_free(spt_predictor *predictor);
/** Text of the last failure on this predictor, "" if none. Never NULL. */
SPT_API const char *spt_predictor_last_error(const spt_predictor *predictor);

/** Predict one spectrum on the model's raw axis and in its unit.
 * @param n_bands   of `spectrum`; must be spt_model_bands()
 * @param values    t values
 * @param capacity  of `values`, t or more
 * @return SPT_OK, SPT_EMISMATCH (another number of bands), SPT_EDATA (band named), SPT_ECAPACITY,
 *         SPT_EINVAL */
SPT_API int32_t spt_predictor_run(spt_predictor *predictor, const double *spectrum, int64_t n_bands,
                                  double *values, int64_t capacity);

/** Called for a row that cannot be predicted, with the reason; its value is NaN. Rows come in their
 * order.
 * @return SPT_OK goes on; SPT_STOP_HOST ends the prediction, which returns the same; anything else
 * is SPT_ECALLBACK */
typedef int32_t (*spt_bad_row_fn)(int64_t row, const char *reason, void *user);

/** What spt_predictor_dataset() does with a dataset: 0, or bits that are combined. Bits that are
 * not declared here are refused. */
typedef enum {
    SPT_PREDICT_EXACT = 0,    /**< no bit: refuse a dataset on another axis (SPT_EMISMATCH) */
    SPT_PREDICT_RESAMPLE = 1, /**< interpolate it to the model's axis */
    SPT_PREDICT_MAX_ENUM_ = 0x7fffffff
} spt_predict_flags;

/** Predict the samples of a dataset, which may have further columns.
 *
 * The axis must be the model's to 1e-9 of each position, in the same unit. A dataset whose unit is
 * unknown is taken to hold what the model reads; a declared other unit is SPT_EMISMATCH.
 *
 * If the recipe averages scans and the dataset has the column, there is one value per sample, else
 * one per row: spt_predictor_samples() gives the dataset whose rows the values belong to.
 *
 * @param flags   bits of spt_predict_flags
 * @param values  n x t for the n samples; NaN where a row cannot be predicted, or was not reached
 * @param capacity  of `values`; *needed is n x t; either may be 0 or NULL to ask
 * @param fn, user  told of each bad row, may be NULL
 * @return SPT_OK, SPT_EMISMATCH (axis or unit), SPT_ECAPACITY, SPT_STOP_HOST and SPT_ECALLBACK (by
 *         `fn`), SPT_EINVAL, SPT_ENOMEM
 */
SPT_API int32_t spt_predictor_dataset(spt_predictor *predictor, const spt_dataset *dataset,
                                      int32_t flags, double *values, int64_t capacity,
                                      int64_t *needed, spt_bad_row_fn fn, void *user);
/** The samples that spt_predictor_dataset() would predict (the dataset itself, or its averages). */
SPT_API int32_t spt_predictor_samples(spt_predictor *predictor, const spt_dataset *dataset,
                                      spt_dataset **out);

#ifdef __cplusplus
}
#endif
#endif
