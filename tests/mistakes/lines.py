"""Mistakes in single lines of a Kaldi data directory's tables."""

import random
import unicodedata
from collections.abc import Callable

from mistakes.kinds import ANY, FINE, NOTICED, WRONG, Mistake, Touched, kind
from mistakes.project import DataSet

INVISIBLE = ["\u200b", "\ufeff", "\u200e", "\u2060", "\u00ad", "\u2028", "\u2029", "\u200d"]
WIDE_SPACES = ["\u3000", "\u00a0", "\u2003", "\u202f"]
CONTROLS = [chr(code) for code in (*range(1, 9), *range(14, 32), 127, 133, 155)]
LINE_ENDS = ["\r", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85"]


def about(data: DataSet, key: str, fates=ANY, *others: str, **parameters) -> Mistake:
    """A mistake about one entry, whose key may be spelled otherwise too."""
    keys = (key, *others)
    return Mistake({"role": data.role, "key": key, **parameters}, [Touched(data.role, keys, fates)], list(keys))


def inside(draw: random.Random, text: str, what: str) -> str:
    """A text with something at a random place."""
    place = draw.randint(0, len(text))
    return text[:place] + what + text[place:]


# --- Transcripts ------------------------------------------------------------------------------------------------------


def transcript(name: str, change: Callable[[random.Random, str], str | bytes], fates=ANY, test=None) -> None:
    """A kind of mistake that changes the value of a line of text; `test`: what becomes of it in a test set."""

    def make(draw: random.Random, data: DataSet) -> Mistake:
        key = data.take(draw)
        value = change(draw, data.value("text", key))
        raw = value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")
        data.set("text", key, key.encode() + b" " + raw)
        return about(data, key, test if test and data.role == "test" else fates, value=repr(raw)[:80])

    kind("data", "kaldi", f"text-{name}")(make)


def bad_bytes(draw: random.Random, text: str) -> bytes:
    """A text with a byte that is not UTF-8."""
    raw = text.encode()
    place = draw.randint(0, len(raw))
    return raw[:place] + draw.choice([b"\xff", b"\xc0", b"\x80", b"\xe4\xbd", b"\xf8"]) + raw[place:]


def pick(*values: str) -> Callable[[random.Random, str], str]:
    """One of these values instead of the text."""
    return lambda draw, text: draw.choice(values)


def put(*values: str) -> Callable[[random.Random, str], str]:
    """The text with one of these somewhere in it."""
    return lambda draw, text: inside(draw, text, draw.choice(values))


def wrapped(*pairs: tuple[str, str]) -> Callable[[random.Random, str], str]:
    """The text between two of these."""

    def change(draw: random.Random, text: str) -> str:
        before, after = draw.choice(pairs)
        return before + text + after

    return change


transcript("empty", pick("", "  ", "\t"), WRONG, ANY)
transcript("only-wide-space", pick(*WIDE_SPACES), WRONG, ANY)
transcript("bad-bytes", bad_bytes, WRONG)
transcript("gbk", lambda draw, text: (text + "。你好").encode("gbk"), WRONG)
transcript("latin-1", lambda draw, text: inside(draw, text, "é").encode("latin-1", "replace"), ANY)
transcript("control-character", put(*CONTROLS), WRONG)
transcript("nul", put("\0"), WRONG)
transcript("line-end-inside", put(*LINE_ENDS), ANY)
transcript("invisible", put(*INVISIBLE), ANY)
transcript("replacement-character", put("\ufffd"), WRONG)
transcript("private-use", put("\ue000", "\uf8ff", "\U000f0000"), WRONG)
transcript("decomposed", lambda draw, text: inside(draw, text, unicodedata.normalize("NFD", "é")), ANY)
transcript("half-character", lambda draw, text: inside(draw, text, "\ud83d"), WRONG)
transcript("markup", put("<|zh|><|NEUTRAL|><|Speech|>", "<unk>", "[noise]", "<b>", "&amp;", "{laugh}", "(())"), ANY)
transcript(
    "special-token",
    put("<|im_end|>", "<|im_start|>", "<|object_ref_start|>", "<|endoftext|>", "<|startofspeech|>", "<|endofspeech|>"),
    NOTICED,
    ANY,
)
transcript("looks-like-no-value", pick("NaN", "null", "na", "None", "N/A", "nan", "true", "1e5", "-"), FINE)
transcript("very-long", lambda draw, text: text * draw.randint(400, 4000), WRONG, ANY)
transcript("punctuation-only", pick("...", "。", "?!", "-", "，，，"), ANY)
transcript("emoji", put("😀", "👨‍👩‍👧", "🇨🇳", "❤️"), ANY)
transcript("quoted", wrapped(('"', '"'), ("'", "'"), ('"', ""), ("“", "”")), FINE)
transcript("backslashes", put("\\n", "\\u4f60", "C:\\new\\table", "\\", "\\x00"), FINE)
transcript("braces-and-formats", put("{}", "{0}", "%s", "$HOME", "`ls`", "$(ls)", "{{x}}"), FINE)
transcript("tab-inside", put("\t"), ANY)
transcript("wide-space-inside", put(*WIDE_SPACES), ANY)
transcript("full-width", lambda draw, text: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text), ANY)
transcript("right-to-left", put("\u202e", "שלום", "مرحبا"), ANY)
transcript("json", lambda draw, text: f'{{"text": "{text}"}}', ANY)


