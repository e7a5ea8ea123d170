"""Studies: ask and tell, the run loop, cross-validation."""
from __future__ import annotations

import ctypes
import math
from collections import namedtuple
from collections.abc import Mapping
from ctypes import byref, c_double, c_int64, c_void_p
from typing import TYPE_CHECKING

import numpy as np

from . import _abi
from ._abi import EventKind, Status, TrialState
from ._core import (Box, Handle, address, answer, box_of, decode, destroy, drop, encode, host_code, iter_texts, keep,
                    keep_on, on_epoch, options, stop_with, texts)
from ._errors import SpectuneError, TrialPruned, TrialTimeout, error_of
from ._load import lib
from ._types import Any, Array, ArrayLike, Callable, DataFrame, Path, Sequence, Setting, Value, Values
from .model import Model
from .prep import Prep
from .sampler import Sampler, state_number
from .space import Config, Space
from .store import History, Store

if TYPE_CHECKING:
    from ._core import Context, Epoch
    from .data import Dataset
    from .explain import FAnova
    from .store import TrialRecord

Event = namedtuple("Event", "kind trial fold folds epoch epochs loss watched state place params reason best best_trial")
Event.__doc__ = """What happens in a run, as `spt_event`. `kind` is an :class:`EventKind`, `params` the trial's parameters at
TRIAL_START and TRIAL_END (None else), `state` a :class:`TrialState` at TRIAL_END (None else)."""

_NO_LIMIT = 2**62


# ---- callbacks -------------------------------------------------------------------------------------------------


@_abi.spt_objective_fn
def _on_objective(handle, loss, key):
    try:
        box = box_of(key)
        trial = Trial._of(box.context, handle, None, box.more[0], True)
        try:
            with host_code(box.context):
                value = float(box.function(trial))
            c_double.from_address(loss).value = value
            return 0
        except TrialPruned:
            c_double.from_address(loss).value = trial._last
            return int(Status.PRUNED)
        except TrialTimeout:
            return int(Status.STOP_TIME)
        except BaseException as e:
            if isinstance(e, Exception):
                reason = " ".join(f"{type(e).__name__}: {e}".split())[:500]
                lib.spt_trial_set_text(handle, b"reason", reason.encode(errors="replace"))
                if isinstance(e, box.more[1]):
                    return int(Status.ECALLBACK)
            return stop_with(box, e)
        finally:
            trial._h = None
    except BaseException:
        return int(Status.ECALLBACK)


@_abi.spt_check_fn
def _on_check(handle, key):
    try:
        box = box_of(key)
        if box.context._pending is not None:
            return int(Status.ECALLBACK)
        config = Config._of(box.context, handle, box.more, borrowed=True)
        try:
            with host_code(box.context):
                said = box.function(config)
            return int(Status.EINVAL) if said is False else 0
        except SpectuneError as e:  # what the library refuses is refused
            return e.status
        except BaseException as e:
            return min(stop_with(box, e), int(Status.ECALLBACK))
        finally:
            config._h = None
    except BaseException:
        return int(Status.ECALLBACK)


@_abi.spt_event_fn
def _on_event(event, key):
    try:
        box = box_of(key)
        try:
            with host_code(box.context):
                if box.function is None:
                    return 0
                return answer(box.function(_event(box, event.contents)))
        except BaseException as e:
            box.failed(e)
            return int(Status.STOP_HOST)
    except BaseException:
        return int(Status.STOP_HOST)


def _event(box, e):
    kind, params, state = EventKind(e.kind), None, None
    if kind in (EventKind.TRIAL_START, EventKind.TRIAL_END) and e.config:
        config = Config._of(box.context, e.config, box.more, borrowed=True)
        params = dict(config)
        config._h = None
    if kind == EventKind.TRIAL_END:
        state = TrialState(e.state)
    return Event(kind, e.trial, e.fold, e.folds, e.epoch, e.epochs, e.loss, e.watched, state, e.place, params,
                 decode(e.reason), e.best, None if e.best_trial < 0 else e.best_trial)


# ---- trials ----------------------------------------------------------------------------------------------------


