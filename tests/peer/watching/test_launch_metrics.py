"""--metrics-port: what the real Prometheus makes of a job, and where it is served."""

import contextlib
import http.client
import json
import re
import shutil
import socket
import subprocess
import time
import urllib.parse

import pytest

from launching import MDL_LAUNCH, TORCHRUN, environment, free_port, launch, running, wait_until

# Each rank says something of its own, and stays until the file is there.
WORKER = """
import json, os, socket, sys, time
to_launcher = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
rank, attempt = int(os.environ["RANK"]), int(os.environ["TORCHELASTIC_RESTART_COUNT"])
def tell(**fields):
    if "MDL_PROGRESS" in os.environ:
        to_launcher.sendto(json.dumps(fields).encode(), os.environ["MDL_PROGRESS"])
if attempt == 0 and rank == 0 and "FAILS" in os.environ:
    sys.exit(7)
tell(step=4, samples=100, own=10.0, waiting=1.0)
tell(step=6 + rank, total=500, samples=200 + rank, own=13.0 + 1.5 * rank, waiting=1.5 + 0.25 * rank, loss=0.5 + rank)
to_launcher.sendto(b"what is this", os.environ["MDL_PROGRESS"]) if "MDL_PROGRESS" in os.environ and rank == 1 else None
tell(section="evaluation", section_seconds=60) if rank == 1 else None
while not os.path.exists(os.environ["STAGE"] + "/end"):
    time.sleep(0.01)
"""


