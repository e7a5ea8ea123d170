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
    """At most 20 microseconds a trial: what a call of the objective takes from C and back, with the trial made for it and
    its lock and signals looked after. (The study's own work on a trial takes ten times that, and varies more.)"""
    source = tmp_path / "calls.c"
    source.write_text("#include <spectune.h>\n#include <time.h>\n"
                      "double calls(spt_objective_fn fn, spt_trial *trial, void *user, int n);\n"
                      "double calls(spt_objective_fn fn, spt_trial *trial, void *user, int n)\n{\n"
                      "struct timespec a, b; double loss; int failed = 0;\nclock_gettime(CLOCK_MONOTONIC, &a);\n"
                      "for (int i = 0; i < n; i++) failed += fn(trial, &loss, user) != SPT_OK;\n"
                      "clock_gettime(CLOCK_MONOTONIC, &b);\n"
                      "return failed ? -1 : ((b.tv_sec - a.tv_sec) * 1e9 + (b.tv_nsec - a.tv_nsec)) / n;\n}\n")
    compile_c(source, tmp_path / "calls.so", "-shared", "-fPIC", f"-I{root / 'include'}")
    calls = ctypes.CDLL(str(tmp_path / "calls.so")).calls
    calls.argtypes = (spectune._abi.spt_objective_fn, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int)
    calls.restype = ctypes.c_double
    study, cost = Study(space=line), {}
    trial = study.ask()
    for name, objective in (("constant", lambda trial: 0.5), ("with its parameters", lambda trial: trial.params["x"])):
        key = spectune._core.keep(spectune._core.Box(study.context, objective, (line, ())))
        cost[name] = 1e-3 * best(calls(spectune.study._on_objective, trial._p(), key, 100) for _ in range(50))
        spectune._core.drop(key)
        print(f"an objective in Python, {name}: {cost[name]:.1f} us a call")
    assert 0 < cost["constant"] < 20 and 0 < cost["with its parameters"] < 20
