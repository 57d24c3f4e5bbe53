"""Our rendezvous decisions beside torch's own, for thousands of states."""

import base64
import datetime
import pickle
import random
import subprocess
from unittest import mock

from torch.distributed.elastic.rendezvous import api
from torch.distributed.elastic.rendezvous import dynamic_rendezvous as torchs

NOW = datetime.datetime(2026, 11, 24, 9, 8, 7, 123456, tzinfo=datetime.UTC)
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
MICROSECOND = datetime.timedelta(microseconds=1)
OPERATIONS = {
    "join": torchs._RendezvousJoinOp,
    "rejoin": torchs._RendezvousJoinOp,
    "leave": torchs._RendezvousExitOp,
    "close": torchs._RendezvousCloseOp,
    "keep_alive": torchs._RendezvousKeepAliveOp,
}
STEADY = 1000.0


class Clock(datetime.datetime):
    """A datetime whose now() is NOW."""

    @classmethod
    def now(cls, tz=None):
        return NOW


def random_case(rng):
    """A state, one of its nodes (or a new one), what it wants, and the rules."""
    nodes = [torchs._NodeDesc(f"node{rng.randrange(4)}", rng.randrange(1, 4), i) for i in range(rng.randrange(1, 6))]
    least = rng.randrange(1, 4)
    most = least + rng.randrange(3)
    settings = torchs.RendezvousSettings("job", least, most, torchs.RendezvousTimeout(), datetime.timedelta(seconds=5), 3)
    state = torchs._RendezvousState()
    state.round = rng.randrange(3)
    state.complete = rng.random() < 0.5
    state.closed = rng.random() < 0.1
    near = lambda *seconds: NOW + datetime.timedelta(seconds=rng.choice(seconds)) + MICROSECOND * rng.randrange(-1, 2)  # noqa: E731
    if not state.complete and rng.random() < 0.6:
        state.deadline = near(-10, 0, 10)
    for rank, node in enumerate(nodes):
        place = rng.choice(["participant", "participant", "waiting", "spare", "nowhere"])
        if place == "participant" and len(state.participants) < most:
            state.participants[node] = rank if rng.random() < 0.1 else len(state.participants)
        elif place == "waiting":
            state.wait_list.add(node)
        elif place == "spare":
            state.redundancy_list.add(node)
        else:
            continue
        state.last_heartbeats[node] = near(-16, -15, -5, -5, -4, 0)
    return state, rng.choice(nodes), rng.choice(list(OPERATIONS)), settings, rng.choice([-100.0, -1e-6, 1e-6, 4.9, 5.1])


def torchs_decision(state, node, wish, settings, overdue):
    """What torch's agent does with this state: its action, whether its deadline begins anew, the state it would write, and what it decided
    about: the state without dead nodes."""
    holder = torchs._BackendRendezvousStateHolder(mock.Mock(), settings)
    holder._state = pickle.loads(pickle.dumps(state))
    executor = torchs._DistributedRendezvousOpExecutor(node, holder, settings)
    executor._record = lambda *_, **__: None  # events, that inspect the stack each time
    with mock.patch.object(torchs, "datetime", Clock), mock.patch.object(torchs.time, "monotonic", lambda: STEADY):
        holder._sanitize()
        executor._state = holder._state
        if wish == "rejoin" and node in executor._state.participants and not executor._state.closed:
            executor._remove_from_participants()  # torch's agent: in a write of its own
        begun = pickle.loads(pickle.dumps(executor._state))
        context = torchs._RendezvousContext(node, executor._state, settings)
        try:
            action = OPERATIONS[wish]()(context, STEADY - overdue)
        except api.RendezvousGracefulExitError:
            return "left_out", False, holder._state, begun
        final = {"FINISH": "done", "SYNC": "wait", "ERROR_CLOSED": "closed", "ERROR_TIMEOUT": "timed_out"}.get(action.name)
        if final is None:
            getattr(
                executor,
                {"MARK_RENDEZVOUS_COMPLETE": "_mark_rendezvous_complete", "MARK_RENDEZVOUS_CLOSED": "_mark_rendezvous_closed"}.get(
                    action.name, "_" + action.name.lower()
                ),
            )()
    return final or "write", action.name == "REMOVE_FROM_REDUNDANCY_LIST", executor._state, begun


