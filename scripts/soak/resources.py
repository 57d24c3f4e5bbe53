"""What a launcher and all its descendants hold, read from /proc, and what its store and its temporary folder hold."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests/hosts/harness"))
from store_client import StoreClient  # noqa: E402

PAGE = os.sysconf("SC_PAGE_SIZE")


def children_of():
    """{parent: its children} of all processes."""
    tree = {}
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                stat = (process / "stat").read_text()
            except OSError:
                continue
            # After the name, which is in parentheses and may hold anything: state, parent.
            tree.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(process.name))
    return tree


def descendants(pid):
    tree, found, left = children_of(), [], [pid]
    while left:
        left += (mine := tree.get(left.pop(), []))
        found += mine
    return found


def measure(pid, port, temporary):
    """{what: how much} of the launcher `pid`, its store at loopback's `port`, and its TMPDIR."""
    process = Path(f"/proc/{pid}")
    status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    store = StoreClient("127.0.0.1", port)
    keys = store.keys()
    values = sum(len(key) + len(store.get(key)) for key in keys)
    files = [Path(folder) / name for folder, folders, names in os.walk(temporary) for name in folders + names]
    return {
        "descriptors": len(os.listdir(process / "fd")),
        "resident KiB": int((process / "statm").read_text().split()[1]) * PAGE // 1024,
        "threads": int(status["Threads"]),
        "processes": 1 + len(descendants(pid)),
        "keys in the store": len(keys),
        "bytes in the store": values,
        "temporary files": len(files),
    }


# How far each may rise from the fifth part of the rounds to the end, whatever their number, to be called flat.
BOUNDS = {
    "descriptors": 2,
    "resident KiB": 1024,
    "threads": 0.5,
    "processes": 2,
    "keys in the store": 4,
    "bytes in the store": 2048,
    "temporary files": 3,
}
