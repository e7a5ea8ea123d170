"""One-dimensional convolutional networks for spectra, tuned automatically: libspectune in Python.

The main job::

    import spectune

    data = spectune.Dataset.read_csv("soil.csv", unit="reflectance")
    cv = spectune.CrossValidation(data, "SOC", folds=10, group="profile")
    study = spectune.Study("soil.db", "soc", space="small")
    study.run(60, objective=cv)
    cv.model(study).write("soc.xml")

or, with the interface of scikit-learn, :class:`SpectralCNNSearch` and :class:`SpectralCNN`. The C headers have every range
and every error; doc/python.md has the rest.
"""
from ._abi import (Activation, AxisUnit, Channel, EventKind, LogLevel, Op, Padding, Pool, Scale, Status, Transform,
                   TrialState, Unit)
from ._core import Context, Epoch, Knob, context, describe_options, kernels
from ._errors import (BusyError, CallbackError, CapacityError, DataError, DivergedError, FileError, FormatError,
                      InternalError, InvalidArgumentError, MemoryLimitError, MismatchError, NotFoundError,
                      OutOfMemoryError, ShapeError, SpectuneError, StoreError, TrialPruned, TrialTimeout,
                      UnsupportedError, VersionError)
from ._load import LibraryError, library, load_library
from .data import Column, Dataset
from .explain import Curve, FAnova, Importance, Interaction, ped_importance
from .model import Model, Predictor, Statistics, statistics
from .network import Network, Tensor, Trainer, TrainingReport
from .prep import Prep, Scaler, savgol
from .sampler import Sampler, SeenTrials
from .space import Config, Parameter, Space
from .store import History, Store, TrialRecord
from .study import CrossValidation, Event, Study, Trial

__version__ = "0.1.0"

# Only looked for when asked for: scikit-learn and matplotlib take a second to import, and need not be there.
_LATER = {"SpectralCNN": "estimators", "SpectralCNNSearch": "estimators", "plots": None}


def __getattr__(name):
    if name not in _LATER:
        raise AttributeError(f"module 'spectune' has no attribute {name!r}")
    import importlib
    module = importlib.import_module("." + (_LATER[name] or name), __name__)
    found = getattr(module, name) if _LATER[name] else module
    globals()[name] = found
    return found


def __dir__():
    return sorted(set(globals()) | set(_LATER))


__all__ = [n for n in dir() if not n.startswith("_")] + ["SpectralCNN", "SpectralCNNSearch"]
