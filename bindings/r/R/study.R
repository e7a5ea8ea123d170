# Studies: a sampler proposes, an objective scores, the store keeps the record.

spt_study <- function(store = "memory:", name = NULL, space = NULL, sampler = list(), ...) {
  store <- spt_store(store)
  if (!is.null(space)) space <- as_space(space)
  own <- inherits(sampler, "spt_sampler")
  if (is.character(sampler)) sampler <- list(sampler = sampler)
  h <- .Call(C_study_open, store$handle, name, if (is.null(space)) NULL else space_handle(space),
             if (own) list() else do.call(settings, as.list(sampler)))
  study <- structure(list(handle = h, store = store, state = new.env(parent = emptyenv())), class = "spt_study")
  # the space as it is on record
  study$state$space <- new_space(.Call(C_history_space, .Call(C_study_history, h)))
  if (own) {
    .Call(C_study_set_sampler, h, sampler$handle)
    study$state$sampler <- sampler # its R function must stay
  }
  rules <- settings(...)
  if (length(rules) > 0) .Call(C_study_set, h, rules)
  study
}

spt_rules <- function(study, ...) {
  .Call(C_study_set, check_class(study, "spt_study")$handle, settings(...))
  invisible(study)
}

spt_set_cv <- function(study, cv) {
  .Call(C_study_set_cv, check_class(study, "spt_study")$handle, check_class(cv, "spt_cv")$handle)
  study$state$cv <- cv
  invisible(study)
}

spt_pin <- function(study, key, text) {
  .Call(C_study_pin, check_class(study, "spt_study")$handle, key, text)
  invisible(study)
}

# ---- the run loop ----

spt_run <- function(study, trials, objective = NULL, seconds = 0, callback = NULL, catch = FALSE) {
  check_class(study, "spt_study")
  if (inherits(objective, "spt_cv")) {
    spt_set_cv(study, objective)
    objective <- NULL
  }
  if (!is.null(objective)) objective <- match.fun(objective)
  if (!is.null(callback)) callback <- match.fun(callback)
  ended <- .Call(C_study_run, study$handle, trials, seconds,
                 if (is.null(objective)) NULL else function(handle) run_objective(handle, objective, catch), callback)
  # the objective took the place of the cross-validation
  if (!is.null(objective) && !is.null(study$state$cv)) spt_set_cv(study, study$state$cv)
  invisible(ended)
}

STATUS <- c(ok = 0, stop_time = 2, stop_host = 3, pruned = 10, callback = -20)

# Called from C for each trial; gives c(status, loss).
run_objective <- function(handle, objective, catch) {
  trial <- new_trial(handle)
  attach_reason <- function(e) {
    try(.Call(C_trial_attach, handle, "reason", reason_of(e)), silent = TRUE)
  }
  tryCatch({
    value <- if (isTRUE(catch)) {
      tryCatch(objective(trial), error = function(e) {
        if (inherits(e, "spt_timeout")) stop(e)
        attach_reason(e)
        NULL
      })
    } else {
      withCallingHandlers(objective(trial), error = function(e) if (!inherits(e, "spt_timeout")) attach_reason(e))
    }
    if (is.null(value) && isTRUE(catch)) return(c(STATUS[["callback"]], NaN))
    if (!is.numeric(value) || length(value) != 1) {
      e <- simpleError("the objective must return one number, the loss")
      attach_reason(e)
      stop(e)
    }
    c(STATUS[["ok"]], as.double(value))
  }, spt_pruned = function(c) c(STATUS[["pruned"]], trial$state$last),
  spt_timeout = function(c) c(STATUS[["stop_time"]], NaN))
}

reason_of <- function(e) {
  text <- gsub("[[:cntrl:][:space:]]+", " ", conditionMessage(e))
  substr(enc2utf8(text), 1, 500)
}

# ---- trials ----

