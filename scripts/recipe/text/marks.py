"""Marks: what a model writes into a text that nobody said, such as `/sil`, `[breath]`, `[SPK]`, `[&]` and `<|zh|>`.

The published checkpoints write them (FunAudioLLM/Fun-ASR, issue 22). What the published toolkit takes out of its own
texts, in funasr 1.4.16 under funasr/models/fun_asr_nano (looked up 2026-11-28):

- model.py, its own decoding: `/sil` wherever it stands, for a space;
- inference_vllm.py: all that stands in `[..]` or `<..>`; `/sil`, `endofpatch`, `FFFF`; then all signs at the beginning;
- inference_vllm_pipeline.py, inference_vllm_streaming.py: all in `<..>`; `[breath]`, `[noise]`, `/sil`, `endofbreak`,
  `FFFF`, U+FFFD (half a character); `>` at the beginning.

Here the same is taken out, but what might have been said stays: square brackets count as a mark's only around one name
that begins with two Latin letters or one of the signs `& * +`, angle brackets only around a name, and the words only
where they stand alone. So `/silver`, `[1]`, `[x]`, `[see below]`, `a < b` and `0xFFFF` are left as they are, and so are
signs at the beginning. U+FFFD stays too: it is half a character of a text that was cut off, and says so.
"""

import re
import unicodedata

_KINDS = (
    r"/sil(?![A-Za-z0-9_])",
    r"\[(?:[A-Za-z]{2}[A-Za-z0-9_-]{0,18}|[&*+])\]",
    r"<\|[^|<>]{1,40}\|>",
    r"</?[A-Za-z][A-Za-z0-9_.-]{0,19}/?>",
    r"(?<![A-Za-z0-9_])(?:endofpatch|endofbreak|FFFF)(?![A-Za-z0-9_])",
)
_MARKS = re.compile(rf"\s*(?:(?:{'|'.join(_KINDS)})\s*)+")
_CLOSING = "，。、；：！？…,.;:!?)]}）】》」』”’"
_LEFT_OVER = ",.;:!?，。、；：！？… "  # at the beginning, behind a mark that is gone


def remove(text: str) -> str:
    """`text` without marks; the very same if there are none. Where one stood, what is beside it is joined as its script
    is written: with a space, without one between two characters of a script that has none, and before a closing sign.
    """
    found = _MARKS.sub(_joint, text)
    return found.lstrip(_LEFT_OVER) if found != text and _MARKS.match(text) else found


def _joint(marks: re.Match) -> str:
    before, after = marks.string[: marks.start()][-1:], marks.string[marks.end() :][:1]
    return "" if not before or not after or after in _CLOSING or (wide(before) and wide(after)) else " "


def wide(char: str) -> bool:
    """Whether a character is of a script that is written without spaces, or a sign of such a script."""
    return unicodedata.east_asian_width(char) in "WF" and not unicodedata.name(char, "").startswith("HANGUL")
