/* Spaces and configurations. Configurations cross as named lists: a number, a text or a logical for
 * each parameter that exists. */
#include "entries.h"
#include "glue.h"

#include <string.h>

/* ---- configurations ---- */

SEXP config_list(const spt_config *config)
{
    if (config == NULL) return R_NilValue;
    const spt_space *space = spt_config_space(config);
    const int n = (int)spt_space_count(space);
    int there = 0, k = 0;
    spt_parameter_info info;
    spt_record_init(&info, sizeof info);
    for (int i = 0; i < n; i++) {
        check_plain(spt_space_describe(space, i, &info));
        there += spt_config_exists(config, info.name) == 1;
    }
    SEXP list = PROTECT(Rf_allocVector(VECSXP, there));
    SEXP names = PROTECT(Rf_allocVector(STRSXP, there));
    for (int i = 0; i < n && k < there; i++) {
        double value = 0;
        check_plain(spt_space_describe(space, i, &info));
        if (spt_config_exists(config, info.name) != 1) continue;
        check_plain(spt_config_number(config, info.name, &value));
        SET_STRING_ELT(names, k, Rf_mkCharCE(info.name, CE_UTF8));
        if (info.type == SPT_PARAMETER_BOOL)
            SET_VECTOR_ELT(list, k, Rf_ScalarLogical(value != 0));
        else if (info.type == SPT_PARAMETER_FLOAT || info.type == SPT_PARAMETER_INT)
            SET_VECTOR_ELT(list, k, Rf_ScalarReal(value));
        else
            SET_VECTOR_ELT(list, k, text_new(spt_config_choice(config, info.name)));
        k++;
    }
    Rf_setAttrib(list, R_NamesSymbol, names);
    UNPROTECT(2);
    return list;
}

static int32_t set_one(spt_config *config, const char *name, SEXP v)
{
    const spt_space *space = spt_config_space(config);
    const int64_t i = spt_space_find(space, name);
    spt_parameter_info info;
    spt_record_init(&info, sizeof info);
    if (i >= 0) check_plain(spt_space_describe(space, (int32_t)i, &info));
    if (i >= 0 && (info.type == SPT_PARAMETER_FLOAT || info.type == SPT_PARAMETER_INT))
        return spt_config_set_number(config, name, number_of(v, name));
    if (TYPEOF(v) == LGLSXP && XLENGTH(v) == 1)
        return spt_config_set_text(config, name, LOGICAL(v)[0] == 1 ? "true" : "false");
    if (TYPEOF(v) != STRSXP) {
        SEXP s = PROTECT(Rf_coerceVector(v, STRSXP));
        int32_t status = spt_config_set_text(config, name, text_of(s, name));
        UNPROTECT(1);
        return status;
    }
    return spt_config_set_text(config, name, text_of(v, name));
}

/* Parameters that others hang on may stand behind them: what cannot be set yet is tried again. */
void config_fill(spt_config *config, SEXP values)
{
    const R_xlen_t n = Rf_xlength(values);
    SEXP names = Rf_getAttrib(values, R_NamesSymbol);
    if (n == 0) return;
    if (TYPEOF(values) != VECSXP || names == R_NilValue)
        Rf_error("values of parameters must be a named list");
    char *done = R_alloc((size_t)n, 1);
    memset(done, 0, (size_t)n);
    R_xlen_t left = n, before = n + 1, failed = 0;
    while (left > 0 && left < before) {
        before = left;
        for (R_xlen_t i = 0; i < n; i++) {
            if (done[i]) continue;
            done[i] = set_one(config, Rf_translateCharUTF8(STRING_ELT(names, i)),
                              VECTOR_ELT(values, i)) >= 0;
            if (done[i])
                left--;
            else
                failed = i;
        }
    }
    if (left > 0) /* once more, for its words */
        check(set_one(config, Rf_translateCharUTF8(STRING_ELT(names, failed)),
                      VECTOR_ELT(values, failed)));
}

SEXP config_make(const spt_space *space, SEXP values)
{
    spt_config *c = NULL;
    SEXP x = PROTECT(handle_new(K_CONFIG));
    int32_t status = spt_config_new(session(), space, &c);
    made(x, c, status);
    config_fill(c, values);
    UNPROTECT(1);
    return x;
}

SEXP R_config_complete(SEXP space, SEXP values, SEXP forbidden)
{
    SEXP x = PROTECT(config_make(handle_get(space, K_SPACE), values));
    if (Rf_asLogical(forbidden) == 1) check(spt_config_check(handle_get(x, K_CONFIG)));
    SEXP list = config_list(handle_get(x, K_CONFIG));
    UNPROTECT(1);
    return list;
}

