# SPDX-License-Identifier: GPL-2.0
"""The one exception that means "could not run" rather than "a test failed"."""


class RunError(Exception):
    """The run cannot go on.

    The message is one line that names the cause and the remedy, fit to be
    shown to the user as it is.
    """
