"""The picture of gradients by depth: two networks, at the start and later, with batch norm and without."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe and Ito's palette, as of trainer/report/curves.py; markers and dashes tell the lines apart without it.
_LOOKS: Mapping[bool, Mapping[str, Any]] = {
    True: {"color": "#0072B2", "marker": "o"},
    False: {"color": "#D55E00", "marker": "s"},
}


@dataclass(frozen=True)
class Gradients:
    """Of one network: by depth, the norm of the loss's gradient for the kernel of each convolution."""

    network: str
    shortcuts: bool
    norm: bool
    """Whether the network has batch norm."""
    before: Sequence[float]
    """With the first weights."""
    after: Sequence[float]
    """After ``len(losses)`` steps, of the same films."""
    losses: Sequence[float]
    """Of the steps."""


def draw_gradients(measured: Sequence[Gradients]) -> Figure:
    """A figure of 1200 x 560 pixels; left with batch norm, right without, on one logarithmic scale."""
    figure = Figure(figsize=(12, 5.6), dpi=100, layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, norm in zip(panels, (True, False), strict=True):
        for each in measured:
            if each.norm == norm:
                _draw(axes, each)
        _label(axes, "With batch norm" if norm else "Without batch norm")
    panels[0].set_ylabel("norm of the gradient", fontsize=13)
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=2, fontsize=12, frameon=False)
    return figure


def table(measured: Sequence[Gradients]) -> str:
    """The picture in numbers, as Markdown: of the first, a middle and the last convolution; the loss of the step."""
    lines = [
        "| network | batch norm | when | first convolution | middle | last | first over last | loss |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for each in measured:
        name = f"{each.network} | {'yes' if each.norm else 'no'}"
        lines.append(f"| {name} | first weights | {_cells(each.before)} | {each.losses[0]:.3f} |")
        lines.append(f"| {name} | after {len(each.losses)} steps | {_cells(each.after)} | {each.losses[-1]:.3f} |")
    return "\n".join(lines)


def _cells(norms: Sequence[float]) -> str:
    chosen = (norms[0], norms[len(norms) // 2], norms[-1])
    return " | ".join(_number(each) for each in (*chosen, norms[0] / norms[-1]))


def _number(value: float) -> str:
    """Two digits, without an exponent where they are many."""
    return f"{float(f'{value:.2g}'):g}"


def _draw(axes: Axes, each: Gradients) -> None:
    what = f"{each.network} ({'shortcuts' if each.shortcuts else 'no shortcuts'})"
    depths = range(1, len(each.before) + 1)
    common = {"linewidth": 2, "markersize": 5, **_LOOKS[each.shortcuts]}
    axes.plot(depths, each.before, linestyle=":", markerfacecolor="white", label=f"{what}, first weights", **common)
    axes.plot(depths, each.after, label=f"{what}, after {len(each.losses)} steps", **common)


def _label(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=15)
    axes.set_yscale("log")
    axes.set_xlabel("depth: convolutions from the film on", fontsize=13)
    axes.tick_params(labelsize=12)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
