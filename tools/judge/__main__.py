"""``python -m tools.judge``: exit code 0 when every finding of every judge has a reason, else 1."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections import Counter
from pathlib import Path

from tools.judge import checkov, nag
from tools.judge.apps import APPS, built
from tools.judge.finding import ACKNOWLEDGED, Finding, read, unacknowledged, unused

FOLDER = Path(".judge")


def main() -> None:
    """Judges each app and prints what has no reason, and reasons that nothing needs."""
    parser = argparse.ArgumentParser(prog="make judge", description=__doc__)
    parser.add_argument("--app", action="append", choices=list(APPS), help="one app only; may be repeated")
    names = parser.parse_args().app or list(APPS)
    print("Judging with checkov, which is installed the first time: about 300 MB", file=sys.stderr)
    entries, command = read(), checkov.install(FOLDER / "venv")
    shutil.rmtree(FOLDER / "last", ignore_errors=True)
    findings: list[Finding] = []
    for name in names:
        folder = FOLDER / "last" / name
        print(f"Judging the app '{name}'", file=sys.stderr)
        app = built(name, str(folder / "cdk.out"))
        findings += nag.judged(name, app, (*nag.SOLUTIONS_PACK, *nag.REGULATED_PACKS))
        findings += checkov.judged(name, command, folder / "cdk.out", folder)
    open_findings = unacknowledged(findings, entries)
    # A reason may be for an app that was not judged now.
    stale = unused(findings, entries) if set(names) == set(APPS) else []
    for finding in open_findings:
        print(finding)
    for pattern in stale:
        print(f"{ACKNOWLEDGED.name}: '{pattern}' covers nothing any more; remove it")
    counts = Counter((finding.app, finding.judge) for finding in findings)
    listed = ", ".join(f"{app} {judge} {count}" for (app, judge), count in sorted(counts.items()))
    print(f"{len(findings)} findings ({listed}), {len(open_findings)} without a reason")
    sys.exit(1 if open_findings or stale else 0)


if __name__ == "__main__":
    main()
