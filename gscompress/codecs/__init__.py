"""Codecs: one attribute group to integer symbols and back."""
