"""For tests: a clock to turn, randomness that repeats itself, and the suites that prove a store.

Owns nothing that a running server needs. Called by our own tests and by whoever writes a store or an application.
"""
