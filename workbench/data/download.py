"""Fetching a file: with progress, checked, and in place only when it is complete."""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from workbench.data.base import DataError
from workbench.storage.atomic import written_aside

_BLOCK = 2**18
_TIMEOUT_SECONDS = 30


def download(url: str, file: Path, md5: str, report: Callable[[str, float], None]) -> None:
    """Fetch ``url`` into ``file`` unless it is there already with this MD5.

    report hears the megabytes that have come and the share of the whole, 0–1 (0 where the server does not say how much
    it is). Raises DataError if the server cannot be reached or sent something else; OSError if the disk refuses.
    """
    if file.is_file() and _md5(file) == md5:
        report(f"{file.name} is already there", 1.0)
        return
    partial = file.with_name(f"{file.name}.partial")
    digest = hashlib.md5(usedforsecurity=False)
    done = 0
    with written_aside(file, partial=partial):
        with partial.open("wb") as target, _opened(url, file) as answer:
            size = int(answer.headers.get("Content-Length") or 0)
            while block := _next_block(answer, url, file):
                target.write(block)
                digest.update(block)
                done += len(block)
                report(
                    f"{file.name}: {done / 1e6:.0f}{f' of {size / 1e6:.0f}' if size else ''} MB",
                    done / size if size else 0.0,
                )
        if digest.hexdigest() != md5:
            raise DataError(
                f"{url} sent {done:,} bytes with MD5 {digest.hexdigest()}, expected {md5}: "
                "the download was cut short or changed on its way; try again"
            )


def _opened(url: str, file: Path) -> http.client.HTTPResponse:
    request = urllib.request.Request(url, headers={"User-Agent": "workbench"})
    try:
        answer: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS)
    except (OSError, http.client.HTTPException) as error:
        raise _unreachable(url, file, error) from error
    return answer


def _next_block(answer: http.client.HTTPResponse, url: str, file: Path) -> bytes:
    try:
        return answer.read(_BLOCK)
    except (OSError, http.client.HTTPException) as error:
        raise _unreachable(url, file, error) from error


def _unreachable(url: str, file: Path, error: Exception) -> DataError:
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    return DataError(
        f"cannot download {url}: {reason or type(error).__name__}; try again, or fetch it elsewhere and save it "
        f"as {file}, then give the same command again"
    )


def _md5(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
