# Stores: where studies live.

spt_store <- function(url = "memory:", mode = c("create", "open", "readonly")) {
  if (inherits(url, "spt_store")) return(url)
  if (!is.character(url) || length(url) != 1 || is.na(url)) stop("'url' must be one file name or database URL")
  if (!grepl("^[a-z+]+:", url)) url <- as_path(url)
  structure(list(handle = .Call(C_store_open, url, match.arg(mode)), url = url), class = "spt_store")
}

print.spt_store <- function(x, ...) {
  studies <- spt_studies(x)
  # a password in a URL is nobody's business
  print_lines(sprintf("store %s, %d studies", sub("://([^:/@]*):[^@]*@", "://\\1:...@", x$url), length(studies)))
  if (length(studies) > 0) print_lines("  ", studies)
  invisible(x)
}

spt_studies <- function(store) .Call(C_store_studies, spt_store(store, "open")$handle)

spt_export <- function(store, path, study = NULL, format = c("csv", "json")) {
  format <- if (missing(format) && grepl("[.]json$", path)) "json" else match.arg(format)
  .Call(C_store_export, check_class(store, "spt_store")$handle, study, format, as_path(path))
  invisible(path)
}

spt_import <- function(store, path, study = NULL, space = NULL) {
  check_class(store, "spt_store")
  .Call(C_store_import, store$handle, as_path(path), if (is.null(space)) NULL else space_handle(space), study)
  invisible(store)
}

spt_copy <- function(from, to, study = NULL, name = NULL) {
  .Call(C_store_copy, check_class(from, "spt_store")$handle, study, check_class(to, "spt_store")$handle, name)
  invisible(to)
}

spt_stamp <- function(store, optuna = "any") {
  .Call(C_store_stamp, check_class(store, "spt_store")$handle, optuna)
  invisible(store)
}

spt_block <- function(store, key, study = NULL, trial = NULL, what = c("raw", "float32", "int32", "int64")) {
  bytes <- .Call(C_store_block, check_class(store, "spt_store")$handle, study, if (is.null(trial)) -1 else trial, key)
  switch(match.arg(what),
    raw = bytes,
    float32 = readBin(bytes, "numeric", length(bytes) %/% 4, size = 4, endian = "little"),
    int32 = readBin(bytes, "integer", length(bytes) %/% 4, size = 4, endian = "little"),
    int64 = {
      # R has no such type: two halves, the upper one signed
      half <- readBin(bytes, "integer", length(bytes) %/% 4, size = 4, endian = "little")
      low <- half[c(TRUE, FALSE)]
      half[c(FALSE, TRUE)] * 2^32 + ifelse(low < 0, low + 2^32, low)
    })
}

# ---- histories ----

# Of a study, or of one in a store (a file name will do). By value, but for the handle, which importance needs.
spt_history <- function(x, study = NULL) {
  if (inherits(x, "spt_history")) return(x)
  if (inherits(x, "spt_tune")) return(x$history)
  h <- if (inherits(x, "spt_study")) {
    .Call(C_study_history, x$handle)
  } else {
    .Call(C_history_read, spt_store(x, "readonly")$handle, study)
  }
  history_of(h)
}

history_of <- function(h) {
  all <- .Call(C_history_all, h)
  all$space <- new_space(.Call(C_history_space, h))
  all$handle <- h
  structure(all, class = "spt_history")
}

history_handle <- function(x, study = NULL) {
  h <- spt_history(x, study)
  if (is_stale(h$handle)) {
    stop("this result comes from a saved session: its trials are there, what the library made of them is not; ",
         "open the study's file again (spt_history(\"file.db\"))", call. = FALSE)
  }
  h$handle
}

attribute_columns <- function(h) {
  a <- h$attributes
  n <- length(h$number)
  keys <- unique(a$key)
  columns <- lapply(keys, function(key) {
    is <- a$key == key
    v <- rep(NA_character_, n)
    v[a$row[is]] <- a$text[is]
    utils::type.convert(v, as.is = TRUE)
  })
  names(columns) <- keys
  columns
}

