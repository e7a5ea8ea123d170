"""SpectralCNN and SpectralCNNSearch: training and tuning with the interface of scikit-learn.

scikit-learn is used where it is installed; without it the estimators work by themselves.
"""
from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from . import _sklearn as skl
from ._abi import Status
from ._core import Context
from ._errors import DataError, DivergedError, NotFoundError, TrialPruned
from ._types import Any, Array, ArrayLike, Callable, Sequence, Setting
from .data import Dataset, bands_of, is_dataframe
from .model import Model
from .network import Network
from .prep import Prep
from .space import Space
from .store import Store
from .study import CrossValidation, Study

if TYPE_CHECKING:
    from ._core import Epoch
    from .study import Event

#: Switches of the input channels, in the order of their bits.
_SWITCHES = ("channel_r", "channel_a", "channel_a_d1", "channel_a_d2", "channel_a_snv")

#: Where values of arbitrary units go, that the library reads as absorbance.
_CENTRE, _SPAN = 5.0, 1.0


class _Spectral(skl.RegressorMixin, skl.BaseEstimator):
    """What both estimators do with X and y."""

    def _bands(self, X):
        """Positions of the bands: `axis`, or the names of a frame's columns where they are numbers, or 1, 2, 3, ..."""
        p = self.n_features_in_
        if self.axis is not None:
            axis = np.asarray(self.axis, float)
            if axis.shape != (p,):
                raise ValueError(f"axis has the shape {axis.shape}; X has {p} bands")
            return axis
        if is_dataframe(X):
            bands, rest = bands_of(X.columns)
            if not rest and list(X.columns) != list(range(p)):  # pandas counts from 0 where nobody named them
                return np.array([b for _, b in bands])
        return np.arange(1.0, p + 1)

    def _take(self, X, y, sample_weight, groups):
        """(dataset, y, names of the columns that are there) of what fit() was given."""
        y_name = str(getattr(y, "name", None) or "y")
        frame, X = X, skl.validate_X(self, X, True)
        y = skl.validate_y(y)
        skl.check_consistent_length(X, y)
        if X.shape[1] < 2:
            raise ValueError("Found array with 1 feature(s): spectra have 2 bands at least")
        self.axis_ = self._bands(frame)
        if self.unit == "arbitrary":
            low, high = float(X.min()), float(X.max())
            self.range_ = (low, high if high > low else low + 1)
        columns, roles = {y_name: y}, {"target": y_name}
        if sample_weight is not None:
            columns[" weight"] = skl._check_sample_weight(sample_weight, X, dtype=np.float64)
            roles["weights"] = " weight"
        if groups is not None:
            skl.check_consistent_length(X, groups)
            columns[" group"] = np.array([str(g) for g in np.asarray(groups)], dtype=object)
            roles["group"] = " group"
        return self._dataset(X, columns), y, roles

    def _dataset(self, X, columns=None, context=None):
        unit = self.unit
        if unit == "arbitrary":
            low, high = self.range_
            X = (X.astype(np.float64) - 0.5 * (low + high)) * (_SPAN / (high - low)) + _CENTRE
            unit = "absorbance"
        return Dataset(X, self.axis_, axis_unit=self.axis_unit, unit=unit, columns=columns, context=context)

    def _seed(self):
        if isinstance(self.random_state, (int, np.integer)):
            return int(self.random_state)
        return int(skl.check_random_state(self.random_state).randint(1, 2**31 - 1))

    def _config(self, space, values=None):
        """The configuration of these values. Of values in arbitrary units the first channel alone makes sense."""
        values = dict(values or {})
        if self.unit == "arbitrary" and not any(s in values for s in _SWITCHES):
            values.update({s: s == "channel_a" for s in _SWITCHES if s in space})
        config = space.config(values)
        config.check()
        return config

    def _plain_space(self):
        """The space; for arbitrary units without the channels that make no sense."""
        space = Space.of(self.space)
        if self.unit != "arbitrary" or not any(s in space for s in _SWITCHES):
            return space
        return without_channels(space)


