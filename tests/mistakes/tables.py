"""Mistakes with whole files of a set: encodings, compression, what is missing, empty, swapped or of another kind.

`form` of these kinds is "file" or "fine": of a fine one a run must end in a result, and several fit into one project.
"""

import gzip
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

from mistakes.kinds import EITHER, REFUSED, RESULT, Mistake, NotHere, kind
from mistakes.project import DataSet, Project, is_root

ONLY_REFUSED, ONLY_RESULT = frozenset({REFUSED}), frozenset({RESULT})


def whole(
    name: str, change: Callable, form: str = "file", ends=EITHER, tables=("wav.scp", "text"), forms=("kaldi",), says=()
):
    """A kind of mistake with a whole file: `change` gets the generator, the written file's path and the set; an error
    about it must name file or set, or, where that is given, one of the words that it `says`."""

    def make(draw: random.Random, project: Project) -> Mistake:
        sets = [data for data in project.sets.values() if data.form in forms and not data.spoiled]
        if not sets:
            raise NotHere("no set of this form is left")
        data = draw.choice(sets)
        data.spoiled = True
        table = "jsonl" if data.form == "jsonl" else draw.choice([t for t in tables if t in data.tables] or tables)
        path = project.folder / data.path if table == "jsonl" else data.file(table)
        seed = draw.random()
        project.after.append(lambda: change(random.Random(seed), path, data))
        names = [
            f"{data.path}/{table}" if table != "jsonl" else data.path,
            f"data.{data.role}.home",
            f"data/{data.role}/home",
        ]
        about = {"role": data.role, "table": table}
        return Mistake(about, names=list(says) or names, ends=ends, whole_set="" if ends == ONLY_RESULT else data.role)

    kind("data", form, name)(make)


def bytes_to(change: Callable[[random.Random, bytes], bytes]) -> Callable:
    """Write a file's bytes anew."""
    return lambda draw, path, data: path.write_bytes(change(draw, path.read_bytes()))


