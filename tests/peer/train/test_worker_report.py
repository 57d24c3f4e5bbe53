"""OUTPUT/report.html and `mdl-toolkit report`: what is drawn is what was logged, over a stop and a resume, also of the Python Trainer's runs."""

import json
import os
import re
import shutil
import signal
import subprocess
from html.parser import HTMLParser

import pytest

from training_runs import reference, run, train_command

OPTIONS = ["--batch-size", "2", "--num-epochs", "2", "--lr", "1e-3", "--eval-steps", "6", "--save-steps", "6"]


class Page(HTMLParser):
    """The curves of a page: (title of the chart, label) -> [(step, value)], and the same as drawn."""

    def __init__(self, text):
        super().__init__()
        self.logged, self.drawn, self.tags, self.words, self.addresses = {}, {}, set(), [], []
        self._chart = None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.tags.add(tag)
        self.addresses += [value for name, value in attributes if name in ("src", "href") or (value and "//" in value and name != "xmlns")]
        if tag == "svg":
            self._chart = given
        if tag == "path" and given.get("data-points"):
            key = (self._chart["aria-label"], given["data-label"])
            pairs = [pair.split() for pair in given["data-points"].split(",")]
            self.logged[key] = [(int(step), float(value)) for step, value in pairs]
            self.drawn[key] = list(self.inverted(given["d"]))

    def handle_data(self, data):
        self.words.append(data.strip())

    def inverted(self, path):
        """Steps and values of the path's corners, by the axes' ends."""
        import math

        low, high, left, right = map(float, self._chart["data-x"].split()[:4])
        bottom_value, top_value, bottom, top, *kind = self._chart["data-y"].split()
        bottom_value, top_value, bottom, top = map(float, (bottom_value, top_value, bottom, top))
        for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", path):
            step = low + (float(x) - left) / (right - left) * (high - low)
            part = (float(y) - bottom) / (top - bottom)
            if "log" in kind:
                yield step, math.exp(math.log(bottom_value) + part * (math.log(top_value) - math.log(bottom_value)))
            else:
                yield step, bottom_value + part * (top_value - bottom_value)


