/* Models: life, notes, what can be read off them. */
#include "model.h"

#include <math.h>
#include <string.h>

/* ---- frames -------------------------------------------------------------------------------- */

spt__frame *spt__frame_new(spt_ctx *ctx)
{
    spt__frame *frame = spt__calloc(ctx, 1, sizeof *frame);
    if (!frame) return NULL;
    atomic_init(&frame->refs, 1);
    frame->ctx = spt__ctx_ref(ctx);
    return frame;
}

spt__frame *spt__frame_ref(spt__frame *frame)
{
    atomic_fetch_add_explicit(&frame->refs, 1, memory_order_relaxed);
    return frame;
}

void spt__frame_unref(spt__frame *frame)
{
    if (!frame || atomic_fetch_sub_explicit(&frame->refs, 1, memory_order_acq_rel) != 1) return;
    spt_ctx *ctx = frame->ctx;
    for (int64_t i = 0; frame->targets && i < frame->t; i++)
        spt__free(ctx, frame->targets[i]);
    spt__free(ctx, frame->targets);
    spt__free(ctx, frame->axis);
    spt_prep_free(frame->prep);
    spt__free(ctx, frame);
    spt__ctx_unref(ctx);
}

bool spt__same_axis(const double *a, const double *b, int64_t n, int64_t *index)
{
    for (int64_t j = 0; j < n; j++) {
        *index = j;
        if (!(fabs(a[j] - b[j]) <= 1e-9 * fabs(b[j]))) return false;
    }
    return true;
}

static int32_t same_recipe(const spt__frame *a, const spt__frame *b, const char *who, spt__err *e)
{
    spt__buf first, second;
    spt__buf_init(&first, a->ctx);
    spt__buf_init(&second, a->ctx);
    spt__prep_print(a->prep, &first);
    spt__prep_print(b->prep, &second);
    int32_t status = SPT_OK;
    if (first.failed || second.failed)
        status = spt__nomem(e);
    else if (first.size != second.size || memcmp(first.data, second.data, first.size) != 0)
        status = spt__fail(e, SPT_EMISMATCH, "%s has the recipe \"%.120s\", the first \"%.120s\"",
                           who, second.data, first.data);
    spt__buf_free(&first);
    spt__buf_free(&second);
    return status;
}

int32_t spt__frame_same(const spt__frame *a, const spt__frame *b, const char *who, spt__err *e)
{
    int64_t j = 0;
    if (a == b) return SPT_OK;
    if (a->p != b->p)
        return spt__fail(e, SPT_EMISMATCH, "%s reads %lld bands, the first %lld", who,
                         (long long)b->p, (long long)a->p);
    if (a->axis_unit != b->axis_unit)
        return spt__fail(e, SPT_EMISMATCH, "%s has its axis in %s, the first in %s", who,
                         spt_axis_unit_name(b->axis_unit), spt_axis_unit_name(a->axis_unit));
    if (!spt__same_axis(b->axis, a->axis, a->p, &j))
        return spt__fail(e, SPT_EMISMATCH, "%s has band %lld at %.10g %s, the first at %.10g %s",
                         who, (long long)j + 1, b->axis[j], spt_axis_unit_name(b->axis_unit),
                         a->axis[j], spt_axis_unit_name(a->axis_unit));
    if (a->unit != b->unit)
        return spt__fail(e, SPT_EMISMATCH, "%s reads %s, the first %s", who, spt_unit_name(b->unit),
                         spt_unit_name(a->unit));
    if (a->t != b->t)
        return spt__fail(e, SPT_EMISMATCH, "%s predicts %lld targets, the first %lld", who,
                         (long long)b->t, (long long)a->t);
    for (int64_t i = 0; i < a->t; i++)
        if (strcmp(a->targets[i], b->targets[i]) != 0)
            return spt__fail(e, SPT_EMISMATCH, "%s predicts '%.60s', the first '%.60s'", who,
                             b->targets[i], a->targets[i]);
    return same_recipe(a, b, who, e);
}

/* ---- models -------------------------------------------------------------------------------- */

static double *unknown(spt_ctx *ctx, int64_t n)
{
    double *values = spt__alloc(ctx, (size_t)n, sizeof *values);
    for (int64_t i = 0; values && i < n; i++)
        values[i] = NAN;
    return values;
}

