"""Plots with matplotlib. Each function draws into `ax` (None: a new figure) and gives the axes back."""
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ._types import ArrayLike, Axes, Setting
from .explain import FAnova
from .model import statistics
from .study import Study

if TYPE_CHECKING:
    from .store import History


def _axes(ax, **how):
    if ax is not None:
        return ax
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        raise ImportError("plots need matplotlib: pip install matplotlib") from None
    return plt.subplots(layout="constrained", **how)[1]


def _history(study):
    return study.history() if isinstance(study, Study) else study


def _analysis(study, **knobs):
    return study if isinstance(study, FAnova) else FAnova(_history(study), **knobs)


def _scale(ax, parameter):
    """Positions and names of the ticks as the parameter wants them."""
    if parameter.choices is not None:
        ax.set_xticks(range(len(parameter.choices)), [str(c) for c in parameter.choices])
    elif parameter.log:
        ax.set_xscale("log")
    ax.set_xlabel(parameter.name)


def _index(parameter, value):
    return parameter.choices.index(value) if parameter.choices is not None else value


def plot_history(study: Study | History, ax: Axes | None = None) -> Axes:
    """Losses of the trials in order, and the best so far."""
    ax, history = _axes(ax), _history(study)
    trials = [t for t in history if t.state.name in ("COMPLETE", "PRUNED") and np.isfinite(t.value)]
    for state, style in (("COMPLETE", {"marker": "o"}), ("PRUNED", {"marker": "x", "color": "0.6"})):
        some = [t for t in trials if t.state.name == state]
        if some:
            ax.scatter([t.number for t in some], [t.value for t in some], s=18, label=state.lower(), **style)
    done = [t for t in trials if t.state.name == "COMPLETE"]
    if done:
        ax.step([t.number for t in done], np.minimum.accumulate([t.value for t in done]), where="post", color="C3",
                label="best so far")
        ax.legend()
    ax.set(xlabel="trial", ylabel="loss", title=history.name)
    return ax


def plot_importance(study: Study | History | FAnova, n: int = 15, ax: Axes | None = None, **knobs: Setting) -> Axes:
    """Shares of the n most important parameters with their standard errors. `study`: a Study, History or FAnova."""
    ax, analysis = _axes(ax), _analysis(study, **knobs)
    top = [i for i in analysis][:n][::-1]
    ax.barh([i.name for i in top], [i.share for i in top], xerr=[np.nan_to_num(i.error) for i in top], color="C0",
            error_kw={"ecolor": "0.3"})
    ax.set(xlabel="share of the variance of the loss", xlim=(0, None))
    return ax


def plot_slice(study: Study | History, name: str, ax: Axes | None = None) -> Axes:
    """The losses of the trials against one parameter, coloured by their numbers."""
    ax, history = _axes(ax), _history(study)
    parameter = history.space[name]
    trials = [t for t in history if t.state.name == "COMPLETE" and name in t.params]
    points = ax.scatter([_index(parameter, t.params[name]) for t in trials], [t.value for t in trials],
                        c=[t.number for t in trials], s=18, cmap="viridis")
    ax.figure.colorbar(points, ax=ax, label="trial")
    _scale(ax, parameter)
    ax.set_ylabel("loss")
    return ax


def plot_curve(study: Study | History | FAnova, name: str, ax: Axes | None = None, points: bool = True,
               **knobs: Setting) -> Axes:
    """The mean loss at the values of one parameter, its spread over the trees, and the trials beside."""
    ax, analysis = _axes(ax), _analysis(study, **knobs)
    parameter, curve = analysis.space[name], analysis.curve(name)
    if points:
        _, x, loss = analysis.points(name)
        ax.scatter(x, loss, s=10, color="0.7", label="trials")
    if curve.labels is None:
        ax.plot(curve.x, curve.mean, label="mean loss")
        ax.fill_between(curve.x, curve.mean - curve.sd, curve.mean + curve.sd, alpha=0.3)
    else:
        ax.errorbar(curve.x, curve.mean, curve.sd, fmt="o", capsize=4, label="mean loss")
    _scale(ax, parameter)
    ax.set_ylabel("loss")
    ax.legend()
    return ax


def plot_surface(study: Study | History | FAnova, first: str, second: str, ax: Axes | None = None,
                 **knobs: Setting) -> Axes:
    """The mean loss at the values of two parameters."""
    ax, analysis = _axes(ax), _analysis(study, **knobs)
    mean, _ = analysis.surface(first, second)
    a, b = analysis.curve(first), analysis.curve(second)
    mesh = ax.pcolormesh(a.x, b.x, np.ma.masked_invalid(mean.T), shading="nearest")
    ax.figure.colorbar(mesh, ax=ax, label="mean loss")
    _scale(ax, analysis.space[first])
    other = analysis.space[second]
    if other.choices is not None:
        ax.set_yticks(range(len(other.choices)), [str(c) for c in other.choices])
    elif other.log:
        ax.set_yscale("log")
    ax.set_ylabel(second)
    return ax


def plot_predicted(reference: ArrayLike, predicted: ArrayLike, ax: Axes | None = None, unit: str = "") -> Axes:
    """Predicted against observed values, with the line of equality and the statistics of agreement."""
    ax = _axes(ax)
    reference, predicted = np.ravel(np.asarray(reference, float)), np.ravel(np.asarray(predicted, float))
    s = statistics(reference, predicted)
    ax.scatter(reference, predicted, s=14)
    both = np.concatenate([reference, predicted])
    ends = np.nanmin(both), np.nanmax(both)
    ax.plot(ends, ends, color="0.5", lw=1)
    ax.text(0.03, 0.97, f"n {s.n}\nRMSE {s.rmse:.3g}\nbias {s.bias:.2g}\nR² {s.r2:.3f}\nRPD {s.rpd:.2f}", va="top",
            transform=ax.transAxes)
    unit = f" ({unit})" if unit else ""
    ax.set(xlabel=f"observed{unit}", ylabel=f"predicted{unit}")
    ax.set_aspect("equal", adjustable="datalim")
    return ax
