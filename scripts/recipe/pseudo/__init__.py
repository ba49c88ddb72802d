"""Transcripts that models wrote, as data to train on."""
