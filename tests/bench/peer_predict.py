#!/usr/bin/env python3
"""Predicts with a network of the benchmark in another framework, with our weights.

usage: peer_predict.py onnx|torch NETWORK BATCH FOLDER

FOLDER holds what bench_predict --write left. The outputs must be ours to 1e-4 of their largest value,
or there is nothing to compare. Speaks as bench_rounds() does, see peer_train.py."""
import json
import os
import sys
import time
import warnings

import numpy as np
import torch

import peer_torch

AGREE = 1e-4


def our_layers(folder):
    """[(kind, {part: values})] from input to output, as our network has them."""
    values = np.fromfile(folder + "/weights.f32", np.float32)
    layers, at = {}, 0
    with open(folder + "/weights.json", encoding="utf-8") as file:
        for name, *dims in json.load(file):
            size = int(np.prod(dims))
            layer, _, part = name.partition(".")
            layers.setdefault(layer, {})[part] = values[at:at + size].reshape(dims)
            at += size
    return [(name.partition("_")[0], parts) for name, parts in layers.items()]


def with_our_weights(network, folder):
    """PyTorch's network with our weights: channels first, so that its first dense layer meets the
    values of a channel in a row where ours meets those of a band."""
    model = peer_torch.build(network).eval()
    ours = iter(our_layers(folder))
    filters = 0
    with torch.no_grad():
        for module in model:
            if not list(module.parameters()):
                continue
            kind, parts = next(ours)
            p = {name: np.ascontiguousarray(value) for name, value in parts.items()}
            if kind == "conv":
                filters = p["weight"].shape[2]
                p["weight"] = np.ascontiguousarray(p["weight"].transpose(2, 1, 0))
            elif kind == "bn":
                p = {"weight": p["scale"], "bias": p["shift"], "running_mean": p["mean"],
                     "running_var": p["variance"]}
            else:
                if filters:  # the layer that flattens: band by band -> channel by channel
                    inputs, units = p["weight"].shape
                    p["weight"] = p["weight"].reshape(inputs // filters, filters, units).transpose(1, 0, 2).reshape(
                        inputs, units)
                    filters = 0
                p["weight"] = np.ascontiguousarray(p["weight"].T)
            for name, value in p.items():
                getattr(module, name).copy_(torch.from_numpy(value))
    return model


class Torch:
    def __init__(self, model, parts):
        self.versions = f"PyTorch {torch.__version__}"
        self.model, self.parts = model, [torch.from_numpy(p) for p in parts]

    def run(self, calls):
        parts, model = self.parts, self.model
        with torch.inference_mode():
            for i in range(calls):
                y = model(parts[i % len(parts)])
        return y.numpy()


class Onnx:
    """ONNX Runtime on a model of fixed shape, with inputs and outputs bound: its fastest way."""

    def __init__(self, model, parts, folder):
        import onnxruntime

        self.versions = f"ONNX Runtime {onnxruntime.__version__}"
        path = f"{folder}/model-{len(parts[0])}-{os.getpid()}.onnx"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(model, (torch.from_numpy(parts[0]),), path, input_names=["x"], output_names=["y"])
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.out = np.empty((len(parts[0]), 1), np.float32)
        self.bound = []
        for part in parts:
            binding = self.session.io_binding()
            binding.bind_ortvalue_input("x", onnxruntime.OrtValue.ortvalue_from_numpy(part))
            self.y = onnxruntime.OrtValue.ortvalue_from_numpy(self.out)
            binding.bind_ortvalue_output("y", self.y)
            self.bound.append((binding, self.y))

    def run(self, calls):
        run, bound = self.session.run_with_iobinding, self.bound
        for i in range(calls):
            run(bound[i % len(bound)][0])
        return bound[(calls - 1) % len(bound)][1].numpy()


def calibrate(peer, batch):
    """As many calls as take about half a second."""
    calls, seconds = 1, 0
    while seconds < 0.1:
        calls *= 2
        start = time.perf_counter()
        peer.run(calls)
        seconds = time.perf_counter() - start
    return max(1, int(0.5 * calls / seconds))


def main():
    kind, network, batch, folder = *sys.argv[1:3], int(sys.argv[3]), sys.argv[4]
    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    torch.set_flush_denormal(True)
    out, sys.stdout = sys.stdout, sys.stderr  # what frameworks print is no answer
    shape = (175, 1) if network == "R3" else (210, 4)
    x = np.fromfile(folder + "/x.f32", np.float32).reshape(-1, *shape).transpose(0, 2, 1)
    y = np.fromfile(folder + "/y.f32", np.float32)
    parts = [np.ascontiguousarray(x[i:i + batch]) for i in range(0, len(x), batch)]
    model = with_our_weights(network, folder)
    peer = Torch(model, parts) if kind == "torch" else Onnx(model, parts, folder)
    got = np.concatenate([peer.run(i + 1).copy() for i in range(len(parts))])[:, 0]
    error = float(np.abs(got - y).max() / np.abs(y).max())
    if not error < AGREE:
        sys.exit(f"outputs differ from ours by {error:.2g} of the largest; at most {AGREE:g} may be")
    calls = calibrate(peer, batch)
    print("ready", json.dumps({"version": peer.versions, "error": error}), file=out, flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        peer.run(calls)
        print("done", calls * batch, time.perf_counter() - start, file=out, flush=True)


main()
