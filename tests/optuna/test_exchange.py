#!/usr/bin/env python3
"""A study goes back and forth between the tool and two generations of Optuna, in a file and on a server.

usage: test_exchange.py TOOL SOURCE-FOLDER CONTINUE-STUDY [postgres]
Takes the system's Python for Debian's Optuna, and the interpreter named by SPT_TEST_OPTUNA5 for the newest.
exit code 77 (skipped) where neither has an Optuna, or no server is installed."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

TOOL, SOURCE, HOST = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve(), os.path.abspath(sys.argv[3])
CLIENT = str(SOURCE / "tests/optuna/client.py")
passed, failed = 0, 0


def check(what, good, detail=""):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    print("ok  " if good else "FAIL", what, "" if good else str(detail)[:600], flush=True)


def optunas():
    """Interpreters by the version of their Optuna."""
    found = {}
    for python in (sys.executable, os.environ.get("SPT_TEST_OPTUNA5")):
        if not python:
            continue
        p = subprocess.run([python, "-c", "import optuna, pandas, sklearn; print(optuna.__version__)"], capture_output=True, text=True)
        if p.returncode == 0:
            found[p.stdout.strip()] = python
        elif python != sys.executable:
            raise SystemExit(f"SPT_TEST_OPTUNA5 is {python}: {p.stderr.strip()}")
    return found


def spectune(*args):
    p = subprocess.run([TOOL, *map(str, args)], capture_output=True, text=True, encoding="utf-8")
    if p.returncode != 0:
        raise RuntimeError(f"{args}: {p.stderr}")
    return p.stdout


def client(python, action, storage, study):
    p = subprocess.run([python, CLIENT, action, storage.replace("postgresql://", "postgresql+psycopg2://"), study],
                       capture_output=True, text=True, encoding="utf-8")
    if p.returncode != 0:
        raise RuntimeError(f"{action} {storage}: {p.stderr[-2000:]}")
    return json.loads(p.stdout) if p.stdout else None


# Everything that Optuna cannot express: a condition, an ordinal's cousin with a logarithmic step, a forbidden combination.
SPACE = """<?xml version="1.0"?>
<space name="quick" format="1">
  <int name="batch_size" low="16" high="128" log="true" default="16"/>
  <int name="conv_blocks" low="0" high="1" default="1"/>
  <int name="conv_1_filters" low="2" high="8" step="2" default="4"><when parameter="conv_blocks" op="eq" value="1"/></int>
  <int name="fc_blocks" low="1" high="1" default="1"/>
  <int name="fc_1_units" low="4" high="64" step="4" log="true" default="8"/>
  <categorical name="fc_1_activation" default="relu"><choice>relu</choice><choice>elu</choice></categorical>
  <bool name="fc_1_dropout" default="false"/>
  <float name="learning_rate" low="0.0001" high="0.1" log="true" default="0.001"/>
