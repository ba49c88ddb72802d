"""JSON lines that models of speech are tuned with: FunASR's (older, and chats as today), ms-swift's and Qwen3-ASR's."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from recipe.files import RecipeError
from recipe.imports import keys, records, sources
from recipe.imports.items import (
    Found,
    Imported,
    Notes,
    NotImportable,
    Verbatim,
    channel_of,
    one_value,
    path_of,
    seconds_of,
    text_of,
)
from recipe.imports.options import ImportOptions
from recipe.text import prompt as prompts

_TAG = re.compile(r"<\|(.*)\|>")
_DEFAULT_PROMPT = prompts.transcription_prompt()
_INLINE = re.compile(r"<audio>(.+?)</audio>", re.DOTALL)
_PREFIX = re.compile(r"\s*language\s+(.+?)\s*<asr_text>(.*)", re.DOTALL)
LEFT_OUT = "instructions left out (--prompts carries them)"


def _require(source: Path, names: tuple[str, ...], what: str) -> None:
    """RecipeError unless one of the first lines has one of the fields."""
    first = records.first_objects(source)
    if not any(set(names) & record.keys() for record in first):
        raise RecipeError(
            f"{source}: no line has {' or '.join(names)}, as {what} has; there are {', '.join(sorted(first[0])[:20])}"
        )


# --- FunASR ---------------------------------------------------------------------------------------------------------


def funasr(source: Path, options: ImportOptions, notes: Notes) -> Iterator[Found]:
    """FunASR's JSON lines: key, source and target, with text_language, as older models are tuned with; or chats of
    system, user and assistant, in which the user's message has the recording, as Fun-ASR-Nano is."""
    _require(source, ("source", "messages"), "FunASR's JSONL")
    root = options.root or source.parent

    def make(record: dict, where: str, key: str) -> Imported:
        own = _own(record, "key") or _own(record, "utt_id")
        try:
            return _chat(record, own or key, root, notes) if "messages" in record else _pair(record, own or key, root)
        except NotImportable as error:
            raise NotImportable(error.reason, error.detail, own or key) from None

    return records.read(source, make)


def _own(record: dict, field: str) -> str | None:
    return one_value(record.get(field))


def _path(path: str, root: str | Path) -> str | Verbatim:
    """A recording, in an ark where that is one."""
    audio = sources.absolute(path, root, above=True)
    ark = sources.ARK_OFFSET.fullmatch(audio)
    if ark and not os.path.exists(audio) and os.path.exists(ark[1]):
        return Verbatim(audio)
    return audio


def _pair(record: dict, key: str, root: str | Path) -> Imported:
    language = _own(record, "text_language") or _own(record, "language")
    if language and (tag := _TAG.fullmatch(language)):
        language = tag[1]
    return Imported(
        key, _path(path_of(record.get("source"), "source"), root), text_of(record.get("target"), "target"),
        speaker=_own(record, "speaker"), language=language, group=_own(record, "group"),
        hotwords=_own(record, "hotwords"),
    )  # fmt: skip


def _chat(record: dict, key: str, root: str | Path, notes: Notes) -> Imported:
    """A chat of one turn; the fields beside it are those that this recipe's manifests have."""
    said = _roles(record["messages"])
    try:
        prompt, path, after = prompts.split_user_content(said.get("user", ""))
    except ValueError as error:
        raise NotImportable("jsonl-invalid", str(error)) from None
    hotwords, instruction = prompts.listed_hotwords(prompt)
    parts = prompts.chinese_parts(prompt)
    carried = None
    if after or (hotwords and instruction != _DEFAULT_PROMPT):
        notes.add("instructions that no table can hold (with hotwords, or text behind the recording): left out")
    elif instruction != _DEFAULT_PROMPT:
        carried = prompt
    start, end = seconds_of(record.get("start"), "start") or 0.0, seconds_of(record.get("end"), "end")
    return Imported(
        key, _path(path, root), said.get("assistant"), start, end,
        _own(record, "recording") or keys.of_path(path, root), _own(record, "speaker"),
        _own(record, "language") or (parts[1] if parts else None), _own(record, "group"),
        channel_of(record.get("channel")), carried, ",".join(hotwords) or None,
    )  # fmt: skip


