"""The page of suspects: transcripts that are likely wrong, beside what was heard, with players and a filter."""

import os
from pathlib import Path
from typing import Any

from recipe.files import json_line, open_atomic
from recipe.report import players
from recipe.report.html import asset, embed_json, policy, templates
from recipe.suspects.kinds import KINDS
from recipe.suspects.ranking import Found, Suspect

PAGE_BYTES = 5_000_000  # of listed suspects, their audio not counted: a browser opens so much at once
EMBED_MB = 5.0  # of audio that the page carries itself; of more, players are told where it lies
MEANINGS = {
    "shifted": "what is heard is the transcript of a line near by",
    "swapped": "what is heard is the transcript of another line of the speaker",
    "other-speaker": "what is heard is the transcript of another speaker's line",
    "audio-cut": "what is heard is a part of the transcript, or the recording is cut, or too short for it",
    "words-missing": "the transcript is a part of what is heard, or too short for the recording",
    "other-language": "what is heard is written in another script, or most words are in no other transcript",
    "silence": "no speech is heard",
    "duplicate": "the same audio has another transcript elsewhere",
    "normalization": "the same is said in other spellings",
    "clipped": "the recording is overdriven",
    "unclear": "none of these",
}


def write(found: Found, path: str | os.PathLike) -> None:
    """Write the page, atomically; links to audio count from its folder."""
    listed, template = _listed(found.shown), templates().get_template("suspects.html")
    style, script = asset("page.css") + asset("suspects.css"), asset("suspects.js")
    html = template.render(
        found=found,
        listed=len(listed),
        kinds=[(kind, found.by_kind[kind], MEANINGS[kind]) for kind in KINDS if found.by_kind[kind]],
        style=style,
        script=script,
        policy=policy(style, script),
        payload=embed_json(_payload(listed, Path(path).parent)),
    )
    with open_atomic(path) as file:
        file.write(html)


def _listed(shown: list[Suspect]) -> list[Suspect]:
    """The first suspects, as many as the page may hold."""
    kept, size = [], 0
    for one in shown:
        size += len(json_line(one).encode("utf-8", "replace"))
        if kept and size > PAGE_BYTES:
            break
        kept.append(one)
    return kept


def _payload(listed: list[Suspect], folder: Path) -> list[dict[str, Any]]:
    """What the script shows of each."""
    whole = {"": [None if one.start or one.end is not None else players.playable(one.source) for one in listed]}
    parts = {"": [players.playable(one.source) if one.start or one.end is not None else None for one in listed]}
    audio = players.sources(whole, EMBED_MB, folder)[""]
    # Of a part of a recording the player is told from when to when (W3C Media Fragments).
    linked = players.sources(parts, -1, folder)[""]
    return [
        {
            "key": one.key,
            "set": one.set,
            "score": round(one.score, 2),
            "kind": one.kind,
            "detail": one.detail,
            "reference": one.reference,
            "hypothesis": one.hypothesis,
            "audio": own or (part and f"{part}#t={one.start:g}{'' if one.end is None else f',{one.end:g}'}"),
        }
        for one, own, part in zip(listed, audio, linked, strict=True)
    ]
