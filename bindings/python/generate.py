#!/usr/bin/env python3
"""Write the ctypes side of the public headers: enums, records, callback types, signatures.

    python3 bindings/python/generate.py include bindings/python/spectune/_abi.py

The build runs it, so the package always has the signatures of the headers it was built beside. It reads the C that the
headers are written in (doc/conventions.md), not C at large, and stops at anything it does not know.
"""
import re
import sys
from pathlib import Path

HEADERS = ["base", "data", "prep", "space", "nn", "model", "store", "search", "tune", "explain"]

NUMBERS = {
    "int32_t": "c_int32", "uint32_t": "c_uint32", "int64_t": "c_int64", "uint64_t": "c_uint64",
    "double": "c_double", "float": "c_float", "size_t": "c_size_t",
}


class Unknown(Exception):
    """Something in a header that this script does not understand."""


def read_headers(folder):
    """The text of every header, in the order in which they build on each other."""
    umbrella = (folder / "spectune.h").read_text()
    named = re.findall(r'#include "spectune/(\w+)\.h"', umbrella)
    if sorted(named) != sorted(HEADERS):
        raise Unknown(f"spectune.h includes {', '.join(named)}; this script knows {', '.join(HEADERS)}")
    return "\n".join((folder / "spectune" / (name + ".h")).read_text() for name in [*named, "experimental"])


def statuses(text):
    """(name, number, text) of SPT_STATUS_LIST."""
    found = re.search(r"#define SPT_STATUS_LIST\(X\)(.*?[^\\])\n", text, re.S)
    return [(n, int(v), t) for n, v, t in re.findall(r'X\((\w+), (-?\d+), "([^"]*)"\)', found.group(1))]


def statements(text):
    """The declarations, without comments, preprocessor lines and the C++ brackets."""
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
    text = re.sub(r"^[ \t]*#.*?[^\\]\n", "\n", text, flags=re.S | re.M)
    text = re.sub(r'extern "C" \{', " ", text)
    depth, start, out = 0, 0, []
    for at, c in enumerate(text):
        if c == "{":
            depth += 1
        elif c == "}":
            depth -= 1
            if depth < 0:  # the end of extern "C"
                depth, start = 0, at + 1
        elif c == ";" and depth == 0:
            out.append(" ".join(text[start:at].split()))
            start = at + 1
    return out


def split_top(text, mark=","):
    """Split at a mark outside parentheses."""
    depth, parts, part = 0, [], ""
    for c in text:
        depth += (c == "(") - (c == ")")
        if c == mark and depth == 0:
            parts.append(part.strip())
            part = ""
        else:
            part += c
    return [p for p in parts + [part.strip()] if p]


def camel(name):
    return "".join(w.capitalize() for w in name[len("spt_"):].split("_"))


class Header:
    """What the headers declare."""

    def __init__(self, text):
        self.enums, self.records, self.callbacks, self.functions, self.handles = {}, {}, {}, {}, set()
        self.statuses = statuses(text)
        self.version = [int(re.search(r"#define SPT_VERSION_%s (\d+)" % p, text).group(1))
                        for p in ("MAJOR", "MINOR", "PATCH")]
        for s in statements(text):
            self.take(s)

    def take(self, s):
        enum = re.fullmatch(r"typedef enum \{ ?(.*?),? ?\} (spt_\w+)", s)
        record = re.fullmatch(r"typedef struct (spt_\w+) \{ ?(.*?) ?\} \1", s)
        handle = re.fullmatch(r"typedef struct (spt_\w+) \1", s)
        callback = re.fullmatch(r"typedef (\w+) \(\*(spt_\w+_fn)\)\((.*)\)", s)
        function = re.fullmatch(r"SPT_API (.*?[ *])(spt_\w+)\((.*)\)", s)
        if enum:
            self.enums[enum.group(2)] = self.constants(enum.group(2), enum.group(1))
        elif record:
            self.records[record.group(1)] = [f for d in record.group(2).split(";") if d.strip()
                                             for f in self.fields(d.strip())]
        elif handle:
            self.handles.add(handle.group(1))
        elif callback:
            self.callbacks[callback.group(2)] = (callback.group(1), self.parameters(callback.group(3)))
        elif function:
            self.functions[function.group(2)] = (function.group(1).strip(), self.parameters(function.group(3)))
        else:
            raise Unknown(f"not understood: {s}")

    def constants(self, name, body):
        if name == "spt_status":
            return [(n, v) for n, v, _ in self.statuses]
        found = [re.fullmatch(r"(SPT_\w+) = (-?\w+)", part) for part in split_top(body)]
        if None in found:
            raise Unknown(f"constants of {name}: {body}")
        return [(m.group(1), int(m.group(2), 0)) for m in found if not m.group(1).endswith("_MAX_ENUM_")]

    @staticmethod
    def fields(text):
        """(type, name, length or 0) of one member declaration."""
        pointer = re.fullmatch(r"\w+ \*?\(\*(\w+)\)\(.*\)", text)
        if pointer:
            return [("function", pointer.group(1), 0)]
        base, rest = re.fullmatch(r"((?:const )?\w+) (.*)", text).groups()
        out = []
        for part in split_top(rest):
            star, name, length = re.fullmatch(r"(\*?) ?(\w+)(?:\[(\d+)\])?", part).groups()
            out.append((f"{base} {star}".strip(), name, int(length or 0)))
        return out

    @staticmethod
    def parameters(text):
        """(type, name) of each parameter."""
        if text == "void":
            return []
        out = []
        for part in split_top(text):
            m = re.fullmatch(r"(.*?[ *])(\w+)(\[\d+\])?", part)
            if not m:
                raise Unknown(f"parameter: {part}")
            out.append((m.group(1).strip() + (" *" if m.group(3) else ""), m.group(2)))
        return out

    # ---- from C to ctypes ----

    def ctype(self, c, returned=False):
        """The ctypes name of a C type. Numbers behind pointers are addresses: of a buffer or of one variable."""
        plain = c.replace("const ", "").replace("const", "").replace(" ", "")
        if plain in NUMBERS:
            return NUMBERS[plain]
        if plain in self.callbacks:
            return plain
        if plain == "char*":
            return "c_char_p"
        if plain == "char**":
            return "POINTER(c_char_p)"
        if plain.endswith("*") and plain[:-1] in self.records and not returned:
            return f"POINTER({plain[:-1]})"
        base = plain.rstrip("*")
        stars = len(plain) - len(base)
        if stars == 2 and base in self.handles:
            return "POINTER(c_void_p)"
        if stars == 1 and (base in self.handles or base in NUMBERS or base == "void"):
            return "c_void_p"
        if plain == "void" and returned:
            return "None"
        raise Unknown(f"no ctypes type for {c!r}")

    def field(self, c, length):
        kind = "c_void_p" if c == "function" else self.ctype(c)
        return f"{kind} * {length}" if length else kind


