"""scripts/checks/compare_losses.py: the table of libtorch_versions.sh, and what it does not let pass."""

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

PROGRAM = Path(__file__).resolve().parents[2] / "scripts/checks/compare_losses.py"


class CompareLosses(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def log(self, version, losses, evaluation=5.0):
        rows = [{"step": step, "loss": loss, "grad_norm": 1.0} for step, loss in enumerate(losses, 1)]
        (self.folder / version).mkdir()
        rows.append({"step": len(losses), "eval_loss": evaluation})
        (self.folder / version / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def compare(self, *versions):
        done = subprocess.run([sys.executable, PROGRAM, self.folder, *versions], capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout + done.stderr

    def test_rounding_passes_and_stands_in_the_table(self):
        self.log("2.8.0", [7.0, 6.0])
        self.log("2.15.0", [7.0, 6.0000006])
        status, said = self.compare("2.8.0", "2.15.0")
        self.assertEqual(status, 0, said)
        self.assertIn("| step 1 | 7.000000 | 7.000000 | 0.0e+00 |", said)
        self.assertIn("3 losses, at most 1.0e-07 of their value apart", said)

    def test_a_loss_or_evaluation_that_differs_by_more_fails_and_is_shown(self):
        self.log("2.8.0", [7.0, 6.0])
        self.log("2.11.0", [7.0, 6.001])
        self.log("2.15.0", [7.0, 6.0], evaluation=5.1)
        status, said = self.compare("2.8.0", "2.11.0")
        self.assertEqual(status, 1)
        self.assertIn("| step 2 | 6.000000 | 6.001000 | 1.7e-04 |", said)
        self.assertEqual(self.compare("2.8.0", "2.15.0")[0], 1)

    def test_what_is_no_number_fails(self):
        self.log("2.8.0", [7.0, 6.0])
        self.log("2.15.0", [7.0, float("nan")])
        status, said = self.compare("2.8.0", "2.15.0")
        self.assertEqual(status, 1)
        self.assertIn("| step 2 | 6.000000 | nan |", said)

    def test_a_version_that_trained_less_fails(self):
        self.log("2.8.0", [7.0, 6.0])
        self.log("2.15.0", [7.0])
        status, said = self.compare("2.8.0", "2.15.0")
        self.assertEqual(status, 1)
        self.assertIn("not all versions have evaluation after 1, evaluation after 2, step 2", said)


if __name__ == "__main__":
    unittest.main()
