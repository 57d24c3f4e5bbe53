"""Whose libraries the programs load: those of a LibTorch and an Arrow of the right version, and none of the current folder."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow
import pytest
import torch

from launching import free_port

PACKAGES = Path(torch.__file__).parents[1]
# What trains here: in a build with CUDA, on a machine without a GPU, a program that does not load it.
MODEL_PROGRAMS = {"mdl-toolkit-model"} | ({"mdl-toolkit-model-cpu"} if torch.version.cuda else set())
COMMANDS = ("train", "inference", "convert-dataset", "info", "download", "health")


def started(*command, **options):
    command = [str(part) for part in command]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, **options)


def environment(**variables):
    """This process's, without what leads to libraries, and with `variables`."""
    kept = {name: value for name, value in os.environ.items() if name not in ("LD_LIBRARY_PATH", "MDL_TORCH", "PYTHONPATH")}
    return kept | {name: str(value) for name, value in variables.items()}


def programs_in(folder):
    return [path for path in sorted(folder.iterdir()) if path.is_file() and path.open("rb").read(4) == b"\x7fELF"]


def dynamic_section(file):
    """(names of the needed libraries, tag -> its folders)."""
    text = subprocess.run(["readelf", "-d", file], capture_output=True, text=True, check=True).stdout
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", text)
    return needed, {tag: path.split(":") for tag, path in re.findall(r"\((R(?:UN)?PATH)\).*\[(.*)\]", text)}


@pytest.fixture(scope="module")
def installed(bin_dir, tmp_path_factory):
    """The folder of the programs after `cmake --install`."""
    prefix = tmp_path_factory.mktemp("prefix")
    done = started("cmake", "--install", bin_dir.parent, "--prefix", prefix)
    assert done.returncode == 0, done.stderr
    return prefix / "bin"


@pytest.fixture(scope="module")
def empty_library(tmp_path_factory):
    """A shared library without a symbol of LibTorch's."""
    return compiled(tmp_path_factory.mktemp("library") / "empty.so", "int nothing;")


def compiled(library, source, *options):
    code = library.with_suffix(".c")
    code.write_text(source)
    subprocess.run(["c++", "-x", "c", "-shared", "-fPIC", "-o", library, code, *options], check=True)
    return library


def fake_torch(packages, version, library):
    """The folder of a LibTorch that is nothing but its version."""
    libraries = packages / "torch/lib"
    libraries.mkdir(parents=True)
    for name in ("libtorch_cpu.so", "libtorch_cuda.so", "libc10.so", "libc10_cuda.so", "libtorch.so"):
        shutil.copy(library, libraries / name)
    return with_version(packages / "torch", version)


def with_version(folder, version):
    cuda = re.search(r"\+cu(\d+)(\d)$", version)
    cuda = repr(f"{cuda[1]}.{cuda[2]}") if cuda else None
    (folder / "version.py").write_text(f"__version__ = '{version}'\ncuda: Optional[str] = {cuda}\nhip: Optional[str] = None\n")
    return folder


def linked_torch(packages, version):
    """The real LibTorch under another version: folders of links to its libraries and to the packages beside it."""
    for kind in ("torch/lib", *(f"nvidia/{each.name}/lib" for each in (PACKAGES / "nvidia").glob("*"))):
        if not (PACKAGES / kind).is_dir():
            continue
        (packages / kind).mkdir(parents=True)
        for library in (PACKAGES / kind).glob("*.so*"):
            (packages / kind / library.name).symlink_to(library)
    (packages / "pyarrow").symlink_to(Path(pyarrow.__file__).parent)
    return with_version(packages / "torch", version)


def sibling(minor):
    """The version of a LibTorch of this one's flavour, so many minor versions later."""
    first, second, rest = torch.__version__.split(".", 2)
    return f"{first}.{int(second) + minor}.{rest}"


def test_no_program_looks_for_libraries_in_the_current_folder(bin_dir, installed):
    for program in (*programs_in(bin_dir), *programs_in(installed)):
        for folders in dynamic_section(program)[1].values():
            assert all(folder.startswith(("/", "$ORIGIN")) for folder in folders), (program, folders)


