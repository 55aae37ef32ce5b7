"""The control loop: long work in short turns, the garbage collector, and the signals that end it."""
