"""What an episode may not leave behind."""

import os
import re
import subprocess
import time
from pathlib import Path


def shared_memory():
    return set(os.listdir("/dev/shm"))


def owners_of(names):
    """Which of these names in /dev/shm some process of this machine has open or mapped: other programs' own."""
    open_now = set()
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            maps = (process / "maps").read_text()
            opened = [os.readlink(link) for link in (process / "fd").iterdir()]
        except OSError:
            continue
        open_now |= {name for name in names if f"/dev/shm/{name}" in maps or any(f"/dev/shm/{name}" in text for text in opened)}
    return open_now


def find(cluster, shared_before):
    """Texts: processes, ports, temporary files, shared memory that the jobs of `cluster` have left, a moment after their end."""
    found = []
    deadline = time.monotonic() + 3
    for number, host in enumerate(cluster.hosts):
        while (left := cluster.processes(number)) and time.monotonic() < deadline:
            time.sleep(0.05)
        if left:
            shown = subprocess.run(["ps", "-o", "pid,ppid,stat,args", *map(str, left)], capture_output=True, text=True).stdout
            found.append(f"{host.name}: processes {left}: {shown[:600]}")
        ports = [port for port in host.ports() if port != cluster.proxy_port(number)]
        if ports:
            found.append(f"{host.name}: open ports {ports}")
        temporary = os.listdir(cluster.folder / f"tmp{number}")
        if temporary:
            found.append(f"{host.name}: {temporary} in its temporary folder")
    if cluster.output.is_dir():
        found += [f"{name} in the output" for name in os.listdir(cluster.output) if re.search(r"unfinished|replaced|\.tmp|~$", name)]
    new = shared_memory() - shared_before
    found += [f"/dev/shm/{name}" for name in sorted(new - owners_of(new))]
    return found


def namespaces_of(prefix):
    names = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout.split()
    return [name for name in names if name.startswith(prefix)]