def test_what_is_installed_knows_no_folder_of_the_build(bin_dir, installed):
    names = {program.name for program in programs_in(installed)}
    assert names == {"mdl-launch", "mdl-toolkit", "mdl-toolkit-data", "mdl-toolkit-model", *MODEL_PROGRAMS}
    for program in programs_in(installed):
        tags = dynamic_section(program)[1]
        assert "RPATH" not in tags, "it would go before LD_LIBRARY_PATH"
        assert all(folder.startswith("$ORIGIN") for folder in tags.get("RUNPATH", [])), (program, tags)
    of_front = {"libm.so.6", "libc.so.6", "ld-linux-x86-64.so.2", "libgcc_s.so.1"}  # every system with a C++ library has the last
    assert not set(dynamic_section(bin_dir / "mdl-toolkit")[0]) - of_front or os.environ.get("MDL_TEST_SANITIZE")


def test_no_command_runs_a_library_that_lies_in_the_current_folder(bin_dir, toolkit, data, tmp_path):
    model, train, _ = data
    here, trace = tmp_path / "here", tmp_path / "trace"
    here.mkdir()
    planted = compiled(
        tmp_path / "planted.so",
        f'#include <stdio.h>\n__attribute__((constructor)) void here(void) {{ FILE* f = fopen("{trace}", "a"); if (f) fclose(f); }}',
    )
    needed = {name for program in programs_in(bin_dir) for name in dynamic_section(program)[0]}
    for name in needed | {"libcuda.so.1", "libnvidia-ml.so.1", "libcublas.so.13", "libcudnn.so.9", "libnvrtc.so"}:
        shutil.copy(planted, here / name)
    rows = train.parent / "test.csv"
    (here / "rows.csv").write_text("".join(rows.read_text().splitlines(True)[:3]))

    runs = [[toolkit, command, "--help"] for command in COMMANDS]
    runs += [[toolkit, "--help"], [toolkit, "--version"], [toolkit, "--libraries"], [toolkit, "info", model], [toolkit, "info", train]]
    runs += [[bin_dir / "mdl-toolkit-data", "info", "--help"], *([bin_dir / each, "train", "--help"] for each in MODEL_PROGRAMS)]
    runs += [[toolkit, "train", "--model-name", model, "--train-dataset", train, "--output", "out", "--num-epochs", "0.1"]]
    runs += [[toolkit, "inference", "rows.csv", "--model-name", model, "--output", "answers.csv", "--max-new-tokens", "2"]]
    runs += [[toolkit, "convert-dataset", "rows.csv", "--model-name", model, "--output", "converted"]]
    launch = bin_dir / "mdl-launch"
    runs += [[launch, "--help"], [launch, "--version"], [launch, "doctor", "--standalone", "--no-python", toolkit, "train"]]
    runs += [[launch, "--standalone", "--nproc-per-node", "2", "--no-python", "/bin/true"], [launch, "env"]]
    for command in runs:
        done = started(*command, cwd=here, env=environment(ACCELERATE_USE_CPU="true"))
        assert done.returncode == 0, (command, done.stderr)
        assert not trace.exists(), command
    assert (here / "out/final/config.json").exists() and (here / "answers.csv").exists() and (here / "converted").is_dir()

    # What is left of LD_LIBRARY_PATH is the user's; the planted library does tell when it is loaded.
    (only := tmp_path / "only").mkdir()
    shutil.copy(planted, only / "libcuda.so.1")
    done = started(toolkit, "train", "--help", cwd=only, env=environment(LD_LIBRARY_PATH=f"/nowhere:{''}"))
    assert "LD_LIBRARY_PATH has an empty part, which means the current folder: it is left out" in done.stderr
    assert done.returncode == 0 and not trace.exists()
    started(bin_dir / "mdl-toolkit-model", "train", "--help", env=environment(LD_LIBRARY_PATH=only))
    assert trace.exists() or not (PACKAGES / "nvidia/cusparselt").is_dir()


def expect_other_version(done, version, found_by):
    assert done.returncode == 1
    assert re.search(
        rf"LibTorch {re.escape(version)} in \S+/torch \({found_by}.*\) does not fit: this mdl-toolkit was built for ", done.stderr
    )
    minor = ".".join(torch.__version__.split(".")[:2])
    assert f"built for {torch.__version__}\n" in done.stderr and f'`pip install "torch=={minor}.*"' in done.stderr
    assert len(done.stderr.splitlines()) == 2 and done.stdout == ""


