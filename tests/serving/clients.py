"""What asks vLLM in tests: decode.py as a command, and an HTTP client of the server."""

import base64
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from recipe.text import tables

ROOT = Path(__file__).resolve().parents[2]
# A CPU's room for the cache, and few threads: the machine may be busy.
ENVIRONMENT = {**os.environ, "VLLM_CPU_KVCACHE_SPACE": "1", "OMP_NUM_THREADS": "1"}
START_SECONDS = 900  # of the server, on a machine that is busy


def texts(engine: str, model: Path, output: Path, *flags: object) -> dict[str, str]:
    """Texts by key, by an engine of decode.py."""
    run("decode.py", "--engine", engine, "--model-dir", model, "--output-file", output, *flags)
    return tables.read_map(output)


def run(script: str, *arguments: object, **environment: str) -> None:
    """A script of the recipe, which has to end well."""
    done = call(script, *arguments, **environment)
    assert done.returncode == 0, done.stderr[-3000:]


def call(script: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess:
    command = [sys.executable, ROOT / "scripts" / script, *arguments]
    return subprocess.run(
        list(map(str, command)), env=ENVIRONMENT | environment, capture_output=True, text=True, check=False
    )


class Server:
    """serve.py with a model directory, as a context: it is up inside, and gone behind."""

    def __init__(self, model: Path, log: Path, *flags: str):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self._model, self._log = model, log
        self._command = [sys.executable, ROOT / "scripts/serve.py", model, "--port", self._port, "--name", "m"]
        self._command += ["--", *flags]

    def __enter__(self) -> "Server":
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(list(map(str, self._command)), env=ENVIRONMENT, stdout=log, stderr=log)
        for _ in range(START_SECONDS):
            if self._process.poll() is not None:
                raise AssertionError(self._log.read_text(errors="replace")[-3000:])
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/health", timeout=5):
                    return self
            except OSError:
                time.sleep(1)
        self.__exit__()
        raise AssertionError(f"not up after {START_SECONDS} s: {self._log.read_text(errors='replace')[-3000:]}")

    def __exit__(self, *_) -> None:
        self._process.terminate()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def ask(self, audio: bytes, text: str | None = None, **arguments: object) -> tuple[int, str]:
        """Status and text of a chat completion for a recording's bytes, as OpenAI's clients send it; with a `text`
        beside it, and arguments of the chat template."""
        status, answer = self._complete(audio, text, arguments)
        # White space becomes single spaces in the recipe's tables.
        return status, " ".join(answer["choices"][0]["message"]["content"].split()) if status == 200 else str(answer)

    def prompt_tokens(self, audio: bytes, text: str | None = None, **arguments: object) -> list[int]:
        """The tokens that a request becomes."""
        return self._complete(audio, text, arguments, return_token_ids=True, max_tokens=1)[1]["prompt_token_ids"]

    def _complete(self, audio: bytes, text: str | None, arguments: dict, **more: object) -> tuple[int, dict]:
        data = base64.b64encode(audio).decode()
        content = [{"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}]
        content += [{"type": "text", "text": text}] if text else []
        messages = [{"role": "user", "content": content}]
        body = {"model": "m", "messages": messages, "chat_template_kwargs": arguments, **more}
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._port}/v1/chat/completions",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=600) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)
