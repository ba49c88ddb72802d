"""Rejects of decoding: what of the input has no text, or not all of it, and why; and the sum that has to add up."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

from recipe.data.checked import REJECTS_HEADER, Rejected, one_line
from recipe.decode.endings import ERROR
from recipe.decode.hypotheses import Hypothesis
from recipe.files import write_lines

STAGE = "decode"
# Of files in a folder: what nobody can say of whether it is a recording.
_UNKNOWN = {"broken-link", "file-unreadable", "folder-unreadable"}


def unreadable(hypotheses: Iterable[Hypothesis]) -> Iterator[Rejected]:
    """Those that could not be read, in whole or in part, in their order."""
    return (_rejected(hypothesis) for hypothesis in hypotheses if hypothesis.ended == ERROR)


def _rejected(hypothesis: Hypothesis) -> Rejected:
    errors = [piece.error for piece in hypothesis.pieces if piece.error] or [hypothesis.error]
    reason = errors[0].partition(": ")[0]
    return Rejected(hypothesis.key, reason, hypothesis.error.removeprefix(f"{reason}: "))


def lost(left_out: Sequence[Rejected]) -> bool:
    """Whether something that was not decoded may have been a recording that cannot be read."""
    return any(row.reason in _UNKNOWN for row in left_out)


def write(path: str | None, output_file: str, rows: Iterator[Rejected]) -> None:
    """Write rejects to `path`; without one beside the output file, if there are any, and otherwise no old one stays."""
    beside = Path(f"{output_file}.rejects.tsv")
    first = list(islice(rows, 1))
    rows = chain(first, rows)
    if path or first:
        lines = ("\t".join([one_line(row.key), STAGE, row.reason, one_line(row.detail)]) for row in rows)
        write_lines(path or beside, [REJECTS_HEADER, *lines])
    else:
        beside.unlink(missing_ok=True)


def ledger(count: int, unread: Iterable[Rejected], left_out: Iterable[Rejected]) -> str:
    """The line of the log that accounts for everything in the input: of `count` hypotheses those `unread`, and what is
    none."""
    bad = Counter(row.reason for row in unread)
    others = Counter(row.reason for row in left_out)
    parts = [f"{count - bad.total()} decoded"]
    parts += [
        f"{counts.total()} {what}{_reasons(counts)}" for counts, what in ((bad, "unreadable"), (others, "not decoded"))
    ]
    return f"{count + others.total()} in the input: {', '.join(parts)}"


def _reasons(counts: Counter[str]) -> str:
    return f" ({', '.join(f'{reason} {number}' for reason, number in counts.most_common())})" if counts else ""
