"""Contexts, handles and callbacks: what every other module stands on.

A :class:`Context` is the library's `spt_ctx`. Each thread has one of its own that is used where none is named, so most
programs never see any.
"""
from __future__ import annotations

import atexit
import collections
import ctypes
import itertools
import os
import threading
import weakref
from ctypes import byref, c_int64, c_void_p

import numpy as np

from . import _abi
from ._abi import LogLevel, OptionType, Status
from ._errors import error_of, status_of
from ._load import lib
from ._signals import Interrupts
from ._types import Any, Callable


def encode(text):
    """Text for the library, None stays NULL. Paths are accepted too."""
    return None if text is None else os.fspath(text).encode()


def decode(text):
    return None if text is None else text.decode()


def texts(values):
    """An array of C strings (None is NULL)."""
    return (ctypes.c_char_p * len(values))(*[encode(None if v is None else str(v)) for v in values])


def address(array):
    """Where the values of an array are; NULL for None."""
    return None if array is None else array.ctypes.data


def record(kind):
    """A record of the library, ready to be filled."""
    r = kind()
    lib.spt_record_init(byref(r), ctypes.sizeof(kind))
    return r


# ---- callbacks -------------------------------------------------------------------------------------------------


class Box:
    """A host's function behind the `user` pointer of a callback."""

    __slots__ = ("context", "function", "more", "__weakref__")

    def __init__(self, context, function, more=None):
        self.context, self.function, self.more = context, function, more

    def failed(self, error):
        """Keep an exception until the call into C has returned; what the library is told."""
        if self.context._pending is None:
            self.context._pending = error
        return status_of(error) if isinstance(error, Exception) else int(Status.STOP_HOST)


#: Empty when the interpreter goes down: from then on nothing is freed, as hooks in Python cannot be called any more. What
#: was told is on disk; the system takes the rest.
_alive = [True]
atexit.register(_alive.clear)

_boxes = {}
_owned = weakref.WeakValueDictionary()
_keys = itertools.count(1)


def keep(box):
    """A number that stands for a box until `destroy` or :func:`drop` is told it."""
    key = next(_keys)
    _boxes[key] = box
    return key


def keep_on(owner, slot, box):
    """The same for as long as its owner has it in that slot. An objective that refers to its study, which C keeps, would
    otherwise never be seen as the cycle that it is."""
    key = next(_keys)
    _owned[key] = box
    owner.__dict__.setdefault("_kept", {})[slot] = box
    return key


def box_of(key):
    """The box that a number stands for."""
    box = _boxes.get(key)
    return _owned[key] if box is None else box


def drop(key):
    """Forget a box."""
    _boxes.pop(key, None)


def stop_with(box, error):
    """The same where the library would go on: it is asked to stop, too."""
    status = box.failed(error)
    if box.context._interrupts is not None:  # in a call that takes the request back at its end
        lib.spt_ctx_stop(box.context._h)
        box.context._stop_asked = True
    return status


@_abi.spt_destroy_fn
def destroy(key):
    """The destroy hook of everything that is kept here."""
    _boxes.pop(key, None)


class host_code:
    """Within: the host's own code runs, signals are delivered."""

    __slots__ = ("interrupts",)

    def __init__(self, context):
        self.interrupts = context._interrupts

    def __enter__(self):
        if self.interrupts is not None:
            try:
                self.interrupts.host()
            except BaseException:
                self.interrupts.library()
                raise

    def __exit__(self, *_):
        if self.interrupts is not None:
            self.interrupts.library()


def answer(value):
    """What a host's function returned, as a status: None or True goes on, False stops, a Status is passed on."""
    if value is None or value is True:
        return int(Status.OK)
    if value is False:
        return int(Status.STOP_HOST)
    if isinstance(value, (Status, int)):
        return int(value)
    raise TypeError(f"a callback returned {value!r}; None or True to go on, False to stop, or a spectune.Status")


@_abi.spt_log_fn
def _on_log(level, text, key):
    try:
        box = box_of(key)
        try:
            with host_code(box.context):
                box.function(LogLevel(level), text.decode(errors="replace"))
        except BaseException as e:
            stop_with(box, e)
    except BaseException:  # the box is gone: the interpreter is going down
        pass


Epoch = collections.namedtuple("Epoch", "epoch epochs loss watched best learning_rate")
Epoch.__doc__ = "What is known after an epoch; the fields are those of `spt_epoch`."