class Trial(Handle):
    """One trial between ask and tell. One that is never told is recorded as failed, reason "abandoned", when it is closed
    or collected."""

    _free = "spt_trial_free"
    _last = math.nan
    _study: Study | None = None
    _space: Space

    @classmethod
    def _of(cls, ctx, handle, study, space, borrowed=False):
        made = cls.__new__(cls)
        made._context, made._h, made._study, made._space, made._borrowed = ctx, handle, study, space, borrowed
        return made

    @property
    def number(self) -> int:
        """From 0."""
        return lib.spt_trial_number(self._p())

    @property
    def config(self) -> Config:
        """A copy of its :class:`Config`."""
        return Config._copy_of(self._context, lib.spt_trial_config(self._p()), self._space)

    @property
    def params(self) -> dict[str, Value]:
        """The values of its parameters, by name."""
        lent = Config._of(self._context, lib.spt_trial_config(self._p()), self._space, borrowed=True)
        values = dict(lent)
        lent._h = None
        return values

    @property
    def last(self) -> float:
        """The value that was reported last, NaN before."""
        return self._last

    def report(self, value: float, step: int) -> None:
        """Report the loss of a step (a fold or an epoch, from 0); stored at once."""
        self._last = float(value)
        if self._context.call(lib.spt_trial_report, self._p(), step, self._last) == Status.STOP_TIME:
            raise TrialTimeout(f"trial {self.number} has taken longer than the study allows")

    def should_prune(self) -> bool:
        """Whether the study's `prune` rule would give the trial up. If so, raise :class:`TrialPruned`."""
        return self._context.call(lib.spt_trial_should_prune, self._p()) == Status.PRUNED

    def heartbeat(self) -> None:
        """Tell other workers that the trial is still being worked on."""
        if self._context.call(lib.spt_trial_heartbeat, self._p()) == Status.STOP_TIME:
            raise TrialTimeout(f"trial {self.number} has taken longer than the study allows")

    def set_attribute(self, key: str, value: float | str) -> None:
        """Attach a number or a text."""
        if isinstance(value, str):
            self._context.call(lib.spt_trial_set_text, self._p(), encode(key), encode(value))
        else:
            self._context.call(lib.spt_trial_set_number, self._p(), encode(key), float(value))

    def set_block(self, key: str, data: bytes | Array) -> None:
        """Attach bytes, or the bytes of an array."""
        data = np.ascontiguousarray(data).tobytes() if isinstance(data, np.ndarray) else bytes(data)
        self._context.call(lib.spt_trial_set_block, self._p(), encode(key), data, len(data))

    def __exit__(self, kind, error, traceback):
        """A `with` block that fails records the trial as failed, with the exception as the reason."""
        if error is not None and self._h is not None and self._study is not None and isinstance(error, Exception):
            try:
                self.set_attribute("reason", f"{type(error).__name__}: {error}"[:500])
                self._study.tell(self, state="failed")
            except Exception:  # it was told already
                pass
        self.close()

    def __repr__(self):
        return "<spectune.Trial, over>" if self.closed else f"<spectune.Trial {self.number}: {self.params}>"


# ---- studies ---------------------------------------------------------------------------------------------------