class Served:
    """A job with metrics."""

    def __init__(self, folder):
        self.folder, self.port, self.store = folder, free_port(), free_port()
        self.script = folder / "worker.py"
        self.script.write_text(WORKER)
        self.env = environment(STAGE=folder)

    def c10d(self, nodes, host):
        conf = f"is_host={int(host)},last_call_timeout=1"
        place = ["--rdzv-backend", "c10d", "--rdzv-endpoint", f"localhost:{self.store}", "--rdzv-id", "j", "--rdzv-conf", conf]
        return ["--nnodes", nodes, *place, "--nproc-per-node", 2]

    def end(self):
        (self.folder / "end").touch()

    def get(self, path="/metrics", method="GET", **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        return response.status, response.headers, text

    def metrics(self, condition):
        """Once the page is there and has what is wanted."""

        def there():
            with contextlib.suppress(OSError):
                status, _, text = self.get()
                return status == 200 and condition(text) and text

        return wait_until(there)


@pytest.fixture
def served(tmp_path):
    return Served(tmp_path)


class Prometheus:
    """The real one, which scrapes one port each second."""

    def __init__(self, folder, target):
        self.port = free_port()
        config = folder / "prometheus.yml"
        config.write_text(
            "global: {scrape_interval: 1s}\n"
            f"scrape_configs: [{{job_name: training, static_configs: [{{targets: ['127.0.0.1:{target}']}}]}}]\n"
        )
        options = [f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{self.port}"]
        self.process = subprocess.Popen(["prometheus", *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def query(self, expression):
        """The samples now: by their labels but for those that Prometheus adds."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request("GET", "/api/v1/query?" + urllib.parse.urlencode({"query": expression}))
        answer = json.loads(connection.getresponse().read())
        assert answer["status"] == "success", answer
        added = ("__name__", "instance", "job")
        return {
            tuple(value for name, value in sorted(sample["metric"].items()) if name not in added): float(sample["value"][1])
            for sample in answer["data"]["result"]
        }

    def wait_for(self, expression, condition):
        def there():
            time.sleep(0.1)  # it looks each second
            with contextlib.suppress(OSError, json.JSONDecodeError):  # it starts
                samples = self.query(expression)
                return samples if condition(samples) else None

        return wait_until(there)


@pytest.mark.skipif(not shutil.which("prometheus"), reason="there is no prometheus: scripts/setup.sh --peers installs Debian's")
def test_the_real_prometheus_finds_what_the_workers_have_sent(served):
    host = socket.gethostname()
    option = ["--metrics-port", served.port]
    with (
        running(*served.c10d(2, True), *option, served.script, env=served.env) as first,
        running(*served.c10d(2, False), *option, served.script, env=served.env) as second,
        Prometheus(served.folder, served.port) as prometheus,
    ):

        def of_ranks(name, values):
            # host, job_id, node, rank
            wanted = {(host, "j", str(rank // 2), str(rank)): pytest.approx(value) for rank, value in values.items()}
            prometheus.wait_for(f"mdl_rank_{name}", lambda samples: samples == wanted)

        of_ranks("step", {rank: 6 + rank for rank in range(4)})
        of_ranks("planned_steps", dict.fromkeys(range(4), 500))
        of_ranks("samples_total", {rank: 200 + rank for rank in range(4)})
        of_ranks("loss", {rank: 0.5 + rank for rank in range(4)})
        of_ranks("own_seconds_per_step", {rank: (3 + 1.5 * rank) / (2 + rank) for rank in range(4)})
        of_ranks("waiting_seconds_per_step", {rank: (0.5 + 0.25 * rank) / (2 + rank) for rank in range(4)})
        of_ranks("wrong_messages_total", {0: 0, 1: 1, 2: 0, 3: 0})
        of_ranks("section_limit_seconds", {1: 60})
        assert prometheus.query("mdl_rank_section_info") == {(host, "j", "0", "1", "evaluation"): 1}
        ages = prometheus.query("mdl_rank_last_message_age_seconds")
        assert len(ages) == 4 and all(0 <= age < 60 for age in ages.values())
        assert set(prometheus.query("mdl_node_report_age_seconds")) == {(host, "j", "0"), (host, "j", "1")}
        job = {"up": 1, "round": 0, "restarts_total": 0, "nodes": 2, "ranks": 4, "reporting_ranks": 4, "waiting_nodes": 0}
        for name, value in job.items():
            assert prometheus.query(f"mdl_job_{name}") == {("j",): value}, name
        assert prometheus.query("mdl_job_events_total") == {("j", "round"): 1}
        checked = subprocess.run(["promtool", "check", "metrics"], input=served.get()[2], capture_output=True, text=True)
        assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
        served.end()
        assert (first.wait(60), second.wait(60)) == (0, 0)
        said = (first.stderr.read(), second.stderr.read())
    assert said[0].count(f"metrics for Prometheus: http://127.0.0.1:{served.port}/metrics\n") == 1
    assert (
        f"--metrics-port is not opened here: the metrics of the job are at the agent that hosts its store (localhost:{served.store})"
        in said[1]
    )
    assert "metrics for Prometheus" not in said[1]


def test_a_port_that_is_taken_is_one_error_before_a_worker_starts(served):
    with socket.create_server(("127.0.0.1", served.port)):
        for options in (["--standalone"], served.c10d("1:2", True)):
            done = launch(*options, "--metrics-port", served.port, "--no-python", "/bin/sh", "-c", "echo ran")
            assert (done.returncode, done.stdout) == (1, "")
            [error] = [line for line in done.stderr.splitlines() if "error:" in line]
            assert f"--metrics-port: cannot listen on 127.0.0.1:{served.port}: Address already in use" in error
            assert "Stop it or choose another port." in done.stderr


def test_a_job_of_one_node_has_metrics_and_counts_its_restarts(served):
    job = ["--standalone", "--nproc-per-node", 2, "--max-restarts", 1, "--metrics-port", 0, served.script]
    with running(*job, env={**served.env, "FAILS": "1"}) as launcher:
        lines = iter(launcher.stderr.readline, "")
        served.port = int(next(match[1] for line in lines if (match := re.search(r"http://127\.0\.0\.1:(\d+)/metrics$", line))))
        text = served.metrics(lambda text: text.count("\nmdl_rank_step{") == 2 and 'kind="round"} 2' in text)
        assert re.search(r'^mdl_job_restarts_total\{job_id="[0-9a-f-]{36}"\} 1$', text, re.MULTILINE)
        assert re.search(r'^mdl_job_events_total\{.*kind="restart"\} 1$', text, re.MULTILINE)
        served.end()
        assert launcher.wait(60) == 0


def test_the_port_is_this_machines_and_answers_to_its_names_only(served):
    with running("--standalone", "--metrics-port", served.port, served.script, env=served.env) as launcher:
        served.metrics(lambda text: "mdl_rank_step{" in text)
        status, headers, text = served.get()
        assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8" and len(text) == int(headers["Content-Length"])
        assert "Access-Control-Allow-Origin" not in headers
        assert served.get(method="HEAD")[::2] == (200, "")
        assert served.get(method="POST")[0] == 405
        assert served.get("/")[0] == 404
        assert served.get(Host="evil.example")[0] == 403
        assert served.get(Host=f"{socket.gethostname()}:1")[0] == 200
        for address in own_addresses():
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((address, served.port), 10)
        served.end()
        assert launcher.wait(60) == 0


def own_addresses():
    """Those of this machine that others may reach."""
    listed = json.loads(subprocess.run(["ip", "-j", "-4", "address"], capture_output=True, text=True, check=True).stdout)
    return [address["local"] for link in listed for address in link["addr_info"] if not address["local"].startswith("127.")]


def test_a_host_before_the_port_opens_it_for_others(served):
    if not own_addresses():
        pytest.skip("this machine has no address but loopback's")
    address = own_addresses()[0]
    with running("--standalone", "--metrics-port", f"{address}:{served.port}", served.script, env=served.env) as launcher:
        served.metrics(lambda text: "mdl_rank_step{" in text)
        connection = http.client.HTTPConnection(address, served.port, timeout=20)
        connection.request("GET", "/metrics")
        assert connection.getresponse().status == 200
        connection.close()
        served.end()
        assert launcher.wait(60) == 0
        assert f"metrics for Prometheus: http://{address}:{served.port}/metrics" in launcher.stderr.read()
    done = launch("--standalone", "--metrics-port", f"192.0.2.77:{served.port}", "--no-python", "/bin/true")
    assert done.returncode == 1 and "--metrics-port: 192.0.2.77 means no address of this machine" in done.stderr


def test_a_static_job_has_its_metrics_at_node_0(served):
    static = ["--nnodes", 2, "--master-addr", "localhost", "--master-port", served.store, "--rdzv-id", "j", "--metrics-port", served.port]
    with (
        running(*static, "--node-rank", 0, served.script, env=served.env) as first,
        running(*static, "--node-rank", 1, served.script, env=served.env) as second,
    ):
        second_rank = f'mdl_rank_step{{job_id="j",node="1",host="{socket.gethostname()}",rank="1"}} 7\n'
        text = served.metrics(lambda text: second_rank in text)
        assert 'mdl_job_ranks{job_id="j"} 2\n' in text
        served.end()
        assert (first.wait(60), second.wait(60)) == (0, 0)
        assert "--metrics-port is not opened here" in second.stderr.read()


def test_where_torchrun_hosts_the_store_ours_serves_what_ours_know(served):
    with (
        running(*served.c10d(2, True), served.script, launcher=TORCHRUN, env=served.env) as first,
        running(*served.c10d(2, False), "--metrics-port", served.port, served.script, launcher=MDL_LAUNCH, env=served.env) as second,
    ):
        text = served.metrics(lambda text: text.count("\nmdl_rank_step{") == 2)
        assert 'mdl_job_nodes{job_id="j"} 2\n' in text and 'mdl_job_reporting_ranks{job_id="j"} 2\n' in text
        served.end()
        assert (first.wait(60), second.wait(60)) == (0, 0)
