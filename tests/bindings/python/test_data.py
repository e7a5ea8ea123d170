"""Datasets, recipes, scaling."""
import copy
import gc
import pickle
import weakref

import numpy as np
import pytest
from conftest import spectra

import spectune
from spectune import Dataset, Prep, Scaler


def test_arrays_of_every_kind_give_the_same():
    x, axis, y = spectra(12, 10)
    wide = np.zeros((12, 30), np.float32)
    wide[:, ::3] = x
    kinds = [x, x.astype(np.float64), np.asfortranarray(x), wide[:, ::3], x[::-1][::-1], x.astype(">f4"), x.tolist(),
             np.frombuffer(b"\0" + x.tobytes(), np.uint8)[1:].view(np.float32).reshape(x.shape)]
    prints = set()
    for a in kinds:
        for copied in (False, True):
            d = Dataset(a, axis, unit="absorbance", copy=copied)
            np.testing.assert_array_equal(d.spectra(), x.astype(np.float64))
            prints.add(d.fingerprint())
    assert len(prints) == 1
    np.testing.assert_array_equal(Dataset(x[::-1], axis).spectra(), x[::-1])


def test_borrowed_arrays_live_as_long_as_they_are_needed():
    x, axis, _ = spectra(5, 8)
    expected = x[[0, 2]].copy()
    gone = weakref.ref(x)
    gc.collect()
    boxes = len(spectune._core._boxes)
    whole = Dataset(x, axis)
    part = whole.take([0, 2])  # shares storage
    del x, whole
    gc.collect()
    assert gone() is not None and len(spectune._core._boxes) == boxes + 1
    np.testing.assert_array_equal(part.spectra(), expected)
    part.close()
    assert gone() is None and len(spectune._core._boxes) == boxes


def test_values_that_are_not_finite():
    x, axis, _ = spectra(5, 8)
    x[3, 2] = np.nan
    with pytest.raises(spectune.DataError, match="row 4.*band|row 3"):
        Dataset(x, axis, copy=True)
    late = Dataset(x, axis)  # looked at when used
    with pytest.raises(spectune.DataError):
        late.spectra()
    np.testing.assert_array_equal(late.spectra(0, 3), x[:3])


@pytest.mark.parametrize("bad, error", [
    (lambda x, a: Dataset(x[0], a), ValueError), (lambda x, a: Dataset(x, a[:-1]), ValueError),
    (lambda x, a: Dataset(x, -a), spectune.InvalidArgumentError), (lambda x, a: Dataset(x, a, unit="percent"), ValueError),
    (lambda x, a: Dataset(x, a, axis_unit="mm"), ValueError), (lambda x, a: Dataset(x * 1j, a), ValueError),
    (lambda x, a: Dataset(x, a, columns={"y": [1.0]}), ValueError), (lambda x, a: Dataset(x, a)["none"], KeyError),
    (lambda x, a: Dataset(x, a).crop(5000, 6000), spectune.InvalidArgumentError),
    (lambda x, a: Dataset(x, a).take([99]), spectune.InvalidArgumentError),
    (lambda x, a: Dataset(x, a).take([0.5]), ValueError),
    (lambda x, a: Dataset(x, a).spectra(3, 9), spectune.SpectuneError)])
def test_bad_input_is_told(bad, error):
    x, axis, _ = spectra(5, 8)
    with pytest.raises(error) as e:
        bad(x, axis)
    assert "\n" not in str(e.value) and str(e.value)


def test_columns(small):
    assert [c.name for c in small.columns] == ["y", "g"] and [c.kind for c in small.columns] == ["number", "text"]
    assert small["g"][0] == "g0" and small["y"].dtype == np.float64 and "y" in small and "z" not in small
    more = small.with_column("z", [None] + ["a"] * 59).with_column("id", [f"s{i}" for i in range(60)])
    assert more["z"][0] is None and more.ids[:2] == ["s0", "s1"] and "z" not in small
    assert "60 spectra" in repr(small)


def test_axis_is_the_librarys_own_memory(small):
    axis = small.axis
    assert not axis.flags.writeable and not axis.flags.owndata
    del small
    gc.collect()
    assert axis[0] == 1100


