"""Where a base model comes from: directories, and models of the hub at a commit, with a network and without one."""

import functools
import hashlib
import http.server
import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import unquote, urlsplit

import huggingface_hub
import pytest
from conftest import ROOT
from parity.toolkit_checkpoint import write_toolkit_directory

from recipe.convert import hub
from recipe.convert.run import convert
from recipe.files import RecipeError, read_json, sha256
from recipe.model import directory as model_dir
from recipe.model import network as model

NAME = "organization/a-model"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def digests(directory: Path) -> dict[str, str]:
    return {
        path.relative_to(directory).as_posix(): sha256(path) for path in sorted(directory.rglob("*")) if path.is_file()
    }


class TestSources:
    def test_kinds_are_told_apart(self, full_model, tmp_path):
        write_toolkit_directory(tmp_path / "toolkit")
        assert model_dir.source_kind(full_model) == model_dir.HF
        assert model_dir.source_kind(tmp_path / "toolkit") == model_dir.TOOLKIT
        assert model_dir.source_kind(NAME, COMMIT) == model_dir.HUB

    @pytest.mark.parametrize("revision", [None, "", "main", COMMIT[:8], COMMIT.upper()])
    def test_a_model_of_the_hub_has_to_be_pinned_to_a_commit(self, revision):
        with pytest.raises(RecipeError, match=r"model\.revision.*40 hexadecimal digits"):
            model_dir.source_kind(NAME, revision)

    @pytest.mark.parametrize("source", ["/no/such", "./no/such", "../such", "nowhere", "a/b/c", "a/", " "])
    def test_what_is_neither_is_named(self, source, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(RecipeError, match=f"{source}: no such directory"):
            model_dir.source_kind(source, COMMIT)

    def test_a_directory_has_no_revision(self, full_model):
        with pytest.raises(RecipeError, match="is a directory"):
            model_dir.source_kind(full_model, COMMIT)

    def test_stages_say_what_makes_a_directory_that_they_can_load(self, tmp_path):
        with pytest.raises(RecipeError, match=r"convert\.py --to hf organization/name --revision COMMIT"):
            model.load(NAME)
        write_toolkit_directory(tmp_path / "toolkit")
        with pytest.raises(RecipeError, match=r"toolkit directory.*convert\.py --to hf"):
            model.load(tmp_path / "toolkit")

    def test_the_constant_is_transformers_own(self):
        from transformers import FunAsrNanoConfig

        assert FunAsrNanoConfig.model_type == model_dir.MODEL_TYPE


class TestWithoutNetwork:
    @pytest.fixture(autouse=True)
    def no_network(self, monkeypatch, tmp_path):
        def fail(*_, **__):
            raise socket.gaierror(-2, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", fail)
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))

    def test_the_error_says_at_once_what_to_download_and_where_to_put_it(self, tmp_path):
        started = time.monotonic()
        with pytest.raises(RecipeError) as error:
            hub.fetch(NAME, COMMIT)
        assert time.monotonic() - started < 5
        download = f"hf download {NAME} --revision {COMMIT}"
        for part in (f"`{download} --local-dir DIR`", "model.base", "model.safetensors", "model.pt", "HF_HOME"):
            assert part in str(error.value)
        assert str(tmp_path / "cache") in str(error.value)

    def test_what_was_downloaded_before_is_used(self, tmp_path):
        snapshot = tmp_path / "cache" / "models--organization--a-model" / "snapshots" / COMMIT
        write_toolkit_directory(snapshot)
        convert(NAME, tmp_path / "hf", "hf", revision=COMMIT)
        origin = read_json(tmp_path / "hf" / "recipe.json")["converted_from"]
        assert (origin["source"], origin["revision"]) == (NAME, COMMIT)
        read = {"config.yaml", "model.pt", "Qwen3-0.6B/config.json", "Qwen3-0.6B/tokenizer.json"}
        read |= {"Qwen3-0.6B/tokenizer_config.json"}
        assert origin["files"] == {name: digest for name, digest in digests(snapshot).items() if name in read}
        assert model_dir.origin(tmp_path / "hf")["converted_from"] == origin
        assert f"base_model: {NAME}\n" in (tmp_path / "hf" / "README.md").read_text()

    def test_offline_mode_is_respected(self, tmp_path):
        """As a stage of its own: one line, status 2, nothing written."""
        environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "home")}
        command = [sys.executable, ROOT / "scripts/convert.py", "--to", "hf", NAME, "--revision", COMMIT]
        done = subprocess.run([*command, tmp_path / "out"], capture_output=True, text=True, env=environment)
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1
        assert "offline mode" in done.stderr and "hf download" in done.stderr and str(tmp_path / "home") in done.stderr
        assert not (tmp_path / "out").exists()


