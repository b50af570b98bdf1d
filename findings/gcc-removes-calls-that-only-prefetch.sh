#!/bin/bash
# Guess: __builtin_prefetch is there to be kept. Code that fetches memory ahead does so in a function of
#   its own as well as in the middle of a loop.
# Package: g++-12 12.2.0-14+deb12u1 (Debian 12)
# Seen 2026-11-30: a function that does nothing but prefetch, and is not inlined, counts as one without
#   effects. With -O2 every call of it is left out, without a warning; the function itself stays. An empty
#   asm statement that uses the address, beside the prefetch, keeps the calls.
. "$(dirname "$(realpath "$0")")/lib"
need g++ objdump
[[ $(g++ -dumpfullversion) == 12.2.0 ]] || cannot "g++ is $(g++ -dumpfullversion), not 12.2.0"
cat >program.cc <<'CC'
struct Node {
  Node* next;
  long value;
};

[[gnu::noinline]] static void fetch_ahead(const Node* nodes, int count) {
  for (int i = 0; i < count; ++i) {
    __builtin_prefetch(nodes[i].next);
#ifdef KEPT
    asm volatile("" : : "r"(nodes[i].next));
#endif
  }
}

long sum(const Node* nodes, int count) {
  fetch_ahead(nodes, count);
  long total = 0;
  for (int i = 0; i < count; ++i) total += nodes[i].next->value;
  return total;
}
CC
for define in "" -DKEPT; do
  g++ -O2 -Wall -Wextra -Werror $define -c program.cc -o "program$define.o"
  calls=$(objdump -dr --no-show-raw-insn "program$define.o" |
    sed -n '/<_Z3sumPK4Nodei>:/,/^$/p' | grep -cE '(call|jmp) .*fetch_ahead' || true)
  echo "${define:-prefetch alone}: $calls calls"
  found+="$calls "
done
echo "$([[ $found == "0 1 " ]] && echo "still so" || echo "changed")" >result
judge cat result
