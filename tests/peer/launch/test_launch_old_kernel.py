"""mdl-launch on a kernel before Linux 5.3, as RHEL 8 has one: no close_range, no pidfd_open."""

import sys

from launching import MDL_LAUNCH, launch

# A program that has the kernel answer ENOSYS to these two calls from then on, and becomes the one that is named to it.
OLD_KERNEL = """
import ctypes, errno, os, struct, sys

LOAD_NUMBER, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, FAIL = 0x7FFF0000, 0x00050000
PIDFD_OPEN, CLOSE_RANGE = 434, 436
rules = b"".join(struct.pack("HBBI", *rule) for rule in [
    (LOAD_NUMBER, 0, 0, 0),
    (JUMP_IF_EQUAL, 2, 0, CLOSE_RANGE),
    (JUMP_IF_EQUAL, 1, 0, PIDFD_OPEN),
    (RETURN, 0, 0, ALLOW),
    (RETURN, 0, 0, FAIL | errno.ENOSYS),
])
buffer = ctypes.create_string_buffer(rules, len(rules))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(rules) // 8, ctypes.addressof(buffer)))
prctl = ctypes.CDLL(None, use_errno=True).prctl
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, FILTER = 38, 22, 2
for call in ((PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (PR_SET_SECCOMP, FILTER, program, 0, 0)):
    if prctl(*call) != 0:
        sys.exit(os.strerror(ctypes.get_errno()))
os.execv(sys.argv[1], sys.argv[1:])
"""
# A worker that shows its own open files and the guardian's, after it has given the guardian time to close what it inherited: it does so
# behind the start of all workers, and this one waits for it.
SHOW_FILES = """
import os, time

def files(process):
    open_files = {}
    for name in os.listdir(f"/proc/{process}/fd"):
        try:
            open_files[name] = os.readlink(f"/proc/{process}/fd/{name}")
        except FileNotFoundError:  # it has just been closed
            pass
    return open_files

guardian = os.getppid()
while files(guardian).get("1") != "/dev/null":
    time.sleep(0.01)
while any(target.startswith("pipe:") for target in files(guardian).values()):
    time.sleep(0.01)
print(sorted(os.listdir("/proc/self/fd")), flush=True)
"""


def test_no_pipe_of_the_launcher_is_left_open_in_a_worker_or_the_guardian(tmp_path):
    script = tmp_path / "show.py"
    script.write_text(SHOW_FILES)
    done = launch("-c", OLD_KERNEL, MDL_LAUNCH, "--standalone", "--nproc-per-node", "2", script, launcher=sys.executable)
    assert done.returncode == 0, done.stderr
    # Their three streams, and the folder that is being listed.
    assert done.stdout.splitlines() == ["['0', '1', '2', '3']"] * 2


def test_a_worker_that_fails_is_started_again(tmp_path):
    words = ("--standalone", "--max-restarts", "1", "--no-python", "sh", "-c", 'test "$TORCHELASTIC_RESTART_COUNT" = 1')
    done = launch("-c", OLD_KERNEL, MDL_LAUNCH, *words, launcher=sys.executable)
    assert done.returncode == 0, done.stderr
