"""Scoring of texts in memory, by one call: for notebooks and other programs."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from recipe.files import RecipeError
from recipe.score.counts import SentenceErrors, TokenErrors
from recipe.score.policy import ScoringPolicy
from recipe.score.tallies import ErrorRate, RateTallies
from recipe.score.utterance import ScoredUtterance, score_utterance


@dataclass(frozen=True)
class Score:
    """Error rates of a system over mixed tokens (`mer`), characters (`cer`) and words (`wer`), which
    `recipe.score.tokens` explains.

    `ser` counts utterances with an error in their mixed tokens. The errors of the mixed tokens follow, the most
    frequent first: `confusions` (reference token, hypothesis token, times), `insertions` and `deletions` (token,
    times). `utterances` are in the order of the references.
    """

    mer: ErrorRate
    cer: ErrorRate
    wer: ErrorRate
    ser: SentenceErrors
    confusions: tuple[tuple[str, str, int], ...] = field(repr=False)
    insertions: tuple[tuple[str, int], ...] = field(repr=False)
    deletions: tuple[tuple[str, int], ...] = field(repr=False)
    utterances: tuple[ScoredUtterance, ...] = field(repr=False)


def score(
    references: Sequence[str],
    hypotheses: Sequence[str],
    *,
    keys: Sequence[str] | None = None,
    speakers: Sequence[str | None] | None = None,
    mode: str | None = None,
    remove_tags: bool = False,
    bootstrap: int = 1000,
    seed: int = 0,
) -> Score:
    """Score hypotheses against references, the first against the first and so on, as compute_wer.py scores files.

    The texts are scored as they are, but for upper case and NFC: normalize both before, in the same way
    (`recipe.normalize.normalize`). An empty hypothesis counts as deletions. `keys` name the utterances, each once
    (default: "0", "1", ...). `speakers` (None: not known) are the units of resampling for the 95 % intervals where
    there are two or more, else utterances are. `mode` is the normalization that the texts went through: of "faithful"
    digits count singly. `remove_tags` drops spans of `<...>` from both texts. `bootstrap` is the number of samples (0:
    no intervals), `seed` that of their random numbers.

    RecipeError if the lengths differ, a text is no str, a key appears twice, there is nothing to score, or two texts
    are so long and so different that aligning them would take many minutes.
    """
    policy = ScoringPolicy(bootstrap=bootstrap, seed=seed, mode=mode, remove_tags=remove_tags)
    keys = list(map(str, range(len(references)))) if keys is None else keys
    _check(references, hypotheses, keys, speakers)
    named = {} if speakers is None else dict(zip(keys, speakers, strict=True))
    tallies = RateTallies(len(set(named.values()) - {None}) > 1)
    tokens, utterances = TokenErrors(), []
    for key, reference, hypothesis in zip(keys, references, hypotheses, strict=True):
        try:
            scored = score_utterance(key, reference, hypothesis, policy)
            tallies.add(scored, named.get(key))
        except RecipeError as error:
            raise RecipeError(f"key {key!r}: {error}") from None
        tokens.add(scored.ref.mixed, scored.hyp.mixed, scored.found)
        utterances.append(scored)
    return Score(**tallies.rates(policy), ser=tokens.sentences(), **tokens.lists(), utterances=tuple(utterances))


def _check(
    references: Sequence[str], hypotheses: Sequence[str], keys: Sequence[str], speakers: Sequence[str | None] | None
) -> None:
    """RecipeError if these are not as many texts, keys and speakers that belong together."""
    for name, texts in (("references", references), ("hypotheses", hypotheses)):
        if isinstance(texts, str):
            raise RecipeError(f"{name} is one text, expected a list of texts")
        for index, text in enumerate(texts):
            if not isinstance(text, str):
                raise RecipeError(f"{name}[{index}] is {text!r}, expected a text; that of no words is ''")
    for name, values in (("hypotheses", hypotheses), ("keys", keys), ("speakers", speakers)):
        if values is not None and len(values) != len(references):
            raise RecipeError(f"{len(references)} references and {len(values)} {name}; there must be as many of each")
    if len(references) == 0:
        raise RecipeError("no references; there is nothing to score")
    if len(set(keys)) < len(keys):
        twice = next(key for key, times in Counter(keys).items() if times > 1)
        raise RecipeError(f"key {twice!r} appears twice; each utterance needs a key of its own")
