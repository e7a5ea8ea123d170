test_that("every layout that users have gives the same dataset", {
  frame <- tecator_frame()
  print <- spt_fingerprint(tecator())
  expect_identical(spt_fingerprint(spt_dataset(frame, unit = "absorbance")), print)
  expect_identical(spt_fingerprint(spt_dataset(frame$spc, unit = "absorbance")), print)
  expect_identical(spt_fingerprint(spt_dataset(unname(frame$spc), wavelength = seq(850, 1048, 2), unit = "absorbance")), print)
  expect_identical(spt_fingerprint(spt_dataset(utils::read.csv(tecator_file()), unit = "absorbance")), print)
  flat <- data.frame(fat = frame$fat, frame$spc) # X850, X852, ...
  d <- spt_dataset(flat, unit = "absorbance")
  expect_identical(spt_fingerprint(d), print)
  expect_identical(spt_columns(d)$name, "fat")
  expect_equal(spt_wavelength(d), seq(850, 1048, 2))
  expect_identical(dim(d), c(215L, 100L))
})

test_that("columns, factors and missing values are kept as R users expect", {
  m <- matrix(c(0.1, 0.2, 0.3, 0.4, 0.5, 0.6), 2, dimnames = list(c("a", "b"), c(1, 2, 3)))
  d <- spt_dataset(m, unit = "reflectance", n = c(1, NA), f = factor(c("u", NA)), t = c(TRUE, FALSE))
  frame <- as.data.frame(d, spectra = FALSE)
  expect_identical(frame$id, c("a", "b"))
  expect_identical(frame$n, c(1, NA))
  expect_identical(frame$f, c("u", NA))
  expect_identical(frame$t, c("TRUE", "FALSE"))
  expect_equal(unname(as.matrix(d)), unname(m))
  expect_equal(unname(as.data.frame(d)$spc), unname(m))
  expect_equal(spt_dataset(as.data.frame(d), unit = "reflectance") |> dim(), c(2, 3))
})

test_that("bad input gets a line that says what is wrong", {
  frame <- tecator_frame()
  expect_error(spt_dataset(frame), "'unit' is missing")
  expect_error(spt_dataset(frame, unit = "absorbtion"), "'unit' must be")
  expect_error(spt_dataset(unname(frame$spc), unit = "absorbance"), "'wavelength' is missing")
  expect_error(spt_dataset(frame$spc, wavelength = 1:3, unit = "absorbance"), "3 values, 'x' has 100 bands")
  expect_error(spt_dataset(data.frame(a = 1:3), unit = "absorbance"), "no column of the data frame is a band")
  expect_error(spt_dataset(frame$spc, unit = "absorbance", fat = 1:3), "column 'fat' has 3 values, there are 215 spectra")
  bad <- frame$spc
  bad[7, 3] <- NA
  expect_error(spt_dataset(bad, unit = "absorbance"), "spectrum 7 has a missing")
  expect_warning(d <- spt_dataset(bad, unit = "absorbance", fat = frame$fat, na.action = na.omit), "1 of 215 spectra")
  expect_identical(nrow(d), 214L)
  expect_identical(as.data.frame(d)$fat, frame$fat[-7])
  expect_error(spt_read_csv("no such file.csv"), "no such file.csv", class = "spt_eio")
})

test_that("datasets from datasets", {
  d <- tecator()
  m <- as.matrix(d)
  expect_equal(as.matrix(spt_take(d, c(3, 1))), m[c(3, 1), ])
  expect_equal(as.matrix(spt_take(d, -(1:200))), m[201:215, ])
  expect_equal(unname(as.matrix(spt_crop(d, 900, 910))), unname(m[, 26:31]))
  expect_equal(unname(as.matrix(spt_decimate(d, 2))[, 1]), unname((m[, 1] + m[, 2]) / 2))
  expect_identical(nrow(spt_select(d, "split", "T")), 43L)
  expect_error(spt_select(d, "spilt", "T"), "split", class = "spectune_error")
  f <- spt_folds(d, 5, seed = 3)
  expect_setequal(f, 1:5)
  expect_lte(diff(range(table(f))), 1)
  expect_identical(spt_folds(d, 5, seed = 3), f)
  twice <- spt_average(spt_with(spt_take(d, c(1, 1, 2)), sample = c("p", "p", "q")), "sample")
  expect_equal(unname(as.matrix(twice)), unname(m[1:2, ]))
})

test_that("random numbers of R are left alone", {
  set.seed(1)
  before <- .Random.seed
  quick()
  expect_identical(.Random.seed, before)
})
