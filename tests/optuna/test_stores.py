#!/usr/bin/env python3
"""Real clients: what Optuna reads of studies that were copied, exported and stamped.

usage: test_stores.py TOOL SOURCE-FOLDER      exit code 77 (skipped) where Python has no Optuna
SPT_TEST_OPTUNA5: a Python with Optuna 3.2 or newer, for the other generation of revisions"""
import csv
import json
import math
import os
import pathlib
import sqlite3
import subprocess
import sys
import tempfile
import warnings

try:
    import optuna
except ImportError:
    print("skipped: this Python has no Optuna (Debian: python3-optuna)")
    sys.exit(77)
optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.simplefilter("ignore", FutureWarning)  # system attributes, which newer ones hide
TOOL, SOURCE = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
OLD = tuple(map(int, optuna.__version__.split(".")[:2])) <= (3, 1)
passed, failed = 0, 0


def check(what, good, detail=""):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    print("ok  " if good else "FAIL", what, "" if good else detail)


def spectune(*args, code=0):
    p = subprocess.run([TOOL, *map(str, args)], capture_output=True, text=True, encoding="utf-8")
    check("spectune " + " ".join(pathlib.Path(str(a)).name for a in args), p.returncode == code, p.stderr)
    return p.stdout if code == 0 else p.stderr


def everything(study):
    """All that a study holds, as text: NaN is equal to itself there."""
    def pairs(d):
        return sorted(d.items())
    return list(map(repr, [study.directions, pairs(study.user_attrs), pairs(study.system_attrs)] + [
        (t.number, t.state, t.values, pairs(t.params), pairs(t.distributions), pairs(t.user_attrs), pairs(t.system_attrs),
         pairs(t.intermediate_values), t.datetime_start, t.datetime_complete) for t in study.trials]))


def same(what, a, b):
    a, b = everything(a), everything(b)
    check(what, a == b, next((f"\n  {x}\n  {y}" for x, y in zip(a, b) if x != y), f"{len(a)} {len(b)}"))


def load(db, name):
    return optuna.load_study(study_name=name, storage=f"sqlite:///{db}")


def make_theirs(db):
    study = optuna.create_study(study_name="theirs ä", storage=f"sqlite:///{db}", direction="maximize",
                                sampler=optuna.samplers.TPESampler(seed=1, multivariate=False))
    study.set_user_attr("list", [1, 2.5, {"ä": None}])
    study.set_user_attr("nan", math.nan)
    study.set_system_attr("theirs", "x" * 2000)

    def objective(t):
        lr = t.suggest_float("lr", 1e-5, 1e-1, log=True)
        n = t.suggest_int("layers", 1, 9, step=2)
        kind = t.suggest_categorical("kind", ["a", 2, None, True, 0.1])
        if n > 1:
            t.suggest_float("drop", 0, 0.5, step=0.1)
        t.set_user_attr("note", f'"{kind}", line\nbreak {t.number}')
        t.report(0.5 * t.number, 0)
        t.report(math.inf if t.number == 2 else math.nan, 3)
        if t.number % 5 == 3:
            raise optuna.TrialPruned
        return {5: math.nan, 6: math.inf}.get(t.number, math.log10(lr) + n)

    study.optimize(objective, n_trials=12)
    study.enqueue_trial({"lr": 0.01, "layers": 3}, user_attrs={"by": "hand"})
    pair = optuna.create_study(study_name="pair", storage=f"sqlite:///{db}", directions=["minimize", "maximize"])
    pair.optimize(lambda t: (t.suggest_float("x", 0, 1), t.suggest_float("y", 0, 1)), n_trials=3)
    return study, pair


def copies(folder):
    db, to = folder / "theirs.db", folder / "copied.db"
    study, pair = make_theirs(db)
    spectune("copy", db, to, "--name", "theirs ä")
    same("a copied study is the same", load(to, "theirs ä"), study)
    check("to its best trial", load(to, "theirs ä").best_trial.number == study.best_trial.number)
    spectune("copy", db, to, "--name", "pair", "--to-name", "pair 2")
    same("with two objectives, too", load(to, "pair 2"), pair)
    spectune("export", db, "--name", "theirs ä", "--output", folder / "theirs.json")
    strict = json.loads((folder / "theirs.json").read_text(encoding="utf-8"), parse_constant=lambda word: check(f"strict JSON has no {word}", False))
    check("the export is for everybody", strict["study"] == "theirs ä" and len(strict["trials"]) == 13)
    spectune("import", folder / "theirs.json", to, "--name", "imported")
    same("an imported study is the same", load(to, "imported"), study)
    study.ask()
    spectune("copy", db, to, "--name", "theirs ä", "--to-name", "running")
    last = load(to, "running").trials[12]  # ask() takes the one that was enqueued
    check("a running trial is abandoned in the copy", last.state == optuna.trial.TrialState.FAIL and last.user_attrs["reason"] == "abandoned" and
          last.datetime_complete is not None and last.user_attrs["by"] == "hand")
    check("and goes on in the original", study.trials[12].state == optuna.trial.TrialState.RUNNING)
    copy = load(to, "theirs ä")
    copy.optimize(lambda t: t.suggest_float("lr", 1e-5, 1e-1, log=True), n_trials=1)
    check("Optuna goes on with a copy", len(copy.trials) == 13 and copy.trials[12].params["lr"] == 0.01)