def test_a_libtorch_of_another_version_is_told_wherever_it_is_found(installed, empty_library, tmp_path):
    other = sibling(-1)
    toolkit = installed / "mdl-toolkit"
    error_file = tmp_path / "error.json"
    named = environment(MDL_TORCH=fake_torch(tmp_path / "named", other, empty_library), TORCHELASTIC_ERROR_FILE=error_file)
    expect_other_version(started(toolkit, "train", env=named), other, "in MDL_TORCH|MDL_TORCH")
    assert "does not fit" in json.loads(error_file.read_text())["message"]["message"]

    shutil.copytree(installed, tmp_path / "env/bin")
    fake_torch(tmp_path / "env/lib/python3.11/site-packages", other, empty_library)
    expect_other_version(started(tmp_path / "env/bin/mdl-toolkit", "inference", env=environment()), other, "beside ")

    fake_torch(tmp_path / "active/lib/python3.11/site-packages", other, empty_library)
    (tmp_path / "active/bin").mkdir()
    (tmp_path / "active/pyvenv.cfg").write_text("include-system-site-packages = false\n")
    (tmp_path / "active/bin/python3").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "active/bin/python3").chmod(0o700)
    active = environment(PATH=tmp_path / "active/bin")
    expect_other_version(started(toolkit, "train", env=active), other, "of PATH's ")


@pytest.mark.skipif(torch.version.cuda is None, reason="this LibTorch has no CUDA")
def test_a_libtorch_of_another_flavour_is_told_with_the_index_that_has_the_right_one_where_a_gpu_is(bin_dir, toolkit, tmp_path):
    version = torch.__version__.split("+")[0] + "+cpu"
    other = linked_torch(tmp_path, version)
    told = json.loads(started(toolkit, "--libraries", env=environment(MDL_TORCH=other)).stdout)
    done = started(toolkit, "train", "--help", env=environment(MDL_TORCH=other))
    if told["program"] == "mdl-toolkit-model-cpu":
        assert done.returncode == 0 and "usage: mdl-toolkit train" in done.stdout, done.stderr
        # By itself, since only a machine with a GPU starts it.
        done = started(bin_dir / "mdl-toolkit-model", "train", "--help", env=environment(LD_LIBRARY_PATH=other / "lib"))
    expect_other_version(done, version, "where the loader took it from" if told["program"].endswith("-cpu") else "MDL_TORCH")
    flavour = "cu" + torch.version.cuda.replace(".", "")
    assert f"--index-url https://download.pytorch.org/whl/{flavour}`" in done.stderr


def test_installed_programs_take_the_libtorch_and_arrow_of_an_environment(installed, tmp_path):
    for variables in (
        {"MDL_TORCH": PACKAGES},
        {"MDL_TORCH": linked_torch(tmp_path, torch.__version__)},
        {"PATH": Path(sys.executable).parent},
    ):
        for command in COMMANDS:
            done = started(installed / "mdl-toolkit", command, "--help", env=environment(**variables))
            assert done.returncode == 0 and f"usage: mdl-toolkit {command}" in done.stdout, done.stderr


def test_library_paths_that_lead_elsewhere_do_no_harm(bin_dir, toolkit, empty_library, tmp_path):
    fake = fake_torch(tmp_path / "fake", sibling(-1), empty_library)
    done = started(toolkit, "train", "--help", env=environment(LD_LIBRARY_PATH=fake / "lib"))
    assert done.returncode == 0, done.stderr
    # Nobody has found libraries for a program that is started by itself; what the loader took must fit all the same.
    other = linked_torch(tmp_path / "linked", sibling(1))
    done = started(bin_dir / "mdl-toolkit-model", "train", "--help", env=environment(LD_LIBRARY_PATH=other / "lib"))
    assert "usage" not in done.stdout
    expect_other_version(done, sibling(1), "where the loader took it from")


