/* spectune data: what is understood of a table. */
#include "tool.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const arg_option data_options[] = {
    READ_OPTIONS, UNIT_OPTION, JSON_OPTION, HELP_OPTION, {.name = NULL}};

static json_t *column_json(const spt_column_info *c)
{
    json_t *o = json_object();
    json_object_set_new(o, "name", json_string(c->name));
    json_object_set_new(o, "kind",
                        json_string(c->is_id                       ? "id"
                                    : c->kind == SPT_COLUMN_NUMBER ? "number"
                                                                   : "text"));
    json_object_set_new(o, "missing", json_integer(c->n_missing));
    json_object_set_new(o, "distinct", json_integer(c->n_distinct));
    if (c->kind == SPT_COLUMN_NUMBER) {
        json_object_set_new(o, "low", json_number_or_null(c->low));
        json_object_set_new(o, "high", json_number_or_null(c->high));
    }
    return o;
}

static int as_json(const spt_dataset *ds)
{
    const int64_t p = spt_dataset_bands(ds);
    const double *axis = spt_dataset_axis(ds);
    json_t *o = json_object(), *columns = json_array(), *notes = json_array();
    json_object_set_new(o, "samples", json_integer(spt_dataset_rows(ds)));
    json_object_set_new(o, "bands", json_integer(p));
    json_object_set_new(o, "axis_first", json_number_or_null(axis[0]));
    json_object_set_new(o, "axis_last", json_number_or_null(axis[p - 1]));
    json_object_set_new(o, "axis_unit", json_string(spt_axis_unit_name(spt_dataset_axis_unit(ds))));
    json_object_set_new(o, "axis_even", json_boolean(spt_dataset_axis_is_even(ds)));
    json_object_set_new(o, "unit", json_string(spt_unit_name(spt_dataset_unit(ds))));
    for (int64_t i = 0; i < spt_dataset_columns(ds); i++) {
        spt_column_info c;
        spt_record_init(&c, sizeof c);
        if (spt_dataset_column(ds, i, &c) == SPT_OK)
            json_array_append_new(columns, column_json(&c));
    }
    for (int64_t i = 0; spt_dataset_note(ds, i) != NULL; i++)
        json_array_append_new(notes, json_string(spt_dataset_note(ds, i)));
    json_object_set_new(o, "columns", columns);
    json_object_set_new(o, "notes", notes);
    return print_json(o);
}

static void print_columns(const spt_dataset *ds)
{
    int width = 6;
    spt_column_info c;
    char low[32], high[32], count[32];
    for (int64_t i = 0; i < spt_dataset_columns(ds); i++) {
        spt_record_init(&c, sizeof c);
        if (spt_dataset_column(ds, i, &c) == SPT_OK && show_width(c.name) > width)
            width = show_width(c.name) < 40 ? show_width(c.name) : 40;
    }
    printf("\n");
    print_cell("column", width + 2);
    printf("kind    missing  distinct  range\n");
    for (int64_t i = 0; i < spt_dataset_columns(ds); i++) {
        spt_record_init(&c, sizeof c);
        if (spt_dataset_column(ds, i, &c) != SPT_OK) continue;
        print_cell(c.name, width + 2);
        print_cell(c.is_id ? "id" : c.kind == SPT_COLUMN_NUMBER ? "number" : "text", 8);
        snprintf(count, sizeof count, "%lld", (long long)c.n_missing);
        print_cell(count, -7);
        snprintf(count, sizeof count, "%lld", (long long)c.n_distinct);
        print_cell(count, -10);
        if (c.kind == SPT_COLUMN_NUMBER)
            printf("  %s to %s", show_number(c.low, 6, low, sizeof low),
                   show_number(c.high, 6, high, sizeof high));
        printf("\n");
    }
}

int command_data(tool *t)
{
    spt_dataset *ds = NULL;
    int code = inputs_read(t, t->operands[0], true, &ds);
    if (code >= 0) return code;
    if (arg_flag(t, "json")) {
        code = as_json(ds);
    } else {
        const int64_t p = spt_dataset_bands(ds);
        const double *axis = spt_dataset_axis(ds);
        printf("samples  %lld\n", (long long)spt_dataset_rows(ds));
        printf("bands    %lld, from %.10g to %.10g, unit %s, %s\n", (long long)p, axis[0],
               axis[p - 1], spt_axis_unit_name(spt_dataset_axis_unit(ds)),
               spt_dataset_axis_is_even(ds) ? "evenly spaced" : "not evenly spaced");
        printf("values   %s%s\n", spt_unit_name(spt_dataset_unit(ds)),
               spt_dataset_unit(ds) == SPT_UNIT_UNKNOWN ? " (tell with --unit)" : "");
        print_columns(ds);
        for (int64_t i = 0; spt_dataset_note(ds, i) != NULL; i++)
            printf("%s%s\n", i == 0 ? "\n" : "", spt_dataset_note(ds, i));
        code = EXIT_DONE;
    }
    spt_dataset_free(ds);
    return code;
}
