"""`mdl-toolkit download` against the tests' hub."""

import hashlib
import os
import subprocess

from hub_repository import git_hash
from real_hubs import environment

WANTED = ("*.json", "*.jinja", "*.py", "*.txt", "*.safetensors")


class Downloader:
    """A user with a home of their own, who asks a hub for models; both APIs."""

    def __init__(self, toolkit, hub, home, *, modelscope=False, **variables):
        self.toolkit, self.home, self.modelscope = toolkit, home, modelscope
        endpoint = {"MODELSCOPE_DOMAIN" if modelscope else "HF_ENDPOINT": hub.endpoint}
        self.variables = environment(home, **{**endpoint, **variables})
        self.cache = home / (".cache/modelscope" if modelscope else ".cache/huggingface/hub")

    def command(self, name, *options):
        return [str(self.toolkit), "download", name, *options, *(["--from-modelscope", "true"] if self.modelscope else [])]

    def start(self, name, *options, **variables):
        """The process."""
        env = {**self.variables, **variables}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(self.command(name, *options), env=env, **pipes)

    def ask(self, name, *options, **variables):
        """(exit code, what it prints on stdout, and on stderr)."""
        with self.start(name, *options, **variables) as process:
            out, errors = process.communicate(timeout=120)
        return process.returncode, out.strip(), errors

    def fetch(self, name, *options, **variables):
        """What it prints on stdout, the model's folder, of a download that succeeds."""
        code, out, errors = self.ask(name, *options, **variables)
        assert code == 0, errors
        return out

    def refuse(self, name, *options, exit_code=None, **variables):
        """What a download that fails prints; `exit_code`: the one that it has to have."""
        code, out, errors = self.ask(name, *options, **variables)
        assert code in ([exit_code] if exit_code else [1, 2]) and not out, (code, out, errors)
        return errors


def check_names(cache, repository):
    """Whatever has its final name in a cache is whole."""
    files = {path: file for found in repository.revisions.values() for path, file in found.files.items()}
    for blob in cache.glob("models--*/blobs/*"):
        if not blob.name.endswith((".incomplete", ".ranges")):
            content = blob.read_bytes()
            assert blob.name in (hashlib.sha256(content).hexdigest(), git_hash(content)), f"{blob} is not whole"
    for path in [*cache.glob("models--*/snapshots/*/**/*"), *cache.glob("models/*/snapshots/*/**/*")]:
        if path.is_file() or path.is_symlink():
            name = path.relative_to(next(up for up in path.parents if up.parent.name == "snapshots")).as_posix()
            assert name.endswith(".tmp") or path.read_bytes() == files[name].source.read_bytes(), f"{path} is not whole"


def unfinished(cache):
    """Files that a download left to go on with."""
    return [path for path in cache.rglob("*.incomplete") if path.is_file()]


def modes(folder):
    """{path: permission bits} of the files and folders in a tree, without locks."""
    paths = [path for path in folder.rglob("*") if not path.is_symlink() and ".lock" not in path.relative_to(folder).parts[0]]
    return {path.relative_to(folder).as_posix(): oct(os.stat(path).st_mode & 0o777) for path in paths}
