#!/usr/bin/env python3
"""Group `build` of tools/packages suffices for what tools/run configures.

On a throw-away overlay of this machine, from which the files of every package are removed that
neither is essential nor belongs to the group or to what it depends on: what is left is about what
tools/run makes of a minimal system. Exit status 77 where that is impossible. (The whole truth, with
compiling, is in tools/check-fresh.)
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
# Where a configuration looks for what it may use.
USABLE = re.compile(r"(/usr)?/(include/|bin/|lib/.*\.(cmake|pc|so|a)$|share/(cmake|pkgconfig)/)")

# $1: scratch, $2: the repository; the names of the files to remove come in.
IN_THE_OVERLAY = r"""
set -e
skip() { echo "skipped: $1"; exit 77; }
mount --make-rprivate /
mount -t tmpfs tmpfs "$1" || skip "no tmpfs"
mkdir "$1"/{upper,work,root}
cd "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" . 2>/dev/null ||
  skip "no overlay"
cd "$1/root"
[[ -x usr/bin/env ]] || skip "/usr is not on the root's file system"
mount --rbind /proc proc
mount --rbind /dev dev
mkdir source
mount --bind "$2" source
mount -o remount,bind,ro source
xargs --delimiter='\n' rm -f
rm -rf usr/local
cat >configure <<'END'
set -e
cmake --preset release -S /source -B /configured
echo "--- package"
ninja -C /configured -n package
END
exec chroot . env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin sh /configure
"""


def stanzas():
    """The installed packages: name -> fields of dpkg's status."""
    text = Path("/var/lib/dpkg/status").read_text(encoding="utf-8")
    found = {}
    for stanza in text.split("\n\n"):
        fields = dict(re.findall(r"^([\w-]+): (.*)$", stanza, re.M))
        if fields.get("Status") == "install ok installed":
            found[fields["Package"]] = fields
    return found


def with_dependencies(names, installed):
    """The names, whatever essential is, and what any of them depends on and is installed."""
    providers = {}
    for name, fields in installed.items():
        for provided in re.findall(r"([\w.+-]+)(?: \([^)]*\))?(?:, |$)", fields.get("Provides", "")):
            providers.setdefault(provided, []).append(name)
    found = set()
    waiting = [*names, *(name for name, fields in installed.items()
                         if fields.get("Essential") == "yes" or fields["Priority"] == "required")]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        if name not in installed:
            waiting += providers.get(name, [])
            continue
        found.add(name)
        for field in ("Depends", "Pre-Depends"):
            waiting += re.findall(r"(?:^|[,|]) ?([\w.+-]+)", installed[name].get(field, ""))
    return found


def files_of(packages):
    listed = subprocess.run(["dpkg", "-L", *packages], capture_output=True, text=True, check=True)
    return {name for name in listed.stdout.splitlines() if USABLE.match(name)}


def group(wanted):
    lines = (REPOSITORY / "tools" / "packages").read_text(encoding="utf-8").splitlines()
    return [line.split()[1] for line in lines if line.startswith(f"{wanted} ")]


def main():
    installed = stanzas()
    kept = with_dependencies(group("build"), installed) | set(group("unpack")) & set(installed)
    extra = [name for name in (*group("test"), *group("bench")) if name.endswith("-dev")]
    assert not kept & set(extra), f"group build brings {kept & set(extra)}"
    hidden = files_of(set(installed) - kept) - files_of(kept)
    hidden = {name for name in hidden if not Path(name).is_dir() or Path(name).is_symlink()}
    with tempfile.TemporaryDirectory() as scratch:
        # Names without the slash: the overlay's, whose root is the current folder.
        done = subprocess.run(["unshare", "--mount", "bash", "-c", IN_THE_OVERLAY, "overlay",
                               scratch, str(REPOSITORY)],
                              input="\n".join(sorted(name[1:] for name in hidden)) + "\n",
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False)
    if done.returncode != 0:
        print(done.stdout)
        return done.returncode
    steps = done.stdout.split("--- package\n")[1].splitlines()
    foreign = [step for step in steps if re.search(r" (tests|bench)/", step)]
    assert len(steps) > 50, steps  # the program
    assert not foreign, f"the packages need {len(foreign)} of {len(steps)} steps: {foreign[:5]}"
    print(f"configured without {len(hidden)} files of {len(installed) - len(kept)} packages; "
          f"{len(steps)} steps make the packages")
    return 0


if __name__ == "__main__":
    if not shutil.which("dpkg") or not shutil.which("unshare") or subprocess.run(
            ["unshare", "--mount", "true"], check=False, capture_output=True).returncode != 0:
        print("skipped: needs dpkg, and root for a mount namespace")
        sys.exit(77)
    sys.exit(main())