SEXP R_config_read(SEXP space, SEXP path)
{
    spt_config *c = NULL;
    SEXP x = PROTECT(handle_new(K_CONFIG));
    int32_t status =
        spt_config_read(session(), handle_get(space, K_SPACE), text_of(path, "path"), &c);
    made(x, c, status);
    SEXP list = config_list(c);
    UNPROTECT(1);
    return list;
}

SEXP R_config_write(SEXP space, SEXP values, SEXP path)
{
    SEXP x = PROTECT(config_make(handle_get(space, K_SPACE), values));
    check(spt_config_write(session(), handle_get(x, K_CONFIG), text_of(path, "path")));
    UNPROTECT(1);
    return R_NilValue;
}

/* ---- spaces ---- */

SEXP R_space_new(SEXP name)
{
    spt_space *s = NULL;
    SEXP out = PROTECT(handle_new(K_SPACE));
    int32_t status = spt_space_new(session(), text_of(name, "name"), &s);
    made(out, s, status);
    UNPROTECT(1);
    return out;
}

SEXP R_space_preset(SEXP name)
{
    spt_space *s = NULL;
    SEXP out = PROTECT(handle_new(K_SPACE));
    int32_t status = spt_space_preset(session(), text_of(name, "name"), &s);
    made(out, s, status);
    UNPROTECT(1);
    return out;
}

SEXP R_space_presets(void)
{
    int n = 0;
    while (spt_space_preset_name(n) != NULL)
        n++;
    SEXP x = PROTECT(Rf_allocVector(STRSXP, n));
    for (int i = 0; i < n; i++)
        SET_STRING_ELT(x, i, Rf_mkCharCE(spt_space_preset_name(i), CE_UTF8));
    UNPROTECT(1);
    return x;
}

SEXP R_space_read(SEXP path)
{
    spt_space *s = NULL;
    SEXP out = PROTECT(handle_new(K_SPACE));
    int32_t status = spt_space_read(session(), text_of(path, "path"), &s);
    made(out, s, status);
    UNPROTECT(1);
    return out;
}

SEXP R_space_from_text(SEXP xml)
{
    spt_space *s = NULL;
    const char *text = text_of(xml, "xml");
    SEXP out = PROTECT(handle_new(K_SPACE));
    int32_t status =
        spt_space_read_memory(session(), text, (int64_t)strlen(text), "space of this object", &s);
    made(out, s, status);
    UNPROTECT(1);
    return out;
}

SEXP R_space_text(SEXP space)
{
    int64_t n = 0;
    const spt_space *s = handle_get(space, K_SPACE);
    spt_space_xml(s, NULL, 0, &n);
    char *buffer = R_alloc((size_t)n + 1, 1);
    check_plain(spt_space_xml(s, buffer, n + 1, &n));
    return text_new(buffer);
}

SEXP R_space_write(SEXP space, SEXP path)
{
    check(spt_space_write(session(), handle_get(space, K_SPACE), text_of(path, "path")));
    return R_NilValue;
}

SEXP R_space_add_number(SEXP space, SEXP name, SEXP range, SEXP log, SEXP is_int)
{
    spt_space *s = handle_get(space, K_SPACE);
    const char *text = text_of(name, "name");
    if (TYPEOF(range) != REALSXP || XLENGTH(range) != 4)
        Rf_error("low, high, step and default are wanted");
    const double *r = REAL(range);
    const int32_t by_log = Rf_asLogical(log) == 1;
    if (Rf_asLogical(is_int) == 1) {
        for (int i = 0; i < 4; i++)
            if (!(r[i] >= -9007199254740992.0 && r[i] <= 9007199254740992.0) ||
                r[i] != (double)(int64_t)r[i])
                Rf_error("'%s': spt_int() wants whole numbers", text);
        check(spt_space_add_int(s, text, (int64_t)r[0], (int64_t)r[1], (int64_t)r[2], by_log,
                                (int64_t)r[3]));
    } else {
        check(spt_space_add_float(s, text, r[0], r[1], r[2], by_log, r[3]));
    }
    return R_NilValue;
}

SEXP R_space_add_choices(SEXP space, SEXP name, SEXP choices, SEXP value, SEXP ordered)
{
    spt_space *s = handle_get(space, K_SPACE);
    const char *text = text_of(name, "name");
    const int32_t at = small_of(value, "default");
    if (TYPEOF(choices) == LGLSXP)
        check(spt_space_add_bool(s, text, at));
    else if (Rf_asLogical(ordered) == 1)
        check(spt_space_add_ordinal(s, text, texts_of(choices, "choices"),
                                    (int32_t)XLENGTH(choices), at));
    else
        check(spt_space_add_categorical(s, text, texts_of(choices, "choices"),
                                        (int32_t)XLENGTH(choices), at));
    return R_NilValue;
}

