/**
 * @file
 * Datasets: n spectra on one axis of p bands, and columns (ids, groups, properties) beside them.
 *
 * A dataset never changes. Cropping, choosing rows and the like give new datasets that share
 * storage where they can. Spectra are kept as they came (float32 or float64); values are finite:
 * a spectrum with a missing or infinite value is refused with row and band named.
 *
 * @since 0.1
 */
#ifndef SPECTUNE_DATA_H
#define SPECTUNE_DATA_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct spt_dataset spt_dataset;

/** What a spectral value is. Never guessed: the host says it. */
typedef enum {
    SPT_UNIT_UNKNOWN = 0,
    SPT_UNIT_ABSORBANCE = 1,          /**< log10(1/R) */
    SPT_UNIT_REFLECTANCE = 2,         /**< a fraction, 0 to 1 */
    SPT_UNIT_PERCENT_REFLECTANCE = 3, /**< 0 to 100 */
    SPT_UNIT_MAX_ENUM_ = 0x7fffffff
} spt_unit;

typedef enum {
    SPT_AXIS_UNKNOWN = 0,
    SPT_AXIS_NM = 1,  /**< wavelength, nanometres */
    SPT_AXIS_CM1 = 2, /**< wavenumber, 1/cm */
    SPT_AXIS_UM = 3,  /**< wavelength, micrometres */
    SPT_AXIS_MAX_ENUM_ = 0x7fffffff
} spt_axis_unit;

/** "absorbance", "reflectance", "percent-reflectance", "unknown". Static. @threads any */
SPT_API const char *spt_unit_name(int32_t unit);
/** The unit of that name, or SPT_EINVAL. @threads any */
SPT_API int32_t spt_unit_from_name(const char *name);
/** "nm", "cm-1", "um", "unknown". Static. @threads any */
SPT_API const char *spt_axis_unit_name(int32_t unit);
/** The axis unit of that name, or SPT_EINVAL. @threads any */
SPT_API int32_t spt_axis_unit_from_name(const char *name);

typedef enum { SPT_FLOAT32 = 1, SPT_FLOAT64 = 2, SPT_DTYPE_MAX_ENUM_ = 0x7fffffff } spt_dtype;

/** A view of a matrix of any strides. spt_record_init() and the first four fields make one of rows
 * that follow each other. */
typedef struct spt_matrix {
    uint32_t struct_size;
    int32_t dtype; /**< spt_dtype */
    const void *data;
    int64_t rows, cols;
    /** In elements, may be negative. Both 0: contiguous, row-major (`cols` and 1). One of them 0 is
     * refused: a row or band that is repeated must be copied by the host. */
    int64_t row_stride, col_stride;
} spt_matrix;

/* ---- making datasets ------------------------------------------------------------------------ */

/** Make a dataset from a matrix in memory.
 *
 * @param spectra    n x p, n >= 1, p >= 2
 * @param axis       p strictly ascending or descending positive positions; copied
 * @param axis_unit  spt_axis_unit; not SPT_AXIS_UNKNOWN
 * @param unit       spt_unit of the values
 * @param borrow     0: the spectra are copied and checked now. 1: they must stay valid and
 * unchanged until `destroy` runs; whether they are finite is checked at first use
 * @param user, destroy  hook for borrowed storage, see spt_destroy_fn; may be NULL
 * @return SPT_OK, SPT_EINVAL, SPT_EDATA (row and band named), SPT_ENOMEM
 * @threads ctx
 */
SPT_API int32_t spt_dataset_new(spt_ctx *ctx, const spt_matrix *spectra, const double *axis,
                                int32_t axis_unit, int32_t unit, int32_t borrow, void *user,
                                spt_destroy_fn destroy, spt_dataset **out);

/** Knobs of the CSV reader: `delimiter` (auto), `decimal` (auto), `axis_unit` (auto), `unit`
 * (unknown), `id` (name of the id column, found by name otherwise), `bands` (what the band headers
 * start with, when a file has two sets), `missing` (further markers beside empty, NA, NaN, -9999),
 * `bad_spectra` (error | keep: a spectrum with a missing or unreadable value is refused with the
 * file, or kept as a row whose reading fails with SPT_EDATA, while the others stay usable).
 * spt_options_describe() tells all. */
SPT_API int32_t spt_csv_options_new(spt_ctx *ctx, spt_options **out);

/** Read a table of spectra from a CSV file.
 *
 * Bands are the columns whose headers are numbers with an optional prefix and unit ("1100", "X350",
 * "spc.400.5", "scan_visnir.350_ref", "400 nm"): the longest run of at least 10 that is strictly
 * monotone. Everything else becomes a column. An axis unit that neither the options nor the headers
 * nor the range of the positions settle stays SPT_AXIS_UNKNOWN. What was understood and what looks
 * wrong can be read with spt_dataset_note().
 *
 * @param path     file name, UTF-8
 * @param options  of spt_csv_options_new(), or NULL
 * @return SPT_OK, SPT_EIO, SPT_EFORMAT and SPT_EDATA (file, line and column named), SPT_EINVAL,
 *         SPT_ENOMEM
 * @threads ctx
 */
