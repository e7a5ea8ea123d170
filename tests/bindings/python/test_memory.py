"""Nothing leaks: resident memory over 10,000 cycles of making and freeing."""
import ctypes
import gc
import subprocess
import sys

import numpy as np
import pytest
from conftest import quick_space, spectra

import spectune
from spectune import CrossValidation, Dataset, Model, Network, Prep, Sampler, Scaler, Space, Store, Study

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")

CYCLES = 10000
#: Bytes a cycle that pass for noise; the smallest leak of a handle is larger.
NOISE = 24
#: Blocks of Python a cycle that do: an object that is not given up is one.
BLOCKS = 0.3


class Mallinfo(ctypes.Structure):
    _fields_ = [(n, ctypes.c_size_t) for n in ("arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks "
                                               "keepcost").split()]


def used():
    """(resident bytes, bytes that C code has allocated, blocks that Python has): the first as the system sees it, the
    others to the byte, but for C libraries other than glibc."""
    gc.collect()
    with open("/proc/self/statm") as f:
        resident = int(f.read().split()[1]) * 4096
    tell = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if tell is None:
        return resident, 0, sys.getallocatedblocks()
    tell.restype = Mallinfo
    info = tell()
    return resident, info.uordblks + info.hblkhd, sys.getallocatedblocks()


