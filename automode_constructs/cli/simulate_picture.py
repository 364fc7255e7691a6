"""Draws the nodes of a simulation over time, as SVG and as a page."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from html import escape

from automode_constructs.cli.simulate import SimulateRun
from automode_constructs.cli.simulate_report import as_text, clock
from automode_constructs.simulation import NodeView, Result

__all__ = ["as_html", "as_svg"]

_LEFT, _RIGHT, _WIDTH = 230, 20, 1000
_ROW, _GAP, _TOP = 22, 4, 40
_WAITING = 60
"""The height of the curve of waiting pods."""
_LABELLED = 60
"""Up to this many nodes have a row with words; more have thin ones."""
_THIN = 3
_STEPS_S = (1, 5, 10, 30, 60, 300, 600, 1800, 3600, 7200, 21600, 86400, 604800)
_TICKS = 10
_COLOURS = ("#3b7dd8", "#d9822b", "#2e9e6b", "#8f5bc9", "#c94f6d", "#5a8f29", "#2a9db0", "#a8792b")

_STYLE = """
  svg { color-scheme: light dark; font: 12px system-ui, sans-serif; background: #ffffff; }
  text { fill: #1f2328; } .small { font-size: 10px; fill: #59636e; } .on { fill: #ffffff; font-size: 11px; }
  .line { stroke: #d1d9e0; } .step { stroke: #8b949e; stroke-dasharray: 3 3; }
  .wait { fill: #cf222e; fill-opacity: 0.35; stroke: #cf222e; }
  .spot { stroke: #1f2328; stroke-dasharray: 4 2; }
  @media (prefers-color-scheme: dark) {
    svg { background: #0d1117; } text { fill: #e6edf3; } .small { fill: #9198a1; } .on { fill: #ffffff; }
    .line { stroke: #3d444d; } .step { stroke: #6e7681; } .spot { stroke: #e6edf3; }
  }
"""


def as_svg(run: SimulateRun) -> str:
    """Each node as a bar from launch to end, the steps as lines, and the pods that wait as a curve."""
    return _Picture(run.result).svg()


def as_html(run: SimulateRun) -> str:
    """A page with the picture and the report, complete in itself."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n<title>automode simulate</title>\n<style>\n'
        "  :root { color-scheme: light dark; } body { margin: 2em; font-family: system-ui, sans-serif; }\n"
        "  svg { max-width: 100%; height: auto; } pre { overflow-x: auto; }\n</style>\n</head>\n<body>\n"
        f"{as_svg(run)}<pre>\n{escape(as_text(run))}</pre>\n</body>\n</html>\n"
    )


class _Picture:
    """A picture of a result."""

    def __init__(self, result: Result) -> None:
        self._result = result
        self._end = max(result.steps[-1].ends, 1.0)
        thin = len(result.nodes) > _LABELLED
        self._row, self._gap = (_THIN, 1) if thin else (_ROW, _GAP)
        self._is_thin = thin
        pools = dict.fromkeys(node.pool for node in result.nodes)
        self._colours = {pool: _COLOURS[number % len(_COLOURS)] for number, pool in enumerate(pools)}

    def _x(self, seconds: float) -> float:
        return round(_LEFT + seconds / self._end * (_WIDTH - _LEFT - _RIGHT), 1)

    def svg(self) -> str:
        bars = len(self._result.nodes) * (self._row + self._gap)
        waiting = _TOP + bars + 20
        height = waiting + _WAITING + 40
        parts = [
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" '
                f'height="{height}" role="img" aria-label="{_plain(self._summary())}">'
            ),
            f"<style>{_STYLE}</style>",
            *self._axis(height - 20),
            *self._steps(height - 35),
            *self._bars(),
            *self._curve(waiting),
            *self._legend(),
            "</svg>",
        ]
        return "".join(f"{part}\n" for part in parts)

    def _summary(self) -> str:
        totals = self._result.totals
        return f"{totals.nodes} nodes and {totals.pods_bound} pods over {clock(self._end)}"

    def _axis(self, bottom: int) -> Iterator[str]:
        apart = next((step for step in _STEPS_S if self._end / step <= _TICKS), _STEPS_S[-1])
        for tick in range(0, int(self._end) + 1, apart):
            x = self._x(tick)
            yield f'<line class="line" x1="{x}" y1="{_TOP}" x2="{x}" y2="{bottom - 12}"/>'
            yield f'<text class="small" x="{x}" y="{bottom}" text-anchor="middle">{clock(tick)}</text>'

    def _steps(self, bottom: int) -> Iterator[str]:
        for step in self._result.steps:
            x = self._x(step.begins)
            yield (
                f'<line class="step" x1="{x}" y1="{_TOP - 8}" x2="{x}" y2="{bottom}"><title>{clock(step.begins)} '
                f"{_plain(step.step)}</title></line>"
            )

    def _bars(self) -> Iterator[str]:
        counts = _counts(self._result)
        for number, node in enumerate(self._result.nodes):
            y = _TOP + number * (self._row + self._gap)
            yield from self._bar(node, y, counts.get(node.name, ([], [])))

    def _bar(self, node: NodeView, y: int, counts: tuple[Sequence[float], Sequence[int]]) -> Iterator[str]:
        begin, end = self._x(node.created), self._x(self._end if node.ended is None else node.ended)
        spot = ' class="spot"' if node.capacity_type == "spot" else ""
        words = _plain(f"{node.name}: {node.instance_type} ({node.capacity_type}) in {node.zone}, NodePool {node.pool}")
        colour = self._colours[node.pool]
        if not self._is_thin:
            label = _plain(f"{node.name} {node.instance_type} {node.zone}")
            yield f'<text x="{_LEFT - 8}" y="{y + 15}" text-anchor="end">{label}</text>'
        yield (
            f'<rect{spot} x="{begin}" y="{y}" width="{max(round(end - begin, 1), 1)}" height="{self._row}" rx="2" '
            f'fill="{colour}" fill-opacity="0.35"><title>{words}</title></rect>'
        )
        times, pods = counts
        for index, count in enumerate(pods):
            if not count:
                continue
            left = self._x(times[index])
            right = self._x(times[index + 1]) if index + 1 < len(times) else end
            wide = round(min(right, end) - left, 1)
            if wide <= 0:
                continue
            yield f'<rect x="{left}" y="{y}" width="{wide}" height="{self._row}" rx="2" fill="{colour}"/>'
            if wide >= 22 and not self._is_thin:
                yield f'<text class="on" x="{round(left + 4, 1)}" y="{y + 15}">{count}</text>'

    def _curve(self, y: int) -> Iterator[str]:
        times = [0.0, *(sample.at for sample in self._result.samples)]
        waiting = [0, *(sample.waiting for sample in self._result.samples)]
        most = max(waiting)
        bottom = y + _WAITING
        yield f'<text x="{_LEFT - 8}" y="{bottom}" text-anchor="end">pending pods, at most {most}</text>'
        if not most:
            return
        points = [f"{self._x(0)},{bottom}"]
        level = bottom
        for at, count in zip(times, waiting, strict=True):
            x = self._x(at)
            points.append(f"{x},{level}")
            level = round(bottom - count / most * _WAITING)
            points.append(f"{x},{level}")
        points += [f"{self._x(self._end)},{level}", f"{self._x(self._end)},{bottom}"]
        yield f'<polygon class="wait" points="{" ".join(points)}"/>'

    def _legend(self) -> Iterator[str]:
        x = 10
        for pool, colour in self._colours.items():
            yield f'<rect x="{x}" y="10" width="12" height="12" rx="2" fill="{colour}"/>'
            yield f'<text x="{x + 17}" y="20">{_plain(pool)}</text>'
            x += 40 + 7 * len(pool)
        yield f'<text class="small" x="{x}" y="20">pale: no pods; number: pods; dashed: Spot</text>'


def _counts(result: Result) -> dict[str, tuple[list[float], list[int]]]:
    """The times at which a node's number of pods changes, and the numbers."""
    counts: dict[str, tuple[list[float], list[int]]] = {}
    for sample in result.samples:
        for node, pods in sample.pods.items():
            times, numbers = counts.setdefault(node, ([], []))
            at = bisect_right(times, sample.at)
            if at and times[at - 1] == sample.at:
                numbers[at - 1] = pods
            elif not numbers or numbers[-1] != pods:
                times.append(sample.at)
                numbers.append(pods)
    return counts


def _plain(text: str) -> str:
    """Text for XML, which allows no control characters."""
    return escape(text if text.isprintable() else ascii(text)[1:-1])
