"""torch's records of collectives, as mdl-launch and the real torchfrtrace read them."""

import contextlib
import io
import json
import logging
import pickle
import subprocess

from launching import MDL_LAUNCH

PROBE = MDL_LAUNCH.parent / "flight_probe"


def probe(*words):
    done = subprocess.run([str(word) for word in (PROBE, *words)], capture_output=True, timeout=60)
    return done.returncode, done.stdout, done.stderr.decode()


def dumps(sockets):
    """What the real handler answers mdl-launch's client, by rank: of Gloo, torch has JSON alone."""
    answers = [probe("call", socket, 10, "fr_trace_json") for socket in sockets]
    assert [code for code, _, _ in answers] == [0] * len(answers), answers
    return [dump for _, dump, _ in answers]


def verdict(folder, texts):
    """What mdl-launch says of dumps, or of records as for the store; None stands for a rank without one."""
    words = []
    for rank, text in enumerate(texts):
        if text is not None:
            (folder / f"given_{rank}").write_bytes(text)
            words.append(f"{rank}={folder / f'given_{rank}'}")
    code, told, errors = probe("verdict", len(texts), *words)
    assert code == 0, errors
    return json.loads(told)


def torchfrtrace(folder, texts, *, mend=True):
    """What the real one makes of them: ({(sequence, name): ranks that are missing}, {(sequence, name): {rank: what differs}}).

    Python's Gloo writes its groups' ranks under no name, so that torchfrtrace ends with a KeyError; with `mend` they get the one that the
    entries have. It reads pickles.
    """
    from torch.distributed.flight_recorder import fr_trace

    traces = folder / "traces"
    traces.mkdir(exist_ok=True)
    for rank, text in enumerate(texts):
        dump = json.loads(text) if text.startswith(b"{") else pickle.loads(text)
        names = {tuple(entry["process_group"]) for entry in dump["entries"]}
        if mend:
            dump["pg_config"] = {name: {"name": name, "desc": desc, "ranks": str(list(range(len(texts))))} for name, desc in names}
        (traces / f"rank_{rank}").write_bytes(pickle.dumps(dump))
    with contextlib.redirect_stdout(io.StringIO()):
        logging.disable(logging.CRITICAL)
        try:
            fr_trace.main([str(traces), "-p", "rank_", "-o", str(folder / "result")])
        finally:
            logging.disable(logging.NOTSET)
    _, database = pickle.loads((folder / "result").read_bytes())
    missing, different = {}, {}
    for each in database.collectives:
        key = (each.collective_seq_id, each.collective_name)
        if each.missing_ranks:
            missing[key] = set(each.missing_ranks)
        if each.mismatch_collectives:
            different[key] = {rank: one.type_of_mismatch.state.name for rank, one in each.mismatch_collectives.items()}
    return missing, different
