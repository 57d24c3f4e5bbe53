#!/usr/bin/env python3
"""Which versions of the C and C++ libraries an ELF file asks for, and whether they stay below a bound.

usage: symbol_versions.py [--glibc 2.28] [--glibcxx 3.4.29] [--cxxabi 1.3.13] [--gcc 11.0.0] FILE…

Prints a line for each file. Ends with 1 where a file needs a newer version than the bound, and says which. Without a bound it only prints.
Reads the file itself (64 bits, little-endian), so that files for other processors need no tools of theirs.
"""

import argparse
import re
import struct
import sys
from pathlib import Path

PT_LOAD, PT_DYNAMIC = 1, 2
DT_NEEDED, DT_STRTAB, DT_RPATH, DT_RUNPATH, DT_VERNEED, DT_VERNEEDNUM = 1, 5, 15, 29, 0x6FFFFFFE, 0x6FFFFFFF
PROCESSORS = {62: "x86_64", 183: "aarch64"}


class ElfFile:
    """What the dynamic linker reads of a file. Raises ValueError where it is none, or cut off."""

    def __init__(self, data: bytes):
        if data[:6] != b"\x7fELF\x02\x01":
            raise ValueError("no ELF file of 64 bits, little-endian")
        self.data = data
        machine, segments, size, count = self.unpack("<16x2xH12xQ14xHH", 0)
        self.processor = PROCESSORS.get(machine, f"processor {machine}")
        self.loaded, self.dynamic = [], []
        for at in range(segments, segments + size * count, size):
            kind, offset, address, length = self.unpack("<I4xQQ8xQ", at)
            if kind == PT_LOAD:
                self.loaded.append((address, offset, length))
            elif kind == PT_DYNAMIC:
                self.dynamic = [self.unpack("<QQ", entry) for entry in range(offset, offset + length, 16)]

    def unpack(self, form: str, offset: int) -> tuple:
        try:
            return struct.unpack_from(form, self.data, offset)
        except struct.error:
            raise ValueError("the file is cut off") from None

    def offset(self, address: int) -> int:
        for start, offset, length in self.loaded:
            if start <= address < start + length:
                return offset + address - start
        raise ValueError("it points outside itself")

    def entry(self, tag: int) -> int:
        return next((value for name, value in self.dynamic if name == tag), 0)

    def text(self, index: int) -> str:
        begin = self.offset(self.entry(DT_STRTAB)) + index
        end = self.data.find(b"\0", begin)
        if end < 0:
            raise ValueError("the file is cut off")
        return self.data[begin:end].decode(errors="replace")

    def needed(self) -> list[str]:
        """The libraries that it loads."""
        return [self.text(value) for name, value in self.dynamic if name == DT_NEEDED]

    def search(self) -> list[str]:
        """The folders in which it has the loader look for them; an empty one is the current folder."""
        paths = [self.text(value) for tag in (DT_RUNPATH, DT_RPATH) for name, value in self.dynamic if name == tag]
        return [folder for path in paths for folder in path.split(":")]

    def versions(self) -> dict[str, set[str]]:
        """The versions of symbols that it asks for, by library."""
        found = {}
        at = self.offset(self.entry(DT_VERNEED)) if self.entry(DT_VERNEEDNUM) else 0
        for _ in range(self.entry(DT_VERNEEDNUM)):
            count, file, first, following = self.unpack("<2xHIII", at)
            names = found.setdefault(self.text(file), set())
            version = at + first
            for _ in range(count):
                name, next_version = self.unpack("<8xII", version)
                names.add(self.text(name))
                version += next_version
            at += following
            if not following:
                break
        return found


def number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def newest(elf: ElfFile, family: str) -> str | None:
    """The newest version of a family, such as "2.28" of GLIBC; None where it asks for none. One without a number is newer than all."""
    names = [name for names in elf.versions().values() for name in names if name.startswith(family + "_")]
    numbers = [name[len(family) + 1 :] for name in names]
    odd = [text for text in numbers if not re.fullmatch(r"[0-9.]*[0-9]", text)]
    return odd[0] if odd else max(numbers, key=number, default=None)


def above(version: str | None, bound: str | None) -> bool:
    if not version or not bound:
        return False
    return not re.fullmatch(r"[0-9.]*[0-9]", version) or number(version) > number(bound)


def beyond(elf: ElfFile, bounds: dict[str, str | None]) -> list[str]:
    """What a file asks for above its bounds, by family: "GLIBC_2.36; the bound is GLIBC_2.34"."""
    found = {family: newest(elf, family) for family in bounds}
    return [f"{name}_{found[name]}; the bound is {name}_{bound}" for name, bound in bounds.items() if above(found[name], bound)]


def check(path: str, bounds: dict[str, str | None]) -> bool:
    """Prints what the file asks for; False where that is above a bound, or where it is no such file."""
    try:
        elf = ElfFile(Path(path).read_bytes())
        found = {family: newest(elf, family) for family in bounds}
        loads = " ".join(elf.needed()) or "nothing"
    except (OSError, ValueError) as error:
        print(f"symbol_versions.py: {path}: {error}", file=sys.stderr)
        return False
    told = ", ".join(f"{family}_{version}" for family, version in found.items() if version) or "no versions"
    print(f"{path}: {elf.processor}, at most {told}; loads {loads}")
    too_new = beyond(elf, bounds)
    for line in too_new:
        print(f"symbol_versions.py: {path} needs {line}", file=sys.stderr)
    return not too_new


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--glibc", metavar="VERSION")
    parser.add_argument("--glibcxx", metavar="VERSION")
    parser.add_argument("--cxxabi", metavar="VERSION")
    parser.add_argument("--gcc", metavar="VERSION")
    parser.add_argument("files", nargs="+", metavar="FILE")
    options = parser.parse_args(arguments)
    bounds = {"GLIBC": options.glibc, "GLIBCXX": options.glibcxx}
    bounds |= {family: bound for family, bound in (("CXXABI", options.cxxabi), ("GCC", options.gcc)) if bound}
    return 0 if all([check(path, bounds) for path in options.files]) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
