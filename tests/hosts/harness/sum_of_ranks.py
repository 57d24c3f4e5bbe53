"""A Python worker on the real torch: sums all ranks over gloo, and checks the sum. What a user's script would do."""

import os
import sys

import torch
import torch.distributed as dist

dist.init_process_group("gloo")
total = torch.tensor(dist.get_rank())
dist.all_reduce(total)
dist.barrier()
assert total.item() == sum(range(dist.get_world_size())), total
# One write: print() makes two of a line under python -u, and torchrun's workers share a pipe.
sys.stdout.write(f"rank {dist.get_rank()} of {os.environ['WORLD_SIZE']} on {os.environ['MDL_TEST_HOST']}: sum {total.item()}\n")
sys.stdout.flush()
dist.destroy_process_group()
