# Which hyperparameters mattered. Everything by value.

spt_importance <- function(x, ..., study = NULL, curves = TRUE, surfaces = 1) {
  if (inherits(x, "spt_tune") && length(list(...)) == 0 && !is.null(x$importance)) return(x$importance)
  history <- spt_history(x, study)
  f <- .Call(C_fanova_new, history_handle(history), settings(...))
  all <- .Call(C_fanova_all, f)
  mains <- as.data.frame(all$mains, stringsAsFactors = FALSE)
  index <- stats::setNames(mains$index, mains$parameter)
  mains$index <- NULL
  about <- .Call(C_space_about, space_handle(history$space))[[2]]
  result <- list(mains = mains, pairs = as.data.frame(all$pairs, stringsAsFactors = FALSE),
                 residual = c(mains = all$residual[1], pairs = all$residual[2]), out_of_bag = all$out_of_bag,
                 trials = all$trials, variance = all$variance, cut = all$cut, prior = all$prior, warnings = all$warnings,
                 study = history$name)
  if (curves) {
    wanted <- mains$parameter[index >= 0]
    result$curves <- stats::setNames(lapply(wanted, function(p) curve_of(f, about, index[[p]])), wanted)
  }
  n <- min(surfaces, nrow(result$pairs))
  result$surfaces <- list()
  for (i in seq_len(n)) {
    a <- result$pairs$first[i]
    b <- result$pairs$second[i]
    if (is.na(index[a]) || is.na(index[b]) || index[a] < 0 || index[b] < 0) next
    ca <- curve_of(f, about, index[[a]])$curve
    cb <- curve_of(f, about, index[[b]])$curve
    result$surfaces[[paste(a, b, sep = ":")]] <-
      list(x = ca$x, y = cb$x, x_label = ca$label, y_label = cb$label, z = .Call(C_fanova_surface, f, index[[a]], index[[b]]))
  }
  for (w in all$warnings) message("spectune: ", w)
  structure(result, class = "spt_importance")
}

curve_of <- function(f, about, index) {
  r <- .Call(C_fanova_curve, f, index)
  choices <- about$choices[[index + 1]]
  label <- function(x) if (length(choices) > 0) choices[x + 1] else rep(NA_character_, length(x))
  list(curve = data.frame(x = r$x, label = label(r$x), weight = r$weight, mean = r$mean, sd = r$sd, stringsAsFactors = FALSE),
       points = data.frame(trial = r$number, x = r$at, label = label(r$at), loss = r$loss, stringsAsFactors = FALSE),
       log = about$log[index + 1])
}

spt_local_importance <- function(x, values = NULL, ..., study = NULL) {
  history <- spt_history(x, study)
  f <- .Call(C_fanova_new, history_handle(history), settings(...))
  space <- space_handle(history$space)
  names <- .Call(C_space_about, space)[[2]]$name
  m <- .Call(C_fanova_local, f, space, if (is.null(values)) NULL else as_values(values), length(names))
  frame <- data.frame(parameter = names, share = m[, 1], sd = m[, 2], stringsAsFactors = FALSE)
  frame$share[is.nan(frame$share)] <- NA
  frame$sd[is.nan(frame$sd)] <- NA
  frame <- frame[order(-frame$share), ]
  row.names(frame) <- NULL
  frame
}

spt_interaction <- function(x, parameters, ..., study = NULL) {
  history <- spt_history(x, study)
  f <- .Call(C_fanova_new, history_handle(history), settings(...))
  names <- .Call(C_space_about, space_handle(history$space))[[2]]$name
  index <- match(parameters, names)
  if (anyNA(index)) stop(sprintf("there is no parameter '%s'", parameters[is.na(index)][1]))
  stats::setNames(.Call(C_fanova_subset, f, as.double(index - 1)), c("share", "sd", "error", "p_active"))
}

spt_trials_needed <- function(x, r2 = 0.8, ..., study = NULL) {
  .Call(C_fanova_needed, history_handle(x, study), settings(...), r2)
}

spt_ped_importance <- function(x, ..., study = NULL) {
  history <- spt_history(x, study)
  names <- .Call(C_space_about, space_handle(history$space))[[2]]$name
  v <- .Call(C_ped, history_handle(history), settings(...), length(names))
  frame <- data.frame(parameter = names, value = v, stringsAsFactors = FALSE)
  frame <- frame[order(-frame$value), ]
  row.names(frame) <- NULL
  frame
}

