/* JSON of attributes and of distributions. */
#include "db.h"

#include <jansson.h>
#include <string.h>

void spt__json_number(spt__buf *b, double value)
{
    if (isnan(value))
        spt__buf_puts(b, "\"NaN\"");
    else if (isinf(value))
        spt__buf_puts(b, value > 0 ? "\"inf\"" : "\"-inf\"");
    else
        spt__buf_double(b, value);
}

char *spt__json_plain(spt_ctx *ctx, const char *json)
{
    if (*json != '"') return spt__strdup(ctx, json);
    /* Mostly there is nothing to translate. */
    const size_t plain = strcspn(json + 1, "\"\\");
    if (json[1 + plain] == '"' && json[2 + plain] == '\0') {
        char *copy = spt__alloc(ctx, plain + 1, 1);
        if (copy == NULL) return NULL;
        memcpy(copy, json + 1, plain);
        copy[plain] = '\0';
        return copy;
    }
    json_t *value = json_loads(json, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    char *text =
        json_is_string(value) ? spt__strdup(ctx, json_string_value(value)) : spt__strdup(ctx, json);
    json_decref(value);
    return text;
}

void spt__json_distribution(spt__buf *b, const spt__parameter *p)
{
    if (p->n_choices > 0) {
        spt__buf_puts(b, "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [");
        for (int32_t i = 0; i < p->n_choices; i++) {
            if (i > 0) spt__buf_puts(b, ", ");
            if (p->type == SPT_PARAMETER_BOOL)
                spt__buf_puts(b, i == 1 ? "true" : "false");
            else
                spt__buf_json(b, p->choices[i]);
        }
        spt__buf_puts(b, "]}}");
        return;
    }
    /* Optuna has no steps on a logarithmic scale: what it is told there is the finer grid. */
    const bool whole = p->type == SPT_PARAMETER_INT;
    spt__buf_printf(b, "{\"name\": \"%sDistribution\", \"attributes\": {\"log\": %s, \"step\": ",
                    whole ? "Int" : "Float", p->log ? "true" : "false");
    if (whole)
        spt__buf_double(b, p->log ? 1 : p->step);
    else if (p->log || p->step == 0)
        spt__buf_puts(b, "null");
    else
        spt__buf_double(b, p->step);
    spt__buf_puts(b, ", \"low\": ");
    spt__buf_double(b, p->low);
    spt__buf_puts(b, ", \"high\": ");
    spt__buf_double(b, p->high);
    spt__buf_puts(b, "}}");
}

/* ---- reading what Optuna wrote ---- */

void spt__foreign_clear(spt_ctx *ctx, spt__foreign *f)
{
    for (int32_t i = 0; i < f->n_choices; i++)
        spt__free(ctx, f->choices[i]);
    spt__free(ctx, f->choices);
    spt__free(ctx, f->name);
    *f = (spt__foreign){.name = NULL};
}

static int32_t contradiction(spt_ctx *ctx, const spt__foreign *f)
{
    return spt__fail(&ctx->err, SPT_EFORMAT,
                     "parameter '%s' has another kind in some trials than in"
                     " others",
                     f->name);
}

char *spt__json_choice(spt_ctx *ctx, const json_t *choice)
{
    if (json_is_string(choice)) return spt__strdup(ctx, json_string_value(choice));
    if (json_is_real(choice)) { /* the shortest text; an older Jansson writes all 17 digits */
        char text[SPT__DOUBLE_CAPACITY + 2];
        int n = spt__format_double(json_real_value(choice), text);
        if (strpbrk(text, ".en") == NULL) spt__format(text + n, 3, ".0");
        return spt__strdup(ctx, text);
    }
    char *dumped = json_dumps(choice, JSON_ENCODE_ANY | JSON_COMPACT);
    char *text = dumped != NULL ? spt__strdup(ctx, dumped) : NULL;
    free(dumped);
    return text;
}

static int32_t widen_choices(spt_ctx *ctx, spt__foreign *f, const json_t *choices)
{
    const size_t n = json_array_size(choices);
    if (n == 0) return spt__fail(&ctx->err, SPT_EFORMAT, "parameter '%s' has no choices", f->name);
    if (f->type != 0)
        return f->type == SPT_PARAMETER_CATEGORICAL && (size_t)f->n_choices == n
                   ? SPT_OK
                   : contradiction(ctx, f);
    f->choices = spt__calloc(ctx, n, sizeof *f->choices);
    if (f->choices == NULL) return spt__nomem(&ctx->err);
    f->type = SPT_PARAMETER_CATEGORICAL;
    f->texts = true;
    for (size_t i = 0; i < n; i++) {
        f->texts = f->texts && json_is_string(json_array_get(choices, i));
        f->choices[f->n_choices] = spt__json_choice(ctx, json_array_get(choices, i));
        if (f->choices[f->n_choices++] == NULL) return spt__nomem(&ctx->err);
    }
    return SPT_OK;
}

static int32_t widen_range(spt_ctx *ctx, spt__foreign *f, const json_t *a, bool whole, bool log)
{
    const int32_t type = whole ? SPT_PARAMETER_INT : SPT_PARAMETER_FLOAT;
    const double low = json_number_value(json_object_get(a, "low")),
                 high = json_number_value(json_object_get(a, "high"));
    const json_t *given =
        json_object_get(a, "step") != NULL ? json_object_get(a, "step") : json_object_get(a, "q");
    double step = json_is_number(given) ? json_number_value(given) : 0;
    if (whole && step < 1) step = 1;
    if (f->type == 0) {
        f->type = type;
        f->low = low;
        f->high = high;
        f->step = step;
        f->log = log;
        return SPT_OK;
    }
    if (f->type != type || f->log != log) return contradiction(ctx, f);
    /* Another grid in other trials: the finest that holds both is not known, so none. */
    if (low != f->low || step != f->step) f->step = whole ? 1 : 0;
    f->low = fmin(f->low, low);
    f->high = fmax(f->high, high);
    return SPT_OK;
}

int32_t spt__json_widen(spt_ctx *ctx, spt__foreign *f, const char *json)
{
    json_t *all = json_loads(json, 0, NULL);
    const char *name = json_string_value(json_object_get(all, "name"));
    const json_t *a = json_object_get(all, "attributes");
    int32_t status;
    if (name == NULL || a == NULL)
        status = spt__fail(&ctx->err, SPT_EFORMAT,
                           "parameter '%s' has a distribution that is not understood", f->name);
    else if (strcmp(name, "CategoricalDistribution") == 0)
        status = widen_choices(ctx, f, json_object_get(a, "choices"));
    else
        status =
            widen_range(ctx, f, a, strstr(name, "Int") != NULL,
                        strstr(name, "Log") != NULL || json_is_true(json_object_get(a, "log")));
    json_decref(all);
    return status;
}
