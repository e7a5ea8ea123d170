"""Pretreatment: recipes, channels, scaling."""
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ._abi import Channel, Dtype, Scale
from ._core import Handle, address, context as default_context, encode, float64, int64, options
from ._load import lib
from ._types import Any, Array, ArrayLike, Mapping, Sequence, Setting

if TYPE_CHECKING:
    from ._core import Context
    from .data import Dataset


def channel_mask(channels: str | Sequence[str] | int) -> int:
    """The mask of channels: a Channel or number, or names ("A", "A+D1", "A_SNV") in a text or sequence."""
    if isinstance(channels, (int, Channel)):
        return int(channels)
    if isinstance(channels, str):
        channels = channels.replace(",", " ").split()
    mask = 0
    for c in channels:
        mask |= Channel[c.upper().replace("+", "_")] if isinstance(c, str) else int(c)
    return mask


def savgol(y: ArrayLike, spacing: float = 1.0, window: int = 11, order: int = 2, derivative: int = 0,
           context: Context | None = None) -> Array:
    """Savitzky-Golay smoothing or derivative of one spectrum; no band is lost at the ends."""
    ctx = context or default_context()
    y = float64(y, what="y")
    out = np.empty_like(y)
    ctx.call(lib.spt_prep_savgol, ctx._h, address(y), len(y), spacing, window, order, derivative, address(out))
    return out


class Prep(Handle):
    """A recipe: steps on the axis in the order in which they were added, then the channels' settings.

    Every method that adds a step gives the recipe back: ``Prep().crop(1100, 2400).decimate(4)``. `channels` are the knobs
    of `describe_options("channels")`.
    """

    _free = "spt_prep_free"

    def __init__(self, channels: Mapping[str, Setting] | None = None, context: Context | None = None) -> None:
        ctx = context or default_context()
        super().__init__(ctx, ctx.make(lib.spt_prep_new, ctx._h))
        self._steps: list = []
        self._channels = dict(channels or {})
        if channels:
            self.set_channels(**channels)

    @classmethod
    def of(cls, steps: Prep | Sequence | None, context: Context | None = None) -> Prep | None:
        """A recipe of a description: a Prep as it is, None, or a sequence of steps such as
        ``[("crop", 1100, 2400), ("decimate", 4), {"d1_window": 15}]`` (a mapping sets the channels)."""
        if steps is None or isinstance(steps, cls):
            return steps
        made = cls(context=context)
        for step in steps:
            if isinstance(step, dict):
                made.set_channels(**step)
            elif step[0] not in ("average", "crop", "resample", "decimate"):
                raise ValueError(f"there is no step {step[0]!r}; average, crop, resample, decimate are possible")
            else:
                getattr(made, step[0])(*step[1:])
        return made

    def _add(self, function, *arguments):
        self._context.call(function, self._p(), *arguments)
        return self

    def average(self, column: str) -> Prep:
        """Average repeated scans by a column; must come first."""
        self._add(lib.spt_prep_add_average, encode(column))
        self._steps.append(("average", column))
        return self

    def crop(self, low: float, high: float) -> Prep:
        """Keep the bands from low to high."""
        self._add(lib.spt_prep_add_crop, low, high)
        self._steps.append(("crop", low, high))
        return self

    def resample(self, low: float, high: float, step: float) -> Prep:
        """Resample to low, low + step, ... up to high."""
        self._add(lib.spt_prep_add_resample, low, high, step)
        self._steps.append(("resample", low, high, step))
        return self

    def decimate(self, factor: int, average: bool = True) -> Prep:
        """Every `factor` bands become their mean, or the first of them."""
        self._add(lib.spt_prep_add_decimate, factor, int(average))
        self._steps.append(("decimate", factor, average))
        return self

    def set_channels(self, **knobs: Setting) -> Prep:
        """Settings of the channels: d1_window, d1_order, d2_window, d2_order, window_in, constant_snv."""
        made, h = options(self._context, "spt_prep_options_new", knobs)
        self._add(lib.spt_prep_set_options, h)
        self._channels = knobs
        return self

    @property
    def text(self) -> str:
        """One line on the recipe; the same recipe always gives the same text."""
        return self._context.text(lib.spt_prep_text, self._p())

    def __repr__(self):
        return "<spectune.Prep, closed>" if self.closed else f"<spectune.Prep: {self.text}>"

    def __eq__(self, other):
        return isinstance(other, Prep) and self.text == other.text

    def __hash__(self):
        return hash(self.text)

    def __reduce__(self):
        return Prep.of, (self._steps + ([self._channels] if self._channels else []),)

    def apply(self, dataset: Dataset) -> Dataset:
        """Run the steps on a dataset."""
        ctx = self._context
        return dataset._of(ctx, ctx.make(lib.spt_prep_apply, ctx._h, self._p(), dataset._p()))

    def channels(self, dataset: Dataset, channels: str | Sequence[str] | int = "A", dtype: Any = np.float32) -> Array:
        """The channels of a dataset on which the steps have run, n x p x c."""
        mask, dtype = channel_mask(channels), np.dtype(dtype)
        kind = {np.dtype(np.float32): Dtype.FLOAT32, np.dtype(np.float64): Dtype.FLOAT64}[dtype]
        n, p = dataset.shape
        out = np.empty((n, p, bin(mask).count("1")), dtype)
        self._context.call(lib.spt_prep_channels, self._context._h, self._p(), dataset._p(), mask, kind, address(out), out.size)
        return out


