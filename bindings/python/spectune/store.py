"""Where studies live, and what was done in them."""
from __future__ import annotations

import datetime
from collections import namedtuple
from ctypes import byref, c_double, c_int64, string_at
from typing import TYPE_CHECKING

import numpy as np

from . import _abi
from ._abi import ExportFormat, Status, StoreMode, TrialState
from ._core import (Box, Handle, address, box_of, context as default_context, decode, drop, encode, iter_texts, keep,
                    record)
from ._load import lib
from ._types import Array, DataFrame, Iterator, Path
from .space import Config, Space

if TYPE_CHECKING:
    from ._core import Context

TrialRecord = namedtuple("TrialRecord", "number state value params started ended steps attributes")
TrialRecord.__doc__ = """A trial as it is on record. `state` is a :class:`TrialState`, `value` the loss (NaN where there is
none), `params` the values of its parameters by name, `started` and `ended` are UTC, `steps` maps steps to reported values,
`attributes` maps names to texts and numbers."""


@_abi.spt_text_fn
def _on_text(piece, size, key):
    try:
        box = box_of(key)
        try:
            box.function(string_at(piece, size))
            return int(Status.OK)
        except BaseException as e:
            return box.failed(e)
    except BaseException:
        return int(Status.ECALLBACK)


class Store(Handle):
    """An open store of studies: "study.db", "sqlite:///study.db", "memory:", or what else the library was built with.

    `mode`: "create" (made if it is missing), "open" or "readonly"."""

    _free = "spt_store_free"

    def __init__(self, url: Path = "memory:", mode: str | StoreMode = "create", context: Context | None = None) -> None:
        ctx = context or default_context()
        kind = StoreMode[mode.upper()] if isinstance(mode, str) else StoreMode(mode)
        super().__init__(ctx, ctx.make(lib.spt_store_open, ctx._h, encode(url), int(kind)))
        self.url = str(url)

    @property
    def studies(self) -> list[str]:
        """Names of the studies, in order of creation."""
        return list(iter_texts(lib.spt_store_study, self._p()))

    def history(self, study: str | None = None) -> History:
        """A snapshot of a study (None: the only one)."""
        ctx = self._context
        return History(ctx, ctx.make(lib.spt_history_read, self._p(), encode(study)))

    def block(self, study: str, key: str, trial: int = -1) -> bytes:
        """Bytes that are kept with a study, or with a trial: "rows", "folds", "predictions"."""
        needed, ctx = c_int64(), self._context
        arguments = (self._p(), encode(study), trial, encode(key))
        with ctx._lock:
            status = lib.spt_store_block(*arguments, None, 0, byref(needed))
            if status < 0 and status != _abi.Status.ECAPACITY:
                ctx._raise(status)
            out = np.empty(needed.value, np.uint8)
            if needed.value:
                ctx.call(lib.spt_store_block, *arguments, address(out), len(out), byref(needed))
        return out.tobytes()

    # ---- whole studies ----

    def export(self, path: Path | None = None, study: str | None = None, format: str | ExportFormat | None = None) -> str | None:
        """Write a study into a file, or give its text (`path` None): "csv", a table like Optuna's `trials_dataframe()`, or
        "json", all of it. Without `format` the end of the path tells, else it is "json"."""
        if format is None:
            format = "csv" if path is not None and str(path).endswith(".csv") else "json"
        kind = int(ExportFormat[format.upper()] if isinstance(format, str) else ExportFormat(format))
        if path is not None:
            self._context.call(lib.spt_store_export, self._p(), encode(study), kind, encode(path))
            return None
        pieces = []
        key = keep(Box(self._context, pieces.append))
        try:
            self._context.call(lib.spt_store_export_text, self._p(), encode(study), kind, _on_text, key)
        finally:
            drop(key)
        return b"".join(pieces).decode()

    def import_json(self, path: Path, study: str | None = None) -> None:
        """Read a study that `export()` wrote as JSON, under another name if one is given."""
        self._context.call(lib.spt_store_import_json, self._p(), encode(path), encode(study))

    def import_csv(self, path: Path, space: Space | Path, study: str | None = None) -> None:
        """Make a study of a table, one row per trial, with the columns of `export()` (those that there are)."""
        space = space if isinstance(space, Space) else Space.of(space, self._context)
        self._context.call(lib.spt_store_import_csv, self._p(), encode(path), space._p(), encode(study))

    def copy(self, to: Store, study: str | None = None, name: str | None = None) -> None:
        """Copy a study into another store, or into this one under another name; also one that Optuna made."""
        self._context.call(lib.spt_store_copy, self._p(), encode(study), to._p(), encode(name))

    def stamp(self, optuna: str) -> None:
        """Say which Optuna is to open the store: "3.1", "5.0", or "any"."""
        self._context.call(lib.spt_store_stamp, self._p(), encode(optuna))

    def __repr__(self):
        return f"<spectune.Store {self.url}>"


