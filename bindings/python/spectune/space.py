"""Search spaces and configurations."""
from __future__ import annotations

from collections import namedtuple
from collections.abc import Mapping, MutableMapping
from ctypes import byref, c_double
from typing import TYPE_CHECKING

import numpy as np

from . import _abi
from ._abi import Op, ParameterType
from ._core import Handle, context as default_context, decode, encode, iter_texts, record, texts
from ._load import lib
from ._types import Iterable, Iterator, Path, Text, Value, Values

if TYPE_CHECKING:
    from ._core import Context

Parameter = namedtuple("Parameter", "name kind group low high step log default choices condition parent")
Parameter.__doc__ = """What there is to know about one parameter. `kind` is "float", "int", "categorical", "ordinal" or
"bool"; `choices` is None for numbers; `condition` is "" for one that always exists."""

_OPS = {"==": Op.EQ, "=": Op.EQ, "!=": Op.NE, "<": Op.LT, "<=": Op.LE, ">": Op.GT, ">=": Op.GE, "in": Op.IN}


def _op(op):
    if isinstance(op, str):
        if op not in _OPS:
            raise ValueError(f"there is no comparison {op!r}; {', '.join(_OPS)} are possible")
        return int(_OPS[op])
    return int(Op(op))


def value_text(value):
    """A value as the library reads it from text."""
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (float, np.floating)):
        return repr(float(value))
    return str(value)


def _values(values):
    many = values if isinstance(values, (list, tuple, set, np.ndarray)) else [values]
    return texts([value_text(v) for v in many]), len(many)


