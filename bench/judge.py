"""Medians, ratios, and the targets as rules over them. What was not measured judges nothing.

`rounds` is a list of rounds; a round maps a contender's name to its figures.
"""

import statistics

NOTHING_ASTRAY = "and nothing lost, repeated or out of order"


def numbers(rounds, contender, figure):
    """The figure's value of each round that has it."""
    values = [r.get(contender, {}).get(figure) for r in rounds]
    return [v for v in values if isinstance(v, (int, float)) and not isinstance(v, bool)]


def median(rounds, contender, figure):
    values = numbers(rounds, contender, figure)
    return statistics.median(values) if values else None


def ratios_within(rounds, ours, figure, theirs):
    """ours / theirs of each round that has both: what disturbs a round disturbs both."""
    both = [(r.get(ours, {}).get(figure), r.get(theirs, {}).get(figure)) for r in rounds]
    return [mine / other for mine, other in both if mine is not None and other]


def paired(rounds, ours, figure, theirs):
    """Median over rounds of ours / theirs within the round; None if one of them has no figure."""
    ratios = ratios_within(rounds, ours, figure, theirs)
    return statistics.median(ratios) if ratios else None


def has_faults(rounds, contender):
    return any(r.get(contender, {}).get("faults") for r in rounds)


def verdict(target, contender, parts, astray=False):
    """`parts`: (value, "<=" or ">=", limit, words with {} for the value); limit None: told only."""
    met, words = True, []
    for value, relation, limit, text in parts:
        if value is None:
            met = None if met is not False and limit is not None else met
            words.append(text.format("-") + " (not measured)")
            continue
        if limit is None:
            words.append(text.format(f"{value:,.2f}"))
            continue
        good = value <= limit if relation == "<=" else value >= limit
        met = False if not good else met
        words.append(f"{text.format(f'{value:,.2f}')} ({relation} {limit:,})")
    if astray:
        met = False
        words.append("FAULTS, see above")
    return {"target": target, "contender": contender, "met": met, "text": "; ".join(words)}


def t1(results, name):
    r = results["broadcast"]
    figure = "cpu_us_per_delivery"
    return [(paired(r, name, figure, "floor-send"), "<=", 1.15,
             "CPU per delivery {} x the bare send loop's"),
            (paired(r, name, figure, "floor-uring"), "<=", 1.15, "{} x bare io_uring's")], r


def t2(results, name):
    r = results["saturated"]
    return [(median(r, name, "deliveries_per_s"), ">=", 10_000_000, "{} deliveries/s"),
            (paired(r, name, "deliveries_per_s", "nchan"), ">=", 30, "{} x nchan")], r


def t3(results, name):
    r = results["idle"]
    beyond = [x[name]["kernel_each"] - x["bare"]["kernel_each"] for x in r
              if "kernel_each" in x.get(name, {}) and "kernel_each" in x.get("bare", {})]
    kernel = statistics.median(beyond) if beyond else None
    return [(median(r, name, "pss_each"), "<=", 128, "{} B user memory each"),
            (kernel, "<=", 300, "{} B kernel memory each beyond the bare socket")], r


def t5(results, name):
    r = results["broadcast"]
    return [(paired(r, name, "p99_ms", "nchan"), "<=", 0.6, "p99 {} x nchan's")], r


# On two cores the generator's half of a handshake, and the server's half that loopback runs in the
# generator's context, cost more than what is left for the server: with a whole core the server is
# not what is measured. Where a quota can be had it is judged held to a share of its core.
def t6(results, name):
    r, held = results["connect"], results.get("connect_held", [])
    whole = paired(r, name, "connects_per_s", "nchan")
    if held:
        parts = [(paired(held, name, "connects_per_s", "nchan"), ">=", 1.5,
                  "connects/s {} x nchan's, both held to a share of a core"),
                 (whole, ">=", None, "{} x with a whole core")]
    else:
        parts = [(paired(r, name, "cpu_us_per_connect", "nchan"), "<=", 1 / 1.5,
                  "CPU per connect {} x nchan's (no control groups here: judged by CPU alone)"),
                 (whole, ">=", None, "connects/s {} x with a whole core")]
    parts.append((median(r, name, "reconnects_per_s"), ">=", 1,
                  "{} reconnects/s " + NOTHING_ASTRAY))
    return parts, [*r, *held]


