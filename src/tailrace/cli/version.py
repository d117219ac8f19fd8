"""`tailrace version`: what runs here."""

from tailrace import __version__
from tailrace.cli import options, output


def text() -> str:
    """Return the version as `--version` prints it."""
    return f"tailrace {__version__}"


def parts() -> dict[str, str]:
    """Return the versions of Tailrace, Python and the parts that do the work."""
    import platform
    from importlib.metadata import version as installed

    packages = ("polars", "deltalake", "narwhals", "pydantic", "fastapi")
    return {
        "tailrace": __version__,
        "python": platform.python_version(),
        **{name: installed(name) for name in packages},
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }


def version(json: options.Json = False) -> None:
    """Print the version of Tailrace and of the parts it is made of.

    For example:

        tailrace version

        tailrace version --json
    """
    if json:
        output.as_json(parts())
    else:
        output.line(text())
        output.table((f"  {name}", value) for name, value in parts().items() if name != "tailrace")
