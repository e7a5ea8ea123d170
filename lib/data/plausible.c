/* Ordinary mistakes that numbers give away. Nothing is corrected: a note tells. */
#include "dataset.h"

#include <math.h>

static double low_end(const spt_dataset *ds)
{
    return fmin(ds->axis[0], ds->axis[ds->p - 1]);
}

static double high_end(const spt_dataset *ds)
{
    return fmax(ds->axis[0], ds->axis[ds->p - 1]);
}

/* Optical instruments: 190 to 2,600 nm for UV to near infrared, up to 25,000 nm in the mid
 * infrared, where wavenumbers (400 to 12,500 cm-1) are the rule. */
int32_t spt__dataset_note_axis(spt_dataset *ds, spt__err *e)
{
    double low = low_end(ds), high = high_end(ds);
    const char *looks = NULL;
    if (ds->axis_unit == SPT_AXIS_NM && high > 3000) looks = "wavenumbers (cm-1)";
    if (ds->axis_unit == SPT_AXIS_NM && high <= 30) looks = "micrometres (um)";
    if (ds->axis_unit == SPT_AXIS_UM && high > 100) looks = "nanometres (nm) or wavenumbers (cm-1)";
    if (ds->axis_unit == SPT_AXIS_CM1 && high <= 30) looks = "micrometres (um)";
    if (ds->axis_unit == SPT_AXIS_CM1 && low >= 190 && high <= 2600 && ds->axis[0] == low)
        looks = "wavelengths (nm)";
    if (looks == NULL) return SPT_OK;
    return spt__dataset_note(ds, e,
                             "warning: the axis is taken as %s, but %.10g to %.10g look like %s; "
                             "axis_unit declares it",
                             spt_axis_unit_name(ds->axis_unit), ds->axis[0], ds->axis[ds->p - 1],
                             looks);
}

int32_t spt__dataset_note_values(spt_dataset *ds, double low, double high, spt__err *e)
{
    const char *looks = NULL;
    if (ds->unit == SPT_UNIT_REFLECTANCE && high > 1.2)
        looks = high > 15 ? "percent-reflectance" : "absorbance";
    if (ds->unit == SPT_UNIT_PERCENT_REFLECTANCE && high < 1.5)
        looks = "reflectance as a fraction, or absorbance";
    if (ds->unit == SPT_UNIT_ABSORBANCE && (low < -0.3 || high > 6))
        looks = high > 6 ? "percent-reflectance" : "derivatives or centred spectra";
    if (looks == NULL) return SPT_OK;
    return spt__dataset_note(
        ds, e, "warning: the spectra are taken as %s, but values of %g to %g look like %s",
        spt_unit_name(ds->unit), low, high, looks);
}
