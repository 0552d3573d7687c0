import hashlib
import json
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from twin import plaindata
from twin.errors import StorageError
from twin.ports import TRACK

ARRAYS = hnp.arrays(st.sampled_from([np.float64, np.float32, np.int64, np.bool_, np.uint8]), hnp.array_shapes(max_dims=2, max_side=4))
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | ARRAYS
PLAIN = st.recursive(
    LEAVES,
    lambda one: st.lists(one, max_size=4) | st.dictionaries(st.text(max_size=6) | st.integers(), one, max_size=4) | st.tuples(one, one),
    max_leaves=12,
)


def same(a: object, b: object) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, dict):
        return len(a) == len(b) and all(same(k, m) and same(v, w) for (k, v), (m, w) in zip(a.items(), b.items(), strict=True))
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return np.float64(a).tobytes() == np.float64(b).tobytes() if isinstance(a, float) else a == b


@given(PLAIN)
@settings(max_examples=300, deadline=None)
def test_plain_data_comes_back_as_it_was(value):
    arrays: list[np.ndarray] = []
    tree = json.loads(json.dumps(plaindata.encode(value, arrays)))
    assert same(plaindata.decode(tree, dict(enumerate(arrays))), value)


def test_a_file_holds_records_random_streams_and_numbers_of_any_size(tmp_path):
    tracks = np.zeros(3, TRACK)
    tracks["x_m"] = [1.5, np.nan, np.inf]
    state = {
        "tracks": tracks,
        "rng": np.random.default_rng([1, 2]).bit_generator.state,
        "$array": 7,
        "sum": np.float64(0.1),
        5: (1, [b"\0"]),
    }
    plaindata.write(tmp_path / "a", state)
    plaindata.write(tmp_path / "b", state)
    read = plaindata.read(tmp_path / "a")
    assert same({**read, "sum": float(read["sum"])}, {**state, "sum": 0.1}) and isinstance(read["sum"], np.float64)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("value", [object(), {1, 2}, np.array([object()]), lambda: None, 1j])
def test_what_is_not_plain_is_refused(value):
    with pytest.raises(TypeError, match="no plain data"):
        plaindata.encode([value], [])


def _harmed(path, harm):
    plaindata.write(path, {"a": np.arange(3)})
    if harm == "cut":
        path.write_bytes(path.read_bytes()[:-40])
    elif harm == "flipped":
        data = bytearray(path.read_bytes())
        data[45] ^= 255
        path.write_bytes(data)
    elif harm == "nothing":
        path.write_bytes(b"")
    else:
        said = {"word": '{"format": 1, "state": {"$eval": "1"}}', "text": "[", "bare": "7", "deep": "[" * 100_000}[harm]
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("state.json", said)
        _sealed(path)


def _sealed(path):
    """Give a file made by hand the digest at its end, so that it is read on."""
    path.write_bytes(path.read_bytes() + hashlib.sha256(path.read_bytes()).digest())


def test_no_byte_of_a_file_can_be_another_unseen(tmp_path):
    plaindata.write(tmp_path / "x", {"a": np.arange(3)})
    held = (tmp_path / "x").read_bytes()
    for i in range(len(held)):
        (tmp_path / "x").write_bytes(held[:i] + bytes([held[i] ^ 1]) + held[i + 1 :])
        with pytest.raises(StorageError, match="damaged"):
            plaindata.read(tmp_path / "x")


@pytest.mark.parametrize("harm", ["cut", "flipped", "nothing", "word", "text", "bare", "deep"])
def test_a_damaged_file_is_named_in_one_line(tmp_path, harm):
    _harmed(tmp_path / "x", harm)
    with pytest.raises(StorageError) as caught:
        plaindata.read(tmp_path / "x")
    assert str(caught.value).startswith(str(tmp_path / "x")) and "\n" not in str(caught.value)


def test_arrays_of_objects_in_a_strangers_file_are_not_unpickled(tmp_path):
    with zipfile.ZipFile(tmp_path / "x", "w") as file:
        file.writestr("state.json", '{"format": 1, "state": {"$array": 0}}')
        with file.open("0.npy", "w") as one:
            np.save(one, np.array([object()]), allow_pickle=True)
    _sealed(tmp_path / "x")
    with pytest.raises(StorageError, match="allow_pickle"):
        plaindata.read(tmp_path / "x")


def test_another_format_is_refused_by_its_number(tmp_path):
    with zipfile.ZipFile(tmp_path / "x", "w") as file:
        file.writestr("state.json", '{"format": 2, "state": null}')
    _sealed(tmp_path / "x")
    with pytest.raises(StorageError, match="format 2; this version reads format 1"):
        plaindata.read(tmp_path / "x")