def short_names(constants):
    """The constants without the words that all of them begin with."""
    words = [n.split("_") for n, _ in constants]
    common = 0
    while all(len(w) > common + 1 and w[common] == words[0][common] for w in words):
        common += 1
    return [("_".join(w[common:]), v) for w, (_, v) in zip(words, constants)]


def render(h):
    out = ['"""Enums, records, callback types and signatures of libspectune, written by generate.py. Not to be edited."""',
           "from ctypes import (CFUNCTYPE, POINTER, Structure, c_char_p, c_double, c_float, c_int32, c_int64, c_size_t,",
           "                    c_uint32, c_uint64, c_void_p)",
           "from enum import IntEnum", "",
           "#: Version of the headers that these are the signatures of.",
           f"VERSION = ({', '.join(map(str, h.version))})", ""]
    for name, constants in h.enums.items():
        out += ["", f"class {camel(name)}(IntEnum):", f'    """{name}"""', ""]
        out += [f"    {n} = {v}" for n, v in short_names(constants)]
        out += [""]
    out += ["", "STATUS_TEXT = {"] + [f'    {v}: "{t}",' for _, v, t in h.statuses] + ["}", ""]
    for name, fields in h.records.items():
        out += ["", f"class {name}(Structure):", f'    """{name}"""', "", "    _fields_ = ["]
        out += [f'        ("{n}", {h.field(c, length)}),' for c, n, length in fields]
        out += ["    ]", ""]
    out += [""]
    for name, (back, parameters) in h.callbacks.items():
        kinds = [h.ctype(back, True)] + [h.ctype(c) for c, _ in parameters]
        out += [f"{name} = CFUNCTYPE({', '.join(kinds)})"]
    out += ["", "#: name: (result, parameters)", "FUNCTIONS = {"]
    for name, (back, parameters) in h.functions.items():
        kinds = [h.ctype(c) for c, _ in parameters]
        args = f"({', '.join(kinds)}{',' if len(kinds) == 1 else ''})"
        line = f'    "{name}": ({h.ctype(back, True)}, {args}),'
        out += [line] if len(line) <= 120 else [f'    "{name}": ({h.ctype(back, True)},', f"        {args}),"]
    out += ["}", "", "HANDLES = (" + ", ".join(f'"{n}"' for n in sorted(h.handles)) + ")", "",
            "RECORDS = (" + ", ".join(h.records) + ")", ""]
    return "\n".join(out)


def main(arguments):
    if len(arguments) != 2:
        print("usage: generate.py INCLUDE-FOLDER OUTPUT.py", file=sys.stderr)
        return 2
    try:
        text = render(Header(read_headers(Path(arguments[0]))))
    except Unknown as e:
        print(f"generate.py: {e}", file=sys.stderr)
        return 1
    Path(arguments[1]).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
