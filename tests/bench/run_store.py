#!/usr/bin/env python3
"""opening, asking and telling in a study file of 100,000 trials, beside Optuna on the same file

The library makes the study and its first two trials; the others are written after their pattern in one
transaction. Half of them are drawn at random, half near the lowest loss, as trials of a search gather.
The last line has what opening takes in seconds, and an ask and a tell in milliseconds."""
import argparse
import json
import math
import os
import random
import sqlite3
import statistics
import subprocess
import sys

from common import HERE, Load, count, fail, has, machine, peers_python, program, progress, say, scratch, table

# ---- the study -----------------------------------------------------------------------------------


class Parameter:
    """One parameter, from its distribution on record."""

    def __init__(self, name, record, place):
        told = json.loads(record)
        self.name, self.record, self.kind, self.place = name, record, told["name"], place
        self.at = told["attributes"]

    def draw(self, rng, near):
        """A value as the table of parameters holds it, and how far it is from the best one, 0 to 1."""
        u = min(1.0, max(0.0, rng.gauss(self.place, 0.1))) if near else rng.random()
        if self.kind == "CategoricalDistribution":
            best, n = int(self.place * len(self.at["choices"])), len(self.at["choices"])
            value = best if near and rng.random() < 0.8 else rng.randrange(n)
            return float(value), float(value != best)
        low, high, step = self.at["low"], self.at["high"], self.at["step"]
        if self.at["log"]:
            value = math.exp(math.log(low) + u * (math.log(high) - math.log(low)))
            return min(max(value, low), high), abs(u - self.place)
        value = low + u * (high - low)
        if step:  # a point of the grid is a multiple, rounded as in decimal notation
            value = round(low + round((value - low) / step) * step, 10)
        return value, abs(u - self.place)


def fill(file, trials):
    """Add trials to a study that has some, until it has so many: all records of a trial that it has."""
    rng = random.Random(1)
    base = sqlite3.connect(file)
    base.execute("PRAGMA journal_mode = OFF")
    base.execute("PRAGMA synchronous = OFF")
    have, last = base.execute("SELECT count(*), max(trial_id) FROM trials").fetchone()
    study, start, end = base.execute("SELECT study_id, datetime_start, datetime_complete FROM trials WHERE trial_id = ?",
                                     (last,)).fetchone()
    found = base.execute("SELECT param_name, distribution_json FROM trial_params WHERE trial_id = ? ORDER BY param_id",
                         (last,)).fetchall()
    parameters = [Parameter(*row, rng.uniform(0.1, 0.9)) for row in found]
    owner = base.execute("SELECT key, value_json FROM trial_system_attributes WHERE trial_id = ?", (last,)).fetchall()
    beat = base.execute("SELECT heartbeat FROM trial_heartbeats WHERE trial_id = ?", (last,)).fetchone()
    for number in range(have, trials):
        trial = last + 1 + number - have
        drawn = [p.draw(rng, number % 2) for p in parameters]
        loss = sum(far * far for _, far in drawn) + 0.1 * rng.random()
        base.execute("INSERT INTO trials VALUES (?, ?, ?, 'COMPLETE', ?, ?)", (trial, number, study, start, end))
        base.executemany("INSERT INTO trial_params (trial_id, param_name, param_value, distribution_json) VALUES (?, ?, ?, ?)",
                         [(trial, p.name, value, p.record) for p, (value, _) in zip(parameters, drawn)])
        base.execute("INSERT INTO trial_values (trial_id, objective, value, value_type) VALUES (?, 0, ?, 'FINITE')", (trial, loss))
        base.execute("INSERT INTO trial_user_attributes (trial_id, key, value_json) VALUES (?, 'sequence', ?)", (trial, str(number)))
        base.executemany("INSERT INTO trial_system_attributes (trial_id, key, value_json) VALUES (?, ?, ?)",
                         [(trial, *attribute) for attribute in owner])
        base.execute("INSERT INTO trial_heartbeats (trial_id, heartbeat) VALUES (?, ?)", (trial, *beat))
        if number % 1000 == 0:
            progress(f"writing the study, {number:,} of {trials:,} trials")
    base.commit()
    base.execute("PRAGMA journal_mode = WAL")
    base.close()
    progress("")


def make(file, trials, parameters):
    run("make", str(file), str(parameters))
    fill(file, trials)
    return file


# ---- who works on it -----------------------------------------------------------------------------