as.data.frame.spt_history <- function(x, row.names = NULL, optional = FALSE, ..., attributes = TRUE) {
  time <- function(text) as.POSIXct(text, format = "%Y-%m-%d %H:%M:%OS", tz = "UTC")
  started <- time(x$started)
  ended <- time(x$ended)
  base <- list(number = x$number, state = x$state, value = x$value, started = started, ended = ended,
               seconds = as.numeric(difftime(ended, started, units = "secs")))
  params <- x$params
  clash <- names(params) %in% names(base)
  names(params)[clash] <- paste0("params_", names(params)[clash])
  columns <- c(base, params)
  if (attributes) {
    more <- attribute_columns(x)
    clash <- names(more) %in% names(columns)
    names(more)[clash] <- paste0("attr_", names(more)[clash])
    columns <- c(columns, more)
  }
  frame <- as.data.frame(columns, optional = TRUE, stringsAsFactors = FALSE)
  if (!is.null(row.names)) row.names(frame) <- row.names
  frame
}

spt_steps <- function(x) as.data.frame(spt_history(x)$steps)
spt_records <- function(x) spt_history(x)$records

# One trial: number, value, params, attributes, and what its repetitions gave.
trial_of <- function(h, index) {
  if (length(index) != 1 || is.na(index) || index < 1) return(NULL)
  params <- lapply(h$params, `[`, index)
  is <- h$attributes$row == index
  list(number = h$number[index], value = h$value[index], params = params[!is.na(params)],
       attributes = stats::setNames(h$attributes$text[is], h$attributes$key[is]),
       repeats = c(n = h$repeats_n[index], mean = h$repeats_mean[index], sd = h$repeats_sd[index]))
}

spt_best <- function(x, confirmed = TRUE) {
  h <- spt_history(x)
  trial_of(h, if (confirmed) h$confirmed else h$best)
}

print.spt_history <- function(x, ...) {
  states <- table(factor(x$state, c("complete", "pruned", "failed", "running", "waiting")))
  states <- states[states > 0]
  print_lines(sprintf("study '%s': %s", x$name, if (length(states) > 0) {
    paste(states, names(states), collapse = ", ")
  } else {
    "no trials"
  }))
  best <- spt_best(x)
  if (!is.null(best)) {
    print_lines(sprintf("best: trial %.0f, %s", best$number, short(best$value, 5)))
    print_lines("  ", paste(names(best$params), vapply(best$params, function(v) format(v, digits = 4), ""), sep = " = ", collapse = ", "))
  }
  invisible(x)
}

summary.spt_history <- function(object, ...) {
  v <- object$value[object$state == "complete"]
  structure(list(history = object, values = summary(v)), class = "summary.spt_history")
}

print.summary.spt_history <- function(x, ...) {
  print(x$history)
  print(x$values)
  invisible(x)
}

# The losses in their order, and the best so far.
plot.spt_history <- function(x, y, xlab = "trial", ylab = "loss", log = "", main = x$name, ...) {
  h <- x
  done <- h$state == "complete" & is.finite(h$value)
  if (!any(done)) stop("there is no complete trial to plot")
  n <- h$number[done]
  v <- h$value[done]
  # a few failures of a network are tens of times the rest
  top <- if (length(v) > 4) min(max(v), stats::quantile(v, 0.9, names = FALSE) * 1.5) else max(v)
  graphics::plot(n, pmin(v, top), xlab = xlab, ylab = ylab, log = log, main = main, pch = ifelse(v > top, 2, 19),
                 col = "grey50", ylim = range(c(v[v <= top], top)), ...)
  graphics::lines(n, cummin(v), type = "s", lwd = 2, col = "steelblue4")
  repeated <- !is.na(h$repeats_mean) & done
  if (any(repeated)) graphics::points(h$number[repeated], h$repeats_mean[repeated], pch = 18, col = "firebrick", cex = 1.4)
  invisible(x)
}
