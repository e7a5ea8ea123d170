# The main job in one call.

spt_tune <- function(x, y, wavelength = NULL, unit, axis_unit = "nm", space = "small", trials = 60, folds = 5, group = NULL,
                     test = NULL, seed = 1, prep = NULL, store = "memory:", name = NULL, sampler = list(), confirm = NULL,
                     seconds = 0, ensemble = FALSE, importance = NULL, callback = NULL, progress = interactive(),
                     na.action = stats::na.omit, ...) {
  call <- match.call()
  if (!is_number(seed)) stop("'seed' must be one whole number")
  dots <- tune_settings(settings(...))
  job <- tune_data(x, y, wavelength, unit, axis_unit, group, test, folds, na.action)
  how <- c(dots$cv, job$cv)
  how$seed <- if (is.null(how$seed)) as.double(seed) else how$seed
  cv <- do.call(spt_cv, c(list(job$dataset, job$target, prep = prep, folds = job$folds), how))
  space <- as_space(space)
  .Call(C_cv_check_space, cv$handle, space_handle(space))
  if (is.character(sampler)) sampler <- list(sampler = sampler)
  if (!inherits(sampler, "spt_sampler") && is.null(sampler$seed)) sampler$seed <- seed
  study <- do.call(spt_study, c(list(store, name, space, sampler), dots$study))
  spt_set_cv(study, cv)
  show <- if (isTRUE(progress)) progress_bar(trials, callback) else list(event = callback, close = function() NULL)
  on.exit(show$close())
  ended <- tune_search(study, trials, seconds, confirm, show$event)
  show$close()
  tune_result(call, cv, study, job, ended, ensemble, importance, seed)
}

# Which of the settings in `...` are the cross-validation's, and which the study's.
tune_settings <- function(list) {
  of_cv <- spt_settings("cv")$name
  of_study <- spt_settings("study")$name
  unknown <- setdiff(names(list), c(of_cv, of_study))
  if (length(unknown) > 0) {
    near <- c(of_cv, of_study)
    near <- near[which.min(utils::adist(unknown[1], near))]
    stop(sprintf("there is no setting '%s'; did you mean '%s'? See spt_settings(\"cv\") and spt_settings(\"study\")",
                 unknown[1], near), call. = FALSE)
  }
  list(cv = list[names(list) %in% of_cv], study = list[names(list) %in% of_study])
}

# The dataset, its target and what is a column of it.
tune_data <- function(x, y, wavelength, unit, axis_unit, group, test, folds, na.action) {
  target <- if (is.character(y) && length(y) == 1) y else "y"
  cv <- list()
  if (!inherits(x, "spt_dataset")) {
    if (missing(unit)) {
      stop("'unit' is missing: \"absorbance\" (log10(1/R)), \"reflectance\" (0 to 1) or \"percent-reflectance\"", call. = FALSE)
    }
    found <- spectra_of(x, wavelength)
    n <- nrow(found$matrix)
    rest <- Filter(function(v) is.atomic(v) && is.null(dim(v)), as.list(found$rest))
    if (is.character(y) && length(y) == 1 && !y %in% names(rest)) {
      stop(sprintf("there is no column '%s' beside the spectra", y), call. = FALSE)
    }
    row <- seq_len(n)
    bad <- missing_spectra(found$matrix)
    dataset <- spt_dataset(found$matrix, wavelength = found$axis, unit = unit, axis_unit = axis_unit, columns = rest,
                           na.action = na.action)
    if (length(bad) > 0) row <- row[-bad]
    if (is.data.frame(x) && is.character(group) && length(group) == 1) group <- x[[group]]
  } else {
    n <- nrow(x)
    row <- seq_len(n)
    dataset <- x
  }
  add <- function(v, name, what) {
    if (length(v) != n) stop(sprintf("'%s' has %d values, there are %d spectra", what, length(v), n), call. = FALSE)
    columns <- stats::setNames(list(v[row]), name)
    do.call(spt_with, c(list(dataset), columns))
  }
  if (!(is.character(y) && length(y) == 1)) {
    if (is.data.frame(y) || is.matrix(y)) {
      if (ncol(y) != 1) stop("'y' has several columns; one property is tuned at a time", call. = FALSE)
      if (!is.null(colnames(y))) target <- colnames(y)
      y <- y[, 1]
    }
    if (is.factor(y) || is.character(y) || is.logical(y)) {
      stop("'y' must be numbers: spectune estimates quantities, not classes", call. = FALSE)
    }
    y[is.nan(y)] <- NA
    dataset <- add(as.double(y), target, "y")
  } else if (is.factor(if (is.data.frame(x)) x[[y]])) {
    stop(sprintf("column '%s' is a factor; spectune estimates quantities, not classes", y), call. = FALSE)
  }
  if (!is.null(group)) {
    if (length(group) > 1) {
      dataset <- add(as.character(group), "group", "group")
      group <- "group"
    }
    cv$group <- group
  }
  if (!is.null(test)) {
    if (is.character(test) && length(test) == 1) {
      cv$test <- test # "column=value"
    } else {
      if (is.numeric(test)) test <- seq_len(n) %in% test
      dataset <- add(ifelse(test %in% TRUE, "yes", "no"), "test", "test")
      cv$test <- "test=yes"
    }
  }
  if (length(folds) > 1) folds <- folds[row]
  list(dataset = dataset, target = target, cv = cv, folds = folds, group = group)
}