# --- The rest of a line -----------------------------------------------------------------------------------------------


def spacing(name: str, change: Callable[[str, str, random.Random], str]) -> None:
    """A line with other white space between or around key and value, which means nothing."""

    def make(draw: random.Random, data: DataSet) -> Mistake:
        key, table = data.take(draw), draw.choice(["wav.scp", "text", "utt2spk", "utt2lang"])
        data.set(table, key, change(key, data.value(table, key), draw))
        return about(data, key, FINE, table=table)

    kind("data", "kaldi", name)(make)


spacing("tab-between", lambda key, value, draw: f"{key}\t{value}")
spacing("wide-gap", lambda key, value, draw: f"{key}{draw.choice(['  ', ' ' * 20, chr(9) * 2, ' ' + chr(9)])}{value}")
spacing("space-before", lambda key, value, draw: f"{draw.choice([' ', chr(9), '   '])}{key} {value}")
spacing("space-behind", lambda key, value, draw: f"{key} {value}{draw.choice([' ', chr(9), '   '])}")
spacing("carriage-return-behind", lambda key, value, draw: f"{key} {value}\r")


@kind("data", "kaldi")
def wide_space_between(draw, data):
    """An ideographic or no-break space in place of the gap."""
    key, table, space = data.take(draw), draw.choice(["wav.scp", "text", "utt2spk"]), draw.choice(WIDE_SPACES)
    value = data.value(table, key)
    data.set(table, key, f"{key}{space}{value}")
    return about(data, key, ANY, f"{key}{space}{value}", f"{key}{space}{value.split(' ')[0]}", table=table)


@kind("data", "kaldi")
def blank_lines(draw, data):
    """Lines without anything, anywhere."""
    table = draw.choice(["wav.scp", "text", "utt2spk"])
    for _ in range(draw.randint(1, 5)):
        data.insert(draw, table, draw.choice(["", " ", "\t", "  \t "]))
    return Mistake({"role": data.role, "table": table})


@kind("data", "kaldi")
def blank_lines_of_other_white_space(draw, data):
    """Lines of white space that is neither space nor tab."""
    table, line = draw.choice(["wav.scp", "text"]), draw.choice(["\u3000", "\u00a0", "\r", "\x0c", "\u200b", "\ufeff"])
    data.insert(draw, table, line)
    return Mistake({"role": data.role, "table": table, "line": ascii(line)}, names=[f"{table}:", line])


@kind("data", "kaldi")
def comment(draw, data):
    """A line that is meant as a comment or a heading."""
    table = draw.choice(["wav.scp", "text"])
    line = draw.choice(["# made by hand", "utt_id value", "key,text", "//", "; old", "---"])
    data.insert(draw, table, line)
    word = line.split()[0]
    return Mistake({"role": data.role, "table": table, "line": line}, [Touched(data.role, (word,), WRONG)], [word])


