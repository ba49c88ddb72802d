"""One scored utterance, and its line of utterances.jsonl."""

from typing import NamedTuple

from recipe.files import json_line
from recipe.score.align import Edit
from recipe.score.counts import Counts
from recipe.score.tokens import Text

OPERATIONS = {"replace": "S", "delete": "D", "insert": "I"}


class Utterance(NamedTuple):
    """One scored utterance: its texts as read and as tokens, the edits and the counts of the mixed tokens."""

    key: str
    ref_text: str
    hyp_text: str
    missing: bool
    ref: Text
    hyp: Text
    found: list[Edit]
    counts: Counts


def correct_step(token: str) -> str:
    """The step of an alignment in which both texts have the same token, as JSON."""
    return f'["C", {json_line(token)}, {json_line(token)}]'


def alignment_json(ref: list[str], hyp: list[str], found: list[Edit], correct: dict[str, str]) -> str:
    """The whole alignment as a JSON list of [operation, reference token, hypothesis token]: C correct, S substituted,
    D deleted (no hypothesis token: ""), I inserted (no reference token: ""). `correct` is `Cached(correct_step)`: put
    together from texts that recur, this takes a third of the time that encoding lists would."""
    steps = []
    i = 0
    for kind, at_ref, at_hyp in found:
        steps += [correct[token] for token in ref[i:at_ref]]
        token = "" if kind == "insert" else ref[at_ref]
        heard = "" if kind == "delete" else hyp[at_hyp]
        steps.append(f'["{OPERATIONS[kind]}", {json_line(token)}, {json_line(heard)}]')
        i = at_ref + (kind != "insert")
    steps += [correct[token] for token in ref[i:]]
    return f"[{', '.join(steps)}]"


def utterance_line(scored: Utterance, flags: list[str], labels: dict[str, str], correct: dict[str, str]) -> str:
    """One line of the file of utterances, as JSON; for `alignment` and `correct` see `alignment_json`."""
    counts = scored.counts
    row = {
        "key": scored.key,
        **{"n": counts.n, "cor": counts.cor, "sub": counts.sub, "del": counts.dels, "ins": counts.ins},
        **labels,
        "flags": flags,
        "ref": scored.ref_text,
        "hyp": scored.hyp_text,
    }
    alignment = alignment_json(scored.ref.mixed, scored.hyp.mixed, scored.found, correct)
    return f'{json_line(row)[:-1]}, "alignment": {alignment}}}\n'