def log_of(folder):
    newest = max(folder.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    return json.loads((newest / "trainer_state.json").read_text())["log_history"]


def assert_drawn(page, log):
    expected = {
        ("Loss", "loss"): "loss",
        ("Loss", "evaluation"): "eval_loss",
        ("Learning rate", ""): "learning_rate",
        ("Gradient norm", "gradient norm"): "grad_norm",
    }
    for key, name in expected.items():
        values = [(entry["step"], entry[name]) for entry in log if name in entry]
        assert page.logged[key] == values and len(values) > 2, key
        spread = max(value for _, value in values) - min(value for _, value in values)
        assert len(page.drawn[key]) == len(values)
        for (step, value), (x, y) in zip(values, page.drawn[key], strict=True):
            assert x == pytest.approx(step, abs=0.2) and y == pytest.approx(value, abs=0.02 * spread + 1e-9), key


@pytest.fixture(scope="module")
def stopped_and_resumed(toolkit, data, tmp_path_factory):
    """A run that was stopped, and went on by the command that it told."""
    output = tmp_path_factory.mktemp("runs") / "it's <marquee>mine"
    command = [str(word) for word in train_command(toolkit, data, output, *OPTIONS)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    for line in process.stdout:
        if "'epoch': '0.5" in line:
            process.send_signal(signal.SIGTERM)
            break
    process.stdout.read()
    told = process.stderr.read()
    assert process.wait(timeout=60) == -signal.SIGTERM
    halfway = (output / "report.html").read_text()
    to_go_on = [line for line in told.splitlines() if "--resume-from-checkpoint true" in line and "mdl-toolkit train" in line][-1]
    done = subprocess.run(["bash", "-c", to_go_on[to_go_on.index(str(toolkit)) :]], capture_output=True, text=True, check=True, timeout=200)
    return output, halfway, done.stdout


def test_the_page_has_what_the_run_logged_over_a_stop_and_a_resume(stopped_and_resumed):
    output, halfway, _ = stopped_and_resumed
    page = Page((output / "report.html").read_text())
    assert_drawn(page, log_of(output))
    assert page.tags.isdisjoint({"script", "img", "link", "iframe", "marquee"}) and page.addresses == []
    assert output.name in page.words and {"started", "resumed", "finished"} <= {*page.words} and "stopped" in Page(halfway).words
    assert not [path for path in output.iterdir() if "tmp" in path.name]
    steps = [step for step, _ in page.logged[("Loss", "loss")]]
    assert (
        steps == list(range(1, steps[-1] + 1))
        and Page(halfway).logged[("Loss", "loss")] == page.logged[("Loss", "loss")][: len(Page(halfway).logged[("Loss", "loss")])]
    )


def test_the_end_of_a_run_says_what_there_is_and_what_to_type(stopped_and_resumed, toolkit, data):
    output, _, told = stopped_and_resumed
    lines = told.splitlines()
    best = min((entry for entry in log_of(output) if "eval_loss" in entry), key=lambda entry: entry["eval_loss"])
    assert any(line.startswith("Evaluation") and f"at step {best['step']}" in line for line in lines)
    assert any(line.startswith("Report") and str(output / "report.html") in line for line in lines)
    (merge,) = [line.strip() for line in lines if "mdl-toolkit merge" in line]
    subprocess.run(["bash", "-c", merge.replace("mdl-toolkit", str(toolkit), 1)], check=True, capture_output=True, timeout=100)
    assert (output / "merged" / "model.safetensors").exists()


def test_pages_of_other_runs_and_of_several(stopped_and_resumed, toolkit, data, adapter, tmp_path):
    output, _, _ = stopped_and_resumed
    reference(data, adapter, tmp_path / "theirs", "--batch-size", 4, "--epochs", 2, "--lr", 1e-3, "--eval-steps", 6, "--save-steps", 6)
    run([toolkit, "report", tmp_path / "theirs", "--output", tmp_path / "one.html"])
    assert_drawn(Page((tmp_path / "one.html").read_text()), log_of(tmp_path / "theirs"))
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in log_of(output)))
    run([toolkit, "report", tmp_path / "log.jsonl", "--output", tmp_path / "lines.html"])
    assert_drawn(Page((tmp_path / "lines.html").read_text()), log_of(output))
    run([toolkit, "report", tmp_path / "theirs", output, "--output", tmp_path / "both.html"])
    both = Page((tmp_path / "both.html").read_text())
    values = [[value for _, value in points] for points in both.logged.values()]
    for log in (log_of(tmp_path / "theirs"), log_of(output)):
        assert [entry["loss"] for entry in log if "loss" in entry] in values
    (tmp_path / "broken.jsonl").write_text('{"loss": 1, "step": 1}\n{"loss": \n')
    done = run([toolkit, "report", tmp_path / "broken.jsonl", "--output", tmp_path / "none.html"], check=False)
    assert done.returncode == 2 and f"{tmp_path / 'broken.jsonl'}:2" in done.stderr and not (tmp_path / "none.html").exists()


def test_a_report_that_cannot_be_written_or_is_not_wanted_costs_nothing(toolkit, data, tmp_path):
    (tmp_path / "report.html").mkdir()
    done = run(train_command(toolkit, data, tmp_path, "--batch-size", "8"))
    assert done.stderr.count("the report cannot be written") == 1 and (tmp_path / "final").exists()
    run(train_command(toolkit, data, tmp_path / "without", "--batch-size", "8", "--report-html", "false"))
    assert not (tmp_path / "without" / "report.html").exists()


def test_chromium_draws_it(stopped_and_resumed, tmp_path):
    """What a browser makes of the page, with its own security policy in force."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        pytest.skip("no chromium (Debian's package of that name)")
    output, _, _ = stopped_and_resumed
    shutil.copy(output / "report.html", tmp_path / "report.html")
    words = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr", "--v=0"]
    done = subprocess.run([chromium, *words, "--dump-dom", f"file://{tmp_path}/report.html"], capture_output=True, text=True, timeout=120)
    assert_drawn(Page(done.stdout), log_of(output))
    assert "Content Security Policy" not in done.stderr, done.stderr
    picture = tmp_path / "page.png"
    subprocess.run(
        [chromium, *words, "--window-size=1280,900", f"--screenshot={picture}", f"file://{tmp_path}/report.html"],
        capture_output=True,
        timeout=120,
    )
    assert picture.stat().st_size > 40_000  # curves, not a blank page
