/* spectune space: presets and files of search spaces. */
#include "tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const arg_option space_options[] = {
    {"xml", NULL, ARG_FLAG, 0, 0, NULL, "write it as XML instead"},
    {"output", "FILE", ARG_TEXT, 0, 0, NULL, "write the XML to a file"},
    JSON_OPTION,
    HELP_OPTION,
    {.name = NULL}};

static const char *type_name(int32_t type)
{
    static const char *const names[] = {"", "float", "int", "categorical", "ordinal", "bool"};
    return type >= SPT_PARAMETER_FLOAT && type <= SPT_PARAMETER_BOOL ? names[type] : "?";
}

static void print_values(const spt_space *space, int32_t index, const spt_parameter_info *p)
{
    char a[32], b[32], c[32];
    if (p->n_choices == 0) {
        printf("%s to %s", show_number(p->low, 10, a, sizeof a),
               show_number(p->high, 10, b, sizeof b));
        if (p->step > 0 && !(p->type == SPT_PARAMETER_INT && p->step == 1))
            printf(" step %s", show_number(p->step, 10, c, sizeof c));
        if (p->log) printf(" log");
        printf(" [%s]", show_number(p->value, 10, a, sizeof a));
        return;
    }
    for (int32_t k = 0; k < p->n_choices; k++)
        printf("%s%s", k > 0 ? (p->type == SPT_PARAMETER_ORDINAL ? " < " : " | ") : "",
               spt_space_choice(space, index, k));
    printf(" [%s]", spt_space_choice(space, index, (int32_t)p->value));
}

static int depth_of(const spt_space *space, int32_t index)
{
    spt_parameter_info p;
    int depth = 0;
    for (;; depth++) {
        spt_record_init(&p, sizeof p);
        if (spt_space_describe(space, index, &p) < 0 || p.parent < 0) return depth;
        index = p.parent;
    }
}

/* The parameters below `parent`, -1 for the top. */
static void print_tree(const spt_space *space, int32_t parent, int width)
{
    for (int32_t i = 0; i < spt_space_count(space); i++) {
        spt_parameter_info p;
        spt_record_init(&p, sizeof p);
        if (spt_space_describe(space, i, &p) < 0 || p.parent != parent) continue;
        const int depth = depth_of(space, i);
        printf("%*s", 2 * depth, "");
        print_cell(p.name, width - 2 * depth);
        print_cell(p.group, 10);
        print_values(space, i, &p);
        if (p.parent >= 0) printf("   if %s", spt_space_condition(space, i));
        printf("\n");
        print_tree(space, i, width);
    }
}

static int as_json(const spt_space *space)
{
    json_t *o = json_object(), *list = json_array(), *forbidden = json_array();
    json_object_set_new(o, "name", json_string(spt_space_name(space)));
    for (int32_t i = 0; i < spt_space_count(space); i++) {
        spt_parameter_info p;
        spt_record_init(&p, sizeof p);
        if (spt_space_describe(space, i, &p) < 0) continue;
        json_t *q = json_object();
        json_object_set_new(q, "name", json_string(p.name));
        json_object_set_new(q, "type", json_string(type_name(p.type)));
        json_object_set_new(q, "group", json_string(p.group));
        if (p.n_choices > 0) {
            json_t *choices = json_array();
            for (int32_t k = 0; k < p.n_choices; k++)
                json_array_append_new(choices, json_string(spt_space_choice(space, i, k)));
            json_object_set_new(q, "choices", choices);
            json_object_set_new(q, "default",
                                json_string(spt_space_choice(space, i, (int32_t)p.value)));
        } else {
            json_object_set_new(q, "low", json_number_or_null(p.low));
            json_object_set_new(q, "high", json_number_or_null(p.high));
            json_object_set_new(q, "step", json_number_or_null(p.step));
            json_object_set_new(q, "log", json_boolean(p.log));
            json_object_set_new(q, "default", json_number_or_null(p.value));
        }
        json_object_set_new(q, "condition", json_string(spt_space_condition(space, i)));
        json_array_append_new(list, q);
    }
    for (int32_t i = 0; i < spt_space_forbidden_count(space); i++)
        json_array_append_new(forbidden, json_string(spt_space_forbidden(space, i)));
    json_object_set_new(o, "parameters", list);
    json_object_set_new(o, "forbidden", forbidden);
    return print_json(o);
}

static int as_xml(tool *t, const spt_space *space)
{
    int64_t needed = 0;
    if (arg_text(t, "output") != NULL)
        return spt_space_write(t->ctx, space, arg_text(t, "output")) < 0 ? fail_library(t)
                                                                         : EXIT_DONE;
    spt_space_xml(space, NULL, 0, &needed);
    char *text = malloc((size_t)needed + 1);
    if (text == NULL) return fail("memory ran out");
    const int32_t status = spt_space_xml(space, text, needed, &needed);
    if (status >= 0) fputs(text, stdout);
    free(text);
    return status < 0 ? fail_library(t) : EXIT_DONE;
}

static void print_space(const spt_space *space)
{
    int width = 0;
    for (int32_t i = 0; i < spt_space_count(space); i++) {
        spt_parameter_info p;
        spt_record_init(&p, sizeof p);
        if (spt_space_describe(space, i, &p) < 0) continue;
        const int w = show_width(p.name) + 2 * depth_of(space, i);
        if (w > width) width = w;
    }
    printf("%s: %d parameters\n\n", spt_space_name(space), (int)spt_space_count(space));
    print_tree(space, -1, width + 2);
    for (int32_t i = 0; i < spt_space_forbidden_count(space); i++)
        printf("%sforbidden: %s\n", i == 0 ? "\n" : "", spt_space_forbidden(space, i));
}

int command_space(tool *t)
{
    spt_space *space = NULL;
    const char *name = t->operands[0];
    int code = EXIT_DONE;
    bool preset = false;
    for (int32_t i = 0; spt_space_preset_name(i) != NULL; i++)
        preset = preset || strcmp(spt_space_preset_name(i), name) == 0;
    /* A name without a dot or slash that is no preset was meant to be one. */
    if (!preset && strpbrk(name, "./") == NULL) preset = true;
    if ((preset ? spt_space_preset(t->ctx, name, &space) : spt_space_read(t->ctx, name, &space)) <
        0)
        return fail_library(t);
    /* A configuration is only made of a space that can be searched. */
    spt_config *config = NULL;
    if (spt_config_new(t->ctx, space, &config) < 0)
        code = fail_library(t);
    else if (arg_flag(t, "xml") || arg_text(t, "output") != NULL)
        code = as_xml(t, space);
    else if (arg_flag(t, "json"))
        code = as_json(space);
    else
        print_space(space);
    spt_config_free(config);
    spt_space_free(space);
    return code;
}
