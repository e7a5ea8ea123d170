#!/usr/bin/env python3
"""Study files in bad places and bad shape: one clear line each, and the study is as it was.

usage: test_hostile.py TOOL SOURCE-FOLDER"""
import json
import os
import pathlib
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile

TOOL, SOURCE = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
NOBODY = 65534
passed, failed = 0, 0


def check(what, good, detail=""):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    print("ok  " if good else "FAIL", what, "" if good else str(detail)[:500], flush=True)


SPACE = """<?xml version="1.0"?>
<space name="quick" format="1">
  <int name="batch_size" low="64" high="256" log="true" default="128"/>
  <int name="conv_blocks" low="0" high="0" default="0"/>
  <int name="fc_blocks" low="0" high="0" default="0"/>
  <float name="learning_rate" low="0.0001" high="0.1" log="true" default="0.001"/>
</space>
"""


class Place:
    """A folder that anybody may enter, with a tool and data that anybody may read."""

    def __init__(self, folder):
        self.folder = folder
        self.tool = folder / "spectune"
        shutil.copy(TOOL, self.tool)
        for library in pathlib.Path(TOOL).resolve().parents[2].glob("libspectune.so*"):
            if library.is_file():
                shutil.copy(library, folder)
        shutil.copy(SOURCE / "examples/data/tecator.csv", folder / "meat.csv")
        (folder / "quick.xml").write_text(SPACE, encoding="utf-8")
        os.chmod(folder, 0o755)

    def run(self, *args, nobody=False, limit=None):
        def prepare():
            if limit is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        # Root may write everywhere, so a fault of rights shows only to another user.
        who = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if nobody and os.getuid() == 0 else {}
        # restore_signals: a limit of size is told by an error, as a full disk is, and not by a signal
        p = subprocess.run([str(self.tool), *map(str, args)], capture_output=True, text=True, encoding="utf-8", preexec_fn=prepare,
                           restore_signals=False, cwd="/", env={**os.environ, "LD_LIBRARY_PATH": str(self.folder)}, **who)
        return p.returncode, p.stderr.strip()

    def tune(self, study, trials, **how):
        return self.run("tune", self.folder / "meat.csv", "--target", "fat", "--unit", "absorbance", "--folds", 2, "--decimate", 20, "--set", "epochs=1",
                        "--space", self.folder / "quick.xml", "--quiet", "--confirm", 0, "--threads", 1, "--study", study, "--trials", trials, **how)


def one_line(answer, *words):
    code, text = answer
    return code == 1 and len(text.split("\n")) == 1 and all(w in text for w in words)


def refused(place, what, study, words, do):
    before = study.read_bytes()
    answer = do()
    check(f"{what}: one clear line", one_line(answer, *words), answer)
    check(f"{what}: the study is as it was", study.read_bytes() == before)


def full_disk(place, study):
    """Ends with what was told before, and goes on when there is room again."""
    answer = place.tune(study, 4000, limit=study.stat().st_size + 20000)
    check("full disk: one clear line", one_line(answer, "the disk is full"), answer)
    base = sqlite3.connect(study)
    check("full disk: the file is whole", base.execute("PRAGMA integrity_check").fetchone() == ("ok",))
    complete, = base.execute("SELECT count(*) FROM trials WHERE state = 'COMPLETE'").fetchone()
    base.close()
    check("full disk: what was told is there", complete >= 40, complete)
    answer = place.tune(study, complete + 3)
    check("full disk: with room again the study goes on", answer[0] == 0, answer)


def rights(place, study):
    shut = place.folder / "shut"
    shut.mkdir()
    inside = shut / "study.db"
    shutil.copy(study, inside)
    os.chmod(inside, 0o444)
    os.chmod(shut, 0o555)
    refused(place, "a file that may only be read", inside, ["cannot be written"], lambda: place.tune(inside, 1000, nobody=True))
    code, text = place.run("trials", inside, nobody=True)
    check("but it is listed", code == 0, text)
    code, text = place.run("importance", inside, nobody=True)
    check("and analysed", code == 0, text)
    answer = place.tune(shut / "new.db", 3, nobody=True)
    check("a folder that may only be read: one clear line", one_line(answer, "new.db"), answer)
    check("and no file is left there", sorted(os.listdir(shut)) == ["study.db"], os.listdir(shut))
    os.chmod(inside, 0o666)  # the journal has no place beside it
    refused(place, "a file in such a folder", inside, ["study.db"], lambda: place.tune(inside, 1000, nobody=True))
    os.chmod(inside, 0)
    answer = place.run("trials", inside, nobody=True)
    check("a file that may not be read: one clear line", one_line(answer, "Permission denied"), answer)
    os.chmod(shut, 0o755)


def other_files(place, study):
    other = place.folder / "other.db"
    base = sqlite3.connect(other)
    base.execute("CREATE TABLE songs (name TEXT)")
    base.commit()
    base.close()
    refused(place, "a database of another program", other, ["not one of studies"], lambda: place.tune(other, 3))
    text = place.folder / "notes.txt"
    text.write_text("no database at all\n" * 50)
    refused(place, "a text", text, ["is not a study file"], lambda: place.tune(text, 3))
    newer = place.folder / "newer.db"
    for what, change, words in (
            ("a newer schema", "UPDATE version_info SET schema_version = 13", ["schema version 13", "up to 12"]),
            ("a newer revision", "INSERT INTO alembic_version VALUES ('v9.9.0.a')", ["v9.9.0.a"]),
            ("an older revision", "INSERT INTO alembic_version VALUES ('v2.6.0.a')", ["optuna storage upgrade"]),
            ("a newer library's study", "UPDATE study_system_attributes SET value_json = '99' WHERE key = 'spectune:format'", ["newer library", "99"])):
        shutil.copy(study, newer)
        base = sqlite3.connect(newer)
        base.execute(change)
        base.commit()
        base.close()
        refused(place, what, newer, words, lambda: place.tune(newer, 1000))


def damaged(place, study):
    """Any page of it overwritten: an error or, where nothing was read of it, an answer; never a crash, never another study."""
    data = study.read_bytes()
    size = int.from_bytes(data[16:18], "big")
    bad = place.folder / "bad.db"
    errors = 0
    for page in range(len(data) // size):
        bad.write_bytes(data[:page * size] + bytes((i * 37 + page) % 251 for i in range(size)) + data[(page + 1) * size:])
        before = bad.read_bytes()
        code, text = place.run("trials", bad)
        errors += code == 1
        good = code == 0 or one_line((code, text), "bad.db")
        if not good or bad.read_bytes() != before:
            check(f"page {page} overwritten: one line or an answer, nothing written", False, (code, text))
    check(f"a page overwritten is noticed ({errors} of {len(data) // size})", errors > len(data) // size // 2, errors)
    bad.write_bytes(data[:size] + b"\xff" * size + data[2 * size:])
    answer = place.tune(bad, 1000)
    check("a study with a damaged page is not gone on with", one_line(answer, "damaged"), answer)


with tempfile.TemporaryDirectory(prefix="spectune-hostile-") as f:
    place = Place(pathlib.Path(f))
    study = place.folder / "study.db"
    code, text = place.tune(study, 40)
    check("a study to begin with", code == 0, text)
    other_files(place, study)
    rights(place, study)
    damaged(place, study)
    full_disk(place, study)
print(f"{passed} passed, {failed} failed")
sys.exit(failed != 0)
