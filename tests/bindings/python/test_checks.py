"""scikit-learn's own checks of estimators."""
import warnings

import pytest
from conftest import quick_space

from spectune import SpectralCNN, SpectralCNNSearch

pytest.importorskip("sklearn", minversion="1.6")
from sklearn.utils.estimator_checks import parametrize_with_checks  # noqa: E402

#: What the checks cannot ask of these estimators, and why.
EXCEPTIONS = {
    "check_sample_weight_equivalence_on_dense_data":
        "mini-batches of weighted rows are other mini-batches than those of repeated or removed rows, and early stopping "
        "watches other rows, so the weights mean the same but the networks differ (as for any stochastic training)",
}


def expected(estimator):
    return EXCEPTIONS


# Values of the checks are of no unit that a spectrometer has.
@parametrize_with_checks([SpectralCNN(space=quick_space(), unit="arbitrary"),
                          SpectralCNNSearch(quick_space(), unit="arbitrary", n_trials=2, cv=2)],
                         expected_failed_checks=expected)
def test_scikit_learn(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check(estimator)
