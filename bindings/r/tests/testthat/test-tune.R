test_that("the main job", {
  fit <- quick()
  expect_s3_class(fit, "spt_tune")
  expect_identical(nrow(as.data.frame(fit)), 3L)
  expect_identical(nobs(fit), 72L)
  p <- as.data.frame(fit, what = "predictions")
  folds <- tapply((p$observed - p$predicted)^2, p$fold, function(e) sqrt(mean(e)))
  expect_equal(mean(folds), fit$best$value, tolerance = 1e-6)
  expect_equal(residuals(fit), stats::setNames(p$observed - p$predicted, p$id))
  expect_output(print(fit), "best is trial")
  expect_output(print(summary(fit)), "configuration")
  expect_true("optimizer" %in% names(coef(fit)))
  test <- tecator_frame()[1:5, ]
  expect_identical(predict(gone(fit), test), predict(fit, test))
  expect_output(print(gone(fit)), "best is trial")
  expect_identical(as.data.frame(gone(fit)), as.data.frame(fit))
  expect_error(spt_importance(gone(fit), seed = 3), "saved session")
  grDevices::pdf(tempfile(fileext = ".pdf"))
  plot(fit)
  plot(gone(fit), which = "history")
  grDevices::dev.off()
})

test_that("neither threads nor the layout of the data change a result", {
  frame <- tecator_frame()[seq(1, 215, 3), ]
  how <- list(unit = "absorbance", trials = 3, folds = 3, prep = spt_prep(decimate = 4), epochs = 30)
  a <- do.call(spt_tune, c(list(frame, "fat"), how))
  before <- spt_threads(1)
  on.exit(spt_threads(before))
  b <- do.call(spt_tune, c(list(unname(frame$spc), frame$fat, wavelength = seq(850, 1048, 2)), how))
  expect_identical(a$history$value, b$history$value)
  expect_identical(unname(predict(a, frame)), unname(predict(b, frame)))
  other <- do.call(spt_tune, c(list(frame, "fat", seed = 2), how))
  expect_false(identical(a$history$value, other$history$value))
})

test_that("missing values, groups, test rows and folds", {
  frame <- tecator_frame()[seq(1, 215, 3), ]
  frame$fat[4] <- NA
  frame$spc[9, 2] <- NA
  y <- frame$fat
  group <- factor(rep(1:12, each = 6))
  expect_warning(fit <- spt_tune(frame$spc, y, unit = "absorbance", trials = 1, folds = 3, group = group, test = 1:3, epochs = 5,
                                 prep = spt_prep(decimate = 4)), "1 of 72 spectra")
  rows <- setdiff(1:72, c(4, 9, 1:3))
  expect_identical(nobs(fit), length(rows))
  p <- as.data.frame(fit, what = "predictions")
  expect_equal(p$observed, y[rows])
  expect_true(all(tapply(p$fold, group[rows], function(f) length(unique(f)) <= 1), na.rm = TRUE))
  # columns beside the spectra can be named, wherever y comes from
  fit <- spt_tune(tecator_frame(), tecator_frame()$protein, unit = "absorbance", trials = 1, folds = 2, test = "split=T", group = "fat",
                  epochs = 5, prep = spt_prep(decimate = 4))
  expect_identical(nobs(fit), 172L)
  expect_match(fit$dropped, "43 rows: test, split = T")
  expect_error(spt_tune(tecator_frame()$spc, "fat", unit = "absorbance"), "no column 'fat'")
  folds <- rep(c("a", "b", NA), 24)
  own <- spt_tune(tecator_frame()[seq(1, 215, 3), ], "fat", unit = "absorbance", trials = 1, folds = folds, epochs = 5, prep = spt_prep(decimate = 4))
  expect_identical(nobs(own), 48L)
})

test_that("what is wrong is said before anything is tuned", {
  frame <- tecator_frame()
  expect_error(spt_tune(frame, "fat"), "'unit' is missing")
  expect_error(spt_tune(frame, "fet", unit = "absorbance"), "no column 'fet'")
  expect_error(spt_tune(frame, factor(frame$split), unit = "absorbance"), "quantities, not classes")
  expect_error(spt_tune(frame, frame$fat[1:3], unit = "absorbance"), "3 values, there are 215")
  expect_error(spt_tune(frame, "fat", unit = "absorbance", prume = "racing"), "did you mean 'prune'")
  expect_error(spt_tune(frame, "fat", unit = "absorbance", folds = 1000), class = "spt_einval")
  expect_error(spt_tune(frame, "fat", unit = "absorbance", space = "smal"), "nearest", class = "spt_enotfound")
})

test_that("a study on a file goes on, and is refused when the data are others", {
  file <- tempfile(fileext = ".db")
  a <- quick(store = file, name = "fat")
  b <- quick(store = file, name = "fat")
  expect_identical(a$history$value, b$history$value)
  expect_error(quick(store = file, name = "fat", group = "protein"), class = "spt_emismatch")
})

# check.sh says where the tool is.
test_that("the tool of the library gives the same numbers to the last bit", {
  tool <- Sys.getenv("SPECTUNE_TOOL")
  skip_if(tool == "", "SPECTUNE_TOOL is not set")
  study <- tempfile(fileext = ".db")
  model <- tempfile(fileext = ".xml")
  status <- system2(tool, c("tune", shQuote(tecator_file()), "--target fat --unit absorbance --test split=T --trials 8 --folds 3 --confirm 2:2 --decimate 2",
                            "--seed 5 --threads 2 --quiet --study", shQuote(study), "--model", shQuote(model)), stdout = FALSE)
  expect_identical(status, 0L)
  fit <- spt_tune(tecator_frame(), "fat", unit = "absorbance", test = "split=T", trials = 8, folds = 3, seed = 5, confirm = c(2, 2),
                  prep = spt_prep(decimate = 2))
  theirs <- spt_history(study)
  expect_identical(nrow(as.data.frame(fit)), 12L)
  expect_identical(fit$history$value, theirs$value)
  expect_identical(fit$history$params, theirs$params)
  expect_identical(fit$best$number, spt_best(theirs)$number)
  expect_identical(unname(predict(fit, tecator_frame())), unname(predict(spt_read_model(model), tecator_frame())))
})
