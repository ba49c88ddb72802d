"""Makes the library under scripts/ importable from the scripts in this folder: `import _recipe` before `recipe`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))
