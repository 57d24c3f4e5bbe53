"""Rounds in which no work was done: all workers started again for a change of membership, and no step came of it.

Such restarts cost nothing, so nothing but their number tells a job that only ever starts again from one that works.
"""

import job

# Each thing that happens to a node can change who is in the round twice: the node is lost, and it comes back.
CHANGES_PER_EVENT = 2
# mdl-launch gives a job up after so many in a row (launcher/job/free_restarts.hpp).
MOST_IN_A_ROW = 9


def idle_rounds(agents):
    """(all, the most in a row) that one agent has seen: the agent with the most."""
    steps = sorted(
        when for agent in agents for when, line in zip(list(agent.times), list(agent.lines), strict=False) if job.STEP.search(line)
    )
    return max((_idle_rounds(agent, steps) for agent in agents), default=(0, 0))


def _idle_rounds(agent, steps):
    count = row = most = 0
    began = 0.0  # of the round
    for when, line in zip(list(agent.times), list(agent.lines), strict=False):
        free, paid = job.FREE_RESTART.search(line), job.PAID_RESTART.search(line)
        if not free and not paid:
            continue
        worked = any(began < step <= when for step in steps)
        row = row + 1 if free and not worked else 0
        count += 1 if row else 0
        most = max(most, row)
        began = when
    return count, most


def too_many(count, row, events):
    """What is wrong with so many idle rounds after so many events (faults, their ends, agents that were started); empty when nothing is."""
    if row > MOST_IN_A_ROW:
        return f"{row} rounds in a row without work: the guard has not held"
    if count > CHANGES_PER_EVENT * events:
        return f"{count} rounds without work after {events} events"
    return ""
