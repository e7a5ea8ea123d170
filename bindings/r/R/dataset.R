# Datasets: spectra with an axis, and columns beside them.

# Band positions from column names: "1100", "X1100.5", "spc.1100", "1100 nm".
names_to_axis <- function(names) {
  if (is.null(names)) return(NULL)
  text <- sub("^.*?([0-9]+([.][0-9]+)?)[ ._]*(nm|cm-1|cm1|um)?$", "\\1", names, perl = TRUE)
  suppressWarnings(as.numeric(text))
}

# The longest run of columns whose names are strictly monotone numbers, at least 3 of them.
band_columns <- function(frame) {
  axis <- names_to_axis(names(frame))
  ok <- !is.na(axis) & vapply(frame, function(v) is.numeric(v) && is.null(dim(v)), NA)
  best <- integer()
  for (direction in c(1, -1)) {
    run <- integer()
    for (i in seq_along(axis)) {
      if (ok[i] && (length(run) == 0 || (axis[i] - axis[run[length(run)]]) * direction > 0)) {
        run <- c(run, i)
      } else {
        run <- if (ok[i]) i else integer()
      }
      if (length(run) > length(best)) best <- run
    }
  }
  if (length(best) >= 3) best else integer()
}

# What users have: a matrix; a data frame of bands; a data frame with one matrix column (prospectr). Gives
# list(matrix, axis, rest).
spectra_of <- function(x, wavelength = NULL) {
  rest <- NULL
  if (is.data.frame(x)) {
    matrices <- which(vapply(x, function(v) is.matrix(v) && is.numeric(v), NA))
    if (length(matrices) > 1) {
      stop("the data frame has several matrix columns (", paste(names(x)[matrices], collapse = ", "),
           "); give the one that holds the spectra", call. = FALSE)
    }
    if (length(matrices) == 1) {
      rest <- x[-matrices]
      x <- x[[matrices]]
    } else {
      bands <- if (!is.null(wavelength) && length(wavelength) == ncol(x) && all(vapply(x, is.numeric, NA))) {
        seq_along(x)
      } else {
        band_columns(x)
      }
      if (length(bands) == 0) {
        stop("no column of the data frame is a band: names such as \"1100\" or \"X1100\" are wanted, ",
             "or a matrix column, or 'wavelength'", call. = FALSE)
      }
      rest <- x[-bands]
      x <- as.matrix(x[bands])
    }
  } else if (inherits(x, "AsIs") && is.matrix(x)) {
    x <- unclass(x)
  }
  if (!is.matrix(x) || !is.numeric(x)) {
    stop("'x' must be a numeric matrix, a data frame, or an spt_dataset", call. = FALSE)
  }
  axis <- wavelength
  if (is.null(axis)) {
    axis <- names_to_axis(colnames(x))
    if (is.null(axis) || anyNA(axis)) {
      stop("'wavelength' is missing, and the column names are no band positions", call. = FALSE)
    }
  }
  if (length(axis) != ncol(x)) {
    stop(sprintf("'wavelength' has %d values, 'x' has %d bands", length(axis), ncol(x)), call. = FALSE)
  }
  storage.mode(x) <- "double"
  list(matrix = x, axis = as.double(axis), rest = rest)
}

missing_spectra <- function(m) which(!is.finite(rowSums(m)))

new_dataset <- function(handle) structure(list(handle = handle), class = "spt_dataset")

