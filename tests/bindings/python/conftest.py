"""Data for the tests of the Python package. They run against the installed package."""
import shutil
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest

import spectune

ROOT = Path(__file__).resolve().parents[3]

# A program that was started in the background ignores SIGINT, and then no test of Ctrl-C would end.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def root():
    """The top of the tree."""
    return ROOT


@pytest.fixture(scope="session")
def tecator():
    return spectune.Dataset.read_csv(ROOT / "examples/data/tecator.csv", unit="absorbance")


def spectra(n=60, p=40, seed=0):
    """Absorbances with one band whose height is y, offset and noise: (x, axis, y)."""
    rng = np.random.default_rng(seed)
    axis = 1100.0 + 4 * np.arange(p)
    y = rng.uniform(1, 5, n)
    band = np.exp(-0.5 * ((axis - 1180) / 12) ** 2)
    x = 0.4 + 0.1 * y[:, None] * band + 0.05 * rng.uniform(size=(n, 1)) + 0.001 * rng.standard_normal((n, p))
    return x.astype(np.float32), axis, y


@pytest.fixture
def small():
    """A dataset of 60 spectra with a target y and a group g."""
    x, axis, y = spectra()
    return spectune.Dataset(x, axis, unit="absorbance", columns={"y": y, "g": [f"g{i // 6}" for i in range(len(y))]})


@pytest.fixture
def space():
    """A space of networks that train in no time."""
    return quick_space()


def quick_space():
    return (spectune.Space("quick").add_int("fc_blocks", 1, 1).add_int("fc_1_units", 4, 32, 8)
            .add_int("epochs", 5, 40, 20).add_float("learning_rate", 1e-3, 3e-2, 1e-2, log=True))


@pytest.fixture
def line():
    """A space of one number."""
    return spectune.Space("line").add_float("x", 0, 1, 0.5)


def compile_c(source, output, *flags):
    """Compile C, or skip where there is no compiler."""
    cc = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if cc is None:
        pytest.skip("no C compiler")
    subprocess.run([cc, "-o", str(output), *flags, str(source)], check=True)
