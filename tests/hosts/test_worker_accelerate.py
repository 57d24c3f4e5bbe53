"""The page's two YAML files drive a training on two hosts, verbatim but for the address of the network and, to run without GPUs,
`use_cpu: true`."""

import json
from pathlib import Path

import pytest

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures/accelerate"


@pytest.fixture
def yaml(job, tmp_path):
    """yaml(name, replacements) -> a copy of the page's file with those lines in place of its own; each must be there."""

    def write(name, *replacements):
        text = (FIXTURES / name).read_text()
        for old, new in replacements:
            assert f"\n{old}\n" in text
            text = text.replace(f"\n{old}\n", f"\n{new}\n")
        path = tmp_path / f"{len(list(tmp_path.glob('*.yaml')))}.yaml"
        path.write_text(text)
        return path

    return write


@pytest.fixture
def launch(job, bin_dir, checkpoint, dataset, tmp_path):
    """launch(host, yaml) starts the page's training there."""
    model = checkpoint()
    train, test = dataset(model)

    def start(number, config):
        return job.run(
            number,
            [
                bin_dir / "mdl-launch",
                "--config-file",
                config,
                "--no-python",
                bin_dir / "mdl-toolkit",
                "train",
                "--train-dataset",
                f"{train}/",
                "--eval-dataset",
                f"{test}/",
                "--output",
                tmp_path / "output",
                "--model-name",
                model,
                "--lora-rank",
                "16",
                "--batch-size",
                "1",
                "--num-epochs",
                "0.6",
                "--eval-steps",
                "2",
                "--merge-lora",
                "false",
            ],
        )

    return start


CPU = ("use_cpu: false", "use_cpu: true")


def own_lines(job, rank):
    """What changes from node to node, and from network to network."""
    return [("machine_rank: 0", f"machine_rank: {rank}"), ("main_process_ip: 10.0.0.1", f"main_process_ip: {job.hosts[0].address}")]


def world_sizes(output):
    newest = max(output.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    return json.loads((newest / "trainer_state.json").read_text())


def test_the_pages_file_for_two_nodes_trains_on_two_hosts_without_gpus(job, yaml, launch, tmp_path):
    for rank in (0, 1):
        launch(rank, yaml("multi_node.yaml", *own_lines(job, rank), CPU))
    assert job.wait(200) == [0, 0], [agent.output for agent in job.agents]
    state = world_sizes(tmp_path / "output")
    assert state["global_step"] == 3
    # Eight processes of one clip each: of 35 clips that is a fifth an epoch (5 steps).
    assert state["log_history"][0]["epoch"] == pytest.approx(1 / 5)


def test_the_pages_file_for_one_node_trains_without_gpus(job, yaml, launch, tmp_path):
    launch(0, yaml("single_node.yaml", CPU))
    assert job.wait(200) == [0], job.agents[0].output
    assert world_sizes(tmp_path / "output")["global_step"] == 3


@pytest.mark.parametrize("name", ["single_node.yaml", "multi_node.yaml"])
def test_on_its_own_each_file_gives_the_clear_error_that_no_gpu_is_there(job, yaml, launch, name):
    agents = [launch(0, yaml(name))] if name == "single_node.yaml" else [launch(rank, yaml(name, *own_lines(job, rank))) for rank in (0, 1)]
    for agent in agents:
        assert agent.wait(30) not in (0, None)
        errors = [line for line in agent.lines if "error:" in line]
        assert len(errors) == 1 and "GPU" in errors[0], agent.output
        agent.wait_for_line("use_cpu: true", 1)
