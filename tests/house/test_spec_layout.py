"""The specs of the zoo are in the layout that `specc fmt` writes."""

from project import SPECS, run


def test_specs_are_formatted() -> None:
    done = run("specc", "fmt", "--check", "--diff", *SPECS)
    assert done.returncode == 0, done.stdout + done.stderr
