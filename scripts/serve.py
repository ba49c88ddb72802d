"""Serve a model directory by HTTP, as OpenAI's API is: vLLM with the recipe's plugin.

In: a model directory, as train.py and convert.py write; requests are chat completions with a recording as `input_audio`
(docs/serving.md). Or one for vLLM's own class (convert.py --to vllm); requests go to /v1/audio/transcriptions.
Runs until it is stopped, in an environment that has vLLM and `pip install ./plugins/vllm`. What stands after `--` are
flags of vLLM's server.
"""

import argparse
import json
import logging
import os
import sys

from recipe.cli import run
from recipe.decode import served
from recipe.model.directory import CHAT_TEMPLATE
from recipe.settings.decode import PLUGIN

logger = logging.getLogger("serve")

# A text without an end is stopped there; a request may say another number. The published toolkit has the same limit.
MOST_NEW_TOKENS = 512
# Recordings are read by the plugin; the encoder has positions for 122.9 s.
ENVIRONMENT = {"VLLM_MEDIA_CONNECTOR": PLUGIN, "VLLM_MAX_AUDIO_DECODE_DURATION_S": "122", **served.CPU_CACHE}


def parse_args() -> tuple[argparse.Namespace, list[str]]:
    """Our flags, and what stands after `--`."""
    own, others = sys.argv[1:], []
    if "--" in own:
        place = own.index("--")
        own, others = own[:place], own[place + 1 :]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model_dir", help="model directory")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at; 0.0.0.0 is all of this machine's")
    parser.add_argument("--port", type=int, default=8000, help="port to listen at (default: 8000)")
    parser.add_argument("--name", help="what requests call the model (default: MODEL_DIR as it is written)")
    return parser.parse_args(own), others


def flags(model: served.Served) -> dict[str, object]:
    """Flags of `vllm serve` for a model directory, by name: greedy decoding, like decode.py, where a request says
    nothing else, and for the recipe's models the published prompts."""
    greedy = {"override_generation_config": {"temperature": 0, "max_new_tokens": MOST_NEW_TOKENS}}
    prompts = {} if model.for_own_class else {"chat_template": CHAT_TEMPLATE, "chat_template_content_format": "openai"}
    return model.options | greedy | prompts


def main() -> None:
    args, others = parse_args()
    model = served.inspect(args.model_dir)
    if model.for_own_class:
        logger.warning("%s: one request at a time; in batches vLLM's own class gives wrong texts", args.model_dir)
    options = {"host": args.host, "port": args.port, "served_model_name": args.name or args.model_dir, **flags(model)}
    for variable, value in ENVIRONMENT.items():
        os.environ.setdefault(variable, value)
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", args.model_dir]
    for name, value in options.items():
        command += [f"--{name.replace('_', '-')}", value if isinstance(value, str) else json.dumps(value)]
    # In our place, so that signals reach it. Of a flag that comes twice the user's counts, which is the last.
    os.execv(sys.executable, [*command, *others])


if __name__ == "__main__":
    run(main)