new_trial <- function(handle, study = NULL) {
  state <- new.env(parent = emptyenv())
  state$last <- NaN
  structure(list(handle = handle, state = state, study = study), class = "spt_trial")
}

# $number and $params are asked for when they are wanted.
`$.spt_trial` <- function(x, name) {
  if (name %in% c("number", "params")) return(.Call(C_trial_about, .subset2(x, "handle"))[[name]])
  .subset2(x, name)
}

print.spt_trial <- function(x, ...) {
  if (is_stale(x$handle)) {
    print_lines("a trial that is over")
  } else {
    p <- x$params
    print_lines(sprintf("trial %.0f: %s", x$number,
                        paste(names(p), vapply(p, function(v) format(v, digits = 4), ""), sep = " = ", collapse = ", ")))
  }
  invisible(x)
}

spt_report <- function(trial, value, step) {
  trial$state$last <- as.double(value)
  if (.Call(C_trial_report, check_class(trial, "spt_trial")$handle, step, value) == STATUS[["stop_time"]]) timeout(trial)
  invisible(trial)
}

spt_heartbeat <- function(trial) {
  if (.Call(C_trial_heartbeat, check_class(trial, "spt_trial")$handle) == STATUS[["stop_time"]]) timeout(trial)
  invisible(trial)
}

timeout <- function(trial) {
  stop(structure(class = c("spt_timeout", "error", "condition"),
                 list(message = sprintf("trial %.0f has taken longer than the study allows", trial$number), call = NULL)))
}

spt_should_prune <- function(trial) .Call(C_trial_should_prune, check_class(trial, "spt_trial")$handle)

spt_prune <- function() {
  stop(structure(class = c("spt_pruned", "condition"), list(message = "the trial is given up", call = NULL)))
}

# .trial: attributes may be called anything.
spt_attach <- function(.trial, ...) {
  values <- list(...)
  for (key in names(values)) {
    v <- values[[key]]
    if (is.factor(v)) v <- as.character(v)
    .Call(C_trial_attach, check_class(.trial, "spt_trial")$handle, key, if (is.character(v)) enc2utf8(v) else v)
  }
  invisible(.trial)
}

# ---- ask and tell ----

spt_ask <- function(study, n = NULL, check = NULL) {
  check_class(study, "spt_study")
  if (!is.null(check)) check <- match.fun(check)
  handles <- .Call(C_study_ask, study$handle, if (is.null(n)) 1 else n, check)
  trials <- lapply(handles, new_trial, study = study)
  if (is.null(n)) {
    if (length(trials) == 0) return(NULL)
    trials[[1]]
  } else {
    trials
  }
}

spt_ask_given <- function(study, values) {
  check_class(study, "spt_study")
  new_trial(.Call(C_study_ask_given, study$handle, space_handle(study$state$space), as_values(values)), study)
}

spt_tell <- function(trial, value = NaN, state = c("complete", "pruned", "failed"), reason = NULL) {
  check_class(trial, "spt_trial")
  if (missing(state) && is.na(value)) state <- "failed" else state <- match.arg(state)
  if (!is.null(reason)) .Call(C_trial_attach, trial$handle, "reason", enc2utf8(reason))
  .Call(C_trial_tell, trial$handle, state, as.double(value))
  invisible(trial)
}

spt_enqueue <- function(study, values, partly = FALSE) {
  check_class(study, "spt_study")
  invisible(.Call(C_study_enqueue, study$handle, space_handle(study$state$space), as_values(values), partly))
}

spt_warm_start <- function(study, from, k = 5) {
  invisible(.Call(C_study_warm_start, check_class(study, "spt_study")$handle, history_handle(from), k))
}

spt_confirm <- function(study, k = 5, repeats = 3) {
  invisible(.Call(C_study_confirm, check_class(study, "spt_study")$handle, k, repeats))
}

spt_replay <- function(study, number) .Call(C_study_replay, check_class(study, "spt_study")$handle, number)

