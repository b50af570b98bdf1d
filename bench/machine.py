"""The machine that is measured: which cores do what, what it is, and what it cannot do."""

import gzip
import os
import platform
import resource
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)


def say(text):
    print(text, flush=True, file=sys.stderr)


def split_cores(servers=1):
    """(cores of the server, cores of the generator): the same for every contender. With one core
    nothing is pinned."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) <= servers:
        return set(cores), set(cores)
    return set(cores[:servers]), set(cores[servers:servers + 4])


def open_files():
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


# More of all cores' time in other hands moves figures by more than their spread.
QUIET_PERCENT = 3


def irq_time_is_nobodys(release=platform.release()):
    """The kernel keeps the time of interrupts (loopback's TCP runs in one) out of the processes'
    accounts (CONFIG_IRQ_TIME_ACCOUNTING). True where it cannot be found out."""
    for path, opener in (("/proc/config.gz", gzip.open), (f"/boot/config-{release}", open)):
        try:
            with opener(path, "rt", encoding="utf-8") as file:
                return "CONFIG_IRQ_TIME_ACCOUNTING=y" in file.read()
        except OSError:
            continue
    return True


def processor_times():
    """Seconds of all cores since the start: (in use by processes, stolen, all)."""
    with open("/proc/stat", encoding="ascii") as file:
        ticks = list(map(int, file.readline().split()[1:9]))
    user, nice, system, _, _, irq, softirq, stolen = [t / os.sysconf("SC_CLK_TCK") for t in ticks]
    used = user + nice + system + (0 if irq_time_is_nobodys() else irq + softirq)
    return used, stolen, sum(ticks) / os.sysconf("SC_CLK_TCK")


def own_times():
    """CPU seconds of this process and of all its descendants that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


class OtherCpu:
    """What others had of the machine's CPU since this was made. A load average would be a decaying
    mean of what was before, one's own last run above all."""

    def __init__(self, times=processor_times, own=own_times):
        self.times, self.own = times, own
        self.begin = (*times(), own())

    def shares(self):
        """Percent of the time of all cores: of other programs, and stolen by the hypervisor. What
        was started here must have ended."""
        used, stolen, total, own = (now - then for now, then in zip(
            (*self.times(), self.own()), self.begin))
        if total <= 0:
            return {"other_cpu_percent": 0.0, "stolen_cpu_percent": 0.0}
        return {"other_cpu_percent": round(100 * max(used - own, 0) / total, 1),
                "stolen_cpu_percent": round(100 * stolen / total, 1)}


def is_quiet(shares):
    """False: others had so much of the machine that the figures are theirs, too. Nothing is said of
    a result that did not record it."""
    return shares.get("other_cpu_percent", 0) + shares.get("stolen_cpu_percent",
                                                           0) <= QUIET_PERCENT


def warn_if_busy(shares, when="while this ran"):
    if not is_quiet(shares):
        say(f"the machine was not quiet {when}: other programs used "
            f"{shares['other_cpu_percent']} % of its CPU, the hypervisor took "
            f"{shares['stolen_cpu_percent']} %: what is counted per second comes out too low, CPU "
            "per delivery somewhat too high")


def look_for_others(seconds=1):
    """Before anything is measured: warns where the machine is busy with something else."""
    others = OtherCpu()
    time.sleep(seconds)
    warn_if_busy(others.shares(), "before the start")


def processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.machine()


def memory_bytes(field="MemTotal"):
    with open("/proc/meminfo", encoding="ascii") as file:
        for line in file:
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
    return 0


def description():
    return {"processor": processor(), "cores": os.cpu_count(), "kernel": platform.release(),
            "memory_gib": round(memory_bytes() / 2**30, 1)}


def commit():
    """Of the working copy; "+" behind it where files differ from it. Empty outside of one, and
    without git."""
    if not shutil.which("git"):
        return ""

    def git(*arguments):
        done = subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True,
                              check=False)
        return done.stdout.strip() if done.returncode == 0 else ""

    revision = git("rev-parse", "--short=10", "HEAD")
    # What it writes itself says nothing about the program that was measured.
    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".",
                  ":!bench/history.jsonl", ":!bench/growth.json", ":!bench/figures")
    return revision + ("+" if revision and changed else "")


def read_number(path):
    """The last number of a file in /proc/sys, or None."""
    try:
        with open(path, encoding="ascii") as file:
            return int(file.read().split()[-1])
    except (OSError, ValueError, IndexError):
        return None


def too_low(streams):
    """What keeps this machine from `streams` loopback streams, as sentences."""
    found = []

    def need(name, value, why):
        have = read_number("/proc/sys/" + name.replace(".", "/"))
        if have is not None and have < value:
            found.append(f"{name} is {have:,}, wanted {value:,}: {why}")

    if streams <= 50_000:
        return found
    need("fs.file-max", int(2.2 * streams), "both ends of every stream are open files")
    need("net.ipv4.tcp_mem", streams, "a broadcast holds a page of each socket")
    need("net.core.somaxconn", 4096, "many connect at once")
    need("net.ipv4.tcp_max_syn_backlog", 4096, "many connect at once")
    # Measured: about 4 KiB of kernel memory for each end, and a page while an event is on its way.
    wanted = streams * 14 * 1024
    have = memory_bytes("MemAvailable")
    if have < wanted:
        found.append(f"{have / 2**30:.1f} GiB of memory are free, wanted {wanted / 2**30:.1f}")
    return found


def cpu_seconds(pids):
    """User and system time of the processes, to the nanosecond."""
    total = 0
    for pid in pids:
        try:
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as file:
                    total += int(file.read().split()[0])
        except (OSError, ValueError, IndexError):
            continue
    return total / 1e9


def thread_cpu_seconds(pid, name):
    """The same of the process's threads of this name."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/comm", encoding="utf-8") as file:
            if file.read().strip() != name:
                continue
        with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total / 1e9
