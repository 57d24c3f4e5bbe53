"""The examples in scripts/cluster: well formed, and the variables that each system sets resolve to the job that is meant."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import torch.distributed.run as torchrun
import yaml

import accelerate_reference
from launching import free_port, is_served, wait_until

CLUSTER = Path(__file__).resolve().parents[3] / "scripts" / "cluster"


def documents(name):
    return list(yaml.safe_load_all((CLUSTER / name).read_text()))


def clean_environment():
    unwanted = ("PET_", "SLURM_", "OMP_NUM_THREADS", "JOB_COMPLETION_INDEX", "KUBERNETES_")
    return {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}


@pytest.fixture
def mdl_launch(bin_dir):
    def run(*words, **env):
        return subprocess.run([bin_dir / "mdl-launch", *words], capture_output=True, text=True, timeout=60, env=clean_environment() | env)

    return run


@pytest.fixture
def same_job_as_torchrun(mdl_launch, monkeypatch):
    """same_job_as_torchrun(options, variables) -> the job as mdl-launch understands it, checked against the real torchrun's parser."""

    def check(options, variables):
        report = json.loads(mdl_launch("doctor", "--json", "--wait", "0", *options, "/bin/true", **variables).stdout)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        config, _, _ = torchrun.config_from_args(torchrun.parse_args([*options, "/bin/true"]))
        job = report["job"]
        assert job["nodes"] == config.min_nodes
        assert job["nproc_per_node"] == config.nproc_per_node
        assert f"{job['host']}:{job['port']}" == config.rdzv_endpoint
        assert job["backend"] == config.rdzv_backend
        if config.rdzv_backend == "static":
            assert job["node_rank"] == config.rdzv_configs["rank"]
        return job

    return check


@pytest.mark.parametrize("rank", [0, 1])
def test_the_indexed_job_resolves_in_every_pod_as_under_accelerate(rank, mdl_launch, monkeypatch, tmp_path):
    service, config_map, job = documents("kubernetes-job.yaml")
    spec, name = job["spec"], job["metadata"]["name"]
    assert spec["completionMode"] == "Indexed" and spec["completions"] == spec["parallelism"]
    path = tmp_path / "accelerate.yaml"
    path.write_text(config_map["data"]["accelerate.yaml"])
    container = spec["template"]["spec"]["containers"][0]
    words = [word.replace("/etc/midashenglm/accelerate.yaml", str(path)) for word in container["command"][1:]]
    done = mdl_launch(
        *words[:1], "--dry-run", *words[1:], JOB_COMPLETION_INDEX=str(rank), KUBERNETES_SERVICE_HOST="10.0.0.1", HOSTNAME=f"{name}-{rank}"
    )
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert plan["launch"]["node_rank"] == rank
    real = accelerate_reference.resolve(["--config_file", str(path), "--machine_rank", str(rank), "--max_restarts", "3"], monkeypatch)
    assert accelerate_reference.from_dry_run(plan) == real
    # The names and numbers of the three documents fit together.
    assert plan["launch"]["rdzv_endpoint"] == f"{name}-0.{service['metadata']['name']}:29500"
    assert spec["template"]["spec"]["subdomain"] == service["metadata"]["name"]
    assert service["spec"]["clusterIP"] == "None" and service["spec"]["publishNotReadyAddresses"]
    gpus = container["resources"]["limits"]["nvidia.com/gpu"]
    assert plan["launch"]["nproc_per_node"] == str(gpus) and int(plan["launch"]["nnodes"]) == spec["completions"]
    mounts = {mount["name"] for mount in container["volumeMounts"]}
    assert mounts == {volume["name"] for volume in spec["template"]["spec"]["volumes"]}


