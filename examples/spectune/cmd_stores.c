/* spectune export, import, copy, stamp: studies in files, and from store to store. */
#include "tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const arg_option export_options[] = {
    NAME_OPTION,
    {"format", "csv|json", ARG_TEXT, 0, 0, "by the name of the file, else csv",
     "a table, one row per trial; or the whole study, for spectune import"},
    {"output", "FILE", ARG_TEXT, 0, 0, "standard output", "write it to a file"},
    HELP_OPTION,
    {.name = NULL}};
const arg_option import_options[] = {
    {"name", "NAME", ARG_TEXT, 0, 0, "that in the file, else spectune", "name that the study gets"},
    {"space", "NAME|FILE", ARG_TEXT, 0, 0, NULL, "search space of the trials of a CSV file"},
    HELP_OPTION,
    {.name = NULL}};
const arg_option copy_options[] = {
    NAME_OPTION,
    {"to-name", "NAME", ARG_TEXT, 0, 0, "the same", "name that the copy gets"},
    HELP_OPTION,
    {.name = NULL}};
const arg_option stamp_options[] = {
    {"optuna", "VERSION|any", ARG_TEXT, 0, 0, NULL,
     "3.1, 5.0 ...: the Optuna that will open the studies; any: whichever comes first"},
    HELP_OPTION,
    {.name = NULL}};

/* ---- export ---- */

static int32_t put(const char *text, int64_t size, void *user)
{
    (void)user;
    return fwrite(text, 1, (size_t)size, stdout) == (size_t)size ? SPT_OK : SPT_EIO;
}

static bool ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

int command_export(tool *t)
{
    spt_store *store = NULL;
    const char *format = arg_text(t, "format"), *file = arg_text(t, "output");
    if (file != NULL && strcmp(file, "-") == 0) file = NULL;
    if (format == NULL) format = file != NULL && ends_with(file, ".json") ? "json" : "csv";
    if (strcmp(format, "csv") != 0 && strcmp(format, "json") != 0)
        return misuse(t, "--format is '%s'; csv and json are possible", format);
    const int32_t kind = format[0] == 'c' ? SPT_EXPORT_CSV : SPT_EXPORT_JSON;
    if (spt_store_open(t->ctx, t->operands[0], SPT_STORE_READONLY, &store) < 0)
        return fail_library(t);
    const int32_t status = file != NULL
                               ? spt_store_export(store, arg_text(t, "name"), kind, file)
                               : spt_store_export_text(store, arg_text(t, "name"), kind, put, NULL);
    spt_store_free(store);
    /* Of standard output main() tells. */
    return status < 0 && status != SPT_ECALLBACK ? fail_library(t) : EXIT_DONE;
}

/* ---- import ---- */

/* The export is an object, and no header of a table starts with a brace. A file that cannot be read
 * is neither: the library will say what is wrong with it. */
static bool is_json(const char *path)
{
    FILE *f = fopen(path, "rb");
    int c = f != NULL ? getc(f) : EOF;
    while (f != NULL && (c == ' ' || c == '\t' || c == '\n' || c == '\r'))
        c = getc(f);
    if (f != NULL) fclose(f);
    return c == '{';
}

int command_import(tool *t)
{
    spt_store *store = NULL;
    spt_space *space = NULL;
    const char *file = t->operands[0], *name = arg_text(t, "name"), *which = arg_text(t, "space");
    const bool json = is_json(file);
    if (json && which != NULL)
        return misuse(t, "%s: is JSON, which has its own space; --space is for CSV", file);
    if (!json && which == NULL)
        return misuse(t, "%s: a table needs --space: what its parameters are", file);
    int code = which != NULL ? inputs_space(t, which, &space) : -1;
    if (code >= 0) return code;
    code = EXIT_DONE;
    if (spt_store_open(t->ctx, t->operands[1], SPT_STORE_CREATE, &store) < 0 ||
        (json ? spt_store_import_json(store, file, name)
              : spt_store_import_csv(store, file, space, name)) < 0)
        code = fail_library(t);
    spt_store_free(store);
    spt_space_free(space);
    return code;
}

/* ---- copy, stamp ---- */

int command_copy(tool *t)
{
    spt_store *from = NULL, *to = NULL;
    int code = EXIT_DONE;
    if (spt_store_open(t->ctx, t->operands[0], SPT_STORE_READONLY, &from) < 0 ||
        spt_store_open(t->ctx, t->operands[1], SPT_STORE_CREATE, &to) < 0 ||
        spt_store_copy(from, arg_text(t, "name"), to, arg_text(t, "to-name")) < 0)
        code = fail_library(t);
    spt_store_free(from);
    spt_store_free(to);
    return code;
}

int command_stamp(tool *t)
{
    spt_store *store = NULL;
    const char *optuna = arg_text(t, "optuna");
    if (optuna == NULL) return misuse(t, "--optuna is missing: 3.1, 5.0 or any");
    int code = EXIT_DONE;
    if (spt_store_open(t->ctx, t->operands[0], SPT_STORE_OPEN, &store) < 0 ||
        spt_store_stamp(store, optuna) < 0)
        code = fail_library(t);
    spt_store_free(store);
    return code;
}
