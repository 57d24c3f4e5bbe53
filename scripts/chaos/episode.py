"""Runs one scenario and judges how it ended."""

import contextlib
import shutil
import time
from dataclasses import dataclass, field

import faults
import job
import lineage
import remains
import rounds
from cluster import MOST_RESTARTS, Cluster
from scenario import BOUND, FOREVER, NEEDS_CLOCK, NEEDS_PROXY

LONGEST = 600.0  # an episode in all


@dataclass
class Result:
    scenario: object
    launcher: str
    result: str = "broken"  # survived, stopped, hung or broken
    wrong: list = field(default_factory=list)
    seconds: float = 0.0
    agents: int = 0
    steps: int = 0
    checkpoints: int = 0
    idle_rounds: int = 0  # without a step, for a change of membership
    done: list = field(default_factory=list)  # the scenario's faults that came to pass
    log: list = field(default_factory=list)

    def to_json(self):
        return {
            "launcher": self.launcher,
            "seed": self.scenario.seed,
            "episode": self.scenario.episode,
            "result": self.result,
            "wrong": self.wrong,
            "seconds": round(self.seconds, 1),
            "agents": self.agents,
            "steps": self.steps,
            "checkpoints": self.checkpoints,
            "idle_rounds": self.idle_rounds,
            "scenario": self.scenario.to_json(),
            "done": [fault.kind for fault in self.done],
            "log": self.log,
        }


def run(scenario, training, runs, folder, sabotage=None):
    """One episode in `folder`, which is new. `sabotage(cluster)` is called before the judgement: a judge that finds nothing then is wrong."""
    result = Result(scenario, training.programs.launcher)
    shared = remains.shared_memory()
    proxied = {fault.host for fault in scenario.faults if fault.kind in NEEDS_PROXY}
    clocked = {fault.host for fault in scenario.faults if fault.kind in NEEDS_CLOCK}
    with Cluster(training, scenario, folder, proxied, clocked) as cluster:
        snapshots = lineage.Snapshots(cluster.output, folder / "snapshots")
        snapshots.folder.mkdir()
        try:
            play = Play(cluster, snapshots)
            ended = play.run()
            result.done = play.done
            result.seconds = time.monotonic() - cluster.began
            result.agents = len(cluster.agents)
            if sabotage:
                sabotage(cluster)
                snapshots.look()
            result.log = cluster.log
            judge(result, cluster, snapshots, runs, ended, shared, len(play.done) + play.healed + len(cluster.agents))
        finally:
            with contextlib.suppress(AssertionError):
                cluster.kill_all()
            for number, agents in cluster.started.items():
                for count, agent in enumerate(agents):
                    (folder / f"node{number}-{count}.log").write_text(agent.output + "\n")
            if cluster.output.is_dir():
                shutil.copytree(cluster.output, folder / "output")
    if left := remains.namespaces_of(cluster.network.prefix):
        result.wrong.append(f"namespaces {left}")
        result.result = "broken"
    return result


