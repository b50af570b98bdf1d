#!/usr/bin/env python3
"""The Debian packages of a build: what is in them, and what lintian says of it.

    package_test.py CPACK BUILD_DIRECTORY

Exit status 77: this machine has no dpkg.
"""

import gzip
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

CPACK, BUILD = sys.argv[1:3]
NAMES = ("tocsin", "tocsin-dbgsym", "libtocsin-dev")


def output(*command, **more):
    done = subprocess.run([str(part) for part in command], check=False, text=True, timeout=600,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}\n{done.stdout}")
    return done.stdout


def dead_links(folder):
    """Links in the documents below `folder` to files that are not there."""
    for document in folder.rglob("*.md"):
        for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8")):
            path = target.split("#")[0]
            if path and not re.match(r"[a-z]+:", target) and not (document.parent / path).exists():
                yield f"{document.relative_to(folder)}: {target}"


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.directory.cleanup)
        root = Path(cls.directory.name)
        root.chmod(0o755)
        output(CPACK, "-G", "DEB", "-B", root / "packages", cwd=BUILD)
        cls.files = {path.name.split("_")[0]: path for path in (root / "packages").glob("*deb")}
        cls.trees = {}
        for name, path in cls.files.items():
            cls.trees[name] = root / name
            output("dpkg-deb", "--extract", path, root / name)

    def field(self, name, field):
        return output("dpkg-deb", "--field", self.files[name], field).strip()

    def documents(self, name):
        return self.trees[name] / "usr" / "share" / "doc" / name

    def test_there_are_three(self):
        self.assertEqual(set(self.files), set(NAMES))

    def test_https_has_somebody_to_trust(self):
        self.assertIn("ca-certificates", self.field("tocsin", "Recommends").split(", "))

    def test_lintian_has_nothing_to_say(self):
        if shutil.which("lintian") is None:
            self.skipTest("no lintian")
        # It wants no root; and nobody else may look into root's home, where a clone may be.
        user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.getuid() == 0 else []
        output(*user, "env", "HOME=/nonexistent", "lintian", "--fail-on", "error,warning",
               "--tag-display-limit", "0", *self.files.values(), cwd="/")

    def test_the_program_is_stripped_and_what_was_taken_is_in_a_package(self):
        program = self.trees["tocsin"] / "usr" / "bin" / "tocsin"
        sections = output("readelf", "--section-headers", "--wide", program)
        self.assertNotIn(".debug_", sections)
        self.assertNotIn(".symtab", sections)
        build_id = re.search(r"Build ID: (\w+)", output("readelf", "--notes", program)).group(1)
        debug = (self.trees["tocsin-dbgsym"] / "usr" / "lib" / "debug" / ".build-id" / build_id[:2]
                 / f"{build_id[2:]}.debug")
        self.assertIn(".debug_line", output("readelf", "--section-headers", "--wide", debug))
        self.assertIn(self.field("tocsin", "Version"), self.field("tocsin-dbgsym", "Depends"))
        for archive in self.trees["libtocsin-dev"].rglob("*.a"):
            self.assertNotIn(".debug_", output("readelf", "--section-headers", "--wide", archive))

    def test_libraries_are_where_the_architecture_has_them(self):
        architecture = output("dpkg-architecture", "-qDEB_HOST_MULTIARCH").strip()
        libraries = self.trees["libtocsin-dev"] / "usr" / "lib" / architecture
        self.assertTrue((libraries / "libtocsin_hub.a").exists())
        self.assertTrue((libraries / "cmake" / "tocsin" / "tocsinConfig.cmake").exists())
        folder = libraries / "pkgconfig"
        flags = output("pkg-config", "--libs-only-L", "--cflags-only-I", "tocsin",
                       env=dict(os.environ, PKG_CONFIG_PATH=str(folder),
                                PKG_CONFIG_ALLOW_SYSTEM_CFLAGS="1", PKG_CONFIG_ALLOW_SYSTEM_LIBS="1"))
        for folder in re.findall(r"-[LI](\S*libtocsin-dev\S*)", flags):
            self.assertTrue(Path(folder).is_dir(), folder)
        self.assertEqual(len(re.findall(r"-[LI]\S*libtocsin-dev", flags)), 2, flags)

    def test_documents_have_no_dead_links(self):
        for name in NAMES:
            self.assertEqual(list(dead_links(self.trees[name])), [])
        readme = (self.documents("tocsin") / "README.md").read_text(encoding="utf-8")
        self.assertIn("](systemd/README.md)", readme, "a link that is alive stays")
        self.assertTrue((self.documents("libtocsin-dev") / "README.md").exists())

    def test_the_copyright_names_what_is_compiled_in(self):
        for name in NAMES:
            text = (self.documents(name) / "copyright").read_text(encoding="utf-8")
            self.assertTrue(text.startswith("Format: https://www.debian.org/doc/packaging-manuals/"))
            licences = dict(re.findall(r"^Files: (\S+)\nCopyright: .*\nLicense: (\S+)$", text, re.M))
            self.assertEqual(licences, {"*": "Expat", "llhttp/*": "Expat", "CLI11/*": "BSD-3-clause"})
            texts = re.findall(r"^License: (\S+)\n ", text, re.M)
            self.assertEqual(sorted(texts), ["BSD-3-clause", "Expat"])

    def test_the_changelog_is_debians(self):
        for name in NAMES:
            text = gzip.decompress((self.documents(name) / "changelog.Debian.gz").read_bytes()).decode()
            version, maintainer = self.field(name, "Version"), self.field(name, "Maintainer")
            self.assertRegex(text, rf"^tocsin \({re.escape(version)}\) \w+; urgency=\w+\n\n  \* ")
            self.assertRegex(text, rf"\n -- {re.escape(maintainer)}  \w{{3}}, [\d ]\d \w{{3}} \d{{4}} ")
            self.assertTrue((self.documents(name) / "changelog.gz").exists())

    def test_the_service_documents_what_is_installed(self):
        unit = self.trees["tocsin"] / "usr" / "lib" / "systemd" / "system" / "tocsin.service"
        line = re.search(r"^Documentation=(.*)$", unit.read_text(encoding="utf-8"), re.M).group(1)
        pages = re.findall(r"man:(\S+)\((\d)\)", line)
        files = re.findall(r"file:/(\S+)", line)
        self.assertTrue(pages and files, line)
        for name, section in pages:
            self.assertTrue((self.trees["tocsin"] / "usr" / "share" / "man" / f"man{section}" /
                             f"{name}.{section}.gz").exists(), name)
        for path in files:
            self.assertTrue((self.trees["tocsin"] / path).exists(), path)

    def test_completion_is_where_shells_look(self):
        for path in ("bash-completion/completions/tocsin", "zsh/vendor-completions/_tocsin",
                     "fish/vendor_completions.d/tocsin.fish"):
            self.assertTrue((self.trees["tocsin"] / "usr" / "share" / path).exists(), path)


if __name__ == "__main__":
    if shutil.which("dpkg-deb") is None:
        print("skipped: no dpkg")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
