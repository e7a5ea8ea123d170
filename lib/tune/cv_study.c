/* A cross-validation as the objective of a study: what its losses mean goes on record. */
#include "cv.h"

#include "../data/dataset.h"
#include "../nn/network.h"
#include "../prep/recipe.h"

#include <string.h>

/* ---- records ---- */

static int32_t pin_buffer(spt_study *s, const char *key, spt__buf *b)
{
    const int32_t status =
        b->failed ? spt__nomem(&s->ctx->err) : spt__store_pin(s->store, s->id, key, b->data);
    spt__buf_free(b);
    return status;
}

static int32_t pin_settings(spt_study *s, const spt_cv *cv)
{
    spt__buf b;
    SPT__TRY(spt__store_pin(s->store, s->id, "target", cv->target));
    SPT__TRY(spt__store_pin(s->store, s->id, "unit", spt_unit_name(spt_dataset_unit(cv->dataset))));
    SPT__TRY(spt__store_pin(s->store, s->id, "axis_unit",
                            spt_axis_unit_name(spt_dataset_axis_unit(cv->dataset))));
    spt__buf_init(&b, s->ctx);
    spt__prep_print(cv->prep, &b);
    spt__buf_puts(&b, "");
    SPT__TRY(pin_buffer(s, "recipe", &b));
    spt__buf_init(&b, s->ctx);
    spt__options_print(cv->options, spt__objective_knobs, &b);
    SPT__TRY(pin_buffer(s, "objective", &b));
    spt__buf_init(&b, s->ctx);
    spt__buf_printf(&b, "%lld rows used", (long long)cv->n);
    for (int32_t i = 0; i < cv->n_dropped; i++)
        spt__buf_printf(&b, "; left out %s", cv->dropped[i]);
    return pin_buffer(s, "samples", &b);
}

/* A hash differs: in words, since nobody can read a hash. */
static int32_t pin_hash(spt_study *s, const char *key, const char *what, const char *hex)
{
    const int32_t status = spt__store_pin(s->store, s->id, key, hex);
    if (status != SPT_EMISMATCH) return status;
    return spt__fail(
        &s->ctx->err, SPT_EMISMATCH,
        "study '%s' was made with %s; another study (another name) is needed for these", s->name,
        what);
}

static int32_t pin_column(spt_study *s, const spt_dataset *ds, const char *key, const char *name,
                          const char *words)
{
    char hex[65], what[256];
    SPT__TRY(spt_dataset_fingerprint(ds, SPT_PART_COLUMN, spt_dataset_find_column(ds, name), hex));
    spt__format(what, sizeof what, "%s '%.100s'", words, name);
    return pin_hash(s, key, what, hex);
}

static int32_t pin_data(spt_study *s, const spt_cv *cv)
{
    char hex[65];
    const spt_dataset *ds = cv->applied;
    const char *group = spt__option_text(cv->options, spt__objective_knobs, "group");
    const char *weights = spt__option_text(cv->options, spt__objective_knobs, "weights");
    SPT__TRY(spt_dataset_fingerprint(cv->dataset, SPT_PART_AXIS, 0, hex));
    SPT__TRY(pin_hash(s, "axis_sha256", "spectra on another axis", hex));
    SPT__TRY(spt_dataset_fingerprint(cv->dataset, SPT_PART_SPECTRA, 0, hex));
    SPT__TRY(pin_hash(s, "spectra_sha256", "other spectra", hex));
    SPT__TRY(pin_column(s, ds, "target_sha256", cv->target, "other values of"));
    if (*weights != '\0') SPT__TRY(pin_column(s, ds, "weights_sha256", weights, "other weights"));
    if (*group != '\0') SPT__TRY(pin_column(s, ds, "group_sha256", group, "other groups"));
    return SPT_OK;
}

/* The ids of the rows used, each with its NUL. */
static int32_t pin_ids(spt_study *s, const spt_cv *cv)
{
    spt__buf b;
    spt__buf_init(&b, s->ctx);
    for (int64_t i = 0; i < cv->n; i++) {
        const char *id = spt_dataset_id(cv->used, i);
        spt__buf_put(&b, id, strlen(id) + 1);
    }
    const spt__block block = {"ids", b.data, (int64_t)b.size};
    const int32_t status =
        b.failed ? spt__nomem(&s->ctx->err) : spt__store_pin_block(s->store, s->id, &block);
    spt__buf_free(&b);
    return status;
}

