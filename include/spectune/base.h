/**
 * @file
 * The foundation: context, status codes, error text, log, options, stop request.
 *
 * Rules that hold in every header of the library
 *
 * - **Handles** are opaque. `spt_X_new`, `spt_X_open` and `spt_X_read...` make them, `spt_X_free`
 *   releases them (NULL is fine; twice is undefined). A child keeps its parents alive: handles may
 *   be freed in any order. On failure the out-parameter is set to NULL. Where a handle or a name is
 *   needed and NULL is given, a status or a number is SPT_EINVAL, a pointer NULL, a double NaN.
 * - **Status.** A function that can fail returns `int32_t`: 0 done, negative an error, positive
 *   "stopped because". The numbers never change; read an unknown one as a failure.
 * - **Error text.** After a negative status spt_ctx_last_error() gives one line that says what was
 *   wrong, where, and what would be right.
 * - **Threads** (`@threads ctx` below): a context and all that was made from it belong to one
 *   thread at a time, whichever it is; two at a time are undefined. Datasets, spaces, models,
 *   scalers, histories and analyses are immutable once made ("@threads any"): any thread may read
 *   and free them; prediction from several threads takes one spt_predictor each. A function that
 *   does not say is as the handle that it takes first.
 * - **fork.** A child makes contexts of its own, and may read immutable handles of its parent. A
 *   store on disk that its parent opened is SPT_EBUSY there; freeing it touches no file. While the
 *   process forks no other thread may be inside of the library.
 * - **Callbacks** return a status, take `void *user` last and run on the thread that called into
 *   the library, one at a time, in a fixed order, with no lock held. SPT_OK goes on,
 *   SPT_STOP_HOST asks for a stop, SPT_PRUNED gives the trial up; anything else means failure.
 *   What called back and would be changed refuses with SPT_EBUSY; other handles may be used. No
 *   callback may be left by a jump (longjmp, an exception): return a status.
 * - **Arrays in** are contiguous, row-major, unless the parameter is an spt_matrix. **Arrays out**
 *   are query-then-fill: the function writes at most `capacity` elements and says in `*needed`
 *   how many there are (of a text with its NUL); a short buffer is SPT_ECAPACITY and nothing is
 *   written. `needed` may be NULL.
 * - **Records** are plain structs that start with `struct_size`; call spt_record_init() on them
 *   before use, so that old programs meet newer libraries. One that a callback is given may be
 *   shorter than the header's if the library is older: `struct_size` tells.
 * - **Text** is UTF-8, also in file names. Numbers in files never depend on the locale.
 *
 * @since 0.1 (the whole header, unless a declaration says otherwise)
 */
#ifndef SPECTUNE_BASE_H
#define SPECTUNE_BASE_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#if defined(SPT_BUILDING)
#define SPT_API __declspec(dllexport)
#else
#define SPT_API
#endif
#elif defined(__GNUC__)
#define SPT_API __attribute__((visibility("default")))
#else
#define SPT_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** Version of these headers; spt_version() gives that of the library that runs. */
#define SPT_VERSION_MAJOR 0
#define SPT_VERSION_MINOR 1
#define SPT_VERSION_PATCH 0

/** Every status: name, number, text. Append only. */
#define SPT_STATUS_LIST(X)                                                      \
    X(SPT_OK, 0, "done")                                                        \
    X(SPT_STOP_TRIALS, 1, "stopped: the number of trials asked for is reached") \
    X(SPT_STOP_TIME, 2, "stopped: the time asked for is used up")               \
    X(SPT_STOP_HOST, 3, "stopped: the host asked for it")                       \
    X(SPT_STOP_TARGET, 4, "stopped: the target value is reached")               \
    X(SPT_STOP_EXHAUSTED, 5, "stopped: no configuration is left to try")        \
    X(SPT_STOP_PLATEAU, 6, "stopped: no improvement in so many trials")         \
    X(SPT_PRUNED, 10, "the trial was given up early")                           \
    X(SPT_EINVAL, -1, "argument outside its documented range")                  \
    X(SPT_ENOMEM, -2, "memory allocation failed")                               \
    X(SPT_EIO, -3, "a file could not be read or written")                       \
    X(SPT_EFORMAT, -4, "file content not understood")                           \
    X(SPT_ENOTFOUND, -5, "no such name")                                        \
    X(SPT_EBUSY, -6, "not possible at this moment")                             \
    X(SPT_EMISMATCH, -7, "differs from what is on record")                      \
    X(SPT_EDATA, -8, "spectra or reference values unusable")                    \
    X(SPT_ESHAPE, -9, "the network is impossible for this input")               \
    X(SPT_EDIVERGED, -10, "the training loss became infinite or not a number")  \
    X(SPT_ESTORE, -11, "the study store failed")                                \
    X(SPT_EVERSION, -12, "written in a newer format")                           \
    X(SPT_EUNSUPPORTED, -13, "not supported by this build")                     \
    X(SPT_ECAPACITY, -14, "the buffer is too small")                            \
    X(SPT_ELIMIT, -15, "more memory is needed than the host allows")            \
    X(SPT_ECALLBACK, -20, "a host callback failed")                             \
    X(SPT_EINTERNAL, -99, "internal error of the library")

