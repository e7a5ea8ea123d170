/* spectune predict and evaluate. */
#include "tool.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREDICT_OPTIONS                                                                  \
    {"unit",                                                                             \
     "absorbance|reflectance|percent-reflectance",                                       \
     ARG_TEXT,                                                                           \
     0,                                                                                  \
     0,                                                                                  \
     "the model's",                                                                      \
     "what the spectra are"},                                                            \
        READ_OPTIONS,                                                                    \
        {"resample", NULL, ARG_FLAG, 0, 0, NULL, "interpolate spectra on another axis"}, \
        KERNELS_OPTION,                                                                  \
    {                                                                                    \
        "output", "FILE", ARG_TEXT, 0, 0, NULL, "write the predictions as CSV to a file" \
    }

const arg_option predict_options[] = {PREDICT_OPTIONS, JSON_OPTION, HELP_OPTION, {.name = NULL}};
const arg_option evaluate_options[] = {
    PREDICT_OPTIONS,
    {"target", "NAME", ARG_TEXT, 0, 0, "the model's", "column of the references"},
    {"test", "COL=VALUE", ARG_TEXT, 0, 0, "all", "only the rows with this value"},
    {"max-rmsep", "X", ARG_NUMBER, 0, 1e300, NULL, "exit code 1 if RMSEP is larger"},
    JSON_OPTION,
    HELP_OPTION,
    {.name = NULL}};

typedef struct session {
    spt_model *model;
    spt_dataset *dataset, *samples; /* as read; as predicted (scans averaged) */
    spt_predictor *predictor;
    int64_t n, t, bad;
    double *values;
    char **reasons; /* n, NULL where all is well */
} session;

static void close_session(session *s)
{
    for (int64_t i = 0; s->reasons != NULL && i < s->n; i++)
        free(s->reasons[i]);
    free(s->reasons);
    free(s->values);
    spt_predictor_free(s->predictor);
    spt_dataset_free(s->samples);
    spt_dataset_free(s->dataset);
    spt_model_free(s->model);
}

static int32_t on_bad(int64_t row, const char *reason, void *user)
{
    session *s = user;
    s->bad++;
    if (row >= 0 && row < s->n && s->reasons[row] == NULL) s->reasons[row] = strdup(reason);
    return SPT_OK;
}

/* Keep the rows that --test names. */
static int select_rows(tool *t, session *s)
{
    const char *rule = arg_known(t, "test") ? arg_text(t, "test") : NULL, *sign;
    char column[256];
    spt_dataset *some = NULL;
    if (rule == NULL) return -1;
    sign = strchr(rule, '=');
    if (sign == NULL || sign == rule || (size_t)(sign - rule) >= sizeof column)
        return misuse(t, "--test is '%s'; COLUMN=VALUE is wanted", rule);
    memcpy(column, rule, (size_t)(sign - rule));
    column[sign - rule] = '\0';
    if (spt_dataset_select(t->ctx, s->dataset, column, sign + 1, 1, &some) < 0)
        return fail("%s: --test: %s", t->operands[1], spt_ctx_last_error(t->ctx));
    spt_dataset_free(s->dataset);
    s->dataset = some;
    return -1;
}

