"""Learning a dynamic scene online, frame by frame, from synchronised photos (QUEEN)."""
