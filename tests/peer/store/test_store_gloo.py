"""A real process group of four Python ranks meets through our store server."""

import subprocess
import sys
import textwrap

from test_store_protocol import our_server

RANK = textwrap.dedent("""
    import datetime, sys
    import torch
    from torch import distributed as dist

    rank, port = int(sys.argv[1]), int(sys.argv[2])
    store = dist.TCPStore("127.0.0.1", port, 4, is_master=False, timeout=datetime.timedelta(seconds=60),
                          wait_for_workers=False, use_libuv=rank % 2 == 0)
    dist.init_process_group("gloo", store=dist.PrefixStore("job", store), rank=rank, world_size=4)
    total = torch.full((3,), float(rank))
    dist.all_reduce(total)
    assert total.tolist() == [6.0, 6.0, 6.0], total
    dist.barrier()
    odd = dist.new_group([1, 3])
    if rank in (1, 3):
        part = torch.tensor([float(rank)])
        dist.all_reduce(part, group=odd)
        assert part.item() == 4.0, part
    gathered = [None] * 4
    dist.all_gather_object(gathered, {"rank": rank})
    assert [item["rank"] for item in gathered] == [0, 1, 2, 3], gathered
    dist.barrier()
    dist.destroy_process_group()
    print("done", rank)
""")


def test_four_gloo_ranks_meet_reduce_and_split_through_our_server(bin_dir):
    with our_server(bin_dir) as port:
        ranks = [
            subprocess.Popen(
                [sys.executable, "-c", RANK, str(rank), str(port)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
            for rank in range(4)
        ]
        try:
            outputs = [rank.communicate(timeout=120)[0] for rank in ranks]
        finally:
            for rank in ranks:
                rank.kill()
                rank.wait()
        for number, (rank, output) in enumerate(zip(ranks, outputs, strict=True)):
            assert rank.returncode == 0, output
            assert f"done {number}" in output
