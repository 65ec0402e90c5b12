"""Public weights against a server on this machine: listing, fetching, resuming, checking, and every way it may fail."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import rdpose
from rdpose.checkpoints import download, zoo
from rdpose.checkpoints.zoo import PublicWeights

CONTENT = bytes(range(256)) * 10_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
NAME = f"hrnet_w32_coco_256x192-{SHA256[:8]}_20260101.pth"


class Server(ThreadingHTTPServer):
    """Serves CONTENT under any path: /plain knows no ranges, /short breaks off, /missing is not there."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range", "")
        self.server.asked.append(wanted)
        begin = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and "/plain" not in self.path else 0
        if "/missing" in self.path:
            return self.send_error(404)
        if begin >= len(CONTENT):
            return self.send_error(416)
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.send_header("Content-Length", str(len(CONTENT) - begin))
        self.end_headers()
        end = 1_500_000 if "/short" in self.path else len(CONTENT)
        self.wfile.write(CONTENT[begin:end])
        return None

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def listed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_weights_are_fetched_by_name(server: Server, tmp_path: Path) -> None:
    known = {"hrnet_w32_coco_256x192": PublicWeights("hrnet_w32_coco_256x192", f"{server.address}/{NAME}", "AP 1")}
    path = zoo.fetch("hrnet_w32_coco_256x192", tmp_path, known)
    assert path == tmp_path / "pose_coco" / NAME
    assert path.read_bytes() == CONTENT
    assert listed(tmp_path) == [NAME]
    assert zoo.fetch("hrnet_w32_coco_256x192", tmp_path, known) == path
    assert server.asked == [""]  # not asked again


def test_the_name_of_fetched_weights_is_their_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    known = zoo.PUBLIC["hrnet_w32_coco_256x192"]
    file = zoo.FOLDER / known.folder / known.file
    monkeypatch.setenv("WORLD_SIZE", "2")  # each of several processes would fetch it
    with pytest.raises(FileNotFoundError, match="`rdpose weights hrnet_w32_coco_256x192` does it"):
        zoo.located(known.name)
    file.parent.mkdir(parents=True)
    file.touch()
    assert zoo.located(known.name) == file
    assert zoo.located("mine.pth") == Path("mine.pth")
    Path(known.name).touch()  # a file of that name is nearer
    assert zoo.located(known.name) == Path(known.name)


