// Crashes in the way that its argument names.
#include "report.h"

#include <cstring>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#define NOINLINE __attribute__((noinline))

namespace acme {
struct Node { int value; Node *next; };

static inline __attribute__((always_inline)) int peek(Node *node) { return node->value; }

template <typename T> NOINLINE T walk(Node *node, T sum) {
  sum += peek(node);
  if (sum > 1000) return sum;
  return walk<T>(node->next, sum) + 1;
}

struct Parser {
  virtual ~Parser() {}
  NOINLINE int parse(const std::string &text) {
    Node last{7, nullptr}, first{(int)text.size(), &last};
    return walk<long>(&first, 1) + 2;
  }
};

NOINLINE int divide(int a, int b) { return a / b; }
NOINLINE void call(void (*function)()) { function(); asm(""); }
NOINLINE int in_libc(const char *text) { int n = strlen(text); asm volatile("" : "+r"(n)); return n + 1; }
NOINLINE int compare(const void *a, const void *b) { return *(volatile int *)0 + (a < b); }
NOINLINE int deep(int n) { return n ? deep(n - 1) + in_libc((const char *)(long)n) : divide(1, n); }
NOINLINE int endless(volatile char *above) {
  volatile char page[64];
  page[0] = above[0];
  return endless(page) + page[0];
}
}  // namespace acme

int main(int count, char **arguments) {
  std::string how = count > 1 ? arguments[1] : "";
  acme::Parser parser;
  if (how == "inline") return parser.parse("hello");
  if (how == "abort") abort();
  if (how == "null") acme::call(nullptr);
  if (how == "divide") return acme::divide(count, count - 2);
  if (how == "libc") return acme::in_libc((const char *)8);
  if (how == "deep") return acme::deep(40);
  if (how == "throw") throw std::runtime_error("thrown");
  if (how == "trap") __builtin_trap();
  if (how == "overflow") return acme::endless((volatile char *)arguments[0]);
  if (how == "callback") {
    int values[4] = {4, 3, 2, 1};
    qsort(values, 4, sizeof(int), acme::compare);
    return values[0];
  }
  if (how == "lambda") {
    std::function<int(int)> f = [&](int n) { return parser.parse(std::string(n, 'x')); };
    return f(5);
  }
  if (how == "threads") {
    std::vector<std::thread> threads;
    for (int n = 0; n < 8; n++)
      threads.emplace_back([n] {
        sleep(n == 7 ? 1 : 100);
        if (n == 7) acme::in_libc((const char *)16);
      });
    for (auto &thread : threads) thread.join();
  }
  return 0;
}
