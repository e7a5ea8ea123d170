#!/usr/bin/env python3
"""training speed: R1, R2, R3 and the cross-validation, beside Keras and PyTorch

The networks and what is fair are described in doc/bench.md. All programs are started, then take
turns for some rounds; medians count. The last line has ours over the best of the others."""
import argparse
import json
import sys

from common import (Load, Worker, begin, common_options, count, crew, machine, peers_python, progress, say, scratch,
                    start_ours, start_peer, table, thousands, write_inputs)

PEERS = {  # kind for peer_train.py -> name in the tables
    "keras": "Keras",
    "keras-xla": "Keras, XLA",
    "keras-epoch": "Keras, an epoch a call",
    "torch": "PyTorch",
    "torch-compiled": "PyTorch, compiled",
}
DEBIANS = ("torch",)
# No faster than plain Keras on R1: an epoch is few calls there, and XLA's convolutions are slow.
NOT_IN_CV = ("keras-xla", "keras-epoch")


class Bench:
    def __init__(self, args, folder):
        self.args, self.folder = args, folder
        _, only_torch = peers_python()
        self.kinds = () if args.ours else DEBIANS if only_torch else tuple(args.peers.split(","))
        self.versions = {}

    def peer(self, workers, kind, network, threads, folder, facts, *folds):
        worker = start_peer(workers, PEERS[kind], "peer_train.py", kind, network, str(threads), str(folder),
                            json.dumps(facts), *folds, threads=threads, folder=self.folder)
        if worker:
            self.versions[kind.partition("-")[0]] = worker.facts["version"]
        return worker


# ---- R1, R2, R3 --------------------------------------------------------------------------------


def cells(worker, facts, peak):
    if worker is None:
        return ["-", "", "", ""]
    gflops = worker.rate * facts["flops"] / 1e9
    spread = f"{thousands(min(worker.rates))} to {thousands(max(worker.rates))}"
    return [thousands(worker.rate), spread, f"{gflops:.1f}", f"{100 * gflops / (peak * worker.threads):.0f} %"]


def network(bench, name):
    """Train one network in all programs; ours on one thread over the best other one."""
    folder = write_inputs(bench.folder / name, "bench_train", name)
    with crew() as workers:
        rows = [("spectune", [start_ours(workers, "bench_train", name, "--threads", str(n), threads=n,
                                         folder=bench.folder) for n in (1, 2)])]
        facts = rows[0][1][0].facts
        rows += [(PEERS[k], [bench.peer(workers, k, name, n, folder, facts) for n in (1, 2)]) for k in bench.kinds]
        yardstick = start_ours(workers, "bench_peak", folder=bench.folder)
        for i in range(bench.args.rounds):
            for worker in workers:
                progress(f"{name}: round {i + 1} of {bench.args.rounds}, {worker.name}, {worker.threads} thread(s)")
                worker.go()
        progress("")
        peak = max(yardstick.rates) / 1e9
        say(f"{name}: input {facts['bands']} x {facts['channels']}, mini-batches of {facts['batch']}, "
            f"{facts['flops'] / 1e6:.2f} MFLOP a sample; FMA peak {peak:.0f} GFLOP/s a core with {yardstick.facts['set']}")
        table(["samples/s", "1 thread", "lowest to highest", "GFLOP/s", "peak", "2 threads", "lowest to highest", "GFLOP/s",
               "peak"],
              [[label, *cells(one, facts, peak), *cells(two, facts, peak)] for label, (one, two) in rows])
        others = [one for _, (one, _) in rows[1:] if one]
        if not others:
            say("")
            return None
        best = max(others, key=lambda w: w.rate)
        ratio = rows[0][1][0].rate / best.rate
        say(f"  ours on one thread is {ratio:.2f} times as fast as {best.name}\n")
        return ratio


# ---- cross-validation --------------------------------------------------------------------------


class Pair:
    """Two processes with one thread and half of the folds each, as one worker."""

    def __init__(self, halves):
        self.halves, self.rounds, self.name = halves, [], halves[0].name

    def go(self, how="go"):
        for half in self.halves:
            half.ask(how)
        notes = [half.take() for half in self.halves]
        last = [half.rounds[-1] for half in self.halves]
        self.rounds.append((sum(samples for samples, _ in last), max(seconds for _, seconds in last)))
        return " ".join(notes)

    rates, rate, seconds = Worker.rates, Worker.rate, Worker.seconds


def start_cv_peers(bench, workers, folder, facts):
    """Every kind in both arrangements: [(text, worker)]."""
    folds = [str(f) for f in range(facts["folds"])]
    peers = []
    for kind in bench.kinds:
        if kind in NOT_IN_CV:
            continue
        whole = bench.peer(workers, kind, "R1", 2, folder, facts, ",".join(folds))
        if whole:
            peers.append((f"{PEERS[kind]}, 1 process, 2 threads", whole))
        halves = [bench.peer(workers, kind, "R1", 1, folder, facts, ",".join(folds[i::2])) for i in (0, 1)]
        if all(halves):
            peers.append((f"{PEERS[kind]}, 2 processes, 1 thread", Pair(halves)))
    return peers


def finalists(bench, peers):
    """The fastest of all kinds and arrangements at two folds of one epoch; the whole job in all of
    them would take an hour and change nothing."""
    if not peers:
        return []
    for text, worker in peers:
        progress(f"CV: a trial of {text}")
        worker.go("probe")
    progress("")
    peers.sort(key=lambda pair: -pair[1].rate)
    say("CV: who is fast enough for the whole job (two folds, one epoch)")
    table(["", "samples/s"], [[text, thousands(worker.rate)] for text, worker in peers])
    for _, worker in peers:
        worker.rounds.clear()
    return peers[:bench.args.finalists]