@_abi.spt_epoch_fn
def on_epoch(epoch, key):
    """`epoch` callbacks: the function is called with an :class:`Epoch`."""
    try:
        box = box_of(key)
        try:
            e = epoch.contents
            with host_code(box.context):
                if box.function is None:
                    return 0
                return answer(box.function(Epoch(e.epoch, e.epochs, e.loss, e.watched, e.best, e.learning_rate)))
        except BaseException as error:
            return box.failed(error)
    except BaseException:
        return int(Status.ECALLBACK)


# ---- contexts --------------------------------------------------------------------------------------------------


class Context:
    """The library's context: threads, memory limit, kernels, log; and the lock that keeps what was made from it to one
    thread at a time.

    Parameters
    ----------
    threads : int, optional
        For folds and trees; None: as many as the affinity mask allows. Results never depend on it.
    memory_limit : int, optional
        Bytes that one training may need at most.
    kernels : str, optional
        "portable", "avx2" or "avx512"; None: the fastest that this machine has.
    log : callable, optional
        Called with a :class:`LogLevel` and a line of text.
    log_level : LogLevel
        The least urgent level that is told.
    """

    def __init__(self, threads: int | None = None, memory_limit: int | None = None, kernels: str | None = None,
                 log: Callable[[LogLevel, str], None] | None = None, log_level: LogLevel = LogLevel.INFO) -> None:
        self._h = None
        self._lock = threading.RLock()
        self._freed = collections.deque()
        self._pending = None
        self._interrupts = None
        self._stop_asked = False
        self._pid = os.getpid()
        h = c_void_p()
        status = lib.spt_ctx_new(None, byref(h))
        if status < 0:
            raise error_of(status, "")
        self._h = h.value
        if threads is not None:
            self.threads = threads
        if memory_limit is not None:
            self.memory_limit = memory_limit
        if kernels is not None:
            self.kernels = kernels
        if log is not None:
            self.set_log(log, log_level)

    def __del__(self, alive=_alive):
        h, self._h = self._h, None
        if h is not None and alive and os.getpid() == self._pid:
            self._drain()
            lib.spt_ctx_free(h)

    def __reduce__(self):
        raise TypeError("a Context belongs to one process and cannot be pickled")

    def __repr__(self):
        return f"<spectune.Context threads={self.threads} kernels={self.kernels!r}>"

    # ---- calls ----

    def call(self, function: Callable, *arguments: Any) -> int:
        """Call a function that returns a status, and raise what failed. Other threads that use this context wait."""
        with self._lock:
            status = function(*arguments)
            if status < 0 or self._pending is not None:
                self._raise(status)
            if self._freed:
                self._drain()
        return status

    def call_long(self, function: Callable, *arguments: Any) -> int:
        """The same for a call that trains, searches or runs callbacks: signals are looked after."""
        with self._lock:
            before = self._interrupts
            interrupts = self._interrupts = Interrupts(lambda: lib.spt_ctx_stop(self._h))
            try:
                interrupts.enter()
                status = function(*arguments)
            finally:
                self._interrupts = before
                pending, self._pending = self._pending, None
                try:
                    interrupts.exit()
                finally:
                    if interrupts.stopped or self._stop_asked:
                        self._stop_asked = False
                        lib.spt_ctx_clear_stop(self._h)
            if status < 0 or pending is not None:
                self._pending = pending
                del pending  # or the exception would hold the frame that holds it
                self._raise(status)
            if self._freed:
                self._drain()
        return status

    def make(self, function: Callable, *arguments: Any, long: bool = False) -> int:
        """Call a function that makes a handle, its last parameter."""
        out = c_void_p()
        (self.call_long if long else self.call)(function, *arguments, byref(out))
        return out.value

    def _raise(self, status):
        error, self._pending = self._pending, None
        if error is not None:
            try:
                raise error
            finally:
                del error
        raise error_of(status, lib.spt_ctx_last_error(self._h).decode(errors="replace"))

    def text(self, function: Callable, *arguments: Any) -> str:
        """The text of a query-then-fill function whose last parameters are buffer, capacity and needed."""
        capacity, needed = 1024, c_int64()
        with self._lock:
            while True:
                buffer = ctypes.create_string_buffer(capacity)
                status = function(*arguments, buffer, capacity, byref(needed))
                if status != Status.ECAPACITY:
                    break
                capacity = needed.value
            if status < 0:
                self._raise(status)
        return buffer.value.decode()

    def release(self, function: Callable, handle: int, alive: list = _alive) -> None:
        """Free a handle: now, or when the thread that is using the context is done with its call."""
        if not alive or os.getpid() != self._pid:
            return  # a forked child owns nothing of its parent's
        if self._lock.acquire(blocking=False):
            try:
                function(handle)
            finally:
                self._lock.release()
        else:
            self._freed.append((function, handle))

    def _drain(self):
        while self._freed:
            try:
                function, handle = self._freed.popleft()
            except IndexError:
                return
            function(handle)

    # ---- settings ----

    @property
    def threads(self) -> int:
        """Threads for folds and trees."""
        return lib.spt_ctx_threads(self._h)

    @threads.setter
    def threads(self, n: int | None) -> None:
        self.call(lib.spt_ctx_set_threads, self._h, int(n))

    @property
    def memory_limit(self) -> int:
        """Bytes that one training may need at most; 0: no limit."""
        return lib.spt_ctx_memory_limit(self._h)

    @memory_limit.setter
    def memory_limit(self, n: int | None) -> None:
        self.call(lib.spt_ctx_set_memory_limit, self._h, int(n or 0))

    @property
    def kernels(self) -> str:
        """Name of the kernels in use."""
        return decode(lib.spt_ctx_kernels(self._h))

    @kernels.setter
    def kernels(self, name: str | None) -> None:
        self.call(lib.spt_ctx_set_kernels, self._h, encode(name))

    def set_log(self, function: Callable[[LogLevel, str], None] | None, level: LogLevel = LogLevel.INFO) -> None:
        """Send lines of log to `function(level, text)`; None: nowhere."""
        if function is None:
            self.call(lib.spt_ctx_set_log, self._h, int(level), _abi.spt_log_fn(), None, _abi.spt_destroy_fn())
        else:
            # Weakly: the box must not keep the context alive that keeps the box.
            self.call(lib.spt_ctx_set_log, self._h, int(level), _on_log, keep(Box(_Weak(self), function)), destroy)

    def stop(self) -> None:
        """Ask what runs on this context to stop within a mini-batch; from any thread. One request stops one run."""
        self._stop_asked = True
        lib.spt_ctx_stop(self._h)


