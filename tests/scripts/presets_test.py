"""The presets of CMakePresets.json: none takes over what another configuration of its build folder has left in the cache."""

import json
import re
import unittest
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
OPTION = re.compile(r"^\s*(?:option\((MDL_\w+)|set\((MDL_\w+) .* CACHE )", re.MULTILINE)
FROM_ELSEWHERE = {"MDL_PORTABLE"}  # of a toolchain file, which only the presets have that set it


class Presets(unittest.TestCase):
    def setUp(self):
        presets = json.loads((REPOSITORY / "CMakePresets.json").read_text())["configurePresets"]
        self.presets = {preset["name"]: preset for preset in presets}

    def variables(self, name):
        preset = self.presets[name]
        return {**(self.variables(preset["inherits"]) if "inherits" in preset else {}), **preset.get("cacheVariables", {})}

    def test_every_option_is_set_anew_by_every_preset(self):
        files = [REPOSITORY / "CMakeLists.txt", *REPOSITORY.glob("cmake/*.cmake"), *REPOSITORY.glob("*/CMakeLists.txt")]
        options = {one or other for file in files for one, other in OPTION.findall(file.read_text())} - FROM_ELSEWHERE
        self.assertIn("MDL_WERROR", options)
        for name in self.presets:
            self.assertEqual(options - set(self.variables(name)), set(), name)

    def test_warnings_are_errors_in_ci_alone(self):
        self.assertEqual([name for name in self.presets if self.variables(name)["MDL_WERROR"] == "ON"], ["ci"])


if __name__ == "__main__":
    unittest.main()
