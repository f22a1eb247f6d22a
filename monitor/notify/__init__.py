"""Telling people: one small adapter per channel behind one seam, `contract.Notifier`."""
