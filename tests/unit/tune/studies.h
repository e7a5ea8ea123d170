/* What the tests of studies share: made-up spectra, a small space, a cross-validation that takes
 * milliseconds. */
#ifndef SPT_TESTS_STUDIES_H
#define SPT_TESTS_STUDIES_H

#include "testing.h"

#include "base/rng.h"

#include <unistd.h>

enum { SAMPLES = 48, BANDS = 30 };

static inline spt_ctx *new_ctx(int threads)
{
    spt_ctx *ctx = NULL;
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
    OK(ctx, spt_ctx_set_threads(ctx, threads));
    return ctx;
}

/* n absorbance spectra with a band as high as y; columns y, site (every 4 rows), part (a, b). */
static inline spt_dataset *new_dataset(spt_ctx *ctx, int64_t n, uint64_t seed)
{
    spt_dataset *a = NULL, *b = NULL;
    spt_matrix m;
    double axis[BANDS];
    float *x = malloc(sizeof *x * (size_t)n * BANDS);
    double *y = malloc(sizeof *y * (size_t)n);
    const char **site = malloc(sizeof *site * (size_t)n), **part = malloc(sizeof *part * (size_t)n);
    static const char *const names[] = {"s0", "s1", "s2", "s3", "s4",  "s5",
                                        "s6", "s7", "s8", "s9", "s10", "s11"};
    spt__rng r;
    spt__rng_init(&r, seed, SPT__RNG_TEST, 1, 0);
    for (int j = 0; j < BANDS; j++)
        axis[j] = 1000 + 10 * j;
    for (int64_t i = 0; i < n; i++) {
        y[i] = 10 * spt__rng_double(&r);
        const double offset = spt__rng_double(&r);
        for (int j = 0; j < BANDS; j++)
            x[i * BANDS + j] =
                (float)(0.5 + 0.1 * offset + 0.05 * y[i] * exp(-0.02 * (j - 15) * (j - 15)) +
                        0.002 * spt__rng_normal(&r));
        site[i] = names[i / 4 % 12];
        part[i] = i % 8 == 7 ? "b" : "a";
    }
    m = matrix_of(SPT_FLOAT32, x, n, BANDS);
    OK(ctx, spt_dataset_new(ctx, &m, axis, SPT_AXIS_NM, SPT_UNIT_ABSORBANCE, 0, NULL, NULL, &a));
    OK(ctx, spt_dataset_with_numbers(ctx, a, "y", y, n, &b));
    spt_dataset_free(a);
    OK(ctx, spt_dataset_with_texts(ctx, b, "site", site, n, &a));
    spt_dataset_free(b);
    OK(ctx, spt_dataset_with_texts(ctx, a, "part", part, n, &b));
    spt_dataset_free(a);
    free(x);
    free(y);
    free(site);
    free(part);
    return b;
}

/* Small networks, few epochs; one configuration in some is impossible for BANDS bands. */
static inline spt_space *new_space(spt_ctx *ctx)
{
    spt_space *s = NULL;
    OK(ctx, spt_space_new(ctx, "tiny", &s));
    OK(ctx, spt_space_add_int(s, "conv_blocks", 0, 1, 1, 0, 1));
    OK(ctx, spt_space_add_int(s, "conv_1_filters", 2, 6, 1, 0, 4));
    OK(ctx, spt_space_add_condition(s, "conv_1_filters", "conv_blocks", SPT_OP_EQ,
                                    (const char *[]){"1"}, 1));
    OK(ctx,
       spt_space_add_categorical(s, "conv_1_padding", (const char *[]){"valid", "same"}, 2, 1));
    OK(ctx, spt_space_add_condition(s, "conv_1_padding", "conv_blocks", SPT_OP_EQ,
                                    (const char *[]){"1"}, 1));
    OK(ctx, spt_space_add_int(s, "conv_1_kernel", 3, 43, 4, 0, 3));
    OK(ctx, spt_space_add_condition(s, "conv_1_kernel", "conv_blocks", SPT_OP_EQ,
                                    (const char *[]){"1"}, 1));
    OK(ctx, spt_space_add_bool(s, "channel_a", 1));
    OK(ctx, spt_space_add_bool(s, "channel_a_d1", 0));
    OK(ctx, spt_space_forbid(s));
    OK(ctx, spt_space_forbid_term(s, "channel_a", SPT_OP_EQ, (const char *[]){"false"}, 1));
    OK(ctx, spt_space_forbid_term(s, "channel_a_d1", SPT_OP_EQ, (const char *[]){"false"}, 1));
    OK(ctx, spt_space_add_int(s, "fc_blocks", 1, 1, 1, 0, 1));
    OK(ctx, spt_space_add_int(s, "fc_1_units", 2, 8, 1, 0, 4));
    OK(ctx, spt_space_add_float(s, "learning_rate", 1e-3, 1e-1, 0, 1, 1e-2));
    return s;
}

