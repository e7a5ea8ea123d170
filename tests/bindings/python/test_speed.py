"""What the package costs beside the library."""
import ctypes
import time

import numpy as np
from conftest import compile_c

import spectune
from spectune import Dataset, Study


def best(times):
    return min(times)


def test_a_large_array_becomes_a_dataset_at_once():
    """20,000 x 200 float32 in under 1 ms."""
    x = np.ones((20000, 200), np.float32)
    axis = 1000.0 + np.arange(200)
    times = []
    for _ in range(20):
        start = time.perf_counter()
        d = Dataset(x, axis, unit="absorbance")
        times.append(time.perf_counter() - start)
    copied = []
    for _ in range(3):
        start = time.perf_counter()
        Dataset(x, axis, unit="absorbance", copy=True)
        copied.append(time.perf_counter() - start)
    print(f"borrowed {1e3 * best(times):.3f} ms (median {1e3 * np.median(times):.3f}), copied {1e3 * best(copied):.1f} ms")
    assert d.shape == (20000, 200) and best(times) < 1e-3 < best(copied)


def test_an_objective_in_python_costs_little(line, tmp_path, root):
    """At most 20 microseconds a trial more than an objective in C that does the same."""
    source = tmp_path / "objective.c"
    source.write_text("#include <spectune.h>\n"
                      "int32_t objective(spt_trial *t, double *loss, void *user)\n"
                      "{ (void)t; (void)user; *loss = 0.5; return SPT_OK; }\n")
    compile_c(source, tmp_path / "objective.so", "-shared", "-fPIC", f"-I{root / 'include'}")
    in_c = ctypes.CDLL(str(tmp_path / "objective.so")).objective
    abi, trials = spectune._abi, 1500
    in_c = ctypes.cast(in_c, abi.spt_objective_fn)

    def run(python):
        study = Study(space=line, sampler="random")
        if python:
            study.set_objective(lambda trial: 0.5)
        else:
            study._context.call(spectune._load.lib.spt_study_set_objective, study._p(), in_c, None, abi.spt_destroy_fn())
        start = time.perf_counter()
        study.run(trials)
        return (time.perf_counter() - start) / trials
    times = {kind: [] for kind in (True, False)}
    for _ in range(5):
        for kind in times:
            times[kind].append(run(kind))
    extra = best(times[True]) - best(times[False])
    print(f"a trial: {1e6 * best(times[False]):.0f} us with an objective in C, {1e6 * extra:+.1f} us with one in Python")
    assert extra < 20e-6
