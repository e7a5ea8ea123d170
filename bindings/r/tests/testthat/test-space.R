test_that("spaces are built, asked, and survive a saved session", {
  s <- spt_space("mine", rate = spt_float(1e-4, 1e-1, log = TRUE, group = "training"), n = spt_int(2, 9, 4), k = spt_categorical(c("a", "b c")),
                 o = spt_ordinal(1:3), b = spt_bool(TRUE), deep = spt_float(0, 1, when = list(spt_when("b", "==", TRUE), spt_when("n", ">", 3))),
                 forbid = list(list(spt_when("k", "==", "b c"), spt_when("o", "in", 2:3))))
  f <- as.data.frame(s)
  expect_identical(f$name, c("rate", "n", "k", "o", "b", "deep"))
  expect_identical(f$type, c("float", "int", "categorical", "ordinal", "bool", "float"))
  expect_match(f$condition[6], "b = true and n > 3")
  expect_identical(length(s), 6L)
  expect_identical(spt_config(s)$deep, 0.5)
  expect_null(spt_config(s, list(b = FALSE))$deep)
  # parameters that others hang on may stand behind them
  expect_identical(spt_config(s, list(deep = 0.25, n = 8))$deep, 0.25)
  expect_error(spt_config(s, list(k = "b c", o = 2)), class = "spt_einval")
  expect_error(spt_config(s, list(rate = 1)), "rate", class = "spt_einval")
  expect_error(spt_config(s, list(ratte = 1)), "rate", class = "spt_enotfound")
  back <- gone(s)
  expect_identical(as.data.frame(back), f)
  expect_identical(spt_config(back, list(n = 5))$n, 5)
  file <- tempfile(fileext = ".xml")
  spt_write_space(s, file)
  expect_identical(as.data.frame(spt_read_space(file)), f)
  spt_write_config(s, list(n = 7), file)
  expect_identical(spt_read_config(s, file)$n, 7)
})

test_that("presets", {
  expect_true(all(c("small", "shen2021", "cnn1d") %in% spt_presets()))
  e <- expect_error(spt_preset("smal"), "'small' is the nearest", class = "spt_enotfound")
  expect_identical(e$status, "SPT_ENOTFOUND")
  expect_s3_class(e, "spectune_error")
  expect_identical(as.character(conditionCall(e)[[1]]), "spt_preset")
})
