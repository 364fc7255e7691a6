from __future__ import annotations

import pytest

from automode_constructs.specs.nodes.advanced_security import AdvancedSecurity
from tests.refusal import made, refusal


@pytest.mark.parametrize("lockdown", ["integrity", "none", "Integrity", "None"])
def test_either_spelling_of_the_kernel_lockdown_passes(lockdown: str) -> None:
    security = made(AdvancedSecurity, fips=True, kernel_lockdown=lockdown)
    assert security.to_manifest() == {"fips": True, "kernelLockdown": lockdown}
    assert AdvancedSecurity.from_manifest(security.to_manifest()) == security


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("fips", "true", "fips: needs true or false, got 'true'"),
        (
            "kernel_lockdown",
            "confidentiality",
            "kernel_lockdown: 'confidentiality' is not allowed; use one of 'integrity', 'none', 'Integrity', 'None'",
        ),
        (
            "kernel_lockdown",
            False,
            "kernel_lockdown: False is not allowed; use one of 'integrity', 'none', 'Integrity', 'None'",
        ),
    ],
)
def test_other_values_are_refused(field: str, value: object, message: str) -> None:
    assert refusal(lambda: made(AdvancedSecurity, **{field: value})) == message
