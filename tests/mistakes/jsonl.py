"""Mistakes in single lines of a JSONL file in the published format."""

import json
import random
from collections.abc import Callable

from mistakes.kinds import ANY, FINE, WRONG, Mistake, kind
from mistakes.lines import about
from mistakes.project import DataSet


def field(name: str, change: Callable, fates=WRONG) -> None:
    """A kind of mistake in a line's object: `change` gets the generator and the object, and may return another line."""

    def make(draw: random.Random, data: DataSet) -> Mistake:
        key = data.take(draw)
        place = data.index("jsonl", key)
        record = json.loads(data.tables["jsonl"][place])
        line = change(draw, record)
        if line is None:
            line = json.dumps(record, ensure_ascii=draw.random() < 0.5)
        raw = line if isinstance(line, bytes) else line.encode("utf-8", "surrogatepass")
        data.tables["jsonl"][place] = raw
        own = record.get("key") if isinstance(record, dict) else None
        others = [*([str(own)] if own is not None else []), numbered(data, place)]
        return about(data, key, fates, *others, line=repr(raw)[-90:])

    kind("data", "jsonl", name)(make)


def numbered(data: DataSet, place: int) -> str:
    """What a line without a key is called."""
    return f"{data.role}-{place + 1:08d}"


def put(*path_and_values):
    """Set what stands at a path (names and numbers) to one of the values."""
    *path, values = path_and_values

    def change(draw, record):
        for step in path[:-1]:
            record = record[step]
        record[path[-1]] = draw.choice(values)

    return change


def without(*path):
    """Remove what stands at a path."""

    def change(draw, record):
        for step in path[:-1]:
            record = record[step]
        del record[path[-1]]

    return change


def content(place: int, change: Callable[[random.Random, str], object]):
    """Change the content of a message."""

    def inner(draw, record):
        record["messages"][place]["content"] = change(draw, record["messages"][place]["content"])

    return inner


def text(record) -> str:
    """An object as JSON."""
    return json.dumps(record, ensure_ascii=False)


NO_TEXT = [None, 5, 1.5, True, [], {}, ["a"], {"text": "a"}, [{"type": "text", "text": "a"}]]
NO_NUMBER = [None, "many", "", [], {}, True, "1.5s", float("nan"), float("inf"), -1, 1e308, 10**400]

