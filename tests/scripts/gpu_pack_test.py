"""scripts/gpu/pack.sh and archive.sh, as far as they come without a build."""

import random
import subprocess
import tarfile
import tempfile
import unittest
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts/gpu"


def run(name, *arguments):
    done = subprocess.run([SCRIPTS / name, *map(str, arguments)], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


class GpuPack(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        (self.folder / "packed").mkdir()
        self.archive = self.folder / "made.tar.xz"

    def test_a_folder_below_the_limit_is_packed_with_its_name(self):
        (self.folder / "packed/program").write_text("text\n")
        status, said = run("archive.sh", self.folder / "packed", self.archive)
        self.assertEqual((status, said), (0, f"{self.archive}: {self.archive.stat().st_size} bytes of at most {64 << 20}\n"))
        with tarfile.open(self.archive) as archive:
            self.assertEqual(archive.getnames(), ["packed", "packed/program"])

    def test_one_above_it_is_refused_and_leaves_nothing(self):
        (self.folder / "packed/noise").write_bytes(random.randbytes(20_000))
        status, said = run("archive.sh", self.folder / "packed", self.archive, 10_000)
        self.assertEqual(status, 1)
        self.assertRegex(said, rf"{self.archive} would have \d+ bytes, more than 10000")
        self.assertEqual([path.name for path in self.folder.iterdir()], ["packed"])

    def test_mistakes_are_told_before_anything_is_built(self):
        self.assertEqual(run("pack.sh", "--torch", "2.11"), (2, "pack.sh: --torch needs a version such as 2.11.0\n"))
        status, said = run("pack.sh", "--toch", "2.11.0")
        self.assertEqual((status, said.splitlines()[0]), (2, "pack.sh: unknown option --toch"))


if __name__ == "__main__":
    unittest.main()
