#!/usr/bin/env python3
"""time of a functional ANOVA, all pairs included, beside Optuna's with as many trees

Both analyse the same random trials of a made-up loss; ours also a history that is too large for the
other. The last line has how many times faster ours is, and the seconds of the large history."""
import argparse
import json
import os
import statistics
import subprocess
import sys

from common import HERE, Load, count, fail, has, machine, peers_python, program, progress, say, scratch

SMALL, LARGE, TREES = (1000, 17), (10000, 32), 64


def ours(history, size, threads, repeats):
    """Median of the seconds, number of pairs, out-of-bag R2."""
    progress(f"spectune, {size[0]} trials, {threads} thread(s)")
    words = [program("bench_importance"), str(history), *map(str, (*size, TREES, threads, repeats))]
    done = subprocess.run(words, capture_output=True, text=True)
    progress("")
    if done.returncode:
        fail(done.stderr.strip() or f"bench_importance ended with {done.returncode}")
    lines = [line.split() for line in done.stdout.splitlines()]
    return statistics.median(float(line[0]) for line in lines), lines[0][1], lines[0][3]


def optunas_python():
    for python in (peers_python()[0], "/usr/bin/python3"):
        if python and os.path.exists(python) and has(python, "optuna") and has(python, "sklearn"):
            return python
    fail("there is no Python with Optuna and scikit-learn; sh tests/bench/peers.sh installs them, --ours does without")


def theirs(python, history):
    progress("Optuna")
    done = subprocess.run([python, str(HERE / "peer_importance.py"), str(history), str(TREES)], capture_output=True, text=True)
    progress("")
    if done.returncode:
        fail("Optuna: " + (done.stderr.strip().splitlines() or ["ended without a word"])[-1])
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(prog="run.sh importance", description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=count, default=5, help="analyses of which the median counts (5)")
    parser.add_argument("--ours", action="store_true", help="nobody else; no ratio")
    args = parser.parse_args()
    python = None if args.ours else optunas_python()
    load = Load()
    say(machine())
    with scratch() as folder:
        history = folder / "history.db"
        say(f"{SMALL[0]:,} trials x {SMALL[1]} parameters, {TREES} trees:")
        before, pairs, r2 = ours(history, SMALL, 2, args.repeats)
        one, _, _ = ours(history, SMALL, 1, args.repeats)
        peer = theirs(python, history) if python else None
        after, _, _ = ours(history, SMALL, 2, args.repeats)
        fast = statistics.mean((before, after))
        say(f"  spectune, 2 threads  {fast:8.3f} s  (main effects, all {pairs} pairs, totals, standard errors; R2 {r2})")
        say(f"  spectune, 1 thread   {one:8.3f} s")
        if peer:
            say(f"  Optuna               {peer['seconds']:8.3f} s  (main effects of {peer['count']} parameters; "
                f"Optuna {peer['optuna']}, scikit-learn {peer['sklearn']})")
        large, pairs, r2 = ours("memory:", LARGE, 2, max(1, args.repeats // 2))
        say(f"{LARGE[0]:,} trials x {LARGE[1]} parameters, {TREES} trees:")
        say(f"  spectune, 2 threads  {large:8.3f} s  (all {pairs} pairs; R2 {r2})")
    say(load.text())
    say(f"importance ratio {peer['seconds'] / fast:.0f} large {large:.2f}" if peer else f"importance ratio - large {large:.2f}")


sys.exit(main())
