"""Hostile and damaged archives: each picture is read, or reported with the reason; no part is lost without a report."""

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from service.errors import ScoringError
from service.scoring.sources import find_pictures


def tar_with(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for member, data in members:
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def write_tar(path: Path, content: bytes) -> Path:
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.mark.parametrize("name", ["photos.tar", "photos.tar.gz"])
def test_what_a_tar_has_in_a_picture_s_place_is_a_fault_and_not_passed_over(tmp_path: Path, name: str) -> None:
    symbolic, hard, device = (tarfile.TarInfo(f"{kind}.png") for kind in ("symbolic", "hard", "device"))
    symbolic.type, symbolic.linkname = tarfile.SYMTYPE, "/etc/passwd"
    hard.type, hard.linkname = tarfile.LNKTYPE, "../up.png"
    device.type = tarfile.CHRTYPE
    content = tar_with((tarfile.TarInfo("../../up.png"), b"up"), (symbolic, b""), (hard, b""), (device, b""))
    up, *others = find_pictures(str(write_tar(tmp_path / name, content)))
    assert (up.name, up.read()) == ("../../up.png", b"up")
    assert [picture.name for picture in others] == ["symbolic.png", "hard.png", "device.png"]
    for picture in others:
        with pytest.raises(ScoringError, match=r"links are not followed|not a regular file"):
            picture.read()


@pytest.mark.parametrize("name", ["photos.tar", "photos.tar.gz"])
def test_a_tar_is_not_read_in_part_in_silence(tmp_path: Path, name: str) -> None:
    first, second = (tar_with((tarfile.TarInfo(f"{number}.png"), bytes(3000))) for number in (1, 2))
    both = bytearray(tar_with((tarfile.TarInfo("1.png"), b"x"), (tarfile.TarInfo("2.png"), b"y" * 3000)))
    both[1024 + 150] ^= 0x7F  # the second header's check sum
    for content in (first + second, bytes(both)):
        with pytest.raises(ScoringError, match="not all of it can be read"):
            list(find_pictures(str(write_tar(tmp_path / name, content))))


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE])
@pytest.mark.parametrize("size", [-512, -1024, 1 << 62])
@pytest.mark.parametrize("name", ["photos.tar", "photos.tar.gz"])
def test_a_tar_that_lies_about_a_length_is_refused(tmp_path: Path, name: str, size: int, kind: bytes) -> None:
    header = bytearray(tarfile.TarInfo("lie.png").tobuf(tarfile.GNU_FORMAT))
    header[124:136] = (size % (1 << 96)).to_bytes(12, "big") if size < 0 else b"\x80" + size.to_bytes(11, "big")
    header[156:157] = kind
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    whole = tar_with((tarfile.TarInfo("1.png"), b"x"))
    with pytest.raises(ScoringError, match=r"impossible length|it was cut off|unexpected end"):
        list(find_pictures(str(write_tar(tmp_path / name, whole[:1024] + header + whole))))


def test_what_cannot_be_read_of_a_zip_is_said_in_plain_words(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "photos.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("secret.png", b"x")
        archive.writestr("bomb.png", bytes(1000))
        archive.writestr("../up.png", b"up")
    content = bytearray((tmp_path / "photos.zip").read_bytes())
    first = content.find(b"PK\1\2")
    second = content.find(b"PK\1\2", first + 4)
    content[first + 8] |= 1  # encrypted
    content[second + 24 : second + 28] = (1 << 30).to_bytes(4, "little")  # its length
    (tmp_path / "photos.zip").write_bytes(content)
    secret, bomb, up = find_pictures(str(tmp_path / "photos.zip"))
    with pytest.raises(ScoringError, match=r"^it is encrypted inside the archive$"):
        secret.read()
    with pytest.raises(ScoringError, match=r"^it has more than 268435456 bytes"):
        bomb.read()
    assert up.read() == b"up"
