#!/usr/bin/env python3
"""Importance beside Optuna's fANOVA, on spaces where both mean the same: floats on a linear scale, no conditions, no interactions,
shares normalised to sum 1 as Optuna does.

usage: test_importance.py TOOL      exit code 77 (skipped) where Python has no Optuna with its fANOVA (scikit-learn)"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import warnings

try:
    import optuna
    import sklearn  # noqa: F401  Optuna's forest is scikit-learn's
except ImportError:
    print("skipped: this Python has no Optuna with scikit-learn (Debian: python3-optuna, python3-sklearn)")
    sys.exit(77)
optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.simplefilter("ignore")
TOOL = os.path.abspath(sys.argv[1])
BOUND = 0.03
TRIALS, TREES = 400, 32  # what Optuna does in seconds
passed, failed = 0, 0


def check(what, good, detail=""):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    print("ok  " if good else "FAIL", what, detail)


def spectune(*args):
    return json.loads(subprocess.run([TOOL, *map(str, args), "--json"], capture_output=True, text=True, check=True).stdout)


# Sums of functions of one parameter each, ranges of all kinds. With so few trials Optuna's forest underrates small effects (two
# lines with shares of 0.05 and 0.19 beside a large one are 0.035 off), so the effects are of like size here.
CASES = {
    "straight lines": ([(0, 1), (-5, 5)], lambda x: 2 * x[0] - 0.15 * x[1]),
    "curves": ([(0, 3), (-2, 2)], lambda x: x[0] ** 2 + x[1] ** 2),
    "an idle one": ([(0, 1), (0, 1), (-1, 0)], lambda x: abs(x[1] - 0.4) + 0.4 * x[2]),
    "a step and a slope": ([(0, 1), (-1, 1)], lambda x: (x[0] > 0.3) + x[1]),
}


def study_of(db, name, ranges, loss, trials):
    study = optuna.create_study(study_name=name, storage=f"sqlite:///{db}")
    distributions = {f"x{i}": optuna.distributions.FloatDistribution(*r) for i, r in enumerate(ranges)}
    random = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=len(name)))
    study.add_trials(ready(random, distributions, loss) for _ in range(trials))
    return study


def ready(random, distributions, loss):
    t = random.ask(distributions)
    return optuna.trial.create_trial(params=t.params, distributions=distributions,
                                     value=float(loss([t.params[f"x{i}"] for i in range(len(distributions))])))


with tempfile.TemporaryDirectory(prefix="spectune importance ") as folder:
    db = pathlib.Path(folder) / "theirs.db"
    for name, (ranges, loss) in CASES.items():
        study = study_of(db, name, ranges, loss, TRIALS)
        theirs = optuna.importance.get_param_importances(study, evaluator=optuna.importance.FanovaImportanceEvaluator(n_trees=TREES, seed=1))
        d = spectune("importance", db, "--name", name)
        total = sum(p["share"] for p in d["parameters"])
        ours = {p["name"]: p["share"] / total for p in d["parameters"]}
        worst = max(abs(ours[n] - v) for n, v in theirs.items())
        check(f"{name}: within {BOUND} of Optuna {optuna.__version__}", ours.keys() == theirs.keys() and worst < BOUND, f"({worst:.4f})")
print(f"{passed} passed, {failed} failed")
sys.exit(failed != 0)
