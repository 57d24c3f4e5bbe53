"""mdl-toolkit health: how fast a machine computes, alone and among the ranks of mdl-launch and the real torchrun."""

import json
import os
import subprocess

import pytest
import torch

from launching import MDL_LAUNCH, TORCHRUN, environment, free_port

ALONE = ["memory", "matrix_product", "memory_copy"]
NUMBERS = {
    "memory": {"free_bytes", "total_bytes"},
    "matrix_product": {"flop_per_s", "rows", "repeats"},
    "memory_copy": {"bytes_per_s", "bytes", "repeats"},
    "all_reduce_node": {"bytes_per_s", "latency_ns", "bytes", "ranks", "repeats"},
    "all_reduce": {"bytes_per_s", "latency_ns", "bytes", "ranks", "repeats"},
    "disk": {"write_bytes_per_s", "bytes", "repeats", "free_bytes"},
}


def health(toolkit, *options):
    return [str(part) for part in (toolkit, "health", "--device", "cpu", *options)]


def run(command, **options):
    return subprocess.run(command, capture_output=True, text=True, timeout=240, env=environment(), **options)


def lines(text):
    """The reports in what processes print, by rank."""
    found = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return sorted(found, key=lambda line: line["rank"])


def parts(line):
    return {name: value for name, value in line.items() if isinstance(value, dict)}


def measured(line, names):
    """Whether exactly these parts are there, with numbers that make sense."""
    assert list(parts(line)) == list(names)
    for name, numbers in parts(line).items():
        assert set(numbers) == NUMBERS[name]
        assert all(isinstance(number, int) and 0 < number < 2**53 for number in numbers.values()), (name, numbers)


def test_a_machine_alone_is_told_as_a_table_and_leaves_nothing_in_the_folder(toolkit, tmp_path):
    done = run(health(toolkit, "--seconds", 6, "--output", tmp_path / "run" / "out"))
    assert (done.returncode, done.stderr) == (0, "")
    first, *rest = done.stdout.splitlines()
    assert ": CPU" in first and "float32" in first
    assert [line[2:27].strip() for line in rest] == ["free memory", "matrix product", "memory copy", "disk"]
    assert "GFLOP/s" in done.stdout or "MFLOP/s" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_file_as_output_is_told_as_train_tells_it(toolkit, tmp_path):
    file = tmp_path / "file"
    file.write_text("x")
    done = run(health(toolkit, "--seconds", 6, "--json", "true", "--output", file))
    assert done.returncode == 1
    [line] = lines(done.stdout)
    assert line["disk"] == {"not_measured": f"--output {file}: {file} is a file, not a folder"}
    measured({name: part for name, part in line.items() if name != "disk"}, ALONE)


@pytest.mark.parametrize("launcher", [MDL_LAUNCH, TORCHRUN], ids=["mdl-launch", "torchrun"])
def test_two_ranks_of_a_node_measure_each_by_itself_and_together(launcher, toolkit, tmp_path):
    two = [launcher, "--standalone", "--nproc-per-node", "2", "--no-python"]
    done = run([*map(str, two), *health(toolkit, "--seconds", 10, "--json", "true", "--output", tmp_path)])
    assert done.returncode == 0, done.stderr
    reports = lines(done.stdout)
    assert [(line["mdl_toolkit_health"], line["rank"], line["local_rank"], line["world_size"]) for line in reports] == [
        (1, 0, 0, 2),
        (1, 1, 1, 2),
    ]
    measured(reports[0], [*ALONE, "all_reduce_node", "disk"])
    measured(reports[1], [*ALONE, "all_reduce_node"])
    assert reports[0]["all_reduce_node"] == reports[1]["all_reduce_node"], "they agree on the numbers"
    assert reports[0]["all_reduce_node"]["ranks"] == 2
    assert list(tmp_path.iterdir()) == []


def test_rank_0_prints_the_table_of_all_ranks_in_their_order(toolkit):
    done = run([str(MDL_LAUNCH), "--standalone", "--nproc-per-node", "2", "--no-python", *health(toolkit, "--seconds", 10)])
    assert done.returncode == 0, done.stderr
    assert [line.partition(": ")[0].partition(", ")[2] for line in done.stdout.splitlines() if not line.startswith(" ")] == [
        "rank 0",
        "rank 1",
    ]
    assert done.stdout.count("all-reduce in the node") == 2 and "(2 ranks)" in done.stdout


def ranks_of_two_nodes(toolkit, ranks, *options):
    """Those of two nodes with a rank each, where rank 0 serves the store."""
    port = str(free_port())
    processes = []
    for rank in ranks:
        own = environment(RANK=rank, LOCAL_RANK=0, LOCAL_WORLD_SIZE=1, WORLD_SIZE=2, MASTER_ADDR="127.0.0.1", MASTER_PORT=port)
        command = health(toolkit, "--json", "true", *options)
        processes.append(subprocess.Popen(command, env=own, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
    return processes


def test_ranks_of_two_nodes_measure_between_them(toolkit):
    processes = ranks_of_two_nodes(toolkit, (0, 1), "--seconds", 10)
    outputs = [process.communicate(timeout=240) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    reports = [lines(output)[0] for output, _ in outputs]
    for report in reports:
        measured(report, [*ALONE, "all_reduce"])
    assert reports[0]["all_reduce"] == reports[1]["all_reduce"]


def test_a_rank_that_never_comes_is_told_and_the_rest_is_measured(toolkit, tmp_path):
    (alone,) = ranks_of_two_nodes(toolkit, (0,), "--seconds", 5, "--output", tmp_path)
    output, _ = alone.communicate(timeout=240)
    assert alone.returncode == 1
    (report,) = lines(output)
    assert "rank 1 has not come to the store" in report["all_reduce"]["not_measured"]
    for name in (*ALONE, "disk"):
        assert set(report[name]) == NUMBERS[name]


def test_a_disk_that_cannot_be_written_to_is_told_and_the_exit_code_says_so(toolkit):
    done = run(health(toolkit, "--seconds", 6, "--json", "true", "--output", "/proc"))
    assert done.returncode == 1
    (report,) = lines(done.stdout)
    assert "/proc" in report["disk"]["not_measured"]
    for name in ALONE:
        assert set(report[name]) == NUMBERS[name]


@pytest.mark.skipif(torch.cuda.is_available(), reason="CUDA opens a GPU here")
def test_a_machine_whose_gpus_cuda_does_not_open_is_an_error(toolkit, bin_dir):
    fake = {"LD_LIBRARY_PATH": str(bin_dir / "fake_nvml"), "MDL_FAKE_GPUS": "2", "MDL_FAKE_DRIVER": "570.86.15", "MDL_FAKE_CUDA": "12080"}
    kept = {name: value for name, value in os.environ.items() if name not in ("CUDA_VISIBLE_DEVICES", "ACCELERATE_USE_CPU")}
    done = subprocess.run([toolkit, "health"], capture_output=True, text=True, timeout=240, env=kept | fake)
    assert done.returncode == 1 and done.stdout == ""
    assert "this machine has 2 NVIDIA GPUs" in done.stderr
