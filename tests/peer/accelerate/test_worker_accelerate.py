"""mdl-toolkit train under accelerate's launcher, the real one and mdl-launch --config-file: the YAML's words reach the training."""

from pathlib import Path

import pytest

from training_runs import assert_same, history, run, train_command

SINGLE_NODE = Path(__file__).resolve().parents[2] / "fixtures" / "accelerate" / "single_node.yaml"


@pytest.fixture
def launched(tmp_path, bin_dir, venv_bin):
    """launched(launcher, mixed_precision) -> the start of a command: the page's file, on the CPU with 2 processes."""

    def command(launcher, mixed_precision):
        text = SINGLE_NODE.read_text()
        for old, new in [
            ("use_cpu: false", "use_cpu: true"),
            ("num_processes: 8", "num_processes: 2"),
            ("mixed_precision: 'no'", f"mixed_precision: '{mixed_precision}'"),
        ]:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / f"{mixed_precision}.yaml"
        path.write_text(text)
        if launcher == "accelerate":
            return [venv_bin / "accelerate", "launch", "--config_file", path, "--no_python"]
        return [bin_dir / "mdl-launch", "--config-file", path, "--no-python"]

    return command


@pytest.fixture
def losses(toolkit, data, adapter, tmp_path):
    """losses(launcher command, options…) -> what each step reported."""

    def train(launcher, *options):
        output = tmp_path / f"output{len(list(tmp_path.glob('output*')))}"
        run([*launcher, *train_command(toolkit, data, output, "--initial-adapter", adapter, "--lr", "1e-3", *options)])
        return history(output)[0]

    return train


def test_the_real_accelerate_launch_trains_as_mdl_launch_does(launched, losses):
    assert_same(losses(launched("mdl-launch", "no")), losses(launched("accelerate", "no")), rtol=1e-6)


def test_mixed_precision_of_the_file_is_the_default_of_bf16(launched, losses, bin_dir):
    plain = [bin_dir / "mdl-launch", "--standalone", "--nproc-per-node", 2, "--no-python"]
    asked = losses(plain, "--bf16", "true")
    full = losses(plain, "--bf16", "false")
    assert [step["loss"] for step in asked] != [step["loss"] for step in full]

    for launcher in ("mdl-launch", "accelerate"):
        assert_same(losses(launched(launcher, "bf16")), asked, rtol=1e-6)
    assert_same(losses(launched("mdl-launch", "no")), full, rtol=1e-6)
    assert_same(losses(launched("mdl-launch", "bf16"), "--bf16", "false"), full, rtol=1e-6)