</space>
"""


def tune(folder, url, name, trials, *more):
    (folder / "quick.xml").write_text(SPACE, encoding="utf-8")
    spectune("tune", SOURCE / "examples/data/tecator.csv", "--target", "fat", "--unit", "absorbance", "--folds", 2, "--decimate", 4, "--trials", trials,
             "--set", "epochs=2", "--space", folder / "quick.xml", "--quiet", "--confirm", 0, "--study", url, "--name", name, *more)


def told(url, name):
    return json.loads(spectune("trials", url, "--name", name, "--json"))["trials"]


STATES = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed", "RUNNING": "running", "WAITING": "waiting"}


def compare(who, seen, url, name):
    """What Optuna sees is what the tool tells."""
    ours = told(url, name)
    check(f"{who}: every trial", len(ours) == len(seen["trials"]), f"{len(ours)} {len(seen['trials'])}")
    wrong = [a["number"] for a, b in zip(ours, seen["trials"]) if not (
        a["number"] == b["number"] and a["state"] == STATES[b["state"]] and a["value"] == b["value"] and a["config"] == b["params"] and
        a["folds"] == [v for _, v in b["steps"]])]
    check(f"{who}: numbers, states, values, parameters and folds are equal", not wrong, [(ours[k], seen["trials"][k]) for k in wrong[:1]])
    check(f"{who}: user attributes are equal", all(a["attributes"] == b["user_attrs"] for a, b in zip(ours, seen["trials"])))
    check(f"{who}: folds are where a terminator looks for them",
          all(b["scores"] == [v for _, v in b["steps"]] for b in seen["trials"] if b["state"] == "COMPLETE" and b["user_attrs"].get("by") != "optuna"))
    best = json.loads(spectune("best", url, "--name", name, "--json"))
    check(f"{who}: the best is the same", best["number"] == seen["best"] and best["config"] == seen["best_params"])
    check(f"{who}: the data frame has the values", seen["frame_values"] == [b["value"] for b in seen["trials"]] and
          seen["frame_numbers"] == [b["number"] for b in seen["trials"]] and "params_learning_rate" in seen["columns"], seen["columns"])
    check(f"{who}: it tells importances", len(seen["importances"]) > 1 and abs(sum(seen["importances"].values()) - 1) < 1e-6, seen["importances"])
    check(f"{who}: times are plausible", all(0 <= b["seconds"] < 60 for b in seen["trials"] if b["state"] == "COMPLETE"))
    check(f"{who}: records are attributes of the study", seen["user_attrs"]["target"] == "fat" and seen["direction"] == "MINIMIZE")


def round_trip(folder, version, python, url, name):
    """We begin, Optuna goes on, we go on, Optuna reads."""
    who = f"Optuna {version}"
    compare(who, client(python, "report", url, name), url, name)
    before = len(told(url, name))
    client(python, "work", url, name)
    trials = told(url, name)
    by_optuna = [t for t in trials if t["attributes"].get("by") == "optuna"]
    check(f"{who}: 10 more trials are read by the tool", len(trials) == before + 10 and len(by_optuna) == 10, len(trials))
    compare(f"{who}, after its work", client(python, "report", url, name), url, name)
    client(python, "enqueue", url, name)
    n = len(trials)
    check(f"{who}: what it enqueues waits", told(url, name)[n]["state"] == "waiting", told(url, name)[n])
    tune(folder, url, name, n + 4, "--sampler", "tpe")
    after = told(url, name)
    ran = after[n]["config"]
    check(f"{who}: and the tool runs it", after[n]["state"] == "complete" and ran["batch_size"] == 33 and ran["fc_1_activation"] == "elu" and
          ran["fc_1_dropout"] is True, after[n])
    check(f"{who}: the tool goes on with its own sampler", len(after) == n + 4 and all(t["state"] == "complete" for t in after[n:]), len(after))
    compare(f"{who}, after the tool's", client(python, "report", url, name), url, name)
    shares = json.loads(spectune("importance", url, "--name", name, "--json"))["parameters"]
    check(f"{who}: importance in the tool has every parameter", len(shares) == 6, [p["name"] for p in shares])


def continue_theirs(folder, version, python, url):
    """A study that Optuna made, with choices that are no texts, goes on in the tool's hands: Optuna can read it after that."""
    program = """
import optuna, sys
optuna.logging.set_verbosity(optuna.logging.ERROR)
s = optuna.create_study(study_name="theirs", storage=sys.argv[1], direction="maximize", sampler=optuna.samplers.RandomSampler(seed=1))
def f(t):
    x, k = t.suggest_float("x", 0, 1), t.suggest_categorical("kind", ["a", 2, None, True])
    n = t.suggest_int("n", 1, 64, log=True)
    if k == "a": t.suggest_float("only_a", 0, 1, step=0.25)
    return x + (k == 2) - abs(n - 8) / 64
s.optimize(f, n_trials=30)
"""
    storage = (url if "://" in url else "sqlite:///" + url).replace("postgresql://", "postgresql+psycopg2://")
    subprocess.run([python, "-W", "ignore", "-c", program, storage], check=True)
    subprocess.run([HOST, url, "theirs", "20"], check=True)
    check_program = """
import optuna, sys, json
optuna.logging.set_verbosity(optuna.logging.ERROR)
s = optuna.load_study(study_name="theirs", storage=sys.argv[1])
first = [t.value for t in s.trials[:30]]; ours = [t.value for t in s.trials[30:]]
s.optimize(lambda t: t.suggest_float("x", 0, 1) + (t.suggest_categorical("kind", ["a", 2, None, True]) == 2) - abs(t.suggest_int("n", 1, 64, log=True) - 8) / 64, n_trials=5)
print(json.dumps({"n": len(s.trials), "ours": sum(ours) / len(ours), "first": sum(first) / len(first), "best": s.best_value, "params": s.trials[35].params,
                  "wrong": [t.number for t in s.trials[30:50] if abs(t.value - (t.params["x"] + (t.params["kind"] == 2 and t.params["kind"] is not True) - abs(t.params["n"] - 8) / 64)) > 1e-12]}))
"""
    seen = json.loads(subprocess.run([python, "-W", "ignore", "-c", check_program, storage], check=True, capture_output=True, text=True).stdout)
    check(f"Optuna {version}: its own study goes on in ours and again in its own", seen["n"] == 55 and not seen["wrong"], seen)
    check(f"Optuna {version}: our sampler looked for the highest value", seen["ours"] > seen["first"] + 0.3, seen)


def main():
    found = optunas()
    on_server = sys.argv[4:] == ["postgres"]
    if not found:
        print("skipped: no Python here has Optuna, pandas and scikit-learn (Debian: python3-optuna python3-pandas python3-sklearn)")
        return 77
    print("Optuna", ", ".join(found), flush=True)
    with tempfile.TemporaryDirectory(prefix="spectune exchange ") as folder:
        folder = pathlib.Path(folder)
        if on_server:
            sys.path.insert(0, str(SOURCE / "tests/postgres"))
            import server
            if server.binaries() is None:
                print("skipped: no PostgreSQL server is installed (Debian: postgresql)")
                return 77
            with server.Server() as s:
                run_all(folder, found, lambda name: s.database(name))
        else:
            run_all(folder, found, lambda name: str(folder / (name + ".db")))
    print(f"{passed} passed, {failed} failed")
    return failed != 0


def run_all(folder, found, place):
    tune(folder, place("first"), "fät", 12)
    for k, (version, python) in enumerate(found.items()):
        copy = place(f"copy{k}")
        spectune("copy", place("first"), copy)
        round_trip(folder, version, python, copy, "fät")
        continue_theirs(folder, version, python, place(f"theirs{k}"))
    # one study passed from hand to hand: each generation stamps the revision that it wants, the other one refuses it
    shared = place("first")
    for version, python in (*found.items(), *found.items()):
        spectune("stamp", shared, "--optuna", ".".join(version.split(".")[:2]))
        compare(f"passed to Optuna {version}", client(python, "report", shared, "fät"), shared, "fät")
        client(python, "work", shared, "fät")
        tune(folder, shared, "fät", len(told(shared, "fät")) + 2)
    n = 12 + 2 * len(found) * 12
    check("a study passed from hand to hand has every trial", [t["number"] for t in told(shared, "fät")] == list(range(n)), len(told(shared, "fät")))


sys.exit(main())
