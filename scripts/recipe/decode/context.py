"""Whether prompts fit: instruction, audio and hypothesis share the positions that the language model has."""

import bisect
from collections.abc import Sequence
from dataclasses import dataclass, replace

from recipe.audio.reading import AudioError
from recipe.decode.engines import Engine, Instruction
from recipe.decode.requests import Request
from recipe.files import RecipeError
from recipe.model.generate import Limits
from recipe.text.prompt import listed_hotwords, with_hotwords

REASON = "prompt-too-long"


@dataclass(frozen=True)
class Context:
    """What an engine has positions for, beside audio that is cut at `max_seconds` and hypotheses at their `limits`."""

    engine: Engine
    max_seconds: float
    limits: Limits

    def tokens_over(self, instruction: Instruction, duration: float) -> int:
        """How many tokens too many an utterance of `duration` seconds takes at most; 0 or less: it fits."""
        seconds = min(duration, self.max_seconds)
        return self.engine.tokens_over(instruction, seconds, self.limits.tokens(seconds))

    def explained(self, request: Request) -> str:
        """By how much a request does not fit, and what would."""
        seconds = min(request.duration, self.max_seconds)
        over = self.tokens_over(request.instruction, request.duration)
        message = (
            f"the prompt, {seconds:.1f} s of audio and {self.limits.tokens(seconds)} tokens for the text are {over} "
            "tokens more than the model has positions for"
        )
        words, rest = listed_hotwords(request.instruction.text)

        def too_many(number: int) -> bool:
            text = with_hotwords(rest, words[:number])
            return self.tokens_over(replace(request.instruction, text=text), request.duration) > 0

        if not words or too_many(0):
            return f"{message}: shorten the prompt, or lower max_tokens_per_second or max_seconds"
        fitting = bisect.bisect_left(range(len(words)), True, key=too_many) - 1
        return f"{message}: of {len(words)} hotwords the first {fitting} fit"


def checked(context: Context, requests: Sequence[Request]) -> list[Request]:
    """The requests; those that do not fit have that as their error, if they had none."""
    longest: dict[Instruction, float] = {}
    for request in requests:
        longest[request.instruction] = max(longest.get(request.instruction, 0.0), request.duration)
    suspects = {asked for asked, seconds in longest.items() if context.tokens_over(asked, seconds) > 0}
    return [_checked(context, request) if request.instruction in suspects else request for request in requests]


def _checked(context: Context, request: Request) -> Request:
    if request.error or context.tokens_over(request.instruction, request.duration) <= 0:
        return request
    return replace(request, error=AudioError(REASON, context.explained(request)))


def refuse_settings(context: Context, requests: Sequence[Request], hotwords: Sequence[str]) -> None:
    """RecipeError if the longest audio does not fit even without a prompt, or if `hotwords`, which the settings put
    into the prompt of whatever has none of its own, do not fit beside the longest audio that they stand before."""
    readable = sorted((request for request in requests if not request.error), key=lambda request: -request.duration)
    for longest in readable[:1]:
        bare = replace(longest, instruction=Instruction(""))
        if context.tokens_over(bare.instruction, bare.duration) > 0:
            raise RecipeError(f"{longest.key}: even without a prompt {context.explained(bare)}")
    shared = (request for request in readable if listed_hotwords(request.instruction.text)[0] == list(hotwords))
    longest = next(shared, None) if hotwords else None
    if longest and context.tokens_over(longest.instruction, longest.duration) > 0:
        raise RecipeError(f"decode.hotwords ({longest.key}): {context.explained(longest)}")
