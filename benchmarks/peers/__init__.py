"""Other chat servers, measured beside ours: `python -m benchmarks.run peers`."""

from collections.abc import Mapping

from benchmarks.peers.ejabberd import Ejabberd, EjabberdArchive
from benchmarks.peers.prosody import Prosody, ProsodyArchive
from benchmarks.peers.synapse import Synapse
from benchmarks.targets import Target

KINDS: Mapping[str, type[Target]] = {
    kind.name: kind for kind in (Ejabberd, EjabberdArchive, Prosody, ProsodyArchive, Synapse)
}
