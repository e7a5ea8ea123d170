"""Studies, samplers, stores, importance."""
import math

import numpy as np
import pytest

import spectune
from spectune import CrossValidation, Sampler, Status, Store, Study, TrialPruned, TrialState


def bowl(trial):
    return (trial.params["x"] - 0.3) ** 2


def test_run_and_go_on(line, tmp_path):
    study = Study(tmp_path / "s.db", "bowl", line)
    assert study.run(8, objective=bowl) == Status.STOP_TRIALS
    values = [t.value for t in study.trials]
    assert len(values) == 8 and study.best_value == min(values) and study.n_finished == 8
    assert study.best_params == study.best_trial.params and abs(study.best_params["x"] - 0.3) == math.sqrt(min(values))
    study.close()
    again = Study(tmp_path / "s.db", "bowl")
    assert again.space == line
    again.run(12, objective=bowl)
    straight = Study("memory:", "bowl", line)
    straight.run(12, objective=bowl)
    assert [t.value for t in straight.trials] == [t.value for t in again.trials]
    assert Store(tmp_path / "s.db", "readonly").studies == ["bowl"]
    with pytest.raises(spectune.MismatchError):
        Study(tmp_path / "s.db", "bowl", spectune.Space("other").add_int("n", 1, 3))
    with pytest.raises(spectune.FileError):
        Store(tmp_path / "none.db", "open")
    with pytest.raises(ValueError, match="n_trials"):
        straight.run()
    assert straight.run(timeout=0.05) == Status.STOP_TIME


def test_ask_and_tell(line):
    study = Study(space=line, sampler={"sampler": "random", "seed": 7})
    with study.ask() as t:
        assert t.number == 0 and t.params == dict(t.config)
        t.set_attribute("note", "a text")
        t.set_attribute("number", 1.5)
        t.set_block("predictions", np.arange(3, dtype=np.float32))
        t.report(0.5, 0)
        study.tell(t, 0.25)
        with pytest.raises(spectune.BusyError):
            study.tell(t, 0.1)
        other = t.config
        other["x"] = 0.125  # a copy
        assert t.params["x"] != 0.125
    done = study.trials[0]
    assert done.state == TrialState.COMPLETE and done.value == 0.25 and done.steps == {0: 0.5}
    assert done.attributes["note"] == "a text" and done.attributes["number"] == 1.5 and done.ended >= done.started
    assert np.frombuffer(study.store.block("spectune", "predictions", 0), "<f4").tolist() == [0, 1, 2]
    with pytest.raises(ZeroDivisionError):
        with study.ask() as t:
            1 / 0
    assert study.trials[1].state == TrialState.FAILED and "ZeroDivisionError" in study.trials[1].attributes["reason"]
    study.ask().close()
    assert study.trials[2].attributes["reason"] == "abandoned"
    with study.ask({"x": 0.125}) as t:
        study.tell(t, state="pruned")
    assert study.trials[3].params == {"x": 0.125} and study.trials[3].state == TrialState.PRUNED
    many = study.ask_many(3)
    assert [t.number for t in many] == [4, 5, 6]
    for t in many:
        study.tell(t, 1)
    with pytest.raises(spectune.NotFoundError):
        study.store.block("spectune", "nothing", 0)
    with pytest.raises(spectune.SpectuneError):
        study.ask({"x": 3})


def test_queue_confirm_warm_start(line):
    first = Study(space=line)
    first.run(6, objective=bowl)
    study = Study(space=line, name="second")
    assert study.enqueue({"x": 0.75}) == 0 and study.warm_start(first, 2) == 2
    study.run(5, objective=bowl)
    assert study.trials[0].params["x"] == 0.75 and first.best_params in [t.params for t in study.trials]
    assert study.confirm(2, 2) == 4
    with study.history() as h:
        study.run(5 + h.n_repeated)
    with study.history() as h:
        count, mean, sd = h.repeats(h.confirmed_index)
        assert count == 2 and mean == h.confirmed.value and sd == 0
    config = study.replay(4)
    assert dict(config) == study.trials[4].params


