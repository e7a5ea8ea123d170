/* spectune importance: which hyperparameters mattered. */
#include "importance.h"

#include <math.h>
#include <spectune/experimental.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const arg_option importance_options[] = {
    NAME_OPTION,
    {"pairs", NULL, ARG_FLAG, 0, 0, NULL, "show what pairs of parameters do together"},
    {"curves", "PARAM[,PARAM]", ARG_TEXT, 0, 0, NULL,
     "show the mean loss at the values of a parameter, or of two"},
    {"top-quantile", "Q", ARG_NUMBER, 0.001, 1, "1",
     "what mattered among the best Q of the trials"},
    {"local", NULL, ARG_FLAG, 0, 0, NULL, "show what matters around the best configuration"},
    {"ped", NULL, ARG_FLAG, 0, 0, NULL, "show PED-ANOVA, which asks another question"},
    {"prior", "auto|space|trials", ARG_TEXT, 0, 0, "auto",
     "how probable it is that a parameter exists: as the space says, or the trials"},
    {"pruned", NULL, ARG_FLAG, 0, 0, NULL, "count pruned trials with their last value"},
    {"failed", NULL, ARG_FLAG, 0, 0, NULL, "count failed trials with the worst loss"},
    {"all", NULL, ARG_FLAG, 0, 0, NULL, "list every parameter and pair, however small"},
    {"trees", "N", ARG_INT, 1, 100000, "64", "trees of the forest"},
    {"seed", "N", ARG_INT, 0, 9007199254740992.0, "1", "names the forest"},
    THREADS_OPTION,
    JSON_OPTION,
    HELP_OPTION,
    {.name = NULL}};

/* Of an explained share less than this it is told how many trials would reach it. */
static const double enough = 0.8, little = 0.5;

spt_importance importance_at(const spt_fanova *f, int64_t rank)
{
    spt_importance p;
    spt_record_init(&p, sizeof p);
    spt_fanova_main(f, rank, &p);
    return p;
}

spt_interaction pair_at(const spt_fanova *f, int64_t rank)
{
    spt_interaction p;
    spt_record_init(&p, sizeof p);
    spt_fanova_pair(f, rank, &p);
    return p;
}

/* ---- JSON ---- */

static json_t *main_json(const spt_fanova *f)
{
    json_t *list = json_array();
    for (int64_t i = 0; i < spt_fanova_count(f); i++) {
        const spt_importance p = importance_at(f, i);
        json_t *o = json_object();
        json_object_set_new(o, "name", json_string(p.name));
        json_object_set_new(o, "group", json_string(p.group));
        json_object_set_new(o, "share", json_number_or_null(p.share));
        json_object_set_new(o, "sd", json_number_or_null(p.sd));
        json_object_set_new(o, "error", json_number_or_null(p.error));
        json_object_set_new(o, "total", json_number_or_null(p.total));
        json_object_set_new(o, "total_sd", json_number_or_null(p.total_sd));
        json_object_set_new(o, "p_active", json_number_or_null(p.p_active));
        json_object_set_new(o, "observed", json_number_or_null(p.observed));
        json_object_set_new(o, "within", json_number_or_null(p.within));
        json_array_append_new(list, o);
    }
    return list;
}

static json_t *pairs_json(const spt_fanova *f)
{
    json_t *list = json_array();
    for (int64_t i = 0; i < spt_fanova_pair_count(f); i++) {
        const spt_interaction p = pair_at(f, i);
        json_t *o = json_object(), *names = json_array();
        json_array_append_new(names, json_string(p.names[0]));
        json_array_append_new(names, json_string(p.names[1]));
        json_object_set_new(o, "names", names);
        json_object_set_new(o, "share", json_number_or_null(p.share));
        json_object_set_new(o, "sd", json_number_or_null(p.sd));
        json_object_set_new(o, "error", json_number_or_null(p.error));
        json_object_set_new(o, "p_active", json_number_or_null(p.p_active));
        json_array_append_new(list, o);
    }
    return list;
}

static json_t *named_json(const spt_space *space, const double *values)
{
    json_t *o = json_object();
    for (int32_t i = 0; i < spt_space_count(space); i++) {
        spt_parameter_info p;
        spt_record_init(&p, sizeof p);
        if (spt_space_describe(space, i, &p) < 0 || isnan(values[i])) continue;
        json_object_set_new(o, p.name, json_number_or_null(values[i]));
    }
    return o;
}

