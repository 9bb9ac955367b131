"""Coders: integer symbols to bytes and back."""
