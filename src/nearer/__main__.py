"""`python -m nearer` is the command `nearer`."""

from nearer.cli.main import main

main()
