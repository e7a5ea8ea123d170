"""The benchmark's networks in PyTorch, plain or compiled, set up as a careful user would.

The data lies in memory as one tensor, channels first; a mini-batch is one index_select. Numbers too
small to be normal are flushed, which PyTorch leaves to its user and TensorFlow does by itself."""
import numpy as np
import torch
from torch import nn


def dense(inputs, units):
    return [nn.Linear(inputs, units), nn.BatchNorm1d(units), nn.ReLU(), nn.Dropout(0.2)]


def conv(channels, filters, kernel):
    return [nn.Conv1d(channels, filters, kernel, padding=kernel // 2), nn.BatchNorm1d(filters), nn.ReLU(),
            nn.MaxPool1d(2)]


def build(network):
    body = {
        "R1": lambda: [nn.Conv1d(4, 64, 15, padding=7), nn.ReLU(), nn.Flatten(), *dense(64 * 210, 128),
                       *dense(128, 64), nn.Linear(64, 1)],
        "R2": lambda: [*conv(4, 32, 9), *conv(32, 64, 7), *conv(64, 128, 5), nn.Flatten(), *dense(128 * 26, 256),
                       nn.Linear(256, 1)],
        "R3": lambda: [nn.Conv1d(1, 8, 11, padding=5), nn.ReLU(), nn.Flatten(), *dense(8 * 175, 36),
                       *dense(36, 18), nn.Linear(18, 1)],
    }[network]()
    return nn.Sequential(*body)


class Torch:
    def __init__(self, network, threads, compiled):
        torch.set_num_threads(threads)
        torch.set_num_interop_threads(1)
        torch.set_flush_denormal(True)
        torch.manual_seed(1)
        self.versions = f"PyTorch {torch.__version__}"
        self.model = build(network)
        self.start = {k: v.clone() for k, v in self.model.state_dict().items()}
        self.forward = self.model
        if compiled:
            if not hasattr(torch, "compile"):
                raise RuntimeError(f"PyTorch {torch.__version__} has no torch.compile")
            self.forward = torch.compile(self.model, dynamic=False)
        self.loss = nn.MSELoss()
        self.fresh_optimizer()

    def fresh_optimizer(self):
        try:
            self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3, eps=1e-7, fused=True)
        except (TypeError, RuntimeError):  # releases that fuse on a GPU only, or not at all
            self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3, eps=1e-7)

    def load(self, x, y):
        self.x = torch.from_numpy(np.ascontiguousarray(x.transpose(0, 2, 1)))
        self.y = torch.from_numpy(np.ascontiguousarray(y)).reshape(-1, 1)

    def train(self, rows, batch, epochs):
        rows = torch.arange(len(self.y)) if rows is None else torch.from_numpy(rows)
        self.model.train()
        for _ in range(epochs):
            order = rows[torch.randperm(len(rows))]
            for part in order.split(batch):
                self.optimizer.zero_grad(set_to_none=True)
                loss = self.loss(self.forward(self.x.index_select(0, part)), self.y.index_select(0, part))
                loss.backward()
                self.optimizer.step()
        return float(loss.detach())

    def restart(self):
        self.model.load_state_dict(self.start)
        self.fresh_optimizer()

    def predict(self, rows):
        # In mini-batches, by the plain network: compiling once more for one pass would not pay.
        self.model.eval()
        with torch.inference_mode():
            parts = torch.from_numpy(rows).split(1024)
            return torch.cat([self.model(self.x.index_select(0, p)) for p in parts]).numpy()[:, 0]
