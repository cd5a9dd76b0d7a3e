"""A pair's weight as a waterfall: from the prior, field by field, to the sum, beside the threshold; no values."""

import base64
import io
import math
from dataclasses import dataclass
from html import escape
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jobs.explanation.tables import Compared, pair_notes
from jobs.explanation.weighed import PRIOR, RIVALS, shown_bits, signed, WeighedPair

Kind = Literal["start", "for", "against", "nothing", "sum"]

COLOURS: dict[Kind, str] = {
    "start": "#7f8c9b",
    "for": "#2e8b57",
    "against": "#c0392b",
    "nothing": "#b9c2cc",
    "sum": "#2c4a7c",
}
_THRESHOLD = "#d68910"
_ROOM = 0.12
"""Share of the axis that a figure beside the outermost bar may take."""
_WIDTH, _ROW, _FRAME = 10.5, 0.36, 1.5
"""Inches: the picture's width, a bar's height with its gap, and what title and axis need."""


@dataclass(frozen=True)
class Bar:
    """One step of the sum, from where the last one ended."""

    label: str
    start: float
    end: float
    shown: str
    kind: Kind


def layout(weighed: WeighedPair) -> tuple[Bar, ...]:
    """The bars from top to bottom; the last is the sum, which the others before it lead to."""
    parts = weighed.parts()
    figures = shown_bits([bits for _, bits in parts], weighed.total)
    bars, reached = [], 0.0
    for place, ((label, bits), shown) in enumerate(zip(parts, figures, strict=True)):
        bars.append(Bar(label, reached, reached + bits, shown, "start" if place == 0 else _kind(bits)))
        reached += bits
    return (*bars, Bar("sum", 0.0, weighed.total, signed(weighed.total), "sum"))


def _kind(bits: float) -> Kind:
    if bits == 0:
        return "nothing"
    return "for" if bits > 0 else "against"


def draw(pair: Compared) -> Figure:
    """The picture, drawn without a screen."""
    bars = layout(pair.weighed)
    figure = Figure(figsize=(_WIDTH, _FRAME + _ROW * len(bars)), layout="constrained", facecolor="white")
    axes = figure.subplots()
    for row, bar in enumerate(bars):
        axes.barh(row, bar.end - bar.start, left=bar.start, height=0.66, color=COLOURS[bar.kind], zorder=3)
        if row < len(bars) - 1:
            axes.plot([bar.end, bar.end], [row - 0.33, row + 1.33], color="#8a949e", linewidth=0.7, zorder=2)
    axes.set_xlim(*_reach(bars, pair.threshold))
    _label_bars(axes, bars)
    _mark_threshold(axes, bars, pair.threshold)
    axes.set_yticks(range(len(bars)), [bar.label for bar in bars], fontsize=9)
    axes.get_yticklabels()[-1].set_fontweight("bold")
    axes.set_ylim(len(bars) - 0.4, -0.9)
    axes.axvline(0, color="#444444", linewidth=0.8, zorder=1)
    axes.set_xlabel("bits: each one doubles the odds of one person", fontsize=9)
    axes.tick_params(axis="x", labelsize=8)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#e8ebee", linewidth=0.6, zorder=0)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_title(_title(pair), loc="left", fontsize=11, fontweight="bold")
    return figure


def _reach(bars: tuple[Bar, ...], threshold: float) -> tuple[float, float]:
    """From where to where the axis runs: all bars and the threshold, and room for a figure on either side."""
    ends = [end for bar in bars for end in (bar.start, bar.end)] + ([threshold] if math.isfinite(threshold) else [])
    room = _ROOM * max(max(ends) - min(ends), 1.0)
    return min(ends) - room, max(ends) + room


def _label_bars(axes: Axes, bars: tuple[Bar, ...]) -> None:
    """Each figure beyond the end that its bar moves to, on white, so that no line strikes it through."""
    for row, bar in enumerate(bars):
        is_rising = bar.end >= bar.start
        axes.annotate(
            bar.shown,
            (bar.end, row),
            xytext=(4 if is_rising else -4, 0),
            textcoords="offset points",
            ha="left" if is_rising else "right",
            va="center",
            fontsize=8.5,
            fontweight="bold" if bar.kind == "sum" else "normal",
            color="#222222",
            zorder=5,
            bbox={"boxstyle": "square,pad=0.12", "facecolor": "white", "edgecolor": "none"},
        )