def growth(cycle, cycles=CYCLES):
    """What of each does not come back, per cycle: the smaller growth of two rounds, as a leak grows in both and a cache
    that fills late (SQLite's, the allocator's) in one."""
    for _ in range(cycles // 5):
        cycle()
    seen = [used()]
    for _ in range(2):
        for _ in range(cycles // 2):
            cycle()
        seen.append(used())
    return tuple(min(b - a, c - b) / (cycles // 2) for a, b, c in zip(*seen))


X, AXIS, Y = spectra(10, 20)


class Kept:
    """What the cycles build on."""

    def __init__(self):
        self.dataset = Dataset(X, AXIS, unit="absorbance", columns={"y": Y, "g": list("aabbccddee")})
        self.space = quick_space()
        self.config = self.space.config(epochs=5)
        self.network = Network(20).dense(4).activation("relu").finish()
        self.model = Model.fit(self.dataset, "y", self.config, seed=1)
        self.xml = self.model.xml
        self.channels = Prep().channels(self.dataset)
        self.study = Study(space=self.space)
        self.study.run(12, objective=lambda t: t.params["fc_1_units"] * t.params["learning_rate"])
        self.history = self.study.history()
        self.small = Study(name="small", space=Space("s").add_float("x", 0, 1, 0.5), sampler="random")


@pytest.fixture(scope="module")
def kept():
    return Kept()


def fails(call, error):
    try:
        call()
    except error:
        return
    raise AssertionError("no error")


def zero(*_):
    return 1 / 0


CASES = {
    "context": (lambda k: spectune.Context(log=lambda *_: None), 1),
    "dataset borrowed": (lambda k: Dataset(X, AXIS).take([1, 2]).spectra(), 1),
    "dataset copied": (lambda k: Dataset(X, AXIS, copy=True, columns={"y": Y}, ids=range(10)).axis, 1),
    "dataset refused": (lambda k: fails(lambda: Dataset(X, -AXIS), spectune.InvalidArgumentError), 1),
    "prep": (lambda k: Prep().crop(1100, 1150).decimate(2).apply(k.dataset), 1),
    "scaler": (lambda k: Scaler.fit(k.channels).apply(k.channels), 1),
    "space and config": (lambda k: dict(Space("s").add_float("x", 0, 1).add_bool("b").config(x=0.5)), 1),
    "config refused": (lambda k: fails(lambda: k.space.config(nothing=1), spectune.NotFoundError), 1),
    "network and trainer": (lambda k: Network(20).conv(2, 3).dense(4).finish().trainer(), 1),
    "training": (lambda k: k.network.fit(k.channels, Y, epochs=1, callback=lambda e: None), 5),
    "training that fails": (lambda k: fails(lambda: k.network.fit(k.channels, Y, epochs=1, callback=zero),
                                            ZeroDivisionError), 5),
    "model": (lambda k: Model.from_xml(k.xml).predict(X), 5),
    "predictor": (lambda k: k.model.predictor().one(X[0]), 1),
    "store and study": (lambda k: Study(space=k.space), 4),
    "store": (lambda k: Store("memory:").studies, 5),
    "history": (lambda k: k.study.history()[3], 1),
    "sampler": (lambda k: Sampler.host(k.space, lambda *_: {}).propose(0), 1),
    "cross-validation": (lambda k: CrossValidation(k.dataset, "y", folds=2, group="g").rows(), 1),
    "importance": (lambda k: list(k.study.importance(trees=2, pairs=0)), 5),
    "run that fails": (lambda k: fails(lambda: Study(space=k.space).run(2, objective=zero), ZeroDivisionError), 4),
}


@pytest.mark.parametrize("what", CASES)
def test_nothing_leaks(kept, what):
    cycle, dear = CASES[what]
    gc.collect()
    boxes = len(spectune._core._boxes)
    resident, heap, blocks = growth(lambda: cycle(kept), CYCLES // dear)
    print(f"{what}: per cycle {resident:.1f} bytes resident, {heap:.2f} allocated in C, {blocks:.3f} blocks of Python")
    assert heap < NOISE and blocks < BLOCKS and len(spectune._core._boxes) == boxes
    assert resident < NOISE * 10 * dear


def test_trials():
    """Ask, tell and free: what stays is the record of the trials."""
    study = Study(space=Space("s").add_float("x", 0, 1, 0.5), sampler="random")
    for _ in range(50):
        study.ask({"x": 0.5}).close()
    handles = [study.ask({"x": 0.25}) for _ in range(20)]
    del handles
    gc.collect()
    assert [t.attributes["reason"] for t in study.trials] == ["abandoned"] * 70


def test_the_measure_would_see_a_leak():
    leak = []
    _, heap, blocks = growth(lambda: leak.append(np.empty(600)))
    assert heap > 4000 and blocks >= 1
    # What the system sees grows when the holes that earlier tests left are full.
    assert growth(lambda: leak.append(np.ones(40000)), 200)[0] > 100000
    assert growth(lambda: spectune._load.lib.spt_ctx_new(None, ctypes.byref(ctypes.c_void_p())))[1] > NOISE


def test_any_order():
    """Children outlive their parents, in whatever order the collector takes them."""
    dataset = Dataset(X, AXIS, unit="absorbance", columns={"y": Y})
    space = quick_space()
    cv, study = CrossValidation(dataset, "y", folds=2), Study(space=space)
    study.run(1, objective=cv)
    history = study.history()
    config, axis = history.config(0), dataset.axis
    dataset.close()
    space.close()
    study.store.close()
    study.close()
    model = cv.model(history)
    cv.close()
    history.close()
    bands = model.axis
    gc.collect()
    assert config["fc_blocks"] == 1 and config.space["fc_blocks"].low == 1 and axis[0] == 1100
    assert model.predict(X).shape == (10,)
    model.close()
    assert bands[0] == 1100


def test_the_interpreter_may_end_with_everything_open(tmp_path):
    code = """
import sys
import numpy as np, spectune
x = np.ones((5, 8), np.float32)
data = spectune.Dataset(x, 1.0 + np.arange(8))
axis = data.axis
space = spectune.Space("s").add_float("x", 0, 1, 0.5)
sampler = spectune.Sampler.host(space, lambda *_: {"x": 0.25})
study = spectune.Study(sys.argv[1], space=space, sampler=sampler)
study.set_check(lambda c: True)
study.run(2, objective=lambda t: t.params["x"], callback=lambda e: None)
trial = study.ask()
loop = [data, study]
loop.append(loop)
context = spectune.Context(log=lambda *_: None)
"""
    path = str(tmp_path / "open.db")
    out = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
    assert out.returncode == 0 and out.stderr == ""
    study = Study(path)
    assert [t.state.name for t in study.trials][:2] == ["COMPLETE", "COMPLETE"] and len(study.trials) == 3
    study.run(4, objective=lambda t: t.params["x"])  # the trial that was left open is taken for abandoned
    assert study.trials[2].state.name == "FAILED" and study.trials[2].attributes["reason"] == "abandoned"
