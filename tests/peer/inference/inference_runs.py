"""Runs of `mdl-toolkit inference`, and what they leave."""

import json
import os
import shutil

from programs import run


def configured(checkpoint, folder, **settings):
    """The checkpoint with other settings in its generation_config.json; the weights are links."""
    shutil.copytree(checkpoint, folder, copy_function=os.symlink)
    (folder / "generation_config.json").unlink()
    original = json.loads((checkpoint / "generation_config.json").read_text())
    (folder / "generation_config.json").write_text(json.dumps({**original, **settings}))
    return folder


def infer(bin_dir, *arguments, **options):
    return run([bin_dir / "mdl-toolkit", "inference", *arguments], **options)


def partial_answers(path):
    return [json.loads(line) for line in path.read_text().splitlines()[1:]] if path.exists() else []
