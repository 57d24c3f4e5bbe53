"""What happens in one episode: drawn from a seed, so that it can be had again. Nothing here acts."""

import random
from dataclasses import asdict, dataclass, field

HOSTS = 3  # that the training wants; spare nodes come on top
FOREVER = -1.0

# After the last thing that happens to a job (a fault, its healing, an agent that is started again) it must have ended. It may take:
# read_timeout 12 s to give a store up, join_timeout 15 s for too few nodes, ddp-timeout 20 s for a rank that hangs,
# shutdown-timeout 5 s for workers that do not end, the exit barrier's 20 s, and the training itself, 10 s on a quiet machine.
BOUND = 120.0

# What is drawn: kind -> what it does, for --help and the table.
KINDS = {
    "kill-agent": "SIGKILL to a launcher that does not host the store",
    "kill-store-host": "SIGKILL to the launcher that hosts the store",
    "kill-worker": "SIGKILL to a worker",
    "stop-agent": "SIGSTOP to a launcher alone; its worker runs on",
    "stop-host": "SIGSTOP to all processes of a host",
    "stop-worker": "SIGSTOP to a worker",
    "cut-link": "a host's link is down: packets vanish, no connection is told",
    "slow-link": "all of a host's connections go through a proxy that holds bytes back",
    "break-connections": "a proxy resets all of a host's connections, in the middle of a message",
    "full-disk": "the file system of the checkpoints and logs has no byte left",
    "clock-step": "a host's wall clock is set, by minutes or hours, forwards or backwards",
    "slow-store-reader": "a client asks the store for large values and reads one byte in a while",
    "slow-output-reader": "whoever reads a launcher's output stops reading",
}

# Kinds that a proxy or a clock has to be put in place for before the job starts.
NEEDS_PROXY = {"slow-link", "break-connections"}
NEEDS_CLOCK = {"clock-step"}

# Kinds that may stay for good. After the others the world is as it was.
MAY_STAY = {"stop-agent", "stop-host", "stop-worker", "cut-link"}


@dataclass(frozen=True)
class Fault:
    kind: str
    host: int
    at: float  # seconds after the first step was reported; before it when `early`: seconds after the start
    seconds: float = 0.0  # until it is healed; FOREVER: never; 0: it is over at once
    early: bool = False
    amount: float = 0.0  # clock-step: seconds; slow-link: bytes a second

    def describe(self):
        lasts = "for good" if self.seconds == FOREVER else f"for {self.seconds:.1f} s" if self.seconds else ""
        size = f"by {self.amount:+.0f} s" if self.kind == "clock-step" else f"to {self.amount / 1000:.0f} kB/s" if self.amount else ""
        return " ".join(
            filter(None, [self.kind, f"node{self.host}", size, lasts, f"at {self.at:.1f} s" + (" after the start" if self.early else "")])
        )


@dataclass(frozen=True)
class Scenario:
    seed: int
    episode: int
    nodes: str  # --nnodes
    restarting: bool  # a scheduler starts agents again that were killed or have ended with an error
    restart_after: float  # seconds
    faults: list = field(default_factory=list)
    spares: int = 0  # nodes beyond the three; which of all stand by is for the job to say

    @property
    def must_survive(self):
        """Everything is healed and restarted, so that there is no reason left to end without the last step."""
        return self.restarting and not any(fault.seconds == FOREVER for fault in self.faults)

    def describe(self):
        restarts = f"agents start again after {self.restart_after:.1f} s" if self.restarting else "agents are not started again"
        spares = f" and {self.spares} to spare" if self.spares else ""
        return f"--nnodes {self.nodes}{spares}, {restarts}; " + "; ".join(fault.describe() for fault in self.faults)

    def to_json(self):
        return asdict(self)


def draw(seed, episode, kinds=tuple(KINDS), spares=(0, 0)):
    """The scenario of an episode, with spare nodes from spares[0] to spares[1]. The first faults of a seed's episodes go through all kinds
    in a drawn order, so that each is met."""
    order = sorted(kinds)
    random.Random(f"{seed} order").shuffle(order)
    dice = random.Random(f"{seed} {episode}")
    names = [order[episode % len(order)]] + [dice.choice(order) for _ in range(dice.choice([0, 0, 1, 2]))]
    restarting = dice.random() < 0.75
    number = random.Random(f"{seed} {episode} spares").randint(*spares)
    faults = sorted(
        (draw_fault(dice, name, not restarting, HOSTS + number) for name in names), key=lambda fault: (not fault.early, fault.at)
    )
    return Scenario(seed, episode, dice.choice(["3", "2:3", "2:3"]), restarting, round(dice.uniform(0.5, 4), 1), faults, number)


def draw_fault(dice, kind, may_stay, hosts):
    host = (
        0
        if kind in ("kill-store-host", "slow-store-reader")
        else dice.randrange(1, hosts)
        if kind == "kill-agent"
        else dice.randrange(hosts)
    )
    early = dice.random() < 0.15
    at = dice.uniform(0.1, 1.5) if early else dice.uniform(0.0, 11.0)  # the training takes 10 s, so that some come while it ends, or after
    seconds, amount = 0.0, 0.0
    if kind.startswith("stop-") or kind == "cut-link":
        # Within the keep-alive of 3 s, around it, and far beyond.
        seconds = dice.choice([dice.uniform(0.3, 1.5), dice.uniform(2, 4), dice.uniform(5, 9)])
        if may_stay and dice.random() < 0.4:
            seconds = FOREVER
    elif kind == "slow-link":
        seconds, amount = dice.uniform(1, 6), dice.choice([3_000, 30_000, 200_000])
    elif kind in ("full-disk", "slow-output-reader", "slow-store-reader"):
        seconds = dice.uniform(1, 6)
    elif kind == "clock-step":
        amount = dice.choice([-1, 1]) * dice.choice([90, 3600, 86_400 * 30])
    return Fault(kind, host, round(at, 2), round(seconds, 2), early, round(amount))