as.data.frame.spt_study <- function(x, row.names = NULL, optional = FALSE, ..., attributes = TRUE) {
  as.data.frame(spt_history(x), row.names = row.names, attributes = attributes)
}

print.spt_study <- function(x, ...) {
  print(spt_history(x))
  invisible(x)
}

summary.spt_study <- function(object, ...) summary(spt_history(object))
plot.spt_study <- function(x, y, ...) {
  plot(spt_history(x), ...)
  invisible(x)
}

# ---- samplers ----

new_sampler <- function(handle, space) structure(list(handle = handle, space = space), class = "spt_sampler")

spt_sampler <- function(space, ...) {
  space <- as_space(space)
  new_sampler(.Call(C_sampler_new, space_handle(space), settings(...)), space)
}

spt_sampler_given <- function(space, configs) {
  space <- as_space(space)
  if (is.data.frame(configs)) configs <- lapply(seq_len(nrow(configs)), function(i) configs[i, , drop = FALSE])
  new_sampler(.Call(C_sampler_given, space_handle(space), lapply(configs, as_values)), space)
}

spt_sampler_host <- function(space, propose, seed = 1) {
  space <- as_space(space)
  propose <- match.fun(propose)
  own <- function(trials, sequence, attempt, seed) {
    values <- propose(trials, sequence, attempt, seed)
    if (is.null(values)) NULL else as_values(values)
  }
  new_sampler(.Call(C_sampler_host, space_handle(space), own, list(seed = as.double(seed))), space)
}

spt_propose <- function(sampler, sequence) .Call(C_sampler_propose, check_class(sampler, "spt_sampler")$handle, sequence)

spt_learn <- function(sampler, sequence, values, loss = NaN, state = "complete", steps = 0) {
  check_class(sampler, "spt_sampler")
  .Call(C_sampler_tell, sampler$handle, space_handle(sampler$space), sequence, as_values(values), state, loss, steps)
  invisible(sampler)
}

spt_densities <- function(sampler, values) {
  check_class(sampler, "spt_sampler")
  d <- .Call(C_sampler_densities, sampler$handle, space_handle(sampler$space), as_values(values))
  c(good = d[1], bad = d[2])
}

print.spt_sampler <- function(x, ...) {
  print_lines("a sampler")
  invisible(x)
}

# ---- cross-validation ----

spt_cv <- function(dataset, target, ..., prep = NULL, folds = 5) {
  check_class(dataset, "spt_dataset")
  how <- settings(...)
  given <- NULL
  if (length(folds) == 1) {
    how$folds <- as.double(folds)
  } else {
    given <- as.integer(factor(folds))
    given[is.na(folds)] <- NA
  }
  h <- .Call(C_cv_new, dataset$handle, prep_handle(prep), target, given, how)
  structure(list(handle = h, dataset = dataset, target = target, prep = prep), class = "spt_cv")
}

spt_rows <- function(cv) {
  a <- .Call(C_cv_about, check_class(cv, "spt_cv")$handle)
  structure(data.frame(row = a$rows, fold = a$folds), dropped = a$dropped)
}

print.spt_cv <- function(x, ...) {
  rows <- spt_rows(x)
  print_lines(sprintf("cross-validation of '%s': %d samples in %d folds", x$target, nrow(rows), length(unique(rows$fold))))
  if (length(attr(rows, "dropped")) > 0) print_lines("  left out: ", attr(rows, "dropped"))
  invisible(x)
}

spt_cv_model <- function(cv, x, trial = NULL, ensemble = FALSE, callback = NULL) {
  h <- spt_history(x)
  index <- if (is.null(trial)) h$confirmed else match(trial, h$number)
  if (is.na(index) || index < 1) stop("there is no such trial, or none is complete")
  if (!is.null(callback)) callback <- match.fun(callback)
  new_model(.Call(C_cv_model, check_class(cv, "spt_cv")$handle, history_handle(h), index, ensemble, callback))
}
