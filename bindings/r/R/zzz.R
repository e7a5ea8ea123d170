# The session: threads, versions, errors.

.onLoad <- function(libname, pkgname) {
  threads <- getOption("spectune.threads", 2L)
  .Call(C_threads, as.double(threads))
  invisible()
}

.onUnload <- function(libpath) {
  # Handles that are still about have finalisers in the shared object: it stays.
  invisible()
}

# Called from C when the library refuses something: the condition has a class of its own.
raise <- function(code, name, message) {
  # the innermost call that a user can know
  calls <- sys.calls()
  known <- vapply(calls, function(c) is.symbol(c[[1]]) && grepl("^spt_|[.]spt_", as.character(c[[1]])), NA)
  call <- if (any(known)) calls[[max(which(known))]]
  if (length(call) > 0 && sum(nchar(deparse(call, nlines = 4))) > 200) call <- call[1]
  stop(structure(
    class = c(tolower(name), "spectune_error", "error", "condition"),
    list(message = message, call = call, status = name)
  ))
}

spt_threads <- function(n = NULL) {
  before <- .Call(C_threads, NULL)
  if (!is.null(n)) .Call(C_threads, as.double(n))
  if (is.null(n)) before else invisible(before)
}

spt_memory_limit <- function(bytes = NULL) {
  before <- .Call(C_memory_limit, NULL)
  if (!is.null(bytes)) .Call(C_memory_limit, as.double(bytes))
  if (is.null(bytes)) before else invisible(before)
}

spt_kernels <- function(name = NULL) {
  .Call(C_kernels, name)
}

spt_version <- function() {
  info <- .Call(C_version_info)
  structure(info$version, build = info$build)
}

spt_settings <- function(what = c("cv", "study", "sampler", "training", "fit", "prep", "csv", "fanova", "ped")) {
  as.data.frame(.Call(C_options_describe, match.arg(what)), stringsAsFactors = FALSE)
}

spt_close <- function(x) {
  .Call(C_close, x$handle)
  invisible()
}

# ---- helpers ----

# Settings that came as `...`, TRUE and FALSE as the library's words.
settings <- function(...) {
  list <- list(...)
  if (length(list) == 0) return(list)
  if (is.null(names(list)) || any(names(list) == "")) {
    stop("settings must be named; spt_settings() lists them", call. = FALSE)
  }
  list <- list[!vapply(list, is.null, NA)]
  lapply(list, function(v) {
    if (is.factor(v)) as.character(v) else if (is.numeric(v)) as.double(v) else v
  })
}

# Those of a list that `what` has; the names of all kinds are checked by the caller.
settings_of <- function(list, what) {
  list[names(list) %in% spt_settings(what)$name]
}

as_path <- function(path) {
  if (!is.character(path) || length(path) != 1 || is.na(path)) stop("'path' must be one file name", call. = FALSE)
  enc2utf8(path.expand(path))
}

is_number <- function(x) is.numeric(x) && length(x) == 1 && !is.na(x)

check_class <- function(x, class, what = deparse(substitute(x))) {
  if (!inherits(x, class)) {
    stop(sprintf("'%s' must be of class \"%s\"", what, class), call. = FALSE)
  }
  x
}

# Values of parameters: a named list (a row of a data frame will do); NA is left out.
as_values <- function(values) {
  if (is.null(values)) return(list())
  values <- as.list(values)
  values <- lapply(values, function(v) if (is.factor(v)) as.character(v) else v)
  values[!vapply(values, function(v) length(v) == 1 && is.na(v), NA)]
}

short <- function(x, digits = 4) formatC(x, digits = digits, format = "g", width = 1)

print_lines <- function(...) cat(paste0(..., "\n"), sep = "")
