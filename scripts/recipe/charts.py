"""Charts as SVG: lines, histograms, a mean with its deviation, intervals and a scatter of two error rates.

A chart is drawn in its own units of CSS pixels and scaled by its viewBox; colours come from STYLE by class (`c0`, `c1`,
...), whose variables are those of the page around it, or of `document`, which makes a file of a chart: both have a
light and a dark mode. Text is escaped by `element`. The same values give the same bytes.
"""

import math
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

Point = tuple[float, float]

WIDTH, HEIGHT = 290, 190
LEFT, RIGHT, TOP, BOTTOM = 52, 10, 10, 40
LETTER = 6.2  # width of a letter of the 11 px labels, roughly
MAX_POINTS = 400
STYLES = 6  # line styles that the style sheet has
LOG_RATIO = 30  # from this ratio of extremes a positive quantity has a logarithmic axis
NOTHING = 1e-12  # smaller numbers are none to the eye
MARKERS = ("circle", "square", "diamond")
HEAD, MARGIN, SCALE = 26, 12, 1.1  # of a document: room for its title and beside it, and CSS pixels to a chart's unit

STYLE = Markup("""\
svg text { font: 11px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; fill: var(--soft); }
svg .title, svg .name { fill: var(--text); }
.grid { stroke: var(--line); stroke-width: .75; }
.axis { stroke: var(--soft); }
.chosen { stroke: var(--soft); stroke-dasharray: 2 3; }
.lead { stroke: var(--line); stroke-width: 1.5; }
rect.bar { fill: var(--accent); }
.band { fill: var(--accent); opacity: .25; }
.line { fill: none; stroke-width: 1.75; stroke-linejoin: round; }
.whisker { stroke-width: 5; opacity: .35; }
.thin { stroke-width: 1.25; opacity: .6; }
.c0, .c2, .c4 { stroke: var(--accent); }
.c1, .c3, .c5 { stroke: var(--soft); }
.c2, .c3 { stroke-dasharray: 6 3; }
.c4, .c5 { stroke-dasharray: 2 2; }
.dot { stroke: var(--page); stroke-width: 1; stroke-dasharray: none; }
.dot.c0, .dot.c2, .dot.c4 { fill: var(--accent); }
.dot.c1, .dot.c3, .dot.c5 { fill: var(--soft); }
""")
_DOCUMENT_STYLE = Markup("""\
:root { --page: #fff; --text: #1c2126; --soft: #545d66; --line: #d5dae0; --accent: #0a5bb0; }
@media (prefers-color-scheme: dark) {
  :root { --page: #15181b; --text: #e6e9ec; --soft: #a4adb6; --line: #3a4249; --accent: #7db5f2; }
}
svg .heading { font-size: 13px; font-weight: 600; fill: var(--text); }
.page { fill: var(--page); }
""")


def element(name: str, *children: object, **attributes: object) -> Markup:
    """An SVG element; `_` in an attribute's name is `-` (and `class_` is class), None leaves it out."""
    parts = [
        f' {key.rstrip("_").replace("_", "-")}="{escape(_short(value))}"'
        for key, value in attributes.items()
        if value is not None
    ]
    return Markup(f"<{name}{''.join(parts)}>{''.join(escape(child) for child in children)}</{name}>")


def _short(value: object) -> object:
    return f"{value:.6g}" if isinstance(value, float) else value


def svg(label: str, children: Iterable[Markup], height: float = HEIGHT, width: float = WIDTH) -> Markup:
    """The drawing, with `label` for those who do not see it."""
    return element("svg", *children, viewBox=f"0 0 {width} {_short(height)}", role="img", aria_label=label)


