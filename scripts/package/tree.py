"""What an installation of mdl-launch is made of, as files in memory. The packages differ only in the places and the wrapping."""

import gzip
import hashlib
import io
import os
import tarfile
from dataclasses import dataclass
from pathlib import Path

# What is linked into mdl-launch: (who, the Debian package with the text of its licence, where that lies). A folder of the sysroot or "/".
LINKED_IN = (
    ("Boost (headers)", "libboost1.74-dev"),
    ("yaml-cpp", "libyaml-cpp-dev"),
    ("Mbed TLS", "libmbedtls-dev"),
    ("JSON for Modern C++ (headers)", "nlohmann-json3-dev"),
    ("libstdc++, GPL 3 with GCC's run-time library exception", "gcc-12-base"),
    ("libgcc's unwinder, GPL 3 with GCC's run-time library exception", "gcc-10-base"),
    ("the start of a program (crt1.o and others) of glibc", "libc6-dev"),
)


@dataclass
class File:
    data: bytes
    mode: int = 0o644


LONG = 200_000
VERSION = r"\d+(\.\d+)*((a|b|rc)\d+)?(\.post\d+)?(\.dev\d+)?(\+[a-z0-9.]+)?"  # as PEP 440 writes them


def without_files(text: str) -> str:
    """The licences of a copyright file, without the list of who holds the rights to which of its (thousands of) files."""
    paragraphs = text.split("\n\n")
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph.startswith("License:") and "\n" in paragraph)


def licences(root: Path, own: str) -> bytes:
    """The project's licence `own`, then the text of each licence of what is linked in, from the packages that it was linked from."""
    parts = [own]
    for name, package in LINKED_IN:
        # An ordinary build has the unwinder of its own compiler.
        if package != "gcc-10-base" or copyright_file(root, package).exists():
            parts.append(f"{name}: Debian's copyright file of {package}\n\n{copyright_text(root, package)}")
    return joined(parts)


def copyright_file(root: Path, package: str) -> Path:
    return root / "usr/share/doc" / package / "copyright"


def copyright_text(root: Path, package: str) -> str:
    """What Debian says of a package's licences, without what is too long to be read."""
    text = copyright_file(root, package).read_text(errors="replace")
    return text if len(text) < LONG else without_files(text)


def joined(parts: list[str]) -> bytes:
    """Licences one below the other."""
    return f"\n{'=' * 100}\n\n".join(part.rstrip() + "\n" for part in parts).encode()


@dataclass
class Places:
    """Folders below the prefix, which differ between Debian and what is built from source."""

    zsh: str = "share/zsh/site-functions"
    bash: str = "share/bash-completion/completions"
    fish: str = "share/fish/vendor_completions.d"


def share(manual: Path, places: Places, pages_gzipped: bool = False) -> dict[str, File]:
    """Manual pages and completions, by path below the prefix."""
    files = {}
    for page in sorted((manual / "man1").glob("*.1")):
        data = page.read_bytes()
        name = f"share/man/man1/{page.name}"
        files[name + ".gz" if pages_gzipped else name] = File(gzip.compress(data, 9, mtime=0) if pages_gzipped else data)
    completions = {"bash": f"{places.bash}/mdl-launch", "zsh": f"{places.zsh}/_mdl-launch", "fish": f"{places.fish}/mdl-launch.fish"}
    for shell, path in completions.items():
        files[path] = File((manual / "completions" / shell).read_bytes())
    return files


def tar(files: dict[str, File], time: int) -> bytes:
    """A .tar.gz that depends on nothing but its files and the time that it gives all of them."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, file in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.mtime = len(file.data), file.mode, time
            entry.uname = entry.gname = "root"
            archive.addfile(entry, io.BytesIO(file.data))
    return gzip.compress(buffer.getvalue(), 9, mtime=time)


def replace(folder: Path, made: dict[str, bytes], older: list[str]) -> None:
    """Writes these packages, then removes those of the patterns `older` that are not among them, and writes SHA256SUMS anew. What else lies in
    the folder stays. Where a package cannot be written, all is as it was. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    write_files(folder, made)
    for pattern in older:
        for path in folder.glob(pattern):
            if path.name not in made:
                path.unlink()
    write_sums(folder)


def write_files(folder: Path, files: dict[str, bytes]) -> None:
    """All of them, or none: each gets its name when all are written."""
    parts = {folder / f".{name}.part": folder / name for name in files}
    try:
        for (part, _), data in zip(parts.items(), files.values(), strict=True):
            with part.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        for part, path in parts.items():
            part.replace(path)
    finally:
        for part in parts:
            part.unlink(missing_ok=True)


def write_sums(folder: Path) -> None:
    """SHA256SUMS of the files in the folder; folders, and what is hidden, are no packages."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != "SHA256SUMS" and not path.name.startswith("."))
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    write_files(folder, {"SHA256SUMS": "".join(lines).encode()})
