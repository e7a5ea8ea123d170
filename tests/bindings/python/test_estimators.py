"""SpectralCNN and SpectralCNNSearch, with scikit-learn and without."""
import copy
import os
import pickle
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
from conftest import quick_space, spectra

import spectune
from spectune import SpectralCNN, SpectralCNNSearch, Study

X, AXIS, Y = spectra(72, 30, seed=5)
GROUPS = np.arange(72) // 4
QUICK = {"space": quick_space(), "axis": AXIS, "random_state": 0}


def search(**more):
    return SpectralCNNSearch(**dict({"n_trials": 3, "cv": 3}, **QUICK, **more))


# ---- SpectralCNN -----------------------------------------------------------------------------------------------


def test_fit_predict():
    est = SpectralCNN({"fc_1_units": 12}, **QUICK)
    assert est.fit(X, Y) is est and est.score(X, Y) > 0.8 and est.n_features_in_ == 30
    np.testing.assert_array_equal(est.predict(X), est.model_.predict(X))
    np.testing.assert_array_equal(SpectralCNN({"fc_1_units": 12}, **QUICK).fit(X, Y).predict(X), est.predict(X))
    for other in (pickle.loads(pickle.dumps(est)), copy.deepcopy(est)):
        np.testing.assert_array_equal(other.predict(X), est.predict(X))
    assert "<model" in est.model_.xml and est.report_.epochs > 0
    fixed = SpectralCNN({"epochs": 40}, epochs=7, **QUICK).fit(X, Y)
    assert fixed.report_.epochs == 7
    with pytest.raises(spectune.NotFoundError, match="fc_1_units"):
        SpectralCNN({"fc_1_unit": 12}, **QUICK).fit(X, Y)
    with pytest.raises(spectune.NotFoundError, match="patience"):
        SpectralCNN(training={"patienc": 3}, **QUICK).fit(X, Y)
    with pytest.raises(spectune.DataError, match="absorbance|reflectance"):
        SpectralCNN(unit="reflectance", **QUICK).fit(-X, Y)
    with pytest.raises(ValueError, match="30 bands"):
        SpectralCNN(space=QUICK["space"], axis=AXIS[:-1]).fit(X, Y)


def test_weights_groups_callback():
    est = SpectralCNN(**QUICK)
    plain = est.fit(X, Y).predict(X)
    weighted = SpectralCNN(**QUICK).fit(X, Y, sample_weight=np.where(Y > 3, 2.0, 0.1))
    assert not np.array_equal(weighted.predict(X), plain)
    assert np.abs(weighted.predict(X) - Y)[Y > 3].mean() < np.abs(weighted.predict(X) - Y)[Y <= 3].mean()
    assert not np.array_equal(SpectralCNN(**QUICK).fit(X, Y, groups=GROUPS).predict(X), plain)
    epochs = []
    SpectralCNN(callback=lambda e: epochs.append(e.epoch) or e.epoch < 4, **QUICK).fit(X, Y)
    assert epochs == [1, 2, 3, 4]

    def fails(epoch):
        raise LookupError("mine")
    with pytest.raises(LookupError, match="mine"):
        SpectralCNN(callback=fails, **QUICK).fit(X, Y)


def test_values_of_any_kind():
    """Pretreated values below 0, and as large as they like: all that counts is how they vary."""
    z = (X - X.mean(axis=0)) / X.std(axis=0)
    est = SpectralCNN(unit="arbitrary", **QUICK).fit(z, Y)
    assert est.score(z, Y) > 0.8
    big = SpectralCNN(unit="arbitrary", **QUICK).fit(1000 * z.astype(float) + 5000, Y)
    np.testing.assert_allclose(big.predict(1000 * z.astype(float) + 5000), est.predict(z), rtol=0.05, atol=0.05)
    small = SpectralCNN(space="small", unit="arbitrary", config={"epochs": 200}, random_state=0).fit(z, Y)
    assert small.model_.n_members == 1 and small.predict(z).shape == (72,)


def test_frames_give_axes():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=[str(a) for a in AXIS])
    est = SpectralCNN(space=QUICK["space"], random_state=0, prep=[("crop", 1104, 1200)]).fit(frame, pandas.Series(Y, name="fat"))
    assert est.axis_.tolist() == AXIS.tolist() and est.model_.target == "fat"
    assert SpectralCNN(space=QUICK["space"]).fit(pandas.DataFrame(X), Y).axis_[0] == 1


def test_ctrl_c():
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        SpectralCNNSearch(n_trials=10**6, cv=3, **QUICK).fit(X, Y)


# ---- SpectralCNNSearch -----------------------------------------------------------------------------------------


