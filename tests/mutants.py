"""Small changes of the code that a test should notice, made one at a time; those that no test notices are printed.

    python tests/mutants.py heatmaps oks --most 100             # rooms or files of src/rdpose, all of ROOMS by default
    python tests/mutants.py models/losses.py --most 0           # every mutant

Numbers grow by half, operators are swapped, conditions negated, keyword arguments and calls left out, and so on. The
tests of a room are collected once; every mutant is a fork of that process, in whose memory functions and constants of
the one file are changed. No file is written. There, tests that run the mutant's line run until one fails, the quickest
first. What subprocesses of tests run stays as it is. Not collected by pytest.
"""

from __future__ import annotations

import argparse
import ast
import copy
import gc
import importlib
import itertools
import os
import pickle
import random
import resource
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

REPOSITORY = Path(__file__).resolve().parents[1]
SOURCE = REPOSITORY / "src/rdpose"
ROOMS = {
    "heatmaps": ["tests/test_heatmaps.py"],
    "oks": ["tests/test_oks.py"],
    "models": ["tests/models"],
    "evaluation": ["tests/evaluation"],
    "detection": ["tests/detection"],
    "inference": ["tests/inference"],
    "structures": ["tests/test_structures.py"],
    "engine": ["tests/engine/test_muon.py", "tests/engine/test_optim.py", "tests/engine/test_training_step.py"],
}
"""Room -> its tests."""
SECONDS, MOST_TESTS = 30, 40
"""Of the processor for one mutant, and the tests that it is shown to."""
SWAPS: dict[type, type] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.And: ast.Or,
    ast.Or: ast.And, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
UNTOUCHED = {"annotation", "returns", "decorator_list", "exc", "cause"}
UNTOUCHED_NODES = (ast.Assert, ast.JoinedStr, ast.Import, ast.ImportFrom)
"""Fields and nodes: types, sentences, and what changes too much."""


class Mutant(NamedTuple):
    file: str
    line: int
    old: str
    new: str
    source: str
    """Of the whole file, each line where it was."""
    at_import: bool
    """Whether the line runs when its module is imported, not when a test calls it."""


# --- mutants of a file


def mutants_of(file: str) -> list[Mutant]:
    """All mutants of a file of `SOURCE`, in the order of its lines."""
    text = (SOURCE / file).read_bytes()
    starts = [0, *itertools.accumulate(len(line) for line in text.splitlines(keepends=True))]
    found: dict[tuple[int, int, bytes], Mutant] = {}
    for node, is_test, inside in nodes_of(ast.parse(text), inside=False):
        low, high = starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset
        negated = [ast.UnaryOp(ast.Not(), node)] if is_test else []
        for changed in [*negated, *changes_of(node)]:
            new, lines = ast.unparse(changed), "\n" * (node.end_lineno - node.lineno)
            part = (f"({new}{lines})" if isinstance(changed, ast.expr) else new + lines).encode()
            told = (" ".join(text[low:high].decode().split()), " ".join(new.split()))
            mutated = (text[:low] + part + text[high:]).decode()
            found[low, high, part] = Mutant(file, node.lineno, *told, mutated, not inside)
    return sorted(found.values(), key=lambda mutant: mutant.line)


def nodes_of(node: ast.AST, inside: bool) -> Iterator[tuple[Any, bool, bool]]:
    """Statements and expressions that may be changed; whether each is a condition, and whether it is in a function."""
    for name, field in ast.iter_fields(node):
        below = inside or (isinstance(node, ast.FunctionDef | ast.Lambda) and name == "body")
        for child in field if isinstance(field, list) else [field]:
            if name in UNTOUCHED or isinstance(child, UNTOUCHED_NODES) or not isinstance(child, ast.AST):
                continue
            if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
                continue
            if isinstance(child, ast.stmt | ast.expr):
                yield child, name == "test", below
            yield from nodes_of(child, below)


def changes_of(node: Any) -> Iterator[ast.AST]:
    """What else may stand in a node's place."""
    match node:
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int(value) | float(value)):
            yield ast.Constant(value + (1 if isinstance(value, int) or not value else value / 2))
        case ast.Compare(ops=ops):
            yield from (with_field(node, ops=replaced(ops, at, [SWAPS[type(op)]()])) for at, op in enumerate(ops))
        case ast.BinOp() | ast.BoolOp() | ast.AugAssign() if type(node.op) in SWAPS:
            yield with_field(node, op=SWAPS[type(node.op)]())
        case ast.UnaryOp(operand=operand):
            yield operand
        case ast.Call(keywords=keywords):
            yield from (with_field(node, keywords=replaced(keywords, at, [])) for at in range(len(keywords)))
        case ast.Raise() | ast.Expr(value=ast.Call()):
            yield ast.Pass()
        case ast.Return(value=ast.expr() as value) if ast.unparse(value) != "None":
            yield ast.Return(ast.Constant(None))


