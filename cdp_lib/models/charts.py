"""Charts of a training as plain values, and their drawing without a screen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure


@dataclass(frozen=True)
class Bars:
    """A chart of horizontal bars: one panel per group, in each a bar per label and series."""

    title: str
    unit: str
    panels: Mapping[str, Mapping[str, Sequence[float]]]
    """Panel: label: one figure per series."""
    series: tuple[str, ...]


@dataclass(frozen=True)
class Curves:
    """A chart of curves over one axis; `diagonal` draws what no knowledge would give, from corner to corner."""

    title: str
    across: str
    up: str
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]]
    """Name: (across, up)."""
    diagonal: bool = False


Chart = Bars | Curves


def draw(chart: Chart) -> Figure:
    """The chart as a figure."""
    return draw_bars(chart) if isinstance(chart, Bars) else draw_curves(chart)


def draw_curves(chart: Curves) -> Figure:
    """The curves in one panel, a mark at each point where there are few."""
    figure = Figure(figsize=(6.5, 5), layout="constrained")
    axis = figure.subplots()
    for name, (across, up) in chart.curves.items():
        axis.plot(across, up, label=name, marker="o" if len(across) <= 20 else "", markersize=4, linewidth=1.5)
    if chart.diagonal:
        top = min(max(axis.get_xlim()), max(axis.get_ylim()))
        axis.plot([0, top], [0, top], color="0.6", linewidth=0.8, linestyle="--")
    axis.set_xlabel(chart.across)
    axis.set_ylabel(chart.up)
    _plain(axis)
    if len(chart.curves) > 1:
        axis.legend(fontsize=8, frameon=False)
    figure.suptitle(chart.title, fontsize=11)
    return figure


def draw_bars(chart: Bars) -> Figure:
    """The bars, a panel below the other."""
    rows = sum(len(panel) for panel in chart.panels.values())
    figure = Figure(figsize=(9, 1.2 + 0.34 * rows + 0.5 * len(chart.panels)), layout="constrained")
    sizes = [len(panel) for panel in chart.panels.values()]
    axes = figure.subplots(len(sizes), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": sizes})[:, 0]
    thick = 0.8 / len(chart.series)
    for axis, (title, panel) in zip(axes, chart.panels.items(), strict=True):
        for place, name in enumerate(chart.series):
            figures = [values[place] for values in panel.values()]
            drawn = axis.barh(
                [row + place * thick for row in range(len(panel))], figures, thick, label=name, color=f"C{place}"
            )
            axis.bar_label(drawn, fmt="%.3g", padding=2, fontsize=7)
        axis.set_yticks([row + 0.4 - thick / 2 for row in range(len(panel))], list(panel), fontsize=8)
        axis.set_title(title, loc="left", fontsize=9, fontweight="bold")
        axis.margins(x=0.12)
        axis.axvline(0, color="0.6", linewidth=0.6)
        _plain(axis)
    axes[-1].set_xlabel(chart.unit)
    figure.suptitle(chart.title, fontsize=11)
    if len(chart.series) > 1:
        axes[0].legend(fontsize=8, loc="lower right", frameon=False)
    return figure


def _plain(axis: Axes) -> None:
    axis.spines[["top", "right"]].set_visible(False)