def document(chart: Markup, title: str) -> str:
    """The text of an SVG file: a chart of this module below its `title`. Where a chart has no values and is therefore
    empty, the file says so."""
    root = ElementTree.fromstring(str(chart or svg(title, [text(WIDTH / 2, HEIGHT / 2, "no values", "middle")])))
    width, height = (float(size) for size in root.attrib.pop("viewBox").split()[2:])
    box = {"x": -MARGIN, "y": -HEAD, "width": _short(width + 2 * MARGIN), "height": _short(height + HEAD)}
    root.attrib = {
        "xmlns": "http://www.w3.org/2000/svg",
        "viewBox": " ".join(map(str, box.values())),
        "width": f"{(width + 2 * MARGIN) * SCALE:g}",
        "height": f"{(height + HEAD) * SCALE:g}",
        **root.attrib,
    }
    before = [
        element("title", title),
        element("style", "\n", STYLE, _DOCUMENT_STYLE),
        element("rect", class_="page", **box),
        text(0, -8, title, class_="heading"),
    ]
    root[:0] = [ElementTree.fromstring(str(part)) for part in before]
    ElementTree.indent(root, "")
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def text(x: float, y: float, words: str, anchor: str | None = None, class_: str | None = None) -> Markup:
    """Words on a baseline at `y`; `anchor` is "start" (the default), "middle" or "end" at `x`."""
    return element("text", words, x=float(x), y=float(y), text_anchor=anchor, class_=class_)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """A straight line between two points."""
    return element("line", x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), class_=class_)


def marker(x: float, y: float, style: int) -> Markup:
    """A small filled shape; neighbouring styles have different ones."""
    size, shape, class_ = 3.5, MARKERS[style % len(MARKERS)], f"dot c{style % STYLES}"
    if shape == "circle":
        return element("circle", cx=float(x), cy=float(y), r=size, class_=class_)
    turned = f"rotate(45 {_short(float(x))} {_short(float(y))})" if shape == "diamond" else None
    return element("rect", x=x - size + 0.5, y=y - size + 0.5, width=2 * size - 1, height=2 * size - 1,
                   transform=turned, class_=class_)  # fmt: skip


@dataclass(frozen=True)
class Axis:
    """A scale from values to pixels, with its ticks."""

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[float, ...]
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high = self.low, self.high
        if self.log:
            value, low, high = math.log(value), math.log(low), math.log(high)
        return self.start + (self.end - self.start) * (value - low) / (high - low)


def axis(values: Sequence[float], start: float, end: float, zero: bool = False, ticks: int = 5) -> Axis:
    """A linear axis around `values`, with round ticks; with `zero` it begins there."""
    low, high = min(values), max(values)
    low = min(low, 0.0) if zero else low
    if high - low <= max(1e-9 * abs(low), NOTHING):  # too little for floats and labels
        high = low + (abs(low) if abs(low) > NOTHING else 1.0)
    step = _round_step((high - low) / ticks)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    marks = tuple(i * step for i in range(first, last + 1))
    return Axis(marks[0], marks[-1], start, end, marks)


def log_axis(values: Sequence[float], start: float, end: float) -> Axis:
    """A logarithmic axis around positive `values`, with ticks at 1, 2 and 5 times powers of ten (or powers alone)."""
    low, high = min(values), max(values)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1, 2, 5) if len(decades) <= 3 else (1,)
    marks = [factor * 10.0**decade for decade in decades for factor in factors]
    first = max((m for m in marks if m <= low), default=low)
    last = min((m for m in marks if m >= high), default=high)
    return Axis(first, last, start, end, tuple(m for m in marks if first <= m <= last), log=True)


def _round_step(step: float) -> float:
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step * 0.999)


def number(value: float) -> str:
    """A tick's label."""
    if abs(value) < NOTHING:
        return "0"
    if abs(value) < 0.001:
        return f"{value:.0e}".replace("e-0", "e-").replace("-", "−")
    return f"{value:.4g}".replace("-", "−") if abs(value) < 10_000 else f"{value / 1000:.4g}k"


def frame(x: Axis, y: Axis, x_label: str, y_label: str) -> list[Markup]:
    """Grid, ticks and titles of the axes."""
    parts = [line(x.start, y(tick), x.end, y(tick), "grid") for tick in y.ticks]
    parts += [text(x.start - 6, y(tick) + 4, number(tick), "end") for tick in y.ticks]
    parts += [line(x(tick), y.start, x(tick), y.start + 4, "axis") for tick in x.ticks]
    parts += [text(x(tick), y.start + 16, number(tick), "middle") for tick in x.ticks]
    parts.append(line(x.start, y.start, x.end, y.start, "axis"))
    parts.append(text((x.start + x.end) / 2, y.start + 32, x_label, "middle", "title"))
    middle = (y.start + y.end) / 2
    parts.append(element("text", y_label, x=9.0, y=middle, transform=f"rotate(-90 9 {_short(middle)})",
                         text_anchor="middle", class_="title"))  # fmt: skip
    return parts