def _time(text):
    if not text:
        return None
    return datetime.datetime.strptime(text.decode(), "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=datetime.timezone.utc)


def _plain(text):
    """Numbers are on record as text."""
    try:
        return float(text) if any(c.isdigit() for c in text) or text in ("nan", "inf", "-inf") else text
    except ValueError:
        return text


class History(Handle):
    """All trials of a study at one moment, as a sequence of :class:`TrialRecord`. It never changes."""

    _free = "spt_history_free"

    def __len__(self) -> int:
        return lib.spt_history_count(self._p())

    def _info(self, index):
        t = record(_abi.spt_trial_info)
        status = lib.spt_history_trial(self._p(), index, byref(t))
        if status < 0:
            raise IndexError(f"there is no trial at {index} of {len(self)}")
        return t

    def __getitem__(self, index: int) -> TrialRecord:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        index = index + len(self) if index < 0 else index
        t = self._info(index)
        config = self.config(index)
        steps, values = np.empty(t.n_steps, np.int64), np.empty(t.n_steps)
        lib.spt_history_steps(self._h, index, address(steps), address(values), t.n_steps)
        attributes = {k: _plain(decode(lib.spt_history_attribute(self._h, index, encode(k))))
                      for k in iter_texts(lib.spt_history_attribute_key, self._h, index)}
        return TrialRecord(t.number, TrialState(t.state), t.value, {} if config is None else dict(config),
                           _time(t.started), _time(t.ended), dict(zip(steps.tolist(), values.tolist())), attributes)

    def __iter__(self) -> Iterator[TrialRecord]:
        return (self[i] for i in range(len(self)))

    @property
    def name(self) -> str:
        """Name of the study."""
        return decode(lib.spt_history_name(self._p()))

    @property
    def space(self) -> Space:
        """The space of the study as its trials saw it."""
        return Space._ref(self._context, lib.spt_history_space(self._p()))

    @property
    def records(self) -> dict[str, str]:
        """What the losses mean: texts on record with the study ("target", "folds", ...)."""
        keys = list(iter_texts(lib.spt_history_record_key, self._p()))
        return {k: decode(lib.spt_history_record(self._h, encode(k))) for k in keys}

    def config(self, index: int) -> Config | None:
        """Configuration of the trial at `index`, None where its parameters are incomplete."""
        h = lib.spt_history_config(self._p(), index)
        return None if h is None else Config._copy_of(self._context, h, self._known_space())

    def _known_space(self):
        if self.__dict__.get("_space") is None:
            self._space = self.space
        return self._space

    @property
    def values(self) -> Array:
        """The losses of all trials, NaN where there is none."""
        return np.array([self._info(i).value for i in range(len(self))])

    @property
    def n_finished(self) -> int:
        """Trials that have ended and count."""
        return lib.spt_history_finished(self._p())

    @property
    def best_index(self) -> int | None:
        """Index of the complete trial with the lowest value, None if there is none."""
        i = lib.spt_history_best(self._p())
        return None if i < 0 else i

    @property
    def best(self) -> TrialRecord | None:
        """The complete trial with the lowest value, None if there is none."""
        i = self.best_index
        return None if i is None else self[i]

    @property
    def n_repeated(self) -> int:
        """How many repetitions of trials have been asked for."""
        return lib.spt_history_repeated(self._p())

    def repeats(self, index: int) -> tuple[int, float, float]:
        """(count, mean, sd) of the repetitions of the trial at `index`."""
        n, mean, sd = c_int64(), c_double(), c_double()
        status = lib.spt_history_repeats(self._p(), index, byref(n), byref(mean), byref(sd))
        if status < 0:
            raise IndexError(f"there is no trial at {index} of {len(self)}")
        return n.value, mean.value, sd.value

    @property
    def confirmed_index(self) -> int | None:
        """Index of the trial to go on with: whose repetitions are best on average, or the best one; None if none."""
        i = lib.spt_history_confirmed(self._p())
        return None if i < 0 else i

    @property
    def confirmed(self) -> TrialRecord | None:
        """The trial to go on with."""
        i = self.confirmed_index
        return None if i is None else self[i]

    def trials_dataframe(self) -> DataFrame:
        """A pandas frame with a row for each trial: number, state, value, started, ended, duration (s), then columns
        `params_NAME` and `attributes_NAME`."""
        import pandas
        rows = []
        for t in self:
            row = {"number": t.number, "state": t.state.name.lower(), "value": t.value, "started": t.started, "ended": t.ended,
                   "duration": (t.ended - t.started).total_seconds() if t.started and t.ended else np.nan}
            row.update({f"params_{k}": v for k, v in t.params.items()})
            row.update({f"attributes_{k}": v for k, v in t.attributes.items()})
            rows.append(row)
        names = ["number", "state", "value", "started", "ended", "duration"]
        names += [f"params_{n}" for n in self.space.names]
        names += sorted({n for r in rows for n in r if n.startswith("attributes_")})
        return pandas.DataFrame(rows, columns=names)

    def __repr__(self):
        return "<spectune.History, closed>" if self.closed else f"<spectune.History {self.name}: {len(self)} trials>"


