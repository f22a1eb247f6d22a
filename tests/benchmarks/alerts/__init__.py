"""How soon the rules find what got worse, and how often they are wrong."""
