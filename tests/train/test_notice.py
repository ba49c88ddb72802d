"""Checkpoints between evaluations: by time, and by SIGTERM, which schedulers send before they kill."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from conftest import ROOT, losses, write_data
from stages import scp2jsonl

from recipe.files import sha256
from recipe.settings import train as settings
from recipe.train.checkpoints import COMPLETE
from recipe.train.notice import Notice

# Evaluations are rare, and so are log lines: both fall between the steps at which training is ended.
SETTINGS = {
    "max_steps": 24, "learning_rate": 1e-3, "batch_seconds": 3.0, "evaluations": 2, "log_every": 5, "workers": 0,
    "decode_utterances": 4, "average": 2, "augment": {"speeds": [0.9, 1.0, 1.1], "frequency_masks": 1},
}  # fmt: skip
OFTEN = ["--checkpoint-minutes", "1e-9"]  # after every step


@pytest.fixture(scope="module")
def manifest(tmp_path_factory, full_model):
    folder = tmp_path_factory.mktemp("notice") / "data"
    write_data(folder)
    scp2jsonl(folder, full_model)
    return folder / "out" / "set.jsonl"


def command(base, manifest, folder, *flags, processes=1):
    """The command of a training; several processes are torchrun's."""
    folder.mkdir(exist_ok=True)
    on_cpu = {"trainer": {"use_cpu": True}} if processes > 1 else {}
    (folder / "run.yaml").write_text(json.dumps(SETTINGS | on_cpu))
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", processes] if processes > 1 else []
    words = [
        sys.executable, *torchrun, ROOT / "scripts/train.py", "--config", folder / "run.yaml", "--train-jsonl",
        manifest, "--valid-jsonl", manifest, "--model", base, "--output-dir", folder / "model", "--state-dir",
        folder / "state", "--threads", 1, *flags,
    ]  # fmt: skip
    return list(map(str, words))


def steps_kept(folder):
    return sorted(int(mark.parent.name.rpartition("-")[2]) for mark in folder.glob(f"state/checkpoint-*/{COMPLETE}"))


def until(process, reached):
    """Wait for what a training does."""
    deadline = time.monotonic() + 300
    while not reached():
        assert process.poll() is None, "training ended before"
        assert time.monotonic() < deadline
        time.sleep(0.02)


def results(folder):
    """What a run is judged by: its weights, evaluations, chosen steps and logged losses."""
    history = json.loads((folder / "model/history.json").read_text())
    evaluations = [{n: v for n, v in entry.items() if n != "eval_seconds"} for entry in history if "eval_loss" in entry]
    record = json.loads((folder / "model/recipe.json").read_text())
    weights = sha256(folder / "model/model.safetensors")
    return weights, evaluations, record["selected_steps"], losses(folder / "model")


@pytest.fixture(scope="module")
def calm(full_model, manifest, tmp_path_factory):
    """What an undisturbed run without further checkpoints gives."""
    folder = tmp_path_factory.mktemp("calm") / "run"
    words = command(full_model, manifest, folder, "--checkpoint-minutes", 0)
    subprocess.run(words, check=True, capture_output=True)
    return results(folder)


def test_it_is_killed_between_evaluations_and_goes_on_from_there(full_model, manifest, tmp_path, calm):
    words = command(full_model, manifest, tmp_path / "killed", *OFTEN)
    process = subprocess.Popen(words, stderr=subprocess.DEVNULL)
    until(process, lambda: {7, 8, 9, 10} & set(steps_kept(tmp_path / "killed")))
    process.kill()
    process.wait()
    assert steps_kept(tmp_path / "killed")[-1] not in (12, 24)
    done = subprocess.run([*words, "--checkpoint-minutes", "0"], capture_output=True, text=True)
    assert done.returncode == 0 and "going on from" in done.stderr, done.stderr
    assert results(tmp_path / "killed") == calm


def test_only_the_last_and_the_best_are_kept(full_model, manifest, tmp_path, calm):
    """Checkpoints after every step change nothing, and take no more room."""
    words = command(full_model, manifest, tmp_path / "often", *OFTEN)
    process = subprocess.Popen(words, stderr=subprocess.DEVNULL)
    seen = set()
    while process.poll() is None:
        seen.add(tuple(steps_kept(tmp_path / "often")))
        time.sleep(0.02)
    assert process.returncode == 0 and results(tmp_path / "often") == calm
    between = {step for kept in seen for step in kept} - {12, 24}
    assert len(between) > 3
    # A new one is there before the one before it is deleted.
    assert all(len(set(kept) - {12, 24}) <= 2 for kept in seen)


