"""Downloads of the page: they go on where they broke, are bounded, and give the bytes."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from tests.viewer.breaking import breaking

SIZE = 300_000
HASTY = {"silence": 5000, "attempts": 3, "firstPause": 5, "longestPause": 10}


@pytest.fixture
def folder(tmp_path):
    data = np.random.default_rng(0).integers(0, 256, SIZE, np.uint8).tobytes()
    (tmp_path / "x.bin").write_bytes(data)
    return tmp_path


def download(node, url, **options):
    (answer,) = node([{"download": url, "patience": HASTY, **options}])
    return answer


def whole(folder):
    data = (folder / "x.bin").read_bytes()
    return {"bytes": len(data), "digest": hashlib.sha256(data).hexdigest()}


def test_a_broken_download_goes_on_where_it_was(node, folder):
    with breaking(folder, troubles={"x.bin": ["break", "break"]}) as host:
        answer = download(node, host.url + "x.bin", size=SIZE)
    assert answer == {**whole(folder), "retries": 2, "resumed": 2}
    starts = [int(wanted.removeprefix("bytes=")[:-1]) for _, wanted in host.asked if wanted]
    assert host.asked[0] == ("x.bin", None)
    assert len(starts) == 2
    assert 0 < starts[0] <= SIZE // 2 < starts[1] < SIZE  # what was on its way may be lost


def test_a_host_that_knows_no_ranges_begins_anew(node, folder):
    with breaking(folder, troubles={"x.bin": ["break"]}, ranges=False) as host:
        answer = download(node, host.url + "x.bin")
    assert answer == {**whole(folder), "retries": 1, "resumed": 0}


def test_attempts_that_bring_nothing_are_counted(node, folder):
    """Three in a row are the end; where some bytes come in between, it goes on."""
    with breaking(folder, troubles={"x.bin": ["fail", "fail", "break", "fail"]}) as host:
        answer = download(node, host.url + "x.bin")
    assert answer == {**whole(folder), "retries": 4, "resumed": 1}
    with breaking(folder, troubles={"x.bin": ["fail"] * 9}) as host:
        answer = download(node, host.url + "x.bin")
    assert answer["error"] == "trouble with x.bin, 3 times"
    assert len(host.asked) == 3
    # The same half of it again and again is no progress.
    with breaking(folder, troubles={"x.bin": ["break"] * 9}, ranges=False) as host:
        answer = download(node, host.url + "x.bin")
    assert answer["error"].endswith(", 3 times")
    assert 3 <= len(host.asked) <= 5


def test_what_is_not_there_is_not_asked_for_again(node, folder):
    with breaking(folder, troubles={"x.bin": ["gone"]}) as host:
        assert download(node, host.url + "x.bin")["error"] == "trouble with x.bin"
        assert len(host.asked) == 1


def test_a_file_of_another_length_is_the_callers_to_refuse(node, folder):
    with breaking(folder, troubles={"x.bin": []}) as host:
        assert download(node, host.url + "x.bin", size=SIZE + 7) == {
            **whole(folder),
            "retries": 0,
            "resumed": 0,
        }
        assert SIZE // 2 < download(node, host.url + "x.bin", size=SIZE // 2)["bytes"] <= SIZE
        assert [wanted for _, wanted in host.asked] == [None, None]
