"""scripts/package/symbol_versions.py on small made-up files for two processors, on what is built here, and on what is no such file."""

import contextlib
import io
import os
import struct
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts/package"))

import symbol_versions

X86_64, AARCH64 = 62, 183
ADDRESS = 0x400000  # where the file is loaded, so that an address is never an offset
HEADER, SEGMENT = 64, 56


def elf(machine, versions, library="libc.so.6"):
    """A file of one segment that asks `library` for symbols of these versions, and has nothing but what says so."""
    names = b"\0" + library.encode() + b"\0"
    asked = b""
    for number, version in enumerate(versions, 1):
        following = 16 if number < len(versions) else 0
        asked += struct.pack("<IHHII", 0, 0, number + 1, len(names), following)
        names += version.encode() + b"\0"
    need = struct.pack("<HHIII", 1, len(versions), 1, 16, 0) + asked
    dynamic_at = HEADER + 2 * SEGMENT
    need_at = dynamic_at + 5 * 16
    names_at = need_at + len(need)
    dynamic = b"".join(
        struct.pack("<QQ", *entry)
        for entry in [(1, 1), (5, ADDRESS + names_at), (0x6FFFFFFE, ADDRESS + need_at), (0x6FFFFFFF, 1 if versions else 0), (0, 0)]
    )
    size = names_at + len(names)
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 3, machine, 1, 0, HEADER, 0, 0, HEADER, SEGMENT, 2, 0, 0, 0)
    segments = struct.pack("<IIQQQQQQ", 1, 5, 0, ADDRESS, ADDRESS, size, size, 4096)
    segments += struct.pack("<IIQQQQQQ", 2, 6, dynamic_at, ADDRESS + dynamic_at, 0, len(dynamic), len(dynamic), 8)
    return header + segments + dynamic + need + names


class SymbolVersions(unittest.TestCase):
    def check(self, data, *bounds):
        """The status, and what is printed and said of a file with this content."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "program"
            path.write_bytes(data)
            printed, said = io.StringIO(), io.StringIO()
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(said):
                status = symbol_versions.main([*bounds, str(path)])
            return status, printed.getvalue().replace(f"{path}: ", ""), said.getvalue().replace(str(path), "FILE")

    def test_a_file_at_the_bound_is_good(self):
        for machine, name in ((X86_64, "x86_64"), (AARCH64, "aarch64")):
            expected = (0, f"{name}, at most GLIBC_2.28; loads libc.so.6\n", "")
            self.assertEqual(self.check(elf(machine, ["GLIBC_2.9", "GLIBC_2.28", "GLIBC_2.2.5"]), "--glibc", "2.28"), expected)

    def test_a_file_above_the_bound_is_refused_and_the_version_named(self):
        for machine in (X86_64, AARCH64):
            status, _, said = self.check(elf(machine, ["GLIBC_2.28", "GLIBC_2.34"]), "--glibc", "2.28")
            self.assertEqual((status, said), (1, "symbol_versions.py: FILE needs GLIBC_2.34; the bound is GLIBC_2.28\n"))

    def test_a_version_without_a_number_is_above_every_bound(self):
        for version in ("GLIBC_ABI_DT_RELR", "GLIBC_PRIVATE"):
            status, _, said = self.check(elf(X86_64, ["GLIBC_2.2.5", version]), "--glibc", "2.99")
            self.assertEqual(status, 1)
            self.assertIn(version, said)

    def test_the_bound_of_the_cpp_library_is_its_own(self):
        both = elf(X86_64, ["GLIBCXX_3.4.30", "GLIBC_2.17"], "libstdc++.so.6")
        self.assertEqual(self.check(both, "--glibc", "2.28")[0], 0)
        self.assertEqual(self.check(both, "--glibcxx", "3.4.30")[0], 0)
        self.assertEqual(self.check(both, "--glibcxx", "3.4.29")[0], 1)

    def test_the_run_time_libraries_of_the_compiler_have_bounds_of_their_own(self):
        file = elf(X86_64, ["CXXABI_1.3.13", "CXXABI_1.3.9", "GCC_12.0.0"], "libgcc_s.so.1")
        self.assertEqual(self.check(file, "--cxxabi", "1.3.13")[0], 0)
        self.assertEqual(self.check(file, "--cxxabi", "1.3.12")[0], 1)
        status, _, said = self.check(file, "--gcc", "11.0.0")
        self.assertEqual((status, said), (1, "symbol_versions.py: FILE needs GCC_12.0.0; the bound is GCC_11.0.0\n"))

    def test_the_folders_in_which_a_file_looks_for_libraries_are_told_with_empty_ones(self):
        named = elf(X86_64, ["GLIBC_2.2.5"], "$ORIGIN/lib:")
        # The last entry of the dynamic section ends it; the name of the library stands in for the folders.
        at = HEADER + 2 * SEGMENT + 4 * 16
        told = symbol_versions.ElfFile(named[:at] + struct.pack("<QQ", 29, 1) + named[at + 16 :])
        self.assertEqual(told.search(), ["$ORIGIN/lib", ""])
        self.assertEqual(symbol_versions.ElfFile(named).search(), [])

    def test_a_file_that_asks_for_nothing_is_good(self):
        self.assertEqual(self.check(elf(X86_64, []), "--glibc", "2.28")[:2], (0, "x86_64, at most no versions; loads libc.so.6\n"))

    def test_what_is_no_program_or_is_cut_off_is_refused(self):
        whole = elf(X86_64, ["GLIBC_2.28"])
        for data, words in ((b"#!/bin/sh\n", "no ELF file"), (b"", "no ELF file"), (whole[:100], "cut off"), (whole[:-5], "cut off")):
            status, _, said = self.check(data, "--glibc", "2.28")
            self.assertEqual(status, 1, said)
            self.assertIn(words, said)

    def test_the_programs_of_this_build_are_above_or_below_as_the_linker_left_them(self):
        """What CMake builds for this machine alone asks for the C library that is here, of which no bound of 2.28 may be said."""
        program = (Path(os.environ["MDL_BIN_DIR"]) / "mdl-launch").read_bytes()
        here = os.confstr("CS_GNU_LIBC_VERSION").split()[1]
        self.assertEqual(self.check(program, "--glibc", here)[0], 0)
        if symbol_versions.number(here) >= (2, 34):  # whose start of a program is younger than every one before
            self.assertEqual(self.check(program, "--glibc", "2.28")[0], 1)


if __name__ == "__main__":
    unittest.main()
