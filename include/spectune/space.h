/**
 * @file
 * Search spaces: parameters, the conditions under which they exist, configurations drawn from them.
 *
 * @since 0.1
 */
#ifndef SPECTUNE_SPACE_H
#define SPECTUNE_SPACE_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A search space. May be added to until the first spt_config or study is made from it, then it
 * is frozen (SPT_EBUSY) and may be read from any thread. */
typedef struct spt_space spt_space;

/** A configuration: a value for every parameter that exists in it. @threads ctx */
typedef struct spt_config spt_config;

typedef enum {
    SPT_PARAMETER_FLOAT = 1,
    SPT_PARAMETER_INT = 2,
    SPT_PARAMETER_CATEGORICAL = 3,
    SPT_PARAMETER_ORDINAL = 4, /**< an ordered list of texts */
    SPT_PARAMETER_BOOL = 5,    /**< categorical with the choices "false", "true" */
    SPT_PARAMETER_MAX_ENUM_ = 0x7fffffff
} spt_parameter_type;

/** Comparison of a parameter with values. Ordered ones need a number or an ordinal. */
typedef enum {
    SPT_OP_EQ = 1,
    SPT_OP_NE = 2,
    SPT_OP_LT = 3,
    SPT_OP_LE = 4,
    SPT_OP_GT = 5,
    SPT_OP_GE = 6,
    SPT_OP_IN = 7,
    SPT_OP_MAX_ENUM_ = 0x7fffffff
} spt_op;

/** @param name  up to 64 characters, a letter first, then letters, digits, '_', '.', '-'
 * @threads ctx (all functions that change a space) */
SPT_API int32_t spt_space_new(spt_ctx *ctx, const char *name, spt_space **out);
/** One more reference to the same space. @threads any */
SPT_API int32_t spt_space_ref(const spt_space *space, spt_space **out);
SPT_API void spt_space_free(spt_space *space);

/** Names of the presets, from index 0; NULL behind the last ("small", "shen2021",
 * "cnn1d"). Static. */
SPT_API const char *spt_space_preset_name(int32_t index);
/** A preset. @return SPT_OK, SPT_ENOTFOUND (nearest name offered), SPT_ENOMEM */
SPT_API int32_t spt_space_preset(spt_ctx *ctx, const char *name, spt_space **out);

/** A real number in [low, high].
 * @param step  0: continuous; else values are low + k * step, `high` is lowered to the last of them
 * @param log   1: searched on a logarithmic scale (low > 0); may be combined with a step
 * @param value the default
 * @return SPT_OK, SPT_EINVAL, SPT_EBUSY (frozen), SPT_ENOMEM */
SPT_API int32_t spt_space_add_float(spt_space *space, const char *name, double low, double high,
                                    double step, int32_t log, double value);
/** A whole number in [low, high]. @param step at least 1 */
SPT_API int32_t spt_space_add_int(spt_space *space, const char *name, int64_t low, int64_t high,
                                  int64_t step, int32_t log, int64_t value);
/** One of n texts without order. @param value index of the default */
SPT_API int32_t spt_space_add_categorical(spt_space *space, const char *name,
                                          const char *const *choices, int32_t n, int32_t value);
/** One of n texts in order. @param value index of the default */
SPT_API int32_t spt_space_add_ordinal(spt_space *space, const char *name,
                                      const char *const *choices, int32_t n, int32_t value);
/** True or false. @param value the default, 0 or 1 */
SPT_API int32_t spt_space_add_bool(spt_space *space, const char *name, int32_t value);

/** Put a parameter into a group ("training", "input", "conv", "fc", ...), shown with importance;
 * NULL or "": none. */
SPT_API int32_t spt_space_set_group(spt_space *space, const char *name, const char *group);

/** `child` exists only if `parent` exists and compares so with the values; several calls for one
 * child must all hold. The parent must have been added before the child.
 * @param values  texts as in spt_config_set_text(); one, or several for SPT_OP_IN */
SPT_API int32_t spt_space_add_condition(spt_space *space, const char *child, const char *parent,
                                        int32_t op, const char *const *values, int32_t n);

/** Start a forbidden combination; spt_space_forbid_term() adds terms to the last one started. A
 * configuration in which all terms hold (and all their parameters exist) is never proposed. The
 * first configuration or study fails if a combination has no terms or the defaults are forbidden.
 */
SPT_API int32_t spt_space_forbid(spt_space *space);
SPT_API int32_t spt_space_forbid_term(spt_space *space, const char *parameter, int32_t op,
                                      const char *const *values, int32_t n);

/** Read a space from an XML file. The schema is doc/schemas/space.rng; it is checked.
 * @return SPT_OK, SPT_EIO, SPT_EFORMAT (line named), SPT_EVERSION, SPT_ENOMEM */
SPT_API int32_t spt_space_read(spt_ctx *ctx, const char *path, spt_space **out);
/** The same from memory. @param name stands for the file in messages; may be NULL */
SPT_API int32_t spt_space_read_memory(spt_ctx *ctx, const void *data, int64_t size,
                                      const char *name, spt_space **out);
/** Write a space; reading it back gives the same space. SPT_EINVAL if it could not be searched: a
 * forbidden combination without terms, or one that forbids the defaults. */
