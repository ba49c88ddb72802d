"""The HTML page: gathers what the template shows, and puts style and script into it."""

import json
from pathlib import Path
from typing import Any

import jinja2
import yaml
from markupsafe import Markup

import recipe
from recipe import charts
from recipe.charts import Estimate
from recipe.data.leaks import SHARED
from recipe.files import read_json
from recipe.report import confidence, costs, curves, data, findings, listing, players, timings, training
from recipe.report.html import asset, embed_json, policy, templates
from recipe.report.results import Result, Results, SeedMean
from recipe.report.spec import Spec
from recipe.report.summary import CHANCE, SEEDS, chances, p_value, percent, signed_percent

# What else of score.json the script shows, by model, test set and mode.
SCORE_PARTS = ("mer", "by_language", "by_speaker", "by_group", "by_duration", "by_cluster", "confusions", "insertions",
               "deletions", "hotwords", "flags")  # fmt: skip
HISTOGRAMS = {
    "duration_seconds": "duration, s",
    "tokens_per_utterance": "tokens of the transcript",
    "tokens_per_second": "tokens per second",
}
AUDIO_HISTOGRAMS = {
    "level_histogram": "level, dB of full scale",
    "silence_histogram": "share of silence",
    "clipped_histogram": "share of clipped samples",
}
# Scores and utterances on a page: a browser opens so much in a second or two, and with audio it stays under 25 MB.
# Utterances get what scores leave, but some of them are always listed.
PAGE_BYTES = 17_000_000
LEAST_LISTED_BYTES = 2_000_000
PAGE_GROUPS = 40_000  # rates of groups of one kind (speakers ...) in all scores together
LEAST_GROUPS = 10  # in a score
VERDICTS = {"better": "significant", "worse": "significant", "unclear": "not significant"}


def render(spec: Spec, results: Results, output_dir: Path) -> str:
    """The page. Links to audio count from `output_dir`."""
    cards = [data.read_card(entry) for entry in spec.data]
    shared = data.shared(spec)
    trainings = [training.load(run) for run in spec.runs]
    # What a run has set and reaches is that of its first seed; each seed's training is there to be unfolded.
    first = [one for one in trainings if one.name not in results.later_seeds]
    scores = _scores(results)
    taken = len(json.dumps(scores))
    listed = listing.collect(spec, max(LEAST_LISTED_BYTES, PAGE_BYTES - taken))
    audio = players.collect(spec, {test: found["keys"] for test, found in listed.items()}, output_dir)
    style, script = asset("page.css") + charts.STYLE, asset("page.js")
    return _environment().get_template("page.html").render(
        spec=spec,
        results=results,
        domain=_domain(spec),
        flag_names=findings.flag_names(results),
        has_hotwords=any(result.hotwords.get("ref") for result in results),
        cards=cards,
        shared=shared,
        shared_names=list(SHARED),
        trainings=trainings,
        findings=findings.collect(spec, results, cards, shared, trainings),
        curves=curves.load(spec),
        charts=_charts(spec, results, cards, trainings, first),
        confidences=confidence.collect(spec),
        costs=costs.collect(spec, results),
        compared_trainings=first,
        settings_table=training.settings_table(first),
        timings=timings.rows(spec),
        provenance=read_json(spec.provenance) if spec.provenance else {},
        versions=_versions(results, trainings),
        hashes=_hashes(results, cards, trainings),
        config=yaml.safe_dump(spec.config, sort_keys=False, allow_unicode=True) if spec.config else "",
        recipe_version=recipe.__version__,
        style=style,
        script=script,
        policy=policy(style, script),
        payload=_payload(spec, results, scores, listed),
        audio=embed_json(audio),
    )  # fmt: skip


def _environment() -> jinja2.Environment:
    environment = templates()
    environment.filters |= {
        "percent": percent,
        "signed": lambda value, digits=1: signed_percent(value, digits).replace("-", "−"),
        "p_value": p_value,
        "chances": chances,
        "duration": duration,
        "value": setting,
        "settings": lambda values: [(name, setting(value)) for name, value in values.items()],
    }
    environment.tests["some_shared"] = lambda shared: any(found["count"] for found in shared.values())
    environment.globals |= {"verdicts": VERDICTS, "chance": CHANCE, "mean_of_seeds": SEEDS}
    return environment


