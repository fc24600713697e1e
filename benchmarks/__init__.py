"""How fast, against whom: every figure beside its rival and its limit, measured in one run (`./gate bench`).

Owns measuring and the table. Proves nothing that tests prove, and no test asserts a time that was measured here.
"""
