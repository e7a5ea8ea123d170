/* Trials that nobody works on any more, and what becomes of them. */
#include "db.h"

#include "../base/process.h"

#include <math.h>
#include <string.h>

static bool is_stale(const char *owner_json, bool silent)
{
    char owner[SPT__PROCESS_NAME];
    const size_t length = owner_json != NULL ? strlen(owner_json) : 0;
    if (length < 2 || length - 2 >= sizeof owner) return silent;
    memcpy(owner, owner_json + 1, length - 2);
    owner[length - 2] = '\0';
    const spt__process_state state = spt__process_look(owner);
    return state == SPT__PROCESS_GONE || (state == SPT__PROCESS_UNKNOWN && silent);
}

/* The next stale trial behind *id: 1, and *id is its; 0: none. Trials without a heartbeat and
 * without an owner are nobody's we know: left alone. */
static int32_t next_stale(spt_store *s, const spt__stale *sweep, int64_t *id)
{
    spt__cursor q;
    int32_t status;
    SPT__TRY(spt__db_query(s, &q, s->driver->stale, "dii", sweep->seconds, sweep->study, *id));
    while ((status = spt__db_row(&q)) > 0) {
        const bool stale = is_stale(spt__col_text(&q, 1), spt__col_int(&q, 2) != 0);
        if (!stale) continue;
        *id = spt__col_int(&q, 0);
        spt__db_done(&q);
        return 1;
    }
    return status;
}

/* The value of a user attribute that is a whole number; SPT_ENOTFOUND. */
static int32_t attribute(spt_store *s, int64_t id, const char *key, int64_t *value)
{
    return spt__db_int(s, value,
                       "SELECT CAST(value_json AS INTEGER) FROM trial_user_attributes"
                       " WHERE trial_id = ? AND key = ?",
                       "it", id, key);
}

/* "a b c": all parameters that the trial has. */
static int32_t names_of(spt_store *s, int64_t id, spt__buf *json)
{
    spt__cursor q;
    spt__buf names;
    int32_t status;
    SPT__TRY(spt__db_query(
        s, &q, "SELECT param_name FROM trial_params WHERE trial_id = ? ORDER BY param_id", "i",
        id));
    spt__buf_init(&names, s->ctx);
    while ((status = spt__db_row(&q)) > 0)
        spt__buf_printf(&names, "%s%s", names.size > 0 ? " " : "", spt__col_text(&q, 0));
    spt__buf_puts(&names, "");
    if (!names.failed) spt__buf_json(json, names.data);
    if (status >= 0 && (names.failed || json->failed)) status = spt__nomem(&s->ctx->err);
    spt__buf_free(&names);
    return status;
}

enum { MOST = 5 };

/* What lets it come again: it is as if it had been enqueued (see the room tune). One that a host
 * has enqueued comes again anyway; one that came again for our sake only so many times. */
static int32_t queue_again(spt_store *s, const spt__stale *sweep, int64_t id, spt__buf text[3],
                           spt__attr attrs[MOST], size_t *n)
{
    int64_t tries = 0, place = 0, number = 0;
    const int32_t tried = attribute(s, id, "retry", &tries);
    const int32_t queued = attribute(s, id, "queue", &place);
    if (tried < 0 && tried != SPT_ENOTFOUND) return tried;
    if (queued < 0 && queued != SPT_ENOTFOUND) return queued;
    const bool own = tried == SPT_ENOTFOUND;
    if (own && (sweep->retries == 0 || queued != SPT_ENOTFOUND)) return SPT_OK;
    if (!own && tries >= sweep->retries) {
        spt__buf_printf(&text[0], "\"left unfinished %lld times\"", (long long)tries + 1);
        attrs[(*n)++] = (spt__attr){"refused", text[0].data};
        return text[0].failed ? spt__nomem(&s->ctx->err) : SPT_OK;
    }
    spt__buf_printf(&text[0], "%lld", (long long)(own ? 1 : tries + 1));
    attrs[(*n)++] = (spt__attr){"retry", text[0].data};
    if (own) {
        SPT__TRY(spt__db_int(s, &number, "SELECT number FROM trials WHERE trial_id = ?", "i", id));
        spt__buf_printf(&text[1], "%lld", (long long)number);
        attrs[(*n)++] = (spt__attr){"queue", text[1].data};
        SPT__TRY(names_of(s, id, &text[2]));
        attrs[(*n)++] = (spt__attr){"fixed", text[2].data};
    }
    return text[0].failed || text[1].failed ? spt__nomem(&s->ctx->err) : SPT_OK;
}

static int32_t fail_one(spt_store *s, const spt__stale *sweep, int64_t id)
{
    spt__attr attrs[MOST];
    size_t n = 0;
    spt__buf reason, text[3];
    spt__buf_init(&reason, s->ctx);
    for (int k = 0; k < 3; k++)
        spt__buf_init(&text[k], s->ctx);
    spt__buf_json(&reason, sweep->reason);
    attrs[n++] = (spt__attr){"reason", reason.data};
    int32_t status = reason.failed ? spt__nomem(&s->ctx->err) : SPT_OK;
    if (status >= 0) status = queue_again(s, sweep, id, text, attrs, &n);
    spt__finish f = {.state = SPT_TRIAL_FAILED, .value = NAN, .attrs = attrs, .n_attrs = n};
    if (status >= 0) status = spt__store_trial_finish(s, id, &f);
    spt__buf_free(&reason);
    for (int k = 0; k < 3; k++)
        spt__buf_free(&text[k]);
    return status;
}

static int32_t any_body(spt_store *s, void *arg)
{
    spt__stale *sweep = arg;
    int64_t id = -1;
    const int32_t status = next_stale(s, sweep, &id);
    if (status < 0) return status;
    sweep->failed = status;
    return SPT_OK;
}

static int32_t sweep_body(spt_store *s, void *arg)
{
    spt__stale *sweep = arg;
    int64_t id = -1;
    int32_t status;
    sweep->failed = 0;
    SPT__TRY(spt__db_lock_study(s, sweep->study));
    while ((status = next_stale(s, sweep, &id)) > 0) {
        const spt__err before = s->ctx->err;
        status = fail_one(s, sweep, id);
        if (status < 0 && status != SPT_EBUSY) return status;
        /* Its worker was only silent, and has told it between our look and now. */
        if (status == SPT_EBUSY) s->ctx->err = before;
        sweep->failed += status >= 0;
    }
    return status;
}

int32_t spt__store_fail_stale(spt_store *s, spt__stale *sweep)
{
    sweep->failed = 0;
    /* Mostly there is none, and to learn that nobody needs to be kept waiting. */
    SPT__TRY(spt__db_transact(s, false, any_body, sweep));
    if (sweep->failed == 0) return SPT_OK;
    return spt__db_transact(s, true, sweep_body, sweep);
}
