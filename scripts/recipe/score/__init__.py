"""Scoring: pairs of texts to alignments, error rates, intervals and tests; `score` for texts in memory."""

from recipe.score.texts import Score, score

__all__ = ["Score", "score"]
