"""Prompts: the words that ask for a transcript, and the token sequence around the audio.

The sequence is the one that Fun-ASR-Nano was trained with:

    <|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n<|im_start|>user\\n{prompt}[AUDIO x n]<|im_end|>\\n
    <|im_start|>assistant\\n{target}<|im_end|>

Text before the audio, text after it and the target are tokenized apart, as the published training does, and the loss
covers `{target}<|im_end|>` alone. Prompt, text after the audio and target are the user's data: what looks like a
special token in them is tokenized as plain text, and never ends a turn or stands for audio.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from recipe.text.languages import LANGUAGE_NAMES_EN, LANGUAGE_NAMES_ZH, canonical, several
from recipe.text.markup import SpecialTokens, special_among

SYSTEM = "You are a helpful assistant."
START_OF_SPEECH = "<|startofspeech|>"
END_OF_SPEECH = "<|endofspeech|>"
END_OF_TURN = "<|im_end|>"
# Stands for one audio embedding in a token sequence, as in the published HF processor.
AUDIO_TOKEN = "<|object_ref_start|>"
IGNORED = -100  # label of a position without loss

HOTWORD_HEADER = (
    "请结合上下文信息，更加准确地完成语音转写任务。如果没有相关信息，我们会留空。\n\n\n**上下文信息：**\n\n\n"
)
_HOTWORD_LIST = re.compile(rf"{re.escape(HOTWORD_HEADER)}热词列表：\[(.*)\]\n", re.DOTALL)
_TASK_ZH = re.compile(r"语音转写(?:成(.+?))?(，不进行文本规整)?：")
EACH = "utt2lang"  # as the language to write in: that of each utterance
_AUDIO_SPAN = re.compile(re.escape(START_OF_SPEECH) + r"(.*?)" + re.escape(END_OF_SPEECH), re.DOTALL)


def transcription_prompt(
    wording: str = "zh", language: str | None = None, itn: bool = True, hotwords: Sequence[str] = ()
) -> str:
    """The user's words before the audio.

    `wording` is the language of the instruction ("zh" or "en"); `language` the language to write in, by any name that
    `languages.canonical` knows (None: not said); `itn` False asks for spoken words rather than written numbers;
    `hotwords` are listed in the published header, the same in training and decoding. UnknownLanguage, a ValueError, for
    other languages.
    """
    code = None if language is None else canonical(language)
    if wording == "en":
        task = f"Transcribe speech into {LANGUAGE_NAMES_EN[code]}" if code else None
        prompt = (task or "Speech transcription") + ("" if itn else " without text normalization") + ": "
    else:
        into = f"成{LANGUAGE_NAMES_ZH[code]}" if code else ""
        prompt = f"语音转写{into}{'' if itn else '，不进行文本规整'}："
    return with_hotwords(prompt, hotwords)


def with_hotwords(prompt: str, hotwords: Sequence[str]) -> str:
    """A prompt with the published header that lists hotwords; as it was if there are none."""
    return f"{HOTWORD_HEADER}热词列表：[{', '.join(hotwords)}]\n{prompt}" if hotwords else prompt


def listed_hotwords(prompt: str) -> tuple[list[str], str]:
    """The hotwords that a prompt lists in the published header, and the prompt without them."""
    listed = _HOTWORD_LIST.match(prompt)
    return (listed[1].split(", "), prompt[listed.end() :]) if listed else ([], prompt)


def prompt_maker(
    wording: str, language: str | None, itn: bool, hotwords: str
) -> Callable[[str | None, str | None], str]:
    """The function that words the prompt of an utterance from its own language, which counts where `language` is EACH,
    and its own hotwords, which count instead of `hotwords` where there are any (a table's value, or None). The label of
    several languages ("mix", "zh-en") names none: the prompt of its utterances leaves the language unsaid.

    UnknownLanguage, here for `language`, and from the function for the language of an utterance that counts.
    """
    shared = None if language in (None, EACH) else canonical(language)

    @lru_cache(maxsize=10_000)
    def make_prompt(own_language: str | None, own_hotwords: str | None) -> str:
        words = split_hotwords(hotwords if own_hotwords is None else own_hotwords)
        own = own_language if own_language and not several(own_language) else None
        return transcription_prompt(wording, own if language == EACH else shared, itn, words)

    return make_prompt


def chinese_parts(prompt: str) -> tuple[list[str], str | None, bool] | None:
    """(hotwords, name of the language or None, itn) of a prompt in the published Chinese words; None for others."""
    hotwords, words = listed_hotwords(prompt)
    task = _TASK_ZH.fullmatch(words)
    return (hotwords, task[1], task[2] is None) if task else None


def split_hotwords(value: str) -> list[str]:
    """Hotwords as a table or a flag gives them: separated by commas, Chinese ones too."""
    return [word.strip() for word in re.split("[,，]", value) if word.strip()]


def problem(prompt: str, after: str, special_tokens: tuple[str, ...]) -> str | None:
    """Why the words around the audio, hotwords included, cannot be asked for: they hold one of the model's special
    tokens, or a mark of the audio's place. None if nothing is wrong."""
    for where, text in (("prompt", prompt), ("text after the audio", after)):
        if found := _reserved(special_tokens).first(text):
            return (
                f"the {where} has {found!r}, which the model takes for more than text; take it out (of hotwords, too)"
            )
    return None


@lru_cache(maxsize=8)
def _reserved(special_tokens: tuple[str, ...]) -> SpecialTokens:
    return SpecialTokens((*special_tokens, START_OF_SPEECH, END_OF_SPEECH, END_OF_TURN, AUDIO_TOKEN))


@dataclass(frozen=True)
class Example:
    """One utterance as tokens. `labels` is as long as `input_ids`, IGNORED where there is no loss; without a target
    both end where the model is to go on."""

    input_ids: list[int]
    labels: list[int]


class PromptEncoder:
    """Turns (prompt, number of audio tokens, target) into tokens, with the tokenizer of a model."""

    def __init__(self, tokenizer, audio_token: str = AUDIO_TOKEN):
        self._tokenizer = tokenizer
        self.audio_token_id = tokenizer.convert_tokens_to_ids(audio_token)
        self.end_id = tokenizer.convert_tokens_to_ids(END_OF_TURN)
        added = tokenizer.added_tokens_decoder.values()
        self.special_tokens = special_among((token.content, token.special) for token in added)
        self._special = SpecialTokens(self.special_tokens)
        self._cache: dict[tuple[str, str], list[int]] = {}

    def _encode(self, *parts: str) -> list[int]:
        return [token for part in parts for token in self._tokenizer(part, add_special_tokens=False)["input_ids"]]

    def _encode_context(self, prompt: str, after: str) -> tuple[list[int], list[int]]:
        """Tokens before and after the audio. Prompts repeat, so their tokens are kept (not those of prompts with
        hotwords, which may never repeat)."""
        if (prompt, after) not in self._cache:
            if len(self._cache) > 1000:
                self._cache.clear()
            # Beside the user's words, our own are tokenized with them: white space may join the two.
            first, *others = self._special.pieces(prompt)
            *behind, last = self._special.pieces(after)
            before = f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n{first}"
            end = f"{last}<|im_end|>\n<|im_start|>assistant\n"
            self._cache[prompt, after] = self._encode(before, *others), self._encode(*behind, end)
        return self._cache[prompt, after]

    def encode(self, prompt: str, num_audio: int, target: str | None = None, after: str = "") -> Example:
        """Tokens of the chat with `num_audio` placeholders after `prompt` (and `after` behind them)."""
        before, behind = self._encode_context(prompt, after)
        context = before + [self.audio_token_id] * num_audio + behind
        if target is None:
            return Example(context, [IGNORED] * len(context))
        answer = [*self._encode(*self._special.pieces(target)), self.end_id]
        return Example(context + answer, [IGNORED] * len(context) + answer)


def split_user_content(content: str) -> tuple[str, str, str]:
    """Split a published user message into (prompt, audio source, text after the audio).

    ValueError if there is not exactly one `<|startofspeech|>!SOURCE<|endofspeech|>`: without the `!` the published
    training reads no audio and learns from the text alone, without saying so.
    """
    spans = list(_AUDIO_SPAN.finditer(content))
    if len(spans) != 1:
        raise ValueError(
            f"found {len(spans)} audio spans {START_OF_SPEECH}!...{END_OF_SPEECH} in a user message, expected 1"
        )
    source = spans[0][1]
    if not source.startswith("!") or len(source) == 1:
        raise ValueError(f"audio source {source!r} must be '!' and a path")
    return content[: spans[0].start()], source[1:], content[spans[0].end() :]


def join_user_content(prompt: str, source: str) -> str:
    """The published user message: prompt and audio source."""
    return f"{prompt}{START_OF_SPEECH}!{source}{END_OF_SPEECH}"