def test_search():
    s = search().fit(X, Y)
    r = s.cv_results_
    assert s.best_index_ == int(np.nanargmax(r["mean_test_score"])) and s.best_score_ == r["mean_test_score"][s.best_index_]
    assert s.best_params_ == r["params"][s.best_index_] and r["rank_test_score"][s.best_index_] == 1
    assert len(r["params"]) == 3 and s.n_splits_ == 3 and set(r["state"]) == {"complete"}
    table = np.array([r[f"split{k}_test_score"] for k in range(3)])
    np.testing.assert_allclose(table.mean(axis=0), r["mean_test_score"])
    np.testing.assert_allclose(table.std(axis=0), r["std_test_score"])
    assert r["param_fc_1_units"][0] == s.space["fc_1_units"].default
    assert s.study_.n_finished == 3 and s.stopped_ == spectune.Status.STOP_TRIALS
    assert np.isfinite(s.oof_predictions_).all() and s.best_estimator_.score(X, Y) == s.score(X, Y) > 0.8
    assert "configuration" in s.best_estimator_.model_.notes
    other = pickle.loads(pickle.dumps(s))
    np.testing.assert_array_equal(other.predict(X), s.predict(X))
    assert not hasattr(other, "study_") and other.best_params_ == s.best_params_
    assert search().fit(X, Y).cv_results_["mean_test_score"].tolist() == r["mean_test_score"].tolist()


def test_oof_predictions_are_those_of_the_scores():
    folds = np.arange(72) % 3
    pairs = [(np.flatnonzero(folds != k), np.flatnonzero(folds == k)) for k in range(3)]
    s = SpectralCNNSearch(n_trials=2, cv=pairs, **QUICK).fit(X, Y)
    for k in range(3):
        rmse = np.sqrt(np.mean((s.oof_predictions_ - Y)[folds == k] ** 2))
        assert np.isclose(-s.cv_results_[f"split{k}_test_score"][s.best_index_], rmse, rtol=1e-6)


def test_groups_stay_together():
    s = search().fit(X, Y, groups=GROUPS)
    rows, folds, _ = s.study_.predictions(0)
    assert all(len(set(folds[GROUPS[rows] == g])) == 1 for g in set(GROUPS))


def test_splits_that_are_no_folds():
    """They are trained one by one; where they are folds, the library does all at once: to the same kind of end."""
    rng = np.random.RandomState(0)
    pairs = [(p[:50], p[50:]) for p in (rng.permutation(72) for _ in range(2))]
    s = SpectralCNNSearch(n_trials=3, cv=pairs, study_options={"prune": "median", "prune_startup": 1}, **QUICK).fit(X, Y)
    seen = np.unique(np.concatenate([b for _, b in pairs]))
    assert set(np.flatnonzero(np.isfinite(s.oof_predictions_))) == set(seen) and s.score(X, Y) > 0.7
    assert {"complete", "pruned"} >= set(s.cv_results_["state"])
    masks = [(np.arange(72) < 50, np.arange(72) >= 50)]
    assert SpectralCNNSearch(n_trials=1, cv=masks, **QUICK).fit(X, Y).n_splits_ == 1


def test_scoring_of_ones_own():
    calls = []

    def scorer(estimator, X, y):
        calls.append(len(y))
        return -np.abs(estimator.predict(X) - y).max()
    s = SpectralCNNSearch(n_trials=2, cv=3, scoring=scorer, **QUICK).fit(X, Y, groups=GROUPS,
                                                                         sample_weight=np.ones(72))
    assert len(calls) == 6 and s.best_score_ < 0 and sum(calls[:3]) == 72


def test_studies_go_on(tmp_path):
    url = str(tmp_path / "s.db")
    SpectralCNNSearch(n_trials=2, cv=3, study=(url, "fat"), **QUICK).fit(X, Y)
    s = SpectralCNNSearch(n_trials=4, cv=3, study=(url, "fat"), **QUICK).fit(X, Y)
    straight = SpectralCNNSearch(n_trials=4, cv=3, **QUICK).fit(X, Y)
    assert s.cv_results_["mean_test_score"].tolist() == straight.cv_results_["mean_test_score"].tolist()
    with pytest.raises(spectune.MismatchError):
        SpectralCNNSearch(n_trials=5, cv=3, study=(url, "fat"), **QUICK).fit(X, Y + 1)
    own = Study(space=QUICK["space"])
    t = SpectralCNNSearch(n_trials=2, cv=3, study=own, **QUICK).fit(X, Y)
    assert t.study_ is own and own.n_finished == 2
    by_hand = {"cv": [(np.arange(50), np.arange(50, 72))], "study": (url, "by hand")}
    SpectralCNNSearch(n_trials=1, **by_hand, **QUICK).fit(X, Y)
    with pytest.raises(spectune.MismatchError):
        SpectralCNNSearch(n_trials=2, **by_hand, **QUICK).fit(X, Y + 1)


