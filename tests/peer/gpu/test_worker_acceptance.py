"""scripts/gpu/accept.sh: its dry run on the CPU, and that it finds what is wrong."""

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from safetensors import safe_open

import preloaded

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts/gpu"
sys.path.append(str(SCRIPTS))
PARAMETERS_OF_7B = 8_281_739_904


@pytest.fixture(scope="module")
def inputs(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    for name, place in zip(("checkpoint", "train", "test"), data, strict=True):
        (folder / name).symlink_to(place)
    return folder


def script(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """Starts at once with what py_train.py and its neighbours import; modules (torchrun) are run by the real one."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "1", "CUDA_VISIBLE_DEVICES": ""}
    stand_in = " ".join(preloaded.stand_in(("transformers.trainer", "peft", "pyarrow"), env))
    text = f'case "$1" in -m) exec {sys.executable} "$@" ;; esac\nexec {stand_in} "$@"'
    return script(tmp_path_factory.mktemp("python") / "python3", text)


@pytest.fixture(scope="module")
def accept(bin_dir, inputs, python, tmp_path_factory):
    """accept(*options) -> (status, what it printed, results.json)."""

    def run(*options, toolkit=bin_dir, dry=("--dry-run",), env=None):
        folder = tmp_path_factory.mktemp("acceptance")
        words = [SCRIPTS / "accept.sh", *dry, "--bin-dir", toolkit, "--launcher", bin_dir / "mdl-launch", "--inputs", inputs]
        words += ["--python", python, "--output", folder / "out", "--work", folder / "work", *options]
        env = {**os.environ, "MDL_PYTHON": sys.executable, **(env or {})}
        done = subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=800, env=env)
        results = folder / "out/results.json"
        return done.returncode, done.stdout + done.stderr, json.loads(results.read_text()) if results.exists() else None

    return run


def test_the_dry_run_passes_all_stages_and_fills_the_table(accept):
    status, said, results = accept()
    assert status == 0, said
    stages = {stage["name"]: stage["result"] for stage in results["stages"]}
    assert set(stages.values()) == {"passed"} and len(stages) == 18
    runs = {run["name"]: run for run in results["runs"]}
    assert len(runs["group-none"]["losses"]) == 18
    assert runs["group-stopped"]["status"] == 1 and len(runs["group-stopped"]["losses"]) < 18
    ours, theirs = runs["small-float32"], runs["trainer-float32"]
    assert len(ours["losses"]) == 9
    assert list(ours["losses"].values()) == pytest.approx(list(theirs["losses"].values()), rel=1e-3)
    assert ours["evaluations"][-1] == pytest.approx(theirs["evaluations"][-1], rel=1e-3)
    rows = {(row["setting"], row["program"]): row for row in results["table"]}
    assert len(rows) == 14
    for program in ("mdl-toolkit", "Python's Trainer", "ratio"):
        for setting in ("bf16, equal lengths", "bf16, mixed lengths"):
            row = rows[setting, program]
            assert all(row[f"{name}_seconds"] > 0 for name in ("load", "first_step", "step"))
            assert row["clips_per_second"] > 0 and row["tokens_per_second"] > 0
    equal = rows["bf16, equal lengths", "mdl-toolkit"]
    assert equal["clips_per_second"] * 300 == pytest.approx(equal["tokens_per_second"])
    assert results["facts"]["answers"]["equal"] == "8 of 8"


def test_what_is_wrong_is_named_and_ends_with_status_1(accept, bin_dir, tmp_path):
    """A toolkit that dies of dropout, and whose losses without checkpointing are those of other rows."""
    toolkit = bin_dir / "mdl-toolkit"
    faults = f'case "$*" in *--lora-dropout*) echo went wrong; exit 7 ;; *--gradient-checkpointing*) exec {toolkit} "$@" --seed 7 ;; esac'
    script(tmp_path / "mdl-toolkit", f'{faults}\nexec {toolkit} "$@"')
    status, said, results = accept("--only", "trainer", toolkit=tmp_path)
    assert status == 1
    assert {stage["name"]: stage["result"] for stage in results["stages"]} == {
        "start": "passed",
        "prepare": "passed",
        "small": "failed",
        "trainer": "passed",
    }
    assert "small-dropout ended with 7 instead of 0:\n      went wrong" in said
    assert "of it apart" in said and "in small-kept and" in said
    assert said.count("\nfailed: small\n") == 1


def test_what_is_wrong_with_the_watching_is_named(accept, bin_dir, tmp_path):
    """A toolkit whose health leaves the product out, and whose training nobody can see."""
    toolkit = bin_dir / "mdl-toolkit"
    health = '{"mdl_toolkit_health":1,"device":"cuda","memory":{},"matrix_product":{"not_measured":"no room"},"disk":{}}'
    faults = f"case \"$1\" in health) echo '{health}'; exit 0 ;; esac\nunset MDL_PROGRESS TORCH_WORKER_SERVER_SOCKET"
    script(tmp_path / "mdl-toolkit", f'{faults}\nexec {toolkit} "$@"')
    status, said, results = accept("--only", "health,watched", toolkit=tmp_path)
    assert status == 1 and said.count("\nfailed: health, watched\n") == 1
    for problem in (
        "health measured cuda in place of cpu",
        "health has not measured matrix_product, memory_copy",
        "status does not know the training",
        "the training could not be looked at: the launcher (",
        "torch's flight recorder has no collective of the worker",
        "a stopped worker was told as: None",
        "there is no report of the hang",
    ):
        assert problem in said, (problem, said)


def test_without_a_gpu_nothing_is_run_behind_start(accept, tmp_path):
    """CPU against CPU would pass."""
    script(tmp_path / "nvidia-smi", "echo Card, 580.1, 1 MiB")
    env = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "CUDA_VISIBLE_DEVICES": ""}
    status, said, results = accept("--only", "prepare,small", dry=(), env=env)
    assert (status, [(stage["name"], stage["result"]) for stage in results["stages"]]) == (1, [("start", "failed")]), said
    assert "opens no GPU" in said


def test_packages_that_are_missing_are_named_at_once_and_nothing_is_run(accept, tmp_path):
    for name in ("transformers", "accelerate", "safetensors", "numpy"):
        (tmp_path / f"{name}.py").touch()
    bare = script(tmp_path / "python3", f'PYTHONPATH={tmp_path} exec {sys.executable} -S "$@"')
    status, said, results = accept("--python", bare)
    assert (status, [stage["name"] for stage in results["stages"]]) == (1, ["start"])
    assert len(results["stages"][0]["problems"]) == 1
    assert re.search(
        rf"\n    {bare} has no torch, peft, pyarrow\. Install with: {bare} -m pip install torch==[\d.]+ peft pyarrow\n", said
    ), said


def test_a_libtorch_that_does_not_fit_is_told_with_what_helps(accept, bin_dir, tmp_path):
    (tmp_path / "torch/lib").mkdir(parents=True)
    (tmp_path / "torch/lib/libtorch_cpu.so").touch()
    (tmp_path / "torch/version.py").write_text("__version__ = '2.0.0+cu118'\ncuda = '11.8'\n")
    script(tmp_path / "mdl-toolkit", f'MDL_TORCH={tmp_path}/torch exec {bin_dir}/mdl-toolkit "$@"')
    status, said, results = accept("--only", "prepare", toolkit=tmp_path)
    assert (status, [stage["name"] for stage in results["stages"]]) == (1, ["start"]), said
    assert re.search(r"LibTorch 2\.0\.0\+cu118 in .* does not fit: this mdl-toolkit was built for .*\n.*pip install", said), said


@pytest.fixture
def stand_in_run(tmp_path, monkeypatch):
    """stand_in_run(*stages) -> (stages, runs by their name) of a run on a GPU, whose programs end at once without having done anything."""
    import main
    from acceptance import Acceptance

    monkeypatch.setattr(Acceptance, "same", lambda work, name, other, *rest, **more: work.require(name) and work.require(other))

    inputs = tmp_path / "inputs"
    (inputs / "checkpoint").mkdir(parents=True)
    said = (
        """echo holding; echo parameters 1; echo tokens per second: 1; echo '{"device_training": 1, "device_beside": 1, "problem": ""}'"""
    )
    for name in ("mdl-toolkit", "mdl-launch", "python3"):
        script(tmp_path / name, said)
    places = {"bin_dir": tmp_path, "launcher": tmp_path / "mdl-launch", "python": tmp_path / "python3", "inputs": inputs}
    places |= {"train_rows": inputs / "train", "test_rows": inputs / "test"}

    def run(*names):
        work = Acceptance(SimpleNamespace(dry_run=False, seconds=600, output=tmp_path / "out", work=tmp_path / "work", **places))
        stages = [main.run_stage(work, name) for name in names]
        work.close()
        return stages, work.runs

    return run


def test_what_the_gpu_is_to_compute_is_never_left_to_the_cpu(stand_in_run):
    import main

    _, runs = stand_in_run(*(name for name in main.STAGES if name != "start"))
    ours = {name: run.command for name, run in runs.items() if {"train", "inference"} & set(run.command)}
    assert {"small-float32", "small-cpu", "group-launch", "answers-1", "equal", "8bit", "memory", "mixed-cudnn", "kept"} <= set(ours)
    assert {name for name, command in ours.items() if "--device cuda" not in " ".join(command)} == {
        "small-cpu",
        "edges-cpu",
        "small-nf4-cpu",
        "small-nf4-double-cpu",
        "small-8bit-cpu",
    }


def test_what_a_stage_needs_is_run_before_it_and_nothing_else(stand_in_run):
    import main

    assert main.with_needed(["kept", "group"], False) == ["start", "prepare", "group", "model", "training", "kept"]
    assert main.with_needed(["small_quantized"], True) == ["start", "prepare", "small", "small_quantized"]
    for name in list(main.STAGES)[1:]:
        stages, _ = stand_in_run(*main.with_needed([name], False)[1:])
        needed = [problem for stage in stages for problem in stage.problems if re.search("needs the run|did not run|KeyError", problem)]
        assert not needed, name
    (lonely,), _ = stand_in_run("kept")
    assert lonely.problems == ["it needs the run model-adapter, which was not made"]


def test_stages_without_time_are_skipped_by_name(accept):
    status, said, results = accept("--only", "small", "--seconds", "1")
    assert status == 3
    assert [stage["why"] for stage in results["stages"]] == ["no time left"] * 3
    assert "\nskipped: start, prepare, small\n" in said


def test_a_run_without_an_end_is_killed_with_what_it_started(tmp_path):
    """A worker in a session of its own would hold the output open, and the GPU's memory."""
    import runs

    command = ["sh", "-c", f"setsid sh -c 'echo $$ >{tmp_path}/worker; exec sleep 1000' & echo started; sleep 1000"]
    run = runs.follow(runs.Run("endless", command), dict(os.environ), 2, None, None)
    assert run.timed_out and not run.passed
    assert [line for _, line in run.lines] == ["started"]
    assert has_ended((tmp_path / "worker").read_text().strip())


def test_a_run_leaves_the_results_of_another(accept, tmp_path):
    """Nor does what one left in --work disturb the next."""
    for folder in ("out", "out-2"):
        _, said, _ = accept("--only", "start", "--seconds", "1", "--output", tmp_path / "out", "--work", tmp_path / "work")
        assert f"\nresults: {tmp_path / folder / 'results.json'}\n" in said
    assert (tmp_path / "out/log.txt").exists() and (tmp_path / "out-2/log.txt").exists()
    assert not list((tmp_path / "work").iterdir())


def test_the_end_waits_for_what_a_failed_stage_left_running(tmp_path):
    from acceptance import Acceptance

    places = {"output": tmp_path / "out", "work": tmp_path / "work", "bin_dir": tmp_path, "python": sys.executable}
    work = Acceptance(SimpleNamespace(dry_run=True, seconds=600, **places))
    began = threading.Event()

    def fail():
        began.wait(60)
        raise ValueError

    with pytest.raises(ValueError):
        work.together(fail, lambda: work.run("endless", ["sh", "-c", "echo; sleep 1000"], watch=lambda *_: began.set()))
    work.together(lambda: None)
    work.close()
    assert work.runs["endless"].status == -signal.SIGKILL


def has_ended(process):
    place = Path(f"/proc/{process}/stat")
    return not place.exists() or ") Z " in place.read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_everything_and_leaves_what_is_known(bin_dir, inputs, tmp_path, number):
    """As timeout, Slurm or Ctrl-C would: two trainings run, with a process of each in a session of its own, and a third waits for its turn."""
    endless = f'echo "$*" >{tmp_path}/options-$$; setsid sleep 1000 & echo $$ $! >{tmp_path}/began-$$.new; '
    endless += f"mv {tmp_path}/began-$$.new {tmp_path}/began-$$; wait"
    for name in ("mdl-toolkit", "mdl-launch"):
        script(tmp_path / name, f'case "$*" in *train*--output*) {endless} ;; *) exec {bin_dir}/{name} "$@" ;; esac')
    script(tmp_path / "python3", """echo '{"torch": "2"}'""")
    words = [SCRIPTS / "accept.sh", "--dry-run", "--only", "group", "--bin-dir", tmp_path, "--inputs", inputs]
    words += ["--python", tmp_path / "python3", "--output", tmp_path / "out"]
    accept = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "MDL_PYTHON": sys.executable}
    )
    end = time.monotonic() + 60
    while len(began := list(tmp_path.glob("began-*[0-9]"))) < 2 and time.monotonic() < end:
        time.sleep(0.02)
    accept.send_signal(number)
    said, errors = accept.communicate(timeout=60)
    assert accept.returncode == 128 + number, said + errors
    place = tmp_path / "out/results.json"
    assert errors == f"accept.sh: stopped by {number.name} in the stage group; what is known: {place}\n"
    stages = json.loads(place.read_text())["stages"]
    assert [(stage["name"], stage["result"]) for stage in stages] == [("start", "passed"), ("prepare", "passed"), ("group", "skipped")], (
        said
    )
    assert stages[2]["why"] == f"stopped by {number.name}" and (tmp_path / "out/table.txt").exists()
    processes = " ".join(path.read_text() for path in began).split()
    assert len(processes) == 4 and all(map(has_ended, processes))
    options = next(tmp_path.glob("options-*")).read_text().split()
    work = Path(options[options.index("--output") + 1]).parents[1]
    assert work.name.startswith("mdl-accept-") and not work.exists()


