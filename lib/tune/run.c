/* The run loop: a short client of ask and tell. */
#include "study.h"

#include "../base/threads.h"

#include <math.h>
#include <string.h>

/* So many trials that fail alike, and none that does not, mean that the objective cannot work. */
enum { HOPELESS = 5 };

typedef struct run {
    spt_study *study;
    int64_t tried;
    int32_t same; /* the status with which all trials of this run failed, 0 if not so */
    char reason[SPT__ERROR_CAPACITY];
} run;

int32_t spt__study_emit(spt_study *study, const spt_trial *trial, spt_event *event)
{
    if (study->events == NULL) return SPT_OK;
    const int64_t best = spt_history_best(study->history);
    int64_t n;
    const spt__row *const *rows = spt__history_rows(study->history, &n);
    event->trial = trial->number;
    event->config = trial->config;
    event->best = best >= 0 ? rows[best]->value : NAN;
    event->best_trial = best >= 0 ? rows[best]->number : -1;
    return study->events(event, study->events_hook.user);
}

/* Why the trial ends as failed, into r->reason. A host may have said so itself. */
static void say_reason(run *r, const spt_trial *trial, int32_t answer, double loss)
{
    const char *text = spt_ctx_last_error(r->study->ctx);
    const char *own = trial->reason;
    if (answer == SPT_OK)
        text = isnan(loss) ? "the loss is not a number" : "the loss is infinite";
    else if (answer == SPT_STOP_HOST)
        text = "stopped";
    else if (own != NULL)
        text = own;
    else if (answer == SPT_STOP_TIME && r->study->rules.trial_seconds > 0)
        text = NULL;
    else if (answer == SPT_STOP_TIME)
        text = "timeout";
    else if (answer > 0 || *text == '\0')
        text = spt_status_text(answer);
    if (text == NULL)
        spt__format(r->reason, sizeof r->reason, "timeout: a trial may take %g s",
                    r->study->rules.trial_seconds);
    else if (answer != SPT_OK && own == NULL &&
             strcmp(spt_status_name(answer), "SPT_UNKNOWN") == 0 &&
             *spt_ctx_last_error(r->study->ctx) == '\0')
        spt__format(r->reason, sizeof r->reason, "the objective returned %d", (int)answer);
    else
        spt__format(r->reason, sizeof r->reason, "%s", text);
}

static int32_t tell_failed(run *r, spt_trial *trial, const char *reason)
{
    SPT__TRY(spt_trial_set_text(trial, "reason", reason));
    return spt_study_tell(r->study, trial, SPT_TRIAL_FAILED, NAN);
}

/* What the objective's answer means for the trial. *stop: the run ends with this status. */
static int32_t settle(run *r, spt_trial *trial, int32_t answer, double loss, int32_t *stop)
{
    spt_study *s = r->study;
    *stop = SPT_OK;
    if (answer != SPT_OK && answer != SPT_PRUNED) r->tried++;
    if (trial->told) return SPT_OK; /* the objective has done so itself */
    if (answer == SPT_PRUNED || (answer == SPT_OK && isfinite(loss))) {
        r->same = 0;
        r->tried = HOPELESS;
        return spt_study_tell(s, trial, answer == SPT_OK ? SPT_TRIAL_COMPLETE : SPT_TRIAL_PRUNED,
                              loss);
    }
    say_reason(r, trial, answer, loss);
    if (answer == SPT_STOP_HOST) {
        *stop = SPT_STOP_HOST;
        return tell_failed(r, trial, r->reason);
    }
    if (r->tried == 1) r->same = answer;
    if (answer != r->same || answer == SPT_EDIVERGED || answer >= 0) r->same = 0;
    /* A store or memory that failed will not do better with the next trial, and says nothing of
     * this one: it does not count, and comes again when the study goes on. */
    if (answer == SPT_ESTORE || answer == SPT_ENOMEM || answer == SPT_EINTERNAL) {
        *stop = answer;
        SPT__TRY(spt_trial_set_text(trial, "error", r->reason));
        return tell_failed(r, trial, "stopped");
    }
    if (r->tried == HOPELESS && r->same != 0) *stop = answer;
    return tell_failed(r, trial, r->reason);
}

static int32_t one_trial(run *r, int32_t *stop)
{
    spt_study *s = r->study;
    spt_trial *trial = NULL;
    spt_event event;
    double loss = NAN;
    int32_t status = spt_study_ask(s, &trial);
    if (status != SPT_OK) {
        *stop = status;
        return status < 0 ? status : SPT_OK;
    }
    spt_record_init(&event, sizeof event);
    event.kind = SPT_EVENT_TRIAL_START;
    event.loss = event.watched = NAN;
    int32_t answer = spt__study_emit(s, trial, &event);
    if (answer == SPT_OK) {
        s->ctx->err.text[0] = '\0';
        trial->began = spt__now();
        answer = s->objective(trial, &loss, s->objective_hook.user);
    }
    status = settle(r, trial, answer, loss, stop);
    if (status >= 0) status = spt__study_refresh(s);
    if (status >= 0) {
        spt_record_init(&event, sizeof event);
        event.kind = SPT_EVENT_TRIAL_END;
        event.loss = trial->value;
        event.watched = NAN;
        event.state = trial->state;
        if (trial->state == SPT_TRIAL_FAILED) event.reason = trial->reason;
        const int32_t said = spt__study_emit(s, trial, &event);
        if (said == SPT_STOP_HOST && *stop == SPT_OK) *stop = SPT_STOP_HOST;
        if (said < 0)
            status = spt__fail(&s->ctx->err, SPT_ECALLBACK, "the event callback failed with %s",
                               spt_status_name(said));
    }
    spt_trial_free(trial);
    return status;
}

static int32_t loop(run *r, int64_t trials, double seconds)
{
    spt_study *s = r->study;
    const double began = spt__now();
    for (;;) {
        int32_t stop = SPT_OK;
        SPT__TRY(spt__study_refresh(s));
        if (spt__stopping(s->ctx)) return SPT_STOP_HOST;
        if (spt_history_finished(s->history) >= trials) return SPT_STOP_TRIALS;
        if (seconds > 0 && spt__now() - began >= seconds) return SPT_STOP_TIME;
        SPT__TRY(one_trial(r, &stop));
        if (stop < 0)
            return r->tried == HOPELESS && r->same != 0
                       ? spt__fail(&s->ctx->err, stop, "the first %d trials failed alike: %s",
                                   (int)HOPELESS, r->reason)
                       : spt__fail(&s->ctx->err, stop, "%s", r->reason);
        if (stop > 0) return stop;
    }
}

int32_t spt_study_run(spt_study *s, int64_t trials, double seconds)
{
    SPT__REQUIRE(s != NULL);
    spt__err *e = &s->ctx->err;
    if (s->objective == NULL)
        return spt__fail(e, SPT_EINVAL,
                         "the study has no objective; spt_study_set_cv() or "
                         "spt_study_set_objective() gives it one");
    if (trials < 0)
        return spt__fail(e, SPT_EINVAL, "trials is %lld; 0 or more are possible",
                         (long long)trials);
    if (!(seconds >= 0))
        return spt__fail(e, SPT_EINVAL, "seconds is %g; 0 or more are possible", seconds);
    if (s->running) return spt__fail(e, SPT_EBUSY, "the study is running");
    run r = {.study = s};
    s->running = true;
    const int32_t status = loop(&r, trials, seconds);
    s->running = false;
    return status;
}
