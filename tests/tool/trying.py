"""What the tests of the tool share: a folder to work in, the tool run there, checks that count.

The script's arguments are the TOOL and the SOURCE-FOLDER; end() tidies up, prints "N passed, N failed" and exits."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

TOOL = os.path.abspath(sys.argv[1])
SOURCE = pathlib.Path(sys.argv[2]).resolve()
TECATOR = str(SOURCE / "examples/data/tecator.csv")
# A name with a blank and an umlaut: file names are UTF-8 whatever the locale says.
WORK = pathlib.Path(tempfile.mkdtemp(prefix="spectune söil "))
TINY = """<?xml version="1.0"?>
<space name="tiny" format="1">
  <int name="conv_blocks" low="0" high="1" default="0"/>
  <int name="fc_blocks" low="1" high="1" default="1"/>
  <int name="fc_1_units" low="2" high="8" default="4"/>
  <categorical name="fc_1_activation" default="relu"><choice>relu</choice><choice>elu</choice></categorical>
</space>
"""
passed, failed = 0, 0


def run(*args, **kw):
    kw.setdefault("timeout", 120)
    return subprocess.run([TOOL, *map(str, args)], capture_output=True, text=True, encoding="utf-8", cwd=WORK, **kw)


def check(what, good, detail=""):
    global passed, failed
    if good:
        passed += 1
        print("ok  ", what)
    else:
        failed += 1
        print("FAIL", what, detail)


def done(what, *args, out=None, code=0):
    p = run(*args)
    check(what, p.returncode == code and (out is None or re.search(out, p.stdout)),
          f"\n     exit {p.returncode}\n     out {p.stdout[-500:]!r}\n     err {p.stderr[-500:]!r}")
    return p


def listing():
    return sorted((str(p.relative_to(WORK)), p.stat().st_size) for p in WORK.rglob("*"))


def mistake(what, words, *args, **kw):
    """`words`: a pattern of the one line."""
    before = listing()
    p = run(*args, **kw)
    lines = p.stderr.splitlines()
    problems = []
    if p.returncode not in (1, 2):
        problems.append(f"exit {p.returncode}")
    if not lines or not lines[-1].startswith("spectune: ") or not re.search(words, lines[-1]):
        problems.append(f"last line lacks {words!r}")
    if len(lines) != 1:
        problems.append(f"{len(lines)} lines")
    if listing() != before:
        problems.append("something is left behind or changed")
    if p.stdout:
        problems.append("output on standard output")
    check(what, not problems, f"{problems}\n     err {p.stderr[-600:]!r}")
    return p


def write(name, text):
    path = WORK / name
    if isinstance(text, bytes):
        path.write_bytes(text)
    else:
        path.write_text(text, encoding="utf-8")
    return name


def end():
    """To be called in `finally`: an exception that is on its way goes on."""
    if os.environ.get("SPT_KEEP"):
        print("kept:", WORK)
    else:
        shutil.rmtree(WORK, ignore_errors=True)
    print(f"{passed} passed, {failed} failed")
    if sys.exc_info()[0] is None:
        sys.exit(failed != 0)
