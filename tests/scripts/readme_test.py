"""README.md and README_zh.md: the same commands and outputs, and links that lead somewhere."""

import re
import unittest
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(?:sh)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
DOTS = re.compile("…+")


def text(name):
    return (REPOSITORY / name).read_text()


def without_comments(block):
    """The lines without what the languages say behind them."""
    return [line for line in (DOTS.sub("…", re.sub(r"(^| +)# .*", "", line)) for line in block.splitlines()) if line]


def anchor(heading):
    """As GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def anchors(path):
    return {anchor(heading) for heading in re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)}


class Readme(unittest.TestCase):
    def test_both_languages_have_the_same_commands_and_outputs(self):
        blocks = [[without_comments(block) for block in BLOCK.findall(text(name))] for name in ("README.md", "README_zh.md")]
        self.assertGreater(len(blocks[0]), 15)
        self.assertEqual(*blocks)

    def test_both_languages_have_as_many_headings_and_rows(self):
        for begin in (r"^#+ ", r"^\| ", r"^- "):
            counts = [len(re.findall(begin, BLOCK.sub("", text(name)), re.MULTILINE)) for name in ("README.md", "README_zh.md")]
            self.assertEqual(*counts, begin)

    def test_links_lead_somewhere(self):
        for name in ("README.md", "README_zh.md"):
            for link in LINK.findall(BLOCK.sub("", text(name))):
                if link.startswith("https://"):
                    continue
                path, _, fragment = link.partition("#")
                target = REPOSITORY / (path or name)
                self.assertTrue(target.exists(), f"{name}: {link}")
                if fragment:
                    self.assertIn(fragment, anchors(target), f"{name}: {link}")

    def test_a_step_fits_a_screen(self):
        for name in ("README.md", "README_zh.md"):
            for step in re.split(r"^### ", text(name), flags=re.MULTILINE)[1:]:
                lines = re.split(r"^## ", step, flags=re.MULTILINE)[0].splitlines()
                self.assertLessEqual(len(lines), 50, f"{name}: {lines[0]}")


if __name__ == "__main__":
    unittest.main()
