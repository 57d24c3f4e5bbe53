"""Set-ups as the keys that a user presses in `accelerate config` and in `mdl-launch config`: the same keys for both.

Each step: a part of accelerate's question, a part of ours, the keys.
"""

from terminal import DOWN, ENTER, Keys

ENVIRONMENT = ("In which compute environment", "Where will the training run", ENTER)
TYPE = ("Which type of machine", "Which kind of training")
DYNAMO = ("torch dynamo", "torch dynamo", "\r")
DEEPSPEED = ("DeepSpeed", "DeepSpeed", "\r")
MACHINES = ("How many different machines", "How many machines")
CPU_ONLY = ("on CPU only", "on the CPU only")
DEBUG = ("checked while running", "collective operations")
GPU_IDS = ("by id", "Which GPUs of this machine")
NUMA = ("numa efficiency", "CPUs near its GPU", "\r")
PRECISION = ("mixed precision", "Which mixed precision")

NODES = [
    ENVIRONMENT,
    (*TYPE, Keys("4\r")),
    (*MACHINES, "2\r"),
    ("rank of this machine", "Which rank", Keys("1\r")),
    ("IP address", "Address of the machine of rank 0", "10.1.2.3\r"),
    ("What is the port", "Port on that machine", "29511\r"),
]
SAME_NETWORK = ("same local network", "in one local network")
REST = [
    (*DEBUG, "yes\r"),
    DYNAMO,
    DEEPSPEED,
    ("FullyShardedDataParallel", "FullyShardedDataParallel", "\r"),
    ("Megatron-LM", "Megatron-LM", "\r"),
    ("GPU(s) should be used", "How many GPUs in total", "6\r"),
    (*GPU_IDS, "\r"),
    NUMA,
    (*PRECISION, ENTER),
]
SETUPS = {
    "cpu": [ENVIRONMENT, (*TYPE, ENTER), (*CPU_ONLY, "yes\r"), DYNAMO, DEEPSPEED, (*PRECISION, ENTER)],
    "multi_cpu": [
        ENVIRONMENT,
        (*TYPE, Keys("1\r")),
        (*MACHINES, "\r"),
        (*DEBUG, "\r"),
        ("launch mpirun", "mpirun", "\r"),
        DYNAMO,
        ("How many processes", "How many processes in total", "3\r"),
        (*PRECISION, Keys("2\r")),
    ],
    "one_gpu": [
        ENVIRONMENT,
        (*TYPE, ENTER),
        (*CPU_ONLY, "\r"),
        ("torch dynamo", "torch dynamo", "yes\r"),
        ("dynamo backend", "Which dynamo backend", ENTER),
        ("customize the defaults", "defaults of torch.compile", "yes\r"),
        ("Which mode", "Which mode", DOWN + ENTER),
        ("fullgraph", "one graph", "\r"),
        ("dynamic shape", "dynamic shapes", "YES\r"),
        ("regional", "regional", "\r"),
        DEEPSPEED,
        (*GPU_IDS, "1\r"),
        NUMA,
        (*PRECISION, DOWN + DOWN + ENTER),
    ],
    "nodes_static": [*NODES, (*SAME_NETWORK, "\r"), *REST],
    "nodes_c10d": [*NODES, (*SAME_NETWORK, "no\r"), ("rendezvous backend", "rendezvous backend", "c10d\r"), *REST],
}