class SpectralCNN(_Spectral):
    """A one-dimensional convolutional network for spectra: trains one configuration.

    Parameters
    ----------
    config : mapping, optional
        Values of parameters of `space`; the others take its defaults. The space's bounds hold.
    space : str or Space
        The family of networks: the name of a preset, an XML file, or a Space.
    epochs : int
        0: stop early by a share of the training rows (whole groups, if `groups` are given to fit). More: train on all rows
        for so many.
    unit : str
        What the values are: "absorbance", "reflectance", "percent-reflectance"; or "arbitrary": values of any kind, also
        pretreated ones, which the network reads as they are, scaled.
    axis : sequence, optional
        Positions of the bands. None: the names of a pandas frame's columns where they are numbers, else 1, 2, 3, ...
    axis_unit : str
        "nm", "cm-1" or "um".
    prep : Prep or steps, optional
        Pretreatment, as in ``[("crop", 1100, 2400), ("decimate", 4)]``.
    training : mapping, optional
        Further knobs of `describe_options("fit")`: loss, schedule, patience, watch_share, target_transform, ...
    n_jobs : int, optional
        Threads; None: as many as the process may use. Results never depend on it.
    random_state : int, RandomState or None
    callback : callable, optional
        Called with an `Epoch` after each; False ends training.

    Attributes
    ----------
    model_ : Model
        To be written as XML, also for C programs. (Values in arbitrary units are scaled before; see `range_`.)
    report_ : TrainingReport or None
    n_features_in_, feature_names_in_, axis_, range_
    """

    def __init__(self, config: Mapping | None = None, *, space: str | Space = "small", epochs: int = 0,
                 unit: str = "absorbance", axis: ArrayLike | None = None, axis_unit: str = "nm",
                 prep: Prep | Sequence | None = None, training: Mapping[str, Setting] | None = None,
                 n_jobs: int | None = None, random_state: Any = None,
                 callback: Callable[[Epoch], Any] | None = None) -> None:
        self.config = config
        self.space = space
        self.epochs = epochs
        self.unit = unit
        self.axis = axis
        self.axis_unit = axis_unit
        self.prep = prep
        self.training = training
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.callback = callback

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None,
            groups: ArrayLike | None = None) -> SpectralCNN:
        """Train. Rows of one group are watched, or not, together."""
        dataset, y, roles = self._take(X, y, sample_weight, groups)
        if len(y) < 2:
            raise ValueError("n_samples=1: a network needs 2 samples at least")
        how = dict({"seed": self._seed()}, **(self.training or {}))
        how.update({k: v for k, v in roles.items() if k != "target"})
        context = Context(threads=self.n_jobs)
        self.model_ = Model.fit(dataset, roles["target"], self._config(Space.of(self.space), self.config), prep=self.prep,
                                epochs=self.epochs, callback=self.callback, context=context, **how)
        self.report_ = self.model_.report
        return self

    def predict(self, X: ArrayLike) -> Array:
        """Predict. A spectrum that cannot be predicted is NaN, with a warning."""
        skl.check_fitted(self, "model_")
        return self.model_.predict(self._dataset(skl.validate_X(self, X, False)))


