"""Takes the GPU's memory but for so many bytes, says so, and holds it until its stdin ends: fill_memory.py BYTES."""

import sys

import torch

free, total = torch.cuda.mem_get_info()
held = torch.empty(max(0, free - int(sys.argv[1])), dtype=torch.uint8, device="cuda")
print(f"holding {held.numel()} of {total} bytes", flush=True)
sys.stdin.read()
