"""The packages of scripts/package, made of this build's mdl-launch: what is in them, that it is the same each time, and that pip installs it."""

import base64
import csv
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest
import zipfile
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
BIN = Path(os.environ["MDL_BIN_DIR"])
TIME = 1_750_000_000
COMMANDS = ("launch", "config", "env", "doctor", "status")
PAGES = {"mdl-launch.1", *(f"mdl-launch-{command}.1" for command in COMMANDS)}


def run(*words, **options):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=120, **options)


def bash_completes(*words):
    """What bash offers for the last of these words, the others being typed. As bash does, `=` is a word of its own."""
    script = (PACKAGES.manual / "completions/bash").read_text()
    ask = 'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _mdl_launch; printf "%s\\n" "${COMPREPLY[@]}"'
    done = run("bash", "--norc", "-c", f"{script}\n{ask}", "bash", "mdl-launch", *words, cwd=PACKAGES.empty)
    assert not done.stderr, done.stderr
    return done.stdout.split()


class Packages:
    def __init__(self):
        self.folder = Path(tempfile.mkdtemp())
        self.manual, self.dist, self.empty = (self.folder / name for name in ("manual", "dist", "empty"))
        self.empty.mkdir()
        subprocess.run([BIN / "write_manual", self.manual], check=True)
        self.version = run(BIN / "mdl-launch", "--version").stdout.split()[1]
        self.make(self.dist)

    def make(self, output):
        words = ["--program", BIN / "mdl-launch", "--manual", self.manual, "--version", self.version, "--time", TIME, "--output", output]
        done = run(sys.executable, SOURCE / "scripts/package/make.py", *words)
        assert done.returncode == 0, done.stderr

    def one(self, pattern):
        (path,) = self.dist.glob(pattern)
        return path


PACKAGES = None


def setUpModule():
    global PACKAGES
    # What scripts/package.sh needs: it is for Debian 12.
    if not shutil.which("dpkg-deb") or not Path("/usr/share/doc/libboost1.74-dev/copyright").exists():
        raise unittest.SkipTest("this is no Debian with Boost 1.74: no packages are made here")
    PACKAGES = Packages()


def tearDownModule():
    shutil.rmtree(PACKAGES.folder)


class Wheel(unittest.TestCase):
    def test_the_record_is_of_exactly_the_files_in_it(self):
        for pattern in ("mdl_launch-*.whl", "mdl_launch_as_torchrun-*.whl"):
            with zipfile.ZipFile(PACKAGES.one(pattern)) as archive:
                (record,) = (name for name in archive.namelist() if name.endswith(".dist-info/RECORD"))
                rows = {name: (digest, size) for name, digest, size in csv.reader(io.StringIO(archive.read(record).decode()))}
                self.assertEqual(set(rows), set(archive.namelist()))
                self.assertEqual(rows.pop(record), ("", ""))
                for name, (digest, size) in rows.items():
                    data = archive.read(name)
                    kind, value = digest.split("=", 1)
                    self.assertEqual((kind, int(size)), ("sha256", len(data)))
                    self.assertEqual(base64.urlsafe_b64decode(value + "="), hashlib.sha256(data).digest(), name)

    def test_its_name_says_the_oldest_c_library_that_it_starts_with(self):
        name = PACKAGES.one("mdl_launch-*.whl").name
        found = re.fullmatch(rf"mdl_launch-{re.escape(PACKAGES.version)}-py3-none-manylinux_2_(\d+)_(x86_64|aarch64)\.whl", name)
        self.assertTrue(found, name)
        here = int(os.confstr("CS_GNU_LIBC_VERSION").rsplit(".", 1)[1])
        self.assertTrue(28 <= int(found[1]) <= here, name)

    def test_pip_installs_it_and_its_names_read_their_own_command_lines(self):
        place = PACKAGES.folder / "venv"
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
        # By their names, of the folder with everything: pip must not take another file for them.
        words = ["-q", "--disable-pip-version-check", "--no-index", "--find-links", PACKAGES.dist]
        done = run(place / "bin/pip", "install", *words, "mdl-launch", "mdl-launch-as-torchrun")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(run(place / "bin/mdl-launch", "--version").stdout, run(BIN / "mdl-launch", "--version").stdout)
        self.assertTrue((place / "share/man/man1/mdl-launch-doctor.1").exists())
        self.assertTrue((place / "share/bash-completion/completions/mdl-launch").exists())

        clean = {name: value for name, value in os.environ.items() if not name.startswith("PET_")}
        words = ("--standalone", "--nproc-per-node", "2", "--no-python", "sh", "-c", "echo $$RANK")
        done = run(place / "bin/torchrun", *words, env=clean)
        self.assertEqual((done.returncode, sorted(done.stdout.split())), (0, ["0", "1"]), done.stderr)
        # A program of a command's name: torchrun has no commands.
        done = run(place / "bin/torchrun", "status", env=clean, cwd=PACKAGES.empty)
        self.assertIn("status", done.stderr)
        self.assertNotIn("--rdzv-endpoint", done.stderr)
        done = run(place / "bin/accelerate", "launch", "--dry-run", "--cpu", "train.py", env={**clean, "HF_HOME": str(PACKAGES.empty)})
        self.assertEqual(done.returncode, 0, done.stderr)
        done = run(place / "bin/accelerate", "merge-weights")
        self.assertEqual(done.returncode, 2)
        self.assertIn("needs Python's accelerate", done.stderr)


