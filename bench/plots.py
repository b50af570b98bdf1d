"""Curves as SVG: a light page, units on the axes, one colour for each series.

Drawn with matplotlib (Debian: python3-matplotlib, group `plots` of tools/packages).
"""

import os
import subprocess
import sys

from machine import HERE, ROOT

COLOURS = ["#1f5fa8", "#d1622b", "#2e8b57", "#8a4fa0", "#b8336a", "#6b6b6b", "#c9a227", "#3aa6b9"]
FIGURES = os.path.join(HERE, "figures")
DEBIAN_PYTHON = "/usr/bin/python3"


def matplotlib():
    """The library, set up; None with a line if it is not there."""
    try:
        import matplotlib as library
    except ImportError:
        return None
    library.use("svg")
    library.rcParams.update({
        "figure.facecolor": "white", "axes.facecolor": "white", "savefig.facecolor": "white",
        "font.family": "sans-serif", "font.size": 9, "axes.titlesize": 10,
        "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": "#888888",
        "axes.grid": True, "grid.color": "#e6e6e6", "grid.linewidth": 0.8,
        "axes.axisbelow": True, "legend.frameon": False,
        # The same figures give the same file: no random ids in it.
        "svg.hashsalt": "tocsin", "svg.fonttype": "none",
    })
    return library


def available():
    return matplotlib() is not None


def prepare(script):
    """Before what is to be drawn is measured: installs matplotlib where it is missing, and starts
    the script again with Debian's Python, which is what that package is for, if this one has none.
    Returns where nothing better can be had: then nothing is drawn."""
    if available():
        return
    if subprocess.run([os.path.join(ROOT, "tools", "install-packages"), "plots"],
                      check=False).returncode != 0:
        return
    if os.path.realpath(sys.executable) != os.path.realpath(DEBIAN_PYTHON) and os.access(
            DEBIAN_PYTHON, os.X_OK):
        os.execv(DEBIAN_PYTHON, [DEBIAN_PYTHON, script, *sys.argv[1:]])


class Panel:
    """One pair of axes: `series` maps a name to [(x, y), ...]; points without a y are left out.
    `shaded`: x of points that are not to be relied on."""

    def __init__(self, title, x_label, y_label, series, log_x=False, log_y=False, ticks=None,
                 zero=True, shaded=()):
        self.title, self.x_label, self.y_label = title, x_label, y_label
        self.series = {name: [(x, y) for x, y in points if y is not None]
                       for name, points in series.items()}
        self.log_x, self.log_y, self.ticks, self.zero = log_x, log_y, ticks, zero
        self.shaded = list(shaded)


def short(value, _=None):
    for factor, suffix in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= factor:
            return f"{value / factor:g}{suffix}"
    return f"{value:g}"


def draw(path, panels, columns=2, caption=""):
    """Writes `path`, with `caption` below. Returns False, with nothing written, where matplotlib is
    missing."""
    library = matplotlib()
    if library is None:
        return False
    from matplotlib import pyplot
    rows = -(-len(panels) // columns)
    figure, grid = pyplot.subplots(rows, columns, figsize=(4.6 * columns, 3.1 * rows),
                                   squeeze=False)
    axes = [a for row in grid for a in row]
    for a, panel in zip(axes, panels):
        draw_panel(library, a, panel)
    for a in axes[len(panels):]:
        a.set_visible(False)
    figure.tight_layout(rect=(0, 0.02 if caption else 0, 1, 1))
    figure.text(0.01, 0.005, caption, fontsize=7.5, color="#666666")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    figure.savefig(path, metadata={"Date": None, "Creator": None})
    pyplot.close(figure)
    return True


def draw_panel(library, axes, panel):
    for number, (name, points) in enumerate(panel.series.items()):
        if points:
            # Every other one open and dashed: curves that coincide are both seen.
            is_open = number % 2 == 1
            colour = COLOURS[number % len(COLOURS)]
            axes.plot([x for x, _ in points], [y for _, y in points], color=colour, label=name,
                      linewidth=1.6, linestyle="--" if is_open else "-",
                      marker="s" if is_open else "o", markersize=6 if is_open else 3.5,
                      markerfacecolor="none" if is_open else colour)
    for x in panel.shaded:
        axes.axvspan(x - 0.4, x + 0.4, color="#f3e3e0", zorder=0)
    axes.set_title(panel.title, loc="left")
    axes.set_xlabel(panel.x_label)
    axes.set_ylabel(panel.y_label)
    if panel.log_x:
        axes.set_xscale("log")
    if panel.log_y:
        axes.set_yscale("log")
    elif panel.zero:
        # Room for the legend, and for the points themselves.
        highest = max((y for points in panel.series.values() for _, y in points if y), default=0)
        axes.set_ylim(0, highest * 1.15 or None)
    if panel.ticks:
        positions, labels = panel.ticks
        slanted = {"rotation": 45, "ha": "right"} if max(map(len, labels), default=0) > 3 else {}
        axes.set_xticks(positions, labels, **slanted)
    else:
        axes.xaxis.set_major_formatter(library.ticker.FuncFormatter(short))
    axes.minorticks_off()
    axes.yaxis.set_major_formatter(library.ticker.FuncFormatter(short))
    if sum(1 for points in panel.series.values() if points) > 1:
        axes.legend(fontsize=8)
