"""Dynamic scenes: frames coded as what changes from one to the next."""
