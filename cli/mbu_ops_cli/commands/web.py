"""``mbu-ops web``: the page that edits a photo, on this machine only."""

from __future__ import annotations

import webbrowser

import click

from mbu_ops_cli.messages import echo, log

USUAL_PORT = 7860


@click.command(short_help="Edit photos on a page in your browser.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=USUAL_PORT,
    show_default=True,
    help="Port of 127.0.0.1; 0 takes a free one.",
)
@click.option("--open/--no-open", "opens", default=True, show_default=True, help="Open the page in the browser.")
def web(port: int, opens: bool) -> None:
    """Edit photos on a page in your browser: faces found, steps picked, masks painted, before and after.

    \b
    mbu-ops web
    mbu-ops web --port 8080 --no-open

    Only programs on this machine reach the page, and photos stay on it: they lie in a private folder that is deleted
    when Ctrl-C stops the command. For each edit the page shows the command line that does the same. Needs
    pip install 'mbu-ops[web]'.
    """  # noqa: D301 - click's own mark for lines that it must not wrap
    from mbu_ops_cli.web.server import application, listen, private_folder, serve

    with listen(port) as own, private_folder() as folder:
        app = application(folder)
        address = f"http://{own.getsockname()[0]}:{own.getsockname()[1]}"
        echo(address)
        log.info("Ctrl-C stops the page, and deletes the photos that it was given")
        if opens:
            webbrowser.open(address)
        serve(app, own)
    log.info("stopped")
