# SPDX-License-Identifier: GPL-2.0
"""What a long piece of work is doing, for whoever watches this process.

What is long (a download, the build of a kernel) lies far below the commands, and takes no
part in how they show it: it tells, and the one that watches listens. With nobody
listening, telling costs nothing and does nothing.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator

# What is going on, empty when that is over; and which share of it is done, if known.
Step = Callable[[str, float | None], None]

LOOK = 0.5              # seconds between two looks at how far a piece of work has come

_listeners: list[Step] = []


@contextlib.contextmanager
def heard_by(listener: Step) -> Iterator[None]:
    """@listener is told of all steps, of all threads."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def tell(what: str, done: float | None = None) -> None:
    """Tells of what this thread is doing."""
    for listener in list(_listeners):
        listener(what, done)


@contextlib.contextmanager
def step(what: Callable[[], str], share: Callable[[], float | None] = lambda: None
         ) -> Iterator[None]:
    """While the body runs, tells now and then @what is going on and which @share is done."""
    if not _listeners:
        yield
        return
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            tell(what(), share())
            over.wait(LOOK)
        tell("")

    teller = threading.Thread(target=look, daemon=True)
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()
