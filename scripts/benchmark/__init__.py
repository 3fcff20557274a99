"""How fast is the hub on this machine? Measured from outside: real workers, real servers, real sockets.

Each scenario is a module of its own that ends in a `SCENARIO`; `bench` prepares what they share and runs them in turn.
"""
