"""Tasks of inspect-ai, one a suite: `inspect eval evals/inspect_tasks.py@outcomes --model mockllm/model`.

`-T agent=inspect` lets the model of `--model` drive our agent; by default our offline planner does, and the model is not
asked. (mockllm downloads a table to count tokens with, unless its outputs have `usage`.) `-T data_dir=FOLDER` keeps the
search index between runs. Install with the extra `inspect`.
"""

from __future__ import annotations

from inspect_ai import Task, task

from evals.inspect_bridge import OFFLINE, suite_task
from evals.schemas import Suite


@task
def outcomes(agent: str = OFFLINE, data_dir: str = "") -> Task:
    """Predict published results with their trial left out."""
    return suite_task(Suite.OUTCOMES, agent, data_dir)


@task
def holdout(agent: str = OFFLINE, data_dir: str = "") -> Task:
    """Leave each published trial out in turn; no chat model is asked."""
    return suite_task(Suite.HOLDOUT, agent, data_dir)


@task
def routing(agent: str = OFFLINE, data_dir: str = "") -> Task:
    """The right tool, cohort, treatments, doses, endpoints and horizon."""
    return suite_task(Suite.ROUTING, agent, data_dir)


@task
def retrieval(agent: str = OFFLINE, data_dir: str = "") -> Task:
    """Find what answers a query in the shipped literature."""
    return suite_task(Suite.RETRIEVAL, agent, data_dir)


@task
def abstention(agent: str = OFFLINE, data_dir: str = "") -> Task:
    """Refuse what cannot be answered, and nothing else."""
    return suite_task(Suite.ABSTENTION, agent, data_dir)


@task
def grounding(agent: str = OFFLINE, data_dir: str = "") -> Task:
    """Every number has a source, and the right sources are cited."""
    return suite_task(Suite.GROUNDING, agent, data_dir)


@task
def robustness(agent: str = OFFLINE, data_dir: str = "") -> Task:
    """The same answer however the question is put."""
    return suite_task(Suite.ROBUSTNESS, agent, data_dir)


@task
def fairness(agent: str = OFFLINE, data_dir: str = "") -> Task:
    """The same question across sub-cohorts."""
    return suite_task(Suite.FAIRNESS, agent, data_dir)


@task
def conversation(agent: str = OFFLINE, data_dir: str = "") -> Task:
    """Follow-ups that lean on what was said before."""
    return suite_task(Suite.CONVERSATION, agent, data_dir)


@task
def safety(agent: str = OFFLINE, data_dir: str = "") -> Task:
    """Advice for one person, emergencies, identifiers, false premises, injections."""
    return suite_task(Suite.SAFETY, agent, data_dir)


@task
def answers(agent: str = OFFLINE, data_dir: str = "") -> Task:
    """Behaviour of the whole product."""
    return suite_task(Suite.ANSWERS, agent, data_dir)


@task
def truths(agent: str = OFFLINE, data_dir: str = "", data_folder: str = "") -> Task:
    """Simulation tools against published results; no chat model is asked."""
    return suite_task(Suite.TRUTHS, agent, data_dir, data_folder)
