#!/bin/bash
# Guess: a thread that pthread_join(3) has reaped has left nothing behind. If it had a descriptor table
#   of its own (unshare(CLONE_FILES)), what was open there is closed, so its port can be bound again.
# Package: linux 6.18 with glibc 2.36-9+deb12u14 (Debian 12; no package is needed)
# Seen 2026-11-30: the kernel wakes who joins when the thread gives up its memory, and closes its
#   descriptors after that. With 500 more of them to close, the port that the thread had listened on
#   was still taken (EADDRINUSE) after 147 of 200 joins.
. "$(dirname "$(realpath "$0")")/lib"
need gcc
cat >program.c <<'C'
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { kRounds = 200, kMore = 500 };

static struct sockaddr_in address = {.sin_family = AF_INET};

static int listener(void) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(fd, (struct sockaddr*)&address, sizeof address) == 0 && listen(fd, 1) == 0) return fd;
  if (errno != EADDRINUSE) exit(2);
  close(fd);
  return -1;
}

static void* leaves_it_open(void* unused) {
  (void)unused;
  if (unshare(CLONE_FILES) != 0) exit(2);
  for (int i = 0; i < kMore; ++i) socket(AF_INET, SOCK_DGRAM, 0);
  if (listener() < 0) exit(2);
  return NULL;
}

int main(void) {
  int in_use = 0;
  for (int round = 0; round < kRounds; ++round) {
    // A port that is free, by its number, without connections that would hold it.
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = 0;
    const int first = listener();
    socklen_t size = sizeof address;
    if (first < 0 || getsockname(first, (struct sockaddr*)&address, &size) != 0) exit(2);
    close(first);
    pthread_t thread;
    if (pthread_create(&thread, NULL, leaves_it_open, NULL) != 0) exit(2);
    pthread_join(thread, NULL);
    const int again = listener();
    if (again < 0) ++in_use;
    if (again >= 0) close(again);
  }
  printf("%d of %d times the port of a joined thread was still in use\n", in_use, kRounds);
  puts(in_use > 0 ? "still so" : "changed");
}
C
gcc -std=gnu11 -Wall -Werror program.c -o program -pthread
judge ./program
