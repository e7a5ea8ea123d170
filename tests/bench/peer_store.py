"""Optuna on a stored study: called by run_store.py with the study's file and how often to ask and tell.

Prints its version, the seconds of opening the study and looking at its trials, and those of each ask
(with a value for every parameter) and tell, as JSON. The sampler is TPE as it is by default."""
import json
import sys
import time
import warnings

FILE, PAIRS = sys.argv[1], int(sys.argv[2])
import optuna  # noqa: E402

optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.simplefilter("ignore")
start = time.perf_counter()
study = optuna.load_study(study_name="bench", storage=f"sqlite:///{FILE}", sampler=optuna.samplers.TPESampler(seed=1))
trials = study.trials
opened = time.perf_counter() - start
distributions = trials[-1].distributions


def suggest(trial, name, d):
    if isinstance(d, optuna.distributions.CategoricalDistribution):
        trial.suggest_categorical(name, d.choices)
    elif isinstance(d, optuna.distributions.IntDistribution):
        trial.suggest_int(name, d.low, d.high, step=d.step, log=d.log)
    else:
        trial.suggest_float(name, d.low, d.high, step=d.step, log=d.log)


asks, tells = [], []
for i in range(PAIRS):
    start = time.perf_counter()
    asked = study.ask()
    for key, distribution in distributions.items():
        suggest(asked, key, distribution)
    asks.append(time.perf_counter() - start)
    start = time.perf_counter()
    study.tell(asked, 1.0 + i)
    tells.append(time.perf_counter() - start)
print(json.dumps({"optuna": optuna.__version__, "trials": len(trials), "open": opened, "ask": asks, "tell": tells}))
