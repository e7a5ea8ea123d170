/* The knobs of the channels, and what they mean on a given axis. */
#include "recipe.h"

#include <math.h>

/* Windows are numbers, not integers: in micrometres a width of 0.022 is usual. */
const spt__knob spt__channel_knobs[] = {
    {.name = "d1_window",
     .type = SPT_OPTION_NUMBER,
     .low = 1e-6,
     .high = 1e6,
     .number = 11,
     .text = "Savitzky-Golay window of the first derivative: an odd number of points, or a width"},
    {.name = "d1_order",
     .type = SPT_OPTION_INTEGER,
     .low = 1,
     .high = 8,
     .number = 2,
     .text = "order of the first derivative's polynomial"},
    {.name = "d2_window",
     .type = SPT_OPTION_NUMBER,
     .low = 1e-6,
     .high = 1e6,
     .number = 11,
     .text = "Savitzky-Golay window of the second derivative: an odd number of points, or a width"},
    {.name = "d2_order",
     .type = SPT_OPTION_INTEGER,
     .low = 2,
     .high = 8,
     .number = 2,
     .text = "order of the second derivative's polynomial"},
    {.name = "window_in",
     .type = SPT_OPTION_CHOICE,
     .choices = "points|axis",
     .text_default = "points",
     .text = "windows are numbers of points, or widths in the unit of the axis"},
    {.name = "constant_snv",
     .type = SPT_OPTION_CHOICE,
     .choices = "error|zero",
     .text_default = "error",
     .text = "what the standard normal variate of a spectrum without variation is"},
    {.name = NULL},
};

int32_t spt_prep_options_new(spt_ctx *ctx, spt_options **out)
{
    SPT__REQUIRE(out);
    *out = NULL;
    SPT__REQUIRE(ctx);
    return spt__options_new(ctx, "channel", spt__channel_knobs, out);
}

/* A window of w points stands for w steps. The nearest odd number; of two that are equally near the
 * smaller, so that 22 (11 points 2 apart) gives 43 points 0.5 apart. */
static double points_of_width(double width, double step)
{
    return 2.0 * ceil((width / fabs(step) - 1.0) / 2.0 - 0.5 - 1e-6) + 1.0;
}

int32_t spt__channel_window(const spt_options *options, int32_t derivative, double step, int64_t p,
                            int32_t *window, int32_t *order, spt__err *e)
{
    const char *window_name = derivative == 1 ? "d1_window" : "d2_window";
    const char *order_name = derivative == 1 ? "d1_order" : "d2_order";
    double asked = spt__option(options, spt__channel_knobs, window_name), points = asked;
    int64_t k = spt__option_int(options, spt__channel_knobs, order_name);
    *order = (int32_t)k;
    double least = k % 2 == 0 ? (double)k + 1 : (double)k + 2;
    bool in_axis = spt__option_choice(options, spt__channel_knobs, "window_in") == 1;
    if (in_axis && p == 0) {
        *window = (int32_t)least;
        return SPT_OK;
    }
    if (in_axis)
        points = fmax(points_of_width(asked, step), least);
    else if (points < least || fmod(points, 2.0) != 1.0)
        return spt__fail(e, SPT_EINVAL,
                         "%s is %g; an odd number of points, at least %g with %s %d, is needed "
                         "(widths go with window_in=axis)",
                         window_name, asked, least, order_name, *order);
    if (p > 0 && points > (double)p) {
        if (in_axis)
            return spt__fail(e, SPT_EINVAL,
                             "%s is %g, which is %.0f points %g apart, but the spectra have %lld "
                             "bands; the window must fit",
                             window_name, asked, points, fabs(step), (long long)p);
        return spt__fail(e, SPT_EINVAL,
                         "%s is %g points, but the spectra have %lld bands; the window must fit",
                         window_name, points, (long long)p);
    }
    *window = (int32_t)fmin(points, INT32_MAX);
    return SPT_OK;
}

int32_t spt_prep_set_options(spt_prep *prep, const spt_options *options)
{
    SPT__REQUIRE(prep);
    spt__err *e = &prep->ctx->err;
    spt_options *copy = NULL;
    if (!options) {
        SPT__TRY(spt_prep_options_new(prep->ctx, &copy));
    } else {
        if (!spt__options_are(options, spt__channel_knobs))
            return spt__fail(e, SPT_EINVAL,
                             "the options are of another kind; spt_prep_options_new() makes "
                             "those of the channels");
        int32_t window, order;
        for (int32_t derivative = 1; derivative <= 2; derivative++)
            SPT__TRY(spt__channel_window(options, derivative, 0, 0, &window, &order, e));
        SPT__TRY(spt__options_copy(options, prep->ctx, &copy));
    }
    spt_options_free(prep->channels);
    prep->channels = copy;
    return SPT_OK;
}