def difference(state, node, wish, settings, theirs):
    """Which rule of ours, if any, decides otherwise than torch's about a state without dead nodes (see rendezvous_step.hpp).

    `theirs` is what torch's agent does."""
    full = len(state.participants) >= settings.max_nodes
    taken = len(state.participants) + len(state.wait_list) >= settings.max_nodes
    place = next(
        (
            name
            for name, nodes in (("spare", state.redundancy_list), ("participant", state.participants), ("waiting", state.wait_list))
            if node in nodes
        ),
        "nowhere",
    )
    if wish == "keep_alive":
        return "who waits at a full round is made a spare node" if state.complete and full and state.wait_list else None
    if wish not in ("join", "rejoin") or theirs in ("closed", "timed_out", "left_out"):
        return None
    if place == "spare":
        return "a spare node leaves the place to who waits" if taken and len(state.participants) != settings.max_nodes else None
    if place == "nowhere":
        if taken and not (state.complete and full) and wish == "join":
            return "a newcomer leaves the place to who waits"
        completes = not state.complete and len(state.participants) + 1 == settings.max_nodes
    elif place == "waiting":
        if state.complete and full:
            return "who waits at a full round is made a spare node"
        completes = not state.complete and len(state.participants) + 1 == settings.max_nodes
    elif state.complete:
        whole = len(state.participants) >= settings.min_nodes and max(state.participants.values()) < len(state.participants)
        return None if whole else "a round that cannot come about is not begun"
    else:
        completes = theirs == "write" and len(state.participants) == settings.max_nodes  # at the end of the last call
    return "who waits at a full round is made a spare node" if completes and state.wait_list - {node} else None


DIFFERENCES = {
    "who waits at a full round is made a spare node",
    "a spare node leaves the place to who waits",
    "a newcomer leaves the place to who waits",
    "a round that cannot come about is not begun",
}


def test_5000_random_decisions_are_those_of_torchs_agent_but_for_spare_nodes(bin_dir):
    rng = random.Random(7)
    cases = [random_case(rng) for _ in range(5000)]
    lines = []
    for state, node, wish, settings, overdue in cases:
        stored = base64.b64encode(pickle.dumps(state)).decode()
        lines.append(
            f"{wish} {node.addr} {node.pid} {node.local_id} {(NOW - EPOCH) // MICROSECOND} {round(overdue * 1e6)} "
            f"{settings.min_nodes} {settings.max_nodes} 30 5 3 {stored}"
        )
    done = subprocess.run([bin_dir / "step_probe"], input="\n".join(lines), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    seen, differing = {}, {}
    for case, line in zip(cases, done.stdout.splitlines(), strict=True):
        state, node, wish, settings, _ = case
        action, renews, stored = line.split()
        expected_action, expected_renews, expected_state, begun = torchs_decision(*case)
        ours = vars(pickle.loads(base64.b64decode(stored)))
        if wish in ("leave", "rejoin") and node not in state.participants:
            continue  # torch's agent leaves only the participants; ours whatever it is in
        if rule := difference(begun, node, wish, settings, expected_action):
            differing[rule] = differing.get(rule, 0) + 1
            continue
        assert (action, bool(int(renews))) == (expected_action, expected_renews), (wish, node, vars(state))
        if action == "write":
            assert ours == vars(expected_state), (wish, node, vars(state))
        seen[wish, action] = seen.get((wish, action), 0) + 1
    assert differing.keys() == DIFFERENCES
    assert sum(differing.values()) < len(cases) / 4
    # Every end of every wish has been among them.
    assert {action for wish, action in seen if wish == "join"} == {"write", "wait", "done", "closed", "timed_out", "left_out"}
    for wish in ("leave", "close", "keep_alive"):
        assert {"write", "done", "timed_out"} <= {action for w, action in seen if w == wish}
