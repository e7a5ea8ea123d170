"""The measuring: importance.sh calls it with the driver and a place for the history."""
import os
import platform
import statistics
import subprocess
import sys
import time
import warnings

import optuna
import sklearn

DRIVER, HISTORY = sys.argv[1], sys.argv[2]
TRIALS, PARAMETERS, TREES = 1000, 17, 64
LARGE_TRIALS, LARGE_PARAMETERS, THREADS = 10000, 32, 2
optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.simplefilter("ignore")


def ours(store, trials, parameters, threads, repeats):
    out = subprocess.run([DRIVER, store, *map(str, (trials, parameters, TREES, threads, repeats))], capture_output=True, text=True, check=True).stdout
    lines = [line.split() for line in out.splitlines()]
    return statistics.median(float(line[0]) for line in lines), lines[0]


def theirs():
    """Optuna's study in memory, so that no database is in the time."""
    stored = optuna.load_study(study_name="bench", storage=f"sqlite:///{HISTORY}")
    study = optuna.create_study()
    study.add_trials(stored.trials)
    evaluator = optuna.importance.FanovaImportanceEvaluator(n_trees=TREES, seed=1)
    start = time.perf_counter()
    found = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return time.perf_counter() - start, len(found)


def main():
    print(f"Optuna {optuna.__version__}, scikit-learn {sklearn.__version__}, Python {platform.python_version()}; "
          f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    print(f"{TRIALS} trials x {PARAMETERS} parameters, {TREES} trees:")
    before, line = ours(HISTORY, TRIALS, PARAMETERS, THREADS, 5)
    one, _ = ours(HISTORY, TRIALS, PARAMETERS, 1, 5)
    peer, count = theirs()
    after, _ = ours(HISTORY, TRIALS, PARAMETERS, THREADS, 5)
    fast = statistics.mean((before, after))
    print(f"  spectune, {THREADS} threads  {fast:8.3f} s  (all {line[1]} pairs, totals, standard errors; R2 {line[3]})")
    print(f"  spectune, 1 thread   {one:8.3f} s")
    print(f"  Optuna               {peer:8.3f} s  (main effects of {count} parameters)")
    large, line = ours("memory:", LARGE_TRIALS, LARGE_PARAMETERS, THREADS, 3)
    print(f"{LARGE_TRIALS} trials x {LARGE_PARAMETERS} parameters, {TREES} trees:")
    print(f"  spectune, {THREADS} threads  {large:8.3f} s  (all {line[1]} pairs; R2 {line[3]})")
    print(f"importance ratio {peer / fast:.0f} large {large:.2f}")


main()
