"""Rejects of decoding: what of the input has no text, or not all of it, and why; and the sum that has to add up."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from recipe.data.checked import REJECTS_HEADER, Rejected, one_line
from recipe.decode.hypotheses import ERROR, Hypothesis
from recipe.files import write_lines

STAGE = "decode"
# Of files in a folder: what nobody can say of whether it is a recording.
_UNKNOWN = {"broken-link", "file-unreadable", "folder-unreadable"}


def unreadable(hypotheses: Sequence[Hypothesis]) -> list[Rejected]:
    """Those that could not be read, in whole or in part, in their order."""
    return [_rejected(hypothesis) for hypothesis in hypotheses if hypothesis.ended == ERROR]


def _rejected(hypothesis: Hypothesis) -> Rejected:
    errors = [piece.error for piece in hypothesis.pieces if piece.error] or [hypothesis.error]
    reason = errors[0].partition(": ")[0]
    return Rejected(hypothesis.key, reason, hypothesis.error.removeprefix(f"{reason}: "))


def lost(left_out: Sequence[Rejected]) -> bool:
    """Whether something that was not decoded may have been a recording that cannot be read."""
    return any(row.reason in _UNKNOWN for row in left_out)


def write(path: str | None, output_file: str, rows: Sequence[Rejected]) -> None:
    """Write rejects to `path`; without one beside the output file, if there are any, and otherwise no old one stays."""
    beside = Path(f"{output_file}.rejects.tsv")
    if path or rows:
        lines = ("\t".join([one_line(row.key), STAGE, row.reason, one_line(row.detail)]) for row in rows)
        write_lines(path or beside, [REJECTS_HEADER, *lines])
    else:
        beside.unlink(missing_ok=True)


def ledger(hypotheses: Sequence[Hypothesis], left_out: Sequence[Rejected]) -> str:
    """The line of the log that accounts for everything in the input."""
    bad = Counter(row.reason for row in unreadable(hypotheses))
    others = Counter(row.reason for row in left_out)
    parts = [f"{len(hypotheses) - bad.total()} decoded"]
    parts += [
        f"{counts.total()} {what}{_reasons(counts)}" for counts, what in ((bad, "unreadable"), (others, "not decoded"))
    ]
    return f"{len(hypotheses) + len(left_out)} in the input: {', '.join(parts)}"


def _reasons(counts: Counter[str]) -> str:
    return f" ({', '.join(f'{reason} {number}' for reason, number in counts.most_common())})" if counts else ""