def test_pruning_and_timeouts(line):
    study = Study(space=line, sampler="random", prune="median", prune_startup=2)

    def objective(trial):
        for step in range(4):
            trial.report(trial.params["x"] + step * 0.01, step)
            if trial.should_prune():
                raise TrialPruned
        return trial.params["x"]
    study.run(12, objective=objective)
    pruned = [t for t in study.trials if t.state == TrialState.PRUNED]
    assert pruned and all(t.value == t.steps[max(t.steps)] or np.isclose(t.value, np.mean(list(t.steps.values())))
                          for t in pruned)
    study.set_options(trial_seconds=0.01)

    def slow(trial):
        import time
        time.sleep(0.03)
        trial.report(1.0, 0)
        raise AssertionError("report() tells that the time is up")
    study.run(13, objective=slow)
    assert "timeout" in study.trials[-1].attributes["reason"]


def test_pins(line):
    study = Study(space=line)
    study.pin("scale", "one")
    study.pin_block("noise", np.arange(4.0))
    assert study.store.block("spectune", "noise") == np.arange(4.0).tobytes()
    with study.history() as h:
        assert h.records["scale"] == "one" and h.name == "spectune"
    with pytest.raises(spectune.MismatchError, match="scale"):
        study.pin("scale", "two")


def test_samplers(line):
    sampler = Sampler(line, seed=2)
    for n in range(30):
        config = sampler.propose(n)
        sampler.tell(n, config, (config["x"] - 0.3) ** 2)
    good, bad = sampler.densities(line.config(x=0.3))
    assert np.isclose(sampler.improvement(line.config(x=0.3)), good - bad) and good > bad
    given = Sampler.given(line, [{"x": 0.1}, line.config(x=0.9)])
    study = Study(space=line, sampler=given)
    assert study.run(9, objective=bowl) == Status.STOP_EXHAUSTED and study.ask() is None
    assert [t.params["x"] for t in study.trials] == [0.1, 0.9]
    seen = []

    def propose(trials, sequence, attempt, seed):
        seen.append([(t.state, t.loss, t.sequence, t.params) for t in trials])
        assert seed == 5 and attempt == 0 and trials[0:1] == list(trials)[0:1]
        return {"x": sequence / 10} if sequence < 4 else None
    study = Study(space=line, sampler=Sampler.host(line, propose, seed=5))
    assert study.run(9, objective=bowl) == Status.STOP_EXHAUSTED
    assert [t.params["x"] for t in study.trials] == [0, 0.1, 0.2, 0.3]
    assert [len(s) for s in seen] == [0, 1, 2, 3, 4] and seen[2][1] == (TrialState.COMPLETE, (0.1 - 0.3) ** 2, 1, {"x": 0.1})
    with pytest.raises(spectune.MismatchError):
        study.set_sampler(Sampler(spectune.Space("other").add_int("n", 1, 3)))


