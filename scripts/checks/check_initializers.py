"""Finds initializers in which GCC 12 destroys members twice when a later one throws.

usage: check_initializers.py FILE…      ends with 1 when it has found something
       check_initializers.py --self-test

    Run run{.settings = {.name = f()}, .rows = g()};

Where g() throws, `settings` is destroyed twice: a freed string, an abort or a crash in place of the error's text (g++ 12.2, -O0 to -O2;
clang 16 does none of it). It needs braces without a type inside braces; with the type, Settings{.name = f()}, all is well. So
braces without a type that have designators may be followed, in the braces around them, by values without a call only.
"""

import re
import sys

from check_co_await import run, without_texts

NESTED = re.compile(r"\.\w+\s*=\s*\{\s*\.")


def closing(code, at):
    """Where the braces end that are open at `at`, or the code."""
    depth = 0
    for i in range(at, len(code)):
        if code[i] == "{":
            depth += 1
        elif code[i] == "}":
            if depth == 0:
                return i
            depth -= 1
        elif code[i] == ";" and depth == 0:
            return at  # not within braces of an initializer
    return len(code)


def check(source):
    """Lines and complaints of one file."""
    code = without_texts(source)
    found = []
    for match in NESTED.finditer(code):
        end = closing(code, code.index("{", match.start()) + 1)
        if "(" in code[end + 1 : closing(code, end + 1)]:
            found.append((code.count("\n", 0, match.start()) + 1, "braces without a type before a value that may throw"))
    return found


BAD = (
    "Run run{.settings = {.name = f()}, .rows = g()};",
    "return {.a = 1,\n .settings = {\n  .name = f(), .b = {}},\n .c = 2, .rows = x.y()};",
    "call({.settings = {.name = f()}, .rows = g()});",
)
GOOD = (
    "Run run{.settings = Settings{.name = f()}, .rows = g()};",
    "Run run{.settings = {.name = f()}, .rows = 3};",
    "Run run{.rows = g(), .settings = {.name = f()}}; h();",
    "data.shape = {.rows = f(), .size = 1}; g();",
    "// {.settings = {.name = f()}, .rows = g()}",
)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:], __doc__, check, GOOD, BAD))
