#!/usr/bin/env python3
"""Trains a network of the benchmark in another framework, round by round.

usage: peer_train.py keras|keras-xla|keras-epoch|torch|torch-compiled NETWORK THREADS FOLDER FACTS [FOLDS]

FOLDER holds x.f32 and y.f32 (and fold.i32), FACTS is what our own program said of the job, FOLDS the
folds of a cross-validation that are this process's share ("0,2,4"). Speaks as bench_rounds() does:
"ready FACTS", then for each line that comes in "done SAMPLES SECONDS NOTE". The line "probe" asks for
one epoch in two folds (or one, of two processes) only."""
import json
import sys
import time

import numpy as np


def make(kind, network, threads, job):
    if kind.startswith("keras"):
        from peer_keras import Keras

        steps = -(-job["rows"] // job["batch"]) if kind == "keras-epoch" else 1
        return Keras(network, threads, kind == "keras-xla", steps)
    from peer_torch import Torch

    return Torch(network, threads, kind == "torch-compiled")


def one_training(peer, job):
    loss = peer.train(None, job["batch"], job["epochs"])
    return job["rows"] * job["epochs"], f"loss {loss:.4f}"


def some_folds(peer, job, y, fold, mine, epochs):
    samples, errors = 0, []
    for f in mine:
        held = np.flatnonzero(fold == f)
        rows = np.flatnonzero(fold != f)
        peer.restart()
        peer.train(rows, job["batch"], epochs)
        errors.append(float(np.sqrt(np.square(peer.predict(held) - y[held]).mean())))
        samples += len(rows) * epochs
    return samples, "rmse " + ",".join(f"{e:.4f}" for e in errors)


def warm_up(peer, job, fold):
    """Everything that is traced or compiled on first sight: full and last batches, predictions."""
    peer.train(None, job["batch"], 1)
    if fold is None:
        return
    everyone = np.arange(len(fold))
    for f in range(fold.max() + 1):
        last = int((fold != f).sum()) % job["batch"]
        peer.train(np.resize(everyone, job["batch"] + last), job["batch"], 1)
    peer.predict(np.flatnonzero(fold == 0))


def main():
    kind, network, threads, folder, job = *sys.argv[1:3], int(sys.argv[3]), sys.argv[4], json.loads(sys.argv[5])
    x = np.fromfile(folder + "/x.f32", np.float32).reshape(-1, job["bands"], job["channels"])
    y = np.fromfile(folder + "/y.f32", np.float32)
    mine = [int(f) for f in sys.argv[6].split(",")] if len(sys.argv) > 6 else None
    fold = np.fromfile(folder + "/fold.i32", np.int32) if mine is not None else None
    out, sys.stdout = sys.stdout, sys.stderr  # what frameworks print is no answer
    peer = make(kind, network, threads, job)
    peer.load(x, y)
    warm_up(peer, job, fold)
    print("ready", json.dumps({"version": peer.versions}), file=out, flush=True)
    for line in sys.stdin:
        start = time.perf_counter()
        if fold is None:
            samples, note = one_training(peer, job)
        elif line.strip() == "probe":
            samples, note = some_folds(peer, job, y, fold, mine[:threads], 1)
        else:
            samples, note = some_folds(peer, job, y, fold, mine, job["epochs"])
        print("done", samples, time.perf_counter() - start, note, file=out, flush=True)


main()
