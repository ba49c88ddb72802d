"""Text: prompts around the audio, and what is told from a text alone."""
