"""What every stage's command line shares: logging, and errors as one clear line."""

import logging
import os
import sys
from collections.abc import Callable

from recipe.files import RecipeError


def run(main: Callable[[], int | None]) -> None:
    """Run a stage's `main` and exit with its status (None is 0).

    A `RecipeError` becomes one line on standard error and exit status 2, because its message already says what to do;
    any other exception is a defect of ours and keeps its traceback. RECIPE_LOG sets the log level (default INFO).
    """
    logging.basicConfig(
        level=os.environ.get("RECIPE_LOG", "INFO").upper(),
        format="%(asctime)s %(levelname)s %(message)s",
        datefmt="%H:%M:%S",
        stream=sys.stderr,
    )
    try:
        status = main()
    except RecipeError as error:
        print(f"{os.path.basename(sys.argv[0])}: error: {error}", file=sys.stderr)
        sys.exit(2)
    sys.exit(status or 0)
