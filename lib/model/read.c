/* Models from documents. Nothing in a document is believed: sizes are checked before anything of
 * that size is allocated, every element and attribute must be known, numbers must be finite. */
#include "read.h"

#include "../base/file.h"
#include "../base/options.h"

#include <math.h>
#include <string.h>

/* ---- the whole: start, end, checksum ------------------------------------------------------- */

static bool starts_with(const char *data, size_t size, const char *text)
{
    return size >= strlen(text) && memcmp(data, text, strlen(text)) == 0;
}

static int32_t check_format(const char *data, size_t size, const char *name, spt__err *e)
{
    const char *root = "<model format=\"";
    size_t start = strlen(SPT__MODEL_START);
    if (!starts_with(data, size, SPT__MODEL_START) ||
        !starts_with(data + start, size - start, root))
        return spt__fail(e, SPT_EFORMAT,
                         "%s:1: not a model; one starts with <?xml ...?> and <model format=\"%d\">",
                         name, (int)SPT__MODEL_FORMAT);
    const char *digits = data + start + strlen(root);
    size_t left = size - start - strlen(root), n = 0;
    while (n < left && n < 10 && digits[n] >= '0' && digits[n] <= '9')
        n++;
    int64_t format = 0;
    if (n == left || digits[n] != '"' || !spt__parse_int64(digits, n, &format) || format < 1)
        return spt__fail(e, SPT_EFORMAT, "%s:2: the format of the model is not a number", name);
    if (format > SPT__MODEL_FORMAT)
        return spt__fail(e, SPT_EVERSION,
                         "%s:2: format %lld is newer than this library; up to %d is read", name,
                         (long long)format, (int)SPT__MODEL_FORMAT);
    return SPT_OK;
}

static int32_t check_sum(const char *data, size_t size, const char *name, spt__err *e)
{
    const size_t digits = 64, head = strlen(SPT__CHECKSUM_START), tail = strlen(SPT__MODEL_END);
    if (size < head + digits + tail || memcmp(data + size - tail, SPT__MODEL_END, tail) != 0 ||
        memcmp(data + size - tail - digits - head, SPT__CHECKSUM_START, head) != 0)
        return spt__fail(e, SPT_EFORMAT,
                         "%s: does not end with a checksum as models do; it was cut short or "
                         "changed",
                         name);
    spt__sha256 sum;
    char hex[65];
    spt__sha256_init(&sum);
    spt__sha256_put(&sum, data, size - tail - digits);
    spt__sha256_hex(&sum, hex);
    if (memcmp(hex, data + size - tail - digits, digits) != 0)
        return spt__fail(e, SPT_EFORMAT,
                         "%s: the checksum on record is %.8s..., that of the content %.8s...; the "
                         "model was damaged or changed",
                         name, data + size - tail - digits, hex);
    return SPT_OK;
}

/* The writer never writes "<!": it would be a DTD, a comment or a CDATA section. */
static int32_t check_markup(const char *data, size_t size, const char *name, spt__err *e)
{
    int64_t line = 1;
    for (size_t i = 0; i + 1 < size; i++) {
        line += data[i] == '\n';
        if (data[i] == '<' && data[i + 1] == '!')
            return spt__fail(e, SPT_EFORMAT,
                             "%s:%lld: only elements are read: no DTD, no comments, no CDATA", name,
                             (long long)line);
    }
    return SPT_OK;
}

/* ---- what the sensor delivers, and the steps ----------------------------------------------- */

static int32_t read_input(spt__reading *r)
{
    spt__in *in = &r->in;
    char *axis_unit = NULL, *unit = NULL;
    SPT__TRY(spt__in_expect(in, "input", 2));
    int32_t status = spt__in_text(in, "axis_unit", &axis_unit);
    if (status >= 0) status = spt__in_text(in, "unit", &unit);
    if (status >= 0) {
        r->frame->axis_unit = spt_axis_unit_from_name(axis_unit);
        r->frame->unit = spt_unit_from_name(unit);
        if (r->frame->axis_unit <= SPT_AXIS_UNKNOWN || r->frame->unit <= SPT_UNIT_UNKNOWN)
            status = spt__in_fail(in, "'%.40s' and '%.40s' are no units of an axis and of spectra",
                                  axis_unit, unit);
    }
    spt__free(r->ctx, axis_unit);
    spt__free(r->ctx, unit);
    if (status < 0) return status;
    SPT__TRY(spt__in_next(in));
    SPT__TRY(spt__in_numbers(in, "axis", &r->frame->axis, &r->frame->p));
    return spt__in_end(in, "input");
}

