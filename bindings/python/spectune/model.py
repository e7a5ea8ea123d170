"""Models: everything between a raw spectrum and a value."""
from __future__ import annotations

from collections import namedtuple
from ctypes import byref, c_int64
from typing import TYPE_CHECKING

import numpy as np

from . import _abi
from ._abi import PredictFlags, Status, Transform
from ._core import (Box, Handle, address, box_of, context as default_context, decode, drop, encode, float64, host_code,
                    iter_texts, keep, on_epoch, options, record)
from ._errors import error_of
from ._load import lib
from ._types import Any, Array, ArrayLike, Callable, Path, Sequence, Setting, Text
from .data import Dataset, bands_of, is_dataframe
from .network import report_of
from .prep import Prep, channel_mask

if TYPE_CHECKING:
    from ._core import Context, Epoch
    from .network import Network
    from .prep import Scaler
    from .space import Config

Statistics = namedtuple("Statistics", "n rmse bias bias_limit sep slope intercept r2 r2_cor rpd rpiq rer ccc mean sd")
Statistics.__doc__ = "How predictions agree with references; the fields are those of `spt_statistics`."


def statistics(reference: ArrayLike, predicted: ArrayLike) -> Statistics:
    """RMSE, bias, R2, RPD and the like of predictions; pairs with a NaN are left out."""
    a = float64(np.ravel(reference), what="reference")
    b = float64(np.ravel(predicted), len(a), "predicted")
    out = record(_abi.spt_statistics)
    status = lib.spt_statistics_compute(address(a), address(b), len(a), byref(out))
    if status < 0:
        raise error_of(status, "there is no pair of a reference and a prediction")
    return Statistics(*(getattr(out, n) for n in Statistics._fields))


@_abi.spt_bad_row_fn
def _on_bad_row(row, reason, key):
    """Anything but OK ends the prediction, and what the function raised comes out of it."""
    try:
        box = box_of(key)
        try:
            with host_code(box.context):
                box.function(row, decode(reason))
            return int(Status.OK)
        except BaseException as e:
            return box.failed(e)
    except BaseException:
        return int(Status.ECALLBACK)


