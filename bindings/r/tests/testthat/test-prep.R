row <- function() {
  v <- scan("nirsoil_row.csv", quiet = TRUE)
  matrix(v, 1, dimnames = list(NULL, seq(1100, by = 2, length.out = length(v))))
}

# First spectrum of NIRsoil. The numbers are those of prospectr::savitzkyGolay(delta.wav = 2) and standardNormalVariate(), for
# the bands that it keeps; the ends are those of scipy.
test_that("channels are those of prospectr", {
  d <- spt_dataset(row(), unit = "absorbance")
  a <- spt_channels(d)
  expect_identical(dim(a), c(1L, 700L, 5L))
  expect_equal(a[1, , "R"], 10^-row()[1, ], tolerance = 1e-12)
  expect_equal(unname(a[1, c(1, 2, 6, 351, 695), "A+D1"]),
               c(-1.059451049e-04, -1.079206294e-04, -1.158227273e-04, -6.731363636e-05, 1.080727273e-04), tolerance = 1e-9)
  expect_equal(unname(a[1, c(6, 7, 351), "A+D2"]), c(-9.877622378e-07, -1.240675991e-06, -2.140442890e-06), tolerance = 1e-9)
  expect_equal(unname(a[1, c(1, 351), "A+SNV"]), c(0.994846921, -1.392318391), tolerance = 1e-8)
  wide <- spt_channels(d, "A+D2", spt_prep(channels = list(d2_window = 15, d2_order = 3)))
  expect_equal(unname(wide[1, c(8, 351), 1]), c(-1.205074337e-06, -1.836457660e-06), tolerance = 1e-9)
  expect_equal(unname(spt_savgol(row(), 11, 2, 1, spacing = 2)[1, 351]), -6.731363636e-05, tolerance = 1e-9)
})

test_that("recipes are values", {
  p <- spt_prep(crop = c(860, 1040), decimate = 2)
  expect_match(format(p), "^crop 860 1040; decimate 2 mean")
  expect_identical(format(gone(p)), format(p))
  expect_identical(dim(spt_apply(p, tecator())), c(215L, 45L))
  expect_error(spt_prep(crip = 1), "steps are")
  expect_error(spt_prep(decimate = 2, average = "id"), class = "spt_einval")
  expect_error(spt_prep(channels = list(d1_windov = 3)), "d1_window", class = "spt_enotfound")
})

test_that("scaling", {
  a <- spt_channels(tecator(), c("A", "A+D1"))
  z <- spt_scale(spt_scaler(a, "band"), a)
  expect_equal(unname(apply(z, c(2, 3), mean)), matrix(0, 100, 2), tolerance = 1e-4)
  expect_equal(unname(apply(z, c(2, 3), sd)), matrix(1, 100, 2), tolerance = 1e-4)
  expect_error(spt_scale(spt_scaler(a, "band"), a[, 1:3, ]), "100 bands and 2 channels")
})