as.data.frame.spt_importance <- function(x, row.names = NULL, optional = FALSE, ..., what = c("mains", "pairs", "curves", "points")) {
  what <- match.arg(what)
  if (what %in% c("mains", "pairs")) return(x[[what]])
  part <- if (what == "curves") "curve" else "points"
  rows <- lapply(names(x$curves), function(p) {
    d <- x$curves[[p]][[part]]
    if (nrow(d) == 0) NULL else data.frame(parameter = p, d, stringsAsFactors = FALSE)
  })
  do.call(rbind, rows)
}

print.spt_importance <- function(x, n = 10, ...) {
  print_lines(sprintf("importance of hyperparameters, study '%s': %.0f trials, forest explains %s of what it did not see",
                      x$study, x$trials, short(x$out_of_bag, 2)))
  m <- utils::head(x$mains, n)
  print_lines(sprintf("  %-22s %6.3f +- %.3f", m$parameter, m$share, m$error))
  if (nrow(x$pairs) > 0) {
    p <- utils::head(x$pairs, 3)
    print_lines(sprintf("  %-22s %6.3f", paste(p$first, p$second, sep = " x "), p$share))
  }
  print_lines(sprintf("  %-22s %6.3f", "(more of them together)", x$residual[["pairs"]]))
  if (length(x$warnings) > 0) print_lines("note: ", x$warnings)
  invisible(x)
}

summary.spt_importance <- function(object, ...) as.data.frame(object)

# Bars; or the curve of one parameter with its trials; or the surface of a pair.
plot.spt_importance <- function(x, y, which = NULL, n = 10, xlab = NULL, ylab = NULL, main = NULL, ...) {
  if (is.null(which)) return(invisible(plot_bars(x, n, xlab, main, ...)))
  if (which %in% names(x$surfaces)) return(invisible(plot_surface(x$surfaces[[which]], which, main, ...)))
  c <- x$curves[[which]]
  if (is.null(c)) {
    stop(sprintf("'%s' is none of the parameters (%s)", which, paste(names(x$curves), collapse = ", ")))
  }
  d <- c$curve
  if (is.null(xlab)) xlab <- which
  if (is.null(ylab)) ylab <- "mean loss"
  finite <- is.finite(d$mean)
  if (!any(finite)) stop(sprintf("'%s' never exists in this space", which))
  discrete <- !all(is.na(d$label))
  band <- range(c(d$mean - d$sd, d$mean + d$sd)[c(finite, finite)])
  graphics::plot(d$x, d$mean, type = if (discrete) "p" else "l", lwd = 2, pch = 19, cex = 1.4, col = "steelblue4", xlab = xlab, ylab = ylab, main = main,
                 log = if (isTRUE(c$log)) "x" else "", ylim = range(band, stats::quantile(c$points$loss, c(0, 0.8), na.rm = TRUE)),
                 xaxt = if (discrete) "n" else "s", xlim = range(d$x) + if (discrete) c(-0.3, 0.3) else 0, ...)
  if (discrete) {
    graphics::axis(1, d$x, d$label)
    graphics::segments(d$x, d$mean - d$sd, d$x, d$mean + d$sd, lwd = 2, col = "steelblue4")
  } else {
    graphics::polygon(c(d$x, rev(d$x)), c(d$mean - d$sd, rev(d$mean + d$sd)), border = NA,
                      col = grDevices::adjustcolor("steelblue4", 0.2))
  }
  graphics::points(c$points$x, c$points$loss, pch = 19, cex = 0.6, col = "grey50")
  invisible(x)
}

plot_bars <- function(x, n, xlab, main, ...) {
  m <- utils::head(x$mains, n)
  m <- m[rev(seq_len(nrow(m))), ]
  old <- graphics::par(mar = graphics::par("mar") + c(0, 6, 0, 0))
  on.exit(graphics::par(old))
  at <- graphics::barplot(m$share, names.arg = m$parameter, horiz = TRUE, las = 1, border = NA, col = "steelblue4",
                          xlab = if (is.null(xlab)) "share of the variance of the loss" else xlab, main = main,
                          xlim = c(0, max(m$share + ifelse(is.na(m$error), 0, m$error), 0.01)), ...)
  ok <- !is.na(m$error) & m$error > 0
  graphics::segments(pmax(0, m$share - m$error)[ok], at[ok], (m$share + m$error)[ok], at[ok])
  x
}

plot_surface <- function(s, name, main, ...) {
  labels <- strsplit(name, ":")[[1]]
  index <- function(v, label) if (all(is.na(label))) v else seq_along(v)
  graphics::image(index(s$x, s$x_label), index(s$y, s$y_label), s$z, xlab = labels[1], ylab = labels[2], main = main,
                  col = grDevices::hcl.colors(24, "YlGnBu", rev = TRUE), ...)
  s
}
