"""What the makers of packages do to dist/: they replace their own packages, once the new ones are written, and leave all else."""

import hashlib
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "scripts/package"
sys.path.insert(0, str(PACKAGE))
sys.dont_write_bytecode = True

import make  # noqa: E402
import tree  # noqa: E402
import wheel  # noqa: E402


class Dist(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.dist = Path(folder.name) / "dist"
        self.dist.mkdir()

    def names(self):
        return sorted(path.name for path in self.dist.iterdir())

    def test_only_packages_of_the_kind_that_is_made_are_replaced(self):
        stay = [
            "mdl-launch_1.0_arm64.deb",
            "mdl_launch-1.0-py3-none-manylinux_2_28_aarch64.whl",
            "mdl_toolkit_native-1.0+torch2.11-py3-none-manylinux_2_34_x86_64.whl",
            "torch-2.15.0-cp311-cp311-manylinux_2_28_x86_64.whl",
        ]
        go = [
            "mdl-launch-as-torchrun_1.0_all.deb",
            "mdl-launch_1.0_amd64.deb",
            "mdl-launch_1.0_linux_x86_64.tar.gz",
            "mdl_launch-1.0-py3-none-manylinux_2_28_x86_64.whl",
            "mdl_launch_as_torchrun-1.0-py3-none-any.whl",
        ]
        for name in stay + go:
            (self.dist / name).write_text(name)
        (self.dist / "folder").mkdir()
        made = "mdl-launch_1.1_amd64.deb"
        tree.replace(self.dist, {made: b"new"}, make.older("x86_64"))
        self.assertEqual(self.names(), sorted([*stay, made, "folder", "SHA256SUMS"]))
        sums = dict(reversed(line.split("  ")) for line in (self.dist / "SHA256SUMS").read_text().splitlines())
        self.assertEqual(set(sums), {*stay, made})
        self.assertEqual(sums[made], hashlib.sha256(b"new").hexdigest())

    def test_where_there_is_no_room_the_old_package_stays(self):
        old = self.dist / "mdl_launch-1.0-py3-none-manylinux_2_28_x86_64.whl"
        old.write_text("old")
        script = (
            "import pathlib, resource, sys, make, tree; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000));"
            "tree.replace(pathlib.Path(sys.argv[1]), {'a.whl': b'a', sys.argv[2]: b'x' * 2000}, make.older('x86_64'))"
        )
        words = [sys.executable, "-B", "-c", script, self.dist, old.name]
        done = subprocess.run(words, cwd=PACKAGE, capture_output=True, text=True, timeout=60)
        self.assertIn("File too large", done.stderr)
        self.assertEqual(self.names(), [old.name])
        self.assertEqual(old.read_text(), "old")

    def test_a_time_before_that_of_archives_is_their_first(self):
        _, early = wheel.wheel("name", "1.0", "py3-none-any", "", {}, b"", 0)
        _, first = wheel.wheel("name", "1.0", "py3-none-any", "", {}, b"", wheel.FIRST_TIME)
        self.assertEqual(early, first)

    def test_a_command_of_a_name_finds_mdl_launch_through_a_link(self):
        environment, other = self.dist / "bin", self.dist / "other"
        environment.mkdir()
        other.mkdir()
        for name, text in {"torchrun": make.NAME_SCRIPT.format(name="torchrun"), "mdl-launch": '#!/bin/sh\necho "started $*"\n'}.items():
            (environment / name).write_text(text)
            (environment / name).chmod(0o755)
        (other / "torchrun").symlink_to("../bin/torchrun")
        done = subprocess.run([other / "torchrun", "a b"], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.stdout, "started a b\n", done.stderr)


if __name__ == "__main__":
    unittest.main()
