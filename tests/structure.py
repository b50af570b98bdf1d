#!/usr/bin/env python3
"""The repository's law, as a test: layers, sizes, banned calls, build lists, links.

    tests/structure.py [ROOT]      checks ROOT (default: this repository); exit status 1 on findings
    tests/structure.py --self-test proves on small trees that every check can fail

Sizes that are over the limit today stand in tests/structure_ratchet.json and may only shrink.
"""

import json
import os
import re
import sys
import tempfile
from pathlib import Path

LAYERS = ["proto", "core", "net", "tools"]  # each includes only itself and what stands before it
FREE = ["bench", "tests"]
# A layer's folders -> what they may include of the layer besides themselves. "." is the files that
# stand in the layer itself: in proto what all of it needs, in net the interface of the hub's
# library, which every folder but the clients' may include, in tools the program.
FOLDERS = {
    "proto": {
        ".": set(),
        "text": {"."},
        "sse": {".", "text"},
        "json": {".", "text", "sse"},
        "http": {".", "text", "sse", "json"},
    },
    "net": {
        ".": set(),
        "base": {"."},
        "io": {".", "base"},
        "jose": {"base"},
        "auth": {".", "base", "jose"},
        "state": {".", "base", "auth", "io"},
        "store": {".", "base"},
        "http": {".", "base", "auth", "jose", "state"},
        "shard": {".", "base", "auth", "io", "state", "http"},
        "server": {".", "base", "auth", "io", "jose", "state", "store", "redis", "http",
                   "shard"},
        "transport": {"base"},
        "client": {"base", "transport"},
        "outbound": {".", "base", "jose", "auth", "state", "transport", "client"},
        "redis": {".", "base", "store", "transport"},
    },
    "tools": {
        "base": set(),
        "auth": {"base"},
        "clients": {"base"},
        "documents": {"base"},
        "history": {"base"},
        "load": {"base"},
        "serve": {"base", "auth"},
        "credentials": {"base", "auth", "serve"},
        "demo": {"base", "serve"},
        ".": {"base", "clients", "credentials", "demo", "documents", "history", "load", "serve"},
    },
    "tools/load": {
        "host": set(),
        "figures": {"host"},
        "events": {"figures"},
        "options": {"host", "figures", "events"},
        "subscribers": {"host", "figures", "events", "options"},
        "publishers": {"host", "figures", "events", "options"},
        "report": {"host", "figures", "options"},
        ".": {"host", "figures", "events", "options", "subscribers", "publishers", "report"},
    },
}
MAX_FILES = 32  # of code in one folder
CODE = (".cc", ".h", ".py", ".js")
TOP_LEVEL = {
    "CMakeLists.txt", "core", "net", "proto", "bench", "tests", "tools", "systemd", "README.md",
    "ARCHITECTURE.md", "DECISIONS.md", "CMakePresets.json", "CHANGELOG.md", "LICENSE",
    ".clang-format", ".clang-tidy", ".editorconfig", ".gitignore", ".ci", "docs", "findings",
}
IGNORED_TOP = {".git", "build", ".cache"}  # not tracked

# Assertions in a thousand lines of code (comments and empty lines left out), at least.
MIN_ASSERTIONS = {"proto": 12, "core": 12, "net": 12}
FEW_LINES = 1000  # of code: below that a layer's density says nothing

MAX_FILE = 400
MAX_FUNCTION = 70
MAX_LINE = 100
# A map that is read at one go. Reasons belong into DECISIONS.md, figures into bench/FIGURES.md.
MAX_WORDS = {"ARCHITECTURE.md": 1800}
RATCHET = "tests/structure_ratchet.json"

