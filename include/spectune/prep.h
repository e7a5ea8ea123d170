/**
 * @file
 * Pretreatment: from what the sensor delivers to the input channels of a network.
 *
 * A preparation is a recipe: steps on the axis (averaging, crop, resampling, decimation), then up
 * to five channels computed from reflectance R and absorbance A = log10(1/R). All of it works on
 * one spectrum at a time, so it may run before any split; what must be fitted (scaling) is not here
 * but in spt_scaler, fitted on training rows only.
 *
 * @since 0.1
 */
#ifndef SPECTUNE_PREP_H
#define SPECTUNE_PREP_H

#include "data.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Input channels (Shen & Viscarra Rossel 2021). Masks combine them; in arrays they stand in this
 * order. Derivatives and SNV are taken of A. */
typedef enum {
    SPT_CHANNEL_R = 1,      /**< reflectance, a fraction */
    SPT_CHANNEL_A = 2,      /**< absorbance, log10(1/R) */
    SPT_CHANNEL_A_D1 = 4,   /**< first derivative, per unit of the axis, signed spacing */
    SPT_CHANNEL_A_D2 = 8,   /**< second derivative */
    SPT_CHANNEL_A_SNV = 16, /**< standard normal variate, s.d. with n - 1 */
    SPT_CHANNEL_ALL = 31,
    SPT_CHANNEL_MAX_ENUM_ = 0x7fffffff
} spt_channel;

/** "R", "A", "A+D1", "A+D2", "A+SNV" of one channel bit; NULL otherwise. Static. @threads any */
SPT_API const char *spt_channel_name(int32_t channel);

/** Savitzky-Golay smoothing or derivative by least squares (Savitzky & Golay 1964); at the ends the
 * polynomial of the end window is evaluated (Gorry 1990), so that no band is lost.
 *
 * @param y           n finite values
 * @param spacing     signed distance of neighbouring bands; not 0
 * @param window      odd, order + 1 to n
 * @param order       of the polynomial, 0 to 8, at least `derivative`
 * @param derivative  0 to 4
 * @param out         n values; may not overlap y
 * @return SPT_OK, SPT_EINVAL, SPT_ENOMEM
 * @threads ctx
 */
SPT_API int32_t spt_prep_savgol(spt_ctx *ctx, const double *y, int64_t n, double spacing,
                                int32_t window, int32_t order, int32_t derivative, double *out);

typedef struct spt_prep spt_prep;

/** An empty recipe: no steps, default channel options. Steps run in the order in which they were
 * added; averaging, if any, must come first. A recipe given to spt_cv or a model is copied.
 * @threads ctx (all functions of spt_prep) */
SPT_API int32_t spt_prep_new(spt_ctx *ctx, spt_prep **out);
SPT_API void spt_prep_free(spt_prep *prep);

/** Average repeated scans by a column (spt_dataset_average). A dataset without that column passes
 * unchanged: its rows are samples already.
 * @return SPT_OK, SPT_EINVAL (not the first step), SPT_ENOMEM */
SPT_API int32_t spt_prep_add_average(spt_prep *prep, const char *column);
/** Keep the bands from low to high (spt_dataset_crop). Whether the spectra have any is seen when
 * the recipe runs. @param low, high finite, low < high @return SPT_OK, SPT_EINVAL, SPT_ENOMEM */
SPT_API int32_t spt_prep_add_crop(spt_prep *prep, double low, double high);
/** Resample to low, low + step, ... up to high (spt_dataset_resample); the new axis ascends,
 * whatever the old one does. @param step above 0; it must give 2 to 1,000,000 bands
 * @return SPT_OK, SPT_EINVAL, SPT_ENOMEM */
SPT_API int32_t spt_prep_add_resample(spt_prep *prep, double low, double high, double step);
/** Decimate (spt_dataset_decimate). @param factor 1 or more @param average 1 (mean) or 0 (first
 * band)
 * @return SPT_OK, SPT_EINVAL, SPT_ENOMEM */
SPT_API int32_t spt_prep_add_decimate(spt_prep *prep, int64_t factor, int32_t average);

/** Knobs of the channels.
 *
 * - `d1_window` (11), `d2_window` (11): Savitzky-Golay windows of the first and second derivative
 * - `d1_order` (2), `d2_order` (2): order of their polynomials, 1 or 2 to 8
 * - `window_in` (points | axis): windows are odd numbers of points, or widths in the unit of the
 *   axis. A window of w points stands for w steps; the nearest odd number that gives is taken, of
 * two equally near the smaller, at least what the order needs: 22 nm are 11 points 2 nm apart and
 * 43 points 0.5 nm apart.
 * - `constant_snv` (error | zero): what a spectrum without variation gives
 *
 * @return SPT_OK, SPT_EINVAL, SPT_ENOMEM @threads ctx */