@kind("data", "kaldi")
def same_line_twice(draw, data):
    """A line that is there twice."""
    key, table = data.take(draw), draw.choice(["wav.scp", "text", "utt2spk", "utt2lang"])
    data.insert(draw, table, data.tables[table][data.index(table, key)])
    return about(data, key, ANY, table=table)


@kind("data", "kaldi")
def two_values_of_a_key(draw, data):
    """Two lines of one key that say different things."""
    key, table = data.take(draw), draw.choice(["wav.scp", "text", "utt2spk"])
    other = {"wav.scp": "wav/other.flac", "text": "something else", "utt2spk": "somebody"}[table]
    data.insert(draw, table, f"{key} {other}")
    return about(data, key, WRONG, table=table)


@kind("data", "kaldi")
def line_missing(draw, data):
    """No line for a key in one table."""
    key, table = data.take(draw), draw.choice(["wav.scp", "text", "utt2spk", "utt2lang"])
    del data.tables[table][data.index(table, key)]
    return about(data, key, WRONG if table in ("wav.scp", "text") else FINE, table=table)


@kind("data", "kaldi")
def line_too_many(draw, data):
    """A line of a key that is nowhere else."""
    key, table = f"nobody-{draw.randrange(10**6)}", draw.choice(["wav.scp", "text", "utt2spk", "utt2lang"])
    data.insert(draw, table, f"{key} {draw.choice(['wav/nobody.wav', 'hello', 'en'])}")
    if table in ("wav.scp", "text"):
        return about(data, key, WRONG, table=table)
    return Mistake({"role": data.role, "table": table}, names=[key])


@kind("data", "kaldi")
def key_alone(draw, data):
    """A line of wav.scp, utt2spk or utt2lang without a value."""
    key, table = data.take(draw), draw.choice(["wav.scp", "utt2spk", "utt2lang"])
    data.set(table, key, key + draw.choice(["", " ", "\t"]))
    return about(data, key, WRONG if table == "wav.scp" else ANY, table=table)


@kind("data", "kaldi")
def columns_swapped(draw, data):
    """The value before the key."""
    key, table = data.take(draw), draw.choice(["wav.scp", "text", "utt2spk"])
    value = data.value(table, key)
    data.set(table, key, f"{value} {key}")
    if table == "utt2spk":
        return about(data, key, FINE, table=table)
    mistake = about(data, key, WRONG, table=table)
    mistake.touched.append(Touched(data.role, (value.split(" ")[0],), WRONG))
    return mistake


@kind("data", "kaldi")
def lines_joined(draw, data):
    """A line end that is missing: two lines in one."""
    table = draw.choice(["wav.scp", "text"])
    first, second = data.take(draw), data.take(draw)
    joined = data.tables[table][data.index(table, first)] + data.tables[table][data.index(table, second)]
    data.set(table, first, joined)
    del data.tables[table][data.index(table, second)]
    mistake = about(data, first, ANY, table=table)
    mistake.touched.append(Touched(data.role, (second,), WRONG))
    mistake.names.append(second)
    return mistake


@kind("data", "kaldi")
def line_broken(draw, data):
    """A line end too many inside a value."""
    key, table = data.take(draw), draw.choice(["wav.scp", "text"])
    value = data.value(table, key)
    place = draw.randint(1, len(value) - 1)
    head, tail = value[:place].rstrip() or value[0], value[place:].strip() or "x"
    data.set(table, key, f"{key} {head}")
    data.insert(draw, table, tail)
    mistake = about(data, key, ANY, table=table)
    mistake.touched.append(Touched(data.role, (tail.split(" ")[0],), WRONG))
    mistake.names.append(tail.split(" ")[0])
    return mistake


@kind("data", "kaldi")
def key_spelled_otherwise(draw, data):
    """A key in one table that is spelled otherwise than in the others."""
    key, table = data.take(draw), draw.choice(["wav.scp", "text"])
    change = draw.choice(
        [
            str.upper,
            lambda k: k + ".wav",
            lambda k: k.replace("-", "_"),
            lambda k: "\ufeff" + k,
            lambda k: k + "\u200b",
            lambda k: k[:-1],
            lambda k: k + "\u3000",
        ]
    )
    other = change(key)
    data.set(table, key, f"{other} {data.value(table, key)}")
    mistake = about(data, key, ANY if other.strip("\ufeff\u200b\u3000") == key else WRONG, table=table, other=other)
    mistake.touched.append(Touched(data.role, (other, other.strip("\u3000"), key)))
    return mistake