class Study(Handle):
    """A study that is being worked on.

    Parameters
    ----------
    store : str, path or Store
        Where trials are kept: "study.db", "memory:", a URL.
    name : str, optional
        Of the study; it is made if the store has none of that name.
    space : Space, str, optional
        What is searched; or the name of a preset or an XML file. None: the space on record.
    sampler : mapping, str or Sampler, optional
        Knobs of `describe_options("sampler")`, the name of one ("random"), or a sampler of one's own.
    **rules
        The knobs of `describe_options("study")`: prune, in_flight, stop_at, patience_trials, trial_seconds, ...
    """

    _free = "spt_study_free"

    def __init__(self, store: Path | Store = "memory:", name: str | None = None, space: Space | Path | None = None,
                 sampler: Mapping[str, Setting] | str | Sampler | None = None, context: Context | None = None,
                 **rules: Setting) -> None:
        if not isinstance(store, Store):
            store = Store(store, context=context)
        ctx = store._context
        space = None if space is None else Space.of(space, ctx)
        own = sampler if isinstance(sampler, Sampler) else None
        knobs = {"sampler": sampler} if isinstance(sampler, str) else {} if own else sampler
        made, h = options(ctx, "spt_sampler_options_new", knobs)
        super().__init__(ctx, ctx.make(lib.spt_study_open, store._p(), encode(name), space and space._p(), h))
        self.store, self.name = store, name or "spectune"
        if space is None:
            with self.history() as history:
                space = Space.from_xml(history.space.xml, context=ctx)
        self.space, self._told = space, False
        self._sampler: Sampler | None = None
        self._cv: CrossValidation | None = None
        if rules:
            self.set_options(**rules)
        if own is not None:
            self.set_sampler(own)

    # ---- how it works ----

    def set_options(self, **rules: Setting) -> None:
        """Have the study work by these rules from now on; what is not named has its default again."""
        made, h = options(self._context, "spt_study_options_new", rules)
        self._context.call(lib.spt_study_set_options, self._p(), h)

    def set_sampler(self, sampler: Sampler) -> None:
        """Take proposals from this :class:`Sampler` from now on."""
        self._context.call(lib.spt_study_set_sampler, self._p(), sampler._p())
        self._sampler = sampler

    def set_objective(self, objective: Callable[[Trial], float] | CrossValidation,
                      catch: type | tuple[type, ...] = ()) -> None:
        """What scores a trial: a function of a :class:`Trial` that gives its loss (lower is better), or a
        :class:`CrossValidation`.

        A function may raise TrialPruned. Exceptions of the classes in `catch` fail the trial and the run goes on; any
        other ends the run, comes out of `run()` unchanged, and the trial is on record as failed with it as the reason.
        """
        if isinstance(objective, CrossValidation):
            self._context.call(lib.spt_study_set_cv, self._p(), objective._p())
            self._cv = objective
            if not self._told:  # handlers of signals run at its events
                self.set_callback(None)
        else:
            self._callback(lib.spt_study_set_objective, _on_objective, objective,
                           (self.space, tuple(catch) if isinstance(catch, (tuple, list)) else (catch,)))

    def set_check(self, check: Callable[[Config], Any]) -> None:
        """Refuse proposals for which `check(config)` is False or raises a SpectuneError."""
        self._callback(lib.spt_study_set_check, _on_check, check, self.space)

    def set_callback(self, callback: Callable[[Event], Any] | None) -> None:
        """Be told of every :class:`Event` of `run()`: False stops it, Status.PRUNED (epoch, fold end) gives the trial up."""
        self._callback(lib.spt_study_set_events, _on_event, callback, self.space)
        self._told = True

    def _callback(self, function, trampoline, host, more):
        slot = function.__name__
        before = self.__dict__.get("_kept", {}).get(slot)
        key = keep_on(self, slot, Box(self._context, host, more))
        try:
            self._context.call(function, self._p(), trampoline, key, destroy)
        except BaseException:
            self._kept[slot] = before  # the study has what it had
            raise

    def pin(self, key: str, text: str) -> None:
        """Put a text on record that says what the losses mean; when it is there already it must be the same."""
        self._context.call(lib.spt_study_pin, self._p(), encode(key), encode(text))

    def pin_block(self, key: str, data: bytes | Array) -> None:
        """Keep bytes with the study, under the same rule."""
        data = np.ascontiguousarray(data).tobytes() if isinstance(data, np.ndarray) else bytes(data)
        self._context.call(lib.spt_study_pin_block, self._p(), encode(key), data, len(data))

    # ---- ask and tell ----

    def ask(self, config: Config | Values | None = None) -> Trial | None:
        """A trial: enqueued, proposed, or with the configuration given (a Config or mapping). None when nothing is left
        to try."""
        ctx, out = self._context, c_void_p()
        if config is None:
            status = ctx.call_long(lib.spt_study_ask, self._p(), byref(out))
        else:
            config = self._config(config)
            status = ctx.call_long(lib.spt_study_ask_given, self._p(), config._p(), byref(out))
        return None if status == Status.STOP_EXHAUSTED else Trial._of(ctx, out.value, self, self.space)

    def ask_many(self, n: int) -> list[Trial]:
        """Up to n trials at once, each of which sees those before it as running."""
        ctx, got = self._context, c_int64()
        out = (c_void_p * n)()
        try:
            ctx.call_long(lib.spt_study_ask_many, self._p(), n, ctypes.cast(out, ctypes.POINTER(c_void_p)), byref(got))
        except BaseException:
            for i in range(got.value):
                Trial._of(ctx, out[i], self, self.space).close()
            raise
        return [Trial._of(ctx, out[i], self, self.space) for i in range(got.value)]

    def tell(self, trial: Trial, value: float = math.nan, state: str | TrialState = "complete") -> None:
        """End a trial: "complete", "pruned" or "failed". It is on disk when the call returns."""
        self._context.call(lib.spt_trial_tell, trial._p(), state_number(state), float(value))

    def replay(self, number: int) -> Config:
        """The proposal of a trial made anew from what it saw, a :class:`Config`."""
        ctx = self._context
        return Config._of(ctx, ctx.make(lib.spt_study_replay, self._p(), number, long=True), self.space)

    def _config(self, values):
        return values if isinstance(values, Config) else self.space.config(values)

    def enqueue(self, config: Config | Values) -> int:
        """Have a configuration tried before further ones are proposed; its trial's number. A Config is taken whole; of a
        mapping the values named are taken and the rest is drawn by the sampler."""
        names, n = None, 0
        if isinstance(config, Mapping) and not isinstance(config, Config):
            names, n = texts(list(config)), len(config)
        number, config = c_int64(), self._config(config)
        self._context.call_long(lib.spt_study_enqueue, self._p(), config._p(), names, n, byref(number))
        return number.value

    def warm_start(self, other: Study | History, k: int = 5) -> int:
        """Enqueue the k best trials of another study (a Study or History); how many were."""
        history, n = other.history() if isinstance(other, Study) else other, c_int64()
        self._context.call_long(lib.spt_study_warm_start, self._p(), history._p(), k, byref(n))
        return n.value

    def confirm(self, k: int = 5, repeats: int = 3) -> int:
        """Enqueue the k best trials again, until each has so many repetitions; how many were added. Run them with
        ``study.run(study.n_finished + added)``."""
        n = c_int64()
        self._context.call(lib.spt_study_confirm, self._p(), k, repeats, byref(n))
        return n.value

    # ---- the run loop ----

    def run(self, n_trials: int | None = None, timeout: float | None = None,
            objective: Callable[[Trial], float] | CrossValidation | None = None, *,
            callback: Callable[[Event], Any] | None = None, catch: type | tuple[type, ...] = ()) -> Status:
        """Work until the study holds `n_trials` finished trials, whoever ran them, or `timeout` seconds have passed.

        `objective` and `callback` are set first if given (`set_objective()`, `set_callback()`). Gives the
        :class:`Status` that says why it ended. Ctrl-C, and whatever else a callback or a signal handler raises, ends it
        within a mini-batch and comes out unchanged; what ran is recorded as failed.
        """
        if objective is not None:
            self.set_objective(objective, catch)
        if callback is not None:
            self.set_callback(callback)
        if n_trials is None and not timeout:
            raise ValueError("n_trials or timeout is needed")
        status = self._context.call_long(lib.spt_study_run, self._p(), _NO_LIMIT if n_trials is None else n_trials,
                                         float(timeout or 0))
        return Status(status)

    def stop(self) -> None:
        """Ask the run to stop; from callbacks and any thread."""
        self._context.stop()

    # ---- what came of it ----

    def history(self) -> History:
        """A :class:`History`: all trials at this moment."""
        ctx = self._context
        return History(ctx, ctx.make(lib.spt_study_history, self._p()))

    @property
    def trials(self) -> list[TrialRecord]:
        """All trials, as a list of :class:`TrialRecord`."""
        with self.history() as h:
            return list(h)

    @property
    def n_finished(self) -> int:
        """Trials that have ended and count."""
        with self.history() as h:
            return h.n_finished

    @property
    def best_trial(self) -> TrialRecord:
        """The complete trial with the lowest value."""
        with self.history() as h:
            best = h.best
        if best is None:
            raise ValueError("no trial of the study is complete")
        return best

    @property
    def best_value(self) -> float:
        """The lowest value of a complete trial."""
        return self.best_trial.value

    @property
    def best_params(self) -> dict[str, Value]:
        """Parameters of the trial with that value."""
        return self.best_trial.params

    def trials_dataframe(self) -> DataFrame:
        """A pandas frame with a row for each trial; see `History.trials_dataframe()`."""
        with self.history() as h:
            return h.trials_dataframe()

    def importance(self, **knobs: Setting) -> FAnova:
        """Which parameters mattered: a :class:`FAnova`."""
        from .explain import FAnova
        return FAnova(self.history(), **knobs)

    def predictions(self, number: int) -> tuple[Array, Array, Array]:
        """(rows, folds, values) of a cross-validated trial: for each sample used its row in the dataset, its fold, and its
        out-of-fold prediction."""
        def block(key, kind, trial=-1):
            return np.frombuffer(self.store.block(self.name, key, trial), kind)
        return block("rows", "<i8"), block("folds", "<i4"), block("predictions", "<f4", number)

    def __repr__(self):
        return "<spectune.Study, closed>" if self.closed else f"<spectune.Study {self.name} in {self.store.url}>"