int32_t spt__model_new(spt_ctx *ctx, spt__frame *frame, int64_t n_parts, const char *version,
                       spt_model **out, spt__err *e)
{
    *out = NULL;
    spt_model *m = spt__calloc(ctx, 1, sizeof *m);
    if (!m) return spt__nomem(e);
    atomic_init(&m->refs, 1);
    m->ctx = spt__ctx_ref(ctx);
    m->frame = spt__frame_ref(frame);
    m->version = spt__strdup(ctx, version);
    m->parts = spt__calloc(ctx, (size_t)n_parts, sizeof *m->parts);
    m->n_parts = m->parts ? n_parts : 0;
    m->ranges = (spt__ranges){.low = unknown(ctx, frame->bands),
                              .high = unknown(ctx, frame->bands),
                              .target_low = unknown(ctx, frame->t),
                              .target_high = unknown(ctx, frame->t)};
    if (!m->version || !m->parts || !m->ranges.low || !m->ranges.high || !m->ranges.target_low ||
        !m->ranges.target_high) {
        spt_model_free(m);
        return spt__nomem(e);
    }
    *out = m;
    return SPT_OK;
}

void spt_model_free(spt_model *model)
{
    if (!model || atomic_fetch_sub_explicit(&model->refs, 1, memory_order_acq_rel) != 1) return;
    spt_ctx *ctx = model->ctx;
    for (int64_t i = 0; i < model->n_parts; i++)
        spt__member_unref(model->parts[i].member);
    for (int64_t i = 0; i < model->n_notes; i++) {
        spt__free(ctx, model->notes[i].key);
        spt__free(ctx, model->notes[i].text);
    }
    spt__free(ctx, model->notes);
    spt__free(ctx, model->parts);
    spt__free(ctx, model->ranges.low);
    spt__free(ctx, model->ranges.high);
    spt__free(ctx, model->ranges.target_low);
    spt__free(ctx, model->ranges.target_high);
    spt__free(ctx, model->version);
    spt__frame_unref(model->frame);
    spt__free(ctx, model);
    spt__ctx_unref(ctx);
}

static int32_t check_tensor(const spt_network *network, const spt__tensor *tensor, spt__err *e)
{
    const float *values = network->values + tensor->offset;
    const char *role = strchr(tensor->name, '.');
    bool variance = role && strcmp(role, ".variance") == 0;
    for (int64_t i = 0; i < tensor->size; i++)
        if (!isfinite(values[i]) || (variance && values[i] < 0))
            return spt__fail(e, SPT_EINVAL, "value %lld of %s is %g; %s are needed", (long long)i,
                             tensor->name, (double)values[i],
                             variance ? "finite values of 0 or more" : "finite values");
    return SPT_OK;
}

int32_t spt__model_check_member(const spt_model *model, const spt__member *member, int64_t index,
                                spt__err *e)
{
    const spt__frame *frame = model->frame;
    if (member->p != frame->bands)
        return spt__fail(e, SPT_EINVAL,
                         "network %lld reads %lld bands; the recipe makes %lld of the %lld bands",
                         (long long)index + 1, (long long)member->p, (long long)frame->bands,
                         (long long)frame->p);
    if (member->t != frame->t)
        return spt__fail(e, SPT_EINVAL, "network %lld has %lld outputs for %lld targets",
                         (long long)index + 1, (long long)member->t, (long long)frame->t);
    for (int32_t k = 0; k < member->network->n_tensors; k++)
        SPT__TRY(check_tensor(member->network, &member->network->tensors[k], e));
    return SPT_OK;
}

/* ---- notes --------------------------------------------------------------------------------- */

bool spt__plain_text(const char *text)
{
    size_t length = strlen(text);
    if (!spt__is_utf8(text, length)) return false;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < 0x20 && c != '\t' && c != '\n' && c != '\r') return false;
        if (c == 0xef &&
            (memcmp(text + i, "\xef\xbf\xbe", 3) == 0 || memcmp(text + i, "\xef\xbf\xbf", 3) == 0))
            return false;
    }
    return true;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool good_key(const char *key)
{
    size_t length = strlen(key);
    if (length == 0 || length > SPT__NOTE_KEY || !is_letter(key[0])) return false;
    for (size_t i = 0; i < length; i++)
        if (!is_letter(key[i]) && !(key[i] >= '0' && key[i] <= '9') && !strchr("_.-", key[i]))
            return false;
    return true;
}

