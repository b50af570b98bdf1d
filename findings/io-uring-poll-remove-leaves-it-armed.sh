#!/bin/bash
# Guess: IORING_OP_POLL_REMOVE ends a poll, or says -ENOENT because there is none any more. After
#   either answer the descriptor may be closed, and its peer is told.
# Package: liburing-dev 2.3-3 (Debian 12), on Linux 6.18
# Seen 2026-11-29: while an event of the poll is on its way to the ring, the answer is -EALREADY, and
#   a multishot poll goes on: it holds the closed socket open, its peer waits for the end for ever.
#   IORING_OP_ASYNC_CANCEL of the same poll in the same moment cancels it.
. "$(dirname "$(realpath "$0")")/lib"
compile_with_liburing <<'C'
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { kPoll = 1, kEnd = 2 };

// An event, the request to end the poll, and a close, in this order. Whether the peer saw the close.
static bool peer_is_told(bool by_cancel) {
  struct io_uring ring;
  struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN};
  if (io_uring_queue_init_params(8, &ring, &params) != 0) {
    puts("skipped: no io_uring with DEFER_TASKRUN here");
    exit(77);
  }
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) exit(2);

  struct io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_poll_multishot(sqe, pair[0], POLLIN);
  sqe->user_data = kPoll;
  io_uring_submit(&ring);
  if (write(pair[1], "x", 1) != 1) exit(2);

  sqe = io_uring_get_sqe(&ring);
  if (by_cancel) {
    io_uring_prep_cancel64(sqe, kPoll, 0);
  } else {
    io_uring_prep_poll_remove(sqe, kPoll);
  }
  sqe->user_data = kEnd;
  io_uring_submit(&ring);
  close(pair[0]);

  struct io_uring_cqe* cqe;
  struct __kernel_timespec patience = {.tv_sec = 1};
  while (io_uring_wait_cqe_timeout(&ring, &cqe, &patience) == 0) {
    printf("%s: the %s's completion: %d%s%s%s\n", by_cancel ? "cancel" : "remove",
           cqe->user_data == kPoll ? "poll" : "request", cqe->res, cqe->res < 0 ? ", " : "",
           cqe->res < 0 ? strerror(-cqe->res) : "",
           cqe->flags & IORING_CQE_F_MORE ? ", with more to come" : "");
    io_uring_cqe_seen(&ring, cqe);
  }
  char byte;
  const bool told = !(recv(pair[1], &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN);
  printf("%s: the peer %s\n", by_cancel ? "cancel" : "remove",
         told ? "was told of the close" : "takes it for open");
  close(pair[1]);
  io_uring_queue_exit(&ring);
  return told;
}

int main(void) {
  const bool after_remove = peer_is_told(false);
  const bool after_cancel = peer_is_told(true);
  puts(!after_remove && after_cancel ? "still so" : "changed");
  return 0;
}
C
judge ./program