# proto and core are pure: time is an argument, nobody else's thread, no kernel.
IMPURE = [
    (r"#include <(sys/(socket|epoll|eventfd|timerfd|mman|uio)|netinet/\w+|arpa/inet|poll|unistd|"
     r"fcntl|pthread|time|sched)\.h>", "a header of the operating system"),
    (r"#include <liburing(/\w+)?\.h>", "io_uring"),
    (r"#include <(mutex|shared_mutex|thread|condition_variable|semaphore|latch|barrier|future|"
     r"stop_token)>", "threads and locks"),
    (r"#include <(fstream|iostream|filesystem)>", "input or output"),
    (r"\b(steady|system|high_resolution)_clock\b", "a clock"),
    (r"(?<![\w.:>])(std::|::)?time\(", "a clock"),
    (r"\b(clock_gettime|gettimeofday|getenv|usleep|nanosleep)\b", "a clock or the environment"),
    (r"\bstd::(mutex|thread|jthread|condition_variable|async)\b", "threads and locks"),
]

# A header includes what it names: which other headers bring it along differs between releases of the
# compiler. (std::size_t comes with all of them.)
INCLUDED_FOR = {
    "array": r"array",
    "atomic": r"atomic",
    "chrono": r"chrono",
    "cstdint": r"u?int\w*_t",
    "expected": r"(un)?expected",
    "functional": r"function",
    "memory": r"((unique|shared|weak)_ptr|make_(unique|shared))",
    "optional": r"(optional|nullopt)",
    "span": r"span",
    "string": r"string",
    "string_view": r"string_view",
    "utility": r"(move|exchange|pair|forward)",
    "vector": r"vector",
}

