"""`mdl-launch status` and its --watch: how a job gets on, and how it ends."""

import contextlib
import fcntl
import json
import os
import pty
import re
import resource
import signal
import struct
import subprocess
import termios
import threading
import time

import pytest

from launching import MDL_LAUNCH, TORCHRUN, environment, free_port, launch, running, wait_until
from simulated_job import put_job

WORKER = """
import json, os, socket, sys, time
to_launcher = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
step = 0
while not os.path.exists(os.environ["STAGE"] + "/end"):
    step += 1
    fields = {"step": step, "total": 1000, "samples": 4 * step, "own": 0.03 * step, "waiting": 0.02 * step, "loss": 1 / step}
    if "MDL_PROGRESS" in os.environ:  # not under torchrun
        to_launcher.sendto(json.dumps(fields).encode(), os.environ["MDL_PROGRESS"])
    time.sleep(0.05)
sys.exit(int(open(os.environ["STAGE"] + "/end").read() or "0"))
"""


class Watched:
    """A job of one node, and those who watch it."""

    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        (folder / "worker.py").write_text(WORKER)

    def job(self):
        options = ["--nnodes", "1:2", "--rdzv-backend", "c10d", "--rdzv-endpoint", f"localhost:{self.port}", "--rdzv-id", "j"]
        quick = ["--rdzv-conf", "last_call_timeout=1", "--nproc-per-node", 2]
        return running(*options, *quick, self.folder / "worker.py", env=environment(STAGE=self.folder))

    def end(self, code=0):
        (self.folder / "code").write_text(str(code))
        (self.folder / "code").rename(self.folder / "end")

    def words(self, *options):
        return ["status", "--rdzv-endpoint", f"localhost:{self.port}", *options]

    def wait_for_progress(self):
        def told():
            done = launch(*self.words("--json", "--timeout", "1"))
            return done.returncode == 0 and (json.loads(done.stdout)["progress"] or {}).get("samples_per_s")

        return wait_until(told)


@pytest.fixture
def watched(tmp_path):
    return Watched(tmp_path)


class Watcher:
    """A `status --watch` on a terminal of so many rows and columns, or with a pipe."""

    def __init__(self, words, size=None):
        if size:
            self.ours, theirs = pty.openpty()
            fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
        else:
            self.ours, theirs = os.pipe()
        self.text = ""
        self.process = subprocess.Popen(
            [MDL_LAUNCH, *words, "--watch"], stdin=subprocess.DEVNULL, stdout=theirs, stderr=subprocess.PIPE, text=True
        )
        os.close(theirs)
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        try:
            while part := os.read(self.ours, 4096):
                self.text += part.decode()
        except OSError:  # a terminal whose other side is closed
            pass
        os.close(self.ours)

    def ended(self):
        code = self.process.wait(60)
        self.reader.join()
        return code, self.process.stderr.read()


def test_the_status_shows_step_speed_loss_and_slowest_rank(watched):
    with watched.job() as job:
        watched.wait_for_progress()
        shown = launch(*watched.words()).stdout
        rates = r"\d+\.\d samples/s; [\d.]+ steps/s; loss [\d.e-]+; last step \d+\.\d s ago"
        assert re.search(rf"^Progress: step \d+ of 1000.*; {rates}$", shown, re.MULTILINE), shown
        even = r"^Slowest rank: none stands out; at most 0\.03\d* s of its own a step; the median is 0\.03\d* s$"
        assert re.search(even, shown, re.MULTILINE), shown
        assert "round 0 begins; nodes: 1, workers: 2" in shown and "no data" not in shown
        told = json.loads(launch(*watched.words("--json")).stdout)
        assert [rank["rank"] for rank in told["ranks"]] == [0, 1] and told["events"][0]["kind"] == "round"
        for rank in told["ranks"]:
            assert f"RANK={rank['rank']}\0" in open(f"/proc/{rank['pid']}/environ").read()
            assert rank["samples"] == 4 * rank["step"] and abs(rank["waiting_s"] - 0.02) < 0.001 and not rank["old"]
        watched.end()
        assert job.wait(60) == 0


