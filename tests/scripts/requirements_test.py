"""usage: requirements_test.py CMAKE: what cmake/MdlRequirements.cmake says of compilers and libraries that are too old."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

CMAKE = sys.argv.pop(1)
MODULE = Path(__file__).resolve().parents[2] / "cmake/MdlRequirements.cmake"


class Requirements(unittest.TestCase):
    def configure(self, compiler, version, json="3.11.3"):
        """The status and what is said, in words."""
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "nlohmann_jsonConfig.cmake").touch()
            (Path(folder) / "nlohmann_jsonConfigVersion.cmake").write_text(
                f"set(PACKAGE_VERSION {json})\nset(PACKAGE_VERSION_COMPATIBLE TRUE)\n"
            )
            words = [f"-DCMAKE_CXX_COMPILER_ID={compiler}", f"-DCMAKE_CXX_COMPILER_VERSION={version}", f"-Dnlohmann_json_DIR={folder}"]
            done = subprocess.run([CMAKE, *words, "-P", MODULE], capture_output=True, text=True)
            return done.returncode, " ".join((done.stdout + done.stderr).split())

    def test_what_is_new_enough_is_taken(self):
        for compiler in (("GNU", "11.4.0"), ("GNU", "14.2.0"), ("Clang", "16.0.6")):
            for json in ("3.11.0", "3.12.0"):
                self.assertEqual(self.configure(*compiler, json), (0, ""))

    def test_an_old_compiler_is_refused_with_both_versions_and_what_to_do(self):
        status, said = self.configure("GNU", "10.2.1")
        self.assertEqual(status, 1)
        self.assertIn(
            "GCC 10.2.1 is too old: 11 or newer is needed, because the launcher is made of C++20's coroutines. Install a newer one", said
        )
        self.assertIn("or use the packages", said)
        self.assertIn("Clang 14.0.0 is too old: 16 or newer is needed", self.configure("Clang", "14.0.0")[1])

    def test_an_old_json_library_is_refused_with_its_place(self):
        status, said = self.configure("GNU", "12.2.0", "3.10.5")
        self.assertEqual(status, 1)
        self.assertIn("nlohmann/json 3.10.5 is too old: 3.11 or newer is needed, for NLOHMANN_DEFINE_TYPE", said)
        self.assertIn("-Dnlohmann_json_DIR=PREFIX/share/cmake/nlohmann_json", said)


if __name__ == "__main__":
    unittest.main()
