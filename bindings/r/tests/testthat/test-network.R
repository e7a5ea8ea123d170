test_that("networks by hand compute what R computes", {
  net <- spt_network(12, 2, 1, list(spt_conv(3, 5), spt_activation("relu"), spt_pool("max", 2), spt_dense(4), spt_activation("elu")), seed = 7)
  w <- coef(net)
  set.seed(2)
  x <- array(rnorm(5 * 12 * 2), c(5, 12, 2))
  by_hand <- apply(x, 1, function(s) {
    padded <- rbind(matrix(0, 2, 2), s, matrix(0, 2, 2))
    h <- t(sapply(1:12, function(i) sapply(1:3, function(f) {
      sum(padded[i:(i + 4), ] * t(w$conv_1.weight[f, , ])) + w$conv_1.bias[f]
    })))
    h <- pmax(h, 0)
    h <- t(sapply(1:6, function(i) apply(h[2 * i - 1:0, ], 2, max)))
    h <- w$dense_1.weight %*% as.vector(t(h)) + w$dense_1.bias
    h <- ifelse(h > 0, h, exp(h) - 1)
    sum(w$output.weight * t(h)) + w$output.bias
  })
  expect_equal(predict(net, x), by_hand, tolerance = 1e-5)
})

test_that("training, weights in and out, steps", {
  x <- matrix(sin(outer(1:40, 1:30) / 50), 40)
  y <- rowMeans(x)
  make <- function() spt_network(30, layers = list(spt_conv(4, 5), spt_activation("relu"), spt_dense(8)), seed = 1)
  a <- make()
  r <- spt_train(a, x, y, epochs = 30, watch = 1:5, seed = 2)
  expect_gt(r[["best"]], 0)
  longer <- make()
  expect_lt(spt_train(longer, x, y, epochs = 200, seed = 2)[["loss"]], 0.1 * r[["loss"]])
  b <- make()
  spt_train(b, x, y, epochs = 30, watch = 1:5, seed = 2)
  expect_identical(predict(a, x), predict(b, x))
  c <- make()
  spt_set_weights(c, coef(a))
  expect_identical(predict(c, x), predict(a, x))
  expect_error(spt_set_weights(c, nothing = 1), "there is no tensor")
  t <- spt_trainer(c, optimizer = "sgd", learning_rate = 0.01)
  losses <- vapply(1:20, function(i) spt_step(t, x, y), 0)
  expect_lt(losses[20], losses[1])
  expect_error(spt_network(4, layers = list(spt_conv(2, 9, padding = "valid"))), class = "spt_eshape")
  expect_error(predict(a, x[, 1:3]), "3 bands and 1 channels, the network reads 30 and 1")
  expect_error(spt_train(a, x[, 1:3], y), "3 bands")
  expect_error(spt_step(t, x[, 1:3], y), "3 bands")
  expect_error(spt_train(a, x, y, train = 50), class = "spt_einval")
})

test_that("a network of a configuration becomes a model", {
  d <- tecator()
  config <- spt_config("small", list(channel_a_d2 = FALSE))
  channels <- spt_config_channels(config)
  x <- spt_channels(d, channels)
  scaler <- spt_scaler(x, "centre")
  y <- as.data.frame(d)$fat
  net <- spt_network(100, length(channels), config = config, seed = 1)
  spt_train(net, spt_scale(scaler, x), (y - mean(y)) / sd(y), epochs = 3)
  m <- spt_assemble(d, net, channels, "fat", scaler, target_mean = mean(y), target_sd = sd(y))
  expect_equal(unname(predict(m, d)), predict(net, spt_scale(scaler, x)) * sd(y) + mean(y), tolerance = 1e-5)
})