static int32_t read_average(spt__reading *r)
{
    char *column = NULL;
    SPT__TRY(spt__in_expect(&r->in, "average", 1));
    SPT__TRY(spt__in_text(&r->in, "column", &column));
    int32_t status = spt_prep_add_average(r->frame->prep, column);
    spt__free(r->ctx, column);
    return status < 0 ? spt__in_blame(&r->in) : status;
}

static int32_t read_step(spt__reading *r)
{
    static const char *const methods[] = {"first", "mean", NULL};
    spt__in *in = &r->in;
    spt_prep *prep = r->frame->prep;
    double low = 0, high = 0, width = 0;
    int64_t factor = 0;
    int method = 0;
    if (spt__in_at(in, "average")) return read_average(r);
    if (spt__in_at(in, "decimate")) {
        SPT__TRY(spt__in_expect(in, "decimate", 2));
        SPT__TRY(spt__in_int(in, "factor", &factor));
        SPT__TRY(spt__in_choice(in, "method", methods, &method));
        return spt_prep_add_decimate(prep, factor, method) < 0 ? spt__in_blame(in) : SPT_OK;
    }
    bool crop = spt__in_at(in, "crop");
    SPT__TRY(spt__in_expect(in, crop ? "crop" : "resample", crop ? 2 : 3));
    SPT__TRY(spt__in_double(in, "low", &low));
    SPT__TRY(spt__in_double(in, "high", &high));
    if (!crop) SPT__TRY(spt__in_double(in, "step", &width));
    int32_t status =
        crop ? spt_prep_add_crop(prep, low, high) : spt_prep_add_resample(prep, low, high, width);
    return status < 0 ? spt__in_blame(in) : SPT_OK;
}

static int32_t read_setting(const spt__in *in, spt_options *options)
{
    char *name = NULL, *value = NULL;
    SPT__TRY(spt__in_expect(in, "setting", 2));
    int32_t status = spt__in_text(in, "name", &name);
    if (status >= 0) status = spt__in_text(in, "value", &value);
    if (status >= 0 && spt_options_set_text(options, name, value) < 0) status = spt__in_blame(in);
    spt__free(in->ctx, name);
    spt__free(in->ctx, value);
    return status;
}

static int32_t read_settings(spt__reading *r)
{
    spt_options *options = NULL;
    SPT__TRY(spt_prep_options_new(r->ctx, &options));
    int32_t status = SPT_OK;
    while (status >= 0 && r->in.start) {
        status = read_setting(&r->in, options);
        if (status >= 0) status = spt__in_leave(&r->in, "setting");
    }
    if (status >= 0 && spt_prep_set_options(r->frame->prep, options) < 0)
        status = spt__in_blame(&r->in);
    spt_options_free(options);
    return status;
}

static int32_t read_recipe(spt__reading *r)
{
    static const char *const kinds[] = {"average", "crop", "resample", "decimate"};
    spt__in *in = &r->in;
    SPT__TRY(spt_prep_new(r->ctx, &r->frame->prep));
    SPT__TRY(spt__in_expect(in, "steps", 0));
    SPT__TRY(spt__in_next(in));
    while (in->start) {
        size_t k = 0;
        while (k < 3 && !spt__in_at(in, kinds[k]))
            k++;
        SPT__TRY(read_step(r));
        SPT__TRY(spt__in_leave(in, kinds[k]));
    }
    SPT__TRY(spt__in_end(in, "steps"));
    SPT__TRY(spt__in_expect(in, "channels", 0));
    SPT__TRY(spt__in_next(in));
    SPT__TRY(read_settings(r));
    return spt__in_end(in, "channels");
}

