/* The command line. */
#include "tool.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int find(const command *c, const char *name, size_t length)
{
    for (int i = 0; c->options[i].name != NULL; i++)
        if (strlen(c->options[i].name) == length && memcmp(c->options[i].name, name, length) == 0)
            return i;
    return -1;
}

/* The option that shares the longest start or is a letter or two away. */
static const char *nearest(const command *c, const char *name)
{
    const char *best = NULL;
    size_t most = 1;
    for (int i = 0; c->options[i].name != NULL; i++) {
        const char *o = c->options[i].name;
        size_t same = 0;
        while (o[same] != '\0' && o[same] == name[same])
            same++;
        for (size_t k = 0; k < 2 && same > 0 && o[same] != '\0';
             k++) /* letters swapped or left out */
            if (strcmp(o + same + k, name + same) == 0 || strcmp(o + same, name + same + k) == 0)
                same += 3;
        if (same > most) {
            most = same;
            best = o;
        }
    }
    return best;
}

static bool number(const char *text, double *value)
{
    char *end;
    errno = 0;
    *value = strtod(text, &end);
    return end != text && *end == '\0' && errno == 0 && isfinite(*value) &&
           strpbrk(text, "xXpP \t") == NULL;
}

static int check(const tool *t, const arg_option *o, const char *value)
{
    double v;
    if (o->type == ARG_FLAG || o->type == ARG_TEXT) return -1;
    if (!number(value, &v) || (o->type == ARG_INT && v != floor(v)))
        return misuse(t, "--%s is '%s'; %s is wanted", o->name, value,
                      o->type == ARG_INT ? "a whole number" : "a number");
    if (v < o->low || v > o->high)
        return misuse(t, "--%s is %s; %g to %g are possible", o->name, value, o->low, o->high);
    return -1;
}

static int put(tool *t, int index, const char *value)
{
    const arg_option *o = &t->command->options[index];
    if (strcmp(o->name, "set") == 0) {
        if (t->n_settings == SETTINGS_MAX) return misuse(t, "--set is given too often");
        t->settings[t->n_settings++] = value;
        return -1;
    }
    if (strcmp(o->name, "enqueue") == 0) {
        if (t->n_enqueued == SETTINGS_MAX) return misuse(t, "--enqueue is given too often");
        t->enqueued[t->n_enqueued++] = value;
        return -1;
    }
    t->values[index] = value;
    return check(t, o, value);
}

/* One option at argv[*i]; takes its value along. */
static int option(tool *t, int argc, char **argv, int *i)
{
    const char *word = argv[*i] + 2, *sign = strchr(word, '=');
    const size_t length = sign != NULL ? (size_t)(sign - word) : strlen(word);
    const int index = find(t->command, word, length);
    if (index < 0) {
        const char *near = nearest(t->command, word);
        return near != NULL ? misuse(t, "there is no option --%.*s; did you mean --%s?",
                                     (int)length, word, near)
                            : misuse(t, "there is no option --%.*s", (int)length, word);
    }
    const arg_option *o = &t->command->options[index];
    if (o->type == ARG_FLAG) {
        if (sign != NULL) return misuse(t, "--%s takes no value", o->name);
        return put(t, index, "");
    }
    if (sign != NULL) return put(t, index, sign + 1);
    if (*i + 1 >= argc) return misuse(t, "--%s wants a value: %s", o->name, o->value);
    *i += 1;
    return put(t, index, argv[*i]);
}

int args_read(tool *t, int argc, char **argv)
{
    int n = 0;
    bool only_operands = false;
    for (int i = 0; i < argc; i++) {
        if (!only_operands && strcmp(argv[i], "--") == 0) {
            only_operands = true;
        } else if (!only_operands && strcmp(argv[i], "-h") == 0) {
            args_help(t->command);
            return EXIT_DONE;
        } else if (!only_operands && strncmp(argv[i], "--", 2) == 0) {
            const int code = option(t, argc, argv, &i);
            if (code >= 0) return code;
        } else if (!only_operands && argv[i][0] == '-' && argv[i][1] != '\0') {
            return misuse(t, "there is no option %s", argv[i]);
        } else {
            if (n == t->command->n_operands)
                return misuse(t, "'%s' is one argument too many; %s is wanted", argv[i],
                              t->command->operands);
            t->operands[n++] = argv[i];
        }
    }
    if (arg_flag(t, "help")) {
        args_help(t->command);
        return EXIT_DONE;
    }
    if (n < t->command->n_operands)
        return misuse(t, "an argument is missing; %s is wanted", t->command->operands);
    return -1;
}

