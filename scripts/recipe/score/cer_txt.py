"""The file cer.txt: aligned utterances and error rates, laid out as the compute-wer package (0.2.5) does."""

import unicodedata

from recipe.score.align import Edit
from recipe.score.counts import Counts
from recipe.score.tokens import CLUSTERS

RULE = "=" * 75


def width(token: str) -> int:
    """Columns of a token on a terminal: two for East Asian wide and ambiguous characters, none for combining marks."""
    return sum(
        0 if unicodedata.category(char) in ("Mn", "Me") else 1 + (unicodedata.east_asian_width(char) in "AFW")
        for char in token
    )


def aligned_lines(ref: list[str], hyp: list[str], found: list[Edit], widths: dict[str, int]) -> tuple[str, str]:
    """Two texts as lines with their tokens above each other, from their tokens and the edits between them. A gap is
    filled with spaces, as many columns as the token above or below takes; `widths` is `Cached(width)`."""
    if not found:
        line = " ".join(ref)
        return line, line
    above: list[str] = []
    below: list[str] = []
    i = j = 0
    for kind, at_ref, at_hyp in found:
        above += ref[i:at_ref]
        below += hyp[j:at_hyp]
        top = "" if kind == "insert" else ref[at_ref]
        bottom = "" if kind == "delete" else hyp[at_hyp]
        gap = widths[bottom] - widths[top]
        above.append(top + " " * gap)
        below.append(bottom + " " * -gap)
        i = at_ref + (kind != "insert")
        j = at_hyp + (kind != "delete")
    above += ref[i:]
    below += hyp[j:]
    return " ".join(above), " ".join(below)


def utterance_block(key: str, counts: Counts, ref_line: str, hyp_line: str) -> str:
    """One utterance in cer.txt, with lines as `aligned_lines` makes them. The rate of the mixed tokens is called WER
    here, as in the package."""
    return f"utt: {key}\nWER: {counts}\nref: {ref_line}\nhyp: {hyp_line}\n\n"


def summary(overall: Counts, by_cluster: dict[str, Counts], right: int, wrong: int, extra: int, missing: int) -> str:
    """The end of cer.txt: at most nine lines, so that `tail -n8` always shows "Overall".

    `right` and `wrong` count utterances; ML (missing labels) are hypotheses without a reference, MH references without
    a hypothesis. As in the package, clusters without reference tokens have no line.
    """
    ser = wrong / (right + wrong) * 100 if right + wrong else 0
    lines = [RULE, f"Overall -> {overall}"]
    lines += [f"{name} -> {by_cluster[name]}" for name in CLUSTERS if name in by_cluster and by_cluster[name].n]
    lines += [f"SER -> {ser:4.2f} % N={right + wrong} Cor={right} Err={wrong} ML={extra} MH={missing}", RULE]
    return "".join(line + "\n" for line in lines)