/* ---- members --- */

/* A weight is above 0, their sum is 1. */
static int32_t read_members(spt__reading *r)
{
    double sum = 0;
    while (r->n_parts == 0 || spt__in_at(&r->in, "member")) {
        SPT__TRY(spt__read_member(r));
        double weight = r->parts[r->n_parts - 1].weight;
        if (!(weight > 0 && weight <= 1))
            return spt__in_fail(&r->in, "a member has the weight %g; above 0 to 1 is possible",
                                weight);
        sum += weight;
    }
    if (!(fabs(sum - 1) <= 1e-9))
        return spt__in_fail(&r->in, "the weights of the members sum to %g; 1 is needed", sum);
    r->frame->bands = r->parts[0].member->p;
    return SPT_OK;
}

/* ---- targets, training, notes -------------------------------------------------------------- */

static int32_t read_target(spt__reading *r, int64_t i)
{
    spt__in *in = &r->in;
    spt__ranges *ranges = &r->model->ranges;
    bool range = in->start && spt__in_attributes(in) == 3;
    SPT__TRY(spt__in_expect(in, "target", range ? 3 : 1));
    SPT__TRY(spt__in_text(in, "name", &r->frame->targets[i]));
    if (range) {
        SPT__TRY(spt__in_double(in, "low", &ranges->target_low[i]));
        SPT__TRY(spt__in_double(in, "high", &ranges->target_high[i]));
    }
    return spt__in_leave(in, "target");
}

static int32_t read_bounds(spt__reading *r)
{
    spt__in *in = &r->in;
    spt__ranges *ranges = &r->model->ranges;
    double *low = NULL, *high = NULL;
    int64_t n_low = 0, n_high = 0;
    int32_t status = spt__in_numbers(in, "low", &low, &n_low);
    if (status >= 0) status = spt__in_numbers(in, "high", &high, &n_high);
    if (status >= 0 && (n_low != r->frame->bands || n_high != r->frame->bands))
        status = spt__in_fail(in, "the ranges have %lld and %lld bands; %lld are needed",
                              (long long)n_low, (long long)n_high, (long long)r->frame->bands);
    if (status >= 0) {
        memcpy(ranges->low, low, (size_t)n_low * sizeof *low);
        memcpy(ranges->high, high, (size_t)n_high * sizeof *high);
    }
    spt__free(r->ctx, low);
    spt__free(r->ctx, high);
    return status;
}

static int32_t read_training(spt__reading *r)
{
    spt__in *in = &r->in;
    SPT__TRY(spt__in_expect(in, "training", 1));
    SPT__TRY(spt__in_int(in, "samples", &r->model->ranges.samples));
    if (r->model->ranges.samples < 0)
        return spt__in_fail(in, "samples is %lld; 0 (not known) or more are possible",
                            (long long)r->model->ranges.samples);
    SPT__TRY(spt__in_next(in));
    if (in->start) SPT__TRY(read_bounds(r));
    return spt__in_end(in, "training");
}

static int32_t read_note(spt__reading *r)
{
    spt__in *in = &r->in;
    char *key = NULL;
    const char *text = NULL;
    size_t length = 0;
    SPT__TRY(spt__in_expect(in, "note", 1));
    SPT__TRY(spt__in_text(in, "key", &key));
    int32_t status = SPT_OK;
    if (spt_model_note(r->model, key)) status = spt__in_fail(in, "note '%.64s' stands twice", key);
    if (status >= 0) status = spt__in_content(in, &text, &length);
    if (status >= 0 && spt__model_note(r->model, key, text, &r->ctx->err) < 0)
        status = spt__in_blame(in);
    spt__free(r->ctx, key);
    return status < 0 ? status : spt__in_end(in, "note");
}

