#!/usr/bin/env python3
"""Makes the wheel mdl-toolkit-native of the programs of a build on Debian 12: they lie in a package, with the libraries that they bring along.

What the wheel requires, and what its version ends with, is what the programs say that they were built for. The same input makes the same
bytes. SHA256SUMS of the folder is written anew.
"""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

import bundled
import symbol_versions
import tree
import wheel

HERE = Path(__file__).resolve().parent
PACKAGE = "mdl_toolkit_native"
COMMANDS = ("mdl-toolkit", "mdl-toolkit-native")
PROGRAMS = ("mdl-toolkit-data", "mdl-toolkit-model")
OF_CUDA = ("mdl-toolkit-model-cpu",)  # what a build with CUDA has besides, for machines without a GPU
# Of RHEL 9 and Ubuntu 22.04: glibc 2.34 and the run-time libraries of GCC 11.
BOUNDS = {"GLIBC": "2.34", "GLIBCXX": "3.4.29", "CXXABI": "1.3.13", "GCC": "11.0.0"}
TAG = "py3-none-manylinux_2_34_x86_64"
LINKED_IN = (
    ("Boost (headers and program_options)", "libboost1.74-dev"),
    ("JSON for Modern C++ (headers)", "nlohmann-json3-dev"),
    ("PCRE2", "libpcre2-dev"),
    ("utf8proc", "libutf8proc-dev"),
    ("yaml-cpp", "libyaml-cpp-dev"),
    ("libstdc++, GPL 3 with GCC's run-time library exception,", "gcc-12-base"),
    ("the start of a program (crt1.o and others) of glibc", "libc6-dev"),
)
SUMMARY = "LoRA fine-tuning of MiDashengLM audio-language models: the native mdl-toolkit, with LibTorch from the package torch"
ABOUT = """The commands are mdl-toolkit and, for the same program, mdl-toolkit-native. The Python package mdl-toolkit has a command
mdl-toolkit, too: in one environment the one that was installed last has the name. mdl-toolkit-native is always this one."""


def built_for(toolkit: Path) -> dict[str, str]:
    """The program's version, and those of LibTorch and pyarrow that it was built for."""
    told = subprocess.run([toolkit, "--version"], capture_output=True, text=True, check=True).stdout.split()
    libraries = subprocess.run([toolkit, "--libraries"], capture_output=True, text=True, check=True).stdout
    return {"version": told[1], **json.loads(libraries)["built_for"]}


def minor(version: str) -> str:
    """ "2.15" of "2.15.0+cu132"."""
    return re.match(r"\d+\.\d+", version)[0]


def wheel_version(version: str, torch: str) -> str:
    """Wheels of one version for several LibTorch differ in the local part, as those of PyTorch's extensions do: "0.2.0+torch2.15"."""
    return f"{version}{'.' if '+' in version else '+'}torch{minor(torch)}"


def search_of(elf: symbol_versions.ElfFile) -> list[str]:
    """Where a program of the package looks for its libraries: the same packages as in the build folder, and beside itself."""
    in_build = "$ORIGIN/site-packages/"
    folders = elf.search()
    if not folders or not all(folder.startswith(in_build) for folder in folders):
        raise bundled.Refused(f"it looks for libraries in {folders}: this is no build of this project's")
    return [*("$ORIGIN/../" + folder.removeprefix(in_build) for folder in folders), "$ORIGIN/lib"]


def require_old_enough(files: dict[str, tree.File]) -> None:
    for path, file in files.items():
        too_new = symbol_versions.beyond(symbol_versions.ElfFile(file.data), BOUNDS)
        if too_new:
            raise bundled.Refused(f"{path} needs {too_new[0]}. GCC 12 on Debian 12 makes programs that stay below")


def files_of(folder: Path, names: tuple[str, ...]) -> tuple[dict[str, tree.File], dict[str, Path]]:
    """The wheel's files, and the libraries among them with where they come from."""
    files = {}
    front = bundled.stripped((folder / "mdl-toolkit").read_bytes())
    for name in COMMANDS:
        files[f"bin/{name}"] = tree.File(front, 0o755)
    programs = {name: (folder / name).read_bytes() for name in names}
    for name, data in programs.items():
        search = search_of(symbol_versions.ElfFile(data))
        files[f"site-packages/{PACKAGE}/{name}"] = tree.File(bundled.with_search(bundled.stripped(data), search), 0o755)
    libraries = bundled.needed(list(programs.values()))
    for name, path in libraries.items():
        files[f"site-packages/{PACKAGE}/lib/{name}"] = tree.File(bundled.with_search(path.read_bytes(), ["$ORIGIN"]), 0o755)
    require_old_enough(files)
    return files, libraries


def make(options) -> None:
    built = built_for(options.programs / "mdl-toolkit")
    if not re.fullmatch(tree.VERSION, built["version"]):
        raise bundled.Refused(f"{built['version']} is no version as PEP 440 writes them")
    files, libraries = files_of(options.programs, PROGRAMS + (() if built["flavour"] in ("", "cpu") else OF_CUDA))
    licence = bundled.licences(libraries, LINKED_IN, (HERE.parents[1] / "LICENSE").read_text())
    requires = (f"torch=={minor(built['libtorch'])}.*", f"pyarrow=={built['pyarrow'].split('.')[0]}.*")
    version = wheel_version(built["version"], built["libtorch"])
    name, data = wheel.wheel("mdl-toolkit-native", version, TAG, SUMMARY, files, licence, options.time, requires, ABOUT)
    tree.replace(options.output, {name: data}, [f"{PACKAGE}-*torch{minor(built['libtorch'])}-{TAG}.whl"])


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=Path, required=True, metavar="FOLDER", help="a build's folder bin")
    parser.add_argument("--time", type=int, required=True, metavar="SECONDS", help="the time of all files, since 1970")
    parser.add_argument("--output", type=Path, default=Path("dist"), metavar="FOLDER")
    options = parser.parse_args(arguments)
    try:
        make(options)
    except (bundled.Refused, OSError, ValueError, subprocess.CalledProcessError) as error:
        print(f"make_worker.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
