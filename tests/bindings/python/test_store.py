"""Whole studies: out of a store and back, between stores, stamped for an Optuna."""
import csv
import io
import json

import pytest
import spectune


@pytest.fixture
def store(tmp_path):
    space = spectune.Space("tiny")
    space.add_float("rate", 1e-3, 1, log=True)
    space.add_int("blocks", 1, 3)
    store = spectune.Store(tmp_path / "study.db")
    study = spectune.Study(store, "first", space=space)
    for value in (3.0, 1.0, 2.0):
        study.tell(study.ask(), value)
    return store


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_a_table(store, tmp_path):
    table = rows(store.export(format="csv"))
    assert [float(r["value"]) for r in table] == [3, 1, 2]
    history = store.history("first")
    assert [float(r["params_rate"]) for r in table] == [t.params["rate"] for t in history]
    store.export(tmp_path / "out.csv", study="first")
    assert rows((tmp_path / "out.csv").read_text()) == table
    other = spectune.Store()
    other.import_csv(tmp_path / "out.csv", history.space, "again")
    assert [t.value for t in other.history()] == [3, 1, 2]


def test_all_of_it(store, tmp_path):
    text = store.export()
    assert json.loads(text)["study"] == "first"
    (tmp_path / "all.json").write_text(text, encoding="utf-8")
    other = spectune.Store()
    other.import_json(tmp_path / "all.json")
    assert other.export() == text
    other.import_json(tmp_path / "all.json", "second")
    assert other.studies == ["first", "second"]
    with pytest.raises(spectune.BusyError):
        other.import_json(tmp_path / "all.json")


def test_between_stores(store):
    other = spectune.Store()
    store.copy(other)
    store.copy(store, "first", "twin")
    assert other.export() == store.export(study="first")
    assert store.studies == ["first", "twin"]


def test_stamps(store):
    for version in ("3.1", "5.0", "any"):
        store.stamp(version)
    with pytest.raises(spectune.InvalidArgumentError, match="7"):
        store.stamp("7.0")


def test_a_configuration_as_text(store):
    space = store.history().space
    config = space.config(rate=0.25, blocks=3)
    assert dict(space.config_from_xml(config.xml)) == dict(config)
    with pytest.raises(spectune.SpectuneError):
        space.config_from_xml("<nonsense/>")
