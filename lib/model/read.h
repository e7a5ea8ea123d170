/* What the files that read a document share. */
#ifndef SPT_LIB_MODEL_READ_H
#define SPT_LIB_MODEL_READ_H

#include "document.h"
#include "stream.h"

/* What reading one document owns. */
typedef struct spt__reading {
    spt_ctx *ctx;
    spt__in in;
    spt__frame *frame;
    spt__part *parts;
    int64_t n_parts;
    spt_model *model;
    unsigned char *bytes; /* of a decoded piece */
} spt__reading;

/* From the start tag of a <member> to behind its end tag; it becomes the last part. */
int32_t spt__read_member(spt__reading *r);

#endif
