# Search spaces. An object holds its XML too, so that it survives saveRDS().

new_space <- function(handle) {
  structure(list(xml = .Call(C_space_text, handle), handle = handle), class = "spt_space")
}

# A handle that is alive: made again when the object comes from a saved session.
space_handle <- function(space) {
  if (is.character(space)) space <- as_space(space)
  check_class(space, "spt_space", "space")
  if (is_stale(space$handle)) .Call(C_space_from_text, space$xml) else space$handle
}

is_stale <- function(handle) .Call(C_is_stale, handle)

# The name of a preset, an XML file, or a space.
as_space <- function(space) {
  if (inherits(space, "spt_space")) return(space)
  if (is.character(space) && length(space) == 1) {
    return(if (grepl("[.]xml$", space, ignore.case = TRUE)) spt_read_space(space) else spt_preset(space))
  }
  stop("'space' must be an spt_space, the name of a preset (", paste(spt_presets(), collapse = ", "),
       ") or an XML file", call. = FALSE)
}

spt_presets <- function() .Call(C_space_presets)
spt_preset <- function(name = "small") new_space(.Call(C_space_preset, name))
spt_read_space <- function(path) new_space(.Call(C_space_read, as_path(path)))

spt_write_space <- function(space, path) {
  .Call(C_space_write, space_handle(space), as_path(path))
  invisible(path)
}

spt_float <- function(low, high, default = NULL, step = 0, log = FALSE, when = NULL, group = NULL) {
  if (is.null(default)) default <- if (log) sqrt(low * high) else if (step > 0) low else (low + high) / 2
  parameter("float", range = as.double(c(low, high, step, default)), log = log, when = when, group = group)
}

spt_int <- function(low, high, default = low, step = 1, log = FALSE, when = NULL, group = NULL) {
  parameter("int", range = as.double(c(low, high, step, default)), log = log, when = when, group = group)
}

spt_categorical <- function(choices, default = choices[1], when = NULL, group = NULL) {
  choices_parameter(choices, default, FALSE, when, group)
}

spt_ordinal <- function(choices, default = choices[1], when = NULL, group = NULL) {
  choices_parameter(choices, default, TRUE, when, group)
}

spt_bool <- function(default = FALSE, when = NULL, group = NULL) {
  parameter("choices", choices = c(FALSE, TRUE), at = as.double(isTRUE(default)), ordered = FALSE, when = when, group = group)
}

choices_parameter <- function(choices, default, ordered, when, group) {
  choices <- as.character(choices)
  at <- match(as.character(default), choices)
  if (is.na(at)) stop(sprintf("the default '%s' is none of the choices", default), call. = FALSE)
  parameter("choices", choices = enc2utf8(choices), at = as.double(at - 1), ordered = ordered, when = when, group = group)
}

parameter <- function(type, when, ...) {
  if (inherits(when, "spt_when")) when <- list(when)
  if (!is.null(when) && !all(vapply(when, inherits, NA, "spt_when"))) {
    stop("'when' must be made by spt_when(), or be a list of such", call. = FALSE)
  }
  structure(list(type = type, when = when, ...), class = "spt_parameter")
}

spt_when <- function(parameter, op, values) {
  if (is.logical(values)) values <- ifelse(values, "true", "false")
  if (is.numeric(values)) values <- format(values, digits = 17, trim = TRUE)
  structure(list(parameter = parameter, op = if (op == "%in%") "in" else op, values = enc2utf8(as.character(values))),
            class = "spt_when")
}

# A parameter may be called anything: what has no name is the name of the space.
spt_space <- function(..., forbid = list()) {
  parameters <- list(...)
  unnamed <- if (is.null(names(parameters))) rep(TRUE, length(parameters)) else names(parameters) == ""
  if (sum(unnamed) > 1) stop("parameters must be named; only the name of the space may stand alone")
  h <- .Call(C_space_new, if (any(unnamed)) parameters[[which(unnamed)]] else "space")
  parameters <- parameters[!unnamed]
  for (p in names(parameters)) add_parameter(h, p, parameters[[p]])
  if (inherits(forbid, "spt_when")) forbid <- list(forbid)
  for (combination in forbid) {
    .Call(C_space_forbid, h, NULL, NULL, NULL)
    if (inherits(combination, "spt_when")) combination <- list(combination)
    for (term in combination) .Call(C_space_forbid, h, term$parameter, term$op, term$values)
  }
  new_space(h)
}

add_parameter <- function(h, name, p) {
  check_class(p, "spt_parameter", name)
  if (p$type == "choices") {
    .Call(C_space_add_choices, h, name, p$choices, p$at, p$ordered)
  } else {
    .Call(C_space_add_number, h, name, p$range, p$log, p$type == "int")
  }
  for (w in p$when) .Call(C_space_condition, h, name, w$parameter, w$op, w$values)
  if (!is.null(p$group)) .Call(C_space_group, h, name, p$group)
}

spt_config <- function(space, values = list(), check = TRUE) {
  .Call(C_config_complete, space_handle(space), as_values(values), check)
}

spt_read_config <- function(space, path) .Call(C_config_read, space_handle(space), as_path(path))

spt_write_config <- function(space, values, path) {
  .Call(C_config_write, space_handle(space), as_values(values), as_path(path))
  invisible(path)
}

as.data.frame.spt_space <- function(x, row.names = NULL, optional = FALSE, ...) {
  columns <- .Call(C_space_about, space_handle(x))[[2]]
  columns$choices <- vapply(columns$choices, paste, "", collapse = "|")
  as.data.frame(columns, stringsAsFactors = FALSE, row.names = row.names)
}

length.spt_space <- function(x) length(.Call(C_space_about, space_handle(x))[[2]]$name)

print.spt_space <- function(x, ...) {
  about <- .Call(C_space_about, space_handle(x))
  p <- about[[2]]
  print_lines(sprintf("space '%s', %d parameters", about[[1]], length(p$name)))
  for (i in seq_along(p$name)) {
    range <- if (length(p$choices[[i]]) > 0) {
      paste(p$choices[[i]], collapse = "|")
    } else {
      paste0(short(p$low[i]), " to ", short(p$high[i]), if (p$step[i] > 0 && (p$type[i] == "float" || p$step[i] > 1)) {
        paste0(" by ", short(p$step[i]))
      }, if (p$log[i]) ", log")
    }
    print_lines(sprintf("  %-22s %-12s %s%s", p$name[i], p$type[i], range,
                        if (nzchar(p$condition[i])) paste0("   if ", p$condition[i]) else ""))
  }
  if (length(about[[3]]) > 0) print_lines("  forbidden: ", about[[3]])
  invisible(x)
}