class SpectralCNNSearch(_Spectral):
    """Tunes a one-dimensional convolutional network for spectra by cross-validation.

    Parameters
    ----------
    space : str or Space
        What is searched: the name of a preset, an XML file, or a Space.
    n_trials : int
        Finished trials that the study is to hold.
    timeout : float, optional
        Seconds after which no trial begins.
    cv : int, splitter or iterable of (train, test)
        An int: so many folds, drawn by the library (whole groups together, if `groups` are given to fit). Splits that part
        the rows into folds are scored by the library, folds side by side; others (repeated, overlapping, through time) by
        training on each.
    scoring : str, callable or None
        None (or "neg_root_mean_squared_error"): the mean RMSE of the folds, by the library. Else a scorer of scikit-learn.
    refit : bool
        Train the best configuration once more on all rows.
    confirm : (int, int), optional
        (k, r): try the k best again r times each before one is taken, as the lowest of many losses is a lucky one.
    sampler : str, mapping or Sampler, optional
    study : str, path, (url, name) or Study, optional
        Where trials are kept; a study that is there goes on. None: in memory.
    study_options : mapping, optional
        Knobs of `describe_options("study")`: prune, in_flight, patience_trials, ...
    training : mapping, optional
        Further knobs of training, as for :class:`SpectralCNN`; what the space searches wins over them.
    callback : callable, optional
        Called with each `Event`; False ends the search, and the best trial so far is taken.
    unit, axis, axis_unit, prep, n_jobs, random_state
        As for :class:`SpectralCNN`.

    Attributes
    ----------
    best_params_, best_score_, best_index_, best_estimator_
    cv_results_ : dict
        A column for each: params, param_NAME, mean_test_score, std_test_score, rank_test_score, splitN_test_score, state.
    oof_predictions_ : array
        Out-of-fold predictions of the best trial; NaN for rows that no test set had.
    study_ : Study
        Left out when the estimator is pickled.
    stopped_ : Status
        Why the search ended.
    """

    def __init__(self, space: str | Space = "small", *, n_trials: int = 60, timeout: float | None = None, cv: Any = 5,
                 scoring: Any = None, refit: bool = True, confirm: tuple[int, int] | None = None,
                 sampler: str | Mapping | None = None, study: Any = None,
                 study_options: Mapping[str, Setting] | None = None, training: Mapping[str, Setting] | None = None,
                 callback: Callable[[Event], Any] | None = None, unit: str = "absorbance",
                 axis: ArrayLike | None = None, axis_unit: str = "nm", prep: Prep | Sequence | None = None,
                 n_jobs: int | None = None, random_state: Any = None) -> None:
        self.space = space
        self.n_trials = n_trials
        self.timeout = timeout
        self.cv = cv
        self.scoring = scoring
        self.refit = refit
        self.confirm = confirm
        self.sampler = sampler
        self.study = study
        self.study_options = study_options
        self.training = training
        self.callback = callback
        self.unit = unit
        self.axis = axis
        self.axis_unit = axis_unit
        self.prep = prep
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None,
            groups: ArrayLike | None = None) -> SpectralCNNSearch:
        """Search, and train the best configuration on all rows."""
        frame = X
        dataset, y, roles = self._take(X, y, sample_weight, groups)
        if len(y) < 2:
            raise ValueError("n_samples=1: cross-validation needs 2 samples at least")
        self._seed_ = self._seed()
        own = self.study if isinstance(self.study, Study) else None
        context = own.context if own else Context(threads=self.n_jobs)
        splits = self._splits(dataset, frame, y, groups)
        study = own or self._open(context)
        if self.callback is not None:
            study.set_callback(self.callback)
        judge = self._native(study, dataset, roles, splits)
        if judge is None:
            judge = _ByHand(self, study, dataset, y, roles, splits, sample_weight, groups)
        self.stopped_ = study.run(self.n_trials, self.timeout)
        if self.confirm is not None and self.stopped_ != Status.STOP_HOST:
            study.confirm(*self.confirm)
            with study.history() as history:
                self.stopped_ = study.run(self.n_trials + history.n_repeated, self.timeout)
        self.study_ = study
        self._gather(study, judge, len(y))
        if self.refit:
            self.best_estimator_ = judge.refit(self._best(), frame, y)
        return self

    # ---- how trials are scored ----

    def _splits(self, dataset, X, y, groups):
        """None: so many folds by the library; else a list of (train, test)."""
        cv = 5 if self.cv is None else self.cv
        if isinstance(cv, (int, np.integer)):
            if self._scoring_is_ours():
                return None
            fold = dataset.folds(int(cv), " group" if groups is not None else None, self._seed_)
            return [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(cv)]
        pairs = cv.split(X, y, groups) if hasattr(cv, "split") else cv
        n = len(y)
        out = [(_rows(a, n), _rows(b, n)) for a, b in pairs]
        if not out:
            raise ValueError("cv has no splits")
        return out

    def _scoring_is_ours(self):
        return self.scoring is None or self.scoring == "neg_root_mean_squared_error"

    def _native(self, study, dataset, roles, splits):
        """The library's cross-validation, where it can do it."""
        folds = int(self.cv or 5) if splits is None else folds_of(splits, len(dataset))
        if folds is None or not self._scoring_is_ours():
            return None
        how = dict({"seed": self._seed_}, **(self.training or {}))
        how.update({k: v for k, v in roles.items() if k != "target"})
        cv = CrossValidation(dataset, roles["target"], prep=self.prep, folds=folds, context=study.context, **how)
        study.set_objective(cv)
        return _Native(self, study, cv)

    def _open(self, context):
        where = self.study if self.study is not None else "memory:"
        url, name = where if isinstance(where, tuple) else (where, None)
        sampler = self.sampler
        if sampler is None or isinstance(sampler, (str, Mapping)):
            sampler = {"sampler": sampler} if isinstance(sampler, str) else dict(sampler or {})
            sampler.setdefault("seed", self._seed_)
        store = Store(url, context=context)
        return Study(store, name, self._plain_space(), sampler, **(self.study_options or {}))

    # ---- what came of it ----

    def _gather(self, study, judge, n):
        with study.history() as history:
            best, trials = history.confirmed_index, list(history)
        if best is None:
            reasons = [t.attributes.get("reason") for t in trials if "reason" in t.attributes]
            raise DataError("no trial was completed" + (f": {reasons[-1]}" if reasons else ""), Status.EDATA)
        value = np.array([-t.value if t.state.name == "COMPLETE" else np.nan for t in trials])
        steps = sorted({s for t in trials for s in t.steps})
        scores = {s: np.array([-t.steps.get(s, np.nan) for t in trials]) for s in steps}
        results = {"params": [t.params for t in trials], "state": np.array([t.state.name.lower() for t in trials])}
        for name in study.space.names:
            column = np.ma.masked_all(len(trials), dtype=object)
            for i, t in enumerate(trials):
                if name in t.params:
                    column[i] = t.params[name]
            results[f"param_{name}"] = column
        for s in steps:
            results[f"split{s}_test_score"] = scores[s]
        table = np.array([scores[s] for s in steps]).reshape(len(steps), len(trials))
        results["mean_test_score"] = value
        complete = ~np.isnan(value)
        results["std_test_score"] = np.full(len(trials), np.nan)
        if steps:
            results["std_test_score"][complete] = table[:, complete].std(axis=0)
        order = np.argsort(np.argsort(-np.where(complete, value, -np.inf), kind="stable"), kind="stable") + 1
        results["rank_test_score"] = order.astype(np.int32)
        seconds = [(t.ended - t.started).total_seconds() if t.ended and t.started else np.nan for t in trials]
        results["mean_fit_time"] = np.array(seconds)
        self.cv_results_ = results
        self.n_splits_ = len(steps)
        self.best_index_, self.best_score_ = best, float(value[best])
        self.best_params_ = trials[best].params
        self.oof_predictions_ = judge.predictions(trials[best].number, n)

    def _best(self):
        """An unfitted SpectralCNN of the best trial."""
        params = dict(self.best_params_)
        if self.unit == "arbitrary":
            params.update({s: s == "channel_a" for s in _SWITCHES if s in Space.of(self.space)})
        return SpectralCNN(params, space=self.space, unit=self.unit, axis=self.axis, axis_unit=self.axis_unit,
                           prep=self.prep, training=self.training, n_jobs=self.n_jobs, random_state=self._seed_)

    def predict(self, X: ArrayLike) -> Array:
        """Predict with the best configuration, trained on all rows."""
        skl.check_fitted(self, "best_index_")
        if not hasattr(self, "best_estimator_"):
            raise AttributeError("predict() needs refit=True")
        skl.validate_X(self, X, False)
        return self.best_estimator_.predict(X)

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """By `scoring`; R2 where that is None."""
        if self.scoring is None or not skl.HAVE_SKLEARN:
            return super().score(X, y, sample_weight)
        skl.check_fitted(self, "best_index_")
        return skl.check_scoring(self.best_estimator_, self.scoring)(self.best_estimator_, X, y)

    @property
    def model_(self) -> Model:
        """The best estimator's Model."""
        return self.best_estimator_.model_

    def __getstate__(self):
        state = dict(super().__getstate__())
        state.pop("study_", None)
        return state


