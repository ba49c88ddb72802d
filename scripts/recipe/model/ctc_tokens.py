"""Tokenizers of a CTC branch: text to the tokens that its frames are scored for, and back.

The toolkit has several; the two here are those that a model of ours can carry: SenseVoice's vocabulary, a file of
byte-pair merges in tiktoken's format (https://github.com/openai/tiktoken), and a tokenizer of transformers.
"""

import base64
import binascii
import functools
import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import regex
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from recipe.files import RecipeError, read_lines
from recipe.model import loading

# By the toolkit's names of them: the entry of `ctc_tokenizer_conf` that says where their files are.
PLACES = {"SenseVoiceTokenizer": "vocab_path", "HuggingfaceTokenizer": "init_param_path"}

# Pieces that no merge crosses, as in GPT-2, whose pattern SenseVoice's vocabulary was made with: English endings, and
# runs of letters, of digits and of other signs, each with a space before it.
_PIECES = regex.compile(r"'(?:[stmd]|re|ve|ll)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")


class CtcTokens(Protocol):
    """A tokenizer with `size` tokens, numbered from 0."""

    size: int

    def encode(self, text: str) -> list[int]:
        """Tokens of a text, without any that mark its begin or end."""

    def decode(self, tokens: Sequence[int]) -> str:
        """Text of tokens. A character that lacks a byte becomes U+FFFD: one token may be a part of a character."""


class MergeTokens:
    """Byte-pair encoding by a table of merges, as tiktoken does it. Special tokens, which the toolkit numbers after
    those of the table (languages, events, emotions, times), stand for no text and are never made."""

    def __init__(self, file: Path):
        self._ranks = _read_ranks(file)
        self._bytes = {rank: piece for piece, rank in self._ranks.items()}
        self.size = len(self._ranks)

    def encode(self, text: str) -> list[int]:
        return [token for piece in _PIECES.findall(text) for token in self._tokens(piece.encode())]

    def decode(self, tokens: Sequence[int]) -> str:
        return b"".join(self._bytes.get(token, b"") for token in tokens).decode(errors="replace")

    def _tokens(self, piece: bytes) -> list[int]:
        """Tokens of a piece: of all neighbours the two are merged first whose whole has the lowest rank."""
        if piece in self._ranks:
            return [self._ranks[piece]]
        parts = [bytes([byte]) for byte in piece]
        merged = [self._rank(pair) for pair in itertools.pairwise(parts)]
        while merged and (least := min(merged)) < self.size:
            at = merged.index(least)
            parts[at : at + 2] = [parts[at] + parts[at + 1]]
            del merged[at]
            for left in range(max(at - 1, 0), min(at + 1, len(merged))):
                merged[left] = self._rank((parts[left], parts[left + 1]))
        return [self._ranks[part] for part in parts]

    def _rank(self, pair: tuple[bytes, bytes]) -> int:
        """Rank of two parts as one; beyond all ranks if they do not merge."""
        return self._ranks.get(pair[0] + pair[1], self.size)


def _read_ranks(file: Path) -> dict[bytes, int]:
    """Pieces and their ranks, lines `base64 rank`. RecipeError if a line is no such, or ranks or bytes have gaps."""
    ranks = {}
    for number, line in read_lines(file):
        found = re.fullmatch(r"(\S+) (\d+)", line.strip())
        if not found and line.strip():
            raise RecipeError(f"{file}:{number}: {line.strip()[:40]!r}, expected a piece in base64 and its rank")
        if found:
            try:
                ranks[base64.b64decode(found[1], validate=True)] = int(found[2])
            except binascii.Error:
                raise RecipeError(f"{file}:{number}: {found[1][:40]!r} is not base64") from None
    if sorted(ranks.values()) != list(range(len(ranks))):
        raise RecipeError(f"{file}: its {len(ranks)} ranks are not those from 0 on, each once; get the file again")
    if any(bytes([byte]) not in ranks for byte in range(256)):
        raise RecipeError(f"{file}: lacks single bytes, so that not every text has tokens; get the file again")
    return ranks


class HfTokens:
    """A tokenizer of transformers, called as the toolkit calls it."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase):
        self._tokenizer = tokenizer
        self.size = len(tokenizer)

    @classmethod
    def open(cls, folder: Path) -> "HfTokens":
        """The tokenizer in a folder. RecipeError if there is none."""
        try:
            return cls(AutoTokenizer.from_pretrained(folder, local_files_only=True))
        except loading.UNLOADABLE as error:
            raise RecipeError(f"{folder}: no tokenizer of transformers ({' '.join(str(error).split())})") from error

    def save(self, folder: Path) -> None:
        """Write the tokenizer's files to a folder."""
        self._tokenizer.save_pretrained(folder)

    def encode(self, text: str) -> list[int]:
        return self._tokenizer.encode(text)

    def decode(self, tokens: Sequence[int]) -> str:
        return self._tokenizer.decode(list(tokens))


@functools.cache
def open_tokens(kind: str, place: Path) -> CtcTokens:
    """The tokenizer that the toolkit calls `kind`, of its file or folder. RecipeError if it cannot be read."""
    return {"SenseVoiceTokenizer": MergeTokens, "HuggingfaceTokenizer": HfTokens.open}[kind](place)
