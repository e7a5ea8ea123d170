/* A libicuuc that knows no encoding, for the wheel.
 *
 * Debian's libxml2 stands on ICU for encodings that it does not know itself. The library reads
 * documents in UTF-8 only, and ICU's tables take 30 MB: in the wheel this stands in their place.
 * The header gives the functions the names, with the version, that libxml2 was linked with. */
#include <stddef.h>
#include <unicode/ucnv.h>

UConverter *ucnv_open(const char *name, UErrorCode *error)
{
    (void)name;
    *error = U_FILE_ACCESS_ERROR;
    return NULL;
}

/* What follows is never called: there is no converter to call it with. */

void ucnv_close(UConverter *converter)
{
    (void)converter;
}

void ucnv_convertEx(UConverter *to, UConverter *from, char **target, const char *target_limit,
                    const char **source, const char *source_limit, UChar *pivot_start,
                    UChar **pivot_source, UChar **pivot_target, const UChar *pivot_limit,
                    UBool reset, UBool flush, UErrorCode *error)
{
    (void)to, (void)from, (void)target, (void)target_limit, (void)source, (void)source_limit;
    (void)pivot_start, (void)pivot_source, (void)pivot_target, (void)pivot_limit;
    (void)reset, (void)flush;
    *error = U_UNSUPPORTED_ERROR;
}

void ucnv_setToUCallBack(UConverter *converter, UConverterToUCallback action, const void *context,
                         UConverterToUCallback *old, const void **old_context, UErrorCode *error)
{
    (void)converter, (void)action, (void)context, (void)old, (void)old_context;
    *error = U_UNSUPPORTED_ERROR;
}

void ucnv_setFromUCallBack(UConverter *converter, UConverterFromUCallback action,
                           const void *context, UConverterFromUCallback *old,
                           const void **old_context, UErrorCode *error)
{
    (void)converter, (void)action, (void)context, (void)old, (void)old_context;
    *error = U_UNSUPPORTED_ERROR;
}

void UCNV_TO_U_CALLBACK_STOP(const void *context, UConverterToUnicodeArgs *arguments,
                             const char *units, int32_t length, UConverterCallbackReason reason,
                             UErrorCode *error)
{
    (void)context, (void)arguments, (void)units, (void)length, (void)reason, (void)error;
}

void UCNV_FROM_U_CALLBACK_STOP(const void *context, UConverterFromUnicodeArgs *arguments,
                               const UChar *units, int32_t length, UChar32 point,
                               UConverterCallbackReason reason, UErrorCode *error)
{
    (void)context, (void)arguments, (void)units, (void)length, (void)point, (void)reason,
        (void)error;
}
