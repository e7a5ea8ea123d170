# What R code below the library does: the library must end what it does, then R goes on.

study <- function() spt_study(space = parabola())
fine <- function(trial) trial$params$x^2

test_that("an error comes out as it was, the trial is recorded, the study goes on", {
  s <- study()
  e <- tryCatch(spt_run(s, 5, function(trial) stop(structure(class = c("mine", "error", "condition"), list(message = "bo\nom", call = NULL)))),
                error = identity)
  expect_s3_class(e, "mine")
  d <- as.data.frame(s)
  expect_identical(d$state, "failed")
  expect_identical(d$reason, "bo om")
  spt_run(s, 6, fine)
  expect_identical(sum(as.data.frame(s)$state == "complete"), 5L)
})

test_that("catch = TRUE goes on", {
  s <- study()
  spt_run(s, 8, function(trial) if (trial$number %% 2 == 1) stop("odd") else 1, catch = TRUE)
  d <- as.data.frame(s)
  expect_identical(d$state, rep(c("complete", "failed"), 4))
  expect_identical(d$reason[2], "odd")
})

test_that("an objective must give a number", {
  expect_error(spt_run(study(), 3, function(trial) "1"), "must return one number")
  s <- study()
  spt_run(s, 3, function(trial) if (trial$number == 1) NaN else 1)
  expect_identical(as.data.frame(s)$state[2], "failed")
})

test_that("warnings, messages, conditions and restarts", {
  seen <- character()
  withCallingHandlers(spt_run(study(), 3, function(trial) {
    warning("w", trial$number)
    message("m", trial$number)
    1
  }), warning = function(w) {
    seen <<- c(seen, conditionMessage(w))
    invokeRestart("muffleWarning")
  }, message = function(m) {
    seen <<- c(seen, sub("\n", "", conditionMessage(m)))
    invokeRestart("muffleMessage")
  })
  expect_identical(seen, c("w0", "m0", "w1", "m1", "w2", "m2"))
  expect_identical(tryCatch(spt_run(study(), 3, function(trial) signalCondition(structure(class = c("own", "condition"), list()))),
                            own = function(c) "caught"), "caught")
  old <- options(warn = 2)
  on.exit(options(old))
  expect_error(spt_run(study(), 3, function(trial) warning("hard")), "hard")
})

test_that("jumps out of the callback", {
  s <- study()
  expect_identical(callCC(function(k) {
    spt_run(s, 5, function(trial) if (trial$number == 2) k("out") else 1)
    "not here"
  }), "out")
  d <- as.data.frame(s)
  expect_identical(d$state, c("complete", "complete", "failed"))
  expect_identical(d$reason[3], "stopped")
  spt_run(s, 4, fine) # what was stopped does not count
  expect_identical(sum(as.data.frame(s)$state == "complete"), 4L)
  expect_identical(withRestarts(spt_run(s, 9, function(trial) invokeRestart("leave", 7)), leave = function(x) x), 7)
  expect_identical((function() spt_run(s, 9, function(trial) return(1)))(), "SPT_STOP_TRIALS")
})

test_that("interrupts", {
  skip_on_os("windows")
  s <- study()
  got <- tryCatch(spt_run(s, 5, function(trial) {
    if (trial$number == 1) {
      tools::pskill(Sys.getpid(), tools::SIGINT)
      Sys.sleep(5)
    }
    1
  }), interrupt = function(i) "interrupted")
  expect_identical(got, "interrupted")
  expect_identical(as.data.frame(s)$reason, c(NA, "stopped"))
})

test_that("interrupts while the library waits for somebody else's trial", {
  skip_on_os("windows")
  skip_on_cran()
  s <- study()
  theirs <- spt_ask(s)
  system(sprintf("(sleep 1; kill -INT %d) >/dev/null 2>&1 &", Sys.getpid()))
  began <- proc.time()[["elapsed"]]
  expect_identical(tryCatch(spt_run(s, 1, fine), interrupt = function(i) "interrupted"), "interrupted")
  expect_lt(proc.time()[["elapsed"]] - began, 30)
  spt_tell(theirs, 1)
  expect_identical(spt_run(s, 3, fine), "SPT_STOP_TRIALS")
})

test_that("errors in events and samplers and checks", {
  s <- study()
  expect_error(spt_run(s, 5, fine, callback = function(e) if (e$trial == 1) stop("event")), "event")
  broken <- spt_sampler_host(parabola(), function(...) stop("no idea"))
  expect_error(spt_run(spt_study(space = parabola(), sampler = broken), 3, fine), "no idea")
  expect_error(spt_propose(broken, 0), "no idea")
  expect_error(spt_ask(s, check = function(p) stop("check")), "check")
  expect_s3_class(spt_ask(s), "spt_trial")
})

test_that("runs within runs", {
  outer <- study()
  spt_run(outer, 3, function(trial) {
    inner <- study()
    expect_error(spt_run(inner, 2, function(t) stop("inner")), "inner")
    spt_run(inner, 4, fine)
    expect_identical(trial$number, trial$number)
    min(spt_history(inner)$value, na.rm = TRUE)
  })
  expect_identical(as.data.frame(outer)$state, rep("complete", 3))
  expect_error(spt_run(outer, 5, function(trial) spt_run(study(), 2, function(t) stop("deep"))), "deep")
  expect_error(spt_run(outer, 9, function(trial) {
    spt_run(outer, 10, fine)
    1
  }), class = "spt_ebusy")
})

test_that("a trial that was lent is over afterwards", {
  kept <- NULL
  spt_run(study(), 1, function(trial) {
    kept <<- trial
    1
  })
  expect_error(kept$params, "no longer there")
  expect_error(spt_report(kept, 1, 0), "no longer there")
})

test_that("epochs of a training can stop it, and fail", {
  d <- tecator()
  m <- spt_fit(d, "fat", epochs = 20, callback = function(e) e$epoch < 3, prep = spt_prep(decimate = 4))
  expect_identical(m$report[["epochs"]], 3)
  expect_error(spt_fit(d, "fat", epochs = 20, callback = function(e) stop("epoch"), prep = spt_prep(decimate = 4)), "epoch")
  expect_s3_class(spt_fit(d, "fat", epochs = 1, prep = spt_prep(decimate = 4)), "spt_model")
})