def replaced(items: list, at: int, by: list) -> list:
    return [*items[:at], *by, *items[at + 1 :]]


def with_field(node: Any, **fields: Any) -> Any:
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


# --- a mutant in memory


def codes_of(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes_of(constant)


def apply(mutant: Mutant, functions: Sequence[FunctionType]) -> None:
    """Make the mutant of its module, wherever the module's functions and constants have got to.

    Args:
        functions: all that stand in the file.
    """
    path, module = str(SOURCE / mutant.file), importlib.import_module(module_of(mutant.file))
    code = compile(mutant.source, path, "exec", flags=0, dont_inherit=True)
    codes = {(each.co_qualname, each.co_firstlineno): each for each in codes_of(code)}
    for function in functions:
        function.__code__ = codes[function.__code__.co_qualname, function.__code__.co_firstlineno]
    if not mutant.at_import:
        return
    fresh: dict[str, Any] = {key: vars(module)[key] for key in ("__name__", "__file__", "__package__", "__spec__")}
    exec(code, fresh)
    for name, value in fresh.items():
        _take_over(vars(module).get(name), value)
        if not callable(value) and not isinstance(value, ModuleType) and not name.startswith("__"):
            old = vars(module).get(name)
            for other in [each for each in sys.modules.values() if vars(each).get(name) is old]:
                setattr(other, name, value)


def _take_over(old: Any, new: Any) -> None:
    """Defaults of functions, and of a class's methods and fields."""
    if isinstance(old, type) and isinstance(new, type):
        for name, value in list(vars(new).items()):
            if isinstance(value, bool | int | float | tuple) and not name.startswith("__"):
                setattr(old, name, value)
            _take_over(vars(old).get(name), value)
    old, new = getattr(old, "__func__", old), getattr(new, "__func__", new)
    while isinstance(old, FunctionType) and isinstance(new, FunctionType):
        old.__defaults__, old.__kwdefaults__ = new.__defaults__, new.__kwdefaults__
        old, new = getattr(old, "__wrapped__", None), getattr(new, "__wrapped__", None)


def module_of(file: str) -> str:
    return ".".join(("rdpose", *Path(file).with_suffix("").parts)).removesuffix(".__init__")


# --- a room


class Room:
    """A plugin of pytest that does something else in the place of the loop over the tests.

    Args:
        files: those of `SOURCE` that are to be changed.
        work: what is done.
    """

    def __init__(self, files: Sequence[str], work: Callable[[Room], None]) -> None:
        self.files, self.work, self.failed = files, work, False
        self.functions: dict[str, list[FunctionType]] = defaultdict(list)
        """Of each path, also those behind decorators and in classes."""
        self.items: dict[str, Any] = {}
        self.lines: set[tuple[str, int]] = set()
        self.of_test: dict[str, set[tuple[str, int]]] = {}
        self.of_file: dict[str, set[tuple[str, int]]] = defaultdict(set)
        self.seconds: Counter[str] = Counter()
        self.tests: dict[tuple[str, int], list[str]] = {}

    def pytest_runtestloop(self, session: Any) -> bool:
        self.items = {item.nodeid: item for item in session.items}
        for file in self.files:
            importlib.import_module(module_of(file))
        for each in gc.get_objects():
            if type(each) is FunctionType and each.__code__.co_filename.startswith(f"{SOURCE}/"):
                self.functions[each.__code__.co_filename].append(each)
        gc.freeze()  # a collection in a fork would copy all of the memory
        self._find_coverage()
        self.work(self)
        return True

    def pytest_runtest_logreport(self, report: Any) -> None:
        """The lines that ran since the last report; those of a preparation may serve all tests of the file."""
        self.failed |= report.failed
        self.seconds[report.nodeid] += report.duration
        if report.when == "setup":
            self.of_file[report.nodeid.split("::")[0]] |= self.lines
        elif report.when == "call" and report.passed:
            self.of_test[report.nodeid] = self.lines
        self.lines = set()

    def tests_of(self, mutant: Mutant) -> list[str]:
        """Those that run its line, quickest first; if it runs at import, whole test files that run any of its file."""
        return self.tests.get((mutant.file, 0 if mutant.at_import else mutant.line), [])[:MOST_TESTS]

    def run(self, names: Sequence[str], *, stop: bool) -> None:
        items = [self.items[name] for name in names]
        for item, following in zip(items, [*items[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if stop and self.failed:
                return

    def _find_coverage(self) -> None:
        start = f"{SOURCE}/"

        def local(frame: Any, event: str, argument: Any) -> Any:
            self.lines.add((frame.f_code.co_filename[len(start) :], frame.f_lineno))
            return local

        def work() -> None:
            sys.settrace(lambda frame, *_: local if frame.f_code.co_filename.startswith(start) else None)
            self.run(list(self.items), stop=False)
            sys.settrace(None)
            kept.write_bytes(pickle.dumps((self.of_test, self.of_file, self.seconds)))

        with tempfile.TemporaryDirectory() as folder:
            kept = Path(folder) / "coverage"
            os.waitpid(forked(work), 0)
            self.of_test, self.of_file, self.seconds = pickle.loads(kept.read_bytes())
        seen = defaultdict(set)
        for name, lines in self.of_test.items():
            seen[name.split("::")[0]] |= {(file, 0) for file, _ in lines}
        tests = defaultdict(list)
        for name in sorted(self.of_test, key=self.seconds.__getitem__):
            for place in self.of_test[name] | self.of_file[name.split("::")[0]] | seen[name.split("::")[0]]:
                tests[place].append(name)
        self.tests = dict(tests)


def forked(work: Callable[[], None]) -> int:
    """The process that does it, and ends with 0 if no exception stopped it."""
    child = os.fork()
    if child:
        return child
    os.setpgid(0, 0)
    try:
        work()
    except BaseException:
        os._exit(1)
    os._exit(0)


def survivors(room: Room, mutants: Sequence[Mutant], jobs: int) -> Iterator[Mutant]:
    """Those with which all of their tests pass, as they are found; a test that takes too long has noticed them."""

    def work() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        apply(mutant, room.functions[str(SOURCE / mutant.file)])
        room.run(room.tests_of(mutant), stop=True)
        if room.failed:
            raise AssertionError

    running: dict[int, tuple[Mutant, float]] = {}
    waiting = list(reversed(mutants))
    while waiting or running:
        while waiting and len(running) < jobs:
            mutant = waiting.pop()
            running[forked(work)] = (mutant, time.monotonic() + 20 * SECONDS)
        for child, (each, end) in list(running.items()):
            if time.monotonic() > end:
                os.killpg(child, signal.SIGKILL)
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                del running[child]
                if not status:
                    yield each
        time.sleep(0.005)


def try_room(tests: Sequence[str], files: Sequence[str], options: argparse.Namespace) -> None:
    """Try the files' mutants with a room's tests, in this process."""
    import pytest

    told = os.fdopen(os.dup(1), "w", buffering=1)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)

    def work(room: Room) -> None:
        for file in files:
            every = mutants_of(file)
            count = min(options.most or len(every), len(every))
            chosen = sorted(random.Random(f"{options.seed} {file}").sample(range(len(every)), count))
            alive = 0
            for mutant in survivors(room, [every[at] for at in chosen], options.jobs):
                alive += 1
                unseen = "" if room.tests_of(mutant) else "  (no test runs it)"
                print(f"  {file}:{mutant.line}  {mutant.old[:90]}  ->  {mutant.new[:90]}{unseen}", file=told)
            if every:
                print(f"{file}: {len(every)} mutants, {count} tried, {alive} survive", file=told)

    status = pytest.main(["-q", "-p", "no:cacheprovider", "-m", "not slow", *tests], plugins=[Room(files, work)])
    if status:
        print(f"stopped: pytest ended with {status}", file=told)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", default=list(ROOMS), help="rooms, or files below src/rdpose")
    parser.add_argument("--tests", nargs="*", help="in the place of those of the room")
    parser.add_argument("--most", type=int, default=60, help="mutants of a file, drawn evenly; 0 for all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    os.chdir(REPOSITORY)
    sys.path[:0] = [str(SOURCE.parent)]
    for what in options.what:
        path = SOURCE / what if (SOURCE / what).exists() else SOURCE / f"{what}.py"
        found = sorted(path.rglob("*.py")) if path.is_dir() else [path]
        room, files = what.split("/")[0].removesuffix(".py"), [str(one.relative_to(SOURCE)) for one in found]
        os.waitpid(forked(lambda: try_room(options.tests or ROOMS[room], files, options)), 0)  # noqa: B023


if __name__ == "__main__":
    main()
