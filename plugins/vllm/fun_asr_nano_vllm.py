"""Fun-ASR-Nano in vLLM, fed as the recipe trains and decodes it.

vLLM reads the recipe's model directories by its backend for transformers' models. `register`, which it calls in each of
its processes, mends three things there:

- the front end of the model works on 16-bit sample values, transformers' processor hands it samples of -1..1;
- a model takes all frames of audio or the first eighth, as its recipe.json says; transformers' processor takes all;
- recordings of several lengths need a mask; vLLM hands transformers' encoder a list there, and stops.

A server that is told so (VLLM_MEDIA_CONNECTOR=fun_asr_nano) also resamples as the recipe does, and answers a file that
cannot be read with status 400 instead of 500.
"""

import json
import logging

import numpy as np
import soundfile
import soxr
import torch
from transformers import FunAsrNanoProcessor, processing_utils
from transformers.utils import cached_file, is_torchvision_available
from vllm import ModelRegistry
from vllm.config import VllmConfig
from vllm.model_executor.models.transformers import TransformersMultiModalForCausalLM
from vllm.model_executor.models.transformers.multimodal import (
    MultiModalDummyInputsBuilder,
    MultiModalProcessingInfo,
    MultiModalProcessor,
)
from vllm.multimodal import MULTIMODAL_REGISTRY
from vllm.multimodal.media import MEDIA_CONNECTOR_REGISTRY, MediaConnector
from vllm.transformers_utils.processors.funasr import FunASRFeatureExtractor

logger = logging.getLogger("vllm.fun_asr_nano")

WAVEFORM_SCALE = 32768.0
SAMPLING_RATE = 16000
FRAME_LENGTH, STACKED_FRAME_SHIFT = 400, 960  # samples
LOW_FRAME_RATE = "low_frame_rate"


def register() -> None:
    """Let vLLM take `FunAsrNano` for directories whose config.json names transformers' class. May be called again."""
    ModelRegistry.register_model("FunAsrNanoForConditionalGeneration", FunAsrNano)
    if not is_torchvision_available():
        # Its search for the front end of vLLM's own class stops at video processors, which are not there then.
        processing_utils.transformers_module.FunASRFeatureExtractor = FunASRFeatureExtractor


def audio_tokens(frames: int, mode: str) -> int:
    """How many of an utterance's `frames` the language model is given: all, or with low_frame_rate as many as the
    published toolkit feeds."""
    if mode != LOW_FRAME_RATE:
        return frames
    half = 1 + (frames - 1) // 2
    quarter = 1 + (half - 1) // 2
    return 1 + (quarter - 1) // 2


def audio_token_mode(directory: str) -> str:
    """What recipe.json of a model says; without one the published models' setting, with a warning."""
    file = cached_file(directory, "recipe.json", _raise_exceptions_for_missing_entries=False)
    if file is None:
        logger.warning("%s: no recipe.json states the audio tokens; taking %s", directory, LOW_FRAME_RATE)
        return LOW_FRAME_RATE
    with open(file, encoding="utf-8") as stream:
        return json.load(stream)["audio_tokens"]


class RecipeProcessor(FunAsrNanoProcessor):
    """Transformers' processor, with scaled samples and as many placeholders as the model was trained with."""

    @classmethod
    def from_pretrained(cls, directory, *args, **kwargs):
        processor = super().from_pretrained(directory, *args, **kwargs)
        processor.audio_token_mode = audio_token_mode(directory)
        return processor

    def _process_audio(self, audio, **kwargs):
        """As transformers'. ValueError, which a server answers with status 400, for what the model cannot take."""
        for samples in audio:
            if not 0 < len(samples) <= self.most_samples:
                raise ValueError(f"audio of {len(samples)} samples: expected 1 to {self.most_samples}")
        # A frame at least, as the recipe decodes it.
        padded = [np.pad(samples, (0, max(0, FRAME_LENGTH - len(samples)))) for samples in audio]
        return super()._process_audio([samples * WAVEFORM_SCALE for samples in padded], **kwargs)

    def replace_audio_token(self, audio_inputs: dict, audio_idx: int, **kwargs) -> str:
        frames = int(audio_inputs["input_features_mask"][audio_idx].sum())
        return self.audio_token * audio_tokens(frames, self.audio_token_mode)


class ProcessingInfo(MultiModalProcessingInfo):
    """Where vLLM asks for a model's processor and limits."""

    def get_hf_processor(self, **kwargs) -> RecipeProcessor:
        processor = self.ctx.get_hf_processor(RecipeProcessor, **kwargs)
        processor.most_samples = self._most_frames() * STACKED_FRAME_SHIFT
        return processor

    def get_max_audio_tokens(self) -> int:
        return audio_tokens(self._most_frames(), self.get_hf_processor().audio_token_mode)

    def _most_frames(self) -> int:
        """How many frames the encoder has positions for."""
        return super().get_max_audio_tokens()


@MULTIMODAL_REGISTRY.register_processor(
    MultiModalProcessor, info=ProcessingInfo, dummy_inputs=MultiModalDummyInputsBuilder
)
class FunAsrNano(TransformersMultiModalForCausalLM):
    """vLLM's model around transformers' network, with audio in padded and masked batches."""

    def __init__(self, *, vllm_config: VllmConfig, prefix: str = ""):
        super().__init__(vllm_config=vllm_config, prefix=prefix)
        # Nothing tells encoder and adaptor how to attend, and then they are given no padding mask.
        for part in (self.model.audio_tower, self.model.multi_modal_projector):
            part.config._attn_implementation = "sdpa"

    def embed_multimodal(self, input_features, num_audio_tokens, **_) -> list[torch.Tensor]:
        """Embeddings [tokens, hidden] of each utterance; `input_features` are [frames, 560] each."""
        frames = torch.tensor([len(one) for one in input_features])
        padded = torch.nn.utils.rnn.pad_sequence(list(input_features), batch_first=True)
        mask = (torch.arange(padded.shape[1]) < frames[:, None]).to(padded.device)
        audio = self.model.get_audio_features(padded, mask, return_dict=True).pooler_output
        utterances = audio.split(frames.tolist())
        counts = num_audio_tokens.flatten().tolist()
        return [rows[:count] for rows, count in zip(utterances, counts, strict=True)]


@MEDIA_CONNECTOR_REGISTRY.register("fun_asr_nano")
class RecordingConnector(MediaConnector):
    """What a server reads recordings with."""

    async def fetch_audio_async(self, audio_url: str) -> tuple[np.ndarray, float]:
        """Samples of -1..1 and their rate. ValueError, which becomes status 400, if there are none to be had."""
        try:
            samples, rate = await super().fetch_audio_async(audio_url)
        except soundfile.LibsndfileError as error:
            raise ValueError(f"the audio cannot be read: {error}") from error
        if not len(samples):
            raise ValueError("the audio has no samples")
        return (samples if rate == SAMPLING_RATE else soxr.resample(samples, rate, SAMPLING_RATE)), SAMPLING_RATE