@pytest.mark.parametrize("workers", [0, 2])
def test_told_to_end_it_keeps_a_checkpoint_and_says_so(full_model, manifest, tmp_path, calm, workers):
    """All processes of the job are told, as schedulers do it: those that read audio as well."""
    words = command(full_model, manifest, tmp_path / "told", "--workers", workers, "--checkpoint-minutes", 0)
    log = tmp_path / "told.log"
    with open(log, "w") as file:
        process = subprocess.Popen(words, stderr=file, start_new_session=True)
    until(process, lambda: "step 5/24" in log.read_text())
    os.killpg(process.pid, signal.SIGTERM)
    assert process.wait(300) == 143
    [step] = steps_kept(tmp_path / "told")[-1:]
    assert 5 <= step < 24
    last = log.read_text().splitlines()[-1]
    assert f"error: ended by SIGTERM after step {step} of 24; its checkpoint is in " in last
    assert last.endswith("call the same command to go on") and "Traceback" not in log.read_text()
    subprocess.run(words, check=True, capture_output=True)
    assert results(tmp_path / "told") == calm


@pytest.mark.parametrize("whom", ["torchrun", "the second process"])
@pytest.mark.slow
def test_several_processes_end_at_the_same_step(full_model, manifest, tmp_path, whom):
    """Whichever of them is told."""
    folder = tmp_path / "told"
    for name in ("calm", "told"):
        words = command(full_model, manifest, tmp_path / name, "--checkpoint-minutes", 0, processes=2)
        if name == "calm":
            subprocess.run(words, check=True, capture_output=True)
            continue
        log = tmp_path / "log"
        with open(log, "w") as file:
            process = subprocess.Popen(words, stderr=file)
        until(process, lambda log=log: "step 5/24" in log.read_text())
        told = process.pid if whom == "torchrun" else second_of(process.pid)
        os.kill(told, signal.SIGTERM)
        assert process.wait(300) != 0
        [step] = steps_kept(folder)
        assert 5 <= step < 24 and f"ended by SIGTERM after step {step} of 24" in log.read_text()
        assert sorted(file.name for file in folder.glob(f"state/checkpoint-{step}/running_loss_*")) == [
            "running_loss_0.json", "running_loss_1.json",
        ]  # fmt: skip
        subprocess.run(words, check=True, capture_output=True)
    assert results(folder) == results(tmp_path / "calm")


def second_of(torchrun):
    """The process of rank 1 among torchrun's children."""
    with open(f"/proc/{torchrun}/task/{torchrun}/children") as file:
        for child in file.read().split():
            with open(f"/proc/{child}/environ", "rb") as environ:
                if b"RANK=1" in environ.read().split(b"\0"):
                    return int(child)
    raise AssertionError("torchrun has no second process")


def test_told_before_the_first_step_it_keeps_nothing(full_model, manifest, tmp_path):
    script = tmp_path / "told_early.py"
    script.write_text(
        "import os, signal, sys\n"
        f"sys.path.insert(0, {str(ROOT / 'scripts')!r})\n"
        "from recipe.train.bookkeeping import Bookkeeping\n"
        "begin = Bookkeeping.on_train_begin\n"
        "def told(self, *args, **kwargs):\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    begin(self, *args, **kwargs)\n"
        "Bookkeeping.on_train_begin = told\n"
        "import train\n"
        "train.run(train.main)\n"
    )
    words = command(full_model, manifest, tmp_path / "early")
    words[1] = str(script)
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 143 and "after step 0 of 24; there is no checkpoint yet" in done.stderr, done.stderr
    assert steps_kept(tmp_path / "early") == []


def test_how_often_checkpoints_are_kept_is_no_cause_of_the_weights():
    assert "checkpoint_minutes" in settings.INDIFFERENT


class TestNotice:
    def test_a_checkpoint_is_due_when_the_time_has_passed(self):
        assert not Notice(0).is_due and not Notice(60).is_due
        short = Notice(0.05 / 60)
        time.sleep(0.06)
        assert short.is_due
        short.kept()
        assert not short.is_due

    def test_only_the_first_process_looks_at_its_clock(self, monkeypatch):
        monkeypatch.setenv("RANK", "1")
        assert not Notice(1e-12).is_due

    def test_the_signal_is_heard_while_training_goes_on_and_no_longer(self):
        before = signal.getsignal(signal.SIGTERM)
        heard = Notice(0)
        with heard.listening():
            assert not heard.told_to_end
            os.kill(os.getpid(), signal.SIGTERM)
            assert heard.told_to_end
        assert signal.getsignal(signal.SIGTERM) == before

    def test_in_another_thread_signals_stay_as_they_are(self):
        found = []

        def listen():
            with Notice(0).listening():
                found.append(signal.getsignal(signal.SIGTERM))

        thread = threading.Thread(target=listen)
        thread.start()
        thread.join()
        assert found == [signal.getsignal(signal.SIGTERM)]

    def test_a_reading_process_outlives_it_as_long_as_training_goes_on(self):
        noticed = Notice(0)
        reader = multiprocessing.get_context("fork").Process(target=_read, args=(noticed,), daemon=True)
        with noticed.listening():
            reader.start()
            time.sleep(0.5)
            reader.terminate()
            reader.join(1)
            assert reader.is_alive()
        reader.terminate()
        reader.join(20)
        assert reader.exitcode == 0


def _read(noticed):
    noticed.outlive(0)
    time.sleep(60)
