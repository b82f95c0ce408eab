"""Does this Python environment satisfy requirements.lock, and does it see this checkout?

run_all.sh feeds this file to the Python of an environment that may hold nothing at all:
``python - CHECKOUT < src/regulome/environment.py``. It says what is wrong and ends with status 1, or is
silent.
"""

import sys
from importlib import metadata, util
from pathlib import Path


def problems(checkout: Path) -> list[str]:
    """Return what keeps this environment from running the checkout: packages that are missing or of another
    version.

    Lines of the lock whose environment marker does not hold here do not count.
    """
    if sys.version_info < (3, 11):  # noqa: UP036, the environment asked may be any
        return [f"Python {sys.version.split()[0]}, expected 3.11 or newer"]
    try:
        from packaging.requirements import Requirement
    except ImportError:
        return ["packaging is missing"]
    found = []
    for line in (checkout / "requirements.lock").read_text(encoding="utf-8").splitlines():
        text = line.split("#")[0].strip()
        if not text:
            continue
        requirement = Requirement(text)
        if requirement.marker and not requirement.marker.evaluate():
            continue
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            found.append(f"{requirement.name} is missing")
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            found.append(f"{requirement.name} is {version}, expected {requirement.specifier}")
    spec = util.find_spec("regulome")
    if spec is None or not Path(spec.origin or "").resolve().is_relative_to(checkout.resolve()):
        found.append("regulome is not installed from this folder (pip install --no-deps -e .)")
    return found


if __name__ == "__main__":
    reasons = problems(Path(sys.argv[1]))
    more = f", and {len(reasons) - 1} more" if len(reasons) > 1 else ""
    if reasons:
        sys.exit(reasons[0] + more)
