#!/usr/bin/env python3
"""What is installed, as its user meets it: the examples as a project of their own.

    install_test.py CMAKE BUILD_DIRECTORY COMPILER LIBRARY_FOLDER

installs the component `dev` of the build below a temporary prefix, builds tests/examples/project
against it and runs the programs. Static libraries are linked, nothing of them is compiled.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import run_test

EXAMPLES = Path(__file__).resolve().parent


def call(*command, **more):
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False, **more)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}")
    return done.stdout


def check_installed(prefix):
    headers = list((prefix / "include" / "tocsin").rglob("*.h"))
    names = {str(header.relative_to(prefix / "include")) for header in headers}
    assert "tocsin/net/server.h" in names and "tocsin/net/client/event_client.h" in names, names
    for header in headers:
        for include in re.findall(r"#include +(\S+)", header.read_text(encoding="utf-8")):
            assert include[0] == "<", f"{header}: {include} depends on somebody's include path"
            if include.startswith("<tocsin/"):
                assert include[1:-1] in names, f"{header}: {include} is not installed"
    outside = [str(path.relative_to(prefix)) for path in prefix.iterdir()
               if path.name not in ("include", "lib", "share")]
    assert not outside, f"the component `dev` brings {outside}"


def main(cmake, build, compiler, library_folder):
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        prefix = root / "prefix"
        call(cmake, "--install", build, "--component", "dev", "--prefix", prefix)
        check_installed(prefix)

        project = root / "project"
        shutil.copytree(EXAMPLES / "project", project)
        for name in ("server.cc", "client.cc", "later.cc", "access.cc"):
            shutil.copy(EXAMPLES / name, project)
        # The libraries may become part of a shared one.
        with (project / "CMakeLists.txt").open("a", encoding="utf-8") as lists:
            lists.write("add_library(shared SHARED $<TARGET_OBJECTS:server>)\n"
                        "target_link_libraries(shared PRIVATE tocsin::hub)\n"
                        "target_link_options(shared PRIVATE -Wl,--no-undefined)\n")
        call(cmake, "-S", project, "-B", root / "build", "-G", "Ninja",
             f"-DCMAKE_PREFIX_PATH={prefix}", f"-DCMAKE_CXX_COMPILER={compiler}",
             "-DCMAKE_CXX_FLAGS=-fPIC")
        call(cmake, "--build", root / "build")
        run_test.main(*(root / "build" / name for name in ("server", "client", "later", "access")))

        environment = dict(os.environ, PKG_CONFIG_PATH=prefix / library_folder / "pkgconfig")
        flags = call("pkg-config", "--cflags", "--libs", "tocsin", env=environment).split()
        call(compiler, "-std=c++23", EXAMPLES / "client.cc", *flags, "-o", root / "client")
        run_test.main(root / "build" / "server", root / "client", root / "build" / "later",
                      root / "build" / "access")


if __name__ == "__main__":
    main(*sys.argv[1:])
