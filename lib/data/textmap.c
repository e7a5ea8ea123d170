#include "textmap.h"

#include <string.h>

int32_t spt__textmap_init(spt__textmap *map, spt_ctx *ctx, int64_t n)
{
    memset(map, 0, sizeof *map);
    map->ctx = ctx;
    map->places = 16;
    while (map->places / 2 < (size_t)n) {
        if (map->places > SIZE_MAX / 4) return SPT_ENOMEM;
        map->places *= 2;
    }
    map->keys = spt__calloc(ctx, map->places, sizeof *map->keys);
    map->values = spt__alloc(ctx, map->places, sizeof *map->values);
    if (map->keys != NULL && map->values != NULL) return SPT_OK;
    spt__textmap_free(map);
    return SPT_ENOMEM;
}

void spt__textmap_free(spt__textmap *map)
{
    spt__free(map->ctx, map->keys);
    spt__free(map->ctx, map->values);
    map->keys = NULL;
    map->values = NULL;
}

/* Where the text is, or the free place where it belongs. FNV-1a, folded: its low bits alone mix
 * poorly. */
static size_t place_of(const spt__textmap *map, const char *text)
{
    uint64_t h = UINT64_C(14695981039346656037);
    for (const char *c = text; *c != '\0'; c++)
        h = (h ^ (uint8_t)*c) * UINT64_C(1099511628211);
    size_t at = (size_t)(h ^ (h >> 32)) & (map->places - 1);
    while (map->keys[at] != NULL && strcmp(map->keys[at], text) != 0)
        at = (at + 1) & (map->places - 1);
    return at;
}

int64_t spt__textmap_put(spt__textmap *map, const char *text, int64_t value)
{
    size_t at = place_of(map, text);
    if (map->keys[at] == NULL) {
        map->keys[at] = text;
        map->values[at] = value;
        map->used++;
    }
    return map->values[at];
}

int64_t spt__textmap_get(const spt__textmap *map, const char *text)
{
    size_t at = place_of(map, text);
    return map->keys[at] == NULL ? -1 : map->values[at];
}
