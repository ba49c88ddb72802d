"""Every setting: its name, type, limits, default and meaning, said once."""