static int32_t op_of(SEXP op)
{
    static const char *const names[] = {"==", "!=", "<", "<=", ">", ">=", "in"};
    const char *text = text_of(op, "op");
    for (int i = 0; i < 7; i++)
        if (strcmp(text, names[i]) == 0) return i + 1;
    Rf_error("comparisons are ==, !=, <, <=, >, >= and in; this is '%s'", text);
}

SEXP R_space_condition(SEXP space, SEXP child, SEXP parent, SEXP op, SEXP values)
{
    check(spt_space_add_condition(handle_get(space, K_SPACE), text_of(child, "child"),
                                  text_of(parent, "parent"), op_of(op), texts_of(values, "values"),
                                  (int32_t)XLENGTH(values)));
    return R_NilValue;
}

SEXP R_space_group(SEXP space, SEXP name, SEXP group)
{
    check(spt_space_set_group(handle_get(space, K_SPACE), text_of(name, "name"),
                              text_of(group, "group")));
    return R_NilValue;
}

/* `parameter` NULL: start a combination. */
SEXP R_space_forbid(SEXP space, SEXP parameter, SEXP op, SEXP values)
{
    spt_space *s = handle_get(space, K_SPACE);
    if (parameter == R_NilValue)
        check(spt_space_forbid(s));
    else
        check(spt_space_forbid_term(s, text_of(parameter, "parameter"), op_of(op),
                                    texts_of(values, "values"), (int32_t)XLENGTH(values)));
    return R_NilValue;
}

SEXP R_space_about(SEXP space)
{
    static const char *const names[] = {"name",    "type",    "low",   "high",      "step", "log",
                                        "default", "choices", "group", "condition", NULL};
    static const char *const types[] = {"", "float", "int", "categorical", "ordinal", "bool"};
    static const int kinds[] = {STRSXP, STRSXP, REALSXP, REALSXP, REALSXP,
                                LGLSXP, STRSXP, VECSXP,  STRSXP,  STRSXP};
    const spt_space *s = handle_get(space, K_SPACE);
    const int n = (int)spt_space_count(s), nf = (int)spt_space_forbidden_count(s);
    SEXP all = PROTECT(Rf_allocVector(VECSXP, 3));
    SET_VECTOR_ELT(all, 0, text_new(spt_space_name(s)));
    SEXP list = list_new(names);
    SET_VECTOR_ELT(all, 1, list);
    for (int k = 0; k < 10; k++)
        SET_VECTOR_ELT(list, k, Rf_allocVector((SEXPTYPE)kinds[k], n));
    for (int i = 0; i < n; i++) {
        spt_parameter_info p;
        char number[40];
        spt_record_init(&p, sizeof p);
        check_plain(spt_space_describe(s, i, &p));
        const int numeric = p.n_choices == 0;
        snprintf(number, sizeof number, "%.15g", p.value);
        SET_STRING_ELT(VECTOR_ELT(list, 0), i, Rf_mkCharCE(p.name, CE_UTF8));
        SET_STRING_ELT(VECTOR_ELT(list, 1), i,
                       Rf_mkChar(p.type >= 1 && p.type <= 5 ? types[p.type] : ""));
        REAL(VECTOR_ELT(list, 2))[i] = numeric ? p.low : NA_REAL;
        REAL(VECTOR_ELT(list, 3))[i] = numeric ? p.high : NA_REAL;
        REAL(VECTOR_ELT(list, 4))[i] = numeric ? p.step : NA_REAL;
        LOGICAL(VECTOR_ELT(list, 5))[i] = p.log != 0;
        SET_STRING_ELT(VECTOR_ELT(list, 6), i,
                       numeric ? Rf_mkChar(number)
                               : Rf_mkCharCE(spt_space_choice(s, i, (int32_t)p.value), CE_UTF8));
        SEXP choices = Rf_allocVector(STRSXP, p.n_choices);
        SET_VECTOR_ELT(VECTOR_ELT(list, 7), i, choices);
        for (int c = 0; c < p.n_choices; c++)
            SET_STRING_ELT(choices, c, Rf_mkCharCE(spt_space_choice(s, i, c), CE_UTF8));
        SET_STRING_ELT(VECTOR_ELT(list, 8), i, Rf_mkCharCE(p.group, CE_UTF8));
        SET_STRING_ELT(VECTOR_ELT(list, 9), i, Rf_mkCharCE(spt_space_condition(s, i), CE_UTF8));
    }
    SEXP forbidden = Rf_allocVector(STRSXP, nf);
    SET_VECTOR_ELT(all, 2, forbidden);
    for (int i = 0; i < nf; i++)
        SET_STRING_ELT(forbidden, i, Rf_mkCharCE(spt_space_forbidden(s, i), CE_UTF8));
    UNPROTECT(1);
    return all;
}
