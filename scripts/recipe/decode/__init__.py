"""Decoding: recordings to hypotheses, and hypotheses to subtitles."""
