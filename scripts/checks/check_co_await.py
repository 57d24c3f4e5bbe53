"""Finds co_await expressions that GCC 12 compiles wrongly: it destroys some of their temporaries twice.

usage: check_co_await.py FILE…      ends with 1 when it has found something
       check_co_await.py --self-test

A temporary that lives across a suspension moves into the coroutine's frame. GCC 12 forgets that it has moved some of them, and
ends them in both places: a freed string, a crash later or elsewhere, or nothing for years. Measured with a type that counts
(g++ 12.2, -O0 to -O2; clang 16 does none of it):

    co_await f({a, 1}), f(T{a, 1}), f({})        where T is an aggregate with a member that has a destructor
    co_await f(1)                                where f has a default argument of that kind: g(int, T = {…})
    T t{co_await f(), 1};  g(T{…}, co_await f())
    co_await f([text] { … })                     a lambda with something captured by value that has a destructor
    co_await f(yes ? T("a") : T("b"))            ?: that makes an object, wherever in the expression

The rest is sound: T(…) and conversions with a constructor, lambdas with [this], [&] and references, awaitables as arguments,
&& and || and conditions. (tests/common/coroutine_temporaries_test.cpp tries these in every build.) A text search does not know
types, so this one wants no braces, no ?: and no value captures at all in an expression with co_await: give the object a name in the
line before. Nor may a declaration of a function that returns an awaitable have a default argument in braces.

What it cannot see: T(a, 1) for an aggregate T (GCC 12 gets that wrong too; give such a class a constructor), and a default argument in
braces of an ordinary function that is called in the expression.
"""

import re
import sys
from pathlib import Path

CONDITION = re.compile(r"\b(?:if|while|switch|for)\s*(?:constexpr\s*)?$")
BLOCK = re.compile(r"(?:[);{}:\]]|\b(?:else|do|try|const|override|final|noexcept|mutable)|->[\s\w:<>,*&]+|^)\s*$")
CLOSES = {")": "(", "]": "[", "}": "{"}


def without_texts(source):
    """The source with comments and what is in quotation marks blanked out, so that positions stay."""

    def blank(match):
        return re.sub(r"[^\n]", " ", match.group())

    token = r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])\''
    return re.sub(token, blank, source, flags=re.DOTALL)


def beginning(code, at):
    """Where the full expression or declaration around `at` begins, and whether braces of an initializer are around it."""
    depth = 0
    in_braces = False
    closed_at = at
    for i in range(at - 1, -1, -1):
        char = code[i]
        if char in ")]}":
            # A block that ends before the expression: if (…) { … } co_await …, if (…) { …; } *there = co_await …
            after = r"\}\s*(?:\w|::|\*)" if code[:i].rstrip().endswith(";") else r"\}\s*(?:\w|::)"
            if depth == 0 and char == "}" and re.match(after, code[i:]):
                return i + 1, in_braces
            if not depth:
                closed_at = i
            depth += 1
        elif char in "([{":
            if depth:
                depth -= 1
                # The brackets of a statement that ends before: while (…) co_await …
                if not depth and char == "(" and CONDITION.search(code[:i][-20:]):
                    return closed_at + 1, in_braces
            elif char == "(" and CONDITION.search(code[:i][-20:]):
                return i + 1, in_braces
            elif char == "{" and BLOCK.search(code[:i][-120:]):
                return i + 1, in_braces
            else:
                in_braces = in_braces or char == "{"
        elif char == ";" and not depth:
            return i + 1, in_braces
    return 0, in_braces


def ending(code, begin, at):
    """Behind the last character of the expression that begins at `begin`: a semicolon, a bracket that closes what is around it, or
    the block of a range-based for."""
    depth = 0
    for i in range(begin, len(code)):
        if code[i] in "([{":
            depth += 1
        elif code[i] in ")]}":
            if not depth:
                return i
            depth -= 1
        elif code[i] == ";" and not depth and i > at:
            return i
    return len(code)


def complaints_about(expression):
    """What is wrong with one full expression that has co_await in it."""
    found = []
    stack = []
    lambda_depth = None  # how many brackets are open around the body of a lambda
    i = 0
    while i < len(expression):
        char = expression[i]
        before = expression[:i].rstrip()
        if lambda_depth is None:
            if char == "[" and not expression.startswith("[[", i) and not before.endswith("["):
                if not re.search(r"[\w)\]]$", before) or re.search(r"\b(?:co_await|co_return|return)$", before):
                    captures = re.match(r"\[([^\]]*)\]", expression[i:]).group(1)
                    for capture in filter(None, (part.strip() for part in captures.split(","))):
                        if capture != "this" and not capture.startswith("&"):
                            found.append(f"the lambda captures {capture.split()[0]} by value")
            elif char == "?":
                found.append("?: in the expression")
            elif char == "{":
                if re.search(r"[)\]]$|\b(?:mutable|noexcept)$|->[\s\w:<>,*&]+$", before):
                    lambda_depth = len(stack)
                else:
                    found.append("braces make a temporary")
        if char in "([{":
            stack.append(char)
        elif char in ")]}" and stack and stack[-1] == CLOSES[char]:
            stack.pop()
            if lambda_depth == len(stack):
                lambda_depth = None
        i += 1
    return found


