#!/usr/bin/env python3
"""prediction speed on one thread: batches of 512 and single spectra, beside ONNX Runtime and PyTorch

The same weights in all programs, outputs compared before anything is timed; they take turns for some
rounds, medians count. The last line has ours over ONNX Runtime. doc/bench.md describes it."""
import argparse
import sys

from common import (Load, begin, common_options, crew, machine, peers_python, progress, say, scratch, start_ours,
                    start_peer, table, thousands, write_inputs)

NETWORKS = ("R1", "R2", "R3")
SIZES = (512, 1)
PEERS = {"onnx": "ONNX Runtime", "torch": "PyTorch"}


def one_size(workers, args, network, size, folder):
    """Ours and the others at so many spectra a call: {name: worker}."""
    programs = {"spectune": start_ours(workers, "bench_predict", network, "--batch", str(size), folder=folder)}
    for kind, name in PEERS.items():
        if args.ours or (kind == "onnx" and peers_python()[1]):
            continue
        worker = start_peer(workers, name, "peer_predict.py", kind, network, str(size), str(folder / network),
                            folder=folder)
        if worker:
            programs[name] = worker
    return programs


def measure(args, network, folder, versions):
    """A network's lines of the table, and its two ratios (None where nobody is there)."""
    write_inputs(folder / network, "bench_predict", network)
    with crew() as workers:
        batch, single = (one_size(workers, args, network, size, folder) for size in SIZES)
        for i in range(args.rounds):
            for worker in workers:
                progress(f"{network}: round {i + 1} of {args.rounds}, {worker.name}")
                worker.go()
        progress("")
        lines = []
        for name, many in batch.items():
            one = single.get(name)
            if name != "spectune":
                versions[name] = many.facts["version"]
            lines.append([network, name, thousands(many.rate),
                          f"{thousands(min(many.rates))} to {thousands(max(many.rates))}",
                          *([f"{1e6 / one.rate:.1f}", f"{1e6 / max(one.rates):.1f} to {1e6 / min(one.rates):.1f}"]
                            if one else ["-", ""]),
                          f"{many.facts['error']:.0e}" if name != "spectune" else ""])
        other = PEERS["onnx"] if PEERS["onnx"] in batch else PEERS["torch"]
        return lines, [size["spectune"].rate / size[other].rate if other in size else None for size in (batch, single)]


def main():
    parser = argparse.ArgumentParser(prog="run.sh predict", description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", metavar="R1|R2|R3", help="only these")
    common_options(parser, 7)
    args = parser.parse_args()
    for name in args.networks:
        if name not in NETWORKS:
            parser.error(f"there is no {name}; {', '.join(NETWORKS)} are possible")
    begin(args)
    load = Load()
    lines, ratios, versions = [], {}, {}
    with scratch() as folder:
        say(f"Prediction speed on one thread. {machine()}; {args.rounds} rounds in turn, medians.")
        for name in args.networks or NETWORKS:
            more, ratios[name] = measure(args, name, folder, versions)
            lines += more
    table(["", "", f"spectra/s, {SIZES[0]} a call", "lowest to highest", "us a single spectrum", "lowest to highest", "differs by"],
          lines)
    if versions:
        say("Compared with " + "; ".join(versions.values()) + ".")
    say(load.text())
    say("predict " + " ".join(
        kind + "".join(f" {name} {both[i]:.2f}" if both[i] else f" {name} -" for name, both in ratios.items())
        for i, kind in enumerate(("batch", "single"))))


if __name__ == "__main__":
    sys.exit(main())
