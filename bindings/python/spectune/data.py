"""Datasets: spectra on one axis, and columns beside them."""
from __future__ import annotations

import ctypes
import sys
from collections import namedtuple
from ctypes import byref
from typing import TYPE_CHECKING

import numpy as np

from . import _abi
from ._abi import AxisUnit, Dtype, Part, Unit
from ._core import (Box, Handle, address, context as default_context, decode, destroy, encode, float64, int64,
                    iter_texts, keep, options, record, texts)
from ._errors import error_of
from ._load import lib
from ._types import Any, Array, ArrayLike, DataFrame, Iterable, Mapping, Path, Setting, Text

if TYPE_CHECKING:
    from ._core import Context

Column = namedtuple("Column", "name kind n_missing n_distinct low high is_id")
Column.__doc__ = 'What there is to know about one column; `kind` is "number" or "text".'

_DTYPES = {np.dtype(np.float32): Dtype.FLOAT32, np.dtype(np.float64): Dtype.FLOAT64}


def unit_number(unit):
    """A Unit from itself or its name ("absorbance", "reflectance", "percent-reflectance", "unknown")."""
    return _named(unit, Unit, lib.spt_unit_from_name, lib.spt_unit_name, "unit")


def axis_unit_number(unit):
    """An AxisUnit from itself or its name ("nm", "cm-1", "um")."""
    return _named(unit, AxisUnit, lib.spt_axis_unit_from_name, lib.spt_axis_unit_name, "axis unit")


def _named(value, kind, from_name, name_of, what):
    if isinstance(value, str):
        number = from_name(encode(value))
        if number < 0:
            known = ", ".join(decode(name_of(int(k))) for k in kind)
            raise error_of(number, f"there is no {what} {value!r}; {known} are possible")
        return number
    return int(kind(value))