class _Weak:
    """A context for boxes that the context itself owns."""

    __slots__ = ("_context",)

    def __init__(self, context):
        object.__setattr__(self, "_context", weakref.ref(context))

    def __getattr__(self, name):
        return getattr(self._context(), name)

    def __setattr__(self, name, value):
        setattr(self._context(), name, value)


_local = threading.local()


def context() -> Context:
    """The context of this thread that is used where none is named."""
    c = getattr(_local, "context", None)
    if c is None or c._pid != os.getpid():
        c = _local.context = Context()
    return c


def kernels() -> list[str]:
    """Names of the kernels that this machine can run, slowest first."""
    return list(iter_texts(lib.spt_kernels_name))


def iter_texts(function, *arguments):
    """Texts number 0, 1, ... until NULL."""
    for i in itertools.count():
        text = function(*arguments, i)
        if text is None:
            return
        yield text.decode()


# ---- handles ---------------------------------------------------------------------------------------------------


class _Own:
    """A handle of the library that several Python objects need."""

    __slots__ = ("context", "function", "handle")

    def __init__(self, context, function, handle):
        self.context, self.function, self.handle = context, function, handle

    def __del__(self):
        try:
            self.context.release(self.function, self.handle)
        except Exception:  # the interpreter is going down
            pass


class Handle:
    """An object of the library. Freed when the last reference goes, by `close()`, or at the end of a `with` block; in any
    order: what is still needed by others stays."""

    _free = ""    # name of the function that releases it
    _borrowed = False
    _own: _Own | None = None   # set when arrays lie on its memory, which then must outlive close()

    def __init__(self, context, handle):
        self._context, self._h = context, handle

    @classmethod
    def _of(cls, ctx, handle):
        """An object of a handle that is there already."""
        made = cls.__new__(cls)
        Handle.__init__(made, ctx, handle)
        return made

    @property
    def context(self) -> Context:
        """The :class:`Context` it was made from."""
        return self._context

    @property
    def closed(self) -> bool:
        return self._h is None

    def _p(self):
        if self._h is None:
            raise ValueError(f"this {type(self).__name__} is closed")
        return self._h

    def close(self) -> None:
        """Free it now."""
        h = self.__dict__.pop("_h", None)
        self._h = None
        if self._own is not None:
            self._own = None
        elif h is not None and not self._borrowed:
            self._context.release(getattr(lib, self._free), h)

    def _view(self, pointer, n):
        """n float64 of the library's memory as a read-only array, without a copy. The memory stays as long as the array."""
        if self._own is None:
            self._own = _Own(self._context, getattr(lib, self._free), self._p())
        buffer = (ctypes.c_double * n).from_address(pointer)
        buffer._own = self._own  # numpy keeps the buffer
        a = np.frombuffer(buffer, dtype=np.float64)
        a.flags.writeable = False
        return a

    def __del__(self):
        try:
            self.close()
        except Exception:  # the interpreter is going down, or __init__ never ran
            pass

    def __enter__(self):
        self._p()
        return self

    def __exit__(self, *_):
        self.close()

    def __reduce__(self):
        raise TypeError(f"a {type(self).__name__} lives in this process and cannot be pickled")