def compressed(draw, path: Path, data: DataSet) -> None:
    """The table with gzip, under its name with .gz."""
    Path(f"{path}.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()


def half_compressed(draw, path: Path, data: DataSet) -> None:
    """A gzip file that was not written to its end."""
    whole_file = gzip.compress(path.read_bytes())
    name = path if data.form == "jsonl" else Path(f"{path}.gz")
    path.unlink()
    name.write_bytes(whole_file[: int(len(whole_file) * draw.uniform(0.1, 0.95))])


def lines(change: Callable[[random.Random, list[bytes]], list[bytes]]) -> Callable:
    """Change a file's lines."""
    return bytes_to(lambda draw, raw: b"".join(line + b"\n" for line in change(draw, raw.split(b"\n")[:-1])))


def shuffled(draw, found):
    """The same lines in another order."""
    return draw.sample(found, len(found))


def instead(make: Callable[[Path, random.Random], None]) -> Callable:
    """Something else in a file's place."""

    def change(draw, path: Path, data: DataSet) -> None:
        path.unlink()
        make(path, draw)

    return change


def other(name: str) -> Callable:
    """The content of another file of the set."""
    return lambda draw, path, data: path.write_bytes(data.file(name).read_bytes())


ALL = ("wav.scp", "text", "utt2spk", "utt2lang")
EACH = {"forms": ("kaldi", "jsonl")}

# What means nothing: the result is that of the same data without it.
whole("crlf", bytes_to(lambda d, raw: raw.replace(b"\n", b"\r\n")), "fine", ONLY_RESULT, ALL, **EACH)
whole("byte-order-mark", bytes_to(lambda d, raw: b"\xef\xbb\xbf" + raw), "fine", ONLY_RESULT, ALL, **EACH)
whole("no-line-end-at-the-end", bytes_to(lambda d, raw: raw[:-1]), "fine", ONLY_RESULT, ALL, **EACH)
whole("blank-lines-at-the-end", bytes_to(lambda d, raw: raw + b"\n \n\t\n\n"), "fine", ONLY_RESULT, ALL, **EACH)
whole("tabs", bytes_to(lambda d, raw: raw.replace(b" ", b"\t", 1)), "fine", ONLY_RESULT, ALL)
whole("unsorted", lines(shuffled), "fine", ONLY_RESULT, ALL)
whole("backwards", lines(lambda d, found: found[::-1]), "fine", ONLY_RESULT, ALL)
whole("gzip", compressed, "fine", ONLY_RESULT, ALL)
whole("gzip-without-its-name", bytes_to(lambda d, raw: gzip.compress(raw)), "fine", ONLY_RESULT, ALL, **EACH)
whole(
    "linked",
    lambda d, path, data: (path.rename(f"{path}.real"), path.symlink_to(f"{path.name}.real")),
    "fine",
    ONLY_RESULT,
    ALL,
    **EACH,
)
whole("no-speakers", lambda d, path, data: path.unlink(), "fine", ONLY_RESULT, ("utt2spk", "utt2lang"))
whole(
    "plain-and-gzip",
    lambda d, path, data: Path(f"{path}.gz").write_bytes(gzip.compress(path.read_bytes())),
    "fine",
    ONLY_RESULT,
    ALL,
)
whole("optional-table-empty", lambda d, path, data: path.write_bytes(b""), "fine", EITHER, ("utt2spk", "utt2lang"))
whole(
    "other-files-beside",
    lambda d, path, data: (
        data.file("spk2utt").write_text("x\n"),
        data.file("text~").write_bytes(b"\xff"),
        data.file(".DS_Store").write_bytes(b"\0"),
    ),
    "fine",
    ONLY_RESULT,
)

# What spoils a file.
whole("missing", lambda d, path, data: path.unlink(), ends=ONLY_REFUSED, **EACH)
whole("folder", instead(lambda path, d: path.mkdir()), ends=ONLY_REFUSED, **EACH)
whole("empty", lambda d, path, data: path.write_bytes(b""), ends=ONLY_REFUSED, **EACH)
whole(
    "only-blank-lines",
    lambda d, path, data: path.write_bytes(d.choice([b"\n", b"\n\n \n", b"\t\n", b"\r\n"])),
    ends=ONLY_REFUSED,
    **EACH,
)
whole(
    "utf-16",
    bytes_to(lambda d, raw: raw.decode().encode(d.choice(["utf-16", "utf-16-le", "utf-16-be", "utf-32"]))),
    ends=ONLY_REFUSED,
    says=("UTF-16", "UTF-32", "utf-16", "utf-32"),
    **EACH,
)
whole(
    "gbk",
    bytes_to(lambda d, raw: raw.decode().replace(" ", " 你", 1).encode("gb18030")),
    tables=("text",),
    says=("GBK", "GB18030", "UTF-8"),
    **EACH,
)
whole("carriage-returns-alone", bytes_to(lambda d, raw: raw.replace(b"\n", b"\r")), ends=ONLY_REFUSED, **EACH)
whole("gzip-cut", half_compressed, ends=ONLY_REFUSED, **EACH)
whole("text-called-gz", lambda d, path, data: path.rename(f"{path}.gz"), ends=ONLY_RESULT)
whole("zip", lambda d, path, data: path.write_bytes(b"PK\x03\x04" + d.randbytes(300)), ends=ONLY_REFUSED, **EACH)
whole("binary", lambda d, path, data: path.write_bytes(d.randbytes(2000)), ends=ONLY_REFUSED, **EACH)
whole("zeros-behind", bytes_to(lambda d, raw: raw + bytes(d.choice([1, 512, 4096]))), **EACH)
whole("half", bytes_to(lambda d, raw: raw[: int(len(raw) * d.uniform(0.1, 0.9))]), **EACH)
whole("twice", bytes_to(lambda d, raw: raw + raw), **EACH)
whole("link-to-nothing", instead(lambda path, d: path.symlink_to("gone")), ends=ONLY_REFUSED, **EACH)
whole("link-to-itself", instead(lambda path, d: path.symlink_to(path.name)), ends=ONLY_REFUSED, **EACH)
whole(
    "other-name",
    lambda d, path, data: path.rename(
        path.with_name(d.choice([f"{path.name}.txt", path.name.title(), f"{path.name}.bak"]))
    ),
    ends=ONLY_REFUSED,
)
whole(
    "comma-separated",
    bytes_to(
        lambda d, raw: b"key,value\n" + b"\n".join(line.replace(b" ", b",", 1) for line in raw.splitlines()) + b"\n"
    ),
    ends=ONLY_REFUSED,
)
whole(
    "columns-swapped",
    lines(lambda d, found: [b" ".join(reversed(line.split(b" ", 1))) for line in found]),
    ends=ONLY_REFUSED,
)
whole("other-table", other("utt2spk"), ends=ONLY_REFUSED)
whole(
    "tables-swapped",
    lambda d, path, data: (lambda a, b: (data.file("wav.scp").write_bytes(b), data.file("text").write_bytes(a)))(
        data.file("wav.scp").read_bytes(), data.file("text").read_bytes()
    ),
    ends=ONLY_REFUSED,
)
whole(
    "json",
    lambda d, path, data: path.write_text(d.choice(['{"a": "b"}', "[]", '[{"key": "a", "text": "b"}]']) + "\n"),
    ends=ONLY_REFUSED,
    **EACH,
)
whole("keys-of-another-set", lines(lambda d, found: [b"x" + line for line in found]), ends=ONLY_REFUSED)
whole(
    "folder-moved",
    lambda d, path, data: shutil.move(data.file("wav"), data.file("audio")),
    ends=ONLY_REFUSED,
    tables=("wav.scp",),
)
whole("one-utterance", lines(lambda d, found: found[:1]), tables=("wav.scp",), **EACH)
whole(
    "one-key-for-all", lines(lambda d, found: [b"same " + line.partition(b" ")[2] for line in found]), ends=ONLY_REFUSED
)
whole("one-very-long-line", bytes_to(lambda d, raw: raw.replace(b"\n", b" ")), ends=ONLY_REFUSED, **EACH)
whole("numbers-for-text", lines(lambda d, found: [line.split(b" ")[0] + b" 1 2 3" for line in found]), tables=("text",))
whole("all-empty-texts", lines(lambda d, found: [line.split(b" ")[0] for line in found]), tables=("text",))
whole("all-equal-texts", lines(lambda d, found: [line.split(b" ")[0] + b" hello" for line in found]), tables=("text",))
whole(
    "optional-table-spoiled",
    lambda d, path, data: path.write_bytes(d.choice([b"\xff\xfe\0", d.randbytes(500), b"one-word\n", bytes(99)])),
    tables=("utt2spk", "utt2lang"),
)
whole("optional-table-a-folder", instead(lambda path, d: path.mkdir()), tables=("utt2spk", "utt2lang"))
whole(
    "segments-spoiled",
    lambda d, path, data: data.file("segments").write_bytes(
        d.choice([b"", b"\n", d.randbytes(400), b"a b c\n", b"\x1f\x8b\x08"])
    ),
    ends=ONLY_REFUSED,
)
whole("segments-a-folder", lambda d, path, data: data.file("segments").mkdir())
whole(
    "hotwords-spoiled",
    lambda d, path, data: data.file("utt2hotwords").write_bytes(
        d.choice([b"", d.randbytes(400), b"\x1f\x8b\x08", b"\xff\xfea\0"])
    ),
)
whole(
    "set-is-an-array",
    lambda d, path, data: path.write_bytes(b"[" + b",\n".join(path.read_bytes().splitlines()) + b"]\n"),
    ends=ONLY_REFUSED,
    forms=("jsonl",),
)


@kind("data", "file")
def may_not_be_read(draw, project):
    """A table that may not be read."""
    if is_root():
        raise NotHere("nothing is forbidden to root")
    data = draw.choice(list(project.sets.values()))
    path = project.folder / data.path if data.form == "jsonl" else data.file("text")
    project.after.append(lambda: os.chmod(path, 0))
    return Mistake({"role": data.role}, names=[str(path.relative_to(project.folder))], ends=ONLY_REFUSED)
