tecator_file <- function() system.file("extdata", "tecator.csv", package = "spectune")

tecator <- function() spt_read_csv(tecator_file(), unit = "absorbance")

# The layout of prospectr: a matrix column whose column names are wavelengths.
tecator_frame <- function() {
  csv <- utils::read.csv(tecator_file(), check.names = FALSE)
  frame <- csv[1:5]
  frame$spc <- as.matrix(csv[, -(1:5)])
  frame
}

parabola <- function() spt_space("parabola", x = spt_float(-5, 5), y = spt_int(1, 8))

# A quick job on a third of the spectra.
quick <- function(...) {
  frame <- tecator_frame()
  spt_tune(frame[seq(1, 215, 3), ], "fat", unit = "absorbance", trials = 3, folds = 3, prep = spt_prep(decimate = 4), epochs = 30, ...)
}

gone <- function(x) {
  file <- tempfile()
  on.exit(unlink(file))
  saveRDS(x, file)
  readRDS(file)
}