static int32_t read_end(spt__reading *r)
{
    spt__in *in = &r->in;
    const char *text = NULL;
    size_t length = 0;
    spt__free(r->ctx, r->model->version);
    r->model->version = NULL;
    SPT__TRY(spt__in_expect(in, "library", 1));
    SPT__TRY(spt__in_text(in, "version", &r->model->version));
    SPT__TRY(spt__in_leave(in, "library"));
    SPT__TRY(spt__in_expect(in, "checksum", 1));
    SPT__TRY(spt__in_content(in, &text, &length)); /* was compared before */
    SPT__TRY(spt__in_end(in, "checksum"));
    SPT__TRY(spt__in_end(in, "model"));
    return in->over ? SPT_OK : spt__in_fail(in, "something stands behind </model>");
}

static int32_t make_model(spt__reading *r)
{
    spt__frame *frame = r->frame;
    int64_t t = r->parts[0].member->t;
    frame->targets = spt__calloc(r->ctx, (size_t)t, sizeof *frame->targets);
    if (!frame->targets) return spt__nomem(&r->ctx->err);
    frame->t = t;
    SPT__TRY(spt__model_new(r->ctx, frame, r->n_parts, "", &r->model, &r->ctx->err));
    memcpy(r->model->parts, r->parts, (size_t)r->n_parts * sizeof *r->parts);
    r->n_parts = 0; /* the model has them now */
    return SPT_OK;
}

static int32_t read_model(spt__reading *r)
{
    spt__in *in = &r->in;
    SPT__TRY(spt__in_expect(in, "model", 1));
    SPT__TRY(spt__in_next(in));
    SPT__TRY(read_input(r));
    SPT__TRY(read_recipe(r));
    SPT__TRY(read_members(r));
    SPT__TRY(make_model(r));
    for (int64_t i = 0; i < r->frame->t; i++)
        SPT__TRY(read_target(r, i));
    SPT__TRY(read_training(r));
    while (spt__in_at(in, "note"))
        SPT__TRY(read_note(r));
    SPT__TRY(read_end(r));
    if (spt__model_check(r->ctx, r->model) < 0) return spt__in_blame(in);
    return SPT_OK;
}

/* ---- the calls ----------------------------------------------------------------------------- */

static int32_t read_document(spt_ctx *ctx, const char *data, size_t size, const char *name,
                             spt_model **out)
{
    spt__err *e = &ctx->err;
    if (size == 0) return spt__fail(e, SPT_EFORMAT, "%s:1: empty; a model is needed", name);
    SPT__TRY(check_format(data, size, name, e));
    SPT__TRY(check_sum(data, size, name, e));
    SPT__TRY(check_markup(data, size, name, e));
    spt__reading r = {.ctx = ctx};
    r.frame = spt__frame_new(ctx);
    r.bytes = spt__alloc(ctx, SPT__IN_PIECE, 1);
    int32_t status = r.frame && r.bytes ? SPT_OK : spt__nomem(e);
    if (status >= 0) status = spt__in_open(&r.in, ctx, data, size, name);
    if (status >= 0) status = read_model(&r);
    spt__in_close(&r.in);
    for (int64_t i = 0; i < r.n_parts; i++)
        spt__member_unref(r.parts[i].member);
    spt__free(ctx, r.parts);
    spt__free(ctx, r.bytes);
    spt__frame_unref(r.frame);
    if (status < 0)
        spt_model_free(r.model);
    else
        *out = r.model;
    return status;
}

int32_t spt_model_read(spt_ctx *ctx, const char *path, spt_model **out)
{
    SPT__REQUIRE(out);
    *out = NULL;
    SPT__REQUIRE(ctx);
    char *data = NULL;
    size_t size = 0;
    SPT__TRY(spt__file_read(ctx, path, &data, &size, &ctx->err));
    int32_t status = read_document(ctx, data, size, path, out);
    spt__free(ctx, data);
    return status;
}

int32_t spt_model_read_memory(spt_ctx *ctx, const void *data, int64_t size, const char *name,
                              spt_model **out)
{
    SPT__REQUIRE(out);
    *out = NULL;
    SPT__REQUIRE(ctx);
    if (!data || size < 0)
        return spt__fail(&ctx->err, SPT_EINVAL, "data must not be NULL, nor its size negative");
    return read_document(ctx, data, (size_t)size, name ? name : "memory", out);
}