/* "3 0 1 2 4" */
static int32_t pin_order(spt_study *s, const spt_cv *cv)
{
    spt__buf b;
    spt__buf_init(&b, s->ctx);
    for (int32_t i = 0; i < cv->k; i++)
        spt__buf_printf(&b, "%s%d", i > 0 ? " " : "", (int)cv->order[i]);
    return pin_buffer(s, "fold_order", &b);
}

/* ---- the study ---- */

/* Is the network possible? */
static int32_t check_network(spt_cv *cv, const spt_config *config)
{
    int32_t mask;
    SPT__TRY(spt_config_channels(config, &mask));
    if (mask == 0)
        return spt__fail(&cv->ctx->err, SPT_EINVAL, "the configuration switches all channels off");
    return spt_network_check_config(cv->ctx, config, cv->p, spt__channel_count(mask), 1);
}

/* Can it be trained on these targets? `config` NULL: with the settings alone. */
static int32_t check_targets(const spt_cv *cv, const spt_config *config)
{
    spt__fit_settings settings;
    SPT__TRY(spt__fit_settings_init(cv->ctx, cv->options, config, 0, &settings));
    return spt__fit_check_targets(&settings, cv->used, cv->target, cv->y, &cv->ctx->err);
}

/* Does it need more memory than the host allows? */
static int32_t check_memory(spt_cv *cv, const spt_config *config)
{
    spt__cv_pattern pattern;
    if (cv->ctx->memory_limit == 0) return SPT_OK;
    const int32_t status = spt__cv_pattern_init(cv, config, 0, 0, 0, &pattern);
    spt__cv_pattern_free(&pattern);
    return status;
}

static int32_t check(const spt_config *config, void *user)
{
    SPT__TRY(check_network(user, config));
    SPT__TRY(check_targets(user, config));
    return check_memory(user, config);
}

int32_t spt_cv_check_space(spt_cv *cv, const spt_space *space)
{
    spt_config *config = NULL;
    SPT__REQUIRE(cv != NULL);
    if (space == NULL) return spt__fail(&cv->ctx->err, SPT_EINVAL, "the space is NULL");
    SPT__TRY(spt__fit_check_space(cv->ctx, space));
    /* Where it is searched, configurations that the targets do not allow are left out. */
    if (spt_space_find(space, "target_transform") < 0) SPT__TRY(check_targets(cv, NULL));
    SPT__TRY(spt_config_new(cv->ctx, space, &config));
    const spt__err before = cv->ctx->err;
    int32_t status = check_network(cv, config);
    spt_config_free(config);
    /* That these defaults make no network for so few bands says nothing of the others. */
    if (status == SPT_ESHAPE) {
        cv->ctx->err = before;
        status = SPT_OK;
    }
    return status < 0 ? status : spt__cv_channels(cv, spt__cv_space_channels(space));
}

static void release(void *user)
{
    spt_cv_free(user);
}

int32_t spt_study_set_cv(spt_study *s, spt_cv *cv)
{
    SPT__REQUIRE(s != NULL);
    if (cv == NULL) return spt__fail(&s->ctx->err, SPT_EINVAL, "the cross-validation is NULL");
    if (cv->ctx != s->ctx)
        return spt__fail(&s->ctx->err, SPT_EINVAL,
                         "the cross-validation and the study are of two contexts");
    if (spt__history_maximizes(s->history))
        return spt__fail(&s->ctx->err, SPT_EMISMATCH,
                         "study '%s' looks for the highest value; that of a cross-validation is an"
                         " error, of which the lowest is wanted",
                         s->name);
    SPT__TRY(spt_cv_check_space(cv, s->space));
    /* Settings first: a difference there explains those that follow. */
    SPT__TRY(pin_settings(s, cv));
    SPT__TRY(pin_data(s, cv));
    const spt__block rows = {"rows", cv->rows, cv->n * (int64_t)sizeof *cv->rows},
                     folds = {"folds", cv->fold, cv->n * (int64_t)sizeof *cv->fold};
    SPT__TRY(spt__store_pin_block(s->store, s->id, &rows));
    SPT__TRY(spt__store_pin_block(s->store, s->id, &folds));
    SPT__TRY(pin_order(s, cv));
    SPT__TRY(pin_ids(s, cv));
    cv->refs++;
    SPT__TRY(spt_study_set_objective(s, spt_cv_objective, cv, release));
    s->cv = cv;
    cv->refs++;
    return spt_study_set_check(s, check, cv, release);
}