typedef enum {
#define X(name, value, text) name = value,
    SPT_STATUS_LIST(X)
#undef X
        SPT_STATUS_MAX_ENUM_ = 0x7fffffff /* pins the width; never returned */
} spt_status;

/** The symbolic name of a status ("SPT_EINVAL"); "SPT_UNKNOWN" for an unknown number. Static. */
SPT_API const char *spt_status_name(int32_t status);

/** One line of English on a status. Never NULL; static. @threads any */
SPT_API const char *spt_status_text(int32_t status);

/** Version of the running library, "major.minor.patch". Static. @threads any */
SPT_API const char *spt_version(void);

/** What the library was built with (compiler, BLIS, libxml2, SQLite), one line. Static. @threads
 * any */
SPT_API const char *spt_build_info(void);

/** Zero a record and set its `struct_size`.
 *
 * @param record  any record of this library; must not be NULL
 * @param size    sizeof that record, at least 4
 * @threads any
 */
SPT_API void spt_record_init(void *record, uint32_t size);

/* ---- context ------------------------------------------------------------------------------- */

typedef struct spt_ctx spt_ctx;

/** Runs once on `user` when the library no longer needs it, also when the storing call fails. */
typedef void (*spt_destroy_fn)(void *user);

/** Host's memory functions. All three are needed, must be thread-safe and behave as malloc, realloc
 * and free do. They serve every allocation of this library; libraries below it use their own. */
typedef struct spt_allocator {
    uint32_t struct_size; /**< see spt_record_init() */
    uint32_t reserved;
    void *(*alloc)(size_t size, void *user);
    void *(*realloc)(void *block, size_t size, void *user);
    void (*free)(void *block, void *user);
    void *user; /**< must outlive every handle made from the context */
} spt_allocator;

/** Make a context.
 *
 * @param allocator  copied; NULL for the C library's
 * @param out        the context; release with spt_ctx_free()
 * @return SPT_OK, SPT_EINVAL, SPT_ENOMEM
 * @threads any
 */
SPT_API int32_t spt_ctx_new(const spt_allocator *allocator, spt_ctx **out);

/** Release the host's reference. Handles made from the context stay valid. */
SPT_API void spt_ctx_free(spt_ctx *ctx);

/** The one-line text of the last failure on this context, "" if none. Valid until the next failure.
 * @threads ctx */
SPT_API const char *spt_ctx_last_error(const spt_ctx *ctx);

/** Use `n` threads for folds and trees.
 * @param n 1 to 1024, or 0 for what the affinity mask allows (the default).
 * Results never depend on it. @return SPT_OK, SPT_EINVAL @threads ctx */
SPT_API int32_t spt_ctx_set_threads(spt_ctx *ctx, int32_t n);

/** The number of threads in use, at least 1; SPT_EINVAL for NULL. @threads ctx */
SPT_API int32_t spt_ctx_threads(const spt_ctx *ctx);

/** The kernels (loops for one instruction set) that computations of this context use: "portable",
 * "avx2" or "avx512". A new context has the fastest that processor and system support. Static;
 * NULL for NULL. @threads ctx @since 0.1 */
SPT_API const char *spt_ctx_kernels(const spt_ctx *ctx);

/** Use other kernels for what starts from now on: a host that wants the same bits on machines of
 * several kinds chooses those that all of them have. Results are the same to the bit only with the
 * same kernels (and, for "portable", the same BLIS); between kernels they differ by rounding.
 * @param name  of spt_kernels_name(); NULL for the fastest
 * @return SPT_OK, SPT_ENOTFOUND (no such name), SPT_EUNSUPPORTED (not on this machine), SPT_EINVAL
 * @threads ctx @since 0.1 */
SPT_API int32_t spt_ctx_set_kernels(spt_ctx *ctx, const char *name);

/** Name of kernels number `index` (from 0, slowest first) that this machine can run; NULL behind
 * the last and below 0. Static. @threads any @since 0.1 */
SPT_API const char *spt_kernels_name(int32_t index);

/** Let one run (a training, a cross-validation, the making of a model) need at most so many bytes.
 *
 * What a run will need is known before it starts: channels, scaled rows, network, optimiser and the
 * values of a batch between the layers, for each fold that runs at the same time; not the dataset,
 * which is there already. A cross-validation runs fewer folds at a time if that helps, with the
 * same results. A run that needs more is SPT_ELIMIT, in one line that says what it needs, what the
 * limit is and what would help. What libraries below take is not counted.
 *
 * @param bytes  0: no limit (the default)
 * @return SPT_OK, SPT_EINVAL @threads ctx @since 0.1 */
