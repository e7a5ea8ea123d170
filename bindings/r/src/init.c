/* Registration: what R may call (.Call), and what other packages may (R_GetCCallable). */
#include "entries.h"
#include "glue.h"

#include <R_ext/Rdynload.h>
#include <R_ext/Visibility.h>

#define X(name, n) {#name, (DL_FUNC)&R_##name, n},
static const R_CallMethodDef entries[] = {ENTRIES(X){NULL, NULL, 0}};
#undef X

/* Every function of the library's headers, written by bundle.sh: X(spt_ctx_new) ... */
#include "callables.h"

attribute_visible void R_init_spectune(DllInfo *dll)
{
    R_registerRoutines(dll, NULL, entries, NULL, NULL);
    R_useDynamicSymbols(dll, FALSE);
    R_forceSymbols(dll, TRUE);
#define X(name) R_RegisterCCallable("spectune", #name, (DL_FUNC)name);
    CALLABLES(X)
#undef X
}
