"""Commits by the first digits of their names, looked up by git; called by `clones`."""

from cijob_agent.git import Git


def beginning_with(short: str, program: Git) -> list[str]:
    """The full names of the repository's commits that begin so. Raises GitFailed and OutOfTime.

    A list of all commits of a large repository would be larger than the agent's memory.
    """
    found = program.run("rev-parse", f"--disambiguate={short}").split()
    # Of another object git prints nothing here, of a tag its commit.
    named = program.run("rev-list", "--no-walk", *found).split() if found else []
    return [name for name in named if name.startswith(short)]
