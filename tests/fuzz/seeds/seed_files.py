"""Where seeds are kept."""

from pathlib import Path

HERE = Path(__file__).resolve().parents[1]  # tests/fuzz
REPOSITORY = HERE.parents[1]


def write(target, name, data):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"seed-{name}").write_bytes(data.encode() if isinstance(data, str) else data)