# As the tool does: search, then try the best again, to tell what is good from what was lucky.
tune_search <- function(study, trials, seconds, confirm, event) {
  began <- proc.time()[["elapsed"]]
  history <- .Call(C_study_history, study$handle)
  h <- history_of(history)
  ended <- spt_run(study, trials + h$repeated, seconds = seconds, callback = event)
  if (is.null(confirm)) {
    h <- spt_history(study)
    # of a few trials one would try all again
    confirm <- if (h$finished - h$repeated >= 20) c(5, 3) else 0
  }
  confirm <- as.double(confirm)
  if (length(confirm) == 1) confirm <- c(confirm, 3)
  left <- seconds - (proc.time()[["elapsed"]] - began)
  if (confirm[1] == 0 || ended == "SPT_STOP_HOST" || (seconds > 0 && left <= 0)) return(ended)
  spt_confirm(study, confirm[1], confirm[2])
  history <- .Call(C_study_history, study$handle)
  more <- .Call(C_history_outstanding, history)
  if (more > 0) {
    why <- spt_run(study, history_of(history)$finished + more, seconds = if (seconds > 0) left else 0, callback = event)
    if (why %in% c("SPT_STOP_HOST", "SPT_STOP_TIME")) ended <- why
  }
  ended
}

tune_result <- function(call, cv, study, job, ended, ensemble, importance, seed) {
  history <- spt_history(study)
  if (history$confirmed < 1) {
    reasons <- history$attributes$text[history$attributes$key == "reason"]
    stop("no trial is complete, so there is no model", if (length(reasons) > 0) paste0("; the last one: ", utils::tail(reasons, 1)),
         call. = FALSE)
  }
  best <- trial_of(history, history$confirmed)
  model <- spt_cv_model(cv, history, ensemble = ensemble)
  predictions <- cv_predictions(study, cv, best$number)
  complete <- sum(history$state == "complete")
  if (is.null(importance)) importance <- complete >= 15
  structure(list(call = call, target = job$target, model = model, best = best,
                 statistics = spt_statistics(predictions$observed, predictions$predicted), predictions = predictions,
                 importance = if (isTRUE(importance)) suppressMessages(spt_importance(history)), history = history,
                 dropped = attr(spt_rows(cv), "dropped"), ended = ended, seed = seed, store = study$store$url,
                 study = study, cv = cv),
            class = "spt_tune")
}

# Each sample as the network of a fold predicted it that had not seen it.
cv_predictions <- function(study, cv, trial) {
  rows <- spt_rows(cv)
  samples <- cv$dataset
  average <- if (is.null(cv$prep)) NULL else cv$prep$steps[names(cv$prep$steps) == "average"]
  if (length(average) > 0) samples <- spt_apply(do.call(spt_prep, average), samples)
  observed <- .Call(C_dataset_values, samples$handle, cv$target)[rows$row]
  predicted <- spt_block(study$store, "predictions", study = spt_history(study)$name, trial = trial, what = "float32")
  data.frame(row = rows$row, id = spt_ids(samples)[rows$row], fold = rows$fold, observed = observed, predicted = predicted,
             stringsAsFactors = FALSE)
}