class Model(Handle):
    """A model: pretreatment, scaling and networks in one document. Immutable; any thread may predict with it. Pickled and
    copied by value, as its XML document.

    Made by :meth:`fit`, :meth:`assemble`, :meth:`ensemble`, :meth:`read`, or `CrossValidation.model()`.
    """

    _free = "spt_model_free"
    report = None

    def __init__(self, *_):
        raise TypeError("models are made by Model.fit(), .assemble(), .ensemble(), .read() or .from_xml()")

    @classmethod
    def fit(cls, dataset: Dataset, target: str, config: Config, *, prep: Prep | Sequence | None = None, epochs: int = 0,
            callback: Callable[[Epoch], Any] | None = None, context: Context | None = None, **how: Setting) -> Model:
        """Train a model with one configuration.

        `epochs` 0 stops early on a share of the rows; more trains on all rows for so many. `callback` is called with an
        `Epoch` after each; False stops, and the best weights so far are the model's. Further keywords are the knobs of
        `describe_options("fit")`. The attribute `report` of the model tells what training came to.
        """
        ctx = context or dataset._context
        prep = Prep.of(prep, ctx)
        made, h = options(ctx, "spt_fit_options_new", how)
        report = record(_abi.spt_training_report)
        out = _abi.c_void_p()
        key = keep(Box(ctx, callback))
        try:
            status = ctx.call_long(lib.spt_model_fit, ctx._h, dataset._p(), prep and prep._p(), encode(target),
                                   config._p(), epochs, h, on_epoch, key, byref(report), byref(out))
        finally:
            drop(key)
        if out.value is None:
            raise error_of(Status.ECALLBACK, "training was stopped before its first epoch had ended")
        model = cls._of(ctx, out.value)
        model.report = report_of(report, status)
        return model

    @classmethod
    def assemble(cls, dataset: Dataset, network: Network, *, channels: str | Sequence[str] | int = "A",
                 prep: Prep | Sequence | None = None, scaler: Scaler | None = None, target: str = "value",
                 target_mean: ArrayLike | None = None, target_sd: ArrayLike | None = None,
                 transform: str | Transform = "none", context: Context | None = None) -> Model:
        """A model of parts that were trained elsewhere: value = output * target_sd + target_mean."""
        ctx = context or network._context
        t = network._shape[2]
        mean = None if target_mean is None else float64(np.ravel(target_mean), t, "target_mean")
        sd = None if target_sd is None else float64(np.ravel(target_sd), t, "target_sd")
        prep = Prep.of(prep, ctx)
        return cls._of(ctx, ctx.make(
            lib.spt_model_assemble, ctx._h, dataset._p(), prep and prep._p(), channel_mask(channels),
            scaler and scaler._p(), network._p(), encode(target), address(mean), address(sd),
            int(Transform[transform.upper()] if isinstance(transform, str) else transform)))

    @classmethod
    def ensemble(cls, models: Sequence[Model]) -> Model:
        """A model whose prediction is the mean of several."""
        ctx = models[0]._context
        handles = (_abi.c_void_p * len(models))(*[m._p() for m in models])
        return cls._of(ctx, ctx.make(lib.spt_model_ensemble, ctx._h, handles, len(models)))

    @classmethod
    def read(cls, path: Path, context: Context | None = None) -> Model:
        """Read a model from its XML file."""
        ctx = context or default_context()
        return cls._of(ctx, ctx.make(lib.spt_model_read, ctx._h, encode(path)))

    load = read

    @classmethod
    def from_xml(cls, xml: Text, name: str = "text", context: Context | None = None) -> Model:
        """Read a model from its document in memory."""
        ctx = context or default_context()
        data = xml.encode() if isinstance(xml, str) else bytes(xml)
        return cls._of(ctx, ctx.make(lib.spt_model_read_memory, ctx._h, data, len(data), encode(name)))

    def write(self, path: Path) -> None:
        """Write it to an XML file, complete or not at all."""
        self._context.call(lib.spt_model_write, self._context._h, self._p(), encode(path))

    save = write

    @property
    def xml(self) -> str:
        """The document as text."""
        return self._context.text(lib.spt_model_xml, self._context._h, self._p())

    def __reduce__(self):
        return Model.from_xml, (self.xml.encode(),)

    def __deepcopy__(self, memo):
        return self  # immutable

    def __repr__(self):
        return "<spectune.Model, closed>" if self.closed else f"<spectune.Model of {self.target}: {self.n_members} members>"

    # ---- reading ----

    @property
    def target(self) -> str:
        """What is predicted."""
        return decode(lib.spt_model_target(self._p()))

    @property
    def n_targets(self) -> int:
        """Values that a spectrum gives."""
        return lib.spt_model_targets(self._p())

    @property
    def n_members(self) -> int:
        """Networks whose weighted mean counts."""
        return lib.spt_model_members(self._p())

    @property
    def n_bands(self) -> int:
        """Bands of the spectra that it reads."""
        return lib.spt_model_bands(self._p())

    @property
    def axis(self) -> Array:
        """The raw axis that it reads; a read-only array on the library's memory."""
        return self._view(lib.spt_model_axis(self._p()), self.n_bands)

    @property
    def axis_unit(self) -> str:
        """Unit of that axis."""
        return decode(lib.spt_axis_unit_name(lib.spt_model_axis_unit(self._p())))

    @property
    def unit(self) -> str:
        """What values it reads."""
        return decode(lib.spt_unit_name(lib.spt_model_unit(self._p())))

    @property
    def notes(self) -> dict[str, str]:
        """The notes that the document carries, by key."""
        keys = list(iter_texts(lib.spt_model_note_key, self._p()))
        return {k: decode(lib.spt_model_note(self._h, encode(k))) for k in keys}

    def with_note(self, key: str, text: Any) -> Model:
        """A copy with a note more, or replaced."""
        ctx = self._context
        return self._of(ctx, ctx.make(lib.spt_model_with_note, ctx._h, self._p(), encode(key), encode(str(text))))

    @property
    def summary(self) -> str:
        """What the model is, in lines of text."""
        return self._context.text(lib.spt_model_summary, self._p())

    # ---- prediction ----

    def predict(self, x: ArrayLike | Dataset, *, resample: bool = False,
                bad: Callable[[int, str], None] | None = None) -> Array:
        """Predict spectra: an array (n x bands, on the model's axis and in its unit), a pandas frame whose band columns
        are named by their positions, or a Dataset.

        Gives n values (n x targets with several). A row that cannot be predicted is NaN; `bad` is called with row and
        reason, and without it warns. `resample` interpolates a dataset on another axis. Any number of threads may predict
        with one model at a time.
        """
        ctx = default_context()
        dataset = x if isinstance(x, Dataset) else self._dataset(x, ctx)
        with Predictor(self, ctx) as predictor:
            return predictor.predict(dataset, resample=resample, bad=bad)

    def _dataset(self, x, ctx):
        axis = self.axis
        if is_dataframe(x):
            bands, _ = bands_of(x.columns)
            if len(bands) == len(axis):
                axis = [p for _, p in bands]
            x = x[[n for n, _ in bands]].to_numpy() if bands else x.to_numpy()
        x = np.asarray(x)
        if x.ndim == 2 and x.shape[1] != self.n_bands:
            raise ValueError(f"{x.shape[1]} bands; the model reads {self.n_bands}")
        return Dataset(x, axis, axis_unit=self.axis_unit, unit=self.unit, context=ctx)

    def predictor(self, context: Context | None = None) -> Predictor:
        """For many single spectra on one thread: a :class:`Predictor`."""
        return Predictor(self, context)