@dataclass(frozen=True)
class Series:
    """A line; not-a-number points break it. `dots` marks each point, `style` chooses colour, dashes and marker."""

    label: str
    points: Sequence[Point]
    style: int
    dots: bool = False


def thin(points: Sequence[Point], most: int = MAX_POINTS) -> list[Point]:
    """At most `most` points: means of neighbours, if there are more."""
    size = math.ceil(len(points) / most) if points else 1
    if size == 1:
        return list(points)
    groups = [points[i : i + size] for i in range(0, len(points), size)]
    return [(group[-1][0], sum(value for _, value in group) / len(group)) for group in groups]


def lines(label: str, x_label: str, y_label: str, series: Sequence[Series], chosen: float | None = None) -> Markup:
    """A line chart; `chosen` is the place on the x axis of a vertical mark. "" without a finite value."""
    series = [Series(s.label, thin(s.points), s.style, s.dots) for s in series if s.points]
    finite = [(x, y) for s in series for x, y in s.points if math.isfinite(y)]
    if not finite:
        return Markup("")
    values = [y for _, y in finite]
    x = axis([0.0, *(x for x, _ in finite)], LEFT, WIDTH - RIGHT)
    if min(values) > 0 and max(values) / min(values) > LOG_RATIO:
        y = log_axis(values, HEIGHT - BOTTOM, TOP)
    else:
        y = axis(values, HEIGHT - BOTTOM, TOP, zero=True)
    parts = frame(x, y, x_label, y_label)
    if chosen is not None and x.low <= chosen <= x.high:
        parts.append(line(x(chosen), y.start, x(chosen), y.end, "chosen"))
    for s in series:
        parts.append(element("path", d=_path(s.points, x, y), class_=f"line c{s.style % STYLES}"))
        if s.dots:
            parts += [marker(x(px), y(py), s.style) for px, py in s.points if math.isfinite(py)]
    legend, height = _legend(series, HEIGHT + 6, chosen is not None)
    told = filter(None, map(_told, series))
    return svg(f"{label}: {', '.join(told)}", parts + legend, height)


def _told(series: Series) -> str:
    """A line in words: where it begins and ends."""
    points = [(x, y) for x, y in series.points if math.isfinite(y)]
    if not points:
        return ""
    ends = [f"{number(y)} at {number(x)}" for x, y in (points[0], points[-1])]
    return f"{series.label} {ends[0]}" if len(points) == 1 else f"{series.label} from {ends[0]} to {ends[1]}"


def _path(points: Sequence[Point], x: Axis, y: Axis) -> str:
    commands, pen = [], "M"
    for px, py in points:
        if math.isfinite(py):
            commands.append(f"{pen}{x(px):.1f} {y(py):.1f}")
            pen = "L"
        else:
            pen = "M"
    return "".join(commands)


def _legend(series: Sequence[Series], top: float, chosen: bool) -> tuple[list[Markup], float]:
    """Samples of the lines with their names, in as many rows as needed, and the height with them."""
    parts, x, y = [], float(LEFT), top
    entries = [(s.label, s.style, s.dots) for s in series] + ([("chosen checkpoint", None, False)] if chosen else [])
    for label, style, dots in entries:
        size = 30 + len(label) * LETTER + 12
        if x + size > WIDTH and x > LEFT:
            x, y = float(LEFT), y + 16
        kind = "chosen" if style is None else f"line c{style % STYLES}"
        parts.append(line(x, y, x + 22, y, kind))
        if dots:
            parts.append(marker(x + 11, y, style))
        parts.append(text(x + 28, y + 4, label))
        x += size
    return parts, y + 10


