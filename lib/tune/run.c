/* The run loop: a short client of ask and tell. */
#include "crew.h"

#include "../base/threads.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* So many trials that fail alike, and none that does not, mean that the objective cannot work. */
enum { HOPELESS = 5 };

/* A trial that has begun and has not ended. */
typedef struct flying {
    spt_trial *trial;
    int32_t said; /* what the host said to its start */
} flying;

typedef struct run {
    spt_study *study;
    int64_t trials;        /* finished ones that are wanted */
    double seconds, clock; /* after which none begins; when the run began */
    spt__crew *crew;       /* NULL: a host's objective */
    flying *flying;        /* `n` of at most `most`, oldest first */
    int32_t n, most;
    int64_t tried;
    int32_t same; /* the status with which all trials of this run failed, 0 if not so */
    char reason[SPT__ERROR_CAPACITY];
    bool told; /* that this worker waits for others */
} run;

int32_t spt__study_emit(spt_study *study, const spt_trial *trial, spt_event *event)
{
    if (study->events == NULL) return SPT_OK;
    const int64_t index = study->tally.best;
    const spt__row *best = index >= 0 ? study->marks[index].row : NULL;
    event->trial = trial->number;
    event->config = trial->config;
    event->best = best != NULL ? best->value : NAN;
    event->best_trial = best != NULL ? best->number : -1;
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

static int32_t tell_failed(spt_trial *trial, const char *reason)
{
    SPT__TRY(spt_trial_set_text(trial, "reason", reason));
    return spt_trial_tell(trial, SPT_TRIAL_FAILED, NAN);
}

/* What the objective's answer means for the trial. *stop: the run ends with this status. */
static int32_t settle(run *r, spt_trial *trial, int32_t answer, double loss, int32_t *stop)
{
    *stop = SPT_OK;
    if (answer != SPT_OK && answer != SPT_PRUNED) r->tried++;
    if (trial->told) return SPT_OK; /* the objective has done so itself */
    if (answer == SPT_PRUNED || (answer == SPT_OK && isfinite(loss))) {
        r->same = 0;
        r->tried = HOPELESS;
        return spt_trial_tell(trial, answer == SPT_OK ? SPT_TRIAL_COMPLETE : SPT_TRIAL_PRUNED,
                              loss);
    }
    say_reason(r, trial, answer, loss);
    if (answer == SPT_STOP_HOST) {
        *stop = SPT_STOP_HOST;
        return tell_failed(trial, r->reason);
    }
    if (r->tried == 1) r->same = answer;
    if (answer != r->same || answer == SPT_EDIVERGED || answer >= 0) r->same = 0;
    /* A store or memory that failed will not do better with the next trial, and says nothing of
     * this one: it does not count, and comes again when the study goes on. */
    if (answer == SPT_ESTORE || answer == SPT_ENOMEM || answer == SPT_EINTERNAL) {
        *stop = answer;
        SPT__TRY(spt_trial_set_text(trial, "error", r->reason));
        return tell_failed(trial, "stopped");
    }
    if (r->tried == HOPELESS && r->same != 0) *stop = answer;
    return tell_failed(trial, r->reason);
}

/* ---- trials in flight ---- */

/* Ask for a trial and begin it. *stop: why there is none. */
static int32_t begin_one(run *r, int32_t *stop)
{
    spt_study *s = r->study;
    spt_trial *trial = NULL;
    spt_event event;
    int32_t status = spt__study_ask(s, &trial);
    if (status != SPT_OK) {
        *stop = status;
        return status < 0 ? status : SPT_OK;
    }
    r->flying[r->n] = (flying){.trial = trial};
    spt_record_init(&event, sizeof event);
    event.kind = SPT_EVENT_TRIAL_START;
    event.fold = event.place = -1;
    event.loss = event.watched = NAN;
    r->flying[r->n].said = spt__study_emit(s, trial, &event);
    r->n++;
    if (r->flying[r->n - 1].said == SPT_OK && r->crew != NULL)
        return spt__flight_begin(r->crew, trial);
    return SPT_OK;
}

/* The objective's answer, waited for. */
static int32_t score(run *r, const flying *f, double *loss)
{
    spt_study *s = r->study;
    *loss = NAN;
    if (f->said != SPT_OK) return f->said; /* the host does not want it */
    if (r->crew != NULL) {
        s->ctx->err.text[0] = '\0';
        return spt__flight_finish(r->crew, f->trial, loss);
    }
    f->trial->began = spt__now();
    s->ctx->err.text[0] = '\0';
    f->trial->lent = true;
    const int32_t answer = s->objective(f->trial, loss, s->objective_hook.user);
    f->trial->lent = false;
    return answer;
}

static int32_t tell_end(run *r, const spt_trial *trial, int32_t *stop)
{
    spt_event event;
    spt_record_init(&event, sizeof event);
    event.kind = SPT_EVENT_TRIAL_END;
    event.fold = event.place = -1;
    event.loss = trial->value;
    event.watched = NAN;
    event.state = trial->state;
    if (trial->state != SPT_TRIAL_COMPLETE) event.reason = trial->reason;
    const int32_t said = spt__study_emit(r->study, trial, &event);
    if (said == SPT_STOP_HOST && *stop == SPT_OK) *stop = SPT_STOP_HOST;
    if (said == SPT_OK || said == SPT_STOP_HOST || said == SPT_PRUNED) return SPT_OK;
    return spt__fail(&r->study->ctx->err, SPT_ECALLBACK, "the event callback failed with %s (%d)",
                     spt_status_name(said), (int)said);
}

/* Another worker has ended it, because nothing was heard of this one for too long. */
static void lose(run *r, spt_trial *trial)
{
    spt__log(r->study->ctx, SPT_LOG_WARNING,
             "trial %lld was ended by another worker, to which this one had been silent for too"
             " long; what it found is lost",
             (long long)trial->number);
    trial->told = true;
    trial->state = SPT_TRIAL_FAILED;
}

/* Settle the trial at a place among those in flight, and take it out. */
static int32_t end_one(run *r, int32_t place, int32_t answer, double loss, int32_t *stop)
{
    spt_trial *trial = r->flying[place].trial;
    r->n--;
    memmove(&r->flying[place], &r->flying[place + 1], (size_t)(r->n - place) * sizeof r->flying[0]);
    int32_t status = settle(r, trial, answer, loss, stop);
    if (status == SPT_EBUSY && !trial->told) {
        lose(r, trial);
        status = SPT_OK;
    }
    if (status >= 0) status = spt__study_refresh(r->study);
    if (status >= 0) status = tell_end(r, trial, stop);
    spt_trial_free(trial);
    return status;
}

/* The trial that ends next: the oldest, or where nobody waits the first that is done. */
static int32_t finish_one(run *r, int32_t *stop)
{
    int32_t place = 0;
    double loss = NAN;
    if (r->crew != NULL && !r->study->rules.wait && r->flying[0].said == SPT_OK) {
        const spt_trial *next = spt__crew_next(r->crew, true);
        while (r->flying[place].trial != next)
            place++;
    }
    const int32_t answer = score(r, &r->flying[place], &loss);
    return end_one(r, place, answer, loss, stop);
}

/* The run ends for a reason that has nothing to do with these: they count for nothing, and come
 * again when the study goes on. */
static void drop_all(run *r)
{
    spt__err kept = r->study->ctx->err;
    char reason[SPT__ERROR_CAPACITY];
    spt__format(reason, sizeof reason, "%s", r->reason);
    while (r->n > 0) {
        int32_t ignored = SPT_OK;
        if (r->crew != NULL && r->flying[0].said == SPT_OK)
            spt__flight_drop(r->crew, r->flying[0].trial);
        (void)end_one(r, 0, SPT_STOP_HOST, NAN, &ignored);
    }
    r->study->ctx->err = kept;
    spt__format(r->reason, sizeof r->reason, "%s", reason);
}

static int32_t fail_run(run *r, int32_t stop)
{
    spt__err *e = &r->study->ctx->err;
    if (r->tried == HOPELESS && r->same != 0)
        return spt__fail(e, stop, "the first %d trials failed alike: %s", (int)HOPELESS, r->reason);
    return spt__fail(e, stop, "%s", r->reason);
}

/* What the best trial says: is it good enough, or has it been the best for too long? */
static int32_t look_at_best(const spt_study *s)
{
    int64_t since = 0;
    if (s->tally.best < 0 || s->tally.waiting_again > 0) return SPT_OK;
    const spt__mark *best = &s->marks[s->tally.best];
    const bool reached = spt__history_maximizes(s->history)
                             ? s->rules.stop_at > -DBL_MAX && best->row->value >= s->rules.stop_at
                             : best->row->value <= s->rules.stop_at;
    if (reached) return SPT_STOP_TARGET;
    if (s->rules.patience == 0) return SPT_OK;
    for (int64_t i = 0; i < s->n_marks; i++)
        since +=
            s->marks[i].counts && s->marks[i].repeats < 0 && s->marks[i].sequence > best->sequence;
    return since >= s->rules.patience ? SPT_STOP_PLATEAU : SPT_OK;
}

/* Begin trials until enough are in flight. *why: what keeps further ones from being begun. */
static int32_t fill(run *r, int32_t *why)
{
    spt_study *s = r->study;
    SPT__TRY(spt__study_refresh(s));
    *why = look_at_best(s);
    while (r->n < r->most && *why == SPT_OK) {
        if (spt__stopping(s->ctx))
            *why = SPT_STOP_HOST;
        else if (s->tally.finished + s->tally.running >= r->trials)
            *why = SPT_STOP_TRIALS;
        else if (r->seconds > 0 && spt__now() - r->clock >= r->seconds)
            *why = SPT_STOP_TIME;
        else
            SPT__TRY(begin_one(r, why));
        SPT__TRY(spt__study_refresh(s));
    }
    return SPT_OK;
}

enum { LINGER_SWEEP = 2 };

/* Other workers run the last trials. Wait until there is something to do, as one of them may die,
 * or nothing any more. *why: what ends the waiting early. */
static int32_t linger(run *r, int32_t *why)
{
    spt_study *s = r->study;
    double until = spt__now(), pause = 0.02;
    *why = SPT_OK;
    for (;;) {
        while (*why == SPT_OK && spt__now() < until) {
            spt__sleep(fmin(0.1, pause));
            if (spt__stopping(s->ctx)) *why = SPT_STOP_HOST;
            if (r->seconds > 0 && spt__now() - r->clock >= r->seconds) *why = SPT_STOP_TIME;
        }
        if (*why != SPT_OK) return SPT_OK;
        SPT__TRY(spt__study_sweep(s, LINGER_SWEEP));
        SPT__TRY(spt__study_refresh(s));
        const int64_t running = s->tally.running;
        if (s->tally.finished >= r->trials || running == 0 ||
            s->tally.finished + running < r->trials)
            return SPT_OK;
        if (!r->told)
            spt__log(s->ctx, SPT_LOG_INFO,
                     "waiting for the last %lld trials of study '%s', which other workers run",
                     (long long)running, s->name);
        r->told = true;
        pause = fmin(2, 1.5 * pause);
        until = spt__now() + pause;
    }
}

static int32_t loop(run *r)
{
    spt_study *s = r->study;
    for (;;) {
        int32_t why = SPT_OK, stop = SPT_OK;
        SPT__TRY(fill(r, &why));
        if (why == SPT_STOP_TARGET || why == SPT_STOP_PLATEAU) return why;
        if (r->n == 0) {
            if (why != SPT_STOP_TRIALS || s->tally.finished >= r->trials || !s->rules.linger)
                return why;
            SPT__TRY(linger(r, &why));
            if (why != SPT_OK) return why;
            continue;
        }
        SPT__TRY(finish_one(r, &stop));
        if (stop < 0) return fail_run(r, stop);
        if (stop > 0) return stop;
    }
}

static int32_t run_study(run *r)
{
    spt_study *s = r->study;
    r->most = s->rules.in_flight > 1 ? (int32_t)s->rules.in_flight : 1;
    r->clock = spt__now();
    s->wanted = r->trials;
    r->flying = spt__calloc(s->ctx, (size_t)r->most, sizeof *r->flying);
    if (r->flying == NULL) return spt__nomem(&s->ctx->err);
    int32_t status = SPT_OK;
    if (s->cv != NULL) status = spt__crew_new(s->cv, s, r->most, &r->crew);
    if (status >= 0) status = loop(r);
    drop_all(r);
    spt__crew_free(r->crew);
    spt__free(s->ctx, r->flying);
    s->wanted = -1;
    return status;
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
    SPT__TRY(spt__study_enter(s));
    run r = {.study = s, .trials = trials, .seconds = seconds};
    const int32_t status = run_study(&r);
    spt__study_leave(s);
    return status;
}