class Archives(unittest.TestCase):
    def test_the_same_input_makes_the_same_bytes(self):
        again = PACKAGES.folder / "again"
        PACKAGES.make(again)
        sums = (PACKAGES.dist / "SHA256SUMS").read_text()
        self.assertEqual((again / "SHA256SUMS").read_text(), sums)
        files = {path.name for path in PACKAGES.dist.iterdir()} - {"SHA256SUMS"}
        self.assertEqual({line.split("  ")[1] for line in sums.splitlines()}, files)
        self.assertEqual(len(files), 5)
        self.assertEqual(run("sha256sum", "-c", "SHA256SUMS", cwd=PACKAGES.dist).returncode, 0)

    def test_the_archive_has_the_program_the_pages_the_completions_and_the_licences(self):
        with tarfile.open(PACKAGES.one("*.tar.gz")) as archive:
            stem = PACKAGES.one("*.tar.gz").name.removesuffix(".tar.gz")
            names = {entry.name.removeprefix(stem + "/") for entry in archive}
            self.assertTrue({f"share/man/man1/{page}" for page in PAGES} < names)
            self.assertTrue({"share/zsh/site-functions/_mdl-launch", "share/fish/vendor_completions.d/mdl-launch.fish"} < names)
            self.assertEqual(archive.getmember(f"{stem}/bin/mdl-launch").mode, 0o755)
            self.assertEqual({entry.mtime for entry in archive}, {TIME})
            licences = archive.extractfile(f"{stem}/share/doc/mdl-launch/LICENSES.txt").read().decode()
        for words in ("Boost Software License", "yaml-cpp", "nlohmann", "Mbed TLS", "RUNTIME LIBRARY EXCEPTION", "Apache License"):
            self.assertIn(words.lower(), licences.lower())

    def test_the_debian_packages_have_the_files_and_depend_on_the_c_library(self):
        package = PACKAGES.one("mdl-launch_*.deb")
        told = run("dpkg-deb", "--field", package).stdout
        self.assertRegex(told, r"Depends: libc6 \(>= 2\.\d+\)")
        self.assertIn("Version: " + PACKAGES.version.replace(".dev", "~dev"), told)
        listed = run("dpkg-deb", "--contents", package).stdout
        for path in (
            "-rwxr-xr-x root/root",
            "./usr/bin/mdl-launch\n",
            "./usr/share/man/man1/mdl-launch-config.1.gz",
            "./usr/share/doc/mdl-launch/copyright",
        ):
            self.assertIn(path, listed)
        names = run("dpkg-deb", "--contents", PACKAGES.one("mdl-launch-as-torchrun_*.deb")).stdout
        self.assertIn("./usr/bin/torchrun -> mdl-launch", names)
        self.assertIn("./usr/bin/accelerate -> mdl-launch", names)
        self.assertIn("./usr/share/man/man1/torchrun.1.gz -> mdl-launch.1.gz", names)