def _scores(results: Results) -> dict[str, Any]:
    """What the script shows of scores, by test set, model and mode."""
    scores: dict[str, Any] = {}
    most = max(LEAST_GROUPS, PAGE_GROUPS // max(1, len(list(results))))
    for result in results:
        parts = {name: result.score[name] for name in SCORE_PARTS if result.score.get(name)}
        groups = {name: found for name, found in parts.items() if name.startswith("by_")}
        parts |= {name: _most_spoken(found, most) for name, found in groups.items()}
        parts["groups"] = {name: len(found) for name, found in groups.items() if len(found) > most}
        if "flags" in parts:
            parts["flags"] = {name: {"count": found["count"]} for name, found in parts["flags"].items()}
        scores.setdefault(result.test, {}).setdefault(result.model, {})[result.mode] = parts
    return scores


def _most_spoken(found: dict[str, dict], most: int) -> dict[str, dict]:
    """Rates by group; of more than `most` those with the most reference tokens, the same for every model."""
    if len(found) <= most:
        return found
    kept = set(sorted(found, key=lambda name: (-found[name]["n"], name))[:most])
    return {name: rate for name, rate in found.items() if name in kept}


def _payload(spec: Spec, results: Results, scores: dict[str, Any], listed: dict[str, Any]) -> Markup:
    domain = _domain(spec)
    best = results.best(domain, spec.modes[0])
    return embed_json(
        {
            "models": spec.models,
            "tests": spec.tests,
            "modes": spec.modes,
            # Where a token a digit is counted, numbers are still shown whole.
            "single_digits": sorted({r.mode for r in results if r.score.get("settings", {}).get("single_digits")}),
            "first": {"model": best.models[0] if best else spec.baseline, "test": domain},
            "scores": scores,
            "ownRules": [mode for mode in spec.modes if results.own_rules(mode)],
            "sets": listed,
        }
    )


def _domain(spec: Spec) -> str:
    """The first test set of the domain."""
    return next((test for test in spec.tests if spec.in_domain(test)), spec.tests[0])


def _charts(
    spec: Spec,
    results: Results,
    cards: list[data.DataCard],
    trainings: list[training.Training],
    first: list[training.Training],
) -> dict:
    """All drawings, by what they belong to; trainings are compared by their `first` seeds."""
    return {
        "intervals": {(test, mode): _intervals(spec, results, test, mode)
                      for test in spec.tests for mode in spec.modes},
        "forgetting": {mode: _forgetting(spec, results, mode) for mode in spec.modes},
        "comparison": training.comparison(first),
        "curves": {run.name: training.curves(run) for run in trainings},
        "data": [_histograms(card) for card in cards],
    }  # fmt: skip


def _estimate(result: Result | SeedMean | None, best: Result | SeedMean | None, short: bool = False) -> Estimate | None:
    """An error rate as charts show it; `short` names a run of several seeds as its first one."""
    if result is None or result.rate is None:
        return None
    interval = tuple(100 * end for end in result.interval) if result.interval else None
    return Estimate(
        result.models[0] if short else result.model,
        100 * result.rate,
        interval,
        training.ACCENT if result is best else training.GREY,
    )


def _intervals(spec: Spec, results: Results, test: str, mode: str) -> Markup:
    best = results.best(test, mode)
    estimates = [_estimate(results.get(row, test, mode), best) for row in results.rows]
    estimates = [estimate for estimate in estimates if estimate]
    if not estimates:
        return Markup("")
    return charts.intervals(f"Error rates on {test} with intervals ({mode})", "error rate (MER), %", estimates)


def _forgetting(spec: Spec, results: Results, mode: str) -> list[tuple[str, Markup]]:
    """In-domain against other test sets: (test set, chart) for each of these."""
    domain = _domain(spec)
    drawn = []
    for test in spec.tests:
        best = results.best(domain, mode)
        same = best and results.get(best.model, test, mode)
        places = ((results.get(row, domain, mode), results.get(row, test, mode)) for row in results.rows)
        pairs = [
            (across, up)
            for across, up in ((_estimate(x, best, True), _estimate(y, same, True)) for x, y in places)
            if across and up
        ]  # fmt: skip
        if not spec.in_domain(test) and len(pairs) > 1 and pairs[0][0].name == spec.baseline:
            label = f"Error rate on {domain} and on {test} of every model ({mode})"
            drawn.append((test, charts.scatter(label, f"{domain}: error rate, %", f"{test}: error rate, %", pairs)))
    return drawn


def _histograms(card: data.DataCard) -> list[Markup]:
    found = card.stats.get("histograms", {})
    audio = card.stats.get("audio", {})
    plots = [(label, found[name]) for name, label in HISTOGRAMS.items() if name in found]
    shown = [name for name in AUDIO_HISTOGRAMS if any(audio.get(name, {}).get("counts", [])[1:])]
    plots += [(AUDIO_HISTOGRAMS[name], audio[name]) for name in shown]  # nothing but the least says nothing
    return [charts.histogram(f"{card.role} set {card.name}: {label}", label, h["edges"], h["counts"])
            for label, h in plots]  # fmt: skip


def _versions(results: Results, trainings: list[training.Training]) -> list[tuple[str, str, str]]:
    """(package, version, where): of training and of scoring, each stated once."""
    found = [(name, str(version), f"training {t.name}") for t in trainings
             for name, version in t.recipe.get("versions", {}).items()]  # fmt: skip
    found += [(name, str(version), "scoring") for r in results for name, version in r.score.get("versions", {}).items()]
    where: dict[tuple[str, str], dict[str, None]] = {}
    for name, version, place in found:
        where.setdefault((name, version), {})[place] = None
    return [(name, version, ", ".join(places)) for (name, version), places in sorted(where.items())]


def _hashes(results: Results, cards: list[data.DataCard], trainings: list[training.Training]) -> list[tuple[str, str]]:
    """(what, SHA-256) of inputs."""
    found = [(f"{card.role} set {card.name}, manifest", card.sha256) for card in cards if card.sha256]
    found += [(f"{t.name}, trained on {path}", digest) for t in trainings
              for path, digest in t.recipe.get("data", {}).items()]  # fmt: skip
    found += [(f"{t.name}, base model {name}: {file}", digest) for t in trainings
              for name, files in t.bases() for file, digest in files.items()]  # fmt: skip
    found += [
        (f"{r.model} on {r.test}, {r.mode}: {name} {entry['file']}", entry["sha256"])
        for r in results
        for name, entry in r.score.get("inputs", {}).items()
    ]
    return found


def duration(seconds: float) -> str:
    """Seconds for reading."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def setting(value: Any) -> str:
    """A setting's value as config.yaml writes it."""
    return json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value