static int run(tool *t, session *s)
{
    const int32_t flags = arg_flag(t, "resample") ? SPT_PREDICT_RESAMPLE : SPT_PREDICT_EXACT;
    int64_t needed = 0;
    int code = inputs_machine(t);
    if (code >= 0) return code;
    if (spt_model_read(t->ctx, t->operands[0], &s->model) < 0) return fail_library(t);
    code = inputs_read(t, t->operands[1], true, &s->dataset);
    if (code < 0) code = select_rows(t, s);
    if (code >= 0) return code;
    if (spt_predictor_new(t->ctx, s->model, &s->predictor) < 0) return fail_library(t);
    if (spt_predictor_samples(s->predictor, s->dataset, &s->samples) < 0)
        return fail("%s: %s", t->operands[1], spt_predictor_last_error(s->predictor));
    s->n = spt_dataset_rows(s->samples);
    s->t = spt_model_targets(s->model);
    s->values = malloc((size_t)(s->n * s->t) * sizeof *s->values);
    s->reasons = calloc((size_t)s->n, sizeof *s->reasons);
    if (s->values == NULL || s->reasons == NULL) return fail("memory ran out");
    if (spt_predictor_dataset(s->predictor, s->dataset, flags, s->values, s->n * s->t, &needed,
                              on_bad, s) < 0) {
        const char *text = spt_predictor_last_error(s->predictor);
        return fail("%s: %s%s", t->operands[1], text,
                    flags == SPT_PREDICT_EXACT && strstr(text, "axis") != NULL
                        ? " (--resample interpolates)"
                        : "");
    }
    if (s->bad > 0)
        note("%s: %lld of %lld samples cannot be predicted", t->operands[1], (long long)s->bad,
             (long long)s->n);
    return -1;
}

/* ---- predictions ---- */

static void write_csv(const session *s, FILE *f)
{
    fputs("id", f);
    for (int64_t k = 0; k < s->t; k++) {
        char name[300];
        if (s->t == 1)
            snprintf(name, sizeof name, "%s", spt_model_target(s->model));
        else
            snprintf(name, sizeof name, "%s_%lld", spt_model_target(s->model), (long long)k + 1);
        fputc(',', f);
        print_field(f, name);
    }
    fputs(",reason\n", f);
    for (int64_t i = 0; i < s->n; i++) {
        print_field(f, spt_dataset_id(s->samples, i));
        for (int64_t k = 0; k < s->t; k++) {
            fputc(',', f);
            if (!isnan(s->values[i * s->t + k])) fprintf(f, "%.17g", s->values[i * s->t + k]);
        }
        fputc(',', f);
        if (s->reasons[i] != NULL) print_field(f, s->reasons[i]);
        fputc('\n', f);
    }
}

static json_t *predictions_json(const session *s)
{
    json_t *list = json_array();
    for (int64_t i = 0; i < s->n; i++) {
        json_t *o = json_object();
        json_object_set_new(o, "id", json_string(spt_dataset_id(s->samples, i)));
        if (s->t == 1) {
            json_object_set_new(o, "value", json_number_or_null(s->values[i]));
        } else {
            json_t *values = json_array();
            for (int64_t k = 0; k < s->t; k++)
                json_array_append_new(values, json_number_or_null(s->values[i * s->t + k]));
            json_object_set_new(o, "values", values);
        }
        if (s->reasons[i] != NULL) json_object_set_new(o, "reason", json_string(s->reasons[i]));
        json_array_append_new(list, o);
    }
    return list;
}

static int write_predictions(tool *t, const session *s)
{
    output o;
    const int code = output_open(&o, arg_text(t, "output"));
    if (code != EXIT_DONE) return code;
    write_csv(s, o.file);
    return output_close(&o, true);
}

int command_predict(tool *t)
{
    session s = {.model = NULL};
    int code = run(t, &s);
    if (code < 0)
        code = EXIT_DONE;
    else {
        close_session(&s);
        return code;
    }
    if (arg_text(t, "output") != NULL || !arg_flag(t, "json")) code = write_predictions(t, &s);
    if (code == EXIT_DONE && arg_flag(t, "json")) {
        json_t *o = json_object();
        json_object_set_new(o, "target", json_string(spt_model_target(s.model)));
        json_object_set_new(o, "bad", json_integer(s.bad));
        json_object_set_new(o, "predictions", predictions_json(&s));
        code = print_json(o);
    } else if (code == EXIT_DONE && arg_text(t, "output") != NULL) {
        printf("%lld predictions of %s: %s\n", (long long)(s.n - s.bad), spt_model_target(s.model),
               arg_text(t, "output"));
    }
    close_session(&s);
    return code;
}

/* ---- agreement ---- */

