"""Tables of training utterances that tests make up."""

from recipe.data import index
from recipe.files import json_line, write_lines
from recipe.train import fitting


def table_of(folder, front_end, *sets, words=()):
    """The table of some sets of utterances, each of which becomes a manifest in `folder`."""
    parts = []
    for number, utterances in enumerate(sets):
        path = folder / f"set-{number}.jsonl"
        write_lines(path, [json_line(one.to_json()) for one in utterances])
        parts.append(fitting.Part(index.find(path, folder / f"index-{number}"), None))
        parts[-1].count_contexts(front_end, words)
    return fitting.write_table(parts, folder / "table")