def _mark_threshold(axes: Axes, bars: tuple[Bar, ...], threshold: float) -> None:
    """A line where a pair becomes a link; none where no weight suffices."""
    if not math.isfinite(threshold):
        return
    axes.plot([threshold] * 2, [-0.55, len(bars) - 0.5], color=_THRESHOLD, linewidth=1.3, linestyle="--", zorder=4)
    low, high = axes.get_xlim()
    is_left = threshold > low + 0.8 * (high - low)
    axes.annotate(
        f"threshold {threshold:.2f}",
        (threshold, -0.62),
        xytext=(-3 if is_left else 3, 0),
        textcoords="offset points",
        ha="right" if is_left else "left",
        va="center",
        fontsize=8.5,
        color=_THRESHOLD,
        zorder=5,
        bbox={"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none"},
    )


def _title(pair: Compared) -> str:
    return f"{pair.first.hidden} and {pair.second.hidden}: {_verdict(pair)}"


def _verdict(pair: Compared) -> str:
    weighed = pair.weighed
    if weighed.vetoes:
        return f"{signed(weighed.total)} bits, but a veto forbids it"
    if weighed.blocking_rule is None and weighed.total >= pair.threshold:
        return f"{signed(weighed.total)} bits, but no rule compares the two"
    if math.isinf(pair.threshold):
        return f"{signed(weighed.total)} bits, and no weight is enough"
    side = "above" if weighed.total >= pair.threshold else "below"
    return f"{signed(weighed.total)} bits, {side} the threshold"


def png_picture(pair: Compared) -> bytes:
    """The picture as PNG; the same pair gives the same bytes."""
    file = io.BytesIO()
    draw(pair).savefig(file, format="png", dpi=150, metadata={"Software": None})
    return file.getvalue()


def html_page(pair: Compared) -> str:
    """One file that needs no other: the picture, the table of fields, and what stands below it."""
    weighed = pair.weighed
    prior, *of_fields, rival = shown_bits(weighed.addends, weighed.total)
    rows = [("", PRIOR, prior, "")]
    for place, one in enumerate(weighed.fields):
        rows.append((one.field, one.words, of_fields[2 * place], of_fields[2 * place + 1] if one.rarity else ""))
    rows.append(("", RIVALS, rival, ""))
    rows.append(("sum", f"probability {weighed.probability:.2%}", signed(weighed.total), ""))
    body = "\n".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    notes = "\n".join(f"<li>{escape(note)}</li>" for note in pair_notes(pair))
    picture = base64.b64encode(png_picture(pair)).decode()
    return _PAGE.format(title=escape(_title(pair)), picture=picture, rows=body, notes=notes)


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 15px/1.45 system-ui, sans-serif; color: #222; max-width: 66rem; margin: 2rem auto; padding: 0 1rem; }}
h1 {{ font-size: 1.2rem; }}
img {{ width: 100%; height: auto; }}
table {{ border-collapse: collapse; margin: 1rem 0; }}
th, td {{ text-align: left; padding: .3rem 1.2rem .3rem 0; border-bottom: 1px solid #e3e7eb; }}
th:nth-child(n+3), td:nth-child(n+3) {{ text-align: right; font-variant-numeric: tabular-nums; }}
tr:last-child {{ font-weight: bold; }}
</style>
</head>
<body>
<h1>{title}</h1>
<img alt="Waterfall of the bits that the table lists" src="data:image/png;base64,{picture}">
<table>
<thead><tr><th>field</th><th>agreement</th><th>bits</th><th>rarity of the value</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
<ul>
{notes}
</ul>
<p>Bits are added: each one doubles the odds that the two records are one person. Values are left out on purpose.</p>
</body>
</html>
"""
