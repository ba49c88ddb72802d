"""Prompts: the published words, tokens and loss positions."""

import pytest

from recipe.text import prompt
from recipe.text.prompt import IGNORED, PromptEncoder, join_user_content, split_user_content, transcription_prompt


def test_wordings_are_the_published_ones():
    assert transcription_prompt() == "语音转写："
    assert transcription_prompt(language="en") == "语音转写成英文："
    assert transcription_prompt(itn=False) == "语音转写，不进行文本规整："
    assert transcription_prompt(language="zh", itn=False) == "语音转写成中文，不进行文本规整："
    assert transcription_prompt("en") == "Speech transcription: "
    assert transcription_prompt("en", "zh") == "Transcribe speech into Chinese: "
    assert transcription_prompt("en", itn=False) == "Speech transcription without text normalization: "


@pytest.mark.parametrize("language", [None, "en", "Klingon"])
@pytest.mark.parametrize("itn", [True, False])
@pytest.mark.parametrize("hotwords", [[], ["Mei"], ["a [b]", "开放时间"]])
def test_chinese_prompts_can_be_taken_apart(language, itn, hotwords):
    words = transcription_prompt("zh", language, itn, hotwords)
    name = prompt.LANGUAGE_NAMES_ZH.get(language, language)
    assert prompt.chinese_parts(words) == (hotwords, name, itn)
    assert prompt.chinese_parts(words + " ") is None
    assert prompt.chinese_parts(transcription_prompt("en", language, itn, hotwords)) is None


def test_hotwords_stand_in_the_published_header():
    words = transcription_prompt(hotwords=["开放时间", "Mei"])
    assert words.startswith(
        "请结合上下文信息，更加准确地完成语音转写任务。如果没有相关信息，我们会留空。\n\n\n**上下文信息：**\n\n\n"
    )
    assert words.endswith("热词列表：[开放时间, Mei]\n语音转写：")


def test_audio_span_is_found_and_put_back():
    content = join_user_content("语音转写：", "a b/c.wav")
    assert content == "语音转写：<|startofspeech|>!a b/c.wav<|endofspeech|>"
    assert split_user_content(content + " later") == ("语音转写：", "a b/c.wav", " later")


@pytest.mark.parametrize(
    "content",
    ["no audio", "<|startofspeech|>a.wav<|endofspeech|>", "<|startofspeech|>!<|endofspeech|>",
     "<|startofspeech|>!a<|endofspeech|><|startofspeech|>!b<|endofspeech|>"],
)  # fmt: skip
def test_a_message_without_exactly_one_recording_is_refused(content):
    with pytest.raises(ValueError):
        split_user_content(content)


@pytest.fixture(scope="module")
def qwen(request):
    from conftest import SHARED

    if not SHARED.is_dir():
        pytest.skip("needs ../shared")
    import transformers

    return transformers.PreTrainedTokenizerFast.from_pretrained(SHARED / "qwen3-tokenizer")


def test_sequence_and_loss_positions_with_the_published_tokenizer(qwen):
    example = PromptEncoder(qwen).encode("语音转写：", 3, "几点了?")
    assert qwen.decode(example.input_ids) == (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n语音转写："
        "<|object_ref_start|><|object_ref_start|><|object_ref_start|><|im_end|>\n<|im_start|>assistant\n几点了?<|im_end|>"
    )
    target = [label for label in example.labels if label != IGNORED]
    assert qwen.decode(target) == "几点了?<|im_end|>"
    assert example.labels[-len(target) :] == target
    assert example.input_ids.count(151646) == 3


def test_separate_tokenization_equals_that_of_the_whole_text(qwen):
    for target in ("Hello, world.", "把灯调到45%。", " leading space", "3"):
        example = PromptEncoder(qwen).encode("语音转写：", 1, target)
        assert example.input_ids == qwen(qwen.decode(example.input_ids), add_special_tokens=False)["input_ids"]


def test_without_a_target_the_sequence_ends_where_the_model_writes(qwen):
    context = PromptEncoder(qwen).encode("语音转写：", 2)
    whole = PromptEncoder(qwen).encode("语音转写：", 2, "x")
    assert whole.input_ids[: len(context.input_ids)] == context.input_ids
    assert set(context.labels) == {IGNORED}
    assert prompt.AUDIO_TOKEN == "<|object_ref_start|>"