def _matrix(values):
    """(record, array that holds its values): a view where the library can read the array as it is, else of a copy."""
    a = np.asarray(values)
    if a.ndim != 2:
        raise ValueError(f"spectra have {a.ndim} dimensions; rows x bands was expected")
    if a.dtype.kind == "c":
        raise ValueError("complex spectra are not supported")
    fit = a.dtype in _DTYPES and a.dtype.isnative and a.flags.aligned and all(s % a.itemsize == 0 for s in a.strides)
    if not fit:
        a = np.ascontiguousarray(a, dtype=np.float32 if a.dtype == np.float16 else np.float64)
    m = record(_abi.spt_matrix)
    m.dtype, m.data = _DTYPES[a.dtype], a.ctypes.data
    m.rows, m.cols = a.shape
    m.row_stride, m.col_stride = (s // a.itemsize for s in a.strides)
    return m, a


class Dataset(Handle):
    """n spectra on one axis of p bands, with columns (ids, groups, properties). It never changes: what crops or chooses
    gives a new dataset, which shares storage where it can.

    Parameters
    ----------
    spectra : array, n x p
        float32 and float64 of any strides are taken as they are, others are converted.
    axis : sequence of p numbers
        Positions of the bands, strictly ascending or descending.
    axis_unit : str or AxisUnit
        "nm", "cm-1" or "um".
    unit : str or Unit
        What the values are: "absorbance", "reflectance", "percent-reflectance" or "unknown". Never guessed.
    columns : mapping, optional
        Name: n numbers (NaN: missing) or texts (None: missing).
    ids : sequence of n texts, optional
        Names of the rows.
    copy : bool
        False: the array is kept and read where it lies; it must not change while the dataset lives, and whether its values
        are finite is checked at first use. True: a copy is made and checked now.
    """

    _free = "spt_dataset_free"

    def __init__(self, spectra: ArrayLike, axis: ArrayLike, *, axis_unit: str | AxisUnit = "nm",
                 unit: str | Unit = "unknown", columns: Mapping[str, ArrayLike] | None = None,
                 ids: Iterable | None = None, copy: bool = False, context: Context | None = None) -> None:
        ctx = context or default_context()
        m, array = _matrix(spectra)
        axis = float64(axis, what="axis")
        if len(axis) != array.shape[1]:
            raise ValueError(f"the axis has {len(axis)} positions, the spectra have {array.shape[1]} bands")
        how = (None, _abi.spt_destroy_fn()) if copy else (keep(Box(None, None, array)), destroy)
        super().__init__(ctx, ctx.make(lib.spt_dataset_new, ctx._h, byref(m), address(axis), axis_unit_number(axis_unit),
                                       unit_number(unit), 0 if copy else 1, *how))
        for name, values in (columns or {}).items():
            self._add(name, values)
        if ids is not None:
            self._add("id", [None if v is None else str(v) for v in ids])

    @classmethod
    def read_csv(cls, path: Path, *, context: Context | None = None, **how: Setting) -> Dataset:
        """Read a CSV file. Keywords are the knobs of `describe_options("csv")`: unit, axis_unit, delimiter, decimal, id,
        bands, missing, bad_spectra."""
        ctx = context or default_context()
        made, h = options(ctx, "spt_csv_options_new", how)
        return cls._of(ctx, ctx.make(lib.spt_dataset_read_csv, ctx._h, encode(path), h))

    @classmethod
    def read_csv_text(cls, text: Text, name: str = "text", *, context: Context | None = None, **how: Setting) -> Dataset:
        """The same from text or bytes in memory; `name` stands for the file in messages."""
        ctx = context or default_context()
        data = text.encode() if isinstance(text, str) else bytes(text)
        made, h = options(ctx, "spt_csv_options_new", how)
        return cls._of(ctx, ctx.make(lib.spt_dataset_read_csv_memory, ctx._h, data, len(data), encode(name), h))

    @classmethod
    def from_dataframe(cls, frame: DataFrame, *, prefix: str = "", **how: Any) -> Dataset:
        """A dataset of a pandas frame: columns whose names are numbers (behind `prefix`) are bands, the rest columns; the
        index becomes the ids unless it just counts. Keywords as for `Dataset`."""
        bands, rest = bands_of(frame.columns, prefix)
        if len(bands) < 2:
            raise ValueError(f"{len(bands)} columns of the frame have numbers for names; at least two bands are needed")
        made = cls(frame[[name for name, _ in bands]].to_numpy(), [x for _, x in bands],
                   columns={str(name): frame[name].to_numpy() for name in rest}, **how)
        if "id" not in rest and frame.index.dtype.kind not in "iu":
            made._add("id", [str(v) for v in frame.index])
        return made

    # ---- columns ----

    def _add(self, name, values):
        new = self.with_column(name, values)
        self._h, new._h = new._h, self._h  # nobody has seen it yet: no array lies on its memory

    def with_column(self, name: str, values: ArrayLike) -> Dataset:
        """A dataset with one column more, or replaced: numbers (NaN: missing) or texts (None: missing)."""
        n, ctx = len(self), self._context
        a = np.asarray(values)
        if a.shape != (n,):
            raise ValueError(f"column {name!r}: {a.shape} values for {n} rows")
        if a.dtype.kind in "fiub":
            a = float64(a, n, f"column {name!r}")
            made = ctx.make(lib.spt_dataset_with_numbers, ctx._h, self._p(), encode(name), address(a), n)
        else:
            cells = texts([None if _missing(v) else v for v in a.tolist()])
            made = ctx.make(lib.spt_dataset_with_texts, ctx._h, self._p(), encode(name), cells, n)
        return self._of(ctx, made)

    def join_csv(self, path: Path, key: str | None = None, **how: Setting) -> Dataset:
        """With the columns of a second CSV file, matched by id."""
        ctx = self._context
        made, h = options(ctx, "spt_csv_options_new", how)
        return self._of(ctx, ctx.make(lib.spt_dataset_join_csv, ctx._h, self._p(), encode(path), encode(key), h))

    @property
    def columns(self) -> list[Column]:
        """A list of :class:`Column`."""
        out = []
        for i in range(lib.spt_dataset_columns(self._p())):
            c = record(_abi.spt_column_info)
            _check(lib.spt_dataset_column(self._h, i, byref(c)))
            out.append(Column(decode(c.name), "number" if c.kind == _abi.ColumnKind.NUMBER else "text", c.n_missing,
                              c.n_distinct, c.low, c.high, bool(c.is_id)))
        return out

    def _find(self, name):
        i = lib.spt_dataset_find_column(self._p(), encode(name))
        if i < 0:
            raise KeyError(f"no column {name!r}; there are {', '.join(c.name for c in self.columns) or 'none'}")
        return i

    def __getitem__(self, name: str) -> Array:
        """A column: float64 with NaN, or an object array of texts with None."""
        i = self._find(name)
        out = np.empty(len(self))
        if lib.spt_dataset_numbers(self._h, i, address(out), len(out)) == 0:
            return out
        return np.array([decode(lib.spt_dataset_text(self._h, r, i)) for r in range(len(self))], dtype=object)

    def __contains__(self, name: str) -> bool:
        return lib.spt_dataset_find_column(self._p(), encode(name)) >= 0

    # ---- reading ----

    def __len__(self) -> int:
        return lib.spt_dataset_rows(self._p())

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, bands)"""
        return lib.spt_dataset_rows(self._p()), lib.spt_dataset_bands(self._h)

    @property
    def axis(self) -> Array:
        """Positions of the bands; a read-only array on the library's memory."""
        return self._view(lib.spt_dataset_axis(self._p()), self.shape[1])

    @property
    def axis_unit(self) -> str:
        """"nm", "cm-1", "um" or "unknown"."""
        return decode(lib.spt_axis_unit_name(lib.spt_dataset_axis_unit(self._p())))

    @property
    def unit(self) -> str:
        """What the values are: "absorbance", "reflectance", "percent-reflectance" or "unknown"."""
        return decode(lib.spt_unit_name(lib.spt_dataset_unit(self._p())))

    @property
    def even(self) -> bool:
        """Whether neighbouring bands are equally far apart."""
        return lib.spt_dataset_axis_is_even(self._p()) == 1

    def spectra(self, first: int = 0, n: int | None = None) -> Array:
        """n spectra from row `first` as float64, n x p."""
        rows, p = self.shape
        n = rows - first if n is None else n
        out = np.empty((max(n, 0), p))
        _check(lib.spt_dataset_spectra(self._p(), first, n, address(out), out.size),
               f"rows {first} to {first + n - 1} of {rows}: a value is not finite, or there are no such rows")
        return out

    @property
    def ids(self) -> list[str]:
        """The names of the rows."""
        return [decode(lib.spt_dataset_id(self._p(), i)) for i in range(len(self))]

    @property
    def notes(self) -> list[str]:
        """What was understood, and what looks wrong ("warning: ...")."""
        return list(iter_texts(lib.spt_dataset_note, self._p()))

    def fingerprint(self, part: str = "spectra", column: str | None = None) -> str:
        """SHA-256 of "spectra", "axis" or one "column"."""
        out = ctypes.create_string_buffer(65)
        index = self._find(column) if column is not None else 0
        _check(lib.spt_dataset_fingerprint(self._p(), int(Part[part.upper()]), index, out))
        return out.value.decode()

    def to_dataframe(self) -> DataFrame:
        """A pandas frame: columns, then one column for each band, named by its position; ids as the index."""
        import pandas
        bands = pandas.DataFrame(self.spectra(), columns=self.axis, index=self.ids)
        rest = pandas.DataFrame({c.name: self[c.name] for c in self.columns if not c.is_id}, index=self.ids)
        return pandas.concat([rest, bands], axis=1)

    def __repr__(self):
        if self.closed:
            return "<spectune.Dataset, closed>"
        n, p = self.shape
        axis = self.axis
        return (f"<spectune.Dataset: {n} spectra ({self.unit}), {p} bands {axis[0]:g} to {axis[-1]:g} {self.axis_unit}, "
                f"columns {', '.join(c.name for c in self.columns) or 'none'}>")

    def __reduce__(self):
        columns = {c.name: self[c.name] for c in self.columns}
        return _restore, (self.spectra(), np.array(self.axis), self.axis_unit, self.unit, columns)

    # ---- datasets from datasets ----

    def _derive(self, function, *arguments):
        return self._of(self._context, self._context.make(function, self._context._h, self._p(), *arguments))

    def take(self, rows: ArrayLike) -> Dataset:
        """The rows with these indices (or a mask), in this order; shares storage."""
        rows = int64(rows)
        return self._derive(lib.spt_dataset_take, address(rows), len(rows))

    def select(self, column: str, value: Any, keep: bool = True) -> Dataset:
        """The rows whose column equals `value`, or (`keep` False) differs from it."""
        return self._derive(lib.spt_dataset_select, encode(column), encode(str(value)), int(keep))

    def crop(self, low: float, high: float) -> Dataset:
        """The bands from low to high, both included."""
        return self._derive(lib.spt_dataset_crop, low, high)

    def resample(self, positions: ArrayLike) -> Dataset:
        """Linear interpolation onto positions inside the axis."""
        positions = float64(positions, what="positions")
        return self._derive(lib.spt_dataset_resample, address(positions), len(positions))

    def decimate(self, factor: int, average: bool = True) -> Dataset:
        """Every `factor` bands become their mean, or the first of them."""
        return self._derive(lib.spt_dataset_decimate, factor, int(average))

    def average(self, column: str) -> Dataset:
        """One row for all rows that share a value of `column`."""
        return self._derive(lib.spt_dataset_average, encode(column))

    def folds(self, k: int = 5, group: str | None = None, seed: int = 1) -> Array:
        """A fold from 0 to k - 1 for each row, whole groups together."""
        fold = np.empty(len(self), dtype=np.int32)
        self._context.call(lib.spt_dataset_folds, self._context._h, self._p(), encode(group), k, seed, address(fold), len(fold))
        return fold


def bands_of(names, prefix=""):
    """([(name, position) of bands], [other names]): bands are columns named by numbers, behind the prefix."""
    bands, rest = [], []
    for name in names:
        text = str(name)
        try:
            bands.append((name, float(text[len(prefix):] if text.startswith(prefix) else "")))
        except ValueError:
            rest.append(name)
    return bands, rest


def is_dataframe(x):
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(x, pandas.DataFrame)


def _missing(v):
    return v is None or (isinstance(v, float) and v != v)


def _check(status, text=""):
    """Functions that any thread may call leave no text on the context."""
    if status < 0:
        raise error_of(status, text)


def _restore(spectra, axis, axis_unit, unit, columns):
    return Dataset(spectra, axis, axis_unit=axis_unit, unit=unit, columns=columns)



