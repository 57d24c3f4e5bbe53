"""The page's command for several nodes, word for word but for the kind of processor, on three hosts."""

import json

import pytest

TRAIN = (
    "--no-python mdl-toolkit train --lora-rank 16 --eval-steps 2 --train-dataset {train}/ --eval-dataset {test}/ --output {output}/ "
    "--model-name {model} --batch-size 4 --num-epochs 2 --merge-lora false"
)


@pytest.fixture
def command(bin_dir, checkpoint, dataset):
    """command(output, more) -> the training's part of a command line."""
    model = checkpoint()
    train, test = dataset(model)

    def make(output, more=""):
        return TRAIN.format(train=train, test=test, output=output, model=model) + more

    return make


def start(job, bin_dir, number, line, **variables):
    environment = {"PATH": f"{bin_dir}:/usr/bin:/bin", "NUM_NODES": "3", "JOB_ID": "page", **variables}
    return job.run(number, ["sh", "-c", f"exec mdl-launch {line}"], environment)


def history(output):
    """What the newest checkpoint says of each step: (training, evaluation)."""
    newest = max(output.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    log = json.loads((newest / "trainer_state.json").read_text())["log_history"]
    return [entry for entry in log if "loss" in entry], [entry for entry in log if "eval_loss" in entry]


def test_the_pages_command_for_several_nodes_trains_as_three_processes_of_one_host_do(job, bin_dir, command, tmp_path):
    for number in range(3):
        start(
            job,
            bin_dir,
            number,
            f"--nnodes $NUM_NODES --nproc-per-node 1 --rdzv-backend c10d --rdzv-endpoint {job.hosts[1].address} "
            f"--rdzv-id $JOB_ID {command(tmp_path / 'several')}",
        )
    assert job.wait(150) == [0, 0, 0], [agent.output for agent in job.agents]
    assert (tmp_path / "several/final").is_dir()
    alone = start(job, bin_dir, 0, f"--standalone --nproc-per-node 3 {command(tmp_path / 'alone')}")
    assert alone.wait(150) == 0, alone.output
    for several, one in zip(history(tmp_path / "several"), history(tmp_path / "alone"), strict=True):
        assert len(several) == len(one) > 1
        for mine, other in zip(several, one, strict=True):
            for key in ("step", "epoch", "eval_loss") if "eval_loss" in other else ("step", "epoch", "loss", "grad_norm", "learning_rate"):
                assert mine[key] == pytest.approx(other[key], rel=1e-5), f"{key} at step {mine['step']}"


def test_an_elastic_training_goes_on_from_its_checkpoint_when_a_host_is_lost(job, bin_dir, command, tmp_path):
    output = tmp_path / "output"
    # As a user would write it: from the newest checkpoint where there is one.
    program = tmp_path / "train.sh"
    program.write_text(
        '#!/bin/sh\nset -- "$@"\nls -d ' + f"{output}" + '/checkpoint-* >/dev/null 2>&1 && set -- "$@" --resume-from-checkpoint true\n'
        'exec mdl-toolkit "$@"\n'
    )
    program.chmod(0o755)
    line = command(output, " --save-steps 1 --num-epochs 8").replace("mdl-toolkit train", f"{program} train").replace("--num-epochs 2 ", "")
    conf = "last_call_timeout=1,keep_alive_interval=1,keep_alive_max_attempt=3,read_timeout=20,join_timeout=30"
    for number in range(3):
        start(
            job,
            bin_dir,
            number,
            f"--nnodes 2:3 --max-restarts 3 --nproc-per-node 1 --rdzv-backend c10d --rdzv-endpoint "
            f"{job.hosts[0].address} --rdzv-id $JOB_ID --rdzv-conf {conf} {line}",
        )
    job.agents[0].wait_for_line(r"'loss'", 100)
    job.agents[2].kill()
    assert job.wait(200) == [0, 0, -9], [agent.output for agent in job.agents]
    assert any("resuming from" in line for agent in job.agents for line in agent.lines)
    steps = [entry["step"] for entry in history(output)[0]]
    assert steps == list(range(1, steps[-1] + 1)), "every step of the training is in its log, once"