def error(note):
    """Mean of the RMSEs of the folds in a note ("rmse 0.5 ...", "rmse 0.5,0.6 ...")."""
    words = note.split()
    values = [float(v) for at, word in enumerate(words) if word == "rmse" for v in words[at + 1].split(",")]
    return sum(values) / len(values)


def cv(bench):
    """The whole job; ours on 2 threads over the best of the others in their best arrangement."""
    args = bench.args
    command = ["bench_cv", "--rows", str(args.rows), "--folds", str(args.folds), "--epochs", str(args.epochs)]
    folder = write_inputs(bench.folder / "cv", *command)
    with crew() as workers:
        ours = start_ours(workers, *command, "--threads", "2", threads=2, folder=bench.folder)
        facts = ours.facts
        racers = [("spectune, 2 threads", ours), *finalists(bench, start_cv_peers(bench, workers, folder, facts))]
        notes = {}
        for i in range(args.cv_rounds):
            for text, worker in racers:
                progress(f"CV: round {i + 1} of {args.cv_rounds}, {text}")
                notes[text] = worker.go()
        progress("")
        say(f"CV: R1 in {facts['folds']}-fold cross-validation, {facts['rows']:,} spectra, {facts['epochs']} epochs, "
            f"mini-batches of {facts['batch']}")
        table(["", "seconds", "lowest to highest", "samples/s", "GFLOP/s", "RMSE / s.d."],
              [[text, f"{w.seconds:.1f}", f"{min(s for _, s in w.rounds):.1f} to {max(s for _, s in w.rounds):.1f}",
                thousands(w.rate), f"{w.rate * facts['flops'] / 1e9:.0f}", f"{error(notes[text]):.3f}"]
               for text, w in racers])
        say(f"  most memory that ours held: {notes[racers[0][0]].split()[3]} MB (bar: 500)")
        if len(racers) == 1:
            say("")
            return None
        text, best = min(racers[1:], key=lambda pair: pair[1].seconds)
        ratio = best.seconds / ours.seconds
        say(f"  ours is {ratio:.2f} times as fast as {text}\n")
        return ratio


def tenfold(bench):
    """A tenfold larger dataset: one epoch in two folds, from spectra to scores."""
    args = bench.args
    with crew() as workers:
        pair = [start_ours(workers, "bench_cv", "--folds", "2", "--epochs", "1", "--threads", "2", "--rows", str(n),
                           threads=2, folder=bench.folder) for n in (args.rows, 10 * args.rows)]
        for i in range(args.cv_rounds):
            for worker in pair:
                progress(f"tenfold: round {i + 1} of {args.cv_rounds}, {worker.facts['rows']:,} spectra")
                worker.go()
        progress("")
        spent = [w.facts["setup"] + w.seconds for w in pair]
        say(f"Tenfold data, from spectra to scores (2 folds, 1 epoch, 2 threads): {spent[0]:.2f} s with {args.rows:,} spectra, "
            f"{spent[1]:.2f} s with {10 * args.rows:,}: {spent[1] / spent[0]:.2f} times the time (bar: 11)\n")


# ---- the command -------------------------------------------------------------------------------


def arguments():
    parser = argparse.ArgumentParser(prog="run.sh train", description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", default=[], metavar="R1|R2|R3|CV|tenfold", help="only these")
    common_options(parser, 5)
    parser.add_argument("--cv-rounds", type=count, default=3, help="turns of CV and tenfold (3)")
    parser.add_argument("--finalists", type=count, default=2, help="others that run the whole CV job (2)")
    parser.add_argument("--rows", type=count, default=17607, help="spectra of CV (17607)")
    parser.add_argument("--folds", type=count, default=10, help="folds of CV (10)")
    parser.add_argument("--epochs", type=count, default=5, help="epochs of CV (5)")
    parser.add_argument("--peers", default=",".join(PEERS), help="who takes part (%(default)s)")
    args = parser.parse_args()
    parts = ["R1", "R2", "R3", "CV", "tenfold"]
    for part in args.parts:
        if part not in parts:
            parser.error(f"there is no {part}; {', '.join(parts)} are possible")
    for kind in args.peers.split(","):
        if kind not in PEERS:
            parser.error(f"there is no {kind}; {', '.join(PEERS)} are possible")
    args.parts = args.parts or parts
    return args


def main():
    args = arguments()
    begin(args)
    load = Load()
    ratios = []
    with scratch() as folder:
        bench = Bench(args, folder)
        say(f"Training speed. {machine()}; {args.rounds} rounds in turn, medians (CV: {args.cv_rounds}).")
        if args.by_cpu:
            say("Seconds are those that a program's threads got of a processor, not those that passed.")
        say("One of our networks never uses more than one thread: 2 threads are two trainings side by side, each with")
        say("a context of its own, as the folds of a cross-validation run. The others use both threads for one training.\n")
        for part in args.parts:
            if part == "tenfold":
                tenfold(bench)
                continue
            ratio = cv(bench) if part == "CV" else network(bench, part)
            ratios.append(f"{part} {ratio:.2f}" if ratio else f"{part} -")
        if bench.versions:
            say("Compared with " + "; ".join(bench.versions.values()) + ".")
    say(load.text())
    if ratios:
        say("train " + " ".join(ratios))


if __name__ == "__main__":
    sys.exit(main())
