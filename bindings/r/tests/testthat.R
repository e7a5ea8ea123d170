library(testthat)
library(spectune)

test_check("spectune")