def ours(folder):
    db, to = folder / "ours.db", folder / "ours copied.db"
    (folder / "quick.xml").write_text("""<?xml version="1.0"?>
<space name="quick" format="1">
  <int name="conv_blocks" low="0" high="1" default="0"/>
  <int name="fc_blocks" low="1" high="1" default="1"/>
  <int name="fc_1_units" low="2" high="8" default="4"/>
</space>
""", encoding="utf-8")
    spectune("tune", SOURCE / "examples/data/tecator.csv", "--target", "fat", "--unit", "absorbance", "--folds", 2, "--trials", 3,
             "--set", "epochs=2", "--space", folder / "quick.xml", "--quiet", "--study", db)
    spectune("copy", db, to)
    same("Optuna sees the same in a copy of ours", load(to, "spectune"), load(db, "spectune"))
    # the revision is theirs now: beside the studies themselves nothing differs
    text = spectune("export", db)
    rows = list(csv.DictReader(text.splitlines()))
    for row, t in zip(rows, load(db, "spectune").trials):
        alike = float(row["value"]) == t.value and row["state"] == t.state.name and row["datetime_start"] == str(t.datetime_start) and \
            float(row["seconds"]) == t.duration.total_seconds() and all(int(row[f"params_{k}"]) == v for k, v in t.params.items()) and \
            all(float(row[f"intermediate_values_{k}"]) == v for k, v in t.intermediate_values.items()) and \
            all(row[f"user_attrs_{k}"] == (v if isinstance(v, str) else row[f"user_attrs_{k}"]) and
                (isinstance(v, str) or json.loads(row[f"user_attrs_{k}"]) == v) for k, v in t.user_attrs.items())
        check(f"the table has what Optuna has of trial {t.number}", alike, f"{row} {t}")
    try:
        import pandas
    except ImportError:
        return
    (folder / "ours.csv").write_text(text, encoding="utf-8")
    frame, theirs = pandas.read_csv(folder / "ours.csv", float_precision="round_trip"), load(db, "spectune").trials_dataframe()
    shared = [c for c in theirs.columns if c in frame.columns]
    check("a data frame has the same columns", len(shared) >= len(theirs.columns) - 2 - sum(c.startswith("system_attrs_") for c in theirs.columns))
    for c in shared:
        check(f"column {c}", all(str(a) == str(b) or a == b for a, b in zip(frame[c].fillna(""), theirs[c].fillna(""))))
    both = pandas.concat([frame, theirs])
    check("both stand in one frame", len(both) == 6 and both["value"].notna().all())


OTHER = """
import json, sys, optuna
optuna.logging.set_verbosity(optuna.logging.ERROR)
study = optuna.load_study(study_name=sys.argv[2], storage="sqlite:///" + sys.argv[1])
print(json.dumps([[t.number, t.state.name, t.values, {k: repr(v) for k, v in t.params.items()}, str(t.datetime_start)] for t in study.trials]))
"""


def other_optuna(db, name):
    p = subprocess.run([os.environ["SPT_TEST_OPTUNA5"], "-c", OTHER, str(db), name], capture_output=True, text=True, encoding="utf-8")
    return json.loads(p.stdout) if p.returncode == 0 else p.stderr


def opens(db, name):
    try:
        return len(load(db, name).trials) > 0
    except RuntimeError:
        return False


def revisions(db):
    connection = sqlite3.connect(db)
    rows = [r[0] for r in connection.execute("SELECT version_num FROM alembic_version")]
    connection.close()
    return rows


def stamps(folder):
    db = folder / "ours copied.db"
    mine, other = ("3.1", "5.0") if OLD else ("5.0", "3.1")
    want = [[t.number, t.state.name, t.values, {k: repr(v) for k, v in t.params.items()}, str(t.datetime_start)] for t in load(db, "spectune").trials]
    spectune("stamp", db, "--optuna", other)
    check("the other generation's stamp is refused", not opens(db, "spectune"))
    spectune("trials", db)  # not by us
    if os.environ.get("SPT_TEST_OPTUNA5") and OLD:
        check("but opens there, all the same", other_optuna(db, "spectune") == want)
    spectune("stamp", db, "--optuna", mine)
    check("the own one opens", opens(db, "spectune"))
    if os.environ.get("SPT_TEST_OPTUNA5") and OLD:
        check("and is refused there", "RuntimeError" in other_optuna(db, "spectune"))
        spectune("stamp", db, "--optuna", "any")
        check("a file for any opens there first", other_optuna(db, "spectune") == want and revisions(db) == ["v3.2.0.a"])
        check("and then not here", not opens(db, "spectune"))
    else:
        print("skipped: no second Optuna in SPT_TEST_OPTUNA5")
    spectune("stamp", db, "--optuna", "any")
    check("a file for any has no stamp", revisions(db) == [])
    check("and opens", opens(db, "spectune") and revisions(db) == ["v3.0.0.d" if OLD else "v3.2.0.a"])
    line = spectune("stamp", db, "--optuna", "2.10", code=1)
    check("an Optuna that is not known", line == "spectune: Optuna '2.10' is not known; 3.0 to 5.x and any are possible\n", line)
    connection = sqlite3.connect(db)
    for revision, words in (("v2.4.0.a", "optuna storage upgrade"), ("v9.0.0.a", "newer Optuna")):
        connection.execute("UPDATE alembic_version SET version_num = ?", [revision])
        connection.commit()
        line = spectune("trials", db, code=1)
        check(f"revision {revision} is told", words in line and line.count("\n") == 1, line)
    connection.close()


with tempfile.TemporaryDirectory(prefix="spectune stores ") as f:
    copies(pathlib.Path(f))
    ours(pathlib.Path(f))
    stamps(pathlib.Path(f))
print(f"{passed} passed, {failed} failed")
sys.exit(failed != 0)