# ---- cross-validation ------------------------------------------------------------------------------------------


class CrossValidation(Handle):
    """k-fold cross-validation of a 1D-CNN on a dataset, as the objective of a study.

    Parameters
    ----------
    dataset : Dataset
    target : str
        Name of a number column.
    prep : Prep or steps, optional
        The recipe.
    folds : int or sequence
        How many; or one number per row (after averaging) from 0, -1: never used.
    **how
        The knobs of `describe_options("objective")`: group, seed, test, scale, weights, watch, and those of training.
    """

    _free = "spt_cv_free"

    def __init__(self, dataset: Dataset, target: str, *, prep: Prep | Sequence | None = None,
                 folds: int | ArrayLike = 5, context: Context | None = None, **how: Setting) -> None:
        ctx = context or dataset._context
        prep = Prep.of(prep, ctx)
        start = (ctx._h, dataset._p(), prep and prep._p(), encode(target))
        if np.ndim(folds) == 0:
            made, h = options(ctx, "spt_cv_options_new", dict(how, folds=folds))
            handle = ctx.make(lib.spt_cv_new, *start, h, long=True)
        else:
            fold = np.ascontiguousarray(folds, np.int32)
            made, h = options(ctx, "spt_cv_options_new", how)
            handle = ctx.make(lib.spt_cv_new_folds, *start, address(fold), len(fold), h, long=True)
        super().__init__(ctx, handle)

    def rows(self) -> tuple[Array, Array]:
        """(rows, folds): indices of the rows that are used, and the fold of each."""
        n = c_int64()
        lib.spt_cv_rows(self._p(), None, None, 0, byref(n))
        rows, folds = np.empty(n.value, np.int64), np.empty(n.value, np.int32)
        self._context.call(lib.spt_cv_rows, self._p(), address(rows), address(folds), n.value, byref(n))
        return rows, folds

    @property
    def dropped(self) -> list[str]:
        """A line for each reason why rows were left out."""
        return list(iter_texts(lib.spt_cv_dropped, self._p()))

    def check_space(self, space: Space) -> None:
        """Raise if configurations of this space cannot be scored."""
        self._context.call_long(lib.spt_cv_check_space, self._p(), space._p())

    def model(self, study: Study | History, number: int | None = None, *, ensemble: bool = False,
              callback: Callable[[Epoch], Any] | None = None) -> Model:
        """The model of a trial (None: the one to go on with): trained again on all rows used, or (`ensemble`) the networks
        of its folds."""
        ctx = self._context
        history = study.history() if isinstance(study, Study) else study
        index = number
        if number is None:
            index = history.confirmed_index
            if index is None:
                raise ValueError("no trial of the study is complete")
        key = keep(Box(ctx, callback))
        out = c_void_p()
        try:
            status = ctx.call_long(lib.spt_cv_model, self._p(), history._p(), index, int(ensemble), on_epoch, key, byref(out))
        finally:
            drop(key)
        if out.value is None:
            raise error_of(Status.ECALLBACK, "training was stopped before there was a model")
        model = Model._of(ctx, out.value)
        model.stopped = status == Status.STOP_HOST
        return model