def test_mistakes_on_the_command_line_are_told(accept, tmp_path):
    status, said, _ = accept("--only", "start,large")
    assert (status, "there is no stage large; there are start, prepare" in said) == (2, True)
    status, said, _ = accept(toolkit=tmp_path)
    assert (status, f"there is no {tmp_path / 'mdl-toolkit'}; --bin-dir names its place" in said) == (2, True)


def test_programs_and_inputs_are_the_packed_ones_or_those_of_the_checkout(bin_dir, data, tmp_path):
    scripts = shutil.copytree(SCRIPTS, tmp_path / "scripts/gpu", ignore=shutil.ignore_patterns("__pycache__"))

    def accept():
        words = [scripts / "accept.sh", "--dry-run", "--only", "start", "--seconds", "1", "--output", tmp_path / "out"]
        done = subprocess.run(words, capture_output=True, text=True, env={**os.environ, "MDL_PYTHON": sys.executable})
        return done.returncode, done.stdout + done.stderr

    status, said = accept()
    assert status == 2 and f"there is no {tmp_path}/build/release/bin/mdl-toolkit" in said
    assert "scripts/demo.sh" in said and "scripts/gpu/pack.sh" in said
    (tmp_path / "build/demo").mkdir(parents=True)
    (tmp_path / "build/release").mkdir()
    (tmp_path / "build/release/bin").symlink_to(bin_dir)
    for name, place in zip(("checkpoint", "train-converted", "test-converted"), data, strict=True):
        (tmp_path / "build/demo" / name).symlink_to(place)
    assert accept()[0] == 3  # no time left
    (scripts / "inputs").mkdir()
    status, said = accept()
    assert status == 2 and f"there is no {scripts}/toolkit/bin/mdl-toolkit" in said


def test_the_made_model_has_the_7b_s_sizes_or_those_of_the_small_one(data):
    import make_model
    import table

    config = json.loads((data[0] / "config.json").read_text())
    with safe_open(data[0] / "model.safetensors", "pt") as file:
        small = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys() if not name.startswith(make_model.FRONT_END)}
    assert make_model.shapes_of(config) == small
    large = make_model.with_sizes_of_7b(config)
    assert make_model.parameters_of(large) == PARAMETERS_OF_7B
    # Eight clips of 10 s with 300 tokens, 100 of them labels: 70 TFLOP forward and back.
    assert table.operations_of_step(large, 2400, 2000, 800) == pytest.approx(69.4e12, rel=0.01)