def t7(results, name):
    r, batches = results["publish"], results["publish_batches"]
    return [(median(r, name, "events_per_s"), ">=", 100_000, "{} events/s by single POSTs"),
            (median(batches, name, "events_per_s"), ">=", 500_000, "{} by batches")], [
                *r, *batches]


def t8(results, name):
    r = results["idle"]
    return [(median(r, name, "cpu_percent_empty"), "<=", 0.05, "{} % CPU without subscribers"),
            (median(r, name, "idle_cpu_percent"), "<=", 1, "{} % with all idle")], r


# The floor that talks to the kernel as the backend does.
def own_floor(name):
    return "floor-uring" if name.endswith("uring") else "floor-send"


def t9(results, name):
    full, paced = results["private_full"], results["private_paced"]
    floor, cpu = own_floor(name), "cpu_us_per_event"
    return [(median(full, name, "events_per_s"), ">=", None, "full speed: {} events/s"),
            (paired(full, name, "events_per_s", "nchan"), ">=", 4.5, "{} x nchan"),
            (median(full, name, "user_us_per_event"), "<=", 1.6, "user CPU an event {} us"),
            (paired(full, name, cpu, floor), "<=", 1.35, "CPU an event {} x the bare relay's"),
            (paired(paced, name, cpu, "nchan"), "<=", 0.6, "20,000/s: CPU an event {} x nchan's"),
            (paired(paced, name, cpu, floor), "<=", 1.35, "{} x the relay's"),
            (median(paced, name, "p50_ms"), "<=", None, "p50 {} ms")], [*full, *paced]


def t10(results, name):
    full, paced = results["rooms_full"], results["rooms_paced"]
    figure = "cpu_us_per_delivery"
    return [(paired(full, name, figure, "floor-send"), "<=", 1.2,
             "CPU per delivery {} x the bare send loop's"),
            (paired(full, name, figure, "nchan"), "<=", None, "{} x nchan's"),
            (paired(paced, name, figure, "floor-send"), "<=", None,
             "20,000/s: {} x the bare send loop's")], [*full, *paced]


def own_ratio(rounds, name, figure, base):
    """Median over rounds of two figures of one contender."""
    both = [(r.get(name, {}).get(figure), r.get(name, {}).get(base)) for r in rounds]
    ratios = [value / other for value, other in both if value is not None and other]
    return statistics.median(ratios) if ratios else None


def t11(results, name):
    parts, rounds = [], []
    for how, words, least in (("64", "single POSTs from 64 connections", 0.7),
                              ("1", "from one", 0.7), ("1024", "NDJSON of 1,024", 0.7),
                              ("16384", "of 16,384", 0.5)):
        r = results[f"durable_{how}"]
        rounds += r
        parts += [(median(r, name, "events_per_commit"), ">=", None, words + ", {} in a commit"),
                  (median(r, name, "of_loop"), ">=", least,
                   "events/s {} x a loop of append and fdatasync")]
        if how == "64":
            parts.append((paired(r, name, "events_per_s", "mercure"), ">=", 20,
                          "{} x Mercure with Bolt"))
        if int(how) >= 1024:
            parts.append((median(r, name, "writer_us_per_event"), "<=", 0.8,
                          "the writer's CPU an event {} us"))
    for how in ("64", "1024"):
        r = results[f"trimming_{how}"]
        rounds += r
        parts += [(own_ratio(r, name, "full_events_per_s", "roomy_events_per_s"), ">=", 0.7,
                   "trimming" + (", batches" if how == "1024" else "") + ": {} x the events/s"),
                  (own_ratio(r, name, "full_commit_p99_ms", "roomy_commit_p99_ms"), "<=", 2,
                   "p99 of a commit {} x")]
    r = results["start"]
    parts += [(median(r, name, "cold_of_reading"), "<=", 2,
               "start with 5,000,000 events {} x reading what is loaded, from the disk"),
              (median(r, name, "warm_of_reading"), "<=", None, "{} x from the kernel's memory")]
    rounds += r
    r = results["replay"]
    parts += [(own_ratio(r, name, "beside_p99_ms", "alone_p99_ms"), "<=", 1.5,
               "p99 of live events {} x beside a replay of all from the oldest on"),
              (median(r, name, "replayed_per_s"), ">=", None, "which reads {} events/s")]
    return parts, [*rounds, *r]


