"""Restarts and rounds by the thousand against one launcher: see scripts/soak.sh --help."""

import itertools
import json
import shutil
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from nodes import Nodes  # noqa: E402
from options import FAILURES, options  # noqa: E402
from resources import BOUNDS, descendants, measure  # noqa: E402
from trend import rise, settled  # noqa: E402


def run(args, nodes):
    """[(rounds, measurements)]."""
    samples = []
    peer = nodes.start(FAILURES)
    for number in itertools.count():
        peer.wait_for_line("settled", 60)
        nodes.wait_for_host(60)
        if nodes.rounds() >= len(samples) * args.rounds / (args.samples - 1):
            samples.append((nodes.rounds(), measure(nodes.host.process.pid, nodes.port, nodes.temporary)))
            if args.results:
                with args.results.open("a") as file:
                    file.write(json.dumps({"rounds": samples[-1][0], **samples[-1][1]}) + "\n")
            if samples[-1][0] >= args.rounds:
                return samples
        if args.sabotage:
            sabotage(nodes, number)
        # In turn: the next one is there before this one goes, or comes after it.
        stands_by = number % 2 == 0
        if stands_by:
            following = nodes.start(FAILURES)
        nodes.end(peer, "killed" if number % 4 < 2 else "ended")
        peer = following if stands_by else nodes.start(FAILURES)


def sabotage(nodes, number):
    from resources import StoreClient

    StoreClient("127.0.0.1", nodes.port).set(f"left-{number}", b"x" * 100)
    (nodes.temporary / f"left-{number}").touch()


def show(samples):
    """Prints the table; returns what is not flat."""
    print("| what | at first | in the end | most | rise of the fitted line | bound |\n|---|---|---|---|---|---|")
    steep = []
    for name, bound in BOUNDS.items():
        points = [(rounds, values[name]) for rounds, values in samples]
        risen = rise(settled(points))
        if risen > bound:
            steep.append(name)
        print(f"| {name} | {points[0][1]} | {points[-1][1]} | {max(y for _, y in points)} | {risen:+.1f} | {bound} |")
    return steep


def main():
    args = options()
    folder = args.work / f"soak-{time.strftime('%H%M%S')}"
    began = time.monotonic()
    with Nodes(args.bin_dir / "mdl-launch", folder) as nodes:
        samples = run(args, nodes)
        children = descendants(nodes.host.process.pid)
    seconds = time.monotonic() - began
    print(f"{samples[-1][0]} rounds in {seconds:.0f} s; a job that starts again once a minute has 120 in two hours")
    steep = show(samples)
    deadline = time.monotonic() + 3  # the guardian of the launcher's workers ends them
    while (left := [pid for pid in children if Path(f"/proc/{pid}").exists()]) and time.monotonic() < deadline:
        time.sleep(0.05)
    if left:
        steep.append(f"processes {left} of a launcher that was killed")
    shutil.rmtree(folder, ignore_errors=True)
    if steep:
        sys.exit(f"soak.sh: not flat: {', '.join(steep)}")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("soak.sh: interrupted; what it had started is gone")