static int print_as_json(tool *t, const analysis *a)
{
    json_t *o = json_object(), *warnings = json_array();
    const spt_fanova *f = a->fanova;
    json_object_set_new(o, "study", json_string(spt_history_name(a->history)));
    json_object_set_new(o, "method", json_string("fANOVA"));
    json_object_set_new(o, "trials", json_integer(spt_fanova_trials(f)));
    json_object_set_new(o, "out_of_bag_r2", json_number_or_null(spt_fanova_out_of_bag(f)));
    json_object_set_new(o, "variance", json_number_or_null(spt_fanova_variance(f)));
    json_object_set_new(o, "prior", json_string(spt_fanova_prior(f)));
    json_object_set_new(o, "top_quantile", json_number_or_null(arg_number(t, "top-quantile", 1)));
    json_object_set_new(o, "cut", json_number_or_null(spt_fanova_cut(f)));
    json_object_set_new(o, "parameters", main_json(f));
    json_object_set_new(o, "pairs", pairs_json(f));
    json_object_set_new(o, "residual", json_number_or_null(spt_fanova_residual(f, 1)));
    json_object_set_new(o, "residual_beyond_pairs", json_number_or_null(spt_fanova_residual(f, 2)));
    for (int64_t i = 0; spt_fanova_warning(f, i) != NULL; i++)
        json_array_append_new(warnings, json_string(spt_fanova_warning(f, i)));
    json_object_set_new(o, "warnings", warnings);
    if (a->needed != 0)
        json_object_set_new(o, "trials_needed",
                            a->needed > 0 ? json_integer(a->needed) : json_null());
    if (a->local != NULL)
        json_object_set_new(o, "local", named_json(spt_history_space(a->history), a->local));
    if (a->ped != NULL)
        json_object_set_new(o, "ped_anova", named_json(spt_history_space(a->history), a->ped));
    if (a->curves[0] >= 0) json_object_set_new(o, "curves", curves_json(t, a));
    return print_json(o);
}

/* ---- tables ---- */

enum { COLUMNS = 80, ROWS = 20 };
/* Smaller ones are not listed one by one. */
static const double small = 0.0005;

/* `indent` blanks, '#' for the first number, '.' on to the second, `full` filling the width;
 * nothing for nothing. */
static void print_bar(int indent, double share, double total, double full, int width)
{
    const int a = (int)lround(share / full * width), b = (int)lround(total / full * width);
    for (int k = 0; k < width && k < (a > b ? a : b); k++)
        printf("%*s%c", k == 0 ? indent : 0, "", k < a ? '#' : '.');
}

/* No "-0.000". */
static double shown_share(double share)
{
    return fabs(share) < 0.0005 ? 0 : share;
}

/* A sentence in lines of at most 80 characters. */
static void print_wrapped(const char *start, const char *text)
{
    int at = printf("%s", start);
    while (*text != '\0') {
        const int length = (int)strcspn(text, " ");
        if (at + 1 + length > COLUMNS) {
            putchar('\n');
            at = 0;
        } else if (at > 0) {
            putchar(' ');
            at++;
        }
        at += printf("%.*s", length, text);
        text += length;
        while (*text == ' ')
            text++;
    }
    printf(".\n");
}

static int widest(int so_far, const char *text, int most)
{
    const int width = show_width(text);
    return width > so_far ? (width < most ? width : most) : so_far;
}

static void print_main(tool *t, const analysis *a)
{
    const spt_fanova *f = a->fanova;
    const int64_t n = spt_fanova_count(f);
    const bool all = arg_flag(t, "all");
    int name = 20, group = 0; /* room for "interactions of more" */
    bool conditional = false;
    double full = 1e-9, rest = 0;
    int32_t shown = 0;
    for (int32_t i = 0; i < n; i++) {
        const spt_importance p = importance_at(f, i);
        if (all || n <= ROWS || (i < ROWS && p.share >= small)) shown = i + 1;
    }
    for (int32_t i = 0; i < n; i++) {
        const spt_importance p = importance_at(f, i);
        if (i >= shown) {
            rest += p.share;
            continue;
        }
        name = widest(name, p.name, 30);
        group = widest(group, p.group, 8);
        conditional = conditional || p.p_active < 1;
        full = fmax(full, fmax(p.share, p.total));
    }
    const int rest_width = name + (group > 0 ? group + 1 : 0);
    const int used = 2 + name + (group > 0 ? group + 1 : 0) + 20 + (conditional ? 16 : 0) + 2;
    printf("  ");
    print_cell("parameter", name);
    if (group > 0) printf(" %-*s", group, "group");
    printf("  share    +-  total%s\n", conditional ? "  exists  within" : "");
    for (int32_t i = 0; i < shown; i++) {
        const spt_importance p = importance_at(f, i);
        printf("  ");
        print_cell(p.name, name);
        if (group > 0) {
            printf(" ");
            print_cell(p.group, group);
        }
        printf("  %5.3f %5.3f  %5.3f", shown_share(p.share), p.error, shown_share(p.total));
        if (conditional && p.p_active < 1) printf("  %6.3f  %6.3f", p.p_active, p.within);
        const int indent = conditional && !(p.p_active < 1) ? 18 : 2;
        if (used < COLUMNS) print_bar(indent, p.share, p.total, full, COLUMNS - used);
        printf("\n");
    }
    if (shown < n)
        printf("  %-*s  %5.3f\n", rest_width, n - shown == 1 ? "1 other" : "others (see --all)",
               shown_share(rest));
    printf("  %-*s  %5.3f\n", rest_width, "interactions of two",
           shown_share(spt_fanova_residual(f, 1) - spt_fanova_residual(f, 2)));
    printf("  %-*s  %5.3f\n", rest_width, "interactions of more",
           shown_share(spt_fanova_residual(f, 2)));
}