class Space(Handle):
    """A search space. It may be added to until the first configuration or study is made from it.

    Methods that add give the space back: ``Space("mine").add_int("units", 8, 64, log=True).add_bool("dropout")``.
    """

    _free = "spt_space_free"

    def __init__(self, name: str = "space", context: Context | None = None) -> None:
        ctx = context or default_context()
        super().__init__(ctx, ctx.make(lib.spt_space_new, ctx._h, encode(name)))

    @classmethod
    def _ref(cls, ctx, handle):
        """One more reference to a space that belongs to somebody else."""
        out = _abi.c_void_p()
        ctx.call(lib.spt_space_ref, handle, byref(out))
        return cls._of(ctx, out.value)

    @classmethod
    def of(cls, space: Space | Path, context: Context | None = None) -> Space:
        """A space of itself, of a preset's name, or of an XML file."""
        if isinstance(space, cls):
            return space
        if str(space).endswith(".xml"):
            return cls.read_xml(space, context=context)
        return cls.preset(space, context=context)

    @staticmethod
    def presets() -> list[str]:
        """Names of the presets."""
        return list(iter_texts(lib.spt_space_preset_name))

    @classmethod
    def preset(cls, name: str, context: Context | None = None) -> Space:
        """A preset: "small", "shen2021" or "cnn1d"."""
        ctx = context or default_context()
        return cls._of(ctx, ctx.make(lib.spt_space_preset, ctx._h, encode(name)))

    @classmethod
    def read_xml(cls, path: Path, context: Context | None = None) -> Space:
        """Read a space from an XML file."""
        ctx = context or default_context()
        return cls._of(ctx, ctx.make(lib.spt_space_read, ctx._h, encode(path)))

    @classmethod
    def from_xml(cls, xml: Text, name: str = "text", context: Context | None = None) -> Space:
        """Read a space from XML in memory."""
        ctx = context or default_context()
        data = xml.encode() if isinstance(xml, str) else bytes(xml)
        return cls._of(ctx, ctx.make(lib.spt_space_read_memory, ctx._h, data, len(data), encode(name)))

    # ---- building ----

    def _add(self, function, *arguments):
        self._context.call(function, self._p(), *arguments)
        return self

    def add_float(self, name: str, low: float, high: float, default: float | None = None, *, step: float = 0.0,
                  log: bool = False) -> Space:
        """A number from low to high; the default is low where none is given."""
        return self._add(lib.spt_space_add_float, encode(name), low, high, step, int(log), low if default is None else default)

    def add_int(self, name: str, low: int, high: int, default: int | None = None, *, step: int = 1,
                log: bool = False) -> Space:
        """A whole number from low to high."""
        return self._add(lib.spt_space_add_int, encode(name), low, high, step, int(log), low if default is None else default)

    def add_categorical(self, name: str, choices: Iterable[Value], default: Value | None = None) -> Space:
        """One of several texts without order; the default is the first."""
        return self._choice(lib.spt_space_add_categorical, name, choices, default)

    def add_ordinal(self, name: str, choices: Iterable[Value], default: Value | None = None) -> Space:
        """One of several texts in order."""
        return self._choice(lib.spt_space_add_ordinal, name, choices, default)

    def _choice(self, function, name, choices, default):
        choices = [value_text(c) for c in choices]
        at = 0 if default is None else choices.index(value_text(default)) if value_text(default) in choices else -1
        return self._add(function, encode(name), texts(choices), len(choices), at)

    def add_bool(self, name: str, default: bool = False) -> Space:
        """True or False."""
        return self._add(lib.spt_space_add_bool, encode(name), int(default))

    def set_group(self, name: str, group: str) -> Space:
        """Put a parameter into a group, shown with importance."""
        return self._add(lib.spt_space_set_group, encode(name), encode(group))

    def add_condition(self, child: str, parent: str, op: str | Op, values: Value | Iterable[Value]) -> Space:
        """`child` exists only if `parent` compares so: ``space.add_condition("units_2", "layers", ">=", 2)``."""
        cells, n = _values(values)
        return self._add(lib.spt_space_add_condition, encode(child), encode(parent), _op(op), cells, n)

    def forbid(self, *terms: tuple) -> Space:
        """Never propose configurations in which all terms hold; a term is (parameter, op, value or values)."""
        self._add(lib.spt_space_forbid)
        for parameter, op, values in terms:
            cells, n = _values(values)
            self._add(lib.spt_space_forbid_term, encode(parameter), _op(op), cells, n)
        return self

    # ---- reading ----

    @property
    def name(self) -> str:
        """Name of the space."""
        return decode(lib.spt_space_name(self._p()))

    def __len__(self) -> int:
        return lib.spt_space_count(self._p())

    def _index(self, name):
        i = lib.spt_space_find(self._p(), encode(name))
        if i < 0:
            raise KeyError(f"no parameter {name!r} in the space {self.name}")
        return i

    def __contains__(self, name: str) -> bool:
        return lib.spt_space_find(self._p(), encode(name)) >= 0

    def __getitem__(self, name: str) -> Parameter:
        """The :class:`Parameter` of that name."""
        return self.parameter(self._index(name))

    def parameter(self, index: int) -> Parameter:
        """The :class:`Parameter` with that index."""
        p = record(_abi.spt_parameter_info)
        status = lib.spt_space_describe(self._p(), index, byref(p))
        if status < 0:
            raise IndexError(f"there is no parameter {index} of {len(self)}")
        kind = ParameterType(p.type)
        choices = [self._read_choice(index, c) for c in range(p.n_choices)] or None
        number = _number(kind)
        return Parameter(decode(p.name), kind.name.lower(), decode(p.group), number(p.low), number(p.high), number(p.step),
                         bool(p.log), choices[int(p.value)] if choices else number(p.value), choices,
                         decode(lib.spt_space_condition(self._h, index)),
                         None if p.parent < 0 else self._name_of(p.parent))

    def _read_choice(self, index, choice):
        text = decode(lib.spt_space_choice(self._p(), index, choice))
        return {"false": False, "true": True}[text] if self._kind(index) == ParameterType.BOOL else text

    def _describe(self, index):
        p = record(_abi.spt_parameter_info)
        lib.spt_space_describe(self._p(), index, byref(p))
        return p

    def _kind(self, index):
        return self._kinds()[index]

    def _name_of(self, index):
        return self._names()[index]

    def _table(self):
        """Names and kinds, read once; built up again while parameters are added."""
        known = self.__dict__.get("_known")
        if known is None or len(known[0]) != len(self):
            all_of = [self._describe(i) for i in range(len(self))]
            known = self._known = ([decode(p.name) for p in all_of], [ParameterType(p.type) for p in all_of])
        return known

    def _names(self):
        return self._table()[0]

    def _kinds(self):
        return self._table()[1]

    def __iter__(self) -> Iterator[Parameter]:
        return (self.parameter(i) for i in range(len(self)))

    @property
    def names(self) -> list[str]:
        """Names of the parameters, in order."""
        return list(self._names())

    @property
    def forbidden(self) -> list[str]:
        """The forbidden combinations as texts."""
        return [decode(lib.spt_space_forbidden(self._p(), i)) for i in range(lib.spt_space_forbidden_count(self._p()))]

    @property
    def xml(self) -> str:
        """The space as XML text."""
        return self._context.text(lib.spt_space_xml, self._p())

    def write_xml(self, path: Path) -> None:
        """Write the space as an XML file."""
        self._context.call(lib.spt_space_write, self._context._h, self._p(), encode(path))

    def __repr__(self):
        return "<spectune.Space, closed>" if self.closed else f"<spectune.Space {self.name}: {len(self)} parameters>"

    def __eq__(self, other):
        return isinstance(other, Space) and self.xml == other.xml

    def __hash__(self):
        return id(self)

    def __reduce__(self):
        return Space.from_xml, (self.xml,)

    # ---- configurations ----

    def config(self, values: Values | Iterable = (), **more: Value) -> Config:
        """A configuration: the defaults, and these values. Freezes the space."""
        return Config(self, dict(values, **more))

    def read_config(self, path: Path) -> Config:
        """A configuration of an XML file."""
        ctx = self._context
        return Config._of(ctx, ctx.make(lib.spt_config_read, ctx._h, self._p(), encode(path)), self)

    def config_from_xml(self, xml: Text, name: str = "text") -> Config:
        """A configuration of XML in memory, as `Config.xml` gives it."""
        ctx = self._context
        data = xml.encode() if isinstance(xml, str) else bytes(xml)
        return Config._of(ctx, ctx.make(lib.spt_config_read_memory, ctx._h, self._p(), data, len(data), encode(name)), self)


