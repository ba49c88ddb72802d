"""Data: Kaldi directories and manifests, what is checked of them and what they hold."""
