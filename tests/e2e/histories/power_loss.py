"""What a loss of power leaves of a Redis server's append-only file: what was synced.

A library that the server loads first notes the size of each of its files before fdatasync(2), as
far as that succeeds. After a kill the files are cut off there.
"""

import os
import shutil
import subprocess
from pathlib import Path

COMPILER = shutil.which("cc") or shutil.which("gcc")

SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int sync_by(const char* name, int fd) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
  struct stat before;
  const int known = fstat(fd, &before);
  const int result = real(fd);
  char link[64], path[4096];
  snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
  const ssize_t length = readlink(link, path, sizeof(path) - 16);
  if (result != 0 || known != 0 || length <= 0) return result;
  path[length] = 0;
  if (strcmp(path + length - 4, ".aof") != 0) return result;
  strcat(path, ".synced");
  char text[32];
  const int digits = snprintf(text, sizeof(text), "%020lld", (long long)before.st_size);
  const int note = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  if (note >= 0 && pwrite(note, text, digits, 0) != digits) _exit(99);
  if (note >= 0) close(note);
  return result;
}
int fdatasync(int fd) { return sync_by("fdatasync", fd); }
int fsync(int fd) { return sync_by("fsync", fd); }
"""


def build(folder):
    """The library's path."""
    source, library = Path(folder, "power_loss.c"), Path(folder, "power_loss.so")
    source.write_text(SOURCE, encoding="ascii")
    subprocess.run([COMPILER, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    return str(library)


def synced(folder):
    """(file, how many of its bytes are synced) of each append-only file."""
    for file in Path(folder).rglob("*.incr.aof"):
        note = Path(str(file) + ".synced")
        yield file, int(note.read_text(encoding="ascii") or 0) if note.exists() else 0


def lose_unsynced(folder):
    """Of a server that does not run; how many bytes went."""
    lost = 0
    for file, synced_bytes in synced(folder):
        size = file.stat().st_size
        os.truncate(file, min(synced_bytes, size))
        lost += size - min(synced_bytes, size)
    return lost