static spt__note *find_note(const spt_model *model, const char *key)
{
    for (int64_t i = 0; i < model->n_notes; i++)
        if (strcmp(model->notes[i].key, key) == 0) return &model->notes[i];
    return NULL;
}

int32_t spt__model_note(spt_model *model, const char *key, const char *text, spt__err *e)
{
    if (!key || !good_key(key))
        return spt__fail(e, SPT_EINVAL,
                         "the key of a note is '%.80s'; 1 to 64 letters, digits, '_', '.', '-' are "
                         "possible, a letter first",
                         key ? key : "");
    if (!text || strlen(text) > SPT__NOTE_TEXT || !spt__plain_text(text))
        return spt__fail(e, SPT_EINVAL,
                         "the text of note '%s' cannot be kept; UTF-8 without control characters, "
                         "up to %d bytes, is possible",
                         key, (int)SPT__NOTE_TEXT);
    spt_ctx *ctx = model->ctx;
    char *copy = spt__strdup(ctx, text);
    if (!copy) return spt__nomem(e);
    spt__note *note = find_note(model, key);
    if (note) {
        spt__free(ctx, note->text);
        note->text = copy;
        return SPT_OK;
    }
    char *own_key = spt__strdup(ctx, key);
    spt__note *more =
        own_key ? spt__realloc(ctx, model->notes, (size_t)model->n_notes + 1, sizeof *more) : NULL;
    if (!more) {
        spt__free(ctx, own_key);
        spt__free(ctx, copy);
        return spt__nomem(e);
    }
    model->notes = more;
    more[model->n_notes++] = (spt__note){own_key, copy};
    return SPT_OK;
}

static void copy_ranges(spt_model *to, const spt_model *from)
{
    size_t bands = (size_t)from->frame->bands, t = (size_t)from->frame->t;
    to->ranges.samples = from->ranges.samples;
    memcpy(to->ranges.low, from->ranges.low, bands * sizeof(double));
    memcpy(to->ranges.high, from->ranges.high, bands * sizeof(double));
    memcpy(to->ranges.target_low, from->ranges.target_low, t * sizeof(double));
    memcpy(to->ranges.target_high, from->ranges.target_high, t * sizeof(double));
}

int32_t spt_model_with_note(spt_ctx *ctx, const spt_model *model, const char *key, const char *text,
                            spt_model **out)
{
    SPT__REQUIRE(out);
    *out = NULL;
    SPT__REQUIRE(ctx && model);
    spt__err *e = &ctx->err;
    spt_model *copy = NULL;
    SPT__TRY(spt__model_new(ctx, model->frame, model->n_parts, model->version, &copy, e));
    copy_ranges(copy, model);
    for (int64_t i = 0; i < model->n_parts; i++) {
        copy->parts[i] = model->parts[i];
        spt__member_ref(copy->parts[i].member);
    }
    int32_t status = SPT_OK;
    for (int64_t i = 0; i < model->n_notes && status >= 0; i++)
        status = spt__model_note(copy, model->notes[i].key, model->notes[i].text, e);
    if (status >= 0) status = spt__model_note(copy, key, text, e);
    if (status < 0) {
        spt_model_free(copy);
        return status;
    }
    *out = copy;
    return SPT_OK;
}

/* ---- reading ------------------------------------------------------------------------------- */

const char *spt_model_target(const spt_model *model)
{
    return model ? model->frame->targets[0] : NULL;
}

int64_t spt_model_targets(const spt_model *model)
{
    return model ? model->frame->t : SPT_EINVAL;
}

int64_t spt_model_members(const spt_model *model)
{
    return model ? model->n_parts : SPT_EINVAL;
}

int64_t spt_model_bands(const spt_model *model)
{
    return model ? model->frame->p : SPT_EINVAL;
}

const double *spt_model_axis(const spt_model *model)
{
    return model ? model->frame->axis : NULL;
}

int32_t spt_model_axis_unit(const spt_model *model)
{
    return model ? model->frame->axis_unit : SPT_EINVAL;
}

int32_t spt_model_unit(const spt_model *model)
{
    return model ? model->frame->unit : SPT_EINVAL;
}

const char *spt_model_note(const spt_model *model, const char *key)
{
    spt__note *note = model && key ? find_note(model, key) : NULL;
    return note ? note->text : NULL;
}

const char *spt_model_note_key(const spt_model *model, int64_t index)
{
    return model && index >= 0 && index < model->n_notes ? model->notes[index].key : NULL;
}
