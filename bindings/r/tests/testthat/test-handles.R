test_that("handles of a saved session say so", {
  for (x in list(tecator(), spt_study(space = parabola()), spt_store(), spt_sampler(parabola()), spt_network(10, layers = list(spt_dense(2))))) {
    old <- gone(x)
    expect_error(print(old$handle |> (\(h) .Call(spectune:::C_dataset_about, h))()), "spt_dataset")
  }
  expect_error(dim(gone(tecator())), "comes from a saved session")
  expect_error(as.data.frame(gone(spt_study(space = parabola()))), "comes from a saved session")
})

test_that("a handle of another kind is refused", {
  s <- spt_study(space = parabola())
  d <- tecator()
  wrong <- structure(list(handle = s$handle), class = "spt_dataset")
  expect_error(dim(wrong), "\"spt_dataset\" is wanted")
  expect_error(spt_run(d, 1), "class \"spt_study\"")
  expect_error(.Call(spectune:::C_dataset_about, 1), "is wanted")
  expect_error(.Call(spectune:::C_dataset_about, NULL), "is wanted")
})

test_that("things are freed in any order", {
  s <- spt_study(space = parabola())
  t <- spt_ask(s)
  spt_close(s$store)
  spt_close(s)
  spt_close(s)
  spt_tell(t, 1)
  expect_error(spt_run(s, 1), "no longer there")
})
