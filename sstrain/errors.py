"""The two ways in which a command ends early, each with its exit code."""


class UserError(Exception):
    """A mistake of the user's, in a config, in data or in usage: exit code 2.

    Parameters
    ----------
    *messages : str
        One plain line for each mistake; all that are known are given at once.
    """

    exit_code = 2

    def __init__(self, *messages: str) -> None:
        super().__init__("\n".join(messages))
        self.messages = messages


class FailureError(Exception):
    """A run that could not be brought to its end (it diverged, the disk is full): exit code 1."""

    exit_code = 1
