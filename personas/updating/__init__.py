"""Learning from observed outcomes: conjugate beliefs, a thread of what changed, the library that serves it."""
