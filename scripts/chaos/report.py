"""Results as a table: how often each kind of fault was tried, and what came of it."""

from collections import Counter

from scenario import KINDS

COLUMNS = ("survived", "stopped", "hung", "broken")


def table(results):
    """Markdown. An episode counts in the row of each kind that came to pass in it."""
    lines = ["| fault | tried | survived | stopped cleanly | hung | broken |", "|---|---|---|---|---|---|"]
    for kind in KINDS:
        counts = Counter(result.result for result in results if any(fault.kind == kind for fault in result.done))
        if counts:
            lines.append(f"| {kind} | {counts.total()} | " + " | ".join(str(counts[column]) for column in COLUMNS) + " |")
    counts = Counter(result.result for result in results)
    lines.append(f"| all episodes | {counts.total()} | " + " | ".join(str(counts[column]) for column in COLUMNS) + " |")
    return "\n".join(lines)
