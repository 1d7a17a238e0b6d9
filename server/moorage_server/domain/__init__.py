"""Pure decisions about pools, blocks and addresses; standard library only."""