def check(source):
    """Lines and complaints of one file."""
    code = without_texts(source)
    found = set()
    for match in re.finditer(r"\bco_await\b", code):
        begin, in_braces = beginning(code, match.start())
        line = code.count("\n", 0, match.start()) + 1
        if in_braces:
            found.add((line, "braces make an object of what co_await gives"))
        for complaint in complaints_about(code[begin : ending(code, begin, match.start())]):
            found.add((line, complaint))
    for match in re.finditer(r"\bawaitable<[^;{}()]*>\s+[\w:]+\(", code):
        parameters = code[match.end() : ending(code, match.end(), match.end())]
        if re.search(r"=\s*[\w:<>, ]*\{", parameters):
            found.add((code.count("\n", 0, match.start()) + 1, "a default argument in braces, of a coroutine"))
    return [(line, f"co_await: {complaint}; name the object in the line before") for line, complaint in sorted(found)]


GOOD = (
    "co_await f(a);",
    'int n = co_await f(T(a, 1), "{?");',
    "co_await f([this]() { return g({1, 2}); });",
    "co_await f([&, &b = a] { return x ? 1 : 2; });",
    "const auto [client, failure] = co_await open(x);",
    "if (ready(a[0]) && co_await f(b)) { g({1}); }",
    "T t{1, 2}; co_await f(t);",
    "if (x) { g(T{1}); } co_await f(t);",
    "if (x) { g(T{1}); } *there = co_await f(t);",
    "start(0, [&, id](R& r) -> asio::awaitable<void> { co_await r.next(); g({1}); });",
    "const auto body = [&]() -> asio::awaitable<void> { T t{1}; co_await f(t); };",
    "switch (x ? 1 : 2) { case 1: co_await f(); break; }",
    "for (const E e : {E::a, E::b}) { if (p) co_await p->finish(); }",
    "for (const char* s : {s1, s2}) co_await f(s);",
    'asio::awaitable<void> f(int a, std::string b = "x");',
    "asio::awaitable<void> f(T t) { const T u = {1}; co_await g(u); }",
    "if (x ? a : b) co_await f(c);",
    "while (n < 10 && co_await f(a)) n += x ? 1 : 2;",
    "// co_await f({1});\ng();",
    "do { co_await f(a); } while (x);",
    "[[maybe_unused]] const bool b = co_await f(a);",
    "const int n = 1'000; co_await f(n); const char c = '{';",
)
BAD = (
    "co_await f({a, 1});",
    "co_await f(T{a});",
    "co_await f({});",
    "co_await f(std::vector<int>{1});",
    "x = co_await f(\n    a,\n    {b});",
    "T t{co_await f(), 1};",
    "const std::vector<T> t{co_await f()};",
    "g(T{a}, co_await f());",
    "x = T{a} * co_await f();",
    "g(co_await f(), {a});",
    "if (co_await f({a})) g();",
    "if (x && co_await f(T{a})) { g(); }",
    "co_await f([text] { return text; });",
    "co_await f([=] { return text; });",
    "co_await f([this, n = g()] { return n; });",
    "co_await [text]() -> awaitable<void> { co_return; }();",
    "co_await f(x ? a : b);",
    "const auto v = x ? co_await f(a) : co_await f(b);",
    "start(0, [&](R& r) -> asio::awaitable<void> { co_await r.next({1}); });",
    "co_return co_await f({a});",
    "for (const int i : std::vector<int>{co_await f(a), 2}) g(i);",
    "asio::awaitable<void> f(int a, T t = {});",
    "boost::asio::awaitable<std::optional<T>> C::f(int a,\n  T t = T{1});",
)


def self_test(program, check, good, bad):
    failures = [f"finds nothing in: {text}" for text in bad if not check("void f() {\n" + text + "\n}\n")]
    failures += [f"takes for bad: {text}: {found}" for text in good if (found := check("void f() {\n" + text + "\n}\n"))]
    for failure in failures:
        print(f"{program}: self-test: {failure}", file=sys.stderr)
    return not failures


def run(arguments, doc, check, good, bad):
    """The program of a check: `check` gives (line, complaint) of a source, some for each of `bad` and none for `good`."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(doc.strip())
        return 0 if arguments else 2
    program = Path(sys.argv[0]).name
    if not self_test(program, check, good, bad):
        return 1
    if arguments == ["--self-test"]:
        return 0
    found = [(path, line, complaint) for path in arguments for line, complaint in check(Path(path).read_text())]
    for path, line, complaint in found:
        print(f"{path}:{line}: {complaint} (see scripts/checks/{program})")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:], __doc__, check, GOOD, BAD))
