"""Finding and checking the library."""
from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

from . import _abi

#: Names under which the library may lie beside this file or be known to the system.
_NAMES = {"darwin": ["libspectune.dylib", "libspectune.0.dylib"], "win32": ["spectune.dll", "spectune-0.dll"]}.get(
    sys.platform, ["libspectune.so", "libspectune.so.0"])


class LibraryError(ImportError):
    """No library was found, or one that this package cannot work with. The text says what was found where."""


def _open(path, failures):
    try:
        return ctypes.CDLL(str(path))
    except OSError as e:
        failures.append(f"{path}: {e}")
        return None


def _candidates(explicit):
    """(path, where it comes from), in the order in which they are tried. A path that was asked for is the only one."""
    if explicit is not None:
        return [(os.fspath(explicit), "the path given")]
    asked = os.environ.get("SPECTUNE_LIBRARY")
    if asked:
        return [(asked, "the environment variable SPECTUNE_LIBRARY")]
    here = Path(__file__).resolve().parent
    return [(str(here / n), "the package") for n in _NAMES if (here / n).exists()] + [(n, "the system") for n in _NAMES[::-1]]


class _Whence(ctypes.Structure):
    """Dl_info of dladdr()."""

    _fields_ = [("path", ctypes.c_char_p), ("base", ctypes.c_void_p), ("name", ctypes.c_char_p), ("address", ctypes.c_void_p)]


def _where(function, otherwise):
    """The file that a function was loaded from, where the system can tell."""
    try:
        whence = _Whence()
        if ctypes.CDLL(None).dladdr(ctypes.cast(function, ctypes.c_void_p), ctypes.byref(whence)) and whence.path:
            return os.fsdecode(whence.path)
    except (OSError, AttributeError, TypeError):
        pass
    return otherwise


def _version(text):
    try:
        major, minor, patch = (int(p) for p in text.split("."))
    except ValueError:
        raise LibraryError(f"the library tells the version {text!r}; three numbers were expected") from None
    return major, minor, patch


def check_version(library: tuple[int, int, int], package: tuple[int, int, int] = _abi.VERSION) -> str | None:
    """None if a package made for headers of version `package` works with a library of version `library`, else why not."""
    if library[0] != package[0]:
        return f"another major version than {package[0]}"
    if library[1] < package[1]:
        return f"older than {package[0]}.{package[1]}"
    return None


class Library:
    """The loaded library: its functions as attributes, with their signatures; where it is and what it is."""

    def __init__(self, explicit: Path | None = None) -> None:
        failures = []
        for path, origin in _candidates(explicit):
            dll = _open(path, failures)
            if dll is not None:
                break
        else:
            raise LibraryError("the library libspectune was not found; tried " + "; ".join(failures))
        try:
            tell = dll.spt_version
        except AttributeError:
            raise LibraryError(f"{path} (from {origin}) is not libspectune: it has no spt_version()") from None
        path = _where(tell, str(path))
        self.path, self.origin = path, origin
        tell.restype = ctypes.c_char_p
        tell.argtypes = ()
        self.version = tell().decode()
        wrong = check_version(_version(self.version))
        wanted = ".".join(map(str, _abi.VERSION))
        found = f"this package was made for libspectune {wanted}; found {self.version} in {path} (from {origin})"
        if wrong:
            raise LibraryError(f"{found}, which is {wrong}")
        missing = []
        for name, (result, parameters) in _abi.FUNCTIONS.items():
            try:
                function = getattr(dll, name)
            except AttributeError:
                missing.append(name)
                continue
            function.restype = result
            function.argtypes = parameters
            setattr(self, name, function)
        if missing:
            more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
            raise LibraryError(f"{found}, which lacks {', '.join(missing[:3])}{more}")
        self.build_info = self.spt_build_info().decode()

    def __repr__(self):
        return f"<libspectune {self.version} in {self.path} (from {self.origin}): {self.build_info}>"


_loaded = None


def library() -> Library:
    """The library in use; the first call loads it."""
    global _loaded
    if _loaded is None:
        _loaded = Library()
    return _loaded


def load_library(path: Path | None = None) -> Library:
    """Load the library from `path` (None: the environment variable SPECTUNE_LIBRARY, the package, the system).

    To be called before anything else of the package; later only what is in use already is accepted.
    """
    global _loaded
    if _loaded is None:
        _loaded = Library(path)
    elif path is not None and os.path.realpath(path) != os.path.realpath(_loaded.path):
        raise LibraryError(f"{_loaded.path} is in use already; load_library() must come first")
    return _loaded


class _Functions:
    """`lib.spt_x` is function spt_x of the library in use; it is loaded when the first one is asked for."""

    def __getattr__(self, name):
        function = getattr(library(), name)
        setattr(self, name, function)
        return function


lib = _Functions()