def _number(kind):
    return int if kind == ParameterType.INT else float


class Config(Handle, MutableMapping):
    """A configuration: a mapping from the parameters that exist in it to their values (float, int, bool or text).

    Setting a value works out anew which parameters exist; those that come into being take their defaults. `del` is not
    possible: what exists follows from the others.
    """

    _free = "spt_config_free"

    def __init__(self, space: Space, values: Values | Iterable = (), context: Context | None = None) -> None:
        ctx = context or space._context
        super().__init__(ctx, ctx.make(lib.spt_config_new, ctx._h, space._p()))
        self._space = space
        self.update_all(values)

    @classmethod
    def _of(cls, ctx, handle, space=None, borrowed=False):
        """Of a handle that is ours, or (borrowed) lent to a callback, which takes it away again."""
        made = cls.__new__(cls)
        Handle.__init__(made, ctx, handle)
        made._borrowed = borrowed
        made._space = Space._ref(ctx, lib.spt_config_space(handle)) if space is None else space
        return made

    @classmethod
    def _copy_of(cls, ctx, handle, space=None):
        """A copy of a configuration that belongs to somebody else."""
        return cls._of(ctx, ctx.make(lib.spt_config_copy, ctx._h, handle), space)

    @property
    def space(self) -> Space:
        """The :class:`Space` it belongs to."""
        return self._space

    def update_all(self, values: Values | Iterable) -> None:
        """Set several values, whatever their order: parents first, so that their children exist."""
        left = dict(values.items() if isinstance(values, Mapping) else values)
        for name in left:
            self._space._index(name) if name in self._space else self._set(name, left[name])
        order = {n: i for i, n in enumerate(self._space._names())}
        while left:
            ready = [n for n in sorted(left, key=order.__getitem__) if n in self]
            if not ready:
                self._set(next(iter(left)), left[next(iter(left))])  # tells what is wrong
                return
            self._set(ready[0], left.pop(ready[0]))

    def _set(self, name, value):
        self._writable()
        if isinstance(value, (int, float, np.number)) and not isinstance(value, (bool, np.bool_)) and self._is_number(name):
            self._context.call(lib.spt_config_set_number, self._p(), encode(name), float(value))
        else:
            self._context.call(lib.spt_config_set_text, self._p(), encode(name), encode(value_text(value)))

    def _is_number(self, name):
        if name not in self._space:
            return True
        return self._space._kind(self._space._index(name)) in (ParameterType.FLOAT, ParameterType.INT)

    def _writable(self):
        if self._borrowed and not getattr(self, "_may_change", False):
            raise TypeError("this configuration is only to be looked at; copy() gives one that can be changed")

    def __setitem__(self, name: str, value: Value) -> None:
        self._set(name, value)

    def __getitem__(self, name: str) -> Value:
        index = lib.spt_space_find(self._space._p(), encode(name))
        if index < 0:
            raise KeyError(name)
        kind = self._space._kind(index)
        if kind in (ParameterType.FLOAT, ParameterType.INT):
            x = c_double()
            if lib.spt_config_number(self._p(), encode(name), byref(x)) < 0:
                raise KeyError(name)
            return _number(kind)(x.value)
        text = lib.spt_config_choice(self._p(), encode(name))
        if text is None:
            raise KeyError(name)
        return text == b"true" if kind == ParameterType.BOOL else text.decode()

    def __delitem__(self, name):
        raise TypeError("which parameters exist follows from the values of others")

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and lib.spt_config_exists(self._p(), encode(name)) == 1

    def __iter__(self) -> Iterator[str]:
        return (n for n in self._space._names() if n in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __eq__(self, other):
        if isinstance(other, Config):
            return lib.spt_config_equal(self._p(), other._p()) == 1
        return isinstance(other, Mapping) and dict(self) == dict(other)

    __hash__ = None

    def check(self) -> None:
        """Raise if a forbidden combination holds."""
        self._context.call(lib.spt_config_check, self._p())

    def copy(self) -> Config:
        """A copy that can be changed."""
        return Config._copy_of(self._context, self._p(), self._space)

    __copy__ = copy

    @property
    def channels(self) -> int:
        """The mask of input channels that it switches on."""
        from ctypes import c_int32
        mask = c_int32()
        self._context.call(lib.spt_config_channels, self._p(), byref(mask))
        return _abi.Channel(mask.value) if mask.value in list(_abi.Channel) else mask.value

    @property
    def xml(self) -> str:
        """The configuration as XML text."""
        return self._context.text(lib.spt_config_xml, self._p())

    def write_xml(self, path: Path) -> None:
        """Write it as an XML file."""
        self._context.call(lib.spt_config_write, self._context._h, self._p(), encode(path))

    def __repr__(self):
        return "<spectune.Config, closed>" if self.closed else f"Config({dict(self)!r})"

    def __reduce__(self):
        return _restore, (self._space.xml, dict(self))


def _restore(xml, values):
    return Config(Space.from_xml(xml), values)
