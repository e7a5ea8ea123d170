/* Networks by hand: layers, weights, training. */
#include "entries.h"
#include "glue.h"

#include <limits.h>
#include <string.h>

float *samples_of(SEXP x, int64_t *n, int64_t *p, int64_t *c);

static int name_index(const char *text, const char *const *names, const char *what)
{
    for (int i = 0; names[i] != NULL; i++)
        if (strcmp(text, names[i]) == 0) return i + 1;
    Rf_error("there is no %s '%s'", what, text);
}

static double element(SEXP layer, int i)
{
    return number_of(VECTOR_ELT(layer, i), "layer");
}
static int64_t whole(SEXP layer, int i)
{
    return whole_of(VECTOR_ELT(layer, i), "layer");
}
static const char *word(SEXP layer, int i)
{
    return text_of(VECTOR_ELT(layer, i), "layer");
}

/* A layer is list(kind, ...), as layers.R makes it. */
static int32_t add_layer(spt_network *net, SEXP layer)
{
    static const char *const paddings[] = {"valid", "same", NULL},
                             *const pools[] = {"max", "average", NULL},
                             *const activations[] = {"relu", "leaky_relu", "elu",
                                                     "selu", "swish",      NULL};
    const char *kind = word(layer, 0);
    if (strcmp(kind, "conv") == 0)
        return spt_network_add_conv(net, whole(layer, 1), whole(layer, 2), whole(layer, 3),
                                    name_index(word(layer, 4), paddings, "padding"));
    if (strcmp(kind, "pool") == 0)
        return spt_network_add_pool(net, name_index(word(layer, 1), pools, "pooling"),
                                    whole(layer, 2), whole(layer, 3),
                                    name_index(word(layer, 4), paddings, "padding"));
    if (strcmp(kind, "activation") == 0)
        return spt_network_add_activation(net,
                                          name_index(word(layer, 1), activations, "activation"));
    if (strcmp(kind, "batch_norm") == 0) return spt_network_add_batch_norm(net);
    if (strcmp(kind, "dropout") == 0) return spt_network_add_dropout(net, element(layer, 1));
    if (strcmp(kind, "dense") == 0) return spt_network_add_dense(net, whole(layer, 1));
    Rf_error("there is no layer '%s'", kind);
}

SEXP R_network_new(SEXP bands, SEXP channels, SEXP outputs, SEXP layers, SEXP seed)
{
    spt_network *net = NULL;
    SEXP out = PROTECT(handle_new(K_NETWORK));
    int32_t status =
        spt_network_new(session(), whole_of(bands, "bands"), whole_of(channels, "channels"),
                        whole_of(outputs, "outputs"), &net);
    made(out, net, status);
    for (R_xlen_t i = 0; i < XLENGTH(layers); i++)
        check(add_layer(net, VECTOR_ELT(layers, i)));
    check(spt_network_finish(net, seed_of(seed)));
    UNPROTECT(1);
    return out;
}

SEXP R_network_from_config(SEXP space, SEXP values, SEXP bands, SEXP channels, SEXP outputs,
                           SEXP seed)
{
    spt_network *net = NULL;
    SEXP config = PROTECT(config_make(handle_get(space, K_SPACE), values));
    SEXP out = PROTECT(handle_new(K_NETWORK));
    int32_t status = spt_network_from_config(
        session(), handle_get(config, K_CONFIG), whole_of(bands, "bands"),
        whole_of(channels, "channels"), whole_of(outputs, "outputs"), seed_of(seed), &net);
    made(out, net, status);
    UNPROTECT(2);
    return out;
}

SEXP R_config_channels(SEXP space, SEXP values)
{
    int32_t mask = 0;
    SEXP config = PROTECT(config_make(handle_get(space, K_SPACE), values));
    check(spt_config_channels(handle_get(config, K_CONFIG), &mask));
    UNPROTECT(1);
    return Rf_ScalarInteger(mask);
}

SEXP R_network_summary(SEXP network)
{
    int64_t n = 0;
    spt_network *net = handle_get(network, K_NETWORK);
    spt_network_summary(net, NULL, 0, &n);
    char *buffer = R_alloc((size_t)n + 1, 1);
    check(spt_network_summary(net, buffer, n + 1, &n));
    return text_new(buffer);
}

/* All tensors as arrays, the last index slowest here and fastest there. */
SEXP R_network_tensors(SEXP network)
{
    spt_network *net = handle_get(network, K_NETWORK);
    const int64_t n = spt_network_tensors(net);
    SEXP list = PROTECT(Rf_allocVector(VECSXP, (R_xlen_t)n));
    SEXP names = PROTECT(Rf_allocVector(STRSXP, (R_xlen_t)n));
    for (int64_t i = 0; i < n; i++) {
        spt_tensor_info t;
        spt_record_init(&t, sizeof t);
        check(spt_network_tensor(net, i, &t));
        float *values = (float *)R_alloc((size_t)t.size + 1, sizeof *values);
        check(spt_network_values(net, i, values, t.size));
        SEXP x = Rf_allocVector(REALSXP, (R_xlen_t)t.size);
        SET_VECTOR_ELT(list, (R_xlen_t)i, x);
        for (int64_t k = 0; k < t.size; k++)
            REAL(x)[k] = values[k];
        if (t.n_dims > 1) {
            SEXP dim = PROTECT(Rf_allocVector(INTSXP, t.n_dims));
            for (int k = 0; k < t.n_dims; k++)
                INTEGER(dim)[k] = (int)t.dims[t.n_dims - 1 - k];
            Rf_setAttrib(x, R_DimSymbol, dim);
            UNPROTECT(1);
        }
        SET_STRING_ELT(names, (R_xlen_t)i, Rf_mkCharCE(t.name, CE_UTF8));
    }
    Rf_setAttrib(list, R_NamesSymbol, names);
    UNPROTECT(2);
    return list;
}

