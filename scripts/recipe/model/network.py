"""The model: HF's Fun-ASR-Nano with both audio token settings, logits where there are targets, and frozen parts.

The network is transformers' own. The subclass here changes how its parts are called: how many adaptor frames enter the
language model is read off the placeholders in `input_ids`, so that one code serves both settings.
"""

import functools
import logging
import os
from dataclasses import dataclass
from pathlib import Path

import torch
import transformers
from torch import nn
from transformers import AutoProcessor
from transformers import FunAsrNanoForConditionalGeneration as HfFunAsrNano
from transformers.modeling_outputs import CausalLMOutput

from recipe.files import RecipeError, share_file, write_json
from recipe.model import card, ctc, loading, places
from recipe.model.directory import HF, RECIPE_FILE, audio_tokens_of, directory_kind
from recipe.settings.train import FULL, PARTS, LoraSettings
from recipe.text.prompt import IGNORED, PromptEncoder

logger = logging.getLogger(__name__)
# Bars that last a blink of the eye, and its own idea of what is worth a line.
transformers.logging.disable_progress_bar()
transformers.logging.set_verbosity_error()


# Devices on which the language model is given a mask of padding in training. No target comes after padding, so it is
# enough that a token sees what is before it: faster on a GPU; on a CPU it is not, and sums would round otherwise.
MASKED = {"cpu"}


def audio_token_count(frames: int, mode: str) -> int:
    """Number of adaptor frames out of `frames` that the language model is given.

    "full": all. "low_frame_rate": the first n, n = (f(f(T)) - 1) // 2 + 1 with f(t) = 1 + (t - 1) // 2, about an
    eighth; the published toolkit counts them so in training and by its `use_low_frame_rate` in decoding.
    """
    if mode == FULL:
        return frames
    half = 1 + (frames - 1) // 2
    quarter = 1 + (half - 1) // 2
    return (quarter - 1) // 2 + 1


