"""`python -m rdpose`, and with it `torchrun -m rdpose`."""

from rdpose.cli import main

main()
