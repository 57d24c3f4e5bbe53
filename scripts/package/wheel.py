"""Wheels of programs: no Python in them, pip puts the files into the folders of an environment."""

import base64
import hashlib
import io
import time as clock
import zipfile

from tree import File

FIRST_TIME = 315_532_800  # 1980: a .zip knows no time before


def record_line(name: str, data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(data)}\n"


def metadata(name: str, version: str, summary: str, requires: list[str], about: str) -> bytes:
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", f"Summary: {summary}", "License: Apache-2.0"]
    lines += ["Operating System :: POSIX :: Linux", "Environment :: Console"]
    lines = [f"Classifier: {line}" if " :: " in line else line for line in lines]
    lines += [f"Requires-Dist: {other}" for other in requires]
    lines += ["Description-Content-Type: text/plain", "", about] if about else []
    return "".join(line + "\n" for line in lines).encode()


def wheel(
    name: str,
    version: str,
    tag: str,
    summary: str,
    files: dict[str, File],
    licence: bytes,
    time: int,
    requires: tuple[str, ...] = (),
    description: str = "",
) -> tuple[str, bytes]:
    """The file's name and its content. `files` by path: bin/… goes where an environment has its programs, site-packages/… among its packages,
    the rest below its root."""
    stem = f"{name.replace('-', '_')}-{version}"
    places = {"bin/": f"{stem}.data/scripts/", "site-packages/": ""}
    placed = {}
    for path, file in files.items():
        begin = next((begin for begin in places if path.startswith(begin)), "")
        placed[places.get(begin, f"{stem}.data/data/") + path.removeprefix(begin)] = file
    about = f"{stem}.dist-info"
    placed[f"{about}/METADATA"] = File(metadata(name, version, summary, list(requires), description))
    placed[f"{about}/WHEEL"] = File(f"Wheel-Version: 1.0\nGenerator: mdl-launch\nRoot-Is-Purelib: false\nTag: {tag}\n".encode())
    placed[f"{about}/licenses/LICENSES.txt"] = File(licence)
    record = "".join(record_line(path, file.data) for path, file in sorted(placed.items())) + f"{about}/RECORD,,\n"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path, file in [*sorted(placed.items()), (f"{about}/RECORD", File(record.encode()))]:
            entry = zipfile.ZipInfo(path, clock.gmtime(max(time, FIRST_TIME))[:6])
            entry.external_attr = (0o100000 | file.mode) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, file.data)
    return f"{stem}-{tag}.whl", buffer.getvalue()