SPT_API int32_t spt_ctx_set_memory_limit(spt_ctx *ctx, int64_t bytes);

/** The limit, 0 without one; SPT_EINVAL for NULL. @threads ctx @since 0.1 */
SPT_API int64_t spt_ctx_memory_limit(const spt_ctx *ctx);

typedef enum {
    SPT_LOG_ERROR = 1,
    SPT_LOG_WARNING = 2,
    SPT_LOG_INFO = 3,
    SPT_LOG_DEBUG = 4,
    SPT_LOG_MAX_ENUM_ = 0x7fffffff
} spt_log_level;

/** Receives one line of log, without a line end. */
typedef void (*spt_log_fn)(int32_t level, const char *text, void *user);

/** Send log lines of `level` and below to `fn`, or nowhere when `fn` is NULL (the default). Called
 * on the thread that called into the library. @return SPT_OK, SPT_EINVAL @threads ctx */
SPT_API int32_t spt_ctx_set_log(spt_ctx *ctx, int32_t level, spt_log_fn fn, void *user,
                                spt_destroy_fn destroy);

/** Ask everything that runs on this context to stop soon (within a mini-batch) and return
 * SPT_STOP_HOST. The request stays until spt_ctx_clear_stop(). Safe to call from any thread and
 * from a signal handler, as long as the context exists. */
SPT_API void spt_ctx_stop(spt_ctx *ctx);

/** Take a stop request back. @threads any */
SPT_API void spt_ctx_clear_stop(spt_ctx *ctx);

/** 1 if a stop was asked for, else 0; SPT_EINVAL for NULL. @threads any */
SPT_API int32_t spt_ctx_stopping(const spt_ctx *ctx);

/* ---- options: named knobs with bounds ------------------------------------------------------- */

/** A set of named knobs for one purpose, made by spt_csv_options_new(), spt_channel_options_new(),
 * spt_training_options_new(), spt_objective_options_new(), spt_sampler_options_new() or
 * spt_forest_options_new(). Functions that take one copy what they need; NULL means the defaults.
 */
typedef struct spt_options spt_options;

typedef enum {
    SPT_OPTION_NUMBER = 1,  /**< a float64 in [low, high] */
    SPT_OPTION_INTEGER = 2, /**< a whole number in [low, high], passed as float64 */
    SPT_OPTION_CHOICE = 3,  /**< one of a list of texts */
    SPT_OPTION_TEXT = 4,    /**< any text */
    SPT_OPTION_MAX_ENUM_ = 0x7fffffff
} spt_option_type;

/** What there is to know about one knob. The texts are static. */
typedef struct spt_option_info {
    uint32_t struct_size;
    int32_t type;             /**< spt_option_type */
    const char *name;         /**< snake_case */
    const char *text;         /**< one line: meaning and unit */
    double low, high;         /**< bounds of a number, both allowed */
    double default_number;    /**< of a number */
    const char *default_text; /**< of a choice or text */
    const char *choices;      /**< "a|b|c" for a choice, else NULL */
} spt_option_info;

SPT_API void spt_options_free(spt_options *options);

/** Number of knobs; SPT_EINVAL for NULL. @threads ctx */
SPT_API int64_t spt_options_count(const spt_options *options);

/** Describe knob `index` (0 to count - 1). @return SPT_OK, SPT_EINVAL @threads ctx */
SPT_API int32_t spt_options_describe(const spt_options *options, int64_t index,
                                     spt_option_info *info);

/** Set a number or integer knob. An unknown name is SPT_ENOTFOUND and the text offers the nearest.
 * @return SPT_OK, SPT_EINVAL (out of bounds, not whole, wrong type), SPT_ENOTFOUND @threads ctx */
SPT_API int32_t spt_options_set_number(spt_options *options, const char *name, double value);

/** Set any knob from text; numbers are read with a decimal point.
 * @return SPT_OK, SPT_EINVAL, SPT_ENOTFOUND, SPT_ENOMEM @threads ctx */
SPT_API int32_t spt_options_set_text(spt_options *options, const char *name, const char *value);

/** Read a number or integer knob. @return SPT_OK, SPT_EINVAL, SPT_ENOTFOUND @threads ctx */
SPT_API int32_t spt_options_get_number(const spt_options *options, const char *name, double *value);

/** Read a choice or text knob; the text is valid until the knob is set again.
 * @return SPT_OK, SPT_EINVAL, SPT_ENOTFOUND @threads ctx */
SPT_API int32_t spt_options_get_text(const spt_options *options, const char *name,
                                     const char **value);

#ifdef __cplusplus
}
#endif
#endif
