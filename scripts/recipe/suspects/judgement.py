"""What a model thinks of a transcript: its loss by token, beside that of the model's own hypothesis and of a transcript
that is wrong by construction.

A judgement is a line of JSON: key, and for `reference`, `hypothesis` and `wrong` (with the text, `wrong_text`) a list
[sum of the losses in nats, largest loss, number of tokens with the one that ends it], or null where there is none; and
`sound`, what the recording's samples say (see `sound`).
"""

from dataclasses import dataclass
from typing import NamedTuple

from recipe.suspects.sound import SoundEvidence


class TextLoss(NamedTuple):
    """The losses of a text's tokens, the one that ends it included, in nats: their sum, the largest, their number."""

    total: float
    largest: float
    tokens: int


@dataclass(frozen=True)
class Judgement:
    """What a model thinks of an utterance; None where it was not asked: audio that cannot be read, is too long for the
    encoder, or has no hypothesis."""

    key: str
    reference: TextLoss | None = None
    hypothesis: TextLoss | None = None
    wrong: TextLoss | None = None
    wrong_text: str | None = None
    sound: SoundEvidence | None = None

    def to_json(self) -> dict:
        """The object of a line."""
        return {
            "key": self.key,
            "reference": self.reference,
            "hypothesis": self.hypothesis,
            "wrong": self.wrong,
            "wrong_text": self.wrong_text,
            "sound": self.sound,
        }

    @classmethod
    def from_json(cls, record: dict) -> "Judgement":
        """The judgement that `to_json` wrote."""
        losses = {
            name: TextLoss(*record[name]) if record[name] else None for name in ("reference", "hypothesis", "wrong")
        }
        sound = SoundEvidence(*record["sound"]) if record["sound"] else None
        return cls(record["key"], **losses, wrong_text=record["wrong_text"], sound=sound)