SPT_API int32_t spt_prep_options_new(spt_ctx *ctx, spt_options **out);
/** Use these channel settings; NULL for the defaults. Copied.
 * @return SPT_OK, SPT_EINVAL (a window that does not go with its order, other options), SPT_ENOMEM
 */
SPT_API int32_t spt_prep_set_options(spt_prep *prep, const spt_options *options);

/** One line on the recipe, as recorded with studies; the same recipe always gives the same text:
 * "crop 1100 2400; decimate 4 mean; d1_window=11 ...". Query-then-fill. */
SPT_API int32_t spt_prep_text(const spt_prep *prep, char *buffer, int64_t capacity,
                              int64_t *needed);

/** Run the steps. Without steps that change values the result shares storage with `dataset`.
 * @return as the dataset functions that the steps name */
SPT_API int32_t spt_prep_apply(spt_ctx *ctx, const spt_prep *prep, const spt_dataset *dataset,
                               spt_dataset **out);

/** Channels of a dataset on which the steps have run.
 *
 * Values are taken in the dataset's unit and never mended. Refused, whatever channels are asked
 * for: a reflectance of zero or below; an absorbance below -0.3; and what only a wrong unit
 * explains: more than half of a spectrum above R = 1.2 (120 percent) or above A = 10, or all of it
 * below 1.5 percent. Fractions told as absorbance, or the reverse, cannot be noticed.
 *
 * @param applied  result of spt_prep_apply(); its unit must be known; derivatives need an even axis
 * @param mask     one or more spt_channel bits; c is their number
 * @param dtype    of `out`; all arithmetic is in float64
 * @param out      n x p x c, channels last; a channel's bits do not depend on mask or on other rows
 * @param capacity  of `out`, in values: n * p * c or more
 * @return SPT_OK, SPT_EINVAL (unit unknown, axis uneven, window longer than the spectra), SPT_EDATA
 *         (one of the values above, a constant spectrum: row and band named), SPT_ECAPACITY,
 * SPT_ENOMEM
 */
SPT_API int32_t spt_prep_channels(spt_ctx *ctx, const spt_prep *prep, const spt_dataset *applied,
                                  int32_t mask, int32_t dtype, void *out, int64_t capacity);

/* ---- scaling --------------------------------------------------------------------------------- */

typedef enum {
    SPT_SCALE_NONE = 1,
    SPT_SCALE_CHANNEL = 2, /**< one mean and s.d. per channel */
    SPT_SCALE_BAND = 3,    /**< one per band and channel (autoscaling) */
    SPT_SCALE_CENTRE = 4,  /**< the means of SPT_SCALE_BAND, the s.d. of SPT_SCALE_CHANNEL */
    SPT_SCALE_MAX_ENUM_ = 0x7fffffff
} spt_scale;

/** Means and standard deviations of channels, fitted on some rows. Immutable. @threads any */
typedef struct spt_scaler spt_scaler;

/** Fit (s.d. with n - 1; where all values are the same it is 1).
 *
 * @param x     n x p x c channel values
 * @param rows  the training rows; NULL for all
 * @param mode  spt_scale
 * @return SPT_OK, SPT_EINVAL (also values that are not finite), SPT_ENOMEM
 */
SPT_API int32_t spt_scaler_fit(spt_ctx *ctx, const float *x, int64_t n, int64_t p, int64_t c,
                               const int64_t *rows, int64_t n_rows, int32_t mode, spt_scaler **out);
/** Make one of given numbers. @param mean, sd  c (SPT_SCALE_CHANNEL) or p x c (SPT_SCALE_BAND,
 * SPT_SCALE_CENTRE) values, finite, sd above 0; ignored with SPT_SCALE_NONE
 * @return SPT_OK, SPT_EINVAL, SPT_ENOMEM */
SPT_API int32_t spt_scaler_new(spt_ctx *ctx, int64_t p, int64_t c, int32_t mode, const double *mean,
                               const double *sd, spt_scaler **out);
SPT_API void spt_scaler_free(spt_scaler *scaler);
/** Scale `n` samples in place, n x p x c: (x - mean) / sd in float64, then rounded to float32.
 * @return SPT_OK, SPT_EINVAL @threads any */
SPT_API int32_t spt_scaler_apply(const spt_scaler *scaler, float *x, int64_t n);

#ifdef __cplusplus
}
#endif
#endif
