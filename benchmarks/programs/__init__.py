"""What runs in a process of its own: one program a side, told what to measure over a socket."""
