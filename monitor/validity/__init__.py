"""Was the simulated user a fair one? A conversation whose user was not says nothing about the assistant.

Fixed openings and scripted turns are the author's and never unfair.
"""

from monitor.validity.defects import Defect, Unfairness, as_unfair, defect_of, defects
from monitor.validity.departure import QUESTIONS, Departed, departure_of

__all__ = ["QUESTIONS", "Defect", "Departed", "Unfairness", "as_unfair", "defect_of", "defects", "departure_of"]
