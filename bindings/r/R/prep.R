# Pretreatment: recipes (plain values), channels, scaling.

CHANNELS <- c(R = 1, A = 2, "A+D1" = 4, "A+D2" = 8, "A+SNV" = 16)

spt_prep <- function(..., channels = list()) {
  steps <- list(...)
  if (length(steps) > 0 && (is.null(names(steps)) || any(names(steps) == ""))) {
    stop("steps must be named: average = \"sample\", crop = c(1100, 2400), resample = c(low, high, step), decimate = 4")
  }
  prep <- structure(list(steps = Map(step_values, steps, names(steps)), channels = do.call(settings, as.list(channels))),
                    class = "spt_prep")
  prep_handle(prep) # whatever is wrong shows now
  prep
}

step_values <- function(v, name) {
  if (is.character(v)) return(v)
  v <- as.double(v)
  # the mean of the bands, or the first of them
  if (name == "decimate" && length(v) == 1) v <- c(v, 1)
  v
}

prep_handle <- function(prep) {
  if (is.null(prep)) return(NULL)
  if (is.list(prep) && !inherits(prep, "spt_prep")) prep <- do.call(spt_prep, prep)
  check_class(prep, "spt_prep")
  .Call(C_prep_new, prep$steps, prep$channels)
}

format.spt_prep <- function(x, ...) .Call(C_prep_text, prep_handle(x))

print.spt_prep <- function(x, ...) {
  print_lines(format(x))
  invisible(x)
}

spt_apply <- function(prep, dataset) {
  new_dataset(.Call(C_prep_apply, prep_handle(prep), check_class(dataset, "spt_dataset")$handle))
}

spt_channels <- function(dataset, channels = names(CHANNELS), prep = NULL) {
  check_class(dataset, "spt_dataset")
  unknown <- setdiff(channels, names(CHANNELS))
  if (length(unknown) > 0) {
    stop(sprintf("there is no channel '%s'; there are %s", unknown[1], paste(names(CHANNELS), collapse = ", ")))
  }
  if (is.null(prep)) prep <- spt_prep()
  handle <- prep_handle(prep)
  applied <- new_dataset(.Call(C_prep_apply, handle, dataset$handle))
  channels <- names(CHANNELS)[names(CHANNELS) %in% channels]
  a <- .Call(C_prep_channels, handle, applied$handle, sum(CHANNELS[channels]))
  dimnames(a) <- list(spt_ids(applied), short(spt_wavelength(applied), 10), channels)
  a
}

spt_savgol <- function(x, window = 11, order = 2, derivative = 0, spacing = 1) {
  vector <- is.null(dim(x))
  m <- if (vector) matrix(as.double(x), 1) else as.matrix(x)
  storage.mode(m) <- "double"
  y <- .Call(C_prep_savgol, m, spacing, window, order, derivative)
  if (vector) return(as.vector(y))
  dimnames(y) <- dimnames(m)
  y
}

spt_scaler <- function(x, mode = c("centre", "channel", "band", "none"), rows = NULL) {
  storage.mode(x) <- "double"
  mode <- match.arg(mode)
  if (!is.null(rows) && any(rows > nrow(x))) stop(sprintf("'rows' go to %.0f, there are %d samples", max(rows), nrow(x)))
  handle <- .Call(C_scaler_fit, x, if (is.null(rows)) NULL else as.double(rows), mode)
  structure(list(handle = handle, mode = mode, bands = ncol(x), channels = if (length(dim(x)) == 3) dim(x)[3] else 1L),
            class = "spt_scaler")
}

spt_scale <- function(scaler, x) {
  check_class(scaler, "spt_scaler")
  if (ncol(x) != scaler$bands || (if (length(dim(x)) == 3) dim(x)[3] else 1L) != scaler$channels) {
    stop(sprintf("the scaler is for %d bands and %d channels", scaler$bands, scaler$channels))
  }
  storage.mode(x) <- "double"
  y <- .Call(C_scaler_apply, scaler$handle, x)
  dimnames(y) <- dimnames(x)
  y
}

print.spt_scaler <- function(x, ...) {
  print_lines("a scaler: ", x$mode)
  invisible(x)
}
