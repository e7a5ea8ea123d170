/* A whole study in memory, as its rows stand in the tables: what export, import and copy share. */
#ifndef SPT_LIB_STORE_IMAGE_H
#define SPT_LIB_STORE_IMAGE_H

#include "db.h"

/* The tables whose rows belong to a study or to one of its trials. */
typedef enum {
    SPT__IMAGE_DIRECTIONS, /* number: the objective; text */
    SPT__IMAGE_USER,       /* key; text: JSON */
    SPT__IMAGE_SYSTEM,
    SPT__IMAGE_PARAMETERS, /* key; value; text: the distribution as JSON */
    SPT__IMAGE_VALUES,     /* number: the objective; value, may be infinite */
    SPT__IMAGE_STEPS,      /* number: the step; value, may be infinite or NaN */
    SPT__IMAGE_BLOCKS,     /* key; data */
    SPT__IMAGE_LISTS
} spt__image_list;

typedef struct spt__item {
    int64_t trial; /* index in the image; -1: the study's own */
    int64_t number;
    double value; /* NaN: NULL */
    char *key, *text;
    void *data;
    int64_t size;
} spt__item;

typedef struct spt__image_trial {
    int64_t id; /* in the store that it was read from */
    int64_t number;
    int32_t state;         /* spt_trial_state */
    char *started, *ended; /* NULL: none */
} spt__image_trial;

typedef struct spt__image {
    spt_ctx *ctx;
    char *name;
    spt__image_trial *trials;
    int64_t n, capacity;
    /* Items in order of `trial`, those of one trial as they stand in the table. */
    struct {
        spt__item *items;
        int64_t n, capacity;
    } lists[SPT__IMAGE_LISTS];
} spt__image;

void spt__image_init(spt__image *image, spt_ctx *ctx);
void spt__image_free(spt__image *image);

int32_t spt__image_rename(spt__image *image, const char *name);
/* Append a trial, or an item to a list; texts are copied (NULL stays NULL). NULL when memory ran
 * out. The pointer holds until the next one is added. */
spt__image_trial *spt__image_trial_add(spt__image *image, int64_t number, int32_t state,
                                       const char *started, const char *ended);
spt__item *spt__image_add(spt__image *image, spt__image_list list, int64_t trial, const char *key,
                          const char *text);
/* The items of a trial (-1: of the study): *n of them, from the pointer on. */
const spt__item *spt__image_items(const spt__image *image, spt__image_list list, int64_t trial,
                                  int64_t *n);
/* The item with this key, NULL without. */
const spt__item *spt__image_find(const spt__image *image, spt__image_list list, int64_t trial,
                                 const char *key);

/* Read a study by name (NULL: the only one), in one transaction. `blocks`: those too. */
int32_t spt__image_read(spt_store *s, const char *study, bool blocks, spt__image *image);
/* Make a study of it, in one transaction; SPT_EBUSY if there is one of that name. */
int32_t spt__image_write(spt_store *s, spt__image *image);

/* "minimize" and Optuna's "MINIMIZE". An unknown word stays as it is; an unknown name: NULL. */
const char *spt__direction_name(const char *word);
const char *spt__direction_word(const char *name);

/* Microseconds since 1970 of "YYYY-MM-DD HH:MM:SS[.ffffff]" (or with a T); false: it is none. */
bool spt__time_of(const char *text, int64_t *microseconds);
/* A time with all six digits of its second, as Optuna writes it in a file: its reader takes ".5"
 * for five millionths. What is no time stays as it is. NULL when memory ran out. */
char *spt__time_full(spt_ctx *ctx, const char *text);

/* ---- formats (export.c, export_csv.c) ---- */

#define SPT__EXPORT_FORMAT "spectune study"
enum { SPT__EXPORT_VERSION = 1 };
/* JSON that strict readers refuse stands in an object with this one key. */
#define SPT__UNPARSED "unparsed"

int32_t spt__export_csv(const spt__image *image, spt__buf *b);

#endif