def _roles(messages: Any) -> dict[str, str]:
    """The content of the user's and the assistant's message. NotImportable for a chat of several turns."""
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise NotImportable("jsonl-invalid", "messages are no list of objects")
    said: dict[str, str] = {}
    for message in messages:
        role = str(message.get("role", message.get("from")))
        role = {"human": "user", "gpt": "assistant"}.get(role, role)
        if role in said:
            raise NotImportable("jsonl-invalid", f"several messages of {role}, expected one turn")
        said[role] = _content(message.get("content", message.get("value")))
    return said


def _content(content: Any) -> str:
    """A message's text; of a list of parts, recordings as <audio>path</audio> among it."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        raise NotImportable("jsonl-invalid", f"content is {content!r:.80}, expected text")
    words = []
    for part in content:
        path = part.get("audio", part.get("audio_url"))
        path = path.get("url") if isinstance(path, dict) else path
        words.append(f"<audio>{path}</audio>" if isinstance(path, str) else str(part.get("text") or ""))
    return "".join(words)


# --- ms-swift ---------------------------------------------------------------------------------------------------------


def swift(source: Path, options: ImportOptions, notes: Notes) -> Iterator[Found]:
    """ms-swift's JSON lines (or one JSON list): messages with `<audio>`, and audios; or query, response and audios."""
    _require(source, ("messages", "conversations", "query"), "ms-swift's JSONL")
    root = options.root or source.parent

    def make(record: dict, where: str, key: str) -> Imported:
        if "query" in record:
            said = {"user": _content(record["query"]), "assistant": text_of(record.get("response"), "response")}
        else:
            said = _roles(record.get("messages", record.get("conversations")))
        user = said.get("user", "")
        audios = record.get("audios") or []
        audios = [*(audios if isinstance(audios, list) else [audios]), *_INLINE.findall(user)]
        audios = [audio.get("path") if isinstance(audio, dict) else audio for audio in audios]
        if len(audios) > 1:
            raise NotImportable("audio-ambiguous", f"{len(audios)} recordings, expected one")
        audio = sources.absolute(path_of(audios[0] if audios else None, "audios"), root, above=True)
        instruction = _INLINE.sub("", user).replace("<audio>", "").strip()
        if instruction and not options.prompts:
            notes.add(LEFT_OUT)
        return Imported(
            _own(record, "key") or _own(record, "id") or keys.of_path(audio, root), audio, said.get("assistant"),
            speaker=_own(record, "speaker"), language=_own(record, "language"),
            prompt=instruction if options.prompts else None,
        )  # fmt: skip

    return records.read(source, make)


# --- Qwen3-ASR --------------------------------------------------------------------------------------------------------


def qwen3_asr(source: Path, options: ImportOptions, notes: Notes) -> Iterator[Found]:
    """Qwen3-ASR's JSON lines: audio and text, which begins `language English<asr_text>` (None: not known)."""
    _require(source, ("audio",), "Qwen3-ASR's JSONL")
    root = options.root or source.parent

    def make(record: dict, where: str, key: str) -> Imported:
        audio = sources.absolute(path_of(record.get("audio"), "audio"), root, above=True)
        text, language = text_of(record.get("text")), _own(record, "language")
        if text is not None and (match := _PREFIX.fullmatch(text)):
            text, language = match[2], match[1]
        if (instruction := _own(record, "prompt")) and not options.prompts:
            notes.add(LEFT_OUT)
        return Imported(
            _own(record, "key") or _own(record, "id") or keys.of_path(audio, root), audio, text,
            speaker=_own(record, "speaker"), language=None if language in ("None", "none") else language,
            prompt=instruction if options.prompts else None,
        )  # fmt: skip

    return records.read(source, make)
