"""`python -m gatepost`: the command line. Owns nothing but the exit code."""

from gatepost.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