static void print_pairs(tool *t, const spt_fanova *f)
{
    const int64_t n = spt_fanova_pair_count(f);
    int64_t shown = 0;
    int first = 9, second = 3;
    double rest = 0;
    for (int64_t i = 0; i < n; i++) {
        const spt_interaction p = pair_at(f, i);
        if (arg_flag(t, "all") || (i < ROWS && p.share >= small) || i == 0) {
            shown = i + 1;
            first = widest(first, p.names[0], 22);
            second = widest(second, p.names[1], 22);
        } else {
            rest += p.share;
        }
    }
    printf("\n  ");
    print_cell("parameter", first);
    printf("  ");
    print_cell("and", second);
    printf("  share    +-\n");
    for (int64_t i = 0; i < shown; i++) {
        const spt_interaction p = pair_at(f, i);
        printf("  ");
        print_cell(p.names[0], first);
        printf("  ");
        print_cell(p.names[1], second);
        printf("  %5.3f %5.3f", p.share, p.error);
        const int used = 2 + first + 2 + second + 13 + 2;
        if (used < COLUMNS) print_bar(2, p.share, p.share, pair_at(f, 0).share, COLUMNS - used);
        printf("\n");
    }
    if (shown < n) printf("  %-*s  %5.3f\n", first + 2 + second, "others (see --all)", rest);
}

static void print_named(const spt_space *space, const double *values, const char *head)
{
    double sum = 0, full = 1e-9;
    const int32_t n = spt_space_count(space);
    int width = 9;
    bool *done = calloc((size_t)n + 1, sizeof *done);
    for (int32_t i = 0; i < n; i++) {
        spt_parameter_info p;
        spt_record_init(&p, sizeof p);
        if (isnan(values[i]) || spt_space_describe(space, i, &p) < 0) continue;
        sum += values[i];
        full = fmax(full, values[i]);
        width = widest(width, p.name, 30);
    }
    printf("\n%s\n\n", head);
    for (int32_t k = 0; k < n && done != NULL; k++) {
        int32_t best = -1;
        for (int32_t i = 0; i < n; i++)
            if (!done[i] && !isnan(values[i]) && (best < 0 || values[i] > values[best])) best = i;
        if (best < 0) break;
        spt_parameter_info p;
        spt_record_init(&p, sizeof p);
        spt_space_describe(space, best, &p);
        printf("  ");
        print_cell(p.name, width);
        printf("  %5.3f", sum > 0 ? values[best] / sum : 0);
        print_bar(2, values[best], values[best], full, COLUMNS - width - 11);
        printf("\n");
        done[best] = true;
    }
    free(done);
}

static void print_notes(tool *t, const analysis *a)
{
    const spt_fanova *f = a->fanova;
    bool conditional = false;
    for (int64_t i = 0; i < spt_fanova_count(f); i++)
        conditional = conditional || importance_at(f, i).p_active < 1;
    printf("\nshare: of the variance of the loss over the space; +-: standard error;\n"
           "total: with all interactions (dots)%s\n",
           conditional ? "; exists: probability that it exists;\nwithin: share where it exists."
                       : ".");
    if (conditional)
        printf("How probable it is that a parameter exists is taken from the %s.\n",
               strcmp(spt_fanova_prior(f), "trials") == 0 ? "trials" : "space");
    if (!isnan(spt_fanova_cut(f)))
        printf("Losses worse than %.5g, the quantile %g, are cut to it.\n", spt_fanova_cut(f),
               arg_number(t, "top-quantile", 1));
    if (!isnan(spt_fanova_out_of_bag(f)))
        printf("The forest explains %.0f %% of the variance of trials it has not seen.\n",
               100 * fmax(0, spt_fanova_out_of_bag(f)));
    for (int64_t i = 0; spt_fanova_warning(f, i) != NULL; i++)
        print_wrapped("Beware:", spt_fanova_warning(f, i));
    if (a->needed > 0)
        printf("About %lld trials would let it explain %.0f %%.\n", (long long)a->needed,
               100 * enough);
    else if (a->needed < 0)
        printf("It cannot be told how many trials would let it explain %.0f %%.\n", 100 * enough);
}