SEXP R_network_set(SEXP network, SEXP index, SEXP values)
{
    spt_network *net = handle_get(network, K_NETWORK);
    if (TYPEOF(values) != REALSXP) Rf_error("weights must be numbers");
    const R_xlen_t n = XLENGTH(values);
    float *x = (float *)R_alloc((size_t)n + 1, sizeof *x);
    for (R_xlen_t i = 0; i < n; i++)
        x[i] = (float)REAL(values)[i];
    check(spt_network_set_values(net, whole_of(index, "index") - 1, x, n));
    return R_NilValue;
}

SEXP R_network_predict(SEXP network, SEXP x, SEXP outputs)
{
    int64_t n, p, c;
    const int64_t t = whole_of(outputs, "outputs");
    const float *values = samples_of(x, &n, &p, &c);
    float *y = (float *)R_alloc((size_t)(n * t) + 1, sizeof *y);
    check(spt_network_predict(handle_get(network, K_NETWORK), values, n, y));
    SEXP out = PROTECT(Rf_allocMatrix(REALSXP, (int)n, (int)t));
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < t; k++)
            REAL(out)[i + k * n] = y[i * t + k];
    UNPROTECT(1);
    return out;
}

static const float *floats_of(SEXP x, int64_t wanted, const char *name)
{
    if (x == R_NilValue) return NULL;
    if (TYPEOF(x) != REALSXP || XLENGTH(x) != wanted)
        Rf_error("'%s' must have %.0f numbers", name, (double)wanted);
    float *values = (float *)R_alloc((size_t)wanted + 1, sizeof *values);
    for (int64_t i = 0; i < wanted; i++)
        values[i] = (float)REAL(x)[i];
    return values;
}

/* y is n x t of R; float32, row by row here. */
static const float *targets_of(SEXP y, int64_t n, int64_t t)
{
    if (TYPEOF(y) != REALSXP || XLENGTH(y) != n * t)
        Rf_error("'y' must have %.0f numbers", (double)(n * t));
    float *values = (float *)R_alloc((size_t)(n * t) + 1, sizeof *values);
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < t; k++)
            values[i * t + k] = (float)REAL(y)[i + k * n];
    return values;
}

SEXP R_network_fit(SEXP network, SEXP x, SEXP y, SEXP outputs, SEXP weights, SEXP train, SEXP watch,
                   SEXP settings, SEXP epoch)
{
    static const char *const names[] = {"epochs", "best", "loss", "watched", "seconds", NULL};
    spt_training_report r;
    int64_t n, p, c;
    host h;
    spt_record_init(&r, sizeof r);
    spt_network *net = handle_get(network, K_NETWORK);
    SEXP o = PROTECT(options_make(settings, spt_training_options_new));
    SEXP list = PROTECT(list_new(names));
    const float *values = samples_of(x, &n, &p, &c);
    const float *targets = targets_of(y, n, whole_of(outputs, "outputs"));
    const float *w = floats_of(weights, n, "weights");
    const int64_t *rows = rows_of(train), *watched = watch == R_NilValue ? NULL : rows_of(watch);
    spt_options *how = options_get(o);
    const int64_t n_train = XLENGTH(train), n_watch = Rf_xlength(watch);
    host_begin(&h, epoch, R_NilValue);
    int32_t status = spt_network_fit(net, values, targets, w, n, rows, n_train, watched, n_watch,
                                     how, host_epoch, &h, &r);
    host_leave(&h);
    check(status);
    SET_VECTOR_ELT(list, 0, number_new((double)r.epochs));
    SET_VECTOR_ELT(list, 1, number_new((double)r.best));
    SET_VECTOR_ELT(list, 2, number_new(r.loss));
    SET_VECTOR_ELT(list, 3, number_new(r.watched));
    SET_VECTOR_ELT(list, 4, number_new(r.seconds));
    UNPROTECT(2);
    return list;
}

SEXP R_trainer_new(SEXP network, SEXP settings)
{
    spt_trainer *t = NULL;
    SEXP o = PROTECT(options_make(settings, spt_training_options_new));
    SEXP out = PROTECT(handle_new(K_TRAINER));
    int32_t status = spt_trainer_new(handle_get(network, K_NETWORK), options_get(o), &t);
    made(out, t, status);
    R_SetExternalPtrProtected(out, network);
    UNPROTECT(2);
    return out;
}

SEXP R_trainer_step(SEXP trainer, SEXP x, SEXP y, SEXP outputs, SEXP weights)
{
    int64_t n, p, c;
    double loss = NA_REAL;
    spt_trainer *t = handle_get(trainer, K_TRAINER);
    const float *values = samples_of(x, &n, &p, &c);
    const float *targets = targets_of(y, n, whole_of(outputs, "outputs"));
    check(spt_trainer_step(t, values, targets, floats_of(weights, n, "weights"), n, &loss));
    return number_new(loss);
}