class Scaler(Handle):
    """Means and standard deviations of channels, fitted on some rows. Immutable.

    `mode`: "none", "channel", "band" or "centre" (see :class:`spectune.Scale`)."""

    _free = "spt_scaler_free"

    @classmethod
    def fit(cls, x: ArrayLike, rows: ArrayLike | None = None, mode: str | Scale = "centre",
            context: Context | None = None) -> Scaler:
        """Fit on the rows (None: all) of x, n x p x c float32."""
        ctx = context or default_context()
        x = np.ascontiguousarray(x, np.float32)
        if x.ndim != 3:
            raise ValueError(f"x has {x.ndim} dimensions; samples x bands x channels was expected")
        rows = None if rows is None else int64(rows)
        made = cls._of(ctx, ctx.make(lib.spt_scaler_fit, ctx._h, address(x), *x.shape, address(rows),
                                     0 if rows is None else len(rows), _scale(mode)))
        made._shape = x.shape[1:]
        return made

    def __init__(self, p: int, c: int, mean: ArrayLike, sd: ArrayLike, mode: str | Scale = "channel",
                 context: Context | None = None) -> None:
        ctx = context or default_context()
        n = {Scale.NONE: 0, Scale.CHANNEL: c}.get(_scale(mode), p * c)
        mean = float64(np.ravel(mean), n, "mean") if n else None
        sd = float64(np.ravel(sd), n, "sd") if n else None
        super().__init__(ctx, ctx.make(lib.spt_scaler_new, ctx._h, p, c, _scale(mode), address(mean), address(sd)))
        self._shape = (p, c)

    def apply(self, x: ArrayLike, out: Array | None = None) -> Array:
        """x scaled, n x p x c float32; `out` x itself scales in place."""
        if out is None:
            out = np.array(x, dtype=np.float32, order="C")
        elif out is not x or x.dtype != np.float32 or not x.flags.c_contiguous or not x.flags.writeable:
            raise ValueError("out is None, or x itself, which then is a writeable contiguous float32 array")
        if out.ndim != 3 or out.shape[1:] != tuple(self._shape):
            raise ValueError(f"x is {out.shape}; n x {self._shape[0]} x {self._shape[1]} was expected")
        self._context.call(lib.spt_scaler_apply, self._p(), address(out), len(out))
        return out


def _scale(mode):
    return int(Scale[mode.upper()] if isinstance(mode, str) else Scale(mode))