def t12(results, name):
    parts, rounds = [], []
    for size, cpu in ((64, 1.2), (1024, 0.6)):
        r = results[f"redis_{size}"]
        rounds += r
        for fsync in ("always", "no"):
            parts += [
                (median(r, name, f"{fsync}_events_per_commit"), ">=", None,
                 f"batches of {size:,}, appendfsync {fsync}, {{}} in an entry"),
                (median(r, name, f"{fsync}_of_sets"), ">=", 0.7, "events/s {} x pipelined SET"),
                (median(r, name, f"{fsync}_cpu_of_set"), "<=", cpu, "Redis' CPU an event {} x")]
    r = results["across"]
    parts += [(median(r, name, f"{fsync}_p50_of_probe"), "<=", 2,
               f"to another node's subscriber, appendfsync {fsync}: p50 {{}} x XADD to XREAD")
              for fsync in ("always", "no")]
    fan_out = results["cluster_fan_out"]
    parts.append((paired(fan_out, name, "deliveries_per_s", "nchan"), ">=", 10,
                  "deliveries/s to 1,000 subscribers of another node {} x nchan"))
    return parts, [*rounds, *r, *fan_out]


def t13(results, name):
    r, held = results["connect_with_tokens"], results.get("connect_with_tokens_held", [])
    publish, idle = results["publish_with_key"], results["idle_with_expiry"]
    connects = "{}_connects_per_s".format

    def share(rounds, kind):
        return own_ratio(rounds, name, connects(kind), connects("open"))
    more = [x[name]["expiring_pss_each"] - x[name]["open_pss_each"] for x in idle
            if "expiring_pss_each" in x.get(name, {}) and "open_pss_each" in x[name]]
    parts = [(share(r, "hs256"), ">=", 0.85, "connects/s {} x open with an HS256 token each"),
             (share(r, "es256"), ">=", 0.5, "{} x with ES256"),
             (share(r, "same"), ">=", 0.95, "{} x with one token for all"),
             (paired(r, name, connects("es256"), "mercure"), ">=", 3, "ES256 {} x Mercure's")]
    if held:
        parts.append((share(held, "hs256"), ">=", None,
                      "held to a share of a core {} x with HS256"))
        parts += [(share(held, kind), ">=", None, "{} x with " + kind) for kind in ("es256", "same")]
    parts += [(own_ratio(publish, name, "key_events_per_s", "open_events_per_s"), ">=", 0.95,
               "publishing with a key {} x open"),
              (statistics.median(more) if more else None, "<=", 24,
               "{} B more for a stream that expires")]
    return parts, [*r, *held, *publish, *idle]


RULES = {"t1": t1, "t2": t2, "t3": t3, "t5": t5, "t6": t6, "t7": t7, "t8": t8, "t9": t9, "t10": t10,
         "t11": t11, "t12": t12, "t13": t13}


def number_of(target):
    return int(target[1:])


def judge(results, wanted):
    names = sorted({name for rounds in results.values() for r in rounds for name in r
                    if name.startswith("tocsin")})
    verdicts = []
    for target in sorted(wanted, key=number_of):
        for name in names:
            parts, rounds = RULES[target](results, name)
            verdicts.append(verdict(target, name, parts, has_faults(rounds, name)))
    return verdicts
