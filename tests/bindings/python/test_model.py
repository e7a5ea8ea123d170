"""Models and predictions."""
import copy
import pickle
import threading
import warnings

import numpy as np
import pytest
from conftest import spectra

import spectune
from spectune import Dataset, Model


@pytest.fixture
def model(small, space):
    return Model.fit(small, "y", space.config(epochs=40), seed=3)


def test_fit_predict_write_read(small, space, model, tmp_path):
    p = model.predict(small)
    assert p.shape == (60,) and spectune.statistics(small["y"], p).r2 > 0.5
    assert model.report.epochs <= 40 and model.target == "y" and model.n_bands == 40 and model.unit == "absorbance"
    assert not model.axis.flags.writeable and model.axis[1] == 1104 and model.axis_unit == "nm" and model.n_members == 1
    model.write(tmp_path / "m.xml")
    for other in (Model.read(tmp_path / "m.xml"), Model.load(tmp_path / "m.xml"), Model.from_xml(model.xml),
                  pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        np.testing.assert_array_equal(other.predict(small), p)
    assert model.with_note("operator", "me").notes["operator"] == "me" and "operator" not in model.notes
    assert "y" in model.summary
    again = Model.fit(small, "y", space.config(epochs=40), seed=3)
    assert again.xml == model.xml


def test_arrays_frames_and_single_spectra(small, model):
    p, x = model.predict(small), small.spectra()
    np.testing.assert_array_equal(model.predict(x), p)
    np.testing.assert_array_equal(model.predict(small.take([5])), p[5:6])
    with model.predictor() as one:
        assert [one.one(s) for s in x[:3]] == p[:3].tolist()
        with pytest.raises(ValueError, match="40"):
            one.one(x[0, :-1])
        with pytest.raises(spectune.DataError):
            one.one(np.full(40, np.nan))
    with pytest.raises(ValueError, match="the model reads 40"):
        model.predict(x[:, :-1])
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(x, columns=[str(a) for a in small.axis])
    frame.insert(0, "name", "s")
    np.testing.assert_array_equal(model.predict(frame), p)


def test_other_axes_and_units(small, model):
    shifted = Dataset(small.spectra()[:, :-1], np.array(small.axis[:-1]) + 2, unit="absorbance")
    with pytest.raises(spectune.MismatchError):
        model.predict(shifted)
    wide = Dataset(np.repeat(small.spectra(), 2, axis=1)[:, :79], np.linspace(1100, 1256, 79), unit="absorbance")
    assert model.predict(wide, resample=True).shape == (60,)
    with pytest.raises(spectune.MismatchError, match="unit|reflectance"):
        model.predict(Dataset(small.spectra(), small.axis, unit="reflectance"))


def test_rows_that_cannot_be_predicted(small, model):
    x = small.spectra()
    x[7] = -5
    bad = []
    p = model.predict(x, bad=lambda row, why: bad.append((row, why)))
    assert [r for r, _ in bad] == [7] and np.isnan(p[7]) and np.isfinite(np.delete(p, 7)).all() and bad[0][1]
    with pytest.warns(RuntimeWarning, match="row 7"):
        model.predict(x)

    def stop(row, why):
        raise LookupError("mine")
    with pytest.raises(LookupError, match="mine"):
        model.predict(x, bad=stop)


def test_any_number_of_threads(small, model):
    p, x, wrong = model.predict(small), small.spectra(), []

    def work():
        for _ in range(20):
            if not np.array_equal(model.predict(x), p):
                wrong.append(1)
    threads = [threading.Thread(target=work) for _ in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert not wrong


def test_assemble_and_ensemble(small):
    x = spectune.Prep().channels(small, "A")
    scaler = spectune.Scaler.fit(x)
    z = scaler.apply(x)
    y = small["y"]
    models = []
    for seed in (1, 2):
        net = spectune.Network(40).dense(8).activation("relu").finish(seed)
        net.fit(z, (y - y.mean()) / y.std(), epochs=20)
        models.append(Model.assemble(small, net, scaler=scaler, target="y", target_mean=y.mean(), target_sd=y.std()))
        np.testing.assert_allclose(models[-1].predict(small), net.predict(z)[:, 0] * y.std() + y.mean(), rtol=1e-5)
    both = Model.ensemble(models)
    assert both.n_members == 2
    np.testing.assert_allclose(both.predict(small), np.mean([m.predict(small) for m in models], axis=0), rtol=1e-6)
    net = spectune.Network(40, 1, 2).dense(4).finish()
    assert Model.assemble(small, net, target="t").predict(small).shape == (60, 2)


def test_refusals(small, space, tmp_path):
    with pytest.raises(spectune.NotFoundError):
        Model.fit(small, "z", space.config())
    with pytest.raises(spectune.DataError):
        Model.fit(small.take([0]), "y", space.config())
    (tmp_path / "cut.xml").write_text("<?xml version='1.0'?><model format='1'>")
    with pytest.raises(spectune.FormatError, match="cut.xml"):
        Model.read(tmp_path / "cut.xml")
    with pytest.raises(TypeError):
        Model()


def test_statistics():
    s = spectune.statistics([1, 2, 3, 4, np.nan], [1.1, 2.1, 3.1, 4.1, 5])
    assert s.n == 4 and np.isclose(s.rmse, 0.1) and np.isclose(s.bias, 0.1) and np.isclose(s.slope, 1)
    with pytest.raises(spectune.InvalidArgumentError):
        spectune.statistics([np.nan], [1])


def test_weights_and_stopping(small, space):
    y = small.with_column("w", np.linspace(0.1, 2, 60))
    a = Model.fit(y, "y", space.config(), weights="w", seed=1)
    assert a.xml != Model.fit(y, "y", space.config(), seed=1).xml
    stopped = Model.fit(small, "y", space.config(), callback=lambda e: e.epoch < 2)
    assert stopped.report.stopped and stopped.report.epochs == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stopped.predict(small)
