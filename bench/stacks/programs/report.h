// Has Crashpad's handler write a minidump of this process when a signal comes, if HANDLER names it.
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void on_crash(int number, siginfo_t *info, void *context) {
  struct { uint64_t info, context; int32_t thread, padding; } facts = {
      (uint64_t)info, (uint64_t)context, (int32_t)syscall(SYS_gettid), 0};
  (void)number;
  prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
  pid_t child = fork();
  if (child == 0) {
    char where[64];
    snprintf(where, sizeof where, "--trace-parent-with-exception=%lu", (unsigned long)&facts);
    execl(getenv("HANDLER"), getenv("HANDLER"), getenv("DATABASE"), where, (char *)0);
    _exit(1);
  }
  waitpid(child, 0, 0);
  _exit(0);
}

__attribute__((constructor)) static void install(void) {
  static const int signals[] = {SIGSEGV, SIGABRT, SIGFPE, SIGILL, SIGBUS, SIGTRAP};
  static char stack[1 << 16];  // a thread whose stack has overflowed has none for the handler
  stack_t other = {};
  struct sigaction action = {};
  if (!getenv("HANDLER")) return;
  other.ss_sp = stack;
  other.ss_size = sizeof stack;
  sigaltstack(&other, 0);
  action.sa_sigaction = on_crash;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  for (unsigned n = 0; n < sizeof signals / sizeof *signals; n++) sigaction(signals[n], &action, 0);
}