def test_a_name_is_fetched_into_the_cache_at_its_first_use(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RDPOSE_CACHE", str(tmp_path / "cache"))
    name = "hrnet_w32_coco_256x192"
    monkeypatch.setitem(zoo.PUBLIC, name, PublicWeights(name, f"{server.address}/{NAME}"))
    with pytest.raises(ValueError, match=r"w32\S*pth is damaged|cannot be read|is no checkpoint|is not"):
        rdpose.load(name)  # what this server has is no network
    assert (tmp_path / "cache" / NAME).read_bytes() == CONTENT
    assert f"fetching {name} from {server.address}" in capsys.readouterr().err
    assert zoo.located(name) == tmp_path / "cache" / NAME
    assert server.asked == [""]
    monkeypatch.setitem(zoo.PUBLIC, name, PublicWeights(name, f"{server.address}/{NAME.replace(SHA256[:8], '0' * 8)}"))
    with pytest.raises(ValueError, match="is not the file that its name tells, and was removed"):
        zoo.located(name)
    assert listed(tmp_path) == [NAME]


def test_the_cache_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RDPOSE_CACHE", raising=False)
    assert zoo.cache() == Path.home() / ".cache/rdpose"


@pytest.mark.parametrize(
    ("route", "kept", "asked"),
    [
        ("", CONTENT[:1_000_000], "bytes=1000000-"),
        ("/plain", CONTENT[:1_000_000], "bytes=1000000-"),  # the whole file comes, and replaces the part
        ("", CONTENT, f"bytes={len(CONTENT)}-"),  # only the last step was missing
    ],
)
def test_fetching_goes_on_where_it_stopped(server: Server, tmp_path: Path, route: str, kept: bytes, asked: str) -> None:
    (tmp_path / "w.pth.part").write_bytes(kept)
    path = download.fetch(f"{server.address}{route}/w.pth", tmp_path / "w.pth", sha256=SHA256[:8])
    assert path.read_bytes() == CONTENT
    assert listed(tmp_path) == ["w.pth"]
    assert server.asked == [asked]


def test_a_broken_connection_keeps_what_came(server: Server, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"ended after 1,500,000 of 2,560,000 bytes, which are kept.*try again"):
        download.fetch(f"{server.address}/short/w.pth", tmp_path / "w.pth")
    assert (tmp_path / "w.pth.part").stat().st_size == 1_500_000
    assert download.fetch(f"{server.address}/w.pth", tmp_path / "w.pth").read_bytes() == CONTENT
    assert server.asked == ["", "bytes=1500000-"]


@pytest.mark.parametrize("kept", [b"", b"of another file"])
def test_a_wrong_hash_leaves_nothing(server: Server, tmp_path: Path, kept: bytes) -> None:
    if kept:
        (tmp_path / "w.pth.part").write_bytes(kept)
    expected = "00000000" if not kept else SHA256
    with pytest.raises(ValueError, match=rf"is not the file that its name tells, and was removed .* {expected}"):
        download.fetch(f"{server.address}/w.pth", tmp_path / "w.pth", sha256=expected)
    assert listed(tmp_path) == []


def test_another_file_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_text("mine")
    with pytest.raises(ValueError, match="is there, but is another file; remove it"):
        download.fetch("http://127.0.0.1:9/w.pth", tmp_path / "w.pth", sha256="00000000")
    assert (tmp_path / "w.pth").read_text() == "mine"


def test_failures_are_told_in_a_sentence(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    for address, said in (
        (f"{server.address}/missing/w.pth", "could not be fetched .*404.*put the file at"),
        ("http://127.0.0.1:9/w.pth", "could not be fetched .*refused"),
        ("file:///etc/passwd", "is no web address"),
    ):
        with pytest.raises(ValueError, match=said):
            download.fetch(address, path)
    assert listed(tmp_path) == []


def test_names() -> None:
    with pytest.raises(ValueError, match="did you mean hrnet_w32_coco_256x192"):
        zoo.fetch("hrnet_w32_coco_256x19", Path())
    with pytest.raises(ValueError, match=r"fetch pose_resnet_50_256x192\.pth from https://.* to models/pose_coco/"):
        zoo.fetch("pose_resnet50_coco_256x192", Path("models"))


@pytest.mark.parametrize("known", zoo.PUBLIC.values(), ids=lambda known: known.name)
def test_entries_agree_with_their_addresses(known: PublicWeights) -> None:
    lite = known.backbone.startswith("lite_hrnet")
    assert known.megabytes > (4 if lite else 80)
    assert known.file.endswith(".pth")
    short = known.backbone.replace("resnet", "res(net)?_?").replace("_", "[-_]", known.backbone.startswith("hrnet"))
    if known.backbone.startswith("vit_"):
        short = f"ViTPose-{known.backbone.removeprefix('vit_').replace('_', '-')}_"
    assert re.search(known.backbone.replace("_", "") if lite else short, known.file)
    size = re.search(r"\d+x\d+$", known.name)
    assert size is None or size[0] in known.file
    if not known.by_hand:
        assert re.fullmatch(r"[0-9a-f]{8}", known.sha256)
        assert known.address.startswith("https://")


def test_the_table_has_every_entry() -> None:
    lines = zoo.table().splitlines()
    assert len(lines) == len(zoo.PUBLIC) + 2
    assert lines[0].split() == ["name", "MB", "figure", "sha256", "address"]
    for name, known in zoo.PUBLIC.items():
        (line,) = [line for line in lines if line.startswith(f"{name} ")]
        assert (known.file if known.by_hand else known.address) in line
        assert known.sha256 in line