def summed_cross_entropy(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Cross entropy of `logits` [targets, vocabulary] in 32 bits, summed over `targets`."""
    return nn.functional.cross_entropy(logits.float(), targets, reduction="sum")


def _attention_mask(mask: torch.Tensor, is_padded: bool | None) -> torch.Tensor | None:
    """What attention over `mask`ed frames [batch, frames] sees [batch, 1, 1, frames]; None: everything, as it is faster
    to say where nothing is padded. `is_padded` None asks the device."""
    if is_padded is None:
        is_padded = not bool(mask.all())
    return mask.bool()[:, None, None, :] if is_padded else None


@dataclass
class Output(CausalLMOutput):
    """What `forward` gives where there are targets."""

    ctc_loss: torch.Tensor | None = None


class FunAsrNanoForConditionalGeneration(HfFunAsrNano):
    """HF's class under HF's name (config.json records it), with `input_ids` deciding how many audio frames are used.

    A row with n placeholders takes the first n adaptor frames of its audio: n equals the number of stacked frames in
    HF's own way of use, an eighth of it in the published one.
    """

    def __init__(self, config):
        super().__init__(config)
        self._frozen: list[nn.Module] = []
        self._adapters = None  # peft's model around the language model while it has LoRA adapters
        self.ctc_weight = 0.0
        self.ctc_blank = 0
        self.ctc_head: ctc.CtcBranch | None = None  # while it is trained
        self.cross_entropy = summed_cross_entropy

    def part(self, name: str) -> list[nn.Module]:
        """Modules of "encoder", "adaptor" or "llm"."""
        return {
            "encoder": [self.model.audio_tower],
            "adaptor": [self.model.multi_modal_projector],
            "llm": [self.model.language_model, self.lm_head],
        }[name]

    def freeze(self, parts: set[str]) -> None:
        """Take `parts` out of training: no gradients and no dropout, whatever `train()` says later."""
        self._frozen = [module for name in PARTS if name in parts for module in self.part(name)]
        self.requires_grad_(True)
        for module in self._frozen:
            module.requires_grad_(False)
        for _, parameter in self._adapter_parameters():
            parameter.requires_grad_(True)
        self.train(self.training)

    def set_dropout(self, share: float) -> None:
        """Let training drop `share` of the encoder's states and attention weights; its config keeps what it says."""
        for module in self.model.audio_tower.modules():
            for name in ("attention_dropout", "dropout", "hidden_dropout"):
                if hasattr(module, name):
                    setattr(module, name, share)

    def add_adapters(self, lora: LoraSettings, seed: int) -> None:
        """Put LoRA adapters (Hu et al. 2021) into the language model; before the first step they change nothing.
        Call `freeze` after it, with "llm"."""
        import peft

        self.check_adapters(lora)
        torch.manual_seed(seed)
        config = peft.LoraConfig(
            r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=sorted(lora.targets)
        )
        self._adapters = [peft.get_peft_model(self.model.language_model, config)]  # a list: not a submodule

    def check_adapters(self, lora: LoraSettings) -> None:
        """RecipeError if the language model has no linear layers of the names that are to get adapters."""
        names = {
            name.rpartition(".")[2] for name, m in self.model.language_model.named_modules() if isinstance(m, nn.Linear)
        }
        if unknown := sorted(set(lora.targets) - names):
            raise RecipeError(f"lora.targets: no layers {', '.join(unknown)}; there are {', '.join(sorted(names))}")

    def merge_adapters(self, directory: str | os.PathLike) -> None:
        """Write the adapters to `directory` and merge them into the language model's weights."""
        self._adapters[0].save_pretrained(directory)
        (Path(directory) / card.FILE).unlink()  # an empty form
        self.model.language_model = self._adapters[0].merge_and_unload()
        self._adapters = None

    def _adapter_parameters(self):
        return [(n, p) for n, p in self.named_parameters() if ".lora_" in n] if self._adapters else []

    def train(self, mode: bool = True):
        super().train(mode)
        # __init__ of the parent may call this before `_frozen` exists.
        for module in getattr(self, "_frozen", []):
            module.train(False)
        if getattr(self, "_adapters", None):
            for name, module in self.named_modules():
                if ".lora_dropout" in name:
                    module.train(mode)
        return self

    def encode(
        self, input_features: torch.Tensor, input_features_mask: torch.Tensor, is_padded: bool | None = None
    ) -> torch.Tensor:
        """Encoder outputs [batch, frames, width] of `input_features` [batch, frames, 560], one utterance a row, and
        its mask [batch, frames]. Whoever knows whether any row `is_padded` spares the device the question."""
        tower = self.model.audio_tower
        states = input_features.to(tower.layers[0].input_layernorm.weight.dtype)
        seen = _attention_mask(input_features_mask, is_padded)
        states = states * tower.scaling + tower.position_embeddings(states)
        for layer in tower.layers:
            states = layer(states, seen, input_features_mask)
        return states

    def adapt(
        self, encoder_outputs: torch.Tensor, input_features_mask: torch.Tensor, is_padded: bool | None = None
    ) -> torch.Tensor:
        """Adaptor frames [batch, frames, hidden] of encoder outputs."""
        projector = self.model.multi_modal_projector
        states = projector.linear_2(projector.act(projector.linear_1(encoder_outputs)))
        seen = _attention_mask(input_features_mask, is_padded)
        for layer in projector.layers:
            states = layer(states, seen)
        return states

    def embed(
        self, input_ids: torch.Tensor, input_features: torch.Tensor, input_features_mask: torch.Tensor, **places
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Token embeddings [batch, tokens, hidden] with the placeholders replaced by adaptor frames, and all the
        adaptor frames [batch, frames, hidden]; `places` as `place` takes them."""
        audio = self.adapt(self.encode(input_features, input_features_mask), input_features_mask)
        return self.place(input_ids, audio, **places), audio

    def place(
        self,
        input_ids: torch.Tensor,
        audio: torch.Tensor,
        audio_places: torch.Tensor | None = None,
        audio_frames: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Token embeddings [batch, tokens, hidden] with the placeholders replaced by the first frames of `audio`
        [batch, frames, hidden]. Where both are (see `places.audio_places`) is found here if it is not given."""
        if audio_places is None:
            found = places.audio_places(input_ids, self.config.audio_token_id, audio.shape[1])
            audio_places, audio_frames = found
        text = self.get_input_embeddings()(input_ids)
        taken = audio.flatten(0, 1).index_select(0, audio_frames).to(text.dtype)
        return text.flatten(0, 1).index_copy(0, audio_places, taken).view_as(text)

    def ctc_loss(self, audio: torch.Tensor, frames: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Summed CTC loss of the targets without their end token over adaptor frames, scored with the language
        model's own output embeddings: it pulls the frames towards the embeddings of the tokens that they sound like.

        A help for models that learn from nothing, where attention takes long to find the audio. `audio` [batch,
        frames, hidden], `frames` [batch] valid ones, `labels` [batch, tokens]. Source: Graves et al. 2006; the
        published training has a CTC branch beside the adaptor, which released checkpoints do not carry.
        """
        supervised = labels != IGNORED
        lengths = supervised.sum(1) - 1
        last = supervised.cumsum(1) == supervised.sum(1, keepdim=True)
        targets = labels[supervised & ~last]
        scores = self.lm_head(audio).float().log_softmax(-1).transpose(0, 1)
        return nn.functional.ctc_loss(
            scores, targets, frames, lengths, blank=self.ctc_blank, reduction="sum", zero_infinity=True
        )

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        input_features: torch.Tensor | None = None,
        input_features_mask: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        num_items_in_batch: torch.Tensor | int | None = None,
        inputs_embeds: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        encoder_outputs: torch.Tensor | None = None,
        adaptor_outputs: torch.Tensor | None = None,
        audio_places: torch.Tensor | None = None,
        audio_frames: torch.Tensor | None = None,
        target_places: torch.Tensor | None = None,
        is_padded: bool | None = None,
        ctc_targets: torch.Tensor | None = None,
        **kwargs,
    ):
        """With `labels` [batch, tokens], padded on the right: the summed cross entropy over targets divided by
        `num_items_in_batch` (default: the targets here), logits [targets, vocabulary] of target positions only.
        Without: as HF.

        What frozen parts made of the audio may stand for `input_features`: `encoder_outputs` [batch, frames, width] or
        `adaptor_outputs` [batch, at least the placeholders, hidden] (all frames, if there is a CTC loss).

        With the places (see `recipe.model.places`) of audio and targets, and whether audio `is_padded`, nothing here
        waits for a GPU, but for a CTC loss; without, they are found here.

        With a CTC branch and its `ctc_targets` [batch, tokens] also the branch's summed loss. In training its gradients
        come with those of the loss, whose value stays what it is without."""
        audio = adaptor_outputs
        if input_features is not None:
            encoder_outputs = self.encode(input_features, input_features_mask, is_padded)
        if encoder_outputs is not None:
            audio = self.adapt(encoder_outputs, input_features_mask, is_padded)
        if audio is not None:
            inputs_embeds, input_ids = self.place(input_ids, audio, audio_places, audio_frames), None
        if labels is None:
            return super().forward(
                input_ids=input_ids, inputs_embeds=inputs_embeds, attention_mask=attention_mask, **kwargs
            )
        if inputs_embeds.device.type not in MASKED:
            attention_mask = {"full_attention": None}
        hidden = self.model.language_model(
            inputs_embeds=inputs_embeds, attention_mask=attention_mask, use_cache=False
        ).last_hidden_state
        if target_places is None:
            target_places = places.target_places(labels)
        logits = self.lm_head(hidden.flatten(0, 1).index_select(0, target_places))
        loss = self.cross_entropy(logits, labels.flatten().index_select(0, target_places + 1))
        if self.ctc_weight and self.training:
            loss = loss + self.ctc_weight * self.ctc_loss(audio, input_features_mask.sum(1), labels)
        ctc_loss = None
        if self.ctc_head is not None and ctc_targets is not None:
            ctc_loss = self.ctc_head.loss(encoder_outputs, input_features_mask.sum(1), ctc_targets)
            if self.training:
                loss = loss + (ctc_loss - ctc_loss.detach())
        loss = loss / (len(target_places) if num_items_in_batch is None else num_items_in_batch)
        return Output(loss=loss, logits=logits, ctc_loss=ctc_loss)


@dataclass
class Recognizer:
    """A loaded model directory: network, tokenizer, front end, and how many audio tokens it takes."""

    model: FunAsrNanoForConditionalGeneration
    processor: object  # transformers' FunAsrNanoProcessor
    audio_tokens: str
    source: str

    @property
    def tokenizer(self):
        return self.processor.tokenizer

    @functools.cached_property
    def prompts(self) -> PromptEncoder:
        return PromptEncoder(self.tokenizer)

    def save(self, directory: str | os.PathLike, facts: dict) -> None:
        """Write a complete model directory; `facts` goes to recipe.json with the audio token setting, and the model
        card is made of them. A CTC branch that the source has is copied, unless it was trained."""
        directory, branch = Path(directory), self.model.ctc_head
        self.model.ctc_head = None  # its tensors have a file of their own
        self.model.save_pretrained(directory, max_shard_size="100GB")
        self.model.ctc_head = branch
        if branch is not None:
            ctc.write(branch, directory)
        elif ctc.has_branch(self.source):
            ctc.copy(self.source, directory)
        self.processor.save_pretrained(directory)
        share_file(directory / "model.safetensors")  # written readable by its owner alone
        facts = {"format": 1, "audio_tokens": self.audio_tokens, **facts}
        write_json(directory / RECIPE_FILE, facts)
        card.write(directory, HF, facts, card.inherited(self.source))


def load(
    source: str | os.PathLike,
    audio_tokens: str = "auto",
    dtype: torch.dtype = torch.float32,
    device: str | torch.device = "cpu",
) -> Recognizer:
    """Load a model directory in eval mode, without a network.

    `audio_tokens` "auto" keeps the model's own setting. Always with sdpa attention: without saying so, transformers
    5.23.0 leaves the adaptor without a padding mask in batches.
    """
    source = str(source)
    if not Path(source).is_dir():
        raise RecipeError(
            f"model {source}: no such directory; a model of the hub is fetched by "
            "`convert.py --to hf organization/name --revision COMMIT DIR`"
        )
    if directory_kind(source) != HF:
        raise RecipeError(f"model {source}: is a toolkit directory; convert it: `convert.py --to hf {source} DIR`")
    try:
        processor = AutoProcessor.from_pretrained(source, local_files_only=True)
        model, found = FunAsrNanoForConditionalGeneration.from_pretrained(
            source,
            attn_implementation="sdpa",
            dtype=dtype,
            local_files_only=True,
            use_safetensors=True,  # no pickles
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    except loading.UNLOADABLE as error:
        raise RecipeError(
            f"model {source} cannot be loaded ({type(error).__name__}: {' '.join(str(error).split())}); it has to hold "
            "config.json, model.safetensors, processor_config.json, tokenizer.json and tokenizer_config.json, all whole"
        ) from None
    _check_fit(source, model, processor.tokenizer, found)
    mode = audio_tokens_of(source) if audio_tokens == "auto" else audio_tokens
    logger.info("loaded %s: %.1f M parameters, audio tokens %s", source, model.num_parameters() / 1e6, mode)
    return Recognizer(model.to(device).eval(), processor, mode, source)


def _check_fit(source: str, model: nn.Module, tokenizer: transformers.PreTrainedTokenizerBase, found: dict) -> None:
    """RecipeError where weights lack a tensor or have it in another shape (transformers would go on with random ones;
    `found` is its loading info), or the tokenizer knows more tokens than the network."""
    faults = [f"{name}: missing" for name in sorted(found["missing_keys"])]
    faults += [
        f"{name}: shape {list(stored)}, by config.json {list(needed)}"
        for name, stored, needed in sorted(found["mismatched_keys"])
    ]
    advice = "; its weights belong to another network or release than its config.json: get the directory again"
    loading.refuse_misfits(f"model {source}", faults, advice)
    if unknown := sorted(found["unexpected_keys"]):
        logger.warning("%s: %d tensors that the network has no place for, like %s", source, len(unknown), unknown[0])
    loading.check_vocabulary(f"model {source}", len(tokenizer), model.config.text_config.vocab_size)


def best_device() -> torch.device:
    """The first GPU where there is one, otherwise the CPU."""
    return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")


def device_name(device: torch.device) -> str:
    """A device as logs call it: "the CPU (2 threads)", "GPU 0 (NVIDIA H200)"."""
    if device.type == "cuda":
        return f"GPU {device.index or 0} ({torch.cuda.get_device_name(device)})"
    return f"the {device.type.upper()} ({torch.get_num_threads()} threads)"
