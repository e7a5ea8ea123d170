/* Models for the tests of this room. */
#ifndef SPT_TESTS_MODEL_MODELS_H
#define SPT_TESTS_MODEL_MODELS_H

#include "testing.h"

#include "base/rng.h"

/* n smooth absorbance spectra of p bands from 1100 nm on, 2 nm apart, and a number column "fat"
 * with one value missing, a text column "batch" of scans per sample. */
static inline spt_dataset *make_spectra(spt_ctx *ctx, int64_t n, int64_t p)
{
    double *x = malloc((size_t)(n * p) * sizeof *x), *axis = malloc((size_t)p * sizeof *axis);
    double *fat = malloc((size_t)n * sizeof *fat);
    const char **batch = malloc((size_t)n * sizeof *batch);
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    spt__rng r;
    spt__rng_init(&r, 77, SPT__RNG_TEST, 0, 0);
    for (int64_t j = 0; j < p; j++)
        axis[j] = 1100 + 2 * (double)j;
    for (int64_t i = 0; i < n; i++) {
        double high = 0.3 + 0.4 * spt__rng_double(&r), wide = 5 + 10 * spt__rng_double(&r);
        double middle = (double)p * (0.3 + 0.4 * spt__rng_double(&r));
        for (int64_t j = 0; j < p; j++) {
            double d = ((double)j - middle) / wide;
            x[i * p + j] =
                0.4 + high * exp(-d * d) + 0.001 * (double)j + 1e-4 * spt__rng_normal(&r);
        }
        fat[i] = i == 3 ? NAN : 20 + 30 * high + 0.1 * spt__rng_normal(&r);
        batch[i] = names[i % 8];
    }
    spt_matrix m;
    spt_dataset *bare = NULL, *with_fat = NULL, *all = NULL;
    m = matrix_of(SPT_FLOAT64, x, n, p);
    OK(ctx, spt_dataset_new(ctx, &m, axis, SPT_AXIS_NM, SPT_UNIT_ABSORBANCE, 0, NULL, NULL, &bare));
    OK(ctx, spt_dataset_with_numbers(ctx, bare, "fat", fat, n, &with_fat));
    OK(ctx, spt_dataset_with_texts(ctx, with_fat, "batch", batch, n, &all));
    spt_dataset_free(bare);
    spt_dataset_free(with_fat);
    free(x);
    free(axis);
    free(fat);
    free(batch);
    return all;
}

/* Crop to 1110 nm and above, decimate by two; window 7. */
static inline spt_prep *make_recipe(spt_ctx *ctx)
{
    spt_prep *prep = NULL;
    spt_options *channels = NULL;
    OK(ctx, spt_prep_new(ctx, &prep));
    OK(ctx, spt_prep_add_crop(prep, 1110, 9000));
    OK(ctx, spt_prep_add_decimate(prep, 2, 1));
    OK(ctx, spt_prep_options_new(ctx, &channels));
    OK(ctx, spt_options_set_number(channels, "d1_window", 7));
    OK(ctx, spt_prep_set_options(prep, channels));
    spt_options_free(channels);
    return prep;
}

/* Two channels, every kind of layer. */
static inline spt_config *make_config(spt_ctx *ctx)
{
    static const char *const activations[] = {"relu", "swish"};
    spt_space *space = NULL;
    spt_config *config = NULL;
    OK(ctx, spt_space_new(ctx, "test", &space));
    OK(ctx, spt_space_add_bool(space, "channel_a_d1", 1));
    OK(ctx, spt_space_add_bool(space, "channel_a_snv", 1));
    OK(ctx, spt_space_add_int(space, "conv_blocks", 0, 2, 1, 0, 1));
    OK(ctx, spt_space_add_int(space, "conv_1_filters", 1, 64, 1, 0, 4));
    OK(ctx, spt_space_add_bool(space, "conv_1_batch_norm", 1));
    OK(ctx, spt_space_add_bool(space, "conv_1_pool", 1));
    OK(ctx, spt_space_add_categorical(space, "conv_1_activation", activations, 2, 1));
    OK(ctx, spt_space_add_int(space, "fc_blocks", 0, 2, 1, 0, 1));
    OK(ctx, spt_space_add_int(space, "fc_1_units", 1, 512, 1, 0, 24));
    OK(ctx, spt_space_add_bool(space, "fc_1_dropout", 1));
    OK(ctx, spt_space_add_int(space, "epochs", 1, 1000, 1, 0, 25));
    OK(ctx, spt_space_add_float(space, "learning_rate", 1e-5, 1, 0, 1, 0.005));
    OK(ctx, spt_config_new(ctx, space, &config));
    spt_space_free(space);
    return config;
}

/* A trained model of these, with a transform of the target. */
static inline spt_model *make_model_of(spt_ctx *ctx, const spt_dataset *dataset,
                                       const spt_prep *prep, double seed, const char *transform)
{
    spt_config *config = make_config(ctx);
    spt_options *options = NULL;
    spt_model *model = NULL;
    OK(ctx, spt_fit_options_new(ctx, &options));
    OK(ctx, spt_options_set_number(options, "seed", seed));
    OK(ctx, spt_options_set_text(options, "target_transform", transform));
    OK(ctx, spt_model_fit(ctx, dataset, prep, "fat", config, 0, options, NULL, NULL, NULL, &model));
    spt_options_free(options);
    spt_config_free(config);
    return model;
}

static inline spt_model *make_model(spt_ctx *ctx, const spt_dataset *dataset, const spt_prep *prep,
                                    double seed)
{
    return make_model_of(ctx, dataset, prep, seed, "standardise");
}

/* The document; free() it. */
static inline char *document(spt_ctx *ctx, const spt_model *model, int64_t *size)
{
    int64_t needed = 0;
    ck_assert_int_eq(spt_model_xml(ctx, model, NULL, 0, &needed), SPT_ECAPACITY);
    char *text = malloc((size_t)needed);
    OK(ctx, spt_model_xml(ctx, model, text, needed, &needed));
    *size = needed - 1;
    ck_assert_int_eq((int64_t)strlen(text), *size);
    return text;
}

/* Predictions of all rows; free() them. */
static inline double *predictions(spt_ctx *ctx, const spt_model *model, const spt_dataset *dataset,
                                  int64_t *n)
{
    spt_predictor *predictor = NULL;
    OK(ctx, spt_predictor_new(ctx, model, &predictor));
    ck_assert_int_eq(spt_predictor_dataset(predictor, dataset, 0, NULL, 0, n, NULL, NULL),
                     SPT_ECAPACITY);
    double *values = malloc((size_t)*n * sizeof *values);
    int32_t status = spt_predictor_dataset(predictor, dataset, 0, values, *n, n, NULL, NULL);
    ck_assert_msg(status == SPT_OK, "%s", spt_predictor_last_error(predictor));
    spt_predictor_free(predictor);
    return values;
}

#endif
