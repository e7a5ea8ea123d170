/* What a model is made of, for the files of this room. */
#ifndef SPT_LIB_MODEL_MODEL_H
#define SPT_LIB_MODEL_MODEL_H

#include "member.h"

#include "../base/text.h"
#include "../prep/recipe.h"
#include "spectune/space.h"

/* From what the sensor delivers to what the channels are computed from, and what comes out. Counted
 * and immutable: a model, its copies with notes and its ensembles share one. */
typedef struct spt__frame {
    _Atomic int64_t refs;
    spt_ctx *ctx;
    int64_t p; /* raw bands */
    double *axis;
    int32_t axis_unit, unit;
    spt_prep *prep;
    int64_t bands; /* after the steps */
    int64_t t;
    char **targets;
} spt__frame;

/* What the model was trained on. NaN: not known. */
typedef struct spt__ranges {
    int64_t samples;                  /* 0: not known */
    double *low, *high;               /* per band after the steps, in the unit of the spectra */
    double *target_low, *target_high; /* per target */
} spt__ranges;

typedef struct spt__note {
    char *key, *text;
} spt__note;

typedef struct spt__part {
    spt__member *member;
    double weight; /* the weights of a model sum to 1 */
} spt__part;

struct spt_model {
    _Atomic int64_t refs;
    spt_ctx *ctx;
    spt__frame *frame;
    spt__part *parts;
    int64_t n_parts;
    spt__ranges ranges;
    spt__note *notes;
    int64_t n_notes;
    char *version; /* of the library that made it */
};

enum {
    SPT__NOTE_KEY = 64,       /* bytes of a note's key */
    SPT__NOTE_TEXT = 1000000, /* bytes of a note's text */
    SPT__TARGETS = 65536
};

/* With zeros and NULL in it; one reference. */
spt__frame *spt__frame_new(spt_ctx *ctx);
spt__frame *spt__frame_ref(spt__frame *frame);
void spt__frame_unref(spt__frame *frame);
/* SPT_EMISMATCH names the first difference; `who` is "model 2". */
int32_t spt__frame_same(const spt__frame *a, const spt__frame *b, const char *who, spt__err *e);

/* A model without parts, ranges (NaN) and notes yet; takes a reference of the frame. Whoever makes
 * it fills it before anybody else sees it. */
int32_t spt__model_new(spt_ctx *ctx, spt__frame *frame, int64_t n_parts, const char *version,
                       spt_model **out, spt__err *e);
/* Shape and values of member `index` must fit the frame. */
int32_t spt__model_check_member(const spt_model *model, const spt__member *member, int64_t index,
                                spt__err *e);
/* The whole: steps on this axis give these bands, channels are possible, members fit. On the
 * caller's thread. */
int32_t spt__model_check(spt_ctx *ctx, const spt_model *model);
/* Add or replace a note of a model that nobody else sees yet. */
int32_t spt__model_note(spt_model *model, const char *key, const char *text, spt__err *e);
/* Notes "configuration" ("name=value name=value ...") and "spectra_sha256", "axis_sha256",
 * "target_sha256" of the samples used, "weights_sha256" where `weights` is not "". */
int32_t spt__model_note_config(spt_model *model, const spt_config *config, spt__err *e);
int32_t spt__model_note_data(spt_model *model, const spt_dataset *used, const char *target,
                             const char *weights, spt__err *e);
/* Text that an XML document can carry unchanged: UTF-8 without control characters but for tab and
 * line ends. */
bool spt__plain_text(const char *text);

/* Two axes of n positions are the same to 1e-9; else `index` is that of the first that differs. */
bool spt__same_axis(const double *a, const double *b, int64_t n, int64_t *index);

#endif