SPT_API int32_t spt_dataset_read_csv(spt_ctx *ctx, const char *path, const spt_options *options,
                                     spt_dataset **out);

/** The same from memory; `name` stands for the file in messages. */
SPT_API int32_t spt_dataset_read_csv_memory(spt_ctx *ctx, const void *data, int64_t size,
                                            const char *name, const spt_options *options,
                                            spt_dataset **out);

/** Add the columns of a second CSV file (which needs no bands), matched by id: the key of the file
 * is looked up in the dataset's column of that name (case, blanks, "_" and "." ignored: "POINT_ID"
 * is "PointID"), or else in the column that names its rows.
 *
 * Rows of `dataset` without a match get missing values; rows of the file without a match are left
 * out; both counts become notes. An id that stands twice in the file is an error; one that stands
 * several times in the dataset (repeated scans) is fine.
 *
 * Ids match when their texts are the same. A column whose name is taken is left out, with a note.
 *
 * @param key      id column of the second file; NULL: the first with a usual name
 * @param options  delimiter, decimal and missing count; NULL for the defaults
 * @return as spt_dataset_read_csv(); SPT_EINVAL when the dataset has no such column either,
 * SPT_EDATA when no id matches, SPT_ENOTFOUND when there is no such key
 */
SPT_API int32_t spt_dataset_join_csv(spt_ctx *ctx, const spt_dataset *dataset, const char *path,
                                     const char *key, const spt_options *options,
                                     spt_dataset **out);

/** A dataset with one numeric column more (or replaced).
 * @param values  one per row, NaN = missing; copied
 * @param n       their number, spt_dataset_rows()
 * @return SPT_OK, SPT_EINVAL (no name, another number of values), SPT_EDATA (an infinite value),
 *         SPT_ENOMEM */
SPT_API int32_t spt_dataset_with_numbers(spt_ctx *ctx, const spt_dataset *dataset, const char *name,
                                         const double *values, int64_t n, spt_dataset **out);
/** A dataset with one text column more (or replaced). A column named "id" becomes the row ids.
 * @param values  one per row, NULL = missing; copied
 * @param n       their number, spt_dataset_rows()
 * @return SPT_OK, SPT_EINVAL (no name, another number of values, no UTF-8), SPT_ENOMEM */
SPT_API int32_t spt_dataset_with_texts(spt_ctx *ctx, const spt_dataset *dataset, const char *name,
                                       const char *const *values, int64_t n, spt_dataset **out);

/** Release a reference; the storage goes with the last. @threads any */
SPT_API void spt_dataset_free(spt_dataset *dataset);

/* ---- reading datasets (all: @threads any) ---------------------------------------------------- */
/* As any thread may call these, a failure has a status but leaves no text on the context. */

SPT_API int64_t spt_dataset_rows(const spt_dataset *dataset);
SPT_API int64_t spt_dataset_bands(const spt_dataset *dataset);
/** p band positions in spt_dataset_axis_unit(); valid while the dataset is. */
SPT_API const double *spt_dataset_axis(const spt_dataset *dataset);
SPT_API int32_t spt_dataset_axis_unit(const spt_dataset *dataset);
SPT_API int32_t spt_dataset_unit(const spt_dataset *dataset);
/** 1 when neighbouring bands are equally far apart (to 1e-6 of the step), else 0. */
SPT_API int32_t spt_dataset_axis_is_even(const spt_dataset *dataset);

/** Copy spectra as float64, `n_rows` x p, from row `first`.
 * @param capacity  of `out`, n_rows * p or more
 * @return SPT_OK, SPT_EINVAL, SPT_ECAPACITY, SPT_EDATA (a value is not finite) */
SPT_API int32_t spt_dataset_spectra(const spt_dataset *dataset, int64_t first, int64_t n_rows,
                                    double *out, int64_t capacity);

typedef enum {
    SPT_COLUMN_NUMBER = 1, /**< every value present is a number */
    SPT_COLUMN_TEXT = 2,
    SPT_COLUMN_MAX_ENUM_ = 0x7fffffff
} spt_column_kind;

typedef struct spt_column_info {
    uint32_t struct_size;
    int32_t kind;     /**< spt_column_kind */
    const char *name; /**< valid while the dataset is */
    int64_t n_missing;
    int64_t n_distinct; /**< distinct values present */
    double low, high;   /**< of a number column, NaN if all are missing */
    int32_t is_id;      /**< 1 for the column that names the rows */
    int32_t reserved;
} spt_column_info;

SPT_API int64_t spt_dataset_columns(const spt_dataset *dataset);
SPT_API int32_t spt_dataset_column(const spt_dataset *dataset, int64_t index,
                                   spt_column_info *info);
