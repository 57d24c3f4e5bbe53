"""A job that is only in a store: as many nodes as one likes, whose agents have told how their workers get on."""

import base64
import datetime
import json
import pickle


def put_job(store, job="j", nodes=125, per_node=8, ahead=0.0, own=None):
    """Puts it into torch's store: a whole round, and what each node has told, `ahead` seconds from now. `own(rank)`: of a rank's steps."""
    from torch.distributed.elastic.rendezvous import dynamic_rendezvous

    own = own or (lambda rank: 0.5 + 0.001 * (rank // per_node + rank % per_node))
    state = dynamic_rendezvous._RendezvousState()
    state.complete = True
    now = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=ahead)
    for node in range(nodes):
        name = dynamic_rendezvous._NodeDesc(f"node{node:03d}", 1000 + node, 0)
        state.participants[name] = node
        state.last_heartbeats[name] = now
        role = {"role": "default", "rank": node, "local_world_size": per_node}
        store.set(f"torch.rendezvous.{job}.0/torchelastic/role_info/{node}", json.dumps(role))
        own_times = [round(own(per_node * node + i), 4) for i in range(per_node)]
        steps = [12345, *[1] * (per_node - 1)]  # each is one ahead of the rank before
        columns = [steps, 100000, 0.694444, 98760, 40.9836, 1.667, own_times, 0.1, 0.1235, 0.1235]
        told = [2, 0, node, int(now.timestamp() * 1000), f"node{node:03d}", per_node * node, per_node, columns]
        store.set(f"mdl-launch/{job}/progress/{node}", json.dumps(told, separators=(",", ":")))
    store.set(f"torch.rendezvous.{job}", base64.b64encode(pickle.dumps(state)).decode())
