"""Alignment of two token sequences with the fewest edits, by rapidfuzz's bit-parallel Levenshtein.

Every minimal alignment has the same number of edits, but not the same split into substitutions, deletions and
insertions. The rule here is rapidfuzz's, which the compute-wer package uses too: equal tokens at both ends are set
aside; what is left is traced from its end to its start, and where several steps are on a minimal path, the first of
deletion, substitution, insertion, match is taken. (Long sequences are first cut in two where a minimal path crosses, so
that memory stays linear; the rule then holds in each part.)
"""

from collections.abc import Sequence

from rapidfuzz.distance import Levenshtein

from recipe.files import RecipeError

Edit = tuple[str, int, int]
"""(kind, index into the reference, index into the hypothesis); kind is "replace", "delete" or "insert"."""

# Up to this product of lengths (a quarter of a second) all alignments are searched; beyond it, a band around the
# diagonal that doubles until the distance fits in, which is several times faster where the texts are alike.
FULL_SEARCH = 10**9
# Beyond this product, the distance times the longer length must not pass BAND_SEARCH (about a minute).
ANY_DISTANCE = 2 * 10**11
BAND_SEARCH = 10**11
_FIRST_BAND = 64


def edits(ref: Sequence[str], hyp: Sequence[str]) -> list[Edit]:
    """The edits that turn `ref` into `hyp`, in order. Time grows with len(ref) * len(hyp) / 64, memory linearly.

    RecipeError if the sequences are so long, and so different, that the time would be many minutes.
    """
    if ref == hyp:
        return []
    size = len(ref) * len(hyp)
    if size <= FULL_SEARCH:
        return Levenshtein.editops(ref, hyp).as_list()
    if size > ANY_DISTANCE:
        limit = BAND_SEARCH // max(len(ref), len(hyp))
        if Levenshtein.distance(ref, hyp, score_cutoff=limit, score_hint=_FIRST_BAND) > limit:
            raise RecipeError(
                f"texts of {len(ref)} and {len(hyp)} tokens or characters that differ in more than {limit} take too "
                "long to align (was a line break lost?); cut the recording into shorter utterances"
            )
    return Levenshtein.editops(ref, hyp, score_hint=_FIRST_BAND).as_list()
