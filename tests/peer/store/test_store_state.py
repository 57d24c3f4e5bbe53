"""The state of a rendezvous: torch reads what we write, and we read what torch writes."""

import base64
import datetime
import pickle
import subprocess

import pytest
from torch.distributed.elastic.rendezvous import dynamic_rendezvous as torchs

NOW = datetime.datetime(2026, 11, 24, 9, 8, 7, 123456, tzinfo=datetime.UTC)


def state(**attributes):
    made = torchs._RendezvousState()
    for name, value in attributes.items():
        assert hasattr(made, name)
        setattr(made, name, value)
    return made


def nodes(count):
    return [torchs._NodeDesc(f"node{i}.exämple.org", 100 * i * i * i, i % 3) for i in range(count)]


STATES = {
    "new": state(),
    "joining": state(round=1, deadline=NOW, participants={nodes(1)[0]: 0}, last_heartbeats={nodes(1)[0]: NOW}),
    "complete": state(
        round=70_000,
        complete=True,
        participants={n: i for i, n in enumerate(nodes(300))},
        last_heartbeats={n: NOW + datetime.timedelta(microseconds=i) for i, n in enumerate(nodes(300))},
    ),
    "closed": state(closed=True, wait_list=set(nodes(3)), redundancy_list=set(nodes(5))),
    "at the turn of a year": state(deadline=datetime.datetime(2027, 1, 1, tzinfo=datetime.UTC)),
}


@pytest.mark.parametrize("protocol", [4, 5])  # the default before and from Python 3.14 on
def test_states_go_through_our_program_and_back_unchanged(bin_dir, protocol):
    stored = [base64.b64encode(pickle.dumps(one, protocol)).decode() for one in STATES.values()]
    done = subprocess.run([bin_dir / "state_probe"], input="\n".join(stored), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    ours = done.stdout.splitlines()
    assert len(ours) == len(STATES)
    for name, theirs, line in zip(STATES, STATES.values(), ours, strict=True):
        read = pickle.loads(base64.b64decode(line))
        assert type(read) is torchs._RendezvousState
        assert vars(read) == vars(theirs), name
        # Its agents compute with it as with their own.
        for node, time in read.last_heartbeats.items():
            assert time.tzinfo is datetime.UTC
            assert hash(node) is not None and sorted([node]) == [node]
        assert pickle.loads(pickle.dumps(read)).round == theirs.round


def test_a_pickle_with_a_command_is_refused_and_not_run(bin_dir, tmp_path):
    class Evil:
        def __reduce__(self):
            import os

            return os.mkdir, (str(tmp_path / "pwned"),)

    line = base64.b64encode(pickle.dumps(state(round=Evil()))).decode()
    done = subprocess.run([bin_dir / "state_probe"], input=line, capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith("error: the rendezvous state in the store cannot be read")
    assert not (tmp_path / "pwned").exists()
