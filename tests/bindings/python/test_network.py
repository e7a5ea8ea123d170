"""Networks and trainers."""
import numpy as np
import pytest

import spectune
from spectune import Network


def data(n=80, p=30, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, p, 1)).astype(np.float32)
    return x, (x[:, 3, 0] - 0.5 * x[:, 17, 0]).astype(np.float32)


def build(seed=1):
    return Network(30).conv(8, 5).batch_norm().activation("relu").pool(2).dense(16).activation("elu").dropout(0.1).finish(seed)


def test_layers_and_tensors():
    net = build()
    names = [t.name for t in net.tensors]
    assert names == ["conv_1.weight", "conv_1.bias", "bn_1.scale", "bn_1.shift", "bn_1.mean", "bn_1.variance",
                     "dense_1.weight", "dense_1.bias", "output.weight", "output.bias"]
    assert net.tensors[0].shape == (5, 1, 8) and not net.tensors[4].trainable
    assert net.n_weights == sum(net[t.name].size for t in net.tensors if t.trainable) and "conv" in net.summary
    x, _ = data()
    other = build(2)
    assert not np.array_equal(net.predict(x), other.predict(x))
    other.set_state(net.state())
    np.testing.assert_array_equal(net.predict(x), other.predict(x))
    with pytest.raises(KeyError, match="conv_1.weight"):
        net["conv_9.weight"]
    with pytest.raises(ValueError, match="5 x 1 x 8"):
        net["conv_1.weight"] = np.zeros((8, 1, 5))
    with pytest.raises(spectune.InvalidArgumentError):
        net["conv_1.bias"] = np.full(8, np.nan)
    with pytest.raises(spectune.ShapeError):
        Network(5).conv(4, 9, padding="valid")
    with pytest.raises(KeyError):
        Network(5).activation("tanh")


def test_training():
    x, y = data()
    net, seen = build(), []
    report = net.fit(x, y, watch=np.arange(60, 80), callback=lambda e: seen.append(e), epochs=30, seed=4, learning_rate=0.01)
    assert report.epochs == len(seen) == 30 and not report.stopped and seen[-1].epochs == 30
    assert report.best == seen[-1].best == 1 + int(np.argmin([e.watched for e in seen]))
    assert np.isclose(report.watched, np.mean((net.predict(x[60:])[:, 0] - y[60:]) ** 2), rtol=1e-5)
    again = build()
    again.fit(x, y, watch=np.arange(60, 80), epochs=30, seed=4, learning_rate=0.01)
    np.testing.assert_array_equal(net.predict(x), again.predict(x))
    assert build().fit(x, y, callback=lambda e: e.epoch < 3, epochs=30).epochs == 3
    weighted = build()
    weighted.fit(x, y, sample_weight=np.linspace(0, 1, 80), epochs=3)
    assert net.fit_memory(60, 20) > 0
    for wrong in ({"rows": [80]}, {"watch": [-1]}):
        with pytest.raises(IndexError):
            net.fit(x, y, **wrong)
    with pytest.raises(spectune.NotFoundError, match="learning_rate"):
        net.fit(x, y, learning_rat=3)
    with pytest.raises(ValueError, match="30"):
        net.fit(x[:, :-1], y)


def test_diverging_is_an_exception():
    x, y = data()
    with pytest.raises(spectune.DivergedError) as e:
        build().fit(x, y, epochs=50, optimizer="sgd", learning_rate=1.0, momentum=0.99)
    assert isinstance(e.value, ArithmeticError)


def test_memory_limit():
    x, y = data()
    net = Network(30, context=spectune.Context()).conv(8, 5).finish()
    net.context.memory_limit = 10000
    with pytest.raises(spectune.MemoryLimitError, match="the limit is") as e:
        net.fit(x, y)
    assert isinstance(e.value, MemoryError)


def test_trainer():
    x, y = data()
    net = Network(30).dense(16).activation("relu").finish()
    trainer = net.trainer(learning_rate=0.01, schedule="cosine", schedule_epochs=20)
    first = trainer.step(x, y)
    for _ in range(20):
        loss = trainer.step(x, y)
        trainer.epoch(loss)
    assert loss < first and trainer.rate < 0.01


def test_configurations_make_networks(space):
    c = space.config(fc_1_units=12)
    net = Network.from_config(c, 40, 2)
    assert net["dense_1.weight"].shape == (80, 12)
    Network.check_config(c, 40, 2)
    bad = spectune.Space("bad").add_int("conv_blocks", 1, 1).add_int("conv_1_kernel", 3, 99, 99).add_categorical(
        "conv_1_padding", ["valid"])
    with pytest.raises(spectune.ShapeError):
        Network.check_config(bad.config(), 40)
