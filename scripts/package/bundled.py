"""The shared libraries that programs bring along in a folder of their own: found on this Debian, and changed to find each other there."""

import functools
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import symbol_versions
import tree

# Every system that runs PyTorch has these: glibc, and the C++ library that PyTorch itself is linked to.
OF_SYSTEM = {
    f"lib{name}" for name in ("c.so.6", "m.so.6", "dl.so.2", "pthread.so.0", "rt.so.1", "resolv.so.2", "gcc_s.so.1", "stdc++.so.6")
} | {"ld-linux-x86-64.so.2"}
OF_PACKAGES = ("libtorch", "libc10", "libarrow", "libcud", "libnccl")  # of pip's torch and pyarrow, and of what these require
FOLDERS = [Path(folder) for folder in ("/usr/lib/x86_64-linux-gnu", "/lib/x86_64-linux-gnu", "/usr/lib")]


class Refused(Exception):
    """Why no package can be made."""


@dataclass(frozen=True)
class Source:
    """A Debian package, and what it was built from."""

    package: str
    source: str
    version: str


def path_of(library: str) -> Path:
    for folder in FOLDERS:
        if (folder / library).exists():
            return (folder / library).resolve()
    raise Refused(f"there is no {library} in {', '.join(map(str, FOLDERS))}")


def needed(programs: list[bytes]) -> dict[str, Path]:
    """The libraries that programs of this machine load and neither every system nor pip's packages have: by name, and where they lie."""
    found = {}
    to_read = [symbol_versions.ElfFile(data) for data in programs]
    while to_read:
        for name in to_read.pop().needed():
            if name not in found and name not in OF_SYSTEM and not name.startswith(OF_PACKAGES):
                found[name] = path_of(name)
                to_read.append(symbol_versions.ElfFile(found[name].read_bytes()))
    return dict(sorted(found.items()))


def source_of(library: Path) -> Source:
    """Raises Refused for a library that is no Debian package's: nobody knows its licence."""
    names = [library, *([Path("/") / library.relative_to("/usr")] if library.is_relative_to("/usr") else [])]
    for name in names:
        found = subprocess.run(["dpkg-query", "--search", str(name)], capture_output=True, text=True, check=False)
        if found.returncode == 0:
            package = found.stdout.split(": ")[0]
            told = subprocess.run(
                ["dpkg-query", "--show", "--showformat", "${Package} ${source:Package} ${source:Version}", package],
                capture_output=True,
                text=True,
                check=True,
            )
            return Source(*told.stdout.split(" "))
    raise Refused(f"{library} belongs to no Debian package")


@functools.cache
def patchelf() -> str:
    """Debian's, as all tools of scripts/package.sh are: its version is the release's, and apt checks who signed it."""
    try:
        subprocess.run(["patchelf", "--version"], check=True, capture_output=True)
    except OSError:
        raise Refused("there is no patchelf; run scripts/setup.sh --packages, or apt-get install patchelf") from None
    return "patchelf"


def changed_by(command: list[str], data: bytes) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(data)
        subprocess.run([*command, path], check=True)
        return path.read_bytes()


def stripped(data: bytes) -> bytes:
    """The file without its symbols for debuggers. To be done first: strip may damage what patchelf has written."""
    return changed_by(["strip"], data)


def with_search(data: bytes, folders: list[str]) -> bytes:
    """The file with these folders, and no others, as the places of its libraries."""
    return changed_by([patchelf(), "--set-rpath", ":".join(folders)], data)


def licences(libraries: dict[str, Path], linked_in: tuple[tuple[str, str], ...], own: str) -> bytes:
    """The project's licence `own`, then what Debian says of those of the libraries, and of what is `linked_in`: (what, the package)."""
    texts = {}
    for library, path in libraries.items():
        source = source_of(path)
        texts.setdefault(tree.copyright_text(Path("/"), source.package), {}).setdefault(source, []).append(library)
    parts = [own]
    for text, sources in texts.items():
        lines = [
            f"{', '.join(names)}: Debian's package {each.package}, of the source {each.source} {each.version}"
            for each, names in sources.items()
        ]
        parts.append(
            "\n".join(lines)
            + f"\nThe source: https://snapshot.debian.org/package/{next(iter(sources)).source}/\n\nIts copyright file:\n\n{text}"
        )
    parts += [
        f"{what}, linked in: Debian's copyright file of {package}\n\n{tree.copyright_text(Path('/'), package)}"
        for what, package in linked_in
    ]
    return tree.joined(parts)
