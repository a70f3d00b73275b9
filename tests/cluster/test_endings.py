"""Every way to end has a name: the rows of the table, made for real."""

from kit.operator import Operator


def test_exit_0_is_completed(operator: Operator) -> None:
    status = operator.finished(operator.submit("fine", command=["echo", "hello"]))
    assert (status["phase"], status["reason"], status["exitCode"]) == ("Succeeded", "Completed", 0)


def test_another_exit_code_is_the_commands_own_failure(operator: Operator) -> None:
    status = operator.finished(operator.submit("seven", script="exit 7"))
    assert (status["phase"], status["reason"], status["exitCode"]) == ("Failed", "CommandFailed", 7)