/* "name=value name=value" */
static inline void set_pairs(spt_ctx *ctx, spt_options *o, const char *settings)
{
    char text[256], *rest = text;
    snprintf(text, sizeof text, "%s", settings);
    for (char *pair; (pair = strtok_r(rest, " ", &rest)) != NULL;) {
        char *value = strchr(pair, '=');
        *value++ = '\0';
        OK(ctx, spt_options_set_text(o, pair, value));
    }
}

/* With few epochs of large steps. */
static inline spt_cv *new_cv(spt_ctx *ctx, const spt_dataset *ds, const char *settings)
{
    spt_options *o = NULL;
    spt_cv *cv = NULL;
    OK(ctx, spt_cv_options_new(ctx, &o));
    OK(ctx, spt_options_set_number(o, "folds", 3));
    OK(ctx, spt_options_set_number(o, "epochs", 6));
    set_pairs(ctx, o, settings);
    OK(ctx, spt_cv_new(ctx, ds, NULL, "y", o, &cv));
    spt_options_free(o);
    return cv;
}

static inline spt_options *new_sampler(spt_ctx *ctx, const char *kind, int startup)
{
    spt_options *o = NULL;
    OK(ctx, spt_sampler_options_new(ctx, &o));
    OK(ctx, spt_options_set_text(o, "sampler", kind));
    OK(ctx, spt_options_set_number(o, "startup", startup));
    return o;
}

/* How a study works: "prune=racing in_flight=3". */
static inline spt_options *new_rules(spt_ctx *ctx, const char *settings)
{
    spt_options *o = NULL;
    OK(ctx, spt_study_options_new(ctx, &o));
    set_pairs(ctx, o, settings);
    return o;
}

/* A study of the small space in memory. */
typedef struct desk {
    spt_ctx *ctx;
    spt_space *space;
    spt_store *store;
    spt_study *study;
    spt_history *h; /* as last read */
} desk;

static inline void open_desk(desk *d, const char *sampler, const char *settings)
{
    *d = (desk){.ctx = new_ctx(1)};
    spt_options *s = new_sampler(d->ctx, sampler, 4), *o = new_rules(d->ctx, settings);
    d->space = new_space(d->ctx);
    OK(d->ctx, spt_store_open(d->ctx, "memory:", SPT_STORE_CREATE, &d->store));
    OK(d->ctx, spt_study_open(d->store, "s", d->space, s, &d->study));
    OK(d->ctx, spt_study_set_options(d->study, o));
    spt_options_free(o);
    spt_options_free(s);
}

static inline void read_desk(desk *d)
{
    spt_history_free(d->h);
    OK(d->ctx, spt_study_history(d->study, &d->h));
}

static inline void close_desk(desk *d)
{
    spt_history_free(d->h);
    spt_study_free(d->study);
    spt_store_free(d->store);
    spt_space_free(d->space);
    spt_ctx_free(d->ctx);
}

/* How far the learning rate of a trial is from 0.01. */
static inline double loss_of(const spt_trial *t)
{
    double rate;
    ck_assert_int_eq(spt_config_number(spt_trial_config(t), "learning_rate", &rate), SPT_OK);
    return fabs(log10(rate) + 2);
}

/* The document of the best trial's model; free() it. */
static inline char *document(spt_ctx *ctx, spt_cv *cv, const spt_history *h, int ensemble)
{
    spt_model *model = NULL;
    int64_t needed = 0;
    FAILS(ctx, SPT_EINVAL, "ensemble is 2", spt_cv_model(cv, h, 0, 2, NULL, NULL, &model));
    ck_assert_int_eq(spt_cv_model(cv, h, spt_history_best(h), ensemble, NULL, NULL, &model),
                     SPT_OK);
    spt_model_xml(ctx, model, NULL, 0, &needed);
    char *text = malloc((size_t)needed);
    OK(ctx, spt_model_xml(ctx, model, text, needed, &needed));
    spt_model_free(model);
    return text;
}

static inline const char *file_name(const char *name)
{
    static char path[1024];
    const char *folder = getenv("SPT_TEST_BUILD");
    snprintf(path, sizeof path, "%s/studie \xc3\xa4 %s %d.db", folder != NULL ? folder : ".", name,
             (int)getpid());
    return path;
}

#endif
