/* A set of texts with a number each: open addressing, sized once. */
#ifndef SPT_LIB_DATA_TEXTMAP_H
#define SPT_LIB_DATA_TEXTMAP_H

#include "../base/ctx.h"

typedef struct spt__textmap {
    spt_ctx *ctx;
    const char **keys; /* the caller's texts; NULL = free place */
    int64_t *values;
    size_t places; /* a power of two, at least twice the texts announced */
    int64_t used;
} spt__textmap;

/* @param n  the most texts there will be */
int32_t spt__textmap_init(spt__textmap *map, spt_ctx *ctx, int64_t n);
void spt__textmap_free(spt__textmap *map);
/* The value kept for the text: `value` when it is new. */
int64_t spt__textmap_put(spt__textmap *map, const char *text, int64_t value);
/* -1 when it is not there. */
int64_t spt__textmap_get(const spt__textmap *map, const char *text);

#endif
