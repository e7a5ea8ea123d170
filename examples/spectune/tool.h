/* The parts of the tool: arguments, messages, tables, inputs, commands.
 *
 * A command is a row of commands[] in main.c: a name, what it takes, a table of options, a function
 * that returns the exit code. What goes wrong is told in one line on standard error, "spectune:
 * ..." by fail() or misuse(), whose result is the exit code. */
#ifndef SPECTUNE_TOOL_H
#define SPECTUNE_TOOL_H

#include <jansson.h>
#include <spectune.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_MISUSED = 2 };
enum { OPTIONS_MAX = 64, OPERANDS_MAX = 2, SETTINGS_MAX = 64 };

typedef struct tool tool;

/* ---- arguments (args.c) ---- */

typedef enum { ARG_FLAG, ARG_TEXT, ARG_INT, ARG_NUMBER } arg_type;

typedef struct arg_option {
    const char *name;  /* without the dashes; NULL ends a table */
    const char *value; /* what help calls the value; NULL for a flag */
    arg_type type;
    double low, high;  /* of a number */
    const char *given; /* what help shows as default; NULL: nothing */
    const char *text;
} arg_option;

typedef struct command {
    const char *name;
    const char *operands; /* "MODEL FILE" */
    int n_operands;
    const char *summary;
    const arg_option *options;
    int (*run)(tool *t);
} command;

struct tool {
    const command *command;
    const char *operands[OPERANDS_MAX];
    const char *values[OPTIONS_MAX];    /* as the command's options stand; NULL: not given */
    const char *settings[SETTINGS_MAX]; /* of --set, in order */
    const char *enqueued[SETTINGS_MAX]; /* of --enqueue, in order */
    int n_settings, n_enqueued;
    char *records; /* texts that `values` may point to, from a study */
    spt_ctx *ctx;
};

/* Read the command line behind the command's name. Exit code, or -1 to go on. */
int args_read(tool *t, int argc, char **argv);
void args_help(const command *c);
/* Value of an option, NULL if it was not given. The option must be in the command's table. */
const char *arg_text(const tool *t, const char *name);
bool arg_flag(const tool *t, const char *name);
double arg_number(const tool *t, const char *name, double otherwise);
int64_t arg_int(const tool *t, const char *name, int64_t otherwise);
/* Has the command's table such an option? */
bool arg_known(const tool *t, const char *name);
/* "A:B" or "A:B:C" into n numbers. */
bool arg_range(const char *text, int n, double *out);

/* Lines "name=value" of the options that say how a file is read and scored (not: which file), as
 * kept with a study; and back, for options that were not given. */
char *args_record(const tool *t);
int args_recall(tool *t, const char *record);

/* ---- messages (print.c) ---- */

int fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
int misuse(const tool *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The library's last error. */
int fail_library(const tool *t);
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Print JSON, with an end of line, and release it. */
int print_json(json_t *value);
/* A number, or null where it is none. */
json_t *json_number_or_null(double value);
/* Attributes and notes are texts; those that are numbers become numbers. */
json_t *json_guess(const char *text);
/* "value" to so many significant digits; "-" where it is none. */
const char *show_number(double value, int digits, char *buffer, size_t size);
/* Width on a terminal, in characters of UTF-8. */
int show_width(const char *text);
/* A cell, filled up with blanks to `width`; negative: on the left. */
void print_cell(const char *text, int width);

/* A file that appears complete or not at all. */
typedef struct output {
    void *file; /* FILE */
    char *path, *temp;
} output;
/* path NULL: standard output. Exit code 0 or 1. */
int output_open(output *o, const char *path);
int output_close(output *o, bool good);

/* A field of CSV, quoted where it must be. */
void print_field(void *file, const char *text);

/* ---- inputs (inputs.c) ---- */

/* Options of every command that reads spectra, and of those that pretreat and score. */
#define READ_OPTIONS                                                                             \
    {"axis", "nm|cm-1|um", ARG_TEXT, 0, 0, "from the headers", "unit of the axis"},              \
        {"id", "COL", ARG_TEXT, 0, 0, "found by name", "column that names the samples"},         \
        {"bands", "PREFIX", ARG_TEXT, 0, 0, NULL, "what the band headers start with"},           \
        {"delimiter", "CHAR", ARG_TEXT, 0, 0, "found", "between fields; 'tab' for a tabulator"}, \
        {"decimal", ".|,", ARG_TEXT, 0, 0, "found", "decimal mark"},                             \
        {"missing", "TEXT", ARG_TEXT, 0, 0, NULL, "one more marker of missing values"},          \
        {"join", "FILE", ARG_TEXT, 0, 0, NULL, "a second table, matched by id"},                 \
    {                                                                                            \
        "join-key", "COL", ARG_TEXT, 0, 0, "found by name", "id column of that table"            \
    }
#define UNIT_OPTION                                                           \
    {                                                                         \
        "unit", "absorbance|reflectance|percent-reflectance", ARG_TEXT, 0, 0, \
            "none, must be given", "what the spectra are"                     \
    }
#define SCORE_OPTIONS                                                                              \
    {"target", "NAME", ARG_TEXT, 0, 0, NULL, "the property to estimate"}, UNIT_OPTION,             \
        {"group", "COL", ARG_TEXT, 0, 0, NULL, "rows with equal values stay in one fold"},         \
        {"weights", "COL", ARG_TEXT, 0, 0, NULL, "how much each sample counts in training"},       \
        {"average", "COL", ARG_TEXT, 0, 0, NULL, "average repeated scans with equal values"},      \
        {"folds", "K", ARG_INT, 2, 1000000, "5", "folds of the cross-validation"},                 \
        {"test", "COL=VALUE", ARG_TEXT, 0, 0, NULL, "rows that are never used in tuning"},         \
        {"crop", "A:B", ARG_TEXT, 0, 0, NULL, "keep the bands from A to B"},                       \
        {"resample", "A:B:STEP", ARG_TEXT, 0, 0, NULL, "interpolate to an even axis"},             \
        {"decimate", "N", ARG_INT, 1, 1000000, "1", "average every N bands"},                      \
        {"seed", "N", ARG_INT, 0, 9007199254740992.0, "1", "the same seed gives the same result"}, \
    {                                                                                              \
        "set", "NAME=VALUE", ARG_TEXT, 0, 0, NULL,                                                 \
            "a setting of training, scoring, channels or sampler; may be repeated"                 \
    }
#define THREADS_OPTION                                                                    \
    {                                                                                     \
        "threads", "N", ARG_INT, 1, 1024, "all", "threads; results do not depend on them" \
    }
#define KERNELS_OPTION                                                           \
    {                                                                            \
        "kernels", "NAME", ARG_TEXT, 0, 0, "the fastest",                        \
            "portable, avx2 or avx512; the same bits only with the same kernels" \
    }
#define MEMORY_OPTION                                                                    \
    {                                                                                    \
        "memory", "SIZE", ARG_TEXT, 0, 0, "no limit",                                    \
            "memory a training may need, 800M or 2G; fewer folds run at a time, larger " \
            "networks are left out"                                                      \
    }
#define JSON_OPTION                                      \
    {                                                    \
        "json", NULL, ARG_FLAG, 0, 0, NULL, "print JSON" \
    }
#define NAME_OPTION                                                         \
    {                                                                       \
        "name", "NAME", ARG_TEXT, 0, 0, "the only one", "study in the file" \
    }
#define HELP_OPTION                                     \
    {                                                   \
        "help", NULL, ARG_FLAG, 0, 0, NULL, "show this" \
    }

/* Read FILE, and join the second table. keep: spectra that cannot be read become rows that cannot
 * be predicted. */
int inputs_read(tool *t, const char *file, bool keep, spt_dataset **out);
/* A search space: a preset, or what has a dot or a slash in its name and is an XML file. */
int inputs_space(tool *t, const char *name, spt_space **out);
/* --threads, --memory and --kernels. */
int inputs_machine(tool *t);
/* The recipe of the options. */
int inputs_prep(tool *t, spt_prep **out);
/* Settings of --set and of the options, spread over those they belong to. What the space searches
 * cannot be set. `sampler` and `study` may be NULL: where nothing is searched such settings, as a
 * study has them on record, say nothing. */
int inputs_settings(tool *t, const spt_space *space, spt_options *objective, spt_options *sampler,
                    spt_options *study);
/* Open the study file to read, and the history of --name. */
int inputs_history(tool *t, const char *file, spt_store **store, spt_history **history);

/* ---- commands ---- */

int command_data(tool *t);
int command_space(tool *t);
int command_tune(tool *t);
int command_trials(tool *t);
int command_best(tool *t);
int command_importance(tool *t);
int command_fit(tool *t);
int command_predict(tool *t);
int command_evaluate(tool *t);
int command_export(tool *t);
int command_import(tool *t);
int command_copy(tool *t);
int command_stamp(tool *t);
extern const arg_option data_options[], space_options[], tune_options[], trials_options[],
    best_options[], importance_options[], fit_options[], predict_options[], evaluate_options[],
    export_options[], import_options[], copy_options[], stamp_options[];

/* How a study works, by the options of spectune tune (cmd_tune_study.c). */
int study_rules(tool *t, spt_options *options);
/* Put into it what --enqueue and --warm-start say; study NULL: only whether that can be read. */
int study_queue(tool *t, const spt_space *space, spt_study *study);

/* Add "date" and "file" to a model and write it. Takes the model. */
int write_model(tool *t, spt_model *model, const char *data_file, const char *path);
/* Statistics of predictions as JSON and as lines. */
json_t *statistics_json(const spt_statistics *s);
void print_statistics(const spt_statistics *s, const char *target);

#endif
