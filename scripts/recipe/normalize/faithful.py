"""`faithful` mode: two spellings of the same content compare equal, and two contents never do."""


def normalize(text: str) -> str:
    return " ".join(text.split())