void args_help(const command *c)
{
    printf("usage: spectune %s [OPTION...] %s\n\n%s.\n\nOptions:\n", c->name, c->operands,
           c->summary);
    for (const arg_option *o = c->options; o->name != NULL; o++) {
        char head[128];
        snprintf(head, sizeof head, "--%s%s%s", o->name, o->value != NULL ? " " : "",
                 o->value != NULL ? o->value : "");
        if (strlen(head) > 24)
            printf("  %s\n  %-24s  %s", head, "", o->text);
        else
            printf("  %-24s  %s", head, o->text);
        if (o->given != NULL) printf(" [%s]", o->given);
        putchar('\n');
    }
}

bool arg_known(const tool *t, const char *name)
{
    return find(t->command, name, strlen(name)) >= 0;
}

const char *arg_text(const tool *t, const char *name)
{
    const int index = find(t->command, name, strlen(name));
    return index >= 0 ? t->values[index] : NULL;
}

bool arg_flag(const tool *t, const char *name)
{
    return arg_text(t, name) != NULL;
}

double arg_number(const tool *t, const char *name, double otherwise)
{
    double v;
    const char *text = arg_text(t, name);
    return text != NULL && number(text, &v) ? v : otherwise;
}

int64_t arg_int(const tool *t, const char *name, int64_t otherwise)
{
    return (int64_t)arg_number(t, name, (double)otherwise);
}

bool arg_range(const char *text, int n, double *out)
{
    char part[64];
    for (int i = 0; i < n; i++) {
        const size_t length = strcspn(text, ":");
        if (length >= sizeof part) return false;
        memcpy(part, text, length);
        part[length] = '\0';
        if (!number(part, &out[i])) return false;
        text += length;
        if (i + 1 < n && *text++ != ':') return false;
    }
    return *text == '\0';
}

/* ---- options on record with a study ---- */

/* Those that say what the losses mean. File names are not among them: the content counts. */
static const char *const recorded[] = {"axis",     "id",       "bands", "delimiter", "decimal",
                                       "missing",  "join-key", "unit",  "target",    "group",
                                       "weights",  "average",  "folds", "test",      "crop",
                                       "resample", "decimate", "seed"};

char *args_record(const tool *t)
{
    size_t size = 1;
    for (size_t i = 0; i < sizeof recorded / sizeof recorded[0]; i++)
        if (arg_text(t, recorded[i]) != NULL)
            size += strlen(recorded[i]) + strlen(arg_text(t, recorded[i])) + 2;
    for (int i = 0; i < t->n_settings; i++)
        size += strlen(t->settings[i]) + 5;
    char *text = malloc(size), *at = text;
    if (text == NULL) return NULL;
    *at = '\0';
    for (size_t i = 0; i < sizeof recorded / sizeof recorded[0]; i++)
        if (arg_text(t, recorded[i]) != NULL)
            at += sprintf(at, "%s=%s\n", recorded[i], arg_text(t, recorded[i]));
    for (int i = 0; i < t->n_settings; i++)
        at += sprintf(at, "set=%s\n", t->settings[i]);
    return text;
}

int args_recall(tool *t, const char *record)
{
    char *rest = NULL;
    t->records = strdup(record);
    if (t->records == NULL) return fail("memory ran out");
    for (char *line = strtok_r(t->records, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        char *sign = strchr(line, '=');
        if (sign == NULL) continue;
        *sign = '\0';
        const int index = find(t->command, line, strlen(line));
        if (index < 0 || t->values[index] != NULL) continue;
        const int code = put(t, index, sign + 1);
        if (code >= 0) return code;
    }
    return -1;
}