json_t *statistics_json(const spt_statistics *s)
{
    const struct {
        const char *key;
        double value;
    } items[] = {{"n", (double)s->n},
                 {"rmsep", s->rmse},
                 {"bias", s->bias},
                 {"bias_limit", s->bias_limit},
                 {"sep", s->sep},
                 {"slope", s->slope},
                 {"intercept", s->intercept},
                 {"r2", s->r2},
                 {"r2_cor", s->r2_cor},
                 {"rpd", s->rpd},
                 {"rpiq", s->rpiq},
                 {"rer", s->rer},
                 {"ccc", s->ccc},
                 {"mean", s->mean},
                 {"sd", s->sd}};
    json_t *o = json_object();
    for (size_t i = 0; i < sizeof items / sizeof items[0]; i++)
        json_object_set_new(o, items[i].key, json_number_or_null(items[i].value));
    return o;
}

void print_statistics(const spt_statistics *s, const char *target)
{
    char a[32], b[32], c[32];
    printf("%lld samples with a reference of %s (mean %s, s.d. %s)\n\n", (long long)s->n, target,
           show_number(s->mean, 4, a, sizeof a), show_number(s->sd, 4, b, sizeof b));
    printf("  RMSEP  %s\n", show_number(s->rmse, 4, a, sizeof a));
    printf("  bias   %s +- %s (95 %% confidence)%s\n", show_number(s->bias, 3, a, sizeof a),
           show_number(s->bias_limit, 3, b, sizeof b),
           fabs(s->bias) > s->bias_limit ? ", significant" : "");
    printf("  SEP    %s\n", show_number(s->sep, 4, a, sizeof a));
    printf("  slope  %s, intercept %s (reference on predicted)\n",
           show_number(s->slope, 4, a, sizeof a), show_number(s->intercept, 3, b, sizeof b));
    printf("  R2     %s\n", show_number(s->r2, 4, a, sizeof a));
    printf("  RPD    %s   RPIQ %s   CCC %s\n", show_number(s->rpd, 3, a, sizeof a),
           show_number(s->rpiq, 3, b, sizeof b), show_number(s->ccc, 4, c, sizeof c));
}

static int compare(tool *t, const session *s, spt_statistics *statistics, const char **target)
{
    *target = arg_text(t, "target") != NULL ? arg_text(t, "target") : spt_model_target(s->model);
    const int64_t column = spt_dataset_find_column(s->samples, *target);
    if (column < 0)
        return fail("%s: there is no column '%s' with references (--target names another)",
                    t->operands[1], *target);
    if (s->t != 1)
        return fail("%s: predicts %lld values; those with one can be evaluated", t->operands[0],
                    (long long)s->t);
    double *reference = malloc((size_t)s->n * sizeof *reference);
    if (reference == NULL) return fail("memory ran out");
    spt_record_init(statistics, sizeof *statistics);
    int code = -1;
    if (spt_dataset_numbers(s->samples, column, reference, s->n) < 0)
        code = fail("%s: '%s' is a column of text; numbers are needed", t->operands[1], *target);
    else if (spt_statistics_compute(reference, s->values, s->n, statistics) < 0)
        code = fail("%s: no sample has both a prediction and a value of '%s'", t->operands[1],
                    *target);
    free(reference);
    return code;
}

int command_evaluate(tool *t)
{
    session s = {.model = NULL};
    spt_statistics statistics;
    const char *target = NULL;
    int code = run(t, &s);
    if (code < 0) code = compare(t, &s, &statistics, &target);
    if (code < 0) {
        code = EXIT_DONE;
        if (arg_text(t, "output") != NULL) code = write_predictions(t, &s);
        if (code == EXIT_DONE && arg_flag(t, "json"))
            code = print_json(statistics_json(&statistics));
        else if (code == EXIT_DONE)
            print_statistics(&statistics, target);
        if (code == EXIT_DONE && arg_text(t, "max-rmsep") != NULL &&
            !(statistics.rmse <= arg_number(t, "max-rmsep", 0)))
            code = fail("RMSEP is %.4g, more than --max-rmsep %s", statistics.rmse,
                        arg_text(t, "max-rmsep"));
    }
    close_session(&s);
    return code;
}
