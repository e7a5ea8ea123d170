/* Models of trials: trained once more on all rows, or the networks of the folds. */
#include "cv.h"

#include "../base/threads.h"
#include "../model/model.h"

#include <math.h>
#include <string.h>

typedef struct making {
    spt_cv *cv;
    spt__cv_pattern pattern;
    spt__fit_result *results;
    int32_t n;     /* members */
    int32_t first; /* fold of member 0: k for the refit */
    spt_epoch_fn fn;
    void *user;
    atomic_int give_up;
} making;

typedef struct epoch_arg {
    making *m;
    spt__events *events;
    int64_t member;
} epoch_arg;

static int32_t on_epoch(const spt_epoch *epoch, void *user)
{
    epoch_arg *a = user;
    if (atomic_load_explicit(&a->m->give_up, memory_order_relaxed)) return SPT_STOP_HOST;
    return a->m->fn != NULL ? spt__post(a->events, a->member, epoch) : SPT_OK;
}

static int32_t on_post(int64_t member, const void *event, void *arg)
{
    making *m = arg;
    (void)member;
    const int32_t said = m->fn(event, m->user);
    if (said != SPT_OK) atomic_store(&m->give_up, 1);
    return said;
}

static int32_t train(int64_t member, int32_t worker, spt__events *events, void *arg, spt__err *e)
{
    making *m = arg;
    spt__fit_job job;
    epoch_arg a = {m, events, member};
    (void)worker;
    int64_t *rows = spt__alloc(m->cv->ctx, (size_t)m->cv->n, sizeof *rows);
    if (rows == NULL) return spt__nomem(e);
    spt__cv_job(m->cv, &m->pattern, m->first + (int32_t)member, rows, &job);
    job.fn = on_epoch;
    job.user = &a;
    const int32_t status = spt__fit_run(&job, &m->results[member], e);
    spt__free(m->cv->ctx, rows);
    if (status == SPT_STOP_HOST) {
        /* What is left of it is not the model that was asked for. */
        spt__fit_release(&m->results[member]);
        return SPT_OK;
    }
    return status;
}

/* ---- the trial ---- */

static double number(const spt_history *h, int64_t index, const char *key)
{
    double value;
    const char *text = spt_history_attribute(h, index, key);
    return text != NULL && spt__parse_double(text, strlen(text), '.', &value) ? value : NAN;
}

static int32_t trial_of(spt_cv *cv, const spt_history *h, int64_t index, int64_t *sequence,
                        int64_t *epochs)
{
    spt__err *e = &cv->ctx->err;
    int64_t n;
    const spt__row *const *rows = spt__history_rows(h, &n);
    if (index < 0 || index >= n)
        return spt__fail(e, SPT_EINVAL, "trial index is %lld; the history has %lld trials",
                         (long long)index, (long long)n);
    if (rows[index]->state != SPT_TRIAL_COMPLETE || rows[index]->config == NULL)
        return spt__fail(e, SPT_EINVAL, "trial %lld is not complete",
                         (long long)rows[index]->number);
    const double best = number(h, index, "epochs_best");
    if (!(best >= 1))
        return spt__fail(
            e, SPT_EINVAL,
            "trial %lld was not scored by a cross-validation of this library (it has no "
            "'epochs_best')",
            (long long)rows[index]->number);
    *sequence = spt__row_sequence(rows[index]);
    *epochs = (int64_t)best;
    return SPT_OK;
}

/* ---- notes ---- */

static int32_t note_number(spt_model *model, const char *key, int64_t value, spt__err *e)
{
    char text[32];
    spt__format(text, sizeof text, "%lld", (long long)value);
    return spt__model_note(model, key, text, e);
}

static int32_t note_statistics(spt_model *model, const spt_history *h, int64_t index, spt__err *e)
{
    static const char *const keys[][2] = {{"rmsecv", "rmse"},       {"rmsecv_mean", "rmse_mean"},
                                          {"rmsecv_sd", "rmse_sd"}, {"r2cv", "r2"},
                                          {"biascv", "bias"},       {"rpdcv", "rpd"},
                                          {"rpiqcv", "rpiq"},       {"ccccv", "ccc"},
                                          {"watched", "watch"},     {"best_epoch", "epochs_best"}};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const char *text = spt_history_attribute(h, index, keys[i][1]);
        if (text != NULL) SPT__TRY(spt__model_note(model, keys[i][0], text, e));
    }
    int64_t count = 0;
    double mean;
    SPT__TRY(spt_history_repeats(h, index, &count, &mean, NULL));
    if (count == 0) return SPT_OK;
    char text[SPT__DOUBLE_CAPACITY];
    (void)spt__format_double(mean, text);
    SPT__TRY(spt__model_note(model, "rmsecv_repeated", text, e));
    SPT__TRY(note_number(model, "repetitions", count, e));
    return SPT_OK;
}

