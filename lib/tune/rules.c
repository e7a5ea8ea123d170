/* How a study works: its knobs. */
#include "study.h"

#include "../base/options.h"

static const spt__knob knobs[] = {{"trial_seconds", SPT_OPTION_NUMBER, 0, 1e9, 0, NULL, NULL,
                                   "a trial that takes longer fails, reason timeout; 0: no limit"},
                                  {NULL, SPT_OPTION_NUMBER, 0, 0, 0, NULL, NULL, NULL}};

int32_t spt_study_options_new(spt_ctx *ctx, spt_options **out)
{
    SPT__REQUIRE(ctx != NULL && out != NULL);
    return spt__options_new(ctx, "study", knobs, out);
}

static void read_rules(const spt_options *o, spt__rules *r)
{
    r->trial_seconds = spt__option(o, knobs, "trial_seconds");
}

void spt__rules_init(spt__rules *rules)
{
    read_rules(NULL, rules);
}

int32_t spt_study_set_options(spt_study *s, const spt_options *options)
{
    SPT__REQUIRE(s != NULL);
    if (!spt__options_are(options, knobs))
        return spt__fail(&s->ctx->err, SPT_EINVAL,
                         "the options are not a study's; spt_study_options_new() makes them");
    if (s->running) return spt__fail(&s->ctx->err, SPT_EBUSY, "the study is running");
    read_rules(options, &s->rules);
    return SPT_OK;
}
