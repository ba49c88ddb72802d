"""libsndfile's files, without a detour of the package that opens them."""

import os

import soundfile

from recipe.audio.place import Window


class Sound(soundfile.SoundFile):
    """soundfile's, which after each read also seeks to where it is. That fails at the end of a FLAC that is cut."""

    def seekable(self) -> bool:
        """No, where soundfile asks in order to seek; `seek` works."""
        return False


def sound(source: int | Window) -> Sound:
    """Open what a recording is read from, a descriptor or a file object, at its start. Raises soundfile's errors."""
    if isinstance(source, Window):
        source.seek(0)
    else:
        os.lseek(source, 0, os.SEEK_SET)
    return Sound(source, closefd=False)