ODD_KEYS = [
    "a/{}",
    "../{}",
    "{}'s",
    '"{}"',
    ".",
    "..",
    "-{}",
    "$({})",
    "*",
    "%s",
    "{{{}}}",
    "a\\{}",
    "{}:1",
    "#{}",
    "~{}",
    "😀{}",
    "{}|",
    "a,{}",
    "x;{}",
    "&{}",
    "<{}>",
    "=1+{}",
    "nan",
    "录音{}",
    "{}\u3000{}",
    "{}\u00a0{}",
    "e\u0301{}",
    "*{}*",
    "?{}",
    "`{}`",
]


@kind("data", "kaldi")
def odd_key(draw, data):
    """A key of odd characters, in every table."""
    key = data.take(draw)
    other = draw.choice([*ODD_KEYS, "long" * 75, "l" * 5000]).replace("{}", key)
    for table in data.tables:
        data.set(table, key, f"{other} {data.value(table, key)}")
    data.keys.remove(key)
    return about(data, other, ANY, odd=ascii(other)[:80])


@kind("data", "kaldi")
def bad_bytes_in_key(draw, data):
    """A key with a byte that is not UTF-8, or NUL, in some tables."""
    key, what = data.take(draw), draw.choice([b"\xff", b"\0", b"\xb2\xe2", b"\x01"])
    raw = key.encode() + what
    for table in draw.choice([["wav.scp"], ["text"], list(data.tables)]):
        data.set(table, key, raw + b" " + data.value(table, key).encode())
    spellings = [raw.decode("utf-8", how) for how in ("replace", "backslashreplace", "surrogateescape", "ignore")]
    return about(data, key, ANY, *spellings, key.encode().decode() + "\\x00", byte=repr(what))


@kind("data", "kaldi")
def bad_bytes_in_table(draw, data):
    """A value of another table with bytes that are not UTF-8, or control characters."""
    key, table = data.take(draw), draw.choice(["utt2spk", "utt2lang"])
    data.set(table, key, key.encode() + b" " + draw.choice([b"\xff\xfe", b"a\x00b", b"sp\x07k", b"\xb2\xe2\xca\xd4"]))
    return about(data, key, ANY, table=table)


@kind("data", "kaldi")
def odd_label(draw, data):
    """A speaker, language or group that looks odd."""
    key, table = data.take(draw), draw.choice(["utt2spk", "utt2lang", "utt2group"])
    value = draw.choice(
        ["unknown", "a b c", "<b>", "😀", "x" * 3000, "nan", "{}", "../x", '"', "zh-CN", "auto", "xx", "|"]
    )
    if table == "utt2group":
        data.tables[table] = [f"{other} all".encode() for other in data.keys if other != key]
        data.insert(draw, table, f"{key} {value}")
    else:
        data.set(table, key, f"{key} {value}")
    return about(data, key, ANY, table=table, value=value[:40])


@kind("data", "kaldi")
def odd_prompt(draw, data):
    """An instruction for one utterance that looks odd."""
    key = data.take(draw)
    value = draw.choice(
        [
            "",
            "<|startofspeech|>",
            "x<|im_end|>",
            "<|object_ref_start|>",
            "a\x01b",
            "长" * 4000,
            "{}",
            "<|endofspeech|>",
            "\\n",
            "语音转写成：",
            "\ufffd",
        ]
    )
    data.insert(draw, "utt2prompt", f"{key} {value}")
    return about(data, key, ANY, value=ascii(value)[:40])


