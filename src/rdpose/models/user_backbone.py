"""Backbones of a user's own: found by the name of what makes them, "package.module:factory".

    backbone = load("my_package.my_module:make")            # what make() gives: a module with `channels` and `stride`

To load one is to run the code of that module. Only a name that a person gives (a settings file, an override, an
argument) is loaded. A name that a weights file gives is not: whoever writes the file would choose what runs.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

from torch import nn

from rdpose.models.backbones import hub

Factory = str | Callable[[], nn.Module]
"""What makes a backbone, or its name "package.module:factory"."""


def is_named(backbone: str) -> bool:
    """Whether a name is that of a user's own backbone, rather than of one that comes with the package."""
    return ":" in backbone and not hub.is_named(backbone)


def load(factory: Factory) -> nn.Module:
    """A backbone with fresh weights, of a factory or of its name; modules in the working directory are found, too.

    Raises:
        ValueError: there is no such module or factory, or it gives no module of torch.
    """
    make = _find(factory) if isinstance(factory, str) else factory
    backbone = make()
    if not isinstance(backbone, nn.Module):
        raise ValueError(
            f"the backbone {name_of(factory)} gives a {type(backbone).__name__}; let it return a torch.nn.Module"
        )
    return backbone


def name_of(factory: Factory) -> str:
    """How sentences call it."""
    return factory if isinstance(factory, str) else getattr(factory, "__qualname__", type(factory).__name__)


def _find(name: str) -> Callable[[], nn.Module]:
    module_name, _, attribute = name.partition(":")
    if not all(part.isidentifier() for part in (*module_name.split("."), attribute)):
        raise ValueError(f"the backbone {name!r} is no package.module:factory; write it as in my_package.module:make")
    here = str(Path.cwd())
    if here not in sys.path:  # as `python -m` does, and the program `rdpose` does not
        sys.path.insert(0, here)
    _refuse_missing(module_name, name)
    make = getattr(importlib.import_module(module_name), attribute, None)
    if not callable(make):
        raise ValueError(f"the backbone {name}: the module {module_name} has no function {attribute}; check the name")
    return make


def _refuse_missing(module_name: str, name: str) -> None:
    """Only the module itself: what goes wrong inside it is told by Python, with the line."""
    try:
        found = module_name in sys.modules or importlib.util.find_spec(module_name)
    except ModuleNotFoundError as error:
        if not f"{module_name}.".startswith(f"{error.name}."):
            raise
        found = None
    if not found:
        raise ValueError(
            f"the backbone {name}: there is no module {module_name}; install it, or work in the folder that it lies in"
        )
