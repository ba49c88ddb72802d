"""Random mistakes that people make, put through the whole workflow and judged from outside: `make mistakes`.

`kinds` is what a mistake is; `lines`, `audio`, `jsonl`, `tables`, `settings` and `commands` make them; `project` is
what they are made in; `judge` says how a run ended; `campaign` draws, runs and counts.
"""
