"""A tokenizer as byte-level BPE, the form in which sherpa-onnx and llama.cpp read vocabularies.

Qwen's tokenizers are that already. A SentencePiece unigram model (`init`) chooses pieces by their probability, which
merges cannot do in general; but these runtimes tokenize nothing besides their own prompts, so its merges are made for
the published prompts, and whatever else is asked for (hotwords) falls into characters. Either way the prompts are
tokenized as the runtimes do it and compared with the model's own tokens.
"""

import itertools
import json
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import tokenizers
from tokenizers import models, pre_tokenizers
from transformers.convert_slow_tokenizer import bytes_to_unicode

from recipe.files import RecipeError
from recipe.text.languages import LANGUAGE_NAMES_ZH
from recipe.text.prompt import SYSTEM, PromptEncoder, transcription_prompt

logger = logging.getLogger(__name__)

# How both runtimes cut text into words before they merge: Qwen2's pattern.
_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_SPACE = "▁"  # SentencePiece's
_ALPHABET = bytes_to_unicode()  # byte -> the character that stands for it
_BEFORE = f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n{{}}"
_AFTER = "<|im_end|>\n<|im_start|>assistant\n"

Merge = tuple[str, str]


@dataclass(frozen=True)
class ByteLevelVocabulary:
    """`tokens` by id, each byte written as a character of the byte-level alphabet; None for ids that no text leads to
    and whose spelling another token has. `merges` by rank. `added` are the tokens that are looked for in the text
    before, as tokenizer.json describes them ("id", "content", "special" ...)."""

    tokens: tuple[str | None, ...]
    merges: tuple[Merge, ...]
    added: tuple[dict, ...]

    @property
    def ids(self) -> dict[str, int]:
        """Ids by token."""
        return {token: number for number, token in enumerate(self.tokens) if token is not None}

    def encode(self, texts: Iterable[str]) -> list[list[int]]:
        """Ids of each text, as the runtimes find them; ids beyond `tokens` are what no token stands for."""
        known = self.ids
        merged = itertools.chain.from_iterable((*pair, "".join(pair)) for pair in self.merges)
        for symbol in itertools.chain(_ALPHABET.values(), merged):
            known.setdefault(symbol, len(self.tokens) + len(known))
        encoder = tokenizers.Tokenizer(models.BPE(known, list(self.merges)))
        encoder.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(tokenizers.Regex(_WORDS), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
        encoder.add_special_tokens([token["content"] for token in self.added])
        return [encoding.ids for encoding in encoder.encode_batch(list(texts), add_special_tokens=False)]


def prompts() -> list[str]:
    """The published prompts in Chinese, as the runtimes can word them: with a language and without, with text
    normalization and without."""
    return [
        transcription_prompt(language=code, itn=itn) for code in (None, *LANGUAGE_NAMES_ZH) for itn in (True, False)
    ]


def byte_level(tokenizer, source: object) -> ByteLevelVocabulary:
    """The vocabulary of a fast tokenizer of transformers. `source` is what errors call it.

    RecipeError if it is neither byte-level BPE nor a unigram model with byte fallback, or if the plain prompt would be
    other tokens than the model's own.
    """
    described = json.loads(tokenizer.backend_tokenizer.to_str())
    model, added = described["model"], tuple(described["added_tokens"])
    encoder = PromptEncoder(tokenizer)
    asked = {prompt: encoder.encode(prompt, 0).input_ids for prompt in prompts()}
    if model["type"] == "BPE" and not model.get("byte_fallback"):
        spelled = {number: token for token, number in model["vocab"].items()}
        merges = tuple(tuple(merge.split(" ")) if isinstance(merge, str) else tuple(merge) for merge in model["merges"])
    elif model["type"] == "Unigram" and model.get("byte_fallback"):
        spelled = _unigram_spellings([piece for piece, _ in model["vocab"]])
        merges = _merges_for(spelled, asked.values(), {token["id"] for token in added})
    else:
        raise RecipeError(
            f"{source}: its tokenizer is of type {model['type']}; only byte-level BPE (Qwen's) and "
            "SentencePiece's unigram models with byte fallback can be written for this runtime"
        )
    spelled |= {token["id"]: token["content"] for token in added}
    tokens = tuple(spelled.get(number) for number in range(max(spelled) + 1))
    vocabulary = ByteLevelVocabulary(tokens, merges, added)
    _check(vocabulary, asked, source)
    return vocabulary


def _check(vocabulary: ByteLevelVocabulary, asked: dict[str, list[int]], source: object) -> None:
    """RecipeError if the plain prompt would be other tokens in the runtimes, a warning if another one would."""
    [after] = vocabulary.encode([_AFTER])
    found = vocabulary.encode(_BEFORE.format(prompt) for prompt in asked)
    differing = [prompt for prompt, before in zip(asked, found, strict=True) if before + after != asked[prompt]]
    if transcription_prompt() in differing:
        raise RecipeError(
            f"{source}: its tokenizer cannot be written as byte-level BPE: the runtime would turn the prompt "
            f"{transcription_prompt()!r} into other tokens than the model was trained with"
        )
    if differing:
        logger.warning(
            "%s: %d of %d published prompts would be other tokens in the runtime than in training, like %r; "
            "ask with the plain prompt there",
            source,
            len(differing),
            len(asked),
            differing[0],
        )


# ---- unigram models


def _spell(text: bytes) -> str:
    return "".join(_ALPHABET[byte] for byte in text)


def _unigram_spellings(pieces: list[str]) -> dict[int, str]:
    """Spellings by id. A byte's own token goes without, where a piece is that byte: text never leads to it."""
    spelled = {number: _spell(piece.replace(_SPACE, " ").encode()) for number, piece in enumerate(pieces)}
    taken = set(spelled.values())
    for byte in range(256):
        piece = f"<0x{byte:02X}>"
        if piece in pieces:
            number = pieces.index(piece)
            if _ALPHABET[byte] in taken:
                del spelled[number]
            else:
                spelled[number] = _ALPHABET[byte]
    return spelled


def _merges_for(spelled: dict[int, str], wanted: Iterable[list[int]], special: set[int]) -> tuple[Merge, ...]:
    """Merges that put every character together, and then the tokens of the `wanted` texts, the longest first: a piece
    of a longer one must not take its letters before."""
    used = {spelled[number] for text in wanted for number in text if number not in special}
    characters = {token for token in spelled.values() if _is_character(token)}
    in_order = [*sorted(characters), *sorted(used - characters, key=lambda token: (-len(token), token))]
    return tuple(dict.fromkeys(merge for token in in_order for merge in _chain(token)))


_BYTES = {character: byte for byte, character in _ALPHABET.items()}


def _is_character(token: str) -> bool:
    """Whether a spelling is one character of several bytes."""
    if len(token) == 1 or any(letter not in _BYTES for letter in token):
        return False
    return len(bytes(_BYTES[letter] for letter in token).decode("utf-8", "replace")) == 1


def _chain(token: str) -> Iterator[Merge]:
    """The merges that build a token from its left: of bytes to characters, then of characters. None for a byte."""
    if len(token) == 1:
        return
    text = bytes(_BYTES[letter] for letter in token).decode("utf-8", "replace")
    characters = [_spell(character.encode()) for character in text]
    for character in characters:
        yield from _from_the_left(character)
    yield from _from_the_left(characters)


def _from_the_left(parts: Iterable[str]) -> Iterator[Merge]:
    first, *others = parts
    for part in others:
        yield first, part
        first += part
