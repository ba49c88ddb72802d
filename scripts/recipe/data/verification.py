"""Whether everything is decoded when a set is checked: what that costs is known from the hours of a sample."""

import dataclasses
import logging
from collections.abc import Iterator

from recipe.audio.address import is_command, is_url, split_shard
from recipe.audio.headers import AudioError
from recipe.data import datadir, join
from recipe.data.checks import CheckPolicy, header, length
from recipe.data.join import Entry
from recipe.files import byte_lines
from recipe.settings.section import AUTO

logger = logging.getLogger(__name__)

FULL_HOURS = 200.0  # up to here `auto` decodes everything: minutes, see docs/data.md
SAMPLE = 200  # lines that are looked at, spread evenly


def decided(policy: CheckPolicy, table: str) -> CheckPolicy:
    """A policy whose `verify` is not AUTO: "full" for a set of up to FULL_HOURS. `table` has a line an utterance:
    wav.scp, segments or JSONL. The same for every shard of a set."""
    if policy.checks.verify != AUTO:
        return policy
    hours = estimated_hours(policy, table)
    verify = "full" if hours <= FULL_HOURS else "header"
    logger.info("verify: auto is %s for about %.3g hours", verify, hours)
    return dataclasses.replace(policy, checks=dataclasses.replace(policy.checks, verify=verify))


def estimated_hours(policy: CheckPolicy, table: str) -> float:
    """Hours of a set, from a sample of its lines. What is not known without fetching it (URLs, commands) is left out:
    it is fetched and decoded to be checked in any case."""
    lines = datadir.count_lines(table)
    found = [seconds for entry in _sample(table, lines) if (seconds := _seconds(entry, policy)) is not None]
    return sum(found) / len(found) * lines / 3600 if found else 0.0


def _sample(table: str, lines: int) -> Iterator[Entry]:
    wanted = min(SAMPLE, lines)
    for number, raw in enumerate(byte_lines(table), 1):
        chosen = number * wanted // lines > (number - 1) * wanted // lines
        if chosen and raw.strip() and (entry := join.entry_of(raw, number, table)) and not entry.problem:
            yield entry


def _seconds(entry: Entry, policy: CheckPolicy) -> float | None:
    """Length of an utterance; None if it is not known without fetching its recording, or without joining tables."""
    if entry.end is not None:
        return entry.end - entry.start
    source = entry.source if policy.scp_file is None else datadir.resolve(entry.source, policy.scp_file)
    whole = is_url(source) and not split_shard(source) if source else False
    if not source or whole or is_command(source):
        return None
    try:
        return length(entry, header(source, policy.fetch_policy).seconds)
    except AudioError:
        return None
