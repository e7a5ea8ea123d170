#!/usr/bin/env python3
"""A training loop in PyTorch, tuned by libspectune; the winner becomes a model of ours.

    torch_loop.py [TRIALS [MODEL.xml]]

Twice as many trials: the first half through the objective callback of `Study.run()`, the second with ask and tell, where
this program owns the loop. Fat in meat: C rows train, M rows score, T rows stay untouched. At the end the weights of the
best network are put into a network of libspectune, whose predictions must be PyTorch's to 1e-5.
"""
import math
import sys
from pathlib import Path

import numpy as np
import spectune
import torch

CHANNELS = "A A+D2"
EPOCHS, BATCH = 40, 16
ACTIVATIONS = {"relu": torch.nn.ReLU, "elu": torch.nn.ELU, "swish": torch.nn.SiLU}


def search_space():
    """Names that the network builder of the library knows, so that a configuration is a network there, too."""
    return (spectune.Space("torch").add_int("conv_blocks", 1, 1).add_int("conv_1_filters", 4, 32, 16, log=True)
            .add_int("conv_1_kernel", 3, 15, 9, step=2).add_bool("conv_1_batch_norm", True)
            .add_categorical("conv_1_activation", list(ACTIVATIONS), "elu").add_int("fc_blocks", 1, 1)
            .add_int("fc_1_units", 8, 64, 32, log=True).add_categorical("fc_1_activation", list(ACTIVATIONS), "elu")
            .add_float("learning_rate", 3e-4, 1e-2, 3e-3, log=True))


class Data:
    """Channels and scaling are the library's; what the scalers see is our business."""

    def __init__(self, dataset):
        split, self.y = dataset["split"], dataset["fat"]
        self.dataset, self.train, self.score = dataset, split == "C", split == "M"
        x = spectune.Prep().channels(dataset, CHANNELS)
        self.scaler = spectune.Scaler.fit(x, np.flatnonzero(self.train), "band")
        self.x = torch.from_numpy(self.scaler.apply(x)).transpose(1, 2).contiguous()  # PyTorch has channels first
        self.mean, self.sd = self.y[self.train].mean(), self.y[self.train].std(ddof=1)
        self.z = torch.from_numpy(((self.y - self.mean) / self.sd).astype(np.float32))


def build(params, bands, channels):
    """The network of a configuration in PyTorch."""
    filters, kernel, units = params["conv_1_filters"], params["conv_1_kernel"], params["fc_1_units"]
    layers = [torch.nn.Conv1d(channels, filters, kernel, padding=kernel // 2)]
    if params["conv_1_batch_norm"]:
        layers.append(torch.nn.BatchNorm1d(filters))
    layers += [ACTIVATIONS[params["conv_1_activation"]](), torch.nn.Flatten(), torch.nn.Linear(filters * bands, units),
               ACTIVATIONS[params["fc_1_activation"]](), torch.nn.Linear(units, 1)]
    return torch.nn.Sequential(*layers)


def rmse(net, data, rows):
    net.eval()
    with torch.no_grad():
        out = net(data.x[rows])[:, 0].numpy() * data.sd + data.mean
    return float(np.sqrt(np.mean((out - data.y[rows]) ** 2)))


def fit(trial, data):
    """Train one configuration. Every tenth epoch the study is told, and may say that it is hopeless."""
    torch.manual_seed(trial.number)
    net = build(trial.params, data.x.shape[2], data.x.shape[1])
    optimizer = torch.optim.Adam(net.parameters(), lr=trial.params["learning_rate"])
    rows = np.flatnonzero(data.train)
    for epoch in range(EPOCHS):
        net.train()
        for batch in np.array_split(np.random.default_rng(epoch).permutation(rows), math.ceil(len(rows) / BATCH)):
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(net(data.x[batch])[:, 0], data.z[batch]).backward()
            optimizer.step()
        if epoch % 10 == 9:
            trial.report(rmse(net, data, data.score), epoch // 10)
            if trial.should_prune():
                raise spectune.TrialPruned
    return net, rmse(net, data, data.score)


def convert(net, params, bands, channels):
    """The same network with the same weights in libspectune. There a convolution's weights stand as kernel x channels x
    filters, a dense layer's as inputs x units, and inputs are flattened band by band, not filter by filter."""
    space = search_space()
    ours = spectune.Network.from_config(space.config(params), bands, channels)
    conv = next(m for m in net if isinstance(m, torch.nn.Conv1d))
    dense, output = (m for m in net if isinstance(m, torch.nn.Linear))
    state = {"conv_1.weight": conv.weight.permute(2, 1, 0), "conv_1.bias": conv.bias,
             "dense_1.weight": dense.weight.reshape(-1, conv.out_channels, bands).permute(2, 1, 0).flatten(0, 1),
             "dense_1.bias": dense.bias, "output.weight": output.weight.T, "output.bias": output.bias}
    for bn in (m for m in net if isinstance(m, torch.nn.BatchNorm1d)):
        state.update({"bn_1.scale": bn.weight, "bn_1.shift": bn.bias, "bn_1.mean": bn.running_mean,
                      "bn_1.variance": bn.running_var})
    return ours.set_state({name: t.detach().numpy() for name, t in state.items()})


def main(trials=4, path=None):
    torch.set_num_threads(1)
    table = Path(__file__).resolve().parents[1] / "data/tecator.csv"
    data = Data(spectune.Dataset.read_csv(table, unit="absorbance"))
    study = spectune.Study(space=search_space(), prune="median", prune_steps="epochs", prune_startup=3)
    best = {"loss": math.inf}

    def keep(trial, net, loss):
        print(f"trial {trial.number:2d}: RMSE {loss:.3f}")
        if loss < best["loss"]:
            best.update(loss=loss, net=net, params=trial.params)

    def objective(trial):
        net, loss = fit(trial, data)
        keep(trial, net, loss)
        return loss
    study.run(trials, objective=objective)

    for _ in range(trials):
        with study.ask() as trial:
            try:
                net, loss = fit(trial, data)
            except spectune.TrialPruned:
                study.tell(trial, trial.last, "pruned")
            else:
                keep(trial, net, loss)
                study.tell(trial, loss)

    net = best["net"].eval()
    ours = convert(net, best["params"], data.x.shape[2], data.x.shape[1])
    model = spectune.Model.assemble(data.dataset, ours, channels=CHANNELS, scaler=data.scaler, target="fat",
                                    target_mean=data.mean, target_sd=data.sd)
    with torch.no_grad():
        theirs = net(data.x)[:, 0].numpy()
    z = (model.predict(data.dataset) - data.mean) / data.sd
    worst = float(np.max(np.abs(z - theirs)))
    print(f"best RMSE on the M rows: {best['loss']:.3f} percent fat; our predictions are PyTorch's to {worst:.1e} s.d.")
    if path is not None:
        model.write(path)
    return 0 if worst < 1e-5 else 1


if __name__ == "__main__":
    sys.exit(main(*(int(a) for a in sys.argv[1:2]), *sys.argv[2:3]))
