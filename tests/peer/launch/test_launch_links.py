"""Connections between agents that break while the job runs, and are there again."""

import contextlib

import pytest

from launching import MDL_LAUNCH, TORCHRUN, free_port, is_served, running, wait_until
from relay import Relay

# A worker that tells that it has started. When it is told to, it ends well; or one fails, and the others go on until they are stopped. The
# second attempt ends well.
WORKER = """
echo "$TORCHELASTIC_RESTART_COUNT" >> "$1/started"
[ "$(wc -l < "$1/started")" -gt 2 ] && exit 0
until [ -e "$1/end" ]; do sleep 0.02; done
case "$(cat "$1/fails")" in
  nobody) ;;
  "$GROUP_RANK") echo "my last words" >&2; exit 7 ;;
  *) exec sleep 1000 ;;
esac
"""


@contextlib.contextmanager
def two_nodes(folder, host, *options):
    """A job of two agents whose second one, ours, reaches the store of the first one, `host`, through a relay."""
    port = free_port()

    def agent(launcher, endpoint, is_host):
        return running(
            "--nnodes",
            "2",
            "--rdzv-backend",
            "c10d",
            "--rdzv-endpoint",
            f"127.0.0.1:{endpoint}",
            "--rdzv-id",
            "job",
            "--local-addr",
            "127.0.0.1",
            *options,
            "--rdzv-conf",
            f"is_host={is_host}",
            "--no-python",
            "sh",
            "-c",
            WORKER.replace("$", "$$"),
            "sh",
            folder,
            launcher=launcher,
        )

    (folder / "fails").write_text("nobody")
    with Relay(port) as relay, contextlib.ExitStack() as agents:
        first = agents.enter_context(agent(host, port, 1))
        wait_until(lambda: is_served(port))
        second = agents.enter_context(agent(MDL_LAUNCH, relay.port, 0))
        wait_until(lambda: (folder / "started").exists() and len((folder / "started").read_text().splitlines()) == 2)
        yield relay, first, second


def break_once(relay):
    before = relay.accepted
    relay.break_connections()
    wait_until(lambda: relay.accepted > before)


@pytest.mark.parametrize("host", [TORCHRUN, MDL_LAUNCH], ids=["torchrun's store", "our store"])
def test_a_connection_that_breaks_and_is_there_again_costs_nothing(host, tmp_path):
    with two_nodes(tmp_path, host) as (relay, first, second):
        for _ in range(2):
            break_once(relay)
        (tmp_path / "end").touch()
        errors = [agent.communicate(timeout=100)[1] for agent in (first, second)]
        assert (first.returncode, second.returncode) == (0, 0), errors
        assert (tmp_path / "started").read_text() == "0\n0\n"
        assert errors[1] == ""


@pytest.mark.parametrize("failing", [0, 1])
def test_after_a_connection_has_broken_a_failure_is_told_to_the_other_node_all_the_same(failing, tmp_path):
    with two_nodes(tmp_path, MDL_LAUNCH) as (relay, first, second):
        break_once(relay)
        (tmp_path / "fails").write_text(str(failing))
        (tmp_path / "end").touch()
        for agent in (first, second):
            _, errors = agent.communicate(timeout=100)
            assert agent.returncode != 0
            assert f"Root cause: rank {failing} " in errors
            assert "my last words" in errors


def test_after_a_connection_has_broken_the_job_restarts_at_once_as_ever(tmp_path):
    with two_nodes(tmp_path, MDL_LAUNCH, "--max-restarts", "1") as (relay, first, second):
        break_once(relay)
        (tmp_path / "fails").write_text("1")
        (tmp_path / "end").touch()
        errors = [agent.communicate(timeout=100)[1] for agent in (first, second)]
        assert (first.returncode, second.returncode) == (0, 0), errors
        assert len((tmp_path / "started").read_text().splitlines()) == 4
        assert "was lost" not in errors[1]
