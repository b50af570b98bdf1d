"""What comes from elsewhere when it is needed: programs built with Go or Cargo, packages from npm,
PyPI and Maven.

Each lands in the build folder, in the versions that the source folder pins, once. What cannot
be had is left out, with a line why.
"""

import os
import re
import shutil
import subprocess

TOOL_S = 300  # for a build with its downloads


def build_with_go(name, source, binary):
    """Builds `binary` from the folder `source` if it is not there or older; why it cannot be, or
    nothing. Modules come in the versions of go.mod, with the sums of go.sum."""
    if is_newer(binary, source):
        return ""
    go = shutil.which("go")
    if not go:
        return f"{name}: no go, left out"
    os.makedirs(os.path.dirname(binary), exist_ok=True)
    why = run_tool([go, "build", "-trimpath", "-o", binary, "."], source)
    return f"{name}: does not build, left out: {why}" if why else ""


def fetch_from_npm(name, source, folder):
    """Fetches what `source`'s package-lock.json pins into `folder`, once; why it cannot, or
    nothing."""
    npm = shutil.which("npm")
    if not shutil.which("node"):
        return f"{name}: no node, left out"
    lists = ("package.json", "package-lock.json")
    done = os.path.join(folder, "fetched")  # a copy of the lock file, once all of it is there
    if same(os.path.join(source, lists[1]), done):
        return ""
    if not npm:
        return f"{name}: no npm, left out"
    os.makedirs(folder, exist_ok=True)
    for file in lists:
        shutil.copy(os.path.join(source, file), folder)
    why = run_tool([npm, "ci", "--engine-strict", "--ignore-scripts", "--no-audit", "--no-fund",
                    "--fetch-retries", "1", "--fetch-retry-mintimeout", "1000"], folder)
    if why:
        return f"{name}: cannot be installed, left out: {why}"
    shutil.copy(os.path.join(folder, lists[1]), done)
    return ""


def build_with_cargo(name, folder):
    """Builds the package in `folder` if it was changed; why it cannot be, or nothing."""
    cargo = shutil.which("cargo")
    if not cargo:
        return f"{name}: no cargo, left out"
    why = run_tool([cargo, "build", "--quiet"], folder)
    return f"{name}: does not build, left out: {why}" if why else ""


def fetch_from_pypi(name, python, requirements, folder):
    """Fetches into `folder`, once, what the file `requirements` pins; why it cannot, or nothing."""
    if subprocess.run([python, "-m", "pip", "--version"], capture_output=True, check=False,
                      timeout=TOOL_S).returncode != 0:
        return f"{name}: no pip, left out"
    return fetch_listed(name, requirements, folder, [
        python, "-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check",
        "--root-user-action", "ignore", "--target", folder, "--requirement", requirements])


def fetch_from_maven(name, project, folder):
    """Fetches into `folder`, once, the archives that the file `project` (pom.xml) pins and what
    they need; why it cannot, or nothing."""
    maven = shutil.which("mvn")
    if not maven or not shutil.which("java"):
        return f"{name}: no java with maven, left out"
    return fetch_listed(name, project, folder, [
        maven, "--quiet", "--batch-mode", "--file", project, "dependency:copy-dependencies",
        f"-DoutputDirectory={folder}"])


def fetch_listed(name, pinned, folder, command):
    done = os.path.join(folder, "fetched")  # a copy of the list, once all of it is there
    if same(pinned, done):
        return ""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    why = run_tool(command, folder)
    if why:
        return f"{name}: cannot be installed, left out: {why}"
    shutil.copy(pinned, done)
    return ""


def is_newer(binary, folder):
    """True: `binary` exists and nothing in `folder` was changed after it."""
    if not os.path.exists(binary):
        return False
    return all(os.path.getmtime(os.path.join(folder, name)) <= os.path.getmtime(binary)
               for name in os.listdir(folder))


def same(a, b):
    if not os.path.exists(b):
        return False
    with open(a, "rb") as left, open(b, "rb") as right:
        return left.read() == right.read()


def run_tool(command, folder):
    """Nothing, or in a line why it failed."""
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True,
                              timeout=TOOL_S, check=False)
    except subprocess.TimeoutExpired:
        return f"{os.path.basename(command[0])} was not done after {TOOL_S} s"
    return first_line(done.stderr) if done.returncode != 0 else ""


def first_line(text):
    """Of a tool's complaint, without the address of the host that it spoke to."""
    lines = [line for line in text.strip().splitlines() if not line.startswith(("#", "npm warn"))]
    return re.sub(r"\w+://\S+", "(address)", lines[0])[:200] if lines else "no reason given"
