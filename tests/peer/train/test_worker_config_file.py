"""--config and --print-config: a run of mdl-toolkit in a file, and OUTPUT/run.yaml, which repeats it."""

import yaml

from csv_files import read_csv, write_csv
from training_runs import history, run, train_command, two


def test_a_run_is_repeated_by_its_run_yaml(toolkit, data, bin_dir, venv_bin, tmp_path):
    model, train, test = data
    settings = {
        "model_name_or_path": model.name,
        "train_dataset": str(train),
        "eval_dataset": str(test),
        "output_dir": "first",
        "lora-rank": 8,
        "learning_rate": 1e-3,
        "num-epochs": 1,
        "batch_size": 4,
        "merge-lora": False,
        "train-target": ["encoder", "decoder"],
    }
    (tmp_path / model.name).symlink_to(model)  # a name that means nothing in another folder
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(settings))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    run([toolkit, "train", "--config", "mine.yaml", "--batch-size", "2", "--num_epochs=0.5"], cwd=tmp_path)
    written = yaml.safe_load((tmp_path / "first" / "run.yaml").read_text())
    assert written["batch-size"] == 2 and written["num-epochs"] == 0.5 and "seed" not in written
    run([toolkit, "train", "--config", tmp_path / "first" / "run.yaml", "--output", tmp_path / "second"], cwd=elsewhere)
    steps, evaluations = history(tmp_path / "first")
    again, evaluations_again = history(tmp_path / "second")
    assert again == steps and len(steps) > 2
    assert [entry["eval_loss"] for entry in evaluations] == [entry["eval_loss"] for entry in evaluations_again]
    weights = [(tmp_path / run / "final" / "adapter_model.safetensors").read_bytes() for run in ("first", "second")]
    assert weights[0] == weights[1]

    # The same file for other programs of the kind: two ranks, and a plan of the memory.
    run(
        [
            *two("mdl-launch", bin_dir, venv_bin),
            toolkit,
            "train",
            "--config",
            tmp_path / "first" / "run.yaml",
            "--output",
            tmp_path / "third",
        ]
    )
    assert len(history(tmp_path / "third")[0]) == (len(steps) + 1) // 2
    assert "heaviest batch: 2 clips" in run([toolkit, "plan", "--config", tmp_path / "first" / "run.yaml"]).stdout


def test_a_run_that_went_on_is_repeated_from_its_beginning(toolkit, data, tmp_path):
    options = ["--batch-size", "4", "--save-steps", "1"]
    run(train_command(toolkit, data, tmp_path, *options))
    run(train_command(toolkit, data, tmp_path, *options, "--num-epochs", "2", "--resume-from-checkpoint", "true"))
    written = yaml.safe_load((tmp_path / "run.yaml").read_text())
    assert "resume-from-checkpoint" not in written and written["num-epochs"] == 2


def test_every_command_prints_its_options_and_takes_them_back(toolkit, data, tmp_path):
    model, train, test = data
    clips = tmp_path / "clips.csv"
    write_csv(clips, read_csv(train.parent / "test.csv")[:2])
    commands = {
        "convert-dataset": [clips, "--output", tmp_path / "data", "--model-name", model, "--audio-encoding", "pcm16"],
        "inference": [clips, "--output", tmp_path / "answers.csv", "--model-name", model, "--max-new-tokens", "2"],
        "info": [model],
        "plan": ["--model-name", model, "--seconds", "2"],
        "health": ["--device", "cpu", "--seconds", "5", "--json", "true"],
    }
    for command, arguments in commands.items():
        file = tmp_path / f"{command}.yaml"
        file.write_text(run([toolkit, command, *arguments, "--print-config"]).stdout)
        assert run([toolkit, command, "--config", file, "--print-config"]).stdout == file.read_text(), command
        by_file = run([toolkit, command, "--config", file]).stdout
        assert by_file, command
        if command in ("info", "plan"):  # the others have done their work then
            assert by_file == run([toolkit, command, *arguments]).stdout
    assert (tmp_path / "data" / "state.json").exists() and (tmp_path / "answers.csv").exists()


def test_what_is_wrong_in_the_file_is_one_message_with_its_line(toolkit, tmp_path):
    file = tmp_path / "run.yaml"
    for text, problem in {
        "output: out\nlearnin-rate: 1\n": f"{file}:2: unknown option learnin-rate",
        "\nlr: [1]\n": f"{file}:2: lr takes a value, not a list",
        "train-dataset: a\noutput: b\nlora-dropout: 2": f"{file}:3: --lora-dropout 2: expected a number from 0, below 1",
        "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
        "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d,*d,*d,*d,*d,*d]": f"{file}:1: the YAML has more than 10000 values",
        "lr: " + "[" * 2000: f"{file}:1",
    }.items():
        file.write_text(text)
        done = run([toolkit, "train", "--config", file], check=False)
        assert done.returncode == 2 and problem in done.stderr, (text[:40], done.stderr)
        assert done.stdout == "" and done.stderr.count("\n") <= 3