class Manual(unittest.TestCase):
    def test_the_pages_are_those_of_all_commands_and_have_their_options(self):
        self.assertEqual({path.name for path in (PACKAGES.manual / "man1").iterdir()}, PAGES)
        for page in PAGES:
            text = (PACKAGES.manual / "man1" / page).read_text().replace("\\", "")
            command = page.removesuffix(".1").removeprefix("mdl-launch").lstrip("-")
            told = run(BIN / "mdl-launch", *([command] if command else []), "--help").stdout
            options = set(re.findall(r"^  (?:-\w, )?(--[a-z0-9-]+)", told, re.M))
            self.assertTrue(options)
            self.assertEqual(options, set(re.findall(r"^(?:fB-\wfR, )?fB(--[a-z0-9-]+)fR", text, re.M)), page)


class Completions(unittest.TestCase):
    def test_the_shells_can_read_theirs(self):
        read = []
        for shell, options in (("bash", ["-n"]), ("zsh", ["-n"]), ("fish", ["-n"])):
            if shutil.which(shell):
                done = run(shell, *options, PACKAGES.manual / "completions" / shell)
                self.assertEqual((done.returncode, done.stderr), (0, ""), shell)
                read.append(shell)
        self.assertIn("bash", read)

    def test_bash_completes_commands_options_and_values(self):
        self.assertEqual(bash_completes("doc"), ["doctor"])
        self.assertEqual(bash_completes("--rdzv-e"), ["--rdzv-endpoint"])
        self.assertEqual(bash_completes("--rdzv-backend", ""), ["static", "c10d"])
        self.assertEqual(bash_completes("--rdzv_backend", "c"), ["c10d"])
        self.assertEqual(bash_completes("--rdzv-backend", "="), ["static", "c10d"])
        self.assertEqual(bash_completes("--standalone", "--nproc-per-node", "=", "g"), ["gpu"])
        self.assertEqual(bash_completes("--numa-binding", "core"), ["core-complex"])
        self.assertEqual(bash_completes("config", "def"), ["default"])
        self.assertEqual(bash_completes("launch", "--mixed-precision", "f"), ["fp16"])
        self.assertEqual(bash_completes("launch", "--dynamo-backend", "induc"), ["inductor"])
        self.assertEqual(bash_completes("doctor", "--json", "--wa"), ["--wait"])

    @unittest.skipUnless(shutil.which("fish"), "fish is not installed")
    def test_fish_completes_commands_options_and_values(self):
        script = PACKAGES.manual / "completions/fish"
        lines = {"mdl-launch doc": {"doctor"}, "mdl-launch --rdzv-backend ": {"static", "c10d"}, "mdl-launch config --la": {"--lang"}}
        for line, expected in lines.items():
            done = run(
                "fish", "--no-config", "-c", f"source {script}; complete -C '{line}'", cwd=PACKAGES.empty, env={**os.environ, "HOME": "/"}
            )
            self.assertEqual({row.split("\t")[0] for row in done.stdout.splitlines()}, expected, done.stderr)

    def test_bash_completes_files_behind_the_program_and_where_one_is_a_value(self):
        (PACKAGES.empty / "train.py").touch()
        for words in (["tr"], ["train.py", "--data", "tr"], ["--log-dir", "tr"], ["launch", "--config-file", "tr"]):
            self.assertEqual(bash_completes(*words), ["train.py"])
        self.assertEqual(bash_completes("train.py", "--rdzv-e"), [])


if __name__ == "__main__":
    unittest.main()
