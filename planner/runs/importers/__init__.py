"""Importers of measured runs, one file a format."""

from planner.runs.importers.csv_file import CsvFile
from planner.runs.importers.excel_file import ExcelFile
from planner.runs.importers.frame import Frame
from planner.runs.importers.importer import IMPORTERS, Importer, sheet_of
from planner.runs.importers.latex_file import LatexFile
from planner.runs.importers.markdown_file import MarkdownFile
from planner.runs.importers.other_frames import OtherFrame
from planner.runs.importers.sheet import Sheet

__all__ = ["IMPORTERS", "Importer", "Sheet", "sheet_of"]

for _importer in (CsvFile(), Frame(), OtherFrame(), ExcelFile(), LatexFile(), MarkdownFile()):
    IMPORTERS.register(_importer)
