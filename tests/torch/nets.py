"""Random networks in PyTorch: their shapes, their training, and the file in which the library's tests find both.

Everything a network needs is in its Net; `reference()` trains it. What ours does otherwise than PyTorch by default
is written out here: padding of even kernels, averages over the values inside, Adam's epsilon."""
import collections
import dataclasses
import math
import random
import struct

import numpy
import torch
import torch.nn.functional as F

STEPS = 50
# What networks are drawn from.
BANDS = (1, 5, 9, 16, 21, 33, 47, 64)
CHANNELS = (1, 2, 3, 4, 5)
OUTPUTS = (1, 2, 3)
ROWS = (2, 5, 16, 33)
BLOCKS = (0, 1, 2, 3)  # of convolution, of dense layers
FILTERS = (1, 3, 8, 16, 17, 32, 64)
UNITS = (1, 2, 5, 8, 16, 17, 36)
KERNELS = (1, 2, 3, 4, 5, 15)
POOLS = (2, 3, 4, 5)
STRIDES = (1, 2, 3)
EPSILONS = (1e-7, 1e-3)  # see Net
VALID, SAME = 1, 2  # spt_padding
MAX, AVERAGE = 1, 2  # spt_pool
ACTIVATIONS = {1: "relu", 2: "leaky_relu", 3: "elu", 4: "selu", 5: "swish"}  # spt_activation
LOSSES = ("mse", "mae", "huber")
# Where rounding decides, the numbers of a draw say nothing on who is right: weights and data are drawn anew, after some
# tries another shape. Outputs, gradients, weights after the last step may differ by this, in the measure of the bars
# (1e-5, 1e-4, 1e-3), between PyTorch's float32 and float64, and when all kinks within reach are taken the other way.
ROUNDING = (1e-6, 3e-6, 2e-5)
KINKS = (1e-6, 2e-5, 2e-4)
TRIES = 8
# Batch normalisation of two values gives -1 and 1 whatever they are: no gradient but rounding.
FEWEST_NORMALISED = 5


# Rounding takes a value of float32 by about 1e-6 of its layer's root mean square from where it should be, some steps on
# by more. Within this share of it of a kink (of ReLU, of the largest in a window, of the absolute error) rounding may
# decide which of two gradients is taken. Of many values each weighs little and some are always near: less is enough.
def reach(n_values):
    return min(3e-5, max(3e-6, 0.06 / n_values))


@dataclasses.dataclass
class Layer:
    what: str  # c convolution, b batch normalisation, a activation, p pooling, d dense: letters of the file
    units: int = 0
    kernel: int = 0
    stride: int = 0
    padding: int = 0
    type: int = 0  # spt_activation, spt_pool


@dataclasses.dataclass
class Net:
    seed: int
    bands: int
    channels: int
    outputs: int
    rows: int
    loss: str
    huber_delta: float
    learning_rate: float
    # The exact gradient of a bias before batch normalisation is zero. With the usual 1e-7 Adam makes steps of what
    # rounding leaves of it; with the larger epsilon it does not, and every tensor can be compared.
    epsilon: float
    layers: list


# ---- shapes ------------------------------------------------------------------------------------------------------

