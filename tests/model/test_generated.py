"""What greedy decoding tells beside tokens: their probabilities, and the encoder's outputs."""

import pytest
import torch
from conftest import tone

from recipe.model import network
from recipe.model.features import FrontEnd, collate
from recipe.model.generate import Greedy


@pytest.mark.parametrize("directory", ["full_model", "low_model"])
def test_log_probabilities_are_those_of_transformers_and_tokens_stay(directory, request):
    recognizer = network.load(request.getfixturevalue(directory))
    front_end = FrontEnd(recognizer)
    items = [front_end.item(str(i), tone(0.7 + 0.3 * i, i), "语音转写：") for i in range(5)]
    limits = [1, 20, 7, 12, 3]
    greedy = Greedy(recognizer, scored=True)
    for count in (5, 2):
        found = greedy.with_details(items[:count], limits[:count])
        assert [one.tokens for one in found] == Greedy(recognizer)(items[:count], limits[:count])
    for item, limit, one in zip(items, limits, greedy.with_details(items, limits), strict=True):
        batch = collate([item], recognizer.tokenizer.pad_token_id, left=True)
        audio = batch["input_features"], batch["input_features_mask"]
        with torch.inference_mode():
            encoded = recognizer.model.encode(*audio)[0]
            embeds, _ = recognizer.model.embed(batch["input_ids"], *audio)
            theirs = recognizer.model.generate(
                inputs_embeds=embeds, attention_mask=batch["attention_mask"], max_new_tokens=limit, do_sample=False,
                eos_token_id=recognizer.prompts.end_id, pad_token_id=recognizer.tokenizer.pad_token_id,
                output_logits=True, return_dict_in_generate=True,
            )  # fmt: skip
        expected = [
            logits[0].log_softmax(-1)[token].item() for logits, token in zip(theirs.logits, one.tokens, strict=True)
        ]
        assert one.log_probs == pytest.approx(expected, abs=1e-4)
        assert torch.allclose(one.encoded, encoded, atol=1e-4)


def test_without_scores_there_are_no_details(full_model):
    with pytest.raises(ValueError, match="made without `scored`"):
        Greedy(network.load(full_model)).with_details([], [])
