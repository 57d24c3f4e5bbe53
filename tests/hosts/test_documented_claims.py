"""README*.md, ARCHITECTURE.md and docs/ name the tests of what they claim; these tests must exist."""

import re
from fnmatch import fnmatchcase
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
TESTS = REPOSITORY / "tests"
CODE = re.compile(r"`([^`]+)`")
PYTHON_TEST = re.compile(r"test_\w+\.py::\w+")
# Folders of worker/ whose cases are in convert_tests and hub_tests: tests/CMakeLists.txt has the lists.
LISTS = {"convert": r"set\(plain ([^)]+)\)", "hub": r"mdl_add_tests\(hub \w+ FOLDERS ([^)]+)\)"}
APART = {name: re.search(pattern, (TESTS / "CMakeLists.txt").read_text()).group(1).split() for name, pattern in LISTS.items()}


def program(path):
    """What ctest puts before the names of the cases in this file."""
    folder = path.parent.relative_to(TESTS)
    programs = [name for name, folders in APART.items() if any(folder.is_relative_to(one) for one in folders)]
    return programs[0] if programs else folder.parts[0]


PROGRAMS = "|".join(sorted({program(path) for path in TESTS.rglob("*_test.cpp")}))
CATCH_CASE = re.compile(rf"(?:{PROGRAMS}): \S.*")


def documents():
    return [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")]


def named_tests(text):
    """What stands between backticks and looks like a test. In a list such as `common: a…`, `…b` the first of them is one."""
    return {code for line in text.splitlines() for code in CODE.findall(line) if PYTHON_TEST.fullmatch(code) or CATCH_CASE.fullmatch(code)}


def python_tests():
    return {
        f"{path.name}::{name}"
        for folder in ("hosts", "peer")
        for path in (TESTS / folder).rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
    }


def catch_cases():
    return {
        f"{program(path)}: {name}"
        for path in TESTS.rglob("*_test.cpp")
        for name in re.findall(r'TEST_CASE\(\s*"([^"]+)"', path.read_text())
    }


def stands_for(name, test):
    """A document may shorten a name: … is any words."""
    return fnmatchcase(test, re.sub(r"[*?[]", "?", name).replace("…", "*"))


def test_every_test_that_the_documents_name_exists():
    tests = python_tests() | catch_cases()
    named = {(str(document.relative_to(REPOSITORY)), name) for document in documents() for name in named_tests(document.read_text())}
    assert not sorted(
        (document, name) for document, name in named if name not in tests and not any(stands_for(name, test) for test in tests)
    )


def test_every_file_of_tests_that_the_documents_name_exists():
    paths = [path for path in TESTS.rglob("*") if path.suffix in (".py", ".cpp")]
    files = {path.name for path in paths} | {path.relative_to(REPOSITORY).as_posix() for path in paths}
    assert not sorted(
        (document.name, name)
        for document in documents()
        for name in re.findall(r"`((?:tests/[\w/]+/)?(?:test_\w+\.py|\w+_test\.cpp))`", document.read_text())
        if name not in files
    )


def test_the_documents_are_read_as_they_are_meant_to_be():
    text = "| a `b` | `test_a.py::test_b` |\n- ours: `common: c, d`\n`fuzz: …`, `…e`, `mixed_precision: no`, `test_f.py`"
    assert named_tests(text) == {"test_a.py::test_b", "common: c, d"}
    assert any(name.startswith("test_harness.py::") for name in python_tests())
    assert stands_for("common: a…pickle…", "common: a good pickle") and not stands_for("common: a…", "common: b")
    pages = {document.name: named_tests(document.read_text()) for document in documents()}
    assert all(len(pages[page]) > 20 for page in ("options.md", "several_hosts.md", "pytorch_cases.md", "mdl-toolkit.md"))
