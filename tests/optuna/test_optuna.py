#!/usr/bin/env python3
"""A real client: Optuna opens our study files, and the tool reads Optuna's.

usage: test_optuna.py TOOL SOURCE-FOLDER      exit code 77 (skipped) where Python has no Optuna"""
import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile

try:
    import optuna
except ImportError:
    print("skipped: this Python has no Optuna (Debian: python3-optuna)")
    sys.exit(77)
optuna.logging.set_verbosity(optuna.logging.WARNING)
TOOL, SOURCE = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
passed, failed = 0, 0


def check(what, good, detail=""):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    print("ok  " if good else "FAIL", what, "" if good else detail)


def spectune(*args):
    return subprocess.run([TOOL, *map(str, args)], capture_output=True, text=True, encoding="utf-8", check=True).stdout


SPACE = """<?xml version="1.0"?>
<space name="quick" format="1">
  <int name="batch_size" low="8" high="64" log="true" default="16"/>
  <int name="conv_blocks" low="0" high="1" default="1"/>
  <int name="conv_1_filters" low="2" high="8" step="2" default="4">
    <when parameter="conv_blocks" op="eq" value="1"/>
  </int>
  <int name="fc_blocks" low="1" high="1" default="1"/>
  <categorical name="fc_1_activation" default="relu"><choice>relu</choice><choice>elu</choice></categorical>
  <bool name="fc_1_dropout" default="false"/>
  <float name="learning_rate" low="0.0001" high="0.1" log="true" default="0.001"/>
</space>
"""


def ours(folder):
    db = folder / "ours.db"
    (folder / "quick.xml").write_text(SPACE, encoding="utf-8")
    spectune("tune", SOURCE / "examples/data/tecator.csv", "--target", "fat", "--unit", "absorbance", "--folds", 2, "--trials", 4,
             "--set", "epochs=3", "--space", folder / "quick.xml", "--quiet", "--study", db, "--name", "fat ä")
    told = json.loads(spectune("trials", db, "--json"))["trials"]
    study = optuna.load_study(study_name="fat ä", storage=f"sqlite:///{db}")
    check("Optuna sees the trials", len(study.trials) == 4 and study.direction == optuna.study.StudyDirection.MINIMIZE)
    for a, b in zip(told, study.trials):
        check(f"trial {a['number']}: value and folds", a["value"] == b.value and a["folds"] == [b.intermediate_values[k] for k in range(2)])
        check(f"trial {a['number']}: parameters", a["config"] == b.params, f"{a['config']} {b.params}")
        check(f"trial {a['number']}: attributes", a["attributes"]["rmse"] == b.user_attrs["rmse"] and b.user_attrs["watch"] == "inner")
    check("the best is the same", study.best_trial.number == json.loads(spectune("best", db, "--json"))["number"])
    check("records are attributes of the study", study.user_attrs["target"] == "fat")
    # Optuna's sampler goes on with the study, under the distributions that we wrote
    fixed = study.best_trial
    study.enqueue_trial(fixed.params)
    study.optimize(lambda t: sum(t._suggest(n, d) == fixed.params[n] for n, d in fixed.distributions.items()) * 0.5, n_trials=1)
    check("Optuna adds a trial", len(study.trials) == 5)
    check("and we read it", len(json.loads(spectune("trials", db, "--json"))["trials"]) == 5)


