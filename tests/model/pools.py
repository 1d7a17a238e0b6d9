"""The pools of every history: small, so that each of them is often full."""

from harness import world
from moorage_server.domain import resources

COOLDOWN = 2  # seconds, of the pool "cool"
SHARED = resources.BlockAffinity.NONE
POOLS = (
    world.pool("cool", "10.0.0.0/30", block_size=31, block_affinity=SHARED, cooldown=COOLDOWN),
    world.pool("node", "10.0.1.0/29", block_size=31),
    world.pool("six", "fd00::/126", block_size=127, block_affinity=SHARED),
)
BY_NAME = {each.name: each for each in POOLS}
