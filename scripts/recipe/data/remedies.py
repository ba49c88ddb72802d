"""What to do about each reason for which an entry is rejected, in a few words; docs/data.md has more of them."""

_AUDIO = {
    "audio-missing": "put the recordings where wav.scp says, or mend its paths (relative ones count from its folder)",
    "audio-empty": "get these recordings again, or take their lines out",
    "audio-unreadable": "convert these recordings to WAV or FLAC, or get them again",
    "audio-truncated": "get these recordings again: they lack their end",
    "audio-too-short": "lower data.min_seconds, or join pieces that are too short",
    "audio-too-long": "cut them with segments, or raise data.max_seconds",
    "audio-silent": "look whether the right channel was recorded; lower data.silence_db if they are meant to be quiet",
    "audio-clipped": "record at a lower level, or raise data.max_clipped",
    "audio-not-finite": "write these recordings again: samples are NaN or infinite",
    "header-mismatch": "convert these recordings again: their header is not true",
    "no-decoder": "install PyAV or the program ffmpeg (docs/data.md), or convert them to WAV or FLAC",
    "decoder-timeout": "convert these recordings to WAV or FLAC",
    "decoder-crashed": "get these recordings again: reading them ends the process",
    "channel-missing": "mend utt2channel or data.channel: the recordings have fewer channels",
    "url-failed": "look whether the server answers and the addresses are right (data.fetch.retries: how often to try)",
    "url-timeout": "raise data.fetch.timeout, or download them first",
    "url-too-large": "raise data.fetch.megabytes, or download them first",
    "command-refused": "set data.allow_commands: true if you trust the commands in wav.scp, or run them first",
    "command-failed": "run such a command by hand and mend it",
    "command-timeout": "raise data.fetch.timeout, or run the commands first",
    "command-too-large": "raise data.fetch.megabytes, or run the commands first",
}
_TEXT = {
    "transcript-missing": "write their lines in text with the keys of wav.scp (or of segments), or take them out there",
    "transcript-empty": "write their transcripts, or take their lines out",
    "bad-utf8": "convert the table to UTF-8, e.g. iconv -f GB18030 -t UTF-8",
    "control-character": "take the control characters out of the transcripts",
    "replacement-character": "convert the text anew from its source: U+FFFD stands where characters were lost",
    "text-not-nfc": "set data.non_nfc: convert",
    "special-token": "set data.markup: remove, or take them out",
    "markup": "set data.markup: remove, or keep if it is said",
    "html-entity": "set data.markup: remove, which writes the characters that they stand for",
    "invisible": "set data.invisible: remove",
    "unknown-language": "name languages in utt2lang as docs/data.md does",
    "prompt-special-token": "take the special tokens out of utt2prompt or utt2hotwords",
    "transcript-too-long": "look whether these transcripts belong to these recordings; else raise "
    "data.max_tokens_per_second",
    "transcript-too-short": "look whether these transcripts belong to these recordings; else lower "
    "data.min_tokens_per_second",
}
_TABLES = {
    "excluded": "take their lines out of data.exclude, if they are to be used",
    "duplicate-key": "take the second lines out",
    "conflicting-key": "give each recording a key of its own",
    "conflicting-transcripts": "leave one transcript a key in text",
    "key-invalid": "rename keys that have control characters in them",
    "key-without-audio": "add their recordings to wav.scp, or take their lines out of text",
    "duplicate-transcript": "take the second lines out of text",
    "recording-without-segments": "write segments of these recordings, or take them out of wav.scp",
    "segment-invalid": "mend their lines in segments: key, recording, start and end in seconds",
    "segment-beyond-end": "look whether segments counts in seconds and belongs to these recordings",
    "channel-invalid": "write an index from 0, A or B into utt2channel",
    "jsonl-invalid": "mend these lines of the JSONL (docs/data.md has the format)",
}
REMEDIES = _AUDIO | _TEXT | _TABLES
_CONFLICT = "conflicting-"  # and the name of a table, as in conflicting-utt2spk


def remedy(reason: str) -> str:
    """What to do about a reason; of one that an older recipe left in a shard's file, where to look."""
    if reason not in REMEDIES and reason.startswith(_CONFLICT):
        return f"leave one line a key in {reason.removeprefix(_CONFLICT)}"
    return REMEDIES.get(reason, "see docs/data.md")
