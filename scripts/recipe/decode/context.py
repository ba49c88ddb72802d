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
    return [
        replace(request, error=AudioError(REASON, context.explained(request)))
        if request.instruction in suspects
        and not request.error
        and context.tokens_over(request.instruction, request.duration) > 0
        else request
        for request in requests
    ]


def refuse_hotwords(context: Context, requests: Sequence[Request], hotwords: Sequence[str]) -> None:
    """RecipeError if `hotwords`, which the settings put into the prompt of whatever has none of its own, do not fit
    beside the longest audio that they stand before; or if nothing fits at all, whatever the reason."""
    readable = [request for request in requests if not request.error]
    shared = [request for request in readable if listed_hotwords(request.instruction.text)[0] == list(hotwords)]
    if hotwords and shared:
        longest = max(shared, key=lambda request: request.duration)
        if context.tokens_over(longest.instruction, longest.duration) > 0:
            raise RecipeError(f"decode.hotwords ({longest.key}): {context.explained(longest)}")
    if readable and all(request.error for request in checked(context, readable)):
        raise RecipeError(f"{readable[0].key}: {context.explained(readable[0])}; so it is with all")
