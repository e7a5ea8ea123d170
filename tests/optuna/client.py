#!/usr/bin/env python3
"""What an Optuna of its own interpreter makes of a study; test_exchange.py runs it.

usage: client.py report|report_all|work|enqueue STORAGE STUDY
  report   prints what Optuna sees, as JSON; report_all: importances, too, which take it long
  work     10 more trials with Optuna's own sampler, the first of them enqueued
  enqueue  one trial for somebody else to run, and one that is left waiting by its own API"""
import json
import sys
import warnings

import optuna

warnings.filterwarnings("ignore")
optuna.logging.set_verbosity(optuna.logging.ERROR)
D = optuna.distributions


def suggest(trial, name, d):
    if isinstance(d, D.CategoricalDistribution):
        return trial.suggest_categorical(name, d.choices)
    if isinstance(d, D.IntDistribution):
        return trial.suggest_int(name, d.low, d.high, step=d.step, log=d.log)
    return trial.suggest_float(name, d.low, d.high, step=d.step, log=d.log)


def report(study, importances=False):
    frame = study.trials_dataframe()
    trials = [{"number": t.number, "state": t.state.name, "value": t.value, "params": t.params, "user_attrs": t.user_attrs,
               "steps": sorted(t.intermediate_values.items()), "seconds": t.duration.total_seconds() if t.duration else None,
               "scores": t.system_attrs.get("terminator:cv_scores")} for t in study.trials]
    more = {"importances": dict(optuna.importance.get_param_importances(study))} if importances else {}
    print(json.dumps({
        **more, "version": optuna.__version__, "direction": study.direction.name, "user_attrs": study.user_attrs, "best": study.best_trial.number,
        "best_params": study.best_params, "trials": trials,
        "columns": list(frame.columns), "frame_values": [None if v != v else v for v in frame["value"]], "frame_numbers": list(map(int, frame["number"]))}))


def work(study):
    ranges = {}
    for t in study.trials:
        ranges.update(t.distributions)
    study.enqueue_trial(study.best_trial.params)

    def objective(trial):
        # the tree of the space, which Optuna's files cannot tell it
        blocks = suggest(trial, "conv_blocks", ranges["conv_blocks"])
        values = [suggest(trial, name, d) for name, d in ranges.items() if name != "conv_1_filters" or blocks == 1]
        trial.report(float(len(values)), 0)
        trial.set_user_attr("by", "optuna")
        if trial.number % 7 == 6:
            raise optuna.TrialPruned
        return 20.0 + len(values) + values[0] * 0.001

    study.optimize(objective, n_trials=10)


def enqueue(study):
    study.enqueue_trial({"batch_size": 33, "fc_1_activation": "elu", "fc_1_dropout": True})


storage = sys.argv[2] if "://" in sys.argv[2] else "sqlite:///" + sys.argv[2]
{"report": report, "report_all": lambda study: report(study, True), "work": work, "enqueue": enqueue}[sys.argv[1]](optuna.load_study(study_name=sys.argv[3], storage=storage))
