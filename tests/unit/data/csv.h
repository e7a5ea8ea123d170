/* What the tests of the CSV reader share. */
#ifndef SPT_TESTS_DATA_CSV_H
#define SPT_TESTS_DATA_CSV_H

#include "testing.h"

#include "base/text.h"
#include "data/dataset.h"

#define H10 "1100,1102,1104,1106,1108,1110,1112,1114,1116,1118"
#define R10 "0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9,1"

static inline spt_ctx *new_ctx(void)
{
    spt_ctx *ctx = NULL;
    ck_assert_int_eq(spt_ctx_new(NULL, &ctx), SPT_OK);
    return ctx;
}

/* "name=value name=value" */
static inline spt_options *options_of(spt_ctx *ctx, const char *settings)
{
    spt_options *o = NULL;
    char text[256], *rest = text;
    OK(ctx, spt_csv_options_new(ctx, &o));
    snprintf(text, sizeof text, "%s", settings);
    for (char *pair; (pair = strtok_r(rest, " ", &rest)) != NULL;) {
        char *value = strchr(pair, '=');
        *value++ = '\0';
        OK(ctx, spt_options_set_text(o, pair, value));
    }
    return o;
}

static inline int32_t read_bytes(spt_ctx *ctx, const char *text, size_t size, const char *settings,
                                 spt_dataset **out)
{
    spt_options *o = options_of(ctx, settings);
    int32_t status = spt_dataset_read_csv_memory(ctx, text, (int64_t)size, "t.csv", o, out);
    spt_options_free(o);
    return status;
}

static inline int32_t read_text(spt_ctx *ctx, const char *text, const char *settings,
                                spt_dataset **out)
{
    return read_bytes(ctx, text, strlen(text), settings, out);
}

static inline const char *note_with(const spt_dataset *ds, const char *words)
{
    const char *note;
    for (int64_t i = 0; (note = spt_dataset_note(ds, i)) != NULL; i++)
        if (strstr(note, words) != NULL) return note;
    return NULL;
}

static inline int count_warnings(const spt_dataset *ds)
{
    int n = 0;
    const char *note;
    for (int64_t i = 0; (note = spt_dataset_note(ds, i)) != NULL; i++)
        n += strncmp(note, "warning: ", 9) == 0;
    return n;
}

#endif