def histogram(label: str, x_label: str, edges: Sequence[float], counts: Sequence[int], width: float = WIDTH) -> Markup:
    """Bars of equal width, each of `counts` utterances between two of the `edges`, of which there is one more. Empty
    bins at both ends are left out; the last bin of all holds what lies above it as well. "" where all are empty."""
    filled = [i for i, count in enumerate(counts) if count]
    if not filled:
        return Markup("")
    first, last = filled[0], filled[-1]
    shown = range(first, last + 1)
    y = axis([float(counts[i]) for i in shown], HEIGHT - BOTTOM, TOP, zero=True, ticks=4)
    step = (width - RIGHT - LEFT) / len(shown)
    parts = frame(Axis(0, 1, LEFT, width - RIGHT, ()), y, x_label, "utterances")
    labels = [number(edges[i]) for i in shown] + [number(edges[last + 1])]
    if last == len(counts) - 1:
        labels[-1] = "…"
    for place, i in enumerate(shown):
        tip = element("title", f"{labels[place]} to {labels[place + 1]}: {counts[i]}")
        left, top = LEFT + place * step, y(counts[i])
        parts.append(element("rect", tip, x=left + 0.75, y=top, width=step - 1.5, height=y.start - top, class_="bar"))
    every = _label_step(labels, step)
    parts += [text(LEFT + i * step, y.start + 16, words, "middle") for i, words in enumerate(labels) if i % every == 0]
    most = max(shown, key=lambda i: counts[i]) - first
    told = f"{label}: {sum(counts)} utterances, most of them from {labels[most]} to {labels[most + 1]}"
    return svg(told, parts, width=width)


def _label_step(labels: Sequence[str], step: float) -> int:
    """Of labels that are `step` apart, how many to go on by so that none touches the next."""
    room = (max(map(len, labels)) + 1.5) * LETTER
    return math.ceil(room / step)


def band(
    label: str, x_label: str, y_label: str, means: Sequence[float], deviations: Sequence[float], width: float = WIDTH
) -> Markup:
    """A line of means by their index, in a band that reaches a deviation below and above them. "" without means."""
    spans = [(mean - deviation, mean + deviation) for mean, deviation in zip(means, deviations, strict=True)]
    if not spans:
        return Markup("")
    x = axis([0.0, float(len(spans) - 1)], LEFT, width - RIGHT)
    y = axis([end for span in spans for end in span], HEIGHT - BOTTOM, TOP)
    lower = [(float(i), low) for i, (low, _) in enumerate(spans)]
    upper = [(float(i), high) for i, (_, high) in enumerate(spans)]
    parts = frame(x, y, x_label, y_label)
    parts.append(element("path", d=_path([*upper, *reversed(lower)], x, y) + "Z", class_="band"))
    parts.append(element("path", d=_path(list(enumerate(means)), x, y), class_="line c0"))
    return svg(f"{label}: mean from {number(min(means))} to {number(max(means))}", parts, width=width)


@dataclass(frozen=True)
class Estimate:
    """An error rate in percent with its interval; `style` chooses the colour."""

    name: str
    value: float
    interval: tuple[float, float] | None
    style: int


def intervals(label: str, x_label: str, estimates: Sequence[Estimate]) -> Markup:
    """One row per estimate, of which there has to be one: a dot, its interval as a bar, its value."""
    name_width = min(130, max(40, max(len(e.name) for e in estimates) * LETTER + 8))
    right = WIDTH - 44
    ends = [end for e in estimates for end in (e.value, *(e.interval or ()))]
    x = axis(ends, name_width, right, zero=True)
    row, top = 24, 6
    bottom = top + row * len(estimates)
    parts = [line(x(tick), top, x(tick), bottom, "grid") for tick in x.ticks]
    parts += [text(x(tick), bottom + 14, number(tick), "middle") for tick in x.ticks]
    parts.append(text((name_width + right) / 2, bottom + 30, x_label, "middle", "title"))
    for i, e in enumerate(estimates):
        y = top + row * (i + 0.5)
        most = int(name_width / LETTER)
        name = e.name if len(e.name) <= most else e.name[: most - 1] + "…"
        parts.append(text(0, y + 4, name))
        if e.interval:
            low, high = e.interval
            parts.append(line(x(low), y, x(high), y, f"whisker c{e.style}"))
        parts.append(marker(x(e.value), y, e.style))
        parts.append(text(WIDTH, y + 4, f"{e.value:.2f}", "end"))
    return svg(f"{label}: {', '.join(map(_estimated, estimates))}", parts, bottom + 36)


def _estimated(estimate: Estimate) -> str:
    ends = " ({:.2f} to {:.2f})".format(*estimate.interval) if estimate.interval else ""
    return f"{estimate.name} {estimate.value:.2f}{ends}"


