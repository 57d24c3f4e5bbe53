"""README*.md, ARCHITECTURE.md and docs/ name the tests of what they claim; these tests must exist."""

import re
from fnmatch import fnmatchcase
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
CODE = re.compile(r"`([^`]+)`")
PYTHON_TEST = re.compile(r"test_\w+\.py::\w+")
CATCH_FOLDERS = "|".join(sorted({path.parent.name for path in (REPOSITORY / "tests").glob("*/*_test.cpp")}))
CATCH_CASE = re.compile(rf"(?:{CATCH_FOLDERS}): \S.*")


def documents():
    return [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")]


def named_tests(text):
    """What stands between backticks and looks like a test. In a list such as `common: a…`, `…b` the first of them is one."""
    return {code for line in text.splitlines() for code in CODE.findall(line)
            if PYTHON_TEST.fullmatch(code) or CATCH_CASE.fullmatch(code)}


def python_tests():
    return {
        f"{path.name}::{name}"
        for folder in ("hosts", "peer")
        for path in (REPOSITORY / "tests" / folder).glob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
    }


def catch_cases():
    return {
        f"{path.parent.name}: {name}"
        for path in (REPOSITORY / "tests").glob("*/*_test.cpp")
        for name in re.findall(r'TEST_CASE\(\s*"([^"]+)"', path.read_text())
    }


def stands_for(name, test):
    """A document may shorten a name: … is any words."""
    return fnmatchcase(test, re.sub(r"[*?[]", "?", name).replace("…", "*"))


def test_every_test_that_the_documents_name_exists():
    tests = python_tests() | catch_cases()
    named = {(str(document.relative_to(REPOSITORY)), name) for document in documents() for name in named_tests(document.read_text())}
    assert not sorted((document, name) for document, name in named
                      if name not in tests and not any(stands_for(name, test) for test in tests))


def test_every_file_of_tests_that_the_documents_name_exists():
    files = {path.name for path in (REPOSITORY / "tests").rglob("*") if path.suffix in (".py", ".cpp")}
    assert not sorted((document.name, name) for document in documents()
                      for name in re.findall(r"`(?:tests/\w+/)?(test_\w+\.py|\w+_test\.cpp)`", document.read_text()) if name not in files)


def test_the_documents_are_read_as_they_are_meant_to_be():
    text = "| a `b` | `test_a.py::test_b` |\n- ours: `common: c, d`\n`fuzz: …`, `…e`, `mixed_precision: no`, `test_f.py`"
    assert named_tests(text) == {"test_a.py::test_b", "common: c, d"}
    assert any(name.startswith("test_harness.py::") for name in python_tests())
    assert stands_for("common: a…pickle…", "common: a good pickle") and not stands_for("common: a…", "common: b")
    pages = {document.name: named_tests(document.read_text()) for document in documents()}
    assert all(len(pages[page]) > 20 for page in ("options.md", "several_hosts.md", "pytorch_cases.md", "mdl-toolkit.md"))
