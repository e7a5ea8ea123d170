#!/usr/bin/env python3
"""The plan of the house, checked: a room includes only rooms below it, files and functions stay
small enough to read, every file of a room is built, every room has its page.

usage: rooms.py SOURCE-FOLDER"""
import pathlib
import re
import subprocess
import sys

# What a room may stand on; the layers of doc/conventions.md.
BELOW = {
    "base": set(),
    "data": {"base"},
    "prep": {"base", "data"},
    "space": {"base"},
    "nn": {"base", "space"},
    "model": {"base", "data", "prep", "space", "nn"},
    "store": {"base", "space"},
    "search": {"base", "space", "store"},
    "tune": {"base", "data", "prep", "space", "nn", "model", "store", "search"},
    "explain": {"base", "space", "store"},
}
FILE_LINES = 600
FUNCTION_LINES = 75  # "about 60": a long table of cases may pass, a second job may not

passed, failed = 0, 0


def check(what, problems):
    global passed, failed
    if problems:
        failed += 1
        print("FAIL", what)
        for p in problems:
            print("    ", p)
    else:
        passed += 1
        print("ok  ", what)


def includes(path):
    for n, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        m = re.match(r'\s*#\s*include\s+["<]([^">]+)[">]', line)
        if m:
            yield n, m.group(1)


def room_problems(root, room):
    out = []
    for path in sorted((root / "lib" / room).glob("*.[ch]")):
        for n, name in includes(path):
            target = None
            m = re.match(r"\.\./([a-z]+)/", name) or re.match(r"spectune/([a-z]+)\.h", name)
            if m:
                target = m.group(1)
            elif name == "spectune.h":
                target = "spectune.h"
            # Its declarations are of several rooms; a file that defines one must see it, a header need not.
            if target == "experimental" and path.suffix == ".c":
                target = None
            if target and target != room and target not in BELOW[room]:
                out.append(f"{path.relative_to(root)}:{n}: {room} may not include {name}")
    header = root / "include/spectune" / f"{room}.h"
    for n, name in includes(header):
        m = re.match(r"([a-z]+)\.h$", name)
        if m and m.group(1) in BELOW and m.group(1) not in BELOW[room]:
            out.append(f"{header.relative_to(root)}:{n}: {room} may not include {name}")
    return out


def unbuilt(root, folder):
    listed = (folder / "meson.build").read_text(encoding="utf-8") if (folder / "meson.build").exists() else ""
    return [f"{p.relative_to(root)} is not in {folder.relative_to(root)}/meson.build"
            for p in sorted(folder.glob("*.c")) if p.name not in listed]


def long_functions(path):
    """(line, length) of function bodies: in this layout they open and close in the first column."""
    start = None
    for n, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line == "{":
            start = n
        elif line == "}" and start is not None:
            if n - start - 1 > FUNCTION_LINES:
                yield start, n - start - 1
            start = None


TOP = {"meson.build", "lib", "include", "examples", "tests", "doc", "bindings", "pkgconfig", "COPYING", "meson_options.txt", "pyproject.toml", "README.md"}


def strangers(root):
    """What is kept at the top of the tree and has no place there. What a user leaves lying there is none of ours."""
    try:
        kept = subprocess.run(["git", "-C", str(root), "ls-files"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return []
    return [f"{name} lies at the top" for name in sorted({line.strip('"').split("/")[0] for line in kept.splitlines()})
            if name not in TOP and not name.startswith(".")]


def main():
    root = pathlib.Path(sys.argv[1])
    check("the top of the tree has its rooms and no others", strangers(root))
    for room in BELOW:
        check(f"{room} includes only rooms below it", room_problems(root, room))
        check(f"{room}: every file is built", unbuilt(root, root / "lib" / room))
        check(f"{room} has its page", [] if (root / "doc" / f"{room}.md").exists() else [f"doc/{room}.md is missing"])
    rooms = {p.name for p in (root / "lib").iterdir() if p.is_dir()}
    check("every room is in the plan", sorted(rooms ^ set(BELOW)))
    sources = sorted(p for top in ("lib", "include", "examples", "tests") for p in (root / top).rglob("*.[ch]"))
    check(f"files under {FILE_LINES} lines",
          [f"{p.relative_to(root)}: {n} lines" for p in sources
           if (n := len(p.read_text(encoding='utf-8').splitlines())) > FILE_LINES])
    check(f"functions under {FUNCTION_LINES} lines",
          [f"{p.relative_to(root)}:{at}: {n} lines" for p in sources for at, n in long_functions(p)])
    check("no stdio, environment, exit or signal in the library outside base",
          [f"{p.relative_to(root)}:{n}: {line.strip()}"
           for p in sorted((root / "lib").rglob("*.c")) if p.parent.name != "base"
           for n, line in enumerate(p.read_text(encoding="utf-8").splitlines(), 1)
           if re.search(r"\b(printf|fprintf|snprintf|fopen|getenv|setenv|exit|abort|signal|strtod|atof|time_t)\s*\(", line)
           and not line.lstrip().startswith(("*", "/*", "//"))])
    check("tests read numbers alike in every locale",
          [f"{p.relative_to(root)}:{n}: {line.strip()}"
           for p in sorted((root / "tests").rglob("*.[ch]"))
           for n, line in enumerate(p.read_text(encoding="utf-8").splitlines(), 1)
           if re.search(r"\b(strtod|strtof|atof|sscanf)\s*\(", line)])
    print(f"{passed} passed, {failed} failed")
    return failed != 0


sys.exit(main())
