"""Whether what publishers and readers saw can be one history: pure functions over notes.

Publishers note each publish: its data, which no other has, when it began and ended, and what was
answered. Readers note what came, in its order. The history is what a reader of a hub gets from
`earliest` when all is over.
"""

from dataclasses import dataclass, field


@dataclass
class Publish:
    data: str
    begin: float
    end: float = 0.0
    answer: str = "unknown"  # "taken", as `identity`; "refused"; or nobody knows
    identity: str = ""


@dataclass
class Notes:
    """Of one reader: (id, data) of each event, and None where it was told of a gap."""
    seen: list = field(default_factory=list)


@dataclass
class Verdict:
    taken: int = 0
    refused: int = 0
    unknown: int = 0
    unknown_there: int = 0  # of these
    lost: int = 0           # taken, and not there
    gaps: int = 0           # told to readers
    shown: int = 0          # events that a reader had and that are not there; it was told of a gap
    faults: list = field(default_factory=list)


def judge(publishes, readers, histories):
    """`histories`: of each hub, a list of (id, data). What is wrong whatever was promised is among the
    faults; what was lost is counted."""
    verdict = Verdict()
    history = histories[0]
    if any(other != history for other in histories):
        verdict.faults.append("the hubs have different histories")
    _judge_history(history, verdict)
    places = {data: place for place, (_, data) in enumerate(history)}
    _judge_publishes(publishes, history, places, verdict)
    _judge_order(publishes, places, verdict)
    for notes in readers:
        _judge_reader(notes, history, verdict)
    _judge_ids(publishes, readers, history, verdict)
    return verdict


def _judge_history(history, verdict):
    if len({data for _, data in history}) != len(history):
        verdict.faults.append("an event is there twice")
    numbers = [int(identity.split("-")[1]) for identity, _ in history]
    if any(right <= left for left, right in zip(numbers, numbers[1:])):
        verdict.faults.append("ids do not rise")


def _judge_publishes(publishes, history, places, verdict):
    for one in publishes:
        place = places.get(one.data)
        setattr(verdict, one.answer, getattr(verdict, one.answer) + 1)
        if one.answer == "unknown":
            verdict.unknown_there += place is not None
        elif one.answer == "refused":
            if place is not None:
                verdict.faults.append(f"{one.data} was refused, and is there")
        elif place is None:
            verdict.lost += 1
        elif history[place][0] != one.identity:
            verdict.faults.append(
                f"{one.data} was taken as {one.identity}, and is {history[place][0]}")


def _judge_order(publishes, places, verdict):
    """Who publishes after somebody was answered stands behind him."""
    taken = sorted((one for one in publishes if one.answer == "taken" and one.data in places),
                   key=lambda one: places[one.data])
    latest = 0.0  # of the begins of those before
    for one in taken:
        if one.end < latest:
            verdict.faults.append(f"{one.data} was answered before what stands before it began")
        latest = max(latest, one.begin)


def _judge_reader(notes, history, verdict):
    """Behind a gap comes all that is kept, so also what the reader had."""
    places = {event: place for place, event in enumerate(history)}
    last, told = -1, False
    shown = 0  # events since the last gap that are not in the history
    for event in notes.seen:
        if event is None:
            verdict.gaps += 1
            verdict.shown += shown
            told, shown = True, 0
            continue
        place = places.get(event)
        if place is None:
            shown += 1
            continue
        if shown:
            verdict.faults.append(f"a reader was not told that what came before {event} is gone")
        if told:
            last = place - 1
        if place <= last:
            verdict.faults.append(f"a reader got {event} again, or late")
        elif place > last + 1:
            verdict.faults.append(f"a reader missed what stands before {event}")
        last, told, shown = place, False, 0
    if shown:
        verdict.faults.append("a reader was not told that the last that it got is gone")
    elif last + 1 < len(history):
        verdict.faults.append("a reader did not get the end")


def _judge_ids(publishes, readers, history, verdict):
    """One id is one event, to whomever it was shown or told."""
    names = {}
    told = [(one.identity, one.data) for one in publishes if one.answer == "taken"]
    for identity, data in (*history, *told,
                           *(event for notes in readers for event in notes.seen if event)):
        if names.setdefault(identity, data) != data:
            verdict.faults.append(f"{identity} is {names[identity]} and {data}")
