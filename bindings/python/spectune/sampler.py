"""Samplers of the library, and samplers in Python."""
from __future__ import annotations

import math
from collections import namedtuple
from collections.abc import Sequence as SequenceOf
from ctypes import byref, c_double, c_int32, c_int64, c_void_p
from typing import TYPE_CHECKING

from . import _abi
from ._abi import Status, TrialState
from ._core import Box, Handle, box_of, destroy, host_code, keep_on, options, stop_with
from ._load import lib
from ._types import Callable, Sequence, Setting, Values
from .space import Config, Space

if TYPE_CHECKING:
    from ._core import Context


@_abi.spt_sampler_fn
def _on_sampler(trials, sequence, attempt, seed, config, key):
    try:
        box = box_of(key)
        if box.context._pending is not None:
            return int(Status.ECALLBACK)
        seen = SeenTrials(box.context, trials, box.more)
        try:
            with host_code(box.context):
                values = box.function(seen, sequence, attempt, seed)
                if values is None:
                    return int(Status.STOP_EXHAUSTED)
                into = Config._of(box.context, config, box.more, borrowed=True)
                into._may_change = True
                try:
                    into.update_all(values)
                finally:
                    into._h = None
            return 0
        except BaseException as e:
            return min(stop_with(box, e), int(Status.ECALLBACK))
        finally:
            seen._h = None
    except BaseException:
        return int(Status.ECALLBACK)


Seen = namedtuple("Seen", "state loss sequence params")
Seen.__doc__ = "A trial that a sampler may learn from; the loss is infinite where there is none."


class SeenTrials(SequenceOf):
    """The trials that a host's sampler may look at, during its call: finished ones first, then those that run."""

    def __init__(self, ctx, handle, space):
        self._context, self._h, self._space = ctx, handle, space

    def _p(self):
        if self._h is None:
            raise ValueError("these trials can be looked at during the sampler's call only")
        return self._h

    def __len__(self) -> int:
        return lib.spt_trials_count(self._p())

    def __getitem__(self, index: int) -> Seen:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        index = index + len(self) if index < 0 else index
        if not 0 <= index < len(self):
            raise IndexError(index)
        state, loss, sequence, ctx = c_int32(), c_double(), c_int64(), self._context
        ctx.call(lib.spt_trials_trial, self._p(), index, byref(state), byref(loss), byref(sequence))
        with Config._of(ctx, ctx.make(lib.spt_trials_config, self._h, index), self._space) as config:
            return Seen(TrialState(state.value), loss.value, sequence.value, dict(config))


class Sampler(Handle):
    """Something that proposes configurations of a space: for a study (`Study(sampler=...)`), or by itself.

    Keywords are the knobs of `describe_options("sampler")`: ``Sampler(space, sampler="sobol", seed=3)``.
    """

    _free = "spt_sampler_free"

    def __init__(self, space: Space, context: Context | None = None, **knobs: Setting) -> None:
        ctx = context or space._context
        made, h = options(ctx, "spt_sampler_options_new", knobs)
        self._made(ctx, space, ctx.make(lib.spt_sampler_new, ctx._h, space._p(), h))

    def _made(self, ctx, space, handle):
        Handle.__init__(self, ctx, handle)
        self.space = space

    @classmethod
    def given(cls, space: Space, configs: Sequence[Config | Values], context: Context | None = None) -> Sampler:
        """A sampler that proposes these configurations (Config objects or mappings), in their order."""
        ctx = context or space._context
        configs = [c if isinstance(c, Config) else space.config(c) for c in configs]
        handles = (c_void_p * len(configs))(*[c._p() for c in configs])
        made = cls.__new__(cls)
        made._made(ctx, space, ctx.make(lib.spt_sampler_new_given, ctx._h, space._p(), handles, len(configs)))
        return made

    @classmethod
    def host(cls, space: Space, propose: Callable[[SeenTrials, int, int, int], Values | None], seed: int = 1,
             context: Context | None = None) -> Sampler:
        """A sampler in Python: ``propose(trials, sequence, attempt, seed)`` gives a mapping of values (what it leaves out
        keeps its default), or None when nothing is left to propose. It must be a function of its arguments, else studies
        cannot be repeated."""
        ctx = context or space._context
        made_options, h = options(ctx, "spt_sampler_options_new", {"seed": seed})
        made = cls.__new__(cls)
        key = keep_on(made, "propose", Box(ctx, propose, space))
        made._made(ctx, space, ctx.make(lib.spt_sampler_new_host, ctx._h, space._p(), h, _on_sampler, key, destroy))
        return made

    def propose(self, sequence: int) -> Config | None:
        """A :class:`Config` for trial `sequence`; None when nothing is left."""
        ctx, out = self._context, c_void_p()
        if ctx.call_long(lib.spt_sampler_propose, self._p(), sequence, byref(out)) == Status.STOP_EXHAUSTED:
            return None
        return Config._of(ctx, out.value, self.space)

    def tell(self, sequence: int, config: Config | Values, loss: float = math.nan, state: str | TrialState = "complete",
             steps: int = 0) -> None:
        """Tell a trial: "running", "complete", "pruned" or "failed"."""
        config = config if isinstance(config, Config) else self.space.config(config)
        self._context.call(lib.spt_sampler_tell, self._p(), sequence, config._p(), state_number(state), loss, steps)

    def densities(self, config: Config) -> tuple[float, float]:
        """The logarithms of TPE's two densities, of good and of bad trials, at a configuration."""
        good, bad = c_double(), c_double()
        self._context.call(lib.spt_sampler_densities, self._p(), config._p(), byref(good), byref(bad))
        return good.value, bad.value

    def improvement(self, config: Config) -> float:
        """What TPE ranks candidates by: the logarithm of the densities' ratio (Bergstra et al. 2011)."""
        good, bad = self.densities(config)
        return good - bad


def state_number(state):
    return int(TrialState[state.upper()] if isinstance(state, str) else TrialState(state))
