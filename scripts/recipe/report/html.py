"""What HTML pages are made of: our templates, and style, script and data within the page."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

ASSETS = Path(__file__).parent / "assets"


def templates() -> jinja2.Environment:
    """Our templates: text is escaped, and a name that is not given is an error."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(ASSETS),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def asset(name: str) -> Markup:
    """A file of our own beside the page, as it is: it holds no `</style` or `</script`."""
    return Markup((ASSETS / name).read_text(encoding="utf-8"))


def policy(style: str, script: str) -> str:
    """A content security policy: only our own style and script, and no network."""

    def source(content: str) -> str:
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode("ascii")
        return f"'sha256-{digest}'"

    return (
        f"default-src 'none'; style-src {source(style)}; script-src {source(script)}; "
        "media-src data: 'self' file:; img-src data:"
    )


def embed_json(value: Any) -> Markup:
    """JSON for a script element: no character in it can end the element or begin a comment or an entity."""
    encoded = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for char in "<>&\u2028\u2029":
        encoded = encoded.replace(char, f"\\u{ord(char):04x}")
    return Markup(encoded)
