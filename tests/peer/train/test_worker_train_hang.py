"""A training that hangs is told by mdl-launch, with the rank that holds the others up and what the records of collectives say."""

import os
import re
import signal
import subprocess
import threading

from launching import environment, running, wait_until
from test_worker_train_lost_peers import process_of, text_until
from test_worker_train_stops import ENDLESS
from training_runs import train_command


def test_a_training_whose_rank_is_stopped_is_told_with_the_collective_in_which_the_other_waits(toolkit, data, tmp_path):
    logs = tmp_path / "logs"
    train = train_command(toolkit, data, tmp_path / "out", *ENDLESS)
    command = ["--standalone", "--nproc-per-node", "2", "--log-dir", logs, "--no-python", *train]
    env = environment(OMP_NUM_THREADS=1, MDL_HANG_FLOOR=2)
    with running(*command, env=env, stderr=subprocess.STDOUT) as launcher:
        launcher.told = text_until(launcher, r"'epoch': '0\.1\d*'")
        stopped = process_of(1, launcher)
        os.kill(stopped, signal.SIGSTOP)
        verdict = r"the job hangs: rank 1 is stopped \(state T\); rank 0 waits in all-reduce [\d,]+; there is no record of rank 1\. "

        def report():
            texts = [path.read_text() for path in logs.glob("*/hang_*.txt")]
            return next((text for text in texts if re.match(verdict, text)), None)

        report = wait_until(report, 60)
        assert re.search(r"^rank 0 on \S+: step \d+ .* ago; mdl-toolkit\S* \(pid \d+\) in state ", report, re.MULTILINE)
        assert "Last collectives of rank 0" in report and "gloo: all-reduce" in report and "Python threads" not in report
        os.kill(stopped, signal.SIGCONT)
        text_until(launcher, "the job goes on after all")


def test_a_rank_that_gets_a_sixth_of_the_processor_is_named_as_the_one_that_is_waited_for(toolkit, data, tmp_path):
    train = train_command(toolkit, data, tmp_path / "out", *ENDLESS)
    env = environment(OMP_NUM_THREADS=1, MDL_STRAGGLER_SECONDS=1)
    with running("--standalone", "--nproc-per-node", "2", "--no-python", *train, env=env, stderr=subprocess.STDOUT) as launcher:
        launcher.told = text_until(launcher, r"'epoch': '0\.1\d*'")
        slowed, over = process_of(1, launcher), threading.Event()

        def slow_down():  # as cpulimit does
            while not over.is_set():
                os.kill(slowed, signal.SIGSTOP)
                over.wait(0.1)
                os.kill(slowed, signal.SIGCONT)
                over.wait(0.02)

        limit = threading.Thread(target=slow_down)
        limit.start()
        try:
            text_until(
                launcher, r"rank 1 on \S+ is slow: \S+ s of its own a step; the median of all ranks is \S+ s\. The others wait for it"
            )
        finally:
            over.set()
            limit.join()
