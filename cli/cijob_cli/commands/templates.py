"""`ci templates`: what can be submitted."""

import click

from cijob_cli.exitcodes import ExitCode
from cijob_cli.options import connection_options, output_option
from cijob_cli.output import FORMATS, print_object, print_table
from cijob_cli.reaching import reaching
from cijob_cli.settings import Settings


@click.command(name="templates")
@output_option(*FORMATS)
@connection_options
def templates_command(*, output: str, settings: Settings) -> int:
    """List the templates that `ci submit` can run in this namespace."""
    with reaching(settings) as gateway:
        found = gateway.templates()
    if output in ("json", "yaml"):
        print_object({"items": found}, output)
    elif output == "name":
        for template in found:
            click.echo(template["name"])
    else:
        keys = ("name", "namespace", "image", "description")
        rows = [[str(template.get(key) or "") for key in keys] for template in found]
        print_table([key.upper() for key in keys], rows)
    return ExitCode.SUCCEEDED
