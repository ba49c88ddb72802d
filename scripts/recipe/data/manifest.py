"""Manifests: one utterance a line, in the published JSONL format with the key and what else is known.

{"messages": [system, user, assistant], "speech_length": 10 ms frames, "text_length": tokens,
 "key": ..., "duration": seconds, "start"/"end": seconds of a segment, "channel": index, if one was chosen,
 "speaker"/"language"/"group": if known, "recording": key of a segment's recording}
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from json.decoder import scanstring
from json.encoder import encode_basestring as quoted

from recipe.files import RecipeError, read_json_lines
from recipe.text import prompt as prompts


@dataclass(slots=True)
class Utterance:
    """One line of a manifest."""

    key: str
    source: str  # what wav.scp says: path, ark:offset or command
    prompt: str
    text: str
    speech_length: int  # 10 ms frames, as published: (ms - 25) // 10 + 1
    text_length: int  # tokens of the model's tokenizer
    duration: float  # seconds
    after: str = ""  # text after the audio in the user's message
    start: float = 0.0  # seconds into the recording
    end: float | None = None
    channel: int | None = None  # of a recording with several; None: their average
    speaker: str | None = None
    language: str | None = None
    group: str | None = None
    recording: str | None = None  # key in wav.scp, of a segment

    def to_json(self) -> dict:
        """The line's JSON object: the published fields first, in the published order."""
        record = {
            "messages": [
                {"role": "system", "content": prompts.SYSTEM},
                {"role": "user", "content": prompts.join_user_content(self.prompt, self.source) + self.after},
                {"role": "assistant", "content": self.text},
            ],
            "speech_length": self.speech_length,
            "text_length": self.text_length,
            "key": self.key,
            "duration": round(self.duration, 4),
        }
        if self.start or self.end is not None:
            record |= {"start": self.start, "end": self.end}
        known = {name: getattr(self, name) for name in ("channel", *_NAMES)}
        return record | {name: value for name, value in known.items() if value is not None}

    def fragments(self) -> tuple[str, str]:
        """The line as JSON in two parts, which `text_length` (known last) joins: the same as json_line(to_json()) at
        a fifth of its time."""
        content = quoted(prompts.join_user_content(self.prompt, self.source) + self.after)
        head = (
            f'{_HEAD}{content}{_BETWEEN}{quoted(self.text)}}}], "speech_length": {self.speech_length}, "text_length": '
        )
        tail = f', "key": {quoted(self.key)}, "duration": {round(self.duration, 4)!r}'
        if self.start or self.end is not None:
            tail += f', "start": {self.start!r}, "end": {"null" if self.end is None else repr(self.end)}'
        if self.channel is not None:
            tail += f', "channel": {self.channel}'
        for name in _NAMES:
            if (value := getattr(self, name)) is not None:
                tail += f', "{name}": {quoted(value)}'
        return head, tail + "}"


_HEAD = f'{{"messages": [{{"role": "system", "content": {quoted(prompts.SYSTEM)}}}, {{"role": "user", "content": '
_BETWEEN = '}, {"role": "assistant", "content": '
_FRAMES, _LANGUAGE = '}], "speech_length": ', ', "language": "'
_ROLES = ["system", "user", "assistant"]
_NAMES = ("speaker", "language", "group", "recording")
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")  # controls, line ends, halves of characters


def speech_length(seconds: float) -> int:
    """Length in 10 ms frames as the published manifests count it (25 ms windows, 10 ms apart)."""
    return int((seconds * 1000 - 25) // 10 + 1)


def name(record: dict, field: str) -> str | None:
    """A field that goes into tables, whole numbers as text; ValueError if it is no text of one line."""
    value = record.get(field)
    if value is None or (type(value) is str and not _UNFIT.search(value)):
        return value
    if type(value) is int:
        return str(value)
    raise ValueError(f"{field} is {value!r}, expected text of one line")


def _contents(messages: list[dict]) -> dict[str, str]:
    """Content of each message by its role; ValueError unless they are those of the format, in its order, and text."""
    roles = [message["role"] for message in messages]
    if roles != _ROLES or messages[0]["content"] != prompts.SYSTEM:
        raise ValueError(f"expected messages of system ({prompts.SYSTEM!r}), user and assistant, found {roles}")
    for message in messages:
        if not isinstance(message["content"], str):
            kind = type(message["content"]).__name__
            raise ValueError(f"the content of {message['role']} is of type {kind}, expected one string")
    return {message["role"]: message["content"] for message in messages}


def _channel(value: object) -> int | None:
    if value is None or (type(value) is int and value >= 0):
        return value
    raise ValueError(f"channel is {value!r}, expected an index from 0")


def parse(record: dict, where: str) -> Utterance:
    """Make an Utterance of a manifest line; `where` (file:line) begins the message of a RecipeError."""
    try:
        by_role = _contents(record["messages"])
        prompt, source, after = prompts.split_user_content(by_role["user"])
        frames = int(record["speech_length"])
        return Utterance(
            key=name(record, "key") or where,
            source=source,
            prompt=prompt,
            after=after,
            text=by_role["assistant"],
            speech_length=frames,
            text_length=int(record["text_length"]),
            duration=float(record.get("duration", (frames * 10 + 15) / 1000)),
            start=float(record.get("start") or 0.0),
            end=None if record.get("end") is None else float(record["end"]),
            channel=_channel(record.get("channel")),
            **{field: name(record, field) for field in _NAMES},
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        what = f"field {error} is missing" if isinstance(error, KeyError) else str(error)
        raise RecipeError(f"{where}: not a line of the published training format: {what}") from None


def glance(line: str) -> tuple[int, str, str, str | None]:
    """(speech_length, prompt, after, language) of a line that `fragments` made, at a fifth of the time of `parse`:
    where each stands is known, because quotes inside texts are escaped."""
    source = line.index(prompts.START_OF_SPEECH, len(_HEAD))
    end = line.index(prompts.END_OF_SPEECH, source) + len(prompts.END_OF_SPEECH)
    answer = line.index(_BETWEEN, end)
    frames = line.index(_FRAMES, answer) + len(_FRAMES)
    language = line.find(_LANGUAGE, frames)
    return (
        int(line[frames : line.index(",", frames)]),
        scanstring(f'{line[len(_HEAD) + 1 : source]}"', 0)[0],
        scanstring(f'{line[end:answer]}"', 0)[0],
        scanstring(line, language + len(_LANGUAGE))[0] if language >= 0 else None,
    )


def read(path: str | os.PathLike) -> Iterator[Utterance]:
    """Yield the utterances of a manifest in file order."""
    for number, record in read_json_lines(path):
        yield parse(record, f"{path}:{number}")