def test_other_settings():
    s = search(confirm=(2, 2), sampler="random", timeout=60).fit(X, Y)
    assert s.study_.history().n_repeated == 4 and s.study_.n_finished == 7
    events = []
    SpectralCNNSearch(n_trials=50, cv=2, callback=lambda e: events.append(e) or e.trial < 1, **QUICK).fit(X, Y)
    assert {e.trial for e in events} == {0, 1}
    unfitted = search(refit=False).fit(X, Y)
    assert unfitted.best_params_ and not hasattr(unfitted, "best_estimator_")
    with pytest.raises(AttributeError, match="refit"):
        unfitted.predict(X)
    with pytest.raises(ValueError, match="not fitted"):
        search().predict(X)
    with pytest.raises(spectune.DataError, match="no trial was completed"):
        SpectralCNNSearch(n_trials=1, cv=2, training={"optimizer": "sgd"},
                          space=spectune.Space("d").add_float("learning_rate", 0.9, 1.0, 1.0).add_float("momentum", 0.98, 0.99, 0.99)
                          .add_int("epochs", 40, 60, 50).add_int("fc_blocks", 2, 2), random_state=0).fit(X * 5, Y)


def test_arbitrary_units_leave_out_channels():
    z = X - X.mean(axis=0)
    s = SpectralCNNSearch("small", n_trials=2, cv=2, unit="arbitrary", random_state=0).fit(z, Y)
    assert not any(n.startswith("channel_") for n in s.best_params_) and s.best_estimator_.predict(z).shape == (72,)
    again = s.best_estimator_.fit(z, Y)
    assert again.model_.summary


# ---- with scikit-learn -----------------------------------------------------------------------------------------


def test_in_scikit_learns_hands():
    pytest.importorskip("sklearn")
    from sklearn.base import clone
    from sklearn.model_selection import GridSearchCV, KFold, ShuffleSplit, cross_val_predict, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    est = SpectralCNN({"epochs": 40}, **QUICK)
    assert clone(est).get_params()["config"] == {"epochs": 40}
    assert cross_val_score(est, X, Y, cv=3).min() > 0.5
    assert cross_val_predict(est, X, Y, cv=3).shape == Y.shape
    nested = cross_val_score(search(), X, Y, cv=KFold(3, shuffle=True, random_state=0))
    assert nested.shape == (3,) and nested.min() > 0.3
    pipe = make_pipeline(StandardScaler(), SpectralCNN(unit="arbitrary", **QUICK))
    assert cross_val_score(pipe, X, Y, cv=3).min() > 0.3
    grid = GridSearchCV(est, {"config": [{"epochs": 20}, {"epochs": 40}]}, cv=2, n_jobs=2).fit(X, Y)
    assert grid.best_params_["config"]["epochs"] in (20, 40)
    for cv in (KFold(3), ShuffleSplit(2, random_state=0)):
        s = SpectralCNNSearch(n_trials=2, cv=cv, scoring="r2", **QUICK).fit(X, Y)
        assert s.best_score_ == s.cv_results_["mean_test_score"].max() and s.score(X, Y) == s.best_estimator_.score(X, Y)
    ours = SpectralCNNSearch(n_trials=1, cv=KFold(3), scoring="neg_root_mean_squared_error", **QUICK).fit(X, Y)
    plain = SpectralCNNSearch(n_trials=1, cv=KFold(3), **QUICK).fit(X, Y)
    assert ours.best_score_ == plain.best_score_
    assert np.isclose(ours.score(X, Y), -np.sqrt(np.mean((ours.predict(X) - Y) ** 2)))


def test_metadata_routing():
    sklearn = pytest.importorskip("sklearn", minversion="1.4")
    from sklearn.model_selection import GroupKFold, cross_validate
    with sklearn.config_context(enable_metadata_routing=True):
        s = search().set_fit_request(groups=True, sample_weight=True).set_score_request(sample_weight=False)
        out = cross_validate(s, X, Y, cv=GroupKFold(3), params={"groups": GROUPS, "sample_weight": np.ones(72)},
                             return_estimator=True)
        rows, folds, _ = out["estimator"][0].study_.predictions(0)
        train = next(iter(GroupKFold(3).split(X, Y, GROUPS)))[0]
        assert all(len(set(folds[GROUPS[train][rows] == g])) == 1 for g in set(GROUPS[train]))
        with pytest.raises(Exception, match="sample_weight"):
            cross_validate(search(), X, Y, cv=2, params={"sample_weight": np.ones(72)})


def test_without_scikit_learn():
    """The estimators work by themselves, and import nothing of it."""
    code = """
import sys
sys.modules["sklearn"] = None
sys.path.insert(0, sys.argv[1])
from test_estimators import X, Y, AXIS, QUICK, np
import spectune, pickle
est = spectune.SpectralCNN(**QUICK).fit(X, Y)
assert est.score(X, Y) > 0.8 and est.get_params()["epochs"] == 0 and est.set_params(epochs=3).epochs == 3
s = spectune.SpectralCNNSearch(n_trials=2, cv=[(np.arange(50), np.arange(50, 72))], **QUICK).fit(X, Y, groups=None)
assert s.score(X, Y) > 0.5 and pickle.loads(pickle.dumps(s)).best_params_ == s.best_params_
try:
    est.predict(X[:, :-1])
except ValueError as e:
    assert "30 features" in str(e)
print(repr(est)[:11], spectune._sklearn.HAVE_SKLEARN)
"""
    out = subprocess.run([sys.executable, "-c", code, os.path.dirname(__file__)], capture_output=True, text=True)
    assert out.stdout.split() == ["SpectralCNN", "False"], out.stderr
