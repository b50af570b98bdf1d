"""Rounds over contenders, and their tables: what the measuring scripts have in common."""

import argparse
import datetime
import json
import os
import re
import signal
import statistics

from judge import median, numbers, paired
from machine import commit, description, say, warn_if_busy


def default_build(here):
    return os.path.join(os.path.dirname(os.path.abspath(here)), "..", "build", "bench")


def backends(text):
    """The argument of --io."""
    ios = text.split(",")
    if unknown := set(ios) - {"uring", "epoll"}:
        raise argparse.ArgumentTypeError(f"there is no {', '.join(sorted(unknown))}, only uring "
                                         "and epoll")
    return ios


def end_like_ctrl_c():
    """So that every `finally` runs, and no server or control group stays behind."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)


def one_round(bench, measure, number, servers):
    """Every server's figures, in turns: every other round backwards, so that a machine that gets
    busier or warmer favours nobody. What fails has its reason as a fault."""
    figures = {}
    for server in servers if number % 2 == 0 else reversed(servers):
        try:
            figures[server.name] = measure(bench, server)
        except (RuntimeError, OSError) as error:
            figures[server.name] = {"faults": str(error)}
        say(f"  {server.name}: {brief(figures[server.name])}")
    return figures


def is_failed(figures):
    """There is nothing but a reason."""
    return set(figures) == {"faults"}


def all_rounds(bench, name, measure, rounds, servers):
    """Who gives no figures in one round is left out of the next ones: a server that hangs is not
    waited for again and again."""
    done = []
    servers = list(servers)
    for number in range(rounds):
        say(f"{name}, round {number + 1} of {rounds}")
        done.append(one_round(bench, measure, number, servers))
        failed = [s.name for s in servers if is_failed(done[-1][s.name])]
        servers = [s for s in servers if s.name not in failed]
        if failed and number + 1 < rounds:
            say(f"  left out of the other rounds: {', '.join(failed)}")
    return done


def brief(figures):
    return ", ".join(f"{k} {v:.5g}" if isinstance(v, float) else f"{k} {v}"
                     for k, v in figures.items()
                     if v != "" and k != "bottlenecks" and not isinstance(v, dict))


def names_of(rounds):
    """Contenders in the order of their first appearance."""
    return list(dict.fromkeys(name for r in rounds for name in r))


def spread_table(name, rounds):
    """Median and spread of each figure of each contender, as lines."""
    lines = ["", name]
    for contender in names_of(rounds):
        lines.append(f"  {contender}")
        figures = {k for r in rounds for k in r.get(contender, {})}
        for figure in sorted(figures):
            values = numbers(rounds, contender, figure)
            if values:
                lines.append(f"    {figure:26} {statistics.median(values):16,.3f}"
                             f"   ({min(values):,.3f} to {max(values):,.3f})")
        for text in sorted({r.get(contender, {}).get("faults") for r in rounds} - {"", None}):
            lines.append(f"    FAULTS: {text}")
        lines += [f"    generator: {reason}" for reason in bottlenecks(rounds, contender)]
    return lines


def ratio_table(rounds, columns, reference):
    """A line for each contender: medians of `columns` (figure, heading), and behind each
    how it stands to `reference` (ratio within a round)."""
    widths = [max(18, len(heading) + 2) for _, heading in columns]
    lines = ["  " + f"{'':14}" + "".join(f"{h:>{w}}" for (_, h), w in zip(columns, widths))]
    for contender in names_of(rounds):
        cells = []
        for (figure, _), width in zip(columns, widths):
            value = median(rounds, contender, figure)
            ratio = paired(rounds, contender, figure, reference)
            text = "-" if value is None else readable(value)
            if value is not None and ratio is not None and contender != reference:
                text += f" ({readable(ratio, 2)}x)"
            cells.append(f"{text:>{width}}")
        lines.append("  " + f"{contender:14}" + "".join(cells))
        for text in sorted({r.get(contender, {}).get("faults") for r in rounds} - {"", None}):
            lines.append("  " + f"{'':14}" + f"  ! {text}")
    return lines


def readable(value, digits=3):
    if abs(value) >= 10 ** (digits - 1):
        return f"{value:,.0f}"
    return f"{value:.{digits}g}"


def bottlenecks(rounds, contender):
    """Why the generator may be what was measured: each reason once, its first clause."""
    reasons = set()
    for r in rounds:
        text = r.get(contender, {}).get("bottlenecks", "")
        reasons |= {re.split(r"(?<=.{20})[:.] ", one)[0] for one in text.split(";; ") if one}
    # The figures in them differ from round to round.
    return sorted({re.sub(r"\d[\d.]*", "#", reason): reason for reason in reasons}.values())


def medians(rounds):
    """{contender: {figure: median}} of what is a number; faults in words stay."""
    result = {}
    for contender in names_of(rounds):
        figures = {k for r in rounds for k in r.get(contender, {})}
        result[contender] = {k: round_off(median(rounds, contender, k)) for k in sorted(figures)
                             if median(rounds, contender, k) is not None}
        words = sorted({r.get(contender, {}).get("faults") for r in rounds} - {"", None})
        if words:
            result[contender]["faults"] = "; ".join(words)
    return result


def round_off(value):
    """Four digits: what is beyond them is noise, and the files stay readable."""
    return float(f"{value:.4g}") if value is not None else None


def header(others, quietly=False):
    """When, of which commit and where, and how much of the machine others (machine.OtherCpu) had
    meanwhile: the beginning of every stored result. Warns if it was much, but `quietly`."""
    shares = others.shares()
    if not quietly:
        warn_if_busy(shares)
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    return {"date": now.isoformat(), "commit": commit(), "machine": description(), **shares}


def store(path, result):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
        file.write("\n")