def windows(length, layer):
    """Length of the output, and zeros before and after the input."""
    if layer.padding == VALID:
        return (length - layer.kernel) // layer.stride + 1, 0, 0
    out = -(-length // layer.stride)
    pad = max(0, (out - 1) * layer.stride + layer.kernel - length)
    return out, pad // 2, pad - pad // 2


def window_layer(r, length, what, kernels, **more):
    layer = Layer(what, kernel=r.choice(kernels), stride=r.choice(STRIDES), padding=r.choice((VALID, SAME)), **more)
    return layer if windows(length, layer)[0] > 0 else None


def after(r, values):
    """What follows a convolution or dense layer with `values` numbers per channel in a batch."""
    norm = [Layer("b")] if values >= FEWEST_NORMALISED and r.random() < 0.4 else []
    return norm + [Layer("a", type=r.choice(list(ACTIVATIONS)))]


def draw(r):
    """A random network, or None if what was drawn is impossible."""
    net = Net(0, r.choice(BANDS), r.choice(CHANNELS), r.choice(OUTPUTS), r.choice(ROWS), r.choice(LOSSES),
              huber_delta=r.choice((0.25, 1.0)), learning_rate=2**-10, epsilon=EPSILONS[0], layers=[])
    length, layers = net.bands, net.layers
    for _ in range(r.choice(BLOCKS)):
        conv = window_layer(r, length, "c", KERNELS, units=r.choice(FILTERS))
        if not conv:
            return None
        length = windows(length, conv)[0]
        layers += [conv] + after(r, net.rows * length)
        if r.random() < 0.5:
            pool = window_layer(r, length, "p", POOLS, type=r.choice((MAX, AVERAGE)))
            if not pool:
                return None
            length = windows(length, pool)[0]
            layers.append(pool)
    for _ in range(r.choice(BLOCKS)):
        layers += [Layer("d", units=r.choice(UNITS))] + after(r, net.rows)
    if any(l.what == "b" for l in layers):
        net.epsilon = r.choice(EPSILONS)
    return net


def features(net):
    """What is in it that the tests must not miss, in words."""
    found = {f"channels {net.channels}", f"outputs {net.outputs}", f"rows {net.rows}", f"loss {net.loss}", f"bands {net.bands}",
             f"convolutions {sum(l.what == 'c' for l in net.layers)}", f"dense layers {sum(l.what == 'd' for l in net.layers)}"}
    before = ""
    for l in net.layers:
        if l.what in "cp":
            kind = "convolution" if l.what == "c" else "max pool" if l.type == MAX else "average pool"
            padding = "same" if l.padding == SAME else "valid"
            found |= {f"{kind} of {l.kernel}", f"{kind} {padding} stride {l.stride}",
                      f"{kind} {padding} {'even' if l.kernel % 2 == 0 else 'odd'}"}
        if l.what == "c":
            found.add(f"filters {l.units}")
        if l.what == "d":
            found.add(f"units {l.units}")
        if l.what == "b":
            found.add(f"batch norm after {before}, epsilon {net.epsilon}")
        if l.what == "a":
            found.add(f"{ACTIVATIONS[l.type]} after {before}")
        before = l.what
    return found


def wanted():
    """All that features() can find."""
    found = set()
    for word, values in (("channels", CHANNELS), ("outputs", OUTPUTS), ("rows", ROWS), ("loss", LOSSES), ("bands", BANDS),
                         ("convolutions", BLOCKS), ("dense layers", BLOCKS), ("filters", FILTERS), ("units", UNITS)):
        found |= {f"{word} {v}" for v in values}
    for kind, sizes in (("convolution", KERNELS), ("max pool", POOLS), ("average pool", POOLS)):
        found |= {f"{kind} of {k}" for k in sizes}
        found |= {f"{kind} {p} {x}" for p in ("same", "valid") for x in ("even", "odd", *(f"stride {s}" for s in STRIDES))}
    found |= {f"batch norm after {w}, epsilon {e}" for w in "cd" for e in EPSILONS}
    return found | {f"{a} after {w}" for a in ACTIVATIONS.values() for w in "cbd"}


def n_weights(net):
    return sum(p.numel() for p in Model(net).parameters())


def draw_rare(r, seen, most_weights):
    """Of some random networks the one that has most of what was rare so far."""
    candidates = []
    while len(candidates) < 12:
        net = draw(r)
        if net and n_weights(net) <= most_weights:
            candidates.append(net)
    return max(candidates, key=lambda net: sum(1 / (1 + seen[f]) ** 2 for f in features(net)))


# ---- the model ---------------------------------------------------------------------------------------------------

class Model(torch.nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net, self.parts = net, torch.nn.ModuleList()
        length, channels = net.bands, net.channels
        for l in net.layers + [Layer("d", units=net.outputs)]:
            part = torch.nn.Identity()
            if l.what == "c":
                part = torch.nn.Conv1d(channels, l.units, l.kernel, l.stride)
            elif l.what == "d":
                part = torch.nn.Linear(length * channels, l.units)
                length = 1
            elif l.what == "b":
                part = torch.nn.BatchNorm1d(channels, eps=1e-5, momentum=0.1)
            if l.what in "cp":
                length = windows(length, l)[0]
            channels = l.units or channels
            self.parts.append(part)

    def forward(self, x, mirror=False):
        """x is rows x bands x channels. `mirror` takes the other gradient at kinks within reach."""
        x = x.transpose(1, 2)
        for l, part in zip(self.net.layers + [Layer("d")], self.parts):
            if l.what == "c":
                x = part(F.pad(x, windows(x.shape[2], l)[1:]))
            elif l.what == "d":
                x = part(x.transpose(1, 2).flatten(1) if x.dim() == 3 else x)  # channels last
            elif l.what == "b":
                x = part(x)
            elif l.what == "a":
                f = {1: F.relu, 2: F.leaky_relu, 3: F.elu, 4: F.selu, 5: F.silu}[l.type]
                x = gradient_of(f(x), f(other_side(x, size(x)))) if mirror else f(x)
            else:
                x = pool(x, l, mirror)
        return x


def gradient_of(value, other):
    """The value, with the gradient of the other."""
    return other + (value - other).detach()


def size(x):
    return x[x.isfinite()].square().mean().sqrt()


def other_side(x, scale):
    """x, but on the other side of zero where it is within reach."""
    return x - torch.where(x.abs() < reach(x.numel()) * scale, 2 * x, 0 * x).detach()


def other_largest(x, l):
    """x, but where the two largest of a window are within reach the second is the larger. Zeros are those of ReLU, which
    passes no gradient on."""
    two = x.unfold(2, l.kernel, l.stride).topk(2, dim=3)
    gap = two.values[..., 0] - two.values[..., 1]
    near = (gap < reach(x.numel()) * size(x)) & (two.values[..., 0] != 0)
    second = two.indices[..., 1] + l.stride * torch.arange(gap.shape[2])
    return x.scatter_add(2, second, torch.where(near, 2 * gap, torch.zeros_like(gap)).detach())


def pool(x, l, mirror):
    padding = windows(x.shape[2], l)[1:]
    if l.type == AVERAGE:
        inside = F.avg_pool1d(F.pad(torch.ones_like(x), padding), l.kernel, l.stride)
        return F.avg_pool1d(F.pad(x, padding), l.kernel, l.stride) / inside
    x = F.pad(x, padding, value=-math.inf)
    y = F.max_pool1d(x, l.kernel, l.stride)
    return gradient_of(y, F.max_pool1d(other_largest(x, l), l.kernel, l.stride)) if mirror else y


def loss_of(net, y, target, mirror=False):
    if net.loss == "huber":
        return F.huber_loss(y, target, delta=net.huber_delta)
    if net.loss == "mae":
        loss = F.l1_loss(y, target)
        return gradient_of(loss, other_side(y - target, 1.0).abs().mean()) if mirror else loss
    return F.mse_loss(y, target)


# ---- reference values --------------------------------------------------------------------------------------------

def data(net):
    """Inputs in [-2, 2) and targets in [-1, 1), exact in float32: 24 bits of SplitMix64 (Steele, Lea and Flood 2014)."""
    n_x, n_y = net.rows * net.bands * net.channels, net.rows * net.outputs
    u64 = numpy.uint64
    with numpy.errstate(over="ignore"):
        z = (u64(net.seed) << u64(32)) + numpy.arange(1, n_x + n_y + 1, dtype=u64) * u64(0x9E3779B97F4A7C15)
        z = (z ^ z >> u64(30)) * u64(0xBF58476D1CE4E5B9)
        z = (z ^ z >> u64(27)) * u64(0x94D049BB133111EB)
        z ^= z >> u64(31)
    u = torch.from_numpy((z >> u64(40)).astype(numpy.float64) / 2**24)
    return 4 * u[:n_x].reshape(net.rows, net.bands, net.channels) - 2, 2 * u[n_x:].reshape(net.rows, net.outputs) - 1


@dataclasses.dataclass
class Tensor:
    """One of ours, in our order and layout."""
    name: str  # PyTorch's
    trainable: bool
    zero: bool = False  # its exact gradient is zero
    undetermined: bool = False  # and Adam makes steps of what rounding leaves

    def ours(self, value):
        """PyTorch has filters x channels x kernel and units x inputs."""
        return value.permute(*reversed(range(value.dim()))) if self.name.endswith("weight") else value


def tensors(net):
    found, layers = [], net.layers + [Layer("d")]
    lost = net.epsilon == EPSILONS[0]
    for i, l in enumerate(layers):
        normed = i + 1 < len(layers) and layers[i + 1].what == "b"
        if l.what in "cd":
            found += [Tensor(f"parts.{i}.weight", True), Tensor(f"parts.{i}.bias", True, normed, normed and lost)]
        if l.what == "b":
            found += [Tensor(f"parts.{i}.weight", True), Tensor(f"parts.{i}.bias", True),
                      Tensor(f"parts.{i}.running_mean", False, False, lost), Tensor(f"parts.{i}.running_var", False)]
    return found


@dataclasses.dataclass
class Values:
    """What PyTorch makes of a network; tensors by name, ours in layout."""
    initial: dict
    gradient: dict
    final: dict
    losses: list
    predicted: torch.Tensor
    trained: torch.Tensor
    predicted_last: torch.Tensor


def rounded(state):
    return {k: v.detach().float().clone() for k, v in state.items() if v.is_floating_point()}


def predict(model, x):
    model.eval()
    with torch.no_grad():
        y = model(x)
    model.train()
    return y


def reference(net, dtype, steps=STEPS, backwards=False, mirror=False):
    """Train with PyTorch's initial weights (which are float32) and data in numbers of that type. `backwards` has the rows
    the other way round: the same sums in another order; `mirror` takes kinks the other way."""
    torch.manual_seed(net.seed)
    model = Model(net)
    initial = rounded(model.state_dict())
    model = model.to(dtype)
    x, target = (v.flip(0) if backwards else v for v in data(net))
    x, target = x.to(dtype), target.to(dtype)
    predicted = predict(model, x)
    adam = torch.optim.Adam(model.parameters(), lr=net.learning_rate)
    losses = []
    for step in range(1, steps + 1):
        # We add epsilon to the root of the uncorrected mean square (as Keras does), PyTorch to that of the corrected.
        adam.param_groups[0]["eps"] = net.epsilon / math.sqrt(1 - 0.999**step)
        adam.zero_grad()
        y = model(x, mirror)
        loss = loss_of(net, y, target, mirror)
        loss.backward()
        losses.append(loss.item())
        if step == 1:
            trained = y.detach()
            gradient = {k: p.grad.detach().clone() for k, p in model.named_parameters()}
        adam.step()
    final = rounded(model.state_dict())
    model.load_state_dict(final, strict=False)  # what ours will load
    return Values(initial, gradient, final, losses, predicted, trained, predict(model, x))


def difference(a, b, scale=None):
    """Largest difference over largest value, of `scale` if given."""
    off = (a.double() - b.double()).abs().max().item()
    return off / (b if scale is None else scale).double().abs().max().item() if off else 0.0


def steady(net, double, other, most, turn=lambda y: y):
    """Is `other` near enough to the values in float64? `turn` puts the rows in order."""
    output = max(difference(turn(getattr(other, k)), getattr(double, k)) for k in ("predicted", "trained"))
    gradient = weight = 0.0
    scale = None
    for t in tensors(net):
        if t.trainable:
            scale = scale if t.zero else double.gradient[t.name]
            gradient = max(gradient, difference(other.gradient[t.name], double.gradient[t.name], scale))
        if not t.undetermined:
            weight = max(weight, difference(other.final[t.name], double.final[t.name]))
    return output <= most[0] and gradient <= most[1] and weight <= most[2]


def fit_values(net):
    """The values in float64 and in float32, if they can say who is right, else None."""
    for steps in (1, STEPS):  # one step shows most of what is unfit
        double = reference(net, torch.float64, steps)
        if not all(double.gradient[t.name].abs().max() > 0 for t in tensors(net) if t.trainable and not t.zero):
            return None
        single = reference(net, torch.float32, steps)
        if not steady(net, double, single, ROUNDING):
            return None
        if not steady(net, double, reference(net, torch.float64, steps, mirror=True), KINKS):
            return None
        if not steady(net, double, reference(net, torch.float32, steps, backwards=True), ROUNDING, lambda y: y.flip(0)):
            return None
    return double, single


@dataclasses.dataclass
class Made:
    cases: list  # (net, values in float64, in float32)
    seen: collections.Counter  # how often what features() finds
    drawn: collections.Counter  # how much it took


def make(seed, n, most_weights):
    """n networks with their values."""
    torch.set_num_threads(1)
    r, made = random.Random(seed), Made([], collections.Counter(), collections.Counter())
    while len(made.cases) < n:
        net = draw_rare(r, made.seen, most_weights)
        made.drawn["shapes"] += 1
        for _ in range(TRIES):
            net.seed = r.randrange(2**32)
            made.drawn["weights"] += 1
            values = fit_values(net)
            if values:
                made.cases.append((net, *values))
                made.seen.update(features(net))
                break
    return made


def story(seed, made):
    weights = sorted(n_weights(net) for net, _, _ in made.cases)
    missing = sorted(wanted() - set(made.seen))
    return (f"PyTorch {torch.__version__}, seed {seed}: {len(made.cases)} networks of {weights[0]} to {weights[-1]} weights, from "
            f"{made.drawn['shapes']} shapes and {made.drawn['weights']} draws of weights and data"
            + (f"; not among them: {', '.join(missing)}" if missing else ""))


# ---- the file, which compare.c reads -----------------------------------------------------------------------------

def words_of_tensor(t, values):
    flags = t.trainable | t.zero << 1 | t.undetermined << 2
    parts = [values.initial] + ([values.gradient] if t.trainable else []) + [values.final]
    arrays = [t.ours(p[t.name].detach()).contiguous().numpy().astype("<f4").tobytes() for p in parts]
    return struct.pack("<2I", flags, len(arrays[0]) // 4) + b"".join(arrays)


def words_of(net, values):
    out = struct.pack("<6I3fI", net.seed, net.bands, net.channels, net.outputs, net.rows, LOSSES.index(net.loss),
                      net.huber_delta, net.learning_rate, net.epsilon, len(net.layers))
    for l in net.layers:
        out += struct.pack("<6I", ord(l.what), l.units, l.kernel, l.stride, l.padding, l.type)
    ts = tensors(net)
    out += struct.pack("<I", len(ts)) + b"".join(words_of_tensor(t, values) for t in ts)
    out += struct.pack("<2f", values.losses[0], values.losses[-1])
    for y in (values.predicted, values.trained, values.predicted_last):
        out += y.numpy().astype("<f4").tobytes()
    return struct.pack("<I", len(out) // 4) + out


def write(path, cases):
    """All words little-endian of 32 bits: "SPT1", number of networks, steps; then the networks as words_of() has them."""
    with open(path, "wb") as f:
        f.write(struct.pack("<4s2I", b"SPT1", len(cases), STEPS) + b"".join(words_of(*c) for c in cases))