BANNED = [
    (r"\busing namespace std\b(?!::\w*literals)", "using namespace std"),
    (r"\bgoto\b", "goto"),
    (r"(?<![\w.:>])(std::|::)?s?rand\(", "rand(): not reproducible"),
    (r"#include <(bits/stdc\+\+\.h|iostream)>", "a header that slows or hides"),
    (r"\bfmt::print\(", "throws where the output is full or closed: tools/base/print.h"),
]
# Locks that the compiler cannot check: net/base/mutex.h is what they are hidden behind.
BANNED_BUT_IN = [
    ("net/base/mutex.h", r"\bstd::(recursive_|shared_|timed_)*mutex\b|"
     r"\bstd::(lock_guard|unique_lock|scoped_lock|shared_lock|condition_variable)\b",
     "a lock without annotations: net/base/mutex.h"),
]
BANNED_IN_TESTS = [
    (r"\b(sleep_for|sleep_until|usleep|nanosleep)\b|(?<![\w.:>])(::)?sleep\(",
     "sleeping in a test: wait for the condition"),
]
# Everywhere, in every text file. Written in two pieces so that this file passes its own check.
BANNED_WORDS = [
    (r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b", "a note to self"),
    (r"/wo" r"rk/|/tmp/bu" r"ild", "a path of somebody's machine"),
]
TEXT = {".cc", ".h", ".py", ".md", ".txt", ".cmake", ".json", ".toml", ".service", ".conf", ".sh",
        ".js", ".mjs", ".go", ".html", ".in", ""}


class Tree:
    """The files of a repository, read once."""

    def __init__(self, root):
        self.root = Path(root).resolve()
        self.files = {}
        for path in sorted(self.root.rglob("*")):
            relative = path.relative_to(self.root)
            if relative.parts[0] in IGNORED_TOP or "__pycache__" in relative.parts:
                continue
            if path.is_file() and path.suffix in TEXT:
                self.files[str(relative)] = path.read_text(encoding="utf-8", errors="replace")

    def sources(self, *tops):
        for name, text in self.files.items():
            if name.split("/")[0] in tops and name.endswith((".cc", ".h")):
                yield name, text


def without_comments(text):
    """Comments and literals blanked, lines kept."""
    pattern = re.compile(
        r'R"(?P<d>[^(\s]*)\(.*?\)(?P=d)"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'|//[^\n]*|/\*.*?\*/',
        re.S)

    def blank(match):
        piece = match.group()
        before = text[match.start() - 1] if match.start() else " "
        if piece[0] == "'" and before.isalnum():  # 1'000'000
            return piece
        return re.sub(r"[^\n]", " ", piece)

    # Digit separators would look like character literals.
    text = re.sub(r"(?<=[0-9a-fA-F])'(?=[0-9a-fA-F])", "0", text)
    return pattern.sub(blank, text)


def search(name, text, patterns, why=""):
    for number, line in enumerate(text.split("\n"), 1):
        for pattern, what in patterns:
            if re.search(pattern, line):
                yield f"{name}:{number}: {what}{why}"


def check_includes(tree):
    for name, text in tree.sources(*LAYERS):
        layer = LAYERS.index(name.split("/")[0])
        for number, line in enumerate(text.split("\n"), 1):
            match = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if not match:
                continue
            target = match.group(1)
            top = target.split("/")[0]
            if top not in LAYERS or "/" not in target:
                yield f"{name}:{number}: include \"{target}\" from the root of a layer"
            elif LAYERS.index(top) > layer:
                yield f"{name}:{number}: {LAYERS[layer]} must not include {target}"
            elif target not in tree.files:
                yield f"{name}:{number}: {target} does not exist"


def folder_in(layer, name):
    parts = name[len(layer) + 1:].split("/")
    return parts[0] if len(parts) > 1 else "."


def check_folders(tree):
    for layer, folders in FOLDERS.items():
        for name, text in tree.sources(layer.split("/")[0]):
            if not name.startswith(layer + "/"):
                continue
            folder = folder_in(layer, name)
            home = layer if folder == "." else f"{layer}/{folder}"
            if folder not in folders:
                yield f"{name}: {home} is not one of the folders of {layer}"
                continue
            for target in re.findall(rf'^\s*#\s*include\s+"({layer}/[^"]+)"', text, re.M):
                other = folder_in(layer, target)
                if other != folder and other not in folders[folder]:
                    yield f"{name}: {home} must not include {target}"


def check_full_folders(tree):
    counts = {}
    for name in tree.files:
        if name.split("/")[0] in [*LAYERS, *FREE] and name.endswith(CODE):
            folder = str(Path(name).parent)
            counts[folder] = counts.get(folder, 0) + 1
    for folder, count in counts.items():
        if count > MAX_FILES:
            yield f"{folder}: {count} files, at most {MAX_FILES}"


def check_headers(tree):
    for name, text in tree.sources(*LAYERS, *FREE):
        if not name.endswith(".h"):
            continue
        code = without_comments(text)
        for header, names in INCLUDED_FOR.items():
            match = re.search(rf"\bstd::{names}\b", code)
            if match and f"#include <{header}>" not in text:
                yield f"{name}: names {match.group()} and does not include <{header}>"


def check_purity(tree):
    for name, text in tree.sources("proto", "core"):
        yield from search(name, without_comments(text), IMPURE, " in proto or core")


def functions(text):
    """(name, first line, length) of every body, for code that clang-format has laid out: a body
    ends at a lone brace in the column where its first line started."""
    lines = without_comments(text).split("\n")
    skip = re.compile(r"\s*(namespace|class|struct|enum|union|extern|if|else|for|while|switch|do|"
                      r"try|case|default|\}|requires|concept|#|export|static_assert)\b|\s*\}")
    number = 0
    while number < len(lines):
        line = lines[number]
        if re.match(r"\s*[\w:~\[<]", line) and "(" in line and not skip.match(line):
            indent = len(line) - len(line.lstrip())
            end = number  # the declaration's last line
            while (end < len(lines) - 1 and not re.search(r"[;{}]\s*$", lines[end])):
                end += 1
            head = " ".join(lines[number:end + 1])
            body = head.rstrip().endswith("{") and not re.search(r"(=\s*\w*|\()\{\s*$", head)
            if body:
                close = end + 1
                while close < len(lines) and not re.match(r" {%d}\}" % indent, lines[close]):
                    close += 1
                test = re.match(r"(TEST\w*\([^)]*\))", head)
                name = test or re.search(r"([\w:~]+|operator\S+)\s*\(", head)
                yield (name.group(1) if name else "?", number + 1, close - number + 1)
                number = close
        number += 1


def check_sizes(tree):
    ratchet = json.loads(tree.files.get(RATCHET, "{}"))
    allowed_files = dict(ratchet.get("file_lines", {}))
    allowed_functions = dict(ratchet.get("function_lines", {}))
    for name, text in tree.sources(*LAYERS, *FREE):
        for number, line in enumerate(text.split("\n"), 1):
            if len(line) > MAX_LINE:
                yield f"{name}:{number}: {len(line)} columns, at most {MAX_LINE}"
        yield from against_ratchet(name, text.count("\n"), MAX_FILE, allowed_files, "lines")
        longest = {}
        for function, _, length in functions(text):
            key = f"{name}:{function}"
            longest[key] = max(length, longest.get(key, 0))
        for key, length in longest.items():
            yield from against_ratchet(key, length, MAX_FUNCTION, allowed_functions,
                                       "lines in one function")
    for key in [*allowed_files, *allowed_functions]:
        yield f"{RATCHET}: {key} is no longer over the limit: remove the entry"


def check_type_names(tree):
    """A word for a type stands for one thing, wherever it is defined: for the reader, and as two
    types of one name in one namespace are one to the linker, which does not say so. A short name for
    a type inside another (using Kind = Topic::Kind) is no second one; types inside others are read
    with them."""
    pattern = re.compile(
        r"^(?:class|struct|union|enum(?: class)?) +(?:alignas\(\w+\) +|TOCSIN_LOCKS\(.*?\)\)? +)?"
        r"([A-Z]\w*)(?: final)?\s*(?::(?!:)[^;{]*)?\{|^using ([A-Z]\w*) = ([^;]*);", re.M)
    found = {}
    for name, text in tree.sources(*LAYERS, *FREE):
        for match in pattern.finditer(without_comments(text)):
            type_name = match.group(1) or match.group(2)
            if match.group(2) and match.group(3).split("::")[-1] == type_name:
                continue
            found.setdefault(type_name, []).append(name)
    for type_name, names in found.items():
        if len(names) > 1:
            yield f"{names[1]}: a second type {type_name}, the first is in {names[0]}"


def against_ratchet(key, size, limit, allowed, what):
    """Takes the entry out of `allowed` if there still is a reason for it."""
    entry = allowed.get(key)
    if size <= limit:
        return
    allowed.pop(key, None)
    if entry is None:
        yield f"{key}: {size} {what}, at most {limit}"
    elif size > entry:
        yield f"{key}: {size} {what}, was {entry}: it may only shrink"
    elif size < entry:
        yield f"{RATCHET}: {key} is down to {size}: lower the entry from {entry}"


ASSERTION = re.compile(r"\bTOCSIN_(?:DEBUG_)?ASSERT\(")


def check_assertions(tree):
    """What a header requires of its callers is asserted there or in its source, and a layer that
    grows grows assertions."""
    lines, asserted = {}, {}
    for name, text in tree.sources(*LAYERS):
        layer, code = name.split("/")[0], without_comments(text)
        lines[layer] = lines.get(layer, 0) + sum(1 for line in code.split("\n") if line.strip())
        asserted[layer] = asserted.get(layer, 0) + len(ASSERTION.findall(code))
        # Those of an interface are its implementations' to assert.
        said = re.findall(r"//.*\bREQUIRES:.*\n(?:\s*//.*\n)*(.*)", text)
        if all(re.search(r"\bvirtual\b", line) for line in said):
            continue
        stem = name.rsplit(".", 1)[0]
        both = "".join(without_comments(tree.files.get(stem + end, "")) for end in (".h", ".cc"))
        if not ASSERTION.search(both):
            yield f"{name}: says REQUIRES and asserts nothing"
    for layer, least in MIN_ASSERTIONS.items():
        if lines.get(layer, 0) < FEW_LINES:
            continue
        density = 1000 * asserted[layer] / lines[layer]
        if density < least:
            yield f"{layer}: {density:.1f} assertions in 1,000 lines of code, at least {least}"


def check_build_lists(tree):
    lists = {name: without_cmake_comments(text) for name, text in tree.files.items()
             if name.endswith("CMakeLists.txt")}
    for name, _ in tree.sources(*LAYERS, *FREE):
        if not name.endswith(".cc"):
            continue
        folder = Path(name).parent
        found = False
        for above in [folder, *folder.parents]:
            text = lists.get(str(above / "CMakeLists.txt"))
            relative = str(Path(name).relative_to(above))
            # Named in full, or a list of names without the suffix (foreach).
            words = set(re.split(r"[\s()\"]+", text)) if text else set()
            if relative in words or relative[:-3] in words:
                found = True
        if not found:
            yield f"{name}: stands in no CMakeLists.txt: it is never built"


def without_cmake_comments(text):
    return re.sub(r"#[^\n]*", "", text)


def check_banned(tree):
    for name, text in tree.sources(*LAYERS, *FREE):
        code = without_comments(text)
        yield from search(name, code, BANNED)
        if name.startswith("tests/"):
            yield from search(name, code, BANNED_IN_TESTS)
        else:
            yield from search(name, code, [(pattern, what) for home, pattern, what in BANNED_BUT_IN
                                           if name != home])
    for name, text in tree.files.items():
        yield from search(name, text, BANNED_WORDS)


def check_top_level(tree):
    present = {path.name for path in tree.root.iterdir()} - IGNORED_TOP
    for name in sorted(present - TOP_LEVEL):
        yield f"{name}: does not belong at the top level"
    for name in sorted(TOP_LEVEL - present):
        yield f"{name}: is missing at the top level"


def check_reading_order(tree):
    """The README's section "Reading order" (or "Start here") names files in backquotes."""
    readme = tree.files.get("README.md", "")
    match = re.search(r"^#+ *(Reading order|Start here)\b.*?\n(.*?)(?=^#+ |\Z)", readme,
                      re.S | re.M | re.I)
    if not match:
        yield "README.md: has no section \"Reading order\""
        return
    names = re.findall(r"`([\w./-]+\.\w+)`", match.group(2))
    if not names:
        yield "README.md: the reading order names no file"
    for name in names:
        if not (tree.root / name).exists():
            yield f"README.md: the reading order names {name}, which does not exist"


def check_words(tree):
    for name, most in MAX_WORDS.items():
        count = len(re.findall(r"\S*\w\S*", tree.files.get(name, "")))  # a table's bars are none
        if count > most:
            yield f"{name}: {count} words, at most {most}"


def anchors(text):
    """What a document's headings are called in links, as GitHub has it."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)
    titles = re.findall(r"^#+ +(.*?) *$", prose, re.M)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def check_links(tree):
    for name, text in tree.files.items():
        if not name.endswith(".md"):
            continue
        prose = re.sub(r"^```.*?^```", lambda m: re.sub(r"[^\n]", " ", m.group()), text,
                       flags=re.S | re.M)
        for number, line in enumerate(prose.split("\n"), 1):
            for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", line)):
                path, _, anchor = target.partition("#")
                if re.match(r"[a-z]+:", target):
                    continue
                found = (tree.root / name).parent.joinpath(path) if path else tree.root / name
                if not found.exists():
                    yield f"{name}:{number}: link to {target}, which does not exist"
                elif anchor and anchor not in anchors(found.read_text(encoding="utf-8")):
                    yield f"{name}:{number}: link to {target}: no such heading"


def check_named_files(tree):
    """A file that a document names in backquotes, from the top level on, is there."""
    tops = "|".join([*LAYERS, *FREE, "systemd", "docs", "findings"])
    for name, text in tree.files.items():
        if not name.endswith(".md"):
            continue
        for number, line in enumerate(text.split("\n"), 1):
            for path in re.findall(rf"`((?:{tops})/[\w./-]+\.\w+)`", line):
                if not (tree.root / path).exists():
                    yield f"{name}:{number}: names {path}, which does not exist"


def check_examples(tree):
    """Code in the documents is code that the tests build and run: a block marked cpp or cmake is a
    file of tests/examples, and every program there stands in some document."""
    files = {name: text for name, text in tree.files.items()
             if name.startswith("tests/examples/") and name.endswith((".cc", "CMakeLists.txt"))}
    shown = set()
    for name, text in tree.files.items():
        if not name.endswith(".md"):
            continue
        for match in re.finditer(r"^```(?:cpp|cmake)\n(.*?)^```$", text, re.S | re.M):
            source = next((file for file, code in files.items() if code == match.group(1)), None)
            shown.add(source)
            if source is None:
                line = text.count("\n", 0, match.start()) + 1
                yield f"{name}:{line}: this code is no file of tests/examples"
    for name in sorted(set(files) - shown):
        if name.endswith(".cc"):
            yield f"{name}: is shown in no document"


def check_finding_scripts(tree):
    """What findings/README.md asks of a script's first lines."""
    for name, text in tree.files.items():
        if not name.startswith("findings/") or not name.endswith(".sh"):
            continue
        comment = re.match(r"#!/bin/bash\n((?:#.*\n)*)", text)
        for part in ("Guess", "Package", r"Seen \d{4}-\d\d-\d\d"):
            if not comment or not re.search(rf"^# {part}: \S", comment.group(1), re.M):
                yield f"{name}: its first lines do not say \"# {part}: \""
        if not os.access(tree.root / name, os.X_OK):
            yield f"{name}: is not executable"


CHECKS = [check_includes, check_folders, check_full_folders, check_headers, check_purity, check_sizes,
          check_type_names, check_assertions, check_build_lists, check_banned, check_top_level,
          check_reading_order, check_words, check_links, check_named_files, check_examples,
          check_finding_scripts]


def run_checks(root):
    tree = Tree(root)
    return [finding for check in CHECKS for finding in check(tree)]


# --- the test of the test

GOOD_SCRIPT = """#!/bin/bash
# Guess: it is
#   so.
# Package: a 1.0
# Seen 2026-11-29: it is otherwise.
true
"""


def good_tree():
    files = {name: "text\n" for name in TOP_LEVEL if "." in name[1:] or name == "LICENSE"}
    files.update({
        ".clang-format": "x\n", ".clang-tidy": "x\n", ".editorconfig": "x\n", ".gitignore": "x\n",
        ".ci/run": "x\n", "systemd/tocsin.service": "x\n", "bench/CMakeLists.txt": "",
        "README.md": "# T\n## Reading order\n1. `proto/a.h`\n\n## A `b`, c\n[a](proto/a.h) [b](#a-b-c)\n",
        "net/README.md": "```cpp\nint main() {}\n```\n",
        "tests/examples/e.cc": "int main() {}\n",
        "proto/CMakeLists.txt": "add_library(p a.cc)\n",
        "proto/a.h": "int a();\n",
        "proto/a.cc": '#include "proto/a.h"\nint a() {\n  return 1\'000;\n}\n',
        "docs/a.md": "text\n", "findings/README.md": "text\n", "findings/a.sh": GOOD_SCRIPT,
        "core/CMakeLists.txt": "add_library(c b.cc)\n",
        "core/b.cc": '#include "proto/a.h"\n// std::mutex only in a comment\n',
        "net/CMakeLists.txt": "", "tools/CMakeLists.txt": "",
        "tests/CMakeLists.txt": "add_executable(t proto/a_test.cc examples/e.cc)\n",
        "tests/proto/a_test.cc": '#include "tools/x.h"\n',
        RATCHET: "{}\n",
    })
    return files


def long_function(lines):
    return "int a() {\n" + "  f();\n" * (lines - 2) + "}\n"


# (what is broken, {file: text or None to remove it}, what the finding must say)
BREAKAGES = [
    ("rightward include", {"core/b.cc": '#include "net/x.h"\n', "net/x.h": ""}, "core must not"),
    ("relative include", {"core/b.cc": '#include "b.h"\n'}, "from the root"),
    ("missing include", {"core/b.cc": '#include "proto/none.h"\n'}, "does not exist"),
    ("include by chance", {"proto/a.h": "std::uint32_t a();\n"}, "does not include <cstdint>"),
    ("upward include in net", {"net/io/x.h": '#include "net/shard/y.h"\n', "net/shard/y.h": ""},
     "net/io must not include net/shard/y.h"),
    ("client that knows the hub", {"net/client/x.h": '#include "net/server.h"\n',
                                   "net/server.h": ""}, "client must not include"),
    ("interface that knows what is behind it", {"net/server.h": '#include "net/io/x.h"\n',
                                                "net/io/x.h": ""}, "net must not include net/io"),
    ("upward include in proto", {"proto/sse/x.h": '#include "proto/http/y.h"\n',
                                 "proto/http/y.h": ""}, "proto/sse must not include"),
    ("command that knows another", {"tools/clients/x.h": '#include "tools/serve/y.h"\n',
                                    "tools/serve/y.h": ""}, "tools/clients must not include"),
    ("publishers that know the subscribers",
     {"tools/load/publishers/x.h": '#include "tools/load/subscribers/y.h"\n',
      "tools/load/subscribers/y.h": ""}, "tools/load/publishers must not include"),
    ("folder of nobody", {"net/misc/x.h": ""}, "net/misc is not one of the folders of net"),
    ("folder of nobody in a folder", {"tools/load/misc/x.h": ""}, "not one of the folders of tools"),
    ("full folder", {f"net/io/x{i}.h": "" for i in range(33)}, "net/io: 33 files, at most 32"),
    ("full folder of tests", {f"tests/e2e/x{i}.py": "" for i in range(33)}, "33 files, at most 32"),
    ("lock in core", {"core/b.cc": "#include <mutex>\n"}, "threads and locks"),
    ("socket in proto", {"proto/a.cc": "#include <sys/socket.h>\n"}, "operating system"),
    ("clock in core", {"core/b.cc": "auto t = std::chrono::steady_clock::now();\n"}, "a clock"),
    ("time() in core", {"core/b.cc": "auto t = time(nullptr);\n"}, "a clock"),
    ("uring in core", {"core/b.cc": "#include <liburing.h>\n"}, "io_uring"),
    ("long file", {"proto/a.cc": "int x;\n" * 401}, "401 lines, at most 400"),
    ("one name for two types", {"proto/a.h": "struct Thing {\n};\n",
                                "core/b.cc": "class Thing final : public Other {\n};\n"},
     "proto/a.h: a second type Thing, the first is in core/b.cc"),
    ("one name for a type and another's alias", {"proto/a.h": "enum class Thing : int { a };\n",
                                                 "core/b.cc": "using Thing = int;\n"},
     "a second type Thing"),
    ("requirement that nobody asserts", {"proto/a.h": "// REQUIRES: a fine day,\n// or\nint a();\n"},
     "says REQUIRES and asserts nothing"),
    ("code without assertions", {f"core/b{i}.h": "int x;\n" * 300 for i in range(4)},
     "core: 0.0 assertions in 1,000 lines"),
    ("long line", {"proto/a.cc": "int " + "x" * 100 + ";\n"}, "columns, at most 100"),
    ("long function", {"proto/a.cc": long_function(71)}, "71 lines in one function"),
    ("long member function", {"proto/a.h": "class C {\n  void f(int x) const {\n" +
                              "    g();\n" * 70 + "  }\n};\n"}, "72 lines in one function"),
    ("grown beyond the ratchet", {"proto/a.cc": "int x;\n" * 420,
                                  RATCHET: '{"file_lines": {"proto/a.cc": 410}}'}, "only shrink"),
    ("shrunk below the ratchet", {"proto/a.cc": "int x;\n" * 405,
                                  RATCHET: '{"file_lines": {"proto/a.cc": 410}}'}, "lower the"),
    ("needless ratchet", {RATCHET: '{"function_lines": {"proto/a.cc:a": 80}}'}, "remove the entry"),
    ("a test's type with the name of one of the product",
     {"proto/a.h": "namespace n {\nstruct Thing {\n};\n}  // namespace n\n",
      "tests/proto/a_test.cc": "namespace {\nclass Thing final : public Other {\n"},
     "a_test.cc: a second type Thing, the first is in proto/a.h"),
    ("a benchmark's type with the name of one of the product",
     {"proto/a.h": "struct Thing {\n};\n", "bench/a.h": "using Thing = int;\n"},
     "a second type Thing"),
    ("source not built", {"net/lost.cc": ""}, "net/lost.cc: stands in no"),
    ("test not built", {"tests/core/b_test.cc": ""}, "b_test.cc: stands in no"),
    ("listed in a comment only", {"core/CMakeLists.txt": "# b.cc\n"}, "core/b.cc: stands in no"),
    ("using namespace std", {"core/b.cc": "using namespace std;\n"}, "using namespace"),
    ("goto", {"core/b.cc": "goto out;\n"}, "goto"),
    ("rand", {"tests/proto/a_test.cc": "int x = rand();\n"}, "rand()"),
    ("print that throws", {"bench/x.cc": 'fmt::print("x");\n'}, "tools/base/print.h"),
    ("lock without annotations", {"tools/CMakeLists.txt": "x.cc",
                                  "tools/x.cc": "std::mutex m;\n"}, "without annotations"),
    ("sleep in a test", {"tests/proto/a_test.cc": "std::this_thread::sleep_for(1s);\n"},
     "sleeping"),
    ("note to self", {"core/b.cc": "// TO" "DO: later\n"}, "a note to self"),
    ("own path", {"systemd/README.md": "see /wo" "rk/x\n"}, "somebody's machine"),
    ("stray file", {"notes.txt": "x\n"}, "notes.txt: does not belong"),
    ("missing file", {"LICENSE": None}, "LICENSE: is missing"),
    ("reading order", {"README.md": "## Reading order\n1. `proto/none.h`\n"}, "names proto/none.h"),
    ("no reading order", {"README.md": "# T\n"}, "no section"),
    ("drifted example", {"net/README.md": "```cpp\nint main();\n```\n"}, "no file of tests/exam"),
    ("example not shown", {"net/README.md": ""}, "e.cc: is shown in no document"),
    ("no guess", {"findings/a.sh": GOOD_SCRIPT.replace("Guess", "Fact")}, '"# Guess: "'),
    ("no package", {"findings/a.sh": GOOD_SCRIPT.replace("a 1.0", "")}, '"# Package: "'),
    ("no day", {"findings/a.sh": GOOD_SCRIPT.replace("2026-11-29", "once")}, '"# Seen '),
    ("said too late", {"findings/a.sh": GOOD_SCRIPT.replace("# Guess", "true\n# Guess")},
     '"# Guess: "'),
    ("not executable", {"findings/b.sh": "true\n"}, "b.sh: is not executable"),
    ("map of too many words", {"ARCHITECTURE.md": "| word " * 1801}, "1801 words, at most 1800"),
    ("file that is gone", {"docs/a.md": "see `core/none.h`\n"}, "names core/none.h"),
    ("dead anchor", {"docs/a.md": "# A\n[x](../README.md#a-b)\n"}, "#a-b: no such heading"),
    ("anchor in code", {"docs/a.md": "```\n# a\n```\n[x](#a)\n"}, "#a: no such heading"),
    ("dead link", {"README.md": "## Reading order\n`proto/a.h`\n[x](none.md)\n"}, "link to none"),
]


def findings_of(files):
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8")
            if text.startswith("#!"):
                (root / name).chmod(0o755)
        return run_checks(root)


def self_test():
    failures = []
    clean = findings_of(good_tree())
    if clean:
        failures.append(f"the good tree has findings: {clean}")
    allowed = dict(good_tree(), **{"proto/a.cc": long_function(80),
                                   RATCHET: '{"function_lines": {"proto/a.cc:a": 80}}'})
    if found := findings_of(allowed):
        failures.append(f"a ratchet entry is not honoured: {found}")
    for what, changes, expected in BREAKAGES:
        files = dict(good_tree(), **changes)
        found = findings_of({name: text for name, text in files.items() if text is not None})
        if not any(expected in finding for finding in found):
            failures.append(f"{what}: not found (got {found})")
    for failure in failures:
        print(failure)
    print(f"{len(BREAKAGES)} ways to break the law, {len(failures)} of them unnoticed")
    return 1 if failures else 0


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    findings = run_checks(arguments[0] if arguments else Path(__file__).resolve().parent.parent)
    for finding in findings:
        print(finding)
    print("structure: " + (f"{len(findings)} findings" if findings else "clean"))
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
