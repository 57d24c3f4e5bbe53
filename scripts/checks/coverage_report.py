"""Sums up gcov's counters of a build folder: a line for each folder of sources, and untested.txt with the functions never entered."""

import collections
import gzip
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDERS = ("common", "rendezvous", "launcher", "worker")


def reports(build):
    """gcov's JSON document of each object file that was built; of one that has never run, it is all zeros."""
    for entry in json.loads((build / "compile_commands.json").read_text()):  # files of former configurations lie around
        output = re.search(r" -o (\S+)\.o ", entry["command"])
        notes = output and Path(entry["directory"], output[1] + ".gcno")
        if not notes or not notes.exists():  # a precompiled header, or not built
            continue
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(
                ["gcov", "--json-format", str(notes.resolve())],
                cwd=folder,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=True,
            )
            for path in Path(folder).glob("*.gcov.json.gz"):
                yield json.loads(gzip.decompress(path.read_bytes()))


def source_of(report, file):
    """The file's path in the repository; None for headers of others and for tests."""
    path = Path(report["current_working_directory"], file["file"]).resolve()
    try:
        inside = path.relative_to(REPOSITORY)
    except ValueError:
        return None
    return inside if inside.parts[0] in FOLDERS else None


def main(build):
    lines = collections.defaultdict(int)  # (source, line) -> how often
    functions = collections.defaultdict(int)  # (source, line, name) -> how often
    for report in reports(build):
        for file in report["files"]:
            if source := source_of(report, file):
                for line in file["lines"]:
                    lines[source, line["line_number"]] += line["count"]
                for function in file["functions"]:
                    # A template has one entry for each type.
                    name = function["demangled_name"].partition("<")[0]
                    functions[source, function["start_line"], name] += function["execution_count"]
    if not any(lines.values()):
        sys.exit("coverage_report.py: no counters; has anything run?")
    total = collections.Counter()
    run = collections.Counter()
    for (source, _), count in lines.items():
        for folder in {source.parent, Path("all")}:
            total[folder] += 1
            run[folder] += count > 0
    for folder in sorted(total, key=lambda folder: (folder == Path("all"), folder)):
        print(f"{str(folder):28} {run[folder]:6} of {total[folder]:6} lines  {100 * run[folder] / total[folder]:5.1f} %")
    untested = sorted(key for key, count in functions.items() if not count)
    (build / "untested.txt").write_text("".join(f"{source}:{line}: {name}\n" for source, line, name in untested))
    print(f"{len(untested)} of {len(functions)} functions are never entered: {build / 'untested.txt'}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
