#!/usr/bin/env python3
"""What pruning saves: finished studies, or one of Tecator made now, told again under every rule.

usage: run_prune.py [STUDY.db ...] [NAME=VALUE ...]       settings of a study: prune_level=0.05

A study must have been run without pruning (spectune tune --study). Without one, 60 trials on the fat
of Tecator are run first (about 5 minutes)."""
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("BUILD", ROOT / "build"))


def main():
    if "--help" in sys.argv[1:] or "-h" in sys.argv[1:]:
        print(__doc__)
        return 0
    settings = [a for a in sys.argv[1:] if "=" in a]
    studies = [a for a in sys.argv[1:] if "=" not in a]
    with tempfile.TemporaryDirectory() as folder:
        if not studies:
            studies = [os.path.join(folder, "tecator.db")]
            subprocess.run([BUILD / "examples/spectune/spectune", "tune", ROOT / "examples/data/tecator.csv", "--target", "fat",
                            "--unit", "absorbance", "--test", "split=T", "--trials", "60", "--study", studies[0]], check=True)
        for study in studies:
            print(study)
            subprocess.run([BUILD / "tests/bench/bench_prune", study, *settings], check=True)
    return 0


sys.exit(main())
