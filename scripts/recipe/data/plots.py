"""Histograms and curves as small SVG files: no plotting library, and the same bytes every time."""

import math
from collections.abc import Sequence
from html import escape

# The plots of fbank_stats.py, in the order in which a reader wants them.
STATS_PLOTS = ("durations", "speech_rates", "levels", "silence", "clipping", "fbank")

_WIDTH, _HEIGHT = 480, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 12, 28, 40
_STYLE = (
    "text{font:11px sans-serif;fill:#333}.t{font-size:13px}.b{fill:#4878a8}.l{fill:none;stroke:#4878a8;stroke-width:2}"
)


def histogram(title: str, unit: str, edges: Sequence[float], counts: Sequence[int]) -> str:
    """Bars of equal width with the edges of their bins below; the last bin also holds what lies above it."""
    most = max(counts, default=0) or 1
    step = (_WIDTH - _LEFT - _RIGHT) / max(1, len(counts))
    parts = _axes(title, unit, 0, most)
    for i, count in enumerate(counts):
        height = (_HEIGHT - _TOP - _BOTTOM) * count / most
        parts.append(
            f'<rect class="b" x="{_LEFT + i * step + 1:.1f}" y="{_HEIGHT - _BOTTOM - height:.1f}"'
            f' width="{step - 2:.1f}" height="{height:.1f}">'
            f"<title>{edges[i]:g} to {edges[i + 1]:g}: {count}</title></rect>"
        )
    every = math.ceil(len(edges) / 12)
    for i in range(0, len(edges), every):
        parts.append(_text(_LEFT + i * step, _HEIGHT - _BOTTOM + 14, f"{edges[i]:g}", "middle"))
    return _document(title, parts)


def curve(title: str, unit: str, values: Sequence[float], deviations: Sequence[float]) -> str:
    """Values by index, with a band of their deviations."""
    pairs = list(zip(values, deviations, strict=True))
    low = min((v - d for v, d in pairs), default=0.0)
    high = max((v + d for v, d in pairs), default=1.0)
    span = (high - low) or 1.0
    step = (_WIDTH - _LEFT - _RIGHT) / max(1, len(values) - 1)

    def points(numbers) -> str:
        places = (
            (_LEFT + i * step, _TOP + (_HEIGHT - _TOP - _BOTTOM) * (high - number) / span) for i, number in numbers
        )
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)

    upper = [(i, v + d) for i, (v, d) in enumerate(pairs)]
    lower = [(i, v - d) for i, (v, d) in enumerate(pairs)]
    parts = _axes(title, unit, low, high)
    parts.append(f'<polygon class="b" fill-opacity="0.25" points="{points(upper)} {points(reversed(lower))}"/>')
    parts.append(f'<polyline class="l" points="{points(enumerate(values))}"/>')
    for i in range(0, len(values), 10):
        parts.append(_text(_LEFT + i * step, _HEIGHT - _BOTTOM + 14, str(i), "middle"))
    return _document(title, parts)


def _axes(title: str, unit: str, low: float, high: float) -> list[str]:
    bottom = _HEIGHT - _BOTTOM
    return [
        f'<text class="t" x="{_LEFT}" y="18">{escape(title)}</text>',
        f'<path d="M{_LEFT} {_TOP}V{bottom}H{_WIDTH - _RIGHT}" fill="none" stroke="#999"/>',
        _text(_LEFT - 6, _TOP + 8, f"{high:.4g}", "end"),
        _text(_LEFT - 6, bottom, f"{low:.4g}", "end"),
        _text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 8, unit, "middle"),
    ]


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _document(title: str, parts: Sequence[str]) -> str:
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}"'
        f' role="img" aria-label="{escape(title)}">\n<style>{_STYLE}</style>\n{body}\n</svg>\n'
    )
