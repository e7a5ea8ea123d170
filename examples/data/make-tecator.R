# Makes tecator.csv from Debian's package r-cran-caret:
#   apt-get install r-base-core r-cran-caret
#   Rscript make-tecator.R > tecator.csv
# Numbers are written as the shortest decimals that read back as the same double.

file <- system.file("data", "tecator.RData", package = "caret")
if (file == "") stop("the package r-cran-caret is missing")
load(file) # absorp: 215 x 100; endpoints: water, fat, protein

shortest <- function(x) {
  vapply(x, function(v) {
    for (digits in 1:17) {
      text <- formatC(v, digits = digits, format = "g", width = 1)
      if (as.numeric(text) == v) return(text)
    }
    text
  }, "")
}

stopifnot(identical(dim(absorp), c(215L, 100L)), identical(dim(endpoints), c(215L, 3L)))
bands <- seq(850, by = 2, length.out = 100)
table <- cbind(
  sprintf("meat%03d", 1:215),
  rep(c("C", "M", "T"), c(129, 43, 43)),
  matrix(shortest(endpoints), 215),
  matrix(shortest(absorp), 215)
)
header <- c("id", "split", "moisture", "fat", "protein", bands)
writeLines(c(paste(header, collapse = ","), apply(table, 1, paste, collapse = ",")))