class Play:
    """The scenario's time: what happens when, until all agents have ended or the bound has passed."""

    def __init__(self, cluster, snapshots):
        self.cluster, self.snapshots = cluster, snapshots
        self.pending = list(cluster.scenario.faults)
        self.healings = []  # (when, what to call, description)
        self.done = []
        self.frozen = set()  # hosts whose agent is stopped for good
        self.last_event = self.first_step = None
        self.healed = 0

    def run(self):
        """True when all have ended in time."""
        for number in range(len(self.cluster.hosts)):
            self.cluster.start(number)
        began = self.last_event = time.monotonic()
        try:
            while True:
                now = time.monotonic()
                self.snapshots.look()
                self.act(now, began)
                if self.cluster.schedule(now):
                    self.last_event = time.monotonic()
                alive = [number for number in self.cluster.running if number not in self.frozen]
                if not alive and not self.cluster.waits_for_restart:
                    if not self.may_restart():
                        return True
                if now > max(self.last_event, *[when for when, _, _ in self.healings], 0) + BOUND or now > began + LONGEST:
                    self.cluster.say(f"not ended: {[self.cluster.hosts[number].name for number in alive]}")
                    return False
                time.sleep(0.03)
        finally:
            self.heal_all()
            self.end_frozen()
            self.snapshots.look()

    def may_restart(self):
        """Whether the scheduler would still start an agent in this state of things."""
        return (
            self.cluster.scenario.restarting
            and not self.cluster.is_done
            and any(agents[-1].ended and len(agents) <= MOST_RESTARTS for agents in self.cluster.started.values())
        )

    def act(self, now, began):
        if self.first_step is None and any(job.STEP.search(line) for agent in self.cluster.agents for line in list(agent.lines)):
            self.first_step = now
        for fault in list(self.pending):
            zero = began if fault.early else self.first_step
            if zero is not None and now >= zero + fault.at and self.cluster.running:
                self.pending.remove(fault)
                self.do(fault)
        for healing in sorted(self.healings, key=lambda healing: healing[0]):
            if now >= healing[0]:
                self.healings.remove(healing)
                self.heal(healing)

    def do(self, fault):
        try:
            undo = faults.do(self.cluster, fault)
        except faults.NothingToDo:
            self.cluster.say(f"nothing to do: {fault.describe()}")
            return
        self.cluster.say(fault.describe())
        self.done.append(fault)
        self.last_event = time.monotonic()
        if fault.seconds == FOREVER:
            if fault.kind in ("stop-agent", "stop-host"):
                self.frozen.add(fault.host)
        elif undo:
            self.healings.append((time.monotonic() + fault.seconds, undo, f"{fault.kind} node{fault.host} is over"))

    def heal(self, healing):
        _, undo, what = healing
        undo()
        self.healed += 1
        self.cluster.say(what)
        self.last_event = time.monotonic()

    def heal_all(self):
        for healing in self.healings:
            self.heal(healing)
        self.healings = []

    def end_frozen(self):
        """An operator ends what hangs for good: the launcher alone where the rest of the host lives."""
        for fault in self.cluster.scenario.faults:
            if fault in self.done and fault.seconds == FOREVER and fault.host in self.frozen:
                agent = self.cluster.agent(fault.host)
                self.cluster.killed.add(agent)
                if fault.kind == "stop-host":
                    self.cluster.signal(self.cluster.processes(fault.host), 9)
                elif not agent.ended:
                    agent.kill()


def judge(result, cluster, snapshots, runs, ended, shared, events):
    wrong = result.wrong
    newest = lineage.newest(cluster.output)
    result.checkpoints = len(snapshots.folders)
    result.steps = int(newest.name[11:]) if newest else 0
    final = cluster.output / "final"
    if not ended:
        wrong.append(f"not ended {BOUND:.0f} s after the last event")
    else:
        wrong += remains.find(cluster, shared)
    wrong += lineage.check(snapshots.folders, runs)
    if newest and (fault := lineage.fault_of(newest)):
        wrong.append(f"in the end: {fault}")
    survived = final.is_dir()
    if survived:
        checkpoint = lineage.Checkpoint(newest)
        if checkpoint.step != checkpoint.last_step:
            wrong.append(f"final, but the newest checkpoint is of step {checkpoint.step} of {checkpoint.last_step}")
        if not lineage.is_same_adapter(final, newest):
            wrong.append("final is not the adapter of the last checkpoint")
        if ended and not cluster.is_done:
            wrong.append("final, but no agent has ended well")
    elif cluster.is_done:
        wrong.append("an agent has ended well, but there is no final")
    elif ended and cluster.scenario.must_survive:
        wrong.append("the job gave up, although everything was healed and started again")
    result.idle_rounds, row = rounds.idle_rounds(cluster.agents)
    if text := rounds.too_many(result.idle_rounds, row, events):
        wrong.append(text)
    if cluster.training.programs.launcher == "mdl-launch":
        wrong += [text for agent in cluster.agents if (text := unclear_end(agent, cluster.killed))]
    result.result = "hung" if not ended else "broken" if wrong else "survived" if survived else "stopped"


def unclear_end(agent, killed):
    """An agent that has ended with an error by itself has said one, and one only."""
    if not agent.ended or agent in killed or agent.process.returncode == 0:
        return ""
    said = [line for line in agent.lines if job.CLEAR_ERROR.search(line)]
    if len(said) != 1 or agent.process.returncode < 0:
        return f"{agent} ended with {agent.process.returncode} and {len(said)} errors: {said[:3]}"
    return ""