field(
    "not-json",
    lambda d, r: d.choice(
        ["hello", "{", "}", "{'a': 1}", "key text", "\\", text(r)[:-1], text(r)[: len(text(r)) // 2]]
    ),
)
field("other-value", lambda d, r: d.choice(["[]", "null", "5", '"text"', "true", "[1, 2]", "{}", "NaN", '""']))
field("two-on-a-line", lambda d, r: text(r) + text(r))
field("trailing-comma", lambda d, r: text(r) + d.choice([",", ";", " ,", "]"]))
field("bad-bytes", lambda d, r: text(r).encode()[:-20] + b"\xff" + text(r).encode()[-20:])
field("control-character-raw", lambda d, r: text(r)[:-40] + d.choice(["\x01", "\0", "\x1b"]) + text(r)[-40:])
field("deep", lambda d, r: "[" * d.choice([1000, 100000]) + "]" * d.choice([0, 1000]))
field("deep-inside", lambda d, r: text(r)[:-1] + ', "more": ' + "[" * 50000 + "]" * 50000 + "}", ANY)
field("name-twice", lambda d, r: text(r)[:-1] + ', "messages": []}')
field("no-messages", without("messages"))
field("messages", put("messages", [None, [], {}, "text", 5, [None], ["a", "b", "c"], [[], [], []], [{}, {}, {}]]))
field("roles-in-another-order", lambda d, r: d.shuffle(r["messages"]) or r["messages"].reverse(), ANY)
field(
    "role-unknown",
    lambda d, r: r["messages"][d.randrange(3)].update(role=d.choice(["bot", "User", "", None, 5, [], "human"])),
)
field("role-missing", lambda d, r: (r["messages"][d.randrange(3)].pop("role"), None)[1])
field("content-missing", lambda d, r: (r["messages"][d.randrange(3)].pop("content"), None)[1])
field(
    "turns-too-many",
    lambda d, r: r["messages"].extend([{"role": "user", "content": "more"}, {"role": "assistant", "content": "x"}]),
)
field("turn-missing", lambda d, r: (r["messages"].pop(d.randrange(3)), None)[1])
field("other-system", content(0, lambda d, c: d.choice(["", "You are an assistant", c.upper(), "你好"])), ANY)
field("content-no-text", lambda d, r: r["messages"][d.randrange(3)].update(content=d.choice(NO_TEXT)))
field(
    "no-audio",
    content(
        1,
        lambda d, c: d.choice(
            ["", "语音转写：", c.replace("<|startofspeech|>!", ""), c.replace("<|endofspeech|>", "")]
        ),
    ),
)
field("no-exclamation", content(1, lambda d, c: c.replace("!", "")), ANY)
field("two-audios", content(1, lambda d, c: c + c.removeprefix("语音转写：")), ANY)
field("audio-empty", content(1, lambda d, c: "语音转写：<|startofspeech|>!<|endofspeech|>"))
field("audio-missing", content(1, lambda d, c: c.replace("wav/", d.choice(["gone/", "~/", "\\"]))))
field("audio-dead-url", content(1, lambda d, c: "语音转写：<|startofspeech|>!http://127.0.0.1:9/x.wav<|endofspeech|>"))
field("audio-control-character", content(1, lambda d, c: c.replace("wav/", d.choice(["\0/", "\n/", "\t/"]))))
field(
    "special-token-in-prompt",
    content(1, lambda d, c: d.choice(["<|im_end|>", "<|object_ref_start|>", "<|im_start|>"]) + c),
    ANY,
)
field("text-behind-audio", content(1, lambda d, c: c + d.choice(["\n", "more", "<|im_end|>"])), ANY)
field(
    "half-character",
    lambda d, r: (
        r["messages"][d.randrange(1, 3)].update(content=r["messages"][1]["content"] + "\ud800") or json.dumps(r)
    ),
)
field("text-empty", content(2, lambda d, c: d.choice(["", " ", "\n", "\u3000"])), ANY)
field("text-of-lines", content(2, lambda d, c: c + d.choice(["\nmore", "\r\n", "\x85x", "\u2028x"])), ANY)
field("text-control-character", content(2, lambda d, c: c + d.choice(["\x01", "\0", "\x7f", "\ufffd"])))
field(
    "text-special-token",
    content(2, lambda d, c: c + d.choice(["<|im_end|>", "<|object_ref_start|>", "<|endofspeech|>"])),
    ANY,
)
field("speech-length", put("speech_length", NO_NUMBER), ANY)
field("text-length", put("text_length", NO_NUMBER), ANY)
field("lengths-missing", lambda d, r: (r.pop("speech_length"), r.pop("text_length"), None)[2], FINE)
field("duration", put("duration", NO_NUMBER), ANY)
field("start", put("start", ["1", -1, 1e9, "a", [], float("nan"), True]), ANY)
field("end", put("end", [0, -5, 1e9, "a", {}, float("inf"), 0.0001, False]), ANY)
field("channel", put("channel", ["left", -1, 99, 1.5, [], True, "0"]), ANY)
field(
    "key-odd",
    put(
        "key", [5, "", " ", "a b", [], {}, True, "x" * 3000, "a\nb", "a/b", "..", "\ud800", 1.5, "\u3000", "键", "a\tb"]
    ),
    ANY,
)
field("key-missing", without("key"), FINE)
field("key-null", put("key", [None]), FINE)
field("speaker", put("speaker", [5, "", [], {}, "a\nb", True, "\ud800", "😀"]), ANY)
field("language", put("language", ["klingon", 5, "", [], "zh-CN", "a\tb"]), ANY)
field("more-fields", lambda d, r: r.update({"id": 5, "": None, "x" * 500: {"y": []}}), FINE)


@kind("data", "jsonl")
def line_twice(draw, data):
    """A line that is there twice, equal or with another text."""
    key = data.take(draw)
    line = data.tables["jsonl"][data.index("jsonl", key)]
    different = draw.random() < 0.5
    if different:
        line = line.replace(b'"role": "assistant", "content": "', b'"role": "assistant", "content": "x ')
    data.insert(draw, "jsonl", line)
    return about(data, key, WRONG if different else ANY, different=different)


@kind("data", "jsonl")
def blank_lines(draw, data):
    """Lines without anything."""
    for _ in range(draw.randint(1, 4)):
        data.insert(draw, "jsonl", draw.choice(["", "  ", "\t"]))
    return Mistake({"role": data.role})


@kind("data", "jsonl")
def pretty_printed(draw, data):
    """One object over many lines."""
    key = data.take(draw)
    place = data.index("jsonl", key)
    pretty = json.dumps(json.loads(data.tables["jsonl"][place]), ensure_ascii=False, indent=2)
    data.tables["jsonl"][place : place + 1] = [line.encode() for line in pretty.split("\n")]
    return about(data, key, ANY)
