"""Model cards: made of facts, the same bytes each time, and the code in them runs."""

import contextlib
import io
import re

import pytest
import soundfile
import yaml
from conftest import tone

from recipe.model import card
from recipe.model import network as model
from recipe.model.directory import HF, TOOLKIT
from recipe.model.features import FrontEnd
from recipe.model.generate import Limits, generate
from recipe.text.prompt import transcription_prompt

TUNED = {
    "audio_tokens": "full",
    "base": {
        "source": "exp/mine/base",
        "files": {"config.json": "c0", "model.safetensors": "ab12"},
        "converted_from": {"source": "org/name", "revision": "d" * 40, "files": {"model.pt": "cd34"}},
    },
    "settings": {"seed": 1, "learning_rate": 1e-3, "freeze": ("encoder",), "augment": {"noise_share": 0.7}},
    "sets": [
        {"role": "train", "name": "home", "utterances": 1234, "hours": 1.5, "weight": 2.0, "languages": ["zh", "mix"]},
        {"role": "valid", "name": "held", "utterances": 10, "hours": 0.01, "weight": 1.0, "languages": []},
    ],
    "prompt": 'say "so"：',
    "precision": "bf16",
    "steps": 30,
    "selected_steps": [20, 30],
    "selected_by": "cer",
    "validation": [
        {"step": 20, "loss": 0.25, "cer": 0.0312, "wer": 0.1},
        {"step": 30, "loss": 0.26, "cer": 0.04, "wer": 0.12},
    ],
    "versions": {"torch": "2.14.1"},
}
TUNED["settings"]["decode_utterances"] = 60


def written(folder, facts, kind=HF, inherited=None) -> str:
    folder.mkdir(exist_ok=True)
    card.write(folder, kind, facts, inherited or {})
    return (folder / "README.md").read_text(encoding="utf-8")


def head(text: str) -> dict:
    return yaml.safe_load(text.split("---\n")[1])


def code(text: str) -> str:
    return re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]


def test_the_head_has_the_licence_and_languages_of_the_base_model(tmp_path):
    inherited = {"license": "apache-2.0", "language": ["zh", "en"], "base_model": "org/name"}
    plain = head(written(tmp_path / "plain", {"audio_tokens": "full"}, HF, inherited))
    assert plain == inherited | {"library_name": "transformers", "pipeline_tag": "automatic-speech-recognition"}
    tuned = head(written(tmp_path / "tuned", TUNED, TOOLKIT, inherited))
    assert tuned["library_name"] == "funasr"
    assert tuned["language"] == ["zh"]  # what it was trained on; "mix" is no language
    assert card.inherited(tmp_path / "tuned") == inherited | {"language": ["zh"]}


def test_nothing_is_made_up_where_nothing_is_known(tmp_path):
    text = written(tmp_path / "m", {"audio_tokens": "full"})
    assert set(head(text)) == {"library_name", "pipeline_tag"}
    assert not any(word in text for word in ("## Data", "## Training", "## Results", "Base model"))
    assert card.inherited(tmp_path) == {}


def test_a_head_that_cannot_be_read_is_said_and_left_out(tmp_path, caplog):
    (tmp_path / "README.md").write_text("---\nlicense: [unfinished\n---\n")
    assert card.inherited(tmp_path) == {}
    assert "README.md" in caplog.text


def test_it_says_what_the_model_was_made_of_and_how_good_it_is(tmp_path):
    text = written(tmp_path / "m", TUNED)
    for line in (
        "- Base model: `base`, SHA-256 of `model.safetensors`: `ab12`",
        f"  - converted from: `org/name` at revision `{'d' * 40}`, SHA-256 of `model.pt`: `cd34`",
        "| train | home | 1,234 | 1.50 | 2 |",
        "| valid | held | 10 | 0.01 | 1 |",
        "| `learning_rate` | `0.001` |",
        '| `freeze` | `["encoder"]` |',
        "| `augment.noise_share` | `0.7` |",
        "30 steps in bf16, with torch 2.14.1. The weights are averaged over those of steps 20, 30, the best by cer.",
        "| 20 | 0.2500 | 3.12 % | 10.00 % |",
    ):
        assert line in text.splitlines(), line
    assert "`seed`" not in text  # as the default has it
    assert r'"say \"so\"：<|object_ref_start|>' in text
    assert written(tmp_path / "again", TUNED) == text


def test_facts_are_text_and_no_template(tmp_path):
    facts = TUNED | {
        "prompt": "{{ x }} {% if %} {audio} <b>",
        "sets": [TUNED["sets"][0] | {"name": "{{ a }} & {# b #}"}],
    }
    text = written(tmp_path / "m", facts)
    assert '"{{ x }} {% if %} {audio} <b><|object_ref_start|>' in text
    assert "| train | {{ a }} & {# b #} | 1,234 |" in text


@pytest.mark.parametrize("directory", ["full_model", "low_model"])
def test_its_code_decodes_as_the_recipe_does(directory, request, tmp_path, monkeypatch):
    """With transformers alone, for either audio token setting."""
    recognizer = model.load(request.getfixturevalue(directory))
    recognizer.save(tmp_path / "m", {"base": None})
    samples = tone(2.3, 4)
    soundfile.write(tmp_path / "m" / "recording.wav", samples, 16000, subtype="FLOAT")
    item = FrontEnd(recognizer).item("key", samples, transcription_prompt())
    [tokens] = generate(recognizer, [item], [Limits(base=512).tokens(0)])
    expected = recognizer.tokenizer.decode(tokens, skip_special_tokens=True)
    monkeypatch.chdir(tmp_path / "m")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code((tmp_path / "m" / "README.md").read_text(encoding="utf-8")), {})  # noqa: S102
    assert expected.strip() and printed.getvalue() == expected + "\n"
