"""Data files: cache, mirror and download from real local servers; only verified files are kept."""

import hashlib
import http.server
import os
import socket
import threading
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from regulome import data
from regulome.errors import UserError
from regulome.tables import read_table

CONTENT = b"hb,Kr\n" + b"0.5,0.25\n" * 5000
REPOSITORY = Path(__file__).resolve().parents[1]


def entry(**changes):
    fields = {
        "file": "profile.csv",
        "bytes": len(CONTENT),
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
        "repository": "owner/name",
        "commit": "0123456789abcdef" * 2 + "01234567",
        "path": "folder/profile.csv",
        "licence": "MIT",
        "citation": "Someone, Journal 1:1 (2021)",
        "content": "two columns",
    }
    return {name: value for name, value in (fields | changes).items() if value is not None}


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves the file in good and bad ways; the way is the first part of the path."""

    def do_GET(self):
        self.server.requests[self.path] += 1
        way = self.path.split("/")[1]
        if way == "missing":
            self.send_error(404)
            return
        body = CONTENT.replace(b"0.5", b"0.6", 1) if way == "changed" else CONTENT
        self.send_response(200)
        if way != "unannounced":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if way in ("truncated", "unannounced") else body)
        self.close_connection = True

    def log_message(self, *arguments):
        pass


@contextmanager
def running_server():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.requests = Counter()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def server():
    with running_server() as server:
        yield server


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """Return a function that writes a registry with one entry `profile` and points everything to tmp_path."""
    monkeypatch.setenv("REGULOME_ROOT", str(tmp_path / "checkout"))
    monkeypatch.setenv("REGULOME_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("REGULOME_MIRROR", raising=False)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1,localhost")
    (tmp_path / "checkout" / "data").mkdir(parents=True)

    def write(**changes):
        text = yaml.safe_dump({"profile": entry(**changes)})
        (tmp_path / "checkout" / "data" / "registry.yaml").write_text(text)

    write()
    return write


def url(server, way):
    return f"http://127.0.0.1:{server.server_address[1]}/{way}/profile.csv"


def files_below(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def in_mirror(tmp_path, content=CONTENT):
    file = tmp_path / "mirror" / "profile" / "profile.csv"
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    return file


def test_a_download_is_verified_cached_and_not_repeated(tmp_path, checkout, server):
    checkout(url=url(server, "good"))
    first = data.fetch("profile")
    assert first == tmp_path / "cache" / "profile" / "profile.csv"
    assert first.read_bytes() == CONTENT
    assert data.fetch("profile") == first
    assert sum(server.requests.values()) == 1
    assert files_below(tmp_path / "cache") == ["profile/profile.csv"]


def test_a_filled_cache_serves_as_a_mirror(tmp_path, checkout, server, monkeypatch):
    checkout(url=url(server, "good"))
    data.fetch("profile")
    monkeypatch.setenv("REGULOME_CACHE", str(tmp_path / "other"))
    assert data.fetch("profile", mirror=tmp_path / "cache") == tmp_path / "cache" / "profile" / "profile.csv"


@pytest.mark.parametrize("way", ["changed", "unannounced"])
def test_a_download_with_another_checksum_is_refused_and_not_kept(tmp_path, checkout, server, way):
    checkout(url=url(server, way))
    with pytest.raises(UserError) as error:
        data.fetch("profile")
    body = CONTENT.replace(b"0.5", b"0.6", 1) if way == "changed" else CONTENT[: len(CONTENT) // 2]
    assert f"found:    sha256 {hashlib.sha256(body).hexdigest()}, {len(body)} bytes" in str(error.value)
    assert f"expected: sha256 {hashlib.sha256(CONTENT).hexdigest()}, {len(CONTENT)} bytes" in str(error.value)
    assert url(server, way) in str(error.value)
    assert files_below(tmp_path / "cache") == []


def test_a_truncated_download_is_refused_not_kept_and_can_be_repeated(tmp_path, checkout, server):
    checkout(url=url(server, "truncated"))
    with pytest.raises(UserError, match="could not be downloaded"):
        data.fetch("profile")
    assert files_below(tmp_path / "cache") == []
    checkout(url=url(server, "good"))
    assert data.fetch("profile").read_bytes() == CONTENT


def test_a_file_that_the_server_does_not_have_is_named(tmp_path, checkout, server):
    checkout(url=url(server, "missing"))
    with pytest.raises(UserError, match=r"missing/profile\.csv: the server answered 404 Not Found"):
        data.fetch("profile")
    assert files_below(tmp_path / "cache") == []


def test_without_a_network_the_message_says_where_was_looked_and_what_to_do(tmp_path, checkout, monkeypatch):
    with socket.socket() as unused:  # bound but not listening: connections are refused
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}/profile.csv"
        checkout(url=address)
        with pytest.raises(UserError) as error:
            data.fetch("profile", mirror=tmp_path / "mirror")
        with pytest.raises(UserError, match="mirror:   none given"):
            data.fetch("profile")
    message = str(error.value)
    assert f"cache:    {tmp_path}/cache/profile/profile.csv: no such file" in message
    assert f"mirror:   {tmp_path}/mirror/profile/profile.csv: no such file" in message
    assert f"download: {address}: ConnectionError" in message
    assert "place the file at FOLDER/profile/profile.csv and set REGULOME_MIRROR=FOLDER" in message


def test_the_mirror_is_read_in_place_before_any_download(tmp_path, checkout, server, monkeypatch):
    checkout(url=url(server, "good"))
    file = in_mirror(tmp_path)
    assert data.fetch("profile", mirror=tmp_path / "mirror") == file
    monkeypatch.setenv("REGULOME_MIRROR", str(tmp_path / "mirror"))
    assert data.fetch("profile") == file
    assert data.fetch("profile", mirror="") == file
    assert not server.requests
    assert not (tmp_path / "cache").exists()


def test_a_file_missing_in_the_mirror_is_downloaded(tmp_path, checkout, server):
    checkout(url=url(server, "good"))
    assert data.fetch("profile", mirror=tmp_path / "mirror").is_relative_to(tmp_path / "cache")


def test_the_cache_comes_before_the_mirror(tmp_path, checkout):
    in_mirror(tmp_path, b"never read")
    cached = tmp_path / "cache" / "profile" / "profile.csv"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(CONTENT)
    assert data.fetch("profile", mirror=tmp_path / "mirror") == cached


@pytest.mark.parametrize("place", ["cache", "mirror"])
def test_a_corrupted_file_in_cache_or_mirror_is_refused_by_name(tmp_path, checkout, place):
    file = tmp_path / place / "profile" / "profile.csv"
    file.parent.mkdir(parents=True)
    file.write_bytes(CONTENT[:-1])
    with pytest.raises(UserError) as error:
        data.fetch("profile", mirror=tmp_path / "mirror")
    assert str(error.value).startswith(f"{file}: wrong content for 'profile'")
    assert hashlib.sha256(CONTENT[:-1]).hexdigest() in str(error.value)
    assert hashlib.sha256(CONTENT).hexdigest() in str(error.value)


def test_a_cache_that_cannot_be_made_is_named(tmp_path, checkout, server, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("REGULOME_CACHE", str(tmp_path / "file"))
    checkout(url=url(server, "good"))
    with pytest.raises(UserError, match=r"cannot write to the cache folder .*file/profile .*set REGULOME_CACHE"):
        data.fetch("profile")
    assert (tmp_path / "file").read_text() == "in the way"


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_read_only_cache_is_named(tmp_path, checkout, server):
    (tmp_path / "cache").mkdir(mode=0o500)
    checkout(url=url(server, "good"))
    with pytest.raises(UserError, match=r"Permission denied.*set REGULOME_CACHE"):
        data.fetch("profile")


def test_an_unknown_key_names_the_closest_one(checkout):
    with pytest.raises(UserError, match=r"unknown data key 'profil' \(did you mean 'profile'\?\)"):
        data.fetch("profil")


def test_the_address_is_the_raw_file_at_the_commit(checkout):
    checkout(path="a folder/profile#1.csv")
    commit = entry()["commit"]
    expected = f"https://raw.githubusercontent.com/owner/name/{commit}/a%20folder/profile%231.csv"
    assert data.describe("profile").address == expected
    assert data.citation("profile") == {
        "key": "profile",
        "citation": "Someone, Journal 1:1 (2021)",
        "licence": "MIT",
        "content": "two columns",
        "address": expected,
        "sha256": entry()["sha256"],
    }


PLACED = dict.fromkeys(("bytes", "sha256", "repository", "commit", "path"))


def test_a_file_that_only_its_page_offers_is_read_where_the_user_placed_it(tmp_path, checkout):
    checkout(page="https://example.org/screens", **PLACED)
    with pytest.raises(UserError) as error:
        data.fetch("profile", mirror=tmp_path / "mirror")
    assert "get profile.csv from https://example.org/screens and place it at FOLDER/profile/profile.csv" in str(
        error.value
    )
    file = in_mirror(tmp_path, b"any content")
    assert data.fetch("profile", mirror=tmp_path / "mirror") == file
    assert data.citation("profile")["address"] == "https://example.org/screens"


def test_a_placed_file_with_a_registered_checksum_is_verified(tmp_path, checkout):
    checkout(page="https://example.org/screens", **PLACED | {"sha256": entry()["sha256"]})
    in_mirror(tmp_path, b"another content")
    with pytest.raises(UserError, match="wrong content for 'profile'"):
        data.fetch("profile", mirror=tmp_path / "mirror")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"page": "example.org"},
            "field 'page': found 'example.org' (11 characters); expected an http or https address",
        ),
        ({"sha256": None}, "missing field 'sha256'"),
        ({"licence": None}, "missing field 'licence'"),
        ({"license": "MIT"}, "unknown field 'license' (did you mean 'licence'?)"),
        ({"sha256": "abc"}, "field 'sha256': found 'abc' (3 characters); expected 64 hexadecimal digits"),
        ({"sha256": "A" * 64}, "field 'sha256'"),
        ({"commit": "main"}, "field 'commit': found 'main'"),
        ({"repository": "name"}, "field 'repository': found 'name' (4 characters); expected OWNER/NAME"),
        ({"file": "a/b.csv"}, "field 'file'"),
        ({"file": ".."}, "field 'file'"),
        ({"bytes": 0}, "field 'bytes': found 0; expected a positive whole number"),
        ({"bytes": True}, "field 'bytes'"),
        ({"citation": " "}, "field 'citation'"),
        ({"url": "ftp://x/y"}, "field 'url'"),
    ],
)
def test_a_faulty_registry_entry_is_named_by_file_entry_and_field(tmp_path, checkout, changes, message):
    checkout(**changes)
    with pytest.raises(UserError) as error:
        data.keys()
    assert f"{tmp_path}/checkout/data/registry.yaml, entry 'profile'" in str(error.value)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: {b: 1}\na: {b: 2}\n", "row 2: 'a' appears twice"),
        ("a:\n  file: x\n  file: y\n", "row 3: 'file' appears twice"),
        ("a: [1, 2\nb: 3\n", "not valid YAML at line 2"),
        ("- a\n- b\n", "found list; expected one mapping per data file"),
        ("a: 3\n", "entry 'a': found int; expected the fields of a data file"),
        ("a b: {file: x}\n", "entry 'a b': the key must have letters, digits and underscores only"),
    ],
)
def test_a_broken_registry_is_named_by_file_and_row(tmp_path, text, message):
    file = tmp_path / "registry.yaml"
    file.write_text(text)
    with pytest.raises(UserError) as error:
        data.load_registry(file)
    assert str(file) in str(error.value)
    assert message in str(error.value)


def test_a_missing_registry_is_named(tmp_path):
    with pytest.raises(UserError, match=r"absent\.yaml: cannot be read"):
        data.load_registry(tmp_path / "absent.yaml")


def test_the_registry_of_the_repository_is_valid():
    registry = data.load_registry(REPOSITORY / "data" / "registry.yaml")
    assert {"flyex_gap_nc14_t7", "flyex_gap_time_series"} <= set(registry)


def test_the_registered_files_that_a_source_names_are_found():
    names = data.keys()
    assert data.named_in(f"{names[3]} and {names[1]}, counts") == [names[1], names[3]]
    assert data.named_in("simulated") == []


@pytest.mark.skipif(not os.environ.get("REGULOME_MIRROR"), reason="needs REGULOME_MIRROR, a folder with the real data")
def test_the_real_gap_gene_files_are_what_their_entries_say(tmp_path, monkeypatch):
    monkeypatch.setenv("REGULOME_ROOT", str(REPOSITORY))
    monkeypatch.setenv("REGULOME_CACHE", str(tmp_path))
    profile = read_table(data.fetch("flyex_gap_nc14_t7"), ["hb", "Kr", "kni", "gt", "tll"], header=False, low=0)
    assert profile.shape == (91, 5)
    assert profile.max().round(2).tolist()[:4] == [0.91, 0.98, 0.93, 0.96]
    series = read_table(data.fetch("flyex_gap_time_series"), ["AP", "gt", "kni", "kr", "hb", "time"], low=0)
    assert sorted(series["time"].unique()) == list(range(1, 9))
