/* How a study works: its knobs. */
#include "study.h"

#include "../base/options.h"

#include <float.h>

const int64_t spt__rung_epochs[SPT__RUNGS] = {8, 24, 72, 216, 648, 1944, 5832, 17496};

static const spt__knob knobs[] = {
    {"trial_seconds", SPT_OPTION_NUMBER, 0, 1e9, 0, NULL, NULL,
     "a trial that takes longer fails, reason timeout; 0: no limit"},
    {"prune", SPT_OPTION_CHOICE, 0, 0, 0, "none|wilcoxon|racing|median|halving", "none",
     "give up trials whose first steps tell that they will not matter"},
    {"prune_steps", SPT_OPTION_CHOICE, 0, 0, 0, "folds|epochs", "folds",
     "median, halving: folds, whose mean counts, or epochs, whose lowest counts"},
    {"prune_startup", SPT_OPTION_INTEGER, 1, 1e6, 5, NULL, NULL,
     "so many trials are complete before any is given up"},
    {"prune_after", SPT_OPTION_INTEGER, 1, 1e6, 1, NULL, NULL,
     "so many steps each trial has; of halving the first rung"},
    {"prune_level", SPT_OPTION_NUMBER, 1e-9, 0.5, 0.1, NULL, NULL,
     "wilcoxon, racing: chance that is taken of giving up what would have been the best"},
    {"prune_factor", SPT_OPTION_NUMBER, 1.1, 100, 3, NULL, NULL,
     "halving: one of so many trials goes on, rungs are so many times apart"},
    {"in_flight", SPT_OPTION_INTEGER, 0, 1024, 0, NULL, NULL,
     "so many trials run at a time, and a trial sees the results of those up to so many before it; "
     "0: one runs, and it sees all results"},
    {"wait", SPT_OPTION_CHOICE, 0, 0, 0, "yes|no", "yes",
     "no: with trials in flight nobody waits for an older one; what each trial saw is on record"},
    {"duplicates", SPT_OPTION_CHOICE, 0, 0, 0, "allow|avoid|never", "allow",
     "proposals that a trial has had: avoid: drawn anew, up to 100 times; never: as often as any"},
    {"stop_at", SPT_OPTION_NUMBER, -DBL_MAX, DBL_MAX, -DBL_MAX, NULL, NULL,
     "the run ends when a trial has this loss or a lower one"},
    {"patience_trials", SPT_OPTION_INTEGER, 0, 1e9, 0, NULL, NULL,
     "the run ends when so many trials in a row have not improved the best; 0: never"},
    {"grace", SPT_OPTION_NUMBER, 1, 1e9, 600, NULL, NULL,
     "seconds of silence after which a worker on another machine counts as gone"},
    {"retries", SPT_OPTION_INTEGER, 0, 1e6, 0, NULL, NULL,
     "so often a trial whose worker is gone is run again with the same configuration"},
    {"linger", SPT_OPTION_CHOICE, 0, 0, 0, "yes|no", "yes",
     "wait for the last trials that other workers run, which may die; no: the run ends"},
    {NULL, SPT_OPTION_NUMBER, 0, 0, 0, NULL, NULL, NULL}};

int32_t spt_study_options_new(spt_ctx *ctx, spt_options **out)
{
    if (out != NULL) *out = NULL;
    SPT__REQUIRE(ctx != NULL && out != NULL);
    return spt__options_new(ctx, "study", knobs, out);
}

static void read_rules(const spt_options *o, spt__rules *r)
{
    r->trial_seconds = spt__option(o, knobs, "trial_seconds");
    r->in_flight = spt__option_int(o, knobs, "in_flight");
    r->wait = spt__option_choice(o, knobs, "wait") == 0;
    r->duplicates = (spt__duplicates)spt__option_choice(o, knobs, "duplicates");
    r->stop_at = spt__option(o, knobs, "stop_at");
    r->patience = spt__option_int(o, knobs, "patience_trials");
    r->grace = spt__option(o, knobs, "grace");
    r->retries = spt__option_int(o, knobs, "retries");
    r->linger = spt__option_choice(o, knobs, "linger") == 0;
    r->prune = (spt__prune_rule){.kind = (spt__prune_kind)spt__option_choice(o, knobs, "prune"),
                                 .lowest = spt__option_choice(o, knobs, "prune_steps") == 1,
                                 .startup = spt__option_int(o, knobs, "prune_startup"),
                                 .after = spt__option_int(o, knobs, "prune_after"),
                                 .level = spt__option(o, knobs, "prune_level"),
                                 .factor = spt__option(o, knobs, "prune_factor")};
}

void spt__rules_init(spt__rules *rules)
{
    read_rules(NULL, rules);
}

void spt__prune_words(const spt__prune_rule *rule, const spt__verdict *verdict, int64_t steps,
                      int64_t all, char *out, size_t size)
{
    static const char *const names[] = {"none", "wilcoxon", "racing", "median", "halving"};
    char of[64];
    if (all < 0)
        spt__format(of, sizeof of, "%lld epochs of the first fold", (long long)steps);
    else if (all > 0)
        spt__format(of, sizeof of, "%lld of %lld folds", (long long)steps, (long long)all);
    else
        spt__format(of, sizeof of, "%lld steps", (long long)steps);
    const bool chance = rule->kind == SPT__PRUNE_WILCOXON || rule->kind == SPT__PRUNE_RACING;
    spt__format(out, size,
                chance ? "%s: p = %.2g after %s" : "%s: %.2g of the others are better after %s",
                names[rule->kind], verdict->figure, of);
}

int32_t spt_study_set_options(spt_study *s, const spt_options *options)
{
    SPT__REQUIRE(s != NULL);
    if (!spt__options_are(options, knobs))
        return spt__fail(&s->ctx->err, SPT_EINVAL,
                         "the options are not a study's; spt_study_options_new() makes them");
    if (s->running) return spt__fail(&s->ctx->err, SPT_EBUSY, "the study is running");
    spt__rules rules;
    read_rules(options, &rules);
    if (rules.prune.kind != SPT__PRUNE_NONE && spt__history_maximizes(s->history))
        return spt__fail(&s->ctx->err, SPT_EUNSUPPORTED,
                         "study '%s' looks for the highest value; trials are given up only where"
                         " the lowest is looked for",
                         s->name);
    s->rules = rules;
    return SPT_OK;
}
