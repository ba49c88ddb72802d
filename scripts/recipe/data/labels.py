"""Speakers, languages and groups of utterances, from a table or from a manifest."""

from collections.abc import Iterator

from recipe.data import datadir, join
from recipe.text import tables


def label_rows(path: str, field: str) -> Iterator[tuple[str, str | None]]:
    """A property of utterances by key (None: not known): from a Kaldi table, or from *.jsonl in the published format
    its `field` (see join.Entry)."""
    if not datadir.is_jsonl(path):
        yield from ((key, value) for _, key, value in tables.read(path))
        return
    for entry in join.from_jsonl(path):
        if entry.problem is None:
            value = getattr(entry, field)
            yield entry.key, None if value is None else str(value)


def read_labels(path: str | None, field: str) -> dict[str, str] | None:
    """A property of utterances by key (see `label_rows`). None where nothing is known of any."""
    if path is None or not datadir.is_jsonl(path):
        return tables.read_map(path) if path else None
    return {key: value for key, value in label_rows(path, field) if value is not None} or None
