"""The same work over many pictures: the main job, and explanations written to files."""

from whence.runs._catalogue import Line, catalogue
from whence.runs._demo import Demo, demo, readme_picture
from whence.runs._explain import Answer, explain_pictures
from whence.runs._flipping import Flipped
from whence.runs._question import Question, ask, find_class
from whence.runs._subjects import Subject, find_subjects

__all__ = [
    "Answer",
    "Demo",
    "Flipped",
    "Line",
    "Question",
    "Subject",
    "ask",
    "catalogue",
    "demo",
    "explain_pictures",
    "find_class",
    "find_subjects",
    "readme_picture",
]
