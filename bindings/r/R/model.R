# Models. An object holds its document too, so that it survives saveRDS().

new_model <- function(handle, report = NULL) {
  structure(list(xml = .Call(C_model_text, handle), handle = handle, report = report), class = "spt_model")
}

model_handle <- function(model) {
  check_class(model, "spt_model", "model")
  if (is_stale(model$handle)) .Call(C_model_from_text, model$xml) else model$handle
}

spt_fit <- function(dataset, target, config = list(), space = "small", epochs = 0, ..., prep = NULL, callback = NULL) {
  check_class(dataset, "spt_dataset")
  if (!is.null(callback)) callback <- match.fun(callback)
  r <- .Call(C_model_fit, dataset$handle, prep_handle(prep), target, space_handle(as_space(space)), as_values(config),
             epochs, settings(...), callback)
  new_model(r$model, unlist(r[-1]))
}

spt_assemble <- function(dataset, network, channels, target, scaler = NULL, prep = NULL, target_mean = NULL,
                         target_sd = NULL, log1p = FALSE) {
  check_class(dataset, "spt_dataset")
  if (is.null(target_mean) != is.null(target_sd)) stop("'target_mean' and 'target_sd' go together")
  new_model(.Call(C_model_assemble, dataset$handle, prep_handle(prep), sum(CHANNELS[channels]),
                  if (is.null(scaler)) NULL else scaler$handle, check_class(network, "spt_network")$handle, target,
                  if (is.null(target_mean)) NULL else as.double(target_mean),
                  if (is.null(target_sd)) NULL else as.double(target_sd), log1p))
}

spt_ensemble <- function(models) new_model(.Call(C_model_ensemble, lapply(models, model_handle)))

spt_read_model <- function(path) new_model(.Call(C_model_read, as_path(path)))

spt_write_model <- function(model, path) {
  if (inherits(model, "spt_tune")) model <- model$model
  .Call(C_model_write, model_handle(model), as_path(path))
  invisible(path)
}

spt_note <- function(model, key, text) new_model(.Call(C_model_note, model_handle(model), key, enc2utf8(text)), model$report)

spt_model_notes <- function(model) {
  a <- .Call(C_model_about, model_handle(model))
  stats::setNames(a$notes, a$keys)
}

print.spt_model <- function(x, ...) {
  a <- .Call(C_model_about, model_handle(x))
  print_lines(sprintf("model of '%s': %.0f network%s, reads %d bands from %s to %s %s, %s", a$target, a$members,
                      if (a$members == 1) "" else "s", length(a$axis), short(a$axis[1], 7),
                      short(a$axis[length(a$axis)], 7), a$axis_unit, a$unit))
  invisible(x)
}

summary.spt_model <- function(object, ...) {
  structure(list(text = .Call(C_model_about, model_handle(object))$summary, notes = spt_model_notes(object)),
            class = "summary.spt_model")
}

print.summary.spt_model <- function(x, ...) {
  cat(x$text)
  invisible(x)
}

# Weights of the first layer, band positions and the like are in the document; what users ask coef() for here are the
# hyperparameters.
coef.spt_model <- function(object, ...) {
  notes <- spt_model_notes(object)
  text <- notes["configuration"]
  if (is.na(text)) return(list())
  parts <- strsplit(strsplit(text, " ", fixed = TRUE)[[1]], "=", fixed = TRUE)
  parts <- parts[lengths(parts) == 2]
  values <- lapply(parts, function(p) utils::type.convert(p[2], as.is = TRUE))
  stats::setNames(values, vapply(parts, `[`, "", 1))
}

predict.spt_model <- function(object, newdata, wavelength = NULL, unit = NULL, resample = FALSE, ...) {
  handle <- model_handle(object)
  about <- .Call(C_model_about, handle)
  keep <- NULL
  if (!inherits(newdata, "spt_dataset")) {
    if (is.null(dim(newdata)) && is.numeric(newdata)) {
      newdata <- matrix(newdata, 1, dimnames = list(NULL, names(newdata)))
      if (is.null(wavelength) && is.null(colnames(newdata)) && ncol(newdata) == length(about$axis)) wavelength <- about$axis
    }
    # a plain matrix without positions is on the model's axis, if it has as many bands
    if (is.matrix(newdata) && is.null(wavelength) && is.null(colnames(newdata))) {
      if (ncol(newdata) != length(about$axis)) {
        stop(sprintf("'newdata' has %d bands, the model reads %d; 'wavelength' says where they are",
                     ncol(newdata), length(about$axis)), call. = FALSE)
      }
      wavelength <- about$axis
    }
    found <- spectra_of(newdata, wavelength)
    m <- found$matrix
    # as other predict() methods: NA in, NA out
    keep <- which(is.finite(rowSums(m)))
    total <- nrow(m)
    names <- rownames(m)
    if (length(keep) == 0) return(stats::setNames(rep(NA_real_, total), names))
    columns <- lapply(as.list(found$rest), function(v) v[keep])
    newdata <- do.call(spt_dataset, list(unname(m[keep, , drop = FALSE]), wavelength = found$axis,
                                         axis_unit = about$axis_unit, unit = if (is.null(unit)) about$unit else unit,
                                         columns = columns))
  }
  r <- .Call(C_model_predict, handle, newdata$handle, resample)
  if (r$bad > 0) {
    warning(sprintf("%.0f of %d spectra cannot be predicted; %s", r$bad, nrow(r$values), r$reason), call. = FALSE)
  }
  v <- r$values
  if (!is.null(keep) && nrow(v) == length(keep)) {
    full <- matrix(NA_real_, total, ncol(v))
    full[keep, ] <- v
    v <- full
    rownames(v) <- names
  } else {
    rownames(v) <- spt_ids(new_dataset(r$samples))
  }
  if (ncol(v) == 1) v[, 1] else v
}

spt_statistics <- function(reference, predicted) {
  s <- unlist(.Call(C_statistics, as.double(reference), as.double(predicted)))
  structure(s, class = "spt_statistics")
}

print.spt_statistics <- function(x, digits = 4, ...) {
  x <- unclass(x)
  print_lines(sprintf("n %.0f   RMSE %s   bias %s   R2 %s   RPIQ %s   RPD %s   CCC %s", x[["n"]], short(x[["rmse"]], digits),
                      short(x[["bias"]], digits), short(x[["r2"]], digits), short(x[["rpiq"]], digits),
                      short(x[["rpd"]], digits), short(x[["ccc"]], digits)))
  invisible(x)
}

as.data.frame.spt_statistics <- function(x, row.names = NULL, optional = FALSE, ...) as.data.frame(as.list(unclass(x)))
