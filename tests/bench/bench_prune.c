/* What pruning would have saved: the trials of a study that was run without it, told again fold by
 * fold under every rule. Their losses and epochs are on record, so this takes no training.
 *
 *   bench_prune STUDY.db [NAME=VALUE ...]      settings of a study: prune_level=0.05 */
#include <math.h>
#include <spectune.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FOLDS = 100 };
#define TRY(call)                                                                        \
    do {                                                                                 \
        if ((call) < 0) {                                                                \
            fprintf(stderr, "bench_prune: %s: %s\n", #call, spt_ctx_last_error(b->ctx)); \
            exit(1);                                                                     \
        }                                                                                \
    } while (0)

typedef struct bench {
    spt_ctx *ctx;
    spt_history *h;
    int order[FOLDS], k;
    char **settings;
    int n_settings;
} bench;

/* Numbers of a text, apart by blanks. */
static int numbers(const char *text, int *out)
{
    int n = 0;
    char *end;
    for (long v; text != NULL && n < FOLDS && (v = strtol(text, &end, 10), end != text); text = end)
        out[n++] = (int)v;
    return n;
}

typedef struct outcome {
    double epochs, best; /* run; lowest loss of those that were not given up */
    int64_t winner;
    int pruned, trials;
} outcome;

/* One trial told again. */
static void replay(bench *b, spt_study *study, int64_t index, outcome *o)
{
    spt_trial_info info;
    spt_trial *t = NULL;
    double values[FOLDS], sum = 0;
    int epochs[FOLDS], done = 0, prune = 0;
    spt_record_init(&info, sizeof info);
    TRY(spt_history_trial(b->h, index, &info));
    if (info.state != SPT_TRIAL_COMPLETE || info.n_steps != b->k) return;
    TRY(spt_history_steps(b->h, index, NULL, values, FOLDS));
    if (numbers(spt_history_attribute(b->h, index, "fold_epochs"), epochs) != b->k) return;
    TRY(spt_study_ask_given(study, spt_history_config(b->h, index), &t));
    while (done < b->k && !prune) {
        const int fold = b->order[done++];
        sum += values[fold];
        o->epochs += epochs[fold];
        TRY(spt_trial_report(t, fold, values[fold]));
        prune = done < b->k && spt_trial_should_prune(t) == SPT_PRUNED;
    }
    TRY(spt_trial_tell(t, prune ? SPT_TRIAL_PRUNED : SPT_TRIAL_COMPLETE, sum / done));
    o->trials++;
    o->pruned += prune;
    if (!prune && !(info.value >= o->best)) {
        o->best = info.value;
        o->winner = info.number;
    }
    spt_trial_free(t);
}

static outcome replay_all(bench *b, const char *rule)
{
    spt_store *store = NULL;
    spt_study *study = NULL;
    spt_options *o = NULL;
    outcome r = {.best = NAN, .winner = -1};
    TRY(spt_study_options_new(b->ctx, &o));
    TRY(spt_options_set_text(o, "prune", rule));
    for (int i = 0; i < b->n_settings; i++) {
        char name[100];
        const char *sign = strchr(b->settings[i], '=');
        if (sign == NULL || sign - b->settings[i] >= (long)sizeof name) continue;
        snprintf(name, sizeof name, "%.*s", (int)(sign - b->settings[i]), b->settings[i]);
        TRY(spt_options_set_text(o, name, sign + 1));
    }
    TRY(spt_store_open(b->ctx, "memory:", SPT_STORE_CREATE, &store));
    TRY(spt_study_open(store, rule, spt_history_space(b->h), NULL, &study));
    TRY(spt_study_set_options(study, o));
    for (int64_t i = 0; i < spt_history_count(b->h); i++)
        replay(b, study, i, &r);
    spt_options_free(o);
    spt_study_free(study);
    spt_store_free(store);
    return r;
}

int main(int argc, char **argv)
{
    static const char *const rules[] = {"none", "wilcoxon", "racing", "median", "halving"};
    bench all = {.settings = argv + 2, .n_settings = argc - 2}, *b = &all;
    spt_store *store = NULL;
    double full = 0, best = NAN;
    if (argc < 2) {
        fputs("usage: bench_prune STUDY.db [NAME=VALUE ...]\n", stderr);
        return 2;
    }
    if (spt_ctx_new(NULL, &b->ctx) < 0) return 1;
    TRY(spt_store_open(b->ctx, argv[1], SPT_STORE_READONLY, &store));
    TRY(spt_history_read(store, NULL, &b->h));
    b->k = numbers(spt_history_record(b->h, "fold_order"), b->order);
    if (b->k < 2) {
        fprintf(stderr, "bench_prune: %s: has no order of folds on record\n", argv[1]);
        return 1;
    }
    printf("%-9s %7s %7s %12s %8s %9s %9s\n", "rule", "trials", "pruned", "fold-epochs", "saved",
           "winner", "loss");
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        const outcome o = replay_all(b, rules[i]);
        if (i == 0) {
            full = o.epochs;
            best = o.best;
        }
        printf("%-9s %7d %7d %12.0f %7.1f%% %9lld %+8.2f%%\n", rules[i], o.trials, o.pruned,
               o.epochs, 100 * (1 - o.epochs / full), (long long)o.winner,
               100 * (o.best / best - 1));
    }
    spt_history_free(b->h);
    spt_store_free(store);
    spt_ctx_free(b->ctx);
    return 0;
}
