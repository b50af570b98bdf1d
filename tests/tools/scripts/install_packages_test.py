#!/usr/bin/env python3
"""tools/install-packages: what it asks apt for on which release, and what it says when that fails.

In a mount namespace with folders of the machine covered, so that nothing of it is read or written;
skipped (exit status 77) where there are none.
"""

import shutil
import subprocess
import sys
import time
import unittest

from stubs import TOOLS, ScriptCase

NAMESPACE = ["unshare", "--mount", "--map-root-user"]
COVER = "mount -t tmpfs tmpfs /etc/systemd/system && mount -t tmpfs tmpfs /usr/sbin"
PATIENCE_S = 30  # "a few seconds" on a loaded machine; apt's own is minutes


class InstallPackages(ScriptCase):
    scripts = ("install-packages", "packages", "progress")

    def setUp(self):
        super().setUp()
        self.stub("sudo", '"$@"')
        # In the order of tools/install-packages: what is there, servers, install, download.
        self.stub("dpkg-query", f"cat {self.root}/installed")
        (self.root / "installed").touch()
        self.with_apt("")
        self.stub("dpkg-deb", 'mkdir -p "$3/usr/share/llhttp"')

    def with_apt(self, script):
        """`script` runs for every action but `update --print-uris`; $action is what is asked for."""
        self.stub("apt-get", f"""
            [[ $* != *--print-uris* ]] || {{ cat {self.root}/servers 2>/dev/null; exit 0; }}
            for action in "$@"; do [[ ! $action =~ ^(install|update|download)$ ]] || break; done
            {script}
            [[ $action != download ]] || touch "${{@: -1}}_1.deb" """)

    def install(self, *groups, release="bookworm", check='exec "$@"', **more):
        """Its output. `check`: shell that runs it ("$@") in the namespace."""
        (self.root / "os-release").write_text(f"VERSION_CODENAME={release}\n", encoding="utf-8")
        script = f"{COVER} && mount --bind {self.root}/os-release /etc/os-release && {check}"
        return self.run_script("install-packages", *groups,
                               prefix=[*NAMESPACE, "bash", "-c", script, "namespace"], **more)

    def asked(self, action):
        """The packages that apt was asked to install or download, call by call."""
        calls = [f"{call} ".split(f" {action} ", 1)[1:] for call in self.called("apt-get --yes")]
        return [call[0].removeprefix("--no-install-recommends ").split() for call in calls if call]

    def test_the_program_needs_no_node_on_bookworm(self):
        self.install("build")
        self.assertEqual(self.asked("download"), [["node-llhttp"]])
        self.assertTrue((self.root / "build/packages/node-llhttp/usr/share/llhttp").is_dir())
        [install] = self.asked("install")
        self.assertIn("g++", install)
        self.assertFalse([name for name in install if "llhttp" in name or "node" in name])

    def test_the_program_needs_the_library_on_trixie_and_later(self):
        for release in ("trixie", "forky"):
            self.calls.write_text("", encoding="utf-8")
            self.install("build", release=release)
            self.assertEqual(self.asked("download"), [])
            self.assertIn("libllhttp-dev", self.asked("install")[0])

    def test_the_program_needs_no_test_and_no_benchmark(self):
        self.install("build")
        for name in ("libgtest-dev", "libgmock-dev", "libbenchmark-dev", "python3"):
            self.assertNotIn(name, self.asked("install")[0])

    def test_what_is_there_is_asked_for_by_nobody(self):
        self.install("build")
        wanted = self.asked("install")[0]
        (self.root / "installed").write_text("".join(f"ii  {name}\n" for name in wanted),
                                             encoding="utf-8")
        self.calls.write_text("", encoding="utf-8")
        self.assertEqual(self.install("build"), "")  # the sources are unpacked already
        self.assertEqual(self.called("apt-get"), [])
        shutil.rmtree(self.root / "build")
        self.install("build")
        self.assertEqual(self.asked("install"), [])
        self.assertEqual(self.asked("download"), [["node-llhttp"]])

    def test_a_machine_without_services_is_a_machine(self):
        """The folder of enabled services is absent on a minimal system."""
        self.install("package")
        self.assertEqual(len(self.asked("install")), 1)

    def test_no_service_that_comes_along_is_enabled(self):
        wants = "/etc/systemd/system/multi-user.target.wants"
        self.with_apt(f"mkdir -p {wants} && touch {wants}/nginx.service")
        self.install("test", check=f'"$@" && [[ -d {wants} && -z $(ls {wants}) ]] && '
                                   "[[ ! -e /usr/sbin/policy-rc.d ]]")

    def test_old_lists_are_fetched_anew(self):
        self.with_apt(f"""
            [[ $action != update ]] || touch {self.root}/new
            [[ $action != install || -e {self.root}/new ]] ||
              {{ echo 'E: Unable to locate package g++'; exit 100; }}""")
        self.assertNotIn("E: ", self.install("build"))
        self.assertEqual(len(self.asked("install")), 2)
        self.assertEqual(len(self.asked("update")), 1)

    def test_what_apt_complains_about_is_shown(self):
        self.with_apt("""echo 'Reading package lists...'
                         echo 'E: Unable to locate package g++'; exit 100""")
        said = self.install("build", status=1)
        self.assertIn("\nE: Unable to locate package g++\nFailed: ", "\n" + said)
        self.assertNotIn("Reading", said)

    def test_no_network_is_one_line(self):
        # Nothing listens on port 1; the other is nobody's.
        (self.root / "servers").write_text(
            "'http://127.0.0.1:1/debian/dists/stable/InRelease' a_InRelease 0 \n"
            "'http://host.invalid/debian/dists/stable/InRelease' b_InRelease 0 \n",
            encoding="utf-8")
        start = time.monotonic()
        said = self.install("build", status=1)
        self.assertLess(time.monotonic() - start, PATIENCE_S)
        self.assertRegex(said, r"^No network: apt reaches none of its servers "
                               r"\(127\.0\.0\.1:1, host\.invalid\); needed: [^\n]*g\+\+[^\n]*\n$")
        self.assertEqual(self.asked("install") + self.asked("update"), [])

    def test_without_root_the_sources_still_come(self):
        self.install("build")
        (self.root / "installed").write_text(
            "".join(f"ii  {name}\n" for name in self.asked("install")[0]), encoding="utf-8")
        shutil.rmtree(self.root / "build")
        self.calls.write_text("", encoding="utf-8")
        self.stub("id", "echo 1000")
        self.stub("sudo", "echo 'user is not in the sudoers file'; exit 1")
        self.install("build")
        self.assertEqual(self.asked("download"), [["node-llhttp"]])

        shutil.rmtree(self.root / "build")
        self.with_apt("echo 'E: Unable to locate package node-llhttp'; exit 100")
        self.assertIn("not in the sudoers file\nFailed: download", self.install("build", status=1))

    def test_a_list_that_can_be_read(self):
        names = {}
        for line in (TOOLS / "packages").read_text(encoding="utf-8").splitlines():
            if not line.startswith("#"):
                group, name, release, what = line.split(maxsplit=3)
                self.assertIn(group, ("build", "unpack", "package", "test", "bench", "plots"))
                self.assertIn(release, ("any", "bookworm", "trixie"))
                self.assertTrue(what.startswith("# "), line)
                names.setdefault(group, []).append(name)
        for group, listed in names.items():
            self.assertEqual(len(listed), len(set(listed)), group)


if __name__ == "__main__":
    if subprocess.run([*NAMESPACE, "mount", "-t", "tmpfs", "tmpfs", "/etc/systemd"],
                      check=False, capture_output=True).returncode != 0:
        print("skipped: no mount namespaces")
        sys.exit(77)
    unittest.main()
