"""scripts/setup.sh on systems that are made of stand-ins: only they are on PATH. No network, no root, nothing installed."""

import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
TOOLS = "bash awk basename cat cmp cp dirname env head ln ls mkdir paste rm sed sort".split()

# Each writes what it was asked to the log where that would change the system. `missing` holds what the stand-in for the compiler does not find,
# `unknown` what apt has never heard of.
STANDINS = {
    "c++": """text=$(cat)
        for name in $(cat "$STATE/missing"); do
          case "$text $* " in *"<$name>"* | *"-l$name "*) exit 1 ;; *"lib$name.a"*) echo "lib$name.a"; exit ;; esac
        done
        case "$*" in -print-file-name*) echo "$STATE/missing" ;; -E*) echo "$STATE_COMPILER" ;; esac""",
    "apt-get": """echo "apt-get $*" >>"$STATE/log"
        case " $STATE_APT_FAILS " in *" $1 "* | *" ${5:-none} "*) exit 100 ;; esac
        case "$*" in install*) : >"$STATE/missing" ;; esac""",
    "apt-cache": 'case " $(cat "$STATE/unknown") " in *" $2 "*) exit 100 ;; esac',
    "dnf": 'echo "dnf $*" >>"$STATE/log"',
    "id": 'echo "$STATE_UID"',
    "uname": "echo x86_64",
    "cmake": 'echo "cmake version $STATE_CMAKE"',
    # A Python of a version, which makes environments whose pip writes down what it is to install, and installs a CMake.
    "python3": r"""case "$1 $2" in
        "-c import "*)
          case "$2" in *ensurepip*) [ -z "$STATE_NO_VENV" ] || exit 1 ;; esac
          case "$2" in
            *version_info\[*) echo "$STATE_PYTHON" ;;
            *version_info*) needed=${2##*< (}; minor=${needed#*, }; [ "$(echo "$STATE_PYTHON" | cut -d. -f2)" -ge "${minor%%)*}" ] ;;
          esac ;;
        "-m venv") mkdir -p "$3/bin"; cp "$0" "$3/bin/python" ;;
        "-m pip")
          echo "pip $*" >>"$STATE/log"
          for name in cmake ctest; do printf '#!/bin/sh\necho "cmake version 3.31.6"\n' >"${0%/*}/$name"; chmod +x "${0%/*}/$name"; done ;;
        esac""",
}
SYSTEMS = {"debian": ("apt-get", "apt-cache"), "redhat": ("dnf",), "both": ("apt-get", "apt-cache", "dnf"), "other": ()}


