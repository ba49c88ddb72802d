"""Scoring: pairs of texts to alignments, error rates, intervals and tests."""