@kind("data", "kaldi")
def odd_hotwords(draw, data):
    """A list of hotwords for one utterance that looks odd."""
    key = data.take(draw)
    value = draw.choice(
        [
            ",",
            ",,,a",
            "a，b，c",
            '"a","b"',
            "<|im_end|>",
            "a\x01b",
            "",
            "word " * 500,
            "a" * 3000,
            "\ufffd",
            ",".join(f"word{i}" for i in range(3000)),
            "a\tb\tc",
            "[a, b]",
            "a;b;c",
            "😀",
        ]
    )
    data.insert(draw, "utt2hotwords", f"{key} {value}")
    mistake = about(data, key, ANY, value=ascii(value)[:40])
    mistake.names.append("utt2hotwords")
    return mistake


# --- Segments ---------------------------------------------------------------------------------------------------------


def segment(name: str, change: Callable[..., str], fates=WRONG) -> None:
    """A kind of mistake in a line of segments; `change` gets the generator, key, recording, start and end."""

    def make(draw: random.Random, data: DataSet) -> Mistake:
        key = data.take(draw)
        recording, start, end = data.value("segments", key).split()
        line = change(draw, key, recording, float(start), float(end))
        data.set("segments", key, line)
        return about(data, key, fates, line=line[-60:])

    kind("data", "segments", name)(make)


segment("a-little-beyond-end", lambda d, k, r, s, e: f"{k} {r} {s} {d.uniform(0.01, 0.5) + e:.2f}", ANY)
segment("far-beyond-end", lambda d, k, r, s, e: f"{k} {r} {s} {e + d.uniform(60, 1e6):.2f}")
segment("start-beyond-end", lambda d, k, r, s, e: f"{k} {r} {s + 1000:.2f} {e + 1000:.2f}")
segment("negative-start", lambda d, k, r, s, e: f"{k} {r} {-d.uniform(0.1, 9):.2f} {e}")
segment("ends-before-start", lambda d, k, r, s, e: f"{k} {r} {e} {s}")
segment("no-length", lambda d, k, r, s, e: f"{k} {r} {s} {s}")
segment(
    "not-a-number", lambda d, k, r, s, e: f"{k} {r} {d.choice(['nan', 'inf', '-inf', 'start', '0:01', '1,5', ''])} {e}"
)
segment("milliseconds", lambda d, k, r, s, e: f"{k} {r} {s * 1000 + 30000:.0f} {e * 1000 + 30000:.0f}")
segment("column-missing", lambda d, k, r, s, e: f"{k} {r} {s}")
segment("no-columns", lambda d, k, r, s, e: k)
segment("channel", lambda d, k, r, s, e: f"{k} {r} {s} {e} {d.choice(['0', '1', 'A', '-1', '99', 'left'])}", ANY)
segment("too-many-columns", lambda d, k, r, s, e: f"{k} {r} {s} {e} 0 0 {d.choice(['x', '1', '#'])}", ANY)
segment("columns-in-another-order", lambda d, k, r, s, e: f"{k} {s} {e} {r}")
segment("recording-unknown", lambda d, k, r, s, e: f"{k} {r}x {s} {e}")
segment("to-the-end", lambda d, k, r, s, e: f"{k} {r} {s} -1", ANY)
segment("exponents", lambda d, k, r, s, e: f"{k} {r} {s:e} {e:e}", FINE)
segment("huge-numbers", lambda d, k, r, s, e: f"{k} {r} {s} {'9' * 400}")
segment(
    "digits-of-other-scripts", lambda d, k, r, s, e: f"{k} {r} {s} {''.join(chr(ord(c) + 0xFEE0) for c in '5')}", ANY
)
segment("wide-spaces", lambda d, k, r, s, e: f"{k}\u3000{r} {s} {e}", ANY)


@kind("data", "segments")
def same_segment_twice(draw, data):
    """Two lines of one utterance, equal or not."""
    key = data.take(draw)
    line = data.tables["segments"][data.index("segments", key)]
    different = draw.random() < 0.5
    data.insert(draw, "segments", line + b"1" if different else line)
    return about(data, key, WRONG if different else ANY, different=different)


@kind("data", "segments")
def recording_without_segments(draw, data):
    """A recording that no segment names."""
    name = f"unused{draw.randrange(1000)}"
    data.insert(draw, "wav.scp", f"{name} wav/{draw.choice(['rec0.wav', 'nothing.wav'])}")
    return about(data, name, WRONG)
