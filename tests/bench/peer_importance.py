"""Optuna's fANOVA on a stored study: called by run_importance.py with the study's file and the number of trees.

Prints versions, seconds and the number of parameters that it has an importance for, as JSON."""
import json
import sys
import time
import warnings

import optuna
import sklearn

HISTORY, TREES = sys.argv[1], int(sys.argv[2])
optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.simplefilter("ignore")
stored = optuna.load_study(study_name="bench", storage=f"sqlite:///{HISTORY}")
study = optuna.create_study()  # in memory, so that no database is in the time
study.add_trials(stored.trials)
evaluator = optuna.importance.FanovaImportanceEvaluator(n_trees=TREES, seed=1)
start = time.perf_counter()
found = optuna.importance.get_param_importances(study, evaluator=evaluator)
seconds = time.perf_counter() - start
print(json.dumps({"optuna": optuna.__version__, "sklearn": sklearn.__version__, "seconds": seconds, "count": len(found)}))
