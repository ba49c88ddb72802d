"""The model: its directory, the network, features, and text out of audio."""
