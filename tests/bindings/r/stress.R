# What a long session must stand: memory stays flat, the collector may run at any allocation.
# Prints what it measured; ends with "N passed, 0 failed".

library(spectune)
passed <- failed <- 0
expect <- function(ok, what) {
  cat(if (ok) "ok      " else "FAILED  ", what, "\n", sep = "")
  if (ok) passed <<- passed + 1 else failed <<- failed + 1
}
resident <- function() {
  invisible(gc())
  as.numeric(strsplit(readLines("/proc/self/statm"), " ")[[1]][2]) * 4096 / 2^20
}
flat <- function(what, n, f, limit = 4) {
  for (i in seq_len(max(1, n %/% 5))) f(i) # what pools and caches take once
  before <- resident()
  for (i in seq_len(n)) f(i)
  grown <- resident() - before
  expect(grown < limit, sprintf("%s, %d times: %+.1f MB", what, n, grown))
}

space <- spt_space("parabola", x = spt_float(-5, 5), y = spt_int(1, 8))
m <- matrix(seq(0.1, 0.9, length.out = 400), 4, dimnames = list(NULL, 1100:1199))
tecator <- system.file("extdata", "tecator.csv", package = "spectune")

flat("create and free datasets", 10000, function(i) spt_dataset(m, unit = "absorbance", n = 1:4))
flat("create and free studies", 1000, function(i) spt_ask(spt_study(space = space)))
flat("create and free spaces", 2000, function(i) spt_space("s", a = spt_float(0, 1), b = spt_bool()))
study <- spt_study(space = space)
quiet <- function(expr) tryCatch(expr, error = identity, condition = identity)
flat("failing objectives", 1000, function(i) quiet(spt_run(spt_study(space = space), 1, function(t) stop("no"))))
flat("objectives left by callCC", 1000, function(i) callCC(function(k) spt_run(spt_study(space = space), 1, function(t) k(1))))
flat("failing events", 1000, function(i) quiet(spt_run(spt_study(space = space), 1, function(t) 1, callback = function(e) stop("no"))))
flat("refused calls", 10000, function(i) quiet(spt_preset("nothing")))
own <- function(i) quiet(spt_propose(spt_sampler_host(space, function(...) stop("no")), 0))
flat("failing samplers", 1000, own)

if (nzchar(Sys.getenv("SPECTUNE_GCTORTURE"))) {
  gctorture2(as.integer(Sys.getenv("SPECTUNE_GCTORTURE")), inhibit_release = TRUE)
  s <- spt_study(space = space, sampler = list(seed = 1))
  spt_run(s, 4, function(trial) {
    spt_attach(trial, note = "text", n = 1)
    spt_report(trial, 1, 0)
    trial$params$x
  }, callback = function(e) length(e$params) >= 0)
  got <- quiet(spt_run(s, 6, function(trial) stop("tortured")))
  left <- callCC(function(k) spt_run(s, 6, function(trial) k("left")))
  frame <- as.data.frame(s)
  d <- spt_dataset(m, unit = "absorbance", n = 1:4, t = letters[1:4])
  channels <- spt_channels(d, c("R", "A"))
  about <- as.data.frame(space)
  proposed <- spt_propose(spt_sampler_host(space, function(trials, ...) list(x = 0.5)), 0)
  net <- spt_network(100, layers = list(spt_conv(2, 3), spt_dense(2)))
  w <- coef(net)
  settings <- spt_settings("sampler")
  gctorture2(0)
  expect(identical(conditionMessage(got), "tortured") && left == "left" && nrow(frame) == 6, "gctorture: studies")
  expect(identical(as.vector(as.matrix(d)), as.vector(m)) && all.equal(as.vector(channels[, , "A"]), as.vector(m)), "gctorture: datasets")
  expect(identical(proposed$x, 0.5) && nrow(about) == 2 && length(w) == 6 && nrow(settings) > 10, "gctorture: values")
}
cat(sprintf("%d passed, %d failed\n", passed, failed))
quit(status = as.integer(failed > 0))
