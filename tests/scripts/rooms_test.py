"""scripts/checks/rooms.py on small made-up trees: says nothing of a good one, and of each fault the folder and what is wrong."""

import contextlib
import io
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts/checks"))

import rooms

TABLE = """
| room | what lives there | may use |
|---|---|---|
| `common/` | what every room speaks | – |
| `rendezvous/store/` | the store | `common/` |
| `launcher/` | the agent | `common/`, `rendezvous/store/` |
"""
TARGETS = "common: \nrendezvous/store: common\nlauncher: common rendezvous/store\n"
FILES = {
    "ARCHITECTURE.md": TABLE,
    "common/text.hpp": "namespace mdl {\n}",
    "rendezvous/store/store.hpp": '#include "common/text.hpp"\nnamespace mdl::rendezvous::store {\n}',
    "rendezvous/store/store.cpp": '#include "rendezvous/store/store.hpp"\n',
    "launcher/agent.hpp": '#include "rendezvous/store/store.hpp"\nnamespace mdl::launcher {\n}',
    "launcher/agent.cpp": '#include "launcher/agent.hpp"\n#include "common/text.hpp"\n',
    "build/rooms.txt": TARGETS,
}


class Rooms(unittest.TestCase):
    def check(self, *complaints, files=None, build=True):
        """rooms.py says these complaints and no other of FILES with these files added or changed, and ends with 1 if there are any."""
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for name, text in {**FILES, **(files or {})}.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text)
            printed, said = io.StringIO(), io.StringIO()
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(said):
                status = rooms.main(root, root / "build" if build else None)
            self.assertEqual(said.getvalue().splitlines(), [f"rooms.py: {complaint}" for complaint in complaints])
            self.assertEqual(status, 1 if complaints else 0)
            return printed.getvalue()

    def test_a_good_tree_is_printed_and_nothing_said(self):
        printed = self.check()
        self.assertIn("  1 rendezvous/store -> common\n", printed)
        self.assertIn("  1 launcher -> common rendezvous/store\n", printed)

    def test_a_folder_holds_25_nouns_and_no_26th(self):
        names = [f"scripts/soak/noun{number}" for number in range(25)]
        full = {f"{name}{end}": "" for name in names for end in (".cpp", ".hpp")} | {"scripts/soak/CMakeLists.txt": ""}
        self.check(files=full)
        self.check("scripts/soak/ holds 26 nouns; at most 25", files={**full, "scripts/soak/one_more.py": ""})

    def test_a_row_that_allows_an_arrow_up(self):
        self.check(
            "common/ may use launcher/, which stands above it in the house: an arrow up",
            build=False,
            files={
                "ARCHITECTURE.md": TABLE.replace("speaks | –", "speaks | `launcher/`"),
                "common/text.hpp": '#include "launcher/agent.hpp"\nnamespace mdl {\n}',
            },
        )

    def test_an_include_that_no_row_allows(self):
        self.check(
            "common/text.cpp includes launcher/, which the row of common/ in ARCHITECTURE.md does not allow",
            files={"common/text.cpp": '#include "launcher/agent.hpp"\n'},
        )

    def test_a_row_that_allows_what_nothing_includes(self):
        self.check(
            "ARCHITECTURE.md lets launcher/ use common/, but nothing there does",
            files={"launcher/agent.cpp": '#include "launcher/agent.hpp"\n'},
        )

    def test_a_target_that_differs_from_its_row(self):
        targets = TARGETS.replace("store: common", "store: common launcher")
        self.check("the target of rendezvous/store/ and its row in ARCHITECTURE.md differ: launcher", files={"build/rooms.txt": targets})

    def test_a_room_without_a_target(self):
        targets = TARGETS + "worker: \n"
        row = "| `worker/` | the trainer | – |\n| `worker/text/` | Unicode | – |\n"
        worker = {"ARCHITECTURE.md": TABLE + row, "worker/main.cpp": "", "worker/text/unicode.hpp": "namespace mdl::worker::text {\n}"}
        self.check("worker/text/ is no target", files={**worker, "build/rooms.txt": targets})
        self.check(files=worker)  # a build without the worker has none of its targets

    def test_a_namespace_that_is_not_the_folders(self):
        text = FILES["launcher/agent.hpp"].replace("mdl::launcher", "mdl::agent")
        self.check("launcher/agent.hpp: the namespace should be mdl::launcher, not mdl::agent", files={"launcher/agent.hpp": text})
        self.check(
            "rendezvous/store/wire.hpp: the namespace should be mdl::rendezvous::store, not none",
            files={"rendezvous/store/wire.hpp": "struct Wire {};"},
        )

    def test_a_row_for_a_room_that_is_not_there(self):
        self.check(
            "ARCHITECTURE.md has a row for launcher/output/, which is not there",
            build=False,
            files={"ARCHITECTURE.md": TABLE + "| `launcher/output/` | streams | – |\n"},
        )

    def test_a_room_without_a_row(self):
        self.check(
            "launcher/output/ has no row in ARCHITECTURE.md", files={"launcher/output/mux.hpp": "namespace mdl::launcher::output {\n}"}
        )


if __name__ == "__main__":
    unittest.main()