def test_datasets_of_datasets(small):
    assert small.crop(1120, 1160).shape == (60, 11)
    assert small.take(small["y"] > 3).shape[0] == (small["y"] > 3).sum()
    assert small.select("g", "g1").shape[0] == 6 and small.select("g", "g1", keep=False).shape[0] == 54
    assert small.average("g").shape[0] == 10 and small.decimate(4).shape[1] == 10
    np.testing.assert_allclose(small.resample([1102, 1106]).spectra()[:, 0], small.spectra()[:, :2].mean(axis=1))
    fold = small.folds(5, "g", seed=3)
    assert sorted(set(fold)) == list(range(5)) and all(len(set(fold[i:i + 6])) == 1 for i in range(0, 60, 6))


def test_csv_and_notes(root, tmp_path, tecator):
    assert tecator.shape == (215, 100) and tecator.notes and tecator.unit == "absorbance"
    text = (root / "examples/data/tecator.csv").read_bytes()
    assert Dataset.read_csv_text(text, unit="absorbance").fingerprint() == tecator.fingerprint()
    (tmp_path / "more.csv").write_text("id,extra\n" + "".join(f"{i},{k}\n" for k, i in enumerate(tecator.ids)))
    assert tecator.join_csv(tmp_path / "more.csv")["extra"][5] == 5
    with pytest.raises(spectune.FileError) as e:
        Dataset.read_csv(tmp_path / "none.csv")
    assert "none.csv" in str(e.value) and isinstance(e.value, OSError)
    with pytest.raises(spectune.NotFoundError, match="unit"):
        Dataset.read_csv(root / "examples/data/tecator.csv", unti="absorbance")


def test_pickle_and_copy(small):
    for other in (pickle.loads(pickle.dumps(small)), copy.copy(small), copy.deepcopy(small)):
        assert other.fingerprint() == small.fingerprint() and other.fingerprint("axis") == small.fingerprint("axis")
        np.testing.assert_array_equal(other["y"], small["y"])
        assert list(other["g"]) == list(small["g"])


def test_dataframes(small):
    pandas = pytest.importorskip("pandas")
    frame = small.to_dataframe()
    assert isinstance(frame, pandas.DataFrame) and frame.shape == (60, 42)
    back = Dataset.from_dataframe(frame, unit="absorbance")
    assert back.fingerprint() == small.fingerprint()
    frame.columns = [f"nm{c:g}" if isinstance(c, float) else c for c in frame.columns]
    assert Dataset.from_dataframe(frame, prefix="nm", unit="absorbance").shape == (60, 40)
    with pytest.raises(ValueError, match="bands"):
        Dataset.from_dataframe(frame, unit="absorbance")


def test_recipes(small):
    prep = Prep().crop(1104, 1240).decimate(2).set_channels(d1_window=7)
    assert prep.apply(small).shape == (60, 17)
    again = Prep.of([("crop", 1104, 1240), ("decimate", 2), {"d1_window": 7}])
    assert again.text == prep.text == pickle.loads(pickle.dumps(prep)).text and again == prep
    with pytest.raises(ValueError, match="no step"):
        Prep.of([("cut", 1, 2)])
    with pytest.raises(spectune.NotFoundError):
        Prep(channels={"d1_windw": 7})
    channels = Prep().channels(small, "A A+D1", dtype=np.float64)
    assert channels.shape == (60, 40, 2)
    np.testing.assert_array_equal(channels[:, :, 0], small.spectra())
    np.testing.assert_allclose(channels[3, :, 1], spectune.savgol(small.spectra()[3], 4.0, derivative=1), atol=1e-12)


def test_scaler(small):
    x = Prep().channels(small, ["A"])
    for mode in ("channel", "band", "centre", "none"):
        scaled = Scaler.fit(x, mode=mode).apply(x)
        assert scaled.shape == x.shape and scaled is not x
        if mode == "band":
            np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-4)
    own = Scaler(40, 1, [0.5], [2.0])
    np.testing.assert_allclose(own.apply(x), (x - 0.5) / 2, rtol=1e-6)
    place = x.copy()
    assert own.apply(place, out=place) is place and not np.array_equal(place, x)
    with pytest.raises(ValueError, match="was expected"):
        own.apply(x[:, :-1])


def test_closed_handles_say_so(small):
    small.close()
    small.close()
    with pytest.raises(ValueError, match="closed"):
        small.spectra()
    with pytest.raises(ValueError, match="closed"):
        len(small)
    assert "closed" in repr(small)