class Predictor(Handle):
    """Predicts with one model on one thread; it owns its scratch memory."""

    _free = "spt_predictor_free"

    def __init__(self, model: Model, context: Context | None = None) -> None:
        ctx = context or default_context()
        super().__init__(ctx, ctx.make(lib.spt_predictor_new, ctx._h, model._p()))
        self.model, self._t = model, model.n_targets
        self._bands, self._out = model.n_bands, np.empty(model.n_targets)

    def _check(self, status):
        ctx = self._context
        if ctx._pending is not None:
            ctx._raise(status)
        if status < 0:
            raise error_of(status, decode(lib.spt_predictor_last_error(self._h)))

    def one(self, spectrum: ArrayLike) -> float | Array:
        """Predict one spectrum: a number, or an array with several targets."""
        s = float64(spectrum, what="spectrum")
        if len(s) != self._bands:
            raise ValueError(f"{len(s)} bands; the model reads {self._bands}")
        self._check(lib.spt_predictor_run(self._p(), s.ctypes.data, len(s), self._out.ctypes.data, self._t))
        return float(self._out[0]) if self._t == 1 else self._out.copy()

    def predict(self, dataset: Dataset, *, resample: bool = False,
                bad: Callable[[int, str], None] | None = None) -> Array:
        """Predict the samples of a Dataset; see `Model.predict()`."""
        flags = int(PredictFlags.RESAMPLE if resample else PredictFlags.EXACT)
        needed, reasons = c_int64(), []
        # One value for each row, or fewer where the recipe averages scans.
        out = np.empty(len(dataset) * self._t)
        key = keep(Box(self._context, bad or (lambda row, why: reasons.append((row, why)))))
        try:
            with self._context._lock:
                self._check(lib.spt_predictor_dataset(self._p(), dataset._p(), flags, address(out), len(out), byref(needed),
                                                      _on_bad_row, key))
        finally:
            drop(key)
        if reasons:
            import warnings
            row, why = reasons[0]
            warnings.warn(f"{len(reasons)} of {needed.value // self._t} samples could not be predicted; row {row}: {why}",
                          RuntimeWarning, stacklevel=3)
        out = out[:needed.value]
        return out if self._t == 1 else out.reshape(-1, self._t)

    def samples(self, dataset: Dataset) -> Dataset:
        """The samples that `predict()` gives values for: the dataset itself, or its averages."""
        out = _abi.c_void_p()
        self._check(lib.spt_predictor_samples(self._p(), dataset._p(), byref(out)))
        return Dataset._of(self._context, out.value)


