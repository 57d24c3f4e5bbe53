"""cmake/write_version.cmake in small repositories: which version a commit has, and when packages of it are refused. CMake is the argument."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
CMAKE = Path(sys.argv.pop(1)).absolute()
sys.path.insert(0, str(REPOSITORY / "scripts/package"))
sys.dont_write_bytecode = True

import deb  # noqa: E402
import tree  # noqa: E402


@unittest.skipUnless(shutil.which("git"), "git is not installed")
class Version(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.source = self.folder / "source"
        self.clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        self.clean |= {"HOME": str(self.folder), "LC_ALL": "C.UTF-8", "MDL_NO_SETUP": "1", "PATH": f"{CMAKE.parent}:{os.environ['PATH']}"}
        for name in ("CMakeLists.txt", "scripts/package.sh", "scripts/lib.sh", "cmake/write_version.cmake"):
            (self.source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, self.source / name)
        self.git("init", "-q")
        self.git("add", ".")
        for message in ("one", "two"):
            self.git("commit", "-q", "--allow-empty", "-m", message)

    def git(self, *words):
        who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        done = subprocess.run(["git", *who, *words], cwd=self.source, env=self.clean, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def version(self, **variables):
        """The version, the commit, and what was said, in one line."""
        header = self.folder / "version.h"
        words = [CMAKE, f"-DSOURCE={self.source}", "-DVERSION=0.1.0", f"-DOUTPUT={header}", "-P", REPOSITORY / "cmake/write_version.cmake"]
        done = subprocess.run(words, env={**self.clean, **variables}, capture_output=True, text=True, check=True, timeout=60)
        version, commit = (line.split('"')[1] for line in header.read_text().splitlines())
        return version, commit, " ".join(done.stderr.split())

    def package(self, **variables):
        """What package.sh says, which fails: at the latest where it is to fetch a system."""
        words = ["bash", self.source / "scripts/package.sh", "--launcher-only"]
        done = subprocess.run(words, env={**self.clean, **variables}, capture_output=True, text=True, check=False, timeout=60)
        self.assertNotEqual(done.returncode, 0)
        return " ".join((done.stdout + done.stderr).split())

    def test_a_commit_is_numbered_and_packages_are_made(self):
        commit = self.git("rev-parse", "HEAD")
        self.assertEqual(self.version(), (f"0.1.0.dev2+g{commit[:7]}", commit, ""))
        self.assertIn("sysroot.sh: No such file", self.package())
        (self.source / "scripts/lib.sh").write_text("")
        self.assertEqual(self.version()[0], f"0.1.0.dev2+g{commit[:7]}.dirty")

    def test_where_git_fails_the_version_is_no_release_and_no_package_is_made(self):
        programs = self.folder / "programs"
        programs.mkdir()
        for tool in ("bash", "dirname", "mkdir", "stat", "cat"):
            (programs / tool).symlink_to(shutil.which(tool))
        (programs / "cmake").symlink_to(CMAKE)
        for variables, reason in (
            ({"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"}, "dubious ownership"),
            ({"GIT_DIR": "/nowhere"}, "not a git repository: '/nowhere'"),
            ({"PATH": str(programs)}, "git: "),
        ):
            version, commit, said = self.version(**variables)
            self.assertEqual((version, commit), ("0.1.0.dev0", ""), variables)
            self.assertIn(reason, said)
            said = self.package(**variables)
            self.assertIn("git cannot read", said)
            self.assertIn(reason, said)
            self.assertNotIn("sysroot", said)

    def test_a_source_without_git_is_the_release(self):
        shutil.rmtree(self.source / ".git")
        self.assertEqual(self.version(), ("0.1.0", "", ""))

    def test_a_shallow_clone_is_built_with_a_warning_and_not_packaged(self):
        (self.source / ".git").rename(self.folder / "whole")
        subprocess.run(["git", "clone", "-q", "--bare", "--depth=1", f"file://{self.folder}/whole", self.source / ".git"], check=True)
        self.git("config", "core.bare", "false")
        self.git("reset", "-q")
        version, _, said = self.version()
        self.assertRegex(version, r"^0\.1\.0\.dev1\+g\w{7}$")
        self.assertIn("git fetch --unshallow", said)
        self.assertIn("git fetch --unshallow", self.package())
        self.git("tag", "v1.2.3")
        self.assertEqual(self.version()[::2], ("1.2.3", ""))
        self.assertIn("sysroot.sh: No such file", self.package())

    def test_tags_are_versions_as_pep_440_writes_them(self):
        for tag in ("v1.2.3-rc.1", "v2test", 'v1.0";x', "v1.0;x"):
            self.git("tag", tag)
            self.assertRegex(self.version()[0], r"^0\.1\.0\.dev2\+g\w{7}$")
            self.assertIn(f"the tag {tag} is no version", self.package())
            self.git("tag", "-d", tag)
        self.git("tag", "v2test")
        for tag in ("v1.2.3a1", "v1.2.3rc1", "v1.2.3", "v1.2.3.post1"):  # each newer than those before it
            self.git("tag", tag)
            self.assertEqual(self.version()[::2], (tag[1:], ""))
            self.assertRegex(tag[1:], f"^{tree.VERSION}$")
            self.assertIn("sysroot.sh: No such file", self.package())

    def test_debian_has_the_versions_in_the_same_order(self):
        self.assertEqual(deb.debian_version("1.2.3rc1.dev4+ga1b2"), "1.2.3~rc1~dev4+ga1b2")
        self.assertEqual(deb.debian_version("1.2.3.post1"), "1.2.3.post1")


if __name__ == "__main__":
    unittest.main()
