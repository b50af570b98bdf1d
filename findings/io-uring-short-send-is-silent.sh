#!/bin/bash
# Guess: a send that took only a part of its bytes is no success. With IOSQE_CQE_SKIP_SUCCESS its
#   completion is posted, and a request linked behind it does not run. (MSG_WAITALL would make
#   the kernel wait for room, which MSG_DONTWAIT forbids: together they make no sense.)
# Package: liburing-dev 2.3-3 (Debian 12), on Linux 6.18
# Seen 2026-11-29: a part is a success: nothing is posted, the link goes on, bytes are missing in the
#   middle of the stream. With MSG_WAITALL and MSG_DONTWAIT together the send does not wait, and a part
#   counts as a failure: its completion says how much, and the link is cancelled.
. "$(dirname "$(realpath "$0")")/lib"
compile_with_liburing <<'C'
#include <errno.h>
#include <liburing.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { kSend = 1, kBehind = 2, kSize = 1 << 20 };
static char bytes[kSize];

struct outcome {
  long arrived;
  bool send_is_told;  // a completion was posted
  bool link_goes_on;
};

static struct outcome send_too_much(int flags) {
  struct io_uring ring;
  if (io_uring_queue_init(8, &ring, 0) != 0) {
    puts("skipped: no io_uring here");
    exit(77);
  }
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) != 0) exit(2);

  struct io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_send(sqe, pair[0], bytes, kSize, MSG_NOSIGNAL | flags);
  sqe->user_data = kSend;
  sqe->flags = IOSQE_CQE_SKIP_SUCCESS | IOSQE_IO_LINK;
  sqe = io_uring_get_sqe(&ring);
  io_uring_prep_nop(sqe);
  sqe->user_data = kBehind;
  io_uring_submit(&ring);

  struct outcome outcome = {};
  struct io_uring_cqe* cqe;
  struct __kernel_timespec patience = {.tv_sec = 1};
  while (io_uring_wait_cqe_timeout(&ring, &cqe, &patience) == 0) {
    if (cqe->user_data == kSend) outcome.send_is_told = true;
    if (cqe->user_data == kBehind) outcome.link_goes_on = cqe->res == 0;
    io_uring_cqe_seen(&ring, cqe);
  }
  for (ssize_t got; (got = recv(pair[1], bytes, kSize, 0)) > 0;) outcome.arrived += got;
  printf("%ld of %d bytes arrived; the send's completion was %s, what is linked behind it %s\n",
         outcome.arrived, kSize, outcome.send_is_told ? "posted" : "skipped",
         outcome.link_goes_on ? "ran" : "did not run");
  io_uring_queue_exit(&ring);
  close(pair[0]);
  close(pair[1]);
  return outcome;
}

int main(void) {
  printf("MSG_DONTWAIT: ");
  const struct outcome plain = send_too_much(MSG_DONTWAIT);
  printf("MSG_DONTWAIT | MSG_WAITALL: ");
  const struct outcome all = send_too_much(MSG_DONTWAIT | MSG_WAITALL);
  const bool silent = plain.arrived < kSize && !plain.send_is_told && plain.link_goes_on;
  const bool told = all.arrived < kSize && all.send_is_told && !all.link_goes_on;
  puts(silent && told ? "still so" : "changed");
  return 0;
}
C
judge ./program