def test_cross_validation(small, space):
    cv = CrossValidation(small, "y", folds=3, group="g")
    rows, folds = cv.rows()
    assert rows.tolist() == list(range(60)) and set(folds) == {0, 1, 2} and cv.dropped == []
    study, events = Study(space=space), []
    assert study.run(3, objective=cv, callback=events.append) == Status.STOP_TRIALS
    kinds = [e.kind.name for e in events]
    assert kinds.count("TRIAL_START") == kinds.count("TRIAL_END") == 3 and kinds.count("FOLD_END") == 9
    end = [e for e in events if e.kind.name == "TRIAL_END"][-1]
    assert end.params == study.trials[2].params and end.best == study.best_value and end.state == TrialState.COMPLETE
    r, f, p = study.predictions(study.best_trial.number)
    rmse = [np.sqrt(np.mean((p[f == k] - small["y"][r[f == k]]) ** 2)) for k in range(3)]
    assert np.isclose(np.mean(rmse), study.best_value, rtol=1e-6)
    model = cv.model(study)
    assert model.target == "y" and cv.model(study, 0, ensemble=True).n_members == 3
    given = CrossValidation(small, "y", folds=folds, group="g")
    again = Study(space=space, name="given")
    again.run(1, objective=given)
    assert again.trials[0].value == study.trials[0].value
    assert "5 rows" in CrossValidation(small.with_column("y", [np.nan] * 5 + [1.0, 2.0] * 27 + [3.0]), "y").dropped[0]
    with pytest.raises(spectune.NotFoundError, match="y"):
        CrossValidation(small, "yy")
    with pytest.raises(spectune.InvalidArgumentError, match="61"):
        CrossValidation(small, "y", folds=61)
    with pytest.raises(spectune.SpectuneError):
        cv.check_space(spectune.Space("q").add_float("foo", 0, 1))
    other = CrossValidation(small, "y", folds=4)
    with pytest.raises(spectune.MismatchError, match="folds"):
        study.set_objective(other)


def test_check(small, space):
    study = Study(space=space)
    study.set_check(lambda config: config["fc_1_units"] < 10)
    study.run(5, objective=lambda t: t.params["fc_1_units"])
    assert all(t.params["fc_1_units"] < 10 for t in study.trials)


def test_dataframe(line):
    pandas = pytest.importorskip("pandas")
    study = Study(space=line)
    study.run(4, objective=lambda t: t.set_attribute("twice", 2 * t.params["x"]) or t.params["x"])
    frame = study.trials_dataframe()
    assert isinstance(frame, pandas.DataFrame) and list(frame["number"]) == [0, 1, 2, 3] and (frame["state"] == "complete").all()
    np.testing.assert_array_equal(frame["value"], frame["params_x"])
    np.testing.assert_array_equal(frame["attributes_twice"], 2 * frame["params_x"])
    assert (frame["duration"] >= 0).all()


def test_importance():
    space = (spectune.Space("f").add_float("a", 0, 1, 0.5).add_float("b", 0, 1, 0.5).add_categorical("c", ["u", "v"]))
    study = Study(space=space, sampler="random")
    study.run(150, objective=lambda t: t.params["a"] * 3 + t.params["b"] * (1 if t.params["c"] == "u" else 0))
    f = study.importance(trees=16)
    assert f[0].name == "a" and f["a"].share > 0.7 and len(f) == 3 and f.n_trials == 150 and f.out_of_bag > 0.8
    assert 0.9 < sum(i.share for i in f) + f.residual() < 1.1 and f.prior in ("space", "trials") and f.variance > 0
    assert {frozenset(p.names) for p in f.pairs[:1]} == {frozenset(["b", "c"])}
    assert np.isclose(f.subset("b", "c").share, f.pairs[0].share)
    curve = f.curve("a")
    assert np.all(np.diff(curve.x) > 0) and np.isclose(curve.weight.sum(), 1) and curve.mean[-1] > curve.mean[0] + 2
    assert f.curve("c").labels == ["u", "v"] and f.surface("a", "c")[0].shape == (len(curve.x), 2)
    numbers, x, loss = f.points("a")
    assert len(numbers) == 150 and loss[3] == study.trials[numbers[3]].value
    local = f.local()
    assert set(local) == {"a", "b", "c"} and np.isclose(sum(s for s, _ in local.values()), 1)
    assert f.trials_needed(0.5) == 150 and math.isnan(f.cut) and isinstance(f.warnings, list)
    ped = spectune.ped_importance(study.history())
    assert max(ped, key=ped.get) == "a"
    with pytest.raises(KeyError):
        f.curve("z")
    with pytest.raises(spectune.DataError, match="same loss"):
        same = Study(space=space)
        same.run(3, objective=lambda t: 1.0)
        same.importance()
    pandas = pytest.importorskip("pandas")
    assert isinstance(f.to_dataframe(), pandas.DataFrame)
