"""The worker's wheel, made of this build's programs: what is in it, what it asks of a system, and a training by its commands where pip has put them."""

import base64
import csv
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pyarrow
import pytest
import torch

from csv_files import write_csv

sys.path.append(str(Path(__file__).resolve().parents[3] / "scripts/package"))

import bundled
import make_worker
import symbol_versions
import tree

REPOSITORY = Path(__file__).resolve().parents[3]
SITE = Path(torch.__file__).parents[1]
MINOR = ".".join(torch.__version__.split(".")[:2])
PACKAGE = "mdl_toolkit_native"
TIME = 1_750_000_000

pytestmark = pytest.mark.skipif(
    bool(os.environ.get("MDL_TEST_SANITIZE"))
    or not shutil.which("patchelf")
    or not Path("/usr/share/doc/libboost1.74-dev/copyright").exists(),
    reason="only a build without sanitizers on Debian 12 with patchelf is packaged",
)


def started(*command, **options):
    command = [str(part) for part in command]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, **options)


def succeeded(*command, **options):
    done = started(*command, **options)
    assert done.returncode == 0, f"{command} exited with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done


def packaged(programs, output):
    return started(
        sys.executable, REPOSITORY / "scripts/package/make_worker.py", "--programs", programs, "--time", TIME, "--output", output
    )


