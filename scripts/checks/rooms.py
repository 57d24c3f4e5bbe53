"""usage: rooms.py [BUILD_FOLDER]: how many nouns each folder holds, and which room uses which.

A room is a folder that is one target and one part of the namespace. ARCHITECTURE.md's table lists the rooms from the lowest to the
highest, with those that each may use. Ends with 1, saying why, when

- a folder holds more than 25 nouns (a header with its source is one),
- a room uses one that stands below it in the table (an arrow up),
- the #includes of a room are not those that its row allows, or a row allows what nothing includes,
- a target's USES (BUILD_FOLDER/rooms.txt, written by CMake) are not its row,
- a header's namespace is not its folder's name.
"""

import re
import sys
from collections import defaultdict
from pathlib import Path

MOST_NOUNS = 25
TOPS = ("common", "rendezvous", "launcher", "worker")
COUNTED = (*TOPS, "tests", "scripts", "cmake", "docs")
DECLARATIONS = ("worker/gloo_declarations", "worker/httplib_declarations")  # of another library's wheel, and no rooms


def files_below(root, top):
    return sorted(path for path in (root / top).rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def nouns_by_folder(root):
    nouns = defaultdict(set)
    for top in COUNTED:
        for path in files_below(root, top):
            if path.name != "CMakeLists.txt":
                nouns[path.parent.relative_to(root).as_posix()].add(path.stem)
    return {folder: len(names) for folder, names in sorted(nouns.items())}


def table_rows(text):
    """ARCHITECTURE.md's rows: room -> the rooms that it may use, in the order of the table."""
    rows = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        name = re.fullmatch(r"`([\w/]+)/`", cells[0]) if line.startswith("|") and len(cells) >= 3 else None
        if name and name.group(1).split("/")[0] in TOPS:
            rows[name.group(1)] = re.findall(r"`([\w/]+)/`", cells[2])
    return rows


def target_uses(text):
    uses = {}
    for line in text.splitlines():
        room, _, used = line.partition(": ")
        uses[room] = used.split()
    return uses


def included_rooms(root):
    """room -> room that it includes -> one place where it does."""
    arrows = defaultdict(dict)
    for top in TOPS:
        for path in files_below(root, top):
            room = path.parent.relative_to(root).as_posix()
            if path.suffix not in (".hpp", ".cpp") or room.startswith(DECLARATIONS):
                continue
            arrows[room]  # a room that includes no other one is a room too
            for included in re.findall(r'^#include "([\w/]+)/\w+\.hpp"', path.read_text(), re.MULTILINE):
                if included != room:
                    arrows[room].setdefault(included, path.relative_to(root).as_posix())
    return arrows


def wrong_namespaces(root):
    for top in TOPS:
        for path in files_below(root, top):
            folder = path.parent.relative_to(root)
            if path.suffix != ".hpp" or folder.as_posix().startswith(DECLARATIONS):
                continue
            # common/ is what all speak: its words need no name before them.
            parts = [part for part in folder.parts if part != "common" and part != "pickle"]
            wanted = "::".join(["mdl", *parts])
            found = re.findall(r"^namespace (mdl[\w:]*) \{", path.read_text(), re.MULTILINE)
            if not any(name == wanted or name.startswith(wanted + "::") for name in found) and path.name != "asio.hpp":
                yield f"{path.relative_to(root)}: the namespace should be {wanted}, not {', '.join(found) or 'none'}"


def complaints(root, build):
    counts = nouns_by_folder(root)
    for folder, count in counts.items():
        if count > MOST_NOUNS:
            yield f"{folder}/ holds {count} nouns; at most {MOST_NOUNS}"
    rows = table_rows((root / "ARCHITECTURE.md").read_text())
    order = list(rows)
    arrows = included_rooms(root)
    for room in sorted(set(arrows) - set(rows)):
        yield f"{room}/ has no row in ARCHITECTURE.md"
    for room, allowed in rows.items():
        if room not in arrows:
            yield f"ARCHITECTURE.md has a row for {room}/, which is not there"
            continue
        for used in allowed:
            if used in rows and order.index(used) > order.index(room):
                yield f"{room}/ may use {used}/, which stands above it in the house: an arrow up"
        for used, place in sorted(arrows[room].items()):
            if used not in allowed:
                yield f"{place} includes {used}/, which the row of {room}/ in ARCHITECTURE.md does not allow"
        for used in sorted(set(allowed) - set(arrows[room])):
            yield f"ARCHITECTURE.md lets {room}/ use {used}/, but nothing there does"
    if build:
        targets = target_uses((build / "rooms.txt").read_text())
        for room, uses in targets.items():
            if sorted(uses) != sorted(rows.get(room, [])):
                difference = sorted(set(uses) ^ set(rows.get(room, [])))
                yield f"the target of {room}/ and its row in ARCHITECTURE.md differ: {', '.join(difference)}"
        built = {room.split("/")[0] for room in targets}
        for room in rows:
            if room.split("/")[0] in built and room not in targets:
                yield f"{room}/ is no target"
    yield from wrong_namespaces(root)


def main(root, build):
    arrows = included_rooms(root)
    for folder, count in nouns_by_folder(root).items():
        print(f"{count:3} {folder}" + (f" -> {' '.join(sorted(arrows[folder]))}" if arrows.get(folder) else ""))
    found = list(complaints(root, build))
    for complaint in found:
        print(f"rooms.py: {complaint}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parents[2], Path(sys.argv[1]) if len(sys.argv) > 1 else None))
