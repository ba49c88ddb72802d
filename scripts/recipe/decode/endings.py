"""How hypotheses end, and what may be odd about them: words of `text.jsonl` (docs/decoding.md)."""

EOS, LENGTH, ERROR = "eos", "length", "error"
LOOPING = "looping"
TEXT_ON_SILENCE = "text_on_silence"
NO_SPEECH = "no_speech"
DECODED_AGAIN = "decoded_again"
INCOMPLETE_RECORDING = "incomplete_recording"