spt_dataset <- function(x, ..., wavelength = NULL, unit, axis_unit = "nm", columns = NULL, na.action = stats::na.fail) {
  if (missing(unit)) {
    stop("'unit' is missing: \"absorbance\" (log10(1/R)), \"reflectance\" (0 to 1) or \"percent-reflectance\"")
  }
  found <- spectra_of(x, wavelength)
  extra <- list(...)
  if (length(extra) > 0 && (is.null(names(extra)) || any(names(extra) == ""))) {
    stop("columns in '...' must be named")
  }
  columns <- c(as.list(found$rest), as.list(columns), extra)
  m <- found$matrix
  bad <- missing_spectra(m)
  if (length(bad) > 0) {
    how <- if (is.character(na.action)) get(na.action, mode = "function") else na.action
    if (identical(how, stats::na.omit) || identical(how, stats::na.exclude)) {
      warning(sprintf("%d of %d spectra have missing values and are left out (rows %s)", length(bad), nrow(m),
                      paste(utils::head(bad, 5), collapse = ", ")), call. = FALSE)
      columns <- lapply(columns, function(v) v[-bad])
      m <- m[-bad, , drop = FALSE]
    } else {
      stop(sprintf("spectrum %d has a missing or infinite value (%d of %d spectra do); na.action = na.omit leaves them out",
                   bad[1], length(bad), nrow(m)))
    }
  }
  h <- .Call(C_dataset_new, m, found$axis, axis_unit, unit)
  ids <- rownames(m)
  if (!is.null(ids) && !"id" %in% names(columns) && !anyDuplicated(ids) &&
      !identical(ids, as.character(seq_len(nrow(m))))) {
    columns <- c(list(id = ids), columns)
  }
  for (name in names(columns)) {
    h <- .Call(C_dataset_with, h, name, column_values(columns[[name]], name, nrow(m)))
  }
  new_dataset(h)
}

# Numbers as numbers; factors, logicals, dates and texts as texts. NaN is missing, as NA is.
column_values <- function(v, name, n) {
  if (length(v) != n) stop(sprintf("column '%s' has %d values, there are %d spectra", name, length(v), n), call. = FALSE)
  if (is.numeric(v) && !is.object(v)) return(as.double(v))
  enc2utf8(as.character(v))
}

spt_read_csv <- function(path, ...) {
  d <- new_dataset(.Call(C_dataset_read, as_path(path), settings(...)))
  problems <- grep("^warning: ", spt_notes(d), value = TRUE)
  for (p in problems) warning(basename(path), ": ", sub("^warning: ", "", p), call. = FALSE)
  d
}

spt_join_csv <- function(dataset, path, key = NULL, ...) {
  new_dataset(.Call(C_dataset_join, check_class(dataset, "spt_dataset")$handle, as_path(path), key, settings(...)))
}

spt_with <- function(.dataset, ...) {
  h <- check_class(.dataset, "spt_dataset")$handle
  columns <- list(...)
  n <- nrow(.dataset)
  for (name in names(columns)) h <- .Call(C_dataset_with, h, name, column_values(columns[[name]], name, n))
  new_dataset(h)
}

dataset_about <- function(dataset) .Call(C_dataset_about, check_class(dataset, "spt_dataset")$handle)

spt_columns <- function(dataset) as.data.frame(dataset_about(dataset)$columns, stringsAsFactors = FALSE)
spt_notes <- function(dataset) dataset_about(dataset)$notes
spt_wavelength <- function(dataset) dataset_about(dataset)$axis

spt_ids <- function(dataset) .Call(C_dataset_values, check_class(dataset, "spt_dataset")$handle, NULL)

spt_fingerprint <- function(dataset, part = c("spectra", "axis"), column = NULL) {
  part <- if (!is.null(column)) column else c(spectra = "", axis = " axis")[[match.arg(part)]]
  .Call(C_dataset_fingerprint, check_class(dataset, "spt_dataset")$handle, part)
}

spt_take <- function(dataset, rows) {
  check_class(dataset, "spt_dataset")
  n <- nrow(dataset)
  if (is.logical(rows)) {
    if (length(rows) != n || anyNA(rows)) stop(sprintf("'rows' must be %d TRUE or FALSE", n))
    rows <- which(rows)
  } else if (is.numeric(rows) && length(rows) > 0 && all(rows < 0)) {
    rows <- seq_len(n)[rows]
  }
  new_dataset(.Call(C_dataset_take, dataset$handle, as.double(rows)))
}

