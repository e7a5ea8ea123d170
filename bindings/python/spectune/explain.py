"""Which hyperparameters mattered."""
from __future__ import annotations

from collections import namedtuple
from ctypes import byref, c_int64
from typing import TYPE_CHECKING

import numpy as np

from . import _abi
from ._core import Handle, address, decode, iter_texts, options, record
from ._errors import error_of
from ._load import lib
from ._types import Array, DataFrame, Iterator, Setting

if TYPE_CHECKING:
    from .space import Config
    from .store import History

Importance = namedtuple("Importance", "name group share sd error total total_sd p_active observed within")
Importance.__doc__ = "What one parameter does; the fields are those of `spt_importance`."
Interaction = namedtuple("Interaction", "names share sd error p_active")
Interaction.__doc__ = "What two or three parameters do together beyond what fewer of them do."
Curve = namedtuple("Curve", "x weight mean sd labels")
Curve.__doc__ = "Mean loss at the values of a parameter; `labels` are the choices of one that has some, else None."


class FAnova(Handle):
    """Functional analysis of variance of a study's losses. Immutable.

    Keywords are the knobs of `describe_options("importance")`: trees, seed, top_quantile, prior, pairs, ...
    """

    _free = "spt_fanova_free"

    def __init__(self, history: History, **knobs: Setting) -> None:
        ctx = history._context
        made, h = options(ctx, "spt_fanova_options_new", knobs)
        super().__init__(ctx, ctx.make(lib.spt_fanova_new, ctx._h, history._p(), h, long=True))
        self._history, self._knobs, self.space = history, knobs, history.space

    # ---- shares ----

    def __len__(self) -> int:
        return lib.spt_fanova_count(self._p())

    def __getitem__(self, rank: int | str) -> Importance:
        """The parameter with that rank (0: the most important), or of that name."""
        if isinstance(rank, str):
            for i in self:
                if i.name == rank:
                    return i
            raise KeyError(rank)
        r = record(_abi.spt_importance)
        if lib.spt_fanova_main(self._p(), rank + len(self) if rank < 0 else rank, byref(r)) < 0:
            raise IndexError(f"rank {rank} of {len(self)}")
        return Importance(decode(r.name), decode(r.group), *(getattr(r, f) for f in Importance._fields[2:]))

    def __iter__(self) -> Iterator[Importance]:
        return (self[i] for i in range(len(self)))

    @property
    def pairs(self) -> list[Interaction]:
        """Interactions of two parameters, the largest first."""
        out = []
        for i in range(lib.spt_fanova_pair_count(self._p())):
            r = record(_abi.spt_interaction)
            lib.spt_fanova_pair(self._h, i, byref(r))
            out.append(_interaction(r))
        return out

    def subset(self, *names: str) -> Interaction:
        """The effect of any one to three different parameters."""
        indices, ctx, r = self._indices(names), self._context, record(_abi.spt_interaction)
        ctx.call(lib.spt_fanova_subset, ctx._h, self._p(), address(indices), len(indices), byref(r))
        return _interaction(r)

    def _indices(self, names):
        return np.array([self.space._index(n) for n in names], np.int64)

    def residual(self, order: int = 1) -> float:
        """What is missing to 1: behind main effects (order 1), behind pairs too (2)."""
        return lib.spt_fanova_residual(self._p(), order)

    def to_dataframe(self) -> DataFrame:
        """A pandas frame with a row for each parameter, the most important first."""
        import pandas
        return pandas.DataFrame(list(self), columns=Importance._fields)

    # ---- how good it is ----

    @property
    def out_of_bag(self) -> float:
        """R2 of the forest on trials that it did not see."""
        return lib.spt_fanova_out_of_bag(self._p())

    @property
    def n_trials(self) -> int:
        """Trials that the analysis rests on."""
        return lib.spt_fanova_trials(self._p())

    @property
    def variance(self) -> float:
        """Variance of the loss over the space, by the forest."""
        return lib.spt_fanova_variance(self._p())

    @property
    def cut(self) -> float:
        """The loss to which worse ones were cut; NaN without `top_quantile`."""
        return lib.spt_fanova_cut(self._p())

    @property
    def prior(self) -> str:
        """"space" or "trials": what the knob `prior` came to."""
        return decode(lib.spt_fanova_prior(self._p()))

    @property
    def warnings(self) -> list[str]:
        """What to beware of."""
        return list(iter_texts(lib.spt_fanova_warning, self._p()))

    def trials_needed(self, r2: float = 0.8) -> int | None:
        """About how many trials would let the forest explain `r2` of what it did not see; None: more do not help."""
        n, ctx = c_int64(), self._context
        made, h = options(ctx, "spt_fanova_options_new", self._knobs)
        ctx.call_long(lib.spt_fanova_trials_needed, ctx._h, self._history._p(), h, r2, byref(n))
        return None if n.value < 0 else n.value

    # ---- curves ----

    def curve(self, name: str) -> Curve:
        """The marginal :class:`Curve` of a parameter."""
        i, n, ctx = self.space._index(name), c_int64(), self._context
        with ctx._lock:
            status = lib.spt_fanova_curve(ctx._h, self._p(), i, None, None, None, None, 0, byref(n))
            if status < 0 and status != _abi.Status.ECAPACITY:
                ctx._raise(status)
            arrays = [np.empty(n.value) for _ in range(4)]
            ctx.call(lib.spt_fanova_curve, ctx._h, self._h, i, *map(address, arrays), n.value, byref(n))
        choices = self.space[name].choices
        return Curve(*arrays, None if choices is None else [choices[int(x)] for x in arrays[0]])

    def surface(self, first: str, second: str) -> tuple[Array, Array]:
        """(mean, sd) of two parameters at the values that their curves have; NaN where they do not exist together."""
        a, b, n, ctx = self.space._index(first), self.space._index(second), c_int64(), self._context
        shape = len(self.curve(first).x), len(self.curve(second).x)
        mean, sd = np.empty(shape), np.empty(shape)
        ctx.call(lib.spt_fanova_surface, ctx._h, self._p(), a, b, address(mean), address(sd), mean.size, byref(n))
        return mean, sd

    def points(self, name: str) -> tuple[Array, Array, Array]:
        """(numbers, x, losses) of the trials that have a parameter."""
        i, n = self.space._index(name), c_int64()
        lib.spt_fanova_points(self._p(), i, None, None, None, 0, byref(n))
        numbers, x, loss = np.empty(n.value, np.int64), np.empty(n.value), np.empty(n.value)
        status = lib.spt_fanova_points(self._h, i, address(numbers), address(x), address(loss), n.value, byref(n))
        if status < 0:
            raise error_of(status, "")
        return numbers, x, loss

    def local(self, config: Config | None = None) -> dict[str, tuple[float, float]]:
        """Local importance around a configuration (None: the best trial's): {name: (share, sd)}, NaN where a parameter does
        not exist."""
        n, ctx = len(self.space), self._context
        share, sd, needed = np.empty(n), np.empty(n), c_int64()
        ctx.call(lib.spt_fanova_local, ctx._h, self._p(), config and config._p(), address(share), address(sd), n, byref(needed))
        return {name: (float(a), float(b)) for name, a, b in zip(self.space.names, share, sd)}

    def __repr__(self):
        return "<spectune.FAnova, closed>" if self.closed else f"<spectune.FAnova of {self.n_trials} trials>"


def _interaction(r):
    return Interaction(tuple(decode(r.names[i]) for i in range(r.n)), r.share, r.sd, r.error, r.p_active)


def ped_importance(history: History, **knobs: Setting) -> dict[str, float]:
    """PED-ANOVA: how differently each parameter is distributed among the good trials; {name: value}."""
    ctx, space = history._context, history.space
    made, h = options(ctx, "spt_ped_options_new", knobs)
    out, needed = np.empty(len(space)), c_int64()
    ctx.call(lib.spt_ped_importance, ctx._h, history._p(), h, address(out), len(out), byref(needed))
    return dict(zip(space.names, out.tolist()))