@pytest.mark.parametrize("code", [0, 3])
def test_the_watch_draws_in_place_or_below_and_says_how_the_job_has_ended(watched, code):
    with watched.job() as job:
        watched.wait_for_progress()
        terminal = Watcher(watched.words(), size=(8, 60))
        pipe = Watcher(watched.words())
        lines = Watcher(watched.words("--json"))
        everybody = (terminal, pipe, lines)
        wait_until(lambda: all(each.text.count("round 0") >= 3 or each.text.count('"round":0') >= 3 for each in everybody))
        watched.end(code)
        assert job.wait(60) == (1 if code else 0)
        assert [each.ended() for each in everybody] == [(0, "")] * 3
    how = 'Job "j" has succeeded.' if code == 0 else r'Job "j" has failed: rank [01] on \S+, exit code 3\.'
    # On the terminal: up by as many lines as were drawn, which fit it, and the rest of the screen is emptied.
    frames = re.split(r"(?:\x1b\[(\d+)A)?\r\x1b\[J", terminal.text)
    texts, ups = frames[2::2], frames[3::2]
    assert len(texts) >= 3 and [int(up) for up in ups] == [text.count("\r\n") for text in texts[:-1]]
    assert all(text.count("\r\n") <= 7 and max(map(len, text.split("\r\n"))) <= 59 for text in texts[:-1]), texts
    assert "more lines)" in texts[0] and re.search(how + "\r\n$", terminal.text)
    # Elsewhere all of them stand there, without escape codes.
    assert "\x1b" not in pipe.text and pipe.text.count('Job "j" at') >= 3 and re.search(how + "\n$", pipe.text)
    told = [json.loads(line) for line in lines.text.splitlines()]
    assert len(told) >= 3 and (told[-1]["succeeded"], told[-1]["root_cause"] is None) == (code == 0, code == 0)
    steps = [one["progress"]["ahead"]["step"] for one in told]
    assert steps == sorted(steps) and steps[0] < steps[-1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_the_watch_and_not_the_job(watched, number):
    with watched.job() as job:
        watched.wait_for_progress()
        watcher = Watcher(watched.words())
        wait_until(lambda: watcher.text.endswith("\n"))
        watcher.process.send_signal(number)
        assert watcher.ended() == (0, "")
        assert job.poll() is None
        # The host of the store waits at its end for those who watch: nobody does any longer.
        from torch.distributed import TCPStore

        assert TCPStore("localhost", watched.port, is_master=False, wait_for_workers=False).get("mdl-launch/j/watchers") == b"0"
        watched.end()
        assert job.wait(60) == 0


def test_rubbish_in_the_place_of_the_watchers_number_is_warned_of_once_and_the_watch_goes_on(watched):
    from torch.distributed import TCPStore

    with watched.job() as job:
        watched.wait_for_progress()
        store = TCPStore("localhost", watched.port, is_master=False, wait_for_workers=False)
        store.set("mdl-launch/j/watchers", "rubbish")
        watcher = Watcher(watched.words())
        wait_until(lambda: watcher.text.count("round 0") >= 3 or watcher.process.poll() is not None)
        watcher.process.send_signal(signal.SIGINT)
        code, errors = watcher.ended()
        assert (code, errors.count("mdl-launch/j/watchers of the job's store holds what is no number"), errors.count("\n")) == (0, 1, 1), (
            errors
        )
        assert store.get("mdl-launch/j/watchers") == b"rubbish" and job.poll() is None
        watched.end()
        assert job.wait(60) == 0


def static_job(watched, rank, launcher=MDL_LAUNCH):
    place = ["--master-addr", "localhost", "--master-port", watched.port, "--rdzv-id", "j"]
    env = environment(STAGE=watched.folder)
    return running("--nnodes", 2, *place, "--node-rank", rank, watched.folder / "worker.py", launcher=launcher, env=env)


def test_a_static_job_is_shown_and_watched_by_the_place_of_its_store(watched):
    words = ["status", "--master-addr", "localhost", "--master-port", watched.port]
    with contextlib.ExitStack() as agents:
        first = agents.enter_context(static_job(watched, 0))
        missing = r'^Job "j" .*: round 0 waits for nodes: 1 of 2 are there \(missing: --node-rank 1\); 1 node$'
        wait_until(lambda: re.search(missing, launch(*words, "--timeout", "1").stdout, re.MULTILINE))
        second = agents.enter_context(static_job(watched, 1))

        def told():
            done = launch(*words, "--json")
            ranks = json.loads(done.stdout)["ranks"] if done.returncode == 0 else []
            return len(ranks) == 2 and all(rank["steps_per_s"] for rank in ranks) and done.stdout

        status = json.loads(wait_until(told))
        assert (status["job"], status["complete"], status["round"]) == ("j", True, 0)
        assert [(node["rank"], node["workers"], node["pid"], node["heartbeat_age_s"]) for node in status["nodes"]] == [
            (0, 1, None, None),
            (1, 1, None, None),
        ]
        shown = launch(*words)
        assert (shown.returncode, shown.stderr) == (0, "")
        assert re.search(r'^Job "j" at localhost:\d+: round 0 complete; 2 nodes, 2 ranks$', shown.stdout, re.MULTILINE)
        assert re.search(r"^ +1  1 +\S+ +- +- +\d+ ", shown.stdout, re.MULTILINE) and "round 0 begins" in shown.stdout
        endpoint = f"localhost:{watched.port}"
        variables = {"PET_MASTER_ADDR": "localhost", "PET_MASTER_PORT": watched.port}
        for words_too, env in [
            (["status", "--rdzv-endpoint", endpoint], {}),
            (["status", "--rdzv-endpoint", endpoint, "--rdzv-backend", "static", "--rdzv-id", "j"], {}),
            (["status"], variables),
            (words, {"PET_RDZV_ENDPOINT": "nowhere.invalid"}),
        ]:
            done = launch(*words_too, env=environment(**env))
            assert done.returncode == 0 and done.stdout.startswith('Job "j" at localhost:'), done.stderr
        watcher = Watcher([*map(str, words)])
        wait_until(lambda: watcher.text.endswith("\n"))
        watched.end()
        assert (first.wait(60), second.wait(60)) == (0, 0)
        assert watcher.ended() == (0, "") and watcher.text.endswith('\nJob "j" has succeeded.\n')


def test_a_static_job_of_torchruns_is_shown_without_progress(watched):
    with static_job(watched, 0, TORCHRUN) as first, static_job(watched, 1) as second:
        words = ["status", "--master-addr", "localhost", "--master-port", watched.port, "--timeout", "1"]
        shown = wait_until(lambda: (text := launch(*words).stdout) and re.search(r"^ +1  1 .* \d+ ", text, re.MULTILINE) and text)
        assert ": round 0 complete; 2 nodes, 2 ranks\n" in shown and re.search(r"^ +0  0 +- +- +- +no data$", shown, re.MULTILINE)
        watched.end()
        assert (first.wait(60), second.wait(60)) == (0, 0)


@pytest.mark.parametrize("code", [0, 3])
def test_a_job_of_one_node_is_found_by_its_name_and_watched_to_its_end(watched, code):
    name = f"one-{os.getpid()}-{code}"
    words = ["status", "--rdzv-id", name]
    options = ["--nnodes", 1, "--rdzv-backend", "c10d", "--rdzv-id", name, "--nproc-per-node", 2]
    assert f'no job "{name}" of yours runs on this machine' in launch(*words).stderr
    with running(*options, watched.folder / "worker.py", env=environment(STAGE=watched.folder)) as job:
        shown = wait_until(lambda: (text := launch(*words).stdout) and "loss " in text and text)
        assert re.search(r": round 0 complete; 1 node, 2 ranks$", shown, re.MULTILINE)
        watcher = Watcher(words)
        wait_until(lambda: watcher.text.endswith("\n"))
        watched.end(code)
        assert job.wait(60) == (1 if code else 0)
        assert watcher.ended() == (0, "")
        end = r"has failed: rank [01] on \S+, exit code 3" if code else "has succeeded"
        assert re.search(rf'\nJob "{name}" {end}\.\n$', watcher.text)


def test_a_watch_of_a_store_that_dies_says_that_it_is_gone(watched):
    with watched.job() as job:
        watched.wait_for_progress()
        watcher = Watcher(watched.words("--timeout", "1"))
        lines = Watcher(watched.words("--timeout", "1", "--json"), size=(24, 60))
        wait_until(lambda: all(each.text.endswith("\n") for each in (watcher, lines)))
        killed = time.monotonic()
        job.kill()
        assert watcher.ended() == (0, "") and time.monotonic() - killed > 0.5  # it was looked for
        assert lines.ended() == (0, "")
        told = [json.loads(line) for line in lines.text.splitlines()]  # on a terminal, too
        assert (told[0]["state"], told[-1]["state"], told[-1]["job"]) == ("running", "gone", "j") and told[-1]["reason"]
        assert re.search(
            r'\nThe store of job "j" at localhost:\d+ is gone \(.*\): the job has ended, or its host was lost\.\n$', watcher.text
        )


def test_a_watch_of_nothing_is_an_error_as_without_it(watched):
    done = launch(*watched.words("--watch", "--timeout", "0.5"))
    assert (done.returncode, done.stdout) == (1, "") and f"cannot reach the store at localhost:{watched.port}" in done.stderr


def test_the_status_of_a_thousand_ranks_is_read_in_a_few_milliseconds(watched, record_property):
    from torch.distributed import TCPStore

    store = TCPStore("localhost", watched.port, is_master=True, wait_for_workers=False)
    put_job(store)
    for options in ([], ["--json"]):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = launch(*watched.words(*options))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)
        print(f"status {' '.join(options)} of 1,000 ranks on 125 nodes: {seconds * 1000:.1f} ms of CPU")
        record_property("cpu_ms", seconds * 1000)
        assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert len(told["ranks"]) == 1000 and told["progress"]["ranks"] == 1000
    assert told["progress"]["slowest"] == {
        "rank": 999,
        "host": "node124",
        "own_s": 0.631,
        "median_own_s": 0.565,
        "pid": None,
        "even": False,
    }
    assert (told["progress"]["behind"]["step"], told["progress"]["ahead"]["step"]) == (12345, 12352)
    assert told["progress"]["samples_per_s"] == pytest.approx(40983.6)