def theirs(folder):
    db = folder / "theirs.db"
    study = optuna.create_study(study_name="theirs", storage=f"sqlite:///{db}", sampler=optuna.samplers.RandomSampler(seed=1))

    def objective(t):
        lr = t.suggest_float("lr", 1e-5, 1e-1, log=True)
        n = t.suggest_int("layers", 1, 3)
        kind = t.suggest_categorical("kind", ["a", 2, None])
        if n > 1:
            t.suggest_float("drop", 0, 0.5, step=0.1)
        t.report(0.5, 0)
        if t.number == 3:
            raise optuna.TrialPruned
        if t.number == 5:
            return float("nan")
        return (math.log10(lr) + 3) ** 2 + n + (kind == 2)

    study.optimize(objective, n_trials=40)
    got = json.loads(spectune("trials", db, "--json"))["trials"]
    check("we see Optuna's trials", [t["state"] for t in got].count("complete") == 38)
    good = all(a["value"] == b.value for a, b in zip(got, study.trials) if a["state"] == "complete")
    check("their values", good)
    for a, b in zip(got[:8], study.trials):
        want = {k: v if isinstance(v, (float, int)) and k != "kind" else {"a": "a", 2: "2", None: "null"}[v] for k, v in b.params.items()}
        same = a["config"].keys() == want.keys() and all(
            abs(a["config"][k] - v) < 1e-12 if isinstance(v, float) else a["config"][k] == v for k, v in want.items())
        check(f"parameters of trial {b.number}", same, f"{a['config']} {want}")
    check("the best is the same", json.loads(spectune("best", db, "--json"))["number"] == study.best_trial.number)
    d = json.loads(spectune("importance", db, "--json"))
    found = {p["name"]: p for p in d["parameters"]}
    check("importance of their parameters", set(found) == {"lr", "layers", "kind", "drop"}, str(found))
    share = sum("drop" in t.params for t in study.trials if t.state == optuna.trial.TrialState.COMPLETE) / 38
    check("the one that some trials have exists as often as there", d["prior"] == "trials" and
          abs(found["drop"]["p_active"] - share) < 1e-12 and found["drop"]["observed"] == found["drop"]["p_active"], str(found["drop"]))
    check("and tells which it depends on", "existence of drop" not in found)


def theirs_upwards(folder):
    """A study that maximises, with a parameter whose existence nothing explains, pruned and failed trials."""
    db = folder / "upwards.db"
    study = optuna.create_study(study_name="up", storage=f"sqlite:///{db}", direction="maximize", sampler=optuna.samplers.RandomSampler(seed=2))

    def objective(t):
        a, b = t.suggest_float("a", 0, 1), t.suggest_float("b", 0, 1)
        odd = t.suggest_float("odd", 0, 1) if t.number % 3 == 0 else 0
        t.report(a, 0)
        if t.number % 10 == 9:
            raise optuna.TrialPruned
        return float("nan") if t.number % 10 == 8 else (b if a > 0.5 else -5 - 10 * a) + 0.1 * odd

    study.optimize(objective, n_trials=150)
    d = json.loads(spectune("importance", db, "--json"))
    names = {p["name"]: p for p in d["parameters"]}
    check("an existence that nothing explains is a switch of its own", set(names) == {"a", "b", "odd", "existence of odd"}, str(set(names)))
    check("with what was seen of it", abs(names["odd"]["p_active"] - names["odd"]["observed"]) < 1e-12 and names["existence of odd"]["p_active"] == 1)
    check("complete trials", d["trials"] == 120)
    check("pruned ones on request", json.loads(spectune("importance", db, "--json", "--pruned"))["trials"] == 135)
    check("failed ones on request", json.loads(spectune("importance", db, "--json", "--failed"))["trials"] == 135)
    top = json.loads(spectune("importance", db, "--json", "--top-quantile", 0.3, "--local", "--ped"))
    values = sorted((t.value for t in study.trials if t.state == optuna.trial.TrialState.COMPLETE), reverse=True)
    check("the best are the highest", top["cut"] == values[35], f"{top['cut']} {values[34:37]}")
    share = {p["name"]: p["share"] for p in top["parameters"]}
    check("among them b matters", names["b"]["share"] < 0.1 < share["b"], f"{names['b']['share']} {share}")
    check("also to PED-ANOVA", top["ped_anova"]["b"] > 5 * top["ped_anova"]["odd"], str(top["ped_anova"]))


with tempfile.TemporaryDirectory(prefix="spectune optuna ") as f:
    ours(pathlib.Path(f))
    theirs(pathlib.Path(f))
    theirs_upwards(pathlib.Path(f))
print(f"{passed} passed, {failed} failed")
sys.exit(failed != 0)
