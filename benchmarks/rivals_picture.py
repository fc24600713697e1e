"""The picture of a run: `python -m benchmarks.rivals_picture FILE < results.json`, an SVG with a bar for everybody.

Runs in the rivals' environment, which has matplotlib. Each bar is a ratio to ours on a logarithmic axis, so that the
picture holds on another machine. It brings its own light ground, and reads the same on a dark page.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import matplotlib as mpl

mpl.use("svg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import NullLocator

_GROUND: Final = "#fbfaf7"
_INK: Final = "#22262b"
_FAINT: Final = "#6b7178"
_OURS: Final = "#1f6f8b"
_REFUSED: Final = "#6fa8bd"
_BELIEVED: Final = "#d98a3d"
_LIBRARY: Final = "#b4b8bd"
_PANELS: Final[Mapping[str, str]] = {
    "beside-inside": "From the credential to who it is, without HTTP",
    "beside-requests": "Who am I, over HTTP (requests that one core answers in a second)",
    "beside-sign-in": "Sign-in, over HTTP",
    "beside-refresh": "Refresh, over HTTP",
    "new-token-es256": "Access token (ES256) seen for the first time",
}
_LINE: Final = 0.25
_TITLE: Final = 0.36


@dataclass(frozen=True, slots=True)
class _Bar:
    name: str
    ratio: float
    told: str
    colour: str
    hatch: str


def draw(results: Mapping[str, Any], path: str) -> None:
    """Draw every panel whose row is among the results."""
    rows = {row["key"]: row for row in results["rows"]}
    after = {one["name"]: one["after"] for one in rows["beside-requests"]["entries"]}
    panels = {title: _bars(rows[key], after) for key, title in _PANELS.items() if key in rows}
    heights = [len(bars) + 0.2 for bars in panels.values()]
    # Text stays text: it can be read aloud, and the file is a fifth of one with outlines.
    mpl.rcParams.update(
        {
            "font.sans-serif": ["DejaVu Sans", "Verdana"],
            "font.size": 9,
            "svg.fonttype": "none",
            "svg.hashsalt": "gatepost",
            "hatch.linewidth": 0.6,
        }
    )
    figure, every = plt.subplots(
        len(panels),
        1,
        figsize=(8.6, sum(heights) * _LINE + len(heights) * _TITLE + 1.1),
        gridspec_kw={"height_ratios": heights},
        sharex=True,
        squeeze=False,
        facecolor=_GROUND,
        layout="constrained",
    )
    for axes, (title, bars) in zip(every[:, 0], panels.items(), strict=True):
        _panel(axes, title, bars)
    _frame(figure, every[-1, 0])
    figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})


def _bars(row: Mapping[str, Any], after: Mapping[str, str]) -> list[_Bar]:
    first = next(one for one in row["entries"] if one["part"] == "ours")
    rate = row["unit"] == "requests/s"
    bars = []
    for one in row["entries"]:
        ratio = first["value"] / one["value"] if rate else one["value"] / first["value"]
        colour, hatch = _LIBRARY, ""
        if one["part"] == "ours":
            colour = _OURS
        elif one["name"] in after:
            ends = after[one["name"]] == "refused"
            colour, hatch = (_REFUSED, "") if ends else (_BELIEVED, "////")
        told = f"{_times(ratio)} ({_number(one['value'])} {row['unit']})"
        bars.append(_Bar(one["name"], ratio, told, colour, hatch))
    return bars


def _panel(axes: Axes, title: str, bars: list[_Bar]) -> None:
    axes.set_title(title, loc="left", fontsize=10, color=_INK, fontweight="bold")
    axes.set_facecolor(_GROUND)
    places = range(len(bars))
    drawn = axes.barh(
        places,
        [bar.ratio - 1 for bar in bars],
        left=1,
        height=0.68,
        color=[bar.colour for bar in bars],
        edgecolor=_GROUND,
        linewidth=0,
    )
    for place, bar, patch in zip(places, bars, drawn, strict=True):
        patch.set_hatch(bar.hatch)
        end = max(1.0, bar.ratio)
        axes.annotate(
            bar.told, (end, place), (7, 0), textcoords="offset points", va="center", fontsize=8, color=_INK
        )
        if bar.ratio == 1:
            axes.plot([1], [place], marker="D", markersize=5, color=_OURS)
    axes.set_yticks(places, [bar.name for bar in bars], color=_INK)
    axes.set_ylim(len(bars) - 0.4, -0.6)
    axes.axvline(1, color=_INK, linewidth=0.8)
    axes.tick_params(axis="both", which="both", length=0, colors=_INK)
    axes.grid(axis="x", color=_FAINT, alpha=0.25, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in axes.spines.values():
        side.set_visible(False)


def _frame(figure: Any, last: Axes) -> None:
    last.set_xscale("log")
    low, high = last.get_xlim()
    last.set_xlim(min(low, 0.3), high * 6)
    last.xaxis.set_major_formatter(lambda value, _: f"{value:,g} ×")
    last.xaxis.set_minor_locator(NullLocator())
    last.set_xlabel(
        "time that it takes, as a multiple of ours (logarithmic; left of the line is quicker)", color=_INK
    )
    kinds = [
        Patch(facecolor=_OURS, label="Gatepost: refused after sign-out"),
        Patch(facecolor=_REFUSED, label="refused after sign-out"),
        Patch(
            facecolor=_BELIEVED,
            hatch="////",
            edgecolor=_GROUND,
            label="still works after sign-out, until it expires",
        ),
        Patch(facecolor=_LIBRARY, label="a library or the bare operation: ends nothing"),
    ]
    figure.legend(
        handles=kinds, loc="outside upper left", ncols=2, frameon=False, fontsize=9, labelcolor=_INK
    )


def _times(ratio: float) -> str:
    return f"{ratio:,.0f} ×" if ratio >= 10 else f"{ratio:.2g} ×"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    draw(json.load(sys.stdin), sys.argv[1])