/** Index of a column, SPT_ENOTFOUND if there is none of that name. */
SPT_API int64_t spt_dataset_find_column(const spt_dataset *dataset, const char *name);
/** Copy a number column, NaN = missing. @param capacity of `out`, spt_dataset_rows() or more
 * @return SPT_OK, SPT_EINVAL (not a number column), SPT_ECAPACITY */
SPT_API int32_t spt_dataset_numbers(const spt_dataset *dataset, int64_t column, double *out,
                                    int64_t capacity);
/** The text of one cell as it stood in the file, NULL if missing; valid while the dataset is. */
SPT_API const char *spt_dataset_text(const spt_dataset *dataset, int64_t row, int64_t column);
/** The id of a row, or its number from 1 as text; valid while the dataset is. Numbers name the rows
 * of the dataset that was read or made: a subset keeps them. */
SPT_API const char *spt_dataset_id(const spt_dataset *dataset, int64_t row);

/** Note `index` (from 0) on what was understood or looks wrong, NULL behind the last. Notes that
 * tell of a problem start with "warning: ". */
SPT_API const char *spt_dataset_note(const spt_dataset *dataset, int64_t index);

typedef enum {
    SPT_PART_SPECTRA = 1, /**< values, in row order */
    SPT_PART_AXIS = 2,    /**< positions and unit */
    SPT_PART_COLUMN = 3,  /**< one column's values */
    SPT_PART_MAX_ENUM_ = 0x7fffffff
} spt_part;

/** SHA-256 of a part in a form that depends neither on byte order nor on storage.
 * @param column  index for SPT_PART_COLUMN, else ignored
 * @param out     64 hexadecimal digits and a NUL */
SPT_API int32_t spt_dataset_fingerprint(const spt_dataset *dataset, int32_t part, int64_t column,
                                        char out[65]);

/* ---- datasets from datasets (all: @threads ctx) -----------------------------------------------
 */

/** The rows with these indices, in this order; repeats are allowed. Shares storage. */
SPT_API int32_t spt_dataset_take(spt_ctx *ctx, const spt_dataset *dataset, const int64_t *rows,
                                 int64_t n, spt_dataset **out);
/** The rows whose `column` equals `value` (`keep` 1) or differs from it (`keep` 0; a missing value
 * differs). Numbers compare as numbers. No row left is SPT_EDATA. Shares storage. */
SPT_API int32_t spt_dataset_select(spt_ctx *ctx, const spt_dataset *dataset, const char *column,
                                   const char *value, int32_t keep, spt_dataset **out);
/** The bands from `low` to `high`, both included, in the axis's unit. Shares storage. */
SPT_API int32_t spt_dataset_crop(spt_ctx *ctx, const spt_dataset *dataset, double low, double high,
                                 spt_dataset **out);
/** Linear interpolation onto `n` strictly monotone positions, in either direction, inside the
 * axis's range. The bands stand in the order of the positions. Past the range is SPT_EINVAL:
 * nothing is extrapolated. */
SPT_API int32_t spt_dataset_resample(spt_ctx *ctx, const spt_dataset *dataset,
                                     const double *positions, int64_t n, spt_dataset **out);
/** Every `factor` bands become one: their mean (`average` 1; a shorter rest at the end is dropped,
 * positions are averaged too) or the first of them (`average` 0; of a shorter rest, too; shares
 * storage). At least two bands must be left. */
SPT_API int32_t spt_dataset_decimate(spt_ctx *ctx, const spt_dataset *dataset, int64_t factor,
                                     int32_t average, spt_dataset **out);
/** One row for all rows that share a value of `column`, in order of first appearance: mean spectra,
 * mean of number columns over the values present, the text of text columns where it is the same in
 * all, else missing. Values are compared as texts ("1.1" and "1.10" are two samples); a missing
 * value is a group of its own. The ids stay where they agree within every group, else `column`
 * names the rows. */
SPT_API int32_t spt_dataset_average(spt_ctx *ctx, const spt_dataset *dataset, const char *column,
                                    spt_dataset **out);

/* ---- folds --------------------------------------------------------------------------------- */

/** Assign rows to `k` folds by a seeded permutation; sizes differ by at most one (row) or are
 * balanced greedily (groups, largest first).
 *
 * @param group  column whose equal values (as texts) stay in one fold, or NULL; a missing value is
 * a group of its own
 * @param k      2 to the number of rows (or groups)
 * @param fold   a number from 0 to k - 1 for each row
 * @param capacity  of `fold`, spt_dataset_rows() or more
 * @return SPT_OK, SPT_EINVAL (text names the limits), SPT_ENOTFOUND, SPT_ECAPACITY, SPT_ENOMEM
 * @threads ctx
 */
SPT_API int32_t spt_dataset_folds(spt_ctx *ctx, const spt_dataset *dataset, const char *group,
                                  int32_t k, uint64_t seed, int32_t *fold, int64_t capacity);

#ifdef __cplusplus
}
#endif
#endif
