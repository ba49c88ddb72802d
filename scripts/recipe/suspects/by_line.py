"""What a stage found in a manifest, a line of JSON an utterance and in the manifest's order."""

from recipe.files import RecipeError, read_json_lines


class ByLine:
    """The lines of `file` for the utterances of `manifest`, each asked for by its key, in order."""

    def __init__(self, file: str, manifest: str):
        self._file, self._manifest = file, manifest
        self._lines = read_json_lines(file)

    def of(self, key: str) -> dict:
        """The next line. RecipeError if it is not that of the utterance with this key."""
        number, record = next(self._lines, (0, {}))
        if record.get("key") != key:
            where = f"{self._file}:{number}" if number else f"{self._file}: ends early"
            raise RecipeError(
                f"{where}: expected {key}, found {record.get('key')}; make it again from {self._manifest}"
            )
        return record

    def end(self) -> None:
        """RecipeError if there are more lines than were asked for."""
        if extra := next(self._lines, None):
            raise RecipeError(
                f"{self._file}:{extra[0]}: {extra[1].get('key')} is not in {self._manifest}; make it again"
            )
