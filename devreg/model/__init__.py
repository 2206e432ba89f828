"""Values and pure logic. No I/O, standard library only."""
