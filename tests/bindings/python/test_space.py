"""Spaces and configurations."""
import copy
import pickle

import pytest

import spectune
from spectune import Space


def test_presets():
    assert "small" in Space.presets()
    small = Space.preset("small")
    assert len(small) == len(list(small)) > 10 and small["epochs"].low == 200 and small["epochs"].kind == "int"
    assert small["channel_a"].default is False and small["optimizer"].choices == ["adagrad", "rmsprop", "adam"]
    assert small.forbidden and small["conv_2_filters"].condition == "conv_blocks >= 2"
    assert small["conv_2_filters"].parent == "conv_blocks"
    with pytest.raises(spectune.NotFoundError, match="small"):
        Space.preset("smal")
    with pytest.raises(KeyError):
        small["nothing"]


def build():
    return (Space("mine").add_int("layers", 1, 3, 2).add_float("rate", 1e-4, 1e-1, 1e-2, log=True)
            .add_categorical("kind", ["a", "b"], "b").add_ordinal("size", ["s", "m", "l"]).add_bool("drop")
            .add_float("share", 0.1, 0.5, 0.2, step=0.1).add_condition("share", "drop", "==", True)
            .add_int("units", 4, 64, 8, log=True).add_condition("units", "layers", "in", [2, 3])
            .forbid(("kind", "==", "a"), ("layers", "==", 3)).set_group("rate", "training"))


def test_build_and_xml(tmp_path):
    space = build()
    assert space.names == ["layers", "rate", "kind", "size", "drop", "share", "units"] and space["rate"].group == "training"
    assert Space.from_xml(space.xml) == space and pickle.loads(pickle.dumps(space)) == space == copy.deepcopy(space)
    space.write_xml(tmp_path / "mine.xml")
    assert Space.of(tmp_path / "mine.xml") == space and Space.of(space) is space
    with pytest.raises(spectune.FormatError, match="text:1: <what>"):
        Space.from_xml("<space format='1' name='x'><what/></space>")
    with pytest.raises(spectune.VersionError):
        Space.from_xml(space.xml.replace('format="1"', 'format="99"'))
    with pytest.raises(spectune.InvalidArgumentError):
        space.add_categorical("again", ["a"], "z")
    with pytest.raises(ValueError, match="comparison"):
        space.add_condition("units", "layers", "~", 1)


def test_configurations_are_mappings(tmp_path):
    space = build()
    c = space.config()
    assert dict(c) == {"layers": 2, "rate": 0.01, "kind": "b", "size": "s", "drop": False, "units": 8}
    assert type(c["layers"]) is int and type(c["rate"]) is float and c["drop"] is False and "share" not in c
    c["drop"] = True
    assert c["share"] == 0.2 and len(c) == 7 and c.get("nothing", 3) == 3
    c["layers"] = 1
    assert "units" not in c
    with pytest.raises(KeyError):
        c["units"]
    # In any order: children may be named before their parents.
    d = space.config({"units": 16, "share": 0.3, "drop": True, "layers": 3, "kind": "b"}, rate=0.002)
    assert d["units"] == 16 and d["share"] == 0.3 and d["rate"] == 0.002
    assert d == d.copy() == pickle.loads(pickle.dumps(d)) and d != c and d == dict(d)
    for wrong, error in (({"rate": 5.0}, spectune.InvalidArgumentError), ({"kind": "z"}, spectune.InvalidArgumentError),
                         ({"layer": 2}, spectune.NotFoundError), ({"units": 16, "layers": 1}, spectune.SpectuneError),
                         ({"layers": 1.5}, spectune.InvalidArgumentError)):
        with pytest.raises(error):
            space.config(wrong)
    with pytest.raises(spectune.InvalidArgumentError, match="forbidden"):
        space.config(kind="a", layers=3).check()
    with pytest.raises(TypeError):
        del c["kind"]
    with pytest.raises(spectune.BusyError):
        space.add_bool("late")
    d.write_xml(tmp_path / "c.xml")
    assert space.read_config(tmp_path / "c.xml") == d


def test_options_describe_themselves():
    for kind in ("csv", "channels", "training", "fit", "objective", "sampler", "study", "importance", "ped"):
        knobs = spectune.describe_options(kind)
        assert knobs and all(k.name and k.text for k in knobs)
    prune = next(k for k in spectune.describe_options("study") if k.name == "prune")
    assert prune.default == "none" and "racing" in prune.choices
    with pytest.raises(ValueError, match="possible"):
        spectune.describe_options("nothing")
    with pytest.raises(spectune.NotFoundError, match="prune"):
        spectune.Study(space="small", prun="racing")
    with pytest.raises(spectune.InvalidArgumentError):
        spectune.Study(space="small", prune_level=7)
