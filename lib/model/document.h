/* The document of a model: what writer and reader agree on. doc/model.md describes it. */
#ifndef SPT_LIB_MODEL_DOCUMENT_H
#define SPT_LIB_MODEL_DOCUMENT_H

#include "model.h"

enum {
    SPT__MODEL_FORMAT = 1,
    SPT__PIECE_FLOATS = 49152, /* weights in one <piece>: 256 KiB of base64 */
    SPT__PIECE_NUMBERS = 1000  /* decimals in one <piece> */
};

/* The checksum is of everything before its own 64 digits, so every byte of the document counts:
 * those digits are compared with it, and nothing but SPT__MODEL_END may follow them. */
#define SPT__MODEL_START "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
#define SPT__CHECKSUM_START "<checksum algorithm=\"sha-256\">"
#define SPT__MODEL_END "</checksum>\n</model>\n"

/* "relu" and the like for values from 1 on, as in configurations; NULL behind the last. */
extern const char *const spt__activation_names[];
extern const char *const spt__padding_names[];
extern const char *const spt__pool_names[];
extern const char *const spt__scale_names[]; /* as spt_scale counts, from 1 */

/* A kind of layer has the name of the network room's, but for "bn". */
const char *spt__layer_element(const spt__layer_kind *kind);

#endif
