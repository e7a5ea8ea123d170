"""Plots: that they are drawn, and show the numbers they are to show."""
import numpy as np
import pytest

import spectune

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")


@pytest.fixture(scope="module")
def study():
    space = (spectune.Space("p").add_float("a", 0.01, 1, 0.5, log=True).add_float("b", 0, 1, 0.5)
             .add_categorical("c", ["u", "v"]).add_bool("d"))
    study = spectune.Study(space=space, sampler="random")

    def objective(t):
        if t.number % 10 == 9:
            t.report(5.0, 0)
            raise spectune.TrialPruned
        return t.params["a"] + t.params["b"] * (t.params["c"] == "u")
    study.run(60, objective=objective)
    return study


def test_history(study, tmp_path):
    ax = spectune.plots.plot_history(study)
    values = [t.value for t in study.trials if t.state.name == "COMPLETE"]
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), np.minimum.accumulate(values))
    assert len(ax.collections[0].get_offsets()) == len(values)
    ax.figure.savefig(tmp_path / "h.png")
    assert (tmp_path / "h.png").stat().st_size > 5000


def test_importance_curves_slices(study, tmp_path):
    f = study.importance(trees=8)
    ax = spectune.plots.plot_importance(f)
    np.testing.assert_allclose([p.get_width() for p in ax.patches], [i.share for i in f][::-1])
    for name in ("a", "c", "d"):
        ax = spectune.plots.plot_curve(f, name)
        assert ax.get_xlabel() == name
        ax.figure.savefig(tmp_path / "c.png")
        ax = spectune.plots.plot_slice(study, name)
        assert len(ax.collections[0].get_offsets()) == 54
        ax.figure.savefig(tmp_path / "s.png")
    assert [t.get_text() for t in spectune.plots.plot_curve(study, "c", trees=8).get_xticklabels()] == ["u", "v"]
    spectune.plots.plot_surface(f, "a", "b").figure.savefig(tmp_path / "f.png")
    spectune.plots.plot_surface(f, "a", "c").figure.savefig(tmp_path / "f.png")


def test_predicted():
    own = matplotlib.figure.Figure().subplots()
    ax = spectune.plots.plot_predicted([1, 2, 3, 4], [1.1, 2.1, 3.1, 4.1], ax=own, unit="%")
    assert ax is own and "RMSE 0.1" in ax.texts[0].get_text() and ax.get_xlabel() == "observed (%)"