def scatter(label: str, x_label: str, y_label: str, pairs: Sequence[tuple[Estimate, Estimate]]) -> Markup:
    """Two error rates of every model against each other, with intervals; the first is the one to compare with: lines
    through it part the plane, and thin lines lead from it to the others."""
    xs = [end for e, _ in pairs for end in (e.value, *(e.interval or ()))]
    ys = [end for _, e in pairs for end in (e.value, *(e.interval or ()))]
    x = axis(xs, LEFT, WIDTH - RIGHT, zero=True)
    y = axis(ys, HEIGHT - BOTTOM, TOP, zero=True)
    parts = frame(x, y, x_label, y_label)
    base_x, base_y = x(pairs[0][0].value), y(pairs[0][1].value)
    parts += [line(base_x, y.start, base_x, y.end, "chosen"), line(x.start, base_y, x.end, base_y, "chosen")]
    for across, up in pairs:
        px, py = x(across.value), y(up.value)
        parts.append(line(base_x, base_y, px, py, "lead"))
        if across.interval:
            parts.append(line(x(across.interval[0]), py, x(across.interval[1]), py, f"thin c{across.style}"))
        if up.interval:
            parts.append(line(px, y(up.interval[0]), px, y(up.interval[1]), f"thin c{across.style}"))
    places = [(x(across.value), y(up.value)) for across, up in pairs]
    parts += [marker(px, py, across.style) for (px, py), (across, _) in zip(places, pairs, strict=True)]
    told = (f"{across.name} {across.value:.2f} and {up.value:.2f}" for across, up in pairs)
    return svg(f"{label}: {', '.join(told)}", parts + _names([across.name for across, _ in pairs], places))


def _names(names: Sequence[str], places: Sequence[Point]) -> list[Markup]:
    """Names beside points: at each point the first position whose box is free, the last one if none is."""
    taken: list[tuple[float, float, float, float]] = [(px - 4, px + 4, py - 4, py + 4) for px, py in places]
    parts = []
    for name, (px, py) in zip(names, places, strict=True):
        size = len(name) * LETTER
        starts = [px + 7, px - 7 - size] if px + 7 + size <= WIDTH else [px - 7 - size]
        spots = [(start, py + dy) for dy in (-6, 14, -18, 26, -30, 38) for start in starts]
        for left, base in spots:
            box = (left, left + size, base - 9, base + 2)
            if not any(box[0] < o[1] and o[0] < box[1] and box[2] < o[3] and o[2] < box[3] for o in taken):
                break
        taken.append(box)
        parts.append(text(left, base, name, class_="name"))
    return parts


def power_law(
    label: str,
    x_label: str,
    y_label: str,
    trained: Sequence[tuple[float, Estimate]],
    law: Sequence[Point],
    predicted: tuple[float, Estimate] | None,
) -> Markup:
    """Values above 0 by a quantity above 0, both on logarithmic axes: points with intervals, the line of a law through
    them, dashed beyond the last point, and what it predicts there. "" without points."""
    shown = [*trained, *([predicted] if predicted else [])]
    if not shown:
        return Markup("")
    ends = [end for _, e in shown for end in (e.value, *(e.interval or ()))] + [value for _, value in law]
    # An interval that begins at zero begins at the axis.
    x = log_axis([place for place, _ in shown], LEFT, WIDTH - RIGHT)
    y = log_axis([end for end in ends if end > 0], HEIGHT - BOTTOM, TOP)
    parts = frame(x, y, x_label, y_label)
    last = trained[-1][0] if trained else 0.0
    within, beyond = ([point for point in law if (point[0] <= last) is inside] for inside in (True, False))
    parts.append(element("path", d=_path(within, x, y), class_="line c1"))
    parts.append(element("path", d=_path([*within[-1:], *beyond], x, y), class_="line c3"))
    for place, e in shown:
        if e.interval:
            low, high = max(e.interval[0], y.low), e.interval[1]
            parts.append(line(x(place), y(low), x(place), y(high), f"whisker c{e.style}"))
        parts.append(marker(x(place), y(e.value), e.style))
    names = [Series("trained", (), 0, dots=True), *([Series("power law", (), 1)] if law else [])]
    legend, height = _legend(names + ([Series("prediction", (), 2, dots=True)] if predicted else []), HEIGHT + 6, False)
    told = (f"{e.name} {_estimated_at(e)} at {number(place)}" for place, e in shown)
    return svg(f"{label}: {', '.join(told)}", parts + legend, height)


def _estimated_at(estimate: Estimate) -> str:
    return _estimated(estimate).removeprefix(f"{estimate.name} ")
