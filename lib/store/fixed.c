/* What Optuna's enqueue_trial() leaves: parameters with the values that users know, not with the
 * numbers that stand for them. */
#include "db.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

/* NaN: none of the parameter's. */
static double value_of(const spt__parameter *p, const json_t *json)
{
    if (p->n_choices == 0) return json_is_number(json) ? json_number_value(json) : (double)NAN;
    if (p->type == SPT_PARAMETER_BOOL)
        return json_is_boolean(json) ? (double)json_is_true(json) : (double)NAN;
    double found = (double)NAN;
    char *dumped = json_is_string(json) ? NULL : json_dumps(json, JSON_ENCODE_ANY | JSON_COMPACT);
    const char *text = json_is_string(json) ? json_string_value(json) : dumped;
    for (int32_t i = 0; text != NULL && i < p->n_choices; i++)
        if (strcmp(p->choices[i], text) == 0) found = i;
    free(dumped);
    return found;
}

int32_t spt__store_fixed(spt_store *s, int64_t trial, const spt_space *space, double *values)
{
    spt__cursor q;
    SPT__TRY(spt__db_query(s, &q,
                           "SELECT value_json FROM trial_system_attributes"
                           " WHERE trial_id = ? AND key = 'fixed_params'",
                           "i", trial));
    const int32_t status = spt__db_row(&q);
    if (status <= 0) return status;
    const char *text = spt__col_text(&q, 0), *name;
    json_t *all = text != NULL ? json_loads(text, 0, NULL) : NULL, *json;
    spt__db_done(&q);
    json_object_foreach(all, name, json)
    {
        const int32_t i = spt_space_find(space, name);
        if (i < 0 || !isnan(values[i])) continue;
        const double value = value_of(&space->parameters[i], json);
        if (!isnan(value)) values[i] = spt__space_snap(&space->parameters[i], value);
    }
    json_decref(all);
    return SPT_OK;
}