static int32_t write_notes(const making *m, const spt_history *h, int64_t index, spt_model *model)
{
    spt_cv *cv = m->cv;
    spt__err *e = &cv->ctx->err;
    const spt_config *config = spt_history_config(h, index);
    spt_trial_info info;
    spt__buf b;
    spt_record_init(&info, sizeof info);
    SPT__TRY(spt_history_trial(h, index, &info));
    SPT__TRY(spt__model_note(model, "study", spt_history_name(h), e));
    SPT__TRY(note_number(model, "trial", info.number, e));
    SPT__TRY(
        note_number(model, "seed", spt__option_int(cv->options, spt__objective_knobs, "seed"), e));
    SPT__TRY(spt__model_note(model, "kernels", spt_ctx_kernels(cv->ctx), e));
    SPT__TRY(note_number(model, "samples", cv->n, e));
    SPT__TRY(spt__model_note(model, "training",
                             m->first == cv->k ? "all samples" : "the networks of the folds", e));
    SPT__TRY(note_statistics(model, h, index, e));
    SPT__TRY(spt__model_note_config(model, config, e));
    spt__buf_init(&b, cv->ctx);
    spt__options_print(cv->options, spt__objective_knobs, &b);
    const int32_t status =
        b.failed ? spt__nomem(e) : spt__model_note(model, "objective", b.data, e);
    spt__buf_free(&b);
    SPT__TRY(status);
    return spt__model_note_data(model, cv->used, cv->target,
                                spt__option_text(cv->options, spt__objective_knobs, "weights"), e);
}

/* ---- the call ---- */

static int32_t make(making *m, const spt_history *h, int64_t index, spt_model **out)
{
    spt_cv *cv = m->cv;
    spt__member **members = spt__alloc(cv->ctx, (size_t)m->n, sizeof *members);
    if (members == NULL) return spt__nomem(&cv->ctx->err);
    for (int32_t i = 0; i < m->n; i++)
        members[i] = m->results[i].member;
    const spt__model_parts parts = {.dataset = cv->dataset,
                                    .prep = cv->prep,
                                    .applied = cv->used,
                                    .target = cv->target,
                                    .members = members,
                                    .n_members = m->n};
    int32_t status = spt__model_make(cv->ctx, &parts, out);
    if (status >= 0) status = write_notes(m, h, index, *out);
    spt__free(cv->ctx, members);
    if (status < 0) {
        spt_model_free(*out);
        *out = NULL;
    }
    return status;
}

int32_t spt_cv_model(spt_cv *cv, const spt_history *history, int64_t index, int32_t ensemble,
                     spt_epoch_fn fn, void *user, spt_model **out)
{
    int64_t sequence = 0, epochs = 0;
    SPT__REQUIRE(out != NULL);
    *out = NULL;
    SPT__REQUIRE(cv != NULL);
    spt__err *e = &cv->ctx->err;
    if (history == NULL) return spt__fail(e, SPT_EINVAL, "the history is NULL");
    SPT__TRY(spt__check_switch(ensemble, "ensemble", e));
    SPT__TRY(trial_of(cv, history, index, &sequence, &epochs));
    making m = {.cv = cv,
                .n = ensemble != 0 ? cv->k : 1,
                .first = ensemble != 0 ? 0 : cv->k,
                .fn = fn,
                .user = user};
    int32_t status = spt__cv_pattern_init(cv, spt_history_config(history, index), sequence,
                                          ensemble != 0 ? 0 : epochs, m.n, &m.pattern);
    m.results = spt__calloc(cv->ctx, (size_t)m.n, sizeof *m.results);
    if (m.results == NULL) status = spt__nomem(e);
    if (status >= 0)
        status = spt__parallel_events(cv->ctx, m.n, m.pattern.most, sizeof(spt_epoch), train,
                                      on_post, &m, e);
    for (int32_t i = 0; i < m.n && status == SPT_OK; i++)
        if (m.results[i].member == NULL) status = SPT_STOP_HOST;
    if (status > 0 && status != SPT_STOP_HOST)
        status =
            spt__fail(e, SPT_ECALLBACK, "the epoch callback returned %s", spt_status_name(status));
    if (status == SPT_OK) status = make(&m, history, index, out);
    for (int32_t i = 0; m.results != NULL && i < m.n; i++)
        spt__fit_release(&m.results[i]);
    spt__free(cv->ctx, m.results);
    spt__cv_pattern_free(&m.pattern);
    return status;
}
