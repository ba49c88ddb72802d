"""One scored utterance, and its line of utterances.jsonl."""

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

from recipe.files import json_line
from recipe.score.align import Edit, edits
from recipe.score.counts import Counts, count
from recipe.score.policy import ScoringPolicy
from recipe.score.tokens import Cached, TokenizedText, tokenize

OPERATIONS = {"replace": "S", "delete": "D", "insert": "I"}

Step = TypeVar("Step")


class ScoredUtterance(NamedTuple):
    """One scored utterance: its texts as given and as tokens, the edits that turn the mixed tokens of the reference
    into those of the hypothesis (`found`, see `align.edits`) and the counts of the mixed tokens. `missing`: there was
    no hypothesis, and `hyp_text` is empty for that."""

    key: str
    ref_text: str
    hyp_text: str
    missing: bool
    ref: TokenizedText
    hyp: TokenizedText
    found: list[Edit]
    counts: Counts

    @property
    def alignment(self) -> list[tuple[str, str, str]]:
        """The mixed tokens side by side: (operation, reference token, hypothesis token) with the operations C correct,
        S substituted, D deleted (hypothesis token ""), I inserted (reference token "")."""
        correct = Cached(lambda token: ("C", token, token))
        return steps(self.ref.mixed, self.hyp.mixed, self.found, correct, lambda *step: step)


def score_utterance(key: str, ref_text: str, hyp_text: str | None, policy: ScoringPolicy) -> ScoredUtterance:
    """Align the mixed tokens of two texts; None is a missing hypothesis, which counts as an empty one. `policy`:
    see `tokens.tokenize`. RecipeError for texts that take too long to align (see `align.edits`)."""
    ref, hyp = tokenize(ref_text, policy), tokenize(hyp_text or "", policy)
    found = edits(ref.mixed, hyp.mixed)
    counts = count(len(ref.mixed), len(hyp.mixed), found)
    return ScoredUtterance(key, ref_text, hyp_text or "", hyp_text is None, ref, hyp, found, counts)


def steps(
    ref: list[str],
    hyp: list[str],
    found: list[Edit],
    correct: Mapping[str, Step],
    changed: Callable[[str, str, str], Step],
) -> list[Step]:
    """The steps of an alignment in order: `correct[token]` where both texts have a token, and for an edit
    `changed(operation, reference token, hypothesis token)` with the values of OPERATIONS and "" for no token."""
    made = []
    i = 0
    for kind, at_ref, at_hyp in found:
        made += [correct[token] for token in ref[i:at_ref]]
        token = "" if kind == "insert" else ref[at_ref]
        heard = "" if kind == "delete" else hyp[at_hyp]
        made.append(changed(OPERATIONS[kind], token, heard))
        i = at_ref + (kind != "insert")
    return made + [correct[token] for token in ref[i:]]


def correct_step(token: str) -> str:
    """The step of an alignment in which both texts have the same token, as JSON."""
    return _step_json("C", token, token)


def _step_json(operation: str, token: str, heard: str) -> str:
    return f'["{operation}", {json_line(token)}, {json_line(heard)}]'


def alignment_json(ref: list[str], hyp: list[str], found: list[Edit], correct: dict[str, str]) -> str:
    """The whole alignment as a JSON list of the steps of `ScoredUtterance.alignment`. `correct` is
    `Cached(correct_step)`: put together from texts that recur, this takes a third of the time that encoding lists
    would."""
    return f"[{', '.join(steps(ref, hyp, found, correct, _step_json))}]"


def utterance_line(scored: ScoredUtterance, flags: list[str], labels: dict[str, str], correct: dict[str, str]) -> str:
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
