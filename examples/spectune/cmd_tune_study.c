/* spectune tune: how the study works, and what is put into it before it runs. */
#include "tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Options that are knobs of the study, by their names there. */
static const struct {
    const char *option, *knob;
} rules[] = {{"prune", "prune"},           {"in-flight", "in_flight"},
             {"duplicates", "duplicates"}, {"trial-time", "trial_seconds"},
             {"stop-at", "stop_at"},       {"patience-trials", "patience_trials"},
             {"retries", "retries"},       {"grace", "grace"}};

int study_rules(tool *t, spt_options *options)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        const char *value = arg_text(t, rules[i].option);
        if (value != NULL && spt_options_set_text(options, rules[i].knob, value) < 0)
            return misuse(t, "--%s: %s", rules[i].option, spt_ctx_last_error(t->ctx));
    }
    if (arg_flag(t, "no-wait") && spt_options_set_text(options, "wait", "no") < 0)
        return fail_library(t);
    if (arg_flag(t, "no-linger") && spt_options_set_text(options, "linger", "no") < 0)
        return fail_library(t);
    if (arg_flag(t, "no-wait") && arg_int(t, "in-flight", 0) < 2)
        return misuse(t, "--no-wait says how trials in flight go on; --in-flight is missing");
    return -1;
}

/* ---- enqueueing ---- */

enum { PARTS = 64 };

/* "NAME=VALUE,NAME=VALUE": cut in place. Parameters that others depend on may stand behind them. */
static int set_parts(tool *t, char *text, spt_config *config, const char **names, int *n)
{
    char *rest = NULL, *values[PARTS];
    bool done[PARTS] = {false};
    for (char *part = strtok_r(text, ",", &rest); part != NULL; part = strtok_r(NULL, ",", &rest)) {
        char *sign = strchr(part, '=');
        if (sign == NULL || sign == part || *n == PARTS)
            return misuse(t, "--enqueue has '%s'; FILE.xml or NAME=VALUE,NAME=VALUE is wanted",
                          part);
        *sign = '\0';
        names[*n] = part;
        values[(*n)++] = sign + 1;
    }
    int left = *n, before = left + 1, failed = 0;
    while (left > 0 && left < before) {
        before = left;
        for (int i = 0; i < *n; i++) {
            if (done[i]) continue;
            done[i] = spt_config_set_text(config, names[i], values[i]) >= 0;
            if (done[i])
                left--;
            else
                failed = i;
        }
    }
    if (left == 0) return -1;
    (void)spt_config_set_text(config, names[failed], values[failed]); /* for its words */
    return misuse(t, "--enqueue: %s", spt_ctx_last_error(t->ctx));
}

static int enqueue(tool *t, const char *what, const spt_space *space, spt_study *study)
{
    spt_config *config = NULL;
    const char *names[PARTS];
    int code = -1, n = 0;
    char *text = strdup(what);
    if (text == NULL) return fail("memory ran out");
    const bool parts = strchr(what, '=') != NULL;
    if ((parts ? spt_config_new(t->ctx, space, &config)
               : spt_config_read(t->ctx, space, what, &config)) < 0)
        code = fail_library(t);
    if (code < 0 && parts) code = set_parts(t, text, config, names, &n);
    /* without a study: only whether it can be read */
    if (code < 0 && study != NULL &&
        spt_study_enqueue(study, config, parts ? names : NULL, n, NULL) < 0)
        code = misuse(t, "--enqueue: %s", spt_ctx_last_error(t->ctx));
    spt_config_free(config);
    free(text);
    return code;
}

/* ---- from another study ---- */

/* "STUDY[:K]" */
static int warm_start(tool *t, const char *what, spt_study *study)
{
    enum { BEST = 5 };
    spt_store *store = NULL;
    spt_history *from = NULL;
    int64_t k = BEST, n = 0;
    int code = -1;
    char *file = strdup(what), *colon = file != NULL ? strrchr(file, ':') : NULL;
    if (file == NULL) return fail("memory ran out");
    if (colon != NULL && colon[1] != '\0' && strspn(colon + 1, "0123456789") == strlen(colon + 1)) {
        k = strtoll(colon + 1, NULL, 10);
        *colon = '\0';
    }
    if (spt_store_open(t->ctx, file, SPT_STORE_READONLY, &store) < 0 ||
        spt_history_read(store, NULL, &from) < 0)
        code = misuse(t, "--warm-start: %s", spt_ctx_last_error(t->ctx));
    else if (study != NULL && spt_study_warm_start(study, from, k, &n) < 0)
        code = misuse(t, "--warm-start: %s", spt_ctx_last_error(t->ctx));
    if (code < 0 && study != NULL && n > 0 && !arg_flag(t, "quiet"))
        note("%lld configurations of %s are tried first", (long long)n, file);
    spt_history_free(from);
    spt_store_free(store);
    free(file);
    return code;
}

int study_queue(tool *t, const spt_space *space, spt_study *study)
{
    int code = -1;
    for (int i = 0; i < t->n_enqueued && code < 0; i++)
        code = enqueue(t, t->enqueued[i], space, study);
    if (code < 0 && arg_text(t, "warm-start") != NULL)
        code = warm_start(t, arg_text(t, "warm-start"), study);
    return code;
}
