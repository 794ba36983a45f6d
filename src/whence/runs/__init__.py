"""The same work over many pictures or texts: the main job, and explanations written to files."""

from whence.runs._catalogue import Line, catalogue
from whence.runs._demo import Demo, demo, readme_picture
from whence.runs._explain import Answer, explain_pictures
from whence.runs._flipping import Flipped
from whence.runs._question import Question, ask, find_class
from whence.runs._subjects import Subject, find_subjects
from whence.runs._text import TextQuestion, ask_texts, explain_texts
from whence.runs._text_subjects import TextSubject, check_one_kind, find_texts
from whence.runs._word_deleting import (
    Difference,
    WordsDeleted,
    blank_words,
    compare_areas,
    delete_words,
    random_orders,
    remove_words,
)

__all__ = [
    "Answer",
    "Demo",
    "Difference",
    "Flipped",
    "Line",
    "Question",
    "Subject",
    "TextQuestion",
    "TextSubject",
    "WordsDeleted",
    "ask",
    "ask_texts",
    "blank_words",
    "catalogue",
    "check_one_kind",
    "compare_areas",
    "delete_words",
    "demo",
    "explain_pictures",
    "explain_texts",
    "find_class",
    "find_subjects",
    "find_texts",
    "random_orders",
    "readme_picture",
    "remove_words",
]