def test_a_missing_library_is_named_with_what_needs_it_and_what_brings_it(installed, tmp_path):
    whole = linked_torch(tmp_path / "whole", torch.__version__)
    (whole / "lib/libc10.so").unlink()
    done = started(installed / "mdl-toolkit", "train", "--help", env=environment(MDL_TORCH=whole))
    assert done.returncode == 1 and f"libraries are missing of LibTorch {torch.__version__} in {whole}: libc10.so" in done.stderr
    assert "pip install --force-reinstall" in done.stderr
    (whole / "lib/libc10.so").touch()
    done = started(installed / "mdl-toolkit", "train", "--help", env=environment(MDL_TORCH=whole))
    assert done.returncode == 1 and f"{whole}/lib/libc10.so is damaged" in done.stderr and "file too short" not in done.stderr
    colon = linked_torch(tmp_path / "a:b", torch.__version__)
    done = started(installed / "mdl-toolkit", "train", "--help", env=environment(MDL_TORCH=colon))
    assert done.returncode == 1 and f"the loader takes no library of {colon}/lib: the name has a colon" in done.stderr
    apart = linked_torch(tmp_path / "apart", torch.__version__)
    compiled(tmp_path / "libnowhere.so.1", "int nowhere;")
    (apart / "lib/libtorch_cpu.so").unlink()
    compiled(apart / "lib/libtorch_cpu.so", "int nothing;", "-Wl,--no-as-needed", f"-L{tmp_path}", "-l:libnowhere.so.1")
    done = started(installed / "mdl-toolkit", "train", "--help", env=environment(MDL_TORCH=apart))
    assert done.returncode == 1 and ": libnowhere.so.1 (which libtorch_cpu.so needs)" in done.stderr, done.stderr

    nowhere = environment(PATH="/nowhere")
    done = started(installed / "mdl-toolkit", "info", "--help", env=nowhere)
    assert done.returncode == 1 and "there is no pyarrow beside" in done.stderr and 'pip install "pyarrow==' in done.stderr
    done = started(installed / "mdl-toolkit", "train", "--help", env=nowhere)
    assert done.returncode == 1 and "there is no LibTorch beside" in done.stderr and "MDL_TORCH" in done.stderr
    assert started(installed / "mdl-toolkit", "--help", env=nowhere).returncode == 0


def test_the_libraries_are_told_to_other_programs(toolkit, tmp_path, empty_library):
    told = json.loads(started(toolkit, "--libraries", env=environment()).stdout)
    assert told["libtorch"]["version"] == told["built_for"]["libtorch"] == torch.__version__
    assert Path(told["libtorch"]["folder"]) == Path(torch.__file__).parent.resolve()
    assert told["missing"] == [] and told["problem"] == ""
    fake = fake_torch(tmp_path, sibling(-1), empty_library)
    told = json.loads(started(toolkit, "--libraries", env=environment(MDL_TORCH=fake)).stdout)
    assert "does not fit" in told["problem"] and "pip install" in told["advice"]
    told = json.loads(started(toolkit, "--libraries", "download", env=environment(MDL_TORCH=fake)).stdout)
    assert told["problem"] == "" and "libtorch" not in told


def test_the_doctor_sees_what_is_wrong_with_the_libraries_of_a_second_node(installed, tmp_path, empty_library):
    fake = fake_torch(tmp_path / "fake", sibling(-1), empty_library)
    broken = linked_torch(tmp_path / "broken", torch.__version__)
    (broken / "lib/libc10.so").unlink()
    for second, text in ((fake, f"LibTorch {sibling(-1)} in {fake} "), (broken, "libc10.so")):
        job = ["--nnodes", "2", "--rdzv-backend", "c10d", "--rdzv-endpoint", f"127.0.0.1:{free_port()}", "--no-python"]
        command = [str(word) for word in (installed / "mdl-launch", "doctor", "--json", *job, installed / "mdl-toolkit", "train")]
        nodes = [
            subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=variables)
            for variables in (environment(MDL_TORCH=PACKAGES), environment(MDL_TORCH=second))
        ]
        for node in nodes:
            report = json.loads(node.communicate(timeout=60)[0])
            assert node.returncode == 1 and len(report["nodes"]) == 2
            (finding,) = [each for each in report["findings"] if each["check"] == "program" and each["level"] == "fail"]
            assert text in finding["text"] and "pip install" in finding["advice"]