progress_bar <- function(trials, callback) {
  bar <- NULL
  event <- function(e) {
    if (e$kind == "trial_end") {
      # on the way of the confirming trials the bar is full
      if (is.null(bar)) bar <<- utils::txtProgressBar(0, max(1, trials), style = 3)
      utils::setTxtProgressBar(bar, min(e$trial + 1, trials))
    }
    if (!is.null(callback)) callback(e)
  }
  list(event = event, close = function() {
    if (!is.null(bar)) close(bar)
    bar <<- NULL
  })
}

# ---- methods ----

print.spt_tune <- function(x, ...) {
  b <- x$best
  counts <- table(factor(x$history$state, c("complete", "pruned", "failed")))
  spread <- suppressWarnings(as.numeric(b$attributes["rmse_sd"]))
  print_lines(sprintf("'%s': %d trials (%d complete, %d pruned, %d failed)", x$target, sum(counts), counts[["complete"]],
                      counts[["pruned"]], counts[["failed"]]))
  print_lines(sprintf("best is trial %.0f: cross-validated RMSE %s%s", b$number, short(b$value),
                      if (is.na(spread)) "" else paste0(" +- ", short(spread, 2), " (folds)")))
  if (b$repeats[["n"]] > 0) {
    print_lines(sprintf("tried %.0f times again: RMSE %s +- %s (trials)", b$repeats[["n"]], short(b$repeats[["mean"]]),
                        short(b$repeats[["sd"]], 2)))
  }
  print(x$model)
  invisible(x)
}

summary.spt_tune <- function(object, ...) structure(list(fit = object), class = "summary.spt_tune")

print.summary.spt_tune <- function(x, ...) {
  fit <- x$fit
  print(fit)
  cat("cross-validation, all folds together:\n")
  print(fit$statistics)
  cat("configuration:\n")
  p <- fit$best$params
  print_lines(sprintf("  %-22s %s", names(p), vapply(p, function(v) format(v, digits = 4), "")))
  if (length(fit$dropped) > 0) print_lines("left out: ", fit$dropped)
  if (!is.null(fit$importance)) print(fit$importance, n = 5)
  invisible(x)
}

coef.spt_tune <- function(object, ...) object$best$params
fitted.spt_tune <- function(object, ...) stats::setNames(object$predictions$predicted, object$predictions$id)
residuals.spt_tune <- function(object, ...) {
  p <- object$predictions
  stats::setNames(p$observed - p$predicted, p$id)
}
nobs.spt_tune <- function(object, ...) nrow(object$predictions)

predict.spt_tune <- function(object, newdata, ...) {
  if (missing(newdata)) return(fitted(object))
  predict(object$model, newdata, ...)
}

as.data.frame.spt_tune <- function(x, row.names = NULL, optional = FALSE, ..., what = c("trials", "predictions")) {
  what <- match.arg(what)
  if (what == "predictions") x$predictions else as.data.frame(x$history, row.names = row.names, ...)
}

# Predicted against observed; the history; importance; the curve of a parameter.
plot.spt_tune <- function(x, y, which = c("predictions", "history", "importance"), ...) {
  if (missing(which)) which <- "predictions"
  if (which == "history") {
    plot(x$history, ...)
  } else if (which == "importance") {
    plot(spt_importance(x), ...)
  } else if (which == "predictions") {
    plot_predictions(x, ...)
  } else {
    plot(spt_importance(x), which = which, ...)
  }
  invisible(x)
}

plot_predictions <- function(x, xlab = paste("observed", x$target), ylab = paste("predicted", x$target), main = NULL,
                             pch = 19, col = grDevices::adjustcolor("steelblue4", 0.6), ...) {
  p <- x$predictions
  limits <- range(p$observed, p$predicted, na.rm = TRUE)
  graphics::plot(p$observed, p$predicted, xlim = limits, ylim = limits, xlab = xlab, ylab = ylab, main = main, pch = pch,
                 col = col, ...)
  graphics::abline(0, 1, col = "grey50")
  s <- x$statistics
  graphics::legend("topleft", bty = "n", legend = c(sprintf("RMSE %s", short(s[["rmse"]])), sprintf("R2 %s", short(s[["r2"]], 3)),
                                                    sprintf("RPIQ %s", short(s[["rpiq"]], 3))))
}
