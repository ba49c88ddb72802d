"""Recordings that are no local files: what is an address or a command, and which addresses are the same recording.

A signature makes an address valid for some hours and says nothing of what lies there. So what S3, Google, Azure,
CloudFront, Alibaba and Tencent sign addresses with is left out where recordings are told apart; any other query may
choose what is answered, and stays.
"""

import re
from urllib.parse import unquote_plus, urlsplit, urlunsplit

OBJECTS = ("s3", "gs")  # schemes of object storage
_URL = re.compile(r"(?:https?|s3|gs)://", re.IGNORECASE)
# A shard or an ark, and the byte in it where a recording begins. A number behind anything else may be part of a name.
_SHARD = re.compile(r"((?:https?|s3|gs)://[^/?#]+/[^?#]+\.(?:tar|ark)(?:[?#].*)?):(\d+)\Z", re.IGNORECASE | re.DOTALL)
# By whom: S3 (version 4, version 2), Google, CloudFront, Alibaba, Tencent, and the fields of Azure's shared access.
_SIGNED = re.compile(
    r"x-amz-.+|awsaccesskeyid|signature|expires|x-goog-.+|googleaccessid|key-pair-id|policy|x-oss-.+|ossaccesskeyid"
    r"|security-token|q-.+|x-cos-security-token|s[vrpetsi]|sig|spr|sip|srt|sdd|scid|skoid|sktid|skt|ske|sks|skv"
)
# Others of these names are left out only beside one of them: alone they may mean anything.
_SIGNING = {"x-amz-signature", "x-goog-signature", "x-oss-signature", "q-signature", "signature", "sig"}


def is_url(source: str) -> bool:
    """Whether a wav.scp entry is an address (http, https, s3 or gs), of a recording or of a place in a shard."""
    return _URL.match(source) is not None


def is_command(source: str) -> bool:
    """Whether a wav.scp entry is a shell command (`... |`)."""
    return source.rstrip().endswith("|")


def is_object(source: str) -> bool:
    """Whether an address is one of object storage."""
    return source.partition("://")[0].lower() in OBJECTS


def split_shard(source: str) -> tuple[str, int] | None:
    """(address, byte) of `https://.../x.tar:1536`, a recording within a tar or an ark; None for other sources."""
    match = _SHARD.fullmatch(source)
    return (match[1], int(match[2])) if match else None


def identity(url: str) -> str:
    """An address without its signature: equal for all addresses of the same recording."""
    try:
        parts = urlsplit(url)
    except ValueError:  # no address at all; whoever asks for it will say so
        return url
    fields = [field for field in parts.query.split("&") if field]
    if not any(_name(field) in _SIGNING for field in fields):
        return url
    kept = [field for field in fields if not _SIGNED.fullmatch(_name(field))]
    return urlunsplit((parts.scheme.lower(), parts.netloc.lower(), parts.path, "&".join(kept), ""))


def path_of(url: str) -> str:
    """An address without query and fragment."""
    return url.split("?")[0].split("#")[0]


def same_recording(source: str) -> str:
    """What tells a wav.scp entry from others: an address without its signature, in a shard with the byte."""
    if shard := split_shard(source):
        return f"{identity(shard[0])}:{shard[1]}"
    return identity(source) if is_url(source) else source


def _name(field: str) -> str:
    return unquote_plus(field.partition("=")[0]).lower()
