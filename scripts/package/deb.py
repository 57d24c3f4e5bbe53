"""Debian packages, by dpkg-deb."""

import gzip
import hashlib
import os
import re
import subprocess
import tempfile
from email.utils import formatdate
from pathlib import Path

from tree import File

MAINTAINER = "The MDL native authors <mdl-native@example.org>"
ABOUT_LAUNCHER = """launcher of distributed PyTorch jobs, without Python
 mdl-launch takes the place of torchrun and of accelerate launch: the same
 options, the same environment for workers, the same store. It is one program
 that starts in milliseconds."""
ABOUT_NAMES = """mdl-launch under the names torchrun and accelerate
 Links by which the commands torchrun and accelerate are mdl-launch, which
 reads the command line that belongs to the name."""


# Debian's systems have the text of the licence already.
COPYRIGHT = """mdl-launch and its documents

Copyright (C) 2026 the authors of MDL native

License: Apache-2.0
 On Debian systems the text is in /usr/share/common-licenses/Apache-2.0
"""


def debian_version(version: str) -> str:
    """Of PEP 440's: a development version comes before what it leads to, and so does one that is tried (a, b, rc)."""
    public, plus, local = version.partition("+")
    return re.sub(r"(a|b|rc)(?=\d)", r"~\1", public.replace(".dev", "~dev")) + plus + local


def changelog(package: str, version: str, time: int) -> bytes:
    text = f"{package} ({version}) unstable; urgency=medium\n\n  * See the commits of the source.\n\n -- {MAINTAINER}  {formatdate(time)}\n"
    return gzip.compress(text.encode(), 9, mtime=0)


def control(package: str, version: str, arch: str, depends: str, about: str, size: int, further: str = "") -> bytes:
    return (
        f"Package: {package}\nVersion: {version}\nArchitecture: {arch}\nMaintainer: {MAINTAINER}\nInstalled-Size: {-(-size // 1024)}\n"
        f"Depends: {depends}\n{further}Section: science\nPriority: optional\nDescription: {about}\n"
    ).encode()


def build(control_file: bytes, files: dict[str, File], links: dict[str, str], time: int) -> bytes:
    """The package; `files` and `links` by path below the system's root."""
    with tempfile.TemporaryDirectory() as folder:
        root, output = Path(folder) / "root", Path(folder) / "package.deb"
        sums = "".join(f"{hashlib.md5(file.data).hexdigest()}  {path}\n" for path, file in sorted(files.items())).encode()
        for path, file in {**files, "DEBIAN/control": File(control_file), "DEBIAN/md5sums": File(sums)}.items():
            target = root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.data)
            target.chmod(file.mode)
        for path, target in links.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).symlink_to(target)
        for path in [root, *root.rglob("*")]:
            if path.is_dir():
                path.chmod(0o755)
            os.utime(path, (time, time), follow_symlinks=False)
        environment = {**os.environ, "SOURCE_DATE_EPOCH": str(time), "LC_ALL": "C"}
        subprocess.run(
            ["dpkg-deb", "-Zxz", "--root-owner-group", "--build", str(root), str(output)],
            check=True,
            env=environment,
            stdout=subprocess.DEVNULL,
        )
        return output.read_bytes()
