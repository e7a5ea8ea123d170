"""What the wheel carries."""
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import spectune

carried = pytest.mark.skipif(not (Path(spectune.__file__).parents[1] / "spectune.libs").is_dir(),
                             reason="not a wheel that carries its libraries")


@carried
def test_nothing_of_the_systems_is_loaded():
    """In a process of which the path holds no program, no compiler above all."""
    code = """
import sys, spectune
spectune.Study(space="small")
spectune.Network(20).conv(4, 3).finish()
print(spectune.library().origin)
print("".join(sorted({l.split()[-1] + "\\n" for l in open("/proc/self/maps") if ".so" in l})))
"""
    env = {k: v for k, v in os.environ.items() if k not in ("SPECTUNE_LIBRARY", "LD_LIBRARY_PATH")}
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=dict(env, PATH="/nonexistent"))
    origin, *mapped = out.stdout.split("\n")
    assert out.returncode == 0 and origin == "the package", out.stderr
    ours = re.compile(r"/lib(spectune|blis|xml2|icu\w+|lzma|sqlite3|jansson|pq|krb5|ldap)[-.]")
    found = [m for m in mapped if ours.search(m)]
    assert len(found) >= 5 and all(m.startswith(str(Path(spectune.__file__).parents[1])) for m in found), found


@carried
def test_size():
    """ICU's tables, which nobody needs, would be 30 MB more."""
    libs = Path(spectune.__file__).parents[1] / "spectune.libs"
    size = sum(f.stat().st_size for f in libs.iterdir())
    print(f"libraries of the wheel: {size / 1e6:.1f} MB")
    assert size < 40e6 and not [f for f in libs.iterdir() if "icudata" in f.name]


def test_documents_are_utf_8():
    """That is all the library reads, so the wheel can do without the tables of ICU. What a document says of its encoding is
    understood all the same, by iconv."""
    text = ("<?xml version='1.0' encoding='{}'?><space format='1' name='s'><categorical name='c' default='{}'>"
            "<choice>{}</choice><choice>b</choice></categorical></space>")
    assert spectune.Space.from_xml(text.format("utf-8", "\xe4", "\xe4"))["c"].default == "\xe4"
    for encoding in ("iso-8859-15", "windows-1252", "koi8-r"):
        assert spectune.Space.from_xml(text.format(encoding, "a", "a"))["c"].default == "a"
    for encoding in ("utf-16", "iso-8859-15", "windows-1252"):
        with pytest.raises(spectune.FormatError):
            spectune.Space.from_xml(text.format(encoding, "\xe4", "\xe4").encode(encoding))
    with pytest.raises(spectune.FormatError, match="(?i)encoding"):
        spectune.Space.from_xml(text.format("klingon-3", "a", "a"))


def test_postgres_is_there():
    """Without a server the store says so, not that the build knows no such URL."""
    with pytest.raises(spectune.SpectuneError) as e:
        spectune.Store("postgresql://nobody@127.0.0.1:1/none")
    assert not isinstance(e.value, spectune.UnsupportedError), e.value
