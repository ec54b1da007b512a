"""The README's transcripts are true."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_every_transcript_of_the_readme_is_what_happens():
    done = subprocess.run(
        [ROOT / "scripts" / "demo"], capture_output=True, text=True, timeout=55, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("ok  ") >= 3
