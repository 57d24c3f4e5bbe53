"""The rank for which the others wait is named while the job goes on; with real agents and workers."""

import contextlib
import json
import re

import pytest

from hang_stage import WORKER, c10d
from launching import MDL_LAUNCH, environment, free_port, launch, running, wait_until

# Steps of 0.1 s: 0.03 of its own and the rest in a collective, as each says; of rank SLOW it is the other way round.
STEPS = """
own = waiting = 0.0
step, again = 0, False
while not (stage / "end").exists():
    slow = rank == SLOW and not (stage / "fast").exists()
    if rank == SLOW and not slow and not again:  # a step before the last one: rates begin anew, and need no half minute to fall
        own, waiting, step, again = 0.0, 0.0, 0, True
    own += 0.09 if slow else 0.03
    waiting += 0.01 if slow else 0.07
    step += 1
    tell(step=step, FIELDS)
    time.sleep(0.1)
"""


class Job:
    """Two nodes of two ranks each."""

    def __init__(self, folder, slow, fields="own=own, waiting=waiting", **variables):
        self.folder, self.port, self.logs = folder, free_port(), []
        self.env = environment(STAGE=folder, MDL_STRAGGLER_SECONDS=0.5, **variables)
        (folder / "worker.py").write_text(WORKER + STEPS.replace("SLOW", str(slow)).replace("FIELDS", fields))

    @contextlib.contextmanager
    def running(self):
        with contextlib.ExitStack() as stack:
            nodes = []
            for node in range(2):
                self.logs.append(self.folder / f"stderr_{node}")
                options = [*c10d(self.port, 2, int(node == 0)), "--nproc-per-node", 2, "--no-python", "python3", "-S"]
                log = stack.enter_context(self.logs[-1].open("w"))
                nodes.append(stack.enter_context(running(*options, self.folder / "worker.py", env=self.env, stderr=log)))
            yield
            self.go("end")
            assert [node.wait(60) for node in nodes] == [0, 0], self.told()

    def go(self, name):
        (self.folder / name).touch()

    def told(self):
        return "".join(log.read_text() for log in self.logs)

    def status(self):
        done = launch("status", "--rdzv-endpoint", f"localhost:{self.port}", "--json", "--timeout", "5")
        return json.loads(done.stdout) if done.returncode == 0 else None


def test_the_rank_that_the_others_wait_for_is_named_with_its_gpu_and_again_when_it_is_slow_no_longer(tmp_path):
    driver = MDL_LAUNCH.parent / "fake_nvml"
    job = Job(tmp_path, 3, LD_LIBRARY_PATH=driver, MDL_FAKE_GPUS=2, MDL_FAKE_CONDITION="84 1200 1980 0x40", MDL_FAKE_XIDS="79")
    with job.running():
        line = r"rank 3 on \S+ is slow: 0\.0\d+ s of its own a step; the median of all ranks is 0\.03 s\. The others wait for it"
        gpu = r"84 °C, 1200 of 1980 MHz, slowed down by heat \(the hardware\), Xid 79"
        wait_until(lambda: re.search(line + r"\. Its GPU: " + gpu, job.told()))
        status = wait_until(lambda: (now := job.status()) and any(each["kind"] == "straggler" for each in now["events"]) and now)
        assert len({re.search(gpu, str(rank["gpu"])) is not None for rank in status["ranks"]}) == 1
        job.go("fast")
        wait_until(lambda: re.search(r"rank 3 on \S+ is slow no longer", job.told()))
    assert len(re.findall("is slow: ", job.told())) == 1


def test_who_sends_steps_alone_is_not_judged(tmp_path):
    job = Job(tmp_path, 3, fields="total=1000")
    with job.running():
        text = wait_until(lambda: (now := job.status()) and (now["progress"] or {}).get("steps_per_s") and now)
        assert text["progress"]["slowest"] is None
        wait_until(lambda: job.status()["progress"]["behind"]["step"] > 40)
    assert "is slow" not in job.told()


@pytest.mark.parametrize("seconds", ["0", "soon"])
def test_a_wrong_time_is_warned_of(seconds):
    done = launch("--standalone", "--no-python", "true", env=environment(MDL_STRAGGLER_SECONDS=seconds))
    assert done.returncode == 0
    assert f"MDL_STRAGGLER_SECONDS={seconds} is no number of seconds above 0: using 60" in done.stderr
