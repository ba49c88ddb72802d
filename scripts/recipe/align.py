"""Alignment of two token sequences with the fewest edits, by rapidfuzz's bit-parallel Levenshtein.

Every minimal alignment has the same number of edits, but not the same split into substitutions, deletions and
insertions. The rule here is rapidfuzz's, which the compute-wer package uses too: equal tokens at both ends are set
aside; what is left is traced from its end to its start, and where several steps are on a minimal path, a deletion is
taken before an insertion, and an insertion before a substitution or a match. (Long sequences are first cut in two at
the earliest point that a minimal path crosses, so that memory stays linear.)
"""

from collections.abc import Sequence

from rapidfuzz.distance import Levenshtein

from recipe.files import RecipeError

Edit = tuple[str, int, int]
"""(kind, index into the reference, index into the hypothesis); kind is "replace", "delete" or "insert"."""

# Up to this product of lengths (some two seconds) all alignments are searched. Beyond it the search keeps to a band
# around the diagonal that doubles until the distance fits in, which is fast where the texts are alike.
FULL_SEARCH = 10**10
# The product of length and distance up to which the search in a band is tried (about a minute).
BAND_SEARCH = 10**11


def edits(ref: Sequence[str], hyp: Sequence[str]) -> list[Edit]:
    """The edits that turn `ref` into `hyp`, in order. Time grows with len(ref) * len(hyp) / 64, memory linearly.

    RecipeError if both are so long, and so different, that the time would be minutes.
    """
    if ref == hyp:
        return []
    if len(ref) * len(hyp) <= FULL_SEARCH:
        return Levenshtein.editops(ref, hyp).as_list()
    limit = BAND_SEARCH // max(len(ref), len(hyp))
    if Levenshtein.distance(ref, hyp, score_cutoff=limit, score_hint=64) > limit:
        raise RecipeError(
            f"texts of {len(ref)} and {len(hyp)} tokens or characters that differ in more than {limit} take too long "
            "to align (was a line break lost?); cut the recording into shorter utterances"
        )
    return Levenshtein.editops(ref, hyp, score_hint=64).as_list()


def operations(ref: Sequence[str], hyp: Sequence[str], found: list[Edit]) -> list[tuple[str, str, str]]:
    """The whole alignment as (operation, reference token, hypothesis token): C correct, S substituted, D deleted (no
    hypothesis token: ""), I inserted (no reference token: "")."""
    steps = []
    i = j = 0
    for kind, at_ref, at_hyp in found:
        steps += [("C", token, token) for token in ref[i:at_ref]]
        i, j = at_ref, at_hyp
        if kind == "replace":
            steps.append(("S", ref[i], hyp[j]))
            i, j = i + 1, j + 1
        elif kind == "delete":
            steps.append(("D", ref[i], ""))
            i += 1
        else:
            steps.append(("I", "", hyp[j]))
            j += 1
    steps += [("C", token, token) for token in ref[i:]]
    return steps