static int print_as_text(tool *t, const analysis *a)
{
    const spt_space *space = spt_history_space(a->history);
    int code = EXIT_DONE;
    printf("importance in study %s: fANOVA on %lld trials\n\n", spt_history_name(a->history),
           (long long)spt_fanova_trials(a->fanova));
    print_main(t, a);
    if (arg_flag(t, "pairs")) print_pairs(t, a->fanova);
    if (a->local != NULL)
        print_named(space, a->local,
                    "around the best configuration (LPI: share of the variance of the loss when\n"
                    "one parameter changes):");
    if (a->ped != NULL)
        print_named(space, a->ped,
                    "PED-ANOVA (how differently the best tenth of the trials is distributed;\n"
                    "shares of the sum, not of variance):");
    if (a->curves[0] >= 0) code = print_curves(t, a);
    print_notes(t, a);
    return code;
}

/* ---- the command ---- */

static int read_options(tool *t, spt_options *forest)
{
    static const char *const names[][3] = {{"top-quantile", "top_quantile", NULL},
                                           {"prior", "prior", NULL},
                                           {"trees", "trees", NULL},
                                           {"seed", "seed", NULL},
                                           {"pruned", "pruned", "last"},
                                           {"failed", "failed", "worst"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = arg_text(t, names[i][0]);
        if (value == NULL) continue;
        if (names[i][2] != NULL) value = names[i][2];
        if (spt_options_set_text(forest, names[i][1], value) < 0)
            return misuse(t, "--%s: %s", names[i][0], spt_ctx_last_error(t->ctx));
    }
    return -1;
}

/* "A" or "A,B"; names may hold no comma. */
static int find_curves(tool *t, analysis *a)
{
    const char *text = arg_text(t, "curves");
    char name[128];
    a->curves[0] = a->curves[1] = -1;
    if (text == NULL) return -1;
    for (int i = 0; *text != '\0'; i++) {
        const size_t length = strcspn(text, ",");
        if (i == 2 || length == 0 || length >= sizeof name)
            return misuse(t, "--curves is '%s'; the name of a parameter is wanted, or two: A,B",
                          arg_text(t, "curves"));
        memcpy(name, text, length);
        name[length] = '\0';
        a->curves[i] = spt_space_find(spt_history_space(a->history), name);
        if (a->curves[i] < 0) {
            spt_importance p = importance_at(a->fanova, 0);
            return fail("--curves: study '%s' has no parameter '%s'; '%s' is one",
                        spt_history_name(a->history), name, p.name);
        }
        text += length;
        if (*text == ',') text++;
    }
    if (a->curves[0] == a->curves[1])
        return misuse(t, "--curves is '%s'; two different parameters are wanted",
                      arg_text(t, "curves"));
    return -1;
}

static int extras(tool *t, analysis *a, const spt_options *forest)
{
    const int32_t n = spt_space_count(spt_history_space(a->history));
    const double r2 = spt_fanova_out_of_bag(a->fanova);
    int64_t needed;
    if (arg_flag(t, "local")) {
        a->local = calloc((size_t)n + 1, sizeof *a->local);
        if (a->local == NULL) return fail("memory ran out");
        if (spt_fanova_local(t->ctx, a->fanova, NULL, a->local, NULL, n, &needed) < 0)
            return fail_library(t);
    }
    if (arg_flag(t, "ped")) {
        a->ped = calloc((size_t)n + 1, sizeof *a->ped);
        if (a->ped == NULL) return fail("memory ran out");
        if (spt_ped_importance(t->ctx, a->history, NULL, a->ped, n, &needed) < 0)
            return fail_library(t);
    }
    if (r2 < little && spt_fanova_trials_needed(t->ctx, a->history, forest, enough, &a->needed) < 0)
        return fail_library(t);
    return find_curves(t, a);
}

int command_importance(tool *t)
{
    spt_store *store = NULL;
    spt_history *h = NULL;
    spt_options *forest = NULL;
    analysis a = {.curves = {-1, -1}};
    int code = inputs_history(t, t->operands[0], &store, &h);
    if (code >= 0) return code;
    a.history = h;
    if (spt_ctx_set_threads(t->ctx, (int32_t)arg_int(t, "threads", 0)) < 0 ||
        spt_fanova_options_new(t->ctx, &forest) < 0)
        code = fail_library(t);
    if (code < 0) code = read_options(t, forest);
    if (code < 0 && spt_fanova_new(t->ctx, h, forest, &a.fanova) < 0) code = fail_library(t);
    if (code < 0) code = extras(t, &a, forest);
    if (code < 0) code = arg_flag(t, "json") ? print_as_json(t, &a) : print_as_text(t, &a);
    free(a.local);
    free(a.ped);
    spt_fanova_free(a.fanova);
    spt_options_free(forest);
    spt_history_free(h);
    spt_store_free(store);
    return code;
}