def run(*words):
    """Lines of numbers that our program prints."""
    progress(f"spectune, {words[0]}")
    done = subprocess.run([program("bench_store"), *words], capture_output=True, text=True)
    progress("")
    if done.returncode:
        fail(done.stderr.strip() or f"bench_store ended with {done.returncode}")
    return [[float(cell) for cell in line.split()] for line in done.stdout.splitlines()]


def ours(file, args):
    opened = [run("open", str(file)) for _ in range(args.repeats)]
    if any(line[0][4] != args.trials for line in opened):
        fail(f"{opened[0][0][4]:.0f} of {args.trials} trials could be read")
    clock = 2 if args.by_cpu else 0  # the columns come twice
    study = statistics.median(line[0][clock] for line in opened)
    history = statistics.median(line[0][clock + 1] for line in opened)
    both = statistics.median(line[0][clock] + line[0][clock + 1] for line in opened)
    pairs = run("work", str(file), str(args.pairs), "0")
    among = run("work", str(file), str(args.pairs), "7")

    def middle(lines, column):
        return statistics.median(line[clock + column] for line in lines[1:] or lines)

    return {"study": study, "history": history, "open": both, "first": pairs[0][clock], "ask": middle(pairs, 0),
            "tell": middle(pairs, 1), "among first": among[0][clock], "among": middle(among, 0)}


def optunas_python():
    for python in (peers_python()[0], "/usr/bin/python3"):
        if python and os.path.exists(python) and has(python, "optuna"):
            return python
    fail("there is no Python with Optuna; sh tests/bench/peers.sh installs it, --ours does without")


def theirs(python, file, pairs):
    progress("Optuna")
    done = subprocess.run([python, str(HERE / "peer_store.py"), str(file), str(pairs)], capture_output=True, text=True)
    progress("")
    if done.returncode:
        fail("Optuna: " + (done.stderr.strip().splitlines() or ["ended without a word"])[-1])
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(prog="run.sh store", description=__doc__.splitlines()[0])
    parser.add_argument("trials", type=count, nargs="?", default=100_000, metavar="TRIALS", help="100000; at least 3")
    parser.add_argument("parameters", type=count, nargs="?", default=30, metavar="PARAMETERS", help="30")
    parser.add_argument("--pairs", type=count, default=20, help="ask and tell, of which the median counts (20)")
    parser.add_argument("--repeats", type=count, default=3, help="processes that open the study (3)")
    parser.add_argument("--by-cpu", action="store_true", help="count the processor time that ours got instead of the time "
                        "that passed: for a look on a machine that others use meanwhile; no waiting for the disk")
    parser.add_argument("--ours", action="store_true", help="nobody else: Optuna takes some ten minutes for 100,000 trials")
    parser.add_argument("--peer-trials", type=count, metavar="N", help="Optuna on a study of so many instead")
    parser.add_argument("--peer-pairs", type=count, default=3, metavar="N", help="ask and tell of Optuna (3)")
    args = parser.parse_args()
    python = None if args.ours else optunas_python()
    load = Load()
    say(machine())
    with scratch() as folder:
        file = make(folder / "study.db", args.trials, args.parameters)
        say(f"{args.trials:,} trials x {args.parameters} parameters, {file.stat().st_size / 1e6:,.0f} MB")
        us = ours(file, args)
        rows = [["spectune", f"{args.trials:,}", f"{us['open']:.2f} s", f"{us['first']:.1f} ms", f"{us['ask']:.1f} ms",
                 f"{us['tell']:.2f} ms"],
                ["  7 trials running", f"{args.trials:,}", "", f"{us['among first']:.1f} ms", f"{us['among']:.1f} ms", ""]]
        if python:
            n = args.peer_trials or args.trials
            if n != args.trials:
                file = make(folder / "fewer.db", n, args.parameters)
            it = theirs(python, file, args.peer_pairs)
            rows.append([f"Optuna {it['optuna']}", f"{n:,}", f"{it['open']:.2f} s", f"{1e3 * it['ask'][0]:.1f} ms",
                         f"{1e3 * statistics.median(it['ask'][1:] or it['ask']):.1f} ms",
                         f"{1e3 * statistics.median(it['tell']):.2f} ms"])
        table(["", "trials", "open", "first ask", "ask", "tell"], rows)
        say(f"  opening is {us['study']:.2f} s for the study and {us['history']:.2f} s for a host's own copy of its history")
    say(load.text())
    say(f"store open {us['open']:.2f} ask {us['ask']:.1f} tell {us['tell']:.2f}")


sys.exit(main())