class _Native:
    """Trials are scored by the library's cross-validation."""

    def __init__(self, search, study, cv):
        self.search, self.study, self.cv = search, study, cv

    def refit(self, estimator, X, y):
        """As the library does it: for the median best epoch of the folds."""
        search = self.search
        for name in ("n_features_in_", "feature_names_in_", "axis_", "range_"):
            if hasattr(search, name):
                setattr(estimator, name, getattr(search, name))
        with self.study.history() as history:
            estimator.model_ = self.cv.model(history, search.best_index_)
        estimator.report_ = None
        return estimator

    def predictions(self, number, n):
        out = np.full(n, np.nan)
        rows, _, values = self.study.predictions(number)
        out[rows] = values
        return out


class _ByHand:
    """Trials are scored here: one training for each split, any splits, any scorer."""

    def __init__(self, search, study, dataset, y, roles, splits, sample_weight, groups):
        self.search, self.study, self.y, self.splits = search, study, y, splits
        self.frame = dataset.spectra()
        self.weights = None if sample_weight is None else np.asarray(sample_weight, float)
        self.groups = None if groups is None else np.asarray(groups)
        self.dataset, self.target = dataset, roles["target"]
        prep = Prep.of(search.prep, dataset.context)
        self.bands = (prep.apply(dataset) if prep else dataset).shape[1]
        ours = search._scoring_is_ours()
        if not skl.HAVE_SKLEARN and not ours and not callable(search.scoring):
            raise NotFoundError("scoring by name needs scikit-learn", Status.ENOTFOUND)
        self.scorer = _neg_rmse if ours else (
            search.scoring if callable(search.scoring) else skl.check_scoring(SpectralCNN(), search.scoring))
        digest = hashlib.sha256()
        for part in [y] + [s for pair in splits for s in pair]:
            digest.update(np.ascontiguousarray(part).tobytes())
        study.pin("scoring", str(search.scoring or "neg_root_mean_squared_error"))
        study.pin("spectra", dataset.fingerprint())
        study.pin("splits", digest.hexdigest())
        study.set_check(self.check)
        study.set_objective(self.objective, catch=(DivergedError,))

    def check(self, config):
        Network.check_config(config, self.bands, bin(int(config.channels)).count("1"))

    def _one(self, params, rows, seed):
        est = _Prepared(self.search, self.target, params, seed)
        return est.fit(self.dataset.take(rows), self.y[rows], None if self.weights is None else self.weights[rows],
                       None if self.groups is None else self.groups[rows])

    def objective(self, trial):
        scores, oof = [], np.full(len(self.y), np.nan, np.float32)
        for i, (train, test) in enumerate(self.splits):
            est = self._one(trial.config, train, (self.search._seed_ + 1000003 * trial.number + i) % 2**31)
            scores.append(float(self.scorer(est, self.frame[test], self.y[test])))
            oof[test] = est.predict(self.frame[test])
            trial.report(-scores[-1], i)
            if i + 1 < len(self.splits) and trial.should_prune():
                raise TrialPruned
        trial.set_block("predictions", oof)
        return -float(np.mean(scores))

    def refit(self, estimator, X, y):
        return estimator.fit(X, y, self.weights, self.groups)

    def predictions(self, number, n):
        block = self.study.store.block(self.study.name, "predictions", number)
        return np.frombuffer(block, "<f4").astype(np.float64)


