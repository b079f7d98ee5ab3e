"""pytest plugin of the contract kit: readable assertions and the installed components.

Installed with the package, so that a plugin's own tests need nothing but
``from tomodrgn.testing import DecoderContract``.
"""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite(
    "tomodrgn.core.testing.component_contract",
    "tomodrgn.core.testing.contracts",
    "tomodrgn.core.testing.exporter_contract",
    "tomodrgn.core.testing.reader_contract",
)


@pytest.fixture(scope="session")
def installed_components() -> object:
    """Registry of every installed component."""
    from tomodrgn.core.manager import load_plugins
    from tomodrgn.core.registry import Registry

    return Registry(load_plugins())
