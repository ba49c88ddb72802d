"""What to fine-tune with so much speech."""


def advise(hours: float) -> dict:
    """What to fine-tune with so many hours of speech, as the authors of the model advise: under 1,000 the adaptor,
    under 5,000 encoder and adaptor, over 10,000 everything. Between the last two nothing is said; the smaller choice
    is taken. `freeze` is the setting of that name."""
    if hours < 1000:
        trained, frozen, why = ["adaptor"], ["encoder", "llm"], "under 1,000 h: the adaptor"
    elif hours < 5000:
        trained, frozen, why = ["encoder", "adaptor"], ["llm"], "under 5,000 h: encoder and adaptor"
    elif hours <= 10000:
        trained, frozen = ["encoder", "adaptor"], ["llm"]
        why = "5,000 to 10,000 h: no published advice; of encoder and adaptor, or everything, the smaller choice"
    else:
        trained, frozen, why = ["encoder", "adaptor", "llm"], [], "over 10,000 h: everything"
    return {"hours": round(hours, 4), "train": trained, "freeze": frozen, "why": why}
