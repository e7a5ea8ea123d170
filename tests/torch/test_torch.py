#!/usr/bin/python3
"""PyTorch itself: random networks, drawn now, trained by it and by us, and compared.

usage: test_torch.py COMPARE-PROGRAM [SEED [NETWORKS]]      exit code 77 (skipped) where Python has no PyTorch"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

try:
    import torch
except ImportError:
    print("skipped: this Python has no PyTorch (Debian: python3-torch)")
    sys.exit(77)
import nets

PROGRAM = os.path.abspath(sys.argv[1])
SEED = int(sys.argv[2]) if len(sys.argv) > 2 else 20
NETWORKS = int(sys.argv[3]) if len(sys.argv) > 3 else 32
MOST_WEIGHTS = 20000  # larger than those in reference.bin


def main():
    made = nets.make(SEED, NETWORKS, MOST_WEIGHTS)
    print(nets.story(SEED, made), flush=True)
    failed = passed = 0
    with tempfile.TemporaryDirectory(prefix="spectune torch ") as folder:
        for kind, column in (("float64", 1), ("float32", 2)):
            path = pathlib.Path(folder) / f"{kind}.bin"
            nets.write(path, [(case[0], case[column]) for case in made.cases])
            told = subprocess.run([PROGRAM, str(path)], capture_output=True, text=True)
            *lines, last = told.stdout.splitlines() or [""]
            print(f"against PyTorch in {kind}", *lines, told.stderr, sep="\n")
            counts = re.fullmatch(r"(\d+) passed, (\d+) failed", last)
            passed, failed = (passed + int(counts[1]), failed + int(counts[2])) if counts else (passed, failed + 1)
    print(f"{passed} passed, {failed} failed")
    return failed != 0 or passed < 2 * NETWORKS


sys.exit(main())
