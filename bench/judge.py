"""The targets, as rules over the figures of run.py. A target without its opposite is not judged."""

import statistics

NOTHING_ASTRAY = "and nothing lost, repeated or out of order"


def ratios_within(rounds, ours, figure, theirs):
    """ours / theirs of each round that has both."""
    both = [(r.get(ours, {}).get(figure), r.get(theirs, {}).get(figure)) for r in rounds]
    return [mine / other for mine, other in both if mine is not None and other]


def paired(rounds, ours, figure, theirs):
    """Median over rounds of ours / theirs within the round; None if one of them has no figure."""
    ratios = ratios_within(rounds, ours, figure, theirs)
    return statistics.median(ratios) if ratios else None


def median(rounds, contender, figure):
    values = [r[contender][figure] for r in rounds if figure in r.get(contender, {})]
    return statistics.median(values) if values else None


def has_faults(rounds, contender):
    return any(r.get(contender, {}).get("faults") for r in rounds)


def verdict(target, contender, parts, astray=False):
    """`parts`: (value, "<=" or ">=", limit, words with {} for the value)."""
    met, words = True, []
    for value, relation, limit, text in parts:
        if value is None:
            met = None if met is not False else met
            words.append(text.format("not measured"))
            continue
        good = value <= limit if relation == "<=" else value >= limit
        met = False if not good else met
        words.append(f"{text.format(f'{value:,.2f}')} ({relation} {limit:,})")
    if astray:
        met = False
        words.append("FAULTS, see above")
    return {"target": target, "contender": contender, "met": met, "text": "; ".join(words)}


def judge_one(target, results, name):
    """The verdict for the contender `name` (a tocsin)."""
    def rounds(measurement):
        return results[measurement]

    if target == "t1":
        r = rounds("broadcast")
        figure = "cpu_us_per_delivery"
        return [(paired(r, name, figure, "floor-send"), "<=", 1.15,
                 "CPU per delivery {} x the bare send loop's"),
                (paired(r, name, figure, "floor-uring"), "<=", 1.15, "{} x bare io_uring's")], r
    if target == "t2":
        r = rounds("saturated")
        return [(median(r, name, "deliveries_per_s"), ">=", 10_000_000, "{} deliveries/s"),
                (paired(r, name, "deliveries_per_s", "nchan"), ">=", 30, "{} x nchan")], r
    if target == "t3":
        r = rounds("idle")
        beyond = [x[name]["kernel_each"] - x["bare"]["kernel_each"] for x in r
                  if "kernel_each" in x.get(name, {}) and "kernel_each" in x.get("bare", {})]
        kernel = statistics.median(beyond) if beyond else None
        return [(median(r, name, "pss_each"), "<=", 128, "{} B user memory each"),
                (kernel, "<=", 300, "{} B kernel memory each beyond the bare socket")], r
    if target == "t5":
        r = rounds("broadcast")
        return [(paired(r, name, "p99_ms", "nchan"), "<=", 0.6, "p99 {} x nchan's")], r
    if target == "t6":
        r = rounds("connect")
        return [(paired(r, name, "connects_per_s", "nchan"), ">=", 1.5, "connects/s {} x nchan's"),
                (median(r, name, "reconnects_per_s"), ">=", 1,
                 "{} reconnects/s " + NOTHING_ASTRAY)], r
    if target == "t7":
        r = rounds("publish")
        batches = rounds("publish_batches")
        return [(median(r, name, "events_per_s"), ">=", 100_000, "{} events/s by single POSTs"),
                (median(batches, name, "events_per_s"), ">=", 500_000, "{} by batches")], [
                    *r, *batches]
    r = rounds("idle")
    return [(median(r, name, "cpu_percent_empty"), "<=", 0.05, "{} % CPU without subscribers"),
            (median(r, name, "cpu_percent_idle"), "<=", 1, "{} % with all idle")], r


def judge(results, wanted):
    names = sorted({name for rounds in results.values() for r in rounds for name in r
                    if name.startswith("tocsin")})
    verdicts = []
    for target in sorted(wanted):
        for name in names:
            parts, rounds = judge_one(target, results, name)
            verdicts.append(verdict(target, name, parts, has_faults(rounds, name)))
    return verdicts
