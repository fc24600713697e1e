"""./gate bench: the rivals come from a lock and an environment of their own."""

import pytest

from tests.toolchain.checkout import Checkout


@pytest.fixture
def bench(checkout: Checkout) -> Checkout:
    """A checkout whose benchmarks only tell how they were called."""
    (checkout.root / "requirements/rivals.lock").write_text("rival==1\n")
    (checkout.root / "benchmarks.py").write_text("import sys\nprint(*sys.argv[1:])\n")
    return checkout


def test_bench_gives_the_benchmarks_the_interpreter_of_the_rivals(bench: Checkout) -> None:
    """Made by hash from their own lock, beside the environment that runs the benchmarks."""
    code, out, _ = bench.run("bench", "--write", "my page.md", "beside")
    assert code == 0
    assert out == f"--rivals {bench.root}/.gate/rivals/bin/python --write my page.md beside\n"
    locks = {call.rpartition("-r ")[2] for call in bench.lines("pip")}
    assert locks == {f"{bench.root}/requirements/{name}.lock" for name in ("rivals", "dev")}


@pytest.mark.parametrize("options", [("five-minutes", "--only", "x"), ("--help",), ("--rivals", "python3")])
def test_bench_makes_no_environment_for_rivals_that_it_does_not_need(
    bench: Checkout, options: tuple[str, ...]
) -> None:
    """The five-minute test makes its own, help needs none, and whoever names an interpreter has one."""
    code, out, _ = bench.run("bench", *options)
    assert (code, out) == (0, f"{' '.join(options)}\n")
    assert not (bench.root / ".gate/rivals").exists()
