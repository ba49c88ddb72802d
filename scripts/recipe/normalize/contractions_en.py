"""English contractions and colloquial words, spelled out."""

import re

from recipe.normalize.alternatives import one_of

_PRONOUN = "it|he|she|that|what|who|there|here|where|how|when"
_SUBJECT = "i|you|he|she|it|we|they|who|what|that|there"
# What a possessive is not followed by: behind a noun, 's is `is` before these.
_NO_NOUN = (
    "a|an|the|not|in|on|at|to|with|from|very|too|so|here|there|my|your|his|our|their|this|that|always|never|going|gonna"
)
_CONTRACTIONS = [
    (re.compile(pattern), full)
    for pattern, full in (
        (r"\bcan(?:'t|not)\b", "can not"),
        (r"\bwon't\b", "will not"),
        (r"\bshan't\b", "shall not"),
        (r"(?<!\bai)n't\b", " not"),
        (r"\blet's\b", "let us"),
        (r"\by'all\b", "you all"),
        (r"\bc'mon\b", "come on"),
        (r"\by'know\b", "you know"),
        (r"\bd'you\b", "do you"),
        (r"(?<!\w)'(?:cause|cuz|coz)\b", "because"),
        (r"(?<!\w)'em\b", "them"),
        (r"(?<!\w)'til\b", "until"),
        (r"(?<!\w)'bout\b", "about"),
        (r"(?<=\d)'s\b", "s"),  # the 1980's
        (rf"\b({_PRONOUN})'s (?=(?:been|got|gone|done|had|become|made|taken|seen|never|already|just)\b)", r"\1 has "),
        (rf"\b({_PRONOUN})'s\b", r"\1 is"),
        (rf"(?<=[a-z]{{2}})'s(?= (?:{_NO_NOUN})\b)", " is"),
        (r"^([a-z]{2,})'s(?=[.!?]*$)", r"\1 is"),
        (rf"\b({_SUBJECT})'d (?=(?:been|gone|done|better|had)\b)", r"\1 had "),
        (rf"\b({_SUBJECT})'d\b", r"\1 would"),
        (r"\b(where|how|why|when)'d\b", r"\1 did"),
        (r"(?<=[a-z])'re\b", " are"),
        (r"(?<=[a-z])'ll\b", " will"),
        (r"(?<=[a-z])'ve\b", " have"),
        (r"\bi'm\b", "i am"),
        (r"^([^']*\b[a-z]{2,}in)'(?![\w'])", r"\1g"),  # killin', but no quotation
    )
]
_COLLOQUIAL = {
    "gonna": "going to", "wanna": "want to", "gotta": "got to", "gimme": "give me", "lemme": "let me",
    "kinda": "kind of", "sorta": "sort of", "outta": "out of", "lotta": "lot of", "dunno": "do not know",
    "cuz": "because", "tryna": "trying to", "imma": "i am going to", "gotcha": "got you", "hafta": "have to",
    "oughta": "ought to", "shoulda": "should have", "coulda": "could have", "woulda": "would have", "thru": "through",
    "tonite": "tonight", "alright": "all right",
}  # fmt: skip
_COLLOQUIAL_WORD = re.compile(rf"\b({one_of(_COLLOQUIAL)})\b(?!')")


def spelled_out(text: str) -> str:
    """`don't` -> `do not`, `gonna` -> `going to`; a possessive stays."""
    if "'" in text or "cannot" in text:
        for pattern, full in _CONTRACTIONS:
            text = pattern.sub(full, text)
    return _COLLOQUIAL_WORD.sub(lambda word: _COLLOQUIAL[word[1]], text)
