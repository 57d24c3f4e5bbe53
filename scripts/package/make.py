#!/usr/bin/env python3
"""Makes the packages of mdl-launch for one kind of processor: a wheel, a Debian package and a .tar.gz. scripts/package.sh says of what.

The same input makes the same bytes. They replace those of other versions; SHA256SUMS of the folder is written anew.
"""

import argparse
import re
import sys
from pathlib import Path

import deb
import symbol_versions
import tree
import wheel

HERE = Path(__file__).resolve().parent
OLDEST_GLIBC = (2, 28)
DEBIAN_NAMES = {"x86_64": "amd64", "aarch64": "arm64"}
# bash's exec -a; a wheel holds no links, and pip copies what it holds.
SUMMARY = "Starts and watches the processes of a distributed PyTorch job: torchrun and accelerate launch as one program without Python"
NAMES_SUMMARY = "Puts mdl-launch in the place of the commands torchrun and accelerate"
NAME_SCRIPT = """#!/usr/bin/env bash
# mdl-launch reads the command line that belongs to this name. It lies beside this file, to which a link may lead.
file=$(readlink -f "${{BASH_SOURCE[0]}}")
exec -a {name} "${{file%/*}}/mdl-launch" "$@"
"""


def glibc_of(elf: symbol_versions.ElfFile) -> tuple[int, ...]:
    return max(OLDEST_GLIBC, symbol_versions.number(symbol_versions.newest(elf, "GLIBC") or "2.0"))


def make_launcher(options, elf: symbol_versions.ElfFile, licence: bytes) -> dict[str, bytes]:
    program = tree.File(options.program.read_bytes(), 0o755)
    arch, glibc = elf.processor, glibc_of(elf)
    files = {"bin/mdl-launch": program, **tree.share(options.manual, tree.Places())}
    made = dict(
        [
            wheel.wheel(
                "mdl-launch", options.version, f"py3-none-manylinux_{glibc[0]}_{glibc[1]}_{arch}", SUMMARY, files, licence, options.time
            )
        ]
    )

    stem = f"mdl-launch_{options.version}_linux_{arch}"  # with a hyphen behind the name pip would take it for the source
    inside = {**files, "share/doc/mdl-launch/LICENSES.txt": tree.File(licence)}
    made[f"{stem}.tar.gz"] = tree.tar({f"{stem}/{path}": file for path, file in inside.items()}, options.time)

    version = deb.debian_version(options.version)
    shared = tree.share(options.manual, tree.Places(zsh="share/zsh/vendor-completions"), pages_gzipped=True)
    installed = {
        "usr/bin/mdl-launch": program,
        **{f"usr/{path}": file for path, file in shared.items()},
        "usr/share/doc/mdl-launch/copyright": tree.File(tree.licences(options.root, deb.COPYRIGHT)),
        "usr/share/doc/mdl-launch/changelog.gz": tree.File(deb.changelog("mdl-launch", version, options.time)),
    }
    size = sum(len(file.data) for file in installed.values())
    depends = f"libc6 (>= {glibc[0]}.{glibc[1]})"
    control = deb.control("mdl-launch", version, DEBIAN_NAMES[arch], depends, deb.ABOUT_LAUNCHER, size)
    made[f"mdl-launch_{version}_{DEBIAN_NAMES[arch]}.deb"] = deb.build(control, installed, {}, options.time)
    return made


def make_names(options, licence: bytes) -> dict[str, bytes]:
    """The packages that give mdl-launch the names torchrun and accelerate. They are for every kind of processor."""
    package = "mdl-launch-as-torchrun"
    names = ("torchrun", "accelerate")
    scripts = {f"bin/{name}": tree.File(NAME_SCRIPT.format(name=name).encode(), 0o755) for name in names}
    made = dict(
        [
            wheel.wheel(
                package, options.version, "py3-none-any", NAMES_SUMMARY, scripts, licence, options.time, (f"mdl-launch=={options.version}",)
            )
        ]
    )
    version = deb.debian_version(options.version)
    documents = {
        f"usr/share/doc/{package}/copyright": tree.File(deb.COPYRIGHT.encode()),
        f"usr/share/doc/{package}/changelog.gz": tree.File(deb.changelog(package, version, options.time)),
    }
    control = deb.control(
        package, version, "all", f"mdl-launch (= {version})", deb.ABOUT_NAMES, 1024 * 8, "Conflicts: python3-torch, python3-accelerate\n"
    )
    links = {f"usr/bin/{name}": "mdl-launch" for name in names}
    links |= {f"usr/share/man/man1/{name}.1.gz": "mdl-launch.1.gz" for name in names}
    made[f"{package}_{version}_all.deb"] = deb.build(control, documents, links, options.time)
    return made


def older(arch: str) -> list[str]:
    """What the packages that are made here replace, of whatever version."""
    return [
        f"mdl_launch-*-py3-none-manylinux_*_{arch}.whl",
        f"mdl-launch_*_linux_{arch}.tar.gz",
        f"mdl-launch_*_{DEBIAN_NAMES[arch]}.deb",
        "mdl_launch_as_torchrun-*-py3-none-any.whl",
        "mdl-launch-as-torchrun_*_all.deb",
    ]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=Path, required=True, metavar="FILE", help="mdl-launch")
    parser.add_argument("--manual", type=Path, required=True, metavar="FOLDER", help="what write_manual wrote")
    parser.add_argument("--version", required=True, help="as mdl-launch --version tells it")
    parser.add_argument("--time", type=int, required=True, metavar="SECONDS", help="the time of all files, since 1970")
    parser.add_argument("--root", type=Path, default=Path("/"), metavar="FOLDER", help="the system with the libraries that were linked in")
    parser.add_argument("--output", type=Path, default=Path("dist"), metavar="FOLDER")
    options = parser.parse_args(arguments)
    if not re.fullmatch(tree.VERSION, options.version):
        parser.error(f"--version {options.version} is no version as PEP 440 writes them")
    elf = symbol_versions.ElfFile(options.program.read_bytes())
    if elf.processor not in DEBIAN_NAMES:
        parser.error(f"{options.program} is for {elf.processor}")
    own = (HERE.parents[1] / "LICENSE").read_text()
    made = make_launcher(options, elf, tree.licences(options.root, own))
    made |= make_names(options, own.encode())
    try:
        tree.replace(options.output, made, older(elf.processor))
    except OSError as error:
        print(f"make.py: {error}; what was in {options.output} is as it was", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
