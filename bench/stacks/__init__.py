"""How well stacks are walked: against other tools' results, and against gdb."""
