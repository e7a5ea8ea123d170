/* Which parameters are modelled together. */
#include "density.h"

#include <string.h>

static bool same_terms(const spt__terms *a, const spt__terms *b)
{
    if (a->n != b->n) return false;
    return a->n == 0 || strcmp(a->text, b->text) == 0;
}

/* The block that a parameter belongs to among those there are, or -1. */
static int32_t find(const spt__blocks *b, const spt_space *space, int32_t parameter, int structure,
                    const bool *common)
{
    if (structure == SPT__STRUCTURE_UNIVARIATE) return -1;
    for (int32_t i = 0; i < b->n; i++) {
        const int32_t first = b->items[i].members[0];
        if (structure == SPT__STRUCTURE_COMMON
                ? common[parameter] && common[first]
                : same_terms(&space->parameters[parameter].when, &space->parameters[first].when))
            return i;
    }
    return -1;
}

/* The blocks of the parents of a block's members, and theirs. Single-valued parents belong to none,
 * but theirs count. */
static void mark_parents(const spt_space *space, const int32_t *block_of, int32_t parameter,
                         bool *parents)
{
    const spt__terms *when = &space->parameters[parameter].when;
    for (int32_t t = 0; t < when->n; t++) {
        const int32_t parent = when->items[t].parameter;
        if (block_of[parent] >= 0) parents[block_of[parent]] = true;
        mark_parents(space, block_of, parent, parents);
    }
}

static void set_context(spt__blocks *b, const spt_space *space, const int32_t *block_of,
                        bool *parents, int32_t **free_slot)
{
    for (int32_t i = 0; i < b->n; i++) {
        spt__block *block = &b->items[i];
        memset(parents, 0, (size_t)b->n * sizeof *parents);
        mark_parents(space, block_of, block->members[0], parents);
        block->context = *free_slot;
        for (int32_t j = 0; j < i; j++) {
            if (!parents[j]) continue;
            block->context[block->n_context++] = j;
            b->items[j].above = true;
        }
        *free_slot += block->n_context;
    }
}

int32_t spt__blocks_init(spt__blocks *b, spt_ctx *ctx, const spt_space *space,
                         const spt__domain *domains, int structure, const bool *common, spt__err *e)
{
    const size_t p = (size_t)space->n;
    *b = (spt__blocks){.ctx = ctx};
    b->items = spt__calloc(ctx, p, sizeof *b->items);
    int32_t *block_of = spt__alloc(ctx, p, sizeof *block_of);
    bool *parents = spt__calloc(ctx, p, sizeof *parents);
    int32_t status = b->items && block_of && parents ? SPT_OK : spt__nomem(e);
    /* First the sizes, with members[0] pointing at where the first member is kept. */
    for (int32_t i = 0; status == SPT_OK && i < space->n; i++) {
        block_of[i] = -1;
        if (spt__domain_single(&domains[i])) continue;
        block_of[i] = i;
    }
    int32_t *firsts = status == SPT_OK ? spt__alloc(ctx, p, sizeof *firsts) : NULL;
    if (status == SPT_OK && !firsts) status = spt__nomem(e);
    for (int32_t i = 0; status == SPT_OK && i < space->n; i++) {
        if (block_of[i] < 0) continue;
        int32_t k = find(b, space, i, structure, common);
        if (k < 0) {
            k = b->n++;
            firsts[k] = i;
            b->items[k].members = &firsts[k];
        }
        b->items[k].n++;
        block_of[i] = k;
    }
    /* Members, and in the worst case every block below all others: contexts of n (n - 1) / 2. */
    size_t contexts = structure == SPT__STRUCTURE_TREE ? (size_t)b->n * (size_t)b->n / 2 : 0;
    if (status == SPT_OK) {
        b->store = spt__alloc(ctx, p + contexts, sizeof *b->store);
        if (!b->store) status = spt__nomem(e);
    }
    if (status == SPT_OK) {
        int32_t *slot = b->store;
        for (int32_t k = 0; k < b->n; k++) {
            b->items[k].members = slot;
            int32_t n = 0;
            for (int32_t i = 0; i < space->n; i++)
                if (block_of[i] == k) slot[n++] = i;
            slot += n;
        }
        if (structure == SPT__STRUCTURE_TREE) set_context(b, space, block_of, parents, &slot);
    }
    spt__free(ctx, firsts);
    spt__free(ctx, block_of);
    spt__free(ctx, parents);
    if (status < 0) spt__blocks_free(b);
    return status;
}

void spt__blocks_free(spt__blocks *b)
{
    if (!b->ctx) return;
    spt__free(b->ctx, b->items);
    spt__free(b->ctx, b->store);
    *b = (spt__blocks){0};
}