@pytest.fixture(scope="module")
def wheel(bin_dir, tmp_path_factory):
    dist = tmp_path_factory.mktemp("dist")
    done = packaged(bin_dir, dist)
    assert done.returncode == 0, done.stderr
    (path,) = dist.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def files(wheel):
    """Its content, by the path in it without the name of the version."""
    stem = "-".join(wheel.name.split("-")[:2])
    with zipfile.ZipFile(wheel) as archive:
        return {name.removeprefix(stem): archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def launcher_wheel(bin_dir, tmp_path_factory):
    folder = tmp_path_factory.mktemp("launcher")
    succeeded(bin_dir / "write_manual", folder / "manual")
    version = succeeded(bin_dir / "mdl-launch", "--version").stdout.split()[1]
    options = ["--program", bin_dir / "mdl-launch", "--manual", folder / "manual", "--version", version, "--time", TIME]
    succeeded(sys.executable, REPOSITORY / "scripts/package/make.py", *options, "--output", folder / "dist")
    (path,) = (folder / "dist").glob("mdl_launch-*.whl")
    return path


def installed(*wheels, python=sys.executable, options=()):
    quiet = ["-q", "--disable-pip-version-check", "--no-index", "--no-deps", "--force-reinstall"]
    succeeded(sys.executable, "-m", "pip", "--python", python, "install", *quiet, *options, *wheels)


def with_packages(site, names=("torch", "nvidia", "pyarrow")):
    """Links to the packages that pip would have brought from PyPI."""
    for name in names:
        (site / name).symlink_to(SITE / name)


@pytest.fixture(scope="module")
def environment(wheel, launcher_wheel, tmp_path_factory):
    """A virtual environment with both wheels, and what they require."""
    home = tmp_path_factory.mktemp("environment") / "venv"
    succeeded(sys.executable, "-m", "venv", "--without-pip", home)
    (site,) = (home / "lib").glob("python3*/site-packages")
    with_packages(site)
    installed(wheel, launcher_wheel, python=home / "bin/python")
    return home


def variables(home, **others):
    """As `activate` makes them."""
    kept = {name: value for name, value in os.environ.items() if name not in ("LD_LIBRARY_PATH", "MDL_TORCH", "PYTHONPATH", "MDL_BIN_DIR")}
    return kept | {"PATH": f"{home}/bin:/usr/bin:/bin", "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"} | others


def search_of(data):
    return symbol_versions.ElfFile(data).search()


def test_it_holds_the_programs_their_libraries_and_nothing_that_every_system_has(files):
    names = set(files)
    libraries = {name.rsplit("/", 1)[1] for name in names if name.startswith(f"{PACKAGE}/lib/")}
    assert {
        "libsndfile.so.1",
        "libsoxr.so.0",
        "libcurl.so.4",
        "libsimdjson.so.14",
        "libFLAC.so.12",
        "libcrypto.so.3",
        "libgomp.so.1",
    } <= libraries
    assert not {
        name for name in libraries if re.match(r"lib(c|m|dl|rt|pthread|resolv|gcc_s|stdc\+\+|torch.*|c10.*|arrow|cud.*|nccl)\.so", name)
    }
    assert names == {
        *(f".data/scripts/{command}" for command in ("mdl-toolkit", "mdl-toolkit-native")),
        *(f"{PACKAGE}/{program}" for program in ("mdl-toolkit-data", "mdl-toolkit-model", "mdl-toolkit-model-cpu")),
        *(f"{PACKAGE}/lib/{library}" for library in libraries),
        *(f".dist-info/{name}" for name in ("METADATA", "RECORD", "WHEEL", "licenses/LICENSES.txt")),
    }
    # Whatever one of them loads is there, of the packages, or of every system.
    for name, data in files.items():
        if data.startswith(b"\x7fELF"):
            for needed in symbol_versions.ElfFile(data).needed():
                assert needed in libraries | bundled.OF_SYSTEM or needed.startswith(bundled.OF_PACKAGES), (name, needed)


def test_its_files_look_for_libraries_in_the_environment_only(files):
    for library in (data for name, data in files.items() if name.startswith(f"{PACKAGE}/lib/")):
        assert search_of(library) == ["$ORIGIN"]
    assert search_of(files[f"{PACKAGE}/mdl-toolkit-data"]) == ["$ORIGIN/../pyarrow", "$ORIGIN/lib"]
    for program in ("mdl-toolkit-model", "mdl-toolkit-model-cpu"):
        first, *between, arrow, own = search_of(files[f"{PACKAGE}/{program}"])
        assert (first, arrow, own) == ("$ORIGIN/../torch/lib", "$ORIGIN/../pyarrow", "$ORIGIN/lib")
        assert all(re.fullmatch(r"\$ORIGIN/\.\./nvidia/\w+/lib", folder) for folder in between)
    assert search_of(files[".data/scripts/mdl-toolkit"]) == []


def test_no_file_asks_for_more_than_rhel_9_and_ubuntu_22_04_have(files, bin_dir, tmp_path):
    elves = {name: data for name, data in files.items() if data.startswith(b"\x7fELF")}
    assert len(elves) > 30
    for name, data in elves.items():
        bounds = {"GLIBC": "2.34", "GLIBCXX": "3.4.29", "CXXABI": "1.3.13", "GCC": "11.0.0"}
        assert not symbol_versions.beyond(symbol_versions.ElfFile(data), bounds), name
    # Of this system's own C++ library that is not true, nor of a program that asks for a newer one.
    newer = tree.File(bundled.path_of("libstdc++.so.6").read_bytes())
    with pytest.raises(bundled.Refused, match=r"GLIBC_2\.36; the bound is GLIBC_2\.34"):
        make_worker.require_old_enough({"libstdc++.so.6": newer})
    programs = shutil.copytree(
        bin_dir, tmp_path / "bin", ignore=lambda _, names: [name for name in names if not name.startswith("mdl-toolkit")]
    )
    data = (programs / "mdl-toolkit-data").read_bytes()
    (programs / "mdl-toolkit-data").write_bytes(data.replace(b"GLIBCXX_3.4.29", b"GLIBCXX_3.4.30"))
    done = packaged(programs, tmp_path / "dist")
    assert done.returncode == 1 and not (tmp_path / "dist").exists()
    assert done.stderr == (
        f"make_worker.py: site-packages/{PACKAGE}/mdl-toolkit-data needs GLIBCXX_3.4.30; the bound is GLIBCXX_3.4.29. "
        "GCC 12 on Debian 12 makes programs that stay below\n"
    )


def test_it_says_which_libtorch_and_arrow_it_is_for_in_its_name_and_to_pip(wheel, files, bin_dir):
    version = succeeded(bin_dir / "mdl-toolkit", "--version").stdout.split()[1]
    name = f"{version}{'.' if '+' in version else '+'}torch{MINOR}"
    assert wheel.name == f"{PACKAGE}-{name}-py3-none-manylinux_2_34_x86_64.whl"
    assert make_worker.wheel_version("0.2.0", "2.11.0+cu130") == "0.2.0+torch2.11"
    told = files[".dist-info/METADATA"].decode()
    assert f"Name: mdl-toolkit-native\nVersion: {name}\n" in told
    required = re.findall("^Requires-Dist: (.*)$", told, re.M)
    assert required == [f"torch=={MINOR}.*", f"pyarrow=={pyarrow.__version__.split('.')[0]}.*"]
    assert "mdl-toolkit-native is always this one" in told
    assert "Tag: py3-none-manylinux_2_34_x86_64\n" in files[".dist-info/WHEEL"].decode()


def test_the_record_is_of_exactly_the_files_and_the_same_input_makes_the_same_bytes(wheel, bin_dir, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        (record,) = (name for name in archive.namelist() if name.endswith("/RECORD"))
        rows = {name: (digest, size) for name, digest, size in csv.reader(io.StringIO(archive.read(record).decode()))}
        assert set(rows) == set(archive.namelist()) and rows.pop(record) == ("", "")
        for name, (digest, size) in rows.items():
            data = archive.read(name)
            assert int(size) == len(data)
            assert base64.urlsafe_b64decode(digest.removeprefix("sha256=") + "=") == hashlib.sha256(data).digest(), name
    sums = (wheel.parent / "SHA256SUMS").read_text()
    assert sums == f"{hashlib.sha256(wheel.read_bytes()).hexdigest()}  {wheel.name}\n"
    assert packaged(bin_dir, tmp_path).returncode == 0
    assert (tmp_path / "SHA256SUMS").read_text() == sums


def test_the_licences_are_of_all_that_is_in_it(files):
    text = files[".dist-info/licenses/LICENSES.txt"].decode()
    for name in files:
        if name.startswith(f"{PACKAGE}/lib/"):
            assert re.search(rf"^.*{re.escape(name.rsplit('/', 1)[1])}\b.*: Debian's package \S+, of the source \S+ \S+$", text, re.M), name
    for words in (
        "Apache License",
        "Boost Software License",
        "nlohmann",
        "PCRE2",
        "utf8proc",
        "LESSER GENERAL PUBLIC LICENSE",
        "libsndfile",
        "OpenSSL",
    ):
        assert words.lower() in text.lower(), words


def loaded_by(home, *command, folder):
    """The files that a command's programs load, by name."""
    folder.mkdir()
    succeeded(home / "bin/mdl-toolkit", *command, env=variables(home, LD_DEBUG="files", LD_DEBUG_OUTPUT=str(folder / "log")))
    text = "".join(path.read_text(errors="replace") for path in folder.iterdir())
    return {Path(path).name: path for path in re.findall(r"calling init: (/\S+)", text)}


def test_what_it_brought_along_is_what_is_loaded(environment, files, tmp_path):
    (site,) = (environment / "lib").glob("python3*/site-packages")
    own = site / PACKAGE / "lib"
    names = {name.rsplit("/", 1)[1] for name in files if name.startswith(f"{PACKAGE}/lib/")}
    data = loaded_by(environment, "convert-dataset", "--help", folder=tmp_path / "data")
    assert {name: data.get(name) for name in names} == {name: str(own / name) for name in names}
    assert data["libarrow.so.2600" if pyarrow.__version__.startswith("26.") else next(iter(data))].startswith(str(SITE))
    model = loaded_by(environment, "train", "--help", folder=tmp_path / "model")
    of_torch = {path.name for path in (SITE / "torch/lib").iterdir()}  # has OpenMP's, too
    assert {name: model.get(name) for name in names - of_torch} == {name: str(own / name) for name in names - of_torch}
    assert model["libtorch_cpu.so"] == str(SITE / "torch/lib/libtorch_cpu.so")


def test_a_user_s_library_path_does_not_lead_to_others(environment, tmp_path):
    for name in ("libcurl.so.4", "libsndfile.so.1"):
        (tmp_path / name).write_text("no library")
    done = started(environment / "bin/mdl-toolkit", "convert-dataset", "--help", env=variables(environment, LD_LIBRARY_PATH=str(tmp_path)))
    assert done.returncode == 0 and "usage: mdl-toolkit convert-dataset" in done.stdout, done.stderr


@pytest.mark.parametrize("with_python", [False, True], ids=["alone", "beside Python's mdl-toolkit"])
def test_its_commands_convert_train_and_tell_under_the_installed_launcher(environment, data, venv_bin, tmp_path, wheel, with_python):
    model, train, test = data
    if with_python:
        environment = shutil.copytree(environment, tmp_path / "venv", symlinks=True)
    bin_dir = environment / "bin"
    command = "mdl-toolkit-native" if with_python else "mdl-toolkit"
    if with_python:
        shutil.copy(venv_bin / "mdl-toolkit", bin_dir / "mdl-toolkit")  # as pip does, for which the last one has the name
    env = variables(environment)
    told = succeeded(bin_dir / "mdl-toolkit-native", "--version", env=env)
    assert f"built for LibTorch {torch.__version__})" in told.stdout
    warning = f"{bin_dir}/mdl-toolkit is not this program but a script, as Python's mdl-toolkit has one. Start mdl-toolkit-native"
    assert (warning in told.stderr) == with_python
    assert ("--no-deps mdl_toolkit_native-*.whl`, the file of the wheel" in told.stderr) == with_python
    doctor = succeeded(bin_dir / "mdl-launch", "doctor", "--standalone", "--no-python", "mdl-toolkit", "train", env=env).stdout
    if with_python:
        assert (
            f"{bin_dir}/mdl-toolkit is Python's mdl-toolkit, a script" in doctor
            and f"The native one is {bin_dir}/mdl-toolkit-native" in doctor
        )
    else:
        assert f"{bin_dir}/mdl-toolkit, the native mdl-toolkit, with LibTorch {torch.__version__}" in doctor

    clip = next(Path("/usr/share/sounds").rglob("*.wav"))
    write_csv(tmp_path / "one.csv", [{"audio": str(clip), "user_prompt": "What is it?", "prediction": "a sound"}])
    succeeded(bin_dir / command, "convert-dataset", tmp_path / "one.csv", "--model-name", model, "--output", tmp_path / "one", env=env)
    info = succeeded(bin_dir / command, "info", tmp_path / "one", env=env).stdout
    assert re.search(r"a dataset\n +rows: +1\n", info)
    assert "train" in succeeded(bin_dir / command, "info", model, env=env).stdout  # its last line is LibTorch's program's

    words = ["--standalone", "--nproc-per-node", 2, "--no-python", command, "train", "--model-name", model, "--train-dataset", train]
    words += ["--eval-dataset", test, "--output", tmp_path / "output", "--batch-size", 8, "--lora-rank", 4]
    done = succeeded(bin_dir / "mdl-launch", *words, env=env, cwd=tmp_path)
    assert done.stdout.count("'loss':") == 3  # 35 clips, 2 ranks of 8
    assert (tmp_path / "output/final/model.safetensors").exists()

    if with_python:
        installed(wheel, python=bin_dir / "python")
        assert (bin_dir / "mdl-toolkit").read_bytes() == (bin_dir / "mdl-toolkit-native").read_bytes()


def test_it_runs_through_links_and_from_a_target_folder(environment, wheel, tmp_path):
    link = tmp_path / "mdl-toolkit"
    link.symlink_to(environment / "bin/mdl-toolkit")  # pipx and uv make such
    assert "usage: mdl-toolkit info" in succeeded(link, "info", "--help", env=variables(tmp_path)).stdout
    target = tmp_path / "target"
    installed(wheel, options=["--target", target])
    with_packages(target)
    for command in ("info", "train"):
        assert (
            f"usage: mdl-toolkit {command}"
            in succeeded(target / "bin/mdl-toolkit-native", command, "--help", env=variables(tmp_path)).stdout
        )


def test_another_minor_version_of_torch_in_its_environment_is_told_with_what_fits(environment, wheel, tmp_path):
    home = tmp_path / "venv"
    shutil.copytree(environment, home, symlinks=True)
    (site,) = (home / "lib").glob("python3*/site-packages")
    (site / "torch").unlink()
    (site / "torch/lib").mkdir(parents=True)
    (site / "torch/lib/libtorch_cpu.so").touch()
    (site / "torch/version.py").write_text("__version__ = '2.99.1+cu199'\ncuda: Optional[str] = '19.9'\n")
    done = started(home / "bin/mdl-toolkit", "train", "--help", env=variables(home))
    assert done.returncode == 1
    assert f"LibTorch 2.99.1+cu199 in {site}/torch" in done.stderr and f"this mdl-toolkit was built for {torch.__version__}" in done.stderr
    assert f'`pip install "torch=={MINOR}.*"' in done.stderr
    assert "the wheel of mdl-toolkit-native for LibTorch 2.99, whose version ends with torch2.99" in done.stderr
    assert started(home / "bin/mdl-toolkit", "info", "--help", env=variables(home)).returncode == 0  # needs none

    program = site / PACKAGE / "mdl-toolkit-data"
    program.write_bytes(program.read_bytes().replace(b"libsndfile.so.1", b"libsndfile.so.9"))
    done = started(home / "bin/mdl-toolkit", "info", "--help", env=variables(home))
    assert done.returncode == 1 and "libraries of mdl-toolkit-native are missing: libsndfile.so.9" in done.stderr
    assert "`pip install --force-reinstall --no-deps mdl_toolkit_native-*.whl`" in done.stderr  # the name alone is no package of ours
    program.write_bytes(program.read_bytes().replace(b"libstdc++.so.6", b"libstdc++.so.9"))
    done = started(home / "bin/mdl-toolkit", "info", "--help", env=variables(home))
    assert done.returncode == 1 and "libraries of the system are missing: libstdc++.so.9" in done.stderr
