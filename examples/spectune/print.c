/* Messages, tables, JSON, files. */
#include "tool.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- messages ---- */

/* One line, whatever a file name or a text holds. */
static void say(const char *format, va_list args)
{
    char line[2048];
    vsnprintf(line, sizeof line, format, args);
    for (char *c = line; *c != '\0'; c++)
        if (*c == '\n' || *c == '\r') *c = ' ';
    fputs("spectune: ", stderr);
    fputs(line, stderr);
    fputc('\n', stderr);
}

int fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(format, args);
    va_end(args);
    return EXIT_FAILED;
}

int misuse(const tool *t, const char *format, ...)
{
    va_list args;
    (void)t;
    va_start(args, format);
    say(format, args);
    va_end(args);
    return EXIT_MISUSED;
}

int fail_library(const tool *t)
{
    return fail("%s", spt_ctx_last_error(t->ctx));
}

void note(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(format, args);
    va_end(args);
}

/* ---- JSON ---- */

int print_json(json_t *value)
{
    if (value == NULL) return fail("memory ran out");
    const int bad = json_dumpf(value, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    json_decref(value);
    putchar('\n');
    return bad ? EXIT_FAILED : EXIT_DONE;
}

json_t *json_number_or_null(double value)
{
    if (!isfinite(value)) return json_null();
    if (value == floor(value) && fabs(value) < 9007199254740992.0)
        return json_integer((json_int_t)value);
    return json_real(value);
}

json_t *json_guess(const char *text)
{
    char *end;
    if (text == NULL) return json_null();
    const double v = strtod(text, &end);
    return end != text && *end == '\0' && isfinite(v) ? json_number_or_null(v) : json_string(text);
}

/* ---- tables ---- */

const char *show_number(double value, int digits, char *buffer, size_t size)
{
    if (isnan(value))
        snprintf(buffer, size, "-");
    else
        snprintf(buffer, size, "%.*g", digits, value);
    return buffer;
}

int show_width(const char *text)
{
    int n = 0;
    for (; *text != '\0'; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

void print_cell(const char *text, int width)
{
    const int blanks = abs(width) - show_width(text);
    if (width < 0) printf("%*s", blanks > 0 ? blanks : 0, "");
    fputs(text, stdout);
    if (width > 0) printf("%*s", blanks > 0 ? blanks : 0, "");
}

void print_field(void *file, const char *text)
{
    FILE *f = file;
    if (strpbrk(text, ",\"\n\r") == NULL) {
        fputs(text, f);
        return;
    }
    fputc('"', f);
    for (; *text != '\0'; text++) {
        if (*text == '"') fputc('"', f);
        fputc(*text, f);
    }
    fputc('"', f);
}

/* ---- files ---- */

int output_open(output *o, const char *path)
{
    struct stat st;
    *o = (output){.file = stdout};
    if (path == NULL) return EXIT_DONE;
    o->path = strdup(path);
    if (o->path == NULL) return fail("memory ran out");
    /* A pipe or device cannot be replaced. */
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        o->file = S_ISDIR(st.st_mode) ? NULL : fopen(path, "w");
        if (S_ISDIR(st.st_mode)) errno = EISDIR;
    } else {
        o->temp = malloc(strlen(path) + 32);
        if (o->temp == NULL) return fail("memory ran out");
        sprintf(o->temp, "%s.part%ld", path, (long)getpid());
        o->file = fopen(o->temp, "wx");
    }
    if (o->file != NULL) return EXIT_DONE;
    const int code = fail("%s: cannot be written (%s)", path, strerror(errno));
    free(o->path);
    free(o->temp);
    *o = (output){.file = NULL};
    return code;
}

int output_close(output *o, bool good)
{
    int code = good ? EXIT_DONE : EXIT_FAILED;
    if (o->path == NULL) return code;
    bool bad = fflush(o->file) != 0 || ferror((FILE *)o->file);
    if (o->temp != NULL && !bad && good) bad = fsync(fileno(o->file)) != 0;
    const int error = errno;
    bad = fclose(o->file) != 0 || bad;
    if (o->temp != NULL && good && !bad) {
        if (rename(o->temp, o->path) != 0)
            code = fail("%s: cannot be written (%s)", o->path, strerror(errno));
    } else if (bad && good) {
        code = fail("%s: cannot be written (%s)", o->path, strerror(error));
    }
    if (o->temp != NULL && code != EXIT_DONE) remove(o->temp);
    free(o->path);
    free(o->temp);
    return code;
}
