"""docs/torchrun.md and docs/mdl-toolkit.md name a test for each claim; they must exist."""

import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
TABLE_ROW = re.compile(r"^\|.*\|\s*([^|]*?)\s*\|$")


def named_tests():
    """What stands between backticks in the last column of the documents' tables, and Python tests named anywhere."""
    for document in ("torchrun.md", "mdl-toolkit.md"):
        for line in (REPOSITORY / "docs" / document).read_text().splitlines():
            if row := TABLE_ROW.match(line):
                yield from re.findall(r"`([^`]+)`", row[1])
            yield from re.findall(r"`(test_\w+\.py::\w+)`", line)


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


def test_every_test_that_the_documents_name_exists():
    missing = sorted(set(named_tests()) - python_tests() - catch_cases())
    assert not missing


def test_the_document_is_read_as_it_is_meant_to_be():
    assert TABLE_ROW.match("| a `b` | c | `d: e` |")[1] == "`d: e`"
    assert any(name.startswith("test_harness.py::") for name in python_tests())