class Setup(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.state, self.programs = self.folder / "state", self.folder / "programs"
        (self.folder / "scripts").mkdir()
        for name in ("setup.sh", "lib.sh"):
            shutil.copy(REPOSITORY / "scripts" / name, self.folder / "scripts")
        shutil.copytree(REPOSITORY / "scripts/setup", self.folder / "scripts/setup")
        python = self.folder / "scripts/setup/python.sh"
        python.write_text(python.read_text().replace(" /usr/bin/python3 ", " "))  # which this machine may have
        for path in REPOSITORY.glob("scripts/requirements*.txt"):
            shutil.copy(path, self.folder / "scripts")
        self.programs.mkdir()
        for tool in [*TOOLS, "cut", "chmod"]:
            (self.programs / tool).symlink_to(shutil.which(tool))
        for tool in "ninja ccache pkg-config".split():
            self.program(tool, "true")
        for name in set(STANDINS) - {name for names in SYSTEMS.values() for name in names}:
            self.program(name, STANDINS[name])
        self.state.mkdir()
        self.has("missing", "")
        self.has("unknown", "")
        self.has("log", "")

    def program(self, name, body):
        path = self.programs / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def has(self, name, text):
        (self.state / name).write_text(text)

    def setup(
        self,
        *options,
        system="debian",
        release="",
        uid=1000,
        cmake="3.25.1",
        python="3.11.2",
        venv=True,
        compiler="12 __clang_major__",
        **variables,
    ):
        """The status, what was said, and what changed the system."""
        for name in SYSTEMS[system]:
            self.program(name, STANDINS[name])
        (self.folder / "os-release").write_text(release)
        environment = {
            "PATH": str(self.programs),
            "STATE": str(self.state),
            "STATE_UID": str(uid),
            "STATE_CMAKE": cmake,
            "STATE_PYTHON": python,
            "STATE_COMPILER": compiler,
            "STATE_NO_VENV": "" if venv else "1",
            "MDL_OS_RELEASE": str(self.folder / "os-release"),
            "LC_ALL": "C.UTF-8",
            "STATE_APT_FAILS": "",
            **variables,
        }
        words = [self.programs / "bash", "scripts/setup.sh", *options]
        done = subprocess.run(words, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout + done.stderr, (self.state / "log").read_text().splitlines()

    def test_what_is_there_is_enough_whoever_installed_it(self):
        """There is no dpkg and no root: what counts is what the compiler finds."""
        self.assertEqual(self.setup("--launcher-only")[::2], (0, []))

    def test_root_installs_with_apt_what_is_missing_and_only_that(self):
        self.has("missing", "yaml-cpp/yaml.h yaml-cpp sndfile.h boost_program_options")
        status, said, done = self.setup("--launcher-only", uid=0)
        self.assertEqual(status, 0, said)
        self.assertEqual(done, ["apt-get update -qq", "apt-get install -y -qq --no-install-recommends libyaml-cpp-dev"])
        self.has("missing", "sndfile.h boost_program_options")
        self.assertIn("apt-get install -y -qq --no-install-recommends libboost-program-options-dev libsndfile1-dev", self.setup(uid=0)[2])

    def test_another_user_is_told_the_one_command(self):
        self.has("missing", "yaml-cpp/yaml.h yaml-cpp nlohmann/json.hpp")
        status, said, done = self.setup("--launcher-only")
        self.assertEqual((status, done), (1, []))
        self.assertIn("missing: header:nlohmann/json.hpp header:yaml-cpp/yaml.h library:yaml-cpp", said)
        self.assertIn("Ask root to run: apt-get install nlohmann-json3-dev libyaml-cpp-dev\n", said)

    def test_a_build_goes_without_what_only_makes_it_faster(self):
        (self.programs / "ccache").unlink()
        for uid in (0, 1000):
            status, said, done = self.setup("--launcher-only", uid=uid)
            self.assertEqual((status, done), (0, []))
            self.assertIn("a build goes without, and is faster with: ccache", said)
        install = "apt-get install -y -qq --no-install-recommends"
        for unknown, wished in (("", [f"{install} ccache"]), ("ccache", [])):
            for state, words in (("unknown", unknown), ("missing", "nlohmann/json.hpp"), ("log", "")):
                self.has(state, words)
            self.assertEqual(self.setup("--launcher-only", uid=0)[2], ["apt-get update -qq", f"{install} nlohmann-json3-dev", *wished])

    def test_a_package_that_apt_does_not_know_is_named(self):
        self.has("missing", "simdjson.h")
        self.has("unknown", "libsimdjson-dev")
        status, said, _ = self.setup(uid=0)
        self.assertEqual(status, 1)
        self.assertIn("no package libsimdjson-dev. On Ubuntu it is in universe", said)

    def test_an_old_cmake_stays_and_the_scripts_take_another(self):
        status, said, done = self.setup("--launcher-only", cmake="3.22.1")
        self.assertEqual(status, 0, said)
        self.assertEqual([line.split(" ", 1)[0] for line in done], ["pip"])
        self.assertIn("CMake: 3.22.1 here, 3.25 or newer is needed", said)
        self.assertIn(f'export PATH="{self.folder}/build/tools/bin:$PATH"', said)
        script = ". scripts/lib.sh; command -v cmake; command -v ctest; command -v python3"
        found = subprocess.run(["bash", "-c", script], cwd=self.folder, capture_output=True, text=True, check=True).stdout.split()
        self.assertEqual(found[:2], [f"{self.folder}/build/tools/bin/{name}" for name in ("cmake", "ctest")])
        self.assertNotIn(str(self.folder), found[2])
        self.has("log", "")
        self.assertEqual(self.setup("--launcher-only", cmake="3.22.1")[::2], (0, []))  # it is there now

    def test_an_old_cmake_and_no_python(self):
        (self.programs / "python3").unlink()
        status, said, _ = self.setup("--launcher-only", cmake="3.22.1")
        self.assertEqual(status, 1)
        self.assertIn("CMake is 3.22.1, 3.25 or newer is needed", said)

    def test_dnf_is_named_with_the_repositories_and_never_run(self):
        self.has("missing", "nlohmann/json.hpp sndfile.h curl/curl.h")
        packages = "dnf install -y json-devel libsndfile-devel libcurl-devel\n"
        crb = "dnf install -y 'dnf-command(config-manager)' && dnf config-manager --set-enabled crb && "
        expected = {
            'ID="rocky"\nVERSION_ID="9.4"\nPRETTY_NAME="Rocky Linux 9.4"': f"As root: dnf install -y epel-release && {crb}{packages}",
            'ID="rhel"\nVERSION_ID="9.4"': "As root: dnf install -y https://dl.fedoraproject.org/pub/epel/epel-release-latest-9.noarch.rpm && "
            f"subscription-manager repos --enable codeready-builder-for-rhel-9-x86_64-rpms && {packages}",
            "ID=fedora\nVERSION_ID=43": f"As root: {packages}",
        }
        for release, command in expected.items():
            for uid in (0, 1000):
                status, said, done = self.setup(system="redhat", release=release, uid=uid)
                self.assertEqual((status, done), (1, []))
                self.assertIn(command, said)
        self.has("missing", "curl/curl.h")
        self.assertIn("As root: dnf install -y libcurl-devel\n", self.setup(system="redhat", release='ID="rhel"\nVERSION_ID="9.4"')[1])

    def test_a_redhat_that_is_too_old_is_refused_by_name(self):
        self.has("missing", "nlohmann/json.hpp")
        status, said, _ = self.setup(system="redhat", release='ID="rhel"\nVERSION_ID="8.10"\nPRETTY_NAME="Red Hat Enterprise Linux 8.10"')
        self.assertEqual(status, 1)
        self.assertIn("do not build on Red Hat Enterprise Linux 8.10", said)
        self.assertIn("Use the packages", said)

    def test_a_compiler_that_is_too_old_is_told_with_its_version(self):
        for compiler, words in (
            ("10 __clang_major__", "c++ is GCC 10, and 11 or newer is needed"),
            ("4 14", "c++ is Clang 14, and 16 or newer"),
        ):
            status, said, _ = self.setup("--launcher-only", compiler=compiler)
            self.assertEqual(status, 1)
            self.assertIn(words, said)
        for compiler in ("11 __clang_major__", "4 16"):
            self.assertEqual(self.setup("--launcher-only", compiler=compiler)[0], 0)

    def test_a_python_that_is_too_old_or_has_no_environments_is_one_line(self):
        status, said, done = self.setup(python="3.10.12")
        self.assertEqual((status, done), (1, []))
        self.assertEqual(said.count("\n"), 2, said)  # one of them: all needs are met
        self.assertIn("python3 is Python 3.10.12, and the wheels that mdl-toolkit is built from need 3.11 or newer", said)
        self.assertEqual(self.setup("--launcher-only", python="3.10.12")[0], 0)
        status, said, _ = self.setup(venv=False)
        self.assertEqual(status, 1)
        self.assertIn("Ask root to run: apt-get install python3-venv", said)

    def test_a_folder_that_it_did_not_make_stays_and_one_that_it_made_is_made_anew(self):
        place = self.folder / "place"
        place.mkdir()
        (place / "thesis.tex").write_text("x")
        status, said, done = self.setup(MDL_VENV=str(place))
        self.assertEqual((status, done), (1, []), said)
        self.assertIn(f"{place} is there and has no pip. Give it one", said)
        self.assertEqual((place / "thesis.tex").read_text(), "x")
        (place / "thesis.tex").unlink()
        self.assertEqual(self.setup(MDL_VENV=str(place))[0], 0)  # an empty one
        (place / "bin/python").unlink()  # the system's Python is another one now
        self.assertEqual(self.setup(MDL_VENV=str(place))[0], 0)
        self.assertTrue((place / "bin/python").exists())

    def test_apt_is_not_asked_where_nothing_is_missing_and_may_fail_in_what_is_only_wished(self):
        self.assertEqual(self.setup("--launcher-only", uid=0, STATE_APT_FAILS="update")[::2], (0, []))
        (self.programs / "ccache").unlink()
        self.has("missing", "nlohmann/json.hpp")
        status, said, done = self.setup("--launcher-only", uid=0, STATE_APT_FAILS="update ccache")
        self.assertEqual((status, len(done)), (0, 3), said)
        self.assertIn("apt-get update failed; going on", said)
        self.has("missing", "nlohmann/json.hpp")
        self.assertEqual(self.setup("--launcher-only", uid=0, STATE_APT_FAILS="nlohmann-json3-dev")[0], 1)

    def test_a_cmake_from_apt_is_installed_after_an_update(self):
        (self.programs / "cmake").unlink()
        status, said, done = self.setup("--launcher-only", uid=0)
        self.assertEqual(status, 0, said)
        self.assertEqual(done[:2], ["apt-get update -qq", "apt-get install -y -qq --no-install-recommends cmake"])

    def test_an_old_compiler_is_told_before_what_it_does_not_find(self):
        self.has("missing", "boost/asio.hpp nlohmann/json.hpp")
        status, said, done = self.setup("--launcher-only", uid=0, compiler="9 __clang_major__")
        self.assertEqual((status, done), (1, []))
        self.assertIn("c++ is GCC 9, and 11 or newer is needed", said)

    def test_cxx_is_a_command_or_the_path_of_a_program(self):
        spaced = self.folder / "a b"
        spaced.mkdir()
        (spaced / "c++").symlink_to(self.programs / "c++")
        for command in ("c++", "ccache c++", "c++ -m64", "ccache c++ -m64", str(spaced / "c++")):
            (self.programs / "ccache").write_text('#!/bin/sh\nexec "$@"\n')
            self.has("missing", "")
            status, said, _ = self.setup("--launcher-only", CXX=command)
            self.assertEqual(status, 0, said)
            self.has("missing", "nlohmann/json.hpp")
            self.assertIn("missing: header:nlohmann/json.hpp\n", self.setup("--launcher-only", CXX=command)[1])
        for command in ("g++-14", "ccache g++-14"):
            status, said, done = self.setup("--launcher-only", uid=0, CXX=command)
            self.assertEqual((status, said, done), (1, f"setup.sh: CXX={command}: no such program\n", []))

    def test_dnf_commands_are_told_only_where_the_repositories_are_known(self):
        self.has("missing", "nlohmann/json.hpp curl/curl.h")
        known = "As root: dnf install -y json-devel libcurl-devel\n"
        listed = "Install them, where its repositories have them: json-devel libcurl-devel\n"
        for release, words in (
            ('ID=nobara\nID_LIKE="fedora"\nVERSION_ID=43', known),
            ("ID=fedora", known),
            ('ID="amzn"\nID_LIKE="fedora"\nVERSION_ID="2023"', listed),
            ('ID="ol"\nID_LIKE="fedora"\nVERSION_ID="9.4"', listed),
            ('ID="azurelinux"\nVERSION_ID="3.0"', listed),
            ('ID="eurolinux"\nID_LIKE="rhel fedora centos"\nVERSION_ID="9.4"', listed),
            ('ID="centos"\nID_LIKE="rhel fedora"\nVERSION_ID="rolling"', listed),
            ('ID="openmandriva"\nVERSION_ID="a[0]"', listed),
            ("", listed),
        ):
            status, said, done = self.setup(system="redhat", release=release)
            self.assertEqual((status, done), (1, []))
            self.assertIn(words, said)
            self.assertNotIn(".sh: line", said)

    def test_where_there_are_two_package_managers_the_system_decides(self):
        self.has("missing", "nlohmann/json.hpp")
        for release, words in (
            ("ID=debian", "Ask root to run: apt-get install nlohmann-json3-dev"),
            ("ID=mint\nID_LIKE='ubuntu debian'", "Ask root to run: apt-get install"),
            ("", "Ask root to run: apt-get install"),
            ("ID=fedora\nVERSION_ID=43", "As root: dnf install -y json-devel"),
            ("ID=rocky\nID_LIKE='rhel centos fedora'\nVERSION_ID=9.4", "As root: dnf install -y epel-release"),
        ):
            self.assertIn(words, self.setup("--launcher-only", system="both", release=release)[1])

    def test_a_system_with_neither_gets_the_list(self):
        status, said, _ = self.setup("--launcher-only", system="other", release="ID=arch")
        self.assertEqual(status, 0, said)
        self.has("missing", "nlohmann/json.hpp curl/curl.h")
        status, said, _ = self.setup(system="other", release="ID=arch")
        self.assertEqual(status, 1)
        self.assertIn("Debian has them in nlohmann-json3-dev libcurl4-openssl-dev\n  and Fedora in json-devel libcurl-devel\n", said)

    def test_cdpath_leads_no_script_elsewhere(self):
        (self.folder / "elsewhere/scripts").mkdir(parents=True)
        status, said, _ = self.setup("--launcher-only", CDPATH=str(self.folder / "elsewhere"))
        self.assertEqual(status, 0, said)
        for path in REPOSITORY.glob("scripts/**/*.sh"):
            before, found, _ = path.read_text().partition('\ncd "$(dirname "$0")')
            self.assertTrue(not found or "\nunset CDPATH" in before, path)


if __name__ == "__main__":
    unittest.main()
