"""Whether a write was interrupted near a model: one look for the journal's name, for most commands need no more."""

from __future__ import annotations

import os

from graphscope.formats.io.paths import JOURNAL, real_path

_ANCESTORS = 4
"""A model is opened by a member, too: ``saved_model/variables/variables.index``."""


def finish_around(path: str) -> None:
    """Finishes what was interrupted in the directories that a model at ``path`` may be in.

    Raises:
        CorruptFileError, FileError: as :func:`graphscope.formats.io.journal.recover`.
    """
    if "\0" in path:  # no file is called so, as whoever opens it will say
        return
    place = real_path(path)
    for directory in (place, *place.parents[:_ANCESTORS]):
        if os.path.lexists(f"{directory}/{JOURNAL}"):
            from graphscope.formats.io.journal import recover

            recover(directory)
