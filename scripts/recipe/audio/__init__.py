"""Recordings: headers, samples, downloads and filter bank features."""