class _Prepared(skl.RegressorMixin, skl.BaseEstimator):
    """A SpectralCNN whose data is on the library's axis and in its unit already: what scorers are given."""

    def __init__(self, search=None, target=None, params=None, seed=None):
        self.search, self.target, self.params, self.seed = search, target, params, seed

    def fit(self, dataset, y, weights, groups):
        search, how = self.search, dict({"seed": self.seed}, **(self.search.training or {}))
        for name, values, role in ((" weight", weights, "weights"), (" group", groups, "group")):
            if values is not None:
                how[role] = name
        self.model_ = Model.fit(dataset, self.target, self.params, prep=search.prep, context=dataset.context, **how)
        return self

    def predict(self, X):
        return self.model_.predict(np.asarray(X))


def _neg_rmse(estimator, X, y):
    return -float(np.sqrt(np.mean((estimator.predict(X) - y) ** 2)))


def _rows(index, n):
    index = np.asarray(index)
    return np.flatnonzero(index) if index.dtype == bool else np.arange(n)[index]


def folds_of(splits, n):
    """One fold number per row (-1: never used) if the splits part the rows into folds, else None."""
    fold = np.full(n, -1, np.int32)
    for k, (_, test) in enumerate(splits):
        if (fold[test] >= 0).any() or len(test) == 0 or len(np.unique(test)) != len(test):
            return None
        fold[test] = k
    used = fold >= 0
    for k, (train, _) in enumerate(splits):
        if len(np.unique(train)) != len(train) or not np.array_equal(np.sort(train), np.flatnonzero(used & (fold != k))):
            return None
    return fold if len(splits) > 1 else None


def without_channels(space):
    """A copy of a space without its switches of input channels (the network then reads one)."""
    import xml.etree.ElementTree as tree
    root = tree.fromstring(space.xml)
    for parent in root.iter():
        for child in list(parent):
            names = {child.get("name"), child.get("parameter")} | {e.get("parameter") for e in child.iter()}
            if names & set(_SWITCHES):
                parent.remove(child)
    return Space.from_xml(tree.tostring(root, encoding="unicode"), space.name)


__all__ = ["SpectralCNN", "SpectralCNNSearch"]
