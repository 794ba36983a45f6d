"""The same work over many pictures or texts: the main job, and explanations written to files."""

from whence.runs._calibrate import training_patterns
from whence.runs._catalogue import Line, catalogue
from whence.runs._demo import Demo, demo, readme_picture
from whence.runs._evaluate import evaluate
from whence.runs._evaluation import Comparison, Evaluation, MeanCurve, Rank
from whence.runs._evaluation_pages import failure_lines
from whence.runs._explain import Answer, explain_pictures
from whence.runs._maximize import Effort, Searched, find_prototypes
from whence.runs._prototype_ask import Search, ask_prototypes
from whence.runs._prototype_choices import prior_choices
from whence.runs._prototype_memory import PrototypeMemory
from whence.runs._prototype_words import PRIOR_WEIGHTS
from whence.runs._question import Question, ask, find_class
from whence.runs._study import Study, ask_study, read_shard
from whence.runs._study_files import evaluate_study, table_rows, write_evaluation
from whence.runs._subjects import Subject, find_subjects
from whence.runs._text import TextQuestion, ask_texts, explain_texts
from whence.runs._text_subjects import TextSubject, check_one_kind, find_texts

__all__ = [
    "Answer",
    "Comparison",
    "Demo",
    "Effort",
    "Evaluation",
    "Line",
    "MeanCurve",
    "PRIOR_WEIGHTS",
    "PrototypeMemory",
    "Question",
    "Rank",
    "Search",
    "Searched",
    "Study",
    "Subject",
    "TextQuestion",
    "TextSubject",
    "ask",
    "ask_prototypes",
    "ask_study",
    "ask_texts",
    "catalogue",
    "check_one_kind",
    "demo",
    "evaluate",
    "evaluate_study",
    "explain_pictures",
    "explain_texts",
    "failure_lines",
    "find_class",
    "find_prototypes",
    "find_subjects",
    "find_texts",
    "prior_choices",
    "read_shard",
    "readme_picture",
    "table_rows",
    "training_patterns",
    "write_evaluation",
]
