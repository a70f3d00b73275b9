"""`ci queue`: how full the pools are, and who waits for what."""

import click

from cijob_cli.exitcodes import ExitCode
from cijob_cli.options import connection_options, output_option
from cijob_cli.output import print_object, print_table
from cijob_cli.queue import PLACE_HEADINGS, POOL_HEADINGS, place_cells, pool_cells
from cijob_cli.reaching import reaching
from cijob_cli.screen import open_screen
from cijob_cli.settings import Settings
from cijob_cli.units import counted


@click.command(name="queue")
@output_option("table", "json", "yaml")
@connection_options
def queue_command(*, output: str, settings: Settings) -> int:
    """Show how full the pools are, and who waits for what.

    Jobs are listed in the order in which they are likely to start, those that you may see; how long
    they will wait is a guess from how long others took.
    """
    screen = open_screen()
    with reaching(settings) as gateway:
        found = gateway.queue()
    if output != "table":
        print_object(dict(found), output)
        return ExitCode.SUCCEEDED
    print_table(POOL_HEADINGS, [pool_cells(pool) for pool in found["pools"]])
    if found["jobs"]:
        click.echo()
        print_table(PLACE_HEADINGS, [place_cells(job) for job in found["jobs"]])
    if found["others"]:
        screen.note(f"{counted(found['others'], 'more job')} in the queue")
    return ExitCode.SUCCEEDED
