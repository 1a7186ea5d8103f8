"""What several processes have to do at the same time, each when it comes to it. Does none of it."""

from collections.abc import Callable


class Rounds:
    """Lets processes that hold a model together do in step what takes all of them.

    A forward pass through a model that is split takes all processes, but each has micro-batches of
    its own, and not as many as the others. So before such a thing a process says what it wants, and
    where it needs nothing more, that it waits. The largest number is done by all: by those who
    wanted it for themselves, by the others for their sake.

    Args:
        most: The largest of the numbers that the processes give; every call is a round of all.

    Example:
        >>> done = []
        >>> said = iter([1, 1, 0])  # what the largest number is: the others pass twice, then wait
        >>> rounds = Rounds(lambda wanted: next(said))
        >>> rounds.add(lambda: done.append("a pass for the others"))
        1
        >>> rounds.take_part(0)
        >>> done
        ['a pass for the others', 'a pass for the others']
    """

    def __init__(self, most: Callable[[int], int]) -> None:
        self._most = most
        self._joins: list[Callable[[], None]] = [lambda: None]
        self._joining = False

    def add(self, join: Callable[[], None]) -> int:
        """Add something that takes all; in every process in the same order.

        Args:
            join: Does it for the others' sake.

        Returns:
            Its number, from 1.
        """
        self._joins.append(join)
        return len(self._joins) - 1

    def take_part(self, wanted: int) -> None:
        """Join in what others want, until it is this process's turn to do what it wants.

        Args:
            wanted: A number of `add`; 0: wait until all wait.
        """
        if self._joining:  # this is what the others wait for
            return
        while (chosen := self._most(wanted)) != wanted:
            self.alone(self._joins[chosen])

    def alone(self, action: Callable[[], None]) -> None:
        """Do something without asking the others, who do the same."""
        before, self._joining = self._joining, True
        try:
            action()
        finally:
            self._joining = before