def test_kubeflows_pytorchjob_sets_a_job_that_is_understood_as_by_torchrun(same_job_as_torchrun):
    (job,) = documents("kubeflow-pytorchjob.yaml")
    spec, name = job["spec"], job["metadata"]["name"]
    elastic = spec["elasticPolicy"]
    # As the training operator derives them from an elasticPolicy (its controller's elastic.go); RANK and WORLD_SIZE count pods.
    variables = {
        "PET_RDZV_BACKEND": elastic["rdzvBackend"],
        "PET_RDZV_ID": elastic["rdzvId"],
        "PET_RDZV_ENDPOINT": f"{name}-worker-0:23456",
        "PET_NNODES": f"{elastic['minReplicas']}:{elastic['maxReplicas']}",
        "PET_MAX_RESTARTS": str(elastic["maxRestarts"]),
        "PYTHONUNBUFFERED": "0",
    }
    container = spec["pytorchReplicaSpecs"]["Worker"]["template"]["spec"]["containers"][0]
    assert container["name"] == "pytorch" and container["command"][0] == "mdl-launch"
    options = [word for word in container["command"][1:] if word.startswith("--n")][:2]
    assert options == ["--nproc-per-node=gpu", "--no-python"]
    understood = same_job_as_torchrun(["--nproc-per-node=3", "--no-python"], variables)
    assert understood["nodes"] == spec["pytorchReplicaSpecs"]["Worker"]["replicas"]


@pytest.mark.parametrize("rank", [0, 1])
def test_kubeflows_trainjob_sets_a_job_that_is_understood_as_by_torchrun(rank, same_job_as_torchrun):
    (job,) = documents("kubeflow-trainjob.yaml")
    trainer, name = job["spec"]["trainer"], job["metadata"]["name"]
    assert trainer["command"][:2] == ["mdl-launch", "--no-python"] and trainer["numProcPerNode"] == "gpu"
    # As Trainer's torch plugin sets them.
    variables = {
        "PET_NNODES": str(trainer["numNodes"]),
        "PET_NPROC_PER_NODE": "8",
        "PET_NODE_RANK": str(rank),
        "PET_MASTER_ADDR": f"{name}-node-0-0.{name}",
        "PET_MASTER_PORT": "29400",
    }
    assert same_job_as_torchrun(["--no-python"], variables)["node_rank"] == rank


def stub(folder, name, text):
    path = folder / name
    path.write_text("#!/bin/bash\n" + text)
    path.chmod(0o755)


@pytest.mark.parametrize("healthy", [True, False])
def test_the_sbatch_file_asks_the_doctor_and_starts_one_launcher_a_node(healthy, tmp_path):
    script = CLUSTER / "slurm.sbatch"
    subprocess.run(["bash", "-n", script], check=True)
    log = tmp_path / "log"
    stub(tmp_path, "scontrol", '[ "$*" = "show hostnames node[3-4]" ] && printf "node3\\nnode4\\n"\n')
    # srun runs its command on each node; here one after the other.
    stub(tmp_path, "srun", 'while [[ "$1" == --* ]]; do shift; done\nfor id in 0 1; do SLURM_NODEID=$id "$@" || exit; done\n')
    stub(tmp_path, "mdl-launch", f'echo "$SLURM_NODEID $*" >> {log}\n[ "$1" != doctor ] || exit {0 if healthy else 1}\n')
    environment = clean_environment() | {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "SLURM_JOB_NODELIST": "node[3-4]",
        "SLURM_JOB_ID": "123456",
        "SLURM_NNODES": "2",
    }
    done = subprocess.run(["bash", script, "train", "--output", "a b"], env=environment, capture_output=True, text=True)
    lines = log.read_text().splitlines()
    launch = "--nnodes 2 --nproc-per-node gpu --rdzv-backend c10d --rdzv-endpoint node3:23456 --rdzv-id 123456 --no-python mdl-toolkit train --output a b"
    if healthy:
        assert done.returncode == 0, done.stderr
        assert lines == [f"0 doctor --wait 60 {launch}", f"1 doctor --wait 60 {launch}", f"0 {launch}", f"1 {launch}"]
    else:
        assert done.returncode != 0 and len(lines) == 1


