#!/usr/bin/env python3
"""A history in a file, and the process around it: what a restart keeps, and what it refuses."""

import contextlib
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import unittest
from pathlib import Path

from crash_loop import crash_loop
from hub import TOCSIN, Hub, Process, each_backend, eventually, is_sanitized, run


class History(unittest.TestCase):
    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.file = self.folder / "history.db"

    def hub(self, *arguments):
        return Hub("--history", f"sqlite:{self.file}", *arguments)

    @staticmethod
    def post(hub, data, stream="a"):
        """The event's id; nothing: it was refused for the time being."""
        status, head, body = hub.ask("POST", f"/publish?stream={stream}", data.encode())
        if status == 503:
            assert "nothing was published" in body, body
            return None
        assert status == 204, (head, body)
        return next(line for line in head.splitlines() if line.startswith("Event-ID: "))[10:]

    def read(self, hub, position, last):
        """What a reader gets that comes back with a position, up to the event with this data."""
        with hub.stream("/events?stream=a", f"Last-Event-ID: {position}\r\n") as stream:
            return stream.read_until(f"data: {last}\n".encode()).decode()

    def test_a_restart_keeps_ids_and_events(self):
        for end in (signal.SIGTERM, signal.SIGKILL):
            with self.hub() as hub:
                first = self.post(hub, f"1 {end}")
                self.post(hub, f"2 {end}")
                if end == signal.SIGKILL:
                    hub.process.kill()
                else:
                    self.assertEqual(hub.stop(), 0)
            with self.hub() as hub:
                self.assertIn("msg=listening", "".join(hub.log))
                third = self.post(hub, f"3 {end}")
                seen = self.read(hub, first, f"3 {end}")
                self.assertNotIn("event: gap", seen)
                self.assertIn(f"data: 2 {end}\n", seen)
            epoch, number = first.split("-")
            self.assertEqual(third, f"{epoch}-{int(number) + 2}")

    def test_one_hub_has_it(self):
        with self.hub() as hub:
            with Process("serve", "--listen", "127.0.0.1:0", "--history",
                         f"sqlite:{self.file}") as second:
                self.assertEqual(second.wait_exit(), 1)
                self.assertIn("another hub has this history open", "".join(second.log))
                self.assertIn(f"process {hub.process.pid}", "".join(second.log))
            self.post(hub, "still there")

    def test_what_is_no_history_is_refused(self):
        self.file.write_text("x" * 5000, encoding="ascii")
        with Process("serve", "--listen", "127.0.0.1:0", "--history",
                     f"sqlite:{self.file}") as process:
            self.assertEqual(process.wait_exit(), 1)
            self.assertIn("is another kind of file", "".join(process.log))
        self.assertEqual(self.file.read_text(encoding="ascii"), "x" * 5000)

    def test_a_file_that_was_made_on_purpose(self):
        with self.hub() as hub:
            self.post(hub, "x")
            hub.stop()
        os.chmod(self.file, 0o644)
        with self.hub() as hub:
            hub.wait_log("can be read by everybody (mode 0644)")
            hub.stop()
        with contextlib.closing(sqlite3.connect(self.file)) as database:
            database.execute("DROP TABLE batch")
            database.execute("CREATE VIEW batch AS WITH RECURSIVE c(last) AS (SELECT 1 UNION ALL "
                             "SELECT last + 1 FROM c) SELECT last, 1 AS n, 1 AS time_ms, "
                             "1 AS crc, x'00' AS bytes FROM c")
            database.commit()
        refusal = "has other tables, views or triggers than a history"
        with Process("serve", "--listen", "127.0.0.1:0", "--history",
                     f"sqlite:{self.file}") as process:
            self.assertEqual(process.wait_exit(), 1)
            self.assertIn(refusal, "".join(process.log))
        for action in ("info", "verify", "export"):
            self.assertIn(refusal, run("history", action, str(self.file), status=1)[1])

    def test_an_import_reads_no_line_without_an_end(self):
        _, error = run("history", "import", str(self.file), stdin="x" * (9 << 20), status=1)
        self.assertIn("line 1: is longer than 8388608 bytes", error)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_a_backup_on_a_read_only_file_system_can_be_looked_at(self):
        backups = self.folder / "100%? #1"  # in the URI of SQLite these mean something
        backups.mkdir()
        backup = backups / "history.db"
        lines = '{"topic":"a","data":"1"}\n' * 3
        run("history", "import", str(backup), stdin=lines)
        for beside in (".lock", ".reserve"):
            Path(f"{backup}{beside}").unlink(missing_ok=True)
        mounted = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && '
        namespace = ["unshare", "--mount", "--map-root-user", "sh", "-c"]
        if subprocess.run([*namespace, mounted + "true", "sh", str(backups)],
                          capture_output=True, check=False).returncode != 0:
            self.skipTest("no mount namespaces here")
        for action, said in (("info", "events   3"), ("verify", "3 events are sound"),
                             ("export", lines)):
            done = subprocess.run([*namespace, mounted + 'exec "$@"', "sh", str(backups),
                                   TOCSIN, "history", action, str(backup)],
                                  capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn(said, done.stdout)
        self.assertEqual(list(backups.iterdir()), [backup])

    def test_a_backup_that_is_put_back_is_told(self):
        with self.hub() as hub:
            kept = self.post(hub, "kept")
            hub.stop()
        backup = self.file.read_bytes()
        with self.hub() as hub:
            lost = self.post(hub, "lost")
            hub.stop()
        self.file.write_bytes(backup)
        with self.hub() as hub:
            hub.wait_log("the history goes on in a new epoch")
            new = self.post(hub, "new")
            self.assertNotEqual(new.split("-")[0], kept.split("-")[0])
            self.assertEqual(new.split("-")[1], lost.split("-")[1], "its number is given again")
            self.assertNotIn("event: gap", self.read(hub, kept, "new"))
            seen = self.read(hub, lost, "new")
            self.assertIn("event: gap", seen)

    def test_the_commands_for_a_backup_do_what_they_say(self):
        """Those of systemd/README.md, with a hub that was killed, so that its -wal lies there."""
        if shutil.which("sqlite3") is None:
            self.skipTest("no sqlite3")
        document = Path(__file__).resolve().parents[2] / "systemd" / "README.md"
        blocks = re.findall(r"```sh\n +# (back up|put back)(.*?)```", document.read_text("utf-8"),
                            re.DOTALL)
        commands = {name: text.replace("/var/lib/tocsin", str(self.folder / "lib"))
                    .replace("/var/backups", str(self.folder)) for name, text in blocks}
        self.assertEqual(list(commands), ["back up", "put back"])

        def follow(name):
            lines = commands[name].split("\n", 1)[1]
            subprocess.run(["bash", "-euc", "umask 022; systemctl() { :; }\n" + lines], check=True,
                           timeout=60)
        self.file = self.folder / "lib" / "history.db"
        self.file.parent.mkdir()
        with self.hub() as hub:
            kept = self.post(hub, "kept")
            follow("back up")
            self.assertEqual((self.folder / "tocsin.db").stat().st_mode & 0o077, 0)
            for number in range(20):
                lost = self.post(hub, f"{number} {'x' * 50_000}")
            hub.process.kill()
        self.assertGreater(Path(f"{self.file}-wal").stat().st_size, 0)
        follow("put back")
        with self.hub() as hub:
            hub.wait_log("the history goes on in a new epoch")
            self.post(hub, "new")
            self.assertNotIn("event: gap", self.read(hub, kept, "new"))
            self.assertIn("event: gap", self.read(hub, lost, "new"))
            hub.stop()
        self.assertEqual(self.file.stat().st_mode & 0o077, 0)
        run("history", "verify", str(self.file))

    def test_a_file_that_is_removed_under_a_hub_is_said(self):
        with self.hub() as hub:
            self.post(hub, "x")
            self.file.unlink()

            def said():
                self.post(hub, "more")
                return "the history's file was removed" in "".join(hub.log)
            eventually(said, "an error in the log")

    def mount(self, size):
        """A disk of its own for the history."""
        disk = self.folder / "disk"
        disk.mkdir()
        if is_sanitized() or os.geteuid() != 0 or subprocess.run(
                ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", disk], check=False,
                stderr=subprocess.DEVNULL).returncode:
            self.skipTest("no file system of our own can be mounted here")
        self.stack.callback(subprocess.run, ["umount", "-l", disk], check=False)
        self.file = disk / "history.db"
        return disk

    def test_it_goes_on_where_there_is_room_but_not_for_the_reserve(self):
        disk = self.mount("40m")
        reserve = disk / "history.db.reserve"
        with self.hub("--history-file-bytes", "64MiB") as hub:
            eventually(lambda: self.post(hub, "x" * 200_000) is None, "a full disk")
            hub.wait_log("its disk has 32 MiB free")
            subprocess.run(["mount", "-o", "remount,size=140m", disk], check=True)
            eventually(lambda: self.post(hub, "room again"), "room again", pause_s=0.1)
            self.assertFalse(reserve.exists())
            subprocess.run(["mount", "-o", "remount,size=300m", disk], check=True)

            def taken():
                self.post(hub, "more")
                return reserve.exists() and reserve.stat().st_size == 128 << 20
            eventually(taken, "the reserve")

    def test_a_full_disk_refuses_publishers_until_there_is_room(self):
        disk = self.mount("170m")
        with self.hub("--history-bytes", "64MiB") as hub, \
                hub.stream("/events?stream=a") as reader:
            first = self.post(hub, "before")
            reserve = disk / "history.db.reserve"
            self.assertEqual(reserve.stat().st_size, 128 << 20)
            with open(disk / "ballast", "wb", buffering=0) as ballast, \
                    contextlib.suppress(OSError):
                while True:
                    ballast.write(bytes(4096))
            outcomes = {}

            def full():
                name = f"{len(outcomes)} {'x' * 100_000}"
                outcomes[name] = self.post(hub, name)
                return outcomes[name] is None and not reserve.exists()
            eventually(full, "a full disk, and the reserve is given up")
            reader.read_until(b"data: before\n")
            (disk / "ballast").unlink()
            eventually(lambda: self.post(hub, "after"), "room again", pause_s=0.1)
            self.assertEqual(reserve.stat().st_size, 128 << 20)
            self.assertIn(b"data: after\n", reader.read_until(b"data: after\n"))
            hub.process.kill()
        with self.hub("--history-bytes", "64MiB") as hub:
            seen = self.read(hub, first, "after")
            self.assertNotIn("event: gap", seen)
            for name, identity in outcomes.items():
                self.assertEqual(seen.count(f"data: {name}\n"), 0 if identity is None else 1)

    def test_metrics_tell_of_commits(self):
        with self.hub() as hub:
            for number in range(5):
                self.post(hub, str(number))
            self.assertEqual(hub.counter("tocsin_store_commit_events_total"), 5)
            self.assertEqual(hub.counter("tocsin_store_commits_total"), 5)
            self.assertEqual(hub.counter("tocsin_store_commit_seconds_count"), 5)
            self.assertGreater(hub.counter("tocsin_history_bytes"), 0)
            self.assertEqual(hub.counter("tocsin_store_lag_seconds"), 0)

    def test_kills_under_load_lose_nothing(self):
        for io in each_backend():
            acknowledged, seen, wrong = crash_loop(5, "--io", io)
            self.assertEqual(wrong, [])
            self.assertGreater(acknowledged, 0)
            self.assertGreaterEqual(seen, acknowledged)

    def test_the_file_is_sound_and_for_its_owner_alone(self):
        with self.hub() as hub:
            self.post(hub, "x")
            hub.stop()
        for path in self.folder.iterdir():
            self.assertEqual(path.stat().st_mode & 0o077, 0, path)
        with contextlib.closing(sqlite3.connect(self.file)) as database:
            self.assertEqual(database.execute("PRAGMA integrity_check").fetchall(), [("ok",)])


if __name__ == "__main__":
    unittest.main()
