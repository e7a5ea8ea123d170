"""What the estimators take from scikit-learn where it is installed, and a little of the same where it is not."""
import inspect

import numpy as np

try:
    from sklearn.base import BaseEstimator, RegressorMixin
    from sklearn.exceptions import NotFittedError
    from sklearn.metrics import check_scoring  # noqa: F401  (for estimators.py)
    from sklearn.utils import check_random_state, column_or_1d
    from sklearn.utils.validation import _check_sample_weight, check_consistent_length
    HAVE_SKLEARN = True
except ImportError:
    HAVE_SKLEARN = False

    class NotFittedError(ValueError, AttributeError):
        """fit() comes first."""

    class BaseEstimator:
        """get_params() and set_params(), as scikit-learn has them."""

        @classmethod
        def _names(cls):
            return sorted(n for n in inspect.signature(cls.__init__).parameters if n != "self")

        def get_params(self, deep=True):
            return {n: getattr(self, n) for n in self._names()}

        def set_params(self, **params):
            for name, value in params.items():
                if name not in self._names():
                    raise ValueError(f"there is no parameter {name!r}; {', '.join(self._names())} are possible")
                setattr(self, name, value)
            return self

        def __getstate__(self):
            return dict(self.__dict__)

        def __repr__(self):
            return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.get_params().items())})"

    class RegressorMixin:
        """score() as R2."""

        def score(self, X, y, sample_weight=None):
            y, p = np.asarray(y, float).ravel(), self.predict(X)
            w = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, float)
            return 1 - (w * (y - p) ** 2).sum() / (w * (y - np.average(y, weights=w)) ** 2).sum()

    def check_random_state(seed):
        return seed if isinstance(seed, np.random.RandomState) else np.random.RandomState(seed)

    def column_or_1d(y, warn=False):
        y = np.asarray(y)
        if y.ndim == 2 and y.shape[1] == 1:
            y = y[:, 0]
        if y.ndim != 1:
            raise ValueError(f"y has {y.ndim} dimensions; one was expected")
        return y

    def check_consistent_length(*arrays):
        lengths = {len(a) for a in arrays if a is not None}
        if len(lengths) > 1:
            raise ValueError(f"arrays of different lengths: {sorted(lengths)}")

    def _check_sample_weight(w, X, dtype=None, **_):
        w = np.asarray(w, np.float64)
        check_consistent_length(w, X)
        return w


def validate_X(estimator, X, reset):
    """X as a float array; what scikit-learn keeps about features is kept."""
    wanted = {"dtype": [np.float64, np.float32], "reset": reset, "ensure_min_samples": 1}
    if not HAVE_SKLEARN:
        names = getattr(X, "columns", None)
        X = np.asarray(X)
        if X.dtype not in (np.float32, np.float64):
            X = X.astype(np.float64)
        if X.ndim != 2:
            raise ValueError(f"X has {X.ndim} dimensions; rows x bands was expected")
        if not np.isfinite(X).all():
            raise ValueError("X has values that are not finite")
        if reset:
            estimator.n_features_in_ = X.shape[1]
            if names is not None and all(isinstance(n, str) for n in names):
                estimator.feature_names_in_ = np.asarray(names, dtype=object)
        elif X.shape[1] != estimator.n_features_in_:
            raise ValueError(f"X has {X.shape[1]} features, but {type(estimator).__name__} is expecting "
                             f"{estimator.n_features_in_} features as input")
        return X
    try:
        from sklearn.utils.validation import validate_data
    except ImportError:  # before 1.6
        return estimator._validate_data(X, **wanted)
    return validate_data(estimator, X, **wanted)


def validate_y(y):
    """y as float64, one value for each row."""
    if y is None:
        raise ValueError("this estimator requires y to be passed, but the target y is None")
    if HAVE_SKLEARN:
        from sklearn.utils.validation import check_array
        y = check_array(y, ensure_2d=False, dtype=None, input_name="y")
    y = column_or_1d(y, warn=True)
    if y.dtype.kind not in "fiub":
        y = np.asarray(y, dtype=np.float64)
    return np.ascontiguousarray(y, np.float64)


def check_fitted(estimator, attribute):
    if not hasattr(estimator, attribute):
        raise NotFittedError(f"this {type(estimator).__name__} is not fitted yet; call fit() first")
