# Networks by hand.

layer <- function(...) structure(list(...), class = "spt_layer")

spt_conv <- function(filters, kernel, stride = 1, padding = c("same", "valid")) {
  layer("conv", filters, kernel, stride, match.arg(padding))
}
spt_batch_norm <- function() layer("batch_norm")
spt_activation <- function(name = c("relu", "leaky_relu", "elu", "selu", "swish")) layer("activation", match.arg(name))
spt_pool <- function(type = c("max", "average"), size = 2, stride = size, padding = c("valid", "same")) {
  layer("pool", match.arg(type), size, stride, match.arg(padding))
}
spt_dropout <- function(share = 0.2) layer("dropout", share)
spt_dense <- function(units) layer("dense", units)

spt_network <- function(bands, channels = 1, outputs = 1, layers = list(), seed = 1, config = NULL, space = "small") {
  h <- if (!is.null(config)) {
    .Call(C_network_from_config, space_handle(as_space(space)), as_values(config), bands, channels, outputs, seed)
  } else {
    if (!all(vapply(layers, inherits, NA, "spt_layer"))) stop("'layers' must be a list of spt_conv(), spt_dense(), ...")
    .Call(C_network_new, bands, channels, outputs, layers, seed)
  }
  structure(list(handle = h, bands = bands, channels = channels, outputs = outputs), class = "spt_network")
}

spt_config_channels <- function(config, space = "small") {
  mask <- .Call(C_config_channels, space_handle(as_space(space)), as_values(config))
  names(CHANNELS)[bitwAnd(mask, as.integer(CHANNELS)) != 0]
}

# The library takes the numbers as they come: what they are is seen to here.
check_samples <- function(network, x) {
  if (is.data.frame(x)) x <- as.matrix(x)
  d <- dim(x)
  if (!is.numeric(x) || length(d) < 2 || length(d) > 3) {
    stop("a numeric matrix (samples x bands) or array (samples x bands x channels) is wanted", call. = FALSE)
  }
  channels <- if (length(d) == 3) d[3] else 1L
  if (d[2] != network$bands || channels != network$channels) {
    stop(sprintf("there are %d bands and %d channels, the network reads %.0f and %.0f", d[2], channels, network$bands,
                 network$channels), call. = FALSE)
  }
  storage.mode(x) <- "double"
  x
}

spt_train <- function(network, x, y, ..., weights = NULL, train = NULL, watch = NULL, callback = NULL) {
  check_class(network, "spt_network")
  x <- check_samples(network, x)
  n <- dim(x)[1]
  rows <- if (is.null(train)) setdiff(seq_len(n), watch) else train
  if (!is.null(callback)) callback <- match.fun(callback)
  unlist(.Call(C_network_fit, network$handle, x, as.double(as.matrix(y)), network$outputs,
               if (is.null(weights)) NULL else as.double(weights), as.double(rows),
               if (is.null(watch)) NULL else as.double(watch), settings(...), callback))
}

spt_trainer <- function(network, ...) {
  check_class(network, "spt_network")
  structure(list(handle = .Call(C_trainer_new, network$handle, settings(...)), network = network), class = "spt_trainer")
}

spt_step <- function(trainer, x, y, weights = NULL) {
  x <- check_samples(check_class(trainer, "spt_trainer")$network, x)
  .Call(C_trainer_step, trainer$handle, x, as.double(as.matrix(y)), trainer$network$outputs,
        if (is.null(weights)) NULL else as.double(weights))
}

# Weights, by name. Arrays have R's order of dimensions: the last one of the headers first.
coef.spt_network <- function(object, ...) .Call(C_network_tensors, object$handle)

spt_set_weights <- function(network, ...) {
  values <- list(...)
  if (length(values) == 1 && is.list(values[[1]])) values <- values[[1]]
  names <- names(coef(network))
  for (name in names(values)) {
    i <- match(name, names)
    if (is.na(i)) stop(sprintf("there is no tensor '%s'; there are %s", name, paste(names, collapse = ", ")))
    .Call(C_network_set, network$handle, i, as.double(values[[name]]))
  }
  invisible(network)
}

predict.spt_network <- function(object, newdata, ...) {
  y <- .Call(C_network_predict, object$handle, check_samples(object, newdata), object$outputs)
  if (ncol(y) == 1) y[, 1] else y
}

print.spt_network <- function(x, ...) {
  cat(.Call(C_network_summary, x$handle))
  invisible(x)
}

summary.spt_network <- function(object, ...) {
  w <- coef(object)
  data.frame(tensor = names(w), shape = vapply(w, function(v) paste(if (is.null(dim(v))) length(v) else rev(dim(v)), collapse = " x "), ""), size = lengths(w),
             row.names = NULL, stringsAsFactors = FALSE)
}