spt_select <- function(dataset, column, value, keep = TRUE) {
  value <- if (is.numeric(value)) format(value, digits = 17) else as.character(value)
  new_dataset(.Call(C_dataset_select, check_class(dataset, "spt_dataset")$handle, column, value, keep))
}

spt_crop <- function(dataset, low, high) {
  new_dataset(.Call(C_dataset_crop, check_class(dataset, "spt_dataset")$handle, low, high))
}

spt_resample <- function(dataset, wavelength) {
  new_dataset(.Call(C_dataset_resample, check_class(dataset, "spt_dataset")$handle, as.double(wavelength)))
}

spt_decimate <- function(dataset, factor, average = TRUE) {
  new_dataset(.Call(C_dataset_decimate, check_class(dataset, "spt_dataset")$handle, factor, average))
}

spt_average <- function(dataset, column) {
  new_dataset(.Call(C_dataset_average, check_class(dataset, "spt_dataset")$handle, column))
}

spt_folds <- function(dataset, k = 5, group = NULL, seed = 1) {
  .Call(C_dataset_folds, check_class(dataset, "spt_dataset")$handle, group, k, seed)
}

# ---- methods ----

dim.spt_dataset <- function(x) {
  a <- dataset_about(x)
  as.integer(c(a$rows, a$bands))
}

as.matrix.spt_dataset <- function(x, ...) {
  m <- .Call(C_dataset_spectra, x$handle)
  dimnames(m) <- list(spt_ids(x), short(spt_wavelength(x), 10))
  m
}

as.data.frame.spt_dataset <- function(x, row.names = NULL, optional = FALSE, ..., spectra = TRUE) {
  columns <- dataset_about(x)$columns$name
  values <- lapply(columns, function(name) .Call(C_dataset_values, x$handle, name))
  names(values) <- columns
  frame <- if (length(values) > 0) {
    as.data.frame(values, optional = TRUE, stringsAsFactors = FALSE)
  } else {
    data.frame(row.names = seq_len(nrow(x)))
  }
  if (spectra) {
    m <- as.matrix(x)
    rownames(m) <- NULL
    frame$spc <- m
  }
  if (!is.null(row.names)) row.names(frame) <- row.names
  frame
}

print.spt_dataset <- function(x, ...) {
  a <- dataset_about(x)
  print_lines(sprintf("%.0f spectra, %.0f bands from %s to %s %s, %s", a$rows, a$bands, short(a$axis[1], 7),
                      short(a$axis[length(a$axis)], 7), a$axis_unit, a$unit))
  if (length(a$columns$name) > 0) print_lines("columns: ", paste(a$columns$name, collapse = ", "))
  invisible(x)
}

summary.spt_dataset <- function(object, ...) {
  structure(list(about = dataset_about(object)), class = "summary.spt_dataset")
}

print.summary.spt_dataset <- function(x, ...) {
  a <- x$about
  print_lines(sprintf("%.0f spectra, %.0f bands from %s to %s %s, %s", a$rows, a$bands, short(a$axis[1], 7),
                      short(a$axis[length(a$axis)], 7), a$axis_unit, a$unit))
  print(as.data.frame(a$columns, stringsAsFactors = FALSE), row.names = FALSE)
  if (length(a$notes) > 0) print_lines(a$notes)
  invisible(x)
}

plot.spt_dataset <- function(x, y, xlab = NULL, ylab = NULL, type = "l", lty = 1,
                             col = grDevices::adjustcolor("steelblue4", 0.4), ...) {
  a <- dataset_about(x)
  if (is.null(xlab)) xlab <- c(nm = "wavelength, nm", um = "wavelength, \u00b5m", "cm-1" = "wavenumber, 1/cm")[a$axis_unit]
  if (is.null(ylab)) ylab <- a$unit
  graphics::matplot(a$axis, t(as.matrix(x)), type = type, lty = lty, col = col, xlab = xlab, ylab = ylab, ...)
  invisible(x)
}
