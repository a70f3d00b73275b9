"""The entry point of `ci` and of the kubectl plugin `kubectl ci`.

Called by the scripts of the distribution. Imports as little as it can: a person waits for it.
"""

import click


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="cijob", prog_name="ci", message="%(prog)s %(version)s")
def main() -> None:
    """Run your code on your own Kubernetes cluster."""
