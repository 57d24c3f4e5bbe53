"""A repository as a hub publishes it: revisions, files, hashes; with what a test orders to go wrong, and what was asked.

The content is a folder's; nothing is copied. Names and hashes are git's (small files), and sha256 (files in LFS).
"""

import fnmatch
import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

LARGE = ("*.safetensors", "*.bin", "*.pt", "*.gguf", "tokenizer.json")


@dataclass(frozen=True)
class File:
    path: str
    source: Path
    size: int
    git_hash: str  # of the content; of a file in LFS, of its pointer
    sha256: str
    in_lfs: bool

    @property
    def etag(self):
        return self.sha256 if self.in_lfs else self.git_hash


def git_hash(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def pointer(sha256, size):
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()


def read_file(root, source):
    path, content = source.relative_to(root).as_posix(), source.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    in_lfs = any(fnmatch.fnmatch(source.name, pattern) for pattern in LARGE)
    return File(path, source, len(content), git_hash(pointer(sha256, len(content)) if in_lfs else content), sha256, in_lfs)


@dataclass(frozen=True)
class Revision:
    commit: str
    files: dict  # path -> File

    @classmethod
    def of(cls, folder):
        files = [read_file(folder, path) for path in sorted(Path(folder).rglob("*")) if path.is_file()]
        commit = hashlib.sha1("\n".join(f"{file.path} {file.etag}" for file in files).encode()).hexdigest()
        return cls(commit, {file.path: file for file in files})

    @property
    def folders(self):
        return sorted({parent.as_posix() for path in self.files for parent in Path(path).parents} - {"."})


@dataclass
class Fault:
    """What goes wrong with the requests that it fits. All that is set happens."""

    path: str = "*"  # of a file in the repository, a pattern; "" stands for what is asked about the repository itself
    side: str = ""  # "hub" or "cdn": only there
    times: int | None = None  # only so often; None: always
    method: str = ""
    needs_range: bool = False  # only requests for a range
    status: int = 0  # answered instead
    headers: dict = field(default_factory=dict)  # sent besides
    message: str = "made by a test"
    redirect: str = ""  # to this address instead; "{path}" is the path that was asked for
    cut_after: int | None = None  # the connection ends after so many bytes of the body
    stall_after: int | None = None  # nothing comes after so many bytes, until the client goes or the server ends
    at_byte: tuple[int, Callable] | None = None  # (n, hook): called once n bytes of the body are on their way
    content: Callable[[bytes], bytes] | None = None  # the bytes that are sent, of those that should be
    ignores_range: bool = False
    listing: Callable[[list], list] | None = None  # the entries that a listing has, of those that it should

    def fits(self, asked):
        of_content = (self.cut_after, self.stall_after, self.at_byte, self.content) != (None,) * 4 or self.ignores_range
        return (
            (asked.for_content or not of_content)
            and (self.times is None or self.times > 0)
            and self.side in ("", asked.side)
            and self.method in ("", asked.method)
            and (not self.needs_range or asked.range)
            and (fnmatch.fnmatchcase(asked.file, self.path) if self.path else not asked.file)
        )


@dataclass
class Asked:
    """A request that came."""

    side: str  # "hub" or "cdn"
    method: str
    target: str  # path and query
    file: str  # of the repository; "" for a listing
    host: str
    range: str
    authorization: str
    cookie: str
    for_content: bool = True  # the answer is what was asked for, and not where it is
    status: int = 0  # of the answer
    sent: int = 0  # bytes of the body that were written


class Repository:
    """`revisions` maps branches and tags to folders. `token`: what a private one asks for; `gated`: files only."""

    def __init__(self, name, revisions, *, token=None, gated=False, page_size=4):
        self.name, self.token, self.gated, self.page_size = name, token, gated, page_size
        self.revisions = {key: Revision.of(Path(folder)) for key, folder in revisions.items()}
        self.faults, self.asked = [], []
        self.lock = threading.Lock()

    def find(self, revision):
        """By branch, tag or commit; None."""
        by_commit = {found.commit: found for found in self.revisions.values()}
        return self.revisions.get(revision) or by_commit.get(revision)

    def find_path(self, path):
        """The file of that path in the main branch."""
        return self.revisions["main"].files[path]

    def find_content(self, sha256):
        return next((file for found in self.revisions.values() for file in found.files.values() if file.sha256 == sha256), None)

    def fault(self, **what):
        """Orders a fault; returns it, so that a test can look at what is left of its times."""
        self.faults.append(Fault(**what))
        return self.faults[-1]

    def take_fault(self, asked):
        with self.lock:
            self.asked.append(asked)
            fault = next((fault for fault in self.faults if fault.fits(asked)), Fault())
            if fault.times is not None:
                fault.times -= 1
            return fault

    def clear(self):
        """Forgets faults and requests."""
        with self.lock:
            self.faults, self.asked = [], []

    def asked_for(self, file, method="GET"):
        return [asked for asked in self.asked if asked.file == file and asked.method == method]
