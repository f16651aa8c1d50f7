"""Reads a master playlist and all that it names by PyPI's m3u8, over HTTP, and prints what it understood.

Usage: python by_pypi.py URL. deploy/install-deps.sh --tests makes the environment that has the package.
"""

import json
import sys
import urllib.request
from urllib.parse import urljoin

import m3u8


def read(url):
    with urllib.request.urlopen(url) as answer:
        return m3u8.loads(answer.read().decode(), uri=url)


def media(url):
    found = read(url)
    return {
        "kind": found.playlist_type.upper() if found.playlist_type else None,
        "version": int(found.version) if found.version else None,
        "target": found.target_duration,
        "ended": bool(found.is_endlist),
        "independent": bool(found.is_independent_segments),
        "iframes_only": bool(found.is_i_frames_only),
        "discontinuities": sum(segment.discontinuity for segment in found.segments),
        "segments": [
            {
                "uri": urljoin(url, segment.uri),
                "duration": segment.duration,
                "range": segment.byterange,
                "map": urljoin(url, segment.init_section.uri) if segment.init_section else None,
            }
            for segment in found.segments
        ],
    }


def variant(uri, info, audio):
    return {
        "uri": uri,
        "bandwidth": info.bandwidth,
        "average": info.average_bandwidth,
        "resolution": "x".join(map(str, info.resolution)) if info.resolution else None,
        "codecs": info.codecs,
        "frame_rate": getattr(info, "frame_rate", None),
        "audio": audio,
    }


address = sys.argv[1]
master = read(address)
variants = [
    variant(urljoin(address, each.uri), each.stream_info, each.stream_info.audio) for each in master.playlists
]
iframes = [
    variant(urljoin(address, each.uri), each.iframe_stream_info, None) for each in master.iframe_playlists
]
sounds = [
    {"group": each.group_id, "name": each.name, "chosen": each.default == "YES", "uri": urljoin(address, each.uri)}
    for each in master.media
    if each.type == "AUDIO"
]
lists = {each["uri"]: media(each["uri"]) for each in variants + iframes + sounds}
print(json.dumps({"variants": variants, "iframes": iframes, "sounds": sounds, "lists": lists, "wrong": []}))
