"""The values of an edited model: those of its checkpoint under other keys."""

from __future__ import annotations

from collections.abc import Mapping

from graphscope.core.model import Model
from graphscope.core.values.payload import Payload
from graphscope.core.variables.variables import Entry, VariableStore


class RenamedStore:
    """The values of another store, under other keys.

    Args:
        store: holds the values.
        keys: old key -> new key, for those that change.
    """

    def __init__(self, store: VariableStore, keys: Mapping[str, str]) -> None:
        self._store = store
        self._old = {keys.get(key, key): key for key in store.entries}
        self.entries: Mapping[str, Entry] = {
            keys.get(key, key): entry._replace(key=keys.get(key, key)) for key, entry in store.entries.items()
        }

    def payload(self, key: str) -> Payload:
        """The content behind ``key``; raises ``KeyError`` if there is none."""
        return self._store.payload(self._old[key])


class NamedValues:
    """Values by the names of the variables that they belong to, as a checkpoint holds them.

    Args:
        payloads: variable -> content.
    """

    def __init__(self, payloads: Mapping[str, Payload]) -> None:
        self._payloads = payloads
        self.entries: Mapping[str, Entry] = {
            key: Entry(key, p.dtype, p.shape, 0, 0, p.nbytes) for key, p in payloads.items()
        }

    def payload(self, key: str) -> Payload:
        """The content behind ``key``; raises ``KeyError`` if there is none."""
        return self._payloads[key]


def values_by_name(model: Model) -> dict[str, Payload]:
    """The content of each variable of the graph that has one, by the variable's name. No I/O."""
    return {v.name: model.fitting_value(v) for v in model.variables if v.in_graph and v.key is not None}


def renamed_keys(model: Model, names: Mapping[str, str]) -> dict[str, str]:
    """Old key -> new key: of variables that are stored under their own names, and of the partitions of one."""
    keys: dict[str, str] = {}
    for variable in model.variables:
        new = names.get(variable.name)
        if new is None or variable.key is None:
            continue
        if variable.key == variable.name:
            keys[variable.key] = new
        elif variable.slice is not None and variable.name.startswith(f"{variable.key}/"):
            part = variable.name[len(variable.key) :]
            if new.endswith(part):
                keys[variable.key] = new.removesuffix(part)
    return keys
