"""Networks built by hand or from a configuration; training; the optimiser by itself."""
from __future__ import annotations

from collections import namedtuple
from ctypes import byref, c_double
from typing import TYPE_CHECKING

import numpy as np

from . import _abi
from ._abi import Activation, Padding, Pool, Status
from ._core import (Box, Handle, address, context as default_context, decode, drop, float32, int64, keep, on_epoch,
                    options, record)
from ._load import lib
from ._types import Any, Array, ArrayLike, Callable, Mapping, Setting

if TYPE_CHECKING:
    from ._core import Context, Epoch
    from .space import Config

Tensor = namedtuple("Tensor", "name shape trainable")
TrainingReport = namedtuple("TrainingReport", "epochs best loss watched seconds stopped")
TrainingReport.__doc__ = "What training came to; `best` is the epoch whose weights were kept, `stopped` that a callback ended it."


def _enum(kind, value):
    return int(kind[value.upper()] if isinstance(value, str) else kind(value))


def report_of(r, status):
    return TrainingReport(r.epochs, r.best, r.loss, r.watched, r.seconds, status == Status.STOP_HOST)


class Network(Handle):
    """A one-dimensional convolutional network for inputs of `bands` x `channels` and `outputs` targets.

    Layers are added from input to output, each method gives the network back; `finish()` adds the output layer and draws
    the weights. Data is float32, channels last.
    """

    _free = "spt_network_free"

    def __init__(self, bands: int, channels: int = 1, outputs: int = 1, context: Context | None = None) -> None:
        ctx = context or default_context()
        super().__init__(ctx, ctx.make(lib.spt_network_new, ctx._h, bands, channels, outputs))
        self._shape = (bands, channels, outputs)

    @classmethod
    def from_config(cls, config: Config, bands: int, channels: int = 1, outputs: int = 1, seed: int = 1,
                    context: Context | None = None) -> Network:
        """Build a finished network from a configuration."""
        ctx = context or config._context
        made = cls._of(ctx, ctx.make(lib.spt_network_from_config, ctx._h, config._p(), bands, channels, outputs, seed))
        made._shape = (bands, channels, outputs)
        return made

    @staticmethod
    def check_config(config: Config, bands: int, channels: int = 1, outputs: int = 1) -> None:
        """Raise if a configuration makes no network for this input; costs nothing."""
        ctx = config._context
        ctx.call(lib.spt_network_check_config, ctx._h, config._p(), bands, channels, outputs)

    def _add(self, function, *arguments):
        self._context.call(function, self._p(), *arguments)
        return self

    def conv(self, filters: int, kernel: int, stride: int = 1, padding: str = "same") -> Network:
        """A convolution; padding "same" or "valid"."""
        return self._add(lib.spt_network_add_conv, filters, kernel, stride, _enum(Padding, padding))

    def batch_norm(self) -> Network:
        """Batch normalisation per channel or unit."""
        return self._add(lib.spt_network_add_batch_norm)

    def activation(self, kind: str | Activation) -> Network:
        """relu, leaky_relu, elu, selu or swish."""
        return self._add(lib.spt_network_add_activation, _enum(Activation, kind))

    def pool(self, size: int, stride: int | None = None, kind: str | Pool = "max", padding: str = "valid") -> Network:
        """max or average."""
        return self._add(lib.spt_network_add_pool, _enum(Pool, kind), size, size if stride is None else stride,
                         _enum(Padding, padding))

    def dropout(self, share: float) -> Network:
        """`share` is what is dropped."""
        return self._add(lib.spt_network_add_dropout, share)

    def dense(self, units: int) -> Network:
        """A dense layer; the first one flattens."""
        return self._add(lib.spt_network_add_dense, units)

    def finish(self, seed: int = 1) -> Network:
        """Add the output layer and draw the initial weights."""
        return self._add(lib.spt_network_finish, seed)

    # ---- looking at it ----

    @property
    def summary(self) -> str:
        """A table of the layers."""
        return self._context.text(lib.spt_network_summary, self._p())

    @property
    def n_weights(self) -> int:
        """Trainable weights."""
        return lib.spt_network_weights(self._p())

    def _tensor(self, i):
        t = record(_abi.spt_tensor_info)
        self._context.call(lib.spt_network_tensor, self._p(), i, byref(t))
        return Tensor(decode(t.name), tuple(t.dims[:t.n_dims]), bool(t.trainable))

    @property
    def tensors(self) -> list[Tensor]:
        """A list of :class:`Tensor`: weights, and running statistics of batch normalisation. Those of a convolution are
        kernel x channels x filters, of a dense layer inputs x units."""
        return [self._tensor(i) for i in range(lib.spt_network_tensors(self._p()))]

    def __getitem__(self, name: str | int) -> Array:
        """The values of a tensor by name or index."""
        i, t = self._find(name)
        out = np.empty(t.shape, np.float32)
        self._context.call(lib.spt_network_values, self._p(), i, address(out), out.size)
        return out

    def __setitem__(self, name: str | int, values: ArrayLike) -> None:
        i, t = self._find(name)
        values = float32(values, t.shape, t.name)
        self._context.call(lib.spt_network_set_values, self._p(), i, address(values), values.size)

    def _find(self, name):
        tensors = self.tensors
        for i, t in enumerate(tensors):
            if name == t.name or name == i:
                return i, t
        raise KeyError(f"no tensor {name!r}; there are {', '.join(t.name for t in tensors)}")

    def state(self) -> dict[str, Array]:
        """All tensors, by name."""
        return {t.name: self[t.name] for t in self.tensors}

    def set_state(self, values: Mapping[str, ArrayLike]) -> Network:
        """Set tensors from a mapping by name."""
        for name, v in values.items():
            self[name] = v
        return self

    def __repr__(self):
        return "<spectune.Network, closed>" if self.closed else "<spectune.Network {} x {}, {} outputs>".format(*self._shape)

    # ---- training, prediction ----

    def predict(self, x: ArrayLike) -> Array:
        """Outputs in prediction mode, n x outputs."""
        x = float32(x, (None, *self._shape[:2]), "x")
        y = np.empty((len(x), self._shape[2]), np.float32)
        self._context.call(lib.spt_network_predict, self._p(), address(x), len(x), address(y))
        return y

    def fit(self, x: ArrayLike, y: ArrayLike, *, rows: ArrayLike | None = None, watch: ArrayLike | None = None,
            sample_weight: ArrayLike | None = None, callback: Callable[[Epoch], Any] | None = None,
            **training: Setting) -> TrainingReport:
        """Train in mini-batches on `rows` (None: all but those watched); with `watch` rows training stops early and the
        best epoch is kept. Data must be scaled.

        `callback` is called with an `Epoch` after each; False stops. Further keywords are the knobs of
        `describe_options("training")`. Gives a :class:`TrainingReport`.
        """
        x = float32(x, (None, *self._shape[:2]), "x")
        y = np.asarray(y)
        y = float32(y[:, None] if y.ndim == 1 else y, (len(x), self._shape[2]), "y")
        w = None if sample_weight is None else float32(sample_weight, (len(x),), "sample_weight")
        watch = np.empty(0, np.int64) if watch is None else int64(watch, "watch")
        rows = np.setdiff1d(np.arange(len(x)), watch) if rows is None else int64(rows)
        for name, r in (("rows", rows), ("watch", watch)):
            if r.size and (r.min() < 0 or r.max() >= len(x)):
                raise IndexError(f"{name}: {r.min()} to {r.max()}; 0 to {len(x) - 1} are possible")
        made, h = options(self._context, "spt_training_options_new", training)
        report = record(_abi.spt_training_report)
        key = keep(Box(self._context, callback))
        try:
            status = self._context.call_long(lib.spt_network_fit, self._p(), address(x), address(y), address(w),
                                             len(x), address(rows), len(rows), address(watch), len(watch), h, on_epoch, key,
                                             byref(report))
        finally:
            drop(key)
        return report_of(report, status)

    def fit_memory(self, n_train: int, n_watch: int = 0, **training: Setting) -> int:
        """Bytes that `fit()` will need beside the data."""
        made, h = options(self._context, "spt_training_options_new", training)
        need = lib.spt_network_fit_memory(self._p(), h, n_train, n_watch)
        if need < 0:
            self._context._raise(need)
        return need

    def trainer(self, **training: Setting) -> Trainer:
        """An optimiser with its memory, for a loop of one's own: a :class:`Trainer`."""
        return Trainer(self, training)


class Trainer(Handle):
    """An optimiser for a network."""

    _free = "spt_trainer_free"

    def __init__(self, network: Network, training: Mapping[str, Setting] | None = None) -> None:
        ctx = network._context
        made, h = options(ctx, "spt_training_options_new", training)
        super().__init__(ctx, ctx.make(lib.spt_trainer_new, network._p(), h))
        self.network = network

    def step(self, x: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """One step on one mini-batch; the mean loss before it."""
        bands, channels, outputs = self.network._shape
        x = float32(x, (None, bands, channels), "x")
        y = np.asarray(y)
        y = float32(y[:, None] if y.ndim == 1 else y, (len(x), outputs), "y")
        w = None if sample_weight is None else float32(sample_weight, (len(x),), "sample_weight")
        loss = c_double()
        self._context.call(lib.spt_trainer_step, self._p(), address(x), address(y), address(w), len(x), byref(loss))
        return loss.value

    def epoch(self, loss: float) -> None:
        """An epoch has ended with this loss: the learning rate goes on as `schedule` says."""
        self._context.call(lib.spt_trainer_epoch, self._p(), loss)

    @property
    def rate(self) -> float:
        """Learning rate of the next step."""
        return lib.spt_trainer_rate(self._p())