# ---- options ---------------------------------------------------------------------------------------------------


class Options(Handle):
    """Named knobs of the library, from a mapping: numbers for numbers, texts for the rest, True and False for yes and no.
    An unknown name is refused and the nearest offered."""

    _free = "spt_options_free"

    def __init__(self, ctx, maker, values=()):
        super().__init__(ctx, ctx.make(getattr(lib, maker), ctx._h))
        for name, value in dict(values).items():
            if value is not None:
                self._set(name, value)

    def _set(self, name, value):
        if isinstance(value, (bool, np.bool_)):
            value = "yes" if value else "no"
        if isinstance(value, str):
            self._context.call(lib.spt_options_set_text, self._h, encode(name), encode(value))
        else:
            self._context.call(lib.spt_options_set_number, self._h, encode(name), float(value))

    def describe(self) -> list[Knob]:
        """A list of :class:`Knob`, one for each."""
        return [self._describe(i) for i in range(lib.spt_options_count(self._p()))]

    def _describe(self, i):
        info = record(_abi.spt_option_info)
        self._context.call(lib.spt_options_describe, self._h, i, byref(info))
        kind = OptionType(info.type)
        number = kind in (OptionType.NUMBER, OptionType.INTEGER)
        default = info.default_number if number else decode(info.default_text)
        return Knob(decode(info.name), decode(info.text), kind.name.lower(),
                    int(default) if kind == OptionType.INTEGER else default,
                    info.low if number else None, info.high if number else None,
                    decode(info.choices).split("|") if info.choices else None)


Knob = collections.namedtuple("Knob", "name text kind default low high choices")
Knob.__doc__ = "One named option: what it means, its kind, default, bounds of a number, choices."


def options(ctx, maker, values):
    """Options of a mapping, and their handle or NULL for the defaults."""
    if isinstance(values, Options):
        return values, values._p()
    made = Options(ctx, maker, values) if values else None
    return made, made._h if made else None


_KINDS = {
    "csv": "spt_csv_options_new", "channels": "spt_prep_options_new", "training": "spt_training_options_new",
    "fit": "spt_fit_options_new", "objective": "spt_cv_options_new", "sampler": "spt_sampler_options_new",
    "study": "spt_study_options_new", "importance": "spt_fanova_options_new", "ped": "spt_ped_options_new",
}


def describe_options(kind: str) -> list[Knob]:
    """The knobs of one kind: csv, channels, training, fit, objective, sampler, study, importance or ped."""
    if kind not in _KINDS:
        raise ValueError(f"there are no options of kind {kind!r}; {', '.join(_KINDS)} are possible")
    return Options(context(), _KINDS[kind]).describe()


# ---- arrays ----------------------------------------------------------------------------------------------------


def float64(values, n=None, what="values"):
    """A contiguous float64 vector; no copy if it is one."""
    a = np.ascontiguousarray(values, dtype=np.float64)
    if a.ndim != 1:
        raise ValueError(f"{what}: {a.ndim} dimensions; one was expected")
    if n is not None and len(a) != n:
        raise ValueError(f"{what}: {len(a)} values for {n} rows")
    return a


def float32(values, shape, what):
    """A contiguous float32 array of a shape (None: any length); no copy if it is one."""
    a = np.ascontiguousarray(values, dtype=np.float32)
    if a.ndim != len(shape) or any(want is not None and have != want for have, want in zip(a.shape, shape)):
        wanted = " x ".join("any" if w is None else str(w) for w in shape)
        raise ValueError(f"{what} is {' x '.join(map(str, a.shape))}; {wanted} was expected")
    return a


def int64(values, what="rows"):
    a = np.ascontiguousarray(values)
    if a.dtype == bool:
        a = np.flatnonzero(a)
    if a.size and a.dtype.kind not in "iu":
        raise ValueError(f"{what}: whole numbers were expected, not {a.dtype}")
    return np.ascontiguousarray(a.reshape(-1), dtype=np.int64)
