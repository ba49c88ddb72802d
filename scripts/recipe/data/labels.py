"""Speakers, languages and groups of utterances, from a table or from a manifest."""

from recipe.data import datadir, join
from recipe.text import tables


def read_labels(path: str | None, field: str) -> dict[str, str] | None:
    """A property of utterances by key: from a Kaldi table, or from *.jsonl in the published format its `field` (see
    join.Entry). None where nothing is known of any."""
    if path is None or not datadir.is_jsonl(path):
        return tables.read_map(path) if path else None
    values = ((entry.key, getattr(entry, field)) for entry in join.from_jsonl(path) if entry.problem is None)
    return {key: str(value) for key, value in values if value is not None} or None