class Hub(http.server.BaseHTTPRequestHandler):
    """What of the hub's interface a download asks for, for the files of one folder at one commit."""

    def __init__(self, folder: Path, *arguments):
        self.folder = folder
        super().__init__(*arguments)

    def log_message(self, *_):
        pass

    def answer(self, body: bytes, status: int = 200, **headers: str):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def do_GET(self):
        path = unquote(urlsplit(self.path).path)
        if path == f"/api/models/{NAME}/revision/{COMMIT}":
            self.answer(json.dumps({"id": NAME, "sha": COMMIT, "siblings": []}).encode())
        elif path.startswith(f"/api/models/{NAME}/tree/{COMMIT}"):
            self.answer(json.dumps([self.entry(name) for name in digests(self.folder)]).encode())
        elif path.startswith(f"/{NAME}/resolve/{COMMIT}/"):
            body = (self.folder / path.removeprefix(f"/{NAME}/resolve/{COMMIT}/")).read_bytes()
            self.answer(body, ETag=f'"{hashlib.sha1(body).hexdigest()}"', X_Repo_Commit=COMMIT)
        else:
            self.answer(b"{}", 404, X_Error_Code="RepoNotFound")

    do_HEAD = do_GET

    def entry(self, name: str) -> dict:
        body = (self.folder / name).read_bytes()
        return {"type": "file", "path": name, "size": len(body), "oid": hashlib.sha1(body).hexdigest()}


class TestWithNetwork:
    @pytest.fixture(autouse=True)
    def repository(self, tmp_path, monkeypatch):
        """The folder that the hub serves."""
        folder = tmp_path / "repository"
        folder.mkdir()
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Hub, folder))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        endpoint = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", endpoint)
        template = f"{endpoint}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        yield folder
        server.shutdown()
        server.server_close()

    def test_a_repository_of_the_toolkit_is_downloaded_and_converted(self, repository, tmp_path):
        write_toolkit_directory(repository)
        (repository / "README.md").write_text("---\nlicense: apache-2.0\nlanguage: [zh, ja]\n---\nA model\n")
        (repository / "example").mkdir()
        (repository / "example" / "zh.mp3").write_bytes(b"sound")
        convert(NAME, tmp_path / "hf", "hf", revision=COMMIT)
        assert model.load(tmp_path / "hf").audio_tokens == "low_frame_rate"
        origin = read_json(tmp_path / "hf" / "recipe.json")["converted_from"]
        assert (origin["source"], origin["revision"]) == (NAME, COMMIT)
        assert origin["files"]["model.pt"] == sha256(repository / "model.pt")
        card = (tmp_path / "hf" / "README.md").read_text()
        assert f"license: apache-2.0\nlanguage:\n- zh\n- ja\nbase_model: {NAME}\n" in card
        assert not list((tmp_path / "cache").rglob("zh.mp3"))

    def test_a_repository_that_is_not_there_is_named(self):
        with pytest.raises(RecipeError, match="organization/another: the hub has no such model at revision 0123"):
            hub.fetch("organization/another", COMMIT)
