"""Corpora as others hold them, as Kaldi data directories: a module a format, read as a stream of utterances."""
