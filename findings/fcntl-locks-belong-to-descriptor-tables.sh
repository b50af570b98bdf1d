#!/bin/bash
# Guess: record locks of fcntl(2) belong to the process, as its manual page says. A thread is not kept
#   out by a lock that its own process holds, and when any of the process's threads closes the file the
#   lock is gone.
# Package: linux 6.18 with glibc 2.36-9+deb12u14 (Debian 12; no package is needed)
# Seen 2026-11-30: they belong to the descriptor table. A thread that has one of its own
#   (unshare(CLONE_FILES)) is refused with EAGAIN, and F_GETLK names its own process as the holder.
#   When it closes its copy of the descriptor the lock stays.
. "$(dirname "$(realpath "$0")")/lib"
need gcc
cat >program.c <<'C'
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int file;

struct thread {
  bool own_table, refused, by_itself;
};

static void* tries(void* argument) {
  struct thread* thread = argument;
  if (thread->own_table && unshare(CLONE_FILES) != 0) exit(2);
  const int again = open("file", O_RDWR);
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  thread->refused = fcntl(again, F_SETLK, &lock) != 0 && errno == EAGAIN;
  if (fcntl(again, F_GETLK, &lock) != 0) exit(2);
  thread->by_itself = lock.l_type == F_WRLCK && lock.l_pid == getpid();
  if (thread->own_table) close(file);  // the copy
  close(again);
  return NULL;
}

static bool is_locked(void) {
  const pid_t child = fork();
  if (child == 0) {
    const int other = open("file", O_RDWR);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    _exit(fcntl(other, F_SETLK, &lock) == 0 ? 0 : 1);
  }
  int status;
  if (child < 0 || waitpid(child, &status, 0) != child) exit(2);
  return WEXITSTATUS(status) == 1;
}

static struct thread run(bool own_table) {
  file = open("file", O_RDWR | O_CREAT, 0600);
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  if (file < 0 || fcntl(file, F_SETLK, &lock) != 0) exit(2);
  struct thread thread = {.own_table = own_table};
  pthread_t id;
  if (pthread_create(&id, NULL, tries, &thread) != 0) exit(2);
  pthread_join(id, NULL);
  return thread;
}

int main(void) {
  const struct thread shared = run(false);
  const bool stays_shared = is_locked();
  close(file);
  const struct thread own = run(true);
  const bool stays_own = is_locked();
  printf("with the process's table: %s, and the lock %s when it closes the file\n",
         shared.refused ? "refused" : "not refused", stays_shared ? "stays" : "goes");
  printf("with a table of its own:  %s by %s, and the lock %s\n",
         own.refused ? "refused" : "not refused", own.by_itself ? "its own process" : "nobody",
         stays_own ? "stays" : "goes");
  const bool same = !shared.refused && !stays_shared && own.refused && own.by_itself && stays_own;
  puts(same ? "still so" : "changed");
}
C
gcc -std=gnu11 -Wall -Werror program.c -o program -pthread
judge ./program
