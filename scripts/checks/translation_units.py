"""usage: translation_units.py BUILD_FOLDER SOURCE…: what must be compiled to see all of the sources, one path a line.

Reads BUILD_FOLDER's compile_commands.json. Where CMake has joined sources (unity build), a joined file stands for those that it
includes. Ends with 1, naming it, when a source is compiled by nothing.
"""

import json
import re
import sys
from pathlib import Path


def main(build, sources):
    wanted = {Path(source).resolve() for source in sources}
    units = {}  # path -> the sources that it has
    for entry in json.loads(Path(build, "compile_commands.json").read_text()):
        path = Path(entry["directory"], entry["file"]).resolve()
        includes = re.findall(r'^#include "(/.*)"$', path.read_text(), re.MULTILINE) if path.suffix == ".cxx" else []
        units[path] = {Path(include).resolve() for include in includes} or {path}
    for path, inside in sorted(units.items()):
        if inside & wanted:
            print(path)
            wanted -= inside
    for source in sorted(wanted):
        print(f"translation_units.py: {source} is compiled by nothing in {build}", file=sys.stderr)
    return 1 if wanted else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