def test_the_command_that_the_sbatch_file_mentions_finds_its_rank(mdl_launch):
    fixture = Path(__file__).resolve().parents[2] / "fixtures" / "accelerate" / "multi_node.yaml"
    done = mdl_launch("launch", "--config-file", fixture, "--machine-rank", "auto", "--dry-run", "x", SLURM_NODEID="1")
    assert json.loads(done.stdout)["launch"]["node_rank"] == 1
    done = mdl_launch("launch", "--config-file", fixture, "--machine-rank", "auto", "--dry-run", "x")
    assert done.returncode == 2 and "SLURM_NODEID" in done.stderr and "JOB_COMPLETION_INDEX" in done.stderr


@pytest.fixture
def start_machine(bin_dir, tmp_path):
    """start_machine(words, environment) starts one of two machines whose two workers each say who they are, from a file that both share."""
    fixture = (Path(__file__).resolve().parents[2] / "fixtures" / "accelerate" / "multi_node.yaml").read_text()
    port = free_port()
    for old, new in [
        ("use_cpu: false", "use_cpu: true"),
        ("10.0.0.1", "127.0.0.1"),
        ("29500", str(port)),
        ("num_processes: 8", "num_processes: 4"),
    ]:
        assert old in fixture
        fixture = fixture.replace(old, new)
    path = tmp_path / "conf.yaml"
    path.write_text(fixture)
    program = tmp_path / "show.sh"
    program.write_text('#!/bin/sh\necho "$RANK of $WORLD_SIZE: $LOCAL_RANK of machine $GROUP_RANK"\n')
    program.chmod(0o755)
    started = []

    def start(words, environment):
        started.append(
            subprocess.Popen(
                [bin_dir / "mdl-launch", "launch", "--config-file", path, *words, "--no-python", program],
                env=clean_environment() | environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return started[-1]

    start.port = port
    yield start
    for machine in started:
        machine.terminate()
        machine.communicate(timeout=100)


def ranks_of_both(machines):
    """What each machine's workers have said, sorted, once all have ended well; and what the launchers have said."""
    said = [machine.communicate(timeout=100) for machine in machines]
    assert [machine.returncode for machine in machines] == [0, 0], said
    lines = [sorted(output.splitlines()) for output, _ in said]
    assert sorted(lines[0] + lines[1]) == [f"{rank} of 4: {rank % 2} of machine {rank // 2}" for rank in range(4)]
    return lines, said[0][1] + said[1][1]


@pytest.mark.parametrize(
    "source, words",
    [
        (lambda rank: {"SLURM_NODEID": str(rank)}, []),
        (lambda rank: {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "HOSTNAME": f"job-{rank}"}, []),
        (lambda rank: {}, ["--rdzv_backend", "c10d"]),
    ],
    ids=["Slurm", "Kubernetes", "c10d"],
)
def test_two_machines_start_from_one_file_and_find_their_ranks(source, words, start_machine):
    lines, errors = ranks_of_both([start_machine(["--machine-rank", "auto", *words], source(rank)) for rank in (0, 1)])
    if not words:
        assert lines[1][0].startswith("2 of 4")
    assert "no effect" not in errors


@pytest.mark.parametrize("backend", ["static", "c10d"])
def test_two_machines_with_one_secret_start_and_one_with_another_does_not(backend, start_machine, tmp_path):
    words = {}
    for name in ("ours", "other"):
        path = tmp_path / name
        path.touch(mode=0o600)
        path.write_text(name * 8)
        words[name] = ["--rdzv_backend", backend, "--rdzv_conf", f"secret_file={path}"]
    ranks_of_both([start_machine(["--machine-rank", str(rank), *words["ours"]], {}) for rank in (0, 1)])
    start_machine(["--machine-rank", "0", *words["ours"]], {})
    # With c10d the first to come serves the store, on one machine whoever that is.
    wait_until(lambda: is_served(start_machine.port))
    stranger = start_machine(["--machine-rank", "1", *words["other"]], {})
    output, errors = stranger.communicate(timeout=100)
    assert stranger.returncode == 1 and not output
    assert "refuses the secret of this side" in errors


def test_the_systemd_unit_is_valid():
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd-analyze here")
    done = subprocess.run(["systemd-analyze", "verify", CLUSTER / "midashenglm.service"], capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stderr