SPT_API int32_t spt_space_write(spt_ctx *ctx, const spt_space *space, const char *path);
/** The same as text, query-then-fill. */
SPT_API int32_t spt_space_xml(const spt_space *space, char *buffer, int64_t capacity,
                              int64_t *needed);

/** What there is to know about one parameter; texts are valid while the space is. */
typedef struct spt_parameter_info {
    uint32_t struct_size;
    int32_t type; /**< spt_parameter_type */
    const char *name;
    const char *group; /**< "" if none */
    double low, high;  /**< numbers; 0 and n_choices - 1 for the others */
    double step;       /**< 0 = continuous */
    double value;      /**< default: number, or index of the choice */
    int32_t log;       /**< 0 or 1 */
    int32_t n_choices; /**< 0 for numbers */
    int32_t n_conditions;
    int32_t parent; /**< index of the parent in the first condition, -1 if none */
} spt_parameter_info;

/** Its name; valid while the space is. */
SPT_API const char *spt_space_name(const spt_space *space);
/** Number of parameters. */
SPT_API int32_t spt_space_count(const spt_space *space);
/** Describe parameter `index` (0 to count - 1). @return SPT_OK, SPT_EINVAL */
SPT_API int32_t spt_space_describe(const spt_space *space, int32_t index, spt_parameter_info *info);
/** Index of a parameter, SPT_ENOTFOUND if there is none of that name. */
SPT_API int32_t spt_space_find(const spt_space *space, const char *name);
/** Text of a choice; NULL if there is none. Valid while the space is. */
SPT_API const char *spt_space_choice(const spt_space *space, int32_t index, int32_t choice);
/** The condition of a parameter as text ("conv_blocks >= 2 and conv_2_pool = true"), "" if always,
 * NULL if there is no such parameter. Valid while the space is. */
SPT_API const char *spt_space_condition(const spt_space *space, int32_t index);
/** Number of forbidden combinations. */
SPT_API int32_t spt_space_forbidden_count(const spt_space *space);
/** A forbidden combination as text ("optimizer = sgd and momentum > 0.9"), NULL behind the last.
 * Valid while the space is. */
SPT_API const char *spt_space_forbidden(const spt_space *space, int32_t index);

/* ---- configurations -------------------------------------------------------------------------- */

/** A configuration with all defaults. Freezes the space. */
SPT_API int32_t spt_config_new(spt_ctx *ctx, const spt_space *space, spt_config **out);
/** A copy, to be freed by the caller. */
SPT_API int32_t spt_config_copy(spt_ctx *ctx, const spt_config *config, spt_config **out);
SPT_API void spt_config_free(spt_config *config);
/** The space it belongs to; valid while the configuration is. */
SPT_API const spt_space *spt_config_space(const spt_config *config);

/** Set a number, or a choice by index. Whether other parameters exist is worked out anew; those
 * that come into being take their defaults. A parameter that does not exist at present may not be
 * set.
 * @return SPT_OK, SPT_EINVAL (bounds, grid, choice), SPT_ENOTFOUND (nearest name offered) */
SPT_API int32_t spt_config_set_number(spt_config *config, const char *name, double value);
/** Set from text: a number with a decimal point, or the text of a choice. */
SPT_API int32_t spt_config_set_text(spt_config *config, const char *name, const char *value);

/** 1 if the parameter exists in this configuration, 0 if not, SPT_ENOTFOUND. */
SPT_API int32_t spt_config_exists(const spt_config *config, const char *name);
/** The number, or index of the choice. @return SPT_OK, SPT_ENOTFOUND (also when it does not exist)
 */
SPT_API int32_t spt_config_number(const spt_config *config, const char *name, double *value);
/** The value as text, query-then-fill. */
SPT_API int32_t spt_config_text(const spt_config *config, const char *name, char *buffer,
                                int64_t capacity, int64_t *needed);
/** The choice's own text; NULL if it is a number or does not exist. Valid while the space is. */
SPT_API const char *spt_config_choice(const spt_config *config, const char *name);

/** SPT_OK if no forbidden combination holds, else SPT_EINVAL and the text names it. */
SPT_API int32_t spt_config_check(const spt_config *config);
/** 1 if both have the same space and values, else 0; SPT_EINVAL if either is NULL. */
SPT_API int32_t spt_config_equal(const spt_config *a, const spt_config *b);

/** Read a configuration of `space` from XML (doc/schemas/config.rng); parameters not named take
 * their defaults. An unknown parameter is an error. */
SPT_API int32_t spt_config_read(spt_ctx *ctx, const spt_space *space, const char *path,
                                spt_config **out);
/** The same from memory: what spt_config_xml() gave. @param name stands for the file in messages;
 * may be NULL */
SPT_API int32_t spt_config_read_memory(spt_ctx *ctx, const spt_space *space, const void *data,
                                       int64_t size, const char *name, spt_config **out);
/** As XML text, query-then-fill. */
SPT_API int32_t spt_config_xml(const spt_config *config, char *buffer, int64_t capacity,
                               int64_t *needed);
/** Write it as an XML file. */
SPT_API int32_t spt_config_write(spt_ctx *ctx, const spt_config *config, const char *path);

#ifdef __cplusplus
}
#endif
#endif
