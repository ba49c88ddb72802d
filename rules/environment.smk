# What has to be right before anything else is read: Python, Snakemake, and the environment's packages. Python 3.8 reads
# this file, too.

import sys
from pathlib import Path

from snakemake.exceptions import CliException
from snakemake.utils import min_version

# Paths of the recipe's own files count from this one, so that the workflow also works from another folder and as a
# module of another workflow.
ROOT = Path(str(workflow.current_basedir)).parent
sys.path.insert(0, str(ROOT / "scripts"))

from recipe import environment


class Refused(CliException):
    """What a user can mend, in one line. Snakemake puts the place before an error at which a Snakefile raised it, and
    its traceback behind it; it finds neither in this one, whose line says the place that is to be mended."""

    __traceback__ = property(lambda self: None, lambda self, value: None)


def jobs_are_elsewhere():
    """Whether jobs have an environment of their own, by conda or containers."""
    return bool(workflow.deployment_settings and workflow.deployment_settings.deployment_method)


def refuse_wrong_environment():
    """Refused if this is not the environment that `make setup` makes, or one like it."""
    names = environment.PLANNING + (() if jobs_are_elsewhere() else environment.JOBS)
    problem = environment.wrong_environment(names)
    if problem:
        raise Refused(problem)
    try:
        min_version("9.27")
    except Exception as error:
        raise Refused("{}: {}".format(" ".join(str(error).split()), environment.ACTIVATE))


refuse_wrong_environment()
