"""The same run as Hugging Face's Trainer over 54 steps, with one and with two ranks."""

from training_runs import assert_same, assert_same_adapter, assert_same_evaluations, history, python, reference, run, train_command, two


def test_54_steps_are_the_same_run(toolkit, data, adapter, tmp_path):
    """Order of samples, losses, rates, gradients' norms, evaluations and the weights at the end, over 54 steps."""
    options = ["--batch-size", "2", "--lr", "3e-4", "--warmup-steps", "5", "--eval-steps", "0.2"]
    reference(data, adapter, tmp_path / "theirs", *options, "--epochs", 3, "--save-steps", 0.5)
    run(train_command(toolkit, data, tmp_path / "ours", "--initial-adapter", adapter, *options, "--num-epochs", "3", "--save-steps", "0.5"))
    ours, theirs = history(tmp_path / "ours"), history(tmp_path / "theirs")
    assert len(ours[0]) == 54
    assert_same(ours[0], theirs[0])
    assert_same_evaluations(ours[1], theirs[1])
    assert sorted(path.name for path in (tmp_path / "ours").glob("checkpoint-*")) == sorted(
        path.name for path in (tmp_path / "theirs").glob("checkpoint-*")
    )
    for step in (27, 54):
        assert_same_adapter(tmp_path / "ours" / f"checkpoint-{step}", tmp_path / "theirs" / f"checkpoint-{step}")


def test_54_steps_of_two_ranks_are_the_same_run(toolkit, bin_dir, venv_bin, data, adapter, tmp_path):
    launcher = two("torchrun", bin_dir, venv_bin)
    # With 8 test clips every batch of the two ranks is full; the Trainer's eval_loss for an uneven end counts other clips.
    script = "import sys, datasets; datasets.load_from_disk(sys.argv[1]).select(range(8)).save_to_disk(sys.argv[2])"
    python("-c", script, data[2], tmp_path / "test")
    even = (data[0], data[1], tmp_path / "test")
    options = ["--batch-size", "2", "--lr", "3e-4", "--eval-steps", "20"]
    reference(even, adapter, tmp_path / "theirs", *options, "--epochs", 6, launcher=launcher)
    run([*launcher, *train_command(toolkit, even, tmp_path / "ours", "--initial-adapter", adapter, *options, "--num-epochs", "6")])
    ours, theirs = history(tmp_path / "ours"), history(tmp_path / "theirs")
    assert len(ours[0]) == 54
    assert_same(ours[0], theirs[0])
    assert_same_evaluations(ours[1], theirs[1])
    assert_same_adapter(tmp_path / "ours" / "checkpoint-54", tmp_path / "theirs" / "checkpoint-54")
